"""Our sentinel beside Redis's own: the same answers, one quorum, one configuration file; and redis-py's Sentinel."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.sentinel import MasterNotFoundError, Sentinel

from tests.conftest import free_port
from tests.interop.sentinels import NAME, Deployment, SentinelProcess, ask, until
from tests.server.running import Running, Wire

QUESTIONS = """
PING|ROLE|SENTINEL MYID x|SENTINEL|SENTINEL nothing|SENTINEL MASTER nothing|SENTINEL MASTER|SENTINEL REPLICAS nothing
SENTINEL SLAVES nothing|SENTINEL SENTINELS nothing|SENTINEL SENTINELS crm|SENTINEL SLAVES crm
SENTINEL GET-MASTER-ADDR-BY-NAME nothing|SENTINEL GET-MASTER-ADDR-BY-NAME crm|SENTINEL CKQUORUM nothing
SENTINEL CKQUORUM crm|SENTINEL FAILOVER nothing|SENTINEL FAILOVER crm|SENTINEL RESET nothing
SENTINEL PENDING-SCRIPTS|SENTINEL INFO-CACHE nothing|SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 1 0 *
SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 x 0 *|SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 1 x *
SENTINEL IS-MASTER-DOWN-BY-ADDR {leader} 0 *|SENTINEL IS-MASTER-DOWN-BY-ADDR {leader} 3 {other}
SENTINEL IS-MASTER-DOWN-BY-ADDR {leader} 3 {third}|SENTINEL IS-MASTER-DOWN-BY-ADDR {leader} 4 {third}
SENTINEL MONITOR crm 127.0.0.1 1 1|SENTINEL MONITOR other 127.0.0.1 1 0|SENTINEL MONITOR other 127.0.0.1 x 1
SENTINEL MONITOR other name.invalid 1 1|SENTINEL MONITOR other 127.0.0.1 99999 1|SENTINEL MONITOR other 127.0.0.1 1
SENTINEL MONITOR other 127.0.0.1 1 1|SENTINEL GET-MASTER-ADDR-BY-NAME other|SENTINEL REMOVE other
SENTINEL REMOVE other|SENTINEL SET crm|SENTINEL SET crm nothing 1|SENTINEL SET crm quorum|SENTINEL SET crm quorum 0
SENTINEL SET crm quorum x|SENTINEL SET crm quorum 3|SENTINEL SET crm down-after-milliseconds 5000 parallel-syncs 2
SENTINEL SET crm notification-script /bin/true|SENTINEL SET nothing quorum 1|SENTINEL SET crm rename-command a
SENTINEL SET crm rename-command GET X|SENTINEL SET crm auth-pass secret auth-user me|SENTINEL SET crm auth-pass a b
SENTINEL SET crm failover-timeout 0|SENTINEL SET crm failover-timeout 7000
SENTINEL CONFIG GET announce-ip|SENTINEL CONFIG SET announce-ip 10.0.0.9|SENTINEL CONFIG GET announce-ip
SENTINEL CONFIG SET announce-port x|SENTINEL CONFIG SET resolve-hostnames maybe|SENTINEL CONFIG SET nothing 1
SENTINEL CONFIG nothing x|SENTINEL FLUSHCONFIG|SENTINEL SIMULATE-FAILURE nothing|SENTINEL SIMULATE-FAILURE HELP
SENTINEL DEBUG|SENTINEL DEBUG nothing 1|SENTINEL DEBUG ping-period|SENTINEL DEBUG ping-period 0
SENTINEL DEBUG ping-period 500|SENTINEL DEBUG|SENTINEL RESET c*
PUBLISH a b|PUBLISH __sentinel__:hello nothing|GET x|MULTI|CONFIG GET port|SUBSCRIBE|INFO nothing|CLIENT GETNAME
"""


@pytest.fixture
def places(tmp_path: Path) -> Iterator[list[Any]]:
    """What is to be stopped in the end."""
    found: list[Any] = []
    yield found
    for each in found:
        each.stop()


@pytest.fixture(autouse=True)
def _empty() -> None:
    """There is no server that tests share."""


def normal(reply: Any) -> Any:
    """A reply without what must differ: the arguments that an unknown command names are told alike, ids are not."""
    return re.sub(r"\b[0-9a-f]{40}\b", "<id>", repr(reply)) if reply is not None else None


def test_answers_are_those_of_redis_sentinel(tmp_path: Path, places: list[Any]) -> None:
    leader = free_port()  # nobody is there: what is known of it stays as it is
    both = []
    for kind in ("ours", "redis"):
        (tmp_path / kind).mkdir()
        both.append(SentinelProcess(tmp_path / kind, kind, leader))
        places.append(both[-1])
        both[-1].ask("SENTINEL", "SET", NAME, "down-after-milliseconds", "100000")
    different = []
    names = {"leader": f"127.0.0.1 {leader}", "other": "a" * 40, "third": "b" * 40}
    for question in re.split(r"[|\n]", QUESTIONS.strip()):
        words = [names.get(word.strip("{}"), word) for word in question.split()]
        words = " ".join(words).split()
        ours, redis = (normal(each.ask(*words)) for each in both)
        if ours != redis:
            different.append(f"{question}\n    ours  {ours}\n    redis {redis}")
    assert not different, "\n".join(different)


def test_what_is_known_of_a_master_has_the_fields_of_redis(tmp_path: Path, places: list[Any]) -> None:
    deployment = Deployment(tmp_path, ["redis", "redis"], ["ours", "redis"], quorum=1)
    places.append(deployment)
    ours, redis = deployment.sentinels
    for words in (("MASTER", NAME), ("SLAVES", NAME), ("SENTINELS", NAME)):
        one, other = ours.ask("SENTINEL", *words), redis.ask("SENTINEL", *words)
        if words[0] != "MASTER":
            assert len(one) == len(other) == 1
            one, other = one[0], other[0]
        assert one[::2] == other[::2], words
    assert [line.partition(":")[0] for line in ours.ask("INFO", "sentinel").split("\r\n")] == [
        line.partition(":")[0] for line in redis.ask("INFO", "sentinel").split("\r\n")
    ]
    for words in ((), ("all",), ("everything",), ("stats",), ("server", "cpu")):
        headings = [
            [line for line in str(each.ask("INFO", *words)).split("\r\n") if line.startswith("#")]
            for each in (ours, redis)
        ]
        assert headings[0] == headings[1], words


@pytest.mark.parametrize(
    "sentinels", [["ours", "ours", "ours"], ["ours", "ours", "redis"], ["redis", "redis", "ours"]], ids="-".join
)
def test_a_leader_that_dies_is_replaced_whoever_watches(
    tmp_path: Path, places: list[Any], sentinels: list[str]
) -> None:
    deployment = Deployment(tmp_path, ["redis", "redis", "redis"], sentinels)
    places.append(deployment)
    dead, better, other = deployment.nodes  # the third one has the better priority
    dead.process.kill()
    until(lambda: deployment.agree_on(other.port))
    until(lambda: ask(better.port, "ROLE")[:3] == ["slave", "127.0.0.1", other.port])
    logs = "".join(each.log() for each in deployment.sentinels)
    for event in ("+sdown master", "+odown master", "+elected-leader", "+promoted-slave", "+switch-master crm"):
        assert event in logs


@pytest.mark.parametrize("sentinels", [["redis", "redis", "redis"], ["ours", "ours", "redis"]], ids="-".join)
def test_our_own_nodes_are_failed_over_and_the_old_leader_follows_when_it_returns(
    tmp_path: Path, places: list[Any], sentinels: list[str]
) -> None:
    deployment = Deployment(tmp_path, ["ours", "ours", "ours"], sentinels)
    places.append(deployment)
    dead, better, other = deployment.nodes
    ask(dead.port, "SET", "k", "v")
    until(lambda: ask(other.port, "GET", "k") == "v" and ask(better.port, "GET", "k") == "v")
    dead.process.kill()
    until(lambda: deployment.agree_on(other.port))
    until(lambda: ask(better.port, "ROLE")[:3] == ["slave", "127.0.0.1", other.port])
    assert ask(other.port, "SET", "k", "w") == "OK"
    until(lambda: ask(better.port, "GET", "k") == "w")


def test_a_failover_by_hand_moves_the_leader_and_the_old_one_follows(tmp_path: Path, places: list[Any]) -> None:
    deployment = Deployment(tmp_path, ["redis", "redis"], ["ours", "redis"], quorum=2)
    places.append(deployment)
    old, new = deployment.nodes
    assert deployment.sentinels[0].ask("SENTINEL", "FAILOVER", NAME) == "OK"
    until(lambda: deployment.agree_on(new.port))
    until(lambda: ask(old.port, "ROLE")[0] == "slave")


def test_redis_py_finds_the_leader_and_its_followers_through_our_sentinels(tmp_path: Path, places: list[Any]) -> None:
    deployment = Deployment(tmp_path, ["redis", "redis"], ["ours", "ours"])
    places.append(deployment)
    client = Sentinel([("127.0.0.1", each.port) for each in deployment.sentinels], socket_timeout=5)
    assert client.discover_master(NAME) == ("127.0.0.1", deployment.nodes[0].port)  # type: ignore[no-untyped-call]
    assert client.discover_slaves(NAME) == [("127.0.0.1", deployment.nodes[1].port)]  # type: ignore[no-untyped-call]
    leader = client.master_for(NAME, socket_timeout=5)  # type: ignore[no-untyped-call]
    assert leader.set("k", "v")
    deployment.nodes[0].process.kill()
    until(lambda: deployment.agree_on(deployment.nodes[1].port))
    assert leader.set("k", "w")
    leader.close()


def test_a_sentinel_in_a_minority_sends_redis_py_elsewhere_where_another_may_lead(
    tmp_path: Path, places: list[Any]
) -> None:
    deployment = Deployment(tmp_path, ["ours"] * 2, ["ours", "redis", "ours", "ours"])
    places.append(deployment)
    left, redis, *gone = deployment.sentinels

    def finds(sentinel: SentinelProcess) -> bool:
        try:
            client = Sentinel([("127.0.0.1", sentinel.port)], socket_timeout=2)  # type: ignore[no-untyped-call]
            return bool(client.discover_master(NAME) == ("127.0.0.1", deployment.nodes[0].port))
        except MasterNotFoundError:
            return False

    for each in gone:
        each.stop()
    until(lambda: str(left.ask("SENTINEL", "CKQUORUM", NAME)).startswith("NOQUORUM"))
    assert finds(left) and finds(redis)  # the one follower follows, so nobody else leads
    follower = deployment.nodes[1]
    assert isinstance(follower, Running)
    follower.process.kill()
    until(lambda: not finds(left))
    master = left.ask("SENTINEL", "MASTER", NAME)
    assert master[master.index("flags") + 1] == "s_down,o_down,master"
    assert "status=odown" in str(left.ask("INFO", "sentinel"))
    assert finds(redis) and left.leader() == deployment.nodes[0].port
    for each in gone:
        each.start()
    until(lambda: finds(left))


def test_a_sentinel_remembers_everything_in_a_file_that_redis_reads(tmp_path: Path, places: list[Any]) -> None:
    deployment = Deployment(tmp_path, ["redis", "redis", "redis"], ["ours", "ours", "redis"])
    places.append(deployment)
    ours = deployment.sentinels[0]
    deployment.nodes[0].process.kill()
    until(lambda: deployment.agree_on(deployment.nodes[2].port))
    my_id = ours.ask("SENTINEL", "MYID")
    ours.stop()
    text = ours.config.read_text()
    ours.kind = "redis"
    ours.start()
    assert ours.ask("SENTINEL", "MYID") == my_id
    assert ours.leader() == deployment.nodes[2].port
    assert len(ours.ask("SENTINEL", "SENTINELS", NAME)) == 2
    assert len(ours.ask("SENTINEL", "SLAVES", NAME)) == 2
    ours.stop()
    ours.kind = "ours"
    ours.start()
    assert ours.ask("SENTINEL", "MYID") == my_id
    assert f"sentinel myid {my_id}" in text
    assert int(dict(zip(*[iter(ours.ask("SENTINEL", "MASTER", NAME))] * 2, strict=True))["config-epoch"]) >= 1


def test_users_stay_in_the_file_when_it_is_written_anew(tmp_path: Path, places: list[Any]) -> None:
    user = "user watcher on +@all ~* &* >secret"
    sentinel = SentinelProcess(tmp_path, "ours", free_port(), more=f"{user}\n")
    places.append(sentinel)
    assert sentinel.ask("SENTINEL", "FLUSHCONFIG") == "OK"
    assert "user watcher on" in sentinel.config.read_text()
    assert sentinel.ask("AUTH", "watcher", "secret") == "OK"


def test_events_are_published_to_clients(tmp_path: Path, places: list[Any]) -> None:
    deployment = Deployment(tmp_path, ["redis", "redis"], ["ours"], quorum=1)
    places.append(deployment)
    with Wire(("127.0.0.1", deployment.sentinels[0].port)) as wire:
        wire.call("PSUBSCRIBE", "*")
        deployment.nodes[0].process.kill()
        heard = []
        while not heard or heard[-1][0] != "+switch-master":
            _, _, channel, text = wire.read()
            heard.append((channel, text))
    old, new = deployment.nodes
    assert heard[-1][1] == f"{NAME} 127.0.0.1 {old.port} 127.0.0.1 {new.port}"
    assert ("+sdown", f"master {NAME} 127.0.0.1 {old.port}") in heard
    assert ("+odown", f"master {NAME} 127.0.0.1 {old.port} #quorum 1/1") in heard


def test_without_a_file_a_sentinel_does_not_start() -> None:
    done = subprocess.run([sys.executable, "-m", "pycache_server", "--sentinel"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Sentinel needs config file on disk in order to save state." in done.stderr


def test_a_sentinel_comes_from_the_address_that_it_is_told_to_come_from(tmp_path: Path, places: list[Any]) -> None:
    with Running(tmp_path) as leader:
        sentinel = SentinelProcess(tmp_path, "ours", leader.port, more="bind-source-addr 127.0.0.7\n")
        places.append(sentinel)
        until(lambda: "addr=127.0.0.7:" in str(ask(leader.port, "CLIENT", "LIST")))
