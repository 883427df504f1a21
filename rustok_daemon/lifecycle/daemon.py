"""The daemon around its tree: signals, the service manager, reload, and with which code it leaves."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

import trio
from prometheus_client import CollectorRegistry

from rustok_daemon.config import Configuration, ConfigurationError, LoadOptions, load
from rustok_daemon.config.sections import DaemonSettings, HttpSettings
from rustok_daemon.supervision import process
from rustok_daemon.supervision.errors import FatalExit
from rustok_daemon.supervision.events import Event
from rustok_daemon.supervision.tree import Outcome, Tree
from rustok_daemon.systemd import Notifier, Watchdog
from rustok_daemon.telemetry.logs import get_logger
from rustok_daemon.telemetry.loop_watch import LoopWatch

from . import exit_codes
from .assembly import collect, tree_spec
from .phase import DaemonPhase
from .reload import TreeReloader
from .resources import Collected, ListeningSockets, Phase, Reloader, TreeControl

_STATUS_EVERY = 5.0


class Daemon:
    """One run, from the first child's start to the exit code."""

    def __init__(self, configuration: Configuration, options: LoadOptions, sockets: ListeningSockets) -> None:
        self.log = get_logger(actor="root")
        self.phase = DaemonPhase()
        self.notifier = Notifier.from_environment()
        self._registry = CollectorRegistry()
        self._watch = LoopWatch(self._registry)
        self._began = time.monotonic()
        self._on_terminal = sys.stdin is not None and sys.stdin.isatty()
        """Asked now: after the hang-up there is no terminal any more."""
        self._reloader = TreeReloader(configuration, lambda: load(options))
        self._tree = Tree(
            tree_spec(configuration),
            resources=self._resources(configuration, sockets),
            registry=self._registry,
            on_event=self._log_event,
        )
        self._tree.registry.lend(TreeControl, self._tree)
        self._tree.registry.lend(Reloader, self._reloader)
        self._reloader.tree = self._tree

    def _resources(self, configuration: Configuration, sockets: ListeningSockets) -> dict[type[Any], object]:
        return {
            Collected: collect(configuration),
            Configuration: configuration,
            CollectorRegistry: self._registry,
            ListeningSockets: sockets,
            LoopWatch: self._watch,
            Phase: self.phase,
        }

    async def run(self) -> int:
        """Runs the tree to its end; the exit code. Does not return while an abandoned child lives: see ``_leave``."""
        async with trio.open_nursery() as nursery:
            for task in (self._watch.run, self._handle_signals, self._announce, self._feed_watchdog, self._leave):
                nursery.start_soon(task)
            outcome = await self._tree.run()
            nursery.cancel_scope.cancel()
        return self._exit_code(outcome)

    # -- what others are told ------------------------------------------------------------------------------------

    async def _announce(self) -> None:
        """READY once all have started; then, every few seconds, how things stand."""
        await self._tree.started.wait()
        self.phase.mark_started()
        seconds = time.monotonic() - self._began
        http = self._reloader.configuration.section(HttpSettings)
        self.log.info("ready", seconds=round(seconds, 3), pid=os.getpid(), api=http.bind, socket=str(http.socket))
        said = self._status()
        self.notifier.ready(said)
        while True:
            await trio.sleep(_STATUS_EVERY)
            if not self.phase.stopping and (status := self._status()) != said:
                said = status
                self.notifier.status(status)

    def _status(self) -> str:
        """``9 children running``, or how many of them and what is wrong with the others."""
        leaves = list(_leaves(self._tree.snapshot()))
        troubled = [f"{node['id']} {node['state']}{_reason(node)}" for node in leaves if node["state"] != "running"]
        if not troubled:
            return f"{len(leaves)} children running"
        return f"{len(leaves) - len(troubled)} of {len(leaves)} children running; " + "; ".join(troubled)

    async def _feed_watchdog(self) -> None:
        """From the supervising loop itself, so that a loop that stands still is seen from outside."""
        watchdog = Watchdog.from_environment()
        while watchdog is not None:
            self.notifier.send(WATCHDOG=1)
            await trio.sleep(watchdog.timeout / 3)

    def _log_event(self, event: Event) -> None:
        fields = {name: value for name, value in event.to_dict().items() if name != "event"}
        getattr(self.log, event.level)(event.text(), kind=event.name, **fields)

    # -- signals -------------------------------------------------------------------------------------------------

    async def _handle_signals(self) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            async with trio.open_nursery() as nursery:
                async for number in signals:
                    if number == signal.SIGHUP and not self._on_terminal:
                        nursery.start_soon(self._reload)
                    elif not self.phase.stopping:
                        self._stop(signal.Signals(number))

    def _stop(self, number: signal.Signals) -> None:
        within = self._reloader.configuration.section(DaemonSettings).shutdown_timeout
        for again in (signal.SIGINT, signal.SIGTERM):
            signal.signal(again, self._leave_at_once)
        self.phase.mark_stopping()
        self.log.info("stopping", signal=number.name, within=within)
        self.notifier.stopping(f"draining and stopping, at most {within:g} s")
        self._tree.request_stop(within)

    def _leave_at_once(self, number: int, _frame: FrameType | None) -> None:
        """In the signal's handler itself, so that a loop that stands still does not keep us; nothing here takes a lock."""
        os.write(2, b"rustok-daemon: second signal: leaving at once\n")
        leave(exit_codes.INTERRUPTED_TWICE if number == signal.SIGINT else exit_codes.TERMINATED_TWICE)

    async def _reload(self) -> None:
        if self.phase.stopping or not self.phase.started:
            self.log.warning("not reloaded: the daemon is starting or stopping")
            return
        self.notifier.reloading("reloading")
        try:
            self.log.info("reloaded", done=list(await self._reloader.reload()))
        except ConfigurationError as error:
            self.log.error("the configuration is wrong; the one in force stays", problems=list(error.lines))
        finally:
            self.notifier.ready(self._status())

    # -- the end -------------------------------------------------------------------------------------------------

    async def _leave(self) -> None:
        """An abandoned child keeps its task, and the nursery with it, for ever: only the end of the process helps."""
        await self._tree.finished.wait()
        outcome = self._tree.outcome
        if outcome is not None and outcome.abandoned:
            leave(self._exit_code(outcome))

    def _exit_code(self, outcome: Outcome) -> int:
        if isinstance(outcome.error, FatalExit):
            self.log.error(outcome.error.message)
            return outcome.error.code
        if outcome.error is not None:
            self.log.error("the tree gave up", reason=str(outcome.error))
            return exit_codes.GAVE_UP
        if outcome.abandoned or outcome.cut or self.phase.cut:
            named = {"abandoned": list(outcome.abandoned), "cut_off": list(outcome.cut)}
            self.log.error("stopped only in part", **named, cut=self.phase.cut)
            return exit_codes.PARTLY_DRAINED
        self.log.info("stopped")
        return exit_codes.STOPPED


on_leave: list[Callable[[], object]] = []
"""What must not stay behind even when the process ends from within: the socket's path, the lock's."""


def leave(code: int) -> NoReturn:
    """Ends the process here and now, after what must not stay behind is gone."""
    process.leave_all()
    for clean in reversed(on_leave):
        clean()
    with suppress(OSError, RuntimeError, ValueError):  # we may be in the middle of a write
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _leaves(node: dict[str, Any]) -> Sequence[dict[str, Any]]:
    if node["kind"] != "supervisor":
        return [node]
    return [leaf for child in node["children"] for leaf in _leaves(child)]


def _reason(node: dict[str, Any]) -> str:
    error = node["last_error"]
    why = node["reason"] or (f"{error['type']}: {error['message']}" if error else "")
    return f": {why}" if why else ""
