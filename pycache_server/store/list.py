"""Lists: one Python list while they are short, a quicklist when they are long.

Most lists hold a few elements, so a short one is a single object: a Python list with one more field. While it is well
within the limits of a listpack nothing else need be counted. A list that may be beyond becomes a LongList by the
exchange of its class, and its elements go to a Quicklist (quicklist.py), which counts what OBJECT ENCODING depends on.

``fill`` is the list-max-listpack-size. Whoever removes or replaces elements calls ``shrink`` when that is done. Where
``len(element) + 48 & ~15`` stands, it is ``bytes_of`` without the call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from sys import getsizeof
from typing import TYPE_CHECKING, Any, ClassVar

from pycache_server.store.listpack import BYTES_OF_TEXT, MODERATE, element_bytes
from pycache_server.store.quicklist import OVERHEAD, Node, Quicklist, held_by, remove_from
from pycache_server.store.value import bytes_of

if TYPE_CHECKING:
    from pycache_server.store.encodings import Encodings

SHORT = 4096
"""Most bytes of a short list's elements, as CPython takes them: their listpack takes less, and no limit is lower."""
_NO_NUMBER = b":"
"""No number begins like this text, or one behind it: a listpack takes such an element as it is."""
_SURELY_LONG = SHORT // bytes_of(b"")  # more elements than that are not short, whatever they are


