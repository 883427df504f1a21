"""What can be asked of the database actor."""

from __future__ import annotations

from rustok_daemon.supervision.actor import Request

from .migrations import MigrationStatus


class MigrateNow(Request[list[str]], frozen=True):
    """Take the migrations that are missing; answers with their ids."""


class SeedNow(Request[list[str]], frozen=True):
    """Run the seeds; answers with their ids."""


class TruncateNow(Request[list[str]], frozen=True):
    """Empty all tables; answers with their names. Refused in production."""


class SchemaStatus(Request[list[MigrationStatus]], frozen=True):
    """Which migrations were taken."""
