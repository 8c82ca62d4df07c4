"""Places on Earth: sorted sets whose scores are geohashes (store/geohash.py).

Contents: GEOADD GEODIST GEOHASH GEOPOS. What finds places is in geosearch.py.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pycache_server.commands.args import option_of
from pycache_server.commands.context import Context
from pycache_server.commands.effects import scored
from pycache_server.commands.registry import DENYOOM, READONLY, WRITE, Family
from pycache_server.commands.zsets import ADDED, add_all, in_place_of_zset, read_zset
from pycache_server.errors import BadSyntax, NotAFloat, RedisError
from pycache_server.resp.encode import NULL_ARRAY, Spot, spot
from pycache_server.store.geohash import LATITUDE, LONGITUDE, Place, distance, encode, number_of, place_at, text_of
from pycache_server.store.numbers import parse_float
from pycache_server.store.zset import SortedSet

family = Family("geo")
command = family.command

UNITS = {b"M": 1.0, b"KM": 1000.0, b"FT": 0.3048, b"MI": 1609.34}
UNITS |= {unit.lower(): metres for unit, metres in UNITS.items()}
"""Metres of each unit."""
UNIT = "<M | KM | FT | MI>"


# What all of them share


def parse_place(longitude: bytes, latitude: bytes) -> Place:
    """A place.

    Raises NotAFloat, RedisError.
    """
    east, north = parse_float(longitude), None
    if east is not None:
        north = parse_float(latitude)
    if east is None or north is None:
        raise NotAFloat
    if not -LONGITUDE <= east <= LONGITUDE or not -LATITUDE <= north <= LATITUDE:
        raise RedisError(b"ERR invalid longitude,latitude pair %f,%f" % (east, north))
    return east, north


def parse_unit(word: bytes) -> float:
    """The metres of a unit.

    Raises RedisError.
    """
    metres = UNITS.get(word) or UNITS.get(option_of(word))
    if metres is None:
        raise RedisError(b"ERR unsupported unit provided. please use M, KM, FT, MI")
    return metres


def place_of(zset: SortedSet, member: bytes) -> Place | None:
    """Where a member is; None where it is none."""
    score = zset.score(member)
    return None if score is None else place_at(number_of(score))


def format_distance(value: float) -> bytes:
    """A distance as Redis prints it, with four digits behind the point."""
    if value != value:
        return b"-922337203685477.5808"  # what C makes of it
    return b"%.4f" % (round(value * 10000.0) / 10000)  # rounded as C's llrint does: .5 to what is even


@lru_cache(1 << 13)
def spot_of(score: float) -> Spot:
    """The place of a score as a reply. Those that were asked for last are kept, in 2 MB: writing one takes 2 us."""
    return spot(*place_at(number_of(score)))


# The commands


@command(
    "GEOADD key [NX | XX] [CH] <longitude latitude member> [longitude latitude member ...]",
    WRITE,
    DENYOOM,
    since="3.2.0",
    complexity="O(log(N)) for each member, N = members of the set",
    keys="RW UPDATE",
)
def geoadd(session: Context, argv: list[bytes]) -> Any:
    """Put members at places, new ones, too; the options make it conditional."""
    if len(argv) == 5 and session.effects is None and not argv[2][:1].isalpha():  # no option
        place = encode(*parse_place(argv[2], argv[3])) + 0.0
        zset = session.db.find(argv[1])
        if isinstance(zset, SortedSet):  # one member, as it is sent most
            old = zset.put(argv[4], place, session.keyspace.encodings)
            if old != place:
                session.db.touched(argv[1], ADDED)
            return int(old is None)
    options: set[bytes] = set()
    position = 2
    while position < len(argv) and (option := option_of(argv[position])) in _OPTIONS:
        options.add(option)
        position += 1
    places, members = argv[position:], argv[position + 2 :: 3]
    if len(places) % 3 or not places or options >= {b"NX", b"XX"}:
        raise BadSyntax
    cells = [encode(*parse_place(*pair)) for pair in zip(places[::3], places[1::3], strict=True)]
    before = session.db.dirty
    value = add_all(session, argv[1], members, list(map(float, cells)), options)
    if session.effects is not None and session.db.dirty != before:
        session.effects.append(scored(argv[1:position], cells, members))
    return value


_OPTIONS = frozenset((b"NX", b"XX", b"CH"))


@command("GEODIST key member1 member2 [" + UNIT[1:-1] + "]", READONLY, since="3.2.0", keys="RO ACCESS")
def geodist(session: Context, argv: list[bytes]) -> bytes | None:
    """Return the distance of two members."""
    metres = parse_unit(argv[4]) if len(argv) == 5 else 1.0
    if len(argv) > 5:
        raise BadSyntax
    zset = session.db.read(argv[1])
    if not isinstance(zset, SortedSet):
        return in_place_of_zset(zset, None)
    one, other = place_of(zset, argv[2]), place_of(zset, argv[3])
    return format_distance(distance(one, other) / metres) if one and other else None


@command(
    "GEOHASH key [member [member ...]]",
    READONLY,
    since="3.2.0",
    complexity="O(M), M = members asked for",
    keys="RO ACCESS",
)
def geohash(session: Context, argv: list[bytes]) -> list[bytes | None]:
    """Return the geohashes of members, as they are written elsewhere."""
    return [None if score is None else text_of(place_at(number_of(score))) for score in _scores(session, argv)]


@command(
    "GEOPOS key [member [member ...]]",
    READONLY,
    since="3.2.0",
    complexity="O(M), M = members asked for",
    keys="RO ACCESS",
)
def geopos(session: Context, argv: list[bytes]) -> list[Any]:
    """Return the longitudes and latitudes of members."""
    return [NULL_ARRAY if score is None else spot_of(score) for score in _scores(session, argv)]


def _scores(session: Context, argv: list[bytes]) -> list[float | None]:
    zset = read_zset(session, argv[1])
    if zset is None:
        return [None] * (len(argv) - 2)
    return [zset.score(member) for member in argv[2:]]
