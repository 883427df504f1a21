"""What our triggers say through NOTIFY (``triggers.sql``), read back."""

from __future__ import annotations

import msgspec

from actors.identities import Identity, is_servable

from .errors import MalformedMessage

NOTIFY_CHANNEL = "rustok_tenant_invalidate"
_EVERYTHING = "*"
_names = msgspec.json.Decoder(list[str])


def parse_notification(payload: str) -> tuple[Identity, ...] | None:
    """The identities that changed, canonical, without those no request can name; ``None`` means all.

    Raises ``MalformedMessage``.
    """
    if payload == _EVERYTHING:
        return None
    try:
        names = _names.decode(payload)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise MalformedMessage("not a JSON array of names") from error
    return tuple(filter(is_servable, map(_identity, names)))


def _identity(name: str) -> Identity:
    kind, _, value = name.partition(":")
    match kind:
        case "uuid" | "slug" | "host":
            return Identity(kind, value.lower())
        case _:
            raise MalformedMessage("a name that is neither uuid, slug nor host")
