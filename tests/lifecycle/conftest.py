"""A tree out of a file that a test changes."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from rustok_daemon.config import Configuration, LoadOptions, load
from rustok_daemon.lifecycle.assembly import collect, tree_spec
from rustok_daemon.lifecycle.phase import DaemonPhase
from rustok_daemon.lifecycle.reload import TreeReloader
from rustok_daemon.lifecycle.resources import Collected, Phase
from rustok_daemon.supervision.tree import Tree
from tests.lifecycle import life_actors


def child(id: str, kind: str, *lines: str, depth: int = 1) -> str:
    """One ``[[supervisor.children]]`` out of ``life_actors``."""
    table = ".".join(["supervisor"] + ["children"] * depth)
    return "\n".join([f"[[{table}]]", f'id = "{id}"', f'start = "tests.lifecycle.life_actors:{kind}"', *lines, ""])


def supervisor(id: str, *lines: str) -> str:
    return "\n".join(["[[supervisor.children]]", f'id = "{id}"', *lines, ""])


DRAIN = '[[supervisor.children]]\nid = "drain"\nstart = "rustok_daemon.lifecycle:Drain"\n'


class Life:
    """A tree that runs, and the file it was made from."""

    def __init__(self, file: Path, configuration: Configuration) -> None:
        self.file = file
        self.phase = DaemonPhase()
        self.reloader = TreeReloader(configuration, self._load)
        resources: dict[type[Any], object] = {
            Collected: collect(configuration),
            Configuration: configuration,
            Phase: self.phase,
        }
        self.tree = self.reloader.tree = Tree(tree_spec(configuration), resources=resources, seed=1)

    def _load(self) -> Configuration:
        return load(LoadOptions(config=self.file), {})

    async def reload(self, text: str) -> Sequence[str]:
        self.file.write_text(text)
        life_actors.told.clear()
        return await self.reloader.reload()

    @property
    def order(self) -> list[str]:
        """The root's children, as they were started."""
        return [node["id"] for node in self.tree.snapshot()["children"]]


RunLife = Callable[[str], AbstractAsyncContextManager[Life]]


@pytest.fixture
def run_life(tmp_path: Path) -> RunLife:
    @asynccontextmanager
    async def run(text: str) -> AsyncIterator[Life]:
        file = tmp_path / "supervisor.toml"
        file.write_text(text)
        life_actors.told.clear()
        life = Life(file, load(LoadOptions(config=file), {}))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(life.tree.run)
            await life.tree.started.wait()
            yield life
            life.tree.request_stop(math.inf)

    return run


@pytest.fixture
def told() -> list[tuple[str, str, str]]:
    return life_actors.told
