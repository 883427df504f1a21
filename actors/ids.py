"""Ids of new rows: ULIDs in a UUID's 16 bytes, as RusToK makes them, so that they sort by time."""

from __future__ import annotations

import secrets
import time
from uuid import UUID


def new_id() -> UUID:
    """48 bits of Unix milliseconds, then 80 random bits."""
    return UUID(int=(time.time_ns() // 1_000_000) << 80 | secrets.randbits(80))
