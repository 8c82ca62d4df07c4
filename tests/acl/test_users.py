"""Users, selectors and descriptions, without any server."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest

import pycache_server.server.setup  # noqa: F401  (registers all commands)
from pycache_server.acl.log import AclLog, Entry
from pycache_server.acl.rules import BadRule, Unmatched, merged
from pycache_server.acl.selector import (
    DENIED_CHANNEL,
    DENIED_COMMAND,
    DENIED_KEY,
    READ,
    WRITE,
    Call,
    Denial,
    Selector,
)
from pycache_server.acl.user import User, hash_of
from pycache_server.acl.users import BadFile, Users, read_file
from pycache_server.acl.vocabulary import ALL, Vocabulary
from pycache_server.commands.registry import CATEGORIES, REGISTRY
from pycache_server.store.glob import compile_glob


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary(REGISTRY.values(), CATEGORIES, compile_glob)


def a_user(vocabulary: Vocabulary, rules: str) -> User:
    user = User(b"someone", vocabulary)
    for rule in merged(rules.encode().split()):
        user.apply(rule)
    return user


def call(
    vocabulary: Vocabulary, words: str, keys: Iterable[tuple[int, int]] = (), channels: Iterable[int] = ()
) -> Call:
    argv = words.encode().split()
    return Call(vocabulary.words[argv[0]], argv, keys, channels)


# Words that belong together


@pytest.mark.parametrize(
    ("words", "rules"),
    [
        ([], []),
        ([b"a", b"b"], [b"a", b"b"]),
        ([b"(a)", b"b"], [b"(a)", b"b"]),
        ([b"(a", b"b)", b"c"], [b"(a b)", b"c"]),
        ([b"(", b"a", b")"], [b"( a )"]),
        ([b"(a", b"(b)", b"c)"], [b"(a (b)", b"c)"]),
        ([b"(a", b"(b", b"c)"], [b"(b c)"]),
        ([b"a)", b""], [b"a)", b""]),
        ([b"(a", b"b\0c", b"d)"], [b"(a b d)"]),
    ],
)
def test_rules_in_parentheses_are_one(words: list[bytes], rules: list[bytes]) -> None:
    assert merged(words) == rules


@pytest.mark.parametrize(("words", "where"), [([b"(a"], b"(a"), ([b"x", b"(a", b"b"], b"(a"), ([b"("], b"(")])
def test_a_parenthesis_must_be_closed(words: list[bytes], where: bytes) -> None:
    with pytest.raises(Unmatched) as caught:
        merged(words)
    assert caught.value.word == where


# Permissions


def test_the_worst_that_all_selectors_refuse_is_told(vocabulary: Vocabulary) -> None:
    user = a_user(vocabulary, "+get ~a (+mget ~b) (+publish &x)")
    key = [(1, READ)]
    assert user.check(call(vocabulary, "get a", key)) is None
    assert user.check(call(vocabulary, "get b", key)) == Denial(DENIED_KEY, 1)
    assert user.check(call(vocabulary, "set a", key)) == Denial(DENIED_COMMAND, 0)
    assert user.check(call(vocabulary, "mget b b a", [(1, READ), (2, READ), (3, READ)])) == Denial(DENIED_KEY, 3)
    assert user.check(call(vocabulary, "publish y m", channels=[1])) == Denial(DENIED_CHANNEL, 1)


def test_rights_to_keys(vocabulary: Vocabulary) -> None:
    selector = a_user(vocabulary, "%R~r* %W~w* ~b* %R~x %W~x").selectors[0]
    both = READ | WRITE
    assert [selector.permits_key(b"r1", rights) for rights in (0, READ, WRITE, both)] == [True, True, False, False]
    assert [selector.permits_key(b"w1", rights) for rights in (0, READ, WRITE, both)] == [True, False, True, False]
    assert [selector.permits_key(b"b1", rights) for rights in (0, READ, WRITE, both)] == [True] * 4
    assert [selector.permits_key(b"x", rights) for rights in (0, READ, WRITE, both)] == [True] * 4
    assert not selector.permits_key(b"nothing", 0)


def test_every_key_may_be_read_by_all_keys_or_a_star(vocabulary: Vocabulary) -> None:
    for rules, allowed in (("allkeys", True), ("%R~*", True), ("%W~*", False), ("~a*", False), ("", False)):
        assert a_user(vocabulary, rules).selectors[0].permits_every_key(READ) is allowed


def test_all_commands_include_those_to_come(vocabulary: Vocabulary) -> None:
    every = " ".join(f"+{name}" for name in REGISTRY)
    assert a_user(vocabulary, every).selectors[0].allowed > 0
    assert a_user(vocabulary, "+@all -get").selectors[0].allowed < 0
    assert a_user(vocabulary, "+@all -get +get").selectors[0].allowed == ALL


def test_a_user_that_may_do_everything_is_known_as_such(vocabulary: Vocabulary) -> None:
    for rules, expected in (
        ("+@all ~* &*", True),
        ("+@all ~*", False),
        ("+@all ~* &* -get", False),
        ("-@all (+@all allkeys allchannels)", True),
        ("+@all ~* &* off", True),
    ):
        assert a_user(vocabulary, rules).is_unlimited is expected


def test_a_copy_is_another_user(vocabulary: Vocabulary) -> None:
    user = a_user(vocabulary, "on >x +get +set|a ~a &b (+set)")
    twin = user.copy()
    before = twin.describe()
    assert before == user.describe()
    for rule in (b"-get", b"+set|b", b"~c", b"&d", b"off", b">y", b"clearselectors"):
        user.apply(rule)
    assert twin.describe() == before


def test_channels_that_are_lost(vocabulary: Vocabulary) -> None:
    for before, after, lost in (
        ("&a", "&a &b", None),
        ("&a &b", "&b", [b"b"]),
        ("&*", "&a", [b"a"]),
        ("&a", "&*", None),
        ("&a (&b)", "&a (&b &c)", None),
        ("&a", "", []),
        ("", "&a", None),
    ):
        assert a_user(vocabulary, before).lost_channels(a_user(vocabulary, after)) == lost


# Passwords


def test_passwords_are_kept_as_hashes(vocabulary: Vocabulary) -> None:
    user = a_user(vocabulary, "on >secret")
    assert list(user.passwords) == [hash_of(b"secret")]
    assert b"secret" not in user.describe()
    assert user.accepts(b"secret")
    assert not user.accepts(b"Secret")


@pytest.mark.parametrize("digits", ["", "x", "0" * 63, "0" * 65, "F" * 64, "0" * 63 + "g", "0" * 63 + "\0"])
def test_a_hash_has_64_digits(vocabulary: Vocabulary, digits: str) -> None:
    for sign in (b"#", b"!"):
        with pytest.raises(BadRule, match="exactly 64"):
            User(b"a", vocabulary).apply(sign + digits.encode())


# Descriptions


def test_a_description_makes_the_same_user(vocabulary: Vocabulary) -> None:
    names = [name.decode() for name in vocabulary.words]
    for seed in range(200):
        random = Random(seed)
        rules = ["on", ">x", *(random.choice("+-") + random.choice(names) for _ in range(random.randrange(20)))]
        rules += [random.choice("+-") + "@" + random.choice(CATEGORIES) for _ in range(random.randrange(6))]
        rules += random.sample(["+@all", "-@all", "+set|a", "+get|b", "~a", "%R~b", "&c", "(+get ~d)", "nopass"], 4)
        random.shuffle(rules)
        user = a_user(vocabulary, " ".join(rules))
        twin = a_user(vocabulary, user.describe().decode())
        assert twin.describe() == user.describe(), seed
        for one, other in zip(user.selectors, twin.selectors, strict=True):
            assert permissions_of(one) == permissions_of(other), seed


def permissions_of(selector: Selector) -> tuple[object, ...]:
    firsts = {word.name: words for word, words in selector.first_args.items() if not selector.allowed & word.bit}
    return selector.allowed, firsts, selector.all_keys, selector.patterns, selector.all_channels, selector.channels


# Files


def test_what_is_wrong_with_a_file_is_told_at_once(vocabulary: Vocabulary) -> None:
    with pytest.raises(BadFile) as caught:
        read_file(b"user a foo bar\n\nnobody\nuser a", b"f", vocabulary)
    assert caught.value.text == (
        b"f:1: Syntax error. f:3 should start with user keyword followed by the username. "
        b"WARNING: Duplicate user 'a' found on line 4. "
        b"WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
    )


def test_the_default_user_stays_the_same_object(vocabulary: Vocabulary) -> None:
    users = Users(vocabulary)
    default = users.default
    users.replace(read_file(b"user default on >x\nuser a on", b"f", vocabulary))
    assert users.find(b"default") is users.default is default
    assert not default.is_open
    assert [user.name for user in users.sorted()] == [b"a", b"default"]
    users.replace([])
    assert default.is_unlimited
    assert [user.name for user in users.sorted()] == [b"default"]


# The log


def an_entry(what: bytes, time: int) -> Entry:
    return Entry(DENIED_KEY, "toplevel", what, b"a", "client", time)


def test_the_same_within_a_minute_is_counted(vocabulary: Vocabulary) -> None:
    log = AclLog()
    for time in (0, 60_000, 120_001):
        log.add(an_entry(b"k", time))
    assert [(entry.count, entry.created, entry.updated) for entry in log.newest(10)] == [
        (1, 120_001, 120_001),
        (2, 0, 60_000),
    ]
    assert log.refused[DENIED_KEY] == 3


def test_what_happens_again_becomes_the_newest() -> None:
    log = AclLog()
    for what in (b"a", b"b", b"c", b"a"):
        log.add(an_entry(what, 0))
    assert [(entry.object, entry.number) for entry in log.newest(10)] == [(b"a", 0), (b"c", 2), (b"b", 1)]
    log.longest = 1
    log.shorten()
    assert len(log.newest(10)) == 1
    log.clear()
    assert log.newest(10) == []


# Descriptions


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("+@all -@hash -@slow +hget", "+@all -@hash -@slow +hget"),
        ("+@all -@hash +get -@HASH", "+@all +get -@hash"),
        ("-@all -@hash +@hash", "-@all +@hash"),
        ("+GET +get -get", "-@all -get"),
        ("+config|get -client +config", "-@all -client +config"),
        ("+config -config|set", "-@all +config -config|set"),
        ("+select|0 +SELECT|0 +select|1", "-@all +select|0 +select|1"),
        ("+select|0 +select", "-@all +select"),
        ("-@dangerous", "-@all -@dangerous"),
        ("+get +set nocommands +hget", "-@all +hget"),
        ("-get allcommands", "+@all"),
    ],
)
def test_rules_for_commands_are_told_as_they_were_given(vocabulary: Vocabulary, rules: str, told: str) -> None:
    user = a_user(vocabulary, rules)
    assert b" ".join(user.selectors[0].describe_commands()).decode() == told
    again = a_user(vocabulary, told).selectors[0]
    assert (again.allowed, again.first_args) == (user.selectors[0].allowed, user.selectors[0].first_args)


def test_payloads_are_checked_unless_a_user_is_told_otherwise(vocabulary: Vocabulary) -> None:
    fresh = a_user(vocabulary, "").describe()
    assert b" sanitize-payload " in fresh
    assert a_user(vocabulary, "skip-sanitize-payload reset").describe() == fresh
    assert b" skip-sanitize-payload " in a_user(vocabulary, "skip-sanitize-payload").describe()
