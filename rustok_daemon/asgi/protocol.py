"""The names of ASGI 3 in types (https://asgi.readthedocs.io/en/latest/specs/)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from .response import WholeResponse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

BodyLimit = Callable[[Scope], int | None]
"""Says how many bytes of body this request may have; ``None``: the application bounds it itself."""

AtOnce = Callable[[Scope], WholeResponse | None]
"""Answers a request without a body without waiting, in place of the application; ``None``: the application is to.

As the application it must not raise.
"""

SPEC: Final = {"version": "3.0", "spec_version": "2.5"}
