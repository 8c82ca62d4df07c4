"""Scripts and functions with flags, where the server has no room, too few replicas, or follows somebody out of reach:
each is refused as redis-server refuses it, before it runs and before it is queued."""

from __future__ import annotations

from collections.abc import Iterator

import hiredis
import pytest

from tests.conftest import RealRedis
from tests.server.running import Running, Wire

pytestmark = pytest.mark.interop

LIBRARY = """#!lua name=test
local function reads() return redis.call('get', 'x') end
local function writes() return redis.call('set', 'x', '1') end
redis.register_function{function_name='reads', callback=reads, flags={'no-writes'}}
redis.register_function{function_name='stale', callback=reads, flags={'allow-stale'}}
redis.register_function{function_name='writes', callback=writes}
redis.register_function{function_name='full', callback=writes, flags={'allow-oom'}}
redis.register_function{function_name='asks', callback=function() return #redis.call('info', 'server') > 5 end,
                        flags={'allow-stale', 'no-writes'}}
redis.register_function{function_name='late', callback=reads, flags={'allow-stale', 'no-writes'}}
"""
FUNCTIONS = ("reads", "stale", "writes", "full", "asks", "late", "nothing")
SCRIPTS = (
    "#!lua\nreturn redis.call('set', 'a', 1)",
    "#!lua flags=no-writes\nreturn redis.call('get', 'a')",
    "#!lua flags=allow-oom,allow-stale\nreturn redis.call('set', 'a', 1)",
    "#!lua flags=nonsense\nreturn 1",
    "return redis.call('set', 'a', 1)",
    "return redis.call('get', 'a')",
    "return 1",
)
STATES = {
    "nothing is wrong": [],
    "full": ["CONFIG SET maxmemory 1"],
    "few replicas": ["CONFIG SET min-replicas-to-write 1"],
    "follows": ["REPLICAOF 127.0.0.1 1"],
    "out of reach": ["CONFIG SET replica-serve-stale-data no", "REPLICAOF 127.0.0.1 1"],
    "out of reach and full": [
        "CONFIG SET replica-serve-stale-data no", "CONFIG SET maxmemory 1", "REPLICAOF 127.0.0.1 1",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def wires(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Wire]]:
    theirs = RealRedis(tmp_path_factory.mktemp("redis"))
    try:
        with (
            Running(tmp_path_factory.mktemp("ours")) as ours,
            ours.connect() as mine,
            Wire(("127.0.0.1", theirs.port)) as other,
        ):
            for wire in (other, mine):
                assert wire.call("FUNCTION", "LOAD", LIBRARY) == "test"
            yield [other, mine]
    finally:
        theirs.stop()


def programs() -> Iterator[list[tuple[str, ...]]]:
    for command in ("FCALL", "FCALL_RO"):
        for name in FUNCTIONS:
            yield [(command, name, "0")]
    for command in ("EVAL", "EVAL_RO"):
        for code in SCRIPTS:
            yield [(command, code, "0")]
    for command in ("EVALSHA", "EVALSHA_RO"):
        yield [(command, "f" * 40, "0")]
    for code in SCRIPTS[:3]:
        yield [("SCRIPT", "LOAD", code)]
    for first in ("writes", "reads", "stale", "nothing"):
        yield [("MULTI",), ("FCALL", first, "0"), ("FCALL", "asks", "0"), ("EVAL", SCRIPTS[-1], "0"), ("EXEC",)]


@pytest.mark.parametrize("state", STATES)
def test_what_scripts_say_of_themselves_counts_before_they_run(wires: list[Wire], state: str) -> None:
    try:
        for wire in wires:
            for line in STATES[state]:
                assert wire.call(*line.split()) == "OK"
        for program in programs():
            theirs, mine = ([shown(wire.call(*words)) for words in program] for wire in wires)
            assert mine == theirs, program
    finally:
        for wire in wires:
            for line in (
                "REPLICAOF NO ONE",
                "CONFIG SET maxmemory 0 min-replicas-to-write 0 replica-serve-stale-data yes",
            ):
                assert wire.call(*line.split()) == "OK"


def shown(reply: object) -> object:
    """A reply that can be compared."""
    if isinstance(reply, list):
        return [shown(each) for each in reply]
    return f"error: {reply}" if isinstance(reply, hiredis.ReplyError) else reply
