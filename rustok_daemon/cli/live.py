"""A command's context in a real run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import cached_property
from typing import Any, cast

from rustok_daemon.config import Configuration, LoadOptions
from rustok_daemon.config.sections import DaemonSettings, HttpSettings

from .context import DaemonClient
from .output import Printer


class LiveContext:
    """Implements ``cli.context.CommandContext``; what is costly is made at its first use."""

    def __init__(
        self, arguments: argparse.Namespace, configuration: Configuration | None, options: LoadOptions
    ) -> None:
        self.arguments: Mapping[str, Any] = vars(arguments)
        self.options = options
        self.output = Printer(getattr(arguments, "json", False))
        self._configuration = configuration

    @property
    def configuration(self) -> Configuration:
        return cast(Configuration, self._configuration)

    @cached_property
    def daemon(self) -> DaemonClient:
        from rustok_daemon.http_client import HttpDaemonClient

        socket = self.configuration.section(HttpSettings).socket
        assert socket is not None
        return HttpDaemonClient(socket, self.configuration.section(DaemonSettings).data_dir / "token")
