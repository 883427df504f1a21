"""Daemons for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.daemon_process import Daemon, daemon


@pytest.fixture
def embedded() -> Iterator[Daemon]:
    """A daemon with its own Postgres and Redis, running."""
    with daemon() as made:
        made.start()
        yield made
