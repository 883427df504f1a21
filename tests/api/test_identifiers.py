"""Request ids and trace context are taken over where they are well-formed, and made otherwise."""

from __future__ import annotations

import re

import pytest

from rustok_daemon.api.identifiers import Identifiers


def request_id(given: bytes | None, identifiers: Identifiers | None = None) -> bytes:
    headers = {} if given is None else {b"x-request-id": given}
    return (identifiers or Identifiers()).of(headers)[0][1]


def traceparent(given: bytes | None, identifiers: Identifiers | None = None) -> bytes:
    headers = {} if given is None else {b"traceparent": given}
    return (identifiers or Identifiers()).of(headers)[1][1]


TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("given", [b"a", b"6f9619ff-8b86-d011-b42d-00c04fc964ff", b"01HZX.Y:z/w+v=~@", b"x" * 128])
def test_a_request_id_fit_for_a_log_line_is_taken_over(given: bytes) -> None:
    assert request_id(given) == given


@pytest.mark.parametrize("given", [None, b"", b"x" * 129, b"a b", b'a"b', b"a\xffb", b"<script>"])
def test_any_other_is_replaced(given: bytes | None) -> None:
    made = request_id(given)
    assert made != given
    assert re.fullmatch(rb"[0-9a-f]{8}-[0-9a-f]+", made)


def test_ids_are_made_once_in_a_process_and_differ_between_processes() -> None:
    one, other = Identifiers(), Identifiers()
    made = [request_id(None, maker) for maker in (one, other) for _ in range(1000)]
    assert len(set(made)) == 2000


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (TRACE, TRACE),
        (b"cc" + TRACE[2:], b"cc" + TRACE[2:]),
        (b"cc" + TRACE[2:] + b"-what-the-future-brings", b"cc" + TRACE[2:]),
    ],
)
def test_a_traceparent_is_taken_over_as_far_as_version_00_knows_it(given: bytes, taken: bytes) -> None:
    assert traceparent(given) == taken


@pytest.mark.parametrize(
    "given",
    [
        None,
        b"",
        TRACE.upper(),
        TRACE[:-1],
        TRACE + b"-x",
        b"cc" + TRACE[2:] + b"x",
        b"ff" + TRACE[2:],
        b"00-" + b"0" * 32 + TRACE[35:],
        TRACE[:36] + b"0" * 16 + TRACE[52:],
    ],
)
def test_a_malformed_traceparent_is_replaced_by_one_that_is_not_sampled(given: bytes | None) -> None:
    identifiers = Identifiers()
    made = [traceparent(given, identifiers) for _ in range(100)]
    assert len(set(made)) == 100
    for each in made:
        assert re.fullmatch(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00", each)
