"""Random commands of users that may not do everything: a real redis-server and ours must permit and refuse the same.

A user gets random rules, now and then new ones. What ACL DRYRUN says of a command is compared, then the command as the
user sends it, alone or in a transaction; at the end what ACL LOG has written down, and what the keys hold.
"""

from __future__ import annotations

import copy
from typing import Any

import hiredis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import pycache_server.server.setup  # noqa: F401  (registers the server's commands, too)
from pycache_server.commands.registry import CATEGORIES, REGISTRY
from tests.compared import COMPARED
from tests.conftest import RealRedis
from tests.differential.oracle import Ours, Pair, Real
from tests.differential.replies import CHANCE, show
from tests.differential.strategies import KEYS, Command, some, words
from tests.differential.test_programs import FAMILIES, strategy_of

pytestmark = pytest.mark.interop

USER = b"acl-test-user"
OTHER_TEXTS = (7, 2)
"""From here on Redis says otherwise what it refuses."""
LOGGED = (b"count", b"reason", b"context", b"object", b"username")
_OLD = {name.encode(): command for name, command in REGISTRY.items() if command.since < "7.1"}
"""Commands that every version has."""
_NAMES = st.sampled_from(list(_OLD))
_CATEGORIES = st.sampled_from([category.encode() for category in CATEGORIES])
_PATTERNS = st.one_of(KEYS, st.sampled_from([b"*", b"?", b"a*", b"[ab]", b"l*", b"se*", b"{*", b"\\a", b""]))
_KEYS = st.tuples(st.sampled_from([b"~", b"%R~", b"%W~", b"%RW~"]), _PATTERNS).map(b"".join)
_CHANNELS = st.tuples(st.just(b"&"), _PATTERNS).map(b"".join)
_COMMANDS = st.one_of(
    st.tuples(st.sampled_from([b"+", b"-"]), _NAMES).map(b"".join),
    st.tuples(st.sampled_from([b"+@", b"-@"]), _CATEGORIES).map(b"".join),
    st.sampled_from([b"+@all", b"-@all", b"+set|a", b"+get|b", b"+object|encoding", b"-object|freq", b"-object"]),
)
_SELECTORS = st.lists(st.one_of(_COMMANDS, _KEYS, _KEYS, _CHANNELS), max_size=6).map(
    lambda rules: b"(" + b" ".join(rules) + b")"
)
_RULES = st.tuples(
    some(_COMMANDS, most=3),
    st.lists(st.one_of(_KEYS, _KEYS, _COMMANDS, _CHANNELS, st.sampled_from([b"allkeys", b"resetkeys"])), max_size=6),
    st.lists(_SELECTORS, max_size=2),
).map(lambda parts: [rule for part in parts for rule in part])
_FORBIDDEN = {b"SWAPDB", b"SELECT", b"MOVE", b"DEBUG", b"FLUSHALL", b"FLUSHDB"}
"""Commands that would let the two connections of a test see other things, or need what this test does not give."""


def _commands() -> st.SearchStrategy[Command]:
    mixed = st.one_of(
        *(strategy_of(family) for family in FAMILIES),
        words(b"PUBLISH", KEYS, b"x"),
        words(b"OBJECT", st.sampled_from([b"ENCODING", b"encoding", b"HELP", b"NOSUCH"]), KEYS),
        words(st.sampled_from([b"MGET", b"DEL", b"MSET", b"ZUNIONSTORE", b"SORT"]), some(KEYS, most=5)),
    )
    return mixed.filter(lambda argv: argv[0].lower() in _OLD and argv[0].upper() not in _FORBIDDEN)


def _sure() -> st.SearchStrategy[Command]:
    """Commands that leave nothing to chance, so that both servers do the same in a transaction."""
    return _commands().filter(lambda argv: argv[0].upper() not in CHANCE)


_PROGRAMS = st.lists(
    st.one_of(
        st.tuples(st.just("as user"), _commands()),
        st.tuples(st.just("as user"), _commands()),
        st.tuples(st.just("rules"), _RULES),
        st.tuples(st.just("together"), st.tuples(st.lists(_sure(), max_size=4), st.one_of(st.none(), _RULES))),
    ),
    min_size=8,
    max_size=30,
)


