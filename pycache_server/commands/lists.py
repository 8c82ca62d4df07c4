"""Lists: pushing, popping, reading and changing them. What waits for an element is in blocking_lists.py.

Contents: LINDEX LINSERT LLEN LMOVE LMPOP LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM RPOP RPOPLPUSH RPUSH RPUSHX.

``fill``, which most changes ask for, is the list-max-listpack-size: OBJECT ENCODING depends on it (store/list.py).
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from pycache_server.commands.args import Options, index_range, integer, integer_in, option_of, positive
from pycache_server.commands.context import Context
from pycache_server.commands.effects import of_lmpop
from pycache_server.commands.registry import DENYOOM, FAST, READONLY, WRITE, Family
from pycache_server.errors import BadSyntax, IndexOutOfRange, NoSuchKey, RedisError, WrongType, wrong_arity
from pycache_server.resp.encode import EMPTY_ARRAY, NULL_ARRAY, OK, Texts
from pycache_server.store.events import DEL, LIST, Event
from pycache_server.store.list import List
from pycache_server.store.memory import HEAVY
from pycache_server.store.numbers import INT_MAX
from pycache_server.store.quicklist import Pieces

family = Family("list")
command = family.command

LPUSH = Event(LIST, b"lpush")
RPUSH = Event(LIST, b"rpush")
LPOP = Event(LIST, b"lpop")
RPOP = Event(LIST, b"rpop")
LINSERT = Event(LIST, b"linsert")
LSET = Event(LIST, b"lset")
LREM = Event(LIST, b"lrem")
LTRIM = Event(LIST, b"ltrim")


def list_of(value: Any) -> List | None:
    """A value of the keyspace as a list; None where there is none.

    Raises WrongType.
    """
    if value is None or isinstance(value, List):
        return value
    raise WrongType


# Pushing


@command(
    "LPUSH key element [element ...]",
    WRITE,
    DENYOOM,
    FAST,
    since="1.0.0",
    complexity="O(N), N = elements",
    keys="RW INSERT",
)
def lpush(session: Context, argv: list[bytes]) -> int:
    """Insert elements at the head of a list; create it where there is none."""
    db, key = session.db, argv[1]
    value = db.find(key)
    if isinstance(value, List) and len(argv) == 3:
        length = value.push_head(argv[2], session.keyspace.encodings.list_max_listpack_size)
        db.touched(key, LPUSH)
        return length
    return _push(session, argv, value, LPUSH)


@command(
    "RPUSH key element [element ...]",
    WRITE,
    DENYOOM,
    FAST,
    since="1.0.0",
    complexity="O(N), N = elements",
    keys="RW INSERT",
)
def rpush(session: Context, argv: list[bytes]) -> int:
    """Append elements to the tail of a list; create it where there is none."""
    db, key = session.db, argv[1]
    value = db.find(key)
    if isinstance(value, List) and len(argv) == 3:
        length = value.push_tail(argv[2], session.keyspace.encodings.list_max_listpack_size)
        db.touched(key, RPUSH)
        return length
    return _push(session, argv, value, RPUSH)


@command(
    "LPUSHX key element [element ...]",
    WRITE,
    DENYOOM,
    FAST,
    since="2.2.0",
    complexity="O(N), N = elements",
    keys="RW INSERT",
)
def lpushx(session: Context, argv: list[bytes]) -> int:
    """Insert elements at the head of a list that exists."""
    value = session.db.find(argv[1])
    return 0 if value is None else _push(session, argv, value, LPUSH)


@command(
    "RPUSHX key element [element ...]",
    WRITE,
    DENYOOM,
    FAST,
    since="2.2.0",
    complexity="O(N), N = elements",
    keys="RW INSERT",
)
def rpushx(session: Context, argv: list[bytes]) -> int:
    """Append elements to the tail of a list that exists."""
    value = session.db.find(argv[1])
    return 0 if value is None else _push(session, argv, value, RPUSH)


def _push(session: Context, argv: list[bytes], value: Any, event: Event) -> int:
    """Add all elements of a command to the list at its key, or to a new one."""
    db, key, elements = session.db, argv[1], argv[2:]
    held = list_of(value)
    target = List() if held is None else held
    length = target.push_many(elements, event is LPUSH, session.keyspace.encodings.list_max_listpack_size)
    if held is None:
        db.dirty += len(elements) - 1
        db.put(key, target, event)
    else:
        db.touched(key, event, len(elements))
    return length


# Popping


@command(
    "LPOP key [count]", WRITE, FAST, since="1.0.0", complexity="O(N), N = elements returned", keys="RW ACCESS DELETE"
)
def lpop(session: Context, argv: list[bytes]) -> Any:
    """Remove elements from the head of a list and return them."""
    if len(argv) > 2:
        return _pop_many(session, argv, b"lpop", LPOP)
    value = session.db.find(argv[1])
    if not isinstance(value, List):
        return list_of(value)
    element = value.pop_head()
    if value.shrink(session.keyspace.encodings.list_max_listpack_size):
        session.db.touched(argv[1], LPOP)
    else:
        removed_from(session, argv[1], value, LPOP)
    return element


@command(
    "RPOP key [count]", WRITE, FAST, since="1.0.0", complexity="O(N), N = elements returned", keys="RW ACCESS DELETE"
)
def rpop(session: Context, argv: list[bytes]) -> Any:
    """Remove elements from the tail of a list and return them, the last one first."""
    if len(argv) > 2:
        return _pop_many(session, argv, b"rpop", RPOP)
    value = session.db.find(argv[1])
    if not isinstance(value, List):
        return list_of(value)
    element = value.pop_tail()
    if value.shrink(session.keyspace.encodings.list_max_listpack_size):
        session.db.touched(argv[1], RPOP)
    else:
        removed_from(session, argv[1], value, RPOP)
    return element


def _pop_many(session: Context, argv: list[bytes], name: bytes, event: Event) -> Any:
    if len(argv) > 3:
        raise wrong_arity(name)
    count = positive(argv[2])
    value = list_of(session.db.find(argv[1]))
    if value is None:
        return NULL_ARRAY
    return pop_up_to(session, argv[1], value, count, event) if count else EMPTY_ARRAY


def pop_up_to(session: Context, key: bytes, value: List, count: int, event: Event) -> list[bytes]:
    """Remove up to ``count`` elements from the end of a list that ``event`` means, and return them from there on."""
    from_head = event is LPOP
    popped = list(chain.from_iterable(value.cut(min(count, len(value)), from_head)))
    removed_from(session, key, value, event, len(popped))
    return popped if from_head else popped[::-1]


def removed_from(session: Context, key: bytes, value: List, event: Event, count: int = 1) -> None:
    """Elements have been removed from a list: tell it, and remove the key where none is left."""
    db = session.db
    if value.shrink(session.keyspace.encodings.list_max_listpack_size):
        db.touched(key, event, count)
    else:
        db.touched(key, event, count - 1)  # ``delete`` counts one
        db.delete(key, DEL)


@command(
    "LMPOP numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    WRITE,
    since="7.0.0",
    complexity="O(N+M), N = keys, M = elements returned",
    keys="RW ACCESS DELETE",
    effect=of_lmpop,
)
def lmpop(session: Context, argv: list[bytes]) -> Any:
    """Remove elements from an end of the first list that exists among some keys, and return its key and them."""
    keys, event, count = parse_mpop(argv, 1)
    popped = pop_first(session, keys, event, count)
    return NULL_ARRAY if popped is None else popped


def parse_mpop(argv: list[bytes], position: int) -> tuple[list[bytes], Event, int]:
    """Keys, event (LPOP or RPOP) and count of LMPOP and its like, the number of keys standing at ``position``.

    Raises RedisError.
    """
    numkeys = integer_in(argv[position], 1, INT_MAX, b"ERR numkeys should be greater than 0")
    behind = position + 1 + numkeys
    if behind >= len(argv):
        raise BadSyntax
    event = LPOP if is_left(argv[behind]) else RPOP
    count = 0
    options = Options(argv, behind + 1)
    while (option := options.take()) is not None:
        if option != b"COUNT" or count or not options.left():
            options.fail()
        count = integer_in(options.value(), 1, INT_MAX, b"ERR count should be greater than 0")
    return argv[position + 1 : behind], event, count or 1


def pop_first(session: Context, keys: list[bytes], event: Event, count: int) -> list[Any] | None:
    """Pop from the first of some keys that exists; its key and the elements, or None."""
    for key in keys:
        value = list_of(session.db.find(key))
        if value is not None:
            return [key, pop_up_to(session, key, value, count, event)]
    return None


# Moving


def is_left(word: bytes) -> bool:
    """Whether a word means the left end of a list.

    Raises BadSyntax where it means neither end.
    """
    side = option_of(word)
    if side not in (b"LEFT", b"RIGHT"):
        raise BadSyntax
    return side == b"LEFT"


@command(
    "LMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT>",
    WRITE,
    DENYOOM,
    since="6.2.0",
    keys="RW ACCESS DELETE;RW INSERT",
)
def lmove(session: Context, argv: list[bytes]) -> bytes | None:
    """Move an element from an end of a list to an end of another, or of the same."""
    _, source, destination, whence, whither = argv
    from_head, to_head = is_left(whence), is_left(whither)
    return move(session, source, destination, from_head, to_head)


@command("RPOPLPUSH source destination", WRITE, DENYOOM, since="1.2.0", keys="RW ACCESS DELETE;RW INSERT")
def rpoplpush(session: Context, argv: list[bytes]) -> bytes | None:
    """Move the last element of a list to the head of another, or of the same."""
    return move(session, argv[1], argv[2], False, True)


def move(session: Context, source: bytes, destination: bytes, from_head: bool, to_head: bool) -> bytes | None:
    """Move an element; None where there is no list at ``source``.

    Raises WrongType.
    """
    db = session.db
    value = list_of(db.find(source))
    if value is None:
        return None
    held = list_of(db.find(destination))
    target = List() if held is None else held
    element = value.pop_head() if from_head else value.pop_tail()
    fill = session.keyspace.encodings.list_max_listpack_size
    if to_head:
        target.push_head(element, fill)
    else:
        target.push_tail(element, fill)
    event = LPUSH if to_head else RPUSH
    if held is None:
        db.put(destination, target, event)
        db.dirty -= 1  # the whole is one change
    else:
        db.touched(destination, event, 0)
    removed_from(session, source, value, LPOP if from_head else RPOP)
    return element


# Reading


@command("LLEN key", READONLY, FAST, since="1.0.0", keys="RO")
def llen(session: Context, argv: list[bytes]) -> int:
    """Return the length of a list."""
    value = list_of(session.db.read(argv[1]))
    return 0 if value is None else len(value)


@command(
    "LRANGE key start stop",
    READONLY,
    since="1.0.0",
    complexity="O(S+N), S = distance of start from the nearer end, N = elements returned",
    keys="RO ACCESS",
)
def lrange(session: Context, argv: list[bytes]) -> Any:
    """Return the elements of a list from one index to another."""
    start, stop = integer(argv[2]), integer(argv[3])
    value = session.db.read(argv[1])
    if isinstance(value, List):
        if start < 0 or stop < 0:
            start, stop = index_range(start, stop, len(value))
        else:
            stop += 1
        return Texts(value.part(start, stop))
    if value is None:
        return EMPTY_ARRAY
    raise WrongType


@command(
    "LINDEX key index",
    READONLY,
    since="1.0.0",
    complexity="O(N), N = distance from the nearer end",
    keys="RO ACCESS",
)
def lindex(session: Context, argv: list[bytes]) -> bytes | None:
    """Return an element of a list by its index."""
    value = list_of(session.db.read(argv[1]))
    return None if value is None else value.at(integer(argv[2]))


@command(
    "LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
    READONLY,
    since="6.0.6",
    complexity="O(N), N = elements looked at",
    keys="RO ACCESS",
)
def lpos(session: Context, argv: list[bytes]) -> Any:
    """Return where an element stands in a list, or the first of several places."""
    rank, count, limit = 1, None, 0
    options = Options(argv, 3)
    while (option := options.take()) is not None:
        if option == b"RANK" and options.left():
            rank = _rank(options.value())
        elif option == b"COUNT" and options.left():
            count = positive(options.value(), b"ERR COUNT can't be negative")
        elif option == b"MAXLEN" and options.left():
            limit = positive(options.value(), b"ERR MAXLEN can't be negative")
        else:
            options.fail()
    value = list_of(session.db.read(argv[1]))
    if value is None:
        return None if count is None else EMPTY_ARRAY
    most = 1 if count is None else count or len(value)
    found = value.positions(argv[2], abs(rank) - 1, most, limit or len(value), rank > 0)
    if count is not None:
        return found
    return found[0] if found else None


def _rank(word: bytes) -> int:
    rank = integer_in(word, -INT_MAX, INT_MAX)
    if rank == 0:
        raise RedisError(
            b"ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
            b"or use negative to start from the end of the list"
        )
    return rank


# Changing


@command(
    "LSET key index element",
    WRITE,
    DENYOOM,
    since="1.0.0",
    complexity="O(N), N = distance from the nearer end",
    keys="RW UPDATE",
)
def lset(session: Context, argv: list[bytes]) -> Any:
    """Replace an element of a list by its index."""
    db, key = session.db, argv[1]
    value = list_of(db.find(key))
    if value is None:
        raise NoSuchKey
    index = integer(argv[2])
    fill = session.keyspace.encodings.list_max_listpack_size
    if not value.replace(index, argv[3], fill):
        raise IndexOutOfRange
    value.shrink(fill)
    db.touched(key, LSET)
    return OK


@command(
    "LINSERT key <BEFORE | AFTER> pivot element",
    WRITE,
    DENYOOM,
    since="2.2.0",
    complexity="O(N), N = elements before the pivot",
    keys="RW INSERT",
)
def linsert(session: Context, argv: list[bytes]) -> int:
    """Insert an element before or after another; return the length, or -1 where there is none such."""
    _, key, where, pivot, element = argv
    side = option_of(where)
    if side not in (b"BEFORE", b"AFTER"):
        raise BadSyntax
    db = session.db
    value = list_of(db.find(key))
    if value is None:
        return 0
    fill = session.keyspace.encodings.list_max_listpack_size
    if not value.insert_beside(pivot, element, side == b"AFTER", fill):
        return -1
    db.touched(key, LINSERT)
    return len(value)


@command("LREM key count element", WRITE, since="1.0.0", complexity="O(N), N = length of the list", keys="RW DELETE")
def lrem(session: Context, argv: list[bytes]) -> int:
    """Remove elements that equal one: ``count`` from the head, or from the tail where it is negative, or all for 0."""
    _, key, word, element = argv
    count = integer_in(word, -INT_MAX, INT_MAX)
    value = list_of(session.db.find(key))
    if value is None:
        return 0
    removed = value.discard(element, abs(count) or len(value), count >= 0)
    if removed:
        removed_from(session, key, value, LREM, removed)
    return removed


@command("LTRIM key start stop", WRITE, since="1.0.0", complexity="O(N), N = parts removed", keys="RW DELETE")
def ltrim(session: Context, argv: list[bytes]) -> Any:
    """Remove all elements of a list but those from one index to another."""
    _, key, first, last = argv
    start, stop = integer(first), integer(last)
    value = list_of(session.db.find(key))
    if value is None:
        return OK
    length = len(value)
    start, stop = index_range(start, stop, length)
    if start == stop:
        start = stop = length
    removed = length - stop + start
    pieces = Pieces([*value.cut(start, True), *value.cut(length - stop, False)])
    removed_from(session, key, value, LTRIM, removed)
    if removed > HEAVY:
        session.keyspace.discard(pieces)
    return OK
