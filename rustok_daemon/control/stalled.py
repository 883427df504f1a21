"""Answers on the unix socket while the event loop stands still: from a thread, out of what was known last."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import msgspec

from rustok_daemon.api import problems
from rustok_daemon.api.call import Problem
from rustok_daemon.api.problems import ProblemType, unavailable
from rustok_daemon.asgi.peer import describe
from rustok_daemon.telemetry.loop_watch import LoopWatch, Stall

_LOOK_EVERY = 0.25
_CLIENT_WITHIN = 2.0
_TREE = "/v1/supervisor/tree"


class StallAnswers:
    """The thread. ``tree`` is the last snapshot; whoever made this sees to it that it is recent."""

    def __init__(self, listener: socket.socket, watch: LoopWatch) -> None:
        self.tree: dict[str, Any] | None = None
        self._listener = listener
        self._watch = watch
        self._end = threading.Event()

    def start(self) -> None:
        """The listener is duplicated here: by the time the thread runs, the lent one may be closed, its number reused."""
        listener = self._listener.dup()
        threading.Thread(target=self._run, args=(listener,), name="stall-answers", daemon=True).start()

    def stop(self) -> None:
        """Does not wait: a thread that talks to a slow client must not hold the loop up."""
        self._end.set()

    def _run(self, own: socket.socket) -> None:
        with own as listener:
            listener.setblocking(False)
            while not self._end.wait(_LOOK_EVERY):
                while self._watch.stall() is not None and not self._end.is_set():
                    self._answer_one(listener)

    def _answer_one(self, listener: socket.socket) -> None:
        select.select([listener], [], [], _LOOK_EVERY)
        stall = self._watch.stall()
        if stall is None:
            return
        try:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(_CLIENT_WITHIN)
                _Answer(connection, lambda: self._tree_of(connection, stall), _problem(stall))
        except OSError:
            pass  # nobody there, or gone before the answer

    def _tree_of(self, connection: socket.socket, stall: Stall) -> dict[str, Any]:
        """Raises ``Problem``: a token cannot be looked at here."""
        if describe(connection, "")[2]["rustok.peer"]["uid"] not in (0, os.geteuid()):
            raise Problem(401, ProblemType.UNAUTHORIZED, f"{_said(stall)}; until then only its own user is answered")
        if self.tree is None:
            raise _problem(stall)
        return {**self.tree, "state": "degraded", "reason": _said(stall)}


class _Answer(BaseHTTPRequestHandler):
    """One request and its answer."""

    protocol_version = "HTTP/1.1"

    def __init__(self, connection: socket.socket, tree: Callable[[], dict[str, Any]], problem: Problem) -> None:
        self._tree = tree
        self._problem = problem
        super().__init__(connection, ("", 0), None)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        try:
            if self.path.partition("?")[0] != _TREE:
                raise self._problem
            self._send(200, "application/json", msgspec.json.encode(self._tree()))
        except Problem as problem:
            self._refuse(problem)

    def _refuse(self, problem: Problem) -> None:
        request_id = self.headers.get("X-Request-Id", "stalled")
        self._send(problem.status, problems.CONTENT_TYPE, problems.encode(problem, request_id), problem.headers)

    def _send(self, status: int, content_type: str, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.close_connection = True
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Type": content_type, "Connection": "close"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else content)

    do_HEAD = do_GET

    def _change(self) -> None:
        self._refuse(self._problem)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _change

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the stall itself is logged, by the watch."""


def _said(stall: Stall) -> str:
    where = f", in {stall.frame[0]}" if stall.frame else ""
    return f"the event loop has not turned for {stall.seconds:.1f} s{where}"


def _problem(stall: Stall) -> Problem:
    return unavailable(_said(stall))
