"""A query that asks for one thing under one of several names."""

from __future__ import annotations

import msgspec


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a query of which exactly one field is to be given: ``/openapi.json`` says so, the route sees to it."""
