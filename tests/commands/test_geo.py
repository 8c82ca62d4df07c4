"""Geo commands: every option, error, event and effect, as redis-server has them."""

from __future__ import annotations

import pytest

from pycache_server.commands.geo import format_distance
from tests.peers import AnyClient, Peer, error_of, heard, listener_of

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"
BAD_FLOAT = "ERR value is not a valid float"
BAD_UNIT = "ERR unsupported unit provided. please use M, KM, FT, MI"
SICILY = ["13.361389", "38.115556", "Palermo", "15.087269", "37.502669", "Catania", "12.758489", "38.788135", "edge1"]
AROUND = ["GEOSEARCH", "Sicily", "FROMLONLAT", "15", "37"]
PALERMO = ["13.36138933897018433", "38.11555639549629859"]
CATANIA = ["15.08726745843887329", "37.50266842333162032"]


@pytest.fixture
def sicily(client: AnyClient) -> AnyClient:
    assert client.call("GEOADD", "Sicily", *SICILY) == 3
    return client


# Places


def test_places_are_scores_of_a_sorted_set(sicily: AnyClient) -> None:
    assert sicily.call("TYPE", "Sicily") == "zset"
    assert sicily.call("ZSCORE", "Sicily", "Palermo") == "3479099956230698"
    assert sicily.call("GEOPOS", "Sicily", "Palermo", "none", "Catania") == [PALERMO, None, CATANIA]
    assert sicily.call("GEOHASH", "Sicily", "Palermo", "none", "Catania") == ["sqc8b49rny0", None, "sqdtr74hyu0"]
    assert sicily.call("GEOPOS", "Sicily") == sicily.call("GEOHASH", "Sicily") == []
    assert sicily.call("GEOPOS", "none", "a", "b") == sicily.call("GEOHASH", "none", "a", "b") == [None, None]


def test_a_missing_place_is_a_null_array(sicily: AnyClient) -> None:
    sicily.call("PING")
    sicily.raw = b""
    sicily.call("GEOPOS", "Sicily", "none")
    assert sicily.raw == b"*1\r\n*-1\r\n"


def test_coordinates_are_plain_doubles_in_resp3(sicily: AnyClient) -> None:
    sicily.call("HELLO", 3)
    sicily.raw = b""
    assert sicily.call("GEOPOS", "Sicily", "Palermo", "none") == [[float(each) for each in PALERMO], None]
    assert sicily.raw == b"*2\r\n*2\r\n,%b\r\n,%b\r\n_\r\n" % tuple(each.encode() for each in PALERMO)


def test_distances_have_four_digits_and_any_unit(sicily: AnyClient) -> None:
    call = ["GEODIST", "Sicily", "Palermo", "Catania"]
    assert sicily.call(*call) == sicily.call(*call, "M") == "166274.1516"
    assert sicily.call(*call, "km") == "166.2742"
    assert sicily.call(*call, "mi") == "103.3182"
    assert sicily.call(*call, "ft") == "545518.8700"
    assert sicily.call("GEODIST", "Sicily", "Palermo", "Palermo") == "0.0000"
    assert sicily.call("GEODIST", "Sicily", "Palermo", "none") is None
    assert sicily.call("GEODIST", "none", "a", "b") is None


def test_geoadd_has_the_conditions_of_zadd(client: AnyClient) -> None:
    assert client.call("GEOADD", "k", "XX", 1, 1, "a") == 0
    assert client.call("EXISTS", "k") == 0
    assert client.call("GEOADD", "k", "NX", 1, 1, "a", 2, 2, "b") == 2
    assert client.call("GEOADD", "k", "NX", "CH", 5, 5, "a", 3, 3, "c") == 1
    assert client.call("GEOADD", "k", "xx", "ch", 5, 5, "a", 4, 4, "d") == 1
    assert client.call("ZCARD", "k") == 3


