"""Scripts for clients that wait for streams, with groups and without (see test_blocking.py)."""

from __future__ import annotations

from random import Random

SCENARIOS = {
    "who waits for a group gets what comes": """
        D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: XADD s 1-1 f v
        D: XPENDING s g
        A: XREADGROUP GROUP g a BLOCK 0 NOACK STREAMS s >
        D: XADD s 2-1 f v
        D: XPENDING s g
        D: XACK s g 1-1
    """,
    "each gets an entry of his own": """
        D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a COUNT 1 BLOCK 0 STREAMS s >
        B: XREADGROUP GROUP g b COUNT 1 BLOCK 0 STREAMS s >
        C: XREADGROUP GROUP g c COUNT 1 BLOCK 0 STREAMS s >
        D: MULTI | XADD s 1-1 f v | XADD s 2-1 f v | EXEC
        D: XADD s 3-1 f v
        D: XPENDING s g
    """,
    "the first takes all that he may": """
        D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        B: XREADGROUP GROUP g b BLOCK 0 STREAMS s >
        D: MULTI | XADD s 1-1 f v | XADD s 2-1 f v | EXEC
        D: XADD s 3-1 f v
    """,
    "groups and readers without one get the same": """
        D: XGROUP CREATE s g $ MKSTREAM
        D: XGROUP CREATE s h $
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        B: XREADGROUP GROUP h b BLOCK 0 STREAMS s >
        C: XREAD BLOCK 0 STREAMS s $
        D: XADD s 1-1 f v
    """,
    "history is never waited for": """
        D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s 0
        A: PING
    """,
    "what is there already is taken at once": """
        D: XADD s 1-1 f v
        D: XGROUP CREATE s g 0
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        A: XREADGROUP GROUP g a BLOCK 100 STREAMS s >
        wait 0.3
        A: PING
    """,
    "the group goes": """
        D: XGROUP CREATE s g $ MKSTREAM
        D: XGROUP CREATE s h $
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        B: XREADGROUP GROUP h b BLOCK 0 STREAMS s >
        C: XREAD BLOCK 0 STREAMS s $
        D: XADD s 1-1 f v
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: XGROUP SETID s g 1-1
        D: XGROUP CREATE s i $
        D: XGROUP CREATECONSUMER s g x
        D: XGROUP DELCONSUMER s g x
        A: CLIENT UNBLOCK {B}
        A: PING
    """,
    "within a transaction nobody waits": """
        A: XGROUP CREATE s g $ MKSTREAM
        A: MULTI | XREADGROUP GROUP g a BLOCK 0 STREAMS s > | PING | EXEC
    """,
    "an entry that has gone again wakes nobody": """
        D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: MULTI | XADD s 1-1 f v | DEL t | EXEC
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: XADD s 2-1 f v
    """,
    "to be unblocked": """
        D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        B: XREADGROUP GROUP g b BLOCK 0 STREAMS s >
        D: CLIENT UNBLOCK {A}
        D: CLIENT UNBLOCK {B} ERROR
        D: XADD s 1-1 f v
    """,
}
SINCE_7_2 = {
    "the stream goes": """
        D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: DEL s
        D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: SET s x
        D: DEL s
        D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        B: XREAD BLOCK 0 STREAMS s $
        D: FLUSHALL
        D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: RENAME s t
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS t >
        D: MULTI | DEL t | SADD t x | EXEC
    """,
    "the group goes": """
        D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        B: XREADGROUP GROUP g b BLOCK 0 STREAMS s >
        D: XGROUP DESTROY s g
        D: XGROUP CREATE s g $
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: XGROUP CREATE t h $ MKSTREAM
        D: RENAME t s
        D: XGROUP CREATE s g $
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: MULTI | DEL s | XADD s 9-9 f v | EXEC
    """,
    "another stream with such a group takes the place": """
        D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: XADD t 5-5 f v
        D: XGROUP CREATE t g 0
        D: RENAME t s
        D: XPENDING s g
    """,
}


def random_line(chance: Random, several: bool) -> str:
    """A step of a random program."""
    key = chance.choice("st")
    number = f"{chance.randrange(100)}-{chance.randrange(1, 4)}"
    add, add_more = (f"XADD {key} {chance.randrange(first, first + 100)}-1 f v" for first in (100, 200))
    return chance.choice(
        [
            f"XGROUP CREATE {key} g $ MKSTREAM",
            f"XREADGROUP GROUP g {chance.choice('xy')} COUNT {chance.randrange(3)} BLOCK 0 STREAMS {key} >",
            f"XREADGROUP GROUP g {chance.choice('xy')} NOACK BLOCK 0 STREAMS {key} >",
            f"XREAD COUNT {chance.randrange(3)} BLOCK 0 STREAMS {key} $",
            f"XADD {key} {number} f v",
            add,
            f"MULTI | {add} | {add_more} | EXEC",
            f"XACK {key} g {number}",
            f"XDEL {key} {number}",
            f"XTRIM {key} MAXLEN 1",
            f"XPENDING {key} g",
            f"XGROUP DELCONSUMER {key} g {chance.choice('xy')}",
        ]
    )