class List(list[bytes]):
    """A list, in a database until it is empty.

    This class is the short one. ``state`` is the bytes that CPython takes for the elements; LongList has its own.
    """

    __slots__ = ("state",)
    type_name: ClassVar[bytes] = b"list"

    def __init__(self) -> None:
        super().__init__()
        self.state: Any = 0

    @classmethod
    def built(cls, elements: list[bytes], fill: int) -> List:
        """A list that is made as a whole, as SORT makes one: a listpack at first, whatever its size."""
        value = cls()
        value.state = held_by(elements)
        value.extend(elements)
        if value.state > SHORT or -1 < fill < len(elements):
            value._lengthen().state.settle(fill)
        return value

    @classmethod
    def of_nodes(cls, nodes: list[tuple[list[bytes], bool]], fill: int) -> LongList:
        """A quicklist of nodes that are given: the elements of each, and whether it is a plain one."""
        value = LongList()
        value.state = Quicklist.of_nodes(nodes, fill)
        return value

    # The ends

    def push_head(self, element: bytes, fill: int) -> int:
        """Add an element at the head. Returns the length."""
        held = self.state + (len(element) + 48 & ~15)
        if held > SHORT or -1 < fill <= len(self):
            return self._lengthen().push_head(element, fill)
        self.state = held
        self.insert(0, element)
        return len(self)

    def push_tail(self, element: bytes, fill: int) -> int:
        """Add an element at the tail. Returns the length."""
        held = self.state + (len(element) + 48 & ~15)
        if held > SHORT or -1 < fill <= len(self):
            return self._lengthen().push_tail(element, fill)
        self.state = held
        self.append(element)
        return len(self)

    def push_many(self, elements: list[bytes], at_head: bool, fill: int) -> int:
        """Add elements at an end, one after the other. Returns the length."""
        if len(elements) > _SURELY_LONG:
            return self._lengthen().push_many(elements, at_head, fill)
        held = self.state + held_by(elements)
        if held > SHORT or -1 < fill < len(self) + len(elements):
            return self._lengthen().push_many(elements, at_head, fill)
        self.state = held
        if at_head:
            self[:0] = elements[::-1]
        else:
            self.extend(elements)
        return len(self)

    def pop_head(self) -> bytes:
        """Remove the first element and return it."""
        element = self.pop(0)
        self.state -= len(element) + 48 & ~15
        return element

    def pop_tail(self) -> bytes:
        """Remove the last element and return it."""
        element = self.pop()
        self.state -= len(element) + 48 & ~15
        return element

    def cut(self, count: int, at_head: bool) -> list[list[bytes]]:
        """Remove elements from an end; returns them in their order, in parts."""
        place = slice(0, count) if at_head else slice(len(self) - count, None)
        part = self[place]
        del self[place]
        self.state -= held_by(part)
        return [part]

    # Reading

    def at(self, index: int) -> bytes | None:
        """The element at an index, which counts from the end where it is negative; None where there is none."""
        return self[index] if -len(self) <= index < len(self) else None

    def part(self, start: int, stop: int) -> list[bytes]:
        """The elements from ``start`` up to ``stop``, neither of which is negative; as many of them as there are."""
        return self[start:stop]

    def positions(self, element: bytes, skip: int, most: int, limit: int, from_head: bool) -> list[int]:
        """Where elements stand that equal one: up to ``most`` of them behind the first ``skip``, looking at ``limit``
        elements from one end."""
        found: list[int] = []
        passed = 0
        for node in self._nodes(from_head):
            ordered = node if from_head else node[::-1]
            end, place = limit - passed, -1
            while len(found) < most:
                try:
                    place = ordered.index(element, place + 1, max(end, 0))
                except ValueError:
                    break
                if skip:
                    skip -= 1
                else:
                    found.append(passed + place)
            passed += len(node)
            if len(found) == most or passed >= limit:
                break
        return found if from_head else [len(self) - 1 - place for place in found]

    def _nodes(self, from_head: bool) -> Iterable[list[bytes]]:
        """The elements in parts, which come from one end."""
        return (self,)

    def sort_elements(self) -> list[bytes]:
        """What SORT sorts: all elements in their order."""
        return list(self)

    # The middle

    def replace(self, index: int, element: bytes, fill: int) -> bool:
        """Put another element into the place of the one at ``index``. Whether there is one."""
        held = self.state + (len(element) + 48 & ~15)
        if held > SHORT or -1 < fill <= len(self):
            return self._lengthen().replace(index, element, fill)
        old = self.at(index)
        if old is None:
            return False
        self.state = held - bytes_of(old)
        self[index] = element
        return True

    def insert_beside(self, pivot: bytes, element: bytes, after: bool, fill: int) -> bool:
        """Add an element before or after the first that equals ``pivot``. Whether there is one."""
        held = self.state + (len(element) + 48 & ~15)
        if held > SHORT or -1 < fill <= len(self):
            return self._lengthen().insert_beside(pivot, element, after, fill)
        if pivot not in self:
            return False
        self.state = held
        self.insert(self.index(pivot) + after, element)
        return True

    def discard(self, element: bytes, most: int, from_head: bool) -> int:
        """Remove up to ``most`` elements that equal one, the first from one end. Returns how many there were."""
        found = min(self.count(element), most)
        if found:
            remove_from(self, element, found, from_head)
            self.state -= found * bytes_of(element)
        return found

    # The whole

    def encoding(self, limits: Encodings) -> bytes:
        return b"listpack"

    def shrink(self, fill: int) -> int:
        """Elements have been removed: take a smaller form if that will do. Returns the length."""
        return len(self)

    def memory(self) -> int:
        return (getsizeof(self) + 15 & ~15) + 32 + int(self.state)

    def free(self, budget: int) -> int:
        done = len(self)
        self.clear()
        self.state = 0
        return done

    def copy(self) -> List:
        twin = List()
        twin.extend(self)
        twin.state = self.state
        return twin

    def digest_parts(self) -> Iterable[bytes]:
        return iter(self)

    def _lengthen(self) -> LongList:
        """Become a LongList."""
        quick = Quicklist(list(self), self.state)
        self.clear()
        self.__class__ = LongList
        self.state = quick
        return self  # type: ignore[return-value]

    def _check(self) -> None:
        assert self.state == sum(map(bytes_of, self)) <= SHORT


