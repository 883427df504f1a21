"""Telling and asking actors in a tree: answers, deadlines, order, what a restart keeps, what is counted."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from rustok_daemon.declarations import Health
from rustok_daemon.supervision.actor import Actor, Message, Request, receive
from rustok_daemon.supervision.errors import ActorUnavailable, AskTimeout, MailboxFull, ReplyError
from rustok_daemon.supervision.refs import IncarnationFence, LocalRef
from rustok_daemon.supervision.specs import ChildSpec, Overflow, State, Strategy, SupervisorSpec
from tests.supervision.conftest import run_jumping
from tests.supervision.stage import PROMPT, Stage, settle


class Note(Message, frozen=True):
    """Handled in turn; ``does``: what the handler does on it."""

    number: int
    does: str = ""


class Aside(Message, frozen=True):
    """Handled two at once; ``late``: written down only at the end; ``shielded``: whatever happens."""

    number: int
    seconds: float = 0.0
    late: bool = False
    shielded: bool = False


class Echo(Request[int], frozen=True):
    """Answered with the number, after so many seconds."""

    number: int
    seconds: float = 0.0


class EchoAside(Request[int], frozen=True):
    """The same, two at once."""

    number: int
    seconds: float = 0.0


class Fails(Request[int], frozen=True):
    """Answered with an error, or by falling."""

    fatally: bool


class Unknown(Request[int], frozen=True):
    """Nobody takes it."""


class NoSuchNumber(ReplyError):
    """An answer."""


class Settings(msgspec.Struct, frozen=True):
    """None."""


class Clerk(Actor[Settings]):
    """Writes down what it is told, for all incarnations in one book."""

    def __init__(self, book: list[int]) -> None:
        super().__init__(Settings())
        self.book = book

    @receive
    async def on_note(self, message: Note) -> None:
        if message.does == "fail":
            raise RuntimeError("blot")
        if message.does in ("sleep", "shield"):
            with trio.CancelScope(shield=message.does == "shield"):
                await trio.sleep(1)
        self.book.append(message.number)

    @receive(concurrent=2)
    async def on_aside(self, message: Aside) -> None:
        if not message.late:
            self.book.append(message.number)
        with trio.CancelScope(shield=message.shielded):
            await trio.sleep(message.seconds)
        if message.late:
            self.book.append(message.number)

    @receive
    async def on_echo(self, message: Echo) -> int:
        if message.seconds:
            await trio.sleep(message.seconds)
        return message.number

    @receive(concurrent=2)
    async def on_echo_aside(self, message: EchoAside) -> int:
        await trio.sleep(message.seconds)
        return message.number

    @receive
    def on_fails(self, message: Fails) -> int:
        if message.fatally:
            raise RuntimeError("blot")
        raise NoSuchNumber("none")

    def health(self) -> Health:
        return Health(status="degraded", reason="ink is low")


class Office:
    """A clerk at work in a tree."""

    def __init__(self, stage: Stage, **keys: Any) -> None:
        self.stage = stage
        self.book: list[int] = []
        clerk = ChildSpec(id="clerk", start=lambda: Clerk(self.book), **{"backoff": PROMPT, **keys})
        children = (clerk, stage.child("other"))
        self.spec = SupervisorSpec(id="root", children=children, strategy=Strategy.ONE_FOR_ALL, intensity=9)

    @property
    def place(self) -> Any:
        return self.stage.tree.registry.places["clerk"]

    @property
    def ref(self) -> LocalRef:
        return LocalRef("clerk", self.stage.tree.registry, IncarnationFence("test"))


# -- asking ------------------------------------------------------------------------------------------------------------


async def test_an_ask_is_answered_and_counted(stage: Stage) -> None:
    office = Office(stage)
    async with stage.running(office.spec):
        assert await office.ref.ask(Echo(7), within=1) == 7
        assert await office.ref.ask(Echo(8, seconds=2), within=5) == 8
        assert office.place.times.count == 2


async def test_an_ask_ends_at_its_deadline_and_a_late_reply_is_dropped_and_counted(stage: Stage) -> None:
    office = Office(stage)
    async with stage.running(office.spec):
        began = trio.current_time()
        with pytest.raises(AskTimeout, match="clerk did not answer within 2 s"):
            await office.ref.ask(Echo(7, seconds=5), within=2)
        assert trio.current_time() - began == pytest.approx(2)
        await settle(4)
        assert office.place.late_replies == 1


async def test_deadlines_are_kept_each_by_itself(stage: Stage) -> None:
    office = Office(stage)
    ended: list[tuple[float, float]] = []

    async def ask(within: float) -> None:
        began = trio.current_time()
        with pytest.raises(AskTimeout):
            await office.ref.ask(Echo(0, seconds=1000), within=within)
        ended.append((within, round(trio.current_time() - began, 6)))

    async with stage.running(office.spec), trio.open_nursery() as nursery:
        for within in (5.0, 0.5, 2.0, 0.5, 7.25):
            nursery.start_soon(ask, within)
            await settle(0.1)
    assert [within for within, _ in ended] == [0.5, 0.5, 2.0, 5.0, 7.25]
    assert all(within == seconds for within, seconds in ended)


async def test_a_request_whose_asker_gave_up_is_not_begun(stage: Stage) -> None:
    office = Office(stage)
    async with stage.running(office.spec), trio.open_nursery() as nursery:
        nursery.start_soon(lambda: office.ref.ask(Echo(1, seconds=3), within=9))
        await settle()
        with pytest.raises(AskTimeout):
            await office.ref.ask(Fails(fatally=True), within=1)
        await settle(5)
        assert stage.state("clerk") is State.RUNNING
        assert office.place.restarts == 0


@pytest.mark.parametrize("within", [math.inf, math.nan])
async def test_an_ask_without_a_deadline_is_refused(stage: Stage, within: float) -> None:
    office = Office(stage)
    async with stage.running(office.spec):
        with pytest.raises(ValueError, match="within must be a finite number of seconds"):
            await office.ref.ask(Echo(1), within=within)
        with pytest.raises(TypeError):
            await office.ref.ask(Echo(1))  # type: ignore[call-arg]


async def test_an_ask_for_which_no_time_is_left_ends_at_once(stage: Stage) -> None:
    office = Office(stage)
    async with stage.running(office.spec):
        with pytest.raises(AskTimeout):
            await office.ref.ask(Echo(1), within=-0.5)


async def test_a_full_mailbox_that_waits_makes_an_ask_wait_within_its_deadline(stage: Stage) -> None:
    office = Office(stage, mailbox=1)
    async with stage.running(office.spec), trio.open_nursery() as nursery:
        nursery.start_soon(lambda: office.ref.ask(Echo(1, seconds=3), within=9))
        await settle()
        office.ref.tell_nowait(Note(1))
        began = trio.current_time()
        with pytest.raises(AskTimeout, match="did not answer within 1 s"):
            await office.ref.ask(Echo(2), within=1)
        assert await office.ref.ask(Echo(2), within=5) == 2
        assert trio.current_time() - began == pytest.approx(3)


async def test_a_full_mailbox_that_rejects_refuses_an_ask_at_once(stage: Stage) -> None:
    office = Office(stage, mailbox=1, overflow=Overflow.REJECT)
    async with stage.running(office.spec), trio.open_nursery() as nursery:
        nursery.start_soon(lambda: office.ref.ask(Echo(1, seconds=3), within=9))
        await settle()
        office.ref.tell_nowait(Note(1))
        with trio.fail_after(0), pytest.raises(MailboxFull):
            await office.ref.ask(Echo(2), within=5)


async def test_what_a_handler_raises_as_its_answer_reaches_the_asker_and_the_actor_lives(stage: Stage) -> None:
    office = Office(stage)
    async with stage.running(office.spec):
        with pytest.raises(NoSuchNumber):
            await office.ref.ask(Fails(fatally=False), within=1)
        assert office.place.restarts == 0


async def test_an_asker_is_told_at_once_when_the_actor_falls(stage: Stage) -> None:
    office = Office(stage)
    async with stage.running(office.spec):
        with (
            trio.fail_after(0.01),
            pytest.raises(ActorUnavailable, match=r"it failed before it answered \(RuntimeError\)"),
        ):
            await office.ref.ask(Fails(fatally=True), within=60)
        await settle(1)
        assert await office.ref.ask(Echo(1), within=1) == 1


@pytest.mark.parametrize("message", [Echo(1, seconds=9), EchoAside(1, seconds=9)])
async def test_an_asker_is_told_at_once_when_the_actor_is_stopped(stage: Stage, message: Request[int]) -> None:
    office, told = Office(stage), []

    async def ask(message: Request[int]) -> None:
        with pytest.raises(ActorUnavailable) as refused:
            await office.ref.ask(message, within=60)
        told.append(str(refused.value))

    async with stage.running(office.spec) as tree, trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(ask, message)
            await settle()
        with trio.fail_after(0.01):
            await tree.stop("clerk")
            await settle()
        assert len(told) == 4
        await ask(Echo(3))
        assert told[-1] == "clerk is not available: it is stopped"


async def test_an_asker_is_told_as_soon_as_the_actor_stops_not_when_all_beside_it_have(stage: Stage) -> None:
    office = Office(stage)
    stage.stop_as["other"] = "3"
    inner = SupervisorSpec(id="inner", children=tuple(reversed(office.spec.children)))
    async with stage.running(SupervisorSpec(id="root", children=(inner,))) as tree, trio.open_nursery() as nursery:

        async def ask() -> None:
            with pytest.raises(ActorUnavailable, match="it is stopp"):
                await office.ref.ask(Echo(2), within=60)

        office.ref.tell_nowait(Note(1, "sleep"))
        await settle()
        nursery.start_soon(tree.stop, "inner")
        with trio.fail_after(0.01):
            await ask()
        await settle()
        with trio.fail_after(0.01):
            await ask()


async def test_what_nobody_takes_is_answered_and_a_dead_letter(stage: Stage) -> None:
    office = Office(stage)
    async with stage.running(office.spec):
        with pytest.raises(ActorUnavailable, match="it takes no Unknown"):
            await office.ref.ask(Unknown(), within=1)
        assert office.place.dead_letters == 1
        assert stage.named("dead_letter")[0].text() == "root/clerk did not take a Unknown: Clerk has no handler for it"


@pytest.mark.parametrize("id", ["nobody", "root"])
async def test_an_address_that_is_nobodys_says_so(stage: Stage, id: str) -> None:
    async with stage.running(Office(stage).spec) as tree:
        ref = LocalRef(id, tree.registry, IncarnationFence("test"))
        with pytest.raises(ActorUnavailable, match=f"{id} is not available"):
            ref.tell_nowait(Note(1))


async def test_an_address_follows_its_actor_over_removal_and_return(stage: Stage) -> None:
    office = Office(stage)
    async with stage.running(office.spec) as tree:
        ref = office.ref
        assert await ref.ask(Echo(1), within=1) == 1
        await tree.stop("clerk")
        await tree.root.delete_child("clerk")
        with pytest.raises(ActorUnavailable):
            await ref.ask(Echo(2), within=1)
        await tree.root.replace(office.spec.children[0])
        assert await ref.ask(Echo(3), within=1) == 3


# -- what a restart keeps ------------------------------------------------------------------------------------------------------


async def test_messages_sent_during_backoff_are_handled_after_it(stage: Stage) -> None:
    office = Office(stage)
    async with stage.running(office.spec):
        office.ref.tell_nowait(Note(0, "fail"))
        await settle()
        assert stage.state("clerk") is State.BACKOFF
        office.ref.tell_nowait(Note(1))
        assert await office.ref.ask(Echo(2), within=1) == 2
        assert office.book == [1]


async def test_a_restart_loses_the_message_in_hand_and_no_other(stage: Stage) -> None:
    office = Office(stage)
    async with stage.running(office.spec):
        for number in range(100):
            office.ref.tell_nowait(Note(number, "fail" if number == 50 else ""))
        await settle(1)
        assert office.book == [number for number in range(100) if number != 50]
        assert office.place.dead_letters == 0


@pytest.mark.parametrize("how", ["own failure", "sibling", "call"])
async def test_letters_that_wait_for_a_free_handler_outlive_a_restart(stage: Stage, how: str) -> None:
    """Once they were lost with the incarnation that had taken them out of the mailbox, and nobody counted them."""
    office = Office(stage)
    async with stage.running(office.spec) as tree:
        for number in range(10):
            office.ref.tell_nowait(Aside(number, seconds=5))
        await settle()
        assert office.book == [0, 1], "two are in hand"
        assert len(office.place.mailbox) == 8
        if how == "own failure":
            office.ref.tell_nowait(Note(99, "fail"))
        elif how == "sibling":
            stage["other"].do("fail")
        else:
            await tree.restart("clerk")
        await settle(100)
        assert office.book == list(range(10))
        assert office.place.dead_letters == 0


async def test_a_handler_that_survives_the_end_of_its_incarnation_is_not_given_the_next_letter(stage: Stage) -> None:
    office = Office(stage)
    async with stage.running(office.spec):
        for number in range(6):
            office.ref.tell_nowait(Aside(number, seconds=1, late=True, shielded=number < 2))
        await settle(0.5)
        stage["other"].do("fail")
        await settle(100)
        assert sorted(office.book) == list(range(6))
        assert stage.numbers("other") == [1]


async def test_a_group_restart_takes_no_message_from_the_middle_of_a_batch(stage: Stage) -> None:
    """A handler that survives its cancellation used to be followed by the next, which did not."""
    office = Office(stage)
    async with stage.running(office.spec):
        for number in range(10):
            office.ref.tell_nowait(Note(number, "shield" if number == 2 else "sleep"))
        await settle(2.5)
        stage["other"].do("fail")
        await settle(100)
        assert office.book == list(range(10))


async def test_messages_outlive_the_restart_of_the_supervisor_above(stage: Stage) -> None:
    office = Office(stage)
    inner = msgspec.structs.replace(office.spec, id="inner", intensity=0, backoff=PROMPT)
    async with stage.running(SupervisorSpec(id="root", children=(inner,))):
        for number in range(10):
            office.ref.tell_nowait(Note(number, "fail" if number == 3 else ""))
        await settle()
        office.ref.tell_nowait(Note(10))
        await settle(1)
        assert office.book == [0, 1, 2, *range(4, 11)]
        assert office.place.dead_letters == 0


async def test_when_the_supervisor_above_ends_for_good_so_do_they(stage: Stage) -> None:
    office = Office(stage)
    inner = msgspec.structs.replace(office.spec, id="inner", intensity=0)
    async with stage.running(SupervisorSpec(id="root", children=(inner,), intensity=0)):
        for number in range(10):
            office.ref.tell_nowait(Note(number, "fail" if number == 3 else ""))
        await settle()
        await stage.outcome()
        assert office.place.dead_letters == 6
        with pytest.raises(ActorUnavailable):
            office.ref.tell_nowait(Note(11))


async def test_an_actor_that_is_stopped_leaves_dead_letters_counted_and_logged_a_few_times(stage: Stage) -> None:
    office = Office(stage)
    async with stage.running(office.spec) as tree:
        office.ref.tell_nowait(Note(0, "sleep"))
        await settle()
        for number in range(30):
            office.ref.tell_nowait(Note(number))
        await tree.stop("clerk")
        assert office.place.dead_letters == 30
        assert len(stage.named("dead_letter")) == 10
        assert "further ones are only counted for 5 min" in stage.named("dead_letter")[-1].text()


@settings(derandomize=True, database=None, deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(["tell", "tell", "aside", "fail", "sibling", "restart", "pause"]), max_size=30),
    st.integers(1, 5),
)
def test_nothing_is_lost_or_handled_twice_over_any_restarts(steps: list[str], capacity: int) -> None:
    async def main() -> None:
        stage = Stage()
        office = Office(stage, mailbox=capacity)
        office.spec = msgspec.structs.replace(office.spec, intensity=1000)
        told: list[int] = []
        async with stage.running(office.spec) as tree:
            for number, step in enumerate(steps):
                if step in ("tell", "aside"):
                    message = Note(number) if step == "tell" else Aside(number)
                    await office.ref.tell(message)
                    told.append(number)
                elif step == "fail":
                    await office.ref.tell(Note(number, "fail"))
                elif step == "sibling" and stage.state("other") is State.RUNNING:
                    stage["other"].do("fail")
                elif step == "restart":
                    await tree.restart("clerk")
                else:
                    await settle()
            await settle(1)
            in_turn = [number for number in told if steps[number] == "tell"]
            assert [number for number in office.book if steps[number] == "tell"] == in_turn
            assert sorted(office.book) == told
            assert office.place.dead_letters == 0

    run_jumping(main)


# -- health ------------------------------------------------------------------------------------------------------------------


async def test_an_actors_own_word_and_its_silence_show_as_degraded(stage: Stage) -> None:
    office = Office(stage)
    async with stage.running(office.spec, pulse=5.0) as tree:
        node = tree.snapshot()["children"][0]
        assert node["state"] == "running"
        await settle(5)
        node = tree.snapshot()["children"][0]
        assert (node["state"], node["reason"]) == ("degraded", "ink is low")
        office.ref.tell_nowait(Aside(1))
        with pytest.raises(AskTimeout):
            await office.ref.ask(Echo(1, seconds=60), within=1)
        await settle(8)
        node = tree.snapshot()["children"][0]
        assert node["reason"] == "clerk did not answer within 2 s"
        assert node["mailbox"]["depth"] == 1, "the question after its health"
