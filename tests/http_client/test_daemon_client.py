"""The commands' way to the daemon, against a real one: answers, refusals, and nobody there."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import trio

from rustok_daemon.cli.errors import CommandFailed, DaemonUnreachable, NoSuchThing
from rustok_daemon.cli.pages import all_items
from rustok_daemon.http_client import HttpDaemonClient
from tests.http_front.parts import CONTROL, running

NOWHERE = "postgresql:///nowhere"


def client(place: Path) -> HttpDaemonClient:
    return HttpDaemonClient(place / "s", place / "token")


async def in_thread(function: Any, *arguments: Any) -> Any:
    return await trio.to_thread.run_sync(function, *arguments)


async def test_it_reads_and_writes(place: Path, url: str) -> None:
    async with running(place, url):
        daemon = client(place)
        assert await in_thread(daemon.get, "/health/live") == {"status": "ok"}
        made = await in_thread(daemon.post, "/v1/tokens", {"name": "app", "scopes": ["tenants:read"]})
        assert made["name"] == "app"
        assert await in_thread(daemon.delete, "/v1/tokens/app") is None


async def test_parameters_that_are_none_are_not_sent(place: Path, url: str) -> None:
    async with running(place, url):
        page = await in_thread(client(place).get, "/v1/tokens", {"limit": 5, "cursor": None})
        assert len(page["items"]) == 1


async def test_a_list_is_read_to_its_end(place: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rustok_daemon.cli.pages._PER_PAGE", 2)
    async with running(place, url):
        daemon = client(place)
        for number in range(5):
            await in_thread(daemon.post, "/v1/tokens", {"name": f"app-{number}", "scopes": ["tenants:read"]})
        names = [item["name"] for item in await in_thread(all_items, daemon, "/v1/tokens")]
        assert names[:5] == [f"app-{number}" for number in range(5)]
        assert len(names) == 6


async def test_a_404_is_no_such_thing_with_the_daemon_s_words(place: Path) -> None:
    async with running(place, NOWHERE, (CONTROL,)):
        with pytest.raises(NoSuchThing, match="there is no child 'nobody' in the tree"):
            await in_thread(client(place).get, "/v1/supervisor/actors/nobody")


async def test_any_other_refusal_brings_the_problem(place: Path) -> None:
    async with running(place, NOWHERE, (CONTROL,)):
        with pytest.raises(CommandFailed, match="http_front is not running at present") as caught:
            await in_thread(client(place).get, "/v1/tokens")
    assert caught.value.problem["type"] == "urn:rustok:unavailable"


async def test_nobody_there_is_unreachable_and_names_the_socket(place: Path) -> None:
    with pytest.raises(DaemonUnreachable, match=f"{place}/s"):
        await in_thread(client(place).get, "/health/live")
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(place / "s"))
    with pytest.raises(DaemonUnreachable, match="is it running"):
        await in_thread(client(place).get, "/health/live")


async def test_one_that_hangs_up_is_unreachable(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "s"))
        server.listen()

        def hang_up() -> None:
            accepted, _ = server.accept()
            accepted.recv(1000)
            accepted.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(in_thread, hang_up)
            with pytest.raises(DaemonUnreachable, match="does not answer"):
                await in_thread(client(place).get, "/health/live")


async def test_a_token_that_may_not_be_read_is_no_failure(place: Path) -> None:
    async with running(place, NOWHERE, (CONTROL,)):
        (place / "token").mkdir()
        assert await in_thread(client(place).get, "/health/live") == {"status": "ok"}
