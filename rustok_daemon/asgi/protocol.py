"""The names of ASGI 3 in types (https://asgi.readthedocs.io/en/latest/specs/)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

BodyLimit = Callable[[Scope], int | None]
"""Says how many bytes of body this request may have; ``None``: the application bounds it itself."""

SPEC: Final = {"version": "3.0", "spec_version": "2.5"}
