"""Sessions that become replicas, in process: what they are sent, what they may say, and who waits for them."""

from __future__ import annotations

from typing import Any

import hiredis
import pytest

import pycache_server.server.setup  # noqa: F401
from pycache_server.persist.saving import save
from pycache_server.session.leading import ENOUGH, GATHER, MANY, Sync
from pycache_server.session.psync import MOST_CAPABILITIES
from pycache_server.testing.inprocess import Client, World
from tests.peers import error_of


class InOnePiece:
    """Makes snapshots at once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.syncs: list[Sync] = []

    def start(self, sync: Sync) -> None:
        self.syncs.append(sync)
        sync.begin()
        data = b"".join(save(self.world.core.keyspace))
        for link in list(sync.links):
            link.write(b"$EOF:" + b"m" * 40 + b"\r\n" + data + b"m" * 40 if sync.streamed else b"$%d\r\n" % len(data))
            sync.deliver(link)
        sync.end()


@pytest.fixture
def snapshots(world: World) -> InOnePiece:
    found = world.core.replication.leading.snapshots = InOnePiece(world)
    world.core.replication.leading.leader.limits.delay = 0
    return found


@pytest.fixture
def client(world: World) -> Client:
    return world.connect()


def pack(*words: Any) -> bytes:
    return hiredis.pack_command(words)


def replica_of(world: World, port: int = 7000, *wanted: Any) -> Client:
    """A replica that has got its snapshot and is online."""
    found = world.connect(decode=False)
    found.send(pack("REPLCONF", "listening-port", port) + pack("REPLCONF", "capa", "eof", "capa", "psync2"))
    found.raw = b""
    found.send(pack("PSYNC", *(wanted or ("?", -1))))
    if not wanted:
        offset = int(found.raw.split()[2])
        found.raw = b""
        ack(found, offset)
    return found


def ack(replica: Client, offset: int, *more: Any) -> None:
    replica.send(pack("REPLCONF", "ACK", offset, *more))


def test_a_replica_gets_the_snapshot_and_then_the_stream(world: World, client: Client, snapshots: InOnePiece) -> None:
    client.call("SET", "before", "1")
    replica = replica_of(world)
    client.call("SET", "after", "2")
    client.call("SELECT", 1)
    client.call("INCR", "n")
    assert replica.raw == (pack("SELECT", 0) + pack("SET", "after", "2") + pack("SELECT", 1) + pack("INCR", "n"))
    assert client.call("ROLE")[1] == len(replica.raw)
    world.core.replication._check()


def test_the_stream_waits_for_the_first_ack_behind_a_streamed_snapshot(
    world: World, client: Client, snapshots: InOnePiece
) -> None:
    replica = world.connect(decode=False)
    replica.send(pack("REPLCONF", "capa", "eof"))
    replica.send(pack("PSYNC", "?", -1))
    replica.raw = b""
    client.call("SET", "a", "1")
    assert replica.raw == b""
    ack(replica, 0)
    assert replica.raw == pack("SELECT", 0) + pack("SET", "a", "1")


def test_what_a_round_brings_is_written_once(world: World, client: Client, snapshots: InOnePiece) -> None:
    replica = replica_of(world)
    writes = []
    replica.session.replica.session.link.write = lambda data: writes.append(data)  # type: ignore[union-attr, method-assign]
    client.send(pack("SET", "a", "1") + pack("SET", "b", "2") + pack("SET", "c", "3"))
    assert len(writes) == 1


def test_while_rounds_bring_much_they_are_gathered(world: World, client: Client, snapshots: InOnePiece) -> None:
    replica = replica_of(world)
    little, much = pack("SET", "k", "little"), pack("SET", "k", "x" * MANY)
    client.send(little)
    client.send(much)
    assert replica.raw == pack("SELECT", 0) + little + much  # until now it got little
    replica.raw = b""
    client.send(little)
    client.send(little)
    world.advance(GATHER / 2)
    assert replica.raw == b""
    world.advance(GATHER)
    assert replica.raw == 2 * little
    client.send(much)
    client.send(little)
    world.advance(2 * GATHER)
    client.send(little)
    assert replica.raw == 2 * little + much + 2 * little  # it has got nothing for a while


def test_nothing_is_gathered_where_somebody_waits(world: World, client: Client, snapshots: InOnePiece) -> None:
    replica = replica_of(world)
    much = pack("SET", "k", "x" * MANY)
    client.send(much)
    replica.raw = b""
    client.send(much + pack("WAIT", 1, 1000))
    assert replica.raw == much + pack("REPLCONF", "GETACK", "*")
    world.advance(GATHER)
    assert replica.raw.count(b"SET") == 1


def test_what_is_large_is_not_gathered(world: World, client: Client, snapshots: InOnePiece) -> None:
    replica = replica_of(world)
    large = pack("SET", "k", "x" * ENOUGH)
    client.send(large)
    replica.raw = b""
    client.send(large)
    assert replica.raw == large


def test_fields_that_expire_are_hidden_from_old_replicas_among_gathered_writes(
    world: World, client: Client, snapshots: InOnePiece
) -> None:
    replica = replica_of(world)
    client.send(pack("HSET", "h", "f", "v") + pack("SET", "k", "x" * MANY))
    replica.raw = b""
    client.send(pack("SET", "k", "1"))
    client.send(pack("HPEXPIRE", "h", 1000, "FIELDS", 1, "f"))
    client.send(pack("SET", "k", "2"))
    world.advance(GATHER)
    assert replica.raw.startswith(pack("SET", "k", "1")) and replica.raw.endswith(pack("SET", "k", "2"))
    assert b"PING" in replica.raw and b"HPEXPIRE" not in replica.raw


def test_a_replica_that_comes_back_gets_what_it_has_missed(world: World, client: Client, snapshots: InOnePiece) -> None:
    replica = replica_of(world)
    client.call("SET", "a", "1")
    have, offset = len(replica.raw), len(replica.raw)
    replica.close()
    client.call("SET", "b", "2")
    again = replica_of(world, 7000, world.core.replication.history.id, offset + 1)
    expected = b"+CONTINUE " + world.core.replication.history.id + b"\r\n" + pack("SET", "b", "2")
    assert again.raw == expected
    assert have == offset
    assert world.core.replication.leading.leader.partial == 1


def test_who_asks_for_the_future_gets_everything(world: World, client: Client, snapshots: InOnePiece) -> None:
    replica_of(world)
    other = replica_of(world, 7001, world.core.replication.history.id, 1000)
    assert other.raw.startswith(b"+FULLRESYNC ")
    assert any("greater than the master replication offset" in text for _, text in world.host.messages)


def test_one_snapshot_serves_all_that_wait(world: World, snapshots: InOnePiece) -> None:
    world.core.replication.leading.leader.limits.delay = 5
    replicas = [world.connect(decode=False) for _ in range(3)]
    for each in replicas:
        each.send(pack("REPLCONF", "capa", "eof") + b"")
        each.send(pack("PSYNC", "?", -1))
        each.raw = b""
    world.advance(2)
    assert not snapshots.syncs
    assert replicas[0].raw == b"\n\n"  # so that it does not take the connection for dead
    world.advance(3.5)
    assert len(snapshots.syncs) == 1
    assert all(b"+FULLRESYNC" in each.raw for each in replicas)


def test_wait_counts_replicas_that_have_what_the_client_has_written(
    world: World, client: Client, snapshots: InOnePiece
) -> None:
    replica = replica_of(world)
    assert client.call("WAIT", 1, 0) == 1
    client.call("SET", "a", "1")
    client.start("WAIT", 1, 0)
    assert replica.raw.endswith(pack("REPLCONF", "GETACK", "*"))
    with pytest.raises(EOFError):
        client.read()
    ack(replica, 1)
    with pytest.raises(EOFError):
        client.read()
    ack(replica, client.session.told)
    assert client.read() == 1
    stranger = world.connect()
    assert stranger.call("WAIT", 1, 0) == 1


def test_wait_answers_when_its_time_is_over_with_what_there_is(
    world: World, client: Client, snapshots: InOnePiece
) -> None:
    first = replica_of(world)
    replica_of(world, 7001)
    client.call("SET", "a", "1")
    client.start("WAIT", 2, 100)
    ack(first, client.session.told)
    world.advance(0.2)
    assert client.read() == 1


def test_waitaof_counts_disks_of_replicas(world: World, client: Client, snapshots: InOnePiece) -> None:
    replica = replica_of(world)
    client.call("SET", "a", "1")
    client.start("WAITAOF", 0, 1, 0)
    ack(replica, client.session.told)
    with pytest.raises(EOFError):
        client.read()
    ack(replica, client.session.told, "FACK", client.session.told)
    assert client.read() == [0, 1]


def test_writes_are_refused_while_too_few_replicas_are_heard(
    world: World, client: Client, snapshots: InOnePiece
) -> None:
    replication = world.core.replication
    replication.leading.leader.limits.least_good = 1
    replication.set_gate()
    assert error_of(client.call("SET", "a", "1")) == "NOREPLICAS Not enough good replicas to write."
    assert client.call("GET", "a") is None
    replica = replica_of(world)
    assert client.call("SET", "a", "1") == "OK"
    client.call("MULTI")
    client.call("SET", "a", "2")
    world.advance(12)
    assert "NOREPLICAS" in error_of(client.call("EXEC"))
    ack(replica, replication.history.offset)
    assert client.call("SET", "a", "3") == "OK"


def test_a_replica_that_lies_about_its_offset_is_dropped(world: World, client: Client, snapshots: InOnePiece) -> None:
    replica = replica_of(world)
    client.call("SET", "a", "1")
    ack(replica, 10**9)
    assert replica.closed
    assert any("has acknowledged offset 1000000000" in text for _, text in world.host.messages)
    assert client.call("ROLE")[2] == []


@pytest.mark.parametrize("offset", ["-1", "-9223372036854775808", "9" * 30, "abc", "", "1.5", " 1", "x" * 1_000_000])
@pytest.mark.parametrize("place", ["ACK", "FACK"])
def test_a_replica_that_acknowledges_no_offset_is_dropped(
    world: World, client: Client, snapshots: InOnePiece, place: str, offset: str
) -> None:
    replica = replica_of(world)
    client.call("SET", "a", "1")
    replica.send(pack("REPLCONF", "ACK", *((offset,) if place == "ACK" else (0, "FACK", offset))))
    assert replica.closed
    (text,) = [text for _, text in world.host.messages if "which is no offset. Disconnecting it." in text]
    assert len(text) < 200
    assert client.call("ROLE")[2] == []


@pytest.mark.parametrize("durable", [False, True])
def test_a_replica_that_acknowledges_more_than_it_was_sent_is_dropped(
    world: World, client: Client, snapshots: InOnePiece, durable: bool
) -> None:
    replica = replica_of(world)
    replica.stuck = True  # what it is not sent is kept in the backlog
    for number in range(40):
        client.call("SET", number, "x" * 50_000)
    link = replica.session.replica
    assert link is not None and link.replica.position < client.session.told
    told = client.session.told
    ack(replica, *((0, "FACK", told) if durable else (told,)))
    assert replica.closed
    assert any("but has been sent the stream up to" in text for _, text in world.host.messages)
    assert client.call("WAIT", 0, 1) == 0


def test_who_waits_for_its_snapshot_acknowledges_nothing(world: World, client: Client) -> None:
    class Never:
        def start(self, sync: Sync) -> None:
            """It is still being made."""

    world.core.replication.leading.snapshots = Never()
    world.core.replication.keep_backlog()
    client.call("SET", "a", "1")
    replica = world.connect(decode=False)
    replica.send(pack("PSYNC", "?", -1))
    ack(replica, client.session.told, "FACK", client.session.told)
    link = replica.session.replica
    assert link is not None and (link.replica.acknowledged, link.replica.durable) == (0, 0)


def test_an_address_that_would_forge_lines_of_info_is_refused(world: World, client: Client) -> None:
    answer = error_of(client.call("REPLCONF", "ip-address", "10.0.0.1\r\nrole:slave"))
    assert answer == "ERR REPLCONF ip-address provided by replica instance is not printable"
    assert client.call("REPLCONF", "ip-address", "10.0.0.1") == "OK"


@pytest.mark.parametrize("mode", ["ALL", "WRITE"])
def test_pings_go_on_while_clients_are_paused_and_nothing_else_does(
    world: World, client: Client, snapshots: InOnePiece, mode: str
) -> None:
    client.call("SET", "k", "v", "PX", 1000)
    replica, other = replica_of(world), world.connect()
    client.call("CLIENT", "PAUSE", 100_000, mode)
    replica.raw = b""
    other.send(pack("SET", "a", "1"))
    client.send(pack("WAIT", 1, 0))
    world.advance(21)
    assert set(replica.raw.split(pack("PING"))) == {b""}
    assert replica.raw.count(pack("PING")) == 2
    replica.raw = b""
    world.core.pause.end()
    world.host.settle()
    assert pack("SET", "a", "1") in replica.raw
    assert world.connect().call("EXISTS", "k") == 0
    world.host.settle()
    assert pack("DEL", "k") in replica.raw


def test_while_changes_are_held_back_the_stream_stands_still(
    world: World, client: Client, snapshots: InOnePiece
) -> None:
    replica = replica_of(world)
    world.core.pause.hold("shutdown")
    replica.raw = b""
    world.advance(21)
    assert replica.raw == b""
    world.core.pause.release("shutdown")
    world.advance(10)
    assert replica.raw == pack("PING")


@pytest.mark.parametrize("words", [("PING",), ("SET", "a", "1"), ("NOSUCH",), ("GET",), ("REPLCONF", "capa", "x")])
def test_a_replica_that_says_what_would_have_an_answer_is_dropped(
    world: World, snapshots: InOnePiece, words: tuple[str, ...]
) -> None:
    replica = replica_of(world)
    replica.start(*words)
    assert replica.closed
    assert any("Replica generated a reply to command" in text for _, text in world.host.messages)
    assert world.core.keyspace.databases[0].size == 0


def test_a_replica_that_never_reads_is_dropped_at_its_limit(
    world: World, client: Client, snapshots: InOnePiece
) -> None:
    world.core.output_limits["slave"].hard = 1 << 20
    world.core.replication.resize_backlog(1 << 16)
    replica = replica_of(world)
    replica.stuck = True
    for number in range(40):
        client.call("SET", number, "x" * 50_000)
    assert replica.closed
    assert replica.kept < 1 << 18  # the rest was in the backlog, which is shared
    assert len(world.core.replication.backlog or b"") < 1 << 17
    world.core.replication._check()


def test_a_replica_that_stays_behind_is_dropped_though_nothing_more_is_written(
    world: World, client: Client, snapshots: InOnePiece
) -> None:
    limit = world.core.output_limits["slave"]
    limit.hard, limit.soft, limit.seconds = 0, 1 << 20, 5
    replica = replica_of(world)
    replica.stuck = True
    for number in range(30):
        client.call("SET", number, "x" * 50_000)
    assert not replica.closed
    world.advance(8)
    assert replica.closed


@pytest.mark.parametrize("words", [("PSYNC", "?", -1), ("PSYNC", "x" * 40, 5), ("SYNC",)])
def test_a_replica_that_asks_again_for_what_it_gets_is_not_heard(
    world: World, client: Client, snapshots: InOnePiece, words: tuple[Any, ...]
) -> None:
    replica = replica_of(world)
    replica.raw = b""
    replica.send(pack(*words))
    client.call("SET", "a", "1")
    world.host.settle()
    assert pack("SET", "a", "1") in replica.raw and b"RESYNC" not in replica.raw
    assert not replica.closed and len(snapshots.syncs) == 1


def test_a_leader_does_not_take_over_from_itself(world: World, client: Client) -> None:
    answer = error_of(client.call("PSYNC", world.core.replication.history.id, 1, "FAILOVER"))
    assert answer == "ERR PSYNC FAILOVER can't be sent to a master."


def test_what_a_replica_says_of_itself_is_limited(client: Client) -> None:
    answer = error_of(client.call("REPLCONF", "ip-address", "1" * 256))
    assert answer == "ERR REPLCONF ip-address provided by replica instance is too long: 256 bytes"
    assert client.call("REPLCONF", "capa", "x" * 10_000, "capa", "eof") == "OK"
    for number in range(1000):
        assert client.call("REPLCONF", "capa", f"word{number}") == "OK"
    link = client.session.replica
    assert link is not None
    assert len(link.replica.capabilities) == MOST_CAPABILITIES and "eof" in link.replica.capabilities
    assert max(map(len, link.replica.capabilities)) < 300


def test_a_slow_replica_gets_everything_when_it_reads_again(
    world: World, client: Client, snapshots: InOnePiece
) -> None:
    replica = replica_of(world)
    replica.stuck = True
    for number in range(100):
        client.call("SET", number, "x" * 5000)
    world.advance(GATHER)
    assert len(replica.raw) < 200_000
    while replica.session.congested:
        replica.drain()
    assert len(replica.raw) == world.core.replication.history.offset
    world.core.replication._check()


def test_psync_is_refused_where_it_makes_no_sense(world: World, client: Client, snapshots: InOnePiece) -> None:
    assert error_of(client.call("PSYNC", "?", "x")) == "ERR value is not an integer or out of range"
    client.send(pack("PING") + pack("PSYNC", "?", -1))
    assert client.read() == "PONG"
    assert error_of(client.read()) == "ERR SYNC and PSYNC are invalid with pending output"
    client.call("MULTI")
    assert error_of(client.call("PSYNC", "?", -1)) == "ERR Command not allowed inside a transaction"
    client.call("DISCARD")
    client.call("REPLCONF", "rdb-filter-only", "functions")
    assert error_of(client.call("PSYNC", "?", -1)) == "ERR Filtered replica requires EOF capability"


def test_replicas_are_pinged_and_those_that_are_silent_dropped(world: World, snapshots: InOnePiece) -> None:
    replica = replica_of(world)
    world.advance(10.5)
    assert replica.raw == pack("PING")
    world.advance(60)
    assert replica.closed
    assert any("Disconnecting timedout replica (streaming sync)" in text for _, text in world.host.messages)


def test_the_backlog_is_freed_when_nobody_comes_back(world: World, client: Client, snapshots: InOnePiece) -> None:
    replication = world.core.replication
    replication.leading.leader.limits.backlog_ttl = 5
    replica = replica_of(world)
    before = replication.history.id
    replica.close()
    world.advance(7)
    assert replication.backlog is None
    assert replication.history.id != before
    assert not world.core.feed.active
    client.call("SET", "a", "1")


def test_failover_hands_over_when_the_replica_has_everything(
    world: World, client: Client, snapshots: InOnePiece
) -> None:
    replica = replica_of(world)
    client.call("SET", "a", "1")
    asked: list[tuple[str, int]] = []
    replication = world.core.replication
    replication.follow = lambda host, port, outcome: asked.append((host, port))
    assert client.call("FAILOVER") == "OK"
    assert replication.failover.shown == "waiting-for-sync"
    writer = world.connect()
    writer.start("SET", "b", "2")
    assert error_of(client.call("FAILOVER")) == "ERR FAILOVER already in progress."
    ack(replica, replication.history.offset)
    assert asked == [("127.0.0.1", 7000)]
    assert replication.failover.shown == "failover-in-progress"
    replication.failover.settle(True)
    world.host.settle()
    assert replication.failover.shown == "no-failover"
    assert writer.read() == "OK"


def test_failover_that_takes_too_long_is_given_up(world: World, client: Client, snapshots: InOnePiece) -> None:
    replica_of(world)
    client.call("SET", "a", "1")
    assert client.call("FAILOVER", "TO", "127.0.0.1", 7000, "TIMEOUT", 100) == "OK"
    world.advance(0.2)
    assert world.core.replication.failover.shown == "no-failover"
    assert client.call("SET", "b", "2") == "OK"
    assert any("aborted: Replica never caught up before timeout" in text for _, text in world.host.messages)


def test_failover_wants_a_replica_that_is_there(client: Client, world: World, snapshots: InOnePiece) -> None:
    assert error_of(client.call("FAILOVER")) == "ERR FAILOVER requires connected replicas."
    assert error_of(client.call("FAILOVER", "ABORT")) == "ERR No failover in progress."
    replica_of(world)
    assert error_of(client.call("FAILOVER", "TO", "h", 1)) == "ERR FAILOVER target HOST and PORT is not a replica."
    assert "requires both a timeout" in error_of(client.call("FAILOVER", "FORCE"))
    assert error_of(client.call("FAILOVER", "TIMEOUT", 0)) == "ERR FAILOVER timeout must be greater than 0"


def test_who_does_not_know_of_fields_that_expire_gets_pings_of_the_same_length(
    world: World, client: Client, snapshots: InOnePiece
) -> None:
    old = replica_of(world)
    new = world.connect(decode=False)
    new.send(pack("REPLCONF", "capa", "eof", "capa", "psync2") + pack("REPLCONF", "version", "7.4.1"))
    new.send(pack("PSYNC", "?", -1))
    ack(new, 0)
    new.raw = b""
    client.call("HSET", "h", "f", "v", "g", "w")
    client.call("HPEXPIRE", "h", 5000, "FIELDS", 1, "f")
    client.call("HPERSIST", "h", "FIELDS", 1, "f")
    client.call("MULTI")
    client.call("SET", "a", "1")
    client.call("HPEXPIRE", "h", 5000, "FIELDS", 1, "g")
    client.call("EXEC")
    assert new.raw.count(b"HPEXPIREAT") == 2
    assert b"HPEXPIREAT" not in old.raw and b"HPERSIST" not in old.raw
    assert len(old.raw) == len(new.raw)
    assert old.raw.count(b"PING") == 3
    assert sum("is not sent the times to live of fields" in text for _, text in world.host.messages) == 1
    old.raw = b""
    world.advance(6)
    client.call("HGET", "h", "g")
    assert pack("HDEL", "h", "g") in old.raw


def test_the_same_holds_for_what_a_replica_has_missed(world: World, client: Client, snapshots: InOnePiece) -> None:
    old = replica_of(world)
    client.call("HSET", "h", "f", "v")
    offset = world.core.replication.history.offset
    old.close()
    for number in range(3000):
        client.call("SET", f"key {number}", "v" * 20)
        if not number % 100:
            client.call("HPEXPIRE", "h", 50_000 + number, "FIELDS", 1, "f")
    again = replica_of(world, 7000, world.core.replication.history.id, offset + 1)
    missed = again.raw.partition(b"\r\n")[2]
    assert len(missed) == world.core.replication.history.offset - offset
    assert b"HPEXPIREAT" not in missed
    assert missed.count(b"PING") == 30
