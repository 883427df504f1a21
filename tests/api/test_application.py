"""Declared routes end to end: over the real server, on TCP and on the unix socket."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from rustok_daemon.api.call import Call, Problem, RawCall, Reply
from rustok_daemon.api.clashes import check_routes
from rustok_daemon.api.errors import BadRoute
from rustok_daemon.api.pages import Page, PageQuery, decode_cursor, page
from rustok_daemon.asgi import Fields, Limits, WholeResponse
from rustok_daemon.config.sections import ForwardedSettings, HttpSettings
from rustok_daemon.declarations import Route
from rustok_daemon.postgres.errors import DatabaseUnavailable

from .serving import READER, get, post, raw_exchange, serving


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    size: int = 1


class Filter(PageQuery, frozen=True):
    prefix: str = ""


async def echo(call: Call) -> dict[str, Any]:
    return {
        "method": call.method,
        "path": dict(call.path),
        "host": call.host,
        "peer": call.peer,
        "principal": None if call.principal is None else call.principal.name,
        "request_id": call.request_id,
    }


async def create(call: Call) -> Reply:
    return Reply(status=201, body=call.body, headers={"Location": f"/things/{call.body.name}"})


async def numbers(call: Call) -> Page[int]:
    query: Filter = call.query
    after = decode_cursor(query.cursor, int) if query.cursor else 0
    return page(list(range(after + 1, min(after + query.limit + 1, 8) + 1)), query.limit, lambda number: number)


async def nothing(call: Call) -> None:
    return None


async def stream(call: Call) -> Reply:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d\n" % number

    return Reply(body=parts(), content_type="text/plain")


async def measure(call: Call) -> dict[str, int]:
    return {"bytes": sum([len(part) async for part in call.raw_body()])}


async def fail(call: Call) -> None:
    raise ValueError("the password is hunter2")


async def refuse(call: Call) -> None:
    raise Problem(409, "thing-taken", "there is such a thing", field="name", headers={"X-Why": "taken"}, hint="other")


async def be_unavailable(call: Call) -> None:
    raise DatabaseUnavailable("10.1.2.3 refused")


async def raw(call: RawCall) -> WholeResponse:
    by = call.principal and call.principal.name
    body = msgspec.json.encode({"query": call.query_string.decode(), "by": by})
    return WholeResponse(
        200, Fields([(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]), body
    )


async def raw_problem(call: RawCall) -> WholeResponse:
    raise Problem(400, "bad-request", "raw routes raise problems, too")


async def late(call: Call) -> Reply:
    async def parts() -> AsyncIterator[bytes]:
        yield b"begun"
        raise RuntimeError("in the middle")

    return Reply(body=parts(), content_type="text/plain")


ROUTES = (
    get(path="/echo", handler=echo),
    get(path="/things", handler=numbers, query=Filter),
    post(path="/things", handler=create, body=Thing),
    get(path="/things/{id}", handler=echo, scope="things:read"),
    Route(method="DELETE", path="/things/{id}", handler=nothing, summary="-", scope="things:write", status=204),
    Route(method="PATCH", path="/things/{id}", handler=create, summary="-", scope=None, body=Thing),
    get(path="/things/{id}/parts/{part}", handler=echo),
    get(path="/things/special", handler=stream),
    get(path="/files/{tenant}/{key…}", handler=echo),
    get(path="/files/{tenant}/sign", handler=stream),
    post(path="/measure", handler=measure),
    get(path="/fail", handler=fail),
    get(path="/refuse", handler=refuse),
    get(path="/unavailable", handler=be_unavailable),
    get(path="/late", handler=late),
    get(path="/raw", handler=raw, raw=True),
    get(path="/raw/mine", handler=raw, raw=True, scope="things:read"),
    get(path="/raw/problem", handler=raw_problem, raw=True),
)


async def test_a_handler_sees_the_call_and_never_asgi(tmp_path: Path) -> None:
    async with serving(ROUTES, tmp_path) as served, served.client() as http:
        answer = await http.get("/things/a%20b/parts/ä%2e", headers={"Host": "Shop.example:81", "X-Request-Id": "r-1"})
        assert answer.json() == {
            "method": "GET",
            "path": {"id": "a b", "part": "ä."},
            "host": "Shop.example:81",
            "peer": "127.0.0.1",
            "principal": None,
            "request_id": "r-1",
        }
        assert (await http.get("/things/x")).json()["principal"] == "admin"
        assert (await http.get("/files/t/a/b/c.txt")).json()["path"] == {"tenant": "t", "key": "a/b/c.txt"}


@pytest.mark.parametrize("path", ["/things/special", "/files/t/sign"])
async def test_the_path_that_says_more_wins(tmp_path: Path, path: str) -> None:
    async with serving(ROUTES, tmp_path) as served, served.client() as http:
        answer = await http.get(path)
        assert (answer.text, answer.headers["content-type"]) == ("0\n1\n2\n", "text/plain")


async def test_creating_answers_201_and_location(tmp_path: Path) -> None:
    async with serving(ROUTES, tmp_path) as served, served.client() as http:
        answer = await http.post("/things", json={"name": "a"})
        assert (answer.status_code, answer.headers["location"]) == (201, "/things/a")
        assert answer.json() == {"name": "a", "size": 1}
        deleted = await http.delete("/things/a")
        assert (deleted.status_code, deleted.content) == (204, b"")
        assert "content-type" not in deleted.headers
        patched = await http.patch(
            "/things/a", content=b'{"name":"b"}', headers={"Content-Type": "application/merge-patch+json"}
        )
        assert patched.status_code == 201


async def test_lists_are_walked_by_their_cursor(tmp_path: Path) -> None:
    async with serving(ROUTES, tmp_path) as served, served.client() as http:
        first = (await http.get("/things", params={"limit": 5})).json()
        assert first["items"] == [1, 2, 3, 4, 5]
        second = (await http.get("/things", params={"limit": 5, "cursor": first["next"]})).json()
        assert second == {"items": [6, 7, 8], "next": None}
        lost = await http.get("/things", params={"cursor": "bm9wZQ"})
        assert (lost.status_code, lost.json()["type"]) == (404, "urn:rustok:unknown-cursor")


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "name", "field"),
    [
        ("GET", "/nowhere", {}, 404, "not-found", None),
        ("GET", "/things/a%00b", {}, 404, "not-found", "id"),
        ("GET", "/health%0A", {}, 404, "not-found", None),
        ("PUT", "/things", {}, 405, "method-not-allowed", None),
        ("TRACE", "/echo", {}, 405, "method-not-allowed", None),
        ("GET", "/things?limit=0", {}, 400, "invalid-query", "limit"),
        ("GET", "/things?nope=1", {}, 400, "invalid-query", "nope"),
        ("POST", "/things", {"json": {"name": 1}}, 422, "invalid-body", "name"),
        ("POST", "/things", {"json": {"name": "a", "x": 1}}, 422, "invalid-body", "x"),
        ("POST", "/things", {"content": b"{"}, 400, "malformed-json", None),
        ("POST", "/things", {"content": b"{}", "headers": {"Content-Type": "text/xml"}}, 415, None, None),
        ("GET", "/refuse", {}, 409, "thing-taken", "name"),
        ("GET", "/unavailable", {}, 503, "unavailable", None),
        ("GET", "/raw/problem", {}, 400, "bad-request", None),
    ],
)
async def test_every_refusal_is_a_problem(
    tmp_path: Path, method: str, path: str, options: dict[str, Any], status: int, name: str | None, field: str | None
) -> None:
    async with serving(ROUTES, tmp_path) as served, served.client() as http:
        headers = {"Content-Type": "application/json", **options.pop("headers", {})} if "content" in options else None
        answer = await http.request(method, path, headers=headers, **options)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:rustok:{name or 'unsupported-media-type'}"
    assert problem.get("field") == field
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]


async def test_a_route_s_own_problem_keeps_its_headers_and_members(tmp_path: Path) -> None:
    async with serving(ROUTES, tmp_path) as served, served.client() as http:
        answer = await http.get("/refuse")
        assert (answer.headers["x-why"], answer.json()["hint"]) == ("taken", "other")
        unavailable = await http.get("/unavailable")
        assert int(unavailable.headers["retry-after"]) >= 1
        assert "10.1.2.3" not in unavailable.text


async def test_500_says_nothing_but_the_id_under_which_the_log_says_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(ROUTES, tmp_path) as served, served.client() as http:
        answer = await http.get("/fail", headers={"X-Request-Id": "find-me"})
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:rustok:internal-error")
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text
    assert "find-me" in answer.json()["detail"]
    logged = "".join(capsys.readouterr())
    assert "find-me" in logged
    assert "hunter2" in logged


async def test_405_and_options_say_what_is_possible(tmp_path: Path) -> None:
    async with serving(ROUTES, tmp_path) as served, served.client() as http:
        assert (await http.put("/things")).headers["allow"] == "GET, HEAD, OPTIONS, POST"
        options = await http.options("/things/x")
        assert (options.status_code, options.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH")
        assert (await http.options("/nowhere")).status_code == 404


@pytest.mark.parametrize("path", ["/echo", "/things/special", "/raw"])
async def test_head_is_get_without_its_body(tmp_path: Path, path: str) -> None:
    async with serving(ROUTES, tmp_path) as served, served.client() as http:
        got, head = await http.get(path), await http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    if path != "/things/special":
        assert abs(int(head.headers["content-length"]) - len(got.content)) <= 1, "HEAD is one letter longer than GET"


async def test_tokens_and_scopes(tmp_path: Path) -> None:
    async with serving(ROUTES, tmp_path) as served:
        async with served.client(None) as nobody, served.client(READER) as reader, served.client("unknown") as unknown:
            refused = await nobody.get("/things/x")
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert (await unknown.get("/things/x")).status_code == 401
            assert (await reader.get("/things/x")).json()["principal"] == "reader"
            assert (await reader.delete("/things/x")).status_code == 403
            assert (await nobody.get("/echo")).status_code == 200
            assert (await nobody.get("/raw/mine")).status_code == 401
            assert (await reader.get("/raw/mine?a=b")).json() == {"query": "a=b", "by": "reader"}
            assert (await reader.get("/raw")).json()["by"] is None, "an open route reads no token"
        async with served.unix_client() as local:
            answer = (await local.get("/things/x")).json()
            assert re.fullmatch(r"uid:\d+", answer["principal"])
            assert answer["peer"] is None


async def test_who_may_not_is_told_before_the_body_is_read(tmp_path: Path) -> None:
    """100-continue is never given to somebody without a token."""
    routes = (post(path="/guarded", handler=create, body=Thing, scope="things:write"),)
    async with serving(routes, tmp_path) as served:
        head = b"POST /guarded HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        answer = await raw_exchange(served.port, head)
    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("path", ["/echo", "/raw", "/nowhere", "/fail", "/things/x"])
async def test_ids_are_taken_over_or_made_on_every_answer(tmp_path: Path, path: str) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with serving(ROUTES, tmp_path) as served, served.client(None) as http:
        mine = await http.get(path, headers={"X-Request-Id": "mine", "traceparent": trace})
        made = [(await http.get(path)).headers for _ in range(2)]
        forged = await http.get(path, headers={"X-Request-Id": "not fit"})
    assert (mine.headers["x-request-id"], mine.headers["traceparent"]) == ("mine", trace)
    assert made[0]["x-request-id"] != made[1]["x-request-id"]
    assert made[0]["traceparent"] != made[1]["traceparent"]
    assert forged.headers["x-request-id"] != "not fit"


async def test_a_body_can_be_read_as_it_comes(tmp_path: Path) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 10_000

    async with serving(ROUTES, tmp_path) as served, served.client() as http:
        assert (await http.post("/measure", content=parts())).json() == {"bytes": 100_000}
        assert (await http.post("/measure")).json() == {"bytes": 0}


async def test_a_body_over_the_limit_is_413_whatever_the_route_does(tmp_path: Path) -> None:
    async with serving(ROUTES, tmp_path, limits=Limits(max_body=100)) as served, served.client() as http:
        for path in ("/things", "/measure"):
            answer = await http.post(path, content=b"x" * 101, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.json()["type"]) == (413, "urn:rustok:body-too-large")


async def test_an_answer_that_fails_in_the_middle_is_cut_never_looks_whole_and_is_logged_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(ROUTES, tmp_path) as served:
        answer = await raw_exchange(served.port, b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"begun" in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert answer.count(b"HTTP/1.1") == 1
    logged = "".join(capsys.readouterr())
    assert "RuntimeError: in the middle" in logged
    assert logged.count("[error") == 1


async def test_a_client_that_leaves_is_nobody_s_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(ROUTES, tmp_path) as served:
        stream = await trio.open_tcp_stream("127.0.0.1", served.port)
        await stream.send_all(b"POST /measure HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf")
        await trio.testing.wait_all_tasks_blocked(0.05)
        await stream.aclose()
        async with served.client() as http:
            assert (await http.get("/echo")).status_code == 200
        await trio.testing.wait_all_tasks_blocked(0.05)
    assert "failed" not in "".join(capsys.readouterr())


async def test_requests_are_counted_under_their_template(tmp_path: Path) -> None:
    async with serving(ROUTES, tmp_path) as served, served.client() as http:
        for path in ("/things/1", "/things/2", "/nowhere", "/raw", "/fail"):
            await http.get(path)
        await http.head("/raw")
        await http.request("TRACE", "/echo")
        statuses = {
            (method, path): served.metrics.series(method, path).statuses
            for method, path in (
                ("GET", "/things/{id}"),
                ("GET", "unmatched"),
                ("GET", "/raw"),
                ("HEAD", "/raw"),
                ("GET", "/fail"),
                ("TRACE", "/echo"),
            )
        }
    assert list(statuses.values()) == [{200: 2}, {404: 1}, {200: 1}, {200: 1}, {500: 1}, {405: 1}]


async def test_d10_the_host_is_what_a_trusted_peer_says_and_nobody_else(tmp_path: Path) -> None:
    forged = {"Host": "shop.example", "X-Forwarded-Host": "evil.example"}
    async with serving(ROUTES, tmp_path) as served, served.client() as http:
        assert (await http.get("/echo", headers=forged)).json()["host"] == "shop.example"
    (tmp_path / "s").unlink()
    proxies = HttpSettings(forwarded=ForwardedSettings(trusted=(ip_network("127.0.0.0/8"),)))
    async with serving(ROUTES, tmp_path, http=proxies) as served, served.client() as http:
        assert (await http.get("/echo", headers=forged)).json()["host"] == "evil.example"


def test_two_routes_for_one_request_are_refused() -> None:
    with pytest.raises(BadRoute, match=r"GET /echo is declared twice$"):
        check_routes((get(path="/echo", handler=echo), get(path="/echo", handler=nothing)))
    with pytest.raises(BadRoute, match=r"GET /things/\{name\} is declared twice, as /things/\{id\} before"):
        check_routes((get(path="/things/{id}", handler=echo), get(path="/things/{name}", handler=nothing)))
    check_routes(ROUTES)
