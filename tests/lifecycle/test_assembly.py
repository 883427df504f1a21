"""From the file to the tree."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from rustok_daemon.config import Configuration, LoadOptions, load
from rustok_daemon.lifecycle.assembly import collect, tree_spec
from rustok_daemon.supervision.specs import ChildSpec, Kind, Overflow, Restart, Strategy, SupervisorSpec
from tests.lifecycle.conftest import DRAIN, child, supervisor

Load = Callable[[str], Configuration]


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    def loaded(text: str) -> Configuration:
        (tmp_path / "supervisor.toml").write_text(text)
        return load(LoadOptions(config=tmp_path / "supervisor.toml"), {})

    return loaded


def test_every_key_of_a_child_reaches_its_specification(loaded: Load) -> None:
    keys = (
        'restart = "transient"',
        'shutdown = "7s"',
        "mailbox = 3",
        'overflow = "drop_oldest"',
        'backoff.limit = "9s"',
    )
    (spec,) = tree_spec(loaded(child("stiff", "Stiff", *keys))).children
    assert isinstance(spec, ChildSpec)
    assert (spec.restart, spec.shutdown, spec.mailbox) == (Restart.TRANSIENT, 7, 3)
    assert (spec.overflow, spec.backoff.limit, spec.kind) == (Overflow.DROP_OLDEST, 9, Kind.ACTOR)


def test_every_key_of_a_supervisor_too_and_what_is_left_of_the_whole_is_its_shutdown(loaded: Load) -> None:
    group = supervisor("group", 'strategy = "rest_for_one"', "intensity = 9", 'period = "1m"', "max_children = 4")
    root = tree_spec(loaded('[supervisor]\nstrategy = "one_for_all"\n' + group + child("stiff", "Stiff", depth=2)))
    assert root.strategy is Strategy.ONE_FOR_ALL
    (spec,) = root.children
    assert isinstance(spec, SupervisorSpec)
    assert (spec.strategy, spec.intensity, spec.period, spec.max_children) == (Strategy.REST_FOR_ONE, 9, 60, 4)
    assert spec.shutdown == math.inf
    assert [below.id for below in spec.children] == ["stiff"]


def test_the_defaults_are_the_contracts(loaded: Load) -> None:
    root = tree_spec(loaded(child("stiff", "Stiff")))
    (spec,) = root.children
    assert (root.strategy, root.intensity, root.period) == (Strategy.ONE_FOR_ONE, 3, 5)
    assert isinstance(spec, ChildSpec)
    assert (spec.restart, spec.shutdown, spec.mailbox, spec.overflow) == (Restart.PERMANENT, 5, 1000, Overflow.WAIT)
    rule = spec.backoff
    assert (rule.first, rule.limit, rule.factor, rule.jitter, rule.reset_after) == (0.1, 30, 2, 0.2, 60)


def test_the_drain_is_last_to_start_wherever_a_layer_puts_others(loaded: Load) -> None:
    assert [spec.id for spec in tree_spec(loaded(DRAIN + child("stiff", "Stiff"))).children] == ["stiff", "drain"]


def test_a_child_the_configuration_does_not_want_is_not_there_and_declares_nothing(loaded: Load) -> None:
    found = loaded(child("unwanted", "Unwanted") + child("stiff", "Stiff"))
    assert [spec.id for spec in tree_spec(found).children] == ["stiff"]
    assert collect(found).actors == ("stiff",)


def test_with_urls_given_no_server_of_ours_is_run(loaded: Load) -> None:
    servers = (
        '[[supervisor.children]]\nid = "postgres"\nstart = "rustok_daemon.postgres:EmbeddedPostgres"\n'
        '[[supervisor.children]]\nid = "redis"\nstart = "rustok_daemon.redis:EmbeddedRedis"\n'
    )
    assert [spec.id for spec in tree_spec(loaded(servers)).children] == ["postgres", "redis"]
    given = servers + '[database]\nurl = "postgresql://h/db"\n[redis]\nurl = "off"'
    assert tree_spec(loaded(given)).children == ()
