"""Runs the benchmarks and prints one table."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

BENCHMARKS = ("mailbox", "resolver", "asyncpg_side", "http_server", "http_route", "start")
COLUMNS = ("figure", "ours", "peer", "ratio", "goal")

Row = Mapping[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which ones; none: all")
    parser.add_argument("--json", action="store_true", help="one document instead of a table")
    options = parser.parse_args()
    rows = [row for name in options.names or BENCHMARKS for row in measure(name)]
    if options.json:
        print(json.dumps({"schema": 1, "figures": [dict(row) for row in rows]}, default=str))
    else:
        print_table(rows)
    return 0


def measure(name: str) -> list[Row]:
    print(f"{name} …", file=sys.stderr, flush=True)
    return list(importlib.import_module(f"bench.{name}").run())


def print_table(rows: Iterable[Row]) -> None:
    table = Table()
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "figure" else "right")
    for row in rows:
        table.add_row(*cells(row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def cells(row: Row) -> tuple[str, ...]:
    peer = number(row.get("peer"))
    if row.get("peer_name"):
        peer = f"{peer} ({row['peer_name']})"
    return (str(row["figure"]), number(row.get("ours")), peer, number(row.get("ratio")), str(row.get("goal") or ""))


def number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    return "" if value is None else str(value)


if __name__ == "__main__":
    sys.exit(main())
