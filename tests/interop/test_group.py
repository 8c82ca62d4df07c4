"""Groups of voters, as they are run: three commands, and what happens to them."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import redis.sentinel

from pycache_server.repl.entries import CHANNEL
from pycache_server.repl.entries import write as entry
from pycache_server.repl.link_proof import Proofs, hello
from pycache_server.repl.link_wire import Piece, Whole, encode
from pycache_server.repl.links import Ack, Append, Image, Sync
from tests.conftest import RealRedis, free_port
from tests.interop.following import info, wait_for
from tests.interop.groups import SECRET, Group, Voter, Writer
from tests.server.running import ROOT, Wire

pytestmark = pytest.mark.interop

ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    with Group(tmp_path) as group:
        yield group


@contextlib.contextmanager
def written(group: Group, first: int = 20) -> Iterator[Writer]:
    """Somebody writes to the group, and goes on writing afterwards; then nothing that was acknowledged is lost, and all
    hold the same. ``first``: so many writes are acknowledged before anything else happens."""
    writer = Writer(group)
    writer.start()
    try:
        writer.wait_more(first)
        yield writer
        writer.wait_more()
    finally:
        writer.stop()
    group.wait_same()
    with group.leader().connect() as wire:
        assert writer.lost(wire.call) == []


def test_the_data_of_a_voter_are_not_exchanged_by_hand(group: Group) -> None:
    leader = group.leader()
    for words in (("DEBUG", "RELOAD"), ("DEBUG", "RELOAD", "NOSAVE")):
        assert str(leader.call(*words)) == "ERR The data set of a group's voter is not exchanged by hand"


# The beginning.


def test_three_commands_are_a_group_that_elects_and_serves(group: Group) -> None:
    leader = group.leader()
    assert leader.call("SET", "k", "v") == "OK"
    assert leader.call("GET", "k") == "v"
    group.wait_whole()
    for follower in group.followers():
        wait_for(lambda follower=follower: follower.call("GET", "k") == "v", "it there")
        assert str(follower.call("SET", "k", "w")).startswith("READONLY")
        assert follower.call("ROLE")[:3] == ["slave", "127.0.0.1", leader.port]
    found = leader.info()
    assert (found["role"], found["connected_slaves"], found["sync_state"]) == ("master", "2", "leader")
    assert {found["slave0"].split(",")[1], found["slave1"].split(",")[1]} == {
        f"port={each.port}" for each in group.followers()
    }


def test_a_group_of_one_needs_nobody(tmp_path: Path) -> None:
    with Group(tmp_path, 1) as group:
        assert group.leader().call("SET", "k", "v") == "OK"


def test_who_holds_data_of_no_group_does_not_form_one_in_silence(tmp_path: Path) -> None:
    with Group(tmp_path, 3, "--dbfilename", "old.rdb", start=False) as group:
        holder = group.voters[0]
        redis = RealRedis(holder.directory, "--dbfilename", "old.rdb")
        try:
            with Wire(("127.0.0.1", redis.port)) as wire:
                wire.call("SET", "old", "data")
                assert wire.call("SAVE") == "OK"
        finally:
            redis.stop()
        for voter in group.voters:
            voter.start()
        wait_for(lambda: "this node has found data (1 keys) but no state" in holder.log(), "a warning")
        assert str(holder.call("GET", "old")).startswith("MASTERDOWN")
        wait_for(lambda: holder.call("GROUP", "BOOTSTRAP", "FROM", holder.seat) == "OK", "all have answered")
        assert group.leader().call("GET", "old") == "data"
        group.wait_same()


# What clients see.


def test_a_write_without_a_majority_is_never_acknowledged_and_the_leader_steps_aside(group: Group) -> None:
    leader = group.leader()
    group.wait_whole()
    for follower in group.others(leader):
        follower.send(signal.SIGSTOP)
    with leader.connect() as wire, pytest.raises(ConnectionError):
        wire.call("SET", "k", "v")  # held until its time is up, and then the connection is closed
    assert str(leader.call("SET", "k", "w")).startswith("READONLY")
    assert str(leader.call("GET", "k")).startswith("MASTERDOWN")
    assert str(leader.call("PING")).startswith("ISOLATED")
    found = leader.info()
    assert (found["role"], found["sync_state"], found["master_host"]) == ("slave", "isolated", "")
    assert leader.call("ROLE")[0] == "slave"
    for follower in group.others(leader):
        follower.send(signal.SIGCONT)
    assert group.leader().call("SET", "k", "x") == "OK"


def test_a_client_chooses_when_its_replies_leave(group: Group) -> None:
    leader = group.leader()
    group.wait_whole()
    with leader.connect() as wire:
        for level in ("async", "one", "2", "quorum", "all", "default"):
            assert wire.call("CLIENT", "ACK", level) == "OK"
            assert wire.call("SET", "k", level) == "OK"
        assert str(wire.call("CLIENT", "ACK", "most")).startswith("ERR CLIENT ACK must be")
        wire.call("CLIENT", "ACK", "3")
        assert str(wire.call("SET", "k", "too many")).startswith("NOREPLICAS")
        assert wire.call("GET", "k") == "default"


def test_the_usual_level_may_be_changed_while_the_group_runs(group: Group) -> None:
    leader = group.leader()
    group.wait_whole()
    with leader.connect() as wire, leader.connect() as own:
        own.call("CLIENT", "ACK", "quorum")
        assert wire.call("CONFIG", "SET", "repl-ack", "async") == "OK"
        assert leader.info()["group_ack_level"] == "async"
        with stopped(group.others(leader)), leader.connect() as late:
            assert [each.call("SET", "k", "v") for each in (wire, late)] == ["OK", "OK"]
            own.send(b"SET k w\r\n")
            own.socket.settimeout(0.1)
            with pytest.raises(TimeoutError):
                own.read()


@contextlib.contextmanager
def stopped(voters: list[Voter]) -> Iterator[None]:
    """Voters that do nothing for a moment."""
    for voter in voters:
        voter.send(signal.SIGSTOP)
    try:
        yield
    finally:
        for voter in voters:
            voter.send(signal.SIGCONT)


def test_the_order_of_a_connection_is_kept_at_every_level(group: Group) -> None:
    leader = group.leader()
    group.wait_whole()
    with leader.connect() as wire:
        for round_ in range(50):
            wire.send(b"CLIENT ACK %s\r\nINCR n\r\nGET n\r\nPING %d\r\n" % ((b"all", b"async")[round_ % 2], round_))
        for round_ in range(50):
            assert [wire.read() for _ in range(4)] == ["OK", round_ + 1, str(round_ + 1), str(round_)]


def test_transactions_scripts_and_blocked_clients_are_acknowledged_as_one(group: Group) -> None:
    leader = group.leader()
    with leader.connect() as wire, leader.connect() as waiting:
        waiting.send(b"BLPOP list 0\r\n")
        wait_for(lambda: info(wire, "clients")["blocked_clients"] == "1", "a blocked client")
        wire.call("MULTI")
        wire.call("RPUSH", "list", "a", "b")
        wire.call("SELECT", "3")
        wire.call("SET", "other", "1")
        assert wire.call("EXEC") == [2, "OK", "OK"]
        assert waiting.read() == ["list", "a"]
        assert wire.call("EVAL", "redis.call('set', KEYS[1], 'x') return 7", 1, "script") == 7
        assert wire.call("WAIT", 2, 0) == 2
    group.wait_same()


@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_waitaof_counts_the_voters_whose_files_have_it(tmp_path: Path, policy: str) -> None:
    with Group(tmp_path, 3, "--appendonly", "yes", "--appendfsync", policy) as group:
        group.wait_whole()
        leader, (one, other) = group.leader(), group.followers()
        with leader.connect() as wire:
            assert wire.call("SET", "k", "1") == "OK"
            assert wire.call("WAITAOF", 1, 2, 0) == [1, 2]
            assert one.call("CONFIG", "SET", "appendonly", "no") == "OK"
            assert wire.call("SET", "k", "2") == "OK"
            assert wire.call("WAITAOF", 1, 1, 0) == [1, 1]
            assert wire.call("WAITAOF", 0, 2, 20) == [1, 1]
            assert other.call("CONFIG", "SET", "appendonly", "no") == "OK"
            assert wire.call("SET", "k", "3") == "OK"
            assert wire.call("WAITAOF", 1, 1, 20)[1] == 0
            assert one.call("CONFIG", "SET", "appendonly", "yes") == "OK"
            assert wire.call("WAITAOF", 1, 1, 0) == [1, 1]  # when the first base is there


def test_nobody_publishes_where_leaders_speak(group: Group) -> None:
    leader = group.leader()
    with leader.connect() as wire:
        assert str(wire.call("PUBLISH", CHANNEL, "beat 9")).startswith("ERR")
        assert str(wire.call("EVAL", "return redis.call('publish', KEYS[1], 'mark 9 x y')", 1, CHANNEL)).startswith(
            "ERR"
        )
        wire.call("MULTI")
        wire.call("PUBLISH", CHANNEL, "beat 9")
        assert str(wire.call("EXEC")[0]).startswith("ERR")
    assert leader.call("SET", "k", "v") == "OK"


# Strangers.


def test_a_stranger_is_refused_and_changes_nothing(group: Group) -> None:
    leader = group.leader()
    epoch = leader.info()["group_epoch"]
    with leader.connect() as wire:
        wire.send(b"GROUP TELL nonsense\r\n")
        with pytest.raises(ConnectionError):
            wire.read()
    wait_for(lambda: "is refused" in leader.log(), "a line in the log")
    with leader.connect() as wire:
        reply = wire.call("GROUP", "LINK", "1", group.others(leader)[0].seat, leader.seat, "a" * 32)
        assert "LINK" in str(reply)
        wire.send(b"*2\r\n$5\r\nproof\r\n$64\r\n" + b"0" * 64 + b"\r\n")
        assert wire.read_bytes() == b""
    assert leader.info()["group_epoch"] == epoch
    assert leader.call("SET", "k", "v") == "OK"


def proved(voter: Voter, seat: str) -> socket.socket:
    """A link of somebody who knows the secret."""
    nonce = b"0123456789abcdef" * 2
    connection = socket.create_connection(("127.0.0.1", voter.port))
    connection.settimeout(20)
    connection.sendall(hello(seat, voter.seat, nonce))
    answer = b""
    while not answer.endswith(b"\r\n"):
        answer += connection.recv(1000)
    connection.sendall(Proofs(SECRET.encode(), seat, voter.seat, nonce, answer.split()[1]).proof())
    return connection


def test_a_voter_that_lies_loses_its_link_and_commits_nothing(group: Group) -> None:
    with written(group):
        leader = group.leader()
        epoch, end = int(leader.info()["group_epoch"]), int(leader.info()["group_end_offset"])
        sync, seat = Sync(epoch, (), 0, 0, True), "127.0.0.1:1"
        forged = entry(epoch + 1, b"*1\r\n$8\r\nFLUSHALL\r\n")
        lies = {
            "has acknowledged 1000000000000000, and the history ends at": [sync, Ack(10**15)],
            "speaks as a leader, and is not followed": [Append(epoch + 1, end, (forged,), end)],
            "an image comes from who has asked for the stream": [
                Image(epoch + 1, ((epoch, 0),), end, (seat,), end, 0, end, 3),
                Piece(b"abc"),
                Whole(),
            ],
            "cannot be understood: a number is none": [Sync(2**62 + 1, (), 0, 0, True)],
        }
        for number, (said, messages) in enumerate(lies.items()):  # of one seat the log says one line a second
            for voter in group.voters if "acknowledged" not in said else [leader]:
                with proved(voter, f"127.0.0.1:{2 + number}") as connection:
                    connection.sendall(b"".join(map(encode, messages)))
                    wait_for(lambda voter=voter, said=said: said in voter.log(), said)
        with proved(leader, seat) as connection:
            connection.sendall(encode(sync) + encode(Ack(5)) * 200_000)
        assert group.leader() is leader and int(leader.info()["group_epoch"]) == epoch


# Faults.


def test_a_killed_leader_loses_nothing_and_comes_back_as_a_follower(group: Group) -> None:
    leader = group.leader()
    group.wait_whole()
    with written(group) as writer:
        leader.end()
        group.leader(but=leader)
        writer.wait_more()
        leader.start()
        wait_for(lambda: leader.info().get("sync_state") == "in-sync", "its return")


def test_a_leader_that_comes_back_empty_at_once_empties_nobody(group: Group) -> None:
    leader = group.leader()
    group.wait_whole()
    with written(group):
        leader.end()
        leader.start()
        group.leader()


def test_a_paused_leader_loses_nothing(group: Group) -> None:
    leader = group.leader()
    group.wait_whole()
    with written(group):
        leader.send(signal.SIGSTOP)
        group_without = group.others(leader)
        wait_for(lambda: any(each.info().get("role") == "master" for each in group_without), "another leader")
        leader.send(signal.SIGCONT)
        wait_for(lambda: leader.info().get("role") == "slave", "a demotion")


def test_a_leader_that_ends_hands_over_first(group: Group) -> None:
    leader = group.leader()
    group.wait_whole()
    with written(group):
        assert leader.end(signal.SIGTERM) == 0
        assert "Handed epoch" in leader.log()
        group.leader(but=leader)
        leader.start()


def test_a_handover_moves_the_lead_and_loses_nothing(group: Group) -> None:
    leader = group.leader()
    group.wait_whole()
    with written(group):
        target = group.others(leader)[0]
        wait_for(lambda: leader.call("GROUP", "HANDOVER", target.seat) == "OK", "a handover")
        wait_for(lambda: target.info().get("role") == "master", "the target leads")


def test_an_order_to_follow_is_not_obeyed_but_asked(group: Group) -> None:
    leader = group.leader()
    group.wait_whole()
    follower = group.others(leader)[0]
    assert leader.call("REPLICAOF", "127.0.0.1", follower.port) == "OK"
    assert leader.call("SET", "k", "v") == "OK"
    assert group.leader() is leader


# Other voters.


def test_an_empty_node_takes_the_place_of_a_dead_voter(group: Group) -> None:
    leader = group.leader()
    group.wait_whole()
    with written(group):
        dead = group.others(leader)[0]
        dead.end()
        wait_for(lambda: leader.info()["connected_slaves"] == "1", "its end")
        another = group.start_another()
        assert "not in step" in str(leader.call("GROUP", "REPLACE", dead.seat, another.seat))
        wait_for(lambda: another.info().get("sync_state") == "in-sync", "the new one follows")
        assert leader.info()["connected_slaves"] == "1"  # who does not vote is not counted
        wait_for(lambda: leader.call("GROUP", "REPLACE", dead.seat, another.seat) == "OK", "the replacement")
        wait_for(lambda: another.seat in leader.call("GROUP", "VOTERS"), "its vote")
        assert dead.seat not in leader.call("GROUP", "VOTERS")
        wait_for(lambda: leader.info()["connected_slaves"] == "2", "two followers")
        group.voters.remove(dead)
        leader.end()  # the next leader needs the vote of the new one
        group.leader(but=leader)
        leader.start()


# What outlives a restart.


def test_with_appendfsync_always_a_group_that_was_killed_leads_again_by_itself(tmp_path: Path) -> None:
    with Group(tmp_path, 3, *ALWAYS) as group:
        group.leader()
        with written(group, 100):
            for voter in group.voters:
                voter.end()
            for voter in group.voters:
                voter.start()
            group.leader()


def test_a_group_in_memory_that_was_killed_waits_for_a_word(tmp_path: Path) -> None:
    with Group(tmp_path, 3, "--appendonly", "yes") as group:
        group.leader().call("SET", "k", "v")
        group.wait_same()
        for voter in group.voters:
            voter.end()
        for voter in group.voters:
            voter.start()
        wait_for(lambda: group.states() == ["recovering"] * 3, "recovering")
        first = group.voters[0]
        assert int(first.info()["group_found_offset"]) > 0 and int(first.info()["group_found_epoch"]) > 0
        assert str(first.call("PING")).startswith("RECOVERING")
        assert str(first.call("GROUP", "BOOTSTRAP", "FROM", group.voters[1].seat)).startswith("ERR This is")
        assert first.call("GROUP", "BOOTSTRAP") == "OK"
        assert group.leader().call("GET", "k") == "v"
        group.wait_same()
        assert not any("group_found_offset" in voter.info() for voter in group.voters)  # it counts now, or is gone


def test_of_several_that_have_lost_their_memory_info_tells_whose_data_reach_furthest(tmp_path: Path) -> None:
    with Group(tmp_path, 3, "--appendonly", "yes") as group:
        leader = group.leader()
        group.wait_same()
        early = group.followers()[0]
        early.end()
        assert leader.call("SET", "k", "v" * 1000) == "OK"
        for voter in group.others(early):
            voter.end()
        for voter in group.voters:
            voter.start()
        wait_for(lambda: group.states() == ["recovering"] * 3, "recovering")
        place = {voter.seat: reach(voter) for voter in group.voters}
        assert place[early.seat] < place[leader.seat]


def reach(voter: Voter) -> tuple[int, int]:
    """How far the data reach that a voter has found."""
    info = voter.info()
    return int(info["group_found_epoch"]), int(info["group_found_offset"])


# Learners.


def test_a_real_redis_follows_a_group_and_goes_on_at_the_next_leader(group: Group, tmp_path: Path) -> None:
    leader = group.leader()
    group.wait_whole()
    leader.call("SET", "k", "v")
    directory = tmp_path / "learner"
    directory.mkdir()
    redis = RealRedis(directory, "--repl-timeout", "5")
    try:
        with Wire(("127.0.0.1", redis.port)) as wire:
            wire.call("REPLICAOF", "127.0.0.1", leader.port)
            wait_for(lambda: wire.call("GET", "k") == "v", "it there")
            assert leader.info()["connected_slaves"] == "2"
            assert "learner0" in leader.info()
            wait_for(lambda: leader.call("GROUP", "HANDOVER") == "OK", "a handover")
            another = group.leader(but=leader)
            wire.call("REPLICAOF", "127.0.0.1", another.port)
            assert another.call("SET", "k", "w") == "OK"
            wait_for(lambda: wire.call("GET", "k") == "w", "it there")
            assert another.info()["role"] == "master"
            wait_for(lambda: wire.call("DEBUG", "DIGEST") == another.call("DEBUG", "DIGEST"), "the same")
    finally:
        redis.stop()


# Where clients are refused.


def test_voters_come_in_and_elect_although_clients_have_taken_all_connections(tmp_path: Path) -> None:
    with Group(tmp_path, 3, "--maxclients", "10") as group, contextlib.ExitStack() as idle:
        leader = group.leader()
        group.wait_whole()
        returns, stays = group.followers()
        returns.end()
        watcher = idle.enter_context(stays.connect())
        for voter in (leader, stays):
            fill(voter, idle)
        returns.start()  # whose connections are new
        wait_for(lambda: returns.info().get("sync_state") == "in-sync", "a follower that has come back")
        another = idle.enter_context(returns.connect())
        fill(returns, idle)
        leader.end()
        wait_for(lambda: "master" in (watcher.call("ROLE")[0], another.call("ROLE")[0]), "another leader")
        leads = watcher if watcher.call("ROLE")[0] == "master" else another
        wait_for(lambda: leads.call("SET", "k", "v") == "OK", "a write")
        leader.start()
        wait_for(lambda: leader.info().get("sync_state") == "in-sync", "the old leader, following")


def fill(voter: Voter, idle: contextlib.ExitStack) -> None:
    """Idle clients, until one is refused."""
    while True:
        client = idle.enter_context(voter.connect())
        if client.call("PING") != "PONG":
            return


def test_protected_mode_refuses_clients_of_other_hosts_and_no_voters(tmp_path: Path) -> None:
    host = own_address()
    with Group(tmp_path, 3, "--protected-mode", "yes", host=host) as group:
        leader = group.leader()
        group.wait_whole()
        with Wire((host, leader.port)) as stranger:
            assert str(stranger.call("PING")).startswith("DENIED Redis is running in protected mode")
        leader.end()
        second = group.leader(but=leader)
        assert second.call("SET", "k", "v") == "OK"
        leader.start()
        group.wait_same()


def own_address() -> str:
    """An address of this machine that is no loopback; nothing is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as finder:
        try:
            finder.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(finder.getsockname()[0])


