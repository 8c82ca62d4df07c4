"""Scripts for clients that wait for lists (see test_blocking.py)."""

from __future__ import annotations

from random import Random

SCENARIOS = {
    "an element goes to whoever has waited longest": """
        A: BLPOP k 0
        B: BRPOP k 0
        C: BLMPOP 0 1 k LEFT COUNT 2
        D: RPUSH k 1
        D: RPUSH k 2
        D: RPUSH k 3
        D: LRANGE k 0 -1
    """,
    "several elements at once serve several clients in turn": """
        A: BLPOP k 0
        B: BRPOP k 0
        C: BLPOP k 0
        D: RPUSH k 1 2 3 4 5
        D: LRANGE k 0 -1
    """,
    "more clients than elements": """
        A: BLPOP k 0
        B: BLPOP k 0
        C: BLPOP k 0
        D: LPUSH k 1 2
        D: EXISTS k
        D: LPUSH k 3
        D: EXISTS k
    """,
    "several elements for one client": """
        A: BLMPOP 0 2 k l RIGHT COUNT 10
        B: RPUSH l 1 2 3
        B: EXISTS l
        A: BLMPOP 0 2 k l LEFT COUNT 2
        B: RPUSH k 1 2 3
        B: LRANGE k 0 -1
    """,
    "what is there is taken at once, in the order of the keys": """
        A: RPUSH b 1 2
        A: RPUSH c 3
        A: BLPOP a b c 0
        A: BRPOP c b 0
        A: BLMPOP 0 3 a c b LEFT
        A: EXISTS a b c
    """,
    "a client waits for each of its keys": """
        A: BLPOP a b c 0
        B: RPUSH b 1
        A: BLPOP a b c 0
        B: RPUSH c 2
        B: EXISTS a b c
        A: PING
    """,
    "a key named twice is waited for once": """
        A: BLPOP k k k 0
        B: BLPOP k 0
        C: RPUSH k 1
        C: RPUSH k 2
        C: RPUSH k 3
        C: LRANGE k 0 -1
    """,
    "one who has been served is out of all queues": """
        A: BLPOP a b 0
        B: BLPOP b 0
        C: RPUSH a 1
        C: RPUSH b 2
        C: EXISTS a b
    """,
    "time is up": """
        A: BLPOP k 0.5
        B: BRPOP k l 0.5
        C: BLMOVE k l LEFT LEFT 0.5
        D: BRPOPLPUSH k l 0.5
        E: BLMPOP 0.5 1 k LEFT
        F: BLPOP k 10
        wait 0.7
        A: PING
        G: RPUSH k 1
    """,
    "timeouts that are none": """
        A: BLPOP k -1
        A: BLPOP k x
        A: BLPOP k -0.001
        A: BRPOP k ''
        A: BLMOVE k l LEFT LEFT -1
        A: BLMOVE k l LEFT UP x
        A: BRPOPLPUSH k l 1e
        A: BLMPOP -1 1 k LEFT
        A: BLMPOP x 0 k LEFT
    """,
    "no client waits within a transaction": """
        A: MULTI
        A: BLPOP k 0
        A: BRPOP k l 5
        A: BLMOVE k l LEFT RIGHT 0
        A: BRPOPLPUSH k l 0
        A: BLMPOP 0 1 k LEFT
        A: RPUSH k 1
        A: BLPOP k 0
        A: BLPOP k x
        A: EXEC
    """,
    "a transaction is over before anyone is served": """
        A: BLPOP k 0
        B: MULTI | RPUSH k 1 2 3 | LPOP k | LRANGE k 0 -1 | EXEC
        B: LRANGE k 0 -1
    """,
    "a transaction that takes its element away again": """
        A: BLPOP k 0
        B: MULTI | RPUSH k 1 | DEL k | EXEC
        B: MULTI | RPUSH k 1 | LPOP k | EXEC
        B: RPUSH k 2
    """,
    "a transaction makes several keys ready": """
        A: BLPOP a 0
        B: BLPOP b 0
        C: BLPOP c 0
        D: MULTI | RPUSH c 3 | RPUSH a 1 | RPUSH b 2 | EXEC
        D: EXISTS a b c
    """,
    "a transaction pushes and another value takes the key": """
        A: BLPOP k 0
        B: MULTI | RPUSH k 1 | DEL k | SET k text | EXEC
        B: TYPE k
        B: DEL k
        B: RPUSH k 2
    """,
    "a key of another type is no reason to wake": """
        A: BLPOP k 0
        B: SET k text
        B: APPEND k s
        B: DEL k
        B: RPUSH k 1
    """,
    "a key of another type is an error at once": """
        A: SET s text
        A: BLPOP s 0
        A: BLPOP none s 0
        A: BLMOVE s l LEFT LEFT 0
        A: BRPOPLPUSH s l 0
        A: BLMPOP 0 2 none s LEFT
        A: RPUSH l 1
        A: BLMOVE l s LEFT LEFT 0
        A: LRANGE l 0 -1
    """,
    "moving wakes whoever waits at the destination": """
        A: BLPOP b 0
        B: RPUSH a 1 2
        B: LMOVE a b LEFT RIGHT
        A: BLPOP b 0
        B: RPOPLPUSH a b
        B: EXISTS a b
    """,
    "waiting moves make a chain": """
        A: BLMOVE a b LEFT RIGHT 0
        B: BLMOVE b c LEFT RIGHT 0
        C: BRPOPLPUSH c d 0
        D: BLPOP d 0
        E: RPUSH a 1
        E: EXISTS a b c d
    """,
    "waiting moves in a circle": """
        A: BLMOVE a b LEFT RIGHT 0
        B: BLMOVE b a LEFT RIGHT 0
        C: RPUSH a 1
        C: LRANGE a 0 -1
        C: LRANGE b 0 -1
    """,
    "a client rotates a list that it waits for": """
        A: BRPOPLPUSH k k 0
        B: BLMOVE k k LEFT RIGHT 0
        C: RPUSH k 1 2 3
        C: LRANGE k 0 -1
    """,
    "two movers and a popper": """
        A: BLMOVE a b LEFT RIGHT 0
        B: BLMOVE a b LEFT RIGHT 0
        C: BLPOP b 0
        D: RPUSH a 1 2 3
        D: LRANGE a 0 -1
        D: LRANGE b 0 -1
    """,
    "the destination is of another type when the element comes": """
        A: BLMOVE a b LEFT RIGHT 0
        B: SET b text
        C: BLPOP a 0
        D: RPUSH a 1
        D: LRANGE a 0 -1
        D: GET b
    """,
    "renaming wakes": """
        A: BLPOP k 0
        B: RPUSH other 1 2
        B: RENAME other k
        B: LRANGE k 0 -1
        A: BLPOP new 0
        B: RENAMENX k new
        B: EXISTS k new
    """,
    "renaming over a value of another type wakes": """
        A: BLPOP k 0
        B: SET k text
        B: RPUSH other 1
        B: RENAME other k
        B: EXISTS k
    """,
    "copying wakes": """
        A: BLPOP k 0
        B: RPUSH other 1 2
        B: COPY other k
        B: LRANGE k 0 -1
        B: LRANGE other 0 -1
        A: BLPOP l 0
        B: SET l text
        B: COPY other l REPLACE
        B: LRANGE l 0 -1
    """,
    "storing a sorted list wakes": """
        A: BLPOP k 0
        B: RPUSH other 2 1
        B: SORT other STORE k
        B: LRANGE k 0 -1
    """,
    "storing a sorted list over a value of another type wakes nobody": """
        A: BLPOP k 0
        B: SET k text
        B: RPUSH other 2 1
        B: SORT other STORE k
        B: RPUSH k 3
        B: LRANGE k 0 -1
        B: DEL k
        B: RPUSH k 4
    """,
    "moving a key to another database wakes there": """
        A: SELECT 2
        A: BLPOP k 0
        B: RPUSH k 1
        B: MOVE k 2
        B: EXISTS k
        A: BLPOP l 0
        B: RPUSH m 1
        B: COPY m l DB 2
    """,
    "databases are waited for one by one": """
        A: SELECT 1
        A: BLPOP k 0
        B: BLPOP k 0
        C: SELECT 1
        C: RPUSH k 1
        D: RPUSH k 2
    """,
    "exchanging databases wakes": """
        A: BLPOP k 0
        B: SELECT 1
        B: RPUSH k 1 2
        B: SWAPDB 0 1
        B: LRANGE k 0 -1
        B: SELECT 0
        B: LRANGE k 0 -1
    """,
    "exchanging databases within a transaction": """
        A: BLPOP k 0
        B: SELECT 1
        B: MULTI | RPUSH k 1 | SWAPDB 0 1 | EXEC
        A: BLPOP k 0
        B: MULTI | RPUSH k 1 | SWAPDB 0 1 | SWAPDB 0 1 | EXEC
        B: SWAPDB 1 0
    """,
    "emptying databases wakes nobody": """
        A: BLPOP k 0
        B: SET s text
        B: FLUSHALL
        B: FLUSHDB
        B: MULTI | RPUSH k 1 | FLUSHALL | EXEC
        B: RPUSH k 2
    """,
    "a client is unblocked as if its time were up": """
        A: BLPOP k 0
        B: CLIENT UNBLOCK {A}
        B: CLIENT UNBLOCK {A}
        A: BLMOVE k l LEFT LEFT 0
        B: CLIENT UNBLOCK {A} timeout
        A: PING
        B: RPUSH k 1
        B: LRANGE k 0 -1
    """,
    "a client is unblocked with an error": """
        A: BLMPOP 0 1 k LEFT
        B: CLIENT UNBLOCK {A} ERROR
        A: BRPOPLPUSH k l 0
        B: CLIENT UNBLOCK {A} error
        B: CLIENT UNBLOCK {A} ERROR
        B: CLIENT UNBLOCK {A} NONSENSE
        B: CLIENT UNBLOCK x
        B: CLIENT UNBLOCK 999999
        A: PING
    """,
    "a client goes away while it waits": """
        A: BLPOP k 0
        B: BLPOP k 0
        A: close
        C: RPUSH k 1
        B: BLPOP k 0
        B: close
        C: RPUSH k 2
        C: LRANGE k 0 -1
    """,
    "what a client has sent meanwhile is done when it has been served": """
        A: BLPOP k 0 | SET done 1 | GET done
        A: INCR done
        B: GET done
        B: RPUSH k x | GET done | LLEN k
        B: GET done
    """,
    "a client waits again in the same breath": """
        A: BLPOP k 0 | BLPOP k 0 | BLPOP l 0.5 | PING
        B: RPUSH k 1
        B: RPUSH k 2 3
        B: LRANGE k 0 -1
        wait 0.7
    """,
    "two clients that wait again and again take turns": """
        A: BLPOP k 0 | BLPOP k 0
        B: BLPOP k 0 | BLPOP k 0
        C: RPUSH k 1 | RPUSH k 2
        C: RPUSH k 3 4 5
        C: LRANGE k 0 -1
    """,
    "what is pushed only where a list exists wakes nobody": """
        A: BLPOP k 0
        B: LPUSHX k 1
        B: RPUSHX k 1
        B: LINSERT k BEFORE a b
        B: RPUSH k 2
    """,
    "watched keys change when a waiting client is served": """
        A: BLPOP k 0
        B: WATCH k
        C: RPUSH k 1
        B: MULTI | PING | EXEC
        A: BLMOVE k l LEFT LEFT 0
        B: WATCH l
        C: RPUSH k 1
        B: MULTI | PING | EXEC
    """,
    "keyspace events of a served client": """
        notify KEA
        E: PSUBSCRIBE __keyevent*
        A: BLMOVE a b LEFT RIGHT 0
        B: BLPOP b 0
        C: RPUSH a 1
        A: BLMPOP 0 1 k LEFT COUNT 2
        C: RPUSH k 1 2 3
    """,
    "replies that a client does not want": """
        A: CLIENT REPLY SKIP | BLPOP k 0 | PING
        B: RPUSH k 1
        A: CLIENT REPLY OFF | BLPOP k 0 | CLIENT REPLY ON
        B: RPUSH k 1
    """,
    "a key that expires while it is ready": """
        A: BLPOP k 0
        B: MULTI | RPUSH k 1 | PEXPIRE k 0 | EXEC
        B: MULTI | RPUSH k 1 | PEXPIRE k 100000 | EXEC
        B: EXISTS k
    """,
}

