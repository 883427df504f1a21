"""The query of resolve: exactly one name, and everything else told with the parameter that is wrong."""

from __future__ import annotations

import pytest

from actors.identities import Identity
from actors.tenant_resolver.identification import Named
from actors.tenant_resolver.query import BadQuery, named_by

DEMO = Identity("slug", "demo")


@pytest.mark.parametrize(
    ("query", "identity"),
    [
        (b"", None),
        (b"slug=demo", DEMO),
        (b"slug=De%6Do", DEMO),
        (b"host=demo.localhost%3A5150", Identity("host", "demo.localhost")),
        (b"host=Demo.localhost:80", Identity("host", "demo.localhost")),
        (b"id=00000000-0000-0000-0000-00000000000A", Identity("uuid", "00000000-0000-0000-0000-00000000000a")),
    ],
)
def test_what_it_names(query: bytes, identity: Identity | None) -> None:
    assert named_by(query) == (None if identity is None else Named(identity))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (b"slug=demo&host=x", "host"),
        (b"slug=demo&slug=demo", "slug"),
        (b"name=demo", "name"),
        (b"slug=", "slug"),
        (b"slug", "slug"),
        (b"slug=a_b", "slug"),
        (b"slug=%FF", None),
        (b"id=1", "id"),
        (b"host=a..b", "host"),
        ("slug=dämo".encode(), None),
    ],
)
def test_what_is_wrong(query: bytes, field: str | None) -> None:
    with pytest.raises(BadQuery) as refused:
        named_by(query)
    assert refused.value.field == field
