"""The frame of ``make bench``: what a failure, a missing program and a missed goal look like."""

from __future__ import annotations

import json
import sys

import pytest

from bench import __main__ as bench
from bench import http_server, table
from bench.figures import Row, at_least, at_most, row, times_peer


def test_every_goal_of_a_row_has_to_be_reached() -> None:
    both = (at_least(1_000_000), times_peer(6))
    assert row("tell", "messages/s", 1.2e6, "channel", 1e5, *both)["reached"]
    assert not row("tell", "messages/s", 0.9e6, "channel", 1e5, *both)["reached"]
    assert not row("tell", "messages/s", 1.2e6, "channel", 3e5, *both)["reached"]


def test_a_goal_from_above_is_missed_by_more() -> None:
    assert row("ready", "s", 1.5, "peer", 1.0, at_most(1.5))["reached"]
    assert not row("ready", "s", 1.51, "peer", 1.0, at_most(1.5))["reached"]


def test_a_figure_without_a_goal_is_neither_reached_nor_missed() -> None:
    assert "reached" not in row("ask", "requests/s", 2.0, "pykka", 1.0)


def test_the_table_shows_unit_peer_ratio_goal_and_whether_it_was_reached(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_table([row("tell", "messages/s", 1_234_567.0, "trio channel", 1e5, at_least(1_000_000))])
    line = next(line for line in capsys.readouterr().out.splitlines() if "tell" in line)
    assert " ".join(line.split()) == "tell messages/s 1,234,567 100,000 trio channel 12.3 ≥ 1,000,000 yes"


def test_what_could_not_be_measured_is_told_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_table([Row(figure="warm resolve", ours="not measured: wrk missing")])
    assert "warm resolve: not measured: wrk missing" in capsys.readouterr().out


def test_a_missing_wrk_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert http_server.run() == [Row(figure=http_server.FIGURE, ours="not measured: wrk missing")]


def test_a_benchmark_that_fails_says_why_and_the_rest_still_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "BENCHMARKS", ("no_such_module",))
    monkeypatch.setattr(sys, "argv", ["bench", "--json"])
    assert bench.main() == 1
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert figures == [
        {"figure": "no_such_module", "ours": "failed: ModuleNotFoundError: No module named 'bench.no_such_module'"}
    ]


def test_a_benchmark_that_takes_too_long_is_ended() -> None:
    with pytest.raises(bench.BenchmarkFailed, match="not finished within 0 s"):
        bench.measured("mailbox", within=0)


def test_a_name_that_is_no_benchmark_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "relays"])
    with pytest.raises(SystemExit) as left:
        bench.main()
    assert left.value.code == 2
    assert "no such benchmark: relays" in capsys.readouterr().err
