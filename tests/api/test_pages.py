"""Lists: every item once, however the pages are cut, and a cursor that is not ours leads nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rustok_daemon.api.call import Problem
from rustok_daemon.api.decoding import query_decoder
from rustok_daemon.api.pages import PageQuery, decode_cursor, encode_cursor, page

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.just("\\u0000")


@given(st.lists(TEXT, unique=True), st.integers(1, 7))
def test_pages_hold_every_item_once_and_in_order(names: list[str], limit: int) -> None:
    names.sort()
    seen: list[str] = []
    cursor: str | None = None
    while True:
        after = None if cursor is None else decode_cursor(cursor, str)
        left = [name for name in names if after is None or name > after]
        part = page(left[: limit + 1], limit, lambda name: name)
        seen += part.items
        cursor = part.next
        if cursor is None:
            break
        assert len(part.items) == limit
    assert seen == names


@given(st.tuples(st.integers(), TEXT))
def test_a_cursor_comes_back_as_it_was(position: tuple[int, str]) -> None:
    cursor = encode_cursor(position)
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&%")
    assert decode_cursor(cursor, tuple[int, str]) == position


@pytest.mark.parametrize(
    "cursor", ["x", "é", "====", "!!!!", encode_cursor(5), encode_cursor(["a", "b"]), encode_cursor("a\0")]
)
def test_a_cursor_of_another_making_is_404(cursor: str) -> None:
    with pytest.raises(Problem) as caught:
        decode_cursor(cursor, str)
    assert (caught.value.status, caught.value.name, caught.value.field) == (404, "unknown-cursor", "cursor")


def test_a_list_has_50_items_unless_asked_for_others_and_500_at_most() -> None:
    read = query_decoder(PageQuery)
    assert read(b"").limit == 50
    assert read(b"limit=500").limit == 500
    for wrong in (b"limit=501", b"limit=0", b"cursor="):
        with pytest.raises(Problem):
            read(wrong)
