"""docs/decisions.md: its table of libraries is held against what the project really depends on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from bench import BENCHMARKS

ROOT = Path(__file__).parent.parent
NAME = re.compile(r"^[A-Za-z0-9._-]+")


def dependencies() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {match[0] for line in project["dependencies"] if (match := NAME.match(line))}


def named_in_the_table() -> set[str]:
    text = (ROOT / "docs" / "decisions.md").read_text()
    table = text.partition("## Libraries")[2].partition("\n## ")[0]
    rows = [row.split("|") for row in table.splitlines() if row.startswith("| ") and not row.startswith("| capability")]
    return {name.strip("` ") for row in rows for name in row[2].split(",")}


def test_every_dependency_has_its_row_and_every_row_its_dependency() -> None:
    assert named_in_the_table() == dependencies()


def measured_rows() -> list[list[str]]:
    text = (ROOT / "docs" / "decisions.md").read_text()
    table = text.partition("## Measured")[2].partition("\n## ")[0]
    rows = [row.strip("|").split(" | ") for row in table.splitlines() if row.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows[1:]]


def test_every_measured_decision_names_the_benchmark_that_measures_it_and_every_benchmark_decided_something() -> None:
    named = [re.findall(r"`(\w+)`", row[1]) for row in measured_rows()]
    assert all(named)
    assert {name for names in named for name in names} == set(BENCHMARKS)


def test_every_measured_decision_has_figures_and_says_what_was_taken() -> None:
    for question, _, measured, taken in measured_rows():
        assert re.search(r"\d", measured), question
        assert taken, question
