"""What answers of etcd and Consul mean, the odd ones above all."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from pycache_server.coordinator import consul, etcd
from pycache_server.coordinator.engine import Claim, Denied, Lost, Registered, Seen, Unreachable

CLAIM = Claim("a:1", 3, True)


def value(text: str) -> str:
    return b64encode(text.encode()).decode()


# etcd.


@pytest.mark.parametrize(
    ("status", "body", "error", "text"),
    [
        (404, {"error": "etcdserver: requested lease not found", "code": 5}, Lost, "requested lease not found"),
        (503, {"error": "etcdserver: no leader", "code": 14}, Unreachable, "no leader"),
        (504, {"error": "context deadline exceeded", "code": 4}, Unreachable, "deadline"),
        (500, {"error": "etcdserver: request timed out", "code": 2}, Unreachable, "timed out"),
        (401, {"error": "etcdserver: invalid auth token", "code": 16}, etcd.Expired, "invalid auth token"),
        (400, {"error": "etcdserver: user name is empty", "code": 3}, etcd.Expired, "user name"),
        (403, {"error": "etcdserver: permission denied", "code": 7}, Denied, "permission denied"),
        (404, {"error": "etcdserver: role name not found", "code": 5}, Denied, "role name"),
        (200, {"error": {"grpc_code": 14, "message": "no leader"}}, Unreachable, "no leader"),
        (418, {}, Denied, "HTTP 418"),
        (200, [], Unreachable, r"no JSON object \(HTTP 200\)"),
    ],
)
def test_an_error_of_etcd_says_whether_another_try_helps(
    status: int, body: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        etcd.parse(status, json.dumps(body).encode())


def test_what_is_no_json_is_no_answer_of_etcd() -> None:
    with pytest.raises(Unreachable, match="no JSON"):
        etcd.parse(502, b"<html>Bad gateway")


def test_a_lease_without_time_is_over() -> None:
    assert etcd.parse_lease({"ID": "7", "TTL": "2"}) == ("7", 2000.0)
    assert etcd.parse_lease({"result": {"ID": "7", "TTL": "2"}}) == ("7", 2000.0)
    with pytest.raises(Lost):
        etcd.parse_lease({"result": {"ID": "7"}})


def test_times_are_whole_seconds_and_never_less_than_asked_for() -> None:
    keys = etcd.Keys("p")
    assert [keys.grant(ttl).body["TTL"] for ttl in (1.0, 1000.0, 1001.0, 2500.0)] == ["1", "1", "2", "3"]


def test_a_key_that_somebody_else_has_written_is_shown_as_it_is() -> None:
    assert etcd.seen_of({"value": value("by hand"), "create_revision": "9"}, "7") == Seen("by hand", 9)
    assert etcd.seen_of({"create_revision": "9"}, None) == Seen("?", 9)
    assert etcd.seen_of({"value": value('{"seat": "a:1"}')}, None).holder == '{"seat": "a:1"}'


def test_a_key_of_the_same_lease_is_one_s_own() -> None:
    pair = {"value": value('{"seat": "a:1", "epoch": 3}'), "create_revision": "9", "lease": "7"}
    assert etcd.seen_of(pair, "7") == Seen("a:1", 9, 3, True)
    assert etcd.seen_of(pair, "8") == Seen("a:1", 9, 3, False)


def test_a_watch_tells_of_writes_and_of_what_is_deleted() -> None:
    pair = {"value": value('{"seat": "a:1", "epoch": 3}'), "create_revision": "9"}
    events = [{"kv": pair}, {"type": "DELETE", "kv": {"mod_revision": "10"}}]
    line = json.dumps({"result": {"events": events}}).encode()
    assert list(etcd.parse_watch(line, None)) == [Seen("a:1", 9, 3), Seen(None)]


def test_a_watch_that_was_cancelled_has_ended() -> None:
    line = json.dumps({"result": {"canceled": True, "cancel_reason": "permission denied"}}).encode()
    with pytest.raises(Unreachable, match="permission denied"):
        list(etcd.parse_watch(line, None))


def test_the_members_are_all_keys_with_their_prefix() -> None:
    body = etcd.Keys("p").list().body
    assert etcd.text_of(body["key"]) == "p/members/"
    assert etcd.text_of(body["range_end"]) == "p/members0"


# Consul.


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (500, 'rpc error: invalid session "x"', Lost),
        (500, "No cluster leader", Unreachable),
        (429, "Your IP is issuing too many concurrent connections", Unreachable),
        (403, "Permission denied", Denied),
        (400, "", Denied),
    ],
)
def test_an_error_of_consul_says_whether_another_try_helps(status: int, text: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=text.split(" ")[0] or "HTTP 400"):
        consul.check(status, text.encode())


def test_a_lock_without_a_session_is_held_by_nobody() -> None:
    pair = {"LockIndex": 4, "Value": value('{"seat": "a:1", "epoch": 3}')}
    assert consul.parse_lock(200, json.dumps([pair]).encode(), None) == consul.Lock(Seen(None, 4))
    held = json.dumps([{**pair, "Session": "s"}]).encode()
    assert consul.parse_lock(200, held, "s") == consul.Lock(Seen("a:1", 4, 3, True), "s")
    assert consul.parse_lock(200, held, "other").seen.is_own is False
    assert consul.parse_lock(404, b"", "s") == consul.Lock(Seen(None))


def test_a_lock_that_somebody_else_holds_is_shown_as_it_is() -> None:
    pair = {"LockIndex": 4, "Value": value("by hand"), "Session": "s"}
    assert consul.parse_lock(200, json.dumps([pair]).encode(), None).seen.holder == "by hand"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}"])
def test_what_is_no_session_is_none(body: bytes) -> None:
    with pytest.raises(Unreachable):
        consul.parse_session(body)


@pytest.mark.parametrize(
    ("told", "before", "after"), [("7", 3, 7), ("3", 7, 0), ("", 7, 0), ("0", 0, 0), ("x", 7, 0), ("7", 7, 7)]
)
def test_an_index_never_goes_back(told: str, before: int, after: int) -> None:
    assert consul.next_index({"x-consul-index": told}, before) == after


def test_names_with_odd_letters_are_quoted() -> None:
    names = consul.Names("a/b", "[::1]:7001")
    assert names.is_well().path == "/v1/agent/check/pass/service%3Aa-b-%5B%3A%3A1%5D%3A7001"
    body = names.register(Claim("[::1]:7001", 1, False), 2000).body
    assert (body["Address"], body["Port"], body["Tags"]) == ("::1", 7001, ["follower"])


def test_instances_of_others_are_shown_as_they_are() -> None:
    service = {"ID": "x", "Tags": None, "Meta": None}
    body = json.dumps([{"Service": service, "Checks": [{"Status": "critical"}]}]).encode()
    assert consul.parse_instances(body) == [Registered("x", 0, False, False)]
