"""How many bytecodes a command takes, by function: what the interpreter has to do, without the noise of a clock.

    python -m bench.bytecodes
    python -m bench.bytecodes --policies allkeys-lfu --commands set --lines 2

A session in this process is sent GETs or SETs of random keys, 16 in each piece of input. With a policy 70 % of the keys
fit, so that three GETs in ten miss and three SETs in ten put in a key for which another has to go. CPython 3.11 takes
some 25 instructions for a bytecode. What C does, the parser say, and misses of the processor's cache are not in it.
Counts differ by a few from run to run, as hashes do.
"""

from __future__ import annotations

import argparse
import linecache
import random
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pycache_server
from bench.common import pack, table
from pycache_server.evict.base import load_policy
from pycache_server.testing.inprocess import World

PIECE = 16
"""Commands in a piece of input."""
WARM = 3
"""Each key is set so many times, on average, before it counts."""
_PACKAGE = str(Path(pycache_server.__file__).parent) + "/"

Place = tuple[str, str, int]
"""A file, a function and a line."""


def make_world(policy: str | None, keys: int) -> World:
    """A server that holds ``keys`` keys, or 70 % of them where there is a policy."""
    world = World()
    core = world.core
    if policy is not None:
        core.shape.use_engine(load_policy(policy).engine)
        while core.shape.step():
            pass
    client = world.connect(decode=False)
    for number in range(keys):
        client.call(b"SET", key(number), b"xxx")
    if policy is not None:
        core.room.limit(core.keyspace.held * 7 // 10)
        core.tables.refresh()
    core.stats.sample_mask = 31  # it is as busy as a server that is measured
    return world


def key(number: int) -> bytes:
    """A key, as redis-benchmark makes it."""
    return b"key:%012d" % number


def piece(command: str, keys: int, chance: random.Random) -> bytes:
    """Input of PIECE commands."""
    value = [b"xxx"] if command == "set" else []
    return b"".join(pack([command.upper().encode(), key(chance.randrange(keys)), *value]) for _ in range(PIECE))


def count(world: World, pieces: list[bytes]) -> Counter[Place]:
    """The bytecodes that it takes to execute some input."""
    found: Counter[Place] = Counter()

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        file, name = frame.f_code.co_filename.removeprefix(_PACKAGE), frame.f_code.co_name

        def step(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "opcode":
                found[file, name, frame.f_lineno or 0] += 1
            return step

        return step

    session = world.connect(decode=False).session
    before = sys.gettrace()
    sys.settrace(enter)
    try:
        for data in pieces:
            session.receive(data)
    finally:
        sys.settrace(before)
    return found


def measure(policy: str | None, command: str, keys: int, commands: int) -> Counter[Place]:
    """The bytecodes of so many commands on a warm server."""
    chance = random.Random(1)
    world = make_world(policy, keys)
    session = world.connect(decode=False).session
    for _ in range(WARM * keys // PIECE):
        session.receive(piece("set", keys, chance))
    return count(world, [piece(command, keys, chance) for _ in range(commands // PIECE)])


def report(title: str, found: Counter[Place], commands: int, least: float) -> None:
    """Print the functions, and the lines that take ``least`` bytecodes a command or more, if it is not 0."""
    functions: Counter[tuple[str, str]] = Counter()
    for (file, name, _), times in found.items():
        functions[file, name] += times
    rows = [[f"{times / commands:.1f}", name, file] for (file, name), times in functions.most_common(15)]
    table(title, ["bytecodes", "function", "file"], rows)
    for (file, _, line), times in sorted(found.items()):
        if least and times / commands >= least:
            text = linecache.getline(_PACKAGE + file, line).strip()
            print(f"{times / commands:9.1f}  {file}:{line}  {text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    engines = "allkeys-lru,allkeys-lfu,allkeys-timebucket,allkeys-adaptive"
    parser.add_argument(
        "--policies", default="none," + engines, help="policies, with commas; none is without an engine"
    )
    parser.add_argument("--commands", default="get,set", help="get, set, or both with a comma")
    parser.add_argument("--keys", type=int, default=20_000)
    parser.add_argument("--count", type=int, default=6400, help="how many commands are counted")
    parser.add_argument("--lines", type=float, default=0.0, metavar="LEAST", help="lines with so many bytecodes, too")
    arguments = parser.parse_args()
    if not {*arguments.commands.split(",")} <= {"get", "set"}:
        parser.error("--commands takes get and set")
    rows = []
    for policy in arguments.policies.split(","):
        row = [policy]
        for command in arguments.commands.split(","):
            found = measure(None if policy == "none" else policy, command, arguments.keys, arguments.count)
            row.append(f"{sum(found.values()) / arguments.count:.0f}")
            report(f"{policy}, {command}", found, arguments.count, arguments.lines)
        rows.append(row)
    table("bytecodes a command", ["policy", *arguments.commands.split(",")], rows)


if __name__ == "__main__":
    main()
