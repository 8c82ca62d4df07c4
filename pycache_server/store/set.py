"""A set: what SADD makes.

The elements are in a plain set up to table.SMALL of them, in a Bag above. That is our secret; what clients see is the
encoding that Redis would use, which depends on the history: a set of integers is an intset, another small one a
listpack, and what has once grown beyond the limits is a hashtable until a command replaces the whole. So every set
remembers its form, and every addition moves it as Redis 7.4 would.

``held`` is the account of the elements' bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from pycache_server.store.algebra import Elements
from pycache_server.store.numbers import parse_int
from pycache_server.store.scan import scan
from pycache_server.store.table import (
    SMALL,
    Bag,
    Choose,
    buckets_of,
    deal,
    free_buckets,
    random_element,
    random_elements,
    random_sample,
    size_of_buckets,
    trimmed,
)

if TYPE_CHECKING:
    from pycache_server.store.encodings import Encodings

INTSET: Final = b"intset"
LISTPACK: Final = b"listpack"
HASHTABLE: Final = b"hashtable"

_NARROW = SMALL // 4
"""A Bag of no more elements becomes a plain set again."""
_JUST_GROWN = frozenset((5, 9, 19, 38, 77, 154, 308, 615))
"""How many elements a plain set has, that has lost none, when it has just taken room for four times as many. A copy
takes room for twice as many."""
_DIGITS_OF_ANY = 19
"""Numbers of fewer digits fit into 64 bits."""
_OWN = 96
"""Bytes of a Set and its account."""


class Set:
    """A set of byte strings."""

    __slots__ = ("elements", "form", "held")

    type_name: ClassVar[bytes] = b"set"

    def __init__(self, form: bytes = LISTPACK) -> None:
        self.elements: Elements = set()
        self.form = form
        self.held = 0

    @classmethod
    def made_for(cls, first: bytes, count: int, limits: Encodings) -> Set:
        """An empty set in the form that Redis chooses for one which gets ``count`` elements, ``first`` first."""
        if count <= limits.set_max_intset_entries and is_integer(first):
            return cls(INTSET)
        return cls(LISTPACK if count <= limits.set_max_listpack_entries else HASHTABLE)

    @classmethod
    def of(cls, elements: Collection[bytes], form: bytes) -> Set:
        """A set of elements that are all different; a Bag becomes its own."""
        made = cls(form)
        if len(elements) <= SMALL:
            made.elements = set(elements)
        else:
            made.elements = elements if isinstance(elements, Bag) else Bag(elements)
        made.held = _bytes_of_all(elements)
        return made

    def __len__(self) -> int:
        return len(self.elements)

    # Changes

    def add(self, element: bytes, limits: Encodings) -> bool:
        """Put in an element. Whether it is new."""
        elements = self.elements
        if type(elements) is Bag:
            if not elements.add(element):
                return False
        else:
            if element in elements:
                return False
            elements.add(element)
            count = len(elements)
            if count in _JUST_GROWN:
                self.elements = elements.copy()
            elif count > SMALL:
                self.elements = Bag(elements)
        self.held += (len(element) + 48) & ~15
        if self.form is LISTPACK:
            if len(element) > limits.set_max_listpack_value or len(self.elements) > limits.set_max_listpack_entries:
                self.form = HASHTABLE
        elif self.form is INTSET:
            if not is_integer(element):
                self.form = self._form_with((element,), limits)
            elif len(self.elements) > limits.set_max_intset_entries:
                self.form = HASHTABLE
        return True

    def update(self, elements: Sequence[bytes], limits: Encodings) -> int:
        """Put in some elements, which may be equal. How many are new."""
        own = self.elements
        if self.form is not HASHTABLE and len(elements) > self._limit(limits):
            self.form = HASHTABLE  # as Redis does before it looks at them
        if isinstance(own, Bag):
            new = own.without(dict.fromkeys(elements))
        elif own.issuperset(elements):
            return 0
        else:
            new = [element for element in dict.fromkeys(elements) if element not in own]
        if not new:
            return 0
        if isinstance(own, Bag):
            own.update(new)
        elif len(own) + len(new) > SMALL:
            self.elements = Bag([*own, *new])
        else:
            own.update(new)
            self.elements = trimmed(own, 64)
        self.held += _bytes_of_all(new)
        if self.form is not HASHTABLE:
            self.form = self._form_with(new, limits)
        return len(new)

    def remove(self, element: bytes) -> bool:
        """Take out an element. Whether it was in."""
        elements = self.elements
        if type(elements) is Bag:
            if not elements.discard(element):
                return False
            if len(elements) <= _NARROW:
                self.elements = set(elements)
        else:
            if element not in elements:
                return False
            elements.remove(element)
            count = len(elements)
            if not count & (count - 1):
                self.elements = trimmed(elements, 128)
        self.held -= (len(element) + 48) & ~15
        return True

    def pop(self, choose: Choose) -> bytes:
        """Take out a random element; there must be one."""
        element = random_element(self.elements, choose)
        self.remove(element)
        return element

    def pop_some(self, count: int, choose: Choose, limits: Encodings) -> list[bytes]:
        """Take out ``count`` random elements, or all."""
        left = len(self) - count
        if left <= 0:
            popped = self.members()
            self._become([])
        elif count <= left:
            popped = random_sample(self.elements, count, choose)
            for element in popped:
                self.remove(element)
        else:
            popped, kept = deal(self.elements, count, choose)
            self._become(kept)
            if left * 5 <= count:  # then Redis makes a new set of what is left
                self.form = form_of(kept, INTSET if self.form is INTSET else LISTPACK, limits)
        return popped

    def _become(self, elements: list[bytes]) -> None:
        self.elements = Bag(elements) if len(elements) > SMALL else set(elements)
        self.held = _bytes_of_all(elements)

    # Forms

    def _limit(self, limits: Encodings) -> int:
        """Most elements in the present form."""
        return limits.set_max_intset_entries if self.form is INTSET else limits.set_max_listpack_entries

    def _form_with(self, new: Sequence[bytes], limits: Encodings) -> bytes:
        """The form after ``new`` have come, in this order, to what is not yet a hashtable."""
        count = len(self.elements)
        if self.form is INTSET:
            integers = next((number for number, element in enumerate(new) if not is_integer(element)), len(new))
            if count - len(new) + integers > limits.set_max_intset_entries:
                return HASHTABLE
            if integers == len(new):
                return INTSET
            new = list(self.elements)
        if count > limits.set_max_listpack_entries or max(map(len, new)) > limits.set_max_listpack_value:
            return HASHTABLE
        return LISTPACK

    def encoding(self, limits: Encodings) -> bytes:
        """See value.py."""
        return self.form

    # Reading

    def members(self) -> list[bytes]:
        """All elements; those of an intset in their order."""
        return sorted(self.elements, key=int) if self.form is INTSET else list(self.elements)

    def sort_elements(self) -> list[bytes]:
        """What SORT sorts: all elements, in an order of no meaning."""
        return self.members()

    def one(self, choose: Choose) -> bytes:
        """A random element; there must be one."""
        return random_element(self.elements, choose)

    def sample(self, count: int, choose: Choose) -> list[bytes]:
        """``count`` different random elements, or all."""
        return self.members() if count >= len(self) else random_sample(self.elements, count, choose)

    def draw(self, count: int, choose: Choose) -> list[bytes]:
        """``count`` random elements, any of them more than once; there must be one."""
        return random_elements(self.elements, count, choose)

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """The next elements from ``cursor`` on and the next cursor: all at once where the form is compact."""
        if self.form is not HASHTABLE:
            return 0, self.members()
        return scan(*buckets_of(self.elements), cursor, count)

    # What every value can do (value.py)

    def memory(self) -> int:
        """See value.py."""
        return _OWN + self.held + size_of_buckets(self.elements)

    def free(self, budget: int) -> int:
        """See value.py."""
        return free_buckets(self.elements, budget)

    def copy(self) -> Set:
        """See value.py."""
        twin = Set(self.form)
        twin.elements = self.elements.copy()
        twin.held = self.held
        return twin

    def digest_parts(self) -> Iterable[bytes]:
        """See value.py."""
        return self.elements

    def _check(self) -> None:
        """Assert that the elements are where they belong and counted, and that the form allows them."""
        assert self.held == _bytes_of_all(self.elements)
        if isinstance(self.elements, Bag):
            self.elements._check()
            assert len(self.elements) > _NARROW
        else:
            assert len(self.elements) <= SMALL
        assert self.form in (INTSET, LISTPACK, HASHTABLE)
        assert self.form is not INTSET or all(map(is_integer, self.elements))


def is_integer(text: bytes) -> bool:
    """Whether an intset can hold it."""
    if text.isdigit() and len(text) < _DIGITS_OF_ANY:
        return text[0] != 48 or len(text) == 1
    return (text.isdigit() or text[:1] == b"-") and parse_int(text) is not None


def form_of(elements: Collection[bytes], start: bytes, limits: Encodings) -> bytes:
    """The form of a set that Redis starts as an empty ``start`` and fills with these elements."""
    count, compact = len(elements), limits.set_max_listpack_entries
    if start is INTSET and count <= max(limits.set_max_intset_entries, compact) and all(map(is_integer, elements)):
        return INTSET if count <= limits.set_max_intset_entries else HASHTABLE
    if count > compact or max(map(len, elements), default=0) > limits.set_max_listpack_value:
        return HASHTABLE
    return LISTPACK


def _bytes_of_all(elements: Iterable[bytes]) -> int:
    return sum([(len(element) + 48) & ~15 for element in elements])
