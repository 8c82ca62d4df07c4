"""CLIENT TRACKING, each test with our server and with a real one."""

from __future__ import annotations

from typing import Any

import pytest

from pycache_server.store.database import Database
from tests.peers import AnyClient, Ours, Peer, error_of, pipeline

CHANNEL = "__redis__:invalidate"


def tracking(peer: Peer, *options: Any) -> AnyClient:
    """A client in RESP3 that tracks."""
    client = peer.connect()
    client.call("HELLO", 3)
    assert client.call("CLIENT", "TRACKING", "ON", *options) == "OK"
    return client


def invalid(*keys: str) -> list[Any]:
    return ["invalidate", list(keys)]


GONE = ["invalidate", None]


def told(client: AnyClient) -> list[Any]:
    return [list(each) if isinstance(each, list) else each for each in client.read_all()]


def flags(client: AnyClient) -> list[str]:
    found = client.call("CLIENT", "TRACKINGINFO")["flags"]
    return sorted(found)


# The default mode


def test_a_client_hears_once_of_a_key_that_it_has_read(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer)
    reader.call("GET", "a")
    client.call("SET", "b", 1)
    assert told(reader) == []
    client.call("SET", "a", 1)
    client.call("SET", "a", 2)
    assert told(reader) == [invalid("a")]
    assert reader.call("GET", "a") == "2"
    client.call("DEL", "a")
    assert told(reader) == [invalid("a")]


def test_writes_remember_nothing(peer: Peer, client: AnyClient) -> None:
    writer = tracking(peer)
    writer.call("INCR", "a")
    writer.call("GETSET", "a", 2)
    writer.call("SORT", "l")
    client.call("SET", "a", 3)
    client.call("RPUSH", "l", 1)
    assert told(writer) == []


def test_what_a_client_changes_itself_follows_the_reply(peer: Peer) -> None:
    reader = tracking(peer)
    reader.send(pipeline("GET a", "SET a 1", "PING"))
    assert told(reader) == [None, "OK", invalid("a"), "PONG"]


def test_a_transaction_is_told_of_behind_its_reply(peer: Peer) -> None:
    reader = tracking(peer)
    reader.send(pipeline("MULTI", "GET a", "SET a 1", "GET b", "SET c 1", "EXEC", "SET a 2", "SET b 1"))
    assert told(reader)[-5:] == [[None, "OK", None, "OK"], invalid("a"), "OK", "OK", invalid("b")]


def test_what_is_only_queued_is_not_read(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer)
    reader.send(pipeline("MULTI", "GET a", "DISCARD"))
    reader.read_all()
    client.call("SET", "a", 1)
    assert told(reader) == []


def test_a_read_that_fails_is_one_and_a_refused_one_is_not(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer)
    client.call("RPUSH", "a", 1)
    error_of(reader.call("GET", "a"))
    error_of(reader.call("GET", "b", "c"))
    client.call("RPUSH", "a", 1)
    client.call("SET", "b", 1)
    assert told(reader) == [invalid("a")]


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (("MGET", "a", "b"), {"a", "b"}),
        (("XREAD", "STREAMS", "a", "b", "0", "0"), {"a", "b"}),
        (("OBJECT", "ENCODING", "a"), {"a"}),
        (("ZUNION", "2", "a", "b"), {"a", "b"}),
        (("SORT_RO", "a"), {"a"}),
        (("OBJECT", "HELP"), set()),
        (("KEYS", "*"), set()),
        (("SCAN", "0"), set()),
        (("EXISTS", "a"), {"a"}),
    ],
)
def test_the_keys_of_a_command_are_those_it_names(
    peer: Peer, client: AnyClient, words: tuple[str, ...], keys: set[str]
) -> None:
    reader = tracking(peer)
    reader.call(*words)
    client.call("MSET", "a", 1, "b", 1, "c", 1)
    assert {each[1][0] for each in told(reader)} == keys


def test_databases_do_not_matter(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer)
    reader.call("GET", "a")
    client.call("SELECT", 2)
    client.call("SET", "a", 1)
    assert told(reader) == [invalid("a")]


