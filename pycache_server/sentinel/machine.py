"""A sentinel, without IO: ``tick`` and what it is told make it change, and say what is to be done (``take_actions``).

Times are in ms of a clock that does not go back. A clock that jumps, or a machine that sleeps, makes it distrust
everything for a while: TILT. It goes on watching then, and answers, but does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from pycache_server.sentinel import down, failover, groups, hello, roles, voting
from pycache_server.sentinel.actions import Action, Connect, Event, Forget, Persist, Run, Send
from pycache_server.sentinel.instance import MASTER, SENTINEL, SLAVE, Instance, Master, Peer, Replica
from pycache_server.sentinel.timing import MAX_PENDING, TICK, Timing

_ALIVE = ("PONG", "LOADING", "MASTERDOWN")


class Sentinel:
    """One sentinel. ``chance(n)`` draws an integer below n."""

    def __init__(self, my_id: str, chance: Callable[[int], int], port: int = 26379) -> None:
        self.my_id = my_id
        self.chance = chance
        self.port = port
        self.epoch = 0
        self.timing = Timing()
        self.masters: dict[str, Master] = {}
        self.announce_ip = ""
        self.announce_port = 0
        self.announce_hostnames = False
        self.resolve_hostnames = False
        self.deny_scripts = True
        """Whether scripts can be set in the configuration file alone."""
        self.user = ""
        self.password = ""
        """What it says to other sentinels when it comes to them."""
        self.tilt_since = 0
        self.last_tick = 0
        self.addresses: Callable[[str], str] = _as_it_is
        """What a host is resolved to, as far as that is known."""
        self.resolves: Callable[[str], bool] = bool
        """Whether a name can be resolved, found out at once."""
        self.is_runnable: Callable[[str], bool] = bool
        """Whether a script is there and may be run."""
        self._actions: list[Action] = []

    def take_actions(self) -> list[Action]:
        """What is to be done since the last time, in this order."""
        taken, self._actions = self._actions, []
        return taken

    def act(self, action: Action) -> None:
        """Want something done."""
        self._actions.append(action)

    def log(self, level: str, text: str) -> None:
        """Tell the log alone."""
        self.act(Event(level, "", text))

    def event(
        self, level: str, name: str, instance: Instance | None, more: str = "", about: Master | None = None
    ) -> None:
        """Tell log and clients; where it is grave, the notification script of the master, too."""
        text = more
        master = about
        if instance is not None:
            text = f"{instance.kind} {instance.name} {self.announced(instance.host)} {instance.port}"
            if isinstance(instance, Replica | Peer):
                master = instance.master
                text += f" @ {master.name} {self.announced(master.host)} {master.port}"
            elif isinstance(instance, Master):
                master = instance
            text += more
        self.act(Event(level, name, text))
        if level == "warning" and master is not None and master.notification_script:
            self.act(Run(master.notification_script, (name, text)))

    def can_resolve(self, host: str) -> bool:
        """Whether a host may be watched under that name: an address always, a name where names are resolved."""
        return is_address(host) or (self.resolve_hostnames and self.resolves(host))

    def announced(self, host: str) -> str:
        """A host as others are told of it: by its address, unless they are to have names."""
        return host if self.announce_hostnames else self.addresses(host) or host

    # What happens

    def tick(self, now: int) -> None:
        """Ten times a second: look at everyone."""
        self._look_at_clock(now)
        for master in list(self.masters.values()):
            for instance in master.instances():
                self._handle(instance, now)
            if master.failover_state == "update_config":
                failover.step(self, master, now)

    def _look_at_clock(self, now: int) -> None:
        passed = now - self.last_tick
        if self.last_tick and (passed < 0 or passed > self.timing.tilt_trigger):
            self.tilt_since = now
            self.event("warning", "+tilt", None, "#tilt mode entered")
        elif self.tilt_since and now - self.tilt_since >= self.timing.tilt_period:
            self.tilt_since = 0
            self.event("warning", "-tilt", None, "#tilt mode exited")
        self.last_tick = now

    def _handle(self, instance: Instance, now: int) -> None:
        self._connect(instance, now)
        self._talk(instance, now)
        if self.tilt_since:
            return
        down.look(self, instance, now)
        if isinstance(instance, Master):
            down.agree(self, instance, now)
            down.doubt(self, instance, now)
            if failover.start_if_needed(self, instance, now):
                down.ask_others(self, instance, now, forced=True)
            if instance.failover_state != "update_config":
                failover.step(self, instance, now)
            down.ask_others(self, instance, now)

    def _connect(self, instance: Instance, now: int) -> None:
        wanting = not instance.connected or (instance.kind != SENTINEL and not instance.listening)
        if not wanting or not instance.port or now - instance.tried_at < self.timing.reconnect_period:
            return
        instance.tried_at = now
        if not instance.connected:
            self.act(Connect(instance, listening=False))
        if instance.kind != SENTINEL and not instance.listening:
            self.act(Connect(instance, listening=True))

    def _talk(self, instance: Instance, now: int) -> None:
        """Send what is due: INFO, PING, a hello."""
        if not instance.connected or instance.pending >= MAX_PENDING:
            return
        if instance.kind != SENTINEL and (not instance.info_at or now - instance.info_at > self._info_period(instance)):
            self.send(instance, ("INFO",), "info")
        period = min(instance.down_after, self.timing.ping_period)
        if now - instance.last_pong_at > period and now - instance.last_ping_at > period // 2:
            self.ping(instance, now)
        if now - instance.last_hello_sent_at > self.timing.publish_period:
            instance.last_hello_sent_at = now
            self.send(instance, ("PUBLISH", hello.CHANNEL), "hello")

    def _info_period(self, instance: Instance) -> int:
        if isinstance(instance, Replica):
            master = instance.master
            awaited = instance.promoted or (instance.in_group and not instance.s_down)
            if awaited and master.failover_state in ("select_slave", "send_slaveof_noone", "wait_promotion"):
                return TICK // 2  # clients wait for it: at every tick
            if master.o_down or master.failing_over or instance.link_down_ms or instance.deposed:
                return self.timing.fast_info_period
        return min(groups.INFO_PERIOD, self.timing.info_period) if instance.in_group else self.timing.info_period

    def send(self, instance: Instance, argv: tuple[str, ...], tag: str = "") -> None:
        """Send a command, under the name that it has there."""
        master = instance.master if isinstance(instance, Replica | Peer) else instance
        if instance.kind != SENTINEL and isinstance(master, Master):
            argv = (master.renamed.get(argv[0].lower(), argv[0]), *argv[1:])
        instance.pending += 1
        self.act(Send(instance, argv, tag))

    def ping(self, instance: Instance, now: int) -> None:
        """Ask whether it is alive."""
        instance.last_ping_at = now
        instance.ping_sent_at = instance.ping_sent_at or now
        self.send(instance, ("PING",), "ping")

    def linked(self, instance: Instance, listening: bool, now: int) -> None:
        """A link has been opened."""
        if listening:
            instance.listening = True
            instance.listening_at = instance.heard_at = now
            return
        instance.connected = True
        instance.connected_at = now
        instance.pending = 0
        self.ping(instance, now)

    def unlinked(self, instance: Instance, listening: bool, now: int) -> None:
        """A link has ended, or could not be opened."""
        if listening:
            instance.listening = False
        else:
            instance.unlink(now)

    def replied(self, instance: Instance, tag: str, reply: Any, now: int) -> None:
        """A reply has come: a string, bytes, an integer, a list, or an exception for an error."""
        instance.pending = max(0, instance.pending - 1)
        if tag == "ping":
            self._pong(instance, reply, now)
        elif tag == "info" and isinstance(reply, bytes):
            roles.learn(self, instance, reply, now)
        elif tag == "ask":
            down.answered(self, instance, reply, now)
        elif tag == "handover" and isinstance(instance, Master) and isinstance(reply, Exception):
            failover.handover_refused(self, instance, now)

    def _pong(self, instance: Instance, reply: Any, now: int) -> None:
        text = str(reply)
        instance.last_pong_at = now
        if text.startswith(_ALIVE):
            instance.available_at = now
            instance.ping_sent_at = 0
            if isinstance(instance, Master) and text.startswith("PONG"):
                instance.rebooting_since = 0
        elif text.startswith("BUSY") and instance.s_down:
            self.send(instance, ("SCRIPT", "KILL"))

    def heard(self, instance: Instance, text: str, now: int) -> None:
        """A hello has been published at an instance."""
        instance.heard_at = now
        hello.heard(self, text, now)

    def heard_directly(self, text: str, now: int) -> None:
        """A hello has been sent to this sentinel itself."""
        hello.heard(self, text, now)

    def asked(self, host: str, port: int, epoch: int, candidate: str, now: int) -> tuple[int, str, int]:
        """SENTINEL is-master-down-by-addr: whether the master there is down, for whom this sentinel has voted, and in
        which epoch."""
        found = [master for master in self.masters.values() if self.same_address(master.address, (host, port))]
        master = found[0] if found else None
        is_down = int(master is not None and master.s_down and not self.tilt_since)
        if master is None or candidate == "*":
            return is_down, "*", 0
        leader, leader_epoch = voting.vote(self, master, epoch, candidate, now)
        return is_down, leader or "*", leader_epoch

    # Who is watched

    def monitor(self, master: Master) -> None:
        """Watch one more master."""
        self.masters[master.name] = master
        self.event("warning", "+monitor", master, f" quorum {master.quorum}")

    def unmonitor(self, master: Master) -> None:
        """Watch a master no more."""
        self.event("warning", "-monitor", master)
        del self.masters[master.name]
        self._forget(master.instances())

    def _forget(self, instances: list[Any]) -> None:
        for instance in instances:
            self.act(Forget(instance))

    def find_replica(self, master: Master, host: str, port: int, now: int) -> Replica:
        """The follower at an address, which is new where it is not known."""
        address = (host, port)
        for known in master.replicas.values():
            if self.same_address(known.address, address):
                return known
        replica = master.replicas[address] = Replica(master, host, port, now)
        self.event("notice", "+slave", replica)
        self.act(Persist())
        return replica

    def reset(self, master: Master, now: int, keep_peers: bool = False) -> None:
        """Forget who is around a master, and begin to watch it anew."""
        gone = [*master.replicas.values(), *([] if keep_peers else master.peers.values())]
        self._forget(gone)
        master.replicas = {}
        if not keep_peers:
            master.peers = {}
        self.act(Forget(master))
        master.connected = master.listening = False
        master.pending = 0
        failover.abort(self, master, now)
        master.failover_started_at = 0
        master.down_since = master.odown_since = 0
        master.run_id = ""
        master.ping_sent_at = master.available_at = master.last_pong_at = now
        master.tried_at = 0
        master.role_reported, master.role_reported_at = MASTER, now
        master.info_at, master.info = 0, b""

    def move(self, master: Master, host: str, port: int, now: int) -> None:
        """A master is at another address from now on: who was at the old one follows."""
        old, led = master.address, master.current_address()
        known = [each.address for each in master.replicas.values()]
        epochs = {each.address: each.led_epoch for each in master.replicas.values()}
        self.reset(master, now, keep_peers=True)
        master.host, master.port = host, port
        master.led_epoch = epochs.get((host, port), 0)
        for address in [*known, old]:
            if not self.same_address(address, (host, port)):
                self.find_replica(master, *address, now).deposed = address in (old, led)
        self.act(Persist())

    def hello_soon(self, master: Master) -> None:
        """Let everyone around a master hear of it at once."""
        for instance in master.instances():
            instance.last_hello_sent_at = 0

    def may_nominate(self, master: Master) -> bool:
        """Whether this sentinel may begin a failover by itself."""
        return True

    def same_address(self, one: tuple[str, int], other: tuple[str, int]) -> bool:
        """Whether two addresses are the same place."""
        return one[1] == other[1] and (one[0] == other[0] or self.addresses(one[0]) == self.addresses(other[0]))


def is_address(host: str) -> bool:
    """Whether it is an IP address, and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _as_it_is(host: str) -> str:
    return host


__all__ = ["MASTER", "SENTINEL", "SLAVE", "Sentinel"]
