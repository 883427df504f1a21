"""The unix socket is the control room's: it answers while http_front is down, lends it the rest, and stands in on TCP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import trio

from rustok_daemon.config import ConfigurationError
from rustok_daemon.supervision.actor import Actor, receive
from tests.http_front.parts import CONTROL, FRONT, SIDE, WITH_DATABASE, Part, running
from tests.servers import PostgresProcess

NOWHERE = "postgresql:///nowhere"


async def node(part: Part, id: str) -> dict[str, Any]:
    async with part.local() as local:
        answer = await local.get(f"/v1/supervisor/actors/{id}")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_the_tree_is_told_by_the_socket_and_on_tcp(place: Path, url: str) -> None:
    async with running(place, url) as part, part.local() as local, part.client(part.token) as http:
        by_socket, by_tcp = (
            (await local.get("/v1/supervisor/tree")).json(),
            (await http.get("/v1/supervisor/tree")).json(),
        )
        for tree in (by_socket, by_tcp):
            assert (tree["id"], tree["kind"], tree["state"]) == ("root", "supervisor", "running")
            assert [child["id"] for child in tree["children"]] == ["control", "asyncio_side", "database", "http_front"]
            for child in tree["children"]:
                assert {"path", "since", "restarts", "last_error", "mailbox", "handler_ms"} <= child.keys()
        assert (await http.get("/v1/supervisor/actors/database")).json()["path"] == "root/database"


async def test_every_route_is_on_the_socket(place: Path, url: str) -> None:
    async with running(place, url) as part, part.local() as local:
        for path in ("/health/live", "/health/ready", "/v1/tokens", "/metrics", "/openapi.json", "/docs", "/"):
            assert (await local.get(path)).status_code == 200, path
        assert (await local.get("/nowhere")).status_code == 404
        document = (await local.get("/openapi.json")).json()
        assert {"/v1/supervisor/tree", "/health/live", "/v1/tokens"} <= document["paths"].keys()


async def test_while_http_front_is_down_its_routes_are_503_and_control_s_own_are_not(place: Path, url: str) -> None:
    async with running(place, url) as part, part.local() as local:
        token = part.token
        stopped = await local.post("/v1/supervisor/actors/http_front/stop")
        assert (stopped.status_code, stopped.json()["state"]) == (200, "stopped")
        lent = await local.get("/v1/tokens")
        assert (lent.status_code, lent.headers["content-type"]) == (503, "application/problem+json")
        assert int(lent.headers["retry-after"]) >= 1
        assert lent.json()["type"] == "urn:rustok:unavailable"
        assert lent.json()["request_id"] == lent.headers["x-request-id"]
        assert (await local.get("/health/live")).status_code == 200
        assert (await local.get("/v1/supervisor/tree")).status_code == 200
        started = await local.post("/v1/supervisor/actors/http_front/start")
        assert started.status_code == 200
        await part.until_status("/v1/tokens", 200, token)
        assert (await local.get("/v1/tokens")).status_code == 200


async def test_tcp_is_answered_while_http_front_is_down(place: Path, url: str) -> None:
    async with running(place, url) as part, part.local() as local:
        token = part.token
        await local.post("/v1/supervisor/actors/http_front/stop")
        for path, status in (
            ("/health/live", 200),
            ("/health/ready", 503),
            ("/_readiness", 503),
            ("/v1/tokens", 503),
            ("/v1/supervisor/tree", 503),
        ):
            assert await part.status(path, token) == status, path
        assert await part.status("/v1/supervisor/tree") == 401
        await local.post("/v1/supervisor/actors/http_front/start")
        await part.until_status("/v1/tokens", 200, token)


async def test_a_websocket_is_denied_with_the_same_problem_while_http_front_is_down(place: Path) -> None:
    async with running(place, NOWHERE, (CONTROL,)) as part:
        port = int(part.url.rpartition(":")[2])
        handshake = (
            b"GET /v1/events/stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(handshake)
            answer = b"".join([chunk async for chunk in stream])
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"urn:rustok:unavailable" in answer


async def test_clients_see_no_refused_connection_while_http_front_restarts(place: Path, url: str) -> None:
    """Each of them gets an answer: the front's, or the stand-in's 503."""
    async with running(place, url) as part, part.local() as local:
        seen: set[int] = set()
        failures: list[str] = []
        done = trio.Event()

        async def ask() -> None:
            while not done.is_set():
                try:
                    seen.add(await part.status("/health/live"))
                except Exception as error:
                    failures.append(repr(error))

        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(ask)
            for _ in range(5):
                await local.post("/v1/supervisor/actors/http_front/restart")
                await trio.sleep(0.15)
            done.set()
        assert seen == {200}
        cut = [failure for failure in failures if "ReadError" not in failure and "RemoteProtocolError" not in failure]
        assert cut == []
        assert len(failures) <= 5 * 4, "only what was in the hands of a front that was being stopped"


class Slow(Actor[Any]):
    """Takes its time to start, as a long migration does."""

    class Settings(msgspec.Struct, frozen=True):
        pass

    async def setup(self) -> None:
        await trio.sleep(1)

    @receive
    def on_nothing(self, message: int) -> None: ...


async def test_probes_are_answered_while_the_daemon_starts(place: Path, url: str) -> None:
    children = (CONTROL, ("slow", "tests.control.test_control:Slow"), *WITH_DATABASE[1:])
    async with running(place, url, children, wait=False) as part:
        await part.until_status("/health/live", 200)
        assert not part.tree.started.is_set()
        assert await part.status("/health/ready") == 503
        await part.until_status("/health/ready", 200)


async def test_who_connected_to_the_stand_in_is_served_by_it_to_the_end(place: Path, url: str) -> None:
    """The hand-over takes no connection away from a client that has not asked yet, or not for the last time."""
    children = (CONTROL, ("slow", "tests.control.test_control:Slow"), *WITH_DATABASE[1:])
    async with running(place, url, children, wait=False) as part:
        await part.until_status("/health/live", 200)
        port = int(part.url.rpartition(":")[2])
        silent = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(20)]
        async with part.client() as http:
            assert (await http.get("/health/ready")).status_code == 503
            await part.tree.started.wait()
            await part.until_status("/health/ready", 200)
            for stream in silent:
                await stream.send_all(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await stream.receive_some(1000)).startswith(b"HTTP/1.1 200 ")
                await stream.aclose()
            assert (await http.get("/health/ready")).status_code == 200


async def test_an_actor_is_restarted_stopped_and_started_by_its_name(place: Path, url: str) -> None:
    async with running(place, url) as part, part.local() as local:
        before = await node(part, "database")
        restarted = await local.post("/v1/supervisor/actors/database/restart")
        assert restarted.status_code == 200
        assert restarted.json()["since"] > before["since"]
        assert (await local.post("/v1/supervisor/actors/database/stop")).json()["state"] == "stopped"
        assert await part.status("/_readiness") == 503
        assert (await local.post("/v1/supervisor/actors/database/start")).status_code == 200
        await part.until_status("/_readiness", 200)


async def test_what_cannot_be_is_refused(place: Path, url: str) -> None:
    async with running(place, url) as part, part.local() as local:
        for verb in ("restart", "stop", "start"):
            missing = await local.post(f"/v1/supervisor/actors/nobody/{verb}")
            assert (missing.status_code, missing.json()["type"]) == (404, "urn:rustok:not-found")
        running_already = await local.post("/v1/supervisor/actors/database/start")
        assert (running_already.status_code, running_already.json()["type"]) == (409, "urn:rustok:conflict")
        assert (await local.get("/v1/supervisor/actors/nobody")).status_code == 404
        wrong = await local.put("/v1/supervisor/tree")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_reading_and_changing_want_different_scopes(place: Path, url: str) -> None:
    async with running(place, url) as part, part.client(part.token) as http:
        made = await http.post("/v1/tokens", json={"name": "reader", "scopes": ["supervisor:read"]})
        reader = made.json()["token"]
        assert await part.status("/v1/supervisor/tree", reader) == 200
        async with part.client(reader) as limited:
            assert (await limited.post("/v1/supervisor/actors/database/restart")).status_code == 403
            assert (await limited.post("/v1/supervisor/reload")).status_code == 403


class Words:
    """A reloader that says what it is told to."""

    def __init__(self, done: Sequence[str] | ConfigurationError) -> None:
        self._done = done

    async def reload(self) -> Sequence[str]:
        if isinstance(self._done, ConfigurationError):
            raise self._done
        return self._done


async def test_a_reload_says_what_it_did_or_what_is_wrong(place: Path) -> None:
    async with running(place, NOWHERE, (CONTROL,)) as part, part.local() as local:
        part.lend_reloader(Words(["http_front: restarted with its new settings"]))
        done = await local.post("/v1/supervisor/reload")
        assert (done.status_code, done.json()) == (200, {"done": ["http_front: restarted with its new settings"]})
        part.lend_reloader(Words(ConfigurationError(["supervisor.toml:3: http.bnid: unknown key"])))
        wrong = await local.post("/v1/supervisor/reload")
        assert (wrong.status_code, wrong.json()["type"]) == (422, "urn:rustok:bad-configuration")
        assert wrong.json()["errors"] == ["supervisor.toml:3: http.bnid: unknown key"]


async def test_it_serves_without_anybody_else(place: Path) -> None:
    async with running(place, NOWHERE, (CONTROL,)) as part, part.local() as local:
        assert (await local.get("/health/live")).json() == {"status": "ok"}
        assert (await local.get("/v1/supervisor/tree")).json()["children"][0]["id"] == "control"
        assert (await local.get("/v1/tokens")).status_code == 503
        assert await part.status("/v1/supervisor/tree", "some-token") == 503, "nobody can say whose token it is"


async def test_liveness_does_not_wait_for_a_frozen_database(place: Path, own_postgres: PostgresProcess) -> None:
    async with running(place, own_postgres.url) as part, part.local() as local:
        await trio.to_thread.run_sync(own_postgres.freeze)
        try:
            with trio.fail_after(1):
                assert (await local.get("/health/live")).status_code == 200
                assert (await local.get("/v1/supervisor/tree")).status_code == 200
        finally:
            await trio.to_thread.run_sync(own_postgres.thaw)


async def test_without_tcp_there_is_the_socket(place: Path) -> None:
    children = (CONTROL, SIDE, FRONT)
    async with running(place, NOWHERE, children, http__bind="") as part, part.local() as local:
        assert part.url == ""
        assert (await local.get("/health/live")).status_code == 200
        assert (await local.get("/_ping")).status_code == 200
