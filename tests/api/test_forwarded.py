"""Which host a request is for. Defect 10: forwarded headers were believed from anyone."""

from __future__ import annotations

import time
from ipaddress import ip_network

import pytest

from rustok_daemon.api.forwarded import TrustedPeers, effective_host

PROXIES = TrustedPeers([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


def headers(**named: str) -> dict[bytes, bytes]:
    return {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in named.items()}


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1", "fd12:3456::1%eth0"])
def test_peers_in_a_network_are_trusted(peer: str) -> None:
    assert peer in PROXIES
    assert peer in PROXIES, "and again from memory"


@pytest.mark.parametrize("peer", ["11.0.0.1", "::ffff:11.0.0.1", "fe80::1", "not an address", ""])
def test_all_other_peers_are_not(peer: str) -> None:
    assert peer not in PROXIES


def test_nobody_is_trusted_by_default() -> None:
    assert "127.0.0.1" not in TrustedPeers([])


def test_the_memory_of_peers_is_bounded() -> None:
    trusted = TrustedPeers([ip_network("10.0.0.0/8")])
    for number in range(20_000):
        assert f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}" in trusted
    assert len(trusted._seen) <= 4096


@pytest.mark.parametrize(
    "forged", [headers(x_forwarded_host="evil.example"), headers(forwarded="host=evil.example;proto=https")]
)
def test_d10_forwarded_headers_of_an_untrusted_peer_change_nothing(forged: dict[bytes, bytes]) -> None:
    assert effective_host({**headers(host="shop.example"), **forged}, trusted=False) == "shop.example"


@pytest.mark.parametrize(
    ("given", "host"),
    [
        (headers(x_forwarded_host="a.example, b.example", forwarded="host=c.example"), "a.example"),
        (headers(x_forwarded_host=" ", forwarded="host=c.example"), "c.example"),
        (headers(forwarded='for=1.2.3.4;HOST="c.example:8080";proto=https, host=d.example'), "c.example:8080"),
        (headers(forwarded="for=1.2.3.4, host=d.example"), "shop.example"),
        (headers(forwarded='host=""'), "shop.example"),
        (headers(), "shop.example"),
    ],
)
def test_a_trusted_peer_is_believed_and_empty_values_fall_through(given: dict[bytes, bytes], host: str) -> None:
    assert effective_host({**headers(host="shop.example"), **given}, trusted=True) == host


def test_no_host_at_all_is_none() -> None:
    assert effective_host({}, trusted=True) is None
    assert effective_host(headers(host=" "), trusted=False) is None


@pytest.mark.parametrize(
    ("forwarded", "host"),
    [
        ('for="a;host=evil.example";host=shop.example', "shop.example"),
        ('for="a, host=evil.example";host=shop.example, host=evil.example', "shop.example"),
        (r'for="a\";host=evil.example;b=\"";host=shop.example', "shop.example"),
        ('for=_a ; HOST = "shop.example:80"', "shop.example:80"),
        ("secret;;host=shop.example", "shop.example"),
        ("for=10.0.0.1, host=evil.example", "direct"),
        ('host="";for=a', "direct"),
    ],
)
def test_what_stands_in_quotes_is_no_parameter(forwarded: str, host: str) -> None:
    """A quoted ``;`` or ``,`` ended a parameter, so that what a client wrote there was read as its host."""
    assert effective_host(headers(host="direct", forwarded=forwarded), trusted=True) == host


@pytest.mark.parametrize(
    "forwarded",
    ["host=a.example;host=b.example", 'host="a.example', 'host=a.example"', 'host=a".example"', "host=a b.example"],
)
def test_a_header_that_can_be_read_in_two_ways_names_no_host(forwarded: str) -> None:
    assert effective_host(headers(host="direct", forwarded=forwarded), trusted=True) == '"'


def test_a_long_header_is_read_in_one_pass() -> None:
    began = time.perf_counter()
    for filler in (" ", '\\"', ";", "a="):
        effective_host(headers(forwarded=f'host="{filler * 15_000}b c{filler * 15_000}'), trusted=True)
        effective_host(headers(forwarded=f"a{filler * 15_000}b"), trusted=True)
    assert time.perf_counter() - began < 1
