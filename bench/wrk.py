"""Load over HTTP by wrk: one thread, as many requests as the server answers."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping

CONNECTIONS = 32
SECONDS = 3


def is_missing() -> bool:
    return shutil.which("wrk") is None


def requests_per_second(url: str, headers: Mapping[str, str]) -> float:
    """Raises ``RuntimeError`` when an answer was not 2xx or a connection failed."""
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s"]
    words += [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    report = subprocess.run([*words, url], capture_output=True, text=True, check=True, timeout=60).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", report)
    if rate is None or "Non-2xx" in report or "Socket errors" in report:
        raise RuntimeError(f"wrk on {url}: {report}")
    return float(rate[1])
