"""Errors as clients see them: the types of problems, and which of ours becomes which."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from rustok_daemon.postgres.errors import DatabaseUnavailable, OutcomeUnknown
from rustok_daemon.redis.errors import RedisUnavailable
from rustok_daemon.supervision.errors import (
    ActorUnavailable,
    AskTimeout,
    ChildRefused,
    Fenced,
    MailboxFull,
    NoSuchChild,
    unwrap,
)

from .call import Problem

URN = "urn:rustok:"
CONTENT_TYPE = "application/problem+json"


class ProblemType(enum.StrEnum):
    """The names behind ``urn:rustok:`` that the engine itself uses; routes declare more of their own."""

    BAD_REQUEST = "bad-request"
    INVALID_QUERY = "invalid-query"
    INVALID_PATH = "invalid-path"
    MALFORMED_JSON = "malformed-json"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    UNKNOWN_CURSOR = "unknown-cursor"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    REQUEST_TIMEOUT = "request-timeout"
    CONFLICT = "conflict"
    BODY_TOO_LARGE = "body-too-large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    INVALID_BODY = "invalid-body"
    UPGRADE_REQUIRED = "upgrade-required"
    HEAD_TOO_LARGE = "head-too-large"
    INTERNAL_ERROR = "internal-error"
    UNAVAILABLE = "unavailable"
    OUTCOME_UNKNOWN = "outcome-unknown"
    TOO_MANY_CONNECTIONS = "too-many-connections"


_TRY_AGAIN = (ActorUnavailable, AskTimeout, MailboxFull, Fenced, DatabaseUnavailable, RedisUnavailable)


def problem_for(error: Exception) -> Problem | None:
    """What a client is told of an exception that left a handler; ``None``: it is unexpected, 500, and to be logged."""
    cause = unwrap(error)
    if isinstance(cause, Problem):
        return cause
    if isinstance(cause, _TRY_AGAIN):
        return unavailable(_said(cause))
    if isinstance(cause, OutcomeUnknown):
        detail = "the database was lost during the commit: look whether it happened before trying again"
        return Problem(503, ProblemType.OUTCOME_UNKNOWN, detail, headers={"Retry-After": "1"})
    if isinstance(cause, NoSuchChild):
        return Problem(404, ProblemType.NOT_FOUND, str(cause))
    if isinstance(cause, ChildRefused):
        return Problem(409, ProblemType.CONFLICT, str(cause))
    return None


def _said(cause: BaseException) -> str:
    """Not the database's own words: they may hold addresses and names."""
    if isinstance(cause, DatabaseUnavailable):
        return "the database is not available"
    if isinstance(cause, RedisUnavailable):
        return "Redis is not available"
    return str(cause)


def unavailable(detail: str, retry_after: int = 1) -> Problem:
    """Cannot be done now; a second try in ``retry_after`` seconds may succeed."""
    return Problem(503, ProblemType.UNAVAILABLE, detail, headers={"Retry-After": str(retry_after)})


def internal(request_id: str) -> Problem:
    """The answer to what nobody expected; the log has the rest under the same id."""
    return Problem(500, ProblemType.INTERNAL_ERROR, f"something went wrong here; it is logged as {request_id}")


def encode(problem: Problem, request_id: str) -> bytes:
    """RFC 9457, section 3; the problem's own members cannot replace the standard ones."""
    members: dict[str, Any] = {
        "type": URN + problem.name,
        "title": problem.name.replace("-", " ").capitalize(),
        "status": problem.status,
        "detail": problem.detail,
        "request_id": request_id,
    }
    if problem.field is not None:
        members["field"] = problem.field
    return msgspec.json.encode({**problem.members, **members})
