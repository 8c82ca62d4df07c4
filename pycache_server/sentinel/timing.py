"""How often a sentinel does what. Redis's figures; SENTINEL DEBUG shows and changes them."""

from __future__ import annotations

from dataclasses import dataclass

TICK = 100
"""Milliseconds between two looks at everything."""
MAX_DESYNC = 1000
MAX_PENDING = 100
"""Commands without a reply from which on nothing more is sent."""


@dataclass
class Timing:
    """Times in ms."""

    info_period: int = 10_000
    ping_period: int = 1000
    ask_period: int = 1000
    publish_period: int = 2000
    default_down_after: int = 30_000
    default_failover_timeout: int = 180_000
    tilt_trigger: int = 2000
    """A tick that comes later than this, or before the last one, cannot be trusted."""
    tilt_period: int = 30_000
    slave_reconf_timeout: int = 10_000
    """How long a follower may take to follow the new leader before the next one is told."""
    min_link_reconnect_period: int = 15_000
    """A link that is younger is not taken for broken."""
    election_timeout: int = 10_000
    script_max_runtime: int = 60_000
    script_retry_delay: int = 30_000

    @property
    def fast_info_period(self) -> int:
        """While the master is down or being failed over."""
        return min(1000, self.info_period)

    @property
    def reconnect_period(self) -> int:
        """Between two attempts to connect."""
        return self.ping_period
