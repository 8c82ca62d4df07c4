"""FAILOVER: the leader hands over to one of its replicas, and follows it.

Writes stand still until the chosen replica has all of the stream (``waiting-for-sync``). Then this node becomes its
replica, and says in its PSYNC that the other one shall lead (``failover-in-progress``). If that one agrees, all is
done; if not, or if it takes too long before, this node goes on as the leader, and nothing has happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycache_server.commands.args import integer
from pycache_server.commands.registry import ADMIN, NOSCRIPT, STALE, Family
from pycache_server.election.machine import Refusal
from pycache_server.errors import BadSyntax, RedisError
from pycache_server.repl.replica import State
from pycache_server.resp.encode import OK
from pycache_server.session.leading import GETACK

if TYPE_CHECKING:
    from pycache_server.repl.replica import Replica
    from pycache_server.session.core import Core
    from pycache_server.session.host import Timer
    from pycache_server.session.replication import Replication
    from pycache_server.session.session import Session

NONE = ""
WAITING = "waiting-for-sync"
GOING = "failover-in-progress"


class Failover:
    """The handing over of one server; ``state`` is NONE, WAITING or GOING."""

    def __init__(self, core: Core, replication: Replication) -> None:
        self._core = core
        self._replication = replication
        self._timer: Timer | None = None
        self._force = False
        self._end_of_writes = 0  # the offset
        self.state = NONE
        self.target: tuple[str, int] | None = None
        """Who is to lead: address and port; None while any will do."""

    @property
    def shown(self) -> str:
        """What INFO calls the state."""
        return self.state or "no-failover"

    def begin(self, target: tuple[str, int] | None, timeout: float, force: bool) -> None:
        """Hand over, within ``timeout`` seconds where that is not 0: then give up, or do it all the same."""
        self.state, self.target, self._force = WAITING, target, force
        where = f"{target[0]}:{target[1]}" if target is not None else "any replica"
        self._core.host.log("notice", f"FAILOVER requested to {where}.")
        self._core.pause.hold("failover")
        self._end_of_writes = self._replication.history.offset
        self._replication.leading.append(GETACK)  # they would tell once a second, while writes stand still
        self._replication.leading.hurry()
        if timeout:
            self._timer = self._core.host.call_later(timeout, self._time_out)
        self._core.host.defer(self.look)

    def look(self) -> None:
        """A replica has acknowledged something: perhaps one has everything."""
        if self.state != WAITING:
            return
        found = self._whole()
        if found is not None:
            self.target = (found.address or found.host, found.port)
            self._core.host.log("notice", f"Failover target {self._where} is synced, failing over.")
            self._go()

    def _whole(self) -> Replica | None:
        """A replica that has everything, and may be the next leader. Real ones acknowledge a GETACK before they count
        it, so what is behind the last write does not matter; they have it when we come to follow them."""
        replicas = self._replication.leading.leader.replicas
        if self.target is not None:
            found = self._replication.leading.leader.find(*self.target)
            replicas = [found] if found is not None else []
        end = self._end_of_writes
        return next((each for each in replicas if each.state is State.ONLINE and each.acknowledged >= end), None)

    def _go(self) -> None:
        assert self.target is not None
        self.state = GOING
        self._stop_timer()
        self._replication.follow(*self.target, self.settle)

    @property
    def _where(self) -> str:
        return f"{self.target[0]}:{self.target[1]}" if self.target is not None else "any replica"

    def _time_out(self) -> None:
        self._timer = None
        if self.state != WAITING:
            return
        if self._force:
            self._core.host.log("notice", f"Failover to {self._where} time out exceeded, failing over.")
            self._go()
        else:
            self.abort("Replica never caught up before timeout")

    def settle(self, accepted: bool) -> None:
        """The chosen one has answered."""
        if self.state == GOING:
            if accepted:
                self._end()
            else:
                self.abort("Failover target rejected psync request")

    def abort(self, why: str) -> None:
        """Go on as before."""
        if not self.state:
            return
        where = f"FAILOVER to {self._where} aborted: {why}"
        self._core.host.log("notice", where)
        if self.state == GOING:
            self._replication.unfollow()
        self._end()

    def _end(self) -> None:
        self.state, self.target, self._force = NONE, None, False
        self._stop_timer()
        self._core.pause.release("failover")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@Family("server").command(
    "FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]",
    ADMIN,
    NOSCRIPT,
    STALE,
    since="6.2.0",
    kinds={"port": "integer", "milliseconds": "integer"},
)
def failover(session: Session, argv: list[bytes]) -> Any:
    """Hand the lead over to a replica."""
    replication = session.core.replication
    found = replication.failover
    if len(argv) == 2 and argv[1].upper() == b"ABORT":
        if not found.state:
            raise RedisError(b"ERR No failover in progress.")
        found.abort("Failover manually aborted")
        return OK
    target, milliseconds, force = _options(argv)
    if replication.hand_over is not None:
        try:
            replication.hand_over(f"{target[0]}:{target[1]}" if target is not None else None)
        except Refusal as refusal:
            raise RedisError(b"ERR " + str(refusal).encode()) from None
        return OK
    if found.state:
        raise RedisError(b"ERR FAILOVER already in progress.")
    if not replication.leads:
        raise RedisError(b"ERR FAILOVER is not valid when server is a replica.")
    if not replication.leading.links:
        raise RedisError(b"ERR FAILOVER requires connected replicas.")
    if force and not (milliseconds and target):
        raise RedisError(b"ERR FAILOVER with force option requires both a timeout and target HOST and IP.")
    if target is not None:
        replica = replication.leading.leader.find(*target)
        if replica is None:
            raise RedisError(b"ERR FAILOVER target HOST and PORT is not a replica.")
        if replica.state is not State.ONLINE:
            raise RedisError(b"ERR FAILOVER target replica is not online.")
    found.begin(target, milliseconds / 1000, force)
    return OK


def _options(argv: list[bytes]) -> tuple[tuple[str, int] | None, int, bool]:
    """Target, timeout in ms, and whether it shall be forced."""
    target: tuple[str, int] | None = None
    milliseconds, force, place = 0, False, 1
    while place < len(argv):
        word, left = argv[place].upper(), len(argv) - place - 1
        if word == b"TIMEOUT" and left >= 1 and not milliseconds:
            milliseconds = integer(argv[place + 1])
            if milliseconds <= 0:
                raise RedisError(b"ERR FAILOVER timeout must be greater than 0")
            place += 2
        elif word == b"TO" and left >= 2 and target is None:
            target = (argv[place + 1].decode("utf-8", "backslashreplace"), integer(argv[place + 2]))
            place += 3
        elif word == b"FORCE" and not force:
            force = True
            place += 1
        else:
            raise BadSyntax
    return target, milliseconds, force
