"""A voter that is in no group: it is new, or its file is lost. It asks all others until it knows which.

*First boot.* A group forms when all configured voters have no group, once each knows the birth ids of all and all have
repeated them (two phases): the founders. A voter that forms may be the last that was missing for another, which dies
before it hears so, and with a majority that forms in the meantime a second group could begin. So who is in the group
tells the founders to whom asks, and a voter whose own birth id is among them belongs to the group: it has never
acknowledged anything, for its file says so, and it is not lost, for its birth id is the same.

*A lost file.* A voter that finds a group but not itself among the founders has had another file once. It may have
promised anything in it. It asks *all* others in one round, and the highest promise among their answers is the least
that it may promise from now on: whatever it has promised or voted, some voter that has counted it knows of, and a
majority may not contain that one. Until the group's data has reached it, it has no memory. A leader tells it who votes
now, where that is not as configured.

*Found data.* A voter that is in no group and yet holds data - a backup that was restored, a file of a group whose
state files are lost, the data of a plain server - founds none, and repeats no birth ids, so that the others, which may
hold nothing, cannot found one without those data either: a group needs all. It asks and answers like any other: where
there is a group, it belongs to that. Where there is none, an operator says whose data the group begins with (GROUP
BOOTSTRAP), once all others have said that they are in no group; then those are like voters whose file is lost.

*A new seat.* Whom a leader does not count among the voters, while no change of them is on its way, has nothing to
remember: a vote that it may have given before it was removed can elect nobody any more, for who lacks the removal is
behind a majority. So it need not ask all: it follows, and votes when it has been added (repl/changes.py). It forms no
group, unless it is configured as one of the voters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pycache_server.election.messages import Births, Iam, Who
from pycache_server.election.state import Durable
from pycache_server.election.timing import Timing


class Forming:
    """What a voter in no group knows of the others. ``holds_data``: it has found data, and no file."""

    def __init__(
        self, state: Durable, configured: Iterable[str], timing: Timing, now: float, holds_data: bool = False
    ) -> None:
        self._state = state
        self._holds_data = holds_data
        seats = frozenset(configured)
        self.others = seats - {state.seat}
        """Whom it asks: the others as configured, or those that a leader has told."""
        self._is_configured = state.seat in seats
        self._timing = timing
        self._known: dict[str, str] = {}
        self._confirmed: set[str] = set()
        self._round = 0
        self._asked = now
        self._answers: dict[str, int | None] = {}
        self.heard: dict[str, int | None] = {}
        """What each of the others has promised, by its last answer; None: it is in no group."""
        self.withholding: set[str] = set()
        """The others that hold data, and found no group without them."""

    @property
    def known(self) -> Births:
        """The birth ids that are known, its own among them."""
        return tuple(sorted({**self._known, self._state.seat: self._state.birth}.items()))

    def question(self, now: float) -> Who:
        """What to ask all others now; a round that gets no answers from all gives way to another."""
        if now - self._asked > self._timing.round:
            self._asked = now
            self._round += 1
            self._answers.clear()
        return Who(self._state.birth, self._round, self.known)

    def alone(self) -> Durable | None:
        """The founder of a group of one; None where there are others."""
        is_alone = self.may_found() and not self.others
        return replace(self._state, epoch=0, whole=True, founders=self.known) if is_alone else None

    def asked_by(self, sender: str, who: Who) -> Iam:
        """Another that may be in no group has asked."""
        self._note(sender, who.birth)
        known = () if self.withholds() else who.known
        return Iam(who.birth, who.round, self._state.birth, None, (), known)

    def withholds(self) -> bool:
        """Whether it holds data that a group would not have that forms by itself."""
        return self._holds_data

    def may_found(self) -> bool:
        """Whether it may be a founder by what it knows itself."""
        return self._is_configured and not self.withholds()

    def answered(self, sender: str, iam: Iam) -> Durable | None:
        """What this voter has become by an answer: a founder, one whose file was lost, or nothing yet."""
        if iam.asked != self._state.birth or sender not in self.others:
            return None
        if iam.round == self._round:
            self._answers[sender] = iam.epoch
        self.heard[sender] = iam.epoch
        self.withholding.discard(sender)
        if iam.epoch is None:
            self._confirm(sender, iam)
        if iam.voters and self._state.seat not in iam.voters:
            return replace(self._state, epoch=iam.epoch, whole=False)
        if iam.voters:
            self.others = frozenset(iam.voters) - {self._state.seat}
        founders = self.founders(iam)
        if founders is not None:
            return replace(self._state, epoch=0, whole=True, founders=founders)
        epoch = self.lost_promise()
        return None if epoch is None else replace(self._state, epoch=epoch, whole=False)

    def founders(self, iam: Iam) -> Births | None:
        """The founders, if by this answer there is a group to which this voter belongs."""
        if iam.epoch is None:
            return self.known if self.may_found() and self._confirmed == self.others else None
        return iam.founders if (self._state.seat, self._state.birth) in iam.founders else None

    def lost_promise(self) -> int | None:
        """What this voter may have promised at most, if there is a group, its file is lost, and all have answered."""
        promises = [epoch for epoch in self._answers.values() if epoch is not None]
        return max(promises) if promises and self.all_answered(promises) else None

    def all_answered(self, promises: list[int]) -> bool:
        """Whether this round has got the answers that it needs; "I am in no group" is one."""
        return self._answers.keys() >= self.others

    def why_not_begin(self) -> str:
        """Why an operator cannot let a group begin with what this voter holds; empty, if nothing is against it."""
        groups = [seat for seat in sorted(self.others) if self.heard.get(seat) is not None]
        if groups:
            return f"{groups[0]} is in a group already: this node is to belong to that, when all others have answered"
        silent = sorted(self.others - self.heard.keys())
        return f"{', '.join(silent)} has not said yet whether there is a group: start all voters" if silent else ""

    def _note(self, seat: str, birth: str) -> None:
        if seat in self.others and self._known.get(seat) != birth:
            self._known[seat] = birth
            self._confirmed.clear()

    def _confirm(self, sender: str, iam: Iam) -> None:
        self._note(sender, iam.birth)
        if not iam.known:
            self.withholding.add(sender)
            self._confirmed.discard(sender)
        if iam.known == self.known and len(iam.known) == len(self.others) + 1:
            self._confirmed.add(sender)

    def _check(self) -> None:
        assert self._state.seat not in self.others
        assert not self._confirmed & self.withholding
        assert not self._confirmed or len(self._known) >= len(self._confirmed)
