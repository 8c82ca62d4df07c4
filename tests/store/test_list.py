"""Lists against plain ones: random operations under every limit; what they say of encoding and memory."""

from __future__ import annotations

import random
import sys

import pytest

from pycache_server.store.encodings import Encodings
from pycache_server.store.list import SHORT, List, LongList
from pycache_server.store.quicklist import LONGEST_NODE, Pieces

LIMITS = Encodings()
FILLS = [-2, -1, -5, 0, 1, 3, 16, 128]


class Actor:
    """Does the same to a list and to a plain one."""

    def __init__(self, seed: int, fill: int) -> None:
        self.chance = random.Random(seed)
        self.fill = fill
        self.value = List()
        self.model: list[bytes] = []
        self.growing = True

    def element(self) -> bytes:
        kind = self.chance.random()
        if kind < 0.5:
            return b"%d" % self.chance.randrange(-5, 10 ** self.chance.randrange(1, 15))
        if kind < 0.8:
            return self.chance.choice([b"", b"a", b"b", b"c", b"pivot"])
        return b"v" * self.chance.choice([30, 64, 200, 3000, 9000])

    def step(self) -> None:
        if self.chance.random() < 0.02:
            self.growing = not self.growing
        grow = [self.push, self.push, self.push_many, self.insert, self.replace]
        take = [self.pop, self.pop, self.cut, self.discard, self.rotate]
        look = [self.at, self.part, self.positions]
        usual, rare = (grow, take) if self.growing else (take, grow)
        if not self.model:
            self.push()
        self.chance.choice(self.chance.choices([usual, rare, look], [6, 2, 2])[0])()

    def push(self) -> None:
        element = self.element()
        if self.chance.random() < 0.5:
            self.model.insert(0, element)
            length = self.value.push_head(element, self.fill)
        else:
            self.model.append(element)
            length = self.value.push_tail(element, self.fill)
        assert length == len(self.model)

    def push_many(self) -> None:
        elements = [self.element() for _ in range(self.chance.choice([1, 3, 20, 100]))]
        at_head = self.chance.random() < 0.5
        self.model = elements[::-1] + self.model if at_head else self.model + elements
        assert self.value.push_many(list(elements), at_head, self.fill) == len(self.model)

    def insert(self) -> None:
        pivot, element, after = self.element(), self.element(), self.chance.random() < 0.5
        assert self.value.insert_beside(pivot, element, after, self.fill) == (pivot in self.model)
        if pivot in self.model:
            self.model.insert(self.model.index(pivot) + after, element)

    def replace(self) -> None:
        index, element = self.chance.randrange(-200, 200), self.element()
        there = -len(self.model) <= index < len(self.model)
        assert self.value.replace(index, element, self.fill) == there
        if there:
            self.model[index] = element
        self.value.shrink(self.fill)

    def pop(self) -> None:
        at_head = self.chance.random() < 0.5
        assert (self.value.pop_head() if at_head else self.value.pop_tail()) == self.model.pop(0 if at_head else -1)
        self.settle()

    def rotate(self) -> None:
        element = self.value.pop_head()
        self.model.append(self.model.pop(0))
        self.value.push_tail(element, self.fill)
        self.settle()

    def cut(self) -> None:
        count = min(len(self.model), self.chance.choice([0, 1, 2, 30, 200]))
        at_head = self.chance.random() < 0.5
        gone = self.model[:count] if at_head else self.model[len(self.model) - count :]
        del self.model[slice(0, count) if at_head else slice(len(self.model) - count, None)]
        parts = self.value.cut(count, at_head)
        assert [element for part in parts for element in part] == gone
        self.settle()

    def discard(self) -> None:
        element, most, from_head = self.element(), self.chance.choice([1, 2, 1000]), self.chance.random() < 0.5
        expected = min(most, self.model.count(element))
        assert self.value.discard(element, most, from_head) == expected
        if not from_head:
            self.model.reverse()
        for _ in range(expected):
            self.model.remove(element)
        if not from_head:
            self.model.reverse()
        self.settle()

    def settle(self) -> None:
        assert self.value.shrink(self.fill) == len(self.model)

    def at(self) -> None:
        index = self.chance.randrange(-300, 300)
        there = -len(self.model) <= index < len(self.model)
        assert self.value.at(index) == (self.model[index] if there else None)

    def part(self) -> None:
        start, stop = self.chance.randrange(400), self.chance.randrange(400)
        assert self.value.part(start, stop) == self.model[start:stop]

    def positions(self) -> None:
        element, from_head = self.element(), self.chance.random() < 0.5
        skip, most, limit = self.chance.randrange(3), self.chance.choice([1, 3, 999]), self.chance.choice([1, 50, 9999])
        places = list(range(len(self.model)))
        seen = (places if from_head else places[::-1])[:limit]
        expected = [place for place in seen if self.model[place] == element][skip : skip + most]
        assert self.value.positions(element, skip, most, limit, from_head) == expected

    def check(self) -> None:
        self.value._check()
        assert len(self.value) == len(self.model)
        assert list(self.value) == list(self.value.digest_parts()) == self.model


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fill", FILLS)
def test_random_operations_end_as_on_a_plain_list(fill: int, seed: int) -> None:
    actor = Actor(seed, fill)
    for number in range(1000):
        actor.step()
        if number % 10 == 0:
            actor.check()


