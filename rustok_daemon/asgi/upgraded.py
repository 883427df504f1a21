"""A connection after its upgrade, as the stream that trio-websocket reads and writes."""

from __future__ import annotations

import trio

from .clock import NEVER
from .errors import ClientDisconnected, Woken
from .wire import Wire


class UpgradedStream(trio.abc.Stream):
    """Gives the handshake first, and nothing more until it is answered.

    What was read behind the handshake must not come earlier: trio-websocket hands it to its HTTP parser, where it is lost.
    """

    def __init__(self, wire: Wire, handshake: bytes) -> None:
        self._wire = wire
        self._handshake = handshake
        self._open = trio.Event()
        self._closed = False

    def open(self) -> None:
        """The handshake is answered: frames may come."""
        self._open.set()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        if self._handshake:
            handshake, self._handshake = self._handshake, b""
            return handshake
        await self._open.wait()
        if self._closed:
            raise trio.ClosedResourceError
        data = self._wire.take() or await self._read()
        if max_bytes is not None and len(data) > max_bytes:
            self._wire.put_back(data[max_bytes:])
            return data[:max_bytes]
        return data

    async def _read(self) -> bytes:
        try:
            return await self._wire.read(NEVER)
        except ClientDisconnected as error:
            raise trio.BrokenResourceError from error
        except Woken:
            raise trio.ClosedResourceError from None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        if self._closed:
            raise trio.ClosedResourceError
        try:
            await self._wire.write(bytes(data))
        except ClientDisconnected as error:
            raise trio.BrokenResourceError from error

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Ends writing; the connection closes the socket itself."""
        self._closed = True
        self._open.set()
        self._wire.shut_writing()
        self._wire.wake()
        await trio.lowlevel.checkpoint()
