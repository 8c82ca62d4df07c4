"""MIGRATE: keys travel between our server and a real one, and between two of ours."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hiredis
import pytest

from tests.conftest import RealRedis, free_port
from tests.server.running import Running, Wire

pytestmark = pytest.mark.interop
TIMEOUT = 5000


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("ours"), "--enable-debug-command", "yes") as server:
        yield server


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("other")) as server:
        yield server


@pytest.fixture
def here(ours: Running) -> Iterator[Wire]:
    with ours.connect() as wire:
        wire.call("FLUSHALL")
        yield wire


@pytest.fixture
def there(real_redis: RealRedis) -> Iterator[Wire]:
    with Wire(("127.0.0.1", real_redis.port)) as wire:
        wire.call("FLUSHALL")
        yield wire


VALUES: dict[str, list[tuple[Any, ...]]] = {
    "string": [("SET", "string", "text")],
    "integer": [("SET", "integer", "12345"), ("INCR", "integer")],
    "list": [("RPUSH", "list", *range(100), "x" * 70)],
    "long": [("RPUSH", "long", *range(5000), "y" * 9000)],
    "integers": [("SADD", "integers", *range(-50, 50))],
    "set": [("SADD", "set", "a", "b", "c" * 100)],
    "zset": [("ZADD", "zset", 1, "a", "2.5", "b", "inf", "c")],
    "skiplist": [("ZADD", "skiplist", *[word for number in range(300) for word in (number / 4, f"m{number}")])],
    "hash": [("HSET", "hash", "f", "v", "g", "7")],
    "table": [("HSET", "table", *[f"w{number}" for number in range(2000)])],
    "stream": [
        ("XADD", "stream", "1-1", "f", "v"),
        ("XADD", "stream", "1-2", "other", "v"),
        ("XADD", "stream", "2-1", "f", "w"),
        ("XDEL", "stream", "1-2"),
        ("XGROUP", "CREATE", "stream", "group", "0"),
        ("XREADGROUP", "GROUP", "group", "alice", "COUNT", "1", "STREAMS", "stream", ">"),
    ],
}


def fill(wire: Wire) -> None:
    for commands in VALUES.values():
        for words in commands:
            assert not isinstance(wire.call(*words), hiredis.ReplyError), words


def digests(wire: Wire) -> list[Any]:
    return [wire.call("DEBUG", "DIGEST-VALUE", name)[0] for name in VALUES]


def test_values_of_all_kinds_go_to_redis_and_come_back(
    here: Wire, there: Wire, ours: Running, real_redis: RealRedis
) -> None:
    fill(here)
    before = digests(here)
    names = ("KEYS", *VALUES)
    assert here.call("MIGRATE", "127.0.0.1", real_redis.port, "", 0, TIMEOUT, *names) == "OK"
    assert here.call("DBSIZE") == 0
    assert digests(there) == before
    assert there.call("XPENDING", "stream", "group")[:1] == [1]
    assert there.call("MIGRATE", "127.0.0.1", ours.port, "", 0, TIMEOUT, *names) == "OK"
    assert there.call("DBSIZE") == 0
    assert digests(here) == before
    assert here.call("XPENDING", "stream", "group")[:1] == [1]


def test_options_mean_what_they_mean_to_redis(here: Wire, there: Wire, ours: Running, real_redis: RealRedis) -> None:
    pairs = ((here, real_redis.port, there), (there, ours.port, here))
    for source, port, target in pairs:
        target.call("FLUSHALL")
        source.call("FLUSHALL")
        assert source.call("MIGRATE", "127.0.0.1", port, "missing", 0, TIMEOUT) == "NOKEY"
        source.call("SET", "key", "value", "PX", 500_000)
        assert source.call("MIGRATE", "127.0.0.1", port, "key", 3, TIMEOUT, "COPY") == "OK"
        assert source.call("GET", "key") == "value"
        target.call("SELECT", 3)
        assert target.call("GET", "key") == "value"
        assert 400_000 < target.call("PTTL", "key") <= 500_000
        error = source.call("MIGRATE", "127.0.0.1", port, "key", 3, TIMEOUT)
        assert str(error) == "ERR Target instance replied with error: BUSYKEY Target key name already exists."
        assert source.call("GET", "key") == "value"
        source.call("SET", "key", "newer")
        assert source.call("MIGRATE", "127.0.0.1", port, "key", 3, TIMEOUT, "REPLACE") == "OK"
        assert source.call("GET", "key") is None
        assert target.call("GET", "key") == "newer"
        target.call("SELECT", 0)


def test_one_key_that_is_refused_does_not_keep_the_others(
    here: Wire, there: Wire, ours: Running, real_redis: RealRedis
) -> None:
    for source, port, target in ((here, real_redis.port, there), (there, ours.port, here)):
        source.call("FLUSHALL")
        target.call("FLUSHALL")
        source.call("MSET", "a", 1, "b", 2, "c", 3)
        target.call("SET", "b", "mine")
        error = source.call("MIGRATE", "127.0.0.1", port, "", 0, TIMEOUT, "KEYS", "a", "b", "missing", "c")
        assert str(error) == "ERR Target instance replied with error: BUSYKEY Target key name already exists."
        assert source.call("MGET", "a", "b", "c") == [None, "2", None]
        assert target.call("MGET", "a", "b", "c") == ["1", "mine", "3"]


def test_passwords_are_sent(here: Wire, tmp_path: Path) -> None:
    redis = RealRedis(tmp_path, "--requirepass", "secret")
    try:
        here.call("MSET", "a", 1, "b", 2)
        place = ("127.0.0.1", redis.port)
        error = here.call("MIGRATE", *place, "a", 0, TIMEOUT)
        assert str(error) == "ERR Target instance replied with error: NOAUTH Authentication required."
        error = here.call("MIGRATE", *place, "a", 0, TIMEOUT, "AUTH", "wrong")
        assert str(error).startswith("ERR Target instance replied with error: WRONGPASS")
        assert here.call("MIGRATE", *place, "a", 0, TIMEOUT, "AUTH", "secret") == "OK"
        assert here.call("MIGRATE", *place, "b", 0, TIMEOUT, "AUTH2", "default", "secret") == "OK"
        with Wire(place) as wire:
            wire.call("AUTH", "secret")
            assert wire.call("MGET", "a", "b") == ["1", "2"]
    finally:
        redis.stop()


def test_words_that_make_no_sense_get_the_same_errors(here: Wire, there: Wire) -> None:
    for wire in (here, there):
        wire.call("SET", "key", "value")
    nowhere = ("127.0.0.1", free_port())
    for words in (
        (*nowhere, "key", "zero", 10),
        (*nowhere, "key", 0, "ten"),
        (*nowhere, "key", 0, 10, "NONSENSE"),
        (*nowhere, "key", 0, 10, "AUTH"),
        (*nowhere, "key", 0, 10, "AUTH2", "user"),
        (*nowhere, "key", 0, 10, "KEYS", "key"),
        (*nowhere, "", 0, 10, "KEYS"),
        (*nowhere, "", 0, 10),
        (*nowhere, "key", 0, 10),
        ("127.0.0.1", "port", "key", 0, 10),
        (*nowhere, "missing", 0, 10, "COPY", "REPLACE"),
        (*nowhere, "key", 0),
    ):
        ours, theirs = here.call("MIGRATE", *words), there.call("MIGRATE", *words)
        assert str(ours) == str(theirs), words
    for words in ((*nowhere, "", 0, 10, "COPY", "KEYS", "a", "b"), (*nowhere, "key", 0, 10, "AUTH", "KEYS")):
        asked = ("COMMAND", "GETKEYSANDFLAGS", "MIGRATE", *words)
        assert here.call(*asked)[0][0] == there.call(*asked)[0][0]


class Slow:
    """A server that takes what it is sent, and answers when it is told to."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._reader = hiredis.Reader(notEnoughData=False)
        self._connection: socket.socket | None = None

    def commands(self, count: int) -> list[Any]:
        """The next commands."""
        if self._connection is None:
            self._connection = self._listener.accept()[0]
            self._connection.settimeout(20)
        found: list[Any] = []
        while len(found) < count:
            while (command := self._reader.gets()) is False:
                self._reader.feed(self._connection.recv(1 << 20))
            found.append(command)
        return found

    def answer(self, data: bytes) -> None:
        assert self._connection is not None
        self._connection.sendall(data)

    def hang_up(self) -> None:
        assert self._connection is not None
        self._connection.close()
        self._connection = None
        self._reader = hiredis.Reader(notEnoughData=False)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._listener.close()


