"""What is said to etcd, version 3, by its JSON gateway, and what its answers mean.

Under the prefix of a group there are ``leader``, the key that one seat holds, and ``members/<seat>``. Both hang on the
one lease of a seat, so they vanish together. Their values are JSON, and may be read by anybody: ``{"seat", "epoch",
"leads"}``.

The token is the revision at which the key was created, as in etcd's own election recipes: writing a new value into it,
as the holder does after it was elected, does not change that.

The gateway speaks the JSON of protocol buffers: keys and values in base64, 64-bit numbers as text, and what is zero or
empty is not there at all.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from pycache_server.coordinator.engine import Claim, Denied, EngineError, Lost, Registered, Seen, Unreachable

DEFAULT_PORT: Final = 2379
NOT_FOUND: Final = 5
UNAUTHENTICATED: Final = 16
_AWAY = {1, 4, 8, 10, 14}
"""The codes of gRPC that speak of one server at present: cancelled, too late, exhausted, aborted, unavailable."""
_STALE_TOKEN = ("invalid auth token", "auth revision", "user name is empty")


class Call(NamedTuple):
    """One request: what is posted where."""

    path: str
    body: dict[str, Any]


def text_of(data: str) -> str:
    """A key or a value from base64."""
    return b64decode(data).decode("utf-8", "replace")


def base64_of(text: str) -> str:
    """A key or a value in base64."""
    return b64encode(text.encode()).decode()


def after_prefix(prefix: str) -> str:
    """The end of the range of all keys that begin with a prefix, in base64."""
    data = prefix.encode()
    return b64encode(data[:-1] + bytes([data[-1] + 1])).decode()


class Keys:
    """The keys of one group, and the requests about them."""

    def __init__(self, prefix: str) -> None:
        self.leader = f"{prefix}/leader"
        self.members = f"{prefix}/members/"

    # Leases.

    def grant(self, ttl: float) -> Call:
        """A lease; etcd counts in seconds."""
        return Call("/v3/lease/grant", {"TTL": str(max(1, -int(-ttl // 1000)))})

    def keep_alive(self, lease: str) -> Call:
        """Renew a lease, once."""
        return Call("/v3/lease/keepalive", {"ID": lease})

    def revoke(self, lease: str) -> Call:
        """End a lease, and delete what hangs on it."""
        return Call("/v3/lease/revoke", {"ID": lease})

    # The keys.

    def register(self, claim: Claim, lease: str) -> Call:
        """Tell of a seat, and if it holds the key, write there, too, what it tells."""
        member = _put(self.members + claim.seat, claim, lease)
        holds = {"key": base64_of(self.leader), "target": "LEASE", "result": "EQUAL", "lease": lease}
        both = {"success": [member, _put(self.leader, claim, lease)], "failure": [member]}
        return Call("/v3/kv/txn", {"compare": [holds], **both})

    def acquire(self, claim: Claim, lease: str) -> Call:
        """Create the key if it is not there; read it in either case."""
        absent = {"key": base64_of(self.leader), "target": "CREATE", "result": "EQUAL", "create_revision": "0"}
        read = _range(self.leader)
        success = [_put(self.leader, claim, lease), read]
        return Call("/v3/kv/txn", {"compare": [absent], "success": success, "failure": [read]})

    def delete(self, token: int) -> Call:
        """Delete the key of the holder with this token, and no other's."""
        same = {"key": base64_of(self.leader), "target": "CREATE", "result": "EQUAL", "create_revision": str(token)}
        delete = {"request_delete_range": {"key": base64_of(self.leader)}}
        return Call("/v3/kv/txn", {"compare": [same], "success": [delete], "failure": []})

    def release(self, lease: str) -> Call:
        """Delete the key if it hangs on this lease."""
        holds = {"key": base64_of(self.leader), "target": "LEASE", "result": "EQUAL", "lease": lease}
        delete = {"request_delete_range": {"key": base64_of(self.leader)}}
        return Call("/v3/kv/txn", {"compare": [holds], "success": [delete], "failure": []})

    def read(self) -> Call:
        """Read the key."""
        return Call("/v3/kv/range", {"key": base64_of(self.leader)})

    def list(self) -> Call:
        """Read all members."""
        return Call("/v3/kv/range", {"key": base64_of(self.members), "range_end": after_prefix(self.members)})

    def watch(self) -> Call:
        """Hear of each change of the key, from now on."""
        return Call("/v3/watch", {"create_request": {"key": base64_of(self.leader)}})