# Failback.


def test_the_preferred_leader_leads_again_by_itself_when_it_is_well(tmp_path: Path) -> None:
    options = ("--failback-delay", "500", "--failback-interval", "2000")
    with Group(tmp_path, 3, *options, preferred=0) as group:
        preferred = group.voters[0]
        wait_for(lambda: preferred.info().get("role") == "master", "the preferred leader")
        group.wait_whole()
        with written(group):
            preferred.end()
            group.leader(but=preferred)
            preferred.start()
            wait_for(lambda: preferred.info().get("role") == "master", "the preferred leader, again")
        assert preferred.info()["group_preferred_leader"] == preferred.seat


# Clients of sentinels.


def test_clients_of_sentinels_find_the_leader_and_ride_through_its_end(group: Group) -> None:
    first = group.leader()
    group.wait_whole()
    sentinel = redis.sentinel.Sentinel(
        [("127.0.0.1", voter.sentinel_port) for voter in group.voters], socket_timeout=2, retry=None
    )
    wait_for(lambda: len(sentinel.discover_slaves("mymaster")) == 2, "two replicas")
    assert sentinel.discover_master("mymaster") == ("127.0.0.1", first.port)
    client = sentinel.master_for("mymaster", socket_timeout=2)
    client.set("k", 1)
    assert wait_for(lambda: sentinel.slave_for("mymaster").get("k"), "it there") == b"1"
    with Wire(("127.0.0.1", first.sentinel_port)) as wire:
        assert wire.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster") == ["127.0.0.1", str(first.port)]
        wait_for(lambda: str(wire.call("SENTINEL", "CKQUORUM", "mymaster")).startswith("OK 3 usable"), "a quorum")
        assert wire.call("ROLE") == ["sentinel", ["mymaster"]]
        assert str(wire.call("SENTINEL", "REMOVE", "mymaster")).startswith("ERR This port answers for a group")
        assert str(wire.call("SHUTDOWN", "NOSAVE")).startswith("ERR This port answers for a group")
        assert "keyspace_hits:0" in str(wire.call("INFO"))
        assert wire.call("PING") == "PONG"
        assert "master0:name=mymaster,status=ok" in str(wire.call("INFO", "sentinel"))
    with Wire(("127.0.0.1", group.others(first)[0].sentinel_port)) as wire:
        wire.call("SUBSCRIBE", "+switch-master")
        first.end()
        assert wire.read()[2].startswith(f"mymaster 127.0.0.1 {first.port} 127.0.0.1 ")

    def write() -> bool:
        try:
            return bool(client.set("k", 2))
        except redis.RedisError:
            return False

    wait_for(write, "a write to the next leader")
    second = group.leader()
    with Wire(("127.0.0.1", second.sentinel_port)) as wire:
        assert wire.call("SENTINEL", "FAILOVER", "mymaster") == "OK"
    third = group.leader(but=second)
    wait_for(lambda: sentinel.discover_master("mymaster") == ("127.0.0.1", third.port), "the third leader")
    wait_for(write, "a write to the third leader")


