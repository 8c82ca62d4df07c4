"""A second listener on which a voter answers the clients of sentinels: ``sentinel-port``.

Clients that find their leader by sentinels (redis-py's Sentinel, ioredis, Spring) need nothing else: what a sentinel
would have watched the voter knows. So this is a sentinel without links and without a will: its one master, named by
``sentinel-master-name``, is whom the voter follows or is, its replicas are the other voters, other sentinels are their
windows (asides.py), and all are brought up to date from the group. It answers and publishes as sentinels do
(server/sentinel/commands.py); what would change something is an error, except SENTINEL FAILOVER, which is a handover.

Its users are those of the server, with the same passwords and permissions (session/access.py): for those the commands
here are what they are at a sentinel, SENTINEL for admins.

A voter that hears of no leader, or leads without its lease, says that the last one is down (s_down, o_down): clients
then ask another.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from pycache_server.election.machine import Refusal
from pycache_server.errors import RedisError
from pycache_server.resp.encode import OK
from pycache_server.sentinel.instance import Instance, Master, Peer, Replica
from pycache_server.server.group import asides
from pycache_server.server.group.dialing import address_of
from pycache_server.server.log import Log
from pycache_server.server.sentinel.app import SentinelApp
from pycache_server.server.sentinel.commands import RUNS_ITSELF
from pycache_server.settings.config import Settings

if TYPE_CHECKING:
    from pycache_server.server.app import App
    from pycache_server.server.group.group import Group

_COPIED: Final = (
    *("protected-mode", "maxclients", "tcp-keepalive", "timeout"),
    *("acl-pubsub-default", "acllog-max-len"),
)
"""Directives of the server that hold for this listener, too, as they are at present."""
EVERY: Final = 0.1
"""Seconds between two looks at the group."""


class Window(SentinelApp):
    """The sentinel's view of one voter's group."""

    def __init__(self, group: Group, log: Log) -> None:
        server = group.app.settings
        settings = Settings()
        for name in ("bind", "tcp-backlog", *_COPIED):
            settings.values[name] = server[name]
        settings.values["port"] = server["sentinel-port"]
        settings.values["set-proc-title"] = False
        role = log.role
        super().__init__(settings, log, "", group.app.loop_name, [], owns_process=False)
        log.role = role
        self.core.access.share(group.app.core.access)
        self._group = group
        self._name: str = server["sentinel-master-name"]
        self._down_after: int = server["group-down-after"]
        self.master: Master | None = None

    @property
    def is_window(self) -> bool:
        """See SentinelApp."""
        return True

    @property
    def home(self) -> App:
        """See App: who may do what here is as it is at the server, and nobody logs in twice by another name."""
        return self._group.app

    # Life

    async def start(self, load: bool = True) -> None:
        """See App."""
        await self.begin()
        self.sentinel.my_id = self._group.app.run_id
        self._tick()

    def save(self) -> None:
        """See SentinelApp: there is no file, since nothing is known here that the group does not know."""

    def _tick(self) -> None:
        self._timer = self.loop.call_later(EVERY, self._tick)
        self.refresh()

    def refresh(self) -> None:
        """See SentinelApp: a leader that has just been elected is known at once."""
        try:
            self.look()
        except Exception as error:  # it is in the log and in INFO, and the next tick comes
            self.core.report_failure("the sentinel's view of the group", error)

    # What is known

    def look(self) -> None:
        """Bring the master and its replicas up to date."""
        self._take_settings()
        group, now = self._group, self.now()
        leader = group.leader
        if leader is not None and group.standing in ("leading", "following", "stale"):
            self._point_at(leader, now)
        master = self.master
        if master is None:
            return
        is_up = leader is not None and (group.leads if leader == group.seat else group.is_linked)
        if is_up:
            master.down_since = master.odown_since = 0
            master.available_at = master.last_pong_at = now
        elif not master.down_since:
            master.down_since = master.odown_since = now
            self._tell("warning", "+sdown", self._line(master))
            self._tell("warning", "+odown", f"{self._line(master)} #quorum {master.quorum}/{master.quorum}")
        self._list_replicas(master, now)
        self._list_peers(master, now)

    def _take_settings(self) -> None:
        server = self._group.app
        for name in _COPIED:
            self.settings.values[name] = server.settings[name]
        if server.window_clients is not None:
            self.settings.values["maxclients"] = min(server.settings["maxclients"], server.window_clients)

    def _point_at(self, leader: str, now: int) -> None:
        host, port = address_of(leader)
        epoch = self._group.epoch
        master = self.master
        if master is None:
            voters = len(self._group.voters)
            master = self.master = Master(self._name, host, port, voters // 2 + 1, now)
            master.connected = True
            master.down_after = self._down_after
            self.sentinel.masters[self._name] = master
        elif master.address != (host, port):
            old = master.address
            master.host, master.port = host, port
            self._tell("warning", "+switch-master", f"{master.name} {old[0]} {old[1]} {host} {port}")
        master.config_epoch = self.sentinel.epoch = epoch
        master.run_id = ""
        master.info_at = master.role_reported_at = now
        master.role_reported = "master"

    def _list_replicas(self, master: Master, now: int) -> None:
        addresses = {address_of(seat) for seat in self._group.voters} - {master.address}
        for address in list(master.replicas):
            if address not in addresses:
                del master.replicas[address]
        known = {(each.host, each.port): each for each in self._group.voting_followers()}
        own = address_of(self._group.seat)
        for address in addresses:
            replica = master.replicas.get(address)
            if replica is None:
                replica = master.replicas[address] = Replica(master, address[0], address[1], now)
            self._describe(replica, address == own, known, now)

    def _describe(self, replica: Replica, is_own: bool, known: dict[tuple[str, int], Any], now: int) -> None:
        """What can be told of a voter: a leader hears all of them; a follower that hears its leader takes the others
        for well, and without it for down, since it cannot tell."""
        group = self._group
        found = known.get(replica.address)
        is_up = found is not None if group.leads else group.is_linked
        replica.connected = is_up
        replica.link_up = is_up
        replica.master_host, replica.master_port = replica.master.address
        replica.info_at = replica.role_reported_at = now
        replica.role_reported = "slave"
        if found is not None:
            replica.offset = found.acknowledged
        elif is_own:
            replica.offset = group.core.replication.history.offset
        if is_up:
            replica.down_since = 0
            replica.available_at = replica.last_pong_at = now
        elif not replica.down_since:
            replica.down_since = now

    def _list_peers(self, master: Master, now: int) -> None:
        """The windows of the other voters are what other sentinels are to a sentinel."""
        group = self._group
        found = {heard.run_id: seat for seat, heard in group.asides.windows.items() if seat in group.voters}
        for run_id in master.peers.keys() - found.keys():
            del master.peers[run_id]
        for run_id, seat in found.items():
            heard = group.asides.windows[seat]
            peer = master.peers.get(run_id)
            if peer is None:
                peer = master.peers[run_id] = Peer(master, run_id, address_of(seat)[0], heard.port, now)
                self._tell_of(peer, "notice", "+sentinel")
            silent = int(group.now() - heard.at)
            peer.last_hello_at = peer.last_pong_at = peer.available_at = now - silent
            self._judge(peer, silent, now)

    def _judge(self, peer: Peer, silent: int, now: int) -> None:
        """A window is down when nothing is heard of its voter for so many milliseconds, and what was said to it twice
        in that time may have been lost."""
        peer.connected = silent <= max(self._down_after, 3 * asides.EVERY)
        if peer.connected and peer.down_since:
            peer.down_since = 0
            self._tell_of(peer, "warning", "-sdown")
        elif not peer.connected and not peer.down_since:
            peer.down_since = now
            self._tell_of(peer, "warning", "+sdown")

    def _tell_of(self, instance: Instance, level: str, name: str) -> None:
        self.sentinel.event(level, name, instance)
        self.perform()

    def _line(self, master: Master) -> str:
        return f"master {master.name} {master.host} {master.port}"

    # What is wanted

    def fail_over(self, master: Master) -> Any:
        """SENTINEL FAILOVER: a handover, which only the leader can make."""
        group = self._group
        if not group.leads:
            leader = group.leader or "nobody"
            raise RedisError(b"ERR This voter does not lead the group, " + leader.encode() + b" does: ask it")
        try:
            group.orders.hand_over(None)
        except Refusal as refusal:
            raise RedisError(b"NOGOODSLAVE " + str(refusal).encode()) from None
        return OK

    def shut_down(self, options: Collection[str] = ()) -> bool:
        """SHUTDOWN: this is a port of a server, which ends by a word at its own.

        Raises RedisError.
        """
        raise RedisError(RUNS_ITSELF)

    def check_quorum(self, master: Master) -> tuple[int, int]:
        """How many voters are at hand, and how many decide."""
        return sum(not each.s_down for each in (master, *master.replicas.values())), master.quorum


async def open_window(app: App) -> None:
    """Answer the clients of sentinels, where a voter is to; App.stop ends it.

    Raises CannotListen.
    """
    if app.group is not None and app.settings["sentinel-port"]:
        app.window = Window(app.group, app.log)
        await app.window.start()
