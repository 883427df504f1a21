"""From headers to an identity: facts on the tenant path, 10.2, with the rules of 1.6."""

from __future__ import annotations

from typing import Any

import pytest

from actors.identities import Identity, InvalidIdentifier
from actors.tenant_resolver.identification import Identification, Named, UnknownDomain
from actors.tenant_resolver.settings import TenantSettings

DEFAULT = Identity("uuid", "00000000-0000-0000-0000-000000000001")
ID = "7d444840-9dc0-11d1-b245-5ffdce74fad2"


def named(headers: dict[str, str], host: str | None = None, **settings: Any) -> Named:
    given = {name.lower().encode(): value.encode("utf-8") for name, value in headers.items()}
    return Identification(TenantSettings(**settings)).identify(given, host)


def test_a_header_names_a_tenant_by_uuid_or_by_slug() -> None:
    assert named({"X-Tenant-ID": ID.upper()}) == Named(Identity("uuid", ID))
    assert named({"X-Tenant-ID": " Demo "}) == Named(Identity("slug", "demo"))


def test_the_header_is_the_configured_one() -> None:
    assert named({"X-Customer": "demo"}, header_name="X-Customer") == Named(Identity("slug", "demo"))


def test_a_second_header_asserts_the_slug() -> None:
    assert named({"X-Tenant-ID": ID, "X-Tenant-Slug": "Demo"}) == Named(Identity("uuid", ID), "demo")
    assert named({"X-Tenant-Slug": "demo"}) == Named(Identity("slug", "demo"))


def test_the_slug_header_is_no_assertion_where_it_is_the_primary_one() -> None:
    assert named({"X-Tenant-Slug": "demo"}, header_name="X-Tenant-Slug") == Named(Identity("slug", "demo"))


@pytest.mark.parametrize(
    "pairs",
    [
        [(b"x-tenant-id", b"demo"), (b"x-tenant-id", b"bob")],
        [(b"x-tenant-id", b""), (b"x-tenant-id", b"bob")],
        [(b"x-tenant-id", b"demo"), (b"x-tenant-slug", b"demo"), (b"x-tenant-slug", b"bob")],
    ],
)
def test_headers_that_differ_from_themselves_name_nobody(pairs: list[tuple[bytes, bytes]]) -> None:
    """The first value named the tenant, whatever the application behind the proxy reads."""
    with pytest.raises(InvalidIdentifier, match="given twice"):
        Identification(TenantSettings()).refuse_contradictions(pairs)
    Identification(TenantSettings(resolution="host")).refuse_contradictions(pairs)


def test_a_header_may_repeat_itself() -> None:
    Identification(TenantSettings()).refuse_contradictions(
        [(b"x-tenant-id", b"a"), (b"host", b"b"), (b"x-tenant-id", b"a")]
    )


@pytest.mark.parametrize("host", ["demo.localhost\xa0", "\x85demo.localhost", "demo.localhost :80", "démo.localhost"])
def test_a_host_is_not_tidied_into_another_one(host: str) -> None:
    with pytest.raises(InvalidIdentifier):
        named({}, host, resolution="host")


@pytest.mark.parametrize("headers", [{}, {"X-Tenant-ID": ""}, {"X-Tenant-ID": "  "}])
def test_d11_a_missing_header_is_an_error_and_no_tenant(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidIdentifier, match="x-tenant-id"):
        named(headers)


@pytest.mark.parametrize("value", ["dämo", "de mo", "admin", "demo,demo", "{" + ID + "}"])
def test_d11_a_garbled_header_is_an_error_and_no_tenant(value: str) -> None:
    with pytest.raises(InvalidIdentifier):
        named({"X-Tenant-ID": value})


def test_the_default_tenant_only_where_it_was_asked_for() -> None:
    assert named({}, fallback="default_tenant") == Named(DEFAULT)
    assert named({"X-Tenant-ID": ID}, enabled=False) == Named(DEFAULT)


@pytest.mark.parametrize("resolution", ["host", "domain"])
def test_a_host_names_a_tenant_without_its_port(resolution: str) -> None:
    assert named({}, "Shop.Example.com:8443", resolution=resolution) == Named(Identity("host", "shop.example.com"))


@pytest.mark.parametrize("host", [None, "", "[::1]:8080", "a_b", "example..com"])
def test_a_host_that_names_nobody_is_an_error(host: str | None) -> None:
    with pytest.raises(InvalidIdentifier):
        named({}, host, resolution="host")


def by_subdomain(host: str) -> Named:
    return named({}, host, resolution="subdomain", base_domains=("example.com", "eu.example.com"))


def test_d14_exactly_one_label_before_a_base_domain() -> None:
    assert by_subdomain("demo.example.com:80") == Named(Identity("slug", "demo"))
    assert by_subdomain(f"{ID}.example.com") == Named(Identity("uuid", ID))
    assert by_subdomain("demo.eu.example.com") == Named(Identity("slug", "demo"))


@pytest.mark.parametrize("host", ["example.com", "eu.example.com", "a.b.example.com", "www.example.com"])
def test_d14_the_base_nested_and_reserved_labels_are_errors(host: str) -> None:
    with pytest.raises(InvalidIdentifier):
        by_subdomain(host)


@pytest.mark.parametrize("host", ["demo.example.org", "notexample.com", "demo.notexample.com"])
def test_d14_a_host_below_no_base_domain_is_unknown(host: str) -> None:
    with pytest.raises(UnknownDomain):
        by_subdomain(host)


@pytest.mark.parametrize(
    ("settings", "environment", "key"),
    [
        ({"header_name": "X Tenant"}, "development", "header_name"),
        ({"resolution": "subdomain"}, "development", "base_domains"),
        ({"resolution": "subdomain", "base_domains": ("not a host",)}, "development", "base_domains"),
        ({"fallback": "default_tenant"}, "production", "fallback"),
        ({"fallback": "default_tenant", "resolution": "host"}, "development", "fallback"),
    ],
)
def test_d11_settings_that_contradict_each_other_are_refused(settings: Any, environment: str, key: str) -> None:
    assert key in dict(TenantSettings(**settings).problems(environment))


def test_the_defaults_are_no_problem_anywhere() -> None:
    assert list(TenantSettings().problems("production")) == []