def test_each_voter_names_the_ports_of_the_others_to_clients_of_sentinels(group: Group) -> None:
    first = group.leader()
    group.wait_whole()

    def others_of(voter: Voter) -> list[dict[str, str]]:
        try:
            with Wire(("127.0.0.1", voter.sentinel_port)) as wire:
                rows = wire.call("SENTINEL", "SENTINELS", "mymaster")
        except OSError:
            return []
        return [dict(zip(row[::2], row[1::2], strict=True)) for row in rows] if isinstance(rows, list) else []

    def wait_known() -> None:
        for voter in group.voters:
            others = sorted(str(each.sentinel_port) for each in group.others(voter))
            wait_for(
                lambda voter=voter, others=others: sorted(row["port"] for row in others_of(voter)) == others,
                "the others",
            )

    wait_known()
    ids = {}
    for voter in group.voters:
        with Wire(("127.0.0.1", voter.sentinel_port)) as wire:
            ids[str(voter.sentinel_port)] = wire.call("SENTINEL", "MYID")
            assert "sentinels=3" in str(wire.call("INFO", "sentinel"))
    for row in others_of(first):
        assert row["ip"] == "127.0.0.1" and row["flags"] == "sentinel"
        assert row["name"] == row["runid"] == ids[row["port"]]
    careful = redis.sentinel.Sentinel(
        [("127.0.0.1", voter.sentinel_port) for voter in group.voters], min_other_sentinels=2, socket_timeout=2
    )
    assert careful.discover_master("mymaster") == ("127.0.0.1", first.port)
    gone, left = group.followers()
    gone.end()
    flags = {str(first.sentinel_port): "sentinel", str(gone.sentinel_port): "s_down,sentinel,disconnected"}
    wait_for(lambda: {row["port"]: row["flags"] for row in others_of(left)} == flags, "its absence")
    with Wire(("127.0.0.1", left.sentinel_port)) as wire:
        wire.call("SUBSCRIBE", "+sentinel")
        gone.start()
        text = wire.read()[2]
        assert f" 127.0.0.1 {gone.sentinel_port} @ mymaster 127.0.0.1 {first.port}" in text
    wait_known()  # under its new id, and not under the old one as well


