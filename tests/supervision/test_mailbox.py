"""A mailbox alone: order, bound, each overflow policy, senders that wait, letters set aside; beside a model of lists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from rustok_daemon.supervision.errors import ActorUnavailable, Fenced, MailboxFull
from rustok_daemon.supervision.mailbox import Mailbox
from rustok_daemon.supervision.refs import IncarnationFence
from rustok_daemon.supervision.replies import PendingReply
from rustok_daemon.supervision.specs import Overflow
from tests.supervision.conftest import run_jumping
from tests.supervision.stage import settle


class Post:
    """A mailbox and the letters nobody took."""

    def __init__(self, capacity: int, overflow: Overflow) -> None:
        self.dead: list[object] = []
        self.mailbox = Mailbox("clerk", capacity, overflow, lambda message, reason: self.dead.append(message))
        self.mailbox.open()

    def take(self) -> Any:
        letter = self.mailbox.take()
        self.mailbox.admit()
        return None if letter is None else letter[0]

    def take_all(self) -> list[Any]:
        taken = []
        while (message := self.take()) is not None:
            taken.append(message)
        return taken


async def test_reject_says_who_is_full_and_how_much_fits() -> None:
    post = Post(2, Overflow.REJECT)
    post.mailbox.put_nowait(1)
    await post.mailbox.put(2)
    with pytest.raises(MailboxFull, match=r"the mailbox of clerk is full \(2 messages\)"):
        await post.mailbox.put(3)
    assert (post.take_all(), post.dead) == ([1, 2], [])


async def test_drop_oldest_keeps_the_newest() -> None:
    post = Post(2, Overflow.DROP_OLDEST)
    for number in range(5):
        await post.mailbox.put(number)
    assert (post.take_all(), post.dead) == ([3, 4], [0, 1, 2])


async def test_drop_newest_keeps_the_oldest() -> None:
    post = Post(2, Overflow.DROP_NEWEST)
    for number in range(5):
        await post.mailbox.put(number)
    assert (post.take_all(), post.dead) == ([0, 1], [2, 3, 4])


@pytest.mark.parametrize("overflow", [Overflow.DROP_OLDEST, Overflow.DROP_NEWEST])
async def test_a_request_that_is_dropped_is_answered(overflow: Overflow) -> None:
    post, replies = Post(1, overflow), [PendingReply("clerk", 1), PendingReply("clerk", 1)]
    for reply in replies:
        post.mailbox.put_nowait("request", reply)
    dropped = replies[0 if overflow is Overflow.DROP_OLDEST else 1]
    with pytest.raises(MailboxFull):
        await dropped.wait()


async def test_those_that_wait_get_in_in_the_order_they_came_and_nobody_passes_them() -> None:
    """Once a sender that came later took the room that one was woken for."""
    post = Post(1, Overflow.WAIT)
    post.mailbox.put_nowait(0)
    async with trio.open_nursery() as nursery:
        for number in (1, 2, 3):
            nursery.start_soon(post.mailbox.put, number)
            await settle()
        taken = [post.take()]
        with pytest.raises(MailboxFull):
            post.mailbox.put_nowait(9)
        await settle()
        taken += [post.take(), post.take(), post.take()]
    assert taken == [0, 1, 2, 3]


async def test_one_that_stops_waiting_leaves_nothing() -> None:
    post = Post(1, Overflow.WAIT)
    post.mailbox.put_nowait(0)
    with trio.move_on_after(1) as scope:
        await post.mailbox.put(1)
    assert scope.cancelled_caught
    assert post.take_all() == [0]


async def test_those_that_wait_are_told_when_it_closes_and_wait_on_over_a_restart() -> None:
    post, told = Post(1, Overflow.WAIT), []
    post.mailbox.put_nowait(0)

    async def send(number: int) -> None:
        try:
            await post.mailbox.put(number)
        except ActorUnavailable as error:
            told.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, 1)
        await settle()
        post.mailbox.open()
        assert post.take() == 0
        nursery.start_soon(send, 2)
        await settle()
        post.mailbox.close("it is stopping")
    assert told == ["clerk is not available: it is stopping"]
    assert post.dead == [1]


async def test_one_that_is_abandoned_while_it_waits_does_not_get_in() -> None:
    post, fence = Post(1, Overflow.WAIT), IncarnationFence("zombie")
    post.mailbox.put_nowait(0)
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            with pytest.raises(Fenced, match="zombie was abandoned"):
                await post.mailbox.wait_for_room(1, fence=fence)

        nursery.start_soon(send)
        await settle()
        nursery.start_soon(post.mailbox.put, 2)
        await settle()
        fence.raised = True
        assert post.take_all() == [0, 2]


async def test_more_room_lets_those_that_wait_in() -> None:
    post = Post(1, Overflow.WAIT)
    post.mailbox.put_nowait(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(post.mailbox.put, 1)
        await settle()
        post.mailbox.respecify(5, Overflow.REJECT)
    assert post.take_all() == [0, 1]


async def test_letters_set_aside_count_keep_their_age_and_come_back_in_order() -> None:
    post = Post(3, Overflow.REJECT)
    for message in ("a", 1, "b"):
        post.mailbox.put_nowait(message)
    for _ in range(2):
        letter = post.mailbox.take()
        assert letter is not None
        post.mailbox.set_aside(letter)
    assert len(post.mailbox) == 3
    oldest = post.mailbox.oldest_age()
    with pytest.raises(MailboxFull):
        post.mailbox.put_nowait("c")
    assert post.mailbox.oldest_age() >= oldest > 0
    post.mailbox.open()
    assert post.take_all() == ["a", 1, "b"]
    assert post.mailbox.oldest_age() == 0


# -- beside a model ------------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.just(("put",)),
        st.just(("send",)),
        st.just(("take",)),
        st.just(("aside",)),
        st.just(("take aside",)),
        st.just(("restart",)),
        st.tuples(st.just("give up"), st.integers(0, 5)),
        st.tuples(st.just("resize"), st.integers(1, 4)),
    ),
    max_size=40,
)


class Trial:
    """What is done to a mailbox, done to lists too."""

    def __init__(self, capacity: int, overflow: Overflow, nursery: trio.Nursery) -> None:
        self.post = Post(capacity, overflow)
        self.nursery = nursery
        self.capacity = capacity
        self.overflow = overflow
        self.queue: list[int] = []
        self.aside: list[int] = []
        self.waiting: list[tuple[int, trio.CancelScope]] = []
        self.dead: list[int] = []
        self.sent = 0

    async def step(self, name: str, *arguments: int) -> None:
        method: Callable[..., Awaitable[None]] = getattr(self, name.replace(" ", "_"))
        await method(*arguments)
        await settle()
        assert len(self.post.mailbox) == len(self.queue) + len(self.aside)
        assert self.post.dead == self.dead
        assert [letter[0] for letter in self.post.mailbox.waiting.values()] == [each for each, _ in self.waiting]

    @property
    def full(self) -> bool:
        return len(self.queue) + len(self.aside) >= self.capacity

    def number(self) -> int:
        self.sent += 1
        return self.sent

    def make_room(self, number: int) -> bool:
        """For one more; the model's overflow policy."""
        if not self.full:
            return True
        if self.overflow is Overflow.DROP_OLDEST:
            self.dead.append((self.aside or self.queue).pop(0))
            return True
        if self.overflow is Overflow.DROP_NEWEST:
            self.dead.append(number)
        return False

    def admit(self) -> None:
        while self.waiting and not self.full:
            self.queue.append(self.waiting.pop(0)[0])

    async def put(self) -> None:
        number = self.number()
        refused = self.full and self.overflow in (Overflow.WAIT, Overflow.REJECT)
        if refused:
            with pytest.raises(MailboxFull):
                self.post.mailbox.put_nowait(number)
        else:
            self.post.mailbox.put_nowait(number)
            if self.make_room(number):
                self.queue.append(number)

    async def send(self) -> None:
        if self.overflow is not Overflow.WAIT or not self.full:
            await self.put()
            return
        number, scope = self.number(), trio.CancelScope()

        async def wait() -> None:
            with scope:
                await self.post.mailbox.put(number)

        self.nursery.start_soon(wait)
        self.waiting.append((number, scope))

    async def give_up(self, which: int) -> None:
        if which < len(self.waiting):
            self.waiting.pop(which)[1].cancel()

    async def take(self) -> None:
        assert self.post.take() == (self.queue.pop(0) if self.queue else None)
        self.admit()

    async def aside_(self) -> None:
        letter = self.post.mailbox.take()
        assert (letter and letter[0]) == (self.queue[0] if self.queue else None)
        if letter is not None:
            self.post.mailbox.set_aside(letter)
            self.aside.append(self.queue.pop(0))

    async def take_aside(self) -> None:
        letter = self.post.mailbox.take_aside(int)
        assert (letter and letter[0]) == (self.aside.pop(0) if self.aside else None)
        self.admit()

    async def restart(self) -> None:
        self.post.mailbox.open()
        self.queue, self.aside = self.aside + self.queue, []

    async def resize(self, capacity: int) -> None:
        self.post.mailbox.respecify(capacity, self.overflow)
        self.capacity = capacity
        self.admit()


@settings(derandomize=True, database=None, deadline=None, max_examples=150)
@given(st.sampled_from(list(Overflow)), st.integers(1, 4), STEPS)
def test_a_mailbox_does_what_the_model_does(overflow: Overflow, capacity: int, steps: list[Any]) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            trial = Trial(capacity, overflow, nursery)
            for name, *arguments in steps:
                await trial.step("aside_" if name == "aside" else name, *arguments)
            nursery.cancel_scope.cancel()

    run_jumping(main)
