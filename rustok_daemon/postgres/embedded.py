"""The embedded server: the wheel's PostgreSQL as a supervised process, reachable through a private unix socket only."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import ClassVar, Self

import msgspec
import trio

from rustok_daemon.config import Configuration
from rustok_daemon.config.sections import DaemonSettings, DatabaseSettings
from rustok_daemon.lifecycle.orphan import ServerKind, stop_orphan
from rustok_daemon.supervision.errors import FatalExit, ProcessEnded
from rustok_daemon.supervision.process import ProcessActor, ProcessPlan

from . import binaries, launcher, layout

SERVER = ServerKind(programs=("postgres",), stop_signals=((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0)))
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "log_min_messages": "warning",
}


class EmbeddedPostgresSettings(msgspec.Struct, frozen=True):
    """What the actor takes out of ``[daemon]``."""

    data_dir: Path


class EmbeddedPostgres(ProcessActor[EmbeddedPostgresSettings]):
    """In the tree only while ``database.url`` is empty. Stops by SIGINT, then SIGQUIT."""

    Settings = EmbeddedPostgresSettings
    stop_signals: ClassVar = ((signal.SIGINT, 12.0), (signal.SIGQUIT, 4.0))
    leave_signal: ClassVar = signal.SIGQUIT

    @classmethod
    def enabled(cls, configuration: Configuration) -> bool:
        return not configuration.section(DatabaseSettings).url

    @classmethod
    def from_configuration(cls, configuration: Configuration) -> Self:
        return cls(EmbeddedPostgresSettings(configuration.section(DaemonSettings).data_dir))

    async def prepare(self) -> ProcessPlan:
        data_dir = self.settings.data_dir
        orphan = await stop_orphan(SERVER, layout.pid_file(data_dir), layout.cluster(data_dir))
        if orphan is not None:
            self.context.log.warning("stopped a server that outlived its daemon", pid=orphan)
        as_whom = await trio.to_thread.run_sync(launcher.choose, data_dir)
        await trio.to_thread.run_sync(prepare_cluster, data_dir, as_whom)
        words = [binaries.program("postgres"), "-D", str(layout.cluster(data_dir))]
        settings = {**_SETTINGS, "unix_socket_directories": str(layout.socket_dir(data_dir))}
        words += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return ProcessPlan(command=as_whom.command(words), user=as_whom.user, group=as_whom.group)

    async def probe(self) -> bool:
        """Its pid file's eighth line says so; a connection would cost more and tell no more."""
        try:
            lines = layout.pid_file(self.settings.data_dir).read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"


def prepare_cluster(data_dir: Path, as_whom: launcher.Launcher) -> None:
    """Makes directories and, on the first start, the cluster. Blocks. Raises ``FatalExit`` (78) or ``ProcessEnded``."""
    for directory in (data_dir / "postgres", layout.socket_dir(data_dir)):
        layout.private(directory, as_whom)
    target = layout.cluster(data_dir)
    if target.exists():
        _check_version(target)
        return
    staging = target.with_name("data.new")
    shutil.rmtree(staging, ignore_errors=True)
    _run(as_whom, ["initdb", "-D", str(staging), "-U", layout.USER, *_INITDB], "")
    _run(as_whom, ["postgres", "--single", "-D", str(staging), "postgres"], f'create database "{layout.DATABASE}"\n')
    os.rename(staging, target)


_INITDB = ("--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
"""Trust is for those who reach the socket, and its directory lets in nobody but its owner and root."""


def _check_version(cluster: Path) -> None:
    found = (cluster / "PG_VERSION").read_text().strip()
    if found != str(binaries.major()):
        raise FatalExit(
            binaries.CONFIGURATION,
            f"{cluster} was made by PostgreSQL {found} and this is {binaries.major()}: dump it with the old version, "
            "move the directory away and load the dump, or give database.url",
        )


def _run(as_whom: launcher.Launcher, words: list[str], text: str) -> None:
    command = as_whom.command([binaries.program(words[0]), *words[1:]])
    ended = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        user=as_whom.user,
        group=as_whom.group,
    )
    if ended.returncode != 0:
        raise ProcessEnded(f"{words[0]} failed: {(ended.stderr or ended.stdout).strip()[-500:]}")
