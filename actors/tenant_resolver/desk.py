"""What the resolver's routes share; lent as a view, so that they find what the running incarnation made of its settings."""

from __future__ import annotations

from rustok_daemon.api.forwarded import TrustedPeers

from .identification import Identification


class ResolveDesk:
    """The rules of identification, and who may ask for forward-auth."""

    def __init__(self, identification: Identification, authorizers: TrustedPeers) -> None:
        self.identification = identification
        self.authorizers = authorizers
