"""The one room of Redis: which server, running our own, and the client that others borrow.

What it promises: every call ends within ``redis.timeout``, nothing is retried behind a caller's back, and a subscription
that stopped hearing its server says so. Nobody outside imports redis-py.
The client is in ``client``: importing this room must stay cheap for commands that need no Redis.
"""

from .embedded import EmbeddedRedis
from .endpoint import Endpoint, endpoint
from .errors import RedisError, RedisRefused, RedisUnavailable, RedisUnsupported
from .interface import Redis, Subscription

__all__ = [
    "EmbeddedRedis",
    "Endpoint",
    "Redis",
    "RedisError",
    "RedisRefused",
    "RedisUnavailable",
    "RedisUnsupported",
    "Subscription",
    "endpoint",
]
