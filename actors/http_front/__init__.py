"""The API on TCP: serves what all actors declare, keeps the service tokens, tells health and metrics.

What it promises: a token seen before is good while the database is down; a drain finishes what is in flight; health is
asked of the actors through their mailboxes, so that a stuck one is seen.
"""

from .actor import HttpFront

__all__ = ["HttpFront"]
