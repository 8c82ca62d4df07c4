"""Those who are watched: leaders, their followers, other sentinels. What is known of each, and when it was seen.

The names of kinds are Redis's (``master``, ``slave``, ``sentinel``): they stand in every event and every reply. Times
are in ms of a clock that does not go back; 0 is never.
"""

from __future__ import annotations

from typing import Any

MASTER, SLAVE, SENTINEL = "master", "slave", "sentinel"

DEFAULT_DOWN_AFTER = 30_000
DEFAULT_PRIORITY = 100


class Instance:
    """Anyone who is watched. ``host`` is what it is called, ``address`` what that is resolved to."""

    kind = ""

    def __init__(self, name: str, host: str, port: int, now: int) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.run_id = ""
        self.down_after = DEFAULT_DOWN_AFTER
        # the link for commands
        self.connected = False
        self.connected_at = 0
        self.tried_at = 0
        """When it was last tried to connect."""
        self.pending = 0
        """How many commands have not been answered."""
        # the link that listens
        self.listening = False
        self.listening_at = 0
        self.heard_at = 0
        # liveness
        self.ping_sent_at = now
        """When the PING was sent that has not been answered, 0 where none waits."""
        self.last_ping_at = 0
        self.last_pong_at = now
        self.available_at = now
        """When it last gave an answer that it is well."""
        self.last_hello_sent_at = 0
        self.down_since = 0
        """Since when it has been subjectively down."""
        self.info_at = 0
        self.info = b""
        self.role_reported = self.kind
        self.role_reported_at = now
        self.last_hello_at = now
        self.in_group = False
        """Whether it says that it is a voter of a group (groups.py)."""
        self.led_epoch = 0
        """The highest epoch of its group that it has said to lead."""

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    @property
    def s_down(self) -> bool:
        """Whether it is subjectively down: this sentinel says so."""
        return bool(self.down_since)

    def flags(self) -> list[str]:
        """The words of the ``flags`` field."""
        return [
            *(["s_down"] if self.s_down else []),
            self.kind,
            *([] if self.connected else ["disconnected"]),
        ]

    def unlink(self, now: int) -> None:
        """The link for commands has ended. If the last one was alive, its silence counts from then on."""
        self.connected = False
        self.pending = 0

    def __repr__(self) -> str:
        return f"{self.kind} {self.name} {self.host}:{self.port}"


class Replica(Instance):
    """A follower of a master."""

    kind = SLAVE

    def __init__(self, master: Master, host: str, port: int, now: int) -> None:
        super().__init__(f"{host}:{port}", host, port, now)
        self.master = master
        self.down_after = master.down_after
        self.priority = DEFAULT_PRIORITY
        self.offset = 0
        self.master_host = "?"
        self.master_port = 0
        self.link_up = False
        self.link_down_ms = 0
        """How long its link to its leader has been down, as it says."""
        self.announced = True
        self.conf_changed_at = now
        """When it last said that it follows somebody else than before."""
        self.promoted = False
        self.deposed = False
        """Whether it led until a newer configuration came, and has not been seen to follow since."""
        self.reconf = ""
        """How far it has come in following the new leader: nothing, ``sent``, ``inprog``, ``done``."""
        self.reconf_at = 0

    def flags(self) -> list[str]:
        found = super().flags()
        if self.promoted:
            found.append("promoted")
        if self.reconf:
            found.append(f"reconf_{self.reconf}")
        return found


class Peer(Instance):
    """Another sentinel, as one that watches the same master."""

    kind = SENTINEL

    def __init__(self, master: Master, run_id: str, host: str, port: int, now: int) -> None:
        super().__init__(run_id or f"{host}:{port}", host, port, now)
        self.master = master
        self.run_id = run_id
        self.down_after = master.down_after
        self.says_down = False
        """Whether it says that the master is down."""
        self.down_reply_at = 0
        self.leader = ""
        """For whom it has voted."""
        self.leader_epoch = 0

    def flags(self) -> list[str]:
        return [*super().flags(), *(["master_down"] if self.says_down else [])]


class Master(Instance):
    """A leader by the name of its service, with those around it."""

    kind = MASTER

    def __init__(self, name: str, host: str, port: int, quorum: int, now: int) -> None:
        super().__init__(name, host, port, now)
        self.quorum = quorum
        self.parallel_syncs = 1
        self.failover_timeout = 180_000
        self.auth_user = ""
        self.auth_pass = ""
        self.notification_script = ""
        self.client_reconfig_script = ""
        self.reboot_down_after = 0
        """master-reboot-down-after-period in ms, 0 where a reboot is nothing special."""
        self.rebooting_since = 0
        """Since when it has been another process that has not answered PONG yet."""
        self.renamed: dict[str, str] = {}
        self.replicas: dict[tuple[str, int], Replica] = {}
        self.peers: dict[str, Peer] = {}
        """By run id."""
        self.config_epoch = 0
        self.odown_since = 0
        self.doubtful_since = 0
        """Since when another may have been promoted out of this sentinel's sight (down.py): clients are told that it is
        down, and nobody else is."""
        self.leader = ""
        """For whom this sentinel has voted in ``leader_epoch``."""
        self.leader_epoch = 0
        self.failover_epoch = 0
        self.failover_state = "none"
        self.failover_changed_at = 0
        self.failover_started_at = 0
        self.failover_delay_logged = 0
        self.promoted: Replica | None = None
        self.handover_at = 0
        """When the master was asked to hand over to the promoted follower; 0 where it was not, or will not."""
        self.forced = False
        """Whether somebody has asked for the failover (SENTINEL FAILOVER): nobody is asked then."""

    @property
    def o_down(self) -> bool:
        """Whether it is objectively down: enough sentinels say so."""
        return bool(self.odown_since)

    @property
    def failing_over(self) -> bool:
        """Whether this sentinel is trying to fail it over."""
        return self.failover_state != "none"

    def flags(self) -> list[str]:
        found = super().flags()
        if self.rebooting_since:
            found.append("master_reboot")
        if self.doubtful_since and not self.s_down:
            found.insert(0, "s_down")
        if self.o_down or self.doubtful_since:
            found.insert(1, "o_down")
        if self.failing_over:
            found.append("failover_in_progress")
        if self.forced:
            found.append("force_failover")
        return found

    def current_address(self) -> tuple[str, int]:
        """Where clients are to go: to the promoted follower as soon as the others are being told of it."""
        if self.promoted is not None and self.failover_state in ("reconf_slaves", "update_config"):
            return self.promoted.address
        return self.address

    def instances(self) -> list[Any]:
        """It and everyone around it."""
        return [self, *self.replicas.values(), *self.peers.values()]
