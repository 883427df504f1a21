"""What a command prints: one JSON document, a table on a terminal, or plain text in a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import msgspec

SCHEMA = 1


class Printer:
    """Implements ``cli.context.Output``. ``NO_COLOR`` is honoured."""

    def __init__(self, as_json: bool, stream: TextIO | None = None) -> None:
        self.as_json = as_json
        self._stream = stream or sys.stdout

    @property
    def on_terminal(self) -> bool:
        return self._stream.isatty()

    def document(self, value: Mapping[str, Any], text: str | None = None) -> None:
        """``value`` under ``--json``, else ``text``, else ``key: value`` lines."""
        if self.as_json:
            self._write(msgspec.json.format(msgspec.json.encode({"schema": SCHEMA, **value}), indent=2).decode())
        elif text is not None:
            self._write(text)
        else:
            width = max((len(key) for key in value), default=0)
            self._write("\n".join(f"{key:<{width}}  {cell(each)}" for key, each in value.items()))

    def table(self, key: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """The rows under ``key``; tab-separated in a pipe."""
        if self.as_json:
            self.document({key: list(rows)})
        elif self.on_terminal:
            self._rich_table(rows, columns)
        else:
            lines = [columns, *([cell(row.get(column)) for column in columns] for row in rows)]
            self._write("\n".join("\t".join(line) for line in lines))

    def line(self, text: str) -> None:
        """A remark; under ``--json`` to stderr, so that stdout stays one document."""
        print(text, file=sys.stderr if self.as_json else self._stream)

    def _rich_table(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        from rich import box
        from rich.console import Console
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(cell(row.get(column)) for column in columns))
        Console(file=self._stream, no_color="NO_COLOR" in os.environ or None).print(table)

    def _write(self, text: str) -> None:
        print(text, file=self._stream)


def cell(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        return msgspec.json.encode(value).decode()
    return str(value)