@pytest.fixture
def slow() -> Iterator[Slow]:
    server = Slow()
    yield server
    server.close()


def test_others_go_on_while_a_client_waits(here: Wire, ours: Running, slow: Slow) -> None:
    here.call("SET", "key", "value")
    here.send(hiredis.pack_command(("MIGRATE", "127.0.0.1", slow.port, "key", 0, TIMEOUT)))
    select, restore = slow.commands(2)
    assert (select, restore[:3]) == ([b"SELECT", b"0"], [b"RESTORE", b"key", b"0"])
    with ours.connect() as bystander:
        assert bystander.call("GET", "key") == "value"
    slow.answer(b"+OK\r\n+OK\r\n")
    assert here.read() == "OK"
    assert here.call("GET", "key") is None
    assert ours.info("stats")["migrate_cached_sockets"] != "0"


def test_a_key_that_changes_meanwhile_is_sent_again(here: Wire, ours: Running, slow: Slow) -> None:
    here.call("RPUSH", "key", "a")
    here.send(hiredis.pack_command(("MIGRATE", "127.0.0.1", slow.port, "key", 0, TIMEOUT)))
    first = slow.commands(2)[1]
    with ours.connect() as bystander:
        bystander.call("RPUSH", "key", "b")
        slow.answer(b"+OK\r\n+OK\r\n")
        (second,) = slow.commands(1)
        assert second[-1] == b"REPLACE"
        assert second[3] != first[3]
        assert bystander.call("LRANGE", "key", 0, -1) == ["a", "b"]
        slow.answer(b"+OK\r\n")
        assert here.read() == "OK"
        assert bystander.call("EXISTS", "key") == 0


