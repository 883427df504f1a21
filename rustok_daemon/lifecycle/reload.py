"""Reload: the new configuration is checked whole, then what differs is applied child by child."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import trio

from rustok_daemon.config import Configuration
from rustok_daemon.config.sections import TelemetrySettings
from rustok_daemon.supervision.actor import Reconfigure
from rustok_daemon.supervision.errors import ActorUnavailable, SupervisionError, describe
from rustok_daemon.supervision.refs import IncarnationFence, LocalRef
from rustok_daemon.supervision.specs import ChildSpec, State, SupervisorSpec
from rustok_daemon.telemetry import logs

from .assembly import ROOT, child_settings, collect, tree_spec, verify
from .drain import Drain
from .resources import Collected

if TYPE_CHECKING:
    from rustok_daemon.supervision.supervisor import Supervisor
    from rustok_daemon.supervision.tree import Tree

_NEEDS_A_RESTART = (
    *("daemon.data_dir", "daemon.name", "http.bind", "http.socket", "http.socket_mode", "telemetry.log.format"),
    *("supervisor.strategy", "supervisor.intensity", "supervisor.period", "supervisor.auto_shutdown"),
)
"""Bound, locked or made by the root before the tree runs."""
_RECONFIGURE_WITHIN = 5.0

Spec = ChildSpec | SupervisorSpec


class TreeReloader:
    """Implements ``Reloader``. ``configuration`` is the one in force. The listening sockets outlive every reload."""

    def __init__(self, configuration: Configuration, load: Callable[[], Configuration]) -> None:
        self.tree: Tree
        self.configuration = configuration
        self._load = load
        self._one_at_a_time = trio.Lock()

    async def reload(self) -> Sequence[str]:
        """Raises ``ConfigurationError``, or ``ActorUnavailable`` while the tree starts; then nothing has changed.

        A child that cannot take its change over is said to, and the others get theirs: the new configuration is in force.
        """
        if not self.tree.started.is_set():
            raise ActorUnavailable(ROOT, "it is starting: reload once it is ready")
        async with self._one_at_a_time:
            new = await trio.to_thread.run_sync(self._load)
            verify(new)
            old, self.configuration = self.configuration, new
            self.tree.registry.lend(Configuration, new)
            self.tree.registry.lend(Collected, collect(new))
            logs.set_level(new.section(TelemetrySettings).log.level)
            changed = [path for path in old.diff(new) if path in _NEEDS_A_RESTART]
            return [f"{path}: needs a restart of the daemon" for path in changed] + await _Change(self.tree, old, new)()


class _Change:
    """One reload's way from the tree that runs to the tree that is wanted."""

    def __init__(self, tree: Tree, old: Configuration, new: Configuration) -> None:
        self._tree = tree
        self._old = old
        self._new = new
        self._before = dict(_children(tree_spec(old)))
        self._after = dict(_children(tree_spec(new)))
        self._whole: set[str] = set()
        """Supervisors that were started anew, and their children with them."""
        self._done: list[str] = []

    async def __call__(self) -> list[str]:
        for id in reversed(self._before):
            if not self._stays(id):
                await self._try(id, self._remove(id), "stopped and removed")
        for id, (parent, spec) in self._after.items():
            if parent in self._whole:
                self._note_whole(spec)
            elif self._stays(id):
                await self._change(id, self._before[id][1], spec)
            else:
                await self._add(id, parent, spec)
        return self._done

    def _stays(self, id: str) -> bool:
        """In the same place, and a supervisor or not as before."""
        before, after = self._before.get(id), self._after.get(id)
        return before is not None and after is not None and before[0] == after[0] and type(before[1]) is type(after[1])

    async def _try(self, id: str, doing: Any, done: str) -> None:
        try:
            await doing
        except SupervisionError as error:
            self._done.append(f"{id}: could not be changed: {describe(error)}")
        else:
            self._done.append(f"{id}: {done}{self._trouble(id)}")

    def _trouble(self, id: str) -> str:
        place = self._tree.registry.places.get(id)
        return "" if place is None or place.state is State.RUNNING else f", but it is {place.state.value}"

    # -- children that come and go -------------------------------------------------------------------------------

    async def _remove(self, id: str) -> None:
        supervisor = self._tree.supervisor_of(id)
        await supervisor.terminate_child(id)
        await supervisor.delete_child(id)

    async def _add(self, id: str, parent: str, spec: Spec) -> None:
        self._note_whole(spec)
        await self._try(id, self._start(parent, spec), "started")
        if parent == ROOT:
            await self._drain_last()

    async def _start(self, parent: str, spec: Spec) -> None:
        await self._supervisor(parent).replace(spec)

    async def _drain_last(self) -> None:
        """What was added came after the drain, which must stop first; it holds nothing and is quickly put behind."""
        for id, kind in self._new.actors.items():
            if issubclass(kind, Drain) and self._stays(id) and self._after[id][0] == ROOT:
                await self._remove(id)
                await self._start(ROOT, self._after[id][1])

    def _supervisor(self, id: str) -> Supervisor:
        for each in self._tree.supervisors():
            if each.spec.id == id:
                return each
        raise ActorUnavailable(id, "the supervisor is not running")

    # -- children that stay --------------------------------------------------------------------------------------

    async def _change(self, id: str, before: Spec, after: Spec) -> None:
        if isinstance(before, SupervisorSpec) or isinstance(after, SupervisorSpec):
            if _plain(before) != _plain(after):
                self._note_whole(after)
                await self._try(id, self._replace(after), "restarted with all below it")
        elif _made_of(id, self._old) != _made_of(id, self._new):
            await self._renew(id, after)
        elif _plain(before) != _plain(after):
            await self._try(id, self._amend(after), "took its new rules over")

    async def _renew(self, id: str, spec: ChildSpec) -> None:
        if await self._reconfigured(id):
            await self._try(id, self._amend(spec), "took its new settings over")
        else:
            await self._try(id, self._replace(spec), "restarted with its new settings")

    async def _reconfigured(self, id: str) -> bool:
        """Whether it could take them over as it runs. One that does not answer is restarted like one that says no."""
        kind = self._new.actors.get(id)
        if kind is None or kind is not self._old.actors.get(id):
            return False
        ref = LocalRef(id, self._tree.registry, IncarnationFence("reload"))
        try:
            return await ref.ask(Reconfigure(_settings(id, self._new)), within=_RECONFIGURE_WITHIN)
        except SupervisionError:
            return False

    async def _replace(self, spec: Spec) -> None:
        await self._tree.supervisor_of(spec.id).replace(spec)

    async def _amend(self, spec: ChildSpec) -> None:
        await self._tree.supervisor_of(spec.id).amend(spec)

    def _note_whole(self, spec: Spec) -> None:
        if isinstance(spec, SupervisorSpec):
            self._whole.add(spec.id)


def _made_of(id: str, configuration: Configuration) -> Any:
    """What an incarnation is made of; compared, so that only who is concerned is renewed."""
    kind = configuration.actors.get(id)
    if kind is not None:
        return kind, _settings(id, configuration)
    child = child_settings(id, configuration)
    return (child.command, child.ready, child.stop_signal, child.env, child.user, child.shutdown)


def _settings(id: str, configuration: Configuration) -> Any:
    return configuration.actors[id].from_configuration(configuration.of_child(id)).settings


def _plain(spec: Spec) -> Any:
    """The rules of a specification, without what it makes and without what is below."""
    return {
        name: getattr(spec, name)
        for name in spec.__struct_fields__
        if name not in ("start", "make_metrics", "children", "template")
    }


def _children(spec: SupervisorSpec) -> Iterator[tuple[str, tuple[str, Spec]]]:
    """Every child below, with its supervisor's id; a supervisor before its own children."""
    for child in spec.children:
        yield child.id, (spec.id, child)
        if isinstance(child, SupervisorSpec):
            yield from _children(child)
