"""What a new user sees: start, resolve, status, stop, and a start after a crash."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.daemon_process import TREE, Daemon, client, daemon, orphans

pytestmark = pytest.mark.timeout(120)


async def test_the_demo_tenant_by_slug_by_host_and_by_header(embedded: Daemon) -> None:
    async with client(embedded) as http:
        for params, headers in (
            ({"slug": "demo"}, {}),
            ({"host": "demo.localhost"}, {}),
            ({}, {"X-Tenant-ID": "demo"}),
        ):
            answer = await http.get("/v1/tenants/resolve", params=params, headers=headers)
            assert answer.status_code == 200, answer.text
            assert answer.json()["slug"] == "demo"
            assert answer.headers["X-Tenant-Slug"] == "demo"
            assert answer.headers["X-Tenant-ID"] == answer.json()["id"]
        assert answer.headers["X-Tenant-Cache"] == "hit"


def test_status_draws_the_tree_and_exits_0(embedded: Daemon) -> None:
    shown = embedded.cli("status")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    for id in ("control", "postgres", "redis", "asyncio_side", "database", "cache_invalidation", "tenant_resolver"):
        assert id in shown.stdout
    assert "http_front" in shown.stdout


def test_ctrl_c_leaves_with_0_and_nothing_behind() -> None:
    with daemon() as made:
        made.start()
        assert orphans(made.data_dir)
        made.signal(signal.SIGINT)
        assert made.wait() == 0, made.text()
        assert orphans(made.data_dir) == []
        assert not made.socket.exists()
        assert not (made.data_dir / "daemon.lock").exists()


def test_after_kill_9_the_next_start_stops_the_orphans() -> None:
    with daemon() as made:
        made.start()
        before = set(orphans(made.data_dir)) - {made.pid}
        made.signal(signal.SIGKILL)
        made.wait()
        left = [pid for pid in before if Path(f"/proc/{pid}").exists()]
        assert left, "the servers run in a session of their own and outlive a kill"
        made.start()
        assert not any(Path(f"/proc/{pid}/cwd").exists() and _alive(pid) for pid in left)
        assert made.stop() == 0


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_a_second_daemon_on_the_same_directory_leaves_with_6(embedded: Daemon) -> None:
    second = subprocess.run(
        [*embedded_command(embedded)], capture_output=True, text=True, timeout=30, check=False, env=dict(os.environ)
    )
    assert second.returncode == 6
    assert "in use" in second.stderr
    assert "Traceback" not in second.stderr


def embedded_command(made: Daemon) -> list[str]:
    from tests.daemon_process import PROGRAM

    return [*PROGRAM, "run", "--config", str(TREE), *made.arguments]


def test_a_second_signal_leaves_at_once() -> None:
    with daemon({"http.drain_delay": "20s"}) as made:
        made.start()
        made.signal(signal.SIGTERM)
        made.wait_for_notification("STOPPING=1", 10)
        made.signal(signal.SIGTERM)
        assert made.wait(5) == 143


def test_commands_without_a_daemon_exit_3() -> None:
    with daemon() as made:
        answer = made.cli("status")
        assert answer.returncode == 3
        assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("tenant", "resolve", "--slug", "demo"), 0),
        (("tenant", "resolve", "--slug", "nobody"), 4),
        (("tenant", "list"), 0),
        (("db", "status"), 0),
        (("redis", "url"), 0),
        (("routes",), 0),
        (("token", "list"), 0),
        (("reload",), 0),
        (("nonsense",), 2),
    ],
)
def test_commands_and_their_exit_codes(shared: Daemon, words: tuple[str, ...], code: int) -> None:
    answer = shared.cli(*words)
    assert answer.returncode == code, answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.fixture(scope="module")
def shared() -> object:
    with daemon() as made:
        made.start()
        yield made


def test_db_url_works_as_it_stands_with_psql(shared: Daemon) -> None:
    url = shared.cli("db", "url", check=True).stdout.strip()
    asked = subprocess.run(
        ["psql", "-d", url, "-Atc", "select slug from tenants"], capture_output=True, text=True, check=False
    )
    assert asked.stdout.split() == ["demo"], asked.stderr
