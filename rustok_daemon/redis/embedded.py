"""The embedded server: a Redis of our own as a supervised process, reachable through a private unix socket only."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

import msgspec
import trio

from rustok_daemon.config import Configuration
from rustok_daemon.lifecycle.orphan import ServerKind, stop_orphan
from rustok_daemon.supervision.process import ProcessActor, ProcessPlan

from . import layout
from .binary import find_server
from .endpoint import embedded_data_dir
from .errors import RedisUnavailable

SERVER = ServerKind(programs=("redis-server", "valkey-server"), stop_signals=((signal.SIGTERM, 10.0),))
_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "daemonize": "no",
    "loglevel": "warning",
}
_PROBE_WITHIN = 1.0


class EmbeddedRedisSettings(msgspec.Struct, frozen=True):
    """What the actor takes out of ``[daemon]``."""

    data_dir: Path


class EmbeddedRedis(ProcessActor[EmbeddedRedisSettings]):
    """In the tree only while no URL is given and there is a server to run."""

    Settings = EmbeddedRedisSettings
    stop_signals: ClassVar = ((signal.SIGTERM, 4.0),)

    @classmethod
    def enabled(cls, configuration: Configuration) -> bool:
        return embedded_data_dir(configuration) is not None

    @classmethod
    def from_configuration(cls, configuration: Configuration) -> Self:
        data_dir = embedded_data_dir(configuration)
        assert data_dir is not None, "asked for only while enabled"
        return cls(EmbeddedRedisSettings(data_dir))

    async def prepare(self) -> ProcessPlan:
        data_dir = self.settings.data_dir
        layout.make(data_dir)
        orphan = await stop_orphan(SERVER, layout.pid_file(data_dir), layout.data(data_dir))
        if orphan is not None:
            self.context.log.warning("stopped a server that outlived its daemon", pid=orphan)
        layout.socket(data_dir).unlink(missing_ok=True)
        server = find_server()
        if server is None:
            raise RedisUnavailable("the redis-server that was there is gone")
        return ProcessPlan(command=(os.fspath(server), *self._arguments()))

    async def probe(self) -> bool:
        """It answers PING with PONG only once it has read its append-only file."""
        with trio.move_on_after(_PROBE_WITHIN), suppress(OSError, trio.BrokenResourceError):
            async with await trio.open_unix_socket(layout.socket(self.settings.data_dir)) as stream:
                await stream.send_all(b"PING\r\n")
                return (await stream.receive_some()).startswith(b"+PONG")
        return False

    def _arguments(self) -> list[str]:
        data_dir = self.settings.data_dir
        settings = {
            **_SETTINGS,
            "dir": os.fspath(layout.data(data_dir)),
            "unixsocket": os.fspath(layout.socket(data_dir)),
            "pidfile": os.fspath(layout.pid_file(data_dir)),
        }
        return [word for name, value in settings.items() for word in (f"--{name}", value)]
