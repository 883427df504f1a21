"""The systemd unit as systemd's own tools see it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

UNITS = Path(__file__).parents[2] / "systemd"


@pytest.fixture(autouse=True)
def analyze() -> None:
    assert shutil.which("systemd-analyze"), "systemd-analyze is missing: install systemd to run the system tests"


def test_the_hardening_keeps_its_score() -> None:
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(UNITS / "rustok-daemon.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    score = re.search(r"exposure level for .*: ([0-9.]+)", said.stdout)
    assert score, said.stdout + said.stderr
    assert float(score[1]) <= 1.1


def test_the_unit_is_clean_under_a_temporary_root(tmp_path: Path) -> None:
    unit = tmp_path / "etc" / "systemd" / "system" / "rustok-daemon.service"
    unit.parent.mkdir(parents=True)
    shutil.copy(UNITS / "rustok-daemon.service", unit)
    program = tmp_path / "opt" / "rustok" / "bin" / "rustok-daemon"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for target in (
        "multi-user",
        "network-online",
        "basic",
        "sysinit",
        "shutdown",
        "sockets",
        "timers",
        "paths",
        "slices",
    ):
        (unit.parent / f"{target}.target").write_text(f"[Unit]\nDescription={target}\n")
    (unit.parent / "system.slice").write_text("[Unit]\nDescription=system\n")
    (unit.parent / "-.slice").write_text("[Unit]\nDescription=root\n")
    said = subprocess.run(
        ["systemd-analyze", "verify", f"--root={tmp_path}", str(unit)], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr.strip()) == (0, "")
