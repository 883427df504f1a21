"""A Starlette application that uses most of Starlette, on our server, with every ASGI message checked on its way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trio
import trio.testing
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket
from structlog.testing import capture_logs
from trio_websocket import ConnectionClosed, ConnectionRejected, open_websocket_url

from tests.asgi.asgi_checker import Checker
from tests.asgi.asgi_clients import Served, request, serving

Next = Callable[[Request], Awaitable[Response]]


class Timing(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        response.headers["x-seen"] = request.url.path
        return response


class Methods(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return JSONResponse({"name": request.path_params["name"], "query": dict(request.query_params)})

    async def post(self, request: Request) -> Response:
        return JSONResponse(await request.json(), status_code=201)


async def form(request: Request) -> Response:
    return PlainTextResponse((await request.body()).decode() + request.headers["content-type"])


async def upload(request: Request) -> Response:
    sizes = [len(part) async for part in request.stream()]
    return JSONResponse({"bytes": sum(sizes)})


async def stream(request: Request) -> Response:
    async def numbers() -> AsyncIterator[bytes]:
        for number in range(100):
            await trio.lowlevel.checkpoint()
            yield b"%d," % number

    return StreamingResponse(numbers(), media_type="text/plain")


async def endless(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield bytes(10_000)

    return StreamingResponse(parts())


async def until_gone(request: Request) -> Response:
    request.app.state.entered.set()
    while not await request.is_disconnected():
        await anyio.sleep(0.001)
    request.app.state.ended.set()
    return PlainTextResponse("to nobody")


async def cut_upload(request: Request) -> Response:
    with pytest.raises(ClientDisconnect):
        await request.body()
    request.app.state.ended.set()
    return PlainTextResponse("to nobody")


async def background(request: Request) -> Response:
    async def later() -> None:
        await request.app.state.entered.wait()
        request.app.state.ended.set()

    return PlainTextResponse("soon", background=BackgroundTask(later))


async def cookies(request: Request) -> Response:
    response = PlainTextResponse(request.cookies.get("seen", "never"))
    response.set_cookie("seen", "before", httponly=True)
    response.set_cookie("other", "too")
    return response


async def fails(request: Request) -> Response:
    raise ValueError("the application's own fault")


async def teapot(request: Request) -> Response:
    raise HTTPException(418, "short and stout", headers={"x-handle": "here"})


async def sync(request: Request) -> Response:
    return PlainTextResponse(await anyio.to_thread.run_sync(lambda: "from a thread"))


class Echo(WebSocketEndpoint):
    encoding = "text"

    async def on_connect(self, websocket: WebSocket) -> None:
        await websocket.accept(subprotocol=next(iter(websocket.scope["subprotocols"]), None))

    async def on_receive(self, websocket: WebSocket, data: Any) -> None:
        await websocket.send_text(f"{websocket.path_params['room']}: {data}")


async def json_room(websocket: WebSocket) -> None:
    await websocket.accept(headers=[(b"x-room", b"json")])
    await websocket.send_json({"got": await websocket.receive_json()})
    await websocket.send_bytes(await websocket.receive_bytes())
    await websocket.close(4000, "enough")


async def closed_room(websocket: WebSocket) -> None:
    await websocket.send_denial_response(JSONResponse({"why": "full"}, status_code=409))


def application(directory: Path) -> Starlette:
    (directory / "page.html").write_text("<p>" + "page " * 50_000)

    async def page(request: Request) -> Response:
        return FileResponse(directory / "page.html")

    timed = [Middleware(Timing)]
    routes = [
        Route("/items/{name}", Methods, middleware=timed),
        Route("/form", form, methods=["POST"], middleware=timed),
        Route("/upload", upload, methods=["PUT"]),
        Route("/stream", stream, middleware=timed),
        Route("/endless", endless, middleware=timed),
        Route("/until-gone", until_gone),
        Route("/cut-upload", cut_upload, methods=["POST"]),
        Route("/background", background),
        Route("/cookies", cookies),
        Route("/fails", fails),
        Route("/teapot", teapot),
        Route("/thread", sync),
        Route("/page", page),
        Route("/old", lambda request: RedirectResponse("/items/new")),
        Mount("/deep", routes=[Route("/{rest:path}", lambda request: PlainTextResponse(request.path_params["rest"]))]),
        Host("api.example.org", Starlette(routes=[Route("/", lambda request: PlainTextResponse("by host"))])),
        WebSocketRoute("/rooms/{room}", Echo),
        WebSocketRoute("/json", json_room),
        WebSocketRoute("/closed", closed_room),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(GZipMiddleware, minimum_size=1000)])
    app.state.entered = trio.Event()
    app.state.ended = trio.Event()
    return app


class Site:
    """The application as it is served, and a client of it."""

    def __init__(self, app: Starlette, served: Served, client: httpx.AsyncClient, url: str) -> None:
        self.state = app.state
        self.served = served
        self.client = client
        self.url = url


@asynccontextmanager
async def site(directory: Path, *, unix: bool = False) -> AsyncIterator[Site]:
    app = application(directory)
    checker = Checker(app)
    async with serving(checker, unix=unix) as served:
        name = served.listener.getsockname()
        transport = httpx.AsyncHTTPTransport(uds=name if unix else None)
        url = "http://example.org" if unix else f"http://127.0.0.1:{name[1]}"
        async with httpx.AsyncClient(transport=transport, base_url=url) as client:
            yield Site(app, served, client, url.replace("http", "ws"))
    assert checker.violations == []
    assert checker.messages > 0


BOTH = pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])


@BOTH
async def test_routes_bodies_and_middleware(tmp_path: Path, unix: bool) -> None:
    async with site(tmp_path, unix=unix) as at:
        got = await at.client.get("/items/caf%C3%A9", params={"a": "b c"})
        assert got.json() == {"name": "café", "query": {"a": "b c"}}
        assert got.headers["x-seen"] == "/items/café"
        assert (await at.client.post("/items/x", json={"é": [1]})).json() == {"é": [1]}
        assert (await at.client.delete("/items/x")).status_code == 405
        assert (await at.client.post("/form", data={"a": "1 2"})).text == "a=1+2application/x-www-form-urlencoded"
        assert (await at.client.get("/nowhere")).status_code == 404
        assert (await at.client.get("/deep/a/b/c")).text == "a/b/c"
        assert (await at.client.get("/old")).headers["location"] == "/items/new"
        assert (await at.client.get("/", headers={"host": "api.example.org"})).text == "by host"
        assert (await at.client.get("/thread")).text == "from a thread"
        tea = await at.client.get("/teapot")
        assert (tea.status_code, tea.text, tea.headers["x-handle"]) == (418, "short and stout", "here")


@BOTH
async def test_streams_both_ways_and_files(tmp_path: Path, unix: bool) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield bytes(20_000)

    async with site(tmp_path, unix=unix) as at:
        assert (await at.client.get("/stream")).text == "".join(f"{number}," for number in range(100))
        assert (await at.client.put("/upload", content=parts())).json() == {"bytes": 1_000_000}
        assert (await at.client.put("/upload", content=bytes(300_000))).json() == {"bytes": 300_000}
        for headers in ({"accept-encoding": "gzip"}, {"accept-encoding": "identity"}):
            assert (await at.client.get("/page", headers=headers)).text == (tmp_path / "page.html").read_text()
        part = await at.client.get("/page", headers={"range": "bytes=3-6", "accept-encoding": "identity"})
        assert (part.status_code, part.text) == (206, "page")
        headed = await at.client.head("/page", headers={"accept-encoding": "identity"})
        assert (headed.headers["content-length"], headed.content) == ("250003", b"")


async def test_cookies_go_one_a_line(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        first = await at.client.get("/cookies")
        assert len(first.headers.get_list("set-cookie")) == 2
        assert (await at.client.get("/cookies")).text == "before"


async def test_a_background_task_runs_after_the_answer(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        assert (await at.client.get("/background")).text == "soon"
        assert not at.state.ended.is_set()
        at.state.entered.set()
        with trio.fail_after(5):
            await at.state.ended.wait()


async def test_an_exception_is_starlettes_500_and_logged(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with site(tmp_path) as at:
            got = await at.client.get("/fails")
            assert (got.status_code, got.text) == (500, "Internal Server Error")
            assert (await at.client.get("/thread")).status_code == 200
    assert [entry["log_level"] for entry in logs] == ["error"]


@pytest.mark.parametrize("path", ["/endless", "/until-gone"])
async def test_a_client_that_goes_is_noticed(tmp_path: Path, path: str) -> None:
    with capture_logs() as logs:
        async with site(tmp_path) as at:
            async with at.served.client() as client:
                await client.send(request(target=path))
                if path == "/endless":
                    await client.read()
                else:
                    await at.state.entered.wait()
            with trio.fail_after(5):
                while at.served.server.connections:
                    await trio.lowlevel.checkpoint()
            assert at.state.ended.is_set() == (path == "/until-gone")
    assert logs == []


async def test_an_upload_that_breaks_off_is_noticed(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        async with at.served.client() as client:
            await client.send(request("POST", "/cut-upload", "Content-Length: 100") + b"x")
            await trio.testing.wait_all_tasks_blocked(0.01)
        with trio.fail_after(5):
            await at.state.ended.wait()


async def test_websockets(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        async with open_websocket_url(f"{at.url}/rooms/red", subprotocols=["v1"]) as websocket:
            assert websocket.subprotocol == "v1"
            await websocket.send_message("hello")
            assert await websocket.get_message() == "red: hello"
        async with open_websocket_url(f"{at.url}/json") as websocket:
            assert (b"x-room", b"json") in websocket.handshake_headers
            await websocket.send_message('{"a": 1}')
            assert await websocket.get_message() == '{"got":{"a":1}}'
            await websocket.send_message(b"raw")
            assert await websocket.get_message() == b"raw"
            with pytest.raises(ConnectionClosed):
                await websocket.get_message()
            assert websocket.closed is not None
            assert (websocket.closed.code, websocket.closed.reason) == (4000, "enough")
        for path, status in (("/closed", 409), ("/nowhere", 403)):
            with pytest.raises(ConnectionRejected) as rejected:
                async with open_websocket_url(at.url + path):
                    pass
            assert rejected.value.status_code == status
