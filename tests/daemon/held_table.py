"""A table that nobody can read for a while: what a load waits for, held by a psql of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from rustok_daemon.postgres import binaries
from tests.servers import PostgresProcess


@contextmanager
def held(postgres: PostgresProcess, table: str = "tenants") -> Iterator[None]:
    """Locks the table against readers until the end of the block."""
    words = [binaries.program("psql"), "-X", "-qAt", "-d", postgres.url]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as psql:
        assert psql.stdin is not None
        assert psql.stdout is not None
        psql.stdin.write(f"begin; lock table {table} in access exclusive mode;\n\\echo locked\n")
        psql.stdin.flush()
        assert psql.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            psql.stdin.write("commit;\n")
            psql.stdin.close()
            psql.wait(10)
