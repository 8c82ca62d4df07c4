"""Streams against a plain dict of entries, and what they hold against what CPython says."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import chain
from sys import getsizeof
from typing import Any

import pytest

from pycache_server.store.encodings import Encodings
from pycache_server.store.listpack import element_bytes, integer_bytes
from pycache_server.store.stream import IdTooSmall, Stream
from pycache_server.store.stream_id import LARGEST_ID, LARGEST_SEQ, format_id, parse_id
from pycache_server.store.stream_node import Node
from tests.conftest import some_slow

LIMITS = Encodings()


def limits(entries: int, size: int = 4096) -> Encodings:
    made = Encodings()
    made.stream_node_max_entries = entries
    made.stream_node_max_bytes = size
    return made


def some_limits(chance: random.Random) -> Encodings:
    return limits(chance.choice([0, 1, 3, 10, 100]), chance.choice([0, 60, 300, 4096]))


def filled(count: int, entries: int = 100, step: int = 1 << 64) -> Stream:
    """A stream of ``count`` entries with ids that are ``step`` apart."""
    stream = Stream()
    for number in range(1, count + 1):
        stream.append(number * step, [b"field", b"%d" % number], limits(entries))
    return stream


class Actor:
    """Does the same to a stream and to a model of it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.limits = some_limits(self.chance)
        self.stream = Stream()
        self.model: dict[int, tuple[bytes, ...]] = {}
        self.fields: list[tuple[bytes, ...]] = self.chance.choice(
            [[(b"f",)], [(b"a", b"b"), (b"a",), (b"x", b"y", b"z")]]
        )

    def step(self) -> None:
        actions = [self.add] * 8 + [
            self.add_a_burst,
            self.delete,
            self.read,
            self.read_backwards,
            self.trim,
            self.trim_by_id,
            self.copy,
        ]
        self.chance.choice(actions)()

    def some_id(self) -> int:
        if self.model and self.chance.random() < 0.7:
            return self.chance.choice(list(self.model)) + self.chance.choice([-1, 0, 0, 0, 1])
        return self.chance.randrange(self.stream.last_id + 2)

    def add(self) -> None:
        steps = [1, 1, 300, 70000, 1 << 33, 1 << 64, 100 << 64, 70000 << 64, 1 << 97]
        number = self.stream.last_id + self.chance.choice(steps)
        fields = self.chance.choice(self.fields)
        texts = [(field, self.some_text()) for field in fields]
        self.stream.append(number, [*chain.from_iterable(texts)], self.limits)
        self.model[number] = tuple(chain.from_iterable(texts))

    def some_text(self) -> bytes:
        if self.chance.random() < 0.3:
            return b"%d" % self.chance.choice([0, -1, 127, 128, -4097, 10**6, 2**31, 2**63, 10**20])
        return b"v" * self.chance.choice([0, 1, 5, 40, 61, 62, 63, 64, 125, 126, 200])

    def add_a_burst(self) -> None:
        """Entries that wait to be packed, and the limits may change meanwhile."""
        fields = self.chance.choice(self.fields)
        steps = self.chance.choice([[1], [1, 1, 1, 1 << 64], [1, 200 << 64], [1 << 33, 5000], [1 << 64, 1 << 97]])
        for _ in range(self.chance.choice([2, 10, 50, 150])):
            if self.chance.random() < 0.02:
                self.limits = some_limits(self.chance)
            number = self.stream.last_id + self.chance.choice(steps)
            texts = [(field, self.some_text()) for field in fields]
            self.stream.append(number, [*chain.from_iterable(texts)], self.limits)
            self.model[number] = tuple(chain.from_iterable(texts))

    def delete(self) -> None:
        for _ in range(self.chance.choice([1, 3, 20])):
            number = self.some_id()
            assert self.stream.delete(number) == (self.model.pop(number, None) is not None)

    def expected(self, numbers: list[int]) -> list[tuple[bytes, tuple[bytes, ...]]]:
        return [(format_id(number), self.model[number]) for number in numbers]

    def read(self) -> None:
        start, end, count = self.some_id(), self.some_id(), self.chance.choice([None, 1, 2, 7, 1000])
        wanted = [number for number in self.model if start <= number <= end][:count]
        assert self.stream.range(start, end, count) == self.expected(wanted)
        wanted = [number for number in self.model if number > start][:count]
        assert self.stream.read_behind(start, count) == (wanted, self.expected(wanted))
        assert self.stream.has(start) == (start in self.model)
        assert self.stream.get(start) == (self.expected([start])[0] if start in self.model else None)

    def read_backwards(self) -> None:
        start, end, count = self.some_id(), self.some_id(), self.chance.choice([None, 1, 2, 7, 1000])
        wanted = [number for number in reversed(self.model) if start <= number <= end][:count]
        assert self.stream.range(start, end, count, backwards=True) == self.expected(wanted)

    def drop_first(self, count: int) -> None:
        for number in list(self.model)[:count]:
            del self.model[number]

    def trim(self) -> None:
        length = self.chance.randrange(len(self.model) + 5)
        whole, limit = self.chance.random() < 0.5, self.chance.choice([0, 0, 10])
        dropped = self.stream.trim_to_length(length, whole, limit)
        excess = max(len(self.model) - length, 0)
        assert dropped <= (min(excess, limit) if limit else excess)
        assert whole or limit or dropped == excess
        self.drop_first(dropped)

    def trim_by_id(self) -> None:
        number, whole = self.some_id() // self.chance.choice([1, 1, 2]), self.chance.random() < 0.5
        below = sum(each < number for each in self.model)
        dropped = self.stream.trim_before(number, whole)
        assert dropped <= below if whole else dropped == below
        self.drop_first(dropped)

    def copy(self) -> None:
        before = self.stream
        self.stream = before.copy()
        before.trim_to_length(0)
        before._check()

    def check(self) -> None:
        self.stream._check()
        assert list(self.stream) == self.expected(list(self.model))
        assert len(self.stream) == len(self.model)
        assert self.stream.first_live_id() == min(self.model, default=0)
        assert self.stream.last_live_id() == max(self.model, default=0)


