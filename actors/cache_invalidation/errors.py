"""What the listener refuses."""

from __future__ import annotations


class MalformedMessage(Exception):
    """A message that is not of its channel's form. The text says why and never quotes the payload."""
