"""What our triggers say, read back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.cache_invalidation.errors import MalformedMessage
from actors.cache_invalidation.notifications import parse_notification
from actors.identities import Identity
from tests.cache_invalidation.strategies import identities


@given(st.lists(identities, max_size=20))
def test_names_are_read_back(names: list[Identity]) -> None:
    payload = msgspec.json.encode([f"{name.kind}:{name.value}" for name in names]).decode()
    assert parse_notification(payload) == tuple(names)


def test_a_star_is_everything() -> None:
    assert parse_notification("*") is None


def test_d15_upper_case_in_the_table_is_found_by_its_lower_case_name() -> None:
    assert parse_notification('["slug:Demo","host:Demo.Localhost"]') == (
        Identity("slug", "demo"),
        Identity("host", "demo.localhost"),
    )


def test_names_no_request_can_bear_are_left_out() -> None:
    assert parse_notification(r'["slug:a_b","host:q\"x","host:ümlaut.de","slug:fine"]') == (Identity("slug", "fine"),)


@pytest.mark.parametrize("payload", ["", "**", "[", "{}", "null", '["demo"]', '["name:demo"]', "[1]", "\ud800"])
def test_anything_else_is_refused(payload: str) -> None:
    with pytest.raises(MalformedMessage):
        parse_notification(payload)


@given(st.text())
def test_no_text_is_an_accident(payload: str) -> None:
    try:
        parse_notification(payload)
    except MalformedMessage:
        return
