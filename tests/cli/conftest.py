"""Commands typed in a directory with a small tree of its own, in this process or as a program of their own."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from rustok_daemon.cli import main
from tests.daemon_process import PROGRAM, clean_environment

TREE = """
[[supervisor.children]]
id = "asyncio_side"
start = "rustok_daemon.asyncio_side:AsyncioSide"
[[supervisor.children]]
id = "database"
start = "rustok_daemon.postgres:DatabaseActor"
"""


class Typed:
    """What came of a command."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err


class Shell:
    """Types commands."""

    def __init__(self, directory: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.write("")
        self._capture = capture

    def write(self, text: str) -> None:
        (self.directory / "supervisor.toml").write_text(f"{text}\n{TREE}")

    def __call__(self, *words: str) -> Typed:
        """In this process: quick, and as ``rustok-daemon`` itself enters."""
        try:
            code = main(words)
        except SystemExit as end:  # argparse's --help
            code = int(end.code or 0)
        said = self._capture.readouterr()
        return Typed(code, said.out, said.err)

    def on_terminal(self, *words: str, **variables: str) -> bytes:
        """As a program of its own on a terminal; what it shows there."""
        ours, theirs = pty.openpty()
        environment = {**clean_environment(), "TERM": "xterm-256color", **variables}
        command: Sequence[str] = [*PROGRAM, *words]
        process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=self.directory, env=environment
        )
        os.close(theirs)
        shown = _read_to_the_end(ours)
        os.close(ours)
        process.wait(10)
        return shown


def _read_to_the_end(terminal: int) -> bytes:
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 1 << 16)
        except OSError:  # the other side is closed
            return shown


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path, capsys)
