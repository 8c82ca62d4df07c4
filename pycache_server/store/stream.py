"""Streams: entries in the order of their ids, in nodes (stream_node.py) as Redis would divide them.

Ids only grow, so an entry is added to the last node, and the first nodes are the oldest. A node is found by bisection
over the nodes' first ids, an entry by bisection within the node. Trimming drops nodes from the front of a list, which
moves the rest: 4 microseconds with a million entries, once in a hundred entries.

Packing an entry takes longer than all else that adding one does, and most entries have the one field that those before
have. Such entries wait in two lists, and are packed together when they are enough, or when anybody looks: the nodes are
got at by ``nodes``, which packs what waits. It surely belongs to the last node, because ``_bound`` is never less than
the bytes that Redis would compare with its limit.

A stream may be empty: it remembers its last id. Its consumer groups are in groups.py; the account of all of them is
right but for the one that was looked up last, which ``memory`` counts anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import TYPE_CHECKING, ClassVar

from pycache_server.errors import RedisError
from pycache_server.store.groups import UNKNOWN, Group, Names, put_name
from pycache_server.store.memory import size_of
from pycache_server.store.radix import nodes_added, nodes_of
from pycache_server.store.stream_id import LARGEST_ID, LARGEST_SEQ, SEQ_BITS
from pycache_server.store.stream_node import Node, Record
from pycache_server.store.table import size_of_buckets
from pycache_server.store.value import bytes_of

if TYPE_CHECKING:
    from pycache_server.store.encodings import Encodings

LARGEST_LISTPACK = 1 << 30
_COUNTS = 20
"""No two counts take more bytes in a listpack."""
_ENTRY = 40
"""No entry with one text takes more bytes in a listpack than that and the text's own."""
_BATCH = 32
"""How many entries wait at most."""
_FEW = 8
"""A stream with fewer entries lets none wait: they would take more memory than the rest of it."""
_EMPTY_LISTS = 2 * size_of([])
_NUMBERS_BYTES = 112
"""Bytes of a stream's own integers, about."""


class IdTooSmall(RedisError):
    text = b"ERR The ID specified in XADD is equal or smaller than the target stream top item"


class NoIdLeft(RedisError):
    text = b"ERR The stream has exhausted the last possible ID, unable to add more items"


class EntryTooLarge(RedisError):
    text = b"ERR Elements are too large to be stored"


