"""The engine's own sections; all others come from the actors of the tree."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from .types import Duration, Secret, Size

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


class DaemonSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[daemon]"""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = "rustok"
    data_dir: Path = Path("./var")
    shutdown_timeout: Duration = Duration(30)


class BackoffSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[supervisor.children.backoff]"""

    first: Duration = Duration(0.1)
    limit: Duration = Duration(30)
    factor: Annotated[float, msgspec.Meta(ge=1)] = 2.0
    jitter: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.2
    reset_after: Duration = Duration(60)


class ChildSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[[supervisor.children]]: exactly one of ``start``, ``command`` and ``children``, or ``strategy`` alone."""

    id: str
    start: str | None = None
    command: tuple[str, ...] | None = None
    children: tuple[ChildSettings, ...] = ()
    restart: Literal["permanent", "transient", "temporary"] = "permanent"
    shutdown: Duration | None = None
    significant: bool = False
    backoff: BackoffSettings = BackoffSettings()
    mailbox: PositiveInt = 1000
    overflow: Literal["wait", "reject", "drop_oldest", "drop_newest"] = "wait"
    strategy: Literal["one_for_one", "one_for_all", "rest_for_one"] | None = None
    intensity: Annotated[int, msgspec.Meta(ge=0)] = 3
    period: Duration = Duration(5)
    auto_shutdown: Literal["never", "any_significant", "all_significant"] = "never"
    max_children: PositiveInt | None = None
    ready: str | None = None
    stop_signal: Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"] = "SIGTERM"
    env: dict[str, str] = {}
    user: str | None = None
    options: dict[str, Any] = {}

    @property
    def is_supervisor(self) -> bool:
        return self.start is None and self.command is None

    def problems(self, environment: str) -> Iterable[tuple[str, str]]:
        given = [name for name in ("start", "command") if getattr(self, name) is not None]
        if self.children:
            given.append("children")
        if len(given) > 1:
            yield given[1], f"a child has either {given[0]} or {given[1]}"
        if not given and self.strategy is None:
            yield "start", 'is missing: name the class, for example start = "package.module:Class"'
        if self.start is not None and self.start.count(":") != 1:
            yield "start", f'{self.start!r} is not "package.module:Class"'
        if self.command is not None and not self.command:
            yield "command", "is empty: name the program and its arguments"
        if self.significant and self.restart == "permanent":
            yield "significant", "a permanent child cannot be significant: choose restart transient or temporary"


class SupervisorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[supervisor]"""

    strategy: Literal["one_for_one", "one_for_all", "rest_for_one"] = "one_for_one"
    intensity: Annotated[int, msgspec.Meta(ge=0)] = 3
    period: Duration = Duration(5)
    auto_shutdown: Literal["never", "any_significant", "all_significant"] = "never"
    children: tuple[ChildSettings, ...] = ()

    def problems(self, environment: str) -> Iterable[tuple[str, str]]:
        seen: set[str] = set()
        for child in walk(self.children):
            if child.id in seen:
                yield "children", f"the id {child.id!r} is there twice"
            seen.add(child.id)
        yield from _significant(self.auto_shutdown, self.children)


def _significant(auto_shutdown: str, children: tuple[ChildSettings, ...]) -> Iterable[tuple[str, str]]:
    for child in children:
        if child.significant and auto_shutdown == "never":
            yield "children", f"{child.id!r} is significant, but auto_shutdown of its supervisor is never"
        yield from _significant(child.auto_shutdown, child.children)


def walk(children: tuple[ChildSettings, ...]) -> Iterable[ChildSettings]:
    """All of them, in start order, supervisors before what is below them."""
    for child in children:
        yield child
        yield from walk(child.children)


class ForwardedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[http.forwarded]"""

    trusted: tuple[Network, ...] = ()


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[http]"""

    bind: str = "127.0.0.1:5150"
    socket: Path | None = None
    socket_mode: Annotated[int, msgspec.Meta(ge=0, le=0o777)] = 0o660
    max_body: Size = Size(16 << 20)
    header_timeout: Duration = Duration(10)
    body_timeout: Duration = Duration(30)
    keep_alive: Duration = Duration(75)
    max_connections: PositiveInt = 12_000
    drain_delay: Duration = Duration(0)
    forwarded: ForwardedSettings = ForwardedSettings()
    authorize_from: tuple[Network, ...] = _LOOPBACK
    metrics_token: bool = False

    def problems(self, environment: str) -> Iterable[tuple[str, str]]:
        host, separator, port = self.bind.rpartition(":")
        if self.bind and not (separator and host and port.isdigit() and int(port) < 65536):
            yield "bind", f"{self.bind!r} is not an address: write host:port, for example 127.0.0.1:5150"


class DatabaseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[database]"""

    url: Secret = Secret("")
    min_size: Annotated[int, msgspec.Meta(ge=0)] = 2
    max_size: PositiveInt = 10
    migrate: bool = True
    statement_timeout: Duration = Duration(30)

    def problems(self, environment: str) -> Iterable[tuple[str, str]]:
        if self.min_size > self.max_size:
            yield "min_size", f"{self.min_size} is more than max_size ({self.max_size})"
        if self.url and not self.url.reveal().startswith(("postgresql://", "postgres://")):
            yield "url", "is not a PostgreSQL URL: write postgresql://user:password@host/database"


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[redis]"""

    url: Secret = Secret("")
    timeout: Duration = Duration(2)

    def problems(self, environment: str) -> Iterable[tuple[str, str]]:
        text = self.url.reveal()
        if text and text != "off" and not text.startswith(("redis://", "rediss://", "unix://")):
            yield "url", 'is not a Redis URL: write redis://host:6379/0, rediss://…, unix:///path, or "off"'


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[telemetry.log]"""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class OtlpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[telemetry.otlp]"""

    endpoint: str = ""


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """[telemetry]"""

    log: LogSettings = LogSettings()
    metrics: bool = True
    otlp: OtlpSettings = OtlpSettings()
    sampling: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0


ENGINE_SECTIONS: dict[str, type[Any]] = {
    "daemon": DaemonSettings,
    "supervisor": SupervisorSettings,
    "http": HttpSettings,
    "database": DatabaseSettings,
    "redis": RedisSettings,
    "telemetry": TelemetrySettings,
}
