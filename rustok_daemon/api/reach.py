"""How handlers reach the tree: through the context of the actor that serves them."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from rustok_daemon.config import Configuration
from rustok_daemon.supervision.actor import ActorRef, Context, ViewRef

ViewT = TypeVar("ViewT")
SectionT = TypeVar("SectionT", bound=msgspec.Struct)


class ContextReach:
    """``call.Reach`` for one incarnation. Views are found once and then followed; a look at one is a few attribute reads."""

    __slots__ = ("_context", "_views")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._views: dict[type[Any], ViewRef[Any]] = {}

    def actor(self, id: str) -> ActorRef:
        return self._context.actor(id)

    def view(self, kind: type[ViewT]) -> ViewT:
        ref = self._views.get(kind)
        if ref is None:
            ref = self._views[kind] = self._context.view(kind)
        view: ViewT = ref.get()
        return view

    def settings(self, kind: type[SectionT]) -> SectionT:
        return self.view(Configuration).section(kind)