def authenticate(name: str, password: str) -> Call:
    """Ask for a token that stands for the user in later requests."""
    return Call("/v3/auth/authenticate", {"name": name, "password": password})


def _value(claim: Claim) -> str:
    return base64_of(json.dumps({"seat": claim.seat, "epoch": claim.epoch, "leads": claim.leads}))


def _put(key: str, claim: Claim, lease: str) -> dict[str, Any]:
    return {"request_put": {"key": base64_of(key), "value": _value(claim), "lease": lease}}


def _range(key: str) -> dict[str, Any]:
    return {"request_range": {"key": base64_of(key)}}


# Answers.


def parse(status: int, body: bytes) -> dict[str, Any]:
    """The answer to a request.

    Raises Unreachable where another server may do better, Lost for a lease that is not there, else Denied.
    """
    answer = _object(body, f"HTTP {status}")
    if status == 200 and "error" not in answer:
        return answer
    error = answer.get("error", f"HTTP {status}")
    nested = isinstance(error, dict)  # a failure within a stream
    code = error.get("grpc_code", 2) if nested else answer.get("code", 2)
    text = str(error.get("message", error) if nested else error)
    raise fault(status, int(code), text)


def fault(status: int, code: int, text: str) -> EngineError:
    """What an error of the gateway means."""
    if code == NOT_FOUND and "lease" in text:
        return Lost(text)
    if code in _AWAY or (status >= 500 and code == 2):
        return Unreachable(text)
    return Expired(text) if is_stale(code, text) else Denied(text)


class Expired(Denied):
    """The token of the user is not valid any more: authenticate again."""


def is_stale(code: int, text: str) -> bool:
    """Whether an error says that one must authenticate."""
    return code == UNAUTHENTICATED or any(words in text for words in _STALE_TOKEN)


def _object(body: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unreachable(f"etcd has answered with no JSON object ({what})")
    return found


def parse_lease(answer: dict[str, Any]) -> tuple[str, float]:
    """The lease that was granted or renewed, and its time to live in milliseconds. Lost if it is over."""
    found = answer.get("result", answer)
    seconds = int(found.get("TTL", 0))
    if seconds <= 0 or "ID" not in found:
        raise Lost("the lease is over")
    return str(found["ID"]), seconds * 1000.0


def parse_seen(answer: dict[str, Any], lease: str | None) -> Seen:
    """What the key says, from the answer to ``acquire`` or ``read``."""
    found = answer
    for part in answer.get("responses", ()):
        found = part.get("response_range", found)
    pairs = found.get("kvs", ())
    return seen_of(pairs[0], lease) if pairs else Seen(None)


def seen_of(pair: dict[str, Any], lease: str | None) -> Seen:
    """What one state of the key says."""
    told = _told(pair)
    own = lease is not None and str(pair.get("lease", "")) == lease
    return Seen(told.seat, int(pair.get("create_revision", 0)), told.epoch, own)


def parse_members(answer: dict[str, Any]) -> list[Registered]:
    """Who is registered: who is not alive has vanished."""
    told = [_told(pair) for pair in answer.get("kvs", ())]
    return [Registered(claim.seat, claim.epoch, claim.leads, True) for claim in told]


def _told(pair: dict[str, Any]) -> Claim:
    """A claim from its value; one that somebody else has written is shown as it is."""
    text = text_of(pair.get("value", ""))
    try:
        found = json.loads(text)
        return Claim(str(found["seat"]), int(found["epoch"]), bool(found.get("leads")))
    except (ValueError, TypeError, KeyError):
        return Claim(text or "?", 0, False)


def parse_watch(line: bytes, lease: str | None) -> Iterable[Seen]:
    """What one line of the stream of a watch tells.

    Raises what ``parse`` raises, and Unreachable where the watch has ended.
    """
    result = parse(200, line).get("result", {})
    if result.get("canceled"):
        raise Unreachable(f"the watch has ended: {result.get('cancel_reason', 'no reason given')}")
    for event in result.get("events", ()):
        deleted = event.get("type") == "DELETE"
        yield Seen(None) if deleted else seen_of(event.get("kv", {}), lease)
