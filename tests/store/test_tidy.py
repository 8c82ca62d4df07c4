"""Buckets give their room back though some of their keys stay."""

from __future__ import annotations

import random
import sys

from pycache_server.store.clock import Clock
from pycache_server.store.events import DEL
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.tidy import MANY, Tidier

KEYS = 100_000


def full() -> tuple[Keyspace, Tidier]:
    keyspace = Keyspace(2, Clock(1.7e9), random.Random(1).randrange)
    tidier = Tidier(keyspace)
    database = keyspace.databases[1]
    for number in range(KEYS):
        if number % 10:
            database.put_until(b"%d" % number, b"v", keyspace.clock.now() + 1000, DEL)
        else:
            database.put(b"%d" % number, b"v", DEL)
    assert not tidier.look()
    return keyspace, tidier


def expire(keyspace: Keyspace) -> None:
    keyspace.clock.time += 2
    while keyspace.databases[1].expire_due(1000):
        pass


def room(keyspace: Keyspace) -> int:
    return sum(map(sys.getsizeof, keyspace.databases[1].buckets))


def test_sparse_buckets_are_copied_in_slices() -> None:
    keyspace, tidier = full()
    most = room(keyspace)
    expire(keyspace)
    assert room(keyspace) > 0.7 * most
    assert tidier.look() and tidier.running
    slices = 1
    while tidier.step(1000):
        slices += 1
    assert slices > 10 and tidier.rounds == 1 and not tidier.running
    assert room(keyspace) < 0.5 * most
    keyspace.databases[1]._check()
    assert sorted(map(int, keyspace.databases[1].keys())) == list(range(0, KEYS, 10))
    assert not tidier.look(), "nothing more has gone"


def test_a_round_waits_until_no_more_keys_go_or_half_of_them_have_gone() -> None:
    keyspace, tidier = full()
    database = keyspace.databases[1]
    names = list(database.keys())
    for name in names[: KEYS // 3]:
        database.delete(name, DEL)
    assert not tidier.look(), "they may be still going"
    assert tidier.look()
    while tidier.step(1000):
        pass
    for name in names[KEYS // 3 : KEYS * 3 // 4]:
        database.delete(name, DEL)
    assert tidier.look()


def test_few_keys_that_go_are_not_worth_a_round() -> None:
    keyspace, tidier = full()
    database = keyspace.databases[1]
    for name in list(database.keys())[: MANY - 1]:
        database.delete(name, DEL)
    assert not tidier.look() and not tidier.look()


def test_a_new_table_is_told_to_who_wants_to_know_of_buckets() -> None:
    keyspace, tidier = full()
    told = 0

    def on_table(buckets: object) -> None:
        nonlocal told
        told += 1

    keyspace.on_table = on_table
    expire(keyspace)
    assert tidier.look()
    while tidier.step(1000):
        pass
    assert told > 1000


def test_a_flush_in_between_does_no_harm() -> None:
    keyspace, tidier = full()
    expire(keyspace)
    assert tidier.look() and tidier.step(100)
    keyspace.databases[1].flush()
    assert not tidier.step(10_000_000)