class Stream:
    """A stream. Ids are integers (stream_id.py)."""

    __slots__ = (
        "_bound",
        "_counted",
        "_field",
        "_fields",
        "_grouped",
        "_latest",
        "_nodes",
        "_packed",
        "_texts",
        "_waiting",
        "added",
        "groups",
        "last_id",
        "length",
        "max_deleted_id",
        "starts",
        "tree_nodes",
    )

    type_name: ClassVar[bytes] = b"stream"

    def __init__(self) -> None:
        self.length = 0
        self.last_id = 0
        """The greatest id that an entry has or had, or what XSETID made of it."""
        self.max_deleted_id = 0
        self.added = 0
        """How many entries have ever been added."""
        self._nodes: list[Node] = []
        self.starts: list[int] = []
        """The first id of each node."""
        self.groups: Names | None = None
        """The consumer groups by their names; None where there have never been any."""
        self._latest: Group | None = None  # the group that was looked up last
        self._grouped = 0  # what groups are counted for, in bytes, in sum
        self.tree_nodes = 1
        """How many nodes Redis's radix tree has in which these nodes are."""
        self._counted = 0  # what nodes are counted for, in bytes, in sum
        self._fields = 0  # bytes of their fields, which neighbours share
        self._waiting: list[int] = []  # the ids of entries that are to be packed into the last node
        self._texts: list[bytes] = []  # their values
        self._field: bytes | None = None  # the field that they have; None where no entry may wait
        self._bound = 0  # no fewer bytes than the last node's, with what waits and the counts
        self._packed = 0  # the last node's entries without those

    @classmethod
    def built(cls, nodes: list[Node], last_id: int, max_deleted_id: int, added: int) -> Stream:
        """A stream of sealed nodes that are in order."""
        made = cls()
        made.last_id, made.max_deleted_id, made.added = last_id, max_deleted_id, added
        made.length = sum(node.alive for node in nodes)
        for before, node in pairwise(nodes):
            if node.fields == before.fields:
                node.fields = before.fields
        made._fields = sum(map(_bytes_of_fields, {id(node.fields): node.fields for node in nodes}.values()))
        made._nodes, made.starts = nodes, [node.start for node in nodes]
        made.tree_nodes = nodes_of(made.starts)
        for node in nodes:
            made._recount(node)
        if nodes:
            nodes[-1].open()
        return made

    def __len__(self) -> int:
        """Entries, and what groups hold: all that is to be freed."""
        return self.length + (sum(len(group) + 1 for group in self.groups.values()) if self.groups else 0)

    # Adding

    def next_id(self, now: int) -> int:
        """The id of an entry that is added at ``now``, in ms: ids grow even where the clock goes back.

        Raises NoIdLeft.
        """
        number = now << SEQ_BITS
        last = self.last_id
        if number > last:
            return number
        if last == LARGEST_ID:
            raise NoIdLeft
        return last + 1

    def next_id_within(self, ms: int) -> int:
        """The id of an entry of which the first part is given.

        Raises IdTooSmall where there is no such id any more.
        """
        if self.last_id >> SEQ_BITS != ms:
            return ms << SEQ_BITS
        if self.last_id & LARGEST_SEQ == LARGEST_SEQ:
            raise IdTooSmall
        return self.last_id + 1

    def append(self, number: int, words: list[bytes], limits: Encodings, or_next: bool = False) -> int:
        """Add an entry with the id ``number``, or ``or_next`` the first one that is free; ``words`` are fields and
        values alternately. Returns the id.

        Raises IdTooSmall where the id is not greater than all before, NoIdLeft, EntryTooLarge.
        """
        last = self.last_id
        if number <= last:
            if not or_next:
                raise IdTooSmall
            if last == LARGEST_ID:
                raise NoIdLeft
            number = last + 1
        if len(words) == 2:  # most entries
            field, text = words
            if field == self._field:
                bound, waiting = self._bound + len(text) + _ENTRY, self._waiting
                count = len(waiting)
                if (
                    count < _BATCH
                    and count + self._packed < limits.stream_node_max_entries
                    and bound < limits.stream_node_max_bytes < LARGEST_LISTPACK
                ):
                    waiting.append(number)
                    self._texts.append(text)
                    self._bound = bound
                    self.length += 1
                    self.added += 1
                    self.last_id = number
                    return number
            fields: tuple[bytes, ...] = (field,)
            values, size = [text], len(field) + len(text)
        else:
            fields = tuple(words[::2])
            values, size = words[1::2], sum(map(len, words))
        nodes = self.nodes
        if (
            not nodes
            or len((node := nodes[-1]).ms) >= limits.stream_node_max_entries
            or not node.body + size + _COUNTS < limits.stream_node_max_bytes < LARGEST_LISTPACK
        ):
            node = self._node_for(number, fields, size, limits)
        node.append(number, fields, values)
        self.length += 1
        self.added += 1
        self.last_id = number
        if len(node.fields) == 1 and node.marks is None and self.length >= _FEW:
            self._field = field = node.fields[0]
            self._bound = node.body + len(field) + _COUNTS
            self._packed = len(node.ms)
        return number

    @property
    def nodes(self) -> list[Node]:
        """The nodes, with all entries in them."""
        self._field = None
        if self._waiting:
            self._nodes[-1].extend(self._waiting, self._texts)
            self._waiting.clear()
            self._texts.clear()
        return self._nodes

    def _node_for(self, number: int, fields: tuple[bytes, ...], size: int, limits: Encodings) -> Node:
        """The last node, or a new one where an entry of ``size`` bytes must go into the next.

        Raises EntryTooLarge.
        """
        if size > LARGEST_LISTPACK:
            raise EntryTooLarge
        if self.nodes and not _is_full(self.nodes[-1], size, limits):
            return self.nodes[-1]
        return self._add_node(number, fields)

    def _add_node(self, start: int, fields: tuple[bytes, ...]) -> Node:
        before = self.nodes[-1] if self.nodes else None
        if before is not None:
            before.seal()
            self._recount(before)
        if before is not None and before.fields == fields:
            fields = before.fields
        else:
            self._fields += _bytes_of_fields(fields)
        self.tree_nodes += nodes_added(self.starts, start)
        node = Node(start, fields)
        self.nodes.append(node)
        self.starts.append(start)
        return node

    # Reading

    def first_live_id(self) -> int:
        """The id of the first entry, 0 where there is none."""
        nodes = self.nodes
        if nodes and nodes[0].alive:  # nearly always, and each XREADGROUP asks
            return nodes[0].id_at(nodes[0].front)
        return next((node.id_at(node.front) for node in nodes if node.alive), 0)

    def last_live_id(self) -> int:
        """The id of the last entry, 0 where there is none."""
        nodes = self.nodes
        if nodes and nodes[-1].alive:
            return nodes[-1].last_live_id()
        return next((node.last_live_id() for node in reversed(nodes) if node.alive), 0)

    def range(
        self, start: int = 0, end: int = LARGEST_ID, count: int | None = None, backwards: bool = False
    ) -> list[Record]:
        """The entries with ids from ``start`` to ``end``, both included, or the first ``count`` of them; backwards
        that is from ``end`` to ``start``. O(log n) to find the first."""
        wanted = self.length if count is None else count
        first = max(bisect_right(self.starts, start) - 1, 0)
        last = bisect_right(self.starts, end)
        found: list[Record] = []
        for place in range(last - 1, first - 1, -1) if backwards else range(first, last):
            node = self.nodes[place]
            low = node.place_of(start) if start > node.start else 0
            high = node.place_of(end + 1) if place == last - 1 and end < self.last_id else len(node)
            found += node.entries(low, high, wanted - len(found), backwards)
            if len(found) >= wanted:
                break
        return found

    def read_behind(self, number: int, count: int | None) -> tuple[list[int], list[Record]]:
        """The entries behind an id, or the first ``count`` of them: their ids, and what clients get."""
        nodes, wanted = self.nodes, self.length if count is None else count
        place = bisect_right(self.starts, number) - 1
        low = nodes[place].place_of(number + 1) if place >= 0 else 0
        place = max(place, 0)
        numbers: list[int] = []
        found: list[Record] = []
        while wanted > 0 and place < len(nodes):
            ids, entries = nodes[place].take(low, wanted)
            if not numbers:
                numbers, found = ids, entries
            else:
                numbers += ids
                found += entries
            wanted -= len(ids)
            low = 0
            place += 1
        return numbers, found

    def has(self, number: int) -> bool:
        """Whether there is an entry with an id."""
        place = bisect_right(self.starts, number) - 1
        return place >= 0 and self.nodes[place].find(number) is not None

    def get(self, number: int) -> Record | None:
        """The entry with an id, None where it is not there."""
        place = bisect_right(self.starts, number) - 1
        index = self.nodes[place].find(number) if place >= 0 else None
        if index is None:
            return None
        return self.nodes[place].entries(index, index + 1, 1, backwards=False)[0]

    def __iter__(self) -> Iterator[Record]:
        return chain.from_iterable(node.entries(0, len(node), len(node), backwards=False) for node in self.nodes)

    # Deleting

    def delete(self, number: int) -> bool:
        """Delete the entry with an id. Whether it was there."""
        if not self.take_out(number):
            return False
        self.max_deleted_id = max(self.max_deleted_id, number)
        return True

    def take_out(self, number: int) -> bool:
        """Remove the entry with an id, as if it were trimmed. Whether it was there."""
        place = bisect_right(self.starts, number) - 1
        index = self.nodes[place].find(number) if place >= 0 else None
        if index is None:
            return False
        node = self.nodes[place]
        node.delete(index)
        self.length -= 1
        if node.alive:
            self._recount(node)
        else:
            self._remove_node(place)
        return True

    def trim_to_length(self, length: int, whole_nodes: bool = False, limit: int = 0) -> int:
        """Drop the oldest entries until ``length`` are left, or somewhat more where only whole nodes may go. Returns
        how many were dropped: no more than ``limit`` where that is not 0."""
        excess = self.length - length
        if excess <= 0:
            return 0
        dropped = nodes = 0
        only_first = len(self._nodes) > 1 and excess <= self._nodes[0].alive  # then what waits may go on waiting
        for node in self._nodes if only_first else self.nodes:
            if dropped >= excess or (limit and dropped + node.alive > limit):
                break
            if dropped + node.alive > excess:
                if not whole_nodes:
                    node.delete_first(excess - dropped)
                    dropped = excess
                break
            dropped += node.alive
            nodes += 1
        return self._trimmed(nodes, dropped)

    def trim_before(self, number: int, whole_nodes: bool = False, limit: int = 0) -> int:
        """Drop the entries with ids below ``number``; for the rest see ``trim_to_length``."""
        dropped = nodes = 0
        for node in self.nodes:
            if limit and dropped + node.alive > limit:
                break
            if node.id_at(-1) >= number:
                if not whole_nodes:
                    dropped += node.delete_below(node.place_of(number))
                break
            dropped += node.alive
            nodes += 1
        return self._trimmed(nodes, dropped)

    def _trimmed(self, nodes: int, entries: int) -> int:
        """So many entries are gone with the first ``nodes``, which remain to be removed."""
        self.length -= entries
        if nodes:
            gone, starts = self.nodes[:nodes], self.starts
            most = 2 * nodes > len(starts)
            if not most:
                self.tree_nodes -= sum(nodes_added(starts, starts[place], place + 1) for place in range(nodes))
            del self.nodes[:nodes], starts[:nodes]
            if most:
                self.tree_nodes = nodes_of(starts)
            self._uncount(gone, self.nodes[:1])
        return entries

    def _remove_node(self, place: int) -> None:
        node, start = self.nodes.pop(place), self.starts.pop(place)
        self.tree_nodes -= nodes_added(self.starts, start)
        self._uncount([node], self.nodes[max(place - 1, 0) : place + 1])
        if self.nodes and place == len(self.nodes):
            self.nodes[-1].open()

    # Groups

    def group(self, name: bytes) -> Group | None:
        """The group of a name, which may be changed then."""
        if self.groups is None:
            return None
        group: Group | None = self.groups.get(name)
        if group is not self._latest:
            self.settle(group)
        return group

    def add_group(self, name: bytes, group: Group) -> bool:
        """Put in a group. False where there is one of that name."""
        if self.groups is None:
            self.groups = {}
        if self.groups.get(name) is not None:
            return False
        self.groups = put_name(self.groups, name, group)
        self._grouped += bytes_of(name)
        self.settle(group)
        return True

    def remove_group(self, name: bytes) -> Group | None:
        """Take out a group, which is to be freed; None where there is none of that name."""
        group: Group | None = None if self.groups is None else self.groups.pop(name, None)
        if group is not None:
            self._grouped -= bytes_of(name) + group.counted
            self._latest = None if self._latest is group else self._latest
        return group

    def groups_in_order(self) -> list[tuple[bytes, Group]]:
        """The groups in the order of their names; who changes one settles it before."""
        return [] if self.groups is None else [(name, self.groups[name]) for name in sorted(self.groups)]

    def settle(self, following: Group | None = None) -> None:
        """Count the group that was looked up last, and perhaps changed; ``following`` is about to be."""
        group = self._latest
        if group is not None:
            size = group.memory()
            self._grouped += size - group.counted
            group.counted = size
        self._latest = following

    def tombstone(self) -> int:
        """The greatest id that was deleted by itself; -1 where none was, or no entry is left before it."""
        deleted = self.max_deleted_id
        return deleted if deleted and self.length and self.first_live_id() <= deleted else -1

    def entries_up_to(self, number: int) -> int:
        """How many entries the stream has had up to an id; UNKNOWN but for the last one and for what is at the
        beginning, where no entry was deleted by itself behind it."""
        if not self.added:
            return 0
        if not self.length and number <= self.last_id:
            return self.added
        if number >= self.last_id:
            return self.added if number == self.last_id else UNKNOWN
        first = self.first_live_id()
        if number > first or 0 < first <= self.max_deleted_id:
            return UNKNOWN
        return self.added - self.length + (number == first)

    # The account

    def _recount(self, node: Node) -> None:
        """Count a node for what it holds now."""
        size = node.memory()
        self._counted += size - node.counted
        node.counted = size

    def _uncount(self, gone: list[Node], neighbours: list[Node]) -> None:
        """Nodes are gone, which had these neighbours."""
        self._counted -= sum(node.counted for node in gone)
        lost = {id(node.fields): node.fields for node in gone}
        for node in neighbours:
            lost.pop(id(node.fields), None)
        self._fields -= sum(map(_bytes_of_fields, lost.values()))

    # What every value does

    def encoding(self, limits: Encodings) -> bytes:
        """See value.py."""
        return b"stream"

    def memory(self) -> int:
        """See value.py."""
        nodes = self.nodes
        if nodes:
            self._recount(nodes[-1])
        lists = size_of(nodes) + size_of(self.starts) + _EMPTY_LISTS
        held = size_of(self) + _NUMBERS_BYTES + lists + self._counted + self._fields
        if self.groups is not None:
            self.settle(self._latest)
            held += size_of_buckets(self.groups) + self._grouped
        return held

    def free(self, budget: int) -> int:
        """See value.py."""
        done = 0
        while self.nodes and done < budget:
            node = self.nodes.pop()
            self.length -= node.alive
            done += len(node)
        groups = self.groups
        while groups and done < budget:
            name = next(iter(groups))
            freed = groups[name].free(budget - done)
            done += freed + 1
            if not freed:
                groups.pop(name)
        return done

    def copy(self) -> Stream:
        """See value.py."""
        nodes = self.nodes
        twin = Stream.__new__(Stream)
        for name in Stream.__slots__:
            setattr(twin, name, getattr(self, name))
        twin._nodes = [node.copy() for node in nodes]
        twin._waiting, twin._texts = [], []
        twin.starts = self.starts[:]
        twin.groups = twin._latest = None
        twin._grouped = 0
        for title, group in self.groups_in_order():
            twin.add_group(title, group.copy())
        return twin

    def digest_parts(self) -> Iterator[bytes]:
        """See value.py."""
        for number, texts in self:
            yield number.replace(b"-", b".")
            yield from texts

    def _check(self) -> None:
        """See value.py."""
        bound, hoped = self._bound, self._field is not None
        for node in self.nodes:
            node._check()
        assert not hoped or bound >= self.nodes[-1].body + len(self.nodes[-1].fields[0]) + _COUNTS
        assert self.starts == [node.start for node in self.nodes] == sorted(set(self.starts))
        assert self.length == sum(node.alive for node in self.nodes)
        assert self.last_live_id() <= self.last_id
        assert all(one.id_at(-1) < other.start for one, other in pairwise(self.nodes))
        assert [type(node.data) for node in self.nodes[:-1]] == [bytes] * (len(self.nodes) - 1 if self.nodes else 0)
        self.memory()
        assert self._counted == sum(node.memory() for node in self.nodes)
        assert self._fields == sum(
            map(_bytes_of_fields, {id(node.fields): node.fields for node in self.nodes}.values())
        )
        assert self.tree_nodes == nodes_of(self.starts)
        groups = self.groups_in_order()
        for _, group in groups:
            group._check()
        assert self._grouped == sum(bytes_of(name) + group.memory() for name, group in groups)


def _is_full(node: Node, size: int, limits: Encodings) -> bool:
    """Whether an entry with fields and values of ``size`` bytes must go into the next node."""
    if 0 < limits.stream_node_max_entries <= len(node.ms):
        return True
    most = limits.stream_node_max_bytes
    if not 0 < most < LARGEST_LISTPACK:
        most = LARGEST_LISTPACK
    return node.body + size + _COUNTS >= most and node.listpack_bytes() + size >= most


def _bytes_of_fields(fields: tuple[bytes, ...]) -> int:
    return size_of(fields) + sum(map(bytes_of, fields))
