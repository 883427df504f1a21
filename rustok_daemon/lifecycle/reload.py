"""Reload: the new configuration is checked whole, then what differs is applied child by child."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from rustok_daemon.config import Configuration
from rustok_daemon.supervision.specs import ChildSpec, SupervisorSpec

from .assembly import collect, tree_spec
from .resources import Collected

if TYPE_CHECKING:
    from rustok_daemon.supervision.tree import Tree

_NEEDS_A_RESTART = ("daemon.data_dir", "daemon.name", "http.bind", "http.socket", "http.socket_mode")
"""Bound or locked by the root before the tree runs."""


class TreeReloader:
    """Implements ``Reloader``. The listening sockets outlive every reload."""

    def __init__(self, configuration: Configuration, load: Callable[[], Configuration]) -> None:
        self.tree: Tree
        self._configuration = configuration
        self._load = load
        self._one_at_a_time = trio.Lock()

    async def reload(self) -> Sequence[str]:
        """Raises ``ConfigurationError``, and then nothing has changed."""
        async with self._one_at_a_time:
            new = await trio.to_thread.run_sync(self._load)
            old, self._configuration = self._configuration, new
            changed = old.diff(new)
            self.tree.registry.lend(Configuration, new)
            self.tree.registry.lend(Collected, collect(new))
            done = [f"{path}: needs a restart of the daemon" for path in changed if path in _NEEDS_A_RESTART]
            return done + await self._apply(old, new)

    async def _apply(self, old: Configuration, new: Configuration) -> list[str]:
        before, after = dict(_children(tree_spec(old))), dict(_children(tree_spec(new)))
        done: list[str] = []
        for id in reversed([id for id in before if id not in after]):
            await self._remove(id)
            done.append(f"{id}: stopped and removed")
        for id, (parent, spec) in after.items():
            if id not in before:
                await self._add(parent, spec)
                done.append(f"{id}: started")
            elif word := await self._change(id, before[id][1], spec, old, new):
                done.append(f"{id}: {word}")
        return done

    async def _remove(self, id: str) -> None:
        supervisor = self.tree.supervisor_of(id)
        await supervisor.terminate_child(id)
        await supervisor.delete_child(id)

    async def _add(self, parent: str, spec: ChildSpec | SupervisorSpec) -> None:
        supervisor = next(each for each in self.tree.supervisors() if each.spec.id == parent)
        await supervisor.replace(spec)

    async def _change(
        self, id: str, before: ChildSpec | SupervisorSpec, after: ChildSpec | SupervisorSpec, old: Any, new: Any
    ) -> str | None:
        """What had to be done for one child that was there and stays."""
        if isinstance(after, SupervisorSpec) or isinstance(before, SupervisorSpec):
            return None
        same_settings = _settings(id, old) == _settings(id, new)
        if same_settings and _plain(before) == _plain(after):
            return None
        await self.tree.supervisor_of(id).replace(after)
        return "restarted with its new settings"


def _settings(id: str, configuration: Configuration) -> Any:
    """What the incarnation would be made with; compared, so that only who is concerned restarts."""
    kind = configuration.actors.get(id)
    return None if kind is None else kind.from_configuration(configuration.of_child(id)).settings


def _plain(spec: ChildSpec) -> Any:
    """The specification without its factories, which are new each time."""
    return {k: v for k, v in msgspec.structs.asdict(spec).items() if k not in ("start", "make_metrics")}


def _children(spec: SupervisorSpec) -> Iterator[tuple[str, tuple[str, ChildSpec | SupervisorSpec]]]:
    """Every child below, with its supervisor's id; a supervisor before its own children, whole."""
    for child in spec.children:
        yield child.id, (spec.id, child)
        if isinstance(child, SupervisorSpec):
            yield from _children(child)
