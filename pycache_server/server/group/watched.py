"""What a voter does so that Redis's sentinels, which watch its group, name the leader that the group has elected.

Such a sentinel names another leader in one case alone: its failover ends with ``role:master`` at the very node that it
has chosen and told SLAVEOF NO ONE. Otherwise it waits for its failover-timeout, and tries again after twice that, with
the same one, as a rule. It does not begin a failover at all while the node that it takes for the leader answers PING,
for twenty seconds even if that says ``role:slave``. So

1. *a nominated voter claims the lead* from the leader that it follows, which is a handover: nothing is lost by it
   (repl/leading.py). It does so when its nomination comes to nothing because another was elected, of whom the sentinels
   do not know; or when they know the leader, and reach it, so that it was an operator who said SENTINEL FAILOVER.
2. *a voter that is taken for the leader*, and follows another, answers PING of who thinks so with an error.

Whom sentinels take for the leader is known from their hellos, which each publishes at each node every two seconds. They
are not proofs: whoever may publish can forge them. Neither rule believes more than it needs. A claim wants a nomination
besides, and hellos of more sentinels that take *another* than the leader for it than of such that do not; or else that
most of those that the leader has heard of have been heard by it just now. A leader that the sentinels know, and cannot
reach, is not deposed for them. A PING is answered so on the connection alone that the
hello has come on. And both wait for GRACE after a new leader is followed: our sentinels ask, and need neither. Nor do
their nominations lead to a claim: to a voter they say REPLICAOF, and Redis's SLAVEOF.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pycache_server.election.machine import Refusal
from pycache_server.election.messages import Claim
from pycache_server.server.group.dialing import address_of
from pycache_server.session import group as gates

if TYPE_CHECKING:
    from pycache_server.server.group.group import Group
    from pycache_server.session.session import Session

HELLO: Final = b"__sentinel__:hello"
WORDS: Final = 8
"""Of a hello: ip, port, run id and epoch of the sentinel, name, ip, port and epoch of the master."""
FRESH: Final = 7000.0
"""Milliseconds for which a hello tells something: three of them may be late or lost."""
REACHING: Final = 2500.0
"""Milliseconds within which a sentinel that reaches a node says hello there. It is so much less than what passes before
a failover that was begun because it does not (down-after, GRACE)."""
GRACE: Final = 2000.0
"""Milliseconds that sentinels have to find out by themselves who leads."""
WANTED: Final = 180_000.0
"""Milliseconds for which a sentinel may wait for whom it has nominated: its failover-timeout where nothing is said."""
WANTED_BY_HAND: Final = 10_000.0
"""The same where it knows the leader: if that cannot be reached by then, nobody shall be surprised later."""
CLAIM_EVERY: Final = 1000.0
MOST_SENTINELS: Final = 64
LONGEST_ID: Final = 64

Address = tuple[str, int]


class Watched:
    """What is known of the sentinels that watch one voter."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._named: dict[bytes, tuple[Address, float]] = {}  # by run id, the newest last: whom it names, and when
        self._misled: set[int] = set()  # the ids of connections on which this node is named as the leader
        self._refuses_ping = False
        self._leader: str | None = None
        self._followed_since = 0.0
        self._nominated_at = float("-inf")
        self._by_hand = False  # whether sentinels that nominated this voter knew the leader that it followed
        self._claimed_at = float("-inf")
        group.core.pubsub.overheard[HELLO] = self.hear

    # Hellos

    def hear(self, session: Session, message: bytes) -> None:
        """A hello is published here: by a sentinel, or by the leader's stream."""
        words = message.split(b",")
        if len(words) != WORDS or not words[6].isdigit():
            return
        named = (words[5].decode("utf-8", "replace"), int(words[6][:6]))
        sentinel = words[2][:LONGEST_ID]
        self._named.pop(sentinel, None)
        if len(self._named) >= MOST_SENTINELS:
            del self._named[next(iter(self._named))]
        self._named[sentinel] = (named, self._group.now())
        if not session.obeys:
            own = session.local_address.rpartition(":")[0].strip("[]")
            if self._is(self._group.seat, named, own):
                self._misled.add(session.id)
            else:
                self._misled.discard(session.id)

    def _is(self, seat: str, named: Address, address: str) -> bool:
        """Whether who is named is this seat, whose address is known besides: sentinels name addresses, seats may be
        names."""
        host, port = address_of(seat)
        return named[1] == port and named[0] in (host, address)

    def _votes(self, leader: str, now: float) -> tuple[int, int]:
        """How many sentinels have said lately whom they take for the leader, and how many of them this one."""
        link = self._group.member.link
        address = self._group.links.address(link).rpartition(":")[0] if link is not None else ""
        fresh = [named for named, at in self._named.values() if now - at <= FRESH]
        return len(fresh), sum(self._is(leader, named, address) for named in fresh)

    def _is_another_named(self, leader: str, now: float) -> bool:
        count, right = self._votes(leader, now)
        return 2 * right < count

    def _is_named(self, leader: str, now: float) -> bool:
        count, right = self._votes(leader, now)
        return 2 * right > count

    def _is_reached(self, now: float) -> bool:
        """Whether most of the sentinels that have said hello here have done so just now."""
        ages = [now - at for _, at in self._named.values() if now - at <= FRESH]
        return 2 * sum(age <= REACHING for age in ages) > len(ages)

    # Nominations

    def nominate(self, now: float) -> None:
        """Sentinels want this voter to lead."""
        self._nominated_at = now
        leader = self._leader_now()
        self._by_hand = leader is not None and leader == self._leader and self._is_named(leader, now)

    def redirect(self) -> None:
        """Somebody wants it to follow."""
        self._nominated_at = float("-inf")

    def tick(self, now: float) -> None:
        """Claim the lead, if that is due."""
        group = self._group
        leader = self._leader_now()
        if leader != self._leader:
            self._leader, self._followed_since = leader, now
            self._by_hand = False
        self._misled &= group.core.sessions.keys()
        self._refuse_ping(leader is not None and bool(self._misled) and now - self._followed_since > GRACE)
        if group.is_in_office:
            self.redirect()
        elif leader is not None and self._is_due(now) and self._is_for(leader, now):
            self._claimed_at = now
            group.post.send_aside(leader, Claim(group.epoch, self._by_hand))

    def _leader_now(self) -> str | None:
        """The leader that this voter follows."""
        return self._group.leader if self._group.is_linked else None

    def _is_for(self, leader: str, now: float) -> bool:
        """Whether this leader may be asked. Sentinels that did not know it, and name it by now, have found what they
        wanted."""
        return self._is_named(leader, now) if self._by_hand else self._is_another_named(leader, now)

    def _is_due(self, now: float) -> bool:
        waited = now - max(self._nominated_at, self._followed_since)
        wanted = WANTED_BY_HAND if self._by_hand else WANTED
        return waited > GRACE and now - self._nominated_at <= wanted and now - self._claimed_at >= CLAIM_EVERY

    def hear_claim(self, sender: str, claim: Claim) -> None:
        """Another voter claims the lead: hand over to it, unless it follows no more, or something else is going on."""
        group = self._group
        if not group.leads or claim.epoch != group.epoch or (claim.known and not self._is_reached(group.now())):
            return
        log = group.app.log
        try:
            group.orders.hand_over(sender)
        except Refusal as refusal:
            log.write("verbose", f"Group: {sender}, which sentinels have chosen, does not get the lead: {refusal}")
        else:
            log.write("notice", f"Group: sentinels have chosen {sender}: handing over")

    # PING

    def _refuse_ping(self, wanted: bool) -> None:
        if wanted != self._refuses_ping:
            self._refuses_ping = wanted
            gates.refuse_ping_of(self._group.core, self.is_misled if wanted else None)

    def is_misled(self, session: Any) -> bool:
        """Whether a client takes this node for the leader."""
        return session.id in self._misled
