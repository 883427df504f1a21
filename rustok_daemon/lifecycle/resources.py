"""What the root lends to its children: views that no actor publishes, found with ``context.view`` like any other."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from ..declarations import Command, HealthCheck, Migration, Route, Seed


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What all actors of the tree declare, in tree order."""

    actors: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    commands: tuple[Command, ...] = ()
    migrations: tuple[Migration, ...] = ()
    seeds: tuple[Seed, ...] = ()
    health_checks: tuple[tuple[str, HealthCheck], ...] = ()
    """The id of the actor that is asked, and the check."""


class ListeningSockets(msgspec.Struct, frozen=True, kw_only=True):
    """Bound and listening; they outlive the children that serve them."""

    http: tuple[socket.socket, ...]
    control: socket.socket


class Phase(Protocol):
    """Where the daemon stands as a whole."""

    @property
    def started(self) -> bool: ...

    @property
    def draining(self) -> bool: ...


class TreeControl(Protocol):
    """The supervisor tree from outside. ``id`` that is not there raises ``NoSuchChild``."""

    def snapshot(self) -> dict[str, Any]:
        """The tree as plain data: the node of contract.md, ``status --json``."""

    async def restart(self, id: str) -> None: ...

    async def stop(self, id: str) -> None: ...

    async def start(self, id: str) -> None: ...


class Reloader(Protocol):
    """Reads the configuration again."""

    async def reload(self) -> Sequence[str]:
        """Applies what differs and says what was done, a line each. Raises ``ConfigurationError``: nothing changed."""


class HttpApplication(Protocol):
    """The ASGI application of every declared route, published by whoever serves the API."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...
