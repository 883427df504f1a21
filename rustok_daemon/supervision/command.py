"""A child that ``supervisor.toml`` gives as a command line."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Mapping

import msgspec
import trio

from .errors import FatalExit
from .process import ProcessActor, ProcessPlan

_CONFIGURATION = 78


class CommandSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``ready``: a path that exists, or ``host:port`` that accepts, once it serves; ``None``: as soon as it runs."""

    command: tuple[str, ...]
    ready: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    environment: Mapping[str, str] = {}
    user: str | None = None
    patience: float = 5.0


class CommandProcess(ProcessActor[CommandSettings]):
    """Runs it, and stops it by its signal."""

    Settings = CommandSettings

    def __init__(self, settings: CommandSettings) -> None:
        super().__init__(settings)
        self.stop_signals = ((settings.stop_signal, max(0.1, settings.patience - 1.0)),)  # type: ignore[misc]

    async def prepare(self) -> ProcessPlan:
        user, group = self._ids()
        env = {**os.environ, **self.settings.environment}
        return ProcessPlan(command=self.settings.command, env=env, user=user, group=group)

    def _ids(self) -> tuple[int | None, int | None]:
        if self.settings.user is None:
            return None, None
        try:
            found = pwd.getpwnam(self.settings.user)
        except KeyError:
            raise FatalExit(_CONFIGURATION, f"child {self.context.id!r}: no user {self.settings.user!r}") from None
        return found.pw_uid, found.pw_gid

    async def probe(self) -> bool:
        ready = self.settings.ready
        if ready is None:
            return True
        host, separator, port = ready.rpartition(":")
        if separator and port.isdigit():
            return await _accepts(host, int(port))
        return await trio.Path(ready).exists()


async def _accepts(host: str, port: int) -> bool:
    try:
        stream = await trio.open_tcp_stream(host, port)
    except OSError:
        return False
    await stream.aclose()
    return True
