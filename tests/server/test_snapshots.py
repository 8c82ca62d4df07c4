"""Snapshots for somebody else: chunks to a function, pauses, ends before the end; and servers within a program."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pycache_server.persist.opcodes import Aux, aux_of_position
from pycache_server.server.app import App
from pycache_server.server.embed import Server, ThreadedServer
from pycache_server.server.loads import CannotLoad
from pycache_server.server.snapshots import REPLICAS, Refused, Snapshot
from pycache_server.store.bulk import put_all
from pycache_server.store.events import DEL
from pycache_server.testing.inprocess import World
from tests.persist.files import load
from tests.server.running import ROOT, Running

pytestmark = pytest.mark.process

SCRIPT = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.server.test_snapshots import forked
asyncio.run(forked(Path({path!r})))
"""


def _fill(app: App, keys: int) -> None:
    names = [b"key:%d" % number for number in range(keys)]
    put_all(app.core.keyspace.databases[0], names, [b"v" * 50] * keys, DEL)


class _Sink:
    """Takes a snapshot, and notes what happens to it."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.parts: list[bytes] = []
        self.ended = asyncio.Event()
        self.begun = 0

    def start(self) -> Snapshot:
        return self.app.snapshots.start(self.parts.append, REPLICAS, self._on_end, self._on_begin)

    def _on_begin(self) -> Sequence[Aux]:
        self.begun += 1
        return aux_of_position(3, b"i" * 40, 77)

    def _on_end(self, snapshot: Snapshot) -> None:
        self.ended.set()

    async def end(self) -> None:
        await asyncio.wait_for(self.ended.wait(), 20)

    def data(self) -> bytes:
        return b"".join(self.parts)


async def _gives_what_was_there(app: App) -> None:
    sink = _Sink(app)
    snapshot = sink.start()
    assert sink.begun == 1
    app.core.keyspace.databases[0].put(b"later", b"v", DEL)
    with pytest.raises(Refused, match="already in progress"):
        app.snapshots.start(sink.parts.append, REPLICAS, lambda each: None)
    await sink.end()
    assert not snapshot.error
    assert app.snapshots.running is None
    world = World()
    loading = load(world, sink.data())
    assert (loading.aux[b"repl-offset"], loading.aux[b"repl-stream-db"]) == (b"77", b"3")
    assert loading.progress.keys == snapshot.keys == 20_000
    assert world.connect().call("EXISTS", "later") == 0


async def _waits_for_a_slow_sink(app: App) -> None:
    sink = _Sink(app)
    snapshot = sink.start()
    snapshot.pause()
    for _ in range(5):
        await asyncio.sleep(0.01)
    assert len(sink.data()) == 0
    assert not sink.ended.is_set()
    snapshot.resume()
    await sink.end()
    assert load(World(), sink.data()).progress.keys == 20_001


async def _ends_early(app: App) -> None:
    for paused in (False, True):
        sink = _Sink(app)
        snapshot = sink.start()
        if paused:
            snapshot.pause()
        snapshot.abort()
        await sink.end()
        assert snapshot.aborted
        assert snapshot.error
        sink = _Sink(app)
        sink.start()
        app.snapshots.abort()
        assert sink.ended.is_set()
        assert app.snapshots.running is None


async def _survives_a_sink_that_fails(app: App) -> None:
    ended = asyncio.Event()

    def fail(data: bytes) -> None:
        raise ValueError("no room")

    snapshot = app.snapshots.start(fail, REPLICAS, lambda each: ended.set())
    await asyncio.wait_for(ended.wait(), 20)
    assert "no room" in snapshot.error


ALL: list[Callable[[App], Awaitable[None]]] = [
    _gives_what_was_there,
    _waits_for_a_slow_sink,
    _ends_early,
    _survives_a_sink_that_fails,
]


async def forked(directory: Path) -> None:
    """All of it in a process of its own, by children."""
    async with Server(dir=str(directory), manage_gc=True) as server:
        app = server.app
        app.embedded = False
        assert app.snapshots.forks_here()
        _fill(app, 20_000)
        for part in ALL:
            await part(app)
        assert app.snapshots.forks >= len(ALL)
        app.embedded = True


def test_slices_do_all_of_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with Server(dir=str(tmp_path)) as server:
            assert not server.app.snapshots.forks_here()
            _fill(server.app, 20_000)
            for part in ALL:
                await part(server.app)

    asyncio.run(main())


def test_children_do_all_of_it(tmp_path: Path) -> None:
    script = SCRIPT.format(root=str(ROOT), path=str(tmp_path))
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False)
    assert found.returncode == 0, found.stderr


async def _keys(server: Server) -> int:
    return server.app.core.keyspace.databases[0].size


def test_a_server_in_a_program_has_its_data_when_it_is_there_and_keeps_them(tmp_path: Path) -> None:
    async def once(**options: Any) -> int:
        async with Server(**options) as server:
            found = await _keys(server)
            _fill(server.app, found + 1)
            return found

    options = {"dir": str(tmp_path), "save": "3600 1"}
    assert [asyncio.run(once(**options)) for _ in range(3)] == [0, 1, 2]
    assert asyncio.run(once(dir=str(tmp_path))) == 3  # which does not save
    assert asyncio.run(once(dir=str(tmp_path))) == 3


def test_a_server_in_a_program_leaves_a_file_alone_that_nobody_has_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"rubbish")
    monkeypatch.chdir(tmp_path)

    async def once() -> int:
        async with Server() as server:
            return await _keys(server)

    assert asyncio.run(once()) == 0
    assert (tmp_path / "dump.rdb").read_bytes() == b"rubbish"


def test_a_server_in_a_program_does_not_start_with_a_bad_file(tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"rubbish that is long enough")

    async def once() -> None:
        async with Server(dir=str(tmp_path)):
            pass

    with pytest.raises(CannotLoad, match="offset 0"):
        asyncio.run(once())
    with pytest.raises(CannotLoad, match="offset 0"), ThreadedServer(dir=str(tmp_path)):
        pass


def test_a_hash_of_an_engine_survives_saves_in_slices_under_load(tmp_path: Path) -> None:
    with Running(tmp_path, "--snapshot-method", "slices", "--maxmemory", "100mb") as server, server.connect() as wire:
        for number in range(3000):
            wire.call("SET", f"k{number}", number)
        wire.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        wire.call("BGSAVE")
        for number in range(3000):
            wire.call("INCR", f"k{number}")
        while server.info("persistence")["rdb_saves"] != "1":
            assert server.info("persistence")["rdb_last_bgsave_status"] == "ok"
    with Running(tmp_path) as server, server.connect() as wire:
        while "LOADING" in str(wire.call("PING")):
            pass
        assert wire.call("MGET", "k0", "k2999") == ["0", "2999"]
