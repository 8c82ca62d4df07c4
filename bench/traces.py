"""Traces: which keys are asked for, one after the other. Generated ones, and files.

A key is a small number: keys are numbered in the order in which they first come. The generated traces are the same on
every machine, for one seed. They are caricatures, each of one thing that makes policies differ:

zipf    popularity that stays: the n-th most popular key is asked for in proportion to 1 / n ** 0.9
scans   the same with a report now and then that reads a table of rows which nobody else reads
drift   the same with a popularity that moves on: all the time some key or other gives its rank to a new one
crm     agents who work on a customer for a while, look into lists, and a batch at night that reads all customers
loop    a few more keys than there is room for, in turn
pools   an index page, then a data page, and so on: few index pages, many data pages

A folder of traces may hold files of little-endian 32-bit numbers (``.u32``), of text with a key a line (``.txt``), and
either compressed by xz. ``name.size.u32`` beside ``name.u32`` tells the sizes of values, and is no trace.
"""

from __future__ import annotations

import lzma
import random
import sys
from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

SUFFIXES = (".u32", ".u32.xz", ".txt", ".txt.xz")


class Trace(NamedTuple):
    """The keys asked for in their order, and how many different ones there are."""

    name: str
    keys: list[int]
    unique: int


def numbered(name: str, keys: Iterable[Hashable]) -> Trace:
    """A trace of any keys."""
    numbers: dict[Hashable, int] = {}
    found = [numbers.setdefault(key, len(numbers)) for key in keys]
    return Trace(name, found, len(numbers))


# Files


def read_folder(folder: Path) -> list[Trace]:
    """The traces of a folder, by their names.

    Raises FileNotFoundError where there is none.
    """
    files = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES) and ".size." not in path.name)
    if not files:
        raise FileNotFoundError(f"no trace in {folder}: looked for {', '.join(SUFFIXES)}")
    return [read_file(path) for path in files]


def read_file(path: Path) -> Trace:
    """A trace from a file."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        data = lzma.decompress(data)
    name, _, kind = path.name.removesuffix(".xz").rpartition(".")
    return numbered(name, _numbers(data) if kind == "u32" else data.split())


def _numbers(data: bytes) -> array[int]:
    found = array("I" if array("I").itemsize == 4 else "L", data)
    if sys.byteorder == "big":
        found.byteswap()
    return found


# Generated


def generate(name: str, requests: int, seed: int = 1) -> Trace:
    """A generated trace by its name, of about so many requests."""
    keys = GENERATORS[name](requests, random.Random(f"{name} {seed}"))
    return numbered(name, (key for key, _ in zip(keys, range(requests), strict=False)))


def ranks(keys: int, skew: float, chance: random.Random) -> Iterator[int]:
    """Without end: numbers below ``keys``, small ones more often."""
    shares = list(accumulate((rank + 1) ** -skew for rank in range(keys)))
    while True:
        yield from chance.choices(range(keys), cum_weights=shares, k=1000)


def _zipf(requests: int, chance: random.Random) -> Iterator[int]:
    return ranks(requests // 8, 0.9, chance)


def _scans(requests: int, chance: random.Random) -> Iterator[int]:
    """Ten reports, which are a quarter of all requests."""
    popular = ranks(requests // 8, 0.9, chance)
    rows = range(-requests // 40, 0)
    while True:
        for _ in range(3 * len(rows)):
            yield next(popular)
        yield from rows


def _drift(requests: int, chance: random.Random) -> Iterator[int]:
    """One request in ten changes who has some rank."""
    holders = list(range(requests // 16))
    fresh = len(holders)
    for rank in ranks(len(holders), 1.0, chance):
        yield holders[rank]
        if chance.random() < 0.1:
            holders[chance.randrange(len(holders))] = fresh
            fresh += 1


def _crm(requests: int, chance: random.Random) -> Iterator[tuple[str, int]]:
    """Thirty agents; two nights."""
    customers = requests // 20
    popular = ranks(customers, 0.7, chance)
    agents = [_agent(number, popular, chance) for number in range(30)]
    while True:
        for _ in range(requests // 2 - customers):
            yield next(agents[chance.randrange(len(agents))])
        for customer in range(customers):
            yield "customer", customer


def _agent(number: int, popular: Iterator[int], chance: random.Random) -> Iterator[tuple[str, int]]:
    """Customer after customer, with what belongs to them: contacts, orders, notes. Each view of a list shows 25 rows,
    one request in four asks for the agent's session, which is another one after some hundred requests."""
    session = number
    while True:
        customer = next(popular)
        if chance.random() < 0.1:
            first = chance.randrange(100) * 25
            yield from (("row", row) for row in range(first, first + 25))
        for _ in range(chance.randrange(5, 40)):
            kind = chance.choice(("session", "customer", "contact", "order", "note"))
            if kind == "session":
                yield kind, session
            elif kind == "customer":
                yield kind, customer
            else:
                yield kind, customer * 4 + chance.randrange(4)
        if chance.random() < 0.1:
            session += 1000


def _loop(requests: int, chance: random.Random) -> Iterator[int]:
    while True:
        yield from range(requests // 50)


def _pools(requests: int, chance: random.Random) -> Iterator[int]:
    index, data = requests // 1000, requests // 10
    while True:
        yield -1 - chance.randrange(index)
        yield chance.randrange(data)


GENERATORS: dict[str, Callable[[int, random.Random], Iterator[Hashable]]] = {
    "zipf": _zipf,
    "scans": _scans,
    "drift": _drift,
    "crm": _crm,
    "loop": _loop,
    "pools": _pools,
}
