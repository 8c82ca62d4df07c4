"""Finding members of geo sets around a place.

Contents: GEORADIUS GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH GEOSEARCHSTORE. The search itself is
store/geosearch.py.

Each command reads its own form of the question into a Query; from there on all are the same. As in Redis the key is
looked at first, and where it is not there, some of the arguments are not looked at any more.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pycache_server.commands.args import Options, integer
from pycache_server.commands.context import Context
from pycache_server.commands.geo import UNIT, command, format_distance, parse_place, parse_unit, place_of, spot_of
from pycache_server.commands.registry import DENYOOM, READONLY, WRITE
from pycache_server.commands.syntax import KeySpec
from pycache_server.commands.zsets import read_zset
from pycache_server.errors import RedisError, c_string
from pycache_server.resp.encode import Rows, Texts
from pycache_server.store.events import DEL, ZSET, Event
from pycache_server.store.geoflat import circle_around
from pycache_server.store.geohash import Place
from pycache_server.store.geosearch import Box, Hits, Region
from pycache_server.store.numbers import parse_float
from pycache_server.store.partial_sort import partial_sort
from pycache_server.store.zset import SortedSet

SEARCH_STORED = Event(ZSET, b"geosearchstore")
RADIUS_STORED = Event(ZSET, b"georadiusstore")

_FROM = "<FROMMEMBER member | FROMLONLAT longitude latitude>"
_BY = f"<BYRADIUS radius {UNIT} | BYBOX width height {UNIT}>"
_WITH = "[WITHCOORD] [WITHDIST] [WITHHASH]"
_COUNT = "[COUNT count [ANY]]"
_ORDER = "[ASC | DESC]"
_COMPLEXITY = "O(N+log(M)), N = members in the cells around the shape, M = members within the shape"
_KINDS = dict.fromkeys(("radius", "width", "height"), "double")


def _stored_behind(position: int) -> tuple[KeySpec, ...]:
    """The keys of a command that may store what it finds at a key, which stands behind so many words at least."""
    return (
        KeySpec(flags=("RO", "ACCESS")),
        KeySpec(position, keyword="STORE", flags=("OW", "UPDATE")),
        KeySpec(position, keyword="STOREDIST", flags=("OW", "UPDATE")),
    )


class Query:
    """What is asked for. ``place``, ``reach`` and ``box`` are the shape, in units of ``metres`` metres."""

    # what is not asked for stands in the class: to set it all for each query takes 1 us
    place: Place
    from_set: bytes | None = None
    """FROMMEMBER or FROMLONLAT, whichever was given."""
    by_set: bytes | None = None
    """BYRADIUS or BYBOX."""
    reach = 0.0
    box = (0.0, 0.0)
    metres = 1.0
    count = 0
    any = False
    sorted = False
    descending = False
    with_place = with_distance = with_hash = False
    target: bytes | None = None
    """The key at which to store what is found."""
    distances = False
    """Whether to store distances as scores."""

    def shape(self) -> Region:
        """Where to look."""
        metres = self.metres
        if self.by_set == b"BYBOX":
            width, height = self.box[0] / 2, self.box[1] / 2
            reach = (width * width + height * height) ** 0.5 * metres
            return Box(self.place, metres * width, metres * height, reach)
        return circle_around(self.place, self.reach * metres)

    def is_shared_option(self, option: bytes, options: Options) -> bool:
        """Read an option, if it is one of those that all these commands have."""
        if option == b"WITHDIST":
            self.with_distance = True
        elif option == b"WITHHASH":
            self.with_hash = True
        elif option == b"WITHCOORD":
            self.with_place = True
        elif option == b"ANY":
            self.any = True
        elif option in (b"ASC", b"DESC"):
            self.sorted = True
            self.descending = option == b"DESC"
        elif option == b"COUNT" and options.left():
            self.count = integer(options.value())
            if self.count <= 0:
                raise RedisError(b"ERR COUNT must be > 0")
        else:
            return False
        return True

    def read_radius(self, radius: bytes, unit: bytes) -> None:
        """Read a radius and its unit.

        Raises RedisError.
        """
        self.reach, self.metres = parse_radius(radius, unit)

    def read_box(self, width: bytes, height: bytes, unit: bytes) -> None:
        """Read the sides of a box and their unit.

        Raises RedisError.
        """
        self.box = _length(width, b"width"), _length(height, b"height")
        if min(self.box) < 0:
            raise RedisError(b"ERR height or width cannot be negative")
        self.metres = parse_unit(unit)

    def read_member(self, zset: SortedSet, member: bytes) -> None:
        """Let the place be that of a member.

        Raises RedisError.
        """
        place = place_of(zset, member)
        if place is None:
            raise RedisError(b"ERR could not decode requested zset member")
        self.place = place

    def check_replies(self, name: bytes) -> None:
        """Look whether a reply is wanted of a command that stores; ``name`` is what errors call it.

        Raises RedisError.
        """
        if self.target is not None and (self.with_distance or self.with_hash or self.with_place):
            raise RedisError(b"ERR " + name + b" is not compatible with WITHDIST, WITHHASH and WITHCOORD options")


@lru_cache(1024)
def parse_radius(radius: bytes, unit: bytes) -> tuple[float, float]:
    """A radius, and the metres of its unit. Those that were read last are kept: most clients have but a few.

    Raises RedisError.
    """
    reach = _length(radius, b"radius")
    if reach < 0:
        raise RedisError(b"ERR radius cannot be negative")
    return reach, parse_unit(unit)


def _length(word: bytes, what: bytes) -> float:
    value = parse_float(word)
    if value is None:
        raise RedisError(b"ERR need numeric " + what)
    return value


# GEOSEARCH


@command(
    f"GEOSEARCH key {_FROM} {_BY} {_ORDER} {_COUNT} {_WITH}",
    READONLY,
    since="6.2.0",
    complexity=_COMPLEXITY,
    keys="RO ACCESS",
    kinds=_KINDS,
)
def geosearch(session: Context, argv: list[bytes]) -> Any:
    """Return the members within a circle or a box around a member or a place."""
    zset = read_zset(session, argv[1])
    if len(argv) == 8 and zset is not None and argv[2] in _FROM_PLACE and argv[5] in _BY_RADIUS:
        # what is asked most; the way through a query takes 3 us more
        place = parse_place(argv[3], argv[4])
        reach, metres = parse_radius(argv[6], argv[7])
        return Texts(circle_around(place, reach * metres).search(zset, 0, False, False).members)
    query = Query()
    _read_search(query, zset, argv, 2)
    return _answer(session, zset, query)


_FROM_PLACE = (b"FROMLONLAT", b"fromlonlat")
_BY_RADIUS = (b"BYRADIUS", b"byradius")


@command(
    f"GEOSEARCHSTORE destination source {_FROM} {_BY} {_ORDER} {_COUNT} [STOREDIST]",
    WRITE,
    DENYOOM,
    since="6.2.0",
    complexity=_COMPLEXITY,
    keys="OW UPDATE;RO ACCESS",
    kinds=_KINDS,
)
def geosearchstore(session: Context, argv: list[bytes]) -> Any:
    """Store the members within a circle or a box as a sorted set, with their geohashes or distances as scores."""
    zset = read_zset(session, argv[2])
    query = Query()
    query.target = argv[1]
    _read_search(query, zset, argv, 3)
    return _store(session, argv[1], zset, query, SEARCH_STORED)


def _read_search(query: Query, zset: SortedSet | None, argv: list[bytes], position: int) -> None:
    position = _read_circle(query, argv, position)
    options = Options(argv, position)
    while (option := options.take()) is not None:
        left = options.left()
        if query.is_shared_option(option, options):
            continue
        if option == b"STOREDIST" and query.target is not None:
            query.distances = True
        elif option == b"FROMMEMBER" and left >= 1 and query.from_set in (None, option):
            member = options.value()
            if zset is not None:
                query.read_member(zset, member)
            query.from_set = option
        elif option == b"FROMLONLAT" and left >= 2 and query.from_set in (None, option):
            query.place = parse_place(*options.values(2))
            query.from_set = option
        elif option == b"BYRADIUS" and left >= 2 and query.by_set in (None, option):
            query.read_radius(*options.values(2))
            query.by_set = option
        elif option == b"BYBOX" and left >= 3 and query.by_set in (None, option):
            query.read_box(*options.values(3))
            query.by_set = option
        else:
            options.fail()
    query.check_replies(b"GEOSEARCHSTORE")
    if query.from_set is None:
        raise RedisError(b"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + c_string(argv[0]))
    if query.by_set is None:
        raise RedisError(b"ERR exactly one of BYRADIUS and BYBOX can be specified for " + c_string(argv[0]))
    _check_any(query)


def _read_circle(query: Query, argv: list[bytes], position: int) -> int:
    """Read the question as it is put mostly: where what stands at ``position`` is all of a circle around a place.
    Returns where the rest begins. The way through the options takes 2 us more."""
    end = position + 6
    if len(argv) >= end and argv[position] in _FROM_PLACE and argv[position + 3] in _BY_RADIUS:
        query.place = parse_place(argv[position + 1], argv[position + 2])
        query.from_set = b"FROMLONLAT"
        query.read_radius(argv[position + 4], argv[position + 5])
        query.by_set = b"BYRADIUS"
        return end
    return position


def _check_any(query: Query) -> None:
    if query.any and not query.count:
        raise RedisError(b"ERR the ANY argument requires COUNT argument")


# GEORADIUS


@command(
    f"GEORADIUS key longitude latitude radius {UNIT} {_WITH} {_COUNT} {_ORDER} [STORE key] [STOREDIST key]",
    WRITE,
    DENYOOM,
    since="3.2.0",
    complexity=_COMPLEXITY,
    key_specs=_stored_behind(6),
    kinds=_KINDS,
)
def georadius(session: Context, argv: list[bytes]) -> Any:
    """Return or store the members within a circle around a place; GEOSEARCH and GEOSEARCHSTORE do the same."""
    return _search_around_place(session, argv, True)


@command(
    f"GEORADIUS_RO key longitude latitude radius {UNIT} {_WITH} {_COUNT} {_ORDER}",
    READONLY,
    since="3.2.10",
    complexity=_COMPLEXITY,
    keys="RO ACCESS",
    kinds=_KINDS,
)
def georadius_ro(session: Context, argv: list[bytes]) -> Any:
    """Return the members within a circle around a place; GEOSEARCH does the same."""
    return _search_around_place(session, argv, False)


def _search_around_place(session: Context, argv: list[bytes], may_store: bool) -> Any:
    zset = read_zset(session, argv[1])
    query = Query()
    query.place = parse_place(argv[2], argv[3])
    query.read_radius(argv[4], argv[5])
    return _search_radius(session, argv, 6, zset, query, may_store)


@command(
    f"GEORADIUSBYMEMBER key member radius {UNIT} {_WITH} {_COUNT} {_ORDER} [STORE key] [STOREDIST key]",
    WRITE,
    DENYOOM,
    since="3.2.0",
    complexity=_COMPLEXITY,
    key_specs=_stored_behind(5),
    kinds=_KINDS,
)
def georadiusbymember(session: Context, argv: list[bytes]) -> Any:
    """Return or store the members within a circle around one; GEOSEARCH and GEOSEARCHSTORE do the same."""
    return _search_around_member(session, argv, True)


@command(
    f"GEORADIUSBYMEMBER_RO key member radius {UNIT} {_WITH} {_COUNT} {_ORDER}",
    READONLY,
    since="3.2.10",
    complexity=_COMPLEXITY,
    keys="RO ACCESS",
    kinds=_KINDS,
)
def georadiusbymember_ro(session: Context, argv: list[bytes]) -> Any:
    """Return the members within a circle around one; GEOSEARCH does the same."""
    return _search_around_member(session, argv, False)


def _search_around_member(session: Context, argv: list[bytes], may_store: bool) -> Any:
    zset = read_zset(session, argv[1])
    query = Query()
    if zset is not None:
        query.read_member(zset, argv[2])
        query.read_radius(argv[3], argv[4])
    return _search_radius(session, argv, 5, zset, query, may_store)


def _search_radius(
    session: Context, argv: list[bytes], position: int, zset: SortedSet | None, query: Query, may_store: bool
) -> Any:
    options = Options(argv, position)
    while (option := options.take()) is not None:
        if query.is_shared_option(option, options):
            continue
        if option not in (b"STORE", b"STOREDIST") or not may_store:
            options.fail()
        query.target = options.value()
        query.distances = option == b"STOREDIST"
    query.check_replies(b"STORE option in GEORADIUS")
    _check_any(query)
    if query.target is not None:
        return _store(session, query.target, zset, query, RADIUS_STORED)
    return _answer(session, zset, query)


# Replies


def _find(zset: SortedSet, query: Query) -> Hits:
    """What is asked for, in the order and number that it is asked for."""
    count = query.count
    in_order = query.sorted or (count > 0 and not query.any)
    scored = query.with_hash or query.with_place or query.target is not None
    measured = in_order or query.with_distance or query.distances
    hits = query.shape().search(zset, count if query.any else 0, scored, measured)
    if in_order:
        hits.take(partial_sort(hits.distances, count or len(hits.distances), query.descending))
    return hits


def _answer(session: Context, zset: SortedSet | None, query: Query) -> Any:
    if zset is None:
        return []
    hits = _find(zset, query)
    columns: list[Any] = [hits.members]
    if query.with_distance:
        unit = query.metres
        columns.append([format_distance(metres / unit) for metres in hits.distances])
    if query.with_hash:
        columns.append(list(map(int, hits.scores)))
    if query.with_place:
        columns.append(list(map(spot_of, hits.scores)))
    return Rows(*columns) if len(columns) > 1 else Texts(hits.members)


def _store(session: Context, key: bytes, zset: SortedSet | None, query: Query, event: Event) -> int:
    db = session.db
    hits = Hits(False, False) if zset is None else _find(zset, query)
    if not hits.members:
        db.delete(key, DEL)
        return 0
    scores = [metres / query.metres for metres in hits.distances] if query.distances else hits.scores
    found = dict(zip(hits.members, scores, strict=True))
    db.put(key, SortedSet.of(found, session.keyspace.encodings), event)
    db.dirty += len(found) - 1
    return len(found)
