"""``rustok-daemon status``: the tree as a person reads it. Its lines are contract; tests hold them to the letter."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from .context import CommandContext
from .errors import UsageError

_GOOD = ("running",)
_NARROW = 100
Node = Mapping[str, Any]


def run(context: CommandContext) -> int:
    """0: everything runs; 1: something does not."""
    watched = context.arguments["watch"]
    if watched and context.output.as_json:
        raise UsageError("--watch shows one tree after the other and --json is one document: choose one")
    if watched:
        return _watch(context)
    tree = context.daemon.get("/v1/supervisor/tree")
    said = verdict(tree)
    context.output.document({"status": said.split(":")[0], "tree": tree}, f"{_rendered(tree)}\n{said}")
    return _code(tree)


def verdict(tree: Node) -> str:
    """``ok``, or ``degraded`` and who is not running."""
    troubled = [f"{node['id']} {node['state']}" for _, node in _walk(tree, "") if node["state"] not in _GOOD]
    return f"degraded: {', '.join(troubled)}" if troubled else "ok"


def _code(tree: Node) -> int:
    return 0 if verdict(tree) == "ok" else 1


def _watch(context: CommandContext) -> int:
    """A terminal's screen is drawn anew each second; in a pipe one tree follows the other."""
    tree: Node = {"id": "", "state": "", "children": ()}
    with _screen() as show:
        try:
            while True:
                tree = context.daemon.get("/v1/supervisor/tree")
                show(f"{_rendered(tree)}\n{verdict(tree)}")
                time.sleep(1)  # the pace of --watch; nothing else runs in this process
        except KeyboardInterrupt:
            return _code(tree)


@contextmanager
def _screen() -> Iterator[Callable[[str], None]]:
    if not sys.stdout.isatty():
        yield lambda text: print(text, end="\n\n", flush=True)
        return
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False, screen=True) as live:
        yield lambda text: live.update(Text(text), refresh=True)


def _rendered(tree: Node) -> str:
    width = shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else 200
    return render(tree, datetime.now(UTC), width)


def render(tree: Node, now: datetime, width: int) -> str:
    """One row a child: name in the tree, state, age, restarts, mailbox, rate, and what is wrong with it."""
    rows = [_row(prefix, node, now) for prefix, node in _walk(tree, "")]
    heads = ["", "state", "age", "restarts", "mailbox", "msg/s", ""]
    if width < _NARROW:
        rows = [[*row[:4], row[6]] for row in rows]
        heads = [*heads[:4], ""]
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    lines = ["  ".join(text.ljust(size) for text, size in zip(row, widths, strict=True)) for row in [heads, *rows]]
    return "\n".join(line.rstrip()[:width] for line in lines)


def _row(prefix: str, node: Node, now: datetime) -> list[str]:
    mailbox = node.get("mailbox")
    restarts = node["restarts"]
    return [
        prefix + str(node["id"]),
        _state(node),
        age((now - datetime.fromisoformat(node["since"])).total_seconds()),
        f"{restarts['window']}/{restarts['total']}" if restarts["total"] else "-",
        f"{mailbox['depth']}/{mailbox['capacity']}" if mailbox else "-",
        f"{node['rate']:g}" if mailbox else "-",
        _trouble(node),
    ]


def _state(node: Node) -> str:
    left = node.get("backoff_left_ms")
    return f"backoff {left / 1000:.1f}s" if left else str(node["state"])


def _trouble(node: Node) -> str:
    if node.get("reason"):
        return str(node["reason"])
    error = node.get("last_error")
    return f"last error {error['at'][11:19]}: {error['type']}: {error['message']}" if error else ""


def age(seconds: float) -> str:
    """``3s``, ``4m12s``, ``2h05m``, ``3d04h``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def _walk(node: Node, lead: str, branch: str = "") -> Iterator[tuple[str, Node]]:
    """Every node with what is drawn before its name."""
    yield lead + branch, node
    below = lead + {"├─ ": "│  ", "└─ ": "   "}.get(branch, "")
    children = node["children"]
    for number, child in enumerate(children):
        yield from _walk(child, below, "└─ " if number == len(children) - 1 else "├─ ")
