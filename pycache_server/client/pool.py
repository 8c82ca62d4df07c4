"""Reads spread over followers, for programs without a proxy in front.

::

    sentinel = redis.sentinel.Sentinel([("10.0.0.1", 26379), ("10.0.0.2", 26379)])
    reads = ReadPool(sentinel, "crm", balance="leastconn")
    writes = sentinel.master_for("crm")
    reads.get("customer:17")

A ReadPool is a redis-py client: every command goes to a follower that the sentinels name, chosen anew each time. A
follower that does not answer is left out for a while, and the command is sent to another one; it only reads, so that
does no harm. Where no follower is left, the leader answers. Followers are asked for again every ``refresh`` seconds,
and at once when one has failed.

It knows nothing of consistency: what a follower answers is committed, but may be old.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pycache_server.client.balance import BALANCERS, Balancer, Node

try:
    import redis
    from redis.sentinel import MasterNotFoundError, Sentinel
except ImportError as error:  # pragma: no cover - tested in a process of its own
    raise ImportError("ReadPool needs redis-py: pip install 'pycache-server[client]'") from error

_FAILURES = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)


class ReadPool(redis.Redis):
    """A redis-py client whose commands go to followers.

    ``balance`` is roundrobin, weighted, random or leastconn; ``weights`` has the shares of nodes by ``(host, port)``,
    1 where nothing is said. ``refresh`` and ``retry_after`` are in seconds: how old the list of followers may be, and
    how long one that has failed is left out. ``options`` are those of redis.Redis for each node.

    A pipeline, a subscription or a scan in several steps stays with one follower: ``pipeline()`` and ``pubsub()``
    choose when they are called, and ``chosen()`` gives a client of one follower.

    Raises ValueError where there is no such ``balance``.
    """

    def __init__(
        self,
        sentinel: Sentinel,
        service: str,
        balance: str = "roundrobin",
        weights: Mapping[tuple[str, int], int] | None = None,
        refresh: float = 1.0,
        retry_after: float = 1.0,
        chance: Callable[[], float] = random.random,
        ticks: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        if balance not in BALANCERS:
            raise ValueError(f"balance is one of {', '.join(BALANCERS)}, not {balance}")
        if any(weight < 1 for weight in (weights or {}).values()):
            raise ValueError("a weight is a whole number from 1 on")
        super().__init__(**options)
        self._sentinel: Any = sentinel
        self._service = service
        self._balancer: Balancer = BALANCERS[balance](chance)
        self._weights = dict(weights or {})
        self._refresh = refresh
        self._retry_after = retry_after
        self._ticks = ticks
        self._options = options
        self._lock = threading.Lock()
        self._nodes: dict[tuple[str, int], Node] = {}
        self._clients: dict[tuple[str, int], redis.Redis] = {}
        self._failed: dict[tuple[str, int], float] = {}  # until when a node is left out
        self._asked: float | None = None

    # What redis.Redis sends

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command to a follower, or to another one where that one does not answer.

        Raises what redis-py raises; MasterNotFoundError where no node is left.
        """
        while True:
            with self._busy() as (node, client):
                try:
                    return client.execute_command(*args, **options)  # type: ignore[no-untyped-call]
                except _FAILURES:
                    if node is None:
                        raise
                    self._fail(node)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:
        """A pipeline to one follower."""
        return self.chosen().pipeline(transaction, shard_hint)

    def pubsub(self, **options: Any) -> Any:
        """A subscription at one follower."""
        client: Any = self.chosen()
        return client.pubsub(**options)

    def chosen(self) -> redis.Redis:
        """A client of one follower, or of the leader where there is none."""
        with self._busy() as (_, client):
            return client

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            clients, self._clients, self._nodes = list(self._clients.values()), {}, {}
        for client in clients:
            client.close()
        super().close()

    # Who is asked

    @contextmanager
    def _busy(self) -> Iterator[tuple[Node | None, redis.Redis]]:
        """A node that is being asked, and its client; no node where it is the leader."""
        node = self._choose()
        if node is None:
            yield None, self._client(self._sentinel.discover_master(self._service))
            return
        try:
            yield node, self._client(node.address)
        finally:
            with self._lock:
                node.in_flight -= 1

    def _choose(self) -> Node | None:
        now = self._ticks()
        if self._asked is None or now - self._asked >= self._refresh:
            self._learn(self._sentinel.discover_slaves(self._service), now)
        with self._lock:
            nodes = [node for node in self._nodes.values() if self._failed.get(node.address, now) <= now]
            if not nodes:
                return None
            chosen = self._balancer.choose(nodes)
            chosen.in_flight += 1
            return chosen

    def _learn(self, addresses: list[tuple[str, int]], now: float) -> None:
        with self._lock:
            self._asked = now
            self._nodes = {
                address: self._nodes.get(address) or Node(address, self._weights.get(address, 1))
                for address in sorted(addresses)
            }
            gone = [address for address in self._clients if address not in self._nodes]
            clients = [self._clients.pop(address) for address in gone]
        for client in clients:
            client.connection_pool.disconnect(inuse_connections=False)

    def _client(self, address: tuple[str, int]) -> redis.Redis:
        with self._lock:
            client = self._clients.get(address)
            if client is None:
                client = self._clients[address] = redis.Redis(host=address[0], port=address[1], **self._options)
            return client

    def _fail(self, node: Node) -> None:
        with self._lock:
            self._failed[node.address] = self._ticks() + self._retry_after
            self._asked = None  # the sentinels may know more


__all__ = ["MasterNotFoundError", "ReadPool"]
