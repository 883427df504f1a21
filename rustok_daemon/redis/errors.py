"""What this room raises; redis-py's own exceptions end at its door."""

from __future__ import annotations


class RedisError(Exception):
    """Something about Redis failed; nothing was retried."""


class RedisUnavailable(RedisError):
    """Not reachable, lost, silent, still loading, or not done within the time."""


class RedisRefused(RedisError):
    """The server answered with an error: wrong password, missing permission, read-only replica."""


class RedisUnsupported(RedisError):
    """The server is one this daemon cannot work with (Redis Cluster)."""
