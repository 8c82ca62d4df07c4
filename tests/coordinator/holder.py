"""A process of its own that gets the key and tells every few milliseconds whether it believes that it holds it:
``python -m tests.coordinator.holder SEAT PREFIX TTL ENDPOINT...``"""

from __future__ import annotations

import asyncio
import sys
import time

from pycache_server.coordinator.engine import Setup
from pycache_server.server.coordinator.coordinate import Coordinator
from pycache_server.server.coordinator.etcd import Etcd
from tests.coordinator.group import FakeGroup


def tell(level: str, text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def report(what: str, error: BaseException) -> None:
    raise error


async def main(seat: str, prefix: str, ttl: str, *endpoints: str) -> None:
    group = FakeGroup(seat)
    engine = Etcd(Setup(seat, prefix, endpoints, float(ttl)), group)
    coordinator = Coordinator(engine, group, 0, tell, report, time.monotonic)
    coordinator.start()
    while True:
        if coordinator.holds() and not group.leads:
            group.change(seat, 2)
        print("holds" if coordinator.holds() else "no", flush=True)
        await asyncio.sleep(0.005)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
