"""Consul: coordinator/consul.py has the words.

The endpoint is the agent of this machine: registrations belong to an agent. Where it fails and others are named, the
seat registers itself there, too; what it has left behind at the first turns critical after the TTL.

What may have been done without an answer is done again without harm: registering and taking a lock that one has already
change nothing, and a session that was made twice expires.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

from pycache_server.coordinator import consul
from pycache_server.coordinator.consul import SHORTEST_SESSION, Call, Lock, Names
from pycache_server.coordinator.endpoints import Endpoint, Endpoints
from pycache_server.coordinator.engine import Claim, Lost, Registered, Seen, Setup, Taken, Unreachable, breaks
from pycache_server.coordinator.group import Group
from pycache_server.server.coordinator.http import Answer, Ask, Http

WAIT = 10.0
"""Seconds that a blocking query waits for a change."""
WAIT_SLACK = 1.25
"""Consul waits up to a sixteenth longer, at random."""


class Consul:
    """One seat's access to Consul."""

    kind = "consul"
    nominates = False

    def __init__(self, setup: Setup, group: Group) -> None:
        self._setup = setup
        self._http = Http(Endpoints(setup.endpoints, consul.DEFAULT_PORT))
        self._watching = Http(self._http.endpoints)
        self._names = Names(setup.prefix, setup.seat)
        self.ttl = max(setup.ttl, SHORTEST_SESSION)
        self.every = setup.every
        self.token = 0
        self._session: str | None = None
        self._registered: tuple[Claim, Endpoint] | None = None
        self._holds = False

    async def renew(self, claim: Claim) -> None:
        """Tell the check, keep the session, and tell what has changed."""
        await self._register(claim)
        if self._session is None:
            answer = await self._call(self._names.session(self.ttl))
            self._session = consul.parse_session(answer.body)
            return
        answer = await self._call(consul.renew(self._session))
        if answer.status == 404:
            self._forget_session()
            raise Lost("the session is over")
        if self._holds:
            await self._look()

    async def _look(self) -> None:
        seen = (await self._read()).seen
        if not seen.is_own:
            self._holds = False
            raise Taken(f"{seen.holder or 'nobody'} has it now")

    async def _read(self) -> Lock:
        answer = await self._call(self._names.read())
        lock = consul.parse_lock(answer.status, answer.body, self._session)
        self._note(lock.seen)
        return lock

    async def _register(self, claim: Claim) -> None:
        told = self._registered
        if told is not None and told[0] == claim:
            try:
                answer = await self._call(self._names.is_well())
            except Unreachable:
                self._registered = None  # an agent that has started anew answers 500: it knows no such check
                raise
            if answer.status == 200 and answer.endpoint == told[1]:
                return
        answer = await self._call(self._names.register(claim, self._setup.ttl))
        self._registered = (claim, answer.endpoint)
        if self._holds and self._session is not None:
            await self._call(self._names.acquire(claim, self._session))

    async def acquire(self, claim: Claim) -> Seen:
        """Take the lock; end the session of a holder that is over, and try once more."""
        lock = await self._acquire(claim)
        if breaks(lock.seen, claim):
            await self._call(consul.destroy(lock.session))
            lock = await self._acquire(claim)
        return lock.seen

    async def _acquire(self, claim: Claim) -> Lock:
        """Take the lock, and read what has come of it."""
        if self._session is None:
            raise Lost("there is no session")
        answer = await self._call(self._names.acquire(claim, self._session))
        taken = consul.parse(answer.body) is True
        lock = await self._read()
        if taken and not lock.seen.is_own:
            raise Unreachable("the lock was taken, and is read as another's")
        self._holds = lock.seen.is_own
        return lock

    async def release(self) -> None:
        """Give the lock up, if it is this seat's."""
        self._holds = False
        if self._session is not None:
            await self._call(self._names.release(self._session))

    async def leave(self) -> None:
        """End the session, and take the registration away."""
        session, self._session, self._registered, self._holds = self._session, None, None, False
        if session is not None:
            await self._call(consul.destroy(session))
        await self._call(self._names.deregister())

    async def members(self) -> list[Registered]:
        """All instances of the service, alive or not."""
        return consul.parse_instances((await self._call(self._names.instances())).body)

    async def watch(self) -> AsyncGenerator[Seen]:
        """The lock as it is, and whenever it has changed, by blocking queries; at least once in WAIT seconds."""
        index = 0
        while True:
            each = WAIT * WAIT_SLACK if index else self._setup.seconds
            seconds = each * len(self._http.endpoints.all)  # which share it
            answer = await self._call(self._names.wait(index, WAIT), seconds, self._watching)
            index = consul.next_index(answer.headers, index)
            yield self._note(consul.parse_lock(answer.status, answer.body, self._session).seen)

    async def close(self) -> None:
        """Hang up."""
        self._http.close()
        self._watching.close()

    # The small parts.

    def _note(self, seen: Seen) -> Seen:
        self.token = max(self.token, seen.token)
        return seen

    async def _call(self, call: Call, seconds: float = 0.0, http: Http | None = None) -> Answer:
        headers = [("Content-Type", "application/json")]
        if self._setup.token:
            headers.append(("X-Consul-Token", self._setup.token))
        body = b"" if call.body is None else json.dumps(call.body).encode()
        ask = Ask(call.method, call.path, headers, body)
        answer = await (http or self._http).ask(ask, seconds or self._setup.seconds)
        try:
            consul.check(answer.status, answer.body)
        except Lost:
            self._forget_session()
            raise
        return answer

    def _forget_session(self) -> None:
        self._session, self._holds = None, False
