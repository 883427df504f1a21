"""How a channel is kept: listened to until it is lost, then again after a pause that grows while it flaps."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import NoReturn

import trio

from rustok_daemon.supervision.errors import unwrap
from rustok_daemon.supervision.specs import Backoff


async def keep_listening(
    listen: Callable[[], Awaitable[None]],
    lost: Callable[[Exception], None],
    *,
    unless: tuple[type[Exception], ...],
    backoff: Backoff,
) -> NoReturn:
    """Runs ``listen`` for ever.

    An exception of ``unless`` is a loss, told to ``lost`` before the pause; any other leaves. Only a channel that held
    for ``backoff.reset_after`` seconds is taken for sound: one that breaks again and again is waited for longer and
    longer, so that the gaps it makes cannot keep the cache empty.
    """
    failures = 0
    while True:
        began = trio.current_time()
        try:
            await listen()
        except Exception as error:
            cause = unwrap(error)  # a nursery on the way may have wrapped it
            if not isinstance(cause, unless):
                raise
            lost(cause)
        failures = 0 if trio.current_time() - began >= backoff.reset_after else failures + 1
        await trio.sleep(_pause(backoff, failures))


def _pause(backoff: Backoff, failures: int) -> float:
    pause = min(backoff.limit, backoff.first * backoff.factor ** min(failures, 32))
    return pause * random.uniform(1 - backoff.jitter, 1 + backoff.jitter)  # noqa: S311  spreads daemons, hides nothing
