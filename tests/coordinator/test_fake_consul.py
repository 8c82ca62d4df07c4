"""FakeConsul as a client sees it that is not ours: py-consul."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.coordinator.fake_consul import FakeConsul

consul = pytest.importorskip("consul")

pytestmark = pytest.mark.process


@pytest.fixture
def fake() -> Iterator[FakeConsul]:
    made = FakeConsul()
    yield made
    made.close()


@pytest.fixture
def client(fake: FakeConsul) -> Iterator[Any]:
    made = consul.Consul(host="127.0.0.1", port=fake.port)
    yield made
    made.http.session.close()


def test_keys_are_written_and_read(client: Any) -> None:
    assert client.kv.get("k")[1] is None
    assert client.kv.put("k", "v") is True
    index, found = client.kv.get("k")
    assert found["Value"] == b"v" and found["ModifyIndex"] == int(index) and found["LockIndex"] == 0


def test_a_key_is_written_if_it_has_not_changed(client: Any) -> None:
    client.kv.put("k", "v")
    index = client.kv.get("k")[1]["ModifyIndex"]
    assert client.kv.put("k", "w", cas=index) is True
    assert client.kv.put("k", "x", cas=index) is False
    assert client.kv.put("new", "x", cas=0) is True


def test_a_lock_is_one_session_s_until_it_is_released(client: Any) -> None:
    one, two = (client.session.create(ttl=10, lock_delay=0) for _ in range(2))
    assert client.kv.put("k", "one", acquire=one) is True
    assert client.kv.put("k", "two", acquire=two) is False
    found = client.kv.get("k")[1]
    assert (found["Session"], found["LockIndex"], found["Value"]) == (one, 1, b"one")
    assert client.kv.put("k", "again", acquire=one) is True
    assert client.kv.get("k")[1]["LockIndex"] == 1
    assert client.kv.put("k", "", release=one) is True
    assert client.kv.put("k", "two", acquire=two) is True
    assert client.kv.get("k")[1]["LockIndex"] == 2


def test_a_session_that_is_not_renewed_ends_and_frees_its_locks(client: Any, fake: FakeConsul) -> None:
    session = client.session.create(ttl=10, lock_delay=0)
    client.kv.put("k", "v", acquire=session)
    fake.advance(9)
    assert client.session.renew(session)["ID"] == session
    fake.advance(9)
    assert client.session.info(session)[1] is not None
    fake.advance(1.5)
    with pytest.raises(consul.NotFound):
        client.session.renew(session)
    assert "Session" not in client.kv.get("k")[1]


def test_a_lock_waits_for_its_delay_after_a_session_has_ended(client: Any, fake: FakeConsul) -> None:
    one, two = client.session.create(ttl=10, lock_delay=15), client.session.create(ttl=3600, lock_delay=0)
    client.kv.put("k", "v", acquire=one)
    client.session.destroy(one)
    assert client.kv.put("k", "v", acquire=two) is False
    fake.advance(15)
    assert client.kv.put("k", "v", acquire=two) is True


def test_sessions_of_less_than_ten_seconds_are_refused(client: Any, fake: FakeConsul) -> None:
    import urllib.request

    request = urllib.request.Request(
        f"http://{fake.endpoint}/v1/session/create", b'{"TTL": "9s"}', method="PUT", headers={"Connection": "close"}
    )
    with pytest.raises(urllib.error.HTTPError, match="400") as raised:
        urllib.request.urlopen(request)
    raised.value.close()


def test_a_session_that_is_not_there_locks_nothing(client: Any) -> None:
    with pytest.raises(consul.ConsulException, match="invalid session"):
        client.kv.put("k", "v", acquire="00000000-0000-0000-0000-000000000000")


def test_services_have_tags_and_a_check_that_must_be_told(client: Any, fake: FakeConsul) -> None:
    check = consul.Check.ttl("2s")
    client.agent.service.register("cache", "cache-1", address="10.0.0.1", port=6379, tags=["leader"], check=check)
    assert client.health.service("cache", passing=True)[1] == []
    client.agent.check.ttl_pass("service:cache-1")
    (found,) = client.health.service("cache", passing=True, tag="leader")[1]
    assert (found["Service"]["Address"], found["Service"]["Port"]) == ("10.0.0.1", 6379)
    fake.advance(2.5)
    assert client.health.service("cache", passing=True)[1] == []
    (found,) = client.health.service("cache")[1]
    assert found["Checks"][0]["Status"] == "critical"
    client.agent.service.deregister("cache-1")
    assert client.agent.services() == {}


def test_a_blocking_query_ends_with_a_change_or_its_time(client: Any) -> None:
    client.kv.put("k", "v")
    index, _ = client.kv.get("k")
    assert client.kv.get("k", index=index, wait="1s")[0] == index
    client.kv.put("k", "w")
    assert client.kv.get("k", index=index, wait="10m")[1]["Value"] == b"w"


def test_without_its_token_nothing_is_answered() -> None:
    fake = FakeConsul(token="secret")
    try:
        stranger, friend = (consul.Consul(port=fake.port, token=token) for token in ("wrong", "secret"))
        with pytest.raises(consul.ACLPermissionDenied):
            stranger.kv.put("k", "v")
        assert friend.kv.put("k", "v") is True
        for client in (stranger, friend):
            client.http.session.close()
    finally:
        fake.close()


def test_hostile_modes_do_what_they_say(client: Any, fake: FakeConsul) -> None:
    fake.fail_next(1)
    with pytest.raises(consul.ConsulException):
        client.kv.put("k", "v")
    assert client.kv.get("k")[1] is None

    fake.drop_next(1)
    with pytest.raises(OSError):  # noqa: PT011 (what requests raises is none of ours)
        client.kv.put("k", "v")
    assert client.kv.get("k")[1]["Value"] == b"v"

    client.kv.put("k", "w")
    fake.stale_reads = "default"
    assert client.kv.get("k")[1]["Value"] == b"v"
    assert client.kv.get("k", consistency="consistent")[1]["Value"] == b"w"

    fake.late_expiry = 2
    session = client.session.create(ttl=10)
    fake.advance(19)
    assert client.session.info(session)[1] is not None
    fake.advance(2)
    assert client.session.info(session)[1] is None
