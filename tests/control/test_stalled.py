"""While the event loop stands still a thread answers on the unix socket, and says where it stands."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx
import trio

from tests.http_front.parts import CONTROL, Part, running

NOWHERE = "postgresql:///nowhere"
STALL = 2.5


def ask(part: Part, method: str, path: str) -> httpx.Response:
    transport = httpx.HTTPTransport(uds=str(part.unix))
    with httpx.Client(transport=transport, base_url="http://daemon", timeout=10) as http:
        return http.request(method, path)


def stand_still_and_ask(part: Part, *requests: tuple[str, str]) -> list[httpx.Response]:
    """Blocks the loop's thread, and so whatever runs in it, while another thread asks."""
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.extend(ask(part, *request) for request in requests))
    thread.start()
    end = time.monotonic() + STALL
    while time.monotonic() < end:
        time.sleep(0.01)  # the stall itself: this blocks the loop's thread
    return answers


async def test_a_thread_answers_until_the_loop_turns_again(place: Path) -> None:
    async with running(place, NOWHERE, (CONTROL,)) as part, part.local() as local:
        assert (await local.get("/health/live")).json() == {"status": "ok"}
        tree, live, restart = stand_still_and_ask(
            part,
            ("GET", "/v1/supervisor/tree"),
            ("GET", "/health/live"),
            ("POST", "/v1/supervisor/actors/control/restart"),
        )
        assert (tree.status_code, tree.json()["state"]) == (200, "degraded")
        assert tree.json()["children"][0]["id"] == "control"
        assert "the event loop has not turned for" in tree.json()["reason"]
        assert "stand_still_and_ask" in tree.json()["reason"]
        for refused in (live, restart):
            assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
            assert int(refused.headers["retry-after"]) >= 1
            assert refused.json()["type"] == "urn:rustok:unavailable"
        with trio.fail_after(5):
            while (await local.get("/health/live")).status_code != 200:
                await trio.sleep(0.05)
        assert (await local.get("/v1/supervisor/tree")).json()["state"] == "running"
