"""``rustok-daemon db …`` on a server that is not the daemon's own: no daemon is needed (contract.md, "Commands")."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rustok_daemon.cli import main
from tests.daemon_process import TREE
from tests.servers import PostgresProcess

Db = Callable[..., tuple[int, str, str]]


@pytest.fixture
def db(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Db:
    (tmp_path / "supervisor.toml").write_text(TREE.read_text())
    monkeypatch.chdir(tmp_path)

    def db(*words: str, url: str = url) -> tuple[int, str, str]:
        code = main(["db", *words, "--set", f"database.url={url}"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return db


def items(typed: tuple[int, str, str]) -> list[object]:
    return list(json.loads(typed[1])["items"])


def test_migrate_once_and_status_says_so(db: Db, tmp_path: Path) -> None:
    code, shown, _ = db("status", "--json")
    steps = [item["id"] for item in json.loads(shown)["items"]]
    assert code == 1
    assert len(steps) >= 3
    assert items(db("migrate", "--json")) == steps
    assert db("migrate") == (0, "nothing to migrate\n", "")
    code, shown, _ = db("status")
    assert code == 0
    assert shown.splitlines() == ["id\tapplied", *(f"{step}\tyes" for step in steps)]
    assert [path.name for path in tmp_path.iterdir()] == ["supervisor.toml"]


def test_seed_twice_and_truncate(db: Db, url: str, server: PostgresProcess) -> None:
    db("migrate")
    name = url.split("?")[0].rpartition("/")[2]
    for _ in range(2):
        assert db("seed") == (0, "seeded demo_tenant\n", "")
    assert server.psql("select slug from tenants", name) == "demo"
    emptied = db("truncate", "--yes")
    assert emptied[0] == 0
    assert "emptied public.tenants" in emptied[1].splitlines()
    assert server.psql("select count(*) from tenants", name) == "0"
    assert db("status")[0] == 0, "the list of migrations is kept"


def test_a_schema_that_is_newer_is_78(db: Db, url: str, server: PostgresProcess) -> None:
    db("migrate")
    name = url.split("?")[0].rpartition("/")[2]
    server.psql("insert into rustok_migrations (id) values ('rustok_99991231_000001_later')", name)
    code, _, said = db("migrate")
    assert code == 78
    assert "migrated by a newer daemon (rustok_99991231_000001_later)" in said


def test_a_server_that_is_not_there_is_1_and_no_traceback(db: Db) -> None:
    code, _, said = db("migrate", url="postgresql://u:hunter2@127.0.0.1:1/x")
    assert code == 1
    assert said.startswith("rustok-daemon: database: ")
    assert "hunter2" not in said
