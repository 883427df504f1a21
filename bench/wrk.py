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
    ended = subprocess.run([*words, url], capture_output=True, text=True, check=False, timeout=60)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", ended.stdout)
    if rate is None or "Non-2xx" in ended.stdout or "Socket errors" in ended.stdout:
        raise RuntimeError(f"wrk on {url}: {ended.stderr or ended.stdout}")
    return float(rate[1])