def test_a_voter_that_is_no_voter_any_more_or_closes_its_port_is_named_no_more(tmp_path: Path) -> None:
    with Group(tmp_path, 3) as group:
        leader = group.leader()
        group.wait_whole()
        leaves, closes = group.followers()

        def ports() -> set[str]:
            with Wire(("127.0.0.1", leader.sentinel_port)) as wire:
                return {row[row.index("port") + 1] for row in wire.call("SENTINEL", "SENTINELS", "mymaster")}

        wait_for(lambda: ports() == {str(leaves.sentinel_port), str(closes.sentinel_port)}, "both")
        wait_for(lambda: leader.call("GROUP", "REMOVE", leaves.seat) == "OK", "a change")
        wait_for(lambda: ports() == {str(closes.sentinel_port)}, "the one")
        wait_for(lambda: leader.call("GROUP", "ADD", leaves.seat) == "OK", "a change")
        wait_for(lambda: ports() == {str(leaves.sentinel_port), str(closes.sentinel_port)}, "both, again")
        closes.end()
        closes.sentinel_port = 0
        closes.start()
        wait_for(lambda: ports() == {str(leaves.sentinel_port)}, "the other one")


def test_a_voter_in_a_minority_tells_clients_of_sentinels_that_its_leader_is_down(group: Group) -> None:
    leader = group.leader()
    group.wait_whole()
    alone = group.others(leader)[0]
    for voter in group.others(alone):
        voter.end()
    with Wire(("127.0.0.1", alone.sentinel_port)) as wire:
        wait_for(lambda: "s_down,o_down" in str(wire.call("SENTINEL", "MASTERS")), "down")


