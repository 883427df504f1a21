"""The drain: first to stop, so that what is in flight finishes while everything it needs is still there."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from tests.lifecycle.conftest import DRAIN, RunLife, child

Told = list[tuple[str, str, str]]


async def test_readiness_turns_then_the_delay_passes_then_work_is_finished_then_all_stops(
    run_life: RunLife, told: Told, autojump_clock: MockClock
) -> None:
    async with run_life(
        '[http]\ndrain_delay = "7s"\n' + child("front", "Front") + child("stiff", "Stiff") + DRAIN
    ) as life:
        told.clear()
        began = trio.current_time()
        life.phase.mark_stopping()
        life.tree.request_stop(30)
        await trio.sleep(1)
        assert life.phase.draining
        assert told == [], "nobody else is stopped yet, nor asked to drain"
        await life.tree.finished.wait()
        assert 7 <= trio.current_time() - began < 8
    assert told == [("front", "drained", ""), ("stiff", "stopped", "first")]
    assert life.phase.cut == 0


async def test_what_was_cut_is_counted(run_life: RunLife, autojump_clock: MockClock) -> None:
    async with run_life(child("front", "CuttingFront") + DRAIN) as life:
        life.phase.mark_stopping()
        life.tree.request_stop(30)
        await life.tree.finished.wait()
    assert life.phase.cut == 1


async def test_a_restart_of_the_drain_is_no_drain(run_life: RunLife, told: Told) -> None:
    async with run_life(child("front", "Front") + DRAIN) as life:
        told.clear()
        await life.tree.restart("drain")
        assert told == []
        assert not life.phase.draining
