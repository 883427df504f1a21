"""schemathesis over /openapi.json: every route keeps its own word."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.daemon_process import Daemon, clean_environment

pytestmark = pytest.mark.timeout(300)

# These stop or empty what the run stands on; each has tests of its own.
LEFT_OUT = r"^/v1/(supervisor|database)/.*|^/v1/tokens.*"


def test_no_route_breaks_its_contract(embedded: Daemon) -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "run",
            f"{embedded.url}/openapi.json",
            "--header",
            f"Authorization: Bearer {embedded.token}",
            "--exclude-path-regex",
            LEFT_OUT,
            "--max-examples",
            "25",
            "--seed",
            "1",
            "--request-timeout",
            "10",
        ],
        env={**clean_environment(), "NO_COLOR": "1"},
        cwd=embedded.directory,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert said.returncode == 0, said.stdout[-6000:] + said.stderr[-2000:]
    assert embedded.cli("status").returncode == 0
