"""``rustok-daemon run`` as a process: signals, exit codes, the service manager; on a tree of one or two children."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.daemon_process import PROGRAM, Daemon, clean_environment, daemon
from tests.lifecycle.conftest import DRAIN, child

CONTROL = '[[supervisor.children]]\nid = "control"\nstart = "rustok_daemon.control:Control"\n'
Make = Callable[..., Daemon]
pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def make() -> Iterator[Make]:
    """A daemon on the unix socket alone, with these children after the control room."""
    with daemon({"http.bind": ""}) as made:

        def make(*children: str, **environment: str) -> Daemon:
            config = made.directory / "supervisor.toml"
            config.write_text(CONTROL + "".join(children) + DRAIN)
            made.configure(config, PYTHONPATH=str(Path(__file__).parents[2]), **environment)
            return made

        yield make


def rewrite(made: Daemon, *parts: str) -> None:
    (made.directory / "supervisor.toml").write_text(CONTROL + "".join(parts) + DRAIN)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_leaves_with_0_and_nothing_behind(make: Make, number: signal.Signals) -> None:
    made = make(child("stiff", "Stiff"))
    made.start()
    made.signal(number)
    assert made.wait(15) == 0, made.text()
    assert list(made.data_dir.iterdir()) == []
    assert not made.socket.exists()


def test_what_the_service_manager_is_told(make: Make) -> None:
    made = make(child("stiff", "Stiff"), WATCHDOG_USEC="600000")
    made.start()
    made.wait_for_notification("WATCHDOG=1", 5)
    before = time.monotonic_ns() // 1000
    rewrite(made, child("stiff", "Stiff"), '[stiff]\nword = "new"\n')
    made.signal(signal.SIGHUP)
    fields = dict(line.split("=", 1) for line in made.wait_for_notification("RELOADING=1", 5).splitlines())
    assert before <= int(fields["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert made.wait_for_notification("READY=1", 5).splitlines()[1] == "STATUS=3 children running"
    made.signal(signal.SIGTERM)
    assert "STATUS=draining and stopping, at most 30 s" in made.wait_for_notification("STOPPING=1", 5)
    assert made.wait(15) == 0


def test_ready_says_who_cannot_do_all_of_its_work_and_status_is_1(make: Make) -> None:
    made = make(child("poor", "Degraded"))
    made.start(wait=False)
    said = made.wait_for_notification("READY=1", 20)
    assert "STATUS=2 of 3 children running; poor degraded: the cat is away" in said
    shown = made.cli("status")
    assert (shown.returncode, shown.stdout.splitlines()[-1]) == (1, "degraded: poor degraded")
    assert made.tree()["status"] == "degraded"
    assert made.tree()["schema"] == 1


def test_a_hang_up_reloads_and_a_bad_file_leaves_the_old_in_force(make: Make) -> None:
    made = make(child("stiff", "Stiff"))
    made.start()
    rewrite(made, child("stiff", "Stiff"), "[nonsense]\nx = 1\n")
    made.signal(signal.SIGHUP)
    until(lambda: "the old" in made.text() or "the one in force stays" in made.text())
    assert "there is no such section" in made.text()
    refused = made.cli("reload")
    assert (refused.returncode, "nonsense: there is no such section" in refused.stderr) == (78, True)
    rewrite(made, child("stiff", "Stiff"), '[stiff]\nword = "new"\n')
    assert made.cli("reload").stdout == "stiff: restarted with its new settings\n"
    assert made.cli("reload").stdout == "nothing has changed\n"
    assert made.cli("status").returncode == 0


def test_a_reload_that_only_the_daemon_finds_wrong_is_78_too(make: Make) -> None:
    made = make(child("stiff", "Stiff", 'options = {word = "${WORD}"}'), WORD="x")
    made.start()
    rewrite(made, child("stiff", "Stiff", 'options = {word = "${OTHER}"}'))
    made.configure(made.directory / "supervisor.toml", OTHER="set where the command runs")
    refused = made.cli("reload")
    assert refused.returncode == 78
    assert "${OTHER} is not set" in refused.stderr


def test_on_a_terminal_a_hang_up_means_stop(make: Make) -> None:
    made = make()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "run", "--config", str(made.directory / "supervisor.toml"), *made.arguments],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
        cwd=made.directory,
    )
    os.close(theirs)
    until(made.socket.exists)
    until(lambda: made.cli("status").returncode == 0)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    assert process.wait(10) == 0


@pytest.mark.parametrize("kind", ["SlowToStop", "BlocksTheLoop"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_leaves_at_once_whatever_the_first_one_is_doing(
    make: Make, kind: str, number: signal.Signals, code: int
) -> None:
    made = make(child("slow", kind, 'shutdown = "30s"'))
    made.start()
    made.signal(signal.SIGTERM)
    made.wait_for_notification("STOPPING=1", 5)
    time.sleep(0.2)  # into the tear-down; nothing shows from outside that it has begun
    made.signal(number)
    assert made.wait(5) == code
    assert list(made.data_dir.iterdir()) == []
    assert not made.socket.exists()


def test_who_takes_too_long_to_stop_is_abandoned_and_the_daemon_leaves_with_5(make: Make) -> None:
    made = make(child("slow", "SlowToStop", 'shutdown = "300ms"'))
    made.start()
    assert made.stop(15) == 5
    assert "abandoned" in made.text()
    assert "root/slow" in made.text()


def test_what_a_drain_cuts_makes_it_5(make: Make) -> None:
    made = make(child("front", "CuttingFront"))
    made.start()
    assert made.stop(15) == 5


def test_a_tree_that_gives_up_is_1_and_names_child_and_rule(make: Make) -> None:
    made = make(child("stiff", "Stiff"), '[stiff]\nword = "unlucky"\n')
    made.start(wait=False)
    assert made.wait(20) == 1
    assert "no such luck" in made.text()
    assert "failed to start child (supervisor 'root', child 'stiff')" in made.text()


def test_what_is_taken_is_6(make: Make) -> None:
    made = make()
    made.start()
    command = [*PROGRAM, "run", "--config", str(made.directory / "supervisor.toml")]
    for setting, said in (
        (f"daemon.data_dir={made.data_dir}", "is in use by another rustok-daemon (pid "),
        (f"http.socket={made.socket}", "is in use by another process"),
    ):
        other = ("--set", f"daemon.data_dir={made.directory}/other", "--set", "http.bind=", "--set", setting)
        second = subprocess.run(
            [*command, *other], env=clean_environment(), capture_output=True, text=True, timeout=20, check=False
        )
        assert second.returncode == 6
        assert said in second.stderr.splitlines()[-1]


def test_a_reload_does_not_keep_a_stop_waiting(make: Make) -> None:
    made = make(child("slow", "SlowToStop", 'shutdown = "5s"'))
    made.start()
    rewrite(made)
    made.signal(signal.SIGHUP)
    made.wait_for_notification("RELOADING=1", 5)
    made.signal(signal.SIGTERM)
    made.wait_for_notification("STOPPING=1", 2)


def test_status_is_watched_until_it_is_interrupted(make: Make) -> None:
    made = make()
    made.start()
    watching = subprocess.Popen(
        [*PROGRAM, "status", "--watch", "--config", str(made.directory / "supervisor.toml"), *made.arguments],
        stdout=subprocess.PIPE,
        env=clean_environment(),
        text=True,
    )
    assert watching.stdout is not None
    verdicts = 0
    while verdicts < 2:
        line = watching.stdout.readline()
        assert line, "it ended by itself"
        verdicts += line == "ok\n"
    watching.send_signal(signal.SIGINT)
    assert watching.wait(5) == 0


def until(condition: Callable[[], bool], within: float = 15) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # a poll of what another process shows
