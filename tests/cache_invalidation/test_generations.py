"""How one generation follows another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.cache_invalidation.generations import GenerationTrack, Step
from actors.cache_invalidation.rustok_formats import Generation
from actors.identities import Identity


def at(number: int, emitted_ms: int = 1000) -> Generation:
    return Generation(number, emitted_ms, None)


@pytest.mark.parametrize(
    ("last", "following", "step"),
    [
        (None, at(5), Step.UNVERIFIED_FIRST),
        (at(5), at(6), Step.IN_ORDER),
        (at(5), at(6, emitted_ms=1), Step.IN_ORDER),
        (at(5), at(5), Step.DUPLICATE),
        (at(5), at(4), Step.STALE),
        (at(5), at(4, emitted_ms=999), Step.STALE),
        (at(5), at(7), Step.GAP),
    ],
)
def test_each_step_is_told_from_the_last_one_applied(
    last: Generation | None, following: Generation, step: Step
) -> None:
    track = GenerationTrack()
    if last is not None:
        track.acknowledge(last)
    assert track.classify(following) is step


def test_a_counter_that_redis_lost_is_begun_anew() -> None:
    track = GenerationTrack()
    track.acknowledge(at(1000))
    assert track.classify(at(1, emitted_ms=2000)) is Step.UNVERIFIED_FIRST
    same_number = Generation(1000, 2000, Identity("uuid", "00000000-0000-0000-0000-000000000001"))
    assert track.classify(same_number) is Step.UNVERIFIED_FIRST


def test_only_acknowledging_moves_the_track() -> None:
    track = GenerationTrack()
    track.acknowledge(at(1))
    assert track.classify(at(2)) is Step.IN_ORDER
    assert track.classify(at(2)) is Step.IN_ORDER


def test_after_a_lost_channel_nothing_is_known() -> None:
    track = GenerationTrack()
    track.acknowledge(at(1))
    track.forget()
    assert track.classify(at(2)) is Step.UNVERIFIED_FIRST


@given(st.lists(st.integers(1, 20), unique=True))
def test_a_number_that_was_never_seen_is_never_passed_over(numbers: list[int]) -> None:
    """Whatever the order, each new highest number is applied in order or as a gap."""
    track, highest = GenerationTrack(), 0
    for number in numbers:
        step = track.classify(at(number))
        if number > highest:
            assert step in (Step.UNVERIFIED_FIRST, Step.GAP, Step.IN_ORDER)
            assert (step is Step.IN_ORDER) == (number == highest + 1 and highest > 0)
            track.acknowledge(at(number))
            highest = number
        else:
            assert step is Step.STALE
