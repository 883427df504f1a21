"""Service tokens on a real Postgres: made, listed, revoked, and known through an outage."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import trio

from tests.servers import PostgresProcess

from .parts import WITH_DATABASE, Part, running


async def make(part: Part, name: str, *scopes: str) -> str:
    async with part.client(part.token) as http:
        answer = await http.post("/v1/tokens", json={"name": name, "scopes": list(scopes)})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/tokens/{name}"
    assert answer.headers["cache-control"] == "no-store", "it holds the secret"
    return str(answer.json()["token"])


async def test_the_first_run_makes_an_admin_token_that_only_its_owner_can_read(place: Path, url: str) -> None:
    async with running(place, url) as part:
        assert stat.S_IMODE((place / "token").stat().st_mode) == 0o600
        assert await part.status("/v1/tokens", part.token) == 200
        first = part.token
    async with running(place, url) as part:
        assert part.token == first, "it stays the same over restarts"
        assert await part.status("/v1/tokens", first) == 200


async def test_the_database_holds_hashes_and_no_secret(place: Path, url: str, postgres: PostgresProcess) -> None:
    async with running(place, url) as part:
        secret = await make(part, "app", "tenants:read")
        database = url.partition("@/")[2].partition("?")[0]
        table = await trio.to_thread.run_sync(postgres.psql, "select * from rustok_tokens", database)
        assert secret not in table
        assert part.token not in table
        assert hashlib.sha256(secret.encode()).hexdigest() in table


async def test_a_token_s_life(place: Path, url: str) -> None:
    async with running(place, url) as part, part.client(part.token) as http:
        secret = await make(part, "app", "supervisor:read", "tenants:read", "tenants:read")
        assert await part.status("/v1/supervisor/tree", secret) == 200
        assert await part.status("/v1/tokens", secret) == 403
        listed = (await http.get("/v1/tokens")).json()["items"]
        app = next(item for item in listed if item["name"] == "app")
        assert app["scopes"] == ["supervisor:read", "tenants:read"]
        assert "token" not in app
        assert (await http.post("/v1/tokens", json={"name": "app", "scopes": ["admin"]})).status_code == 409
        assert (await http.delete("/v1/tokens/app")).status_code == 204
        assert await part.status("/v1/supervisor/tree", secret) == 401, "no longer once the revocation is answered"
        assert (await http.delete("/v1/tokens/app")).status_code == 404


async def test_a_bad_token_is_refused_with_its_field(place: Path, url: str) -> None:
    async with running(place, url) as part, part.client(part.token) as http:
        for body, field in (
            ({"name": "a b", "scopes": ["admin"]}, "name"),
            ({"name": "a\n", "scopes": ["admin"]}, "name"),
            ({"name": "a", "scopes": []}, "scopes"),
            ({"name": "a", "scopes": ["root"]}, "scopes[0]"),
            ({"name": "a"}, "scopes"),
        ):
            answer = await http.post("/v1/tokens", json=body)
            assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_tokens_are_listed_by_pages(place: Path, url: str) -> None:
    async with running(place, url) as part, part.client(part.token) as http:
        for number in range(5):
            await make(part, f"app-{number}", "tenants:read")
        names: list[str] = []
        params: dict[str, str | int] = {"limit": 2}
        while True:
            page = (await http.get("/v1/tokens", params=params)).json()
            names += [item["name"] for item in page["items"]]
            if page["next"] is None:
                break
            params["cursor"] = page["next"]
        assert names == sorted(names)
        assert len(names) == 6


async def test_a_revocation_reaches_the_other_daemon(place: Path, url: str) -> None:
    (place / "a").mkdir()
    (place / "b").mkdir()
    async with running(place / "a", url) as one, running(place / "b", url) as other:
        secret = await make(one, "app", "supervisor:read")
        assert await other.status("/v1/supervisor/tree", secret) == 200
        async with one.client(one.token) as http:
            await http.delete("/v1/tokens/app")
        with trio.fail_after(2):
            while await other.status("/v1/supervisor/tree", secret) != 401:
                await trio.sleep(0.01)


async def test_a_revocation_holds_here_before_anybody_is_told(place: Path, url: str, postgres: PostgresProcess) -> None:
    async with running(place, url) as part, part.client(part.token) as http:
        secret = await make(part, "app", "supervisor:read")
        assert await part.status("/v1/supervisor/tree", secret) == 200
        database = url.partition("@/")[2].partition("?")[0]
        silence = "alter table rustok_tokens disable trigger all"
        await trio.to_thread.run_sync(postgres.psql, silence, database)
        assert (await http.delete("/v1/tokens/app")).status_code == 204
        assert await part.status("/v1/supervisor/tree", secret) == 401


async def test_daemons_of_one_name_on_one_database_keep_their_own_admin_tokens(place: Path, url: str) -> None:
    (place / "a").mkdir()
    (place / "b").mkdir()
    async with running(place / "a", url) as one, running(place / "b", url) as other:
        tokens = (one.token, other.token)
        assert len(set(tokens)) == 2
        for _ in range(3):
            for token in tokens:
                assert await one.status("/v1/tokens", token) == 200
                assert await other.status("/v1/tokens", token) == 200
        assert (one.token, other.token) == tokens


async def test_a_revoked_admin_token_is_replaced_and_never_comes_back(place: Path, url: str) -> None:
    async with running(place, url) as part, part.client(part.token) as http:
        revoked = part.token
        name = (await http.get("/v1/tokens")).json()["items"][0]["name"]
        await http.delete(f"/v1/tokens/{name}")
        with trio.fail_after(5):
            while part.token == revoked:
                await trio.sleep(0.02)
        assert await part.status("/v1/tokens", revoked) == 401
        await part.until_status("/v1/tokens", 200, part.token)
    async with running(place, url) as part:
        assert await part.status("/v1/tokens", revoked) == 401


async def test_a_known_token_is_good_while_the_database_is_down_and_an_unknown_one_is_503(
    place: Path, own_postgres: PostgresProcess
) -> None:
    async with running(place, own_postgres.url) as part:
        known = await make(part, "known", "supervisor:read")
        unseen = await make(part, "unseen", "supervisor:read")
        assert await part.status("/v1/supervisor/tree", known) == 200
        await trio.to_thread.run_sync(own_postgres.kill)
        assert await part.status("/v1/supervisor/tree", known) == 200
        async with part.client(unseen) as http:
            answer = await http.get("/v1/supervisor/tree")
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
        assert await part.status("/v1/supervisor/tree") == 401, "without a token there is nothing to look up"
        await trio.to_thread.run_sync(own_postgres.start)
        await part.until_status("/v1/supervisor/tree", 200, unseen)
        assert await part.status("/v1/supervisor/tree", known) == 200


async def test_what_was_revoked_behind_a_lost_channel_is_found_when_it_is_back(
    place: Path, own_postgres: PostgresProcess
) -> None:
    async with running(place, own_postgres.url) as part:
        secret = await make(part, "app", "supervisor:read")
        assert await part.status("/v1/supervisor/tree", secret) == 200
        await trio.to_thread.run_sync(own_postgres.stop)
        await trio.to_thread.run_sync(own_postgres.start)
        await trio.to_thread.run_sync(
            own_postgres.psql,
            "begin; alter table rustok_tokens disable trigger all; delete from rustok_tokens where name = 'app'; commit",
        )
        await part.until_status("/v1/supervisor/tree", 401, secret)


async def test_a_database_that_comes_late_gives_its_tokens_late(place: Path, own_postgres: PostgresProcess) -> None:
    await trio.to_thread.run_sync(own_postgres.kill)
    async with running(place, own_postgres.url, WITH_DATABASE) as part:
        assert not (place / "token").exists()
        assert await part.status("/v1/tokens", "rst_whatever") == 503
        async with part.local() as local:
            assert (await local.get("/v1/supervisor/tree")).status_code == 200, "our own user needs no token"
        await trio.to_thread.run_sync(own_postgres.start)
        with trio.fail_after(15):
            while not (place / "token").exists():
                await trio.sleep(0.05)
        await part.until_status("/v1/tokens", 200, part.token)


async def test_with_metrics_token_the_metrics_want_one(place: Path, url: str) -> None:
    async with running(place, url, http__metrics_token="true") as part:
        assert await part.status("/metrics") == 401
        assert await part.status("/metrics", part.token) == 200
        async with part.client(part.token) as http:
            document = (await http.get("/openapi.json")).json()
        assert document["paths"]["/metrics"]["get"]["x-scope"] == "supervisor:read"


async def test_without_metrics_there_is_no_such_route(place: Path, url: str) -> None:
    async with running(place, url, telemetry__metrics="false") as part, part.client() as http:
        assert await part.status("/metrics") == 404
        assert "/metrics" not in (await http.get("/openapi.json")).json()["paths"]
