"""File descriptors: the soft limit is raised to what the connections need."""

from __future__ import annotations

import resource

from rustok_daemon.telemetry.logs import get_logger

_BESIDE_CONNECTIONS = 512
"""Pools, listeners, logs, embedded servers' pipes."""


def connections_that_fit(wanted: int) -> int:
    """Raises the soft limit for ``wanted`` connections and says how many fit; fewer are logged."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _BESIDE_CONNECTIONS
    if soft < needed:
        soft = _raise_to(min(needed, hard), soft, hard)
    fits = max(1, soft - _BESIDE_CONNECTIONS)
    if fits < wanted:
        get_logger(actor="root").warning(
            "http.max_connections is lowered to what the descriptor limit allows",
            wanted=wanted,
            max_connections=fits,
            limit=soft,
        )
    return min(wanted, fits)


def _raise_to(target: int, soft: int, hard: int) -> int:
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
    except (OSError, ValueError):
        return soft
    return target