def test_geoadd_announces_zadd(peer: Peer) -> None:
    client, listener = peer.connect(), listener_of(peer)
    client.call("GEOADD", "k", 1, 1, "a")
    client.call("GEOADD", "k", 1, 1, "a")
    client.call("GEOADD", "k", 2, 1, "a")
    assert heard(listener) == [("new", "k"), ("zadd", "k"), ("zadd", "k")]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["GEOADD", "k", "1", "2"], "ERR wrong number of arguments for 'geoadd' command"),
        (["GEOADD", "k", "CH", "CH", "CH"], SYNTAX),
        (["GEOADD", "k", "NX", "XX", "1", "2", "a"], SYNTAX),
        (["GEOADD", "k", "GT", "1", "2", "a"], SYNTAX),
        (["GEOADD", "k", "1", "2", "a", "1", "2"], SYNTAX),
        (["GEOADD", "k", "x", "2", "a"], BAD_FLOAT),
        (["GEOADD", "k", "1", "nan", "a"], BAD_FLOAT),
        (["GEOADD", "k", "181", "2", "a"], "ERR invalid longitude,latitude pair 181.000000,2.000000"),
        (["GEOADD", "k", "1", "-85.06", "a"], "ERR invalid longitude,latitude pair 1.000000,-85.060000"),
        (["GEOADD", "k", "1", "inf", "a"], "ERR invalid longitude,latitude pair 1.000000,inf"),
        (["GEOADD", "string", "181", "2", "a"], "ERR invalid longitude,latitude pair 181.000000,2.000000"),
        (["GEOADD", "string", "1", "2", "a"], WRONG_TYPE),
        (["GEODIST", "k", "a", "b", "yd"], BAD_UNIT),
        (["GEODIST", "k", "a", "b", "m", "m"], SYNTAX),
        (["GEODIST", "string", "a", "b"], WRONG_TYPE),
        (["GEOPOS", "string", "a"], WRONG_TYPE),
        (["GEOHASH", "string"], WRONG_TYPE),
    ],
)
def test_what_is_wrong_with_places(client: AnyClient, words: list[str], error: str) -> None:
    client.call("SET", "string", "x")
    assert error_of(client.call(*words)) == error
    assert client.call("KEYS", "*") == ["string"]


# Searches


def test_circles_and_boxes_around_places_and_members(sicily: AnyClient) -> None:
    assert sicily.call(*AROUND, "BYRADIUS", "200", "km", "ASC") == ["Catania", "Palermo"]
    assert sicily.call(*AROUND, "BYBOX", "400", "400", "km", "DESC") == ["edge1", "Palermo", "Catania"]
    member = ["GEOSEARCH", "Sicily", "FROMMEMBER", "Palermo"]
    assert sicily.call(*member, "BYRADIUS", "100", "km", "ASC") == ["Palermo", "edge1"]
    assert sicily.call("GEORADIUS", "Sicily", "15", "37", "200", "km", "DESC") == ["Palermo", "Catania"]
    assert sicily.call("GEORADIUSBYMEMBER_RO", "Sicily", "Palermo", "100", "km", "ASC") == ["Palermo", "edge1"]
    assert sicily.call("GEORADIUS_RO", "none", "15", "37", "200", "km") == []


def test_what_is_told_of_each_member(sicily: AnyClient) -> None:
    found = sicily.call(*AROUND, "BYRADIUS", "200", "km", "ASC", "WITHCOORD", "WITHDIST", "WITHHASH")
    assert found == [
        ["Catania", "56.4413", 3479447370796909, CATANIA],
        ["Palermo", "190.4424", 3479099956230698, PALERMO],
    ]
    assert sicily.call(*AROUND, "BYRADIUS", "60", "km", "WITHHASH") == [["Catania", 3479447370796909]]


def test_a_count_takes_the_nearest_and_with_any_the_first(sicily: AnyClient) -> None:
    assert sicily.call(*AROUND, "BYRADIUS", "400", "km", "COUNT", 1) == ["Catania"]
    assert sicily.call(*AROUND, "BYRADIUS", "400", "km", "COUNT", 1, "DESC") == ["edge1"]
    assert len(sicily.call(*AROUND, "BYRADIUS", "400", "km", "COUNT", 2, "ANY")) == 2


def test_what_is_found_is_stored_with_geohashes_or_distances(peer: Peer) -> None:
    client, listener = peer.connect(), listener_of(peer)
    client.call("GEOADD", "Sicily", *SICILY)
    client.call("SET", "target", "x")
    listener.read_all()
    assert client.call("GEOSEARCHSTORE", "target", *AROUND[1:], "BYRADIUS", "200", "km") == 2
    assert client.call("ZRANGE", "target", 0, -1, "WITHSCORES") == [
        *("Palermo", "3479099956230698", "Catania", "3479447370796909"),
    ]
    assert client.call("GEORADIUSBYMEMBER", "Sicily", "Palermo", "100", "km", "STOREDIST", "target") == 2
    assert client.call("ZSCORE", "target", "Palermo") == "0"
    assert client.call("OBJECT", "ENCODING", "target") == "listpack"
    assert client.call("GEORADIUS", "Sicily", "0", "0", "1", "m", "STORE", "target") == 0
    assert client.call("GEORADIUS", "Sicily", "0", "0", "1", "m", "STORE", "target") == 0
    assert client.call("GEOSEARCHSTORE", "Sicily", "none", "FROMMEMBER", "a", "BYRADIUS", 1, "m") == 0
    assert heard(listener) == [
        ("geosearchstore", "target"),
        ("georadiusstore", "target"),
        ("del", "target"),
        ("del", "Sicily"),
    ]


