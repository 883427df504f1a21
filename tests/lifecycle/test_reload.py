"""Reload: only who is concerned notices, each as gently as it can (design.md, "Reload")."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from rustok_daemon.config import Configuration, ConfigurationError
from rustok_daemon.supervision.errors import ActorUnavailable
from rustok_daemon.supervision.refs import IncarnationFence, LocalRef
from rustok_daemon.supervision.specs import State
from rustok_daemon.telemetry import logs
from tests.lifecycle.conftest import DRAIN, Life, RunLife, child, supervisor
from tests.lifecycle.life_actors import Fall

BOTH = child("stiff", "Stiff") + child("supple", "Supple")
Told = list[tuple[str, str, str]]


async def test_a_file_that_says_the_same_changes_nothing(run_life: RunLife, told: Told) -> None:
    async with run_life(BOTH) as life:
        assert await life.reload("# a remark\n" + BOTH) == []
        assert told == []


async def test_who_can_takes_new_settings_over_as_it_runs(run_life: RunLife, told: Told) -> None:
    async with run_life(BOTH) as life:
        assert await life.reload(BOTH + '[supple]\nword = "new"') == ["supple: took its new settings over"]
        assert told == [("supple", "asked", "new")]


async def test_who_says_no_is_restarted(run_life: RunLife, told: Told) -> None:
    async with run_life(BOTH) as life:
        assert await life.reload(BOTH + '[supple]\nword = "no"') == ["supple: restarted with its new settings"]
        assert told == [("supple", "asked", "no"), ("supple", "stopped", "first"), ("supple", "started", "no")]


async def test_who_cannot_is_restarted_and_nobody_else_is(run_life: RunLife, told: Told) -> None:
    async with run_life(BOTH) as life:
        assert await life.reload(BOTH + '[stiff]\nword = "new"') == ["stiff: restarted with its new settings"]
        assert told == [("stiff", "stopped", "first"), ("stiff", "started", "new")]


async def test_what_was_taken_over_is_kept_by_a_restart(
    run_life: RunLife, told: Told, autojump_clock: MockClock
) -> None:
    async with run_life(BOTH) as life:
        await life.reload(BOTH + '[supple]\nword = "new"')
        told.clear()
        await fall(life, "supple")
        assert told == [("supple", "stopped", "new"), ("supple", "started", "new")]


async def test_rules_change_without_a_restart(run_life: RunLife, told: Told) -> None:
    async with run_life(BOTH) as life:
        rules = ("mailbox = 7", 'overflow = "reject"', 'shutdown = "1s"', "backoff.factor = 3.0")
        changed = child("stiff", "Stiff", *rules) + child("supple", "Supple")
        assert await life.reload(changed) == ["stiff: took its new rules over"]
        assert told == []
        assert life.tree.snapshot()["children"][0]["mailbox"]["capacity"] == 7
        assert await life.reload(changed) == []


async def test_an_added_child_starts_and_the_drain_stays_last(run_life: RunLife, told: Told) -> None:
    async with run_life(child("stiff", "Stiff") + DRAIN) as life:
        assert await life.reload(child("stiff", "Stiff") + DRAIN + child("supple", "Supple")) == ["supple: started"]
        assert told == [("supple", "started", "first")]
        assert life.order == ["stiff", "supple", "drain"]


async def test_a_removed_child_stops_and_is_gone(run_life: RunLife, told: Told) -> None:
    async with run_life(BOTH) as life:
        assert await life.reload(child("stiff", "Stiff")) == ["supple: stopped and removed"]
        assert told == [("supple", "stopped", "first")]
        assert life.order == ["stiff"]


async def test_a_supervisor_comes_and_goes_with_all_below_it(run_life: RunLife, told: Told) -> None:
    group = supervisor("group") + child("supple", "Supple", depth=2)
    async with run_life(child("stiff", "Stiff")) as life:
        assert await life.reload(child("stiff", "Stiff") + group) == ["group: started"]
        assert told == [("supple", "started", "first")]
        assert await life.reload(child("stiff", "Stiff")) == [
            "supple: stopped and removed",
            "group: stopped and removed",
        ]
        assert told == [("supple", "stopped", "first")]


async def test_a_child_below_a_supervisor_that_stays(run_life: RunLife, told: Told) -> None:
    group = supervisor("group", 'strategy = "one_for_one"')
    async with run_life(group) as life:
        assert await life.reload(group + child("stiff", "Stiff", depth=2)) == ["stiff: started"]
        assert await life.reload(group) == ["stiff: stopped and removed"]


async def test_a_supervisors_own_rules_restart_it_with_all_below_once(run_life: RunLife, told: Told) -> None:
    below = child("stiff", "Stiff", depth=2) + child("supple", "Supple", depth=2)
    async with run_life(supervisor("group") + below) as life:
        done = await life.reload(supervisor("group", 'strategy = "one_for_all"') + below + '[stiff]\nword = "new"')
        assert done == ["group: restarted with all below it"]
        assert [line for line in told if line[1] == "started"] == [
            ("stiff", "started", "new"),
            ("supple", "started", "first"),
        ]


async def test_a_child_that_moves_stops_there_and_starts_here(run_life: RunLife, told: Told) -> None:
    group = supervisor("group", 'strategy = "one_for_one"')
    async with run_life(group + child("stiff", "Stiff", depth=2)) as life:
        assert await life.reload(group + child("stiff", "Stiff")) == ["stiff: stopped and removed", "stiff: started"]


async def test_another_class_under_the_same_name(run_life: RunLife, told: Told) -> None:
    async with run_life(child("one", "Front")) as life:
        assert await life.reload(child("one", "CuttingFront")) == ["one: restarted with its new settings"]


async def test_another_command_under_the_same_name(run_life: RunLife) -> None:
    sleep = '[[supervisor.children]]\nid = "sleep"\ncommand = ["sleep", "{}"]\n'
    async with run_life(sleep.format(1000)) as life:
        assert await life.reload(sleep.format(1001)) == ["sleep: restarted with its new settings"]
        assert await life.reload(sleep.format(1001)) == []


async def test_options_of_one_child_concern_it_alone(run_life: RunLife, told: Told) -> None:
    async with run_life(child("one", "Stiff") + child("two", "Stiff")) as life:
        changed = child("one", "Stiff") + child("two", "Stiff", 'options = {word = "mine"}')
        assert await life.reload(changed) == ["two: restarted with its new settings"]
        assert told == [("two", "stopped", "first"), ("two", "started", "mine")]


async def test_a_bad_file_changes_nothing_and_the_old_one_stays_in_force(run_life: RunLife, told: Told) -> None:
    async with run_life(BOTH) as life:
        with pytest.raises(ConfigurationError, match=r"supervisor\.toml:\d+: stiff\.wrod: unknown key"):
            await life.reload(child("supple", "Supple") + child("stiff", "Stiff") + '[stiff]\nwrod = "x"')
        assert told == []
        assert life.order == ["stiff", "supple"]
        assert life.tree.registry.cell(Configuration).view is life.reloader.configuration
        assert await life.reload(BOTH) == []


async def test_what_only_the_actor_itself_finds_wrong_changes_nothing_either(run_life: RunLife, told: Told) -> None:
    tree = child("supple", "Supple") + child("choosy", "Choosy")
    async with run_life(tree) as life:
        with pytest.raises(ConfigurationError, match="not this one"):
            await life.reload(tree + '[stiff]\nword = "wrong"\n[supple]\nword = "new"')
        assert told == []
        assert await life.reload(tree) == []


async def test_what_only_a_new_start_can_change_is_said(run_life: RunLife) -> None:
    async with run_life(BOTH) as life:
        done = await life.reload('[http]\nbind = "127.0.0.1:1"\n[daemon]\nshutdown_timeout = "1s"\n' + BOTH)
        assert done == ["http.bind: needs a restart of the daemon"]


async def test_a_child_that_cannot_start_with_its_change_is_named_and_the_others_get_theirs(
    run_life: RunLife, told: Told, autojump_clock: MockClock
) -> None:
    patient = "[supervisor]\nintensity = 1000\n" + BOTH
    async with run_life(patient) as life:
        done = await life.reload(patient + '[stiff]\nword = "unlucky"\n[supple]\nword = "new"')
        assert done[0].startswith("stiff: restarted with its new settings, but it is ")
        assert done[1] == "supple: took its new settings over"
        await life.reload(patient)
        assert life.tree.child("stiff").place.state is State.RUNNING


async def test_the_log_level_reaches_loggers_that_are_long_made(
    run_life: RunLife, capsys: pytest.CaptureFixture[str], fresh_logging: None
) -> None:
    logs.configure("info", "json")
    log = logs.get_logger(actor="old")
    async with run_life(BOTH) as life:
        log.debug("one")
        await life.reload(BOTH + '[telemetry.log]\nlevel = "debug"')
        log.debug("two")
    said = capsys.readouterr().err
    assert '"two"' in said
    assert '"one"' not in said


async def test_while_the_tree_starts_a_reload_is_refused_and_nothing_is_lost(run_life: RunLife, told: Told) -> None:
    async with run_life(BOTH) as life:
        started, life.tree.started = life.tree.started, trio.Event()
        with pytest.raises(ActorUnavailable, match="it is starting"):
            await life.reload(BOTH + '[stiff]\nword = "new"')
        life.tree.started = started
        assert await life.reloader.reload() == ["stiff: restarted with its new settings"]


async def test_two_reloads_at_once_come_one_after_the_other(run_life: RunLife, told: Told) -> None:
    async with run_life(BOTH) as life:
        life.file.write_text(BOTH + '[stiff]\nword = "new"')
        told.clear()
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(life.reloader.reload)
        assert told == [("stiff", "stopped", "first"), ("stiff", "started", "new")]


async def fall(life: Life, id: str) -> None:
    """Until it has fallen and stands again."""
    before = life.tree.child(id).place.restarts
    await LocalRef(id, life.tree.registry, IncarnationFence("test")).tell(Fall())
    while life.tree.child(id).place.restarts == before or life.tree.child(id).place.state is not State.RUNNING:
        await trio.sleep(0.05)
