"""Runs the benchmarks, each in a process of its own, and prints one table."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from . import BENCHMARKS
from .figures import Row
from .table import print_table

WITHIN = 300.0
"""Seconds one benchmark may take."""


class BenchmarkFailed(Exception):
    """Its message is the reason, in one line."""


def main() -> int:
    """0: all ran, whether or not they reached their goals; 1: one failed; 2: usage."""
    options = _options()
    rows: list[Row] = []
    failed = False
    for name in options.names or BENCHMARKS:
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            rows += measured(name)
        except BenchmarkFailed as error:
            failed = True
            rows.append(Row(figure=name, ours=f"failed: {error}"))
    if options.json:
        print(json.dumps({"schema": 1, "figures": rows}))
    else:
        print_table(rows)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; none: all of them")
    parser.add_argument("--json", action="store_true", help="one document instead of a table")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)} (there are {', '.join(BENCHMARKS)})")
    return options


def measured(name: str, within: float = WITHIN) -> list[Row]:
    """Runs one. Raises ``BenchmarkFailed``; all that it said has been passed on by then."""
    with tempfile.TemporaryDirectory() as directory:
        into = Path(directory) / "rows.json"
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.one", name, str(into)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        said = _said(process, within)
        if process.returncode != 0:
            sys.stderr.write(said)
            raise BenchmarkFailed(said.strip().rpartition("\n")[2] or f"exit {process.returncode}")
        rows: list[Row] = json.loads(into.read_text())
        return rows


def _said(process: subprocess.Popen[str], within: float) -> str:
    """Waits; one that is too slow, or that we must leave, is interrupted by us alone and puts away what it started."""
    try:
        return process.communicate(timeout=within)[0]
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        return f"{process.communicate()[0]}\nnot finished within {within:g} s"
    except BaseException:
        process.send_signal(signal.SIGINT)
        process.wait()
        raise


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
