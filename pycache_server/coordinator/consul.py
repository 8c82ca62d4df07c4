"""What is said to Consul by its HTTP API, and what its answers mean.

A seat registers itself as an instance of the service that the prefix names, at the agent that it talks to: with a check
that must hear of it within the TTL, and the tag ``leader`` or ``follower``, by which Consul's DNS finds it
(``leader.pycache.service.consul``). Who leads holds the lock ``<prefix>/leader`` with a session. The token is the
LockIndex, which rises with each acquisition by another session.

A session lasts at least 10 seconds, and Consul may end it as much later again: too slow to elect a leader by. So the
group elects its leader itself, and the lock follows: whoever leads a higher epoch ends the session of the one before
(``engine.breaks``). That is why sessions are made with no lock-delay. It guards against a holder that has lost its
session and does not know; here, votes and leases of the group do."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from pycache_server.coordinator.engine import Claim, Denied, Lost, Registered, Seen, Unreachable

DEFAULT_PORT: Final = 8500
SHORTEST_SESSION: Final = 10_000.0
"""Milliseconds; Consul takes no shorter TTL for a session."""
FORGOTTEN_AFTER: Final = "24h"
"""For how long a seat that is silent stays registered."""


class Call(NamedTuple):
    """One request."""

    method: str
    path: str
    body: Any = None


class Names:
    """What a group and one of its seats are called in Consul."""

    def __init__(self, prefix: str, seat: str) -> None:
        self.service = prefix.strip("/").replace("/", "-")
        self.key = f"{prefix}/leader"
        self.seat = seat
        self.instance = f"{self.service}-{seat}"

    # The agent.

    def register(self, claim: Claim, ttl: float) -> Call:
        """Register the instance, which is well as of now."""
        host, _, port = claim.seat.rpartition(":")
        body = {
            "ID": self.instance,
            "Name": self.service,
            "Tags": ["leader" if claim.leads else "follower"],
            "Address": host.strip("[]"),
            "Port": int(port),
            "Meta": {"seat": claim.seat, "epoch": str(claim.epoch)},
            "Check": {
                "CheckID": self.check,
                "TTL": duration(ttl),
                "Status": "passing",
                "DeregisterCriticalServiceAfter": FORGOTTEN_AFTER,
            },
        }
        return Call("PUT", "/v1/agent/service/register", body)

    @property
    def check(self) -> str:
        """The name of the check of the instance."""
        return f"service:{self.instance}"

    def is_well(self) -> Call:
        """Tell the check."""
        return Call("PUT", f"/v1/agent/check/pass/{quote(self.check, safe='')}")

    def deregister(self) -> Call:
        """Take the instance away."""
        return Call("PUT", f"/v1/agent/service/deregister/{quote(self.instance, safe='')}")

    def instances(self) -> Call:
        """All instances of the service, with their checks."""
        return Call("GET", f"/v1/health/service/{quote(self.service, safe='')}")

    # Sessions and the lock.

    def session(self, ttl: float) -> Call:
        """A session, which frees what it holds when it ends."""
        body = {"Name": self.instance, "TTL": duration(ttl), "LockDelay": "0s", "Behavior": "release"}
        return Call("PUT", "/v1/session/create", body)

    def acquire(self, claim: Claim, session: str) -> Call:
        """Take the lock. What the session has already, it keeps, and writes the value."""
        value = {"seat": claim.seat, "epoch": claim.epoch, "leads": claim.leads}
        return Call("PUT", self._key(acquire=session), value)

    def release(self, session: str) -> Call:
        """Give the lock up."""
        return Call("PUT", self._key(release=session))

    def read(self) -> Call:
        """Read the lock, as the majority of the servers knows it."""
        return Call("GET", self._key(consistent=""))

    def wait(self, index: int, seconds: float) -> Call:
        """Read the lock when it has changed since an index, or after a time."""
        return Call("GET", self._key(index=str(index), wait=f"{max(1, round(seconds))}s"))

    def _key(self, **parameters: str) -> str:
        return f"/v1/kv/{quote(self.key)}?{urlencode(parameters)}"


def renew(session: str) -> Call:
    """Keep a session."""
    return Call("PUT", f"/v1/session/renew/{session}")


def destroy(session: str) -> Call:
    """End a session: the locks that it holds are free."""
    return Call("PUT", f"/v1/session/destroy/{session}")


def duration(milliseconds: float) -> str:
    """As Go writes it."""
    return f"{round(milliseconds)}ms"


# Answers.


def check(status: int, body: bytes) -> None:
    """Raises Unreachable, Lost or Denied for an answer that is none."""
    text = body.decode("utf-8", "replace").strip() or f"HTTP {status}"
    if status in (200, 404):
        return
    if status >= 500 and "invalid session" in text:
        raise Lost(text)  # so it answers who wants a lock with a session that is over
    raise Unreachable(text) if status >= 500 or status == 429 else Denied(text)


def parse(body: bytes) -> Any:
    """The JSON of an answer. Raises Unreachable."""
    try:
        return json.loads(body)
    except ValueError:
        raise Unreachable("Consul has answered with no JSON") from None


def parse_session(body: bytes) -> str:
    """The session that was made."""
    found = parse(body)
    if not isinstance(found, dict) or "ID" not in found:
        raise Unreachable("Consul has made no session")
    return str(found["ID"])


class Lock(NamedTuple):
    """The lock, with the session that holds it."""

    seen: Seen
    session: str = ""


def parse_lock(status: int, body: bytes, session: str | None) -> Lock:
    """What the lock says. One without a session is held by nobody, whatever its value says."""
    pairs = [] if status == 404 else parse(body)
    if not pairs:
        return Lock(Seen(None))
    pair = pairs[0]
    token, holder = int(pair.get("LockIndex", 0)), str(pair.get("Session") or "")
    if not holder:
        return Lock(Seen(None, token))
    seat, epoch = _told(pair.get("Value"))
    return Lock(Seen(seat, token, epoch, holder == session), holder)


def _told(value: str | None) -> tuple[str, int]:
    text = b64decode(value or "").decode("utf-8", "replace")
    try:
        found = json.loads(text)
        return str(found["seat"]), int(found["epoch"])
    except (ValueError, TypeError, KeyError):
        return text or "?", 0


def next_index(headers: Mapping[str, str], before: int) -> int:
    """From where a blocking query goes on. An index that has gone back, or is none, begins anew, as Consul's
    documentation asks."""
    text = headers.get("x-consul-index", "")
    index = int(text) if text.isdigit() else 0
    return index if index >= before else 0


def parse_instances(body: bytes) -> list[Registered]:
    """Who is registered. Who is alive has no critical check."""
    found = []
    for entry in parse(body):
        service = entry["Service"]
        meta = service.get("Meta") or {}
        alive = all(each.get("Status") != "critical" for each in entry.get("Checks", ()))
        leads = "leader" in (service.get("Tags") or ())
        found.append(Registered(meta.get("seat", service["ID"]), int(meta.get("epoch", 0)), leads, alive))
    return found
