"""A server in sentinel mode: an App whose commands are a sentinel's, with the sentinel that they are about."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path
from typing import Any

from pycache_server.sentinel import config
from pycache_server.sentinel.actions import Action, Connect, Disconnect, Event, Forget, Persist, Run, Send
from pycache_server.sentinel.hello import format_hello
from pycache_server.sentinel.instance import Instance, Master, Peer, Replica
from pycache_server.sentinel.machine import Sentinel, is_address
from pycache_server.sentinel.timing import TICK
from pycache_server.server.app import App
from pycache_server.server.commands.config import rewritten
from pycache_server.server.files import replace_file
from pycache_server.server.log import Log
from pycache_server.server.sentinel.commands import sentinel_commands
from pycache_server.server.sentinel.links import Link
from pycache_server.server.sentinel.scripts import Scripts
from pycache_server.settings.config import GENERATED, Settings

DEFAULT_PORT = 26379
_NAMES_AGE = 1.0
"""Seconds for which the address of a name is believed."""


class SentinelApp(App):
    """A sentinel on a running event loop. ``statements`` are the words behind ``sentinel`` of each such line."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        config_file: str,
        loop_name: str,
        statements: list[list[str]],
        owns_process: bool = True,
    ) -> None:
        super().__init__(
            settings,
            log,
            config_file,
            owns_process=owns_process,
            loop_name=loop_name,
            embedded=not owns_process,
            commands=sentinel_commands(),
        )
        self.mode = "sentinel"
        if owns_process:
            log.role = "X"
        self.sentinel = Sentinel(self.host.token(40).decode(), self.host.choose)
        self.sentinel.addresses = self._resolve
        self.sentinel.resolves = self._look_up_now
        self.sentinel.is_runnable = lambda path: os.access(path, os.X_OK) and os.path.isfile(path)
        self.scripts = Scripts(self.loop, self.sentinel.timing, lambda name, text: self._tell("warning", name, text))
        self._links: dict[tuple[Instance, bool], Link] = {}
        self._known: dict[str, tuple[float, str]] = {}  # what hosts were resolved to, and when
        self._timer: asyncio.TimerHandle | None = None
        self.simulated: set[str] = set()
        """SENTINEL SIMULATE-FAILURE: when to crash."""
        for words in statements:
            config.take(self.sentinel, words, self.now())

    @property
    def is_window(self) -> bool:
        """Whether this is no sentinel but answers as one (server/group/window.py)."""
        return False

    def refresh(self) -> None:
        """Somebody asks: be up to date, where this is no sentinel."""

    def fail_over(self, master: Master) -> Any:
        """SENTINEL FAILOVER where this is no sentinel."""
        raise NotImplementedError

    def check_quorum(self, master: Master) -> tuple[int, int]:
        """How many sentinels are at hand, and how many are a majority."""
        usable = 1 + sum(not peer.s_down and peer.connected for peer in master.peers.values())
        return usable, (len(master.peers) + 1) // 2 + 1

    def now(self) -> int:
        """Milliseconds of a clock that does not go back."""
        return int(time.monotonic() * 1000)

    # Life

    async def begin(self) -> None:
        """Open the listeners."""
        await super().start(load=False)

    async def start(self, load: bool = True) -> None:
        """See App. A sentinel must be able to write its configuration."""
        await self.begin()
        self.sentinel.port = self.port
        self.save()
        self.log.write("warning", f"Sentinel ID is {self.sentinel.my_id}")
        for master in self.sentinel.masters.values():
            self.sentinel.event("warning", "+monitor", master, f" quorum {master.quorum}")
        self._tick()

    async def stop(self) -> None:
        """See App."""
        if self._timer is not None:
            self._timer.cancel()
        for link in list(self._links.values()):
            link.close()
        await self.scripts.stop()
        await super().stop()

    def _tick(self) -> None:
        try:
            self.sentinel.tick(self.now())
            self.perform()
            self.scripts.step()
        except Exception as error:  # it is in the log and in INFO, and the next tick comes
            self.core.report_failure("the sentinel's tick", error)
        # not in step with other sentinels, so that they do not ask for votes at the same time
        self._timer = self.loop.call_later(TICK / 1000 * (0.9 + self.host.choose(200) / 1000), self._tick)

    # What is to be done

    def perform(self) -> None:
        """Do what the sentinel wants done."""
        for action in self.sentinel.take_actions():
            self._perform(action)

    def _perform(self, action: Action) -> None:
        match action:
            case Send():
                self._send(action)
            case Connect():
                self._connect(action.to, action.listening)
            case Disconnect():
                self._close(action.to, action.listening)
            case Forget():
                self._close(action.to, False)
                self._close(action.to, True)
            case Event():
                self._tell(action.level, action.name, action.text)
            case Run():
                self.scripts.add(action.script, action.arguments)
            case Persist():
                self.try_to_save()

    def _tell(self, level: str, name: str, text: str) -> None:
        self.log.write(level, f"{name} {text}" if name else text)
        if name and level != "debug":
            self.core.pubsub.publish(name.encode(), text.encode())
        for when, event in (("crash-after-election", "+elected-leader"), ("crash-after-promotion", "+promoted-slave")):
            if name == event and when in self.simulated:
                self.log.write("warning", f"Sentinel CRASH because of SENTINEL simulate-failure {when}")
                os._exit(99)

    def _send(self, action: Send) -> None:
        link = self._links.get((action.to, False))
        if link is None:
            return
        argv = action.argv
        if action.tag == "hello":
            master = action.to.master if isinstance(action.to, Replica | Peer) else action.to
            assert isinstance(master, Master)
            argv = (*argv, format_hello(self.sentinel, master, link.local_host))
        link.send(argv, action.tag)

    # Links

    def _connect(self, instance: Instance, listening: bool) -> None:
        host = self._resolve(instance.host)
        if not host:
            return
        self._close(instance, listening)
        link = Link(
            instance,
            self._login(instance, listening),
            listening,
            self._on_up,
            self._on_reply,
            self._on_hello,
            self._on_down,
        )
        self._links[instance, listening] = link
        link.open(self.loop, host, self.settings["bind-source-addr"])

    def _login(self, instance: Instance, listening: bool) -> list[tuple[str, ...]]:
        """What is said first on a link."""
        sentinel = self.sentinel
        if isinstance(instance, Peer):
            user, password = sentinel.user, sentinel.password or self.settings["requirepass"]
        else:
            master = instance.master if isinstance(instance, Replica) else instance
            assert isinstance(master, Master)
            user, password = master.auth_user, master.auth_pass
        words = [("AUTH", *([user] if user else []), password)] if password else []
        name = f"sentinel-{sentinel.my_id[:8]}-{'pubsub' if listening else 'cmd'}"
        return [*words, ("CLIENT", "SETNAME", name)]

    def _close(self, instance: Instance, listening: bool) -> None:
        link = self._links.pop((instance, listening), None)
        if link is not None:
            link.close()

    def _on_up(self, link: Link) -> None:
        self.sentinel.linked(link.instance, link.listening, self.now())
        self.perform()

    def _on_reply(self, link: Link, tag: str, reply: Any) -> None:
        self.sentinel.replied(link.instance, tag, reply, self.now())
        self.perform()

    def _on_hello(self, link: Link, text: str) -> None:
        self.sentinel.heard(link.instance, text, self.now())
        self.perform()

    def _on_down(self, link: Link) -> None:
        if self._links.get((link.instance, link.listening)) is link:
            del self._links[link.instance, link.listening]
            self.sentinel.unlinked(link.instance, link.listening, self.now())

    # Names

    def _resolve(self, host: str) -> str:
        """The address of a host, nothing while it is not known. Names are asked for in a thread, again and again, and
        what one was last stays where the servers of names do not answer any more: nobody waits for them."""
        if is_address(host):
            return host
        asked, address = self._known.get(host, (float("-inf"), ""))
        if self.sentinel.resolve_hostnames and self.loop.time() - asked > _NAMES_AGE:
            self._known[host] = (self.loop.time(), address)
            self.run_soon(self._look_up(host))
        return address

    def _look_up_now(self, host: str) -> bool:
        """Ask for a name that is to be watched from now on, and wait, as Redis does. Whether it has an address."""
        address = _look_up(host)
        if address:
            self._known[host] = (self.loop.time(), address)
        return bool(address)

    async def _look_up(self, host: str) -> None:
        address = await asyncio.to_thread(_look_up, host)
        if address:
            self._known[host] = (self.loop.time(), address)

    # The configuration file

    def try_to_save(self) -> bool:
        """Write everything that must not be forgotten. Whether it is on the disk; the log tells where it is not."""
        try:
            self.save()
        except OSError as error:
            self.log.write(
                "warning",
                f"WARNING: Sentinel was not able to save the new configuration on disk!!!: {error.strerror or error}",
            )
            return False
        self.log.write("notice", "Sentinel new configuration saved on disk")
        return True

    def save(self) -> None:
        """The same.

        Raises OSError.
        """
        path = Path(self.config_file)
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        lines: list[str] = []
        place = -1
        for line in text.split("\n"):
            if line.split()[:1] and line.split()[0].lower() == "sentinel":
                place = len(lines) if place < 0 else place
            else:
                lines.append(line)
        while lines and not lines[-1].strip():
            lines.pop()
        if place < 0 or place > len(lines):
            place = len(lines)
            if GENERATED not in lines:
                lines.append(GENERATED)
                place += 1
        lines[place:place] = config.lines(self.sentinel)
        replace_file(path, rewritten(self, "\n".join(lines)).encode("utf-8", "surrogateescape"))

    def vote(self, host: str, port: int, epoch: int, candidate: str) -> list[Any]:
        """The answer to SENTINEL is-master-down-by-addr. A vote that cannot be kept is not given."""
        sentinel = self.sentinel
        before = sentinel.epoch, {each: (each.leader, each.leader_epoch) for each in sentinel.masters.values()}
        is_down, leader, leader_epoch = sentinel.asked(host, port, epoch, candidate, self.now())
        actions = sentinel.take_actions()
        if any(isinstance(action, Persist) for action in actions) and not self.try_to_save():
            sentinel.epoch = before[0]
            for master, (old, old_epoch) in before[1].items():
                master.leader, master.leader_epoch = old, old_epoch
            return [is_down, b"*", 0]
        for action in actions:
            if not isinstance(action, Persist):
                self._perform(action)
        return [is_down, leader.encode(), leader_epoch]


def _look_up(host: str) -> str:
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        return ""
