"""FakeConsul: NOT Consul, but what its public API documentation says of the endpoints that we use, in a thread.

There is no Consul in Debian, so this stands in its place: written from the documentation of the HTTP API (KV store,
sessions, agent services and checks, health, blocking queries, consistency modes), and itself checked by a client that
is not ours (test_fake_consul.py). What the documentation does not say, it does not know.

It can be hostile, within what real services do:

- ``late_expiry``: sessions end so many times later than their TTL says. (Consul promises up to twice.)
- ``fail_next(n)``: the next requests are answered with 500, and not done.
- ``drop_next(n)``: the next writes are done, and the connection is closed without an answer.
- ``stale_reads``: reads of the KV store show how things were before the last change; ``"default"`` only those without
  ``?consistent``, ``"all"`` even those.
- ``forget_agent()``: the agent has started anew, and knows no services and checks any more.

Time is the fake's own (``advance``): no test waits for a session to end.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from base64 import b64encode
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LOOK = 0.02


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def seconds(text: str) -> float:
    """A duration as Go writes it."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    if not parts:
        raise Refused(400, f"invalid duration {text!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def lowered(body: bytes) -> dict[str, Any]:
    """A JSON object, whose names Go reads in upper and lower case alike."""
    return {name.lower(): value for name, value in json.loads(body or b"{}").items()}


@dataclass
class Pair:
    """A key of the KV store."""

    key: str
    create: int
    modify: int = 0
    lock: int = 0
    flags: int = 0
    value: bytes | None = None
    session: str = ""
    not_before: float = 0.0
    """When the lock-delay is over."""

    def shown(self) -> dict[str, Any]:
        value = None if not self.value else b64encode(self.value).decode()
        found = {
            "LockIndex": self.lock,
            "Key": self.key,
            "Flags": self.flags,
            "Value": value,
            "CreateIndex": self.create,
            "ModifyIndex": self.modify,
        }
        return {**found, "Session": self.session} if self.session else found


@dataclass
class Session:
    """A session."""

    id: str
    name: str
    ttl: float
    delay: float
    behavior: str
    create: int
    renewed: float

    def shown(self) -> dict[str, Any]:
        return {
            "ID": self.id,
            "Name": self.name,
            "Node": "fake",
            "LockDelay": self.delay * 1e9,
            "Behavior": self.behavior,
            "TTL": f"{self.ttl:g}s",
            "CreateIndex": self.create,
        }


@dataclass
class Service:
    """A service instance of the agent, with its one check."""

    body: dict[str, Any]
    ttl: float
    status: str
    heard: float
    output: str = ""

    @property
    def id(self) -> str:
        return str(self.body.get("id") or self.body["name"])

    @property
    def check_id(self) -> str:
        return str(self.body.get("check", {}).get("checkid") or f"service:{self.id}")

    def shown(self) -> dict[str, Any]:
        body = self.body
        return {
            "ID": self.id,
            "Service": body["name"],
            "Tags": body.get("tags", []),
            "Meta": body.get("meta", {}),
            "Address": body.get("address", ""),
            "Port": body.get("port", 0),
        }

    def shown_check(self) -> dict[str, Any]:
        return {
            "Node": "fake",
            "CheckID": self.check_id,
            "Status": self.status,
            "Output": self.output,
            "ServiceID": self.id,
            "ServiceName": self.body["name"],
        }


@dataclass
class State:
    """What the servers and the agent know."""

    pairs: dict[str, Pair] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    index: int = 1


class FakeConsul:
    """One agent with its server, on a port of its own."""

    def __init__(self, token: str = "") -> None:
        self.token = token
        self.state = State()
        self.late_expiry = 1.0
        self.stale_reads = ""
        self.requests: list[str] = []
        self._stale: dict[str, list[dict[str, Any]]] = {}
        self._failing = 0
        self._dropping = 0
        self._offset = 0.0
        self._changed = threading.Condition(threading.RLock())
        self._closed = False
        fake = self

        class Handler(_Handler):
            consul = fake

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # What tests do to it.

    def advance(self, duration: float) -> None:
        """Seconds go by."""
        with self._changed:
            self._offset += duration
            self._expire()

    def fail_next(self, count: int) -> None:
        with self._changed:
            self._failing = count

    def drop_next(self, count: int) -> None:
        with self._changed:
            self._dropping = count

    def forget_agent(self) -> None:
        with self._changed:
            self.state.services.clear()

    def hand_over(self, key: str, session: str, value: bytes) -> None:
        """Somebody else has a key from now on."""
        with self._changed:
            self._before(key)
            pair = self.state.pairs[key]
            pair.session, pair.value, pair.modify = session, value, self._bump()

    def now(self) -> float:
        return time.monotonic() + self._offset

    # Requests.

    def serve(self, method: str, target: str, token: str, body: bytes) -> tuple[Any, int | None] | None:
        """The answer and its index; None if there is none."""
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        path = parts.path.removeprefix("/v1/")
        with self._changed:
            self.requests.append(f"{method} {path}")
            if self.token and token != self.token and query.get("token") != self.token:
                raise Refused(403, "Permission denied: token lacks the permission")
            if self._failing:
                self._failing -= 1
                raise Refused(500, "rpc error: No cluster leader")
            self._expire()
            answer = self._route(method, path, query, body)
            if method != "GET" and self._dropping:
                self._dropping -= 1
                return None
            return answer

    def _route(self, method: str, path: str, query: dict[str, str], body: bytes) -> tuple[Any, int | None]:
        kind, _, rest = path.partition("/")
        if kind == "kv":
            return (
                self._get(unquote(rest), query) if method == "GET" else self._write(method, unquote(rest), query, body)
            )
        name, _, argument = rest.partition("/")
        argument = unquote(argument)
        if kind == "session":
            return self._session(name, argument, body), self.state.index
        if kind == "agent":
            return self._agent(rest, argument, query, body), None
        if (kind, name) in (("health", "service"), ("catalog", "service")):
            return self._find(kind, argument, query), self.state.index
        if (kind, name) == ("status", "leader"):
            return "127.0.0.1:8300", None
        raise Refused(404, f"Invalid URL path: not a recognized HTTP API endpoint: {path}")

    # The KV store.

    def _get(self, key: str, query: dict[str, str]) -> tuple[Any, int | None]:
        index = int(query.get("index", "0"))
        until = time.monotonic() + min(seconds(query.get("wait", "5m")), 600)
        while index and self._index_of(key) <= index and time.monotonic() < until and not self._closed:
            self._changed.wait(_LOOK)
            self._expire()
        found = [self.state.pairs[key].shown()] if key in self.state.pairs else []
        if self.stale_reads == "all" or (self.stale_reads == "default" and "consistent" not in query):
            found = self._stale.get(key, [])
        if not found:
            return Refused(404, ""), self._index_of(key)
        return found, self._index_of(key)

    def _index_of(self, key: str) -> int:
        pair = self.state.pairs.get(key)
        return pair.modify if pair else self.state.index

    def _write(self, method: str, key: str, query: dict[str, str], body: bytes) -> tuple[Any, int | None]:
        state = self.state
        if method == "DELETE":
            self._before(key)
            state.pairs.pop(key, None)
            self._bump()
            return True, None
        if "acquire" in query or "release" in query:
            session = query.get("acquire") or query.get("release")
            if session not in state.sessions:
                raise Refused(500, f'rpc error: invalid session "{session}"')
            done = self._acquire(key, session, body) if "acquire" in query else self._release(key, session)
            return done, None
        pair = state.pairs.get(key)
        if "cas" in query and int(query["cas"]) != (pair.modify if pair else 0):
            return False, None
        self._before(key)
        pair = pair or state.pairs.setdefault(key, Pair(key, state.index + 1))
        pair.value, pair.modify = body, self._bump()
        return True, None

    def _acquire(self, key: str, session: str, body: bytes) -> bool:
        pair = self.state.pairs.get(key)
        if pair and ((pair.session and pair.session != session) or self.now() < pair.not_before):
            return False
        self._before(key)
        pair = pair or self.state.pairs.setdefault(key, Pair(key, self.state.index + 1))
        if pair.session != session:
            pair.lock += 1
        pair.session, pair.value, pair.modify = session, body, self._bump()
        return True

    def _release(self, key: str, session: str) -> bool:
        pair = self.state.pairs.get(key)
        if pair is None or pair.session != session:
            return False
        self._before(key)
        pair.session, pair.modify = "", self._bump()
        return True

    def _before(self, key: str) -> None:
        pair = self.state.pairs.get(key)
        self._stale[key] = [pair.shown()] if pair else []

    def _bump(self) -> int:
        self.state.index += 1
        self._changed.notify_all()
        return self.state.index

    # Sessions.

    def _session(self, name: str, argument: str, body: bytes) -> Any:
        sessions = self.state.sessions
        if name == "create":
            return {"ID": self._create(lowered(body)).id}
        if name == "list":
            return [each.shown() for each in sessions.values()]
        if name == "info":
            return [sessions[argument].shown()] if argument in sessions else []
        if name == "renew":
            if argument not in sessions:
                raise Refused(404, f"Session id '{argument}' not found")
            sessions[argument].renewed = self.now()
            return [sessions[argument].shown()]
        if name == "destroy":
            self._invalidate(argument)
            return True
        raise Refused(404, "no such endpoint")

    def _create(self, body: dict[str, Any]) -> Session:
        ttl = seconds(body.get("ttl") or "0s")
        if body.get("ttl") and not 10 <= ttl <= 86400:
            raise Refused(400, f"Invalid Session TTL '{body['ttl']}', must be between [10s=24h0m0s]")
        delay, behavior = seconds(body.get("lockdelay") or "15s"), body.get("behavior", "release")
        made = Session(str(uuid.uuid4()), body.get("name", ""), ttl, delay, behavior, self._bump(), self.now())
        self.state.sessions[made.id] = made
        return made

    def _invalidate(self, session_id: str) -> None:
        session = self.state.sessions.pop(session_id, None)
        if session is None:
            return
        for key, pair in list(self.state.pairs.items()):
            if pair.session == session_id:
                self._before(key)
                pair.session, pair.modify, pair.not_before = "", self._bump(), self.now() + session.delay
                if session.behavior == "delete":
                    del self.state.pairs[key]

    def _expire(self) -> None:
        now = self.now()
        for session in list(self.state.sessions.values()):
            if session.ttl and now >= session.renewed + session.ttl * self.late_expiry:
                self._invalidate(session.id)
        for service in self.state.services.values():
            if service.ttl and now >= service.heard + service.ttl and service.status != "critical":
                service.status, service.output = "critical", "TTL expired"
                self._bump()

    # The agent, and what the catalogue knows of it.

    def _agent(self, rest: str, argument: str, query: dict[str, str], body: bytes) -> Any:
        services = self.state.services
        if rest == "services":
            return {each.id: each.shown() for each in services.values()}
        if rest == "checks":
            return {each.check_id: each.shown_check() for each in services.values()}
        verb, _, name = argument.partition("/")
        if rest.startswith("service/"):
            return self._register(lowered(body)) if verb == "register" else self._deregister(name)
        if rest.startswith("check/") and verb in ("pass", "warn", "fail"):
            found = next((each for each in services.values() if each.check_id == name), None)
            if found is None:
                raise Refused(
                    404, f'Unknown check ID "{name}". Ensure that the check ID is passed, not the check name.'
                )
            found.status = {"pass": "passing", "warn": "warning", "fail": "critical"}[verb]
            found.heard, found.output = self.now(), query.get("note", "")
            return None
        raise Refused(404, "no such endpoint")

    def _register(self, body: dict[str, Any]) -> None:
        check = body["check"] = {name.lower(): value for name, value in self._one_check(body).items()}
        ttl = seconds(check["ttl"]) if check.get("ttl") else 0.0
        service = Service(body, ttl, check.get("status") or "critical", self.now())
        self.state.services[service.id] = service
        self._bump()

    @staticmethod
    def _one_check(body: dict[str, Any]) -> dict[str, Any]:
        """The documentation knows a check and a list of them; this service has one at most."""
        found = [*filter(None, [body.get("check")]), *(body.get("checks") or [])]
        if len(found) > 1:
            raise Refused(400, "this is a fake: one check at most")
        return found[0] if found else {}

    def _deregister(self, name: str) -> None:
        if self.state.services.pop(name, None) is None:
            raise Refused(404, f'Unknown service ID "{name}"')
        self._bump()

    def _find(self, kind: str, name: str, query: dict[str, str]) -> list[dict[str, Any]]:
        found = [each for each in self.state.services.values() if each.body["name"] == name]
        if "tag" in query:
            found = [each for each in found if query["tag"] in each.body.get("tags", [])]
        if "passing" in query:
            found = [each for each in found if each.status == "passing"]
        if kind == "catalog":
            return [{"Node": "fake", "ServiceID": each.id, "ServiceTags": each.body.get("tags")} for each in found]
        return [{"Node": {"Node": "fake"}, "Service": each.shown(), "Checks": [each.shown_check()]} for each in found]


class _Handler(BaseHTTPRequestHandler):
    consul: FakeConsul
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = self.headers.get("X-Consul-Token") or ""
        index: int | None = None
        try:
            answer = self.consul.serve(self.command, self.path, token, body)
            if answer is None:
                self.close_connection = True
                return
            found, index = answer
            if isinstance(found, Refused):
                raise found
            self._answer(200, b"" if found is None else json.dumps(found).encode(), index)
        except Refused as refused:
            self._answer(refused.status, str(refused).encode(), index)

    def _answer(self, status: int, body: bytes, index: int | None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if index is not None:
            self.send_header("X-Consul-Index", str(index))
            self.send_header("X-Consul-KnownLeader", "true")
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    do_GET = do_PUT = do_DELETE = _serve  # noqa: N815

    def log_message(self, format: str, *arguments: Any) -> None:
        pass