def test_every_kind_of_change_counts(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer)
    changes: list[str] = []
    for words in (
        ("SET", "a", 1),
        ("APPEND", "a", 1),
        ("EXPIRE", "a", 100),
        ("PERSIST", "a"),
        ("COPY", "a", "b"),
        ("RENAME", "a", "b"),
        ("MOVE", "b", 1),
        ("RPUSH", "b", 1, 2),
        ("LPOP", "b"),
        ("LPOP", "b"),
        ("HSET", "b", "f", 1),
        ("SADD", "a", "x"),
        ("GETDEL", "c"),
        ("SUNIONSTORE", "b", "a"),
    ):
        reader.start("MGET", "a", "b")
        reader.read_all()
        client.call(*words)
        changes += [each[1][0] for each in told(reader)]
    assert changes == ["a", "a", "a", "a", "b", "a", "b", "b", "b", "b", "b", "b", "a", "b"]


def test_a_key_that_expires_is_told(ours: Ours) -> None:
    client = ours.connect()
    reader = tracking(ours)
    client.call("SET", "a", 1, "PX", 100)
    reader.call("GET", "a")
    ours.world.advance(0.2)
    ours.world.expire()
    ours.world.host.settle()
    assert told(reader) == [invalid("a")]


@pytest.mark.parametrize(("words", "reply"), [(("SET", "b", "y"), "OK"), (("GET", "a"), None)])
def test_a_key_that_is_evicted_is_told_before_the_reply(ours: Ours, words: tuple[str, ...], reply: Any) -> None:
    from pycache_server.evict.lru import Lru

    core = ours.world.core
    core.shape.use_engine(Lru)
    while core.shape.step():
        pass
    reader = tracking(ours)
    reader.call("SET", "a", "x" * 1000)
    reader.call("GET", "a")
    core.keyspace.maxmemory = core.keyspace.held - 1
    core.tables.refresh()
    reader.start(*words)
    assert told(reader) == [invalid("a"), reply]


def test_flushing_tells_everybody_once(peer: Peer, client: AnyClient) -> None:
    reader, other = tracking(peer), tracking(peer, "BCAST", "PREFIX", "x")
    client.call("SET", "a", 1)
    reader.call("GET", "a")
    client.call("FLUSHDB")
    assert (told(reader), told(other)) == ([GONE], [GONE])
    client.call("FLUSHALL")
    assert (told(reader), told(other)) == ([GONE], [GONE])
    client.call("SET", "a", 1)
    assert told(reader) == []
    reader.start("FLUSHDB", "ASYNC")
    assert told(reader) == ["OK", GONE]


def test_exchanged_databases_are_not_told(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer)
    reader.call("GET", "a")
    client.call("SWAPDB", 0, 1)
    assert told(reader) == []


