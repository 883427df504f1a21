"""The engine's own sections; all others come from the actors of the tree."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from .types import Duration, Mode, Secret, Size, parse_address
from .urls import problem_of_postgres, problem_of_redis

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
SomeTime = Annotated[Duration, msgspec.Meta(gt=0)]
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

    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
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
    period: SomeTime = Duration(5)
    auto_shutdown: Literal["never", "any_significant", "all_significant"] = "never"
    max_children: PositiveInt | None = None
    ready: str | None = None
    stop_signal: Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"] = "SIGTERM"
    env: dict[str, Secret] = {}
    user: str | None = None
    options: dict[str, Any] = {}

    def __repr__(self) -> str:
        """Its ``options`` may hold what is a secret in the section they are laid over."""
        return f"ChildSettings(id={self.id!r}, …)"

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
        if len(given) < 2:
            yield from self._out_of_place()

    def _out_of_place(self) -> Iterable[tuple[str, str]]:
        """A key that would have no effect is a mistake, and not a wish."""
        kind = "start" if self.start is not None else "command" if self.command is not None else "children"
        for kinds, names in _ONLY_WITH.items():
            for name in names if kind not in kinds else ():
                if getattr(self, name) != getattr(_BARE, name):
                    yield name, f"has no effect on this child: it belongs to one with {' or '.join(kinds)}"


_BARE = ChildSettings(id="bare")
_ONLY_WITH = {
    ("start",): ("options",),
    ("start", "command"): ("mailbox", "overflow"),
    ("command",): ("ready", "stop_signal", "env", "user"),
    ("children",): ("strategy", "intensity", "period", "auto_shutdown", "max_children"),
}


class SupervisorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[supervisor]"""

    strategy: Literal["one_for_one", "one_for_all", "rest_for_one"] = "one_for_one"
    intensity: Annotated[int, msgspec.Meta(ge=0)] = 3
    period: SomeTime = Duration(5)
    auto_shutdown: Literal["never", "any_significant", "all_significant"] = "never"
    children: tuple[ChildSettings, ...] = ()

    def problems(self, environment: str) -> Iterable[tuple[str, str]]:
        seen = {"root"}
        for path, child, auto_shutdown in _places(self.auto_shutdown, self.children, "children"):
            if child.id in seen:
                yield f"{path}.id", f"{child.id!r} is there twice: each child has an id of its own"
            seen.add(child.id)
            if child.significant and auto_shutdown == "never":
                yield f"{path}.significant", "has no meaning while auto_shutdown of its supervisor is never"


def _places(
    auto_shutdown: str, children: tuple[ChildSettings, ...], path: str
) -> Iterable[tuple[str, ChildSettings, str]]:
    """Every child with where it stands and its supervisor's ``auto_shutdown``."""
    for number, child in enumerate(children):
        here = f"{path}.{number}"
        yield here, child, auto_shutdown
        yield from _places(child.auto_shutdown, child.children, f"{here}.children")


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
    socket_mode: Mode = Mode(0o660)
    max_body: Size = Size(16 << 20)
    header_timeout: SomeTime = Duration(10)
    body_timeout: SomeTime = Duration(30)
    keep_alive: SomeTime = Duration(75)
    max_connections: PositiveInt = 12_000
    drain_delay: Duration = Duration(0)
    forwarded: ForwardedSettings = ForwardedSettings()
    authorize_from: tuple[Network, ...] = _LOOPBACK
    metrics_token: bool = False

    def problems(self, environment: str) -> Iterable[tuple[str, str]]:
        try:
            if self.bind:
                parse_address(self.bind)
        except ValueError as error:
            yield "bind", f'{error}, or "" for no TCP at all'


class DatabaseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[database]"""

    url: Secret = Secret("")
    min_size: Annotated[int, msgspec.Meta(ge=0)] = 2
    max_size: PositiveInt = 10
    migrate: bool = True
    statement_timeout: SomeTime = Duration(30)

    def problems(self, environment: str) -> Iterable[tuple[str, str]]:
        if self.min_size > self.max_size:
            yield "min_size", f"{self.min_size} is more than max_size ({self.max_size})"
        problem = problem_of_postgres(self.url.reveal()) if self.url else None
        if problem is not None:
            yield "url", problem


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[redis]"""

    url: Secret = Secret("")
    timeout: SomeTime = Duration(2)

    def problems(self, environment: str) -> Iterable[tuple[str, str]]:
        text = self.url.reveal()
        problem = problem_of_redis(text) if text and text != "off" else None
        if problem is not None:
            yield "url", problem


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

    def problems(self, environment: str) -> Iterable[tuple[str, str]]:
        if self.otlp.endpoint:
            yield "otlp.endpoint", "traces are not exported by this version: leave it empty"


ENGINE_SECTIONS: dict[str, type[Any]] = {
    "daemon": DaemonSettings,
    "supervisor": SupervisorSettings,
    "http": HttpSettings,
    "database": DatabaseSettings,
    "redis": RedisSettings,
    "telemetry": TelemetrySettings,
}
