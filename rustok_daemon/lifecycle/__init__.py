"""The life of the daemon: what is bound, locked and assembled before the tree runs, signals, reload, drain, exit codes."""

from .drain import Drain

__all__ = ["Drain"]
