"""The watch over the loop."""

from __future__ import annotations

import threading
import time

import trio
import trio.testing
from prometheus_client import CollectorRegistry

from rustok_daemon.telemetry.loop_watch import LoopWatch, Stall


def block_until(enough: threading.Event) -> None:
    """Holds the loop the way a busy actor would, until the other thread has seen it."""
    assert enough.wait(10)


async def test_a_thread_sees_that_the_loop_is_blocked_and_where() -> None:
    registry = CollectorRegistry()
    watch = LoopWatch(registry)
    seen: list[Stall] = []
    enough = threading.Event()

    def observe() -> None:
        while not seen:
            stall = watch.stall()
            if stall is not None:
                seen.append(stall)
                enough.set()
            time.sleep(0.01)  # an observer's thread: the loop it looks at stands still

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await trio.testing.wait_all_tasks_blocked()
        observer = threading.Thread(target=observe)
        observer.start()
        block_until(enough)
        observer.join()
        assert watch.stall() is not None
        await trio.sleep(0.3)
        assert watch.stall() is None
        nursery.cancel_scope.cancel()
    assert seen[0].seconds >= 1
    assert any("block_until" in frame for frame in seen[0].frame)
    assert registry.get_sample_value("rustok_loop_stall_seconds_sum") >= 1