class _Second(Ours):
    """Another client of ours."""

    def __init__(self, first: Ours) -> None:
        self.world = first.world
        self.client = self.world.connect(decode=False)


class Users:
    """Both servers with two connections each: one of a user that may do everything, one of one that may not."""

    def __init__(self, real: RealRedis) -> None:
        self.port = real.port
        self.admin = Pair(real.port)
        self.user = self.admin

    def begin(self, resp: int, rules: Command) -> None:
        """Be as new."""
        self.admin.begin(resp)
        self.end()
        self.admin.run([b"ACL", b"LOG", b"RESET"])
        self.user = copy.copy(self.admin)
        self.user.real, self.user.ours = Real(self.port, resp), _Second(self.admin.ours)
        if resp == 3:
            self.user.ours.call([b"HELLO", b"3"])
        self.change([b"on", b">secret", *rules])
        self.user.run([b"AUTH", USER, b"secret"])

    def end(self) -> None:
        """Leave no user behind."""
        if self.user is not self.admin:
            self.user.real.close()
            self.user.ours.client.close()
            self.user.ours.world.clients.remove(self.user.ours.client)
        self.admin.run([b"ACL", b"DELUSER", USER])

    def change(self, rules: Command) -> None:
        """Change the user."""
        self.admin.run([b"ACL", b"SETUSER", USER, *rules])

    def run(self, argv: Command) -> None:
        """Compare what is said of a command, and what it says itself."""
        self.compare(self.admin, [b"ACL", b"DRYRUN", USER, *argv])
        self.compare(self.user, argv)
        self.user.parted = self.user.parted or self.admin.parted

    def compare(self, pair: Pair, argv: Command) -> None:
        """Run a command on both, and compare."""
        if pair.version < OTHER_TEXTS:
            pair.run(argv)
            return
        theirs, mine = pair.run(argv, compare=False)
        assert permission_of(theirs) == permission_of(mine), (argv, theirs, mine)

    def together(self, commands: list[Command], rules: Command | None) -> None:
        """Run commands in a transaction, with other rules from the moment before EXEC on."""
        self.compare(self.user, [b"MULTI"])
        for argv in commands:
            self.compare(self.user, argv)
        if rules is not None:
            self.change(rules)
        theirs, mine = self.user.run([b"EXEC"], compare=False)
        assert permissions_of(theirs) == permissions_of(mine), (commands, theirs, mine)
        self.compare(self.user, [b"DISCARD"])

    def compare_log(self) -> None:
        """Compare what was refused."""
        theirs, mine = self.admin.run([b"ACL", b"LOG", b"100"], compare=False)
        assert list(map(_logged, theirs)) == list(map(_logged, mine))


def permission_of(reply: Any) -> str:
    """What a reply says of permissions: nothing, or that something was refused."""
    text = str(reply) if isinstance(reply, hiredis.ReplyError) else repr(reply)
    return "refused" if text.startswith("NOPERM") or "has no permissions to" in text else ""


def permissions_of(reply: Any) -> list[str]:
    """The same of a reply, or of each of its elements."""
    return [permission_of(each) for each in (reply if isinstance(reply, list) else [reply])]


def _logged(entry: Any) -> list[Any]:
    fields = entry if isinstance(entry, dict) else dict(zip(entry[::2], entry[1::2], strict=True))
    return [show(fields[name]) for name in LOGGED]


def test_users_may_do_the_same_as_in_redis(real_redis: RealRedis, request: pytest.FixtureRequest) -> None:
    users = Users(real_redis)

    @settings(
        max_examples=1500 if request.config.getoption("--slow") else 60,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        database=None,
        print_blob=True,
    )
    @given(st.sampled_from([2, 3]), _RULES, _PROGRAMS)
    def check(resp: int, rules: Command, program: list[tuple[str, Any]]) -> None:
        users.begin(resp, rules)
        for what, argument in program:
            if what == "rules":
                users.change(argument)
            elif what == "together":
                users.together(*argument)
            else:
                users.run(argument)
            COMPARED["commands of users"] += 1
            if users.user.parted:
                return
        users.compare_log()
        users.admin.compare_state()

    try:
        check()
    finally:
        users.end()
        users.admin.close()
