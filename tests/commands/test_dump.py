"""DUMP, RESTORE and RESTORE-ASKING."""

from __future__ import annotations

import pytest

from tests.peers import AnyClient, Ours, Peer, error_of, heard, listener_of
from tests.rdb.corpus import PAYLOADS
from tests.rdb.packing import listpack, payload, string

TEXT = PAYLOADS["string"]


@pytest.fixture
def client(peer: Peer) -> AnyClient:
    """A client of either server."""
    return peer.connect()


@pytest.fixture
def raw(peer: Peer) -> AnyClient:
    """A client that gets bytes."""
    return peer.connect(decode=False)


def without_version(payload: bytes) -> bytes:
    """What stands before the version and the checksum."""
    return payload[:-10]


def test_dump_of_nothing_is_null(raw: AnyClient) -> None:
    assert raw.call("DUMP", "key") is None


def test_a_string_is_dumped_as_redis_dumps_it(raw: AnyClient) -> None:
    raw.call("SET", "key", "text")
    assert without_version(raw.call("DUMP", "key")) == payload(0, string(b"text"))[:-10]
    raw.call("SET", "key", "12345")
    assert without_version(raw.call("DUMP", "key")) == payload(0, b"\xc1\x39\x30")[:-10]


def test_a_small_hash_is_dumped_as_redis_dumps_it(raw: AnyClient) -> None:
    raw.call("HSET", "key", "f", "v", "g", 17)
    assert without_version(raw.call("DUMP", "key")) == payload(16, string(listpack(b"f", b"v", b"g", 17)))[:-10]


def test_what_is_restored_is_what_was_dumped(raw: AnyClient) -> None:
    raw.call("RPUSH", "list", "a", "b", "c" * 100)
    dumped = raw.call("DUMP", "list")
    assert raw.call("RESTORE", "copy", 0, dumped) in ("OK", b"OK")
    assert raw.call("LRANGE", "copy", 0, -1) == raw.call("LRANGE", "list", 0, -1)
    assert raw.call("TTL", "copy") == -1


def test_a_time_to_live_is_given_or_the_time_itself(client: AnyClient) -> None:
    assert client.call("RESTORE", "key", 50_000, TEXT) == "OK"
    assert 40_000 < client.call("PTTL", "key") <= 50_000
    at = 4_102_444_800_000
    assert client.call("RESTORE", "key", at, TEXT, "ABSTTL", "REPLACE") == "OK"
    assert client.call("PEXPIRETIME", "key") == at


def test_a_key_that_is_there_is_replaced_where_that_is_wanted_alone(client: AnyClient) -> None:
    client.call("RPUSH", "key", "a")
    assert error_of(client.call("RESTORE", "key", 0, TEXT)) == "BUSYKEY Target key name already exists."
    assert client.call("RESTORE", "key", 0, TEXT, "REPLACE") == "OK"
    assert client.call("GET", "key") == "text"


def test_a_time_that_is_past_makes_no_key_and_takes_one_away(peer: Peer, client: AnyClient) -> None:
    listener = listener_of(peer)
    assert client.call("RESTORE", "key", 1, TEXT, "ABSTTL") == "OK"
    assert client.call("EXISTS", "key") == 0
    assert heard(listener) == []
    client.call("SET", "key", "value")
    listener.read_all()
    assert client.call("RESTORE", "key", 1, TEXT, "ABSTTL", "REPLACE") == "OK"
    assert client.call("EXISTS", "key") == 0
    assert heard(listener) == [("del", "key")]


