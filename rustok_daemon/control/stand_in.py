"""TCP while nobody else serves it: at start, between two lives of http_front, and at the end."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import trio

from rustok_daemon.asgi import Application, Limits, Server, serve
from rustok_daemon.lifecycle.resources import HttpApplication
from rustok_daemon.supervision.actor import ViewRef

_LOOK_EVERY = 0.1
_DRAIN_WITHIN = 1.0


class StandIn:
    """Serves ``app`` on the listeners whenever http_front lends no application, so that probes are always answered."""

    def __init__(
        self, app: Application, front: ViewRef[HttpApplication], listeners: Sequence[socket.socket], limits: Limits
    ) -> None:
        self._app = app
        self._front = front
        self._listeners = listeners
        self._limits = limits
        self._server: Server | None = None

    @property
    def connections(self) -> int:
        return 0 if self._server is None else self._server.connections

    async def run(self) -> None:
        """Until cancelled. Looks every now and then: nobody is told when a view comes or goes."""
        while True:
            if self._front.current is None:
                await self._serve()
            await trio.sleep(_LOOK_EVERY)

    async def _serve(self) -> None:
        with ExitStack() as stack:
            # trio lets one task wait for a descriptor, and http_front will wait for the lent ones.
            own = [stack.enter_context(listener.dup()) for listener in self._listeners]
            async with trio.open_nursery() as nursery:
                self._server = await nursery.start(partial(serve, self._app, own, self._limits))
                while self._front.current is None:  # noqa: ASYNC110
                    await trio.sleep(_LOOK_EVERY)
                await self._server.drain(_DRAIN_WITHIN)
            self._server = None
