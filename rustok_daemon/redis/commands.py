"""``rustok-daemon redis …``."""

from __future__ import annotations

import sys

from rustok_daemon.cli.context import CommandContext
from rustok_daemon.config.urls import redacted
from rustok_daemon.declarations import Argument, Command

from .endpoint import endpoint

_NO_SUCH_THING = 4


def show_url(context: CommandContext) -> int:
    """A password is shown only into a pipe, or when asked for."""
    found = endpoint(context.configuration)
    if found.url is None:
        context.output.document({"url": None, "source": found.source}, f"no Redis: {found.source}")
        return _NO_SUCH_THING
    url = found.url.reveal()
    if not context.arguments["show"] and sys.stdout.isatty():
        url = redacted(url)
    context.output.document({"url": url, "source": found.source}, url)
    return 0


COMMANDS = (
    Command(
        words=("redis", "url"),
        summary="print the URL of the Redis the daemon works with",
        run=show_url,
        arguments=(Argument(name="--show", help="with its password, also on a terminal", flag=True),),
    ),
)
