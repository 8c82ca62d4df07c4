"""What is due is removed while nobody asks, and INFO counts it."""

from __future__ import annotations

from pathlib import Path

import hiredis

from tests.server.running import Running, Wire


def await_event(wire: Wire, key: str, event: str) -> None:
    """Read what a listener hears until an event of a key is among it."""
    while wire.read()[-2:] != [f"__keyspace@0__:{key}", event]:
        pass


def test_fields_of_hashes_are_removed_when_they_are_due(tmp_path: Path) -> None:
    options = ("--notify-keyspace-events", "KA", "--enable-debug-command", "yes")
    with Running(tmp_path, *options) as server, server.connect() as wire, server.connect() as listener:
        listener.call("PSUBSCRIBE", "*")
        wire.call("HSET", "h", "a", "1", "b", "2")
        wire.call("HEXPIRE", "h", 1000, "FIELDS", 1, "a")
        assert server.info("keyspace")["db0"].endswith("keys=1,expires=0,avg_ttl=0,subexpiry=1")
        assert wire.call("HPEXPIRE", "h", 20, "FIELDS", 1, "a") == [1]
        await_event(listener, "h", "hexpired")
        assert server.info("stats")["expired_subkeys"] == "1"
        assert server.info("keyspace")["db0"].endswith("subexpiry=0")
        wire.call("HPEXPIRE", "h", 20, "FIELDS", 1, "b")
        await_event(listener, "h", "del")
        assert wire.call("DBSIZE") == 0
        assert server.info("stats")["expired_subkeys"] == "2"
        wire.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        wire.call("HSET", "h", "a", "1", "b", "2")
        wire.call("HPEXPIRE", "h", 1, "FIELDS", 1, "a")
        wire.call("DEBUG", "SLEEP", 0.05)
        assert server.info("keyspace")["db0"].endswith("subexpiry=1")
        wire.call("DEBUG", "SET-ACTIVE-EXPIRE", 1)
        await_event(listener, "h", "hexpired")
        wire.call("CONFIG", "RESETSTAT")
        assert server.info("stats")["expired_subkeys"] == "0"


def test_who_waits_for_a_stream_hears_that_it_has_expired(tmp_path: Path) -> None:
    with Running(tmp_path) as server, server.connect() as wire, server.connect() as waiting:
        wire.call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
        waiting.send(hiredis.pack_command(("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")))
        wire.call("PEXPIRE", "s", 20)
        assert str(waiting.read()).startswith("NOGROUP No such key 's'")
