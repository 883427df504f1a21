"""RusToK's formats on Redis: what is written is read back, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.cache_invalidation.errors import MalformedMessage
from actors.cache_invalidation.rustok_formats import (
    Generation,
    format_generation,
    format_invalidate,
    parse_generation,
    parse_invalidate,
)
from actors.identities import Identity, is_servable
from tests.cache_invalidation.strategies import identities, uuids

SLUG = Identity("slug", "demo")
UUID = Identity("uuid", "00000000-0000-0000-0000-000000000001")
generations = st.builds(Generation, st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1), st.none() | uuids)


def test_the_message_is_the_one_of_the_contract() -> None:
    assert format_invalidate(SLUG) == b"tenant:v1:slug:demo|tenant_negative:v1:slug:demo"


@given(identities)
def test_every_identity_survives_the_first_format(identity: Identity) -> None:
    assert parse_invalidate(format_invalidate(identity)) == identity


@given(generations)
def test_every_generation_survives_the_second_format(generation: Generation) -> None:
    assert parse_generation(format_generation(generation)) == generation


@pytest.mark.parametrize(
    ("payload", "identity"),
    [
        (b"tenant:v1:slug:Demo|tenant_negative:v1:slug:Demo", SLUG),
        (
            b"tenant:v1:host:Shop.Example.com|tenant_negative:v1:host:Shop.Example.com",
            Identity("host", "shop.example.com"),
        ),
        (b"tenant:v1:uuid:%s|tenant_negative:v1:uuid:%s" % ((UUID.value.upper().encode(),) * 2), UUID),
    ],
)
def test_d15_case_of_a_name_does_not_matter(payload: bytes, identity: Identity) -> None:
    assert parse_invalidate(payload) == identity


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"|",
        b"tenant:v1:slug:demo",
        b"tenant:v1:slug:demo|",
        b"|tenant_negative:v1:slug:demo",
        b"tenant:v1:slug:demo|tenant:v1:slug:demo",
        b"tenant_negative:v1:slug:demo|tenant:v1:slug:demo",
        b"tenant:v1:slug:demo|tenant_negative:v1:slug:other",
        b"tenant:v1:slug:demo|tenant_negative:v1:host:demo",
        b"tenant:v1:slug:demo|tenant_negative:v1:slug:demo|x",
        b"tenant:v1:slug:demo|tenant_negative:v1:slug:demo\n",
        b"tenant:v2:slug:demo|tenant_negative:v2:slug:demo",
        b"tenant:v1:slug:|tenant_negative:v1:slug:",
        b"tenant:v1:slug|tenant_negative:v1:slug",
        b"tenant:v1:name:demo|tenant_negative:v1:name:demo",
        b"tenant:v1:slug:-demo|tenant_negative:v1:slug:-demo",
        b"tenant:v1:slug:a_b|tenant_negative:v1:slug:a_b",
        b"tenant:v1:slug:%s|tenant_negative:v1:slug:%s" % ((b"a" * 64,) * 2),
        b"tenant:v1:uuid:demo|tenant_negative:v1:uuid:demo",
        b"tenant:v1:uuid:%s|tenant_negative:v1:uuid:%s" % ((b"0" * 32,) * 2),
        b"tenant:v1:host:a..b|tenant_negative:v1:host:a..b",
        b"tenant:v1:host:a.b:80|tenant_negative:v1:host:a.b:80",
        b"tenant:v1:host:%s|tenant_negative:v1:host:%s" % ((b"a." * 126 + b"aa",) * 2),
        "tenant:v1:slug:démo|tenant_negative:v1:slug:démo".encode(),
        b"\xff\xfe",
        b"x" * (1 << 20),
    ],
)
def test_d28_any_other_key_pair_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_invalidate(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"v1:0:1:2a",
        b"v1:01:1:2a",
        b"v1:-1:1:2a",
        b"v2:1:1:2a",
        b"v1:1:1:",
        b"v1:1:1:2",
        b"v1:1:1:zz",
        b"v1:1:1:2a:",
        b"v1:1:1:2a\n",
        b"v1:1::2a",
        b"v1:1.5:1:2a",
        b"v1:18446744073709551616:1:2a",
        b"v1:1:18446744073709551616:2a",
        b"v1:1:1:" + b"demo".hex().encode(),
        b"v1:1:1:ff",
        b"v1:1:1:" + b"2a" * 10_000,
        "v1:١:1:2a".encode(),
    ],
)
def test_a_malformed_generation_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_generation(payload)


def test_a_star_names_all_tenants() -> None:
    assert parse_generation(b"v1:7:1700000000000:2a") == Generation(7, 1700000000000, None)


@given(st.binary(max_size=600) | identities.map(format_invalidate).flatmap(lambda good: mutations(good)))
@example(b"tenant:v1:slug:a|tenant_negative:v1:slug:a|")
def test_bytes_are_refused_or_name_what_a_request_can_name(payload: bytes) -> None:
    for parse in (parse_invalidate, parse_generation):
        try:
            found = parse(payload)
        except MalformedMessage:
            continue
        identity = found.tenant if isinstance(found, Generation) else found
        assert identity is None or is_servable(identity)


@st.composite
def mutations(draw: st.DrawFn, good: bytes) -> bytes:
    """One byte of a good message replaced, doubled or left out."""
    at = draw(st.integers(0, len(good) - 1))
    return good[:at] + draw(st.binary(max_size=2)) + good[at + 1 :]
