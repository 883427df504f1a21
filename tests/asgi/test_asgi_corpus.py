"""A corpus of good and of damaged requests: what h11 refuses is refused, and splitting changes no answer."""

from __future__ import annotations

import re

import pytest
import trio

from tests.asgi.asgi_apps import echo
from tests.asgi.asgi_clients import Served, serving
from tests.asgi.asgi_corpus import corpus, h11_refuses

SHARDS = 4
CASES = 400
MORE = 1500
AT_ONCE = 8

_STATUS = re.compile(rb"(?:^|(?<=\r\n\r\n)|(?<=[^\n]))HTTP/1\.1 (\d\d\d) ")
_DATE = re.compile(rb"date: [^\r]*\r\n")


async def said(served: Served, raw: bytes, *, split: bool) -> bytes:
    """Everything that the server says to a client that sends this and no more, but for the date."""
    async with served.client() as client, trio.open_nursery() as nursery:

        async def speak() -> None:
            try:
                await (client.drip(raw) if split else client.send(raw))
                await client.shut()
            except trio.BrokenResourceError:
                pass

        nursery.start_soon(speak)
        return _DATE.sub(b"", await client.rest())


def last_status(answers: bytes) -> int | None:
    statuses = _STATUS.findall(answers)
    return int(statuses[-1]) if statuses else None


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("shard", range(SHARDS))
async def test_what_h11_refuses_is_refused_and_bytes_one_by_one_get_the_same_answer(shard: int, unix: bool) -> None:
    wrong: list[tuple[str, bytes]] = []
    refused = 0
    async with serving(echo, unix=unix) as served:
        limiter = trio.CapacityLimiter(AT_ONCE)

        async def check(raw: bytes) -> None:
            nonlocal refused
            async with limiter:
                whole = await said(served, raw, split=False)
                if h11_refuses(raw):
                    refused += 1
                    if last_status(whole) not in (400, 431):
                        wrong.append(("accepted what h11 refuses", raw))
                if await said(served, raw, split=True) != whole:
                    wrong.append(("answered otherwise when split", raw))

        async with trio.open_nursery() as nursery:
            for raw in corpus(shard + 100 * unix, CASES // 2):
                nursery.start_soon(check, raw)
    assert wrong == []
    assert refused > CASES // 20


@pytest.mark.parametrize("shard", range(SHARDS))
async def test_what_h11_refuses_is_refused_in_thousands_of_cases(shard: int) -> None:
    accepted: list[bytes] = []
    async with serving(echo) as served:
        for raw in corpus(1000 + shard, MORE):
            if h11_refuses(raw) and last_status(await said(served, raw, split=False)) not in (400, 431):
                accepted.append(raw)
    assert accepted == []
