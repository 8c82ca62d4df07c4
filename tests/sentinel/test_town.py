"""Sentinels among themselves: what they agree on, whatever dies, is cut off, or begins anew."""

from __future__ import annotations

import pytest

from pycache_server.sentinel import failover, roles
from pycache_server.sentinel.actions import Send
from pycache_server.sentinel.hello import format_hello
from tests.conftest import some_slow
from tests.sentinel.town import NAME, Town


def met(seed: int = 1, **options: int) -> Town:
    town = Town(seed, **options)
    town.until(town.met, 20_000)
    town.events.clear()
    return town


def heard(town: Town, name: str) -> list[str]:
    return [text for _, event, text in town.events if event == name]


def test_sentinels_find_each_other_and_all_followers() -> None:
    town = met()
    assert town.settled()


def test_a_leader_that_dies_is_replaced_within_some_seconds_by_one_sentinel() -> None:
    town = met()
    town.servers["node", 1].alive = False
    assert town.until(town.settled, 10_000) > town.down_after
    assert len(heard(town, "+elected-leader")) == 1
    town.until(lambda: len(heard(town, "+switch-master")) == 3, 10_000)
    assert ("node", 1) not in town.names()


def test_the_follower_with_the_better_priority_then_the_longer_stream_is_promoted() -> None:
    town = met(servers=4)
    town.servers["node", 2].offset, town.servers["node", 3].offset, town.servers["node", 4].offset = 30, 20, 90
    town.servers["node", 4].priority = 0
    town.run(11_000)  # until the next INFO
    town.servers["node", 1].alive = False
    town.until(town.settled, 10_000)
    assert town.names() == {("node", 2)}
    town.servers["node", 3].priority = 10
    town.servers["node", 1].alive = True
    town.servers["node", 1].leader = ("node", 2)
    town.run(11_000)
    town.servers["node", 2].alive = False
    town.until(town.settled, 40_000)
    assert town.names() == {("node", 3)}


def test_an_old_leader_that_returns_is_made_a_follower() -> None:
    town = met()
    town.servers["node", 1].alive = False
    town.until(town.settled, 10_000)
    town.servers["node", 1].alive = True
    town.until(town.settled, 40_000)
    assert heard(town, "+convert-to-slave")


def test_an_old_leader_that_returns_is_told_at_once_since_it_is_known_what_it_leads() -> None:
    town = met()
    town.servers["node", 1].alive = False
    town.until(lambda: len(heard(town, "+switch-master")) == 3, 10_000)
    town.run(5000)
    town.servers["node", 1].alive = True
    town.until(lambda: town.servers["node", 1].leader is not None, 1500)


def test_a_sentinel_that_has_heard_of_nobody_lately_tells_no_leader_to_follow() -> None:
    town = met()
    sentinel = town.watches["sentinel", 101].sentinel
    master = sentinel.masters[NAME]
    sentinel.move(master, "node", 2, town.now)
    roles.learn(sentinel, master, b"role:master", town.now)
    old = master.replicas["node", 1]
    for silence, told in ((4000, []), (3999, [("SLAVEOF", "node", "2")])):
        for peer in master.peers.values():
            peer.last_hello_at = town.now - silence
        sentinel.take_actions()
        roles.learn(sentinel, old, b"role:master", town.now)
        sent = [each.argv for each in sentinel.take_actions() if isinstance(each, Send)]
        assert [argv for argv in sent if argv[0] == "SLAVEOF"] == told
    roles.learn(sentinel, old, b"role:slave\r\nmaster_host:node\r\nmaster_port:2", town.now)
    assert not old.deposed


def test_a_leader_that_is_well_hands_over_by_itself_and_one_that_cannot_is_replaced_all_the_same() -> None:
    for hands_over in (True, False):
        town = met()
        town.servers["node", 1].hands_over = hands_over
        watch = town.watches["sentinel", 102]
        failover.start(watch.sentinel, watch.sentinel.masters[NAME], town.now)
        watch.sentinel.masters[NAME].forced = True
        town.until(lambda town=town: town.settled() and town.names() != {("node", 1)}, 3000)  # type: ignore[misc]
        assert bool(town.handovers) == hands_over


@pytest.mark.parametrize("sentinels", [3, 2])
def test_a_leader_that_dies_as_soon_as_it_is_promoted_is_replaced_even_by_the_one_before(sentinels: int) -> None:
    town = met(sentinels=sentinels)
    first, second, third = town.servers.values()
    first.alive = False
    third.priority = 0
    town.until(lambda: second.leader is None, 10_000)
    town.until(lambda: bool(heard(town, "+promoted-slave")), 2000)
    second.alive = False
    third.alive = False  # nobody says that it follows the new one
    town.run(300)
    first.alive, first.leader = True, second.address
    town.until(lambda: first.leader is None, 20_000)
    third.alive = second.alive = True
    town.until(town.settled, 60_000)
    assert town.names() == {first.address}


