"""URLs of servers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rustok_daemon.config.urls import problem_of_postgres, problem_of_redis, redacted


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:hush@localhost:6379/0", "redis://user:***@localhost:6379/0"),
        ("redis://:hush@h", "redis://:***@h"),
        ("redis://:hu@sh@h", "redis://:***@h"),
        ("unix://:hush@/s", "unix://:***@/s"),
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("redis://h?db=1&password=hush", "redis://h?db=1&password=***"),
        ("unix:///a/b", "unix:///a/b"),
        ("postgresql://u:hush@/db?host=%2Frun", "postgresql://u:***@/db?host=%2Frun"),
        ("postgresql://u@h/db?password=hush&sslmode=require", "postgresql://u@h/db?password=***&sslmode=require"),
    ],
)
def test_a_url_without_its_password(url: str, shown: str) -> None:
    assert redacted(url) == shown


@given(st.text("abc@%&=.", min_size=1), st.sampled_from(["postgresql://u:{}@h/db", "redis://:{}@h", "unix://u:{}@/s"]))
def test_no_password_gets_through(password: str, url: str) -> None:
    assert redacted(url.format(password)) == url.format("***")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@h/db",
        "postgres://h",
        "postgresql://u@/db?host=/run/postgresql",
        "postgresql://a:1,b:2/db",
        "postgresql://[::1]:5432/db",
    ],
)
def test_what_names_a_postgres_is_taken(url: str) -> None:
    assert problem_of_postgres(url) is None


@pytest.mark.parametrize(
    "url", ["h/db", "mysql://h/db", "postgresql://h:port/db", "postgresql://h:0/db", "postgres://["]
)
def test_what_names_none_is_told_what_would_be_right(url: str) -> None:
    problem = problem_of_postgres(url)
    assert problem is not None
    assert "write postgresql://" in problem or "between 1 and 65535" in problem


@given(st.text(min_size=8, max_size=60))
def test_a_wrong_url_is_never_quoted(text: str) -> None:
    for problem in (problem_of_postgres(text), problem_of_redis(text)):
        assert problem is None or text not in problem
