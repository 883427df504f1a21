"""Medians of several rounds, in which ours and its peers take turns: a slow moment of the machine hits all alike."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Mapping

ROUNDS = 5


def medians(sides: Mapping[str, Callable[[], float]], rounds: int = ROUNDS) -> dict[str, float]:
    """Each side's median over the rounds, after one round that only warms up."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, measure in sides.items():
            value = measure()
            if turn:
                found[name].append(value)
    return {name: statistics.median(values) for name, values in found.items()}


async def medians_async(sides: Mapping[str, Callable[[], Awaitable[float]]], rounds: int = ROUNDS) -> dict[str, float]:
    """As ``medians``, on the loop that is running."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, measure in sides.items():
            value = await measure()
            if turn:
                found[name].append(value)
    return {name: statistics.median(values) for name, values in found.items()}