def pushed(count: int, element: bytes, fill: int = -2) -> List:
    value = List()
    for _ in range(count):
        value.push_tail(element, fill)
    return value


def encoding(value: List) -> bytes:
    return value.encoding(LIMITS)


def test_a_list_is_a_listpack_up_to_8_kb() -> None:
    element = b"x" * 61  # 63 bytes of a listpack
    value = pushed(129, element)
    assert 7 + 129 * 63 == 8134
    assert encoding(value) == b"listpack"
    value.push_tail(b"x" * 58, -2)  # 8192 if the text alone is counted, and so it is
    assert encoding(value) == b"listpack"
    value.push_tail(b"", -2)
    assert encoding(value) == b"quicklist"


def test_a_quicklist_becomes_a_listpack_at_half_the_limit_and_in_one_node() -> None:
    value = pushed(130, b"x" * 61)
    assert encoding(value) == b"quicklist"
    while encoding(value) == b"quicklist":
        value.pop_tail()
        value.shrink(-2)
    assert len(value) == (4096 - 7) // 63
    value = pushed(131, b"x" * 61)  # 129 in the first node
    for _ in range(129):
        assert encoding(value) == b"quicklist"
        value.pop_head()
        value.shrink(-2)
    assert len(value) == 2
    assert encoding(value) == b"listpack"


def test_elements_are_counted_where_that_is_the_limit() -> None:
    value = pushed(3, b"x", fill=3)
    assert encoding(value) == b"listpack"
    value.push_head(b"x", 3)
    assert encoding(value) == b"quicklist"
    for left in (3, 2):
        value.pop_tail()
        assert value.shrink(3) == left
        assert encoding(value) == b"quicklist"
    value.pop_tail()
    value.shrink(3)
    assert encoding(value) == b"listpack"
    assert encoding(pushed(1, b"x", fill=0)) == b"listpack"
    assert encoding(pushed(2, b"x", fill=0)) == b"quicklist"


def test_a_large_element_makes_a_quicklist_that_stays_one_while_it_is_there() -> None:
    value = pushed(3, b"x")
    value.push_tail(b"y" * 9000, -2)
    assert encoding(value) == b"quicklist"
    value.replace(-1, b"y", -2)
    value.shrink(-2)
    assert encoding(value) == b"quicklist"  # it has taken a node of its own
    value.pop_tail()
    value.shrink(-2)
    assert encoding(value) == b"listpack"


def test_inserting_before_what_is_not_there_may_convert_all_the_same() -> None:
    value = pushed(3, b"x", fill=3)
    assert not value.insert_beside(b"none", b"y", True, 3)
    assert encoding(value) == b"quicklist"
    value = pushed(3, b"x", fill=3)
    assert not value.replace(7, b"y", 3)
    assert encoding(value) == b"quicklist"


