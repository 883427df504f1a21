"""TCP while nobody else serves it: at start, between two lives of http_front, and at the end."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

import trio

from rustok_daemon.asgi import Application, Limits, Server, serve
from rustok_daemon.lifecycle.resources import HttpApplication
from rustok_daemon.supervision.actor import ViewRef

_LOOK_EVERY = 0.1
_HAND_OVER_WITHIN = 0.02
_CLEAR_UP_EVERY = 1.0


class StandIn:
    """Serves ``app`` on the listeners whenever http_front lends no application, so that probes are always answered.

    Once http_front is there, new connections are left to it. Those that were accepted here stay here: to close one would
    take the answer away from a client that has just connected.
    """

    def __init__(
        self, app: Application, front: ViewRef[HttpApplication], listeners: Sequence[socket.socket], limits: Limits
    ) -> None:
        self._app = app
        self._front = front
        self._listeners = listeners
        self._limits = limits
        self._servers: set[Server] = set()

    @property
    def connections(self) -> int:
        return sum(server.connections for server in self._servers)

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                await _poll(lambda: self._front.current is None, _LOOK_EVERY)
                await nursery.start(self._stand_in)

    async def _stand_in(self, task_status: trio.TaskStatus[None]) -> None:
        """Started when it is over; the task goes on until the last connection is closed."""
        with ExitStack() as stack:
            # trio lets one task wait for a descriptor, and http_front will wait for the lent ones.
            own = [stack.enter_context(listener.dup()) for listener in self._listeners]
            async with trio.open_nursery() as nursery:
                server = await nursery.start(partial(serve, self._app, own, self._limits))
                self._servers.add(server)
                await _poll(lambda: self._front.current is not None, _HAND_OVER_WITHIN)
                server.stop_accepting()
                task_status.started()
                await _poll(lambda: server.connections == 0, _CLEAR_UP_EVERY)
                self._servers.remove(server)
                nursery.cancel_scope.cancel()


async def _poll(condition: Callable[[], bool], every: float) -> None:
    """Nobody is told when a view comes or goes, or when a connection is closed."""
    while not condition():  # noqa: ASYNC110
        await trio.sleep(every)
