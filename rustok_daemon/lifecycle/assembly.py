"""From the configuration to the tree: specifications of its children, and what their classes declare."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from rustok_daemon.config import Configuration
from rustok_daemon.config.sections import BackoffSettings, ChildSettings, SupervisorSettings, walk
from rustok_daemon.supervision.command import CommandProcess, CommandSettings
from rustok_daemon.supervision.specs import (
    AutoShutdown,
    Backoff,
    ChildSpec,
    Kind,
    Overflow,
    Restart,
    Strategy,
    SupervisorSpec,
)

from .drain import Drain
from .resources import Collected

ROOT = "root"
_WORKER_SHUTDOWN = 5.0


def tree_spec(configuration: Configuration) -> SupervisorSpec:
    """The tree this configuration asks for; children it does not want (an embedded server beside a URL) are left out."""
    settings = configuration.section(SupervisorSettings)
    return SupervisorSpec(
        id=ROOT,
        strategy=Strategy(settings.strategy),
        intensity=settings.intensity,
        period=settings.period,
        auto_shutdown=AutoShutdown(settings.auto_shutdown),
        children=tuple(sorted(_specs(settings.children, configuration), key=partial(_is_drain, configuration))),
    )


def _is_drain(configuration: Configuration, spec: ChildSpec | SupervisorSpec) -> bool:
    """Last to start and so first to stop, also where a layer added children after it."""
    return issubclass(configuration.actors.get(spec.id, object), Drain)


def child_settings(id: str, configuration: Configuration) -> ChildSettings:
    """What the configuration says of the child ``id``."""
    return next(child for child in walk(configuration.section(SupervisorSettings).children) if child.id == id)


def _specs(children: Iterable[ChildSettings], configuration: Configuration) -> tuple[ChildSpec | SupervisorSpec, ...]:
    return tuple(_spec(child, configuration) for child in children if _wanted(child, configuration))


def _wanted(child: ChildSettings, configuration: Configuration) -> bool:
    kind = configuration.actors.get(child.id)
    return kind is None or kind.enabled(configuration)


def _spec(child: ChildSettings, configuration: Configuration) -> ChildSpec | SupervisorSpec:
    if child.is_supervisor:
        return _supervisor(child, configuration)
    kind = configuration.actors.get(child.id)
    return ChildSpec(
        id=child.id,
        start=_command(child) if kind is None else partial(kind.from_configuration, configuration.of_child(child.id)),
        kind=Kind.PROCESS if kind is None else kind.kind,
        restart=Restart(child.restart),
        shutdown=_shutdown(child, kind),
        significant=child.significant,
        backoff=_backoff(child.backoff),
        mailbox=child.mailbox,
        overflow=Overflow(child.overflow),
        make_metrics=None if kind is None else kind.make_metrics,
    )


def _shutdown(child: ChildSettings, kind: type[Any] | None) -> float:
    """The drain bounds itself, by ``http.drain_delay`` and what requests get after it."""
    if child.shutdown is not None:
        return child.shutdown
    return math.inf if kind is not None and issubclass(kind, Drain) else _WORKER_SHUTDOWN


def _supervisor(child: ChildSettings, configuration: Configuration) -> SupervisorSpec:
    return SupervisorSpec(
        id=child.id,
        strategy=Strategy(child.strategy or "one_for_one"),
        intensity=child.intensity,
        period=child.period,
        auto_shutdown=AutoShutdown(child.auto_shutdown),
        restart=Restart(child.restart),
        shutdown=math.inf if child.shutdown is None else child.shutdown,
        significant=child.significant,
        backoff=_backoff(child.backoff),
        max_children=child.max_children,
        children=_specs(child.children, configuration),
    )


def _command(child: ChildSettings) -> Callable[[], Any]:
    settings = CommandSettings(
        command=child.command or (),
        ready=child.ready,
        stop_signal=signal.Signals[child.stop_signal],
        environment={name: value.reveal() for name, value in child.env.items()},
        user=child.user,
        patience=_WORKER_SHUTDOWN if child.shutdown is None else child.shutdown,
    )
    return lambda: CommandProcess(settings)


def _backoff(settings: BackoffSettings) -> Backoff:
    return Backoff(
        first=settings.first,
        limit=settings.limit,
        factor=settings.factor,
        jitter=settings.jitter,
        reset_after=settings.reset_after,
    )


def collect(configuration: Configuration) -> Collected:
    """What the actors of the tree declare, in tree order; those that are not wanted declare nothing."""
    kinds = {id: kind for id, kind in configuration.actors.items() if kind.enabled(configuration)}
    return Collected(
        actors=tuple(kinds),
        routes=tuple(route for kind in kinds.values() for route in kind.routes),
        commands=tuple(command for kind in kinds.values() for command in kind.commands),
        migrations=tuple(step for kind in kinds.values() for step in kind.migrations),
        seeds=tuple(seed for kind in kinds.values() for seed in kind.seeds),
        health_checks=tuple((id, check) for id, kind in kinds.items() for check in kind.health_checks),
    )


def verify(configuration: Configuration) -> None:
    """Makes, and throws away, an incarnation of every actor that is wanted: that runs no I/O.

    Raises ``ConfigurationError`` for what only an actor itself can tell, such as a URL out of a variable of its own.
    """
    for id, kind in configuration.actors.items():
        if kind.enabled(configuration):
            kind.from_configuration(configuration.of_child(id))
