"""The worlds that are simulated: how many voters, what their disks keep, and which faults strike."""

from __future__ import annotations

from dataclasses import dataclass, field

from pycache_server.election.timing import Timing

MIX = {"crash": 4, "clean": 2, "pause": 3, "part": 3, "oneway": 2, "handover": 2, "sentinel": 2, "roll": 0.5}
QUORUM_KILLED = {**MIX, "killq": 1}
CHURN = {"crash": 3, "part": 3, "oneway": 1, "handover": 2, "pause": 1}
REPLACED = {"crash": 3, "pause": 2, "part": 4, "oneway": 2, "handover": 1, "replace": 4, "fresh": 1}
ENGINE = {**MIX, "engine": 5}
GONE = ("dead", "isolated", "deaf", "mute")
"""The endings that a leader does not outlive as such."""
BACK = {"crash": 3, "clean": 1, "pause": 1, "part": 1, "oneway": 1}
FORCE = {"force": 4, "crash": 1, "part": 1}
FORGET = {"forget": 2, "crash": 2, "pause": 2, "part": 2, "oneway": 1, "handover": 1}
BOOT = {"crash": 2, "lost": 2, "lostiso": 3, "pause": 2, "part": 3, "oneway": 1}


@dataclass(frozen=True)
class Configuration:
    """One kind of world; times in milliseconds."""

    voters: int
    faults: dict[str, float] = field(default_factory=dict)
    spare: int = 0
    aof: bool = False
    over: bool = False
    """More nodes lose their memory than a group survives, but keep their vote files."""
    boot: bool = False
    hot: bool = False
    """Requests come fast, elections are called at once: for the edges of the lease."""
    net: bool = True
    """Whether the network loses, doubles and delays."""
    steady: bool = False
    """Nothing that happens may cause a failover."""
    length: float = 14000.0
    calm: float = 1500.0
    every: tuple[float, float] = (150.0, 1100.0)
    longest_pause: float = 3000.0
    trap: float = 0.25
    handover_bound: float | None = None
    keep: int = 1 << 20
    engine: bool = False
    """Voters are nominated by an engine outside, and do not stand by themselves."""
    preferred: bool = False
    """Whether the first node gets the lead back when it is well (failbacks.py)."""
    flaps: bool = False
    """Whether the preferred node dies a while after it has begun to lead, and nothing else happens."""
    skewed: bool = False
    """Clocks differ as much as they may, and the network is quick."""
    replaced: bool = False
    """A voter dies for good in the end; an operator replaces it by an empty node, and then others die."""
    endings: tuple[str, ...] = ("healed", "healed", "dead", "isolated", "deaf", "mute", "handover")
    """What the run may end with, where there are voters to spare."""
    engine_ends: bool = False
    """When all else has healed, that engine is away for good."""


def _both(name: str, **options: object) -> dict[str, Configuration]:
    return {f"{name}{voters}": Configuration(voters, **options) for voters in (3, 5)}  # type: ignore[arg-type]


def _scheme(voters: int, name: str, **options: object) -> Configuration:
    """A world in which nothing happens but one scheme (schemes.py)."""
    return Configuration(voters, aof=True, trap=0.0, faults={name: 1}, **options)  # type: ignore[arg-type]


CONFIGURATIONS: dict[str, Configuration] = {
    **_both("mem", faults=MIX),
    **_both("aof", aof=True, faults=QUORUM_KILLED),
    **_both("short", keep=1500, faults=MIX),
    **_both("over", over=True, faults=QUORUM_KILLED),
    "disk3": Configuration(3, faults={**MIX, "lost": 4}),
    "disk4": Configuration(4, faults={**MIX, "lost": 4}),
    "disk5": Configuration(5, faults={**MIX, "lost": 5, "crash": 1}),
    "diskaof3": Configuration(3, aof=True, faults={**MIX, "lost": 4}),
    "diskaof5": Configuration(5, aof=True, faults={**MIX, "lost": 5}),
    **_both("boot", boot=True, calm=100.0, length=5000.0, every=(80.0, 700.0), faults=BOOT),
    **_both("forget", aof=True, length=16000.0, every=(300.0, 2200.0), faults=FORGET),
    **_both("repl", spare=2, aof=True, faults=REPLACED),
    **_both("lease", hot=True, aof=True, length=9000.0, every=(800.0, 2600.0), faults={"lease": 5, "handover": 1}),
    **_both("churn", aof=True, trap=0.8, every=(100.0, 900.0), faults=CHURN),
    "steady3": Configuration(
        3,
        net=False,
        steady=True,
        calm=3000.0,
        longest_pause=Timing().down_after * 0.8,
        every=(900.0, 1500.0),
        faults={"pause": 2, "part": 2, "sentinel": 3},
    ),
    **_both("key", engine=True, aof=True, faults=ENGINE),
    **_both("nokey", engine=True, engine_ends=True, aof=True, faults=ENGINE),
    **_both("back", preferred=True, aof=True, faults=BACK),
    "flap3": Configuration(
        3, preferred=True, flaps=True, net=False, calm=99999.0, length=24000.0, handover_bound=500.0
    ),
    **_both("force", aof=True, every=(600.0, 2000.0), trap=0.1, faults=FORCE),
    **_both("new", spare=1, replaced=True, faults={"crash": 1, "part": 1, "handover": 1}, every=(800.0, 2000.0)),
    "eight5": _scheme(5, "eight", every=(6000.0, 7000.0), length=16000.0),
    "two4": _scheme(4, "two", every=(5000.0, 6000.0)),
    **{f"bounce{voters}": _scheme(voters, "bounce", hot=True, every=(2500.0, 3500.0)) for voters in (3, 5)},
    "freeze3": _scheme(3, "freeze", hot=True, net=False, length=8000.0, every=(3200.0, 3800.0)),
    "late3": _scheme(3, "late", hot=True, net=False, length=8000.0, every=(3200.0, 3800.0)),
    "drift3": _scheme(3, "drift", hot=True, skewed=True, length=6000.0, every=(1500.0, 2600.0)),
    **_both("hand", aof=True, hot=True, trap=0.5, every=(1500.0, 2500.0), faults={"handover": 1, "give": 2}),
    **_both("lead", length=3000.0, calm=9999.0, net=False, endings=GONE),
    **_both("xfer", net=False, calm=3000.0, every=(1200.0, 2200.0), handover_bound=500.0, faults={"handover": 1}),
}

LONG = {
    *("steady3", "new3", "new5", "flap3", "two4", "eight5", "bounce3", "bounce5"),
    *("freeze3", "late3", "drift3", "hand3", "hand5", "xfer3", "xfer5"),
}
"""Those whose runs take longer than others': they are there for one rule each."""
