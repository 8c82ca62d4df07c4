"""A client in one line, as CLIENT LIST, CLIENT INFO and the log show it.

Field names and order are those of Redis 7.4. What Python cannot know of its buffers is 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycache_server.session.redact import redacted
from pycache_server.session.stream import encode_command

if TYPE_CHECKING:
    from pycache_server.session.session import Session


CONNECTION = 4096
"""Bytes that a connection takes by itself, measured as resident memory with 2,000 idle ones."""


NAME = 128
"""Bytes of a key or a channel that a client watches or listens to, about, with its places in two tables."""


def memory_of(session: Session) -> int:
    """Bytes that a client takes: see client_memory.py."""
    queued = session.transaction.size if session.transaction is not None else 0
    names = len(session.watched) + len(session.subscriptions) + len(session.patterns) + len(session.shard_subscriptions)
    if session.tracker is not None:
        names += len(session.tracker.prefixes)
    return CONNECTION + NAME * names + session.parser.held() + queued + session.unread()


def describe(session: Session, argv: list[bytes] | None = None) -> str:
    """The line, without a newline. ``argv`` is the command that the client executes: Redis still has it in the query
    buffer, as it was sent."""
    core = session.core
    now = core.host.time()
    transaction = session.transaction
    queued = len(transaction.queued) if transaction is not None else -1
    kept = session.unread()
    sent, words = (len(encode_command(argv)), sum(map(len, argv))) if argv else (0, 0)
    row = session.row
    fields = {
        "id": session.id,
        "addr": session.address,
        "laddr": session.local_address,
        "fd": session.link.descriptor(),
        "name": session.name.decode("utf-8", "replace"),
        "age": int(max(0, now - session.created)),
        "idle": int(max(0, now - session.last_seen)),
        "flags": flags_of(session),
        "db": session.db.index,
        "sub": len(session.subscriptions),
        "psub": len(session.patterns),
        "ssub": len(session.shard_subscriptions),
        "multi": queued,
        "watch": len(session.watched),
        "qbuf": session.parser.held() + sent,
        "qbuf-free": 0,
        "argv-mem": words,
        "multi-mem": transaction.size if transaction is not None else 0,
        "rbs": 0,
        "rbp": 0,
        "obl": 0,
        "oll": 1 if kept else 0,
        "omem": kept,
        "tot-mem": memory_of(session) + sent + words,
        "events": "rw" if kept else "r",
        "cmd": row.name.decode() if row is not None else "NULL",
        "user": session.user.name.decode("utf-8", "replace") if session.kind() != "master" else "(superuser)",
        "redir": session.tracker.redirect if session.tracker is not None else -1,
        "resp": session.resp,
        "lib-name": session.library.decode("utf-8", "replace"),
        "lib-ver": session.library_version.decode("utf-8", "replace"),
    }
    return " ".join(f"{name}={value}" for name, value in fields.items())


def flags_of(session: Session) -> str:
    """The letters of CLIENT LIST's ``flags``."""
    letters = "S" if session.is_replica else ""
    if "monitor" in session.flags:
        letters += "O"
    if session.kind() == "master":
        letters += "M"
    if session.listens():
        letters += "P"
    if session.transaction is not None:
        letters += "x"
    if session.waiter is not None or session.core.pause.postpones(session):
        letters += "b"
    if session.tracker is not None:
        letters += "t"
        if session.tracker.broken:
            letters += "R"
        if session.tracker.mode == "bcast":
            letters += "B"
    if session.outdated:
        letters += "d"
    if session.closing:
        letters += "c"
    if session.unix:
        letters += "U"
    if "no-evict" in session.flags:
        letters += "e"
    if "no-touch" in session.flags:
        letters += "T"
    return letters or "N"


def monitor_line(session: Session, argv: list[bytes], time: float) -> bytes:
    """A command as MONITOR shows it, encoded."""
    where = f"{int(time)}.{int(time * 1000000) % 1000000:06d} [{session.db.index} {session.address or 'lua'}]"
    words = b"".join(b" " + quoted(word) for word in redacted(argv))
    return b"+" + where.encode() + words + b"\r\n"


_ESCAPES = {0x5C: b"\\\\", 0x22: b'\\"', 10: b"\\n", 13: b"\\r", 9: b"\\t", 7: b"\\a", 8: b"\\b"}


def quoted(text: bytes) -> bytes:
    """A word in double quotes with everything escaped that is not printable, as Redis's ``sdscatrepr``."""
    if text.isascii() and text.isalnum():
        return b'"' + text + b'"'
    return b'"' + b"".join(_REPRESENTED[byte] for byte in text) + b'"'


_REPRESENTED = [
    _ESCAPES.get(byte) or (bytes([byte]) if 0x20 <= byte < 0x7F else b"\\x%02x" % byte) for byte in range(256)
]