def test_the_port_for_clients_of_sentinels_asks_for_the_password_that_the_server_has(tmp_path: Path) -> None:
    with Group(tmp_path, 1, "--requirepass", "first", "--user", "ann", "on", ">own", "~*", "+@all") as group:
        voter = group.voters[0]
        wait_for(lambda: answer_of_sentinel_port(voter, "PING") == "NOAUTH Authentication required.", "a question")
        assert answer_of_sentinel_port(voter, "SENTINEL", "FAILOVER", "mymaster").startswith("NOAUTH")
        assert answer_of_sentinel_port(voter, "AUTH", "first") == "OK"
        with voter.connect() as wire:
            assert wire.call("AUTH", "first") == "OK"
            wait_for(lambda: wire.call("CONFIG", "SET", "requirepass", "second") == "OK", "another password")
        wait_for(lambda: answer_of_sentinel_port(voter, "AUTH", "second") == "OK", "it there, too")
        assert answer_of_sentinel_port(voter, "AUTH", "first").startswith("WRONGPASS")


_LINES = (ROOT / "docs" / "operations.md").read_text().splitlines()
FINDS = next(line.split(" >password ")[1].split() for line in _LINES if line.startswith("user finder on >password "))
"""The rules in the manual of a user that finds the leader, and does nothing else."""


