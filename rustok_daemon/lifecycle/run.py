"""``rustok-daemon run``: everything that happens before the loop and after it."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import trio

from rustok_daemon.config import Configuration, LoadOptions
from rustok_daemon.config.sections import DaemonSettings, HttpSettings, TelemetrySettings
from rustok_daemon.supervision.errors import FatalExit
from rustok_daemon.telemetry import logs

from . import daemon, data_dir
from .errors import StartRefused
from .sockets import open_sockets


def run(configuration: Configuration, options: LoadOptions) -> int:
    """Runs the daemon to its end; the exit code. ``options`` are read again at each reload."""
    telemetry = configuration.section(TelemetrySettings)
    logs.configure(telemetry.log.level, telemetry.log.format)
    try:
        return _hold_and_run(configuration, options)
    except (StartRefused, FatalExit) as error:
        code = error.exit_code if isinstance(error, StartRefused) else error.code
        print(f"rustok-daemon: {error}", file=sys.stderr)
        return code


def _hold_and_run(configuration: Configuration, options: LoadOptions) -> int:
    directory = configuration.section(DaemonSettings).data_dir
    http = configuration.section(HttpSettings)
    assert isinstance(http.socket, Path)
    with data_dir.hold(directory), open_sockets(http.bind, http.socket, http.socket_mode) as sockets:
        socket = http.socket
        daemon.on_leave[:] = [
            lambda: data_dir.release(directory),
            lambda: socket.unlink(missing_ok=True),
        ]
        made = daemon.Daemon(configuration, _absolute(options), sockets)
        return trio.run(made.run)


def _absolute(options: LoadOptions) -> LoadOptions:
    """A reload reads the same file, wherever the process stands by then."""
    if options.config is None:
        return options
    return msgspec.structs.replace(options, config=options.config.absolute())
