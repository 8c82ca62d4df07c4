"""Searches in sets of many places: the same members in the same order, with the same digits, wherever on Earth."""

from __future__ import annotations

from random import Random

import pytest

from tests.conftest import RealRedis
from tests.differential.oracle import Pair
from tests.differential.versions import Command

pytestmark = pytest.mark.interop

POINTS = 1500
UNITS = (b"m", b"km", b"ft", b"mi")
METRES = {b"m": 1.0, b"km": 1000.0, b"ft": 0.3048, b"mi": 1609.34}


def anywhere(random: Random) -> tuple[float, float]:
    return random.uniform(-180, 180), random.uniform(-85, 85)


def in_a_town(random: Random) -> tuple[float, float]:
    return random.gauss(13.4, 0.05), random.gauss(52.5, 0.03)


def at_the_date_line(random: Random) -> tuple[float, float]:
    return random.choice((-180, 180)), random.uniform(-1, 1)


def around_the_date_line(random: Random) -> tuple[float, float]:
    longitude = random.uniform(179, 181)
    return (longitude if longitude <= 180 else longitude - 360), random.uniform(-20, 20)


def near_a_pole(random: Random) -> tuple[float, float]:
    return random.uniform(-180, 180), random.choice((-1, 1)) * random.uniform(80, 85.05)


def on_a_lattice(random: Random) -> tuple[float, float]:
    return random.randrange(-180, 181, 30), random.choice((-85.05112878, -60, -30, 0, 30, 60, 85.05112878))


REGIONS = (anywhere, in_a_town, at_the_date_line, around_the_date_line, near_a_pole, on_a_lattice)


def shape(random: Random) -> tuple[list[bytes], list[bytes]]:
    """A shape as GEOSEARCH takes it, and as GEORADIUS does where it can."""
    unit = random.choice(UNITS)
    size = 10 ** random.uniform(1, 7.6) / METRES[unit]
    if random.random() < 0.4:
        other = size * 10 ** random.uniform(-1.5, 1.5)
        return [b"BYBOX", b"%.3f" % size, b"%.3f" % other, unit], []
    return [b"BYRADIUS", b"%.3f" % size, unit], [b"%.3f" % size, unit]


def options(random: Random) -> list[bytes]:
    found = random.sample([[b"WITHCOORD"], [b"WITHDIST"], [b"WITHHASH"], [b"ASC"], [b"DESC"]], random.randrange(3))
    words = [word for option in found for word in option]
    if random.random() < 0.5:
        words += [b"COUNT", b"%d" % random.choice((1, 2, 7, 50, 400)), *([b"ANY"] if random.random() < 0.4 else [])]
    return words


def search(random: Random, places: list[tuple[float, float]]) -> Command:
    by, radius = shape(random)
    longitude, latitude = random.choice(places)
    place = [repr(float(longitude)).encode(), repr(float(latitude)).encode()]
    member = b"m%d" % random.randrange(len(places))
    chance = random.random()
    if chance < 0.2 and radius:
        return [b"GEORADIUS", b"places", *place, *radius, *options(random)]
    if chance < 0.4 and radius:
        return [b"GEORADIUSBYMEMBER", b"places", member, *radius, *options(random)]
    origin = [b"FROMMEMBER", member] if chance < 0.7 else [b"FROMLONLAT", *place]
    if chance > 0.9:
        return [b"GEOSEARCHSTORE", b"stored", b"places", *origin, *by, b"STOREDIST"]
    return [b"GEOSEARCH", b"places", *origin, *by, *options(random)]


@pytest.mark.parametrize("region", REGIONS, ids=lambda region: region.__name__)
def test_searches_find_what_redis_finds(real_redis: RealRedis, region: object, request: pytest.FixtureRequest) -> None:
    assert callable(region)
    random = Random(region.__name__)
    slow = request.config.getoption("--slow")
    pair = Pair(real_redis.port)
    try:
        for count in (40, POINTS):
            pair.begin(random.choice((2, 3)))
            places = [region(random) for _ in range(count)]
            for start in range(0, count, 100):
                words = [b"GEOADD", b"places"]
                for number, (longitude, latitude) in enumerate(places[start : start + 100], start):
                    words += (repr(float(longitude)).encode(), repr(float(latitude)).encode(), b"m%d" % number)
                pair.run(words)
            for _ in range(2000 if slow else 60):
                argv = search(random, places)
                pair.run(argv)
                if argv[0] == b"GEOSEARCHSTORE":
                    pair.run([b"ZRANGE", b"stored", b"0", b"-1", b"WITHSCORES"])
            every = [b"m%d" % number for number in range(0, count, 5)]
            pair.run([b"GEOPOS", b"places", *every])
            pair.run([b"GEOHASH", b"places", *every])
            for one, other in zip(every, reversed(every), strict=True):
                pair.run([b"GEODIST", b"places", one, other, random.choice(UNITS)])
    finally:
        pair.close()
