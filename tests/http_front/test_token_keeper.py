"""How long a token is believed, in virtual time: while revocations are heard, while they are not, while nothing answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.http_front import tokens
from actors.http_front.token_keeper import GOOD_UNHEARD_FOR, TokenKeeper
from actors.http_front.tokens import TokenCache, new_token
from rustok_daemon.api.errors import TokensUnavailable
from rustok_daemon.telemetry.logs import get_logger

from .few_rows import FewRows, Here


@asynccontextmanager
async def keeping(table: FewRows, directory: Path) -> AsyncIterator[TokenCache]:
    cache = TokenCache(Here(table))
    keeper = TokenKeeper(cache, Here(table), directory / "token", "local", get_logger(actor="test"))
    await keeper.prepare()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.run)
        await table.until_heard()
        yield cache
        nursery.cancel_scope.cancel()


async def test_a_known_token_costs_no_query(autojump_clock: MockClock, tmp_path: Path) -> None:
    table = FewRows()
    table.add("t", "app", "tenants:read")
    async with keeping(table, tmp_path) as cache:
        principal = await cache.verify(b"t")
        assert principal is not None
        assert (principal.name, principal.scopes) == ("app", frozenset({"tenants:read"}))
        for _ in range(100):
            assert cache.known(b"t") == principal
        assert table.lookups == 1


async def test_a_revocation_is_heard_at_once_and_spares_the_others(autojump_clock: MockClock, tmp_path: Path) -> None:
    table = FewRows()
    for token in ("mine", "other"):
        table.add(token)
    async with keeping(table, tmp_path) as cache:
        await cache.verify(b"mine")
        await cache.verify(b"other")
        table.revoke("mine")
        await wait_all_tasks_blocked()
        assert cache.known(b"mine") is None
        assert cache.known(b"other") is not None
        assert await cache.verify(b"mine") is None


async def test_with_the_channel_lost_a_token_is_good_for_60_s_and_then_looked_up(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    table = FewRows()
    for token in ("gone", "kept"):
        table.add(token)
    async with keeping(table, tmp_path) as cache:
        for token in (b"gone", b"kept"):
            await cache.verify(token)
        table.listenable = False
        table.lose_channel()
        await trio.sleep(1)
        table.revoke("gone")
        await trio.sleep(GOOD_UNHEARD_FOR - 5)
        assert cache.known(b"gone") is not None
        await trio.sleep(10)
        assert cache.known(b"gone") is None
        assert cache.known(b"kept") is not None
        table.revoke("kept")
        await trio.sleep(GOOD_UNHEARD_FOR + 5)
        assert cache.known(b"kept") is None, "and so every minute"


async def test_with_the_database_down_a_known_token_is_good_until_it_is_back(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    table = FewRows()
    for token in ("gone", "kept", "unseen"):
        table.add(token)
    async with keeping(table, tmp_path) as cache:
        for token in (b"gone", b"kept"):
            await cache.verify(token)
        table.go_down()
        await trio.sleep(3600)
        assert cache.known(b"gone") is not None
        with pytest.raises(TokensUnavailable):
            await cache.verify(b"unseen")
        table.revoke("gone", tell=False)
        table.come_back()
        await table.until_heard()
        assert cache.known(b"gone") is None
        assert cache.known(b"kept") is not None
        assert await cache.verify(b"unseen") is not None


async def test_an_unknown_token_is_asked_for_every_5_s_and_at_once_when_one_is_made(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    table = FewRows()
    async with keeping(table, tmp_path) as cache:
        for _ in range(10):
            assert await cache.verify(b"soon") is None
        assert table.lookups == 1
        await trio.sleep(6)
        assert await cache.verify(b"soon") is None
        assert table.lookups == 2
        table.add("soon")
        assert table.listener is not None
        table.listener.notify("+" + tokens.hash_of(b"soon").hex())
        await wait_all_tasks_blocked()
        assert await cache.verify(b"soon") is not None


async def test_news_of_a_token_that_is_in_use_already_takes_nothing_away(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """Its maker may use it before the notification of its own making arrives."""
    table = FewRows()
    table.add("fresh")
    async with keeping(table, tmp_path) as cache:
        assert await cache.verify(b"fresh") is not None
        assert table.listener is not None
        table.listener.notify("+" + tokens.hash_of(b"fresh").hex())
        await wait_all_tasks_blocked()
        assert cache.known(b"fresh") is not None


async def test_a_lookup_that_a_revocation_overtook_is_not_kept(autojump_clock: MockClock, tmp_path: Path) -> None:
    table = FewRows()
    table.add("t")
    async with keeping(table, tmp_path) as cache:
        table.takes = 1.0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cache.verify, b"t")
            await trio.sleep(0.5)
            row = table.rows[tokens.hash_of(b"t")]
            table.revoke("t")
            cache.forget(tokens.hash_of(b"t"))
            table.rows[tokens.hash_of(b"t")] = row  # what the overtaken lookup still reads
            await trio.sleep(0.55)
            del table.rows[tokens.hash_of(b"t")]
        assert cache.known(b"t") is None


async def test_a_flood_of_made_up_tokens_leaves_the_pool_to_others(autojump_clock: MockClock, tmp_path: Path) -> None:
    table = FewRows()
    async with keeping(table, tmp_path) as cache:
        table.takes = 1.0
        refused = 0

        async def ask(number: int) -> None:
            nonlocal refused
            try:
                assert await cache.verify(b"made-up-%d" % number) is None
            except TokensUnavailable:
                refused += 1

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(ask, number)
        assert table.most_at_once <= 5, "four lookups, and the keeper"
        assert refused > 50
        assert trio.current_time() - began < 7, "nobody waits for ever"


async def test_what_is_remembered_is_bounded(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_REMEMBERED", 10)
    table = FewRows()
    table.takes = 0
    async with keeping(table, tmp_path) as cache:
        for number in range(50):
            table.add(f"t{number}")
            assert await cache.verify(f"t{number}".encode()) is not None
            assert await cache.verify(f"none{number}".encode()) is None
        assert len(cache.remembered()) == 10
        assert len(cache._unknown) <= 10


async def test_the_admin_token_returns_when_all_are_emptied(autojump_clock: MockClock, tmp_path: Path) -> None:
    table = FewRows()
    async with keeping(table, tmp_path) as cache:
        first = (tmp_path / "token").read_text().strip().encode()
        assert await cache.verify(first) is not None
        table.rows.clear()
        assert table.listener is not None
        table.listener.notify("*")
        with trio.fail_after(3600):
            while (second := (tmp_path / "token").read_text().strip().encode()) == first:
                await trio.sleep(0.1)
        assert cache.known(first) is None
        assert await cache.verify(second) is not None


def test_tokens_are_long_and_never_the_same() -> None:
    made = {new_token() for _ in range(1000)}
    assert len(made) == 1000
    assert all(token.startswith("rst_") and len(token) >= 47 for token in made)
