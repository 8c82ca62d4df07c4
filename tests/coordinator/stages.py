"""The three engines, each with what stands behind it, so that one suite can ask all of them the same."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Callable
from typing import Any

from pycache_server.coordinator.engine import Claim, Engine, Seen, Setup
from pycache_server.server.coordinator.builtin import Builtin
from pycache_server.server.coordinator.consul import Consul
from pycache_server.server.coordinator.etcd import Etcd
from tests.coordinator.etcd_cluster import EtcdCluster
from tests.coordinator.fake_consul import FakeConsul
from tests.coordinator.group import SEATS, FakeGroup

PATIENCE = 15.0


async def until(condition: Callable[[], Any], what: str = "") -> None:
    """Wait for what must come."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"it does not come: {what}"
        await asyncio.sleep(0.01)


class Stage:
    """One engine. A test gets seats, lets one be the holder, and asks."""

    kind = ""
    ttl = 1000.0

    def __init__(self) -> None:
        self.prefix = f"test-{uuid.uuid4().hex}"
        self.groups = {seat: FakeGroup(seat) for seat in SEATS}
        self.engines: list[Engine] = []

    def make(self, setup: Setup, group: FakeGroup) -> Engine:
        raise NotImplementedError

    def setup(self, seat: str) -> Setup:
        raise NotImplementedError

    def engine(self, seat: str) -> Engine:
        made = self.make(self.setup(seat), self.groups[seat])
        self.engines.append(made)
        return made

    def claim(self, seat: str) -> Claim:
        return Claim(seat, self.groups[seat].epoch, self.groups[seat].leads)

    def elect(self, seat: str | None) -> None:
        """What the builtin engine goes by; the others do not."""

    async def join(self, seat: str) -> Engine:
        engine = self.engine(seat)
        await engine.renew(self.claim(seat))
        return engine

    async def take(self, engine: Engine, seat: str) -> Seen:
        """Let a seat have the key, which is free."""
        self.elect(seat)
        await engine.renew(self.claim(seat))
        return await engine.acquire(self.claim(seat))

    async def give_up(self, engine: Engine) -> None:
        self.elect(None)
        await engine.release()

    async def close(self) -> None:
        for engine in self.engines:
            await engine.close()

    def end(self) -> None:
        """Stop what stands behind."""


class BuiltinStage(Stage):
    kind = "builtin"

    def make(self, setup: Setup, group: FakeGroup) -> Engine:
        return Builtin(setup, group)

    def setup(self, seat: str) -> Setup:
        return Setup(seat, self.prefix)

    def elect(self, seat: str | None) -> None:
        epoch = max(group.epoch for group in self.groups.values()) + (seat is not None)
        for group in self.groups.values():
            group.change(seat, epoch)


class EtcdStage(Stage):
    kind = "etcd"

    def __init__(self, cluster: EtcdCluster) -> None:
        super().__init__()
        self.cluster = cluster

    def make(self, setup: Setup, group: FakeGroup) -> Engine:
        return Etcd(setup, group)

    def setup(self, seat: str) -> Setup:
        return Setup(seat, self.prefix, self.cluster.endpoints, self.ttl)

    @staticmethod
    def endpoint_of(engine: Engine) -> str:
        """The server that is asked first."""
        assert isinstance(engine, Etcd)
        return engine._http.endpoints.current.authority


class ConsulStage(Stage):
    """A fake one, or a real agent: ``address`` is host:port."""

    kind = "consul"
    ttl = 400.0

    def __init__(self, address: str = "") -> None:
        super().__init__()
        self.fake = None if address else FakeConsul()
        self.address = address or (self.fake.endpoint if self.fake else "")

    def make(self, setup: Setup, group: FakeGroup) -> Engine:
        return Consul(setup, group)

    def setup(self, seat: str) -> Setup:
        token = os.environ.get("CONSUL_HTTP_TOKEN", "") if self.fake is None else ""
        return Setup(seat, self.prefix, (self.address,), self.ttl, token=token)

    def end(self) -> None:
        if self.fake is not None:
            self.fake.close()