def test_a_waiting_reader_hears_of_what_it_gets(ours: Ours) -> None:
    """Since 7.2 the command is run again when its key is ready, and reads once more."""
    client, reader = ours.connect(), tracking(ours)
    reader.start("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    client.call("XADD", "s", "1-1", "f", "v")
    assert told(reader) == [invalid("s"), {"s": [["1-1", ["f", "v"]]]}]
    client.call("XADD", "s", "1-2", "f", "v")
    assert told(reader) == [invalid("s")]


def test_no_loop_spares_a_client_its_own_changes(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer, "NOLOOP")
    reader.call("GET", "a")
    reader.call("SET", "a", 1)
    client.call("SET", "a", 2)
    assert told(reader) == []
    reader.call("GET", "a")
    client.call("SET", "a", 2)
    assert told(reader) == [invalid("a")]


def test_only_resp3_is_told_without_a_redirection(peer: Peer, client: AnyClient) -> None:
    reader = peer.connect()
    assert reader.call("CLIENT", "TRACKING", "ON") == "OK"
    reader.call("GET", "a")
    client.call("SET", "a", 1)
    assert told(reader) == []
    reader.call("HELLO", 3)
    reader.call("GET", "a")
    client.call("SET", "a", 1)
    assert told(reader) == [invalid("a")]


def test_replies_may_be_off(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer)
    reader.start("CLIENT", "REPLY", "OFF")
    reader.start("GET", "a")
    client.call("SET", "a", 1)
    assert told(reader) == [invalid("a")]


def test_events_of_ones_own_follow_what_is_invalid(ours: Ours) -> None:
    """Since 7.2: 7.0 sends the events before the reply."""
    ours.announce("KEA")
    reader = tracking(ours)
    reader.call("SUBSCRIBE", "__keyevent@0__:set")
    reader.call("MGET", "a", "b")
    reader.send(pipeline("MSET a 1 b 2"))
    event = "__keyevent@0__:set"
    assert told(reader) == [
        "OK",
        ["message", event, "a"],
        ["message", event, "b"],
        invalid("a"),
        invalid("b"),
    ]


def test_a_read_that_is_postponed_is_none_yet(ours: Ours) -> None:
    client, reader = ours.connect(), tracking(ours, "OPTIN")
    client.call("CLIENT", "PAUSE", 100)
    reader.send(pipeline("CLIENT CACHING YES", "GET a"))
    assert ours.world.core.tracking.keys.items == 0
    ours.world.advance(1)
    assert ours.world.core.tracking.keys.items == 1
    client.call("SET", "a", 1)
    assert told(reader)[-1] == invalid("a")


# OPTIN and OPTOUT


def test_opt_in_remembers_what_the_next_command_reads(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer, "OPTIN")
    reader.call("GET", "a")
    assert reader.call("CLIENT", "CACHING", "YES") == "OK"
    reader.call("CLIENT", "ID")
    assert flags(reader) == ["caching-yes", "on", "optin"]
    reader.call("GET", "b")
    assert flags(reader) == ["on", "optin"]
    reader.call("GET", "c")
    client.call("MSET", "a", 1, "b", 1, "c", 1)
    assert told(reader) == [invalid("b")]


@pytest.mark.parametrize("words", [("NOPE",), ("GET",), ("PING",)])
def test_the_next_command_may_be_one_that_is_refused(peer: Peer, client: AnyClient, words: tuple[str, ...]) -> None:
    reader = tracking(peer, "OPTIN")
    reader.call("CLIENT", "CACHING", "YES")
    reader.call(*words)
    assert flags(reader) == ["on", "optin"]


def test_opt_in_lasts_for_a_transaction(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer, "OPTIN")
    reader.send(pipeline("CLIENT CACHING YES", "MULTI", "GET a", "GET b", "EXEC", "GET c"))
    reader.send(pipeline("MULTI", "CLIENT CACHING YES", "GET d", "EXEC", "GET e"))
    reader.read_all()
    client.call(*["MSET", "a", "1", "b", "1", "c", "1", "d", "1", "e", "1"])
    assert told(reader) == [invalid("a"), invalid("b"), invalid("d")]


def test_opt_out_forgets_what_the_next_command_reads(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer, "OPTOUT")
    assert reader.call("CLIENT", "CACHING", "NO") == "OK"
    assert flags(reader) == ["caching-no", "on", "optout"]
    reader.call("GET", "a")
    reader.call("GET", "b")
    client.call("MSET", "a", 1, "b", 1)
    assert told(reader) == [invalid("b")]


# BCAST


def test_prefixes_are_told_of_in_order_after_the_batch(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer, "BCAST", "PREFIX", "z", "PREFIX", "y")
    client.send(pipeline("SET z2 1", "SET y1 1", "SET z1 1", "SET x 1", "SET z2 2"))
    assert told(reader) == [invalid("y1"), invalid("z1", "z2")]
    reader.send(pipeline("SET y1 1", "PING", "DEL y1"))
    assert told(reader) == ["OK", "PONG", 1, invalid("y1")]


def test_no_prefix_is_all_keys(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer, "BCAST")
    assert reader.call("CLIENT", "TRACKINGINFO") == {"flags": {"on", "bcast"}, "redirect": 0, "prefixes": [""]} or (
        sorted(reader.call("CLIENT", "TRACKINGINFO")["flags"]) == ["bcast", "on"]
    )
    client.call("SET", "anything", 1)
    assert told(reader) == [invalid("anything")]


def test_a_broadcast_spares_who_does_not_want_to_hear_of_itself(peer: Peer, client: AnyClient) -> None:
    spared, other = tracking(peer, "BCAST", "NOLOOP"), tracking(peer, "BCAST")
    spared.call("SET", "a", 1)
    assert (told(spared), told(other)) == ([], [invalid("a")])
    client.call("SET", "a", 1)
    assert (told(spared), told(other)) == ([invalid("a")], [invalid("a")])


def test_prefixes_add_up(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer, "BCAST", "PREFIX", "b")
    assert reader.call("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a") == "OK"
    assert reader.call("CLIENT", "TRACKINGINFO")["prefixes"] == ["a", "b"]
    client.send(pipeline("SET b1 1", "SET a1 1"))
    assert told(reader) == [invalid("a1"), invalid("b1")]
    assert reader.call("CLIENT", "TRACKING", "OFF") == "OK"
    assert reader.call("CLIENT", "TRACKINGINFO")["prefixes"] == []
    client.call("SET", "a1", 2)
    assert told(reader) == []


# Redirection


def test_another_client_in_resp2_gets_messages(peer: Peer, client: AnyClient) -> None:
    target = peer.connect()
    number = target.call("CLIENT", "ID")
    reader = peer.connect()
    assert reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", number) == "OK"
    assert reader.call("CLIENT", "GETREDIR") == number
    reader.call("MGET", "a", "b")
    client.call("SET", "a", 1)
    assert told(target) == []  # it does not listen
    target.call("SUBSCRIBE", CHANNEL)
    reader.call("SET", "b", 1)
    client.call("FLUSHALL")
    assert told(target) == [["message", CHANNEL, ["b"]], ["message", CHANNEL, None]]


def test_another_client_in_resp3_is_pushed_to(peer: Peer, client: AnyClient) -> None:
    target = peer.connect()
    target.call("HELLO", 3)
    reader = peer.connect()
    reader.call("CLIENT", "TRACKING", "ON", "BCAST", "REDIRECT", target.call("CLIENT", "ID"))
    client.call("SET", "a", 1)
    assert told(target) == [invalid("a")]


def test_who_is_told_of_its_own_changes_gets_them_behind_its_reply(ours: Ours) -> None:
    """Since 7.2: 7.0 sends them before."""
    target = ours.connect()
    target.call("HELLO", 3)
    reader = ours.connect()
    reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", target.call("CLIENT", "ID"))
    reader.call("GET", "a")
    target.send(pipeline("SET a 1", "PING"))
    assert told(target) == ["OK", invalid("a"), "PONG"]


def test_a_client_may_name_itself(peer: Peer, client: AnyClient) -> None:
    reader = peer.connect()
    reader.call("HELLO", 3)
    reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", reader.call("CLIENT", "ID"))
    reader.send(pipeline("GET a", "SET a 1", "PING"))
    assert told(reader) == [None, "OK", invalid("a"), "PONG"]


def test_a_redirection_that_is_broken_is_told_and_shown(peer: Peer, client: AnyClient) -> None:
    target = peer.connect()
    number = target.call("CLIENT", "ID")
    reader = tracking(peer, "REDIRECT", number)
    reader.call("GET", "a")
    target.close()
    client.call("PING")
    assert flags(reader) == ["on"]
    client.call("SET", "a", 1)
    assert told(reader) == [["tracking-redir-broken", number]]
    assert flags(reader) == ["broken_redirect", "on"]
    assert " flags=tR " in reader.call("CLIENT", "INFO")
    assert reader.call("CLIENT", "GETREDIR") == number
    assert reader.call("CLIENT", "TRACKING", "ON") == "OK"
    assert flags(reader) == ["on"]


# Its end


def test_off_ends_it_and_on_begins_where_it_was(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer)
    reader.call("GET", "a")
    reader.call("GET", "b")
    assert reader.call("CLIENT", "TRACKING", "OFF") == "OK"
    client.call("SET", "a", 1)
    assert told(reader) == []
    assert reader.call("CLIENT", "TRACKING", "ON") == "OK"
    client.call("SET", "b", 1)
    assert told(reader) == [invalid("b")]


def test_reset_ends_it(peer: Peer, client: AnyClient) -> None:
    reader = tracking(peer, "BCAST")
    reader.call("RESET")
    assert reader.call("CLIENT", "GETREDIR") == -1
    client.call("SET", "a", 1)
    assert told(reader) == []


def test_nothing_is_observed_when_nobody_tracks(ours: Ours) -> None:
    database = ours.world.core.keyspace.databases[0]
    reader = tracking(ours)
    for number in range(500):
        reader.call("GET", number)
    assert type(database) is not Database
    reader.close()
    ours.world.advance(5)
    assert type(database) is Database
    assert not ours.world.core.tracking.keys


def test_what_a_client_has_read_stays_while_it_may_track_again(ours: Ours) -> None:
    gone, reader, client = tracking(ours), tracking(ours), ours.connect()
    gone.call("GET", "a")
    reader.call("GET", "a")
    gone.close()
    reader.call("CLIENT", "TRACKING", "OFF")
    ours.world.advance(5)
    assert ours.world.core.tracking.keys.items == 1
    reader.call("CLIENT", "TRACKING", "ON")
    client.call("SET", "a", 1)
    assert told(reader) == [invalid("a")]


def test_clients_that_come_and_go_do_not_let_the_table_grow(ours: Ours, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycache_server.session.tracking.MOST_IDS", 100)
    stays = tracking(ours)
    core = ours.world.core
    core.tracking._sweep_from = 100
    for _ in range(20):
        passing = tracking(ours)
        for client in (stays, passing):
            client.call("MGET", *range(20))
        passing.close()
        ours.world.advance(5)
        assert core.tracking.keys.items <= 140
    stays.call("SET", 1, 1)
    assert told(stays) == [invalid("1")]


def test_the_table_does_not_grow_beyond_its_limit(ours: Ours) -> None:
    ours.world.core.tracking.most_keys = 10
    reader = tracking(ours)
    reader.call("MGET", *range(50))
    lost = told(reader)
    assert len(lost) == 40
    assert len({each[1][0] for each in lost}) == 40
    assert len(ours.world.core.tracking.keys) == 10


def test_much_is_given_up_in_parts(ours: Ours) -> None:
    reader = tracking(ours)
    reader.call("MGET", *range(1000))
    ours.world.core.tracking.most_keys = 1
    ours.world.core.tracking.trim()
    assert len(told(reader)) == 100 or len(ours.world.core.tracking.keys) == 900
    ours.world.advance(1)
    assert len(ours.world.core.tracking.keys) == 1


# What is said


def test_trackinginfo_of_a_client_that_does_not(peer: Peer, client: AnyClient) -> None:
    assert client.call("CLIENT", "TRACKINGINFO") == ["flags", ["off"], "redirect", -1, "prefixes", []]
    assert client.call("CLIENT", "GETREDIR") == -1
    client.call("CLIENT", "TRACKING", "ON", "NOLOOP", "BCAST", "PREFIX", "p")
    assert client.call("CLIENT", "TRACKINGINFO") == [
        "flags",
        ["on", "bcast", "noloop"],
        "redirect",
        0,
        "prefixes",
        ["p"],
    ]
    assert " flags=tB " in client.call("CLIENT", "INFO")
    assert " redir=0 " in client.call("CLIENT", "INFO")


NOT_TRACKING = "the client is in tracking mode with OPTIN or OPTOUT mode enabled"
CANNOT_SWITCH = "before disabling tracking for this client, and then re-enabling it with a different mode."
OVERLAPS = "Prefixes for a single client must not overlap."


@pytest.mark.parametrize(
    ("before", "words", "error"),
    [
        ("", "ON PREFIX", "ERR syntax error"),
        ("", "ON REDIRECT", "ERR syntax error"),
        ("", "ON NOPE", "ERR syntax error"),
        ("", "OFF NOPE", "ERR syntax error"),
        ("", "maybe", "ERR syntax error"),
        ("", "maybe REDIRECT x", "ERR value is not an integer or out of range"),
        ("", "ON REDIRECT 0", "ERR The client ID you want redirect to does not exist"),
        ("", "ON REDIRECT 99999", "ERR The client ID you want redirect to does not exist"),
        ("", "ON REDIRECT ID REDIRECT x", "ERR A client can only redirect to a single other client"),
        ("", "ON PREFIX a", "ERR PREFIX option requires BCAST mode to be enabled"),
        ("", "ON BCAST OPTIN", "ERR OPTIN and OPTOUT are not compatible with BCAST"),
        ("", "ON BCAST OPTOUT OPTIN", "ERR OPTIN and OPTOUT are not compatible with BCAST"),
        ("", "ON OPTOUT OPTIN", "ERR You can't specify both OPTIN mode and OPTOUT mode"),
        ("ON", "ON BCAST", f"ERR You can't switch BCAST mode on/off {CANNOT_SWITCH}"),
        ("ON BCAST", "ON", f"ERR You can't switch BCAST mode on/off {CANNOT_SWITCH}"),
        ("ON OPTIN", "ON OPTOUT", f"ERR You can't switch OPTIN/OPTOUT mode {CANNOT_SWITCH}"),
        ("ON OPTOUT", "ON OPTIN", f"ERR You can't switch OPTIN/OPTOUT mode {CANNOT_SWITCH}"),
        ("", "ON BCAST PREFIX a PREFIX ab", f"ERR Prefix 'a' overlaps with another provided prefix 'ab'. {OVERLAPS}"),
        (
            "ON BCAST PREFIX ab",
            "ON BCAST PREFIX a",
            f"ERR Prefix 'a' overlaps with an existing prefix 'ab'. {OVERLAPS}",
        ),
        ("ON BCAST", "ON BCAST PREFIX a", f"ERR Prefix 'a' overlaps with an existing prefix ''. {OVERLAPS}"),
    ],
)
def test_what_tracking_complains_of(client: AnyClient, before: str, words: str, error: str) -> None:
    if before:
        assert client.call("CLIENT", "TRACKING", *before.split()) == "OK"
    number = str(client.call("CLIENT", "ID"))
    assert error_of(client.call("CLIENT", "TRACKING", *words.replace("ID", number).split())) == error


def test_a_set_of_prefixes_that_overlap_changes_nothing(ours: Ours) -> None:
    """Redis sends an error and OK where it is not the first prefix that overlaps with a later one."""
    client = ours.connect()
    reply = client.call("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a", "PREFIX", "b", "PREFIX", "bb")
    assert error_of(reply) == f"ERR Prefix 'b' overlaps with another provided prefix 'bb'. {OVERLAPS}"
    assert client.call("CLIENT", "GETREDIR") == -1


@pytest.mark.parametrize(
    ("mode", "word", "error"),
    [
        (
            None,
            "YES",
            f"ERR CLIENT CACHING can be called only when {NOT_TRACKING}",
        ),
        ([], "YES", "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."),
        (["OPTIN"], "NO", "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."),
        (["OPTOUT"], "yes", "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."),
        (["OPTIN"], "maybe", "ERR syntax error"),
    ],
)
def test_what_caching_complains_of(client: AnyClient, mode: list[str] | None, word: str, error: str) -> None:
    if mode is not None:
        client.call("CLIENT", "TRACKING", "ON", *mode)
    assert error_of(client.call("CLIENT", "CACHING", word)) == error


def test_the_numbers_of_arguments(client: AnyClient) -> None:
    for words in ("TRACKING", "CACHING", "CACHING YES NO", "GETREDIR x", "TRACKINGINFO x"):
        name = words.split()[0].lower()
        expected = f"ERR wrong number of arguments for 'client|{name}' command"
        assert error_of(client.call("CLIENT", *words.split())) == expected
