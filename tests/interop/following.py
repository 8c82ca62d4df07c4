"""What the tests of followers share: servers in step, and masters that are scripts."""

from __future__ import annotations

import socket
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any, Self

import hiredis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NonInteractiveExampleWarning

from tests.differential.strategies import programs
from tests.differential.test_programs import FAMILIES, strategy_of
from tests.differential.versions import Command
from tests.proxy import Proxy
from tests.server.running import Wire

PATIENCE = 30.0
"""Seconds until something must have come true."""
QUICK = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
"""What makes a real master not wait for other replicas."""
ID = "7" * 40
_NOTHING = object()


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Wait until something is true; returns it."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.01)
    return found


def info(wire: Wire, section: str = "replication") -> dict[str, str]:
    lines = str(wire.call("INFO", section)).splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def is_in_step(master: Wire, follower: Wire) -> bool:
    """Whether a follower has applied everything."""
    theirs, ours = info(master), info(follower)
    same = ours["master_replid"] == theirs["master_replid"]
    return (
        same
        and ours.get("master_link_status", "up") == "up"
        and ours["master_repl_offset"] == theirs["master_repl_offset"]
    )


def digest(wire: Wire) -> str:
    return str(wire.call("DEBUG", "DIGEST"))


def wait_same(master: Wire, follower: Wire) -> None:
    """Wait until a follower holds what its master does; what differs is told where it never does. What has expired goes
    from the master little by little, and from the follower when it has heard of that."""
    wait_for(lambda: is_in_step(master, follower), "in step")
    if int(master.call("DBSIZE")) < _MANY and digest(master) != digest(follower):
        remove_damaged(master, follower)
    try:
        wait_for(lambda: digest(master) == digest(follower), "the same digest")
    except AssertionError:
        raise AssertionError(f"they differ: {differences(master, follower)}") from None


def remove_damaged(master: Wire, follower: Wire) -> None:
    """Remove what differs between real servers, too: HyperLogLogs that are damaged, since a PFADD of several elements
    that fails on one of them leaves those that it has added before, and Redis tells its replicas nothing of that;
    strings that a BITFIELD has made longer, by zeros, and then changed nothing for OVERFLOW FAIL, of which it tells
    nothing either; and sorted sets with a score of -0, which a listpack cannot hold, into which a small one changes
    when it is loaded."""
    for index, key, _ in differences(master, follower)[1:]:
        for wire in (master, follower):
            wire.call("SELECT", index)
        values = [str(wire.call("GET", key) or "").rstrip("\0") for wire in (master, follower)]
        if master.call("TYPE", key) == "string" and values[0] == values[1]:
            master.call("DEL", key)
            continue
        scores = master.call("ZRANGE", key, 0, -1, "WITHSCORES")
        damaged = str(master.call("PFCOUNT", key)).startswith("INVALIDOBJ")
        if damaged or (isinstance(scores, list) and "-0" in scores[1::2]):
            master.call("DEL", key)
    for wire in (master, follower):
        wire.call("SELECT", 0)


_MANY = 10_000
"""Keys from which on nobody looks at each of them."""
_QUESTIONS = (("DEBUG", "DIGEST-VALUE"), ("TYPE",), ("PEXPIRETIME",), ("DUMP",))


def differences(master: Wire, follower: Wire) -> list[Any]:
    """The state of the link and the numbers of keys, and behind them the keys of which two servers do not hold the
    same, each with what they say of it."""
    link = info(follower)["master_link_status"]
    found: list[Any] = [(link, master.call("DBSIZE"), follower.call("DBSIZE"))]
    for index in range(16):
        for wire in (master, follower):
            wire.call("SELECT", index)
        for key in sorted({*master.call("KEYS", "*"), *follower.call("KEYS", "*")}):
            said = [
                [
                    wire.call(*words, key)
                    for words in (("DEBUG", "DIGEST-VALUE"), ("TYPE",), ("PEXPIRETIME",), ("DUMP",))
                ]
                for wire in (master, follower)
            ]
            if said[0][0] != said[1][0] or said[0][2] != said[1][2]:
                found.append((index, key, said))
    for wire in (master, follower):
        wire.call("SELECT", 0)
    return found


