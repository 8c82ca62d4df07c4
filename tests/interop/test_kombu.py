"""kombu, Celery's messaging: queues as lists, what is not acknowledged in a sorted set, fanout by publishing."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.interop.conftest import require_command

kombu = pytest.importorskip("kombu")


@pytest.fixture
def connection(redis_port: int) -> Iterator[Any]:
    require_command(redis_port, "EVALSHA", "SCRIPT")  # the lock with which what is not acknowledged is put back
    options = {"visibility_timeout": 100, "fanout_prefix": True, "fanout_patterns": True}
    with kombu.Connection(f"redis://127.0.0.1:{redis_port}/0", transport_options=options) as found:
        yield found


@pytest.fixture
def client(redis_port: int) -> Iterator[redis.Redis]:
    with redis.Redis(port=redis_port) as found:
        yield found


def test_messages_are_acknowledged_refused_and_put_back(connection: Any, client: redis.Redis) -> None:
    queue = kombu.Queue("jobs", kombu.Exchange("jobs"), routing_key="jobs")
    got: list[tuple[Any, Any]] = []
    with connection.Producer(serializer="json") as producer:
        for number in range(3):
            producer.publish({"n": number}, exchange=queue.exchange, routing_key="jobs", declare=[queue])
    with connection.Consumer([queue], callbacks=[lambda body, message: got.append((body, message))]):
        while len(got) < 3:
            connection.drain_events(timeout=10)
        assert [body["n"] for body, _ in got] == [0, 1, 2]
        assert client.zcard("unacked_index") == client.hlen("unacked") == 3
        got[0][1].ack()
        got[1][1].reject()
        got[2][1].requeue()
        while len(got) < 4:
            connection.drain_events(timeout=10)
        assert got[3][0] == {"n": 2}
        assert got[3][1].delivery_info["redelivered"]
        got[3][1].ack()
        with pytest.raises(socket.timeout):
            connection.drain_events(timeout=0.05)
        assert client.exists("unacked_index", "unacked") == 0


def test_priorities_and_purging(connection: Any) -> None:
    queue = kombu.Queue("ranked", kombu.Exchange("ranked"), routing_key="ranked", max_priority=9)
    with connection.Producer() as producer:
        for number, priority in ((1, 9), (2, 0), (3, 5)):
            producer.publish(number, exchange=queue.exchange, routing_key="ranked", declare=[queue], priority=priority)
    bound = queue(connection.default_channel)
    found = [bound.get(no_ack=True).payload for _ in range(3)]
    assert sorted(found) == [1, 2, 3]
    assert found[0] in (1, 2)  # which end of the scale comes first is kombu's choice
    for _ in range(4):
        with connection.Producer() as producer:
            producer.publish("x", exchange=queue.exchange, routing_key="ranked")
    assert bound.purge() == 4
    assert bound.get() is None
    bound.delete()


def test_every_consumer_hears_a_fanout(connection: Any) -> None:
    exchange = kombu.Exchange("news", type="fanout")
    heard: list[str] = []
    consumers = []
    for name in ("a", "b"):
        queue = kombu.Queue(f"news-{name}", exchange, auto_delete=True)
        channel = connection.channel()
        consumer = kombu.Consumer(channel, [queue], no_ack=True)
        consumer.register_callback(lambda body, message, name=name: heard.append(f"{name}: {body}"))
        consumer.consume()
        consumers.append(consumer)
    with connection.Producer() as producer:
        while len(set(heard)) < 2:  # until both have subscribed
            producer.publish("hello", exchange=exchange)
            with contextlib.suppress(socket.timeout):
                connection.drain_events(timeout=0.1)
    assert set(heard) == {"a: hello", "b: hello"}
    for consumer in consumers:
        consumer.cancel()


def test_a_simple_queue(connection: Any) -> None:
    queue = connection.SimpleQueue("simple")
    queue.put({"a": [1, None, "text"]}, compression="zlib")
    assert queue.qsize() == 1
    message = queue.get(block=True, timeout=10)
    assert message.payload == {"a": [1, None, "text"]}
    message.ack()
    with pytest.raises(queue.Empty):
        queue.get(block=False)
    queue.close()
