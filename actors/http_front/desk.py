"""What the front's own routes share; lent as a view, so that they find the incarnation that serves now."""

from __future__ import annotations

import msgspec

from .documents import Documents
from .probes import HealthDesk
from .tokens import TokenCache


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a handler of this actor reaches for."""

    health: HealthDesk
    tokens: TokenCache
    documents: Documents
