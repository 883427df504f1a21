"""A server that is cancelled, at any checkpoint of any conversation, leaves no task, no descriptor and no error."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs
from trio.lowlevel import Task

from rustok_daemon.asgi import serve
from tests.asgi.asgi_apps import read_body, respond
from tests.asgi.asgi_clients import Client, Served, chunked, open_listener, request

HANDSHAKE = request(
    "GET",
    "/",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
CONVERSATIONS = {
    "a plain request": request(),
    "an upload with 100-continue": request("POST", "/", "Expect: 100-continue", "Transfer-Encoding: chunked")
    + chunked(b"a" * 1000),
    "a pipeline": request() * 5,
    "a big answer": request(target="/big"),
    "a refusal": request(host=False),
    "an unfinished head": b"GET / HT",
    "a websocket": HANDSHAKE + bytes((0x81, 0x82, 0, 0, 0, 0)) + b"hi" + bytes((0x88, 0x80, 0, 0, 0, 0)),
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    await read_body(receive)
    if scope["path"] == "/big":
        await send({"type": "http.response.start", "status": 200})
        for _ in range(8):
            await send({"type": "http.response.body", "body": bytes(1 << 18), "more_body": True})
        await send({"type": "http.response.body"})
    else:
        await respond(send, b"done")


class CancelAfter(trio.abc.Instrument):
    """Cancels when tasks of the server have been stepped so many times."""

    def __init__(self, steps: int, cancel: Callable[[], None]) -> None:
        self.left = steps
        self.cancel = cancel

    def before_task_step(self, task: Task) -> None:
        if not task.name.startswith("rustok_daemon.asgi"):
            return
        if self.left == 0:
            self.cancel()
        self.left -= 1


async def converse(listener: Any, raw: bytes) -> None:
    """As a client that reads to the end, whatever that is."""
    async with Served(None, listener).client() as client:  # type: ignore[arg-type]
        try:
            await client.send(raw)
            await client.shut()
            await Client(client.stream).rest()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


async def cancelled_after(steps: int, raw: bytes) -> bool:
    """Runs a conversation and cancels the server after so many steps; whether it came to that."""
    with open_listener() as listener:
        before = descriptors()
        async with trio.open_nursery() as nursery:
            serving = trio.CancelScope()
            done = trio.Event()

            async def run(task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
                with serving:
                    await serve(app, [listener], task_status=task_status)
                done.set()

            await nursery.start(run)
            instrument = CancelAfter(steps, serving.cancel)
            trio.lowlevel.add_instrument(instrument)
            with trio.move_on_after(0.5):
                await converse(listener, raw)
            trio.lowlevel.remove_instrument(instrument)
            serving.cancel()
            with trio.fail_after(5):
                await done.wait()
            assert not nursery.child_tasks
            nursery.cancel_scope.cancel()
        assert descriptors() == before
        return instrument.left < 0


@pytest.mark.parametrize("raw", CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
async def test_leaves_nothing_behind(raw: bytes) -> None:
    with capture_logs() as logs:
        steps = 0
        while await cancelled_after(steps, raw):
            steps += 1
    assert steps > 2
    assert logs == []