SEARCH = ["GEOSEARCH", "Sicily"]
MEMBER = ["FROMMEMBER", "Palermo"]
RADIUS = ["BYRADIUS", "100", "km"]
INCOMPATIBLE = "is not compatible with WITHDIST, WITHHASH and WITHCOORD options"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([*SEARCH, *MEMBER, "FROMLONLAT", "1", "2", *RADIUS], SYNTAX),
        ([*SEARCH, *MEMBER, *RADIUS, "BYBOX", "1", "2", "m"], SYNTAX),
        ([*SEARCH, *MEMBER, *RADIUS, "STOREDIST"], SYNTAX),
        ([*SEARCH, *MEMBER, *RADIUS, "STORE", "x"], SYNTAX),
        ([*SEARCH, *MEMBER, *RADIUS, "COUNT"], SYNTAX),
        (
            [*SEARCH, *RADIUS, "ASC", "ASC"],
            "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH",
        ),
        ([*SEARCH, *MEMBER, *["ASC"] * 3], "ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH"),
        ([*SEARCH, *MEMBER, *RADIUS, "ANY"], "ERR the ANY argument requires COUNT argument"),
        ([*SEARCH, *MEMBER, *RADIUS, "COUNT", "0"], "ERR COUNT must be > 0"),
        ([*SEARCH, *MEMBER, *RADIUS, "COUNT", "x"], "ERR value is not an integer or out of range"),
        ([*SEARCH, "FROMMEMBER", "none", *RADIUS], "ERR could not decode requested zset member"),
        ([*SEARCH, "FROMLONLAT", "x", "1", *RADIUS], BAD_FLOAT),
        ([*SEARCH, *MEMBER, "BYRADIUS", "x", "m"], "ERR need numeric radius"),
        ([*SEARCH, *MEMBER, "BYRADIUS", "-1", "m"], "ERR radius cannot be negative"),
        ([*SEARCH, *MEMBER, "BYRADIUS", "1", "yd"], BAD_UNIT),
        ([*SEARCH, *MEMBER, "BYBOX", "x", "1", "m"], "ERR need numeric width"),
        ([*SEARCH, *MEMBER, "BYBOX", "1", "x", "m"], "ERR need numeric height"),
        ([*SEARCH, *MEMBER, "BYBOX", "1", "-1", "m"], "ERR height or width cannot be negative"),
        (["GEOSEARCHSTORE", "t", "Sicily", *MEMBER, *RADIUS, "WITHDIST"], f"ERR GEOSEARCHSTORE {INCOMPATIBLE}"),
        (
            ["GEORADIUS", "Sicily", "1", "2", "3", "m", "STORE", "t", "WITHHASH"],
            f"ERR STORE option in GEORADIUS {INCOMPATIBLE}",
        ),
        (["GEORADIUS_RO", "Sicily", "1", "2", "3", "m", "STORE", "t"], SYNTAX),
        (["GEORADIUSBYMEMBER_RO", "Sicily", "Palermo", "3", "m", "STOREDIST", "t"], SYNTAX),
        (["GEORADIUS", "string", "x", "2", "3", "m"], WRONG_TYPE),
        (["GEOSEARCH", "string", "x", "x", "x", "x", "x"], WRONG_TYPE),
        (["GEOSEARCH", "none", "FROMMEMBER", "a", "BYRADIUS", "x", "m"], "ERR need numeric radius"),
    ],
)
def test_what_is_wrong_with_searches(sicily: AnyClient, words: list[str], error: str) -> None:
    sicily.call("SET", "string", "x")
    assert error_of(sicily.call(*words)) == error
    assert sicily.call("EXISTS", "t") == 0


def test_where_the_key_is_not_there_a_radius_around_a_member_is_not_looked_at(client: AnyClient) -> None:
    assert client.call("GEORADIUSBYMEMBER", "none", "a", "x", "yd") == []
    assert error_of(client.call("GEORADIUSBYMEMBER", "none", "a", "x", "yd", "ANY")).startswith("ERR the ANY argument")


def test_keys_are_found_behind_store(client: AnyClient) -> None:
    georadius = ["COMMAND", "GETKEYS", "GEORADIUS", "k", "1", "2", "3", "m"]
    assert client.call(*georadius) == client.call(*georadius, "STORE") == ["k"]
    assert client.call(*georadius, "STOREDIST", "a", "STORE", "b") == ["k", "b", "a"]


@pytest.mark.parametrize(
    ("distance", "text"),
    [
        (0.0, b"0.0000"),
        (27029108.41925, b"27029108.4192"),
        (0.00035, b"0.0004"),
        (0.5, b"0.5000"),
        (65700000.00006, b"65700000.0001"),
        (float("nan"), b"-922337203685477.5808"),
    ],
)
def test_distances_are_rounded_to_four_digits_and_halves_to_what_is_even(distance: float, text: bytes) -> None:
    assert format_distance(distance) == text
