"""Significant children and supervisors that end with them (OTP's G01 to G07)."""

from __future__ import annotations

from typing import Any

import pytest

from rustok_daemon.supervision.specs import AutoShutdown, Restart, State, Strategy, SupervisorSpec
from tests.supervision.stage import PROMPT, Stage

ANY, ALL = AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT
MODES = (ANY, ALL)
ENDS = ("end", "shutdown", "fail", "terminate")


async def end(stage: Stage, id: str, how: str) -> None:
    if how == "terminate":
        await stage.tree.stop(id)
        await stage.do(id, "end", 0.5)
    else:
        await stage.do(id, how, 0.5)


def over(stage: Stage) -> bool:
    """Whether the tree shut itself down, and well."""
    if stage.tree.outcome is None:
        return False
    assert stage.tree.outcome.error is None
    return True


def spec(stage: Stage, mode: AutoShutdown, *children: Any, **keys: Any) -> SupervisorSpec:
    return SupervisorSpec(id="root", children=children, auto_shutdown=mode, **keys)


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("mode", list(AutoShutdown))
async def test_g01_a_temporary_child_that_is_not_significant_ends_alone(
    stage: Stage, mode: AutoShutdown, how: str
) -> None:
    async with stage.running(spec(stage, mode, stage.child("a", restart=Restart.TEMPORARY), stage.child("b"))):
        await end(stage, "a", how)
        assert not over(stage)
        assert stage.living() == {"b"}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("mode", list(AutoShutdown))
async def test_g02_and_so_does_a_transient_one(stage: Stage, mode: AutoShutdown, how: str) -> None:
    async with stage.running(spec(stage, mode, stage.child("a", restart=Restart.TRANSIENT), stage.child("b"))):
        await end(stage, "a", how)
        assert not over(stage)
        assert stage.living() == ({"a", "b"} if how == "fail" else {"b"})


@pytest.mark.parametrize("how", ENDS)
async def test_g03_a_significant_temporary_child_ends_its_supervisor_unless_stopped_by_call(
    stage: Stage, how: str
) -> None:
    child = stage.child("a", restart=Restart.TEMPORARY, significant=True)
    async with stage.running(spec(stage, ANY, child, stage.child("b"))):
        await end(stage, "a", how)
        assert over(stage) is (how != "terminate")
        assert stage.living() == ({"b"} if how == "terminate" else set())


@pytest.mark.parametrize("how", ENDS)
async def test_g04_a_significant_transient_child_only_when_it_ends_well(stage: Stage, how: str) -> None:
    child = stage.child("a", restart=Restart.TRANSIENT, significant=True)
    async with stage.running(spec(stage, ANY, child)):
        await end(stage, "a", how)
        assert over(stage) is (how in ("end", "shutdown"))
        assert stage.living() == ({"a"} if how == "fail" else set())


@pytest.mark.parametrize("restart", [Restart.TEMPORARY, Restart.TRANSIENT])
async def test_g03_g04_with_all_significant_the_last_one_counts(stage: Stage, restart: Restart) -> None:
    children = [stage.child(id, restart=restart, significant=True) for id in ("a", "b", "c")]
    async with stage.running(spec(stage, ALL, *children, stage.child("d"))):
        await end(stage, "a", "end")
        await end(stage, "b", "terminate")
        assert not over(stage)
        await end(stage, "c", "end")
        assert over(stage)


async def test_one_that_waits_for_its_restart_is_not_gone(stage: Stage) -> None:
    children = [stage.child(id, restart=Restart.TRANSIENT, significant=True) for id in ("a", "b")]
    async with stage.running(spec(stage, ALL, *children)):
        await stage.do("a", "fail")
        assert stage.state("a") is State.BACKOFF
        await stage.do("b", "end", 1)
        assert not over(stage)
        assert stage.living() == {"a"}


@pytest.mark.parametrize("mode", MODES)
async def test_g05_dynamic_children_may_be_significant_too(stage: Stage, mode: AutoShutdown) -> None:
    """A choice: one OTP patch forbids it; the rules are clear enough to allow it."""

    def make(id: str) -> Any:
        return stage.child(id, restart=Restart.TEMPORARY, significant=True)

    dynamic = SupervisorSpec(id="root", strategy=Strategy.SIMPLE_ONE_FOR_ONE, template=make, auto_shutdown=mode)
    async with stage.running(dynamic) as tree:
        await tree.root.start_child("a")
        await tree.root.start_child("b")
        await stage.do("a", "end")
        assert over(stage) is (mode is ANY)
        if mode is ALL:
            await stage.do("b", "end")
            assert over(stage)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
@pytest.mark.parametrize("restart", [Restart.TEMPORARY, Restart.TRANSIENT])
async def test_g06_one_taken_down_because_of_a_sibling_ends_nobody(
    stage: Stage, mode: AutoShutdown, strategy: Strategy, restart: Restart
) -> None:
    bystander = stage.child("b", restart=restart, significant=True)
    async with stage.running(spec(stage, mode, stage.child("a"), bystander, strategy=strategy)):
        await stage.do("a", "fail", 1)
        assert not over(stage)
        assert "a" in stage.living()


@pytest.mark.parametrize("significant", [True, False])
async def test_g07_the_end_of_a_significant_child_climbs_as_far_as_supervisors_are_significant(
    stage: Stage, significant: bool
) -> None:
    leaf = stage.child("c", restart=Restart.TRANSIENT, significant=True)
    inner = SupervisorSpec(
        id="inner",
        children=(leaf,),
        auto_shutdown=ANY,
        restart=Restart.TRANSIENT,
        significant=significant,
        backoff=PROMPT,
    )
    async with stage.running(spec(stage, ANY, inner, stage.child("d"))):
        await stage.do("c", "end", 1)
        assert over(stage) is significant
        assert stage.living() == (set() if significant else {"d"})
        assert stage.state("inner") is State.STOPPED
        assert stage.named("child_failed") == [], "an end that was meant is no failure"