def test_restore_is_announced(peer: Peer, client: AnyClient) -> None:
    listener = listener_of(peer)
    client.call("RESTORE", "key", 0, TEXT)
    assert heard(listener) == [("new", "key"), ("restore", "key")]
    client.call("RESTORE", "key", 0, TEXT, "REPLACE")
    assert heard(listener) == [("new", "key"), ("restore", "key")]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("key", "x", TEXT), "ERR value is not an integer or out of range"),
        (("key", -1, TEXT), "ERR Invalid TTL value, must be >= 0"),
        (("key", 0, TEXT, "NONSENSE"), "ERR syntax error"),
        (("key", 0, TEXT, "IDLETIME"), "ERR syntax error"),
        (("key", 0, TEXT, "FREQ"), "ERR syntax error"),
        (("key", 0, TEXT, "IDLETIME", 1, "FREQ", 1), "ERR syntax error"),
        (("key", 0, TEXT, "FREQ", 1, "IDLETIME", 1), "ERR syntax error"),
        (("key", 0, TEXT, "IDLETIME", "x"), "ERR value is not an integer or out of range"),
        (("key", 0, TEXT, "FREQ", "x"), "ERR value is not an integer or out of range"),
        (("key", 0, TEXT, "IDLETIME", -1), "ERR Invalid IDLETIME value, must be >= 0"),
        (("key", 0, TEXT, "FREQ", -1), "ERR Invalid FREQ value, must be >= 0 and <= 255"),
        (("key", 0, TEXT, "FREQ", 256), "ERR Invalid FREQ value, must be >= 0 and <= 255"),
        (("key", 0, ""), "ERR DUMP payload version or checksum are wrong"),
        (("key", 0, TEXT[:-1]), "ERR DUMP payload version or checksum are wrong"),
        (("key", 0, payload(0, string(b"x"), 13)), "ERR DUMP payload version or checksum are wrong"),
        (("key", 0, payload(1, b"\0")), "ERR Bad data format"),
        (("key", 0, payload(8, b"x")), "ERR Bad data format"),
        (("key", -1, "junk", "NONSENSE"), "ERR syntax error"),
        (("there", -1, "junk"), "BUSYKEY Target key name already exists."),
        (("key", -1, "junk"), "ERR Invalid TTL value, must be >= 0"),
        (("key", 0), "ERR wrong number of arguments for '{}' command"),
    ],
)
@pytest.mark.parametrize("name", ["restore", "restore-asking"])
def test_errors_come_in_the_order_of_redis(client: AnyClient, name: str, words: tuple[object, ...], text: str) -> None:
    client.call("SET", "there", "x")
    assert error_of(client.call(name, *words)) == text.format(name)
    assert client.call("EXISTS", "key") == 0


def test_a_payload_that_is_refused_leaves_the_key_as_it_was(client: AnyClient) -> None:
    client.call("SET", "key", "value", "EX", 100)
    assert isinstance(client.call("RESTORE", "key", 0, payload(1, b"\0"), "REPLACE"), Exception)
    assert client.call("GET", "key") == "value"
    assert client.call("TTL", "key") > 0


def test_restore_asking_does_what_restore_does(client: AnyClient) -> None:
    assert client.call("RESTORE-ASKING", "key", 0, TEXT, "REPLACE") == "OK"
    assert client.call("GET", "key") == "text"


def test_dump_counts_as_a_read(ours: Ours) -> None:
    client = ours.connect()
    client.call("SET", "key", "value")
    client.call("DUMP", "key")
    client.call("DUMP", "missing")
    db = ours.world.core.keyspace.databases[0]
    assert (db.hits, db.misses, db.dirty) == (1, 1, 1)
    client.call("RESTORE", "other", 0, TEXT)
    assert db.dirty == 2


def test_strings_are_compressed_where_that_is_wanted(ours: Ours) -> None:
    client = ours.connect(decode=False)
    client.call("SET", "key", "a" * 1000)
    short = client.call("DUMP", "key")
    ours.world.core.keyspace.compress = False
    assert len(short) < 100 < 1000 < len(client.call("DUMP", "key"))


def test_fields_that_expire_do_so_after_a_restore(ours: Ours) -> None:
    client = ours.connect(decode=False)
    client.call("HSET", "hash", "f", "v", "g", "w")
    client.call("HPEXPIRE", "hash", 5000, "FIELDS", 1, "f")
    dumped = client.call("DUMP", "hash")
    assert client.call("RESTORE", "copy", 0, dumped) == b"OK"
    assert client.call("OBJECT", "ENCODING", "copy") == b"listpackex"
    assert client.call("HPTTL", "copy", "FIELDS", 2, "f", "g") == client.call("HPTTL", "hash", "FIELDS", 2, "f", "g")
    ours.world.advance(6)
    ours.world.expire()
    assert client.call("HGETALL", "copy") == [b"g", b"w"]
    assert client.call("RESTORE", "late", 0, dumped) == b"OK"
    assert client.call("HGETALL", "late") == [b"g", b"w"]


def test_a_hash_all_of_whose_fields_have_expired_is_not_there(ours: Ours) -> None:
    client = ours.connect(decode=False)
    client.call("HSET", "hash", "f", "v")
    client.call("HPEXPIRE", "hash", 5000, "FIELDS", 1, "f")
    dumped = client.call("DUMP", "hash")
    ours.world.advance(6)
    assert client.call("RESTORE", "copy", 0, dumped) == b"OK"
    assert client.call("EXISTS", "copy") == 0
    assert client.call("HLEN", "copy") == 0
    ours.world.expire()
    assert client.call("DBSIZE") == 0


def test_a_blocked_client_gets_what_is_restored(client: AnyClient, peer: Peer) -> None:
    other = peer.connect()
    other.start("BLPOP", "key", 0)
    client.call("RESTORE", "key", 0, PAYLOADS["list"])
    assert other.read() == ["key", "a"]


def test_a_watched_key_that_is_restored_has_changed(client: AnyClient, peer: Peer) -> None:
    client.call("WATCH", "key")
    peer.connect().call("RESTORE", "key", 0, TEXT)
    client.call("MULTI")
    client.call("GET", "key")
    assert client.call("EXEC") is None
