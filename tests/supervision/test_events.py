"""What is told of the tree: each event as one line and as plain data, and the snapshot (OTP's C10)."""

from __future__ import annotations

import json

import pytest
import trio
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from rustok_daemon.supervision import events
from rustok_daemon.supervision.actor import Context
from rustok_daemon.supervision.events import Event
from rustok_daemon.supervision.specs import ChildSpec, Strategy, SupervisorSpec
from rustok_daemon.supervision.tree import Tree
from tests.supervision.stage import PROMPT, Stage, settle

TEXTS: list[tuple[Event, str]] = [
    (events.ChildStarted(path="root/a", seconds=0.25), "root/a started in 0.250 s"),
    (events.ChildStopped(path="root/a"), "root/a stopped"),
    (events.ChildEnded(path="root/a"), "root/a ended by itself"),
    (
        events.ChildFailed(path="root/a", error="OSError: no", while_starting=True, traceback="…"),
        "root/a failed to start: OSError: no",
    ),
    (
        events.RestartPlanned(path="root/a", delay=0.1, restarts=2, intensity=3, period=5.0),
        "root/a is restarted in 0.10 s (restart 2 of 3 in 5 s)",
    ),
    (
        events.SupervisorGaveUp(path="root", child="a", rule="failed to start child", error="OSError: no"),
        "root gives up: failed to start child by child 'a': OSError: no",
    ),
    (
        events.ChildAbandoned(path="root/a", seconds=5.0),
        "root/a ignored being cancelled for 5 s and is abandoned; all it holds is fenced off",
    ),
    (events.StopFailed(path="root/a", error="OSError: no"), "root/a raised while it was being stopped: OSError: no"),
    (
        events.DeadLetter(path="root/a", message="Note", reason="it is stopped", silenced=True),
        "root/a did not take a Note: it is stopped; further ones are only counted for 5 min",
    ),
]


@pytest.mark.parametrize(("event", "text"), TEXTS, ids=lambda value: value.name if isinstance(value, Event) else "")
def test_c10_an_event_is_one_line_and_plain_data(event: Event, text: str) -> None:
    assert event.text() == text
    told = json.loads(json.dumps(event.to_dict()))
    assert told["event"] == event.name
    assert told["path"] == event.path
    assert event.level in ("info", "warning", "error")


def test_every_event_is_told_here() -> None:
    assert {type(event) for event, _ in TEXTS} == set(Event.__subclasses__())


async def test_the_snapshot_says_of_each_node_where_it_stands_and_why(stage: Stage) -> None:
    inner = SupervisorSpec(id="inner", children=stage.children("b"), strategy=Strategy.ONE_FOR_ALL, backoff=PROMPT)
    async with stage.running(SupervisorSpec(id="root", children=(stage.child("a"), inner))) as tree:
        await stage.do("b", "fail")
        root = json.loads(json.dumps(tree.snapshot()))
        assert (root["id"], root["path"], root["kind"], root["state"]) == ("root", "root", "supervisor", "running")
        a, inner_node = root["children"]
        (b,) = inner_node["children"]
        assert (a["state"], a["restarts"], a["last_error"]) == ("running", {"window": 0, "total": 0}, None)
        assert b["path"] == "root/inner/b"
        assert (b["state"], b["restarts"]) == ("backoff", {"window": 1, "total": 1})
        assert b["backoff_left_ms"] == pytest.approx(100)
        assert (b["last_error"]["type"], b["last_error"]["message"]) == ("Broken", "told to")
        assert b["score"] == pytest.approx(1)
        await settle(30)
        assert tree.snapshot()["children"][1]["children"][0]["score"] == pytest.approx(0.5)


async def test_the_metrics_of_the_tree_can_be_scraped(stage: Stage) -> None:
    from prometheus_client import generate_latest

    registry = CollectorRegistry()
    tree = Tree(SupervisorSpec(id="root", children=stage.children("a")), registry=registry)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tree.run)
        await tree.started.wait()
        families = {each.name: each for each in text_string_to_metric_families(generate_latest(registry).decode())}
        tree.request_stop(1)
    assert {sample.labels["actor"] for sample in families["rustok_actor_state"].samples} == {"root", "a"}
    assert families["rustok_actor_mailbox_capacity"].samples[0].value == 1000
    assert families["rustok_actor_message_seconds"].type == "histogram"


async def test_a_keyboard_interrupt_is_nobodys_failure_and_ends_all(stage: Stage) -> None:
    class Interrupted:
        async def run(self, context: Context) -> None:
            context.ready()
            await trio.sleep(1)
            raise KeyboardInterrupt

    children = (stage.child("a"), ChildSpec(id="b", start=Interrupted), stage.child("c"))
    tree = Tree(SupervisorSpec(id="root", children=children))
    with pytest.raises(BaseExceptionGroup) as raised:
        await tree.run()
    assert raised.value.subgroup(KeyboardInterrupt) is not None
    assert raised.value.split(KeyboardInterrupt)[1] is None
    assert stage.puppets() == []
