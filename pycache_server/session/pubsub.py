"""Publish and subscribe.

A message is encoded once for each version of the protocol, however many receive it. Subscribers of a channel get it in
the order of their subscription, then those of each pattern that matches.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pycache_server.commands.registry import (
    FAST,
    LOADING,
    MAY_REPLICATE,
    NOSCRIPT,
    PUBSUB,
    STALE,
    Family,
)
from pycache_server.errors import RedisError, bad_subcommand
from pycache_server.resp.encode import NO_REPLY, Push, encode2, encode3
from pycache_server.store.glob import Matcher, compile_glob

if TYPE_CHECKING:
    from pycache_server.session.session import Session

family = Family("pubsub")
command = family.command


class PubSub:
    """Who listens to what."""

    def __init__(self) -> None:
        self.channels: dict[bytes, dict[Session, None]] = {}
        self.patterns: dict[bytes, tuple[Matcher, dict[Session, None]]] = {}

    def subscribe(self, session: Session, channel: bytes) -> None:
        """Let a session hear a channel."""
        session.subscriptions[channel] = None
        self.channels.setdefault(channel, {})[session] = None

    def unsubscribe(self, session: Session, channel: bytes) -> None:
        """Let a session no longer hear a channel."""
        if channel in session.subscriptions:
            del session.subscriptions[channel]
            listeners = self.channels[channel]
            del listeners[session]
            if not listeners:
                del self.channels[channel]

    def psubscribe(self, session: Session, pattern: bytes) -> None:
        """Let a session hear all channels that match."""
        session.patterns[pattern] = None
        if pattern not in self.patterns:
            self.patterns[pattern] = (compile_glob(pattern), {})
        self.patterns[pattern][1][session] = None

    def punsubscribe(self, session: Session, pattern: bytes) -> None:
        """Let a session no longer hear the channels that match."""
        if pattern in session.patterns:
            del session.patterns[pattern]
            listeners = self.patterns[pattern][1]
            del listeners[session]
            if not listeners:
                del self.patterns[pattern]

    def forget(self, session: Session) -> None:
        """A client has gone."""
        for channel in list(session.subscriptions):
            self.unsubscribe(session, channel)
        for pattern in list(session.patterns):
            self.punsubscribe(session, pattern)

    def publish(self, channel: bytes, message: bytes) -> int:
        """Send a message. Returns how many times it was sent."""
        sent = _send(self.channels.get(channel, ()), Push([b"message", channel, message]))
        for pattern, (matches, listeners) in self.patterns.items():
            if matches(channel):
                sent += _send(listeners, Push([b"pmessage", pattern, channel, message]))
        return sent


def _send(listeners: Iterable[Session], message: Push) -> int:
    wires: dict[int, bytes] = {}
    count = 0
    for listener in listeners:
        count += 1
        wire = wires.get(listener.resp)
        if wire is None:
            wire = wires[listener.resp] = encode3(message) if listener.resp == 3 else encode2(message)
        listener.push_message(wire)
    return count


def _total(session: Session) -> int:
    return len(session.subscriptions) + len(session.patterns)


def _check_context(session: Session, name: bytes) -> None:
    """A client that must get a reply to each command at once cannot subscribe, as within a MULTI in RESP2 of a
    client that may not block."""
    if session.deny_blocking and not session.executing:
        raise RedisError(b"ERR " + name + b" isn't allowed for a DENY BLOCKING client")


@command(
    "SUBSCRIBE channel [channel ...]", PUBSUB, NOSCRIPT, LOADING, STALE, since="2.0.0", complexity="O(N), N = channels"
)
def subscribe(session: Session, argv: list[bytes]) -> Any:
    """Listen to channels."""
    _check_context(session, b"SUBSCRIBE")
    for channel in argv[1:]:
        session.core.pubsub.subscribe(session, channel)
        session.push(Push([b"subscribe", channel, _total(session)]))
    session.choose_table()
    return NO_REPLY


@command(
    "PSUBSCRIBE pattern [pattern ...]", PUBSUB, NOSCRIPT, LOADING, STALE, since="2.0.0", complexity="O(N), N = patterns"
)
def psubscribe(session: Session, argv: list[bytes]) -> Any:
    """Listen to all channels that match patterns."""
    _check_context(session, b"PSUBSCRIBE")
    for pattern in argv[1:]:
        session.core.pubsub.psubscribe(session, pattern)
        session.push(Push([b"psubscribe", pattern, _total(session)]))
    session.choose_table()
    return NO_REPLY


@command(
    "UNSUBSCRIBE [channel [channel ...]]",
    PUBSUB,
    NOSCRIPT,
    LOADING,
    STALE,
    since="2.0.0",
    complexity="O(N), N = channels",
)
def unsubscribe(session: Session, argv: list[bytes]) -> Any:
    """Stop listening to channels, or to all."""
    channels: list[bytes | None] = [*(argv[1:] or session.subscriptions)]
    for channel in channels or [None]:
        if channel is not None:
            session.core.pubsub.unsubscribe(session, channel)
        session.push(Push([b"unsubscribe", channel, _total(session)]))
    session.choose_table()
    return NO_REPLY


@command(
    "PUNSUBSCRIBE [pattern [pattern ...]]",
    PUBSUB,
    NOSCRIPT,
    LOADING,
    STALE,
    since="2.0.0",
    complexity="O(N), N = patterns",
)
def punsubscribe(session: Session, argv: list[bytes]) -> Any:
    """Stop listening to patterns, or to all."""
    patterns: list[bytes | None] = [*(argv[1:] or session.patterns)]
    for pattern in patterns or [None]:
        if pattern is not None:
            session.core.pubsub.punsubscribe(session, pattern)
        session.push(Push([b"punsubscribe", pattern, _total(session)]))
    session.choose_table()
    return NO_REPLY


@command(
    "PUBLISH channel message",
    PUBSUB,
    LOADING,
    STALE,
    FAST,
    MAY_REPLICATE,
    since="2.0.0",
    complexity="O(N+M), N = listeners, M = patterns",
)
def publish(session: Session, argv: list[bytes]) -> int:
    """Send a message to a channel; return how many received it."""
    return session.core.pubsub.publish(argv[1], argv[2])


family.container("PUBSUB", since="2.8.0", help_since="6.2.0", summary="Commands that tell of channels and who listens.")


@command("PUBSUB CHANNELS [pattern]", PUBSUB, LOADING, STALE, since="2.8.0", complexity="O(N), N = channels")
def pubsub_channels(session: Session, argv: list[bytes]) -> list[bytes]:
    """List channels that somebody listens to."""
    if len(argv) > 3:
        raise bad_subcommand(argv)
    channels = session.core.pubsub.channels
    if len(argv) == 2:
        return list(channels)
    matches = compile_glob(argv[2])
    return [channel for channel in channels if matches(channel)]


@command("PUBSUB NUMPAT", PUBSUB, LOADING, STALE, since="2.8.0")
def pubsub_numpat(session: Session, argv: list[bytes]) -> int:
    """Count the patterns that somebody listens to."""
    return len(session.core.pubsub.patterns)


@command(
    "PUBSUB NUMSUB [channel [channel ...]]", PUBSUB, LOADING, STALE, since="2.8.0", complexity="O(N), N = channels"
)
def pubsub_numsub(session: Session, argv: list[bytes]) -> list[Any]:
    """Count who listens to each of some channels."""
    counts: list[Any] = []
    for channel in argv[2:]:
        counts += [channel, len(session.core.pubsub.channels.get(channel, ()))]
    return counts
