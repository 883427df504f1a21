"""Who may pass: service tokens by scope, the daemon's own user on the unix socket, and nobody else."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import pytest

from rustok_daemon.api.authentication import Gate, TokenDirectory
from rustok_daemon.api.call import Principal, Problem

from .serving import ADMIN, READER, UNCHECKABLE, FewTokens

TCP = {"type": "http", "client": ("127.0.0.1", 5), "extensions": {}}


class Reference(msgspec.Struct):
    """Where a view is found, or not."""

    current: TokenDirectory | None

    def get(self) -> TokenDirectory:
        assert self.current is not None
        return self.current


def unix(uid: int) -> dict[str, Any]:
    return {"type": "http", "client": None, "extensions": {"rustok.peer": {"uid": uid, "gid": 0, "pid": 1}}}


def websocket(*subprotocols: str) -> dict[str, Any]:
    return {**TCP, "type": "websocket", "subprotocols": list(subprotocols)}


gate = Gate(Reference(FewTokens()))


async def admitted(scope: dict[str, Any], token: str | None, needed: str = "things:read") -> str:
    return (await gate.admit(scope, None if token is None else f"Bearer {token}".encode(), needed)).name


async def refused(scope: dict[str, Any], authorization: bytes | None, needed: str = "things:read") -> Problem:
    assert gate.admit_known(scope, authorization, needed) is None
    with pytest.raises(Problem) as caught:
        await gate.admit(scope, authorization, needed)
    return caught.value


async def test_a_token_passes_with_its_scope_and_admin_with_all() -> None:
    assert await admitted(TCP, READER) == "reader"
    assert await admitted(TCP, ADMIN, "anything:else") == "admin"
    known = gate.admit_known(TCP, b"beaRER " + ADMIN.encode(), "x")
    assert known is not None
    assert known.name == "admin"


@pytest.mark.parametrize("authorization", [None, b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"bearer\ttoken"])
async def test_without_a_token_it_is_401_and_says_how(authorization: bytes | None) -> None:
    problem = await refused(TCP, authorization)
    assert (problem.status, problem.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("token", [b"unknown", b"x" * 100_000, b"\xff"])
async def test_an_unknown_token_is_401_and_called_invalid(token: bytes) -> None:
    problem = await refused(TCP, b"Bearer " + token)
    assert (problem.status, problem.headers["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')


async def test_the_wrong_scope_is_403_and_names_the_right_one() -> None:
    problem = await refused(TCP, b"Bearer " + READER.encode(), "things:write")
    assert problem.status == 403
    assert "things:write" in problem.detail
    assert 'scope="things:write"' in problem.headers["WWW-Authenticate"]


async def test_a_token_that_cannot_be_checked_is_503_and_not_401() -> None:
    problem = await refused(TCP, b"Bearer " + UNCHECKABLE.encode())
    assert (problem.status, problem.headers["Retry-After"]) == (503, "3")


async def test_while_nobody_keeps_tokens_it_is_503() -> None:
    with pytest.raises(Problem) as caught:
        await Gate(Reference(None)).admit(TCP, b"Bearer " + ADMIN.encode(), "x")
    assert caught.value.status == 503


@pytest.mark.parametrize("uid", [0, os.geteuid()])
async def test_on_the_unix_socket_root_and_the_own_user_are_admin(uid: int) -> None:
    assert gate.admit_known(unix(uid), None, "anything") == Principal(f"uid:{uid}", frozenset({"admin"}))
    assert await admitted(unix(uid), None, "anything") == f"uid:{uid}"


async def test_on_the_unix_socket_others_need_a_token() -> None:
    stranger = unix(os.geteuid() + 12345)
    assert (await refused(stranger, None)).status == 401
    assert await admitted(stranger, READER) == "reader"


async def test_credentials_count_on_a_unix_socket_only() -> None:
    """A scope of TCP has no peer credentials, whatever else may stand in it."""
    assert (await refused({**TCP, "extensions": {}}, None)).status == 401


async def test_a_websocket_brings_its_token_as_header_or_as_subprotocol() -> None:
    assert await admitted(websocket("chat"), READER) == "reader"
    assert (await gate.admit(websocket("chat", f"bearer.{READER}"), None, "things:read")).name == "reader"
    assert (await refused(websocket("chat"), None)).status == 401
    assert (await refused(websocket("bearer."), None)).status == 401
    assert (await refused(websocket("bearer.nobody"), None)).status == 401