def test_a_key_stays_where_nobody_has_confirmed_it(here: Wire, slow: Slow) -> None:
    here.call("MSET", "a", 1, "b", 2)
    here.send(hiredis.pack_command(("MIGRATE", "127.0.0.1", slow.port, "", 0, TIMEOUT, "KEYS", "a", "b")))
    slow.commands(3)
    slow.answer(b"+OK\r\n+OK\r\n")
    slow.hang_up()
    assert str(here.read()) == "IOERR error or timeout reading to target instance"
    assert here.call("MGET", "a", "b") == [None, "2"]


def test_a_connection_that_has_ended_is_opened_anew(here: Wire, slow: Slow) -> None:
    here.call("MSET", "a", 1, "b", 2)
    here.send(hiredis.pack_command(("MIGRATE", "127.0.0.1", slow.port, "a", 0, TIMEOUT)))
    slow.commands(2)
    slow.answer(b"+OK\r\n+OK\r\n")
    assert here.read() == "OK"
    slow.hang_up()
    here.send(hiredis.pack_command(("MIGRATE", "127.0.0.1", slow.port, "b", 0, TIMEOUT)))
    assert [command[0] for command in slow.commands(2)] == [b"SELECT", b"RESTORE"]
    slow.answer(b"+OK\r\n+OK\r\n")
    assert here.read() == "OK"


def test_a_connection_is_used_again_without_select(here: Wire, slow: Slow) -> None:
    here.call("MSET", "a", 1, "b", 2)
    for key, commands in (("a", [b"SELECT", b"RESTORE"]), ("b", [b"RESTORE"])):
        here.send(hiredis.pack_command(("MIGRATE", "127.0.0.1", slow.port, key, 0, TIMEOUT)))
        assert [command[0] for command in slow.commands(len(commands))] == commands
        slow.answer(b"+OK\r\n" * len(commands))
        assert here.read() == "OK"


def test_an_answer_that_does_not_come_is_a_timeout(here: Wire, slow: Slow) -> None:
    here.call("SET", "key", "value")
    error = here.call("MIGRATE", "127.0.0.1", slow.port, "key", 0, 20)
    assert str(error) == "IOERR error or timeout reading to target instance"
    assert here.call("GET", "key") == "value"


def test_a_client_that_leaves_does_not_stop_its_keys(ours: Running, here: Wire, slow: Slow) -> None:
    here.call("SET", "key", "value")
    with ours.connect() as wire:
        wire.send(hiredis.pack_command(("MIGRATE", "127.0.0.1", slow.port, "key", 0, TIMEOUT)))
        slow.commands(2)
    slow.answer(b"+OK\r\n+OK\r\n")
    while here.call("EXISTS", "key"):
        pass


def test_within_a_transaction_the_key_is_gone_when_the_next_command_runs(
    here: Wire, there: Wire, real_redis: RealRedis
) -> None:
    here.call("SET", "key", "value")
    here.call("MULTI")
    here.call("MIGRATE", "127.0.0.1", real_redis.port, "key", 0, TIMEOUT)
    here.call("EXISTS", "key")
    assert here.call("EXEC") == ["OK", 0]
    assert there.call("GET", "key") == "value"


def test_keys_go_from_one_of_our_servers_to_another_and_to_another_database_of_the_same(
    here: Wire, ours: Running, other: Running
) -> None:
    fill(here)
    before = digests(here)
    names = ("KEYS", *VALUES)
    assert here.call("MIGRATE", "127.0.0.1", ours.port, "", 1, TIMEOUT, "COPY", *names) == "OK"
    here.call("SELECT", 1)
    assert digests(here) == before
    here.call("SELECT", 0)
    assert here.call("MIGRATE", "127.0.0.1", other.port, "", 0, TIMEOUT, *names) == "OK"
    assert here.call("DBSIZE") == 0
    assert other.call("DBSIZE") == len(VALUES)


def test_many_clients_send_keys_at_once(ours: Running, here: Wire, there: Wire, real_redis: RealRedis) -> None:
    here.call("MSET", *[word for number in range(200) for word in (f"key:{number}", number)])

    def send(first: int) -> None:
        with ours.connect() as wire:
            for number in range(first, 200, 4):
                assert wire.call("MIGRATE", "127.0.0.1", real_redis.port, f"key:{number}", 0, TIMEOUT) == "OK"

    threads = [threading.Thread(target=send, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert here.call("DBSIZE") == 0
    assert there.call("DBSIZE") == 200
