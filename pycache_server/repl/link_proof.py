"""How the two ends of a link prove to each other that they know the secret of the group, without telling it.

The opener says ``GROUP LINK <version> <its seat> <the other's seat> <nonce>``, the other answers
``+LINK <nonce> <proof>``, and the opener gives its own proof, behind which it may speak at once. A proof is an
HMAC-SHA256 by the secret over the version, the direction, both seats and both nonces: each end has chosen one of the
nonces, so what was heard of another link proves nothing, and because the direction is part of it, nor does what is
sent back to who has said it.

It proves who speaks, and no more: who can change packets on their way can still do so, as with ``masterauth``.

Versions differ in what an acknowledgement tells (link_wire.py). An end refuses what is newer than it knows, and says
what it speaks; the opener then opens the link anew in that version, if it knows it. So voters of two versions form one
group while they are upgraded one after the other.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from pycache_server.repl.link_wire import BadLink

VERSIONS: Final = (b"1", b"2")
"""Of the protocol, that are spoken. From 2 on an acknowledgement tells what is on the disk."""
VERSION: Final = VERSIONS[-1]
_SPEAKS: Final = b"this voter speaks version "
NONCE_SIZE: Final = 32
"""Hex digits of a nonce."""
LONGEST_ANSWER: Final = 512
"""Bytes of the line that answers ``GROUP LINK``."""
LONGEST_SEAT: Final = 300
_DIGITS: Final = 64
_PROOF_HEAD: Final = b"*2\r\n$5\r\nproof\r\n$%d\r\n" % _DIGITS
PROOF_SIZE: Final = len(_PROOF_HEAD) + _DIGITS + 2
"""Bytes of the opener's proof."""
_HEX: Final = frozenset(b"0123456789abcdef")


class Proofs:
    """The proofs of one link between two seats, for whoever knows the secret and both nonces."""

    def __init__(
        self,
        secret: bytes,
        opener: str,
        other: str,
        opener_nonce: bytes,
        other_nonce: bytes,
        version: bytes = VERSION,
    ) -> None:
        self._secret = secret
        self._said = (version, opener.encode(), other.encode(), opener_nonce, other_nonce)
        self._other_nonce = other_nonce

    def answer(self) -> bytes:
        """What the other end says."""
        return b"+LINK %b %b\r\n" % (self._other_nonce, self._sign(b"answer"))

    def proof(self) -> bytes:
        """What the opener says then."""
        return _PROOF_HEAD + self._sign(b"proof") + b"\r\n"

    def is_answer(self, line: bytes) -> bool:
        """Whether a line is what the other end must say."""
        return hmac.compare_digest(line, self.answer())

    def is_proof(self, data: bytes) -> bool:
        """Whether this is what the opener must say."""
        return hmac.compare_digest(data, self.proof())

    def _sign(self, direction: bytes) -> bytes:
        body = b"".join(len(word).to_bytes(4, "big") + word for word in (b"PCL", direction, *self._said))
        return hmac.digest(self._secret, body, hashlib.sha256).hex().encode()


def hello(opener: str, other: str, nonce: bytes, version: bytes = VERSION) -> bytes:
    """The command by which a link begins."""
    words = (b"GROUP", b"LINK", version, opener.encode(), other.encode(), nonce)
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def nonce_of(line: bytes) -> bytes:
    """The nonce in the line that answers.

    Raises BadLink, with what the other end says in place of it.
    """
    words = line.rstrip(b"\r\n").split(b" ")
    if len(words) == 3 and words[0] == b"+LINK" and is_nonce(words[1]):
        return words[1]
    raise BadLink(f"it answers '{line[:200].decode('utf-8', 'backslashreplace').strip()}'")


def refusal(spoken: bytes, wanted: bytes) -> bytes:
    """The text of the error by which an end that speaks one version refuses a newer one."""
    return b"ERR %b%b of the protocol of links, not %b" % (_SPEAKS, spoken, wanted[:16])


def older_version(line: bytes, asked: bytes) -> bytes | None:
    """The version that the other end speaks, where its answer refuses the newer one that was asked for, and this end
    speaks both."""
    _, _, rest = line.partition(b"-ERR " + _SPEAKS)
    spoken = rest.partition(b" ")[0]
    return spoken if spoken in VERSIONS[: VERSIONS.index(asked)] else None


def is_nonce(word: bytes) -> bool:
    """Whether a word has the form of a nonce."""
    return len(word) == NONCE_SIZE and _HEX.issuperset(word)


def seat_of(word: bytes) -> str | None:
    """The seat that a word names; None where it can be none."""
    try:
        seat = word.decode("ascii")
    except UnicodeDecodeError:
        return None
    port = seat.rpartition(":")[2]
    usable = len(seat) <= LONGEST_SEAT and seat.isprintable() and " " not in seat
    return seat if usable and port.isdigit() and not seat.startswith(":") else None
