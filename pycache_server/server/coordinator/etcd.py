"""etcd, version 3, by its JSON gateway: coordinator/etcd.py has the words.

A seat has one lease, on which its registration hangs and, if it holds it, the key. All reads are linearizable, which is
etcd's default: a server that is cut off from the majority of its cluster does not answer them.

What may have been done without an answer is done again without harm: a lease that was granted twice expires, and a key
that has been created is found to be one's own by its lease.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pycache_server.coordinator import etcd
from pycache_server.coordinator.endpoints import Endpoints
from pycache_server.coordinator.engine import Claim, Lost, Registered, Seen, Setup, Taken, breaks
from pycache_server.coordinator.etcd import Call, Keys
from pycache_server.coordinator.group import Group
from pycache_server.server.coordinator.http import Ask, Http

SILENCE = 3
"""A watch that has brought nothing for so many TTLs is opened anew: the server may be gone."""


class Etcd:
    """One seat's access to etcd."""

    kind = "etcd"
    nominates = True

    def __init__(self, setup: Setup, group: Group) -> None:
        self._setup = setup
        self._http = Http(Endpoints(setup.endpoints, etcd.DEFAULT_PORT))
        self._keys = Keys(setup.prefix)
        self.ttl = setup.ttl
        self.every = setup.every
        self.token = 0
        self._lease: str | None = None
        self._holds = False
        self._told: Claim | None = None
        self._authorization = ""

    async def renew(self, claim: Claim) -> None:
        """Keep the lease, and tell what has changed."""
        try:
            await self._renew(claim)
        except Lost:
            self._lease, self._holds = None, False
            raise

    async def _renew(self, claim: Claim) -> None:
        if self._lease is None:
            self._lease, self.ttl = etcd.parse_lease(await self._call(self._keys.grant(self._setup.ttl)))
            self._told = None
        else:
            etcd.parse_lease(await self._call(self._keys.keep_alive(self._lease)))
        if claim != self._told:
            await self._call(self._keys.register(claim, self._lease))
            self._told = claim
        elif self._holds:
            await self._look(self._lease)

    async def _look(self, lease: str) -> None:
        seen = self._noted(etcd.parse_seen(await self._call(self._keys.read()), lease))
        if not seen.is_own:
            self._holds = False
            raise Taken(f"{seen.holder or 'nobody'} has it now")

    async def acquire(self, claim: Claim) -> Seen:
        """Create the key; delete that of a holder that is over, and try once more."""
        seen = await self._acquire(claim)
        if breaks(seen, claim):
            await self._call(self._keys.delete(seen.token))
            seen = await self._acquire(claim)
        return seen

    async def _acquire(self, claim: Claim) -> Seen:
        lease = self._require_lease()
        seen = self._noted(etcd.parse_seen(await self._call(self._keys.acquire(claim, lease)), lease))
        self._holds = seen.is_own
        return seen

    async def release(self) -> None:
        """Delete the key, if it is this seat's."""
        self._holds = False
        if self._lease is not None:
            await self._call(self._keys.release(self._lease))

    async def leave(self) -> None:
        """End the lease: what hangs on it is deleted."""
        lease, self._lease, self._holds = self._lease, None, False
        if lease is not None:
            await self._call(self._keys.revoke(lease))

    async def members(self) -> list[Registered]:
        """Whose leases last."""
        return etcd.parse_members(await self._call(self._keys.list()))

    async def watch(self) -> AsyncGenerator[Seen]:
        """The key as it is, and each change of it. The watch is there before the key is read, so nothing is missed."""
        silence = SILENCE * self.ttl / 1000
        ask = await self._ask(self._keys.watch())
        async with aclosing(self._http.lines(ask, self._setup.seconds, silence)) as lines:
            async for line in lines:
                if etcd.parse(200, line).get("result", {}).get("created"):
                    yield self._noted(etcd.parse_seen(await self._call(self._keys.read()), self._lease))
                for seen in etcd.parse_watch(line, self._lease):
                    yield self._noted(seen)

    async def close(self) -> None:
        """Hang up."""
        self._http.close()

    # The small parts.

    def _require_lease(self) -> str:
        if self._lease is None:
            raise Lost("there is no lease")
        return self._lease

    def _noted(self, seen: Seen) -> Seen:
        self.token = max(self.token, seen.token)
        return seen

    async def _call(self, call: Call) -> dict[str, Any]:
        """Make a request; where the user's token has expired, once more with a new one."""
        try:
            return await self._post(await self._ask(call))
        except etcd.Expired:
            if not self._setup.username:
                raise
            self._authorization = ""
            return await self._post(await self._ask(call))

    async def _post(self, ask: Ask) -> dict[str, Any]:
        answer = await self._http.ask(ask, self._setup.seconds)
        return etcd.parse(answer.status, answer.body)

    async def _ask(self, call: Call) -> Ask:
        """A request, with the token of the user, which is asked for first if there is none."""
        if self._setup.username and not self._authorization:
            login = etcd.authenticate(self._setup.username, self._setup.password)
            self._authorization = str((await self._post(_plain(login)))["token"])
        return _plain(call, self._authorization)


def _plain(call: Call, authorization: str = "") -> Ask:
    headers = [("Content-Type", "application/json")]
    if authorization:
        headers.append(("Authorization", authorization))
    return Ask("POST", call.path, headers, json.dumps(call.body).encode())
