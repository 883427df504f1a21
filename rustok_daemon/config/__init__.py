"""Configuration: files, environment and ``--set`` become typed sections once, at the edge (contract.md, "Configuration").

A section is a ``msgspec.Struct``. Beside msgspec's own types its fields may be ``Duration``, ``Size``, ``Secret``,
``Path`` and IP networks. A method ``problems(environment)`` of the struct yields ``(key, what is wrong)`` for what a
single field cannot tell. All that is wrong is found in one go, each with its place and what would be right.
"""

from .configuration import Configuration
from .errors import ConfigurationError
from .loading import LoadOptions, load

__all__ = ["Configuration", "ConfigurationError", "LoadOptions", "load"]