@pytest.mark.parametrize("seed", some_slow(range(30), 8))
def test_random_operations_end_as_in_a_plain_dict(seed: int) -> None:
    actor = Actor(seed)
    for number in range(600):
        actor.step()
        if number % 20 == 0:
            actor.check()
    actor.check()


@pytest.mark.parametrize("seed", some_slow(range(40), 10))
def test_entries_that_wait_end_where_they_would_have_been_put_at_once(seed: int) -> None:
    """Two streams get the same entries; somebody looks at one of them all the time, so that none can wait there."""
    chance = random.Random(seed)
    waits, watched = Stream(), Stream()
    fields = chance.choice([[b"f"], [b"f"] * 60 + [b"other"], [b"f" * 90]])
    steps = chance.choice([[1], [1, 1, 1, 1 << 64], [1, 90, 200 << 64], [1 << 33, 5000], [1 << 64, 40000 << 64]])
    texts = chance.choice([[b"v" * 3], [b"v" * 64], [b"1", b"-700", b"x"], [b"", b"v" * 126, b"v" * 900]])
    bounds, number = some_limits(chance), chance.choice([1, 5000, 1 << 64 | 70])
    for _ in range(1500):
        if chance.random() < 0.004:
            bounds = some_limits(chance)
        number += chance.choice(steps)
        words = [chance.choice(fields), chance.choice(texts)]
        waits.append(number, words, bounds)
        watched.append(number, words, bounds)
        assert len(watched.nodes) == len(waits._nodes)
        if chance.random() < 0.02:
            victim = chance.choice([number, watched.first_live_id()])
            assert waits.delete(victim) == watched.delete(victim)
        if chance.random() < 0.02:
            length = len(watched) - chance.randrange(3)
            assert waits.trim_to_length(length, True) == watched.trim_to_length(length, True)
            assert waits.trim_to_length(length) == watched.trim_to_length(length)
        assert (len(waits), waits.added, waits.last_id) == (len(watched), watched.added, watched.last_id)
    layouts = [
        [(node.start, len(node), node.alive, node.listpack_bytes()) for node in stream.nodes]
        for stream in (waits, watched)
    ]
    assert layouts[0] == layouts[1]
    assert list(waits) == list(watched)
    waits._check()


