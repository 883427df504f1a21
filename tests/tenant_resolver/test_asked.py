"""What a client is told of a write whose answer did not come in time."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from actors.tenant_resolver.tenant_routes import asked
from actors.tenant_resolver.writes import DeleteTenant
from rustok_daemon.api.call import Problem
from rustok_daemon.supervision.errors import ActorUnavailable, AskTimeout


class LateActor:
    """Ends every ask with this error; it is its own call."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def actor(self, id: str) -> LateActor:
        return self

    async def ask(self, request: Any, *, within: float) -> None:
        raise self._error


async def test_an_answer_that_comes_too_late_leaves_the_outcome_unknown() -> None:
    """It was told as unavailable, as if a second try could do no harm; the first may still be committed."""
    call: Any = LateActor(AskTimeout("tenant_resolver", 15))
    with pytest.raises(Problem) as told:
        await asked(call, DeleteTenant(UUID(int=1)))
    assert (told.value.status, told.value.name) == (503, "outcome-unknown")


async def test_what_was_never_begun_may_be_tried_again() -> None:
    call: Any = LateActor(ActorUnavailable("tenant_resolver", "it is being restarted"))
    with pytest.raises(ActorUnavailable):
        await asked(call, DeleteTenant(UUID(int=1)))