def test_the_port_for_clients_of_sentinels_knows_the_users_of_the_server(tmp_path: Path) -> None:
    users = ("--user", "default", "off", "--user", "ann", "on", ">own", "~*", "&*", "+@all")
    with Group(tmp_path, 1, *users, "--user", "finder", "on", ">finds", *FINDS) as group:
        voter = group.voters[0]
        wait_for(lambda: answer_of_sentinel_port(voter, "PING") == "NOAUTH Authentication required.", "a question")
        assert answer_of_sentinel_port(voter, "AUTH", "ann", "other").startswith("WRONGPASS")
        with Wire(("127.0.0.1", voter.sentinel_port)) as finder, voter.connect() as admin:
            assert admin.call("AUTH", "ann", "own") == "OK"
            assert finder.call("AUTH", "finder", "finds") == "OK"
            find = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")
            wait_for(lambda: finder.call(*find) == ["127.0.0.1", str(voter.port)], "the leader")
            refused = "NOPERM User finder has no permissions to run the 'sentinel|failover' command"
            assert str(finder.call("SENTINEL", "FAILOVER", "mymaster")) == refused
            careful = redis.sentinel.Sentinel(
                [("127.0.0.1", voter.sentinel_port)], sentinel_kwargs={"username": "finder", "password": "finds"}
            )
            assert careful.discover_master("mymaster") == ("127.0.0.1", voter.port)
            log = [dict(zip(row[::2], row[1::2], strict=True)) for row in admin.call("ACL", "LOG")]
            assert [(row["object"], row["username"]) for row in log] == [
                ("sentinel|failover", "finder"),
                ("AUTH", "ann"),
            ]
            # a change is felt at once, at whichever of the ports it is made
            assert admin.call("ACL", "SETUSER", "finder", "-sentinel|get-master-addr-by-name", "+acl|whoami") == "OK"
            assert str(finder.call(*find)).startswith("NOPERM")
            assert finder.call("ACL", "WHOAMI") == "finder"
            with Wire(("127.0.0.1", voter.sentinel_port)) as other:
                assert other.call("AUTH", "ann", "own") == "OK"
                assert other.call("ACL", "SETUSER", "bob", "on", ">his", "+@all", "~*") == "OK"
                assert "bob" in admin.call("ACL", "USERS")
                assert str(other.call("ACL", "SAVE")).startswith("ERR This Redis instance is not configured to use an")
                assert other.call("ACL", "DELUSER", "bob") == 1
                assert str(other.call("SENTINEL", "HELP")).startswith("['SENTINEL <subcommand>")
            assert admin.call("ACL", "DELUSER", "finder") == 1
            assert finder.read_bytes() == b""
            assert admin.call("PING") == "PONG"


