"""URLs of servers: what is wrong with one, and how it is shown without its password.

What is said of a wrong one never quotes it: it may hold a password.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

_PASSWORD = re.compile(r"(://[^:/?#@\s]*):[^/?#\s]*@")
_PASSWORD_PARAMETER = re.compile(r"(?<=[?&]password=)[^&#\s]*")
_REDIS = "write redis://host:6379/0, rediss://…, unix:///path/to/socket, or off"
_POSTGRES = "write postgresql://user:password@host/database"


def redacted(text: str) -> str:
    """``text`` with stars for the passwords of all URLs in it."""
    return _PASSWORD_PARAMETER.sub("***", _PASSWORD.sub(r"\1:***@", text))


def problem_of_postgres(url: str) -> str | None:
    """What is wrong and what would be right."""
    parts = _split(url, ("postgresql", "postgres"))
    if parts is None:
        return f"is not a PostgreSQL URL: {_POSTGRES}"
    return _problem_of_port(parts)


def problem_of_redis(url: str) -> str | None:
    """What is wrong and what would be right. Redis Cluster is refused (contract.md, "Redis")."""
    scheme, _, rest = url.partition("://")
    if "cluster" in scheme or "," in rest.partition("?")[0].rpartition("@")[2]:
        return "Redis Cluster is not supported: name one server"
    parts = _split(url, ("redis", "rediss", "unix"))
    if parts is None:
        return f"is not a Redis URL: {_REDIS}"
    if scheme == "unix":
        return None if parts.path else "has no path: write unix:///path/to/socket"
    return _problem_of_port(parts) or (None if parts.hostname else "has no host: write redis://host:6379/0")


def _split(url: str, schemes: Sequence[str]) -> SplitResult | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts if parts.scheme in schemes and "://" in url else None


def _problem_of_port(parts: SplitResult) -> str | None:
    """A list of hosts, as libpq has it, is left to who connects."""
    if "," in parts.netloc:
        return None
    try:
        good = parts.port != 0
    except ValueError:
        good = False
    return None if good else "has a port that is no number between 1 and 65535"
