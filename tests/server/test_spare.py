"""What is left over is given back when no client waits."""

from __future__ import annotations

import random

from pycache_server.server.gc import Collector
from pycache_server.server.spare import SpareMemory
from pycache_server.store.clock import Clock
from pycache_server.store.keyspace import Keyspace
from pycache_server.store.tidy import Tidier


def test_it_waits_for_the_end_of_a_round_and_for_silence() -> None:
    tidier = Tidier(Keyspace(1, Clock(1.7e9), random.Random(1).randrange))
    trimmed: list[int] = []
    spare = SpareMemory(tidier, Collector(), lambda pad: trimmed.append(pad) or 0)
    spare.step(10)
    spare.step(10)
    assert not trimmed, "nothing has gone"
    tidier.rounds += 1
    spare.step(20)
    assert not trimmed, "there were commands"
    spare.step(20)
    assert trimmed == [0] and spare.given_back == 1
    spare.step(20)
    assert trimmed == [0], "once is enough"
