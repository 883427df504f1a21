"""Children that raise, cannot start, or ignore being cancelled; named on the way out."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.daemon_process import TREE, Daemon, daemon, orphans

pytestmark = pytest.mark.timeout(120)

ACTORS = """
import msgspec
import trio

from rustok_daemon.declarations import Route
from rustok_daemon.supervision.actor import Actor, Message, Request, receive


class NoSettings(msgspec.Struct, frozen=True):
    pass


class Fall(Message, frozen=True):
    pass


class Count(Request[int], frozen=True):
    pass


async def fall(call):
    await call.actor("trouble").tell(Fall())
    return {}


async def count(call):
    return {"count": await call.actor("trouble").ask(Count(), within=5)}


class Trouble(Actor[NoSettings]):
    Settings = NoSettings
    routes = (
        Route(method="POST", path="/v1/trouble", handler=fall, summary="Fails"),
        Route(method="GET", path="/v1/trouble", handler=count, summary="Counts"),
    )

    @receive
    async def on_fall(self, message: Fall) -> None:
        raise RuntimeError("the floor gave way")

    @receive
    async def on_count(self, message: Count) -> int:
        return 1


class CannotStart(Actor[NoSettings]):
    Settings = NoSettings

    async def setup(self) -> None:
        raise OSError("no such luck")


class IgnoresCancellation(Actor[NoSettings]):
    Settings = NoSettings

    async def background(self) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()
"""


@pytest.fixture
def made() -> Iterator[Daemon]:
    with daemon({"redis.url": "off"}) as made:
        (made.directory / "trouble.py").write_text(ACTORS)
        yield made


def with_child(made: Daemon, start: str, **keys: str) -> None:
    extra = "\n".join(f"{key} = {value}" for key, value in keys.items())
    config = made.directory / "supervisor.toml"
    config.write_text(
        f'{TREE.read_text()}\n[[supervisor.children]]\nid = "trouble"\nstart = "trouble:{start}"\n{extra}\n'
    )
    made.configure(config, PYTHONPATH=str(made.directory))


def test_an_actor_that_raises_is_restarted_and_the_next_request_works(made: Daemon) -> None:
    with_child(made, "Trouble")
    made.start()
    with httpx.Client(base_url=made.url, headers=made.headers) as http:
        assert http.post("/v1/trouble").status_code == 200
        assert http.get("/v1/trouble").json() == {"count": 1}
        assert http.get("/v1/tenants/resolve", params={"slug": "demo"}).status_code == 200
    shown = made.cli("status", "--json").stdout
    node = find(made.tree()["tree"], "trouble")
    assert node["restarts"]["total"] == 1, shown
    assert (node["last_error"]["type"], node["last_error"]["message"]) == ("RuntimeError", "the floor gave way")
    assert made.stop() == 0


def test_a_child_that_cannot_start_is_named_and_ends_the_daemon_with_1(made: Daemon) -> None:
    with_child(made, "CannotStart")
    made.start(wait=False)
    assert made.wait(60) == 1
    assert "trouble" in made.text()
    assert "no such luck" in made.text()
    assert orphans(made.data_dir) == []


def test_a_child_that_ignores_cancellation_is_named_and_the_daemon_leaves_with_5(made: Daemon) -> None:
    with_child(made, "IgnoresCancellation", shutdown='"500ms"')
    made.start()
    assert made.stop() == 5
    assert "trouble" in made.text()
    assert "abandoned" in made.text()
    assert orphans(made.data_dir) == []
    assert not made.socket.exists()


def find(node: dict[str, object], id: str) -> dict[str, object]:
    if node["id"] == id:
        return node
    for child in node.get("children", ()):
        if found := find(child, id):
            return found
    return {}
