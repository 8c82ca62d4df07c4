"""A long list in parts, cut where Redis cuts its own: the quicklist, node for node.

OBJECT ENCODING tells clients whether Redis 7.4 would keep a list as one listpack or as a quicklist. It becomes a
quicklist when the listpack would outgrow list-max-listpack-size, and a listpack again when all that is left lies in one
node and takes no more than half of that. So the answer depends on where the nodes begin and end, and that on the whole
history of the list. We need parts anyhow, because inserting into a Python list moves all that stands behind. Hence our
parts are Redis's nodes, cut, split and merged as its quicklist.c does it, and the answer is right by construction.

For each node the bytes are kept that its listpack would take (``size``), and for all nodes together those that CPython
takes for the elements (``held``); each changes by as much as an element brings or takes away.

A negative list-max-listpack-size limits nodes to 4, 8, ... 64 KB, another one to so many elements and 8 KB. An element
that is larger than that has a node for itself, a plain one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from itertools import accumulate, chain
from sys import getsizeof

from pycache_server.store.listpack import FRAME, bytes_of_each, element_bytes
from pycache_server.store.value import bytes_of

PLAIN = 1 << 62
"""The ``size`` of a plain node, which no limit admits."""
OVERHEAD = 8
"""What Redis reckons that an element takes in a listpack besides its own bytes."""
LONGEST_NODE = 32768
"""Most elements of a node: no listpack within the limits has more. Redis lets SORT make longer ones."""
_LEVELS = (4096, 8192, 16384, 32768, 65536)
_SAFE = 8192
_LARGEST_FILL = 32767
_NODE = 8 + 64 + 32  # bytes of a node: its place in the deque, itself, its size
_PLACE = 9  # bytes of an element's place in a node, with the share of those that are free


def exceeds(fill: int, size: int, count: int) -> bool:
    """Whether a listpack of so many bytes and elements is more than list-max-listpack-size ``fill`` allows."""
    if fill < 0:
        return size > _LEVELS[min(-fill, 5) - 1]
    return size > _SAFE or count > max(fill, 1)


def listpack_bytes(elements: list[bytes]) -> int:
    """Bytes that some elements take in a listpack."""
    return sum(bytes_of_each(elements))


def held_by(elements: list[bytes]) -> int:
    """Bytes that CPython takes for some elements: the sum of ``bytes_of``, without a call for each."""
    return sum([length + 48 & ~15 for length in map(len, elements)])


class Node(list[bytes]):
    """Neighbouring elements."""

    __slots__ = ("size",)

    def __init__(self, elements: list[bytes], size: int) -> None:
        super().__init__(elements)
        self.size = size


class Quicklist:
    """The elements of a long list.

    ``fill`` is the list-max-listpack-size of the moment when the list became a quicklist, and None while it is one
    listpack, which is one node here. ``room`` is how many bytes a node may have at most, where that is the only
    question, and 0 else: in a listpack, and where elements are counted.
    """

    __slots__ = ("count", "fill", "held", "nodes", "room")

    def __init__(self, elements: list[bytes], held: int) -> None:
        self.nodes = deque((Node(elements, FRAME + listpack_bytes(elements)),))
        self.count = len(elements)
        self.held = held
        self.fill: int | None = None
        self.room = 0

    # Encodings

    def grow(self, size: int, count: int, fill: int) -> None:
        """Elements of ``size`` bytes are about to be added: become a quicklist if a listpack may not take them."""
        if self.fill is None and exceeds(fill, self._listpack_size() + size, self.count + count):
            self._become_quicklist(fill)

    def settle(self, fill: int) -> None:
        """The list has been made as a whole: become a quicklist if that is too much for a listpack."""
        self.grow(0, 0, fill)
        while len(self.nodes[0]) > LONGEST_NODE:
            self._split(0, len(self.nodes[0]) - LONGEST_NODE)

    def shrink(self, fill: int) -> None:
        """Elements have been removed: become a listpack if little enough is left."""
        if self.fill is None or len(self.nodes) != 1 or self.nodes[0].size == PLAIN:
            return
        fits = self.nodes[0].size <= _LEVELS[min(-fill, 5) - 1] // 2 if fill < 0 else self.count <= max(fill, 1) // 2
        if fits:
            self.fill = None
            self.room = 0

    def _become_quicklist(self, fill: int) -> None:
        """Be a quicklist from now on, its first node what was the listpack."""
        self.fill = max(-5, min(fill, _LARGEST_FILL))
        self.room = _LEVELS[-self.fill - 1] if self.fill < 0 else 0
        if not self.count:
            self.nodes.clear()

    def _listpack_size(self) -> int:
        return self.nodes[0].size if self.nodes else FRAME

    def _is_large(self, length: int) -> bool:
        return self.fill is not None and length > (self.room or _SAFE)

    def _takes(self, node: Node, length: int) -> bool:
        """Whether a node takes another element of ``length`` bytes."""
        if self.fill is None:
            return True
        return not exceeds(self.fill, node.size + length + OVERHEAD, len(node) + 1)

    # The ends

    def push(self, element: bytes, at_head: bool) -> None:
        """Add an element at an end."""
        nodes = self.nodes
        node = nodes[0 if at_head else -1] if nodes else None
        if node is not None and self._takes(node, len(element)):
            self._put(node, 0 if at_head else len(node), element)
            return
        node = self._node_of(element)
        if at_head:
            nodes.appendleft(node)
        else:
            nodes.append(node)

    def push_many(self, elements: list[bytes], at_head: bool) -> None:
        """Add elements at an end, one after the other."""
        nodes = self.nodes
        lengths = list(map(len, elements))
        ends = list(accumulate(bytes_of_each(elements), initial=0))
        longest = max(lengths)
        begin = 0
        while begin < len(elements):
            node = nodes[0 if at_head else -1] if nodes else None
            end = begin if node is None else self._fitting(node, lengths, ends, longest, begin)
            if end == begin or node is None:
                self.push(elements[begin], at_head)
                begin += 1
                continue
            part = elements[begin:end]
            if at_head:
                part.reverse()
                node[:0] = part
            else:
                node.extend(part)
            node.size += ends[end] - ends[begin]
            self.held += held_by(part)
            self.count += len(part)
            begin = end

    def _fitting(self, node: Node, lengths: list[int], ends: list[int], longest: int, begin: int) -> int:
        """Where the elements from ``begin`` on no longer fit into a node; ``ends`` has the sums of their entries."""
        if self.fill is None:
            return len(lengths)
        last = len(lengths)
        if self.fill >= 0:
            last = min(last, begin + max(self.fill, 1) - len(node))
        limit = (self.room or _SAFE) - OVERHEAD - node.size + ends[begin]
        # up to there they would fit if each were the longest; those behind are looked at one by one
        end = max(begin, min(bisect_right(ends, limit - longest, begin), last))
        while end < last and ends[end] + lengths[end] <= limit:
            end += 1
        return end

    def pop(self, at_head: bool) -> bytes:
        """Remove the element at an end and return it."""
        nodes = self.nodes
        node = nodes[0 if at_head else -1]
        element = node.pop(0 if at_head else -1)
        self.held -= bytes_of(element)
        self.count -= 1
        if node:
            node.size -= element_bytes(element)
        elif at_head:
            nodes.popleft()
        else:
            nodes.pop()
        return element

    def cut(self, count: int, at_head: bool) -> list[list[bytes]]:
        """Remove elements from an end; returns them in their order, in parts."""
        nodes = self.nodes
        parts: list[list[bytes]] = []
        self.count -= count
        while count:
            node = nodes[0 if at_head else -1]
            if len(node) <= count:
                self.held -= held_by(node)
                parts.append(nodes.popleft() if at_head else nodes.pop())
                count -= len(node)
            else:
                place = slice(0, count) if at_head else slice(len(node) - count, None)
                part = node[place]
                del node[place]
                self._forget(node, part)
                parts.append(part)
                count = 0
        return parts if at_head else parts[::-1]

    # Reading

    def __iter__(self) -> Iterator[bytes]:
        return chain.from_iterable(self.nodes)

    def locate(self, index: int) -> tuple[int, int]:
        """The node of an element and its place in there, found from the nearer end."""
        nodes = self.nodes
        if index <= self.count // 2:
            for position, node in enumerate(nodes):
                if index < len(node):
                    return position, index
                index -= len(node)
        behind = self.count - index
        for position, node in enumerate(reversed(nodes), 1):
            if behind <= len(node):
                return len(nodes) - position, len(node) - behind
            behind -= len(node)
        raise IndexError("no such element")

    def part(self, start: int, stop: int) -> list[bytes]:
        """The elements from ``start`` up to ``stop``, which are in the list, found from the nearer end."""
        found: list[bytes] = []
        if start <= self.count - stop:
            for node in self.nodes:
                length = len(node)
                if start < length:
                    found += node[max(start, 0) : stop]
                    if stop <= length:
                        break
                start -= length
                stop -= length
            return found
        parts: list[list[bytes]] = []
        end = self.count
        for node in reversed(self.nodes):
            end -= len(node)
            if end < stop:
                parts.append(node[max(start - end, 0) : stop - end])
                if end <= start:
                    break
        return list(chain.from_iterable(reversed(parts)))

    # The middle

    def insert(self, position: int, offset: int, element: bytes, after: bool) -> None:
        """Add an element before or after the one at ``offset`` of the node at ``position``."""
        nodes = self.nodes
        node = nodes[position]
        length = len(element)
        at_edge = offset == len(node) - 1 if after else offset == 0
        if self._takes(node, length):
            self._put(node, offset + after, element)
            return
        beside = position + 1 if after else position - 1
        if self._is_large(length):
            if not at_edge:
                self._split(position, offset + after)
                position += not after
            nodes.insert(position + after, self._node_of(element))
        elif not at_edge:
            self._split(position, offset + after)
            other = nodes[position + after]
            self._put(other, 0 if after else len(other), element)
            self._merge_around(position + (not after))
        elif 0 <= beside < len(nodes) and self._takes(nodes[beside], length):
            self._put(nodes[beside], 0 if after else len(nodes[beside]), element)
        else:
            nodes.insert(position + after, self._node_of(element))

    def replace(self, position: int, offset: int, element: bytes) -> None:
        """Put another element into the place of one."""
        node = self.nodes[position]
        large = self._is_large(len(element))
        if node.size == PLAIN and not large:
            self.insert(position, 0, element, True)
            self._remove_node(position)
        elif large and node.size != PLAIN:
            self._replace_by_plain(position, offset, element)
        else:
            self.held += bytes_of(element) - bytes_of(node[offset])
            if not large:
                node.size += element_bytes(element) - element_bytes(node[offset])
            node[offset] = element

    def _replace_by_plain(self, position: int, offset: int, element: bytes) -> None:
        node = self.nodes[position]
        if offset < len(node) - 1:
            self._split(position, offset + 1)
        self.nodes.insert(position + 1, self._node_of(element))
        if len(node) == 1:
            self._remove_node(position)
            return
        self.count -= 1
        self._forget(node, [node.pop()])
        self._merge_around(position + 1)

    def remove(self, element: bytes, most: int, from_head: bool) -> int:
        """Remove up to ``most`` elements that equal one, the first from one end. Returns how many there were."""
        left, emptied = most, False
        for node in self.nodes if from_head else reversed(self.nodes):
            found = min(node.count(element), left)
            if found:
                remove_from(node, element, found, from_head)
                self._forget(node, [element] * found)
                emptied |= not node
                left -= found
                if not left:
                    break
        if emptied:
            self.nodes = deque(filter(None, self.nodes))
        self.count -= most - left
        return most - left

    def _put(self, node: Node, offset: int, element: bytes) -> None:
        """Add an element to a node."""
        node.insert(offset, element)
        node.size += element_bytes(element)
        self.held += bytes_of(element)
        self.count += 1

    def _node_of(self, element: bytes) -> Node:
        """A new node with an element, which counts from now on."""
        self.held += bytes_of(element)
        self.count += 1
        return Node([element], PLAIN if self._is_large(len(element)) else FRAME + element_bytes(element))

    def _forget(self, node: Node, elements: list[bytes]) -> None:
        """Elements have been taken out of a node: take them out of its size and out of the account."""
        if node.size != PLAIN:
            node.size -= listpack_bytes(elements)
        self.held -= held_by(elements)

    def _remove_node(self, position: int) -> None:
        node = self.nodes[position]
        self.count -= len(node)
        self.held -= held_by(node)
        del self.nodes[position]

    def _split(self, position: int, offset: int) -> None:
        """Move the elements of a node from ``offset`` on into a node behind it."""
        node = self.nodes[position]
        tail = node[offset:]
        size = listpack_bytes(tail)
        del node[offset:]
        node.size -= size
        self.nodes.insert(position + 1, Node(tail, FRAME + size))

    def _merge_around(self, position: int) -> None:
        """Join the node at ``position`` and its neighbours where two of them fit into one, in Redis's order."""
        if self._merge(position - 2):
            position -= 1
        self._merge(position + 1)
        if self._merge(position - 1):
            position -= 1
        self._merge(position)

    def _merge(self, position: int) -> bool:
        """Join a node and the next, if there are both and one may be as long. Whether they have been."""
        nodes = self.nodes
        if not 0 <= position < len(nodes) - 1:
            return False
        node, other = nodes[position], nodes[position + 1]
        assert self.fill is not None
        if exceeds(self.fill, node.size + other.size - FRAME, len(node) + len(other)):
            return False
        node.extend(other)
        node.size += other.size - FRAME
        del nodes[position + 1]
        return True

    # The whole

    def copy(self) -> Quicklist:
        """A quicklist that shares no node with this one."""
        twin = Quicklist([], 0)
        twin.nodes = deque([Node(node, node.size) for node in self.nodes])
        twin.count, twin.held, twin.fill, twin.room = self.count, self.held, self.fill, self.room
        return twin

    def free(self, budget: int) -> int:
        """Drop nodes of about ``budget`` elements from the end; returns how many."""
        done = 0
        while self.nodes and done < budget:
            done += len(self.nodes.pop())
        self.count -= done
        return done

    def memory(self) -> int:
        """Bytes of everything."""
        return self.held + _PLACE * self.count + _NODE * len(self.nodes) + getsizeof(self.nodes) + 160

    def _check(self) -> None:
        """Assert that the sizes are those of the elements and no node is larger than it may be."""
        assert self.count == sum(map(len, self.nodes))
        assert self.held == sum(map(bytes_of, self))
        assert self.room == (0 if self.fill is None or self.fill >= 0 else _LEVELS[-self.fill - 1])
        assert len(self.nodes) <= 1 or self.fill is not None
        for node in self.nodes:
            assert node or self.fill is None
            assert len(node) <= LONGEST_NODE
            if node.size == PLAIN:
                assert len(node) == 1
            else:
                assert node.size == FRAME + sum(map(element_bytes, node))


class Pieces:
    """Parts of a list that have been cut off, to be freed in slices as a value is (value.py)."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[list[bytes]]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return len(self.parts)

    def free(self, budget: int) -> int:
        """Drop parts of about ``budget`` elements; returns how many."""
        done = 0
        while self.parts and done < budget:
            done += len(self.parts.pop())
        return done


def remove_from(elements: list[bytes], element: bytes, count: int, from_head: bool) -> None:
    """Remove ``count`` elements that equal one, of which there are so many, the first from one end."""
    if count == 1 and from_head:
        elements.remove(element)
        return
    if not from_head:
        elements.reverse()
    kept: list[bytes] = []
    begin = 0
    for _ in range(count):
        end = elements.index(element, begin)
        kept += elements[begin:end]
        begin = end + 1
    elements[:begin] = kept
    if not from_head:
        elements.reverse()
