"""Keeps the resolver's cache true: listens to what changes a tenant and bumps the resolver's view at once.

Two channels: Postgres NOTIFY from statement triggers, which sees every writer of this database, and Redis in both of
RusToK's formats. What it promises: a message that was read has been applied; a channel that may have missed one is a
gap, and after it nothing cached serves as fresh before it was read again; one daemon of all tells RusToK's servers.
"""

from .actor import CacheInvalidation

__all__ = ["CacheInvalidation"]
