"""The bounded store: never more than it may hold, never an alias without its entry, the unused go first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.identities import Identity
from actors.messages import Resolution, Source, Verdict
from actors.tenant_resolver.entries import Entries, Entry

NAMES = [Identity("slug", letter) for letter in "abcdefgh"]
ANSWER = Resolution(Verdict.UNKNOWN, Source.NEGATIVE)


def entry(*names: Identity) -> Entry:
    return Entry(names, ANSWER, ANSWER, fresh_until=1.0, stale_until=1.0, epoch=0)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)),
            st.tuples(st.just("drop"), st.lists(st.sampled_from(NAMES), min_size=1, max_size=1)),
            st.tuples(st.just("use"), st.lists(st.sampled_from(NAMES), min_size=1, max_size=1)),
        )
    )
)
def test_bounded_and_whole(steps: list[tuple[str, list[Identity]]]) -> None:
    entries = Entries(5)
    for word, names in steps:
        if word == "put":
            made = entry(*names)
            entries.put(made)
            assert all(entries.by_identity[name] is made for name in names)
        elif word == "drop":
            gone = entries.by_identity.get(names[0])
            entries.drop(names[0])
            assert gone is None or not set(gone.identities) & entries.by_identity.keys()
        elif names[0] in entries.by_identity:
            entries.by_identity[names[0]].used = True
        assert len(entries) <= 5
        for name, found in entries.by_identity.items():
            assert name in found.identities
            assert all(entries.by_identity[alias] is found for alias in found.identities)


def test_what_was_used_stays_longer() -> None:
    entries = Entries(3)
    for name in NAMES[:3]:
        entries.put(entry(name))
    entries.by_identity[NAMES[0]].used = True
    entries.put(entry(NAMES[3]))
    assert set(entries.by_identity) == {NAMES[0], NAMES[2], NAMES[3]}
    assert entries.evictions == 1


def test_replacing_is_no_eviction() -> None:
    entries = Entries(3)
    for _ in range(10):
        entries.put(entry(*NAMES[:3]))
    assert (len(entries), entries.evictions) == (3, 0)
