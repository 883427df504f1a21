"""The commands' way to the daemon: HTTP over its unix socket, with the local admin token."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec

from rustok_daemon.cli.errors import CommandFailed, DaemonUnreachable, NoSuchThing

_TIMEOUT = httpx.Timeout(130.0, connect=3.0)
_NOT_FOUND = 404


class HttpDaemonClient:
    """Implements ``cli.context.DaemonClient``. Connects at the first use."""

    def __init__(self, socket: Path, token_file: Path) -> None:
        self._socket = socket
        self._token_file = token_file
        self._client: httpx.Client | None = None

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return self._request("GET", path, params=_given(params))

    def post(self, path: str, body: Any = None) -> Any:
        return self._request("POST", path, body=body)

    def patch(self, path: str, body: Any) -> Any:
        return self._request("PATCH", path, body=body)

    def put(self, path: str, body: Any) -> Any:
        return self._request("PUT", path, body=body)

    def delete(self, path: str) -> Any:
        return self._request("DELETE", path)

    def _request(self, method: str, path: str, params: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        content = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            answer = self._connected().request(method, path, params=params, content=content, headers=headers)
        except httpx.ConnectError as error:
            raise DaemonUnreachable(f"no daemon answers at {self._socket} ({error}): is it running?") from error
        except httpx.TransportError as error:
            raise DaemonUnreachable(f"the daemon at {self._socket} does not answer: {error}") from error
        return _document(answer)

    def _connected(self) -> httpx.Client:
        if self._client is None:
            transport = httpx.HTTPTransport(uds=str(self._socket))
            self._client = httpx.Client(
                transport=transport, base_url="http://rustok-daemon", timeout=_TIMEOUT, headers=self._headers()
            )
        return self._client

    def _headers(self) -> dict[str, str]:
        """On the unix socket our own user needs no token; another one does, if it may read it."""
        try:
            return {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
        except OSError:
            return {}


def _given(params: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if params is None else {name: value for name, value in params.items() if value is not None}


def _document(answer: httpx.Response) -> Any:
    if answer.is_success:
        return msgspec.json.decode(answer.content) if answer.content else None
    problem = _problem(answer)
    detail = str(problem.get("detail") or f"{answer.status_code} {answer.reason_phrase}")
    if answer.status_code == _NOT_FOUND:
        raise NoSuchThing(detail)
    raise CommandFailed(detail, problem)


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        return msgspec.json.decode(answer.content, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}
