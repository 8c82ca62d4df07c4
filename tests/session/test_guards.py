"""The quick tests of permissions: they say yes only to what the general way permits."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from pycache_server.commands.registry import CATEGORIES
from pycache_server.session.permissions import call_of
from tests.peers import Ours

WORDS = [b"a", b"ab", b"b", b"c1", b"", b"1", b"2", b"0", b"STREAMS", b"STORE", b"x"]
RULES = [
    *("~a", "~a*", "~b", "~", "~*", "~[ab]", "~c?", "%R~a*", "%W~b*", "%RW~c*", "%R~*", "%W~a", "~x*y", "~\\a*"),
    *("&a", "&a*", "&*", "allkeys", "resetkeys", "allchannels", "resetchannels", "+@all", "+get|a", "+config|get"),
]


@pytest.mark.parametrize("seed", range(60))
def test_a_test_never_permits_what_is_not_permitted(ours: Ours, seed: int) -> None:
    random = Random(seed)
    access = ours.world.core.access
    rows = list(access.rows.values())
    rules = [*(f"{random.choice('+-')}@{random.choice(CATEGORIES)}" for _ in range(3)), *random.choices(RULES, k=4)]
    selectors = ["(" + " ".join(random.choices(RULES, k=3)) + ")" for _ in range(random.choice([0, 0, 1, 2]))]
    admin = ours.connect()
    for rule in ("on", "nopass", *rules, *selectors):
        admin.call("ACL", "SETUSER", "someone", rule)
    user = access.users.find(b"someone")
    assert user is not None
    guard = access.guard_of(user)
    sure = 0
    for _ in range(500):
        row = random.choice(rows)
        words = row.command.name.encode().split(b"|")
        argv = words + random.choices(WORDS, k=max(0, row.least - len(words)) + (row.open and random.randrange(4)))
        if guard is not None and row.accepts(len(argv)):
            denial = user.check(call_of(access.users.vocabulary, row.command, argv))
            assert guard.check(row.command, argv) == denial, (rules, selectors, argv)
            if guard.test(row.command)(argv):
                sure += 1
                assert denial is None, (rules, selectors, argv)
    assert guard is None or sure


def test_checks_are_shared_by_connections_and_thrown_away(ours: Ours) -> None:
    admin = ours.connect()
    admin.call("ACL", "SETUSER", "someone", "on", "nopass", "+get", "~a*")
    first, second = ours.connect(), ours.connect()
    for client in (first, second):
        client.call("AUTH", "someone", "")
    assert first.session.guard is second.session.guard is not None
    assert first.session.table is second.session.table
    before = first.session.guard
    admin.call("ACL", "SETUSER", "someone", "+set")
    assert first.session.guard is second.session.guard is not before


def test_commands_are_timed_for_users_with_checks_too(ours: Ours) -> None:
    admin = ours.connect()
    admin.call("ACL", "SETUSER", "someone", "on", "nopass", "+get", "~a*")
    client = ours.connect()
    client.call("AUTH", "someone", "")
    for _ in range(10):
        client.call("GET", "a")
    ours.world.core.settle()
    stats = ours.world.core.tables.rows["get"].stats
    assert sum(stats.histogram.values()) == 10
    assert ours.world.core.tables.calls("get") == 10


def test_a_script_is_refused_in_words_of_its_own(ours: Ours) -> None:
    admin = ours.connect()
    admin.call("ACL", "SETUSER", "someone", "on", "nopass", "+get", "+publish", "~a*")
    client = ours.connect()
    client.call("AUTH", "someone", "")
    access = ours.world.core.access
    refused = {
        (b"get", b"b"): "No permissions to access a key",
        (b"set", b"a", b"1"): "User someone has no permissions to run the 'set' command",
        (b"publish", b"a", b"1"): "No permissions to access a channel",
    }
    for argv, text in refused.items():
        command = access.rows[argv[0].decode()].command
        with pytest.raises(Exception, match=f"^ERR ACL failure in script: {text}$"):
            access.demand_in_script(client.session, command, list(argv))
    access.demand_in_script(client.session, access.rows["get"].command, [b"get", b"a"])
    assert [entry[5] for entry in admin.call("ACL", "LOG")] == ["lua"] * 3


def test_a_command_that_comes_later_is_for_those_who_may_do_all(ours: Ours) -> None:
    admin = ours.connect()
    admin.call("ACL", "SETUSER", "someone", "on", "nopass", "+@all", "-get", "~a*")
    admin.call("ACL", "SETUSER", "another", "on", "nopass", "+get", "+set", "~a*")
    clients = [ours.connect() for _ in range(2)]
    for client, name in zip(clients, ("someone", "another"), strict=True):
        client.call("AUTH", name, "")
    known = ours.world.core.tables.commands["get"]
    ours.world.core.tables.add(replace(known, name="fetch"))
    first, second = clients
    assert first.call("FETCH", "a") is None
    assert str(first.call("FETCH", "b")).startswith("NOPERM")
    assert str(second.call("FETCH", "a")).startswith("NOPERM")
    admin.call("ACL", "SETUSER", "another", "+fetch")
    assert second.call("FETCH", "a") is None
