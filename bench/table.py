"""The one table of all figures."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import version

from rich import box
from rich.console import Console
from rich.table import Table

from .figures import Row

COLUMNS = ("figure", "unit", "ours", "peer", "peer is", "ratio", "goal", "reached")
_NUMBERS = {"ours", "peer", "ratio"}
_WIDTH_IN_A_PIPE = 180


def print_table(rows: Iterable[Row]) -> None:
    """Prints it to stdout, wide enough for a pipe."""
    table = Table(box=box.SIMPLE_HEAD, caption=_where(), caption_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in _NUMBERS else "left")
    for row in rows:
        table.add_row(*_cells(row))
    Console(width=None if sys.stdout.isatty() else _WIDTH_IN_A_PIPE).print(table)


def _where() -> str:
    load = os.getloadavg()[0]
    return (
        f"Python {platform.python_version()}, trio {version('trio')}, {os.cpu_count()} cores, load {load:.1f}; "
        "medians of rounds in which ours and peer take turns"
    )


def _cells(row: Row) -> tuple[str, ...]:
    ours, reached = row.get("ours"), row.get("reached")
    if isinstance(ours, str):
        return (f"{row['figure']}: {ours}",)
    return (
        row["figure"],
        row.get("unit", ""),
        _number(ours),
        _number(row.get("peer")),
        row.get("peer_name", ""),
        _number(row.get("ratio")),
        row.get("goal", ""),
        "" if reached is None else ("yes" if reached else "no"),
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
