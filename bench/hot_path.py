"""Nanoseconds per command in this process, without network: what each layer of the hot path costs.

    python -m bench.hot_path
    python -m bench.hot_path --hotkeys 10         # while HOTKEYS counts the keys of one command in 10
    python -m bench.hot_path --feed               # while one sink hears of all writes, and makes bytes of them
    python -m bench.hot_path --simulate 0.01      # while EVICTION START simulates five policies with that RATE

100,000 random keys and 64-byte values, as in bench.throughput; the best of interleaved rounds. "hiredis" is that
library alone, "parse" our parser with the guard in front of it, "PING" adds the loop and a reply, GET, SET and INCR add
the keyspace.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from collections.abc import Callable, Iterable

import hiredis

from bench.common import pack, plot_bars, save, table
from pycache_server.evict.base import load_policy
from pycache_server.resp.exact import InputLimits
from pycache_server.resp.parser import NOTHING, Parser
from pycache_server.server.commands.eviction import KEYS as MOST_KNOWN
from pycache_server.server.commands.eviction import PERCENTS, POLICIES
from pycache_server.server.host import RealHost
from pycache_server.server.log import Log
from pycache_server.session.feed import REPLICAS, Sink, Told
from pycache_server.session.session import Session
from pycache_server.session.setup import make_core
from pycache_server.session.stream import CommandStream
from pycache_server.store.simulation import Simulation

KEYS = 100_000
VALUE = b"x" * 64
COMMANDS = 20_000


class NoLink:
    """A connection that goes nowhere."""

    def write(self, data: bytes) -> None:
        pass

    write_late = write

    def buffered(self) -> int:
        return 0

    def descriptor(self) -> int:
        return -1

    def pause_reading(self) -> None:
        pass

    resume_reading = close = abort = pause_reading


class NoLoop:
    """An event loop that nothing is planned on."""

    def call_soon(self, *_: object) -> None:
        pass

    call_later = call_soon


def key(number: int) -> bytes:
    return b"key:%012d" % number


def batches(make: Callable[[bytes], list[bytes]], depth: int) -> list[bytes]:
    """Pipelines of commands with random keys."""
    commands = [pack(make(key(random.randrange(KEYS)))) for _ in range(COMMANDS)]
    return [b"".join(commands[start : start + depth]) for start in range(0, COMMANDS, depth)]


def receive(session: Session, pipelines: Iterable[bytes]) -> None:
    take = session.receive
    for data in pipelines:
        take(data)


def parse(parser: Parser, pipelines: Iterable[bytes]) -> None:
    """What the session's loop does with a parser, and nothing else."""
    for data in pipelines:
        source = parser.feed(data)
        assert source is not None
        while type(argv := source()) is list:
            count = len(argv)
            if count == 2:
                if type(argv[1]) is not bytes:
                    raise TypeError
            elif count == 3 and (type(argv[1]) is not bytes or type(argv[2]) is not bytes):
                raise TypeError
        if argv is not NOTHING or parser.more or parser.depth.value > 0 or parser.has_data():
            raise AssertionError


def parse_unguarded(reader: hiredis.Reader, pipelines: Iterable[bytes]) -> None:
    feed, gets = reader.feed, reader.gets
    for data in pipelines:
        feed(data)
        while gets() is not NOTHING:
            pass


def best(work: Callable[[], None]) -> Callable[[], float]:
    """A function that runs the work once and returns the best time so far, in ns per command."""
    times: list[float] = []

    def once() -> float:
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) / COMMANDS * 1e9)
        return min(times)

    return once


class Bytes(Sink):
    """A sink that makes bytes of what it hears, and keeps the last."""

    kind = REPLICAS

    def __init__(self) -> None:
        self._encode = CommandStream().encode
        self.data = b""

    def take(self, unit: list[Told]) -> None:
        self.data = self._encode(unit)


def observe(session: Session, arguments: argparse.Namespace) -> None:
    """Turn on what is to be measured beside the commands."""
    core = session.core
    if arguments.hotkeys:
        session.receive(pack([b"HOTKEYS", b"START", b"SAMPLE", b"%d" % arguments.hotkeys]))
    if arguments.feed:
        core.feed.open(Bytes())
    if arguments.simulate:
        policies = [load_policy(name) for name in (*POLICIES, "allkeys-adaptive")]
        held = 300 * KEYS
        simulation = Simulation(held, policies, PERCENTS, core.shape.surroundings, MOST_KNOWN, arguments.simulate)
        core.shape.use_shadows(simulation)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--hotkeys", type=int, metavar="RATIO", help="count accesses meanwhile")
    parser.add_argument("--feed", action="store_true", help="tell a sink of all writes meanwhile")
    parser.add_argument("--simulate", type=float, metavar="RATE", help="simulate other policies meanwhile")
    arguments = parser.parse_args()
    core = make_core(RealHost(NoLoop(), Log(quiet=True)))  # type: ignore[arg-type]
    session = Session(core, NoLink())
    core.stats.sample_mask = 31
    random.seed(1)
    gc.disable()
    for number in range(KEYS):
        session.receive(pack([b"SET", key(number), VALUE]))
        session.receive(pack([b"SET", b"counter:" + key(number), b"%d" % (number % 300)]))
    observe(session, arguments)
    makers: dict[str, Callable[[bytes], list[bytes]]] = {
        "PING": lambda name: [b"PING"],
        "GET": lambda name: [b"GET", name],
        "SET": lambda name: [b"SET", name, VALUE],
        "INCR": lambda name: [b"INCR", b"counter:" + name],
        "GET miss": lambda name: [b"GET", b"no" + name],
        "LPUSH": lambda name: [b"LPUSH", b"list:" + name[-3:], b"x"],
        "SET EX": lambda name: [b"SET", b"ex" + name, VALUE, b"EX", b"1000"],
    }
    rows = []
    for depth in (1, 16, 100):
        work: dict[str, Callable[[], float]] = {}
        gets = batches(makers["GET"], depth)
        sets = batches(makers["SET"], depth)
        for label, pipelines in (("GET", gets), ("SET", sets)):
            work[f"hiredis {label}"] = best(
                lambda data=pipelines: parse_unguarded(hiredis.Reader(notEnoughData=NOTHING), data)
            )
            work[f"parse {label}"] = best(lambda data=pipelines: parse(Parser(InputLimits()), data))
        for label, make in makers.items():
            pipelines = batches(make, depth)
            work[label] = best(lambda data=pipelines: receive(session, data))
        figures = dict.fromkeys(work, 0.0)
        for _ in range(arguments.rounds):
            for label, once in work.items():
                figures[label] = once()
        rows.append({"depth": depth, **figures})
    labels = [label for label in rows[0] if label != "depth"]
    table(
        "ns per command in process",
        ["layer", *(f"depth {row['depth']}" for row in rows)],
        [[label, *(round(row[label]) for row in rows)] for label in labels],
    )
    guard = {row["depth"]: (row["parse GET"] - row["hiredis GET"]) / row["GET"] * 100 for row in rows}
    print(
        "the guard's share of a GET in process: "
        + ", ".join(f"{share:.1f} % at depth {depth}" for depth, share in guard.items())
    )
    name = "hot_path" + "_hotkeys" * bool(arguments.hotkeys) + "_simulate" * bool(arguments.simulate)
    name += "_feed" * arguments.feed
    save(name, {"rows": rows})
    plot_bars(
        name,
        "ns per command in process",
        labels,
        {f"depth {row['depth']}": [row[label] for label in labels] for row in rows},
        "ns",
    )


if __name__ == "__main__":
    main()