def test_an_acl_file_has_the_users_of_both_ports(tmp_path: Path) -> None:
    file = tmp_path / "users.acl"
    file.write_text(f"user default off\nuser ann on >own ~* &* +@all\nuser finder on >finds {' '.join(FINDS)}\n")
    with Group(tmp_path, 1, "--aclfile", str(file)) as group:
        voter = group.voters[0]
        wait_for(lambda: answer_of_sentinel_port(voter, "AUTH", "finder", "finds") == "OK", "an answer")
        with Wire(("127.0.0.1", voter.sentinel_port)) as ann, Wire(("127.0.0.1", voter.sentinel_port)) as finder:
            assert finder.call("AUTH", "finder", "finds") == "OK"
            assert ann.call("AUTH", "ann", "own") == "OK"
            assert ann.call("ACL", "SETUSER", "bob", "on") == "OK" and ann.call("ACL", "SAVE") == "OK"
            assert "user bob" in file.read_text() and "+sentinel|sentinels" in file.read_text()
            file.write_text("user default off\nuser ann on >own ~* &* +@all\n")
            assert ann.call("ACL", "LOAD") == "OK"
            assert finder.read_bytes() == b""
            assert ann.call("ACL", "USERS") == ["ann", "default"]


def test_a_handover_is_for_those_who_may_ask_for_it(group: Group) -> None:
    leader = group.leader()
    group.wait_whole()
    with leader.connect() as wire:
        assert wire.call("ACL", "SETUSER", "admin", "on", ">own", "~*", "&*", "+@all") == "OK"
        assert wire.call("ACL", "SETUSER", "default", "-@admin") == "OK"
        refusal = answer_of_sentinel_port(leader, "SENTINEL", "FAILOVER", "mymaster")
        assert refusal == "NOPERM User default has no permissions to run the 'sentinel|failover' command"
        assert answer_of_sentinel_port(leader, "PING") == "PONG"
    with Wire(("127.0.0.1", leader.sentinel_port)) as wire:
        assert wire.call("AUTH", "admin", "own") == "OK"
        wait_for(lambda: wire.call("SENTINEL", "FAILOVER", "mymaster") == "OK", "a handover")
    group.leader(but=leader)


