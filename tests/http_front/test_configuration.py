"""What http_front itself finds wrong with a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from actors.http_front import HttpFront
from rustok_daemon.config import ConfigurationError, LoadOptions, load
from rustok_daemon.declarations import Route
from rustok_daemon.supervision.actor import Actor


async def handle(call: Any) -> None:
    return None


class Rival(Actor[Any]):
    """An actor that declares a route of somebody else."""

    class Settings(msgspec.Struct, frozen=True):
        pass

    routes: ClassVar[tuple[Route, ...]] = (Route(method="GET", path="/_ping", handler=handle, summary="mine"),)


def test_two_actors_with_one_route_are_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "supervisor.toml"
    file.write_text(
        '[[supervisor.children]]\nid = "rival"\nstart = "tests.http_front.test_configuration:Rival"\n'
        '[[supervisor.children]]\nid = "http_front"\nstart = "actors.http_front:HttpFront"\n'
    )
    configuration = load(LoadOptions(config=file), {})
    with pytest.raises(ConfigurationError, match="GET /_ping is declared twice"):
        HttpFront.from_configuration(configuration)
