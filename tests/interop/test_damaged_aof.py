"""Append-only files that are damaged in every place: our server starts with them, or refuses to, as a real one does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import hiredis
import pytest

from pycache_server.persist.saving import save
from pycache_server.testing.inprocess import World
from tests.conftest import free_port, more_in_ci, require_program
from tests.server.running import ROOT, Wire

pytestmark = pytest.mark.interop
NAME = "appendonly.aof"
MANIFEST = f"file {NAME}.1.base.rdb seq 1 type b\nfile {NAME}.1.incr.aof seq 1 type i\n".encode()


def base() -> bytes:
    client = (world := World()).connect()
    for number in range(40):
        client.call("SET", f"k{number}", "v" * 20)
    client.call("RPUSH", "list", *range(40))
    return b"".join(save(world.core.keyspace))


def packed(*words: Any) -> bytes:
    return hiredis.pack_command(words)


BASE = base()
MULTI = packed("MULTI") + packed("SET", "t1", "1") + packed("SET", "t2", "2") + packed("EXEC")
INCREMENT = packed("SELECT", 0) + b"".join(packed("SET", f"n{number}", "x") for number in range(10)) + MULTI
HALF = INCREMENT.index(b"*3", len(INCREMENT) // 2)
OPEN = len(INCREMENT) - len(MULTI)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


BASES = {
    "empty": b"",
    "cut in its head": BASE[:5],
    "cut behind its head": BASE[:9],
    "cut in the middle": BASE[: len(BASE) // 2],
    "cut in front of its end": BASE[:-9],
    "cut in front of its checksum": BASE[:-8],
    "cut in its checksum": BASE[:-1],
    "of another kind": b"XEDIS" + BASE[5:],
    "of a version of the future": BASE[:5] + b"0099" + BASE[9:],
    "with another byte": flipped(BASE, BASE.index(b"vvv") + 3),  # of a string: in the list Redis may abort
    "with another checksum": flipped(BASE, len(BASE) - 1),
    "with commands behind it": BASE + packed("SET", "behind", "1"),
    "with garbage behind it": BASE + b"junk",
    "of commands": packed("SET", "only", "1"),
}
INCREMENTS = {
    "whole": INCREMENT,
    "empty": b"",
    **{f"cut behind {size} bytes": INCREMENT[:size] for size in (1, 4, 8, 20, HALF)},
    **{f"without the last {size} bytes": INCREMENT[:-size] for size in (1, 2, 3, 10, 15, 30)},
    "cut behind MULTI": INCREMENT[: OPEN + 15],
    "cut in front of MULTI": INCREMENT[:OPEN],
    "with zeros behind it": INCREMENT + bytes(64),
    "with garbage behind it": INCREMENT + b"garbage",
    "with an end of line behind it": INCREMENT + b"\r\n",
    "damaged in the middle": INCREMENT[:HALF] + b"?" + INCREMENT[HALF + 1 :],
    "with zeros in the middle": INCREMENT[:HALF] + bytes(10) + INCREMENT[HALF + 10 :],
    "with a negative number of words": INCREMENT + b"*-3\r\n",
    "with no words": INCREMENT + b"*0\r\n",
    "with too many words": INCREMENT + b"*2147483647\r\n",
    "with a huge word": INCREMENT + b"*1\r\n$99999999999\r\n",
    "with an unknown command": INCREMENT + packed("NOSUCH"),
    "with a wrong type": INCREMENT + packed("LPUSH", "k1", "x"),
    "with too high a database": INCREMENT + packed("SELECT", 99) + packed("SET", "behind", "1"),
    "with a transaction in a transaction": INCREMENT + packed("MULTI") + MULTI,
    "with EXEC alone": INCREMENT + packed("EXEC"),
    "with an annotation": INCREMENT + b"#TS:1234\r\n",
    "with an inline command": INCREMENT + b"SET a b\r\n",
    "with SHUTDOWN": INCREMENT + packed("SHUTDOWN"),
    "with a number for a word": INCREMENT + b"*2\r\n$3\r\nDEL\r\n:5\r\n",
}
MANIFESTS = {
    "empty": b"",
    "with an empty line": b"\n" + MANIFEST,
    "of garbage": b"junk\n",
    "cut": MANIFEST[:-5],
    "without the last end of line": MANIFEST[:-1],
    "with a long line": b"file " + b"x" * 2000 + b"\n" + MANIFEST,
    "with a path": MANIFEST.replace(b"file app", b"file ../app", 1),
    "with a file that is missing": MANIFEST + b"file nothere.incr.aof seq 9 type i\n",
    "with two bases": MANIFEST + MANIFEST.splitlines(keepends=True)[0],
    "with numbers that fall": MANIFEST.replace(b"incr.aof seq 1", b"incr.aof seq 5")
    + b"file other.incr.aof seq 3 type i\n",
    "with an unknown kind": MANIFEST.replace(b"type i", b"type z"),
    "with a number that is none": MANIFEST.replace(b"seq 1", b"seq x", 1),
    "with number zero": MANIFEST.replace(b"seq 1", b"seq 0", 1),
    "with a comment": b"# a comment\n" + MANIFEST,
    "with what it does not know": MANIFEST.replace(b" type i", b" other word type i"),
    "with an odd number of words": MANIFEST.replace(b" type i", b" type"),
    "of a base alone": MANIFEST.splitlines(keepends=True)[0],
    "of an increment alone": MANIFEST.splitlines(keepends=True)[1],
}
CASES = (
    [("base", name, (data, INCREMENT, MANIFEST)) for name, data in BASES.items()]
    + [("increment", name, (BASE, data, MANIFEST)) for name, data in INCREMENTS.items()]
    + [("manifest", name, (BASE, INCREMENT, data)) for name, data in MANIFESTS.items()]
)


def begin(program: list[str], place: Path, files: tuple[bytes, bytes, bytes], truncated: str) -> Any:
    """Start a server with such files: its process and its port."""
    directory = place / "appendonlydir"
    directory.mkdir(parents=True)
    for name, data in zip((f"{NAME}.1.base.rdb", f"{NAME}.1.incr.aof", f"{NAME}.manifest"), files, strict=True):
        (directory / name).write_bytes(data)
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(place), "--save", "", "--appendonly", "yes"]
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            [*program, *options, "--aof-load-truncated", truncated],
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    return process, port


def found(process: Any, port: int) -> Any:
    """What comes of a start: the exit code, or what the server holds."""
    deadline = time.monotonic() + 30
    try:
        while process.poll() is None:
            assert time.monotonic() < deadline
            try:
                with Wire(("127.0.0.1", port)) as wire:
                    keys = wire.call("KEYS", "*")
                    if isinstance(keys, list):
                        return {key: wire.call("DUMP", key) for key in sorted(keys)}
            except OSError:
                pass
            time.sleep(0.01)
        return process.returncode
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("truncated", ["yes", "no"])
@pytest.mark.parametrize("kind", ["base", "increment", "manifest"])
def test_damaged_files_are_taken_and_refused_as_by_a_real_server(tmp_path: Path, kind: str, truncated: str) -> None:
    redis = [require_program("redis-server")]
    ours = [sys.executable, "-m", "pycache_server"]
    cases = [(name, files) for of, name, files in CASES if of == kind]
    if truncated == "yes" or kind == "increment":
        cases = cases[:: more_in_ci(2, 1)]
    else:
        cases = cases[:3]
    for number, (name, files) in enumerate(cases):
        one = begin(ours, tmp_path / f"ours{number}", files, truncated)
        other = begin(redis, tmp_path / f"redis{number}", files, truncated)
        assert found(*one) == found(*other), (kind, name, (tmp_path / f"ours{number}" / "log").read_text())
