"""One accepted socket: reads and writes with deadlines, and the bytes that were read ahead."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from contextlib import suppress

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

from .clock import NEVER, Clock
from .errors import ClientDisconnected, ClientTooSlow, ProtocolMisuse, TimedOut, Woken

_READ = 64 << 10
_LINGER_NOT = struct.pack("ii", 1, 0)


class Wire:
    """The connection's bytes: what was read ahead lies in ``buffer`` from ``position`` on.

    trio's own socket reschedules the task on each call. Here a write that the kernel takes at once is one system
    call and no checkpoint, and a read waits before it tries, since the next request is seldom there already.
    """

    __slots__ = (
        "_clock",
        "_cut",
        "_fd",
        "_queued",
        "_sock",
        "_woken",
        "_writing",
        "buffer",
        "eof",
        "position",
        "read_deadline",
        "write_deadline",
    )

    def __init__(self, sock: socket.socket, clock: Clock) -> None:
        self._sock = sock
        self._fd = sock.fileno()
        self._queued = b""
        self._clock = clock
        self._cut = False
        self._woken = False
        self._writing = False
        self.buffer = b""
        self.position = 0
        self.eof = False
        self.read_deadline = NEVER
        self.write_deadline = NEVER

    @property
    def unread(self) -> int:
        """How many bytes were read ahead."""
        return len(self.buffer) - self.position

    def take(self) -> bytes:
        """Removes and returns what was read ahead."""
        taken = self.buffer[self.position :]
        self.put_back(b"")
        return taken

    def put_back(self, rest: bytes) -> None:
        """Makes ``rest`` what was read ahead."""
        self.buffer = rest
        self.position = 0

    async def read_ahead(self, deadline: float) -> bool:
        """Appends one read to what was read ahead; ``False`` at the end of the stream. Raises as ``read``."""
        data = await self.read(deadline)
        self.put_back(self.take() + data)
        return bool(data)

    async def read(self, deadline: float) -> bytes:
        """The next bytes of the stream, past what was read ahead; none at its end.

        Raises ``TimedOut``, ``Woken`` after ``wake``, ``ClientDisconnected``.
        """
        self.read_deadline = deadline
        self._woken = False
        try:
            while True:
                try:
                    await wait_readable(self._fd)
                    data = self._sock.recv(_READ)
                except trio.ClosedResourceError:
                    self._raise_if_interrupted()
                except BlockingIOError:
                    continue
                except OSError as error:
                    raise ClientDisconnected(*error.args) from error
                else:
                    self.eof = not data
                    return data
        finally:
            self.read_deadline = NEVER

    def poll(self) -> None:
        """Appends what has arrived to what was read ahead, without waiting. Raises ``ClientDisconnected``."""
        try:
            data = self._sock.recv(_READ)
        except BlockingIOError:
            return
        except OSError as error:
            raise ClientDisconnected(*error.args) from error
        self.eof = not data
        self.put_back(self.take() + data)

    def send(self, data: bytes) -> int:
        """How many bytes the kernel took at once; ``write_rest`` sees to the others. Raises ``ClientDisconnected``."""
        self._check_writable()
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise ClientDisconnected(*error.args) from error

    async def write(self, data: bytes) -> None:
        """Returns when the kernel has it all, without a checkpoint if that is at once. Raises as ``write_rest``."""
        sent = self.send(data)
        if sent < len(data):
            await self.write_rest([memoryview(data)[sent:]])

    async def write_rest(self, parts: list[memoryview]) -> None:
        """Returns when the kernel has all parts, which are not joined, for they may be large.

        Raises ``ClientDisconnected``; ``ClientTooSlow`` when nothing moved for ``write_timeout``. A write that was
        cancelled half-way is the last: whatever came behind it would be read as its rest.
        """
        self._check_writable()
        self._writing = True
        try:
            while parts:
                try:
                    _drop(parts, self._sock.sendmsg(parts))
                except BlockingIOError:
                    await self._room_to_write()
                except OSError as error:
                    raise ClientDisconnected(*error.args) from error
        finally:
            self._cut = bool(parts)
            self._writing = False
            self.write_deadline = NEVER

    @property
    def queued(self) -> bool:
        """Whether something is on its way that the kernel does not have yet. ``settle`` before anything else is written."""
        return bool(self._queued)

    def queue(self, data: bytes) -> None:
        """Keeps ``data`` until ``flush`` or ``settle``."""
        self._check_writable()
        self._queued = data

    def flush(self) -> None:
        """Gives the kernel what is queued, as much as it takes at once. With a rest, whoever reads is woken to ``settle`` it."""
        if self._queued:
            try:
                self._queued = self._queued[self._sock.send(self._queued) :]
            except BlockingIOError:
                pass
            except OSError:
                self._cut, self._queued = True, b""  # the client is gone, as the next read will say
            if self._queued:
                self.wake()

    async def settle(self) -> None:
        """Returns when the kernel has what was queued. Raises as ``write_rest``."""
        self.flush()
        if self._queued:
            rest, self._queued = memoryview(self._queued), b""
            await self.write_rest([rest])

    def write_now(self, data: bytes) -> None:
        """Writes as much as the kernel takes at once: for last words to a client that may not listen."""
        if not (self._cut or self._writing or self._queued):
            with suppress(OSError):
                self._sock.send(data)

    def wake(self) -> None:
        """Ends a read that waits."""
        self._woken = True
        notify_closing(self._fd)

    def expire(self) -> None:
        """Lets a read or write that waits look at its deadline."""
        notify_closing(self._fd)

    def shut_writing(self) -> None:
        """Says that nothing more will be written."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def watch_for_silence(self) -> None:
        """Has the kernel probe a client that may say nothing for hours, so that one that vanished is noticed."""
        if self._sock.family == socket.AF_UNIX:
            return
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)

    def reset_on_close(self) -> None:
        """Makes ``close`` a reset: the client must not take what it has for the whole."""
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)

    def close(self) -> None:
        self.flush()
        notify_closing(self._fd)
        self._sock.close()

    def _check_writable(self) -> None:
        if self._writing:
            raise ProtocolMisuse("two tasks send at once")
        if self._cut:
            raise ClientDisconnected("a write was cut off half-way")

    def _raise_if_interrupted(self) -> None:
        if self._clock.now >= self.read_deadline:
            raise TimedOut
        if self._woken:
            raise Woken

    async def _room_to_write(self) -> None:
        """Waits for room. The kernel announces it late, a third of its buffer at once, so at the deadline it is asked."""
        unsent = self._unsent()
        self.write_deadline = self._clock.write
        while True:
            try:
                await wait_writable(self._fd)
            except trio.ClosedResourceError:
                if self._clock.now < self.write_deadline:
                    continue
                before, unsent = unsent, self._unsent()
                if unsent >= before:
                    raise ClientTooSlow("the client reads nothing") from None
                self.write_deadline = self._clock.write
            else:
                return

    def _unsent(self) -> int:
        return int(struct.unpack("i", fcntl.ioctl(self._fd, termios.TIOCOUTQ, b"\0\0\0\0"))[0])


def _drop(parts: list[memoryview], sent: int) -> None:
    """Removes the first ``sent`` bytes."""
    while parts and sent >= len(parts[0]):
        sent -= len(parts.pop(0))
    if sent:
        parts[0] = parts[0][sent:]
