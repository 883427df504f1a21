"""The actor of docs/writing-an-actor.md, run from a package outside of the tree."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.daemon_process import TREE, daemon

pytestmark = pytest.mark.timeout(120)

BLOCK = re.compile(r"```\w+\n# file: (\S+)\n(.*?)```", re.DOTALL)


def files_of_the_document() -> dict[str, str]:
    text = (TREE.parent / "docs" / "writing-an-actor.md").read_text()
    return {match[1]: match[2] for match in BLOCK.finditer(text)}


def test_it_brings_its_route_command_migration_metric_and_health() -> None:
    files = files_of_the_document()
    assert set(files) == {"greeter.py", "supervisor.local.toml"}
    with daemon() as made:
        package = made.directory / "package"
        package.mkdir()
        for name, text in files.items():
            (package / name).write_text(text)
        config = package / "supervisor.toml"
        config.write_text(TREE.read_text())
        made.configure(config, PYTHONPATH=str(package))
        made.start()
        with httpx.Client(base_url=made.url, headers=made.headers) as http:
            answers = [http.post("/v1/greetings/Ada").json() for _ in range(2)]
            assert answers == [{"text": "Good evening, Ada!", "count": n} for n in (1, 2)]
            assert "greeter_greetings_total 2.0" in http.get("/metrics").text
            assert "greeter" in {module["slug"] for module in http.get("/health/modules").json()["modules"]}
            assert "/v1/greetings/{name}" in http.get("/openapi.json").json()["paths"]
        greeted = made.cli("greet", "Ada")
        assert (greeted.returncode, greeted.stdout.strip()) == (0, "Good evening, Ada!")
        assert "greeter" in made.cli("status").stdout
        assert made.stop() == 0


def test_the_file_is_shown_to_the_reader_as_it_is_run() -> None:
    for name, text in files_of_the_document().items():
        if name.endswith(".py"):
            compile(text, str(Path(name)), "exec")
