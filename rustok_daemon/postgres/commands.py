"""``rustok-daemon db …``."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit, urlunsplit

from rustok_daemon.cli.context import CommandContext
from rustok_daemon.config import Configuration
from rustok_daemon.config.sections import DaemonSettings, DatabaseSettings
from rustok_daemon.declarations import Argument, Command

from . import layout


def url_of(configuration: Configuration) -> str:
    """The database's URL, the embedded one's included."""
    given = configuration.section(DatabaseSettings).url
    return given.reveal() if given else layout.url(configuration.section(DaemonSettings).data_dir)


def redacted(url: str) -> str:
    """Without the password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}"))


def show_url(context: CommandContext) -> int:
    """A password is shown only into a pipe, or when asked for."""
    url = url_of(context.configuration)
    if not context.arguments["show"] and sys.stdout.isatty():
        url = redacted(url)
    context.output.document({"url": url}, url)
    return 0


def migrate(context: CommandContext) -> int:
    return _named(context, "migrate", "migrated", "nothing to migrate")


def seed(context: CommandContext) -> int:
    return _named(context, "seed", "seeded", "nothing to seed")


def truncate(context: CommandContext) -> int:
    if not context.arguments["yes"]:
        context.output.line("this empties every table: say --yes if that is what you want")
        return 2
    return _named(context, "truncate", "emptied", "nothing to empty")


def _named(context: CommandContext, verb: str, done: str, nothing: str) -> int:
    items = context.daemon.post(f"/v1/database/{verb}")["items"]
    context.output.document({"items": items}, "\n".join(f"{done} {item}" for item in items) or nothing)
    return 0


def status(context: CommandContext) -> int:
    items = context.daemon.get("/v1/database/status")["items"]
    context.output.table("items", items, ("id", "applied"))
    return 0 if all(item["applied"] for item in items) else 1


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
