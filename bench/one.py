"""``python -m bench.one NAME FILE``: runs one benchmark and writes its rows into the file."""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from pathlib import Path


def main(name: str, into: str) -> None:
    """Leaves with the reason as the last line if it fails."""
    try:
        rows = importlib.import_module(f"bench.{name}").run()
    except Exception as error:
        traceback.print_exc()
        sys.exit(_reason(error))
    Path(into).write_text(json.dumps(rows))


def _reason(error: BaseException) -> str:
    """One line: what a nursery wraps, unwrapped."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


if __name__ == "__main__":
    main(*sys.argv[1:])
