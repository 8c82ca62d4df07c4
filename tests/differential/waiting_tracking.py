"""Clients that cache what they read, and must be told when it changes: scripts for test_blocking.py."""

from __future__ import annotations

from random import Random

import pycache_server.server.setup  # noqa: F401  (makes the registry complete)
from pycache_server.commands.registry import REGISTRY

SCENARIOS = {
    "a client hears once of what it has read": """
        A: CLIENT TRACKING ON
        A: MGET a b c
        B: SET a 1 | SET a 2 | RENAME a b | DEL c
        A: GET b
        B: SWAPDB 0 1
        B: SELECT 1
        B: DEL b
        B: FLUSHALL
    """,
    "what a client does itself follows the reply": """
        A: CLIENT TRACKING ON
        A: MGET a b | SET a 1 | GET a | MSET a 1 b 2 | PING
        A: GET a | MULTI | SET a 1 | GET a | SET a 2 | EXEC | FLUSHALL ASYNC | PING
    """,
    "prefixes are told of behind the batch": """
        A: CLIENT TRACKING ON BCAST PREFIX b PREFIX a
        B: CLIENT TRACKING ON BCAST NOLOOP
        A: CLIENT TRACKINGINFO
        B: CLIENT TRACKINGINFO
        A: SET b1 1 | SET a2 2 | SET a1 1 | SET c 1 | DEL b1
        B: SET b1 1 | SET a2 2 | SET a1 1 | SET c 1 | DEL b1
        C: MULTI | SET a 1 | LPUSH b 1 | EXEC
        A: CLIENT TRACKING ON BCAST PREFIX c NOLOOP
        C: MSET a 1 b 1 c 1
        A: MSET a 1 b 1 c 1
        A: CLIENT TRACKING OFF
        C: MSET a 1 b 1 c 1
    """,
    "messages in resp2 go through a channel": """
        A: speak 2
        A: SUBSCRIBE __redis__:invalidate
        B: CLIENT TRACKING ON REDIRECT {A}
        B: MGET a b
        C: SET a 1
        B: SET b 1
        C: FLUSHDB
        B: GET a
        A: UNSUBSCRIBE
        C: SET a 1
    """,
    "caching yes lasts for a command or a transaction": """
        A: CLIENT TRACKING ON OPTIN
        A: GET a | CLIENT CACHING YES | CLIENT GETNAME | GET b | GET c
        A: CLIENT CACHING YES | MULTI | GET d | GET e | EXEC | GET f
        A: CLIENT CACHING YES | nope | GET g
        A: CLIENT CACHING YES | CLIENT TRACKING ON | CLIENT TRACKINGINFO | GET h
        B: MSET a 1 b 1 c 1 d 1 e 1 f 1 g 1 h 1
    """,
}

SCRIPTS = {
    "scripts are told of behind their reply, and their keys are those that they read": """
        A: speak 3
        A: CLIENT TRACKING ON
        A: EVAL "return {redis.call('get', KEYS[1]), redis.call('set', KEYS[1], 1), redis.call('mget', 'x', 'y')}" 1 k
        B: MSET k 2 x 1 y 1
        A: EVAL_RO "return redis.call('GeT', 'x')" 1 y
        B: MSET x 2 y 2
        A: MULTI | EVAL "return {redis.call('get', 'k'), redis.call('set', 'k', 2)}" 0 | GET x | SET x 1 | EXEC | PING
        A: EVAL "return {redis.call('object', 'encoding', 'k'), redis.pcall('lpop', 'k'), redis.pcall('llen', 'k')}" 0
        B: SET k 3
    """,
    "a script is nobody who could be spared": """
        A: speak 3
        A: CLIENT TRACKING ON BCAST NOLOOP
        A: EVAL "return redis.call('set', KEYS[1], 1)" 1 k | SET x 1 | PING
        A: MULTI | EVAL "return redis.call('set', KEYS[1], 1)" 1 k | SET x 1 | EXEC
        A: CLIENT TRACKING OFF
        A: CLIENT TRACKING ON NOLOOP
        A: GET k | EVAL "return redis.call('set', KEYS[1], 1)" 1 k | PING
    """,
    "caching yes is for all that a script reads": """
        A: speak 3
        A: CLIENT TRACKING ON OPTIN
        A: CLIENT CACHING YES | EVAL "return {redis.call('get', 'a'), redis.call('get', 'b')}" 0 | GET c
        B: MSET a 1 b 1 c 1
    """,
}