def test_a_minority_of_sentinels_fails_nobody_over() -> None:
    town = met()
    town.part([("sentinel", 101)])
    town.run(15_000)
    assert not heard(town, "+elected-leader")
    assert town.servers["node", 1].leader is None


def flags(town: Town, port: int) -> list[str]:
    """What a sentinel tells clients of the leader."""
    return town.watches["sentinel", port].sentinel.masters[NAME].flags()


def test_a_sentinel_in_a_minority_tells_clients_that_its_leader_is_down_where_another_may_lead() -> None:
    town = met()
    watch = town.watches["sentinel", 101].sentinel
    alone = watch.masters[NAME]
    town.part([("sentinel", 101), ("node", 1)])
    town.run(2500)  # a peer is down when it has not answered for down-after
    assert flags(town, 101) == ["s_down", "o_down", "master"]
    assert watch.asked("node", 1, 0, "*", town.now)[0] == 0  # it is clients that must look elsewhere
    town.run(10_000)
    assert len(town.names()) == 2 and alone.current_address() == ("node", 1)
    assert not alone.s_down and not alone.failing_over
    town.cut.clear()
    town.until(town.settled, 40_000)
    town.until(lambda: all(flags(town, port) == ["master"] for port in (101, 102, 103)), 40_000)


def test_a_leader_that_all_follow_is_well_however_few_sentinels_are_left() -> None:
    town = met()
    town.crash(town.watches["sentinel", 102])
    town.crash(town.watches["sentinel", 103])
    town.run(20_000)
    assert flags(town, 101) == ["master"]
    town.servers["node", 3].priority = 0  # who can never be promoted is no matter
    town.run(11_000)
    town.servers["node", 3].alive = False
    town.run(3000)
    assert flags(town, 101) == ["master"]
    town.servers["node", 2].alive = False
    town.until(lambda: flags(town, 101) == ["s_down", "o_down", "master"], 5000)
    town.servers["node", 2].alive = True
    town.until(lambda: flags(town, 101) == ["master"], 20_000)


def test_who_leads_its_group_is_believed_by_a_single_sentinel() -> None:
    town = Town(5)
    elect(town, 1, 1)
    town.until(town.met, 20_000)
    town.part([("sentinel", 101), ("node", 1)])
    town.run(3000)
    assert flags(town, 101) == ["master"]
    town.servers["node", 1].leader = ("node", 2)  # it has no lease any more
    town.until(lambda: flags(town, 101) == ["s_down", "o_down", "master"], 3000)


def test_what_only_one_sentinel_sees_is_no_failover() -> None:
    town = met()
    town.cut.add(frozenset((("sentinel", 101), ("node", 1))))
    town.run(15_000)
    assert heard(town, "+sdown")
    assert not heard(town, "+odown")


def test_a_failover_that_was_asked_for_needs_nobody_and_is_followed_by_all() -> None:
    town = met()
    watch = town.watches["sentinel", 102]
    master = watch.sentinel.masters[NAME]
    failover.start(watch.sentinel, master, town.now)
    master.forced = True
    town.until(lambda: town.settled() and town.names() != {("node", 1)}, 30_000)


def test_without_a_follower_that_could_lead_a_failover_is_given_up() -> None:
    town = met()
    for number in (2, 3):
        town.servers["node", number].priority = 0
    town.run(11_000)
    town.servers["node", 1].alive = False
    town.until(lambda: bool(heard(town, "-failover-abort-no-good-slave")), 20_000)
    town.servers["node", 1].alive = True
    town.until(town.settled, 40_000)


def elect(town: Town, leader: int, epoch: int) -> None:
    """The group of all servers that live has another leader."""
    for address, server in town.servers.items():
        if server.alive:
            server.group_epoch = epoch
            server.leader = None if address == ("node", leader) else ("node", leader)


def test_a_leader_that_its_group_has_elected_is_adopted_soon_and_nobody_is_told_to_follow() -> None:
    town = Town(2)
    elect(town, 1, 1)
    town.until(town.met, 20_000)
    for epoch, leader in ((2, 3), (3, 1), (4, 2)):
        town.events.clear()
        elect(town, leader, epoch)
        town.until(lambda leader=leader: town.names() == {("node", leader)}, 4000)  # type: ignore[misc]
        town.run(500)
        assert len(heard(town, "+switch-master")) == 3
    town.run(30_000)
    assert town.names() == {("node", 2)}
    assert not any(server.told for server in town.servers.values())


