"""Durations, sizes, permissions, addresses, secrets."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rustok_daemon.config.types import Duration, Mode, Secret, Size, parse_address

SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
BYTES = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


@given(st.integers(0, 30_000), st.sampled_from(sorted(SECONDS)))
def test_a_duration_is_its_number_of_seconds(number: int, unit: str) -> None:
    assert Duration.parse(f"{number}{unit}") == pytest.approx(number * SECONDS[unit], rel=1e-12)


@given(st.decimals(0, 30_000, places=3), st.sampled_from(sorted(SECONDS)))
def test_a_duration_is_written_so_that_it_is_read_as_the_same(number: object, unit: str) -> None:
    duration = Duration.parse(f"{number}{unit}")
    assert Duration.parse(str(duration)) == duration


@pytest.mark.parametrize(
    ("text", "shown"),
    [("90s", "90s"), ("120s", "2m"), ("24h", "1d"), ("1500ms", "1500ms"), ("0s", "0s"), ("0.25ms", "0.00025s")],
)
def test_a_duration_is_shown_in_the_largest_unit_that_is_exact(text: str, shown: str) -> None:
    assert str(Duration.parse(text)) == shown


@given(st.text(max_size=12))
def test_whatever_is_no_duration_is_told_what_would_be_one(text: str) -> None:
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?(ms|s|m|h|d)", text):
        return
    with pytest.raises(ValueError, match="for example 30s"):
        Duration.parse(text)


@pytest.mark.parametrize("text", ["30", "30 s", "-1s", "1S", "1m30s", "1e3s", "٣s", "", "s", "inf", "1w"])
def test_no_bare_numbers_and_nothing_else_that_looks_like_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="write a number and one of ms, s, m, h, d"):
        Duration.parse(text)


def test_a_duration_longer_than_a_life_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="too long"):
        Duration.parse("9" * 400 + "d")


@given(st.integers(0, 10**9), st.sampled_from(sorted(BYTES)))
def test_a_size_is_its_bytes_and_is_read_as_it_is_written(number: int, unit: str) -> None:
    size = Size.parse(f"{number}{unit}")
    assert size == number * BYTES[unit]
    assert Size.parse(str(size)) == size


@pytest.mark.parametrize("text", ["16", "16MB", "16 MiB", "-1MiB", "1.5GiB", "16mib", "16B", "", "٣MiB"])
def test_no_size_without_its_unit(text: str) -> None:
    with pytest.raises(ValueError, match="for example 16MiB"):
        Size.parse(text)


@given(st.integers(0, 0o777))
def test_permissions_are_octal(mode: int) -> None:
    assert Mode.parse(str(Mode(mode))) == mode
    assert Mode.parse(f"{mode:03o}") == mode


@pytest.mark.parametrize("text", ["0888", "66", "rw-rw----", "06600", ""])
def test_permissions_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="for example 0660"):
        Mode.parse(text)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [("127.0.0.1:5150", ("127.0.0.1", 5150)), ("[::1]:80", ("::1", 80)), ("localhost:0", ("localhost", 0))],
)
def test_addresses(text: str, parsed: tuple[str, int]) -> None:
    assert parse_address(text) == parsed


@pytest.mark.parametrize("text", ["5150", ":5150", "host:", "host:http", "host:65536", "host:²", ""])
def test_a_bad_address_says_what_would_be_right(text: str) -> None:
    with pytest.raises(ValueError, match=r"for example 127\.0\.0\.1:5150"):
        parse_address(text)


def test_a_secret_shows_itself_to_nobody_who_does_not_ask() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"
    assert not Secret("")
