"""Part of a daemon, as it stands in the tree: asyncio side, database and listener; the resolver's view is the test's."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from prometheus_client import CollectorRegistry

from actors.cache_invalidation import CacheInvalidation
from actors.cache_invalidation.actor import ListenerSettings
from actors.identities import Identity
from actors.messages import TenantDirectory
from rustok_daemon.asyncio_side import AsyncioSide
from rustok_daemon.asyncio_side.actor import AsyncioSideSettings
from rustok_daemon.config.sections import DatabaseSettings
from rustok_daemon.config.types import Secret
from rustok_daemon.postgres.actor import DatabaseActor, DatabaseActorSettings
from rustok_daemon.redis import Endpoint
from rustok_daemon.supervision.actor import Actor
from rustok_daemon.supervision.specs import ChildSpec, Strategy, SupervisorSpec
from rustok_daemon.supervision.tree import Tree
from tests.cache_invalidation.seams import GAP, Directory


class Listening:
    """What a test sees of it."""

    def __init__(self, tree: Tree, directory: Directory, registry: CollectorRegistry) -> None:
        self.tree = tree
        self.directory = directory
        self.registry = registry

    def metric(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(name, labels)
        assert value is not None, name
        return value

    def status(self, channel: str) -> int:
        return int(self.metric("rustok_invalidation_listener_status", channel=channel))

    def node(self, id: str = "cache_invalidation") -> dict[str, Any]:
        return next(node for node in self.tree.snapshot()["children"] if node["id"] == id)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for what other processes bring about."""
        while not condition():
            await trio.sleep(0.005)

    async def until_healthy(self, *channels: str) -> None:
        await self.until(lambda: all(self.status(channel) == 2 for channel in channels))

    def invalidated(self) -> set[Identity]:
        """All that was named since the last gap."""
        named = self.directory.calls
        last = max((n for n, call in enumerate(named) if call is GAP), default=-1)
        return {identity for call in named[last + 1 :] if call is not None for identity in call}

    async def until_named(self, *identities: Identity, within: float = 5) -> float:
        """Seconds until all of them were invalidated."""
        began = time.perf_counter()
        with trio.fail_after(within):
            await self.until(lambda: set(identities) <= self.invalidated())
        return time.perf_counter() - began


@asynccontextmanager
async def listening(database_url: str, redis_url: str | None = None) -> AsyncIterator[Listening]:
    """Runs until the end of the block."""
    registry, directory = CollectorRegistry(), Directory()
    endpoint = Endpoint(None if redis_url is None else Secret(redis_url), "redis.url")
    spec = SupervisorSpec(
        id="core",
        strategy=Strategy.REST_FOR_ONE,
        children=(
            child("asyncio_side", AsyncioSide, AsyncioSideSettings()),
            child("database", DatabaseActor, database_settings(database_url)),
            child("cache_invalidation", CacheInvalidation, ListenerSettings(redis=endpoint, redis_timeout=1.0)),
        ),
    )
    tree = Tree(spec, resources={TenantDirectory: directory}, registry=registry)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, tree)
        await tree.started.wait()
        yield Listening(tree, directory, registry)
        tree.request_stop(math.inf)


async def run(tree: Tree) -> None:
    outcome = await tree.run()
    if outcome.error is not None:
        raise outcome.error


def child(id: str, kind: type[Actor[Any]], settings: Any) -> ChildSpec:
    return ChildSpec(id=id, start=lambda: kind(settings), make_metrics=kind.make_metrics)


def database_settings(url: str) -> DatabaseActorSettings:
    return DatabaseActorSettings(
        url=url,
        database=DatabaseSettings(url=Secret(url), min_size=0, max_size=4),
        application_name="test",
        seed=False,
        production=False,
    )