class LongList(List):
    """A list that is not short: ``state`` is its Quicklist, and the Python list that it once was is empty.

    The common case of pushing and popping one element, the most frequent changes of all, is done here: that spares
    calls.
    """

    __slots__ = ()

    def __len__(self) -> int:
        count: int = self.state.count
        return count

    def __iter__(self) -> Iterator[bytes]:
        return chain.from_iterable(self.state.nodes)

    def push_head(self, element: bytes, fill: int) -> int:
        quick: Quicklist = self.state
        length = len(element)
        if not quick.count or (head := quick.nodes[0]).size + length + OVERHEAD > quick.room:
            quick.grow(length, 1, fill)
            quick.push(element, True)
            return quick.count
        head[:0] = (element,)  # moves the others twice as fast as ``insert``
        head.size += (
            BYTES_OF_TEXT[length]
            if (length > 20 or element >= _NO_NUMBER) and length < MODERATE
            else element_bytes(element)
        )
        quick.held += length + 48 & ~15
        quick.count += 1
        return quick.count

    def push_tail(self, element: bytes, fill: int) -> int:
        quick: Quicklist = self.state
        length = len(element)
        if not quick.count or (tail := quick.nodes[-1]).size + length + OVERHEAD > quick.room:
            quick.grow(length, 1, fill)
            quick.push(element, False)
            return quick.count
        tail.append(element)
        tail.size += (
            BYTES_OF_TEXT[length]
            if (length > 20 or element >= _NO_NUMBER) and length < MODERATE
            else element_bytes(element)
        )
        quick.held += length + 48 & ~15
        quick.count += 1
        return quick.count

    def push_many(self, elements: list[bytes], at_head: bool, fill: int) -> int:
        quick: Quicklist = self.state
        quick.grow(sum(map(len, elements)), len(elements), fill)
        quick.push_many(elements, at_head)
        return quick.count

    def pop_head(self) -> bytes:
        quick: Quicklist = self.state
        head = quick.nodes[0]
        if len(head) == 1:
            return quick.pop(True)
        element = head.pop(0)
        length = len(element)
        head.size -= (
            BYTES_OF_TEXT[length]
            if (length > 20 or element >= _NO_NUMBER) and length < MODERATE
            else element_bytes(element)
        )
        quick.held -= length + 48 & ~15
        quick.count -= 1
        return element

    def pop_tail(self) -> bytes:
        quick: Quicklist = self.state
        tail = quick.nodes[-1]
        if len(tail) == 1:
            return quick.pop(False)
        element = tail.pop()
        length = len(element)
        tail.size -= (
            BYTES_OF_TEXT[length]
            if (length > 20 or element >= _NO_NUMBER) and length < MODERATE
            else element_bytes(element)
        )
        quick.held -= length + 48 & ~15
        quick.count -= 1
        return element

    def cut(self, count: int, at_head: bool) -> list[list[bytes]]:
        quick: Quicklist = self.state
        return quick.cut(count, at_head)

    def at(self, index: int) -> bytes | None:
        quick: Quicklist = self.state
        if not -quick.count <= index < quick.count:
            return None
        position, offset = quick.locate(index % quick.count)
        return quick.nodes[position][offset]

    def part(self, start: int, stop: int) -> list[bytes]:
        quick: Quicklist = self.state
        head = quick.nodes[0]
        if stop <= len(head):
            return head[start:stop]
        stop = min(stop, quick.count)
        return quick.part(start, stop) if start < stop else []

    def _nodes(self, from_head: bool) -> Iterable[list[bytes]]:
        nodes: deque[Node] = self.state.nodes
        return nodes if from_head else reversed(nodes)

    def replace(self, index: int, element: bytes, fill: int) -> bool:
        quick: Quicklist = self.state
        quick.grow(len(element), 1, fill)
        if not -quick.count <= index < quick.count:
            return False
        quick.replace(*quick.locate(index % quick.count), element)
        return True

    def insert_beside(self, pivot: bytes, element: bytes, after: bool, fill: int) -> bool:
        quick: Quicklist = self.state
        quick.grow(len(element), 1, fill)
        for position, node in enumerate(quick.nodes):
            if pivot in node:
                quick.insert(position, node.index(pivot), element, after)
                return True
        return False

    def discard(self, element: bytes, most: int, from_head: bool) -> int:
        quick: Quicklist = self.state
        return quick.remove(element, most, from_head)

    def encoding(self, limits: Encodings) -> bytes:
        return b"listpack" if self.state.fill is None else b"quicklist"

    def shrink(self, fill: int) -> int:
        quick: Quicklist = self.state
        if len(quick.nodes) > 1:
            return quick.count
        quick.shrink(fill)
        if not quick.count or (quick.fill is None and quick.held <= SHORT // 2):
            self.__class__ = List  # type: ignore[assignment]
            self.extend(quick)
            self.state = quick.held
        return quick.count

    def settled(self, fill: int) -> List:
        """The list, which has been made as a whole, as a listpack if it fits into one."""
        quick: Quicklist = self.state
        quick.shrink(fill, 1)
        if quick.fill is None and quick.held <= SHORT:
            self.__class__ = List  # type: ignore[assignment]
            self.extend(quick)
            self.state = quick.held
        return self

    def memory(self) -> int:
        return 64 + int(self.state.memory())

    def free(self, budget: int) -> int:
        quick: Quicklist = self.state
        return quick.free(budget)

    def copy(self) -> LongList:
        twin = LongList()
        twin.state = self.state.copy()
        return twin

    def _lengthen(self) -> LongList:
        return self

    def _check(self) -> None:
        assert not list.__len__(self)
        self.state._check()
