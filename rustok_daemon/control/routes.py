"""``/v1/supervisor/*`` and ``/health/live``: what the control room answers itself."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from rustok_daemon.api.call import Call, Problem
from rustok_daemon.api.problems import ProblemType
from rustok_daemon.config import ConfigurationError
from rustok_daemon.declarations import Route
from rustok_daemon.lifecycle.resources import Reloader, TreeControl

_BAD_CONFIGURATION = "bad-configuration"


class Live(msgspec.Struct, frozen=True):
    """RusToK's shape."""

    status: str = "ok"


class Reloaded(msgspec.Struct, frozen=True):
    """What a reload did, a line each."""

    done: list[str]


async def live(call: Call) -> Live:
    return Live()


async def tree(call: Call) -> dict[str, Any]:
    return call.view(TreeControl).snapshot()


async def actor(call: Call) -> dict[str, Any]:
    return _node(call)


async def restart(call: Call) -> dict[str, Any]:
    await call.view(TreeControl).restart(call.path["id"])
    return _node(call)


async def stop(call: Call) -> dict[str, Any]:
    await call.view(TreeControl).stop(call.path["id"])
    return _node(call)


async def start(call: Call) -> dict[str, Any]:
    await call.view(TreeControl).start(call.path["id"])
    return _node(call)


def _node(call: Call) -> dict[str, Any]:
    """The node that the path names. Raises ``Problem`` 404."""
    id = call.path["id"]
    waiting = [call.view(TreeControl).snapshot()]
    while waiting:
        node = waiting.pop()
        if node["id"] == id:
            return node
        waiting += node["children"]
    raise Problem(404, ProblemType.NOT_FOUND, f"there is no child {id!r} in the tree", field="id")


async def reload(call: Call) -> Reloaded:
    try:
        return Reloaded(list(await call.view(Reloader).reload()))
    except ConfigurationError as error:
        detail = "the configuration is wrong; the one in force stays"
        raise Problem(422, _BAD_CONFIGURATION, detail, errors=list(error.lines)) from error


_READ = partial(Route, method="GET", scope="supervisor:read", tag="supervisor", returns=dict[str, Any])
_CHANGE = partial(
    Route, method="POST", scope="supervisor:admin", tag="supervisor", returns=dict[str, Any], problems=(409,)
)

ROUTES = (
    Route(method="GET", path="/health/live", handler=live, summary="The process answers", scope=None, returns=Live),
    _READ(path="/v1/supervisor/tree", handler=tree, summary="The tree, a node each"),
    _READ(path="/v1/supervisor/actors/{id}", handler=actor, summary="One node of the tree"),
    _CHANGE(path="/v1/supervisor/actors/{id}/restart", handler=restart, summary="Restarts it"),
    _CHANGE(path="/v1/supervisor/actors/{id}/stop", handler=stop, summary="Stops it"),
    _CHANGE(path="/v1/supervisor/actors/{id}/start", handler=start, summary="Starts it again"),
    Route(
        method="POST",
        path="/v1/supervisor/reload",
        handler=reload,
        summary="Takes over the changed configuration",
        scope="supervisor:admin",
        tag="supervisor",
        returns=Reloaded,
        problems=(422,),
        problem_types=(_BAD_CONFIGURATION,),
    ),
)
