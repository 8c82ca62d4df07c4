"""Random commands of every type, for data sets that are compared: cheap to make, thousands in a second.

Keys of different types have different names, so that most commands do something; some meet a key of another type.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

Words = tuple[str | int | bytes, ...]
_TEMPLATES = """
SET s v; SET s v EX 100; SET s v PX 30; SETEX s 50 v; APPEND s v; SETRANGE s n v; INCR c; INCRBY c n; INCRBYFLOAT f 1.5
GETDEL s; GETEX s PX 40; MSET s v s v; SETNX s v; SETBIT b n 1; BITFIELD b SET u8 n 7; BITOP OR b b b; PFADD p v v
PFMERGE p p p; LPUSH l v v; RPUSH l v; LPOP l; RPOP l 2; LINSERT l BEFORE v v; LSET l 0 v; LREM l 1 v; LTRIM l 0 9
LMOVE l l LEFT RIGHT; LMPOP 2 l l LEFT COUNT 2; SADD t v v v; SREM t v; SPOP t; SPOP t 2; SMOVE t t v; SINTERSTORE t t t
SUNIONSTORE t t t; SDIFFSTORE t t t; ZADD z n v n v; ZADD z GT n v; ZINCRBY z 1.5 v; ZREM z v; ZPOPMIN z; ZPOPMAX z 2
ZUNIONSTORE z 2 z z; ZRANGESTORE z z 0 2; ZREMRANGEBYRANK z 0 0; GEOADD g 13.4 52.5 v; HSET h v v v v; HDEL h v
HINCRBY i v n; HINCRBYFLOAT j v 0.5; HSETNX h v v; XADD x * v v; XADD x MAXLEN ~ 5 * v v; XTRIM x MAXLEN 3; XDEL x 1-1
XGROUP CREATE x v 0 MKSTREAM; XREADGROUP GROUP v v COUNT 2 STREAMS x >; XACK x v 1-1; XAUTOCLAIM x v v 0 0 COUNT 2
XSETID x 9999999999999-1; DEL s l; UNLINK h z; EXPIRE l 100; PEXPIRE t 30; PEXPIRE z 20; EXPIREAT h 99999999999
PERSIST s; RENAME s s; RENAMENX l l; COPY s s REPLACE; SORT t ALPHA STORE l; MOVE s 1; SELECT 0; SELECT 1; SELECT 0
EVAL redis.call('SET',KEYS[1],ARGV[1]);redis.call('SADD',KEYS[2],'a','b','c');return(redis.call('SPOP',KEYS[2])) 2 s t v
MULTI; EXEC; SWAPDB 0 1; GETSET s v; SET s v KEEPTTL; EXPIRE s 100 NX; LPUSHX l v; BLPOP l 1; BZPOPMIN z 1; PUBLISH v v
"""
_COMMANDS = [line.strip().split() for text in _TEMPLATES.split("\n") for line in text.split(";") if line.strip()]
_KEYS = "scfbpltzghijx"
_OTHERS = _KEYS.replace("p", "")  # what is written into a HyperLogLog by others makes it a bad one


def _repaired() -> list[list[str]]:
    """The templates; a semicolon within a script has been taken for the end of one."""
    whole: list[list[str]] = []
    for words in _COMMANDS:
        if words[0].startswith(("redis.", "return(")):
            whole[-1][1] += ";" + words[0]
            whole[-1] += words[1:]
        else:
            whole.append(list(words))
    return whole


_ALL = _repaired()


def random_commands(random: Random, count: int, keys: int = 20) -> Iterator[Words]:
    """So many commands; a blocking one blocks nowhere, because it waits for keys that are there or within MULTI."""
    queueing = False
    for _ in range(count):
        name, *words = random.choice(_ALL)
        if name in ("BLPOP", "BZPOPMIN"):
            kind = words[0]
            yield ("RPUSH", f"{kind}:0", "x") if name == "BLPOP" else ("ZADD", f"{kind}:0", 1, "x")
            words = [f"{kind}:0", "1"]
        if name == "MULTI" and queueing:
            name, words = "EXEC", []
        if name in ("MULTI", "EXEC"):
            queueing = name == "MULTI"
        yield (name, *(_word(random, word, keys) for word in words))
    if queueing:
        yield ("EXEC",)


def _word(random: Random, word: str, keys: int) -> str | int | bytes:
    if word == "v":
        return random.choice(("a", "b", "c", "d", str(random.randrange(1000)), random.randbytes(random.randrange(80))))
    if word == "n":
        return random.randrange(50)
    if len(word) == 1 and word in _KEYS:
        kind = random.choice(_OTHERS) if word != "p" and random.random() < 0.02 else word
        return f"{kind}:{random.randrange(keys)}"
    return word
