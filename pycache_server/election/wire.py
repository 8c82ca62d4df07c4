"""Messages as bytes, signed: what a stranger without the group's secret cannot make.

An envelope is: the protocol and its version, the seat that sends, the seat that is meant, the kind of message, its
fields, and an HMAC-SHA256 by the secret over all of it. Because both seats are signed, what was said to one voter
cannot be played to another. What was said to the same voter can be repeated, and is harmless by what it carries: a
round, a start or an epoch (messages.py). Nothing of an envelope is looked at before its signature has been found right.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import fields
from typing import Any

from pycache_server.election import fields as shapes
from pycache_server.election import messages
from pycache_server.election.fields import Reader, Shape

PROTOCOL = b"PCG1"
"""Names the protocol and its version: voters of two versions do not understand each other, and say so."""
_SIGNATURE = 32
_KINDS: dict[int, tuple[type[Any], tuple[Shape, ...]]] = {
    1: (messages.Who, (shapes.TEXT, shapes.NUMBER, shapes.BIRTHS)),
    2: (
        messages.Iam,
        (
            *(shapes.TEXT, shapes.NUMBER, shapes.TEXT, shapes.MAYBE_NUMBER),
            *(shapes.BIRTHS, shapes.BIRTHS, shapes.SEATS),
        ),
    ),
    3: (messages.PreVote, (shapes.TEXT, shapes.NUMBER, shapes.POSITION)),
    4: (
        messages.PreVoteReply,
        (shapes.TEXT, shapes.NUMBER, shapes.FLAG, shapes.NUMBER, shapes.MAYBE_POSITION),
    ),
    5: (messages.Vote, (shapes.TEXT, shapes.NUMBER, shapes.POSITION, shapes.NUMBER)),
    6: (messages.VoteReply, (shapes.TEXT, shapes.NUMBER, shapes.FLAG, shapes.NUMBER)),
    7: (messages.Hello, (shapes.NUMBER,)),
    8: (messages.Higher, (shapes.NUMBER,)),
    9: (messages.Prove, ()),
    10: (messages.Window, (shapes.NUMBER, shapes.TEXT)),
    11: (messages.Claim, (shapes.NUMBER, shapes.FLAG)),
}
_KIND_OF = {made: kind for kind, (made, _) in _KINDS.items()}


class Refused(ValueError):
    """Bytes that are no message for this voter; the message says why. They must change nothing."""


class Wire:
    """The bytes of one seat in a group."""

    def __init__(self, seat: str, secret: bytes) -> None:
        self._seat = seat
        self._secret = secret

    def encode(self, to: str, message: messages.Message | messages.Aside) -> bytes:
        """The envelope of a message to a seat."""
        kind = _KIND_OF[type(message)]
        cells = zip(_KINDS[kind][1], fields(message), strict=True)
        body = b"".join(
            (
                PROTOCOL,
                shapes.TEXT.write(self._seat),
                shapes.TEXT.write(to),
                bytes([kind]),
                *(shape.write(getattr(message, field.name)) for shape, field in cells),
            )
        )
        return body + self._sign(body)

    def decode(self, data: bytes) -> tuple[str, messages.Message | messages.Aside]:
        """Who has sent a message, and the message; Refused if it is none for this seat from its group."""
        body, signature = data[:-_SIGNATURE], data[-_SIGNATURE:]
        if not body.startswith(PROTOCOL):
            raise Refused("it is of another protocol or version")
        if not hmac.compare_digest(signature, self._sign(body)):
            raise Refused("its signature is wrong: another group-secret, or forged")
        reader = Reader(body[len(PROTOCOL) :])
        try:
            sender, to = shapes.TEXT.read(reader), shapes.TEXT.read(reader)
            made, parts = _KINDS[reader.number(1)]
            message = made(*(shape.read(reader) for shape in parts))
            reader.finish()
        except (ValueError, KeyError) as error:
            raise Refused(f"it cannot be read: {error}") from None
        if to != self._seat:
            raise Refused(f"it is for {to}")
        return sender, message

    def decode_message(self, data: bytes) -> tuple[str, messages.Message]:
        """The same for what the election is about; Refused if it is something else."""
        sender, message = self.decode(data)
        if isinstance(message, messages.ASIDES):
            raise Refused("it is none of the election")
        return sender, message

    def decode_aside(self, data: bytes) -> tuple[str, messages.Aside]:
        """The same for what is said beside it."""
        sender, message = self.decode(data)
        if not isinstance(message, messages.ASIDES):
            raise Refused("it is one of the election")
        return sender, message

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, hashlib.sha256)