SINCE_7_2 = {
    **(SCRIPTS if "eval" in REGISTRY else {}),
    "a waiting reader hears of what it gets": """
        A: speak 3
        A: CLIENT TRACKING ON
        A: XREAD BLOCK 0 STREAMS s t $ $
        B: XADD s 1-1 a b
        B: XADD s 1-2 a b
        B: XADD t 1-2 a b
    """,
    "events of ones own follow what is invalid": """
        A: speak 3
        notify KEA
        A: PSUBSCRIBE *
        A: CLIENT TRACKING ON
        A: MGET a b
        A: MSET a 1 b 2 | PING
        A: GET a | RENAME a b | PING
        A: MULTI | GET b | DEL b | EXEC
        B: SET b 1
    """,
    "who is told of its own changes gets them behind its reply": """
        A: speak 3
        B: CLIENT TRACKING ON REDIRECT {A}
        B: GET a
        A: SET a 1 | PING
        A: CLIENT TRACKING ON REDIRECT {A}
        A: GET a | SET a 1 | PING
        B: SET a 2
    """,
}


def random_line(chance: Random, several: bool) -> str:
    """A command of a random program; with events where those of one's own follow the reply."""
    one, other, third = (chance.choice("abcd") for _ in range(3))
    reading = [
        f"GET {one}",
        f"GET {one}",
        f"MGET {one} {other} {third}",
        f"LRANGE {one} 0 -1",
        f"HGET {one} f",
        f"EXISTS {one} {other}",
        f"XREAD STREAMS {one} {other} 0 0",
        f"SUNION {one} {other}",
        f"STRLEN {one}",
        f"GET {one} {other}",
    ]
    writing = [
        f"SET {one} 1",
        f"MSET {one} 1 {other} 2",
        f"SET {one} 1 GET",
        f"SET {one} 1 NX",
        f"GETDEL {one}",
        f"GETEX {one} EX 100",
        f"GETEX {one} PERSIST",
        f"DEL {one} {other}",
        f"RPUSH {one} 1 2",
        f"LPOP {one} 5",
        f"LMOVE {one} {other} LEFT RIGHT",
        f"RPOPLPUSH {one} {other}",
        f"HSET {one} f 1",
        f"HDEL {one} f",
        f"SADD {one} x",
        f"SMOVE {one} {other} x",
        f"SPOP {one} 9",
        f"SINTERSTORE {one} {other} {third}",
        f"ZADD {one} 1 x",
        f"ZADD {one} XX 2 y",
        f"ZPOPMIN {one}",
        f"ZUNIONSTORE {one} 2 {other} {third}",
        f"ZRANGESTORE {one} {other} 0 -1",
        f"XADD {one} 1-1 f 1",
        f"XTRIM {one} MAXLEN 0",
        f"SETRANGE {one} 0 x",
        f"APPEND {one} x",
        f"INCR {one}",
        f"SETBIT {one} 1 1",
        f"BITOP NOT {one} {other}",
        f"EXPIRE {one} 100",
        f"PEXPIRE {one} -1",
        f"PERSIST {one}",
        f"RENAME {one} {other}",
        f"RENAMENX {one} {other}",
        f"COPY {one} {other} REPLACE",
        f"MOVE {one} 1",
        f"SORT {one} STORE {other}",
        f"UNLINK {one}",
        f"TOUCH {one}",
        "SWAPDB 0 1",
        "FLUSHDB ASYNC",
        "FLUSHALL ASYNC",
    ]
    options = [
        f"{mode} {loop}" for mode in ("", "OPTIN", "OPTOUT", "BCAST", f"BCAST PREFIX {one}") for loop in ("", "NOLOOP")
    ]
    words = ["BCAST", "BCAST", "OPTIN", "OPTOUT", "NOLOOP", f"PREFIX {one}", "PREFIX", "REDIRECT 0", "REDIRECT x"]
    setting = [
        f"CLIENT TRACKING {chance.choice(['ON', 'ON', 'off', 'maybe'])} {' '.join(chance.choices(words, k=2))}",
        *(f"CLIENT TRACKING ON {each}".strip() for each in options),
        f"CLIENT TRACKING ON REDIRECT {{{chance.choice('ABCDE')}}}" if several else "CLIENT TRACKING ON",
        "CLIENT TRACKING OFF",
        "CLIENT TRACKING OFF",
        "CLIENT CACHING YES",
        "CLIENT CACHING NO",
        "SUBSCRIBE __redis__:invalidate" if several else "PING",
        "UNSUBSCRIBE" if several else "PING",
    ]
    kind = chance.random()
    if kind < 0.3:
        return chance.choice(setting)
    single = reading + writing
    if kind < 0.5:
        return chance.choice(reading)
    if kind < 0.8:
        return chance.choice(writing)
    several_commands = [chance.choice([*single, "CLIENT CACHING YES"]) for _ in range(chance.randrange(1, 6))]
    if kind < 0.9:
        return " | ".join(several_commands)
    return " | ".join(["MULTI", *several_commands, "EXEC"])
