"""For tests of an actor: one alone, with a context and views, and no supervisor."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio
from prometheus_client import CollectorRegistry

from .supervision.actor import Actor, ActorRef
from .supervision.errors import GaveUp
from .supervision.refs import IncarnationFence, LocalRef
from .supervision.specs import ChildSpec, SupervisorSpec
from .supervision.tree import Tree


class Running(msgspec.Struct, frozen=True):
    """An actor that runs. ``tree`` gives everything else: views, places, metrics."""

    actor: Actor[Any]
    ref: ActorRef
    tree: Tree
    registry: CollectorRegistry

    def view(self, kind: type[Any]) -> Any:
        """What the actor published under ``kind``, or ``None``."""
        return self.tree.registry.cell(kind).view


@asynccontextmanager
async def run_actor(
    actor: Actor[Any],
    *,
    id: str = "subject",
    resources: Mapping[type[Any], object] | None = None,
    shutdown: float = 5.0,
) -> AsyncIterator[Running]:
    """Runs ``actor`` until the end of the block. It is not restarted: its failure fails the block."""
    registry = CollectorRegistry()
    spec = ChildSpec(id=id, start=lambda: actor, shutdown=shutdown, make_metrics=type(actor).make_metrics)
    tree = Tree(SupervisorSpec(id="root", children=(spec,), intensity=0), resources=resources, registry=registry)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_run, tree)
        await tree.started.wait()
        yield Running(actor, LocalRef(id, tree.registry, IncarnationFence("test")), tree, registry)
        tree.request_stop(math.inf)


async def _run(tree: Tree) -> None:
    outcome = await tree.run()
    if isinstance(outcome.error, GaveUp) and outcome.error.cause is not None:
        raise outcome.error.cause
    if outcome.error is not None:
        raise outcome.error
