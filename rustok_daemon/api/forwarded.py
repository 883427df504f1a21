"""Which host a request is for: forwarded headers count only from peers that are trusted (defect 10)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping

from rustok_daemon.config.sections import Network

_REMEMBERED = 4096
_PAIR = re.compile(
    rb"""\s*+ ([^\s=;,"]*+) \s*+ (?: = \s*+ (?: "((?:[^"\\]|\\.)*+)" | ([^\s;,"]*+) ) \s*+ )? ([;,]|$)""", re.VERBOSE
)
"""RFC 7239, section 4, but for characters: proxies write ``host=a.example:80`` without the quotes it asks for.

Nothing is tried in a second way (``*+``), so that a long header costs no more than its length.
"""
_AMBIGUOUS = b'"'
"""Stands for a header that can be read in two ways: no rule takes it for a host."""


class TrustedPeers:
    """Answers whether a peer's address lies in one of the networks; answers are remembered, since peers come back."""

    __slots__ = ("_networks", "_seen")

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(networks)
        self._seen: dict[str, bool] = {}

    def __contains__(self, peer: str) -> bool:
        answer = self._seen.get(peer)
        if answer is None:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            answer = self._seen[peer] = self._holds(peer)
        return answer

    def _holds(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


def effective_host(headers: Mapping[bytes, bytes], trusted: bool) -> str | None:
    """X-Forwarded-Host, then Forwarded, then Host; an empty value falls through to the next."""
    host = _forwarded(headers) if trusted else b""
    host = host or headers.get(b"host", b"").strip()
    return host.decode("latin-1") if host else None


def _forwarded(headers: Mapping[bytes, bytes]) -> bytes:
    first = headers.get(b"x-forwarded-host", b"").partition(b",")[0].strip()
    return first or _host_of_first_hop(headers.get(b"forwarded", b""))


def _host_of_first_hop(forwarded: bytes) -> bytes:
    """RFC 7239: names in any case, the value perhaps quoted; only the first element speaks of the client's request."""
    hosts: list[bytes] = []
    at, separator = 0, b";"
    while separator == b";":
        pair = _PAIR.match(forwarded, at)
        if pair is None:
            return _AMBIGUOUS
        name, quoted, plain, separator = pair.groups()
        if name.lower() == b"host":
            hosts.append((quoted or plain or b"").strip())
        at = pair.end()
    if len(hosts) > 1:
        return _AMBIGUOUS
    return hosts[0] if hosts else b""
