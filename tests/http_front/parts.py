"""Part of a daemon as its configuration assembles it: control, database and http_front, without a process of its own."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import trio
from prometheus_client import CollectorRegistry

from rustok_daemon.config import Configuration, LoadOptions, load
from rustok_daemon.config.sections import HttpSettings
from rustok_daemon.lifecycle.assembly import collect, tree_spec
from rustok_daemon.lifecycle.phase import DaemonPhase
from rustok_daemon.lifecycle.resources import Collected, ListeningSockets, Phase, Reloader, TreeControl
from rustok_daemon.lifecycle.sockets import open_sockets
from rustok_daemon.supervision.tree import Outcome, Tree
from rustok_daemon.telemetry.loop_watch import LoopWatch

CONTROL = ("control", "rustok_daemon.control:Control")
SIDE = ("asyncio_side", "rustok_daemon.asyncio_side:AsyncioSide")
DATABASE = ("database", "rustok_daemon.postgres:DatabaseActor")
FRONT = ("http_front", "actors.http_front:HttpFront")
WITH_DATABASE = (CONTROL, SIDE, DATABASE, FRONT)

Child = tuple[str, str]


class Part:
    """What a test sees of it."""

    def __init__(self, configuration: Configuration, sockets: ListeningSockets, unix: Path, data_dir: Path) -> None:
        self.configuration = configuration
        self.unix = unix
        self.data_dir = data_dir
        self.phase = DaemonPhase()
        self.registry = CollectorRegistry()
        self._watch = LoopWatch(self.registry)
        self.url = f"http://127.0.0.1:{sockets.http[0].getsockname()[1]}" if sockets.http else ""
        self.tree = Tree(tree_spec(configuration), resources=self._resources(sockets), registry=self.registry)
        self.tree.registry.lend(TreeControl, self.tree)

    def _resources(self, sockets: ListeningSockets) -> dict[type[Any], object]:
        return {
            Collected: collect(self.configuration),
            Configuration: self.configuration,
            CollectorRegistry: self.registry,
            ListeningSockets: sockets,
            LoopWatch: self._watch,
            Phase: self.phase,
        }

    def lend_reloader(self, reloader: Reloader) -> None:
        self.tree.registry.lend(Reloader, reloader)

    @property
    def token(self) -> str:
        return (self.data_dir / "token").read_text().strip()

    def client(self, token: str | None = None) -> httpx.AsyncClient:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=10)

    def local(self) -> httpx.AsyncClient:
        """Over the unix socket, as the daemon's own user."""
        transport = httpx.AsyncHTTPTransport(uds=str(self.unix))
        return httpx.AsyncClient(transport=transport, base_url="http://daemon", timeout=10)

    async def status(self, path: str, token: str | None = None) -> int:
        async with self.client(token) as http:
            return (await http.get(path)).status_code

    async def until_status(self, path: str, status: int, token: str | None = None) -> None:
        """Waits for what another process brings about."""
        seen = 0
        with trio.move_on_after(20):
            while (seen := await self.status(path, token)) != status:
                await trio.sleep(0.02)
        assert seen == status, f"{path} answers {seen}"

    async def run(self, task_status: trio.TaskStatus[None]) -> Outcome:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._mark_started)
            nursery.start_soon(self._watch.run)
            task_status.started()
            outcome = await self.tree.run()
            nursery.cancel_scope.cancel()
        return outcome

    async def _mark_started(self) -> None:
        await self.tree.started.wait()
        self.phase.mark_started()


@asynccontextmanager
async def running(
    directory: Path, url: str, children: Sequence[Child] = WITH_DATABASE, *, wait: bool = True, **settings: str
) -> AsyncIterator[Part]:
    """Runs these children in a tree of one level. ``settings`` are TOML, their names with ``__`` for the dot."""
    lines = [f'[[supervisor.children]]\nid = "{id}"\nstart = "{start}"' for id, start in children]
    file = directory / "supervisor.toml"
    file.write_text("\n".join(lines))
    unix = directory / "s"
    given = {
        "daemon.data_dir": str(directory),
        "http.bind": "127.0.0.1:0",
        "http.socket": str(unix),
        "database.url": url,
        "redis.url": "off",
        **{name.replace("__", "."): value for name, value in settings.items()},
    }
    options = LoadOptions(config=file, settings=tuple(f"{name}={value}" for name, value in given.items()))
    configuration = load(options, {})
    http = configuration.section(HttpSettings)
    with open_sockets(http.bind, unix, 0o660) as sockets:
        part = Part(configuration, sockets, unix, directory)
        async with trio.open_nursery() as nursery:
            await nursery.start(part.run)
            if wait:
                with trio.fail_after(20):
                    await part.tree.started.wait()
            try:
                yield part
            finally:
                part.tree.request_stop(math.inf)
