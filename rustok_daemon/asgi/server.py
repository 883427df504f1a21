"""The server: accepts on lent sockets, keeps count of its connections, and drains them."""

from __future__ import annotations

import errno
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import trio
from trio.lowlevel import wait_readable

from rustok_daemon.lifecycle.messages import Drained
from rustok_daemon.telemetry.logs import get_logger

from .clock import Clock
from .connection import Connection, Phase
from .errors import Refused
from .limits import Limits
from .outbox import Outbox
from .protocol import Application, AtOnce, BodyLimit
from .stats import Stats
from .wire import Wire

_ACCEPTED_AT_ONCE = 64
_REFUSING_AT_ONCE = 256
_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_PAUSE = 0.1
_UNSENT = 128 << 10
"""Of bytes that a connection may keep in the kernel before they are sent: what a slow reader costs."""

_log = get_logger(actor="asgi")


class Server:
    """One application on its listeners. Made and run by ``serve``."""

    def __init__(
        self,
        app: Application,
        listeners: Sequence[socket.socket],
        limits: Limits,
        body_limit: BodyLimit | None,
        on_refused: Callable[[Refused], None] | None,
        at_once: AtOnce | None = None,
    ) -> None:
        self.app = app
        self.at_once = at_once
        self.outbox = Outbox()
        self.limits = limits
        self.body_limit = body_limit
        self.stats = Stats()
        self.clock = Clock(limits)
        self.draining = False
        self._listeners = listeners
        self._on_refused = on_refused
        self._open: dict[Wire, Connection] = {}
        self._refusing = 0
        self._exhausted = False
        self._accepting = trio.CancelScope()
        self._serving = trio.CancelScope()
        self._all_closed = trio.Event()

    @property
    def connections(self) -> int:
        """How many are open, idle ones included."""
        return len(self._open)

    def stop_accepting(self) -> None:
        """Leaves new connections to whoever else listens; those that are open go on."""
        self._accepting.cancel()

    async def drain(self, within: float) -> Drained:
        """Stops accepting and ends what is open, then ends ``serve``.

        Idle connections are closed, running requests are finished and say ``Connection: close``, WebSockets are
        closed with 1001. What is left after ``within`` seconds is cut, and named in the log. The listeners stay open:
        they are lent.
        """
        self.stop_accepting()
        self.draining = True
        busy = len(self._busy())
        for connection in tuple(self._open.values()):
            connection.drain()
        with trio.move_on_after(within):
            if self._open:
                await self._all_closed.wait()
        cut = self._busy()
        for connection in cut:
            _log.warning("a request was cut at the end of the drain", request=connection.doing)
        self.stats.cut += len(cut)
        self._serving.cancel()
        return Drained(finished=max(0, busy - len(cut)), cut=len(cut))

    def note_refusal(self, refused: Refused) -> None:
        """Counts an answer that the server gave by itself."""
        self.stats.refused[refused.status] += 1
        if self._on_refused is not None:
            self._on_refused(refused)

    async def run(self, task_status: trio.TaskStatus[Server]) -> None:
        """Serves until cancelled or drained."""
        with self._serving:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.clock.sweep, self._open.keys())
                nursery.start_soon(self.outbox.run)
                with self._accepting:
                    async with trio.open_nursery() as accepting:
                        for listener in self._listeners:
                            listener.setblocking(False)
                            accepting.start_soon(self._accept_from, listener, nursery)
                        task_status.started(self)

    async def _accept_from(self, listener: socket.socket, nursery: trio.Nursery) -> None:
        while True:
            await wait_readable(listener)
            for _ in range(_ACCEPTED_AT_ONCE):
                try:
                    sock, address = listener.accept()
                except BlockingIOError:
                    break
                except OSError as error:
                    if error.errno in _OUT_OF_RESOURCES:
                        self._note_exhaustion(error)
                        await trio.sleep(_PAUSE)
                        break
                else:
                    self._exhausted = False
                    self._admit(sock, address, nursery)

    def _admit(self, sock: socket.socket, address: Any, nursery: trio.Nursery) -> None:
        self.stats.accepted += 1
        try:
            sock.setblocking(False)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
            connection = Connection(self, sock, address)
        except OSError:
            # The client was gone before we looked at it.
            sock.close()
            return
        if len(self._open) - self._refusing < self.limits.max_connections:
            nursery.start_soon(self._serve, connection, connection.run)
        elif self._refusing < _REFUSING_AT_ONCE:
            self._refusing += 1
            nursery.start_soon(self._refuse, connection)
        else:
            connection.refuse_at_once()
            return
        self._open[connection.wire] = connection

    def _note_exhaustion(self, error: OSError) -> None:
        """Logged once until a connection is accepted again."""
        if not self._exhausted:
            self._exhausted = True
            _log.error("no connection can be accepted", reason=error.strerror, connections=len(self._open))

    async def _serve(self, connection: Connection, run: Callable[[], Awaitable[None]]) -> None:
        try:
            await run()
        finally:
            del self._open[connection.wire]
            if self.draining and not self._open:
                self._all_closed.set()

    async def _refuse(self, connection: Connection) -> None:
        try:
            await self._serve(connection, connection.refuse_for_room)
        finally:
            self._refusing -= 1

    def _busy(self) -> list[Connection]:
        return [connection for connection in self._open.values() if connection.phase is Phase.BUSY]


async def serve(
    app: Application,
    listeners: Sequence[socket.socket],
    limits: Limits | None = None,
    *,
    body_limit: BodyLimit | None = None,
    on_refused: Callable[[Refused], None] | None = None,
    at_once: AtOnce | None = None,
    task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves ``app`` on sockets that are bound and listening, TCP or unix, until cancelled or drained.

    ``listeners`` are lent: they are made non-blocking and never closed. ``body_limit`` says for a request with a body
    how many bytes it may have, in place of ``limits.max_body``. ``on_refused`` hears of each answer that the server
    gives in the application's place. ``at_once`` is asked before the application. ``task_status`` gets the ``Server``.
    Cancelling cuts every connection: to stop gently, ``drain`` first.
    """
    await Server(app, listeners, limits or Limits(), body_limit, on_refused, at_once).run(task_status)
