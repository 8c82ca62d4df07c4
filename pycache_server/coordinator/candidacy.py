"""What one seat does about the key of an engine: when to renew, acquire and release, when to nominate itself, and what
a lost lease means.

Two kinds of engine, one machine:

- An engine that *nominates* (etcd): whoever holds the key shall be elected. A voter asks for the key when it leads, or
  when it hears no leader and could be elected. Who holds it nominates itself. Who holds it and is not elected within
  ``PATIENCE`` gives it up and lets others try: it may be cut off from its voters, and not from the engine.
- An engine that does not (Consul, builtin): the group elects by itself, and who leads asks for the key, to be known to
  others by it.

A lost lease deposes nobody. A leader leads by the lease that the *group* has given it (election/lease.py); it asks for
the key again, and if another holds it by then, that one hears a leader and gives it back. So the engine may be gone
altogether, and a leader leads on. Only an election needs the engine then: a voter that does not hold the key does not
stand by itself. After ``fallback`` milliseconds without the engine it does, as if there were none, for votes compare
positions all the same.

Whether the key is held is a question to the own clock, asked each time (``holds``): a process that was stopped for
longer than its lease finds out before it says anything. The lease runs from the sending of the last renewal that was
confirmed.

Events come in, actions are taken out (``take_actions``), as with the machines of election/. All of them are to be done,
and their outcomes told, before the next tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pycache_server.coordinator.engine import Claim, Engine, EngineError, Lost, Seen, Taken
from pycache_server.coordinator.group import Group
from pycache_server.election.machine import Refusal

if TYPE_CHECKING:
    from random import Random

PATIENCE: Final = 2000.0
"""Milliseconds that a holder has to be elected."""
REST: Final = 3000.0
"""For how long one that was not lets others try, at least; twice as long each time, up to ``LONGEST_REST``, until a
leader is heard."""
LONGEST_REST: Final = 30_000.0
LOSS_PATIENCE: Final = 500.0
"""The same for one that has led, and has lost the lease of the group: it hears no majority, so others shall try."""
NOMINATE_EVERY: Final = 1000.0
"""Between two nominations of a holder, which each last a little longer."""
ACQUIRE_EVERY: Final = 500.0
"""Between two attempts to get the key where nothing has told that it is free."""
MARGIN: Final = 0.9
"""The part of its lease in which a holder believes that it holds: clocks differ, and answers take their time."""


@dataclass(frozen=True, slots=True)
class Renew:
    """Engine.renew."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Acquire:
    """Engine.acquire."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Release:
    """Engine.release."""


@dataclass(frozen=True, slots=True)
class Say:
    """Tell the operator, at a level of the log."""

    level: str
    text: str


Action = Renew | Acquire | Release | Say


class Candidacy:
    """One seat's. Times are milliseconds of a monotonic clock. ``fallback`` is how long the engine may be away before
    the group elects by itself; 0 is for ever."""

    def __init__(self, group: Group, engine: Engine, fallback: float, random: Random, now: float) -> None:
        self._group = group
        self._kind = engine.kind
        self._nominates = engine.nominates
        self._every = engine.every
        self._fallback = fallback
        self._random = random
        self._actions: list[Action] = []
        self.ttl = engine.ttl
        self.seen = Seen(None)
        """What was last heard of the key."""
        self.token = 0
        """Of the key, while it is held; of when it was, afterwards."""
        self.last_error = ""
        self._held = False
        self._unsure = False
        """Whether the key may be this seat's without its knowing: taking it, or giving it up, has failed."""
        self._renewed: float | None = None
        """When the last renewal was sent that was confirmed; None without a lease."""
        self._answered = now
        """When the engine last did what it was asked for, or was first asked."""
        self._renew_at = now
        self._acquire_at = now
        self._not_before = now
        self._failures = 0
        """How often it has held the key without being elected, since a leader was heard."""
        self._nominate_at = now
        self._elect_by = now
        self._led = False
        self._told = Claim(group.seat, -1, False)
        self._fell_back = False

    # Questions.

    def holds(self, now: float) -> bool:
        """Whether this seat holds the key, by its own clock."""
        return self._held and self.is_leased(now)

    def is_leased(self, now: float) -> bool:
        """Whether its lease has not run out yet."""
        return self._renewed is not None and now < self._renewed + self.ttl * MARGIN

    def may_stand_by_itself(self, now: float) -> bool:
        """Whether the voter may stand for election though nobody but its own patience has said so."""
        return not self._nominates or self.holds(now) or self.has_fallen_back(now)

    def has_fallen_back(self, now: float) -> bool:
        """Whether the engine has been away for so long that the group elects without it."""
        return self._nominates and 0 < self._fallback <= now - self._answered

    def state(self, now: float) -> str:
        """In one word, for INFO."""
        if self.holds(now):
            return "holding"
        if self.has_fallen_back(now):
            return "fallback"
        return "waiting" if self.is_leased(now) else "unreachable"

    def wants_key(self, now: float) -> bool:
        """Whether this seat should hold the key."""
        group = self._group
        if group.leads:
            return True
        return self._nominates and group.may_stand and group.is_leaderless and now >= self._not_before

    # Time.

    def tick(self, now: float) -> None:
        """Time has passed, or the group has changed. While something fails, only renewals are tried."""
        if self._held and not self.is_leased(now):
            self._lose("its lease was not renewed in time")
        self._note_fallback(now)
        if not self._group.is_leaderless:
            self._failures = 0
        if self._held:
            self._tick_holder(now)
        claim = self.claim()
        if now >= self._renew_at or (claim != self._told and self.is_leased(now)):
            self._renew_at = now + self._every
            self._told = claim
            self._actions.append(Renew(claim))
        if not self._held and self.is_leased(now) and now >= self._acquire_at and not self.last_error:
            self._tick_candidate(claim, now)

    def _tick_candidate(self, claim: Claim, now: float) -> None:
        wants = self.wants_key(now)
        if wants or self._unsure:
            self._acquire_at = now + ACQUIRE_EVERY
            self._actions.append(Acquire(claim) if wants else Release())

    def _tick_holder(self, now: float) -> None:
        group = self._group
        if group.leads:
            self._led = True
            self._elect_by = now + LOSS_PATIENCE
        elif not self.wants_key(now):
            leader = group.leader_seat
            self._give_up(f"{leader} leads the group" if leader else "another stands, or this voter cannot lead now")
        elif now > self._elect_by:
            rest = min(REST * 2**self._failures, LONGEST_REST)
            self._not_before = now + self._random.uniform(1, 2) * rest
            self._failures += 1
            why = "has lost the lease of the group" if self._led else "was not elected"
            self._give_up(f"this voter {why}, and others shall try")
        elif not self._led and now >= self._nominate_at:
            self._nominate(now)

    def _nominate(self, now: float) -> None:
        self._nominate_at = now + NOMINATE_EVERY
        try:
            self._group.nominate()
        except Refusal as refusal:
            self._say("warning", f"holds the key, but cannot stand: {refusal}")

    def _note_fallback(self, now: float) -> None:
        fallen = self.has_fallen_back(now)
        if fallen and not self._fell_back:
            self._say("warning", f"away for {self._fallback:.0f} ms: the group elects without it until it is back")
        self._fell_back = fallen

    # What has come of the actions.

    def renewed(self, sent: float, ttl: float, now: float) -> None:
        """A renewal that was sent then is confirmed."""
        if self._renewed is None or self.last_error:
            self._say("notice", "registered")
        self._renewed, self._answered, self.ttl, self.last_error = sent, now, ttl, ""
        self._renew_at = sent + self._every

    def acquired(self, seen: Seen, now: float) -> None:
        """The key was asked for; this is what it says then."""
        self._answered = now
        self._unsure = False
        self._note(seen)
        if seen.is_own and not self._held:
            self._held, self.token = True, seen.token
            self._led, self._nominate_at, self._elect_by = False, now, now + PATIENCE
            self._say("notice", f"holds the key, token {seen.token}")
            self.tick(now)

    def released(self) -> None:
        """The key was given up."""
        self._unsure = False
        if self.seen.is_own:
            self.seen = Seen(None, self.seen.token)

    def changed(self, seen: Seen, now: float) -> None:
        """The key has been looked at, without being asked for. This may be old: it frees nothing that is held."""
        self._note(seen)
        if seen.holder is None:
            self._acquire_at = now

    def failed(self, action: Action, error: EngineError, now: float) -> None:
        """An action has failed. Whether the key was taken or given up, nobody knows then: it is tried again."""
        text = str(error)
        self._renew_at = min(self._renew_at, now + self._every / 2)
        if isinstance(error, Taken):
            self._answered = now
            if self._held:
                self._lose(text)
            return
        if isinstance(action, (Acquire, Release)):
            self._unsure = True
        if text != self.last_error:
            self._say("warning", text)
        self.last_error = text
        if isinstance(error, Lost):
            self._renewed, self._unsure = None, False
            self._told = Claim(self._group.seat, -1, False)
            if self._held:
                self._lose("its lease is over")

    def _note(self, seen: Seen) -> None:
        if seen.holder != self.seen.holder:
            self._say("notice", f"the key is held by {seen.holder or 'nobody'}")
        self.seen = seen

    def _lose(self, why: str) -> None:
        self._held = False
        self._acquire_at = 0.0
        self._say("warning", f"lost the key: {why}")

    def _give_up(self, why: str) -> None:
        self._held = False
        self._say("notice", f"gives up the key: {why}")
        self._actions.append(Release())

    # The small parts.

    def claim(self) -> Claim:
        """What the engine is told now."""
        group = self._group
        return Claim(group.seat, group.epoch, group.leads)

    def take_actions(self) -> list[Action]:
        """What is to be done, in this order."""
        taken = self._actions[:]
        self._actions.clear()
        return taken

    def _say(self, level: str, text: str) -> None:
        self._actions.append(Say(level, f"Coordinator {self._kind}: {text}"))

    def _check(self) -> None:
        assert not self._held or self._renewed is not None
        assert self.token >= 0 and self.ttl > 0
