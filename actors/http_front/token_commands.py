"""``rustok-daemon token …``."""

from __future__ import annotations

from typing import get_args
from urllib.parse import quote

from rustok_daemon.cli.context import CommandContext
from rustok_daemon.cli.pages import all_items
from rustok_daemon.declarations import Argument, Command

from .token_routes import Scope


def _list(context: CommandContext) -> int:
    context.output.table("items", all_items(context.daemon, "/v1/tokens"), ("name", "scopes", "created_at"))
    return 0


def _create(context: CommandContext) -> int:
    scopes = context.arguments["scope"] or ["tenants:read"]
    made = context.daemon.post("/v1/tokens", {"name": context.arguments["name"], "scopes": scopes})
    context.output.document(made, made["token"])
    return 0


def _revoke(context: CommandContext) -> int:
    name = context.arguments["name"]
    context.daemon.delete(f"/v1/tokens/{quote(name, safe='')}")
    context.output.document({"revoked": name}, f"revoked {name}")
    return 0


COMMANDS = (
    Command(words=("token", "list"), summary="list service tokens", run=_list),
    Command(
        words=("token", "create"),
        summary="make a service token and print it",
        run=_create,
        arguments=(
            Argument(name="name", help="what it is called"),
            Argument(name="--scope", help="what it may; may be repeated", choices=get_args(Scope), repeated=True),
        ),
    ),
    Command(
        words=("token", "revoke"),
        summary="revoke a service token",
        run=_revoke,
        arguments=(Argument(name="name", help="what it is called"),),
    ),
)
