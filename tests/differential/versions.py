"""What Redis has changed since 7.0, in one table: differences that the version of the other server explains.

Redis 7.4 is the yardstick. An older server may answer otherwise where a row of ``CHANGES`` says so, and only there;
against a 7.4 it is empty but for the rows that apply ``since`` a version, where we do as 7.0 did. Each row stands in
docs/differences.md, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import hiredis

from pycache_server.commands.args import option_of
from pycache_server.commands.conditions import COMPARISONS

Command = list[bytes]
Version = tuple[int, ...]


ANY = "*"
_REFUSED = re.compile(r"^(NOPERM |This user |User |ERR The user executing the script |ERR ACL failure in script: )")


class Change(NamedTuple):
    """A difference that is expected of some versions."""

    commands: str
    """Their names, or ANY."""
    what: str
    applies: Callable[[Version], bool]
    """Whether a version is one of them."""
    excuses: Callable[[Command, Any, Any], bool]
    """Whether this is the difference between two replies to a command, Redis's and ours, or what led to them."""


def before(*version: int) -> Callable[[Version], bool]:
    """All versions older than this one."""
    return lambda other: other < version


def since(*version: int) -> Callable[[Version], bool]:
    """This version and all newer ones."""
    return lambda other: other >= version


def _error(reply: Any) -> str:
    return str(reply) if isinstance(reply, hiredis.ReplyError) else ""


def _text(reply: Any) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else _error(reply)


def _texts(theirs: str, mine: str) -> Callable[[Command, Any, Any], bool]:
    """Both complain in these words; an empty text means that there is no error."""
    return lambda argv, one, other: (_error(one), _error(other)) == (theirs, mine)


def _holds(argv: Command, word: bytes) -> bool:
    return word in map(option_of, argv)


_NOT_SYMMETRIC = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
_SCANS = "scan sscan hscan zscan"

