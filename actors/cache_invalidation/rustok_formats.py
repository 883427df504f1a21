"""RusToK's two messages on Redis, read strictly and written as RusToK writes them (contract.md, "Redis").

Bytes from the network name what is dropped from a cache: whatever is not exactly of the form is refused, with
the reason, and never guessed at.
"""

from __future__ import annotations

import re

import msgspec

from actors.identities import Identity, IdentityKind, is_servable

from .errors import MalformedMessage

INVALIDATE_CHANNEL = "tenant.cache.invalidate"
GENERATION_CHANNEL = "tenant.cache.generation.v1"

_MAX_PAYLOAD = 16 * 1024
_U64 = 2**64 - 1
_POSITIVE = "tenant:v1:"
_NEGATIVE = "tenant_negative:v1:"
_GENERATION = re.compile(r"v1:([1-9][0-9]{0,19}):([0-9]{1,20}):((?:[0-9A-Fa-f]{2})+)")


class Generation(msgspec.Struct, frozen=True):
    """One step of RusToK's shared counter. ``tenant`` is the tenant's UUID; ``None`` means all tenants."""

    number: int
    emitted_ms: int
    tenant: Identity | None


def parse_invalidate(payload: bytes) -> Identity:
    """Reads ``{positive key}|{negative key}``, both of one identity. Raises ``MalformedMessage``."""
    positive, separator, negative = _text(payload).partition("|")
    if not separator:
        raise MalformedMessage("no | between two keys")
    named, denied = _unprefixed(positive, _POSITIVE), _unprefixed(negative, _NEGATIVE)
    if named != denied:
        raise MalformedMessage("the two keys are not of the same identity")
    kind, _, value = named.partition(":")
    return _identity(kind, value)


def format_invalidate(identity: Identity) -> bytes:
    """Writes what ``parse_invalidate`` and RusToK's listener read."""
    name = f"{identity.kind}:{identity.value}"
    return f"{_POSITIVE}{name}|{_NEGATIVE}{name}".encode()


def parse_generation(payload: bytes) -> Generation:
    """Reads ``v1:{generation}:{unix ms}:{hex}``. Raises ``MalformedMessage``."""
    match = _GENERATION.fullmatch(_text(payload))
    if match is None:
        raise MalformedMessage("not of the form v1:{generation}:{unix ms}:{hex}")
    number, emitted, key = int(match[1]), int(match[2]), bytes.fromhex(match[3])
    if max(number, emitted) > _U64:
        raise MalformedMessage("a number beyond 64 bits")
    return Generation(number, emitted, None if key == b"*" else _identity("uuid", _text(key)))


def format_generation(generation: Generation) -> bytes:
    """Writes what ``parse_generation`` reads; the daemon itself only listens to this channel."""
    key = "*" if generation.tenant is None else generation.tenant.value
    return f"v1:{generation.number}:{generation.emitted_ms}:{key.encode().hex()}".encode()


def _identity(kind: str, value: str) -> Identity:
    identity = Identity(_kind(kind), value.lower())
    if not is_servable(identity):
        raise MalformedMessage(f"not a {kind}")
    return identity


def _kind(text: str) -> IdentityKind:
    match text:
        case "uuid" | "slug" | "host":
            return text
        case _:
            raise MalformedMessage("neither uuid, slug nor host")


def _unprefixed(key: str, prefix: str) -> str:
    if not key.startswith(prefix):
        raise MalformedMessage(f"a key does not begin with {prefix}")
    return key.removeprefix(prefix)


def _text(payload: bytes) -> str:
    if len(payload) > _MAX_PAYLOAD:
        raise MalformedMessage(f"longer than {_MAX_PAYLOAD} bytes")
    try:
        return payload.decode("ascii")
    except UnicodeDecodeError:
        raise MalformedMessage("not ASCII") from None
