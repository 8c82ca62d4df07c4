"""Publish and subscribe.

A message is encoded once for each version of the protocol, however many receive it. Subscribers of a channel get it in
the order of their subscription, then those of each pattern that matches. Shard channels are a world of their own: in a
cluster each belongs to one shard; here SPUBLISH reaches those who have used SSUBSCRIBE, and no pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
from pycache_server.commands.syntax import KeySpec
from pycache_server.errors import RedisError, bad_subcommand
from pycache_server.repl.entries import CHANNEL
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
        self.shard_channels: dict[bytes, dict[Session, None]] = {}
        self.overheard: dict[bytes, Callable[[Session, bytes], None]] = {}
        """Channels that the server itself wants to hear, with who has published: not counted as a listener."""

    def subscribe(self, session: Session, channel: bytes) -> None:
        """Let a session hear a channel."""
        session.subscriptions[channel] = None
        self.channels.setdefault(channel, {})[session] = None

    def unsubscribe(self, session: Session, channel: bytes) -> None:
        """Let a session no longer hear a channel."""
        if channel in session.subscriptions:
            del session.subscriptions[channel]
            _leave(self.channels, channel, session)

    def ssubscribe(self, session: Session, channel: bytes) -> None:
        """Let a session hear a shard channel."""
        session.shard_subscriptions[channel] = None
        self.shard_channels.setdefault(channel, {})[session] = None

    def sunsubscribe(self, session: Session, channel: bytes) -> None:
        """Let a session no longer hear a shard channel."""
        if channel in session.shard_subscriptions:
            del session.shard_subscriptions[channel]
            _leave(self.shard_channels, channel, session)

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
        for channel in list(session.shard_subscriptions):
            self.sunsubscribe(session, channel)

    def publish(self, channel: bytes, message: bytes) -> int:
        """Send a message. Returns how many times it was sent."""
        sent = _send(self.channels.get(channel, ()), Push([b"message", channel, message]))
        for pattern, (matches, listeners) in self.patterns.items():
            if matches(channel):
                sent += _send(listeners, Push([b"pmessage", pattern, channel, message]))
        return sent

    def spublish(self, channel: bytes, message: bytes) -> int:
        """Send a message to a shard channel. Returns how many times it was sent."""
        return _send(self.shard_channels.get(channel, ()), Push([b"smessage", channel, message]))


def _leave(channels: dict[bytes, dict[Session, None]], channel: bytes, session: Session) -> None:
    listeners = channels[channel]
    del listeners[session]
    if not listeners:
        del channels[channel]


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
    if argv[1] == CHANNEL and not session.obeys:
        raise RedisError(b"ERR No client may publish on the channel of the group's leaders")
    pubsub = session.core.pubsub
    if argv[1] in pubsub.overheard:
        pubsub.overheard[argv[1]](session, argv[2])
    return pubsub.publish(argv[1], argv[2])


_SHARD_KEYS = (KeySpec(1, last=-1, flags=("NOT_KEY",)),)
"""Shard channels are found like keys, so that a client of a cluster knows where to send them."""


@command(
    "SSUBSCRIBE shardchannel [shardchannel ...]",
    PUBSUB,
    NOSCRIPT,
    LOADING,
    STALE,
    since="7.0.0",
    complexity="O(N), N = channels",
    key_specs=_SHARD_KEYS,
)
def ssubscribe(session: Session, argv: list[bytes]) -> Any:
    """Listen to shard channels. Unlike SUBSCRIBE not within MULTI."""
    if session.deny_blocking:
        raise RedisError(b"ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
    for channel in argv[1:]:
        session.core.pubsub.ssubscribe(session, channel)
        session.push(Push([b"ssubscribe", channel, len(session.shard_subscriptions)]))
    session.choose_table()
    return NO_REPLY


@command(
    "SUNSUBSCRIBE [shardchannel [shardchannel ...]]",
    PUBSUB,
    NOSCRIPT,
    LOADING,
    STALE,
    since="7.0.0",
    complexity="O(N), N = channels",
    key_specs=_SHARD_KEYS,
)
def sunsubscribe(session: Session, argv: list[bytes]) -> Any:
    """Stop listening to shard channels, or to all."""
    channels: list[bytes | None] = [*(argv[1:] or session.shard_subscriptions)]
    for channel in channels or [None]:
        if channel is not None:
            session.core.pubsub.sunsubscribe(session, channel)
        session.push(Push([b"sunsubscribe", channel, len(session.shard_subscriptions)]))
    session.choose_table()
    return NO_REPLY


@command(
    "SPUBLISH shardchannel message",
    PUBSUB,
    LOADING,
    STALE,
    FAST,
    MAY_REPLICATE,
    since="7.0.0",
    complexity="O(N), N = listeners",
    key_specs=(KeySpec(1, flags=("NOT_KEY",)),),
)
def spublish(session: Session, argv: list[bytes]) -> int:
    """Send a message to a shard channel; return how many received it."""
    return session.core.pubsub.spublish(argv[1], argv[2])


family.container("PUBSUB", since="2.8.0", help_since="6.2.0", summary="Commands that tell of channels and who listens.")


@command("PUBSUB CHANNELS [pattern]", PUBSUB, LOADING, STALE, since="2.8.0", complexity="O(N), N = channels")
def pubsub_channels(session: Session, argv: list[bytes]) -> list[bytes]:
    """List channels that somebody listens to."""
    return _list_channels(argv, session.core.pubsub.channels)


def _list_channels(argv: list[bytes], channels: Iterable[bytes]) -> list[bytes]:
    if len(argv) > 3:
        raise bad_subcommand(argv)
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
    return _count_listeners(argv, session.core.pubsub.channels)


def _count_listeners(argv: list[bytes], channels: dict[bytes, dict[Session, None]]) -> list[Any]:
    counts: list[Any] = []
    for channel in argv[2:]:
        counts += [channel, len(channels.get(channel, ()))]
    return counts


@command("PUBSUB SHARDCHANNELS [pattern]", PUBSUB, LOADING, STALE, since="7.0.0", complexity="O(N), N = channels")
def pubsub_shardchannels(session: Session, argv: list[bytes]) -> list[bytes]:
    """List shard channels that somebody listens to."""
    return _list_channels(argv, session.core.pubsub.shard_channels)


@command(
    "PUBSUB SHARDNUMSUB [shardchannel [shardchannel ...]]",
    PUBSUB,
    LOADING,
    STALE,
    since="7.0.0",
    complexity="O(N), N = channels",
)
def pubsub_shardnumsub(session: Session, argv: list[bytes]) -> list[Any]:
    """Count who listens to each of some shard channels."""
    return _count_listeners(argv, session.core.pubsub.shard_channels)
