"""Random commands, one module a family: each has ``commands()``, a hypothesis strategy of commands.

Keys are few, so that programs meet themselves; values are small and odd. What a family's strategy draws should be
right most of the time and wrong in every way some of the time: arity, types, ranges, options in any order.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.differential.versions import Command

SHORTEST, LONGEST = 5, 40
"""Commands of a program."""

KEYS = st.sampled_from([b"a", b"b", b"c", b"d", b"list", b"hash", b"set", b"zset", b"{x}", b""])
INTEGERS = st.one_of(
    st.integers(-3, 12).map(lambda value: b"%d" % value),
    st.sampled_from(
        [
            b"0",
            b"1",
            b"-1",
            b"100",
            b"2147483647",
            b"2147483648",
            b"-2147483649",
            b"9223372036854775807",
            b"-9223372036854775808",
            b"9223372036854775808",
            b"1_0",
            b" 1",
            b"+1",
            b"01",
            b"",
            b"x",
            b"1.5",
            b"-0",
        ]
    ),
)
SMALL = st.integers(0, 6).map(lambda value: b"%d" % value)
FLOATS = st.one_of(
    st.integers(-5, 5).map(lambda value: b"%d" % value),
    st.sampled_from(
        [
            b"0.1",
            b"-2.5",
            b"1e3",
            b"inf",
            b"-inf",
            b"+inf",
            b"nan",
            b"1e400",
            b"x",
            b"",
            b" 1",
            b"1_0",
            b"3.0",
            b".5",
            b"-0",
        ]
    ),
)
VALUES = st.one_of(
    st.sampled_from(
        [
            b"",
            b"x",
            b"10",
            b"-7",
            b"3.0",
            b"abc",
            b"\r\n",
            b"\x00\xff",
            b"v" * 44,
            b"v" * 45,
            b"w" * 70,
            b"9223372036854775807",
        ]
    ),
    st.integers(-1000, 1000).map(lambda value: b"%d" % value),
    st.binary(max_size=6),
)
SECONDS = st.sampled_from([b"100", b"5000", b"0", b"-1", b"x", b"9223372036854775807", b"10000000000"])


def words(*parts: Any) -> st.SearchStrategy[Command]:
    """A command of fixed words and drawn ones: bytes as they are, strategies of bytes, or of lists of bytes."""
    strategies = [st.just(part) if isinstance(part, bytes) else part for part in parts]
    return st.tuples(*strategies).map(_flatten)


def _flatten(parts: tuple[Any, ...]) -> Command:
    flat: Command = []
    for part in parts:
        if isinstance(part, bytes):
            flat.append(part)
        else:
            flat.extend(_flatten(tuple(part)))
    return flat


def some(strategy: Any, least: int = 1, most: int = 4) -> st.SearchStrategy[list[Any]]:
    """Several draws of one strategy."""
    return st.lists(strategy, min_size=least, max_size=most)


def maybe(*parts: Any) -> st.SearchStrategy[list[Any]]:
    """Nothing, or these words."""
    return st.one_of(st.just([]), words(*parts))


def shuffled(*options: Any) -> st.SearchStrategy[list[Any]]:
    """Some of the options, in any order."""
    strategies = [words(option) if isinstance(option, bytes) else option for option in options]
    return st.lists(st.one_of(*strategies), max_size=3)


def programs(commands: st.SearchStrategy[Command]) -> st.SearchStrategy[list[Command]]:
    """Lists of commands, long ones as often as short ones: hypothesis by itself prefers the shortest by far."""
    return st.integers(SHORTEST, LONGEST).flatmap(lambda count: st.lists(commands, min_size=count, max_size=count))


_END_WITH_TIMEOUT = (b"BLPOP", b"BRPOP", b"BZPOPMIN", b"BZPOPMAX")


def spoiled(strategy: st.SearchStrategy[Command]) -> st.SearchStrategy[Command]:
    """Commands, and now and then one with a word missing or too many."""

    def spoil(drawn: tuple[Command, int, bytes]) -> Command:
        command, chance, extra = drawn
        if chance == 0:
            return command[:-1] or command
        if chance == 1 and command[0].upper() in _END_WITH_TIMEOUT:
            return [*command[:-1], extra, command[-1]]  # else they might wait for long
        if chance == 1:
            return [*command, extra]
        return command

    return st.tuples(strategy, st.integers(0, 40), VALUES).map(spoil)
