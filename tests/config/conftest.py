"""A directory with a configuration in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rustok_daemon.config import Configuration, ConfigurationError, LoadOptions, load

GREETER = '[[supervisor.children]]\nid = "greeter"\nstart = "tests.config.config_actors:Greeter"\n'


class Place:
    """Files, variables and options of one daemon."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.variables: dict[str, str] = {}
        self.write("")

    def write(self, text: str, name: str = "supervisor.toml", tree: str | None = None) -> Path:
        """The main file has the greeter in its tree, below ``text``, so that the lines of ``text`` count from 1."""
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{text}\n{(GREETER if name == 'supervisor.toml' else '') if tree is None else tree}")
        return path

    def load(self, *settings: str, env: str | None = None, config: Path | None = None) -> Configuration:
        options = LoadOptions(
            config=config or self.directory / "supervisor.toml", environment=env, settings=tuple(settings)
        )
        return load(options, self.variables)

    def wrong(self, *settings: str, env: str | None = None) -> tuple[str, ...]:
        """What is wrong, with the directory left out."""
        with pytest.raises(ConfigurationError) as refused:
            self.load(*settings, env=env)
        assert refused.value.exit_code == 78
        return tuple(line.replace(f"{self.directory}/", "") for line in refused.value.lines)

    def set(self, variables: Mapping[str, str]) -> None:
        self.variables = dict(variables)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
