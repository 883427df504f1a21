"""How a tenant may be named: RusToK's validator, rule by rule and by property (facts on the tenant path, 1.6 and 11.1)."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.identities import (
    RESERVED_SLUGS,
    Identity,
    InvalidIdentifier,
    authority_identity,
    header_identity,
    host_identity,
    identities_of,
    is_servable,
    slug_identity,
    uuid_identity,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [("my-tenant", "my-tenant"), ("tenant123", "tenant123"), ("a", "a"), ("  Demo ", "demo"), ("a--", "a--")],
)
def test_slugs_that_are_one(text: str, value: str) -> None:
    assert slug_identity(text) == Identity("slug", value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not empty"),
        ("   ", "not empty"),
        ("a" * 65, "at most 63"),
        ("a" * 64, "1 to 63"),
        ("-a", "begin with -"),
        ("my_tenant", "1 to 63"),
        ("my tenant", "1 to 63"),
        ("a.b", "1 to 63"),
        ("a@b", "1 to 63"),
        ("demo\n\x00", "1 to 63"),
        ("'; drop table tenants; --", "1 to 63"),
        ("../../etc/passwd", "1 to 63"),
        ("admin", "reserved"),
        ("API", "reserved"),
    ],
)
def test_slugs_that_are_none(text: str, why: str) -> None:
    with pytest.raises(InvalidIdentifier, match=why):
        slug_identity(text)


def test_forty_one_slugs_are_reserved() -> None:
    assert len(RESERVED_SLUGS) == 41


@pytest.mark.parametrize(
    "text", ["example.com", "sub.example.com", "my-tenant.app.com", "127.0.0.1", "xn--bcher-kva.de"]
)
def test_hosts_that_are_one(text: str) -> None:
    assert host_identity(f"  {text.upper()} ") == Identity("host", text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "invalid host",
        "example..com",
        "-example.com",
        "example-.com",
        "a_b.com",
        "x.",
        "a" * 64,
        "bücher.de",
        "[::1]",
    ],
)
def test_hosts_that_are_none(text: str) -> None:
    with pytest.raises(InvalidIdentifier):
        host_identity(text)


def test_a_host_has_at_most_253_characters() -> None:
    longest = ".".join(["a" * 63] * 3 + ["a" * 61])
    assert host_identity(longest).value == longest
    with pytest.raises(InvalidIdentifier, match="253"):
        host_identity(f"{longest}a")


@pytest.mark.parametrize(
    ("text", "value"), [("demo.localhost:8080", "demo.localhost"), ("demo.localhost:", "demo.localhost"), ("a", "a")]
)
def test_an_authority_loses_its_port(text: str, value: str) -> None:
    assert authority_identity(text) == Identity("host", value)


@pytest.mark.parametrize("text", ["[::1]:8080", "::1", "a:b", "a:1:2", ":80", "a:８０"])
def test_authorities_that_name_no_host(text: str) -> None:
    with pytest.raises(InvalidIdentifier):
        authority_identity(text)


def test_a_header_holds_a_uuid_or_a_slug() -> None:
    text = "00000000-0000-0000-0000-00000000000A"
    assert header_identity(text) == Identity("uuid", text.lower())
    assert header_identity(text.replace("-", "")) == Identity("slug", text.replace("-", "").lower())
    with pytest.raises(InvalidIdentifier):
        header_identity("{" + text + "}")


@given(st.uuids(), st.booleans())
def test_any_uuid_is_one_in_either_case(value: uuid.UUID, upper: bool) -> None:
    text = str(value).upper() if upper else str(value)
    assert uuid_identity(text) == Identity("uuid", str(value))


@given(st.text())
def test_what_passes_is_canonical_and_servable(text: str) -> None:
    for read in (slug_identity, host_identity, uuid_identity, header_identity, authority_identity):
        try:
            found = read(text)
        except InvalidIdentifier:
            continue
        assert is_servable(found)
        assert found.value == found.value.lower()


@given(st.from_regex(re.compile(r"[a-z0-9][a-z0-9-]{0,62}"), fullmatch=True))
def test_any_slug_of_the_pattern_passes_unless_it_is_reserved(text: str) -> None:
    if text in RESERVED_SLUGS:
        with pytest.raises(InvalidIdentifier, match="reserved"):
            slug_identity(text)
    else:
        assert slug_identity(text).value == text


def test_the_names_of_a_row_are_those_that_a_request_can_use() -> None:
    id = uuid.UUID(int=1)
    assert identities_of(id, "demo", "demo.localhost") == (
        Identity("uuid", str(id)),
        Identity("slug", "demo"),
        Identity("host", "demo.localhost"),
    )
    assert identities_of(id, "Demo", "Demo.localhost") == (Identity("uuid", str(id)),)
