"""The one interface of all engines: a key that one seat holds at a time, for as long as it renews.

An engine numbers its holders: the *token* of a later holder is greater than that of an earlier one (etcd: the revision
at which the key was created; Consul: the LockIndex; builtin: the epoch). The token is kept beside the epoch of the
group and never replaces it.

What an engine says is what it knew when it said so. Its holder counts the time of its lease itself, from when it *sent*
the last renewal that was confirmed (candidacy.py), and never asks the engine whether it still holds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final, NamedTuple, Protocol

from pycache_server.coordinator.group import Group


class EngineError(Exception):
    """Something went wrong with an engine; the text is for the operator."""


class Unreachable(EngineError):
    """No endpoint has answered: whether the request was done, nobody knows."""


class Denied(EngineError):
    """The engine has answered that it will not: credentials, rights, or a request that it does not know."""


class Lost(EngineError):
    """The engine has answered that the lease or the session is over: so is everything that was held with it."""


class Taken(EngineError):
    """The key that this seat held is another's, or nobody's, though its lease or session is not over: somebody has
    deleted it, or the leader of a later epoch has taken it."""


class Claim(NamedTuple):
    """What a seat tells the engine about itself."""

    seat: str
    epoch: int
    leads: bool


class Seen(NamedTuple):
    """What the key says."""

    holder: str | None
    """The seat that holds it; None if nobody does."""
    token: int = 0
    """Of this holder, or of the last one that is known."""
    epoch: int = 0
    """The epoch that the holder has told of."""
    is_own: bool = False
    """Whether it is held by the very lease or session of who asks, and not by a former life of the same seat."""


class Registered(NamedTuple):
    """A seat that has registered itself."""

    seat: str
    epoch: int
    leads: bool
    alive: bool


RENEWALS: Final = 4
"""How often a lease is renewed while it lasts."""


class Setup(NamedTuple):
    """How an engine is configured."""

    seat: str
    prefix: str
    """What this group is called in the engine: different groups have different prefixes."""
    endpoints: tuple[str, ...] = ()
    ttl: float = 2000.0
    """Milliseconds after which a seat that does not renew has lost its key."""
    username: str = ""
    password: str = ""
    token: str = ""

    @property
    def every(self) -> float:
        """Milliseconds between two renewals."""
        return self.ttl / RENEWALS

    @property
    def seconds(self) -> float:
        """Seconds that one request may take."""
        return self.ttl / 2000


class Engine(Protocol):
    """One seat's access to the engine. Each method raises EngineError."""

    kind: str
    nominates: bool
    """Whether who holds the key shall be elected. If not, who is elected shall hold the key."""

    def __init__(self, setup: Setup, group: Group) -> None: ...

    @property
    def ttl(self) -> float:
        """Milliseconds that a renewal lasts, as granted."""

    @property
    def every(self) -> float:
        """Milliseconds between two renewals."""

    @property
    def token(self) -> int:
        """The newest token that was heard of; 0 before the first."""

    async def renew(self, claim: Claim) -> None:
        """Be registered with this claim, and keep what is held. Lost if all of that is over, Taken if the key is."""

    async def acquire(self, claim: Claim) -> Seen:
        """Take the key if it is free, or its holder is over (``breaks``); what it says then. Renew comes before it."""

    async def release(self) -> None:
        """Give the key up, and stay registered."""

    async def leave(self) -> None:
        """Give up everything: the process ends."""

    async def members(self) -> list[Registered]:
        """Who is registered, by seat."""

    def watch(self) -> AsyncGenerator[Seen]:
        """What the key says now, and whenever that may have changed. It ends with EngineError; whoever does not wait
        for that closes it."""

    async def close(self) -> None:
        """Close the connections."""


def breaks(seen: Seen, claim: Claim) -> bool:
    """Whether a claim may take the key from its holder: that is a former life of the same seat, or the leader of an
    earlier epoch than the claimant leads now."""
    if seen.holder is None or seen.is_own:
        return False
    return seen.holder == claim.seat or (claim.leads and seen.epoch < claim.epoch)
