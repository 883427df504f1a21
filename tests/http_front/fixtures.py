"""Servers and short directories, for these tests and those of the rooms that are tried with them."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import PostgresProcess

_serial = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresProcess]:
    """One server for the tests that leave it in peace."""
    with PostgresProcess.running() as server:
        yield server


@pytest.fixture
def url(postgres: PostgresProcess) -> str:
    """A fresh database."""
    return postgres.create_database(f"front{next(_serial)}")


@pytest.fixture
def own_postgres() -> Iterator[PostgresProcess]:
    """For tests that stop or freeze it."""
    with PostgresProcess.running() as server:
        yield server


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose path is short enough for a unix socket in it."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="hf-") as directory:
        yield Path(directory)
