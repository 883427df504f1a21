"""What can go wrong with Postgres, in our words; asyncpg's exceptions end at this room's door."""

from __future__ import annotations


class DatabaseError(Exception):
    """Base of this room's errors."""


class DatabaseUnavailable(DatabaseError):
    """No answer: not connected, refused, lost, none of the pool free in time, or too slow."""


class OutcomeUnknown(DatabaseError):
    """A commit was sent and its answer did not come: it may have happened."""


class QueryFailed(DatabaseError):
    """The server refused the statement."""

    def __init__(
        self, message: str, *, sqlstate: str, constraint: str | None = None, column: str | None = None
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.constraint = constraint
        self.column = column


class UnreadableValue(DatabaseError):
    """A row holds what this program cannot represent, such as a date before Christ. Says nothing against the server."""


class Unusable(DatabaseError):
    """This database cannot be used as it is, however often it is tried: exit 78."""


class SchemaTooNew(Unusable):
    """The database was migrated by a newer daemon."""


class SchemaRefused(Unusable):
    """A step of the schema refuses this database, and says why: ``raise exception`` in its SQL."""


class ServerTooOld(Unusable):
    """The server's version is below what is supported."""
