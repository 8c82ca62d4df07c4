"""What the commands have done, as commands that do the same again: for the append-only file and for replicas.

A command whose words repeat it needs nothing here. For the others there is a function ``(session, argv, value)``,
which ``effect`` of its decorator names; it is called after a call that has changed something, with what it has
returned, while somebody listens (session/feed.py). It returns the commands to be told, or None where the words will do
after all. The rules are Redis's: times are absolute, what was chosen by chance or by waiting is named, what was
approximate is exact; and words that only a newer Redis knows become those that every one understands.

An effect must not look at the keyspace in a way that removes what has expired: its time may have come already.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from pycache_server.commands.args import integer, option_of
from pycache_server.commands.conditions import COMPARISONS
from pycache_server.commands.context import Context
from pycache_server.entry import NEVER, Entry
from pycache_server.rdb.payload import dump
from pycache_server.store.database import Database
from pycache_server.store.hash import VolatileHash
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.scan import SLOT_MASK
from pycache_server.store.strings import STRING_TYPES, as_bytes

Told = list[bytes]
Effects = Iterable[Told] | None

_UNITS = frozenset((b"EX", b"PX", b"EXAT", b"PXAT"))
_USUAL_UNITS = _UNITS | {b"ex", b"px"}
_CONDITIONS = frozenset((b"NX", b"XX", b"GT", b"LT"))
_MEMBERS_AT_ONCE = 1024
"""Members of a set that one SREM names."""


# What is stored, expired or not


def value_of(db: Database, key: bytes) -> Any:
    """What is stored at a key; None where nothing is."""
    value = db.buckets[hash(key) & SLOT_MASK].get(key)
    entry = db.stored_entry(key)
    return value if entry is None else entry.value


def time_of(db: Database, key: bytes) -> int | None:
    """When a key expires, in ms since 1970: NEVER where it does not, None where it is not there."""
    entry = db.stored_entry(key)
    if entry is None:
        return None if value_of(db, key) is None else NEVER
    return entry.value.times.until if type(entry.value) is VolatileHash else entry.expires


def state_of(keyspace: Keyspace, db: Database, key: bytes) -> Told:
    """The command that makes a key what it is now."""
    value, expires = value_of(db, key), time_of(db, key)
    if value is None or expires is None:
        return [b"DEL", key]
    payload = dump(value, keyspace.encodings, keyspace.compress)
    return [b"RESTORE", key, b"0" if expires == NEVER else b"%d" % expires, payload, b"REPLACE", b"ABSTTL"]


def _string_at(db: Database, key: bytes) -> bytes:
    value = value_of(db, key)
    assert type(value) in STRING_TYPES
    return as_bytes(value)


def _until(db: Database, key: bytes) -> tuple[bytes, ...]:
    """The words that give a string that is being set its time to live."""
    entry = db.stored_entry(key)
    return () if entry is None or entry.expires == NEVER else (b"PXAT", b"%d" % entry.expires)


def _number(count: int) -> bytes:
    return b"%d" % count


# Strings


def of_set(session: Context, argv: list[bytes], value: Any) -> Effects:
    """SET: a time to live is absolute and has no conditions beside it; what it was to return does not matter."""
    # hot: most that have options have a time to live
    count = len(argv)
    if count == 5 and argv[3] in _USUAL_UNITS:
        key = argv[1]
        entry = session.db.buckets[hash(key) & SLOT_MASK].get(key)  # as _until, without its calls
        if isinstance(entry, Entry) and entry.expires != NEVER:
            return ([b"SET", key, argv[2], b"PXAT", b"%d" % entry.expires],)
        return ([b"SET", key, argv[2]],)
    words, place, plain = argv[:3], 3, True
    while place < len(argv):
        option = option_of(argv[place])
        if option in _UNITS:
            return [[b"SET", argv[1], argv[2], *_until(session.db, argv[1])]]
        if option in COMPARISONS:
            place += 2
            plain = False
            continue
        if option != b"GET":
            words.append(argv[place])
        else:
            plain = False
        place += 1
    return None if plain else [words]


def of_setex(session: Context, argv: list[bytes], value: Any) -> Effects:
    """SETEX and PSETEX: SET with an absolute time."""
    return ([b"SET", argv[1], argv[3], *_until(session.db, argv[1])],)


def of_getset(session: Context, argv: list[bytes], value: Any) -> Effects:
    """GETSET: SET."""
    return [[b"SET", *argv[1:]]]


def of_getdel(session: Context, argv: list[bytes], value: Any) -> Effects:
    """GETDEL, DELEX, DELIFEQ: DEL."""
    return [[b"DEL", argv[1]]]


def of_getex(session: Context, argv: list[bytes], value: Any) -> Effects:
    """GETEX: what has become of the time to live."""
    key = argv[1]
    expires = time_of(session.db, key)
    if expires is None:
        return [[session.keyspace.expired_verb, key]]
    return [[b"PERSIST", key] if expires == NEVER else [b"PEXPIREAT", key, b"%d" % expires]]


def of_incrbyfloat(session: Context, argv: list[bytes], value: Any) -> Effects:
    """INCRBYFLOAT: SET to the sum, so that nobody has to calculate as precisely."""
    return [[b"SET", argv[1], value, b"KEEPTTL"]]


def of_increx(session: Context, argv: list[bytes], value: Any) -> Effects:
    """INCREX: SET to what the number is, and as long as it lives."""
    db, key = session.db, argv[1]
    if value_of(db, key) is None:
        return [[session.keyspace.expired_verb, key]]
    return [[b"SET", key, _string_at(db, key), *_until(db, key)]]


def of_msetex(session: Context, argv: list[bytes], value: Any) -> Effects:
    """MSETEX: MSET, or SET for each key where there is a time to live."""
    end = 2 + 2 * integer(argv[1])
    options = set(map(option_of, argv[end:]))
    if b"KEEPTTL" in options:
        return [[b"SET", key, text, b"KEEPTTL"] for key, text in zip(argv[2:end:2], argv[3:end:2], strict=True)]
    if options & _UNITS:
        last = dict(zip(argv[2:end:2], argv[3:end:2], strict=True))
        return [[b"SET", key, text, *_until(session.db, key)] for key, text in last.items()]
    return [[b"MSET", *argv[2:end]]]


# Any key


def of_expire(session: Context, argv: list[bytes], value: Any) -> Effects:
    """EXPIRE and its like: PEXPIREAT, or DEL where the time has passed."""
    key = argv[1]
    expires = time_of(session.db, key)
    if expires is None:
        return [[session.keyspace.expired_verb, key]]
    moment = b"%d" % expires
    if moment == argv[2] and argv[0].upper() == b"PEXPIREAT":
        return None
    return [[b"PEXPIREAT", key, moment, *argv[3:]]]


def of_restore(session: Context, argv: list[bytes], value: Any) -> Effects:
    """RESTORE: with an absolute time to live, or DEL where that has passed."""
    key = argv[1]
    expires = time_of(session.db, key)
    if expires is None:
        return [[session.keyspace.expired_verb, key]]
    if expires == NEVER or b"ABSTTL" in map(option_of, argv[4:]):
        return None
    return [[*argv[:2], b"%d" % expires, *argv[3:], b"ABSTTL"]]


def of_sort(session: Context, argv: list[bytes], value: Any) -> Effects:
    """SORT with STORE: the list that was stored, where elements may be equal whose order is another elsewhere."""
    options = list(map(option_of, argv[2:]))
    if b"BY" not in options or b"ALPHA" not in options:
        return None
    destination = argv[2 + len(options) - options[::-1].index(b"STORE")]
    found = value_of(session.db, destination)
    told = [[b"DEL", destination]]
    if found is not None:
        told.append([b"RPUSH", destination, *found.part(0, len(found))])
    return told


# Hashes


def timed_fields(db: Database, key: bytes, fields: Iterable[bytes]) -> list[Told]:
    """The commands that give those of some fields that expire their times."""
    value = value_of(db, key)
    if type(value) is not VolatileHash:
        return []
    found: dict[int, list[bytes]] = {}
    for field in dict.fromkeys(fields):
        if field in value.times.at:
            found.setdefault(value.times.get(field), []).append(field)
    return [[b"HPEXPIREAT", key, b"%d" % when, b"FIELDS", _number(len(names)), *names] for when, names in found.items()]


def of_hincrbyfloat(session: Context, argv: list[bytes], value: Any) -> Effects:
    """HINCRBYFLOAT: HSET to the sum; a field that expires goes on to."""
    return [[b"HSET", *argv[1:3], value], *timed_fields(session.db, argv[1], argv[2:3])]


def of_hincrby(session: Context, argv: list[bytes], value: Any) -> Effects:
    """HINCRBY: its words, unless it has perhaps met a field that had expired and is still there elsewhere."""
    if type(value_of(session.db, argv[1])) is not VolatileHash:
        return None
    return [[b"HSET", *argv[1:3], b"%d" % value], *timed_fields(session.db, argv[1], argv[2:3])]


def of_hsetnx(session: Context, argv: list[bytes], value: Any) -> Effects:
    """HSETNX: the same; it has set the field."""
    return None if type(value_of(session.db, argv[1])) is not VolatileHash else [[b"HSET", *argv[1:]]]


def of_hexpire(session: Context, argv: list[bytes], value: Any) -> Effects:
    """HEXPIRE and its like: HPEXPIREAT of the fields that have got a time, HDEL of those whose time had passed."""
    key, place = argv[1], 4 if option_of(argv[3]) in _CONDITIONS else 3
    fields = argv[place + 2 :]
    deleted = [field for field, result in zip(fields, value, strict=True) if result == 2]
    given = [field for field, result in zip(fields, value, strict=True) if result == 1]
    told = [[b"HDEL", key, *deleted]] if deleted else []
    if given:
        hash_ = value_of(session.db, key)
        moment = b"%d" % hash_.times.get(given[-1])
        name = argv[0] if argv[0].upper() == b"HPEXPIREAT" else b"HPEXPIREAT"
        told.append([name, key, moment, *argv[3:place], argv[place], _number(len(given)), *given])
    return told


def of_hgetdel(session: Context, argv: list[bytes], value: Any) -> Effects:
    """HGETDEL: HDEL of the fields that were there."""
    return [[b"HDEL", argv[1], *_present(argv[4:], value)]]


def _present(fields: list[bytes], texts: list[bytes | None]) -> list[bytes]:
    """The fields of which there was a value, each once."""
    return list(dict.fromkeys(field for field, text in zip(fields, texts, strict=True) if text is not None))


def of_hgetex(session: Context, argv: list[bytes], value: Any) -> Effects:
    """HGETEX: HPERSIST, HPEXPIREAT, or HDEL where the time had passed."""
    key, persists = argv[1], option_of(argv[2]) == b"PERSIST"
    fields = _present(argv[5 if persists else 6 :], value)
    if persists:
        return [[b"HPERSIST", key, b"FIELDS", _number(len(fields)), *fields]]
    return timed_fields(session.db, key, fields) or [[b"HDEL", key, *fields]]


def of_hsetex(session: Context, argv: list[bytes], value: Any) -> Effects:
    """HSETEX: HSET, and HPEXPIREAT of the fields that expire; HDEL where the time had passed."""
    key = argv[1]
    place = next(place for place in range(2, len(argv)) if option_of(argv[place]) == b"FIELDS")
    words = argv[place + 2 :]
    hash_ = value_of(session.db, key)
    if hash_ is None or words[0] not in hash_.fields:
        return [[b"HDEL", key, *words[::2]]]
    return [[b"HSET", key, *words], *timed_fields(session.db, key, words[::2])]


# Lists, sets and sorted sets


def of_spop(session: Context, argv: list[bytes], value: Any) -> Effects:
    """SPOP: SREM of what was popped, or DEL where that was all."""
    key = argv[1]
    if len(argv) == 2:
        return [[b"SREM", key, value]]
    if value_of(session.db, key) is None:
        return [[session.keyspace.removed_verb, key]]
    return [
        [b"SREM", key, *value[start : start + _MEMBERS_AT_ONCE]] for start in range(0, len(value), _MEMBERS_AT_ONCE)
    ]


def of_blpop(session: Context, argv: list[bytes], value: Any) -> Effects:
    """BLPOP: LPOP of the list that there was."""
    return [[b"LPOP", value[0]]]


def of_brpop(session: Context, argv: list[bytes], value: Any) -> Effects:
    """BRPOP: RPOP of the list that there was."""
    return [[b"RPOP", value[0]]]


def of_lmpop(session: Context, argv: list[bytes], value: Any) -> Effects:
    """LMPOP: LPOP or RPOP of as many elements as there were."""
    return [[b"LPOP" if _side(argv, 1) == b"LEFT" else b"RPOP", value[0], _number(len(value[1]))]]


def of_blmpop(session: Context, argv: list[bytes], value: Any) -> Effects:
    """BLMPOP: the same."""
    return of_lmpop(session, argv[1:], value)


def _side(argv: list[bytes], place: int) -> bytes:
    """The end that LMPOP or ZMPOP pops from; the number of keys is at a place."""
    return option_of(argv[place + 1 + integer(argv[place])])


def of_blmove(session: Context, argv: list[bytes], value: Any) -> Effects:
    """BLMOVE: LMOVE."""
    return [[b"LMOVE", *argv[1:5]]]


def of_brpoplpush(session: Context, argv: list[bytes], value: Any) -> Effects:
    """BRPOPLPUSH: RPOPLPUSH."""
    return [[b"RPOPLPUSH", *argv[1:3]]]


def of_lmovem(session: Context, argv: list[bytes], value: Any) -> Effects:
    """LMOVEM and BLMOVEM: a push and a pop; ``value`` has the elements as they lie at the destination."""
    _, source, destination, whence, whither, *_ = argv
    from_head, to_head = option_of(whence) == b"LEFT", option_of(whither) == b"LEFT"
    if source == destination and from_head == to_head:
        return [state_of(session.keyspace, session.db, source)]
    elements = value[::-1] if to_head else value
    return [
        [b"LPUSH" if to_head else b"RPUSH", destination, *elements],
        [b"LPOP" if from_head else b"RPOP", source, _number(len(value))],
    ]


def of_bzpopmin(session: Context, argv: list[bytes], value: Any) -> Effects:
    """BZPOPMIN: ZPOPMIN of the sorted set that there was."""
    return [[b"ZPOPMIN", value[0]]]


def of_bzpopmax(session: Context, argv: list[bytes], value: Any) -> Effects:
    """BZPOPMAX: ZPOPMAX of the sorted set that there was."""
    return [[b"ZPOPMAX", value[0]]]


def of_zmpop(session: Context, argv: list[bytes], value: Any) -> Effects:
    """ZMPOP: ZPOPMIN or ZPOPMAX of as many members as there were."""
    return [[b"ZPOPMIN" if _side(argv, 1) == b"MIN" else b"ZPOPMAX", value[0], _number(len(value[1]))]]


def of_bzmpop(session: Context, argv: list[bytes], value: Any) -> Effects:
    """BZMPOP: the same."""
    return of_zmpop(session, argv[1:], value)


def scored(words: list[bytes], scores: Iterable[int], members: Iterable[bytes]) -> Told:
    """ZADD of members with whole scores; ``words`` are the key and options."""
    pairs = zip(map(_number, scores), members, strict=True)
    return [b"zadd", *words, *chain.from_iterable(pairs)]