def answer_of_sentinel_port(voter: Voter, *words: str) -> str:
    """What it says to a new connection; nothing while nobody listens."""
    try:
        with Wire(("127.0.0.1", voter.sentinel_port)) as wire:
            return str(wire.call(*words))
    except OSError:
        return ""


# Configurations that cannot be.


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--group-voters", "127.0.0.1:{port}"), "needs a group-secret"),
        (("--group-voters", "127.0.0.1:1", "--group-secret", "x"), "Set group-seat"),
        (("--group-voters", "nonsense", "--group-secret", "x"), "is not host:port"),
        (("--preferred-leader", "127.0.0.1:{port}"), "needs group-voters"),
        (("--repl-ack", "one"), "needs group-voters"),
        (
            ("--group-voters", "127.0.0.1:{port}", "--group-secret", "x", "--replicaof", "127.0.0.1 1"),
            "exclude each other",
        ),
        (
            ("--group-voters", "127.0.0.1:{port}", "--group-secret", "x", "--group-lease", "1500"),
            "group-lease",
        ),
    ],
)
def test_a_configuration_that_makes_no_voter_is_an_error(
    tmp_path: Path, options: tuple[str, ...], problem: str
) -> None:
    port = free_port()
    voter = Voter(tmp_path, port, tuple(word.format(port=port) for word in options))
    voter.start()
    assert voter.process is not None
    assert voter.process.wait(timeout=20) != 0
    assert problem in voter.log()
