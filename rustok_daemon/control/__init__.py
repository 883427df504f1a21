"""The unix socket: status and commands. It answers while everything else is down, and lends the rest to http_front."""

from .actor import Control

__all__ = ["Control"]
