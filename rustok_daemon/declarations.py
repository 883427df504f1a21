"""What an actor declares about itself; the engine collects it and knows no actor by name.

A declaration is a class attribute of the actor (see ``supervision.actor.Actor``). Ours and those of a
third party are made in the same way; ``docs/writing-an-actor.md`` shows one whole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from .api.call import Call, RawCall
    from .asgi import WholeResponse
    from .cli.context import CommandContext

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "WEBSOCKET"]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP route.

    ``path`` is a template (``/v1/tenants/{id}``). ``scope`` is the token scope it asks for; ``None`` means
    open to everyone. ``query`` and ``body`` are structs: what arrives is decoded and checked against them
    (400 and 422, naming the field). What ``handler`` returns is encoded as JSON unless it is a ``Reply``.
    ``raw``, for the hottest paths: ``handler`` is called with a ``RawCall`` after authentication, reads the query itself
    and returns a ``WholeResponse``; ``query`` and ``returns`` still feed ``/openapi.json``. ``at_once`` is asked before it,
    and answers what needs no waiting, or says ``None``. A raw WEBSOCKET is an ASGI application that finds its call under
    ``scope["state"]["rustok"]``. ``problems`` are the statuses it may answer with
    beyond what the machinery around it does, and ``problem_types`` the names behind ``urn:rustok:`` that are its own.
    ``other_statuses`` come with ``returns``, as ``status`` does (a readiness that says 503).
    """

    method: Method
    path: str
    handler: (
        Callable[[Call], Awaitable[Any]]
        | Callable[[RawCall], Awaitable[WholeResponse]]
        | Callable[..., Awaitable[None]]
    )
    summary: str
    scope: str | None = "admin"
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    returns: Any = None
    status: int = 200
    other_statuses: tuple[int, ...] = ()
    problems: tuple[int, ...] = ()
    problem_types: tuple[str, ...] = ()
    raw: bool = False
    at_once: Callable[[RawCall], WholeResponse | None] | None = None
    tag: str = ""


class Argument(msgspec.Struct, frozen=True, kw_only=True):
    """One positional argument (``name`` without dashes) or option (``--name``) of a command, as argparse takes it."""

    name: str
    help: str
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] | None = None
    repeated: bool = False
    flag: bool = False
    type: Callable[[str], Any] = str


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command of ``rustok-daemon``: ``words`` are what is typed (``("tenant", "list")``). ``run`` returns the exit code."""

    words: tuple[str, ...]
    summary: str
    run: Callable[[CommandContext], int]
    arguments: tuple[Argument, ...] = ()


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the schema, applied once, in order of ``id`` over all actors.

    ``id`` sorts: ``rustok_20261123_000001_tenants``. ``sql`` runs in one transaction and must be
    safe on a database that RusToK made (``create table if not exists`` …). ``seaql`` names those of RusToK's own
    migrations whose tables this step makes, so that its migrator goes on.
    """

    id: str
    sql: str
    seaql: tuple[str, ...] = ()


class Seed(msgspec.Struct, frozen=True, kw_only=True):
    """Demo data: idempotent SQL, run by ``db seed``, and once at the first start in development."""

    id: str
    sql: str


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One module shown by ``/health/modules`` and ``/health/ready``; its state is the actor's own health."""

    slug: str
    name: str
    critical: bool = False


HealthStatus = Literal["healthy", "degraded", "unhealthy"]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """An actor's answer to "how are you": a status and, unless healthy, the reason."""

    status: HealthStatus = "healthy"
    reason: str | None = None
    details: Mapping[str, Any] = {}
