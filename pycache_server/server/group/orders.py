"""What operators and sentinels want of a voter: to lead, to hand over, another set of voters, a new beginning.

Nobody orders a voter about: each of these is a wish that the member fulfils as its rules allow, or refuses in words.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pycache_server.election.machine import Memory, Refusal
from pycache_server.repl.member import Member, Saved

if TYPE_CHECKING:
    from pycache_server.repl.leading import Leading
    from pycache_server.server.group.group import Group


class Orders:
    """The wishes to one voter."""

    def __init__(self, group: Group) -> None:
        self._group = group

    def operate(self, what: Any) -> None:
        """Do something with the member that an operator or a sentinel wants.

        Raises Refusal.
        """
        group = self._group
        if not group.is_ready():
            raise Refusal(group.problem or "this voter does nothing at present")
        try:
            what(group.member, group.now())
        finally:
            group.settle()

    def nominate(self, claims: bool = False) -> None:
        """This voter shall lead, if the others want that, too, or, if it ``claims`` the lead, the leader. Raises
        Refusal."""
        self.operate(lambda member, now: member.machine.nominate(now))
        if claims:
            self._group.watched.nominate(self._group.now())

    def redirect(self, seat: str) -> None:
        """Another one is said to lead: it is asked."""
        self._group.watched.redirect()
        self.operate(lambda member, now: member.machine.redirect(seat, now))

    def set_priority(self, priority: int) -> None:
        """replica-priority has changed. The leader hears by a new link whether this voter may ever lead."""
        group = self._group
        if not group.has_begun:  # the start reads it
            return
        member = group.member
        stood, member.machine.priority = member.machine.priority > 0, priority
        if stood != (priority > 0):
            member.unfollow()
            group.settle()

    def force(self) -> None:
        """Lead without votes. Raises Refusal."""
        self.operate(lambda member, now: member.machine.force(now))

    def hand_over(self, target: str | None) -> None:
        """Let a voter take over, or the one that has most. Raises Refusal."""

        def go(member: Member, now: float) -> None:
            leading = member.leading
            if leading is None:
                raise Refusal("this node does not lead")
            found = target or self._best(leading)
            if found is None:
                raise Refusal("no voter follows that may lead")
            leading.check_handover(found)
            # a moment later, so that who asks for it gets an answer before clients are disconnected
            self._group.core.host.defer(lambda: self._hand_over(leading, found))

        self.operate(go)

    def _hand_over(self, leading: Leading, target: str) -> None:
        def go(member: Member, now: float) -> None:
            if member.leading is leading:
                leading.hand_over(target, now)

        with contextlib.suppress(Refusal):  # something else has come in between
            self.operate(go)

    def change(self, what: Callable[[Any, int, float], None]) -> None:
        """Change who votes. Raises Refusal."""

        def go(member: Member, now: float) -> None:
            leading = member.leading
            if leading is None:
                raise Refusal("this node does not lead")
            what(leading.changes, leading.epoch, now)

        self.operate(go)

    def bootstrap(self) -> None:
        """What this node holds is the data of the group from now on, with a history that no other node shares.

        Raises Refusal, CannotLoad, OSError.
        """
        group = self._group
        if not group.has_begun:
            raise Refusal("the data set is being loaded")
        member, history = group.member, group.core.replication.history
        machine = member.machine
        machine.check_bootstrap(group.now())
        if machine.memory is Memory.NONE and not group.journal.holds_found:
            raise Refusal("this node holds no data, and a group without data forms by itself: see GROUP INFO")
        remains = group.journal.remains
        known = remains.table[-1][0] if remains is not None and remains.table else 0
        saved = Saved(((machine.draw_epoch(known), 0),), max(history.offset, 1), member.voters, ())
        group.following.end()
        member.unfollow()
        group.journal.adopt(saved)
        member.begin_anew(saved)
        group.following.begin()
        machine.bootstrap(group.now())
        group.settle()

    def _best(self, leading: Any) -> str | None:
        found = [
            (follower.acknowledged, seat)
            for seat, follower in leading.followers.items()
            if seat in self._group.member.voters
            and follower.stands
            and not leading.is_deaf(follower, self._group.now())
        ]
        return max(found)[1] if found else None
