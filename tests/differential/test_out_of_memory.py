"""Which commands are refused when memory is full and nothing may go: the same as by a real redis-server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import pycache_server.server.setup  # noqa: F401  (registers the server's commands, too)
from pycache_server.commands.registry import REGISTRY
from pycache_server.evict.noeviction import NoEviction
from pycache_server.store.events import UNHEARD
from tests.conftest import RealRedis
from tests.differential.oracle import Pair, Real

pytestmark = pytest.mark.interop

ENDINGS = {
    *("shutdown", "debug", "monitor", "quit", "reset", "subscribe", "psubscribe", "ssubscribe", "hello", "client"),
    *("psync", "sync"),
}
"""Commands after which a connection is another one, or none."""
BLOCKING = {"blpop", "brpop", "bzpopmin", "bzpopmax", "blmpop", "bzmpop", "blmove", "brpoplpush", "xread", "xreadgroup"}
NAMES = sorted(name for name, command in REGISTRY.items() if name not in ENDINGS | BLOCKING and not command.subcommands)


@pytest.fixture
def pair(real_redis: RealRedis) -> Iterator[Pair]:
    """Two servers that hold a key and may not."""
    pair = Pair(real_redis.port)
    core = pair.ours.world.core
    core.shape.use_engine(NoEviction)
    while core.shape.step():
        pass
    pair.run([b"SET", b"k", b"v"])
    limit(pair, 1)
    yield pair
    limit(pair, 0)
    pair.close()


def limit(pair: Pair, size: int) -> None:
    """Set maxmemory of both, past the connections of the test."""
    other = Real(pair.real.port, 2)
    other.call([b"CONFIG", b"SET", b"maxmemory", b"%d" % size])
    other.close()
    pair.ours.world.core.room.limit(size)
    pair.ours.world.core.tables.refresh()


def line_of(name: str) -> list[bytes]:
    """A command with as many words as it needs at least."""
    return [name.encode(), *[b"k"] * (abs(REGISTRY[name].arity) - 1)]


def is_refused(reply: object) -> bool:
    return str(reply).startswith("OOM command not allowed when used memory > 'maxmemory'.")


@pytest.mark.parametrize("name", NAMES)
def test_a_command_is_refused_as_by_redis(pair: Pair, name: str) -> None:
    argv = line_of(name)
    if str(pair.real.call([b"COMMAND", b"INFO", argv[0]])) == "[None]":
        pytest.skip(f"{name} is newer than this redis-server")
    theirs, mine = pair.real.call(argv), pair.ours.call(argv)
    assert is_refused(mine) == is_refused(theirs), (theirs, mine)
    if name in ("multi", "watch", "exec", "discard"):
        return
    pair.ours.world.core.keyspace.databases[0].put(b"k", b"v", UNHEARD)  # a real one is full without a key
    pair.run([b"MULTI"])
    theirs, mine = pair.real.call(argv), pair.ours.call(argv)
    assert is_refused(mine) == is_refused(theirs), (theirs, mine)
    pair.run([b"EXEC"])


@pytest.mark.parametrize("queued", [[b"SET", b"k", b"w"], [b"GET", b"k"], [b"DEL", b"k"]])
def test_exec_is_refused_where_a_command_that_needs_memory_was_queued_before(pair: Pair, queued: list[bytes]) -> None:
    limit(pair, 0)
    pair.run([b"MULTI"])
    pair.run(queued)
    limit(pair, 1)
    pair.run([b"EXEC"])
    pair.run([b"EXEC"])
