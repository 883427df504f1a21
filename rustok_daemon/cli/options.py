"""The common options, read before the commands are known: the configuration says which commands there are."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rustok_daemon.config import LoadOptions


def early_options(words: Sequence[str]) -> LoadOptions:
    """From wherever on the line they stand; what is wrong with the rest is told later."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--env")
    parser.add_argument("--socket", type=Path)
    parser.add_argument("--set", action="append", default=[])
    try:
        found, _ = parser.parse_known_args(list(words))
    except argparse.ArgumentError:
        return LoadOptions()
    return LoadOptions(config=found.config, environment=found.env, settings=tuple(found.set), socket=found.socket)
