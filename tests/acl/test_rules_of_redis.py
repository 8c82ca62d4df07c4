"""Random rules: a real redis-server and ours must refuse the same and describe the outcome the same.

Ours knows the commands of that server here, so that what a category holds is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from pycache_server.acl.rules import BadRule, Unmatched, has_blanks, merged
from pycache_server.acl.users import Users
from pycache_server.acl.vocabulary import Vocabulary
from pycache_server.commands.registry import CATEGORIES
from pycache_server.store.glob import compile_glob
from tests.acl.short_rules import short_rules
from tests.conftest import RealRedis
from tests.differential.oracle import Real

pytestmark = pytest.mark.interop

LITERAL_RULES = (7, 2)
"""From here on Redis remembers the rules for commands that were given, as ours does, where 7.0 finds short ones for the
outcome: then the outcome is compared by those."""
OTHERWISE = {b"%", b"(", b"(+get"}
"""Words that it takes otherwise from then on: patterns without rights, parentheses in parentheses."""
NAMES = [b"acl-fuzz-a", b"acl-fuzz-b", b"acl fuzz", b"acl-fuzz\0", b""]
PATTERNS = [b"", b"a", b"a*", b"*", b"b:?", b"x y", b"t\tt", b"n\0n", b"\xff", b"'a'", b'"', b"(", b")"]
WORDS = [
    *(b"on", b"off", b"ON", b"oFf", b"nopass", b"resetpass", b"reset", b"clearselectors", b"allkeys", b"resetkeys"),
    *(b"allchannels", b"resetchannels", b"allcommands", b"nocommands", b"AllCommands", b"sanitize-payload"),
    *(b"skip-sanitize-payload", b"~*", b"&*", b"+@all", b"-@all", b"+@ALL", b"", b"foo", b"+", b"-", b"+@", b"%", b"~"),
    *(b"on\0x", b"+get\0x", b"\0", b"%R", b"%RW", b"%X~a", b"%R~*", b"%W~*", b"%RW~*", b"%rw~*", b"(", b")", b"()"),
    *(b"(on)", b"(+get", b"~a)", b"+get)", b"( +get ~x )", b"(+@read allchannels)", b"(+nosuch)", b"(~a ~a %W~b)"),
    *(b"('+get' ~q)", b'("+get)', b"(+@all -@write -get +select|1)", b"+nosuch", b"-nosuch", b"+@nosuch", b"-@nosuch"),
    *(
        b"+get|",
        b"+get|a",
        b"+GET|A",
        b"-get|a",
        b"+get|b",
        b"+get|a|b",
        b"+config|",
        b"+config|get|a",
        b"+config|nosuch",
    ),
    *(b"-config|nosuch", b"+|get", b"+config||get", b"+select|0", b"+select|1", b"+auth|x", b"-auth"),
]
SUBCOMMANDS = [
    b"config|get",
    b"CONFIG|SET",
    b"client|id",
    b"acl|whoami",
    b"xinfo|help",
    b"memory|usage",
    b"object|freq",
]


class Described:
    """A command as COMMAND INFO gives it."""

    def __init__(self, info: list[Any]) -> None:
        self.name: str = info[0].decode()
        self.categories = [category.decode().removeprefix("@") for category in info[6]]
        self.is_free = b"no_auth" in info[2]
        self.subcommands = {sub[0].decode(): Described(sub) for sub in info[9]}


@pytest.fixture
def real(real_redis: RealRedis) -> Iterator[Real]:
    connection = Real(real_redis.port, 2)
    yield connection
    connection.call([b"ACL", b"DELUSER", *NAMES])
    connection.close()


def a_rule(random: Random, commands: list[bytes]) -> bytes:
    """A rule that is right most of the time."""
    kind = random.randrange(12)
    sign = random.choice([b"+", b"-"])
    if kind < 3:
        return sign + random.choice(commands)
    if kind < 6:
        return sign + b"@" + random.choice(CATEGORIES).encode()
    if kind == 6:
        return sign + random.choice(SUBCOMMANDS)
    if kind == 7:
        return random.choice([b"~", b"%R~", b"%W~", b"%RW~", b"%wr~", b"&"]) + random.choice(PATTERNS)
    if kind == 8:
        return random.choice([b">", b"<", b"#", b"!"]) + random.choice(
            [b"pw", b"", b"a b", b"\0", b"0" * 64, b"F" * 64]
        )
    return random.choice(WORDS)


def answer(users: Users, name: bytes, words: list[bytes]) -> bytes:
    """What ours says to ACL SETUSER, shortened."""
    if has_blanks(name):
        return b"blanks"
    try:
        changed = users.changed(name, merged(words))
    except BadRule as error:
        return b"modifier '%b': %b" % (error.rule.split(b"\0")[0], error.text)
    except Unmatched as error:
        return b"starting at '%b'." % error.word.split(b"\0")[0]
    users.remove(name)
    users.add(changed)
    return b"OK"


def ordered(rules: bytes) -> list[bytes]:
    """Rules for commands: Redis tells single commands in the order of a hash table."""
    words = rules.split(b" ")
    singles = [word for word in words if not word.startswith((b"+@", b"-@"))]
    return [word for word in words if word not in singles] + sorted(singles)


def told_flags(flags: list[bytes], version: tuple[int, ...]) -> list[bytes]:
    """Flags without the one that older servers tell only of who has been given it."""
    return [flag for flag in flags if version >= LITERAL_RULES or flag != b"sanitize-payload"]


def described(users: Users, vocabulary: Vocabulary, name: bytes, version: tuple[int, ...]) -> Any:
    user = users.find(name)
    if user is None:
        return None
    return [
        told_flags(user.flags(), version),
        list(user.passwords),
        *(
            [
                [
                    each.describe_commands()
                    if version >= LITERAL_RULES
                    else ordered(b" ".join(short_rules(vocabulary, each.allowed, each.first_args))),
                    b" ".join(each.describe_keys()),
                    b" ".join(each.describe_channels()),
                ]
                for each in user.selectors
            ]
        ),
    ]


def described_by_redis(reply: Any, version: tuple[int, ...]) -> Any:
    if reply is None:
        return None
    fields = dict(zip(reply[::2], reply[1::2], strict=True))
    selectors = [fields, *(dict(zip(each[::2], each[1::2], strict=True)) for each in fields[b"selectors"])]
    return [
        told_flags(fields[b"flags"], version),
        fields[b"passwords"],
        *(
            [
                [
                    each[b"commands"].split(b" ") if version >= LITERAL_RULES else ordered(each[b"commands"]),
                    each[b"keys"],
                    each[b"channels"],
                ]
                for each in selectors
            ]
        ),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_rules_are_refused_and_described_as_by_redis(real: Real, seed: int, request: pytest.FixtureRequest) -> None:
    random = Random(seed)
    version = real.version()
    commands = [Described(info) for info in real.call([b"COMMAND"])]
    names = [each.name.encode() for each in commands]
    vocabulary = Vocabulary(commands, CATEGORIES, compile_glob)
    users = Users(vocabulary)
    for _ in range(5000 if request.config.getoption("--slow") else 250):
        name = random.choice(NAMES)
        words = [a_rule(random, names) for _ in range(random.choice([0, 1, 1, 1, 2, 3, 6, 12]))]
        if version >= LITERAL_RULES:
            words = [word for word in words if word not in OTHERWISE]
        reply = real.call([b"ACL", b"SETUSER", name, *words])
        theirs = "OK" if reply == b"OK" else str(reply)
        mine = answer(users, name, words).decode("utf-8", "replace")
        assert theirs.endswith(mine) or ("spaces" in theirs and mine == "blanks"), (seed, name, words, theirs, mine)
        one = described_by_redis(real.call([b"ACL", b"GETUSER", name]), version)
        assert one == described(users, vocabulary, name, version), (seed, name, words)
        if random.random() < 0.1:
            assert real.call([b"ACL", b"DELUSER", name]) == (users.remove(name) is not None)
