"""External processes as children, with real ones: killed, deaf, with children of their own, and never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from rustok_daemon.supervision import process
from rustok_daemon.supervision.command import CommandProcess, CommandSettings
from rustok_daemon.supervision.errors import FatalExit, GaveUp
from rustok_daemon.supervision.specs import ChildSpec, Kind, State, SupervisorSpec
from tests.supervision.stage import PROMPT, Stage

pytestmark = [pytest.mark.trio(run=trio.run), pytest.mark.timeout(30)]

DEAF = "trap '' TERM INT; echo ready > {ready}; while :; do sleep 0.05; done"
WITH_A_CHILD = "sleep 1000 & echo $! > {ready}.tmp; mv {ready}.tmp {ready}; "


def shell(tmp_path: Path, script: str, **keys: Any) -> ChildSpec:
    """A process that is ready when it has written the file ``ready``."""
    ready = tmp_path / "ready"
    command = ("/bin/sh", "-c", script.format(ready=ready))
    settings = CommandSettings(command=command, ready=str(ready), **keys)
    return spec_of(settings)


def spec_of(settings: CommandSettings, **keys: Any) -> ChildSpec:
    return ChildSpec(
        id="server", start=lambda: CommandProcess(settings), kind=Kind.PROCESS, **{"backoff": PROMPT, **keys}
    )


async def until(condition: Callable[[], Any], within: float = 10.0) -> None:
    """For what another process brings about."""
    with trio.fail_after(within):
        while not condition():
            await trio.sleep(0.01)


def lives(pid: int) -> bool:
    """Whether there is such a process, and not only what is left of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def only_pid() -> int:
    (pid,) = process._running
    return pid


def running(stage: Stage) -> Callable[[], bool]:
    return lambda: stage.state("server") is State.RUNNING


async def test_one_killed_by_sigkill_is_restarted_and_its_last_words_are_kept(stage: Stage, tmp_path: Path) -> None:
    spec = shell(tmp_path, "echo out of paper; echo > {ready}; exec sleep 1000")
    async with stage.running(SupervisorSpec(id="root", children=(spec,))) as tree:
        await until(running(stage))
        first = only_pid()
        os.kill(first, signal.SIGKILL)
        await until(lambda: tree.registry.places["server"].restarts == 1 and running(stage)())
        assert only_pid() != first
        error = tree.registry.places["server"].last_error
        assert error is not None
        assert error.message == "server ended by itself (signal SIGKILL); it said: out of paper"
    assert process._running == {}


async def test_a_deaf_one_is_killed_within_its_budget(stage: Stage, tmp_path: Path) -> None:
    spec = shell(tmp_path, DEAF, patience=1.3)
    async with stage.running(SupervisorSpec(id="root", children=(spec,))) as tree:
        await until(running(stage))
        pid = only_pid()
        began = trio.current_time()
        await tree.stop("server")
        assert 0.2 < trio.current_time() - began < 2
        assert not lives(pid)
        assert tree.abandoned == []


async def test_a_deaf_one_is_killed_even_when_nothing_is_left_of_the_whole_stop(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rustok_daemon.supervision.supervisor._LAST_GRACE", {Kind.PROCESS: 0.5})
    spec = shell(tmp_path, DEAF, patience=60)
    async with stage.running(SupervisorSpec(id="root", children=(spec,))) as tree:
        await until(running(stage))
        pid = only_pid()
        tree.request_stop(0)
        with trio.fail_after(5):
            outcome = await stage.outcome()
        assert outcome.abandoned == ()
        assert not lives(pid)


@pytest.mark.parametrize("end", ["exit 3", "exec sleep 1000"])
async def test_nothing_of_its_group_outlives_it(stage: Stage, tmp_path: Path, end: str) -> None:
    spec = shell(tmp_path, WITH_A_CHILD + "sleep 0.3; " + end)
    async with stage.running(SupervisorSpec(id="root", children=(spec,), intensity=0)) as tree:
        await until(lambda: (tmp_path / "ready").exists())
        grandchild = int((tmp_path / "ready").read_text())
        assert lives(grandchild)
        if end.startswith("exec"):
            await until(running(stage))
            tree.request_stop(5)
        with trio.fail_after(8):
            await stage.outcome()
        await until(lambda: not lives(grandchild), within=2)


async def test_one_that_cannot_be_run_says_why(stage: Stage) -> None:
    spec = spec_of(CommandSettings(command=("/no/such/program",)))
    async with stage.running(SupervisorSpec(id="root", children=(spec,))):
        outcome = await stage.outcome()
    assert isinstance(outcome.error, GaveUp)
    assert "/no/such/program cannot be run: No such file or directory" in str(outcome.error)


async def test_one_that_ends_before_it_is_ready_says_what_it_said(stage: Stage, tmp_path: Path) -> None:
    spec = shell(tmp_path, "echo wrong flag; exit 4")
    async with stage.running(SupervisorSpec(id="root", children=(spec,))):
        outcome = await stage.outcome()
    assert "server ended by itself (exit status 4); it said: wrong flag" in str(outcome.error)


async def test_it_is_ready_when_its_port_accepts(stage: Stage) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # In the process under test: it is ready late, and then lives.
    script = f"import socket,time;time.sleep(.2);s=socket.create_server(('127.0.0.1',{port}));time.sleep(1000)"
    spec = spec_of(CommandSettings(command=(sys.executable, "-c", script), ready=f"127.0.0.1:{port}"))
    async with stage.running(SupervisorSpec(id="root", children=(spec,))):
        await until(running(stage))
        with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=2)):
            pass


async def test_a_user_that_does_not_exist_is_a_wrong_configuration(stage: Stage) -> None:
    spec = spec_of(CommandSettings(command=("/bin/true",), user="nobody-of-that-name"))
    async with stage.running(SupervisorSpec(id="root", children=(spec,))):
        outcome = await stage.outcome()
    assert isinstance(outcome.error, FatalExit)
    assert (outcome.error.code, outcome.error.message) == (78, "child 'server': no user 'nobody-of-that-name'")


async def test_a_stop_while_it_starts_leaves_nothing(stage: Stage, tmp_path: Path) -> None:
    spec = shell(tmp_path, "exec sleep 1000")
    async with stage.running(SupervisorSpec(id="root", children=(spec,))) as tree:
        await until(lambda: process._running)
        pid = only_pid()
        tree.request_stop(5)
        with trio.fail_after(5):
            await stage.outcome()
        assert not lives(pid)


async def test_leaving_at_once_tells_all_that_run(stage: Stage, tmp_path: Path) -> None:
    spec = shell(tmp_path, "echo > {ready}; exec sleep 1000")
    async with stage.running(SupervisorSpec(id="root", children=(spec,))) as tree:
        await until(running(stage))
        process.leave_all()
        await until(lambda: tree.registry.places["server"].restarts == 1)
        error = tree.registry.places["server"].last_error
        assert error is not None
        assert "signal SIGTERM" in error.message


async def test_less_time_is_shared_out_in_proportion() -> None:
    wanted = ((signal.SIGINT, 12.0), (signal.SIGQUIT, 4.0))
    assert process._share(wanted, 60) == list(wanted)
    assert process._share(wanted, 8 + process._TO_DIE) == [(signal.SIGINT, 6.0), (signal.SIGQUIT, 2.0)]
    assert process._share(wanted, -5) == [(signal.SIGINT, 0.0), (signal.SIGQUIT, 0.0)]
