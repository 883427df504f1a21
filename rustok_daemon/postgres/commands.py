"""``rustok-daemon db …``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from rustok_daemon.cli.context import CommandContext
from rustok_daemon.cli.errors import CommandFailed, UsageError
from rustok_daemon.config import Configuration
from rustok_daemon.config.sections import DaemonSettings, DatabaseSettings
from rustok_daemon.config.urls import redacted
from rustok_daemon.declarations import Argument, Command
from rustok_daemon.lifecycle.assembly import collect

from . import layout, migrations
from .direct import on_own_connection

_PRODUCTION = "production"


def url_of(configuration: Configuration) -> str:
    """The database's URL, the embedded one's included."""
    given = configuration.section(DatabaseSettings).url
    return given.reveal() if given else layout.url(configuration.section(DaemonSettings).data_dir)


def show_url(context: CommandContext) -> int:
    """A password is shown only into a pipe, or when asked for."""
    url = url_of(context.configuration)
    if not context.arguments["show"] and sys.stdout.isatty():
        url = redacted(url)
    context.output.document({"url": url}, url)
    return 0


def migrate(context: CommandContext) -> int:
    steps = collect(context.configuration).migrations
    items = _items(context, "POST", "migrate", migrations.migrate, steps)
    return _named(context, items, "migrated", "nothing to migrate")


def seed(context: CommandContext) -> int:
    items = _items(context, "POST", "seed", migrations.seed, collect(context.configuration).seeds)
    return _named(context, items, "seeded", "nothing to seed")


def truncate(context: CommandContext) -> int:
    if not context.arguments["yes"]:
        raise UsageError("this empties every table: say --yes if that is what you want")
    if context.configuration.environment == _PRODUCTION:
        raise CommandFailed("db truncate is refused in production")
    return _named(context, _items(context, "POST", "truncate", migrations.truncate), "emptied", "nothing to empty")


def status(context: CommandContext) -> int:
    steps = collect(context.configuration).migrations
    items = _items(context, "GET", "status", migrations.status, steps)
    context.output.table("items", items, ("id", "applied"))
    return 0 if all(item["applied"] for item in items) else 1


def _items(context: CommandContext, method: str, verb: str, function: Callable[..., Any], *args: Any) -> Sequence[Any]:
    """The embedded server is the daemon's and is asked through it; any other needs no daemon."""
    if context.configuration.section(DatabaseSettings).url:
        found: Sequence[Any] = msgspec.to_builtins(on_own_connection(context.configuration, function, *args))
        return found
    path = f"/v1/database/{verb}"
    answer = context.daemon.get(path) if method == "GET" else context.daemon.post(path)
    items: Sequence[Any] = answer["items"]
    return items


def _named(context: CommandContext, items: Sequence[str], done: str, nothing: str) -> int:
    context.output.document({"items": items}, "\n".join(f"{done} {item}" for item in items) or nothing)
    return 0


COMMANDS = (
    Command(
        words=("db", "url"),
        summary="print the database's URL",
        run=show_url,
        arguments=(Argument(name="--show", help="with its password, also on a terminal", flag=True),),
    ),
    Command(words=("db", "migrate"), summary="take the migrations that are missing", run=migrate),
    Command(words=("db", "status"), summary="list the migrations", run=status),
    Command(words=("db", "seed"), summary="insert the demo data", run=seed),
    Command(
        words=("db", "truncate"),
        summary="empty all tables",
        run=truncate,
        arguments=(Argument(name="--yes", help="really", flag=True),),
    ),
)
