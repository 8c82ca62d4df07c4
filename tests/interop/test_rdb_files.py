"""RDB files between this server and a real one, both ways: what one has written the other loads, with the same digest
of everything."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pycache_server.evict.base import load_policy
from pycache_server.persist.opcodes import aux_of_position, aux_of_server
from pycache_server.testing.inprocess import World
from tests.conftest import RealRedis, require_program
from tests.persist.files import digest, fill, load, saved
from tests.server.running import Wire

pytestmark = pytest.mark.interop


class _Real:
    """A real server with a file of its own; ``call`` as the client of a world."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.path = directory / "dump.rdb"
        self._server = RealRedis(directory, "--enable-protected-configs", "yes", *options)
        self._wire = Wire(("127.0.0.1", self._server.port))

    def call(self, *words: Any) -> Any:
        return self._wire.call(*words)

    def file(self) -> bytes:
        """The file of what it holds."""
        assert self.call("SAVE") == "OK"
        return self.path.read_bytes()

    def load(self, data: bytes) -> None:
        self.path.write_bytes(data)
        assert self.call("DEBUG", "RELOAD", "NOSAVE") == "OK"

    def digest(self) -> str:
        return str(self.call("DEBUG", "DIGEST"))

    def knows_times_of_fields(self) -> bool:
        return "unknown command" not in str(self.call("HPEXPIRE", "nothing", 1, "FIELDS", 1, "f"))

    def stop(self) -> None:
        self._wire.close()
        self._server.stop()


@pytest.fixture(scope="module")
def _real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Real]:
    server = _Real(tmp_path_factory.mktemp("redis-files"))
    yield server
    server.stop()


@pytest.fixture
def real(_real: _Real) -> _Real:
    _real.call("CONFIG", "RESETSTAT")
    _real.call("FLUSHALL")
    _real.call("FUNCTION", "FLUSH")
    _real.call("SELECT", 0)
    return _real


SMALL = {"list-max-listpack-size": "3", "set-max-intset-entries": "2"}
SMALL |= {f"{kind}-max-listpack-entries": "2" for kind in ("hash", "zset")}


@pytest.mark.parametrize("limits", [{}, SMALL], ids=["compact", "small limits"])
@pytest.mark.parametrize("compression", ["yes", "no"])
def test_we_load_what_a_real_server_has_written(
    real: _Real, world: World, limits: dict[str, str], compression: str
) -> None:
    real.call("CONFIG", "SET", "rdbcompression", compression)
    for name, value in limits.items():
        real.call("CONFIG", "SET", name, value)
    try:
        fill(real, fields=real.knows_times_of_fields())  # type: ignore[arg-type]
        real.call("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
        data = real.file()
    finally:
        for name in limits:
            real.call("CONFIG", "SET", name, {"list-max-listpack-size": "-2"}.get(name, "128"))
    loading = load(world, data)
    assert digest(world).hex() == real.digest()
    assert loading.functions[0].startswith(b"#!lua name=lib")
    assert loading.aux[b"redis-ver"] == str(real.call("INFO", "server")).split("redis_version:")[1].split()[0].encode()


def test_a_real_server_loads_what_we_have_written(real: _Real, world: World) -> None:
    world.host.now = world.core.clock.time = float(real.call("TIME")[0])
    fill(world.connect(), fields=real.knows_times_of_fields())
    aux = [*aux_of_server("7.4.0", 1_700_000_000, 1), *aux_of_position(0, b"a" * 40, 5)]
    code = b"#!lua name=lib\nredis.register_function('f', function() return 1 end)"
    real.load(saved(world, aux=aux, functions=[code]))
    assert real.digest() == digest(world).hex()
    assert real.call("FCALL", "f", 0) == 1
    assert real.call("PTTL", "session") > 900_000


def test_a_server_that_does_not_know_times_of_fields_loads_a_file_without_them(real: _Real, world: World) -> None:
    world.host.now = world.core.clock.time = float(real.call("TIME")[0])
    fill(world.connect())
    real.load(saved(world, without_times=True))
    assert real.call("HGET", "volatile", "f") == "v"
    assert real.call("DBSIZE") == world.connect().call("DBSIZE")


@pytest.mark.parametrize("checksum", [True, False])
def test_the_checker_takes_our_files(world: World, tmp_path: Path, checksum: bool) -> None:
    fill(world.connect(), fields=False)
    path = tmp_path / "dump.rdb"
    path.write_bytes(saved(world, checksum=checksum, functions=[b"#!lua name=lib\nredis.log(1, 'x')"]))
    found = subprocess.run([require_program("redis-check-rdb"), path], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
    assert "RDB looks OK!" in found.stdout
    assert f"[info] {sum(database.size for database in world.core.keyspace.databases)} keys read" in found.stdout


@pytest.mark.parametrize(("policy", "question"), [("allkeys-lru", "IDLETIME"), ("allkeys-lfu", "FREQ")])
def test_how_keys_were_used_comes_over(real: _Real, policy: str, question: str) -> None:
    real.call("CONFIG", "SET", "maxmemory-policy", policy)
    try:
        real.call("SET", "k", "v")
        real.call("RESTORE", "other", 0, real_dump(real), *(("IDLETIME", 500) if "lru" in policy else ("FREQ", 77)))
        data = real.file()
    finally:
        real.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
    world = World()
    world.core.shape.use_engine(load_policy(policy).engine)
    while world.core.shape.step():
        pass
    world.host.now = world.core.clock.time = 1_700_001_000.0
    load(world, data)
    told = world.connect().call("OBJECT", question, "other")
    assert told == (500 if "lru" in policy else 77)
    again = saved(world)
    real.call("CONFIG", "SET", "maxmemory-policy", policy)
    try:
        real.load(again)
        assert abs(real.call("OBJECT", question, "other") - told) <= 2
    finally:
        real.call("CONFIG", "SET", "maxmemory-policy", "noeviction")


def real_dump(real: _Real) -> bytes:
    """What a real server answers to DUMP, as bytes."""
    return str(real.call("DUMP", "k")).encode("utf-8", "surrogateescape")


def test_a_file_of_ours_is_loaded_at_the_start_of_a_real_server(world: World, tmp_path: Path) -> None:
    fill(world.connect(), fields=False)
    (tmp_path / "dump.rdb").write_bytes(saved(world))
    server = _Real(tmp_path)
    try:
        assert server.call("GET", "string") == "text"
    finally:
        server.stop()