_WAITS = frozenset((b"BLPOP", b"BRPOP", b"BLMOVE", b"BRPOPLPUSH", b"BLMPOP", b"BZPOPMIN", b"BZPOPMAX", b"BZMPOP"))


def play_random_programs(
    master: Wire, follower: Wire, proxy: Proxy, wanted: int, without: frozenset[bytes] = frozenset()
) -> None:
    """Let a master execute about ``wanted`` random commands of every family and of expiry, ``without`` some, and cut
    the link now and then; the follower must hold the same again and again, and need everything only once."""
    done = 0
    volatile = st.tuples(
        st.just(b"PEXPIRE"),
        st.sampled_from([b"a", b"b", b"list", b"hash", b"zset"]),
        st.sampled_from([b"1", b"30"]),
    ).map(list)
    commands = st.one_of([*[strategy_of(family) for family in FAMILIES], volatile])

    @settings(
        max_examples=100,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
        database=None,
        print_blob=True,
    )
    @given(programs(commands), st.integers(0, 30))
    def check(program: list[Command], chance: int) -> None:
        nonlocal done
        program = [argv for argv in program if argv[0].upper() not in _WAITS | without and b"BLOCK" not in argv]
        master.send(b"".join(hiredis.pack_command(tuple(argv)) for argv in program))
        for _ in program:
            master.read()
        done += len(program)
        if chance == 0:
            proxy.cut()
        if chance < 3:
            wait_same(master, follower)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NonInteractiveExampleWarning)
        while done < wanted:
            check()
    wait_same(master, follower)
    stats = info(master, "stats")
    assert stats["sync_full"] == "1", stats
    assert 0 < int(stats["sync_partial_ok"]) < proxy.accepted, stats  # some were cut before they had asked


def follow(follower: Wire, port: int) -> None:
    """Let a server follow another, and wait for the link."""
    assert str(follower.call("REPLICAOF", "127.0.0.1", port)).startswith("OK")
    wait_for(lambda: info(follower).get("master_link_status") == "up", "the link is up")


class ScriptedMaster:
    """A master that says what it is told to. Each connection is given to ``script(connection)`` behind the handshake,
    with the words of its PSYNC."""

    def __init__(self, script: Callable[[ScriptedConnection, list[bytes]], None]) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.asked: list[list[bytes]] = []
        """The words of each PSYNC."""
        self.failures: list[BaseException] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            master = ScriptedConnection(connection)
            try:
                while (words := master.read())[0].upper() != b"PSYNC":
                    master.send(b"+PONG\r\n" if words == [b"PING"] else b"+OK\r\n")
                self.asked.append(words)
                self._script(master, words)
            except (OSError, EOFError):
                pass
            except BaseException as error:
                self.failures.append(error)

    def close(self) -> None:
        self._listener.close()
        assert not self.failures

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


class ScriptedConnection:
    """One follower of a scripted master."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.settimeout(PATIENCE)
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)

    def read(self) -> list[bytes]:
        """The next command. Raises EOFError where the follower has gone."""
        while (words := self._reader.gets()) is _NOTHING:
            data = self._connection.recv(1 << 16)
            if not data:
                raise EOFError
            self._reader.feed(data.lstrip(b"\n"))
        assert isinstance(words, list)
        return words

    def line(self) -> bytes:
        """A line that is no command in an array."""
        return self._connection.recv(1 << 16)

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def say(self, *words: Any) -> None:
        """A command of the stream."""
        self.send(hiredis.pack_command(words))

    def give(self, payload: bytes, offset: int = 0) -> None:
        """A full resync."""
        self.send(f"+FULLRESYNC {ID} {offset}\r\n".encode() + b"$%d\r\n" % len(payload) + payload)

    def wait_ack(self, offset: int) -> None:
        """Wait until the follower has applied so much."""
        while (words := self.read())[:2] != [b"REPLCONF", b"ACK"] or int(words[2]) < offset:
            pass

    def wait_end(self) -> None:
        """Wait until the follower leaves."""
        while True:
            try:
                self.read()
            except (OSError, EOFError):
                return
