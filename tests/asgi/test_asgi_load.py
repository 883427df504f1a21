"""Much at once: pipelines, idle connections, and readers that do not read."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from tests.asgi.asgi_apps import echo, hello
from tests.asgi.asgi_clients import request, serving

BOTH = pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
ROOT = Path(__file__).parents[2]
MIB = 1 << 20
IDLE = 10_000
BYTES_PER_IDLE_CONNECTION = 10 << 10


@BOTH
async def test_a_thousand_pipelined_requests_are_answered_in_order(unix: bool) -> None:
    async with serving(echo, unix=unix) as served, served.client() as client:
        async with trio.open_nursery() as nursery:
            raw = b"".join(request("POST", f"/{n}", body=b"x" * (n % 7)) for n in range(1000))
            nursery.start_soon(client.send, raw)
            for n in range(1000):
                assert (await client.answer("POST")).body == b"POST /%d %b" % (n, b"x" * (n % 7))
        assert served.server.stats.requests == 1000


async def test_a_pipeline_does_not_hold_up_others() -> None:
    async with serving(echo) as served, served.client() as pipelining, served.client() as other:
        await pipelining.send(request(target="/n") * 1000)
        await other.ask(request())
        assert served.server.stats.requests < 500


async def stream_100_mib(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/small":
        await hello(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200})
    for _ in range(1600):
        await send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": True})


def kernel_keeps(client: trio.SocketStream) -> int:
    """Bytes of the connection that lie in the server's kernel, by ``ss``-like figures of /proc: its send queue."""
    own = client.socket.getsockname()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[2].split(":")[1], 16) == own:
            return int(fields[4].split(":")[0], 16)
    return 0


@BOTH
async def test_100_mib_to_one_who_reads_a_kilobyte_a_second_cost_less_than_one_mib(unix: bool) -> None:
    """Ten such readers, so that what one costs is not lost in what a test costs anyway."""
    readers = 10
    streams = []
    async with serving(stream_100_mib, unix=unix) as served:
        await served.ask(request(target="/small"))
        tracemalloc.start()
        try:
            for _ in range(readers):
                sock = trio.socket.socket(served.listener.family, socket.SOCK_STREAM)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                await sock.connect(served.listener.getsockname())
                streams.append(trio.SocketStream(sock))
                await streams[-1].send_all(request())
                await streams[-1].receive_some(1000)
            await trio.testing.wait_all_tasks_blocked(0.2)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < readers * MIB
        if not unix:
            assert max(kernel_keeps(stream) for stream in streams) < MIB
        with trio.fail_after(2):
            assert (await served.ask(request(target="/small"))).body == b"hello"
        for stream in streams:
            await stream.aclose()


@contextmanager
def idle_server() -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "tests.asgi.asgi_idle_server"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def answer(connection: socket.socket) -> bytes:
    connection.sendall(request())
    return connection.recv(1000)


async def test_ten_thousand_idle_connections_are_held_in_little_memory(record_property: Any) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < IDLE + 500:
        pytest.fail(f"needs a hard limit of {IDLE + 500} descriptors, has {hard}")
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        process, port = stack.enter_context(idle_server())
        first = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert answer(first).startswith(b"HTTP/1.1 200 OK")
        before = resident(process.pid)
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(IDLE)]
        for connection in idle[:: IDLE // 50]:
            assert answer(connection).startswith(b"HTTP/1.1 200 OK")
        each = (resident(process.pid) - before) // IDLE
        record_property("bytes per idle connection", each)
        assert each <= BYTES_PER_IDLE_CONNECTION
        assert answer(first).startswith(b"HTTP/1.1 200 OK")
