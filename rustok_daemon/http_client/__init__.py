"""HTTP from our side: the one room of httpx."""

from .daemon_client import HttpDaemonClient

__all__ = ["HttpDaemonClient"]