CHANGES = (
    Change(
        "bitcount bitpos",
        "the arguments are looked at before the key: 7.0 answers 0 or -1 for one that is not there, or WRONGTYPE",
        before(7, 2),
        lambda argv, theirs, mine: bool(_error(mine)) and (theirs in (0, -1) or bool(_error(theirs))),
    ),
    Change(
        "object",
        "OBJECT ENCODING of small lists and of small sets of strings is listpack",
        before(7, 2),
        lambda argv, theirs, mine: mine == b"listpack" and theirs in (b"quicklist", b"hashtable"),
    ),
    Change(
        ANY,
        "a refusal names the user, and not the keys: 7.0 says 'this user'",
        before(7, 2),
        lambda argv, theirs, mine: bool(_REFUSED.search(_text(theirs)) and _REFUSED.search(_text(mine))),
    ),
    Change(
        "acl",
        "ACL LIST tells sanitize-payload of users of whom nobody has said so",
        before(7, 2),
        lambda argv, theirs, mine: (
            [word.upper() for word in argv[1:]] == [b"LIST"]
            and isinstance(mine, list)
            and [line.replace(b" sanitize-payload", b"") for line in mine] == theirs
        ),
    ),
    Change(
        "zrank zrevrank",
        "ZRANK and ZREVRANK have WITHSCORE",
        before(7, 2),
        lambda argv, theirs, mine: len(argv) > 3 and _error(theirs).startswith("ERR wrong number of arguments"),
    ),
    Change(
        "xread",
        "the command is called 'xread' in the error text for unbalanced streams",
        before(7, 2),
        _texts(
            "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
            "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.",
        ),
    ),
    Change(
        "xread",
        "XREAD knows the id +, the last entry",
        before(7, 4),
        lambda argv, theirs, mine: b"+" in argv and _error(theirs).startswith("ERR Invalid stream ID"),
    ),
    Change(
        "xsetid",
        "XSETID does not go below the greatest id that was deleted",
        before(7, 2),
        lambda argv, theirs, mine: (
            _error(theirs) in ("", "ERR The ID specified in XSETID is smaller than the target stream top item")
            and _error(mine) == "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
        ),
    ),
    Change(
        "xadd",
        "the last part of an id that is used up is not larger than that of the last entry: 7.0 calls it too large",
        before(7, 2),
        _texts(
            "ERR Elements are too large to be stored",
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        ),
    ),
    Change(
        "xreadgroup",
        "who waits for a group that ends, or its key, gets the error of the command: 7.0 has errors for that",
        before(7, 2),
        lambda argv, theirs, mine: (
            _error(theirs).startswith(("UNBLOCKED the stream key", "NOGROUP the consumer group this client"))
            and _error(mine).startswith(("NOGROUP", "WRONGTYPE"))
        ),
    ),
    Change(
        "blpop brpop blmpop blmove brpoplpush bzpopmin bzpopmax bzmpop",
        "a timeout that is too large is out of range: 7.0 takes it for negative",
        before(7, 2),
        _texts("ERR timeout is negative", "ERR timeout is out of range"),
    ),
    Change(
        "xread xreadgroup wait",
        "a number of milliseconds that is too large is out of range, too: 7.0 takes it",
        before(7, 2),
        lambda argv, theirs, mine: _error(mine) == "ERR timeout is out of range",
    ),
    Change(
        "xreadgroup",
        "the command is called 'xreadgroup' in the error text for unbalanced streams, and > is what may be specified",
        before(7, 2),
        _texts(
            "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
            "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
        ),
    ),
    Change(
        "xreadgroup",
        "the id + has an error of its own",
        before(7, 4),
        lambda argv, theirs, mine: b"+" in argv and _error(theirs).startswith("ERR Invalid stream ID"),
    ),
    Change(
        "xreadgroup xclaim xautoclaim",
        "a consumer is created even where it gets nothing",
        before(7, 2),
        lambda argv, theirs, mine: theirs == mine,
    ),
    Change(
        "xgroup",
        "a consumer is there already since it has got nothing",
        before(7, 2),
        lambda argv, theirs, mine: (
            ((theirs, mine) == (1, 0) and _holds(argv, b"CREATECONSUMER"))
            or (theirs == mine == 0 and _holds(argv, b"DELCONSUMER"))
        ),
    ),
    Change(
        "xreadgroup",
        "reading what is pending already is a change",
        since(7, 2),
        lambda argv, theirs, mine: theirs == mine and argv[-1] != b">",
    ),
    Change(
        "xadd xtrim",
        "XADD and XTRIM have KEEPREF, DELREF and ACKED",
        before(8, 2),
        lambda argv, theirs, mine: any(_holds(argv, word) for word in (b"KEEPREF", b"DELREF", b"ACKED")),
    ),
    Change(
        "lpos",
        "LPOS RANK does not take the smallest integer, which has no opposite",
        before(7, 2),
        lambda argv, theirs, mine: _error(mine) == _NOT_SYMMETRIC,
    ),
    Change(
        "lrem",
        "LREM does not take the smallest integer, which has no opposite",
        before(7, 4),
        lambda argv, theirs, mine: _error(mine) == _NOT_SYMMETRIC,
    ),
    Change(
        _SCANS,
        "cursors may have blanks in front, but be neither empty nor negative: 7.0 has it the other way round",
        before(7, 4),
        lambda argv, theirs, mine: (_error(theirs) == "ERR invalid cursor") != (_error(mine) == "ERR invalid cursor"),
    ),
    Change(
        _SCANS,
        "HSCAN has NOVALUES, which has an error of its own elsewhere",
        before(7, 4),
        lambda argv, theirs, mine: _holds(argv, b"NOVALUES") and _error(theirs) == "ERR syntax error",
    ),
    Change(
        "zrange zrangebyscore zrevrangebyscore zrangebylex zrevrangebylex zrangestore",
        "a negative offset of LIMIT counts from the end of a skiplist: in 7.0 there is nothing then",
        before(7, 4),
        lambda argv, theirs, mine: _holds(argv, b"LIMIT") and theirs in ([], 0),
    ),
    Change(
        "set",
        "SET has the conditions IFEQ, IFNE, IFDEQ and IFDNE",
        before(8, 4),
        lambda argv, theirs, mine: (
            _error(theirs) == "ERR syntax error" and not COMPARISONS.isdisjoint(map(option_of, argv))
        ),
    ),
    Change(
        "client",
        "a client's name may hold what it likes behind a NUL: 7.0 refuses it",
        before(7, 2),
        lambda argv, theirs, mine: any(b"\0" in word for word in argv),
    ),
    Change(
        "hello",
        "HELLO looks at all of its options before it sets the name",
        before(7, 4),
        lambda argv, theirs, mine: (
            bool(_error(theirs) and _error(mine)) and (_holds(argv, b"SETNAME") or _holds(argv, b"AUTH"))
        ),
    ),
    Change(
        "command",
        "COMMAND GETKEYS and GETKEYSANDFLAGS want a command with an argument: 7.2 lets them have one without",
        since(7, 2),
        lambda argv, theirs, mine: len(argv) == 3 and _error(mine).startswith("ERR wrong number of arguments"),
    ),
    Change(
        "command",
        "the key that SINTERSTORE writes may be read, too: since 7.2 it is OW",
        since(7, 2),
        lambda argv, theirs, mine: option_of(argv[1]) == b"GETKEYSANDFLAGS" and option_of(argv[2]) == b"SINTERSTORE",
    ),
    Change(
        "lset",
        "an index beyond 32 bits is out of range; a listpack of 7.4 takes the lower half of its bits",
        since(7, 2),
        lambda argv, theirs, mine: theirs == b"OK" and _error(mine) == "ERR index out of range",
    ),
)


_CALLED = re.compile(rb"redis\.p?call\('(\w+)'")


def is_expected(version: Version, argv: Command, theirs: Any, mine: Any) -> bool:
    """Whether the version explains that two replies to a command differ, or what the command did."""
    name = argv[0].decode("ascii", "replace").lower()
    changes = [change for change in CHANGES if change.applies(version)]
    if any(change.commands == ANY and change.excuses(argv, theirs, mine) for change in changes):
        return True
    if name in ("eval", "eval_ro") and (_error(theirs) or _error(mine)):  # of a command that the script has called
        called = {word.decode().lower() for word in _CALLED.findall(argv[1])}
        return any(called.intersection(change.commands.split()) for change in changes)
    return any(name in change.commands.split() and change.excuses(argv, theirs, mine) for change in changes)
