"""``rustok-daemon tenant …``."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from rustok_daemon.cli.context import CommandContext
from rustok_daemon.cli.errors import CommandFailed, NoSuchThing, UsageError
from rustok_daemon.cli.pages import all_items
from rustok_daemon.declarations import Argument, Command

_COLUMNS = ("id", "slug", "domain", "is_active", "name")
_ID = Argument(name="id", help="the tenant's UUID")


def list_tenants(context: CommandContext) -> int:
    context.output.table("items", all_items(context.daemon, "/v1/tenants"), _COLUMNS)
    return 0


def show(context: CommandContext) -> int:
    context.output.document(context.daemon.get(_path(context)))
    return 0


def create(context: CommandContext) -> int:
    given = context.arguments
    body = {"name": given["name"], "slug": given["slug"], **_given(context, "domain", "locale")}
    made = context.daemon.post("/v1/tenants", body)
    context.output.document(made, f"made {made['slug']} ({made['id']})")
    return 0


def update(context: CommandContext) -> int:
    body = _given(context, "name", "slug", "domain", "locale", "active")
    if not body:
        raise UsageError("nothing to change: give --name, --slug, --domain, --locale or --active")
    changed = context.daemon.patch(_path(context), body)
    context.output.document(changed, f"changed {changed['slug']} ({changed['id']})")
    return 0


def resolve(context: CommandContext) -> int:
    """An inactive tenant is as good as none: 4."""
    params = {name: context.arguments[name] for name in ("id", "slug", "host")}
    if sum(value is not None for value in params.values()) != 1:
        raise UsageError("give exactly one of --id, --slug and --host")
    try:
        tenant = context.daemon.get("/v1/tenants/resolve", params)
    except CommandFailed as error:
        if "inactive" in str(error):
            raise NoSuchThing(str(error)) from error
        raise
    context.output.document(tenant)
    return 0


def invalidate(context: CommandContext) -> int:
    answer = context.daemon.post(f"{_path(context)}/invalidate")
    told = "and announced to the others" if answer["announced"] else "here only: the database is down"
    context.output.document(answer, f"invalidated, {told}")
    return 0


def _path(context: CommandContext) -> str:
    return f"/v1/tenants/{quote(context.arguments['id'], safe='')}"


def _given(context: CommandContext, *names: str) -> dict[str, Any]:
    """What was given of these options, as the API names it; ``--domain ''`` takes the domain away."""
    body: dict[str, Any] = {}
    for name in names:
        value = context.arguments[name]
        if value is None:
            continue
        match name:
            case "locale":
                body["default_locale"] = value
            case "active":
                body["is_active"] = value == "yes"
            case "domain":
                body["domain"] = value or None
            case _:
                body[name] = value
    return body


_DOMAIN = Argument(name="--domain", help="the host it answers to")
_LOCALE = Argument(name="--locale", help="its default locale, for example en")

COMMANDS = (
    Command(words=("tenant", "list"), summary="list all tenants", run=list_tenants),
    Command(words=("tenant", "show"), summary="show a tenant", run=show, arguments=(_ID,)),
    Command(
        words=("tenant", "create"),
        summary="make a tenant",
        run=create,
        arguments=(
            Argument(name="slug", help="its slug"),
            Argument(name="name", help="its name"),
            _DOMAIN,
            _LOCALE,
        ),
    ),
    Command(
        words=("tenant", "update"),
        summary="change a tenant",
        run=update,
        arguments=(
            _ID,
            Argument(name="--name", help="its new name"),
            Argument(name="--slug", help="its new slug"),
            _DOMAIN,
            _LOCALE,
            Argument(name="--active", help="whether it is served", choices=("yes", "no")),
        ),
    ),
    Command(
        words=("tenant", "resolve"),
        summary="which tenant is this?",
        run=resolve,
        arguments=(
            Argument(name="--id", help="by its UUID"),
            Argument(name="--slug", help="by its slug"),
            Argument(name="--host", help="by its host"),
        ),
    ),
    Command(
        words=("tenant", "invalidate"), summary="forget what is cached of a tenant", run=invalidate, arguments=(_ID,)
    ),
)
