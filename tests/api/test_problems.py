"""What clients are told of errors: RFC 9457, and nothing of our insides."""

from __future__ import annotations

import msgspec
import pytest

from rustok_daemon.api.call import Problem
from rustok_daemon.api.problems import ProblemType, encode, internal, problem_for
from rustok_daemon.postgres.errors import DatabaseUnavailable, OutcomeUnknown, QueryFailed
from rustok_daemon.redis.errors import RedisUnavailable
from rustok_daemon.supervision.errors import (
    ActorUnavailable,
    AskTimeout,
    ChildRefused,
    Fenced,
    MailboxFull,
    NoSuchChild,
)


def test_a_document_has_the_members_of_rfc_9457_and_ours() -> None:
    problem = Problem(422, "bad-slug", "slug: is reserved", field="slug", suggestions=["demo-1"])
    assert msgspec.json.decode(encode(problem, "req-1")) == {
        "type": "urn:rustok:bad-slug",
        "title": "Bad slug",
        "status": 422,
        "detail": "slug: is reserved",
        "field": "slug",
        "request_id": "req-1",
        "suggestions": ["demo-1"],
    }


def test_further_members_do_not_replace_the_standard_ones() -> None:
    problem = Problem(409, "conflict", "taken", type="about:blank")
    assert msgspec.json.decode(encode(problem, "r"))["type"] == "urn:rustok:conflict"


@pytest.mark.parametrize(
    "error",
    [
        ActorUnavailable("storage", "it is stopped"),
        AskTimeout("storage", 5),
        MailboxFull("storage", 10),
        Fenced("root/x was abandoned"),
        DatabaseUnavailable("connection to 10.1.2.3 refused"),
        RedisUnavailable("connection to 10.1.2.3 refused"),
        ExceptionGroup("several", [DatabaseUnavailable("10.1.2.3")]),
    ],
)
def test_what_may_work_later_is_503_with_retry_after(error: Exception) -> None:
    problem = problem_for(error)
    assert problem is not None
    assert (problem.status, problem.name) == (503, ProblemType.UNAVAILABLE)
    assert int(problem.headers["Retry-After"]) >= 1
    assert "10.1.2.3" not in problem.detail


def test_a_commit_that_was_cut_is_not_called_a_failure() -> None:
    problem = problem_for(OutcomeUnknown("cut"))
    assert problem is not None
    assert (problem.status, problem.name) == (503, ProblemType.OUTCOME_UNKNOWN)
    assert "look whether it happened" in problem.detail


def test_a_child_that_is_not_there_is_404_and_one_that_refuses_409() -> None:
    missing, refused = problem_for(NoSuchChild("no child 'x'")), problem_for(ChildRefused("it runs already"))
    assert missing is not None
    assert refused is not None
    assert (missing.status, refused.status, refused.detail) == (404, 409, "it runs already")


def test_a_problem_stays_what_it_is_even_out_of_a_group() -> None:
    problem = Problem(404, "not-found", "no such thing")
    assert problem_for(ExceptionGroup("one", [problem])) is problem


@pytest.mark.parametrize("error", [ValueError("secret"), QueryFailed("secret", sqlstate="42P01"), KeyError("x")])
def test_anything_else_is_unexpected_and_its_words_stay_here(error: Exception) -> None:
    assert problem_for(error) is None
    assert "secret" not in internal("req-9").detail
    assert "req-9" in internal("req-9").detail
