"""Settings with which nothing would ever be cached are refused."""

from __future__ import annotations

import pytest

from actors.tenant_resolver.settings import CacheSettings


@pytest.mark.parametrize("key", ["capacity", "negative_capacity"])
def test_a_cache_has_room_for_one_tenant_at_least(key: str) -> None:
    """A tenant with three names never fitted into two places: every request read the database."""
    ((named, why),) = CacheSettings(**{key: 2}).problems("development")  # type: ignore[arg-type]
    assert named == key
    assert "at least 3" in why
    assert not list(CacheSettings(**{key: 3}).problems("development"))  # type: ignore[arg-type]