def test_a_list_made_as_a_whole_is_one_node_whatever_its_size() -> None:
    assert type(List.built([b"x"] * 10, -2)) is List
    assert encoding(List.built([b"x"] * 2000, -2)) == b"listpack"
    value = List.built([b"x"] * 3000, -2)
    assert encoding(value) == b"quicklist"
    assert len(value.state.nodes) == 1
    value = List.built([b"x"] * (LONGEST_NODE * 3 + 5), -2)
    value._check()
    assert len(value.state.nodes) == 4
    assert len(value) == LONGEST_NODE * 3 + 5


def walked(value: List) -> int:
    """Bytes of all objects of a list, as CPython allocates them."""
    seen: set[int] = set()

    def size(thing: object) -> int:
        if id(thing) in seen:
            return 0
        seen.add(id(thing))
        return (sys.getsizeof(thing) + 15) & ~15

    total = size(value) + size(value.state) + sum(map(size, value))
    if isinstance(value, LongList):
        quick = value.state
        total += size(quick.nodes) + size(quick.held) + size(quick.count)
        total += sum(size(node) + size(node.size) for node in quick.nodes)
    return total


def numbered(count: int) -> list[bytes]:
    return [b"element:%d" % number for number in range(count)]


@pytest.mark.parametrize("form", [b"%d", b"%020d", b"%03000d"])
@pytest.mark.parametrize("count", [1, 2, 5, 10, 50, 84, 100, 300, 5000])
def test_memory_is_that_of_the_objects(form: bytes, count: int) -> None:
    value = List()
    for number in range(count):
        element = form % number
        if number % 2:
            value.push_head(element, -2)
        else:
            value.push_tail(element, -2)
    assert value.memory() == pytest.approx(walked(value), rel=0.1)
    for _ in range(count // 2):
        value.pop_head()
        value.shrink(-2)
    if value:
        assert value.memory() == pytest.approx(walked(value), rel=0.1)


def test_a_few_elements_are_one_object_besides_themselves() -> None:
    value = List()
    value.push_many([b"element %d" % number for number in range(5)], False, -2)
    assert value.memory() - sum((sys.getsizeof(element) + 15) & ~15 for element in value) <= 160


def test_a_short_list_becomes_long_and_short_again() -> None:
    value = List()
    value.push_many([b"x" * 16] * (SHORT // 64), False, -2)
    assert type(value) is List
    value.push_head(b"", -2)
    assert type(value) is LongList
    assert encoding(value) == b"listpack"
    value.cut(len(value) // 2 + 1, True)
    value.shrink(-2)
    assert type(value) is List
    value._check()


@pytest.mark.parametrize("count", [5, 300, 5000])
def test_a_copy_shares_nothing_that_changes(count: int) -> None:
    value = List()
    value.push_many(numbered(count), False, -2)
    twin = value.copy()
    twin.push_head(b"new", -2)
    twin.replace(-1, b"last", -2)
    assert list(value) == numbered(count)
    assert list(twin) == [b"new", *numbered(count)[:-1], b"last"]
    assert twin.encoding(LIMITS) == value.encoding(LIMITS)
    value._check()
    twin._check()


def test_a_long_list_is_freed_in_slices() -> None:
    value = List()
    value.push_many(numbered(100_000), False, -2)
    freed = slices = 0
    while len(value):
        done = value.free(1000)
        assert 0 < done < 3000
        freed += done
        slices += 1
    assert freed == 100_000
    assert slices > 50


def test_what_is_cut_off_is_freed_in_slices() -> None:
    value = List()
    value.push_many(numbered(50_000), False, -2)
    pieces = Pieces(value.cut(40_000, True))
    assert list(value) == numbered(50_000)[40_000:]
    freed = 0
    while len(pieces):
        done = pieces.free(500)
        assert 0 < done < 3000
        freed += done
    assert freed == 40_000
