"""What a benchmark returns: rows, and the goals they are held against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import msgspec


class Row(TypedDict, total=False):
    """One line of the table. ``ours`` is a text where nothing could be measured; ``ratio`` is ours to the peer's."""

    figure: str
    unit: str
    ours: float | str
    peer: float
    peer_name: str
    ratio: float
    goal: str
    reached: bool


class Goal(msgspec.Struct, frozen=True):
    """A bound on our figure, or on its ratio to the peer's."""

    bound: float
    text: str
    on_ratio: bool = False
    at_most: bool = False

    def reached(self, ours: float, ratio: float | None) -> bool:
        value = ratio if self.on_ratio else ours
        if value is None:
            return False
        return value <= self.bound if self.at_most else value >= self.bound


def at_least(bound: float) -> Goal:
    """Our own figure; means what it says on a quiet machine only."""
    return Goal(bound, f"≥ {bound:,g}" if bound < 1000 else f"≥ {bound:,.0f}")


def at_most(bound: float) -> Goal:
    """As ``at_least``, from above."""
    return Goal(bound, f"≤ {bound:,g}", at_most=True)


def times_peer(bound: float) -> Goal:
    """At least so many times the peer's figure."""
    return Goal(bound, f"≥ {bound:g} × peer", on_ratio=True)


AHEAD = Goal(1.0, "ahead of peer", on_ratio=True)


def row(figure: str, unit: str, ours: float, peer_name: str, peer: float, *goals: Goal) -> Row:
    """A figure beside its peer's."""
    ratio = ours / peer
    return Row(
        figure=figure, unit=unit, ours=ours, peer=peer, peer_name=peer_name, ratio=ratio, **_held(goals, ours, ratio)
    )


def not_measured(figure: str, why: str) -> Row:
    """The line of a figure that this machine cannot give."""
    return Row(figure=figure, ours=f"not measured: {why}")


def _held(goals: Sequence[Goal], ours: float, ratio: float | None) -> Row:
    if not goals:
        return Row()
    return Row(goal=", ".join(goal.text for goal in goals), reached=all(goal.reached(ours, ratio) for goal in goals))
