"""What a command gets: its arguments, the configuration, the daemon's socket, and where to print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..config import Configuration


class DaemonClient(Protocol):
    """HTTP over the daemon's unix socket with the local admin token. Raises ``DaemonUnreachable`` (exit 3); a problem+json answer raises ``CommandFailed`` (exit 1, 4 for 404, its detail printed)."""

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any: ...

    def post(self, path: str, body: Any = None) -> Any: ...

    def patch(self, path: str, body: Any) -> Any: ...

    def put(self, path: str, body: Any) -> Any: ...

    def delete(self, path: str) -> Any: ...


class Output(Protocol):
    """Prints once: JSON with ``"schema": 1`` under ``--json``, else a table on a terminal or plain text in a pipe."""

    def document(self, value: Mapping[str, Any], text: str | None = None) -> None: ...

    def table(self, key: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None: ...

    def line(self, text: str) -> None: ...


class CommandContext(Protocol):
    arguments: Mapping[str, Any]
    configuration: Configuration
    daemon: DaemonClient
    output: Output
