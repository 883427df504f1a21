"""docs/defects.md names every defect once, and only tests that exist; every test that bears a number is in its row."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
ROW = re.compile(r"^\| (\d+) \| [HML] \| .+ \| (.+) \|$", re.MULTILINE)
NAME = re.compile(r"`(test_\w+)`")


def rows() -> dict[int, str]:
    text = (TESTS.parent / "docs" / "defects.md").read_text()
    return {int(match[1]): match[2] for match in ROW.finditer(text)}


def names() -> set[str]:
    found = (re.findall(r"def (test_\w+)\(", path.read_text()) for path in TESTS.rglob("test_*.py"))
    return {name for each in found for name in each}


def test_every_defect_has_its_row_with_a_test_or_a_reason() -> None:
    assert list(rows()) == list(range(1, 30))
    for number, repair in rows().items():
        assert NAME.search(repair) or repair.startswith("does not apply: "), number


def test_every_test_named_exists() -> None:
    for repair in rows().values():
        assert set(NAME.findall(repair)) <= names()


def test_a_row_names_tests_of_its_number() -> None:
    for number, repair in rows().items():
        told = NAME.findall(repair)
        assert not told or any(f"_d{number:02}_" in name for name in told), number