def pieces(stream: Stream) -> Iterator[Any]:
    """Every object that a stream holds, once."""
    seen = set()
    waiting: list[Any] = [stream]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or thing is None or (type(thing) is int and thing < 257):
            continue
        seen.add(id(thing))
        yield thing
        if isinstance(thing, (Stream, Node)):
            waiting += [getattr(thing, name) for name in thing.__slots__]
        elif isinstance(thing, (list, tuple)):
            waiting += thing


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, []),
        (1, [b"f", b"v"]),
        (50, [b"f", b"v"]),
        (5000, [b"temperature", b"21.5"]),
        (3000, [b"a", b"x" * 100, b"b", b"y" * 1000]),
    ],
)
def test_memory_is_what_the_objects_take(count: int, words: list[bytes]) -> None:
    stream = Stream()
    for number in range(count):
        stream.append((1_700_000_000_000 + 7 * number) << 64, [bytes(bytearray(word)) for word in words], LIMITS)
    held = stream.memory()
    collected = (Stream, Node, list, tuple)
    real = sum((getsizeof(piece) + 15 & ~15) + 16 * isinstance(piece, collected) for piece in pieces(stream))
    assert abs(held - real) <= max(real / 10, 64)


def test_an_entry_with_one_small_value_takes_about_twenty_bytes() -> None:
    stream = Stream()
    for number in range(20000):
        stream.append((1_700_000_000_000 + number) << 64, [b"field", b"value%05d" % number], LIMITS)
    assert stream.memory() / 20000 < 24


def test_the_listpack_is_as_long_as_redis_would_make_it() -> None:
    node = Node(5 << 64 | 3, (b"f", b"12"))
    master = 7 + integer_bytes(2) + element_bytes(b"f") + element_bytes(b"12") + integer_bytes(0)
    node.append(5 << 64 | 3, (b"f", b"12"), [b"text", b"1000"])
    same = integer_bytes(2) + integer_bytes(0) + integer_bytes(0) + element_bytes(b"text") + element_bytes(b"1000")
    same += integer_bytes(5)
    node.append(305 << 64 | 1, (b"other",), [b"v"])
    other = integer_bytes(0) + integer_bytes(300) + integer_bytes(-2) + integer_bytes(1)
    other += element_bytes(b"other") + element_bytes(b"v") + integer_bytes(6)
    assert node.listpack_bytes() == master + same + other + integer_bytes(2) + integer_bytes(0)
    node.delete(1)
    assert node.listpack_bytes() == master + same + other + integer_bytes(1) + integer_bytes(1)


def test_a_node_is_full_by_entries_deleted_ones_included() -> None:
    stream = filled(100)
    stream.delete(50 << 64)
    assert len(stream.nodes) == 1
    stream.append(101 << 64, [b"field", b"x"], LIMITS)
    assert [len(node) for node in stream.nodes] == [100, 1]


def test_a_node_is_full_by_bytes() -> None:
    stream = Stream()
    for number in range(1, 20):
        stream.append(number, [b"f", b"x" * 1000], LIMITS)
    assert [len(node) for node in stream.nodes] == [4, 4, 4, 4, 3]


def test_a_node_goes_when_its_last_entry_does() -> None:
    stream = filled(30, entries=10)
    for number in range(11, 21):
        assert len(stream.nodes) == 3
        assert stream.delete(number << 64)
    assert len(stream.nodes) == 2
    assert not stream.delete(15 << 64)
    stream._check()


