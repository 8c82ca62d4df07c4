"""Resident bytes that an eviction engine adds to each key, over the keyspace without one, and Redis's.

    python -m bench.engine_memory                 # all policies, about three minutes
    python -m bench.engine_memory --policies allkeys-lru --keys 100000

Each policy is chosen in a server of its own, with a maxmemory that is never reached, before the keys come.
"""

from __future__ import annotations

import argparse
from typing import Any

from bench.common import ServerProcess, fill, our_server, pack, redis_server, save, table
from pycache_server.evict.base import BUILTIN, VOLATILE_ONLY

VALUE = b"x" * 64


def resident_per_key(server: ServerProcess, policy: str | None, keys: int) -> float:
    """Bytes that the process grows by for each key of 16 bytes with a value of 64."""
    if policy is not None:
        server.call("CONFIG", "SET", "maxmemory-policy", policy, "maxmemory", 1 << 40)
    before = server.resident()
    fill(server, (pack([b"SET", b"key:%012d" % number, VALUE]) for number in range(keys)), "keys")
    return (server.resident() - before) / keys


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=500_000)
    parser.add_argument(
        "--policies",
        default=",".join(["noeviction", *(f"allkeys-{name}" for name in BUILTIN if name not in VOLATILE_ONLY)]),
    )
    arguments = parser.parse_args()
    with redis_server() as redis:
        theirs = resident_per_key(redis, "allkeys-lru", arguments.keys)
    # huge pages are made while nobody waits, and round up what is resident
    with our_server("--huge-pages", "no") as ours:
        bare = resident_per_key(ours, None, arguments.keys)
    rows: list[dict[str, Any]] = [
        {"server": "redis, allkeys-lru", "bytes": theirs, "added": None},
        {"server": "pycache, no engine", "bytes": bare, "added": 0.0},
    ]
    for policy in arguments.policies.split(","):
        with our_server("--huge-pages", "no") as ours:
            found = resident_per_key(ours, policy, arguments.keys)
        rows.append({"server": f"pycache, {policy}", "bytes": found, "added": found - bare})
    table(
        f"resident bytes a key, {arguments.keys:,} keys of 16 bytes with values of 64",
        ["server", "bytes", "added"],
        [["-" if value is None else value for value in row.values()] for row in rows],
    )
    save("engine_memory", {"keys": arguments.keys, "rows": rows})


if __name__ == "__main__":
    main()
