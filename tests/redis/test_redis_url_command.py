"""``rustok-daemon redis url``, as it is typed."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

URL = "redis://user:hush@localhost:6379/0"


def typed(directory: Path, *words: str, terminal: bool = False) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "rustok_daemon", "redis", "url", "--set", f"daemon.data_dir={directory}", *words]
    environment = {name: value for name, value in os.environ.items() if "REDIS" not in name}
    if not terminal:
        return subprocess.run(command, capture_output=True, check=False, timeout=30, env=environment)
    ours, theirs = pty.openpty()
    ended = subprocess.run(command, stdout=theirs, stderr=theirs, check=False, timeout=30, env=environment)
    os.close(theirs)
    ended.stdout = os.read(ours, 1 << 16)
    os.close(ours)
    return ended


def test_the_embedded_servers_url_needs_no_daemon(tmp_path: Path) -> None:
    assert typed(tmp_path).stdout.decode().strip() == f"unix://{tmp_path}/redis/redis.sock"


def test_a_password_is_shown_into_a_pipe_and_not_on_a_terminal(tmp_path: Path) -> None:
    setting = ("--set", f"redis.url={URL}")
    assert typed(tmp_path, *setting).stdout.decode().strip() == URL
    assert b"hush" not in typed(tmp_path, *setting, terminal=True).stdout
    assert b"hush" in typed(tmp_path, *setting, "--show", terminal=True).stdout


def test_without_redis_there_is_no_such_thing(tmp_path: Path) -> None:
    ended = typed(tmp_path, "--json", "--set", "redis.url=off")
    assert ended.returncode == 4
    assert json.loads(ended.stdout)["url"] is None


def test_a_cluster_is_a_wrong_configuration(tmp_path: Path) -> None:
    ended = typed(tmp_path, "--set", "redis.url=redis://:hush@a,b")
    assert ended.returncode == 78
    assert b"Redis Cluster is not supported" in ended.stderr
    assert b"hush" not in ended.stderr
