"""What a command gets: its arguments, the configuration, the daemon's socket, and where to print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..config import Configuration


class DaemonClient(Protocol):
    """HTTP over the daemon's unix socket, with the local admin token.

    Raises ``DaemonUnreachable`` (exit 3); a problem that the daemon answers with raises ``CommandFailed`` (exit 1), or
    ``NoSuchThing`` (exit 4) for a 404; its detail is what is printed.
    """

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any: ...

    def post(self, path: str, body: Any = None) -> Any: ...

    def patch(self, path: str, body: Any) -> Any: ...

    def put(self, path: str, body: Any) -> Any: ...

    def delete(self, path: str) -> Any: ...


class Output(Protocol):
    """Prints once: JSON with ``"schema": 1`` under ``--json``, else a table on a terminal or plain text in a pipe."""

    @property
    def as_json(self) -> bool: ...

    def document(self, value: Mapping[str, Any], text: str | None = None) -> None: ...

    def table(self, key: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None: ...

    def line(self, text: str) -> None: ...


class CommandContext(Protocol):
    """What ``Command.run`` is called with."""

    @property
    def arguments(self) -> Mapping[str, Any]: ...

    @property
    def configuration(self) -> Configuration: ...

    @property
    def daemon(self) -> DaemonClient: ...

    @property
    def output(self) -> Output: ...
