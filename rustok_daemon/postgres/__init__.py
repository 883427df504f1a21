"""Postgres: the embedded server, the pool, migrations and listeners; the one room that knows asyncpg.

What it promises: every call ends within its time; a server that is down degrades and is found again by itself; a read
that lost its connection is repeated; what an abandoned child still holds refuses it.
"""

from .actor import DatabaseActor
from .embedded import EmbeddedPostgres

__all__ = ["DatabaseActor", "EmbeddedPostgres"]
