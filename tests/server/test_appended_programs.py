"""Random programs, appended and loaded again: the same digest, with rewrites in between."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import hiredis
import pytest

from pycache_server.server.digest import dataset_digest
from pycache_server.server.embed import Server
from tests.conftest import some_slow

KEYS = [f"k{number}" for number in range(12)]
PROGRAM = 400


def command(chance: random.Random) -> list[Any]:
    """A command that may change something; many answer errors, because keys hold what they hold."""
    key, other = chance.choice(KEYS), chance.choice(KEYS)
    word, number = chance.choice("abcdefgh"), chance.randrange(-5, 20)
    return chance.choice(
        [
            ["SET", key, word, "PX", chance.choice((1, 5, 100_000))],
            ["SET", key, number],
            ["INCRBYFLOAT", key, "0.1"],
            ["GETEX", key, "PERSIST"],
            ["APPEND", key, word],
            ["SETRANGE", key, 3, word],
            ["DEL", key],
            ["RENAME", key, other],
            ["COPY", key, other, "REPLACE"],
            ["LPUSH", key, word, number],
            ["RPOPLPUSH", key, other],
            ["LINSERT", key, "BEFORE", word, number],
            ["LTRIM", key, 0, 3],
            ["SADD", key, word, number],
            ["SPOP", key, 2],
            ["SMOVE", key, other, word],
            ["SUNIONSTORE", key, key, other],
            ["ZADD", key, number, word],
            ["ZINCRBY", key, "0.5", word],
            ["ZPOPMIN", key],
            ["HSET", key, word, number],
            ["HINCRBYFLOAT", key, word, "0.3"],
            ["HPEXPIRE", key, chance.choice((1, 100_000)), "FIELDS", 1, word],
            ["HDEL", key, word],
            ["XADD", key, "MAXLEN", "~", 5, "*", word, number],
            ["XGROUP", "CREATE", key, "g", "0"],
            ["XREADGROUP", "GROUP", "g", word, "COUNT", 2, "STREAMS", key, ">"],
            ["XAUTOCLAIM", key, "g", word, 0, "0"],
            ["PFADD", key, word, number],
            ["BITOP", "NOT", key, other],
            ["PEXPIRE", key, chance.choice((1, 100_000))],
            ["EVAL", "redis.call('SET', KEYS[1], 's') return redis.call('INCR', KEYS[2])", 2, key, other],
            ["SELECT", chance.randrange(3)],
            ["MULTI"],
            ["EXEC"],
            ["MOVE", key, chance.randrange(3)],
            ["SWAPDB", 0, chance.randrange(3)],
        ]
    )


async def _reply(reader: asyncio.StreamReader) -> Any:
    nothing = object()
    parser = hiredis.Reader(notEnoughData=nothing)
    while (value := parser.gets()) is nothing:
        data = await asyncio.wait_for(reader.read(1 << 16), 20)
        assert data, "the server has closed the connection"
        parser.feed(data)
    return value


async def run(directory: Path, chance: random.Random) -> None:
    preamble = chance.choice((True, False))
    async with Server(appendonly=True, dir=str(directory), save="", aof_use_rdb_preamble=preamble) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            for _ in range(PROGRAM):
                writer.write(hiredis.pack_command(tuple(command(chance))))
                await _reply(reader)
                if chance.random() < 0.005 and server.app.aof.rewrites.begun is None:
                    server.app.aof.rewrite()
        finally:
            writer.close()
        server.app.core.keyspace.expires_actively = False
        while server.app.aof.rewrites.begun is not None:
            await asyncio.sleep(0.01)
        server.app.core.clock.time = server.app.host.time() + 1  # what lives for ms only shall not go in between
        for database in server.app.core.keyspace.databases:
            while database.expire_due(1000):
                pass
        before = dataset_digest(server.app.core.keyspace)
    async with Server(appendonly=True, dir=str(directory), save="") as again:
        assert dataset_digest(again.app.core.keyspace) == before
        for database in again.app.core.keyspace.databases:
            database._check()


@pytest.mark.parametrize("seed", some_slow(range(60), 6))
def test_a_program_that_was_appended_makes_the_same_when_it_is_loaded(tmp_path: Path, seed: int) -> None:
    print("seed", seed)
    asyncio.run(run(tmp_path, random.Random(seed)))
