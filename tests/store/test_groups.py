"""Consumer groups as a value: their consumers, what becomes of them, and what they are made of."""

from __future__ import annotations

import random
from collections.abc import Iterator
from sys import getsizeof

import pytest

from pycache_server.store.encodings import Encodings
from pycache_server.store.groups import UNKNOWN, Group
from pycache_server.store.stream import Stream
from pycache_server.store.table import SMALL, Table

MS = 1 << 64


def filled(count: int) -> Stream:
    stream = Stream()
    for number in range(1, count + 1):
        stream.append(number * MS, [b"f", b"v"], Encodings())
    return stream


def parts(group: Group) -> tuple[list[tuple[bytes, int, int]], list[tuple[int, bytes, int, int]]]:
    """Consumers and entries as they are written and read again."""
    consumers = [(each.name, each.seen_time, each.active_time) for each in group.in_order()]
    entries = [(entry.id, entry.consumer.name, entry.time, entry.deliveries) for entry in group.pending.range()]
    return consumers, entries


def test_a_group_can_be_taken_apart_and_put_together() -> None:
    group = Group(7 * MS, 3)
    bert, anna = group.add_consumer(b"bert", 5), group.add_consumer(b"anna", 6, 4)
    for number in range(600):
        group.pending.add(number * MS, (anna, bert)[number % 2], 1000 + number, number + 1)
    other = Group(group.last_id, group.entries_read)
    other.rebuild(*parts(group))
    assert parts(other) == parts(group)
    assert parts(other)[0] == [(b"anna", 6, 4), (b"bert", 5, UNKNOWN)]
    other._check()
    with pytest.raises(KeyError):
        Group().rebuild([], [(1, b"nobody", 1, 1)])


def test_times_that_cannot_be_are_cut() -> None:
    group = Group()
    group.rebuild([(b"c", 0, 0)], [(1, b"c", -5, 1), (2, b"c", 2**63, 2**64 - 1)])
    assert [(entry.time, entry.deliveries) for entry in group.pending.range()] == [(0, 1), (2**48 - 1, 2**64 - 1)]
    group._check()


def test_many_consumers_and_groups_are_kept_in_order_of_their_names() -> None:
    stream = Stream()
    names = [b"%d" % number for number in range(SMALL + 100)]
    random.Random(1).shuffle(names)
    group = Group()
    for name in names:
        group.add_consumer(name, 1)
        assert stream.add_group(name, Group())
    assert not stream.add_group(names[0], Group())
    assert type(group.consumers) is type(stream.groups) is Table
    assert [consumer.name for consumer in group.in_order()] == sorted(names)
    assert [name for name, _ in stream.groups_in_order()] == sorted(names)
    stream._check()
    group._check()
    for name in names:
        consumer = group.consumer(name)
        assert consumer is not None
        group.remove_consumer(consumer)
        assert stream.remove_group(name) is not None
    assert (len(group), len(stream), stream.remove_group(names[0])) == (0, 0, None)
    stream._check()
    group._check()


def test_the_account_of_a_stream_has_that_of_its_groups() -> None:
    stream = filled(1000)
    before = stream.memory()
    for name in (b"g", b"h"):
        stream.add_group(name, Group())
        group = stream.group(name)
        assert group is not None
        consumer = group.add_consumer(b"consumer", 1_700_000_000_000)
        for number in range(1, 501):
            group.pending.add(number * MS, consumer, 1_700_000_000_000)
    held = sum(bytes_held(group) for _, group in stream.groups_in_order())
    assert before + 0.95 * held < stream.memory() < before + 1.1 * held + 500
    stream._check()
    stream.remove_group(b"g")
    assert before + 0.4 * held < stream.memory() < before + 0.6 * held + 500
    stream._check()


def bytes_held(group: Group) -> int:
    """What a group takes, as CPython tells it."""
    return sum(getsizeof(thing) for thing in things(group))


def things(group: Group) -> Iterator[object]:
    yield from (group, group.consumers, group.pending, group.pending._chunks, group.pending._starts)
    for consumer in group.in_order():
        yield from (consumer, consumer.name, consumer.seen_time, consumer.pending)
    for chunk in group.pending._chunks:
        yield from (chunk, chunk.ids, chunk.times, chunk.owners, chunk.consumers, chunk.numbers, chunk.base)


def test_a_stream_is_freed_with_its_groups() -> None:
    stream = filled(300)
    for name in (b"g", b"h"):
        group = Group()
        consumer = group.add_consumer(b"c", 1)
        for number in range(2000):
            group.pending.add(number, consumer, 1)
        stream.add_group(name, group)
    assert len(stream) == 300 + 2 * 2002
    steps = 0
    while len(stream):
        assert 0 < stream.free(300) < 1000
        steps += 1
    assert steps > 8


def test_how_much_a_group_has_read_is_known_at_the_ends() -> None:
    stream = filled(5)
    assert [stream.entries_up_to(number * MS) for number in range(7)] == [0, 1, -1, -1, -1, 5, -1]
    stream.delete(3 * MS)
    assert [stream.entries_up_to(number * MS) for number in range(7)] == [-1, -1, -1, -1, -1, 5, -1]
    assert stream.tombstone() == 3 * MS
    stream.trim_before(4 * MS)
    assert [stream.entries_up_to(number * MS) for number in range(7)] == [3, 3, 3, 3, 4, 5, -1]
    assert stream.tombstone() == -1
    stream.trim_to_length(0)
    assert [stream.entries_up_to(number * MS) for number in range(7)] == [5, 5, 5, 5, 5, 5, -1]
    assert Stream().entries_up_to(0) == 0
