"""What can go wrong with the asyncio thread itself."""

from __future__ import annotations


class SideDied(Exception):
    """The asyncio thread is gone; every call that was on its way ends with this."""
