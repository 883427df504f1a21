"""``rustok-daemon redis …``."""

from __future__ import annotations

import re
import sys
from urllib.parse import urlsplit, urlunsplit

from rustok_daemon.cli.context import CommandContext
from rustok_daemon.declarations import Argument, Command

from .endpoint import endpoint

_NO_SUCH_THING = 4
_PASSWORD = re.compile(r"(?<=password=)[^&]*")


def redacted(url: str) -> str:
    """Without the password."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    netloc = f"{name}{colon}{'***' if colon else ''}{at}{host}"
    return urlunsplit(parts._replace(netloc=netloc, query=_PASSWORD.sub("***", parts.query)))


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
