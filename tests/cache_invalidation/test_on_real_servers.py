"""The listener in its tree, between real servers: psql changes what it likes, servers die, freeze and come back."""

from __future__ import annotations

import pytest
import trio

from actors.identities import Identity
from rustok_daemon.supervision.errors import FatalExit
from tests.cache_invalidation.conftest import TenantDatabase
from tests.cache_invalidation.daemons import Listening, listening
from tests.cache_invalidation.seams import GAP
from tests.redis_servers import RedisProcess

pytestmark = pytest.mark.timeout(60)

TERMINATE_ALL = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where datname = current_database() and pid <> pg_backend_pid()"
)


def slug(value: str) -> Identity:
    return Identity("slug", value)


def host(value: str) -> Identity:
    return Identity("host", value)


async def changed(tenants: TenantDatabase, sql: str) -> str:
    return await trio.to_thread.run_sync(tenants.psql, sql)


async def test_d08_an_update_typed_into_psql_is_applied_within_100_ms(tenants: TenantDatabase) -> None:
    id = tenants.add("demo", "old.example")
    async with listening(tenants.url) as daemon:
        await daemon.until_healthy("postgres")
        await changed(tenants, "update tenants set domain = 'new.example'")
        waited = await daemon.until_named(host("old.example"), host("new.example"), slug("demo"), Identity("uuid", id))
        assert waited < 0.1
        assert daemon.metric("rustok_invalidation_messages_total", channel="postgres") == 1


async def test_d29_a_tenant_made_in_psql_clears_its_negative_entries(tenants: TenantDatabase) -> None:
    async with listening(tenants.url) as daemon:
        await daemon.until_healthy("postgres")
        await trio.to_thread.run_sync(tenants.add, "fresh", "fresh.example")
        await daemon.until_named(slug("fresh"), host("fresh.example"))


async def test_delete_truncate_and_bulk_are_heard(tenants: TenantDatabase) -> None:
    tenants.add("gone")
    async with listening(tenants.url) as daemon:
        await daemon.until_healthy("postgres")
        await changed(tenants, "delete from tenants")
        await daemon.until_named(slug("gone"))
        many = "insert into tenants (id, name, slug) select gen_random_uuid(), 'x', 's' || n from generate_series(1, 101) n"
        await changed(tenants, many)
        await daemon.until(lambda: daemon.directory.calls[-1] is None)
        await changed(tenants, "truncate tenants cascade")
        await daemon.until(lambda: daemon.directory.calls[-2:] == [None, None])


async def test_d09_a_listening_connection_that_is_killed_is_made_again(tenants: TenantDatabase) -> None:
    tenants.add("demo")
    async with listening(tenants.url) as daemon:
        await daemon.until_healthy("postgres")
        before = len(daemon.directory.calls)
        await changed(tenants, TERMINATE_ALL)
        with trio.fail_after(5):
            await daemon.until(lambda: daemon.directory.calls[before:][:2] == [GAP, GAP])
            await daemon.until_healthy("postgres")
        await changed(tenants, "update tenants set name = 'x'")
        await daemon.until_named(slug("demo"))
        assert daemon.node()["restarts"]["total"] == 0


async def test_d09_a_restarted_postgres_is_listened_to_again(own_tenants: TenantDatabase) -> None:
    own_tenants.add("demo")
    async with listening(own_tenants.url) as daemon:
        await daemon.until_healthy("postgres")
        await trio.to_thread.run_sync(own_tenants.server.stop)
        with trio.fail_after(5):
            await daemon.until(lambda: daemon.status("postgres") == 3)
        assert daemon.node()["state"] == "degraded"
        await trio.to_thread.run_sync(own_tenants.server.start)
        with trio.fail_after(10):
            await daemon.until_healthy("postgres")
        assert daemon.directory.calls[-1] is GAP
        await changed(own_tenants, "update tenants set name = 'x'")
        await daemon.until_named(slug("demo"))


async def test_d09_a_frozen_postgres_is_found_by_the_heartbeat(own_tenants: TenantDatabase) -> None:
    async with listening(own_tenants.url) as daemon:
        await daemon.until_healthy("postgres")
        own_tenants.server.freeze()
        frozen_at = trio.current_time()
        with trio.fail_after(10):
            await daemon.until(lambda: daemon.status("postgres") == 3)
        assert trio.current_time() - frozen_at < 7.5
        assert daemon.directory.calls[-1] is GAP
        own_tenants.server.thaw()
        with trio.fail_after(10):
            await daemon.until_healthy("postgres")


async def test_missing_triggers_are_degraded_until_they_are_made(tenants: TenantDatabase) -> None:
    tenants.psql("alter table tenants disable trigger rustok_update")
    async with listening(tenants.url) as daemon:
        await daemon.until(lambda: daemon.status("postgres") == 3)
        assert daemon.node()["state"] == "degraded"
        tenants.psql("alter table tenants enable trigger rustok_update")
        with trio.fail_after(5):
            await daemon.until_healthy("postgres")


async def test_d08_both_of_rustoks_messages_are_applied(tenants: TenantDatabase, redis_server: RedisProcess) -> None:
    async with listening(tenants.url, redis_server.url) as daemon:
        await daemon.until_healthy("postgres", "redis")
        await daemon.until(lambda: daemon.directory.calls == [GAP, GAP])
        redis_server.publish("tenant.cache.invalidate", "tenant:v1:slug:demo|tenant_negative:v1:slug:demo")
        await daemon.until_named(slug("demo"))
        one = Identity("uuid", "00000000-0000-0000-0000-000000000001")
        redis_server.publish("tenant.cache.generation.v1", f"v1:7:1700000000000:{one.value.encode().hex()}")
        await daemon.until_named(one)
        redis_server.publish("tenant.cache.generation.v1", "v1:8:1700000000001:2a")
        await daemon.until(lambda: daemon.directory.calls[-1] is None)


