"""Sets: SADD, SMEMBERS, SINTER and their relatives.

Contents: SADD SCARD SDIFF SDIFFCARD SDIFFSTORE SINTER SINTERCARD SINTERSTORE SISMEMBER SMEMBERS SMISMEMBER SMOVE SPOP
SRANDMEMBER SREM SSCAN SUNION SUNIONCARD SUNIONSTORE.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Any

from pycache_server.commands.args import Options, draws, integer_in, positive
from pycache_server.commands.context import Context
from pycache_server.commands.effects import of_spop
from pycache_server.commands.generic import scan_cursor, scan_options
from pycache_server.commands.registry import DENYOOM, FAST, READONLY, WRITE, Family
from pycache_server.errors import BadSyntax, RedisError, WrongType
from pycache_server.resp.encode import SetReply
from pycache_server.store import algebra, events
from pycache_server.store.events import DEL, Event
from pycache_server.store.glob import compile_glob
from pycache_server.store.numbers import INT_MAX
from pycache_server.store.set import INTSET, LISTPACK, Set, form_of

family = Family("set")
command = family.command

SADD = Event(events.SET, b"sadd")
SREM = Event(events.SET, b"srem")
SPOP = Event(events.SET, b"spop")
SINTERSTORE = Event(events.SET, b"sinterstore")
SUNIONSTORE = Event(events.SET, b"sunionstore")
SDIFFSTORE = Event(events.SET, b"sdiffstore")


# Elements


@command(
    "SADD key member [member ...]",
    WRITE,
    DENYOOM,
    FAST,
    since="1.0.0",
    complexity="O(N), N = members",
    keys="RW INSERT",
)
def sadd(session: Context, argv: list[bytes]) -> int:
    """Add members to a set; create it where it is not there."""
    db, key = session.db, argv[1]
    value = db.find(key)
    limits = session.keyspace.encodings
    if value is None:
        value = Set.made_for(argv[2], len(argv) - 2, limits)
        added = value.update(argv[2:], limits) if len(argv) > 3 else int(value.add(argv[2], limits))
        db.put(key, value, SADD)
        db.dirty += added - 1
    elif type(value) is not Set:
        raise WrongType
    elif len(argv) > 3:
        added = value.update(argv[2:], limits)
        if added:
            db.touched(key, SADD, added)
    elif value.add(argv[2], limits):
        db.touched(key, SADD)
        return 1
    else:
        return 0
    return added


@command("SREM key member [member ...]", WRITE, FAST, since="1.0.0", complexity="O(N), N = members", keys="RW DELETE")
def srem(session: Context, argv: list[bytes]) -> int:
    """Remove members from a set."""
    db, key = session.db, argv[1]
    value = db.find(key)
    if type(value) is not Set:
        if value is None:
            return 0
        raise WrongType
    if len(argv) == 3:
        removed = 1 if value.remove(argv[2]) else 0
    else:
        removed = sum(map(value.remove, argv[2:]))
    if removed:
        _shrunk(session, key, value, SREM, removed)
    return removed


def _shrunk(session: Context, key: bytes, value: Set, event: Event, removed: int) -> None:
    """Tell that a set has lost members, and delete it where it has no more; that counts as the last change."""
    db = session.db
    if value.held:
        db.touched(key, event, removed)
    else:
        db.touched(key, event, removed - 1)
        db.delete(key, DEL)


@command("SMOVE source destination member", WRITE, FAST, since="1.0.0", keys="RW ACCESS DELETE;RW INSERT")
def smove(session: Context, argv: list[bytes]) -> int:
    """Move a member from one set to another."""
    _, source, destination, member = argv
    db, limits = session.db, session.keyspace.encodings
    here, there = db.find(source), db.find(destination)
    if here is None:
        return 0
    if type(here) is not Set or (there is not None and type(there) is not Set):
        raise WrongType
    if here is there:
        return int(member in here.elements)
    if not here.remove(member):
        return 0
    _shrunk(session, source, here, SREM, 1)
    if there is None:
        there = Set.made_for(member, 1, limits)
        there.add(member, limits)
        db.put(destination, there, SADD)
    elif there.add(member, limits):
        db.touched(destination, SADD)
    return 1


@command("SISMEMBER key member", READONLY, FAST, since="1.0.0", keys="RO")
def sismember(session: Context, argv: list[bytes]) -> int:
    """Return whether something is a member of a set."""
    value = session.db.read(argv[1])
    if type(value) is Set:
        return 1 if argv[2] in value.elements else 0
    if value is None:
        return 0
    raise WrongType


@command(
    "SMISMEMBER key member [member ...]",
    READONLY,
    FAST,
    since="6.2.0",
    complexity="O(N), N = members",
    keys="RO ACCESS",
)
def smismember(session: Context, argv: list[bytes]) -> list[int]:
    """Return which of some things are members of a set."""
    value = _read(session, argv[1])
    if value is None:
        return [0] * (len(argv) - 2)
    elements = value.elements
    return [1 if member in elements else 0 for member in argv[2:]]


@command("SCARD key", READONLY, FAST, since="1.0.0", keys="RO")
def scard(session: Context, argv: list[bytes]) -> int:
    """Count the members of a set."""
    value = session.db.read(argv[1])
    if type(value) is Set:
        return len(value.elements)
    if value is None:
        return 0
    raise WrongType


@command(
    "SMEMBERS key",
    READONLY,
    since="1.0.0",
    complexity="O(N), N = members",
    keys="RO ACCESS",
    tips=("nondeterministic_output_order",),
)
def smembers(session: Context, argv: list[bytes]) -> SetReply:
    """Return all members of a set."""
    value = _read(session, argv[1])
    return SetReply() if value is None else SetReply(value.members())


@command(
    "SSCAN key cursor [MATCH pattern] [COUNT count]",
    READONLY,
    since="2.8.0",
    complexity="O(1) for every call, O(N) for all of them, N = members",
    keys="RO ACCESS",
    tips=("nondeterministic_output",),
)
def sscan(session: Context, argv: list[bytes]) -> list[Any]:
    """Go through the members of a set, some at a time."""
    cursor = scan_cursor(argv[2])
    value = _read(session, argv[1])
    if value is None:
        return [b"0", []]
    pattern, count, _ = scan_options(argv, 3)
    cursor, found = value.scan(cursor, count)
    if pattern is not None:
        found = list(filter(compile_glob(pattern), found))
    return [b"%d" % cursor, found]


def _read(session: Context, key: bytes) -> Set | None:
    """The set at a key, None where there is nothing.

    Raises WrongType.
    """
    value = session.db.read(key)
    if value is None or type(value) is Set:
        return value
    raise WrongType


# Chance


@command(
    "SPOP key [count]",
    WRITE,
    FAST,
    since="1.0.0",
    complexity="O(1), O(N) with a count, N = members returned",
    keys="RW ACCESS DELETE",
    tips=("nondeterministic_output",),
    effect=of_spop,
)
def spop(session: Context, argv: list[bytes]) -> Any:
    """Remove and return a random member of a set, or several."""
    if len(argv) > 2:
        return _pop_some(session, argv)
    db, key = session.db, argv[1]
    value = db.find(key)
    if type(value) is Set:
        member = value.pop(session.keyspace.choose)
        if value.held:
            db.touched(key, SPOP)
        else:
            _shrunk(session, key, value, SPOP, 1)
        return member
    if value is None:
        return None
    raise WrongType


def _pop_some(session: Context, argv: list[bytes]) -> SetReply:
    if len(argv) > 3:
        raise BadSyntax
    count = positive(argv[2])
    key = argv[1]
    value = session.db.find(key)
    if value is None:
        return SetReply()
    if type(value) is not Set:
        raise WrongType
    if count == 0:
        return SetReply()
    if count >= len(value):
        session.db.read(key)  # Redis answers SUNION, which counts
    members = value.pop_some(count, session.keyspace.choose, session.keyspace.encodings)
    _shrunk(session, key, value, SPOP, len(members))
    return SetReply(members)


@command(
    "SRANDMEMBER key [count]",
    READONLY,
    since="1.0.0",
    complexity="O(1), O(N) with a count, N = members returned",
    keys="RO ACCESS",
    tips=("nondeterministic_output",),
)
def srandmember(session: Context, argv: list[bytes]) -> Any:
    """Return a random member of a set, or several; a negative count allows repetitions."""
    if len(argv) > 3:
        raise BadSyntax
    count = integer_in(argv[2], -INT_MAX, INT_MAX) if len(argv) == 3 else None
    value = _read(session, argv[1])
    choose = session.keyspace.choose
    if count is None:
        return None if value is None else value.one(choose)
    if value is None or count == 0:
        return []
    if count > 0:
        return value.sample(count, choose)
    return value.draw(draws(count), choose)


# Several sets


def _read_all(session: Context, keys: Iterable[bytes]) -> list[Set]:
    """The sets at some keys; one without members where there is nothing.

    Raises WrongType.
    """
    return [value if value is not None else Set(INTSET) for value in [_read(session, key) for key in keys]]


def _reply(elements: Iterable[bytes], integers: bool) -> SetReply:
    """Members as a reply: ``integers`` in their order, as Redis makes an intset of them."""
    return SetReply(sorted(elements, key=int) if integers else elements)


def _store(session: Context, destination: bytes, value: Set, event: Event) -> int:
    """Set a key to a set, or delete it where that has no members."""
    if value.elements:
        session.db.put(destination, value, event)
    else:
        session.db.delete(destination, DEL)
    return len(value)


@command(
    "SINTER key [key ...]",
    READONLY,
    since="1.0.0",
    complexity="O(N*M), N = members of the smallest set, M = sets",
    keys="RO ACCESS",
    tips=("nondeterministic_output_order",),
)
def sinter(session: Context, argv: list[bytes]) -> SetReply:
    """Return the members that all of some sets have."""
    sets = _read_all(session, argv[1:])
    return _reply(chain.from_iterable(_intersection(sets)), any(each.form is INTSET for each in sets))


@command(
    "SINTERSTORE destination key [key ...]",
    WRITE,
    DENYOOM,
    since="1.0.0",
    complexity="O(N*M), N = members of the smallest set, M = sets",
    keys="RW UPDATE;RO ACCESS",
)
def sinterstore(session: Context, argv: list[bytes]) -> int:
    """Make a set of the members that all of some sets have."""
    sets, limits = _read_all(session, argv[2:]), session.keyspace.encodings
    elements = list(chain.from_iterable(_intersection(sets)))
    fits = len(elements) <= limits.set_max_intset_entries or min(sets, key=len).form is INTSET
    form = form_of(elements, INTSET if fits else LISTPACK, limits)  # Redis starts so, and looks at integers at the end
    return _store(session, argv[1], Set.of(elements, form), SINTERSTORE)


@command(
    "SINTERCARD numkeys key [key ...] [LIMIT limit]",
    READONLY,
    since="7.0.0",
    complexity="O(N*M), N = members of the smallest set, M = sets",
    keys="RO ACCESS",
)
def sintercard(session: Context, argv: list[bytes]) -> int:
    """Count the members that all of some sets have, up to a limit."""
    keys, limit = _parse_card(argv)
    return _count(_intersection(_read_all(session, keys)), limit)


def _parse_card(argv: list[bytes], *allowed: bytes) -> tuple[list[bytes], int]:
    """The keys and the limit, 0 for none, of SINTERCARD and its like; options that are ``allowed`` may be there, too.

    Raises RedisError.
    """
    number = integer_in(argv[1], 1, INT_MAX, b"ERR numkeys should be greater than 0")
    if number > len(argv) - 2:
        raise RedisError(b"ERR Number of keys can't be greater than number of args")
    limit = 0
    options = Options(argv, 2 + number)
    while (option := options.take()) is not None:
        if option == b"LIMIT" and options.left():
            limit = positive(options.value(), b"ERR LIMIT can't be negative")
        elif option not in allowed:
            options.fail()
    return argv[2 : 2 + number], limit


def _count(pieces: Iterable[Collection[bytes]], limit: int) -> int:
    """How many elements there are in all, up to a limit."""
    count = 0
    for piece in pieces:
        count += len(piece)
        if limit and count >= limit:
            return limit
    return count


def _intersection(sets: list[Set]) -> Iterator[Collection[bytes]]:
    return algebra.intersection([each.elements for each in sets])


@command(
    "SUNION key [key ...]",
    READONLY,
    since="1.0.0",
    complexity="O(N), N = members of all sets",
    keys="RO ACCESS",
    tips=("nondeterministic_output_order",),
)
def sunion(session: Context, argv: list[bytes]) -> SetReply:
    """Return the members that any of some sets has."""
    sets = _read_all(session, argv[1:])
    return _reply(algebra.union([each.elements for each in sets]), all(each.form is INTSET for each in sets))


@command(
    "SUNIONCARD numkeys key [key ...] [APPROX] [LIMIT limit]",
    READONLY,
    since="8.10.0",
    complexity="O(N), N = members of all sets",
    keys="RO ACCESS",
)
def sunioncard(session: Context, argv: list[bytes]) -> int:
    """Count the members that any of some sets has, up to a limit. The count is exact even where an estimate is
    allowed."""
    keys, limit = _parse_card(argv, b"APPROX")
    sets = [each.elements for each in _read_all(session, keys)]
    return _count([algebra.union(sets)], limit)


@command(
    "SUNIONSTORE destination key [key ...]",
    WRITE,
    DENYOOM,
    since="1.0.0",
    complexity="O(N), N = members of all sets",
    keys="OW UPDATE;RO ACCESS",
)
def sunionstore(session: Context, argv: list[bytes]) -> int:
    """Make a set of the members that any of some sets has."""
    elements = algebra.union([each.elements for each in _read_all(session, argv[2:])])
    form = form_of(elements, INTSET, session.keyspace.encodings)
    return _store(session, argv[1], Set.of(elements, form), SUNIONSTORE)


@command(
    "SDIFF key [key ...]",
    READONLY,
    since="1.0.0",
    complexity="O(N), N = members of all sets",
    keys="RO ACCESS",
    tips=("nondeterministic_output_order",),
)
def sdiff(session: Context, argv: list[bytes]) -> SetReply:
    """Return the members of a set that some others do not have."""
    first, *others = _read_all(session, argv[1:])
    return _reply(_difference(first, others), first.form is INTSET)


@command(
    "SDIFFCARD numkeys key [key ...] [LIMIT limit]",
    READONLY,
    since="8.10.0",
    complexity="O(N), N = members of all sets",
    keys="RO ACCESS",
)
def sdiffcard(session: Context, argv: list[bytes]) -> int:
    """Count the members of a set that some others do not have, up to a limit."""
    keys, limit = _parse_card(argv)
    first, *others = _read_all(session, keys)
    if first in others:
        return 0
    return _count(algebra.difference(first.elements, [each.elements for each in others]), limit)


@command(
    "SDIFFSTORE destination key [key ...]",
    WRITE,
    DENYOOM,
    since="1.0.0",
    complexity="O(N), N = members of all sets",
    keys="OW UPDATE;RO ACCESS",
)
def sdiffstore(session: Context, argv: list[bytes]) -> int:
    """Make a set of the members of a set that some others do not have."""
    first, *others = _read_all(session, argv[2:])
    elements = list(_difference(first, others))
    filled = first.elements if _subtracts(first, others) else elements
    form = form_of(filled, INTSET, session.keyspace.encodings)
    return _store(session, argv[1], Set.of(elements, form), SDIFFSTORE)


def _difference(first: Set, others: list[Set]) -> Iterable[bytes]:
    if first in others:
        return ()
    return chain.from_iterable(algebra.difference(first.elements, [each.elements for each in others]))


def _subtracts(first: Set, others: list[Set]) -> bool:
    """Whether Redis would take the members of the others out of a copy of the first set, rather than collect those that
    stay. It does so where it is less work, and the result then has the encoding of the whole first set."""
    sizes = [len(each) for each in others if each.elements]
    return len(first) * (1 + len(sizes)) // 2 > len(first) + sum(sizes)