def test_a_group_whose_leader_is_not_the_one_that_is_configured_is_found_by_its_voters() -> None:
    town = Town(4)
    elect(town, 3, 1)  # node 1 is what is to be watched, and has never led
    town.until(lambda: town.names() == {("node", 3)}, 20_000)
    town.until(town.met, 20_000)
    assert not any(server.told for server in town.servers.values())


def test_where_a_group_elects_another_one_than_was_nominated_that_one_is_adopted() -> None:
    town = Town(3)
    elect(town, 1, 1)
    town.until(town.met, 20_000)
    town.servers["node", 2].priority = 1
    town.run(2000)
    town.servers["node", 1].alive = False
    town.until(lambda: bool(town.servers["node", 2].told), 10_000)
    assert town.servers["node", 2].told == [("NO", "ONE")]
    elect(town, 3, 2)
    town.until(lambda: town.names() == {("node", 3)}, 2000)
    town.servers["node", 1].alive, town.servers["node", 1].leader = True, ("node", 3)
    town.until(town.settled, 10_000)
    assert not town.servers["node", 3].told


def test_a_clock_that_jumps_stops_all_decisions_for_a_while() -> None:
    town = met()
    watch = town.watches["sentinel", 101]
    watch.sentinel.last_tick -= 5000
    town.run(200)
    assert ("sentinel", 101) in [address for address, event, _ in town.events if event == "+tilt"]
    town.servers["node", 1].alive = False
    town.until(town.settled, 20_000)  # the other two are enough
    assert not [event for address, event, _ in town.events if address == watch.address and event == "+sdown"]
    town.until(lambda: bool(heard(town, "-tilt")), 40_000)


def test_a_sentinel_that_begins_anew_knows_its_vote() -> None:
    town = met()
    town.servers["node", 1].alive = False
    town.until(lambda: bool(heard(town, "+elected-leader")), 10_000)
    for watch in town.watches.values():
        before = watch.saved["epoch"], watch.saved["leader_epoch"]
        town.crash(watch)
        town.boot(watch)
        master = watch.sentinel.masters[NAME]
        assert (watch.sentinel.epoch, master.leader_epoch) == before
    town.until(town.settled, 60_000)


@pytest.mark.parametrize("seed", some_slow(range(300), 40))
def test_whatever_happens_all_agree_on_one_leader_in_the_end(seed: int) -> None:
    town = met(seed, servers=3, sentinels=3 + 2 * (seed % 2))
    chance = town.random
    for _ in range(6):
        match chance.randrange(5):
            case 0:
                server = chance.choice(list(town.servers.values()))
                server.alive = not server.alive
                server.offset = chance.randrange(1000)
            case 1:
                watch = chance.choice(list(town.watches.values()))
                if watch.alive:
                    town.crash(watch)
                else:
                    town.boot(watch)
            case 2:
                everyone = [*town.servers, *town.watches]
                town.part(chance.sample(everyone, chance.randrange(1, 4)))
            case 3:
                town.cut.clear()
            case _:
                one, other = chance.sample([*town.servers, *town.watches], 2)
                town.cut.add(frozenset((one, other)))
        town.run(chance.randrange(100, 6000))
    town.cut.clear()
    for server in town.servers.values():
        server.alive = True
    for watch in town.watches.values():
        if not watch.alive:
            town.boot(watch)
    town.until(town.settled, 120_000)


def test_a_master_that_has_begun_anew_gets_the_time_for_that() -> None:
    town = met()
    watch = town.watches["sentinel", 101]
    master = watch.sentinel.masters[NAME]
    master.reboot_down_after = 3000
    town.servers["node", 1].run_id = "f" * 40
    roles.learn(watch.sentinel, master, town.servers["node", 1].info(town), town.now)
    assert "master_reboot" in master.flags()
    watch.sentinel.replied(master, "ping", "LOADING it reads its file", town.now)
    assert master.rebooting_since
    watch.sentinel.replied(master, "ping", "PONG", town.now)
    assert not master.rebooting_since


def test_names_are_told_as_addresses_unless_others_are_to_have_them() -> None:
    town = met()
    sentinel = town.watches["sentinel", 101].sentinel
    sentinel.addresses = {"node": "10.0.0.1"}.get  # type: ignore[assignment]
    master = sentinel.masters[NAME]
    assert ",crm,10.0.0.1,1,0" in format_hello(sentinel, master, "me")
    sentinel.announce_hostnames = True
    assert ",crm,node,1,0" in format_hello(sentinel, master, "me")