SINCE_7_2 = {
    "a client that is woken looks at its keys in their order": """
        A: BLPOP a b 0
        B: MULTI | RPUSH b 2 | RPUSH a 1 | EXEC
        B: EXISTS a b
        A: BLMPOP 0 3 c a b LEFT COUNT 5
        B: MULTI | RPUSH a 1 | RPUSH c 3 | EXEC
        B: EXISTS a
    """,
    "a client that is woken meets a key of another type": """
        A: BLPOP a b 0
        B: SET a text
        B: RPUSH b 1
        B: LRANGE b 0 -1
        A: PING
    """,
}


def random_line(chance: Random, several: bool) -> str:
    """A command of a random program; waiting for several keys where that is wanted."""
    keys = [chance.choice("abc") for _ in range(chance.choice([1, 1, 2, 3]) if several else 1)]
    one, other = chance.choice("abc"), chance.choice("abc")
    sides = f"{chance.choice(['LEFT', 'RIGHT'])} {chance.choice(['LEFT', 'RIGHT'])}"
    elements = " ".join(str(chance.randrange(100)) for _ in range(chance.choice([1, 1, 2, 4])))
    waiting = [
        f"BLPOP {' '.join(keys)} 0",
        f"BRPOP {' '.join(keys)} 0",
        f"BLMOVE {one} {other} {sides} 0",
        f"BRPOPLPUSH {one} {other} 0",
        f"BLMPOP 0 {len(keys)} {' '.join(keys)} LEFT COUNT {chance.randrange(1, 4)}",
    ]
    acting = [
        f"RPUSH {one} {elements}",
        f"LPUSH {one} {elements}",
        f"RPUSHX {one} {elements}",
        f"LMOVE {one} {other} {sides}",
        f"LPOP {one}",
        f"DEL {one}",
        f"RENAME {one} {other}",
        f"COPY {one} {other} REPLACE",
        f"SET {one} text",
        f"LRANGE {one} 0 -1",
        f"LTRIM {one} 1 -1",
        f"EXPIRE {one} 100",
        "SWAPDB 0 1",
        "CLIENT UNBLOCK {A}",
        "CLIENT UNBLOCK {B} ERROR",
    ]
    kind = chance.random()
    if kind < 0.45:
        return chance.choice(waiting)
    if kind < 0.9:
        return chance.choice(acting[:2] if chance.random() < 0.4 else acting)
    return " | ".join(["MULTI", *(chance.choice(acting[:12] + waiting) for _ in range(chance.randrange(1, 6))), "EXEC"])
