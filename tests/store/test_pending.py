"""Pending entries against a plain dict, and what they hold against what CPython says."""

from __future__ import annotations

import random
from sys import getsizeof

import pytest

from pycache_server.store.groups import Consumer, Group
from pycache_server.store.pending import Pending
from pycache_server.store.pending_chunk import FULL
from pycache_server.store.stream_id import LARGEST_ID, SEQ_BITS

MS = 1 << SEQ_BITS


class Actor:
    """Does the same to pending entries and to a model of them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.group = Group()
        self.pending = self.group.pending
        self.model: dict[int, tuple[Consumer, int, int]] = {}
        count = self.chance.choice([1, 3, 300])
        self.consumers = [self.group.add_consumer(b"%d" % number, 0) for number in range(count)]
        self.steps = self.chance.choice([[1], [MS], [1, MS, 5 * MS], [1, MS, 1 << 33, MS << 33, MS << 40]])

    def step(self) -> None:
        actions = [self.append] * 6 + [self.remove, self.remove, self.change, self.insert, self.read, self.leave]
        self.chance.choice(actions)()

    def some_id(self) -> int:
        if self.model and self.chance.random() < 0.8:
            return min(max(self.chance.choice(list(self.model)) + self.chance.choice([-1, 0, 0, 0, 1]), 0), LARGEST_ID)
        return self.chance.randrange(max(self.model, default=0) + MS)

    def put(self, number: int) -> None:
        consumer, time = self.chance.choice(self.consumers), self.chance.randrange(1 << 41)
        count = self.chance.choice([1, 1, 1, 2, 65535, 65536, 2**63 - 1])
        self.pending.add(number, consumer, time, count)
        self.model[number] = consumer, time, count

    def append(self) -> None:
        for _ in range(self.chance.choice([1, 10, 100])):
            self.put(
                min(
                    max(self.model, default=self.chance.randrange(10 * MS)) + self.chance.choice(self.steps), LARGEST_ID
                )
            )

    def insert(self) -> None:
        for _ in range(self.chance.choice([1, 20])):
            self.put(self.some_id())

    def change(self) -> None:
        for number in self.chance.sample(list(self.model), min(len(self.model), 20)):
            self.put(number)

    def remove(self) -> None:
        numbers = [self.some_id() for _ in range(self.chance.choice([1, 5, 100]))]
        if self.chance.random() < 0.3:
            numbers = sorted(self.model)[: self.chance.choice([5, 300])]
        for number in numbers:
            assert (self.pending.get(number) is None) == (number not in self.model)
            assert self.pending.remove(number) == (self.model.pop(number, None) is not None)

    def leave(self) -> None:
        """A consumer goes away, and another comes."""
        if self.chance.random() < 0.7:
            return
        place = self.chance.randrange(len(self.consumers))
        consumer = self.consumers[place]
        gone = [number for number, entry in self.model.items() if entry[0] is consumer]
        assert self.group.remove_consumer(consumer) == len(gone)
        for number in gone:
            del self.model[number]
        self.consumers[place] = self.group.add_consumer(consumer.name, 0)

    def read(self) -> None:
        start, end = self.some_id(), self.some_id()
        consumer = self.chance.choice([None, *self.consumers[:5]])
        found = [
            (entry.id, (entry.consumer, entry.time, entry.deliveries))
            for entry in self.pending.range(start, end, consumer)
        ]
        assert found == [
            (number, entry)
            for number, entry in sorted(self.model.items())
            if start <= number <= end and consumer in (None, entry[0])
        ]

    def check(self) -> None:
        self.group._check()
        found = [(entry.id, (entry.consumer, entry.time, entry.deliveries)) for entry in self.pending.range()]
        assert found == sorted(self.model.items(), key=lambda item: item[0])
        if self.model:
            assert (self.pending.first(), self.pending.last()) == (min(self.model), max(self.model))


@pytest.mark.parametrize("seed", range(20))
def test_pending_entries_are_what_a_dict_would_hold(seed: int) -> None:
    actor = Actor(seed)
    for _ in range(40):
        actor.step()
        actor.check()
    twin = actor.group.copy()
    twin._check()
    assert [(entry.id, entry.consumer.name) for entry in twin.pending.range()] == [
        (number, entry[0].name) for number, entry in sorted(actor.model.items(), key=lambda item: item[0])
    ]
    while actor.group.free(50):
        pass
    assert len(actor.group) == 0
    twin._check()


def test_entries_may_be_removed_while_they_are_read() -> None:
    pending, consumer = Pending(), Consumer(b"c", 0)
    for number in range(1000):
        pending.add(number * MS, consumer, 5)
    seen = []
    for entry in pending.range():
        seen.append(entry.id)
        assert pending.remove(entry.id)
    assert seen == [number * MS for number in range(1000)]
    assert pending.length == consumer.pending == 0


def test_more_consumers_than_a_byte_can_tell_share_a_chunk_one_after_the_other() -> None:
    pending = Pending()
    consumers = [Consumer(b"%d" % number, 0) for number in range(1000)]
    for number in range(FULL):
        pending.add(number, consumers[number], 1)
    for consumer in consumers:
        pending.add(7, consumer, 2)
        pending._check()
    entry = pending.get(7)
    assert entry is not None and entry.consumer is consumers[-1]
    assert [consumer.pending for consumer in consumers[:9]] == [1, 1, 1, 1, 1, 1, 1, 0, 1]


@pytest.mark.parametrize("count", [0, 1, 10, 255, 10_000])
@pytest.mark.parametrize("step", [1, MS])
def test_the_account_is_what_the_objects_take(count: int, step: int) -> None:
    pending, consumer = Pending(), Consumer(b"c", 0)
    for number in range(1, count + 1):
        pending.add(number * step, consumer, 1_700_000_000_000)
    pending._check()
    held = getsizeof(pending) + getsizeof(pending._chunks) + getsizeof(pending._starts)
    held += 32 * bool(count) + sum(map(getsizeof, pending._starts))
    for chunk in pending._chunks:
        parts = (chunk, chunk.ids, chunk.times, chunk.owners, chunk.consumers, chunk.numbers, chunk.base, chunk.counted)
        held += sum(map(getsizeof, parts))
    assert 0.95 * held < pending.memory() < 1.1 * held + 50
    if count == 10_000:
        assert pending.memory() < 21 * count


def test_a_chunk_gives_back_what_it_does_not_need() -> None:
    pending, consumer = Pending(), Consumer(b"c", 0)
    for number in range(20_000):
        pending.add(number * MS, consumer, 1_700_000_000_000)
    before = pending.memory()
    for number in range(20_000):
        if number % 16:
            pending.remove(number * MS)
    pending._check()
    assert pending.length == 1250
    assert pending.memory() < before / 6
