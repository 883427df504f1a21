"""Changing a supervisor while it runs (OTP's C08, C09 and G08 to G14)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rustok_daemon.supervision.errors import BadSpecification, ChildRefused, GaveUp
from rustok_daemon.supervision.specs import AutoShutdown, Restart, State, Strategy, SupervisorSpec
from tests.supervision.stage import PROMPT, Stage, settle

NEVER, ANY, ALL = AutoShutdown


def spec_of(stage: Stage, *children: Any, **keys: Any) -> SupervisorSpec:
    return SupervisorSpec(id="root", children=children, **keys)


async def test_c08_who_is_new_is_not_started_who_is_gone_stays_and_who_changed_goes_on(stage: Stage) -> None:
    first = spec_of(stage, stage.child("a", shutdown=2.0), stage.child("b"))
    async with stage.running(first) as tree:
        await tree.root.change(spec_of(stage, stage.child("a", shutdown=1.0), stage.child("c")))
        assert [row.id for row in tree.root.which_children()] == ["b", "c", "a"]
        assert stage.living() == {"a", "b"}
        assert stage.numbers("a", "b") == [0, 0]
        assert tree.child("a").spec.shutdown == 1.0
        await tree.start("c")
        assert stage.living() == {"a", "b", "c"}


async def test_c08_flags_take_effect_at_once(stage: Stage) -> None:
    async with stage.running(spec_of(stage, *stage.children("a", "b"), intensity=9)) as tree:
        await stage.do("a", "fail", 0.2)
        changed = msgspec.structs.replace(tree.root.spec, intensity=2, strategy=Strategy.ONE_FOR_ALL)
        await tree.root.change(changed)
        await stage.do("a", "fail", 0.2)
        assert stage.numbers("a", "b") == [2, 1]
        await stage.do("a", "fail")
        assert isinstance((await stage.outcome()).error, GaveUp)


async def test_c08_a_change_that_cannot_be_changes_nothing(stage: Stage) -> None:
    inner = SupervisorSpec(id="inner", children=stage.children("b"))
    async with stage.running(spec_of(stage, stage.child("a"), inner)) as tree:
        before = tree.root.spec
        bad = (
            SupervisorSpec(id="other"),
            spec_of(stage, stage.child("b")),
            spec_of(stage, stage.child("inner")),
            SupervisorSpec(id="root", strategy=Strategy.SIMPLE_ONE_FOR_ONE, template=lambda: stage.child("x")),
        )
        for spec in bad:
            with pytest.raises(ChildRefused):
                await tree.root.change(spec)
        assert tree.root.spec is before
        assert stage.living() == {"a", "b"}


async def test_c08_a_changed_supervisor_stays_changed_when_those_above_restart(stage: Stage) -> None:
    inner = SupervisorSpec(id="inner", children=stage.children("a"), backoff=PROMPT)
    middle = SupervisorSpec(id="middle", children=(inner,), backoff=PROMPT)
    async with stage.running(spec_of(stage, middle)) as tree:
        await tree.supervisor_of("a").change(SupervisorSpec(id="inner", children=stage.children("c"), backoff=PROMPT))
        await tree.restart("middle")
        assert stage.living() == {"c"}


async def test_c09_a_template_can_be_replaced(stage: Stage) -> None:
    def dynamic(id: str) -> SupervisorSpec:
        return SupervisorSpec(id="root", strategy=Strategy.SIMPLE_ONE_FOR_ONE, template=lambda: stage.child(id))

    async with stage.running(dynamic("a")) as tree:
        await tree.root.start_child()
        await tree.root.change(dynamic("b"))
        await tree.root.start_child()
        assert stage.living() == {"a", "b"}
        with pytest.raises(ChildRefused, match="cannot change from one to the other"):
            await tree.root.change(spec_of(stage))


@pytest.mark.parametrize(
    ("before", "after"),
    [(NEVER, ANY), (ANY, NEVER), (NEVER, ALL), (ALL, NEVER), (ANY, ALL), (ALL, ANY)],
    ids=["g08", "g09", "g10", "g11", "g12", "g13"],
)
async def test_g08_to_g13_the_mode_changes_for_children_that_live(
    stage: Stage, before: AutoShutdown, after: AutoShutdown
) -> None:
    def tree_spec(mode: AutoShutdown) -> SupervisorSpec:
        significant = mode is not NEVER
        ends = {"restart": Restart.TRANSIENT, "significant": significant}
        return spec_of(stage, stage.child("a", **ends), stage.child("b", **ends), auto_shutdown=mode)

    async with stage.running(tree_spec(before)) as tree:
        await tree.root.change(tree_spec(after))
        await settle()
        assert stage.living() == {"a", "b"}, "the change itself ends nobody"
        await stage.do("a", "end")
        assert (tree.outcome is not None) is (after is ANY)
        await stage.do("b", "end")
        assert (tree.outcome is not None) is (after is not NEVER)


async def test_g14_a_child_that_lives_becomes_significant(stage: Stage) -> None:
    async with stage.running(spec_of(stage, stage.child("a", restart=Restart.TRANSIENT), auto_shutdown=ANY)) as tree:
        significant = stage.child("a", restart=Restart.TRANSIENT, significant=True)
        with pytest.raises(BadSpecification, match="significant must be false while auto_shutdown"):
            spec_of(stage, significant)
        await tree.root.change(spec_of(stage, significant, auto_shutdown=ANY))
        assert stage.state("a") is State.RUNNING
        await stage.do("a", "end")
        assert tree.outcome is not None
        assert tree.outcome.error is None