def test_when_the_last_node_goes_the_one_before_takes_entries_again() -> None:
    stream = filled(12, entries=10)
    stream.delete(5 << 64)
    stream.trim_to_length(11)
    twin = stream.copy()
    for number in (11, 12):
        stream.delete(number << 64)
    assert len(stream.nodes) == 1
    stream.append(13 << 64, [b"field", b"x"], limits(11))
    assert [len(node) for node in stream.nodes] == [11]
    stream._check()
    twin._check()
    assert [len(node) for node in twin.nodes] == [10, 2]


def test_trimming_whole_nodes_keeps_what_would_be_too_much() -> None:
    stream = filled(1000)
    assert stream.trim_to_length(950, whole_nodes=True) == 0
    assert stream.trim_to_length(650, whole_nodes=True) == 300
    assert stream.trim_to_length(0, whole_nodes=True, limit=250) == 200
    assert stream.trim_before(601 << 64, whole_nodes=True) == 100
    assert stream.trim_before(650 << 64, whole_nodes=True) == 0
    assert (len(stream), len(stream.nodes)) == (400, 4)
    stream._check()


def test_a_node_whose_last_entry_was_deleted_outlives_exact_trimming_by_id() -> None:
    stream = filled(10)
    stream.delete(10 << 64)
    assert stream.trim_before(10 << 64) == 9
    assert (len(stream), len(stream.nodes)) == (0, 1)
    stream._check()
    stream.append(20 << 64, [b"field", b"x"], LIMITS)
    assert list(stream) == [(b"20-0", (b"field", b"x"))]
    assert stream.first_live_id() == stream.last_live_id() == 20 << 64
    assert stream.trim_before(21 << 64) == 1
    assert not stream.nodes


def test_ids_only_grow() -> None:
    stream = filled(3)
    with pytest.raises(IdTooSmall):
        stream.append(3 << 64, [b"f", b"v"], LIMITS)
    assert stream.next_id(5) == 5 << 64
    assert stream.next_id(3) == stream.next_id(1) == stream.next_id_within(3) == 3 << 64 | 1
    assert stream.next_id_within(7) == 7 << 64
    stream.last_id = 3 << 64 | LARGEST_SEQ
    assert stream.next_id(3) == 4 << 64
    with pytest.raises(IdTooSmall):
        stream.next_id_within(3)


def test_a_range_ends_where_ids_end() -> None:
    stream = Stream()
    stream.append(LARGEST_ID, [b"f", b"v"], LIMITS)
    assert stream.range() == stream.range(LARGEST_ID, LARGEST_ID) == [(format_id(LARGEST_ID), (b"f", b"v"))]
    assert stream.range(0, LARGEST_ID - 1) == []


def test_freeing_goes_in_slices() -> None:
    stream = filled(1000)
    assert stream.free(150) == 200
    assert len(stream) == 800
    while len(stream):
        assert stream.free(1) == 100
    assert stream.free(1) == 0


def test_trimming_at_every_addition_does_not_touch_more_than_the_first_node() -> None:
    stream = filled(100_000)
    calls = 0

    class Counting(list[Node]):
        def __iter__(self) -> Iterator[Node]:
            nonlocal calls
            for node in super().__iter__():
                calls += 1
                yield node

    stream._nodes = Counting(stream.nodes)
    for number in range(100_001, 100_501):
        stream.append(number << 64, [b"field", b"x"], LIMITS)
        assert stream.trim_to_length(100_000) == 1
    assert calls <= 1010


def test_the_digest_is_made_of_ids_with_a_dot() -> None:
    stream = Stream()
    number = parse_id(b"5-1")
    assert number is not None
    stream.append(number, [b"f", b"v", b"g", b"w"], LIMITS)
    assert list(stream.digest_parts()) == [b"5.1", b"f", b"v", b"g", b"w"]
