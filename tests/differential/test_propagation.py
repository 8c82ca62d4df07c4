"""Random programs: what a real redis-server propagates to its replicas, ours tells, unit by unit.

A listening replica (tests/replica.py) hears what Redis sends after each command; a sink hears ours. Both are compared
word by word but for times, which may differ by some seconds, and for what Redis itself does otherwise in another
version. What is told here beyond Redis is in ``_beyond``, and in docs/design/replication.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pycache_server.commands.args import option_of
from pycache_server.session.feed import REPLICAS, Sink
from tests.conftest import RealRedis
from tests.differential.oracle import COMPARED, Difference, Pair
from tests.differential.replies import has_ties, is_misled
from tests.differential.strategies import programs
from tests.differential.test_programs import FAMILIES, strategy_of
from tests.differential.versions import Command, Version
from tests.replica import ListeningReplica, Told

pytestmark = pytest.mark.interop

Unit = list[Told]
_TIME = re.compile(rb"(\d{13,14})(-\d+)?")
_NEAR = 20_000
"""Milliseconds by which two times may differ that are the same."""
_FRAMES = st.sampled_from(
    [[b"MULTI"], [b"EXEC"], [b"EXEC"], [b"SELECT", b"1"], [b"SELECT", b"0"], [b"PUBLISH", b"c", b"m"]]
)
_OWN_WAY = (b"SPOP", b"XREADGROUP", b"XCLAIM", b"XAUTOCLAIM", b"BITFIELD")
"""Commands that take what they like, or of which ours tells more."""
_MERGED = (b"SREM", b"HDEL")


@pytest.fixture(scope="module")
def leader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRedis]:
    """A redis-server that has a replica."""
    server = RealRedis(tmp_path_factory.mktemp("leader"))
    yield server
    server.stop()


class Heard(Sink):
    """A sink for what replicas are told."""

    kind = REPLICAS

    def __init__(self) -> None:
        self.units: list[Unit] = []

    def take(self, unit: Unit) -> None:
        self.units.append(unit)

    def heard(self) -> list[Unit]:
        units, self.units = self.units, []
        return units


class Propagation:
    """A Pair both of whose servers are listened to."""

    def __init__(self, port: int) -> None:
        self.pair = Pair(port)
        self._replica = ListeningReplica(port)
        self._sink = Heard()
        self.pair.ours.world.core.feed.open(self._sink)

    def begin(self, resp: int) -> None:
        """Be as new."""
        for server in (self.pair.real, self.pair.ours):
            server.call([b"DISCARD"])
        self.pair.begin(resp)
        self._replica.heard()
        self._sink.heard()

    def run(self, argv: Command) -> None:
        """Send a command to both, and compare what they tell.

        Raises Difference.
        """
        replies = self.pair.run(argv, compare=False)
        COMPARED["propagation"] += 1
        theirs, mine = self._replica.heard(), self._sink.heard()
        if (option_of(argv[0]) in _OWN_WAY and replies[1] == b"QUEUED") or "INVALIDOBJ" in repr(replies[1]):
            self.pair.parted = True  # what EXEC tells will differ; or ours tells what a failure has left
            return
        version = self.pair.version
        if not same(plain(argv, theirs, version), plain(argv, mine, version)):
            if self.pair.is_expected(argv, *replies) or is_misled(argv, *replies) or has_ties(argv):
                self.pair.parted = True
                return
            raise Difference(f"{argv} is told as\n  redis: {theirs}\n  ours:  {mine}\n  after {replies}")

    def close(self) -> None:
        self._replica.close()
        self.pair.close()


def plain(argv: Command, units: list[Unit], version: Version) -> list[Unit]:
    """What was told in a form that is the same for all versions."""
    found = []
    for unit in units:
        told: Unit = []
        for index, words in unit:
            if _beyond(argv, words, version):
                continue
            if told and words[0] in _MERGED and told[-1][1][:2] == words[:2]:
                told[-1] = index, told[-1][1] + words[2:]  # older ones tell each by itself
            else:
                told.append((index, words))
        if told:
            found.append([(index, _by_chance(words)) for index, words in told])
    return found


def _by_chance(words: list[bytes]) -> list[bytes]:
    """SREM stands for SPOP, which takes which it likes."""
    return [*words[:2], b"%d members" % (len(words) - 2)] if words[0] == b"SREM" else words


def _beyond(argv: Command, words: list[bytes], version: Version) -> bool:
    """Whether something is told that only newer versions tell, or only we do."""
    name = option_of(argv[0])
    if name == b"XREADGROUP":
        if words[:2] == [b"XGROUP", b"SETID"]:
            return version < (7, 2) and b"NOACK" not in map(option_of, argv)
        return words[:2] == [b"XGROUP", b"CREATECONSUMER"] or (words[0] == b"XCLAIM" and b">" not in argv)
    if name in (b"BITFIELD", b"EXEC", b"EVAL", b"EVALSHA") and words[0] == b"SETRANGE" and words[3:] == [b"\0"]:
        return True  # a BITFIELD that has failed has made the string longer
    return name in (b"XCLAIM", b"XAUTOCLAIM") and words[:2] == [b"XGROUP", b"CREATECONSUMER"]


def same(theirs: list[Unit], mine: list[Unit]) -> bool:
    """Whether two streams are the same but for times."""
    if [len(unit) for unit in theirs] != [len(unit) for unit in mine]:
        return False
    return all(
        one[0] == other[0] and len(one[1]) == len(other[1]) and all(map(_same_word, one[1], other[1]))
        for theirs_unit, my_unit in zip(theirs, mine, strict=True)
        for one, other in zip(theirs_unit, my_unit, strict=True)
    )


def _same_word(one: bytes, other: bytes) -> bool:
    if one == other:
        return True
    left, right = _TIME.fullmatch(one), _TIME.fullmatch(other)
    return left is not None and right is not None and abs(int(left[1]) - int(right[1])) < _NEAR


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_told_as_redis_propagates_it(
    leader: RealRedis, family: str, request: pytest.FixtureRequest
) -> None:
    commands = strategy_of(family)
    propagation = Propagation(leader.port)

    @settings(
        max_examples=600 if request.config.getoption("--slow") else 30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        database=None,
        print_blob=True,
    )
    @given(st.sampled_from([2, 3]), programs(st.one_of(commands, commands, commands, strategy_of("generic"), _FRAMES)))
    def prove(resp: int, program: list[Command]) -> None:
        propagation.begin(resp)
        for argv in program:
            propagation.run(argv)
            if propagation.pair.parted:
                return

    try:
        prove()
    finally:
        propagation.close()
