"""The database without a daemon: for commands on one that is not the daemon's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from rustok_daemon.cli.errors import CommandFailed
from rustok_daemon.config import Configuration, ConfigurationError
from rustok_daemon.config.sections import DatabaseSettings

from .errors import DatabaseError, Unusable
from .wire import Wire

ResultT = TypeVar("ResultT")


def on_own_connection(
    configuration: Configuration, function: Callable[..., Awaitable[ResultT]], *args: object
) -> ResultT:
    """Runs ``function(connection, *args)``; long work takes its time.

    Raises ``CommandFailed``, or ``ConfigurationError`` for a server or schema this program cannot work with.
    """
    settings = configuration.section(DatabaseSettings)

    async def there() -> ResultT:
        wire = Wire(
            settings.url.reveal(),
            min_size=0,
            max_size=1,
            statement_timeout=settings.statement_timeout,
            name="rustok-daemon command",
        )
        connection: Any = await wire.connect(statement_timeout="0")
        try:
            return await function(connection, *args)
        finally:
            connection.terminate()

    try:
        return asyncio.run(there())
    except Unusable as error:
        raise ConfigurationError([f"database: {error}"]) from error
    except DatabaseError as error:
        raise CommandFailed(f"database: {error}") from error