async def test_d28_garbage_on_redis_is_counted_and_harms_nothing(
    tenants: TenantDatabase, redis_server: RedisProcess
) -> None:
    async with listening(tenants.url, redis_server.url) as daemon:
        await daemon.until_healthy("postgres", "redis")
        for payload in ("", "x" * 1_000_000, "tenant:v1:slug:*|tenant_negative:v1:slug:*", "v1:1:1:2a"):
            redis_server.publish("tenant.cache.invalidate", payload)
        redis_server.publish("tenant.cache.invalidate", "tenant:v1:slug:a|tenant_negative:v1:slug:a")
        await daemon.until_named(slug("a"))
        assert daemon.metric("rustok_cache_invalidation_rejected_total", channel="redis") == 4
        assert daemon.node()["restarts"]["total"] == 0


async def test_d20_a_redis_that_stops_and_comes_back_costs_one_gap(
    tenants: TenantDatabase, redis_server: RedisProcess
) -> None:
    async with listening(tenants.url, redis_server.url) as daemon:
        await daemon.until_healthy("postgres", "redis")
        before = len(daemon.directory.calls)
        redis_server.stop()
        with trio.fail_after(5):
            await daemon.until(lambda: daemon.status("redis") == 3)
        assert daemon.directory.calls[before:] == []
        redis_server.start()
        with trio.fail_after(10):
            await daemon.until_healthy("redis")
        assert daemon.directory.calls[before:] == [GAP]
        redis_server.publish("tenant.cache.invalidate", "tenant:v1:slug:a|tenant_negative:v1:slug:a")
        await daemon.until_named(slug("a"))


async def test_d09_a_frozen_redis_is_found_by_the_heartbeat_and_stop_is_quick(
    tenants: TenantDatabase, redis_server: RedisProcess
) -> None:
    async with listening(tenants.url, redis_server.url) as daemon:
        await daemon.until_healthy("postgres", "redis")
        redis_server.freeze()
        frozen_at = trio.current_time()
        with trio.fail_after(10):
            await daemon.until(lambda: daemon.status("redis") == 3)
        assert trio.current_time() - frozen_at < 7.5
        tenants.add("meanwhile")
        await daemon.until_named(slug("meanwhile"))
        stopped_at = trio.current_time()
    assert trio.current_time() - stopped_at < 3


async def test_one_of_two_daemons_publishes(tenants: TenantDatabase, redis_server: RedisProcess) -> None:
    tenants.add("demo", "old.example")
    async with (
        listening(tenants.url, redis_server.url) as first,
        listening(tenants.url, redis_server.url) as second,
    ):
        for daemon in (first, second):
            await daemon.until_healthy("postgres", "redis")
        await changed(tenants, "update tenants set domain = 'new.example'")
        with trio.fail_after(5):
            await second.until(lambda: published(first) + published(second) == 4)
        for daemon in (first, second):
            await daemon.until(lambda daemon=daemon: heard_on_redis(daemon) == 4)
        assert {published(first), published(second)} == {0, 4}


async def test_a_publisher_that_died_is_followed_by_one_that_says_it_again(
    tenants: TenantDatabase, redis_server: RedisProcess
) -> None:
    async with listening(tenants.url, redis_server.url) as first:
        await first.until_healthy("postgres", "redis")
        await trio.sleep(0.1)
        async with listening(tenants.url, redis_server.url) as second:
            await second.until_healthy("postgres", "redis")
            tenants.add("demo")
            with trio.fail_after(5):
                await first.until(lambda: published(first) == 2)
            await first.tree.stop("cache_invalidation")
            with trio.fail_after(5):
                await second.until(lambda: published(second) == 2)
            tenants.add("other")
            with trio.fail_after(5):
                await second.until(lambda: published(second) == 4)


async def test_the_publisher_hears_itself_and_does_not_loop(
    tenants: TenantDatabase, redis_server: RedisProcess
) -> None:
    async with listening(tenants.url, redis_server.url) as daemon:
        await daemon.until_healthy("postgres", "redis")
        tenants.add("demo")
        with trio.fail_after(5):
            await daemon.until(lambda: heard_on_redis(daemon) == 2)
        redis_server.publish("tenant.cache.invalidate", "tenant:v1:slug:a|tenant_negative:v1:slug:a")
        await daemon.until(lambda: heard_on_redis(daemon) == 3)
        tenants.add("other")
        await daemon.until(lambda: heard_on_redis(daemon) == 5)
        assert published(daemon) == 4, "each change once, and nothing for what was heard"


async def test_a_redis_cluster_ends_the_daemon_with_78(tenants: TenantDatabase) -> None:
    with RedisProcess.running("--cluster-enabled", "yes") as server:
        with pytest.raises(ExceptionGroup) as ended, trio.fail_after(10):
            async with listening(tenants.url, server.url):
                await trio.sleep_forever()
        assert ended.group_contains(FatalExit, match="Redis Cluster")


async def test_status_tells_the_position_and_redis_off_is_off(tenants: TenantDatabase) -> None:
    async with listening(tenants.url) as daemon:
        await daemon.until_healthy("postgres")
        assert daemon.status("redis") == 0
        assert daemon.node()["state"] == "running"


def published(daemon: Listening) -> int:
    return int(daemon.metric("rustok_cache_invalidation_redis_publish_success_total"))


def heard_on_redis(daemon: Listening) -> int:
    return int(daemon.metric("rustok_invalidation_messages_total", channel="redis"))
