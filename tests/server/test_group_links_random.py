"""Links by chance: two voters that open, say, send images, close, cut and stop reading, in any order. What comes on a
link is always the beginning of what was said on it, and all of it where nobody has ended it; each end that was not
asked for is told once."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from pycache_server.repl.entries import write
from pycache_server.repl.link_wire import Here
from pycache_server.repl.links import Append, Image, Link, Refusal, Sync
from pycache_server.server.group import dialing, links
from pycache_server.server.group.received import Received
from tests.conftest import more_in_ci
from tests.server.group_voters import PATIENCE, Voter, run, until, voters
from tests.server.test_group_images import OneFile, image_of

STEPS = 150


class Talk:
    """One link, as both of its ends see it. ``number`` is told by the Sync that opens it."""

    def __init__(self, opener: Voter, other: Voter, number: int) -> None:
        self.number = number
        self.opener, self.other = opener, other
        self.said: dict[Voter, list[Any]] = {opener: [], other: []}
        self.names: dict[Voter, Link] = {opener: opener.link_to(other.seat)}
        self.closed: set[Voter] = set()
        self.is_cut = False
        self.say(opener, Sync(number, (), number, 0, True))

    def say(self, voter: Voter, message: Any) -> None:
        self.said[voter].append(message)
        voter.links.say(self.names[voter], message)

    def heard(self, voter: Voter) -> list[Any]:
        name = self.names.get(voter)
        return [message for link, message in voter.said if link == name and type(message) is not Here]

    def find(self) -> bool:
        """Whether the other end has heard of it."""
        for link, message in self.other.said:
            if type(message) is Sync and message.epoch == self.number:
                self.names.setdefault(self.other, link)
        return self.other in self.names

    @property
    def is_over(self) -> bool:
        return self.is_cut or bool(self.closed)

    def check(self) -> None:
        for voter, peer in ((self.opener, self.other), (self.other, self.opener)):
            heard, said = self.heard(voter), self.said[peer]
            assert len(heard) <= len(said)
            for one, other in zip(heard, said, strict=False):
                assert plain(one) == plain(other)
            name = self.names.get(voter)
            lost = voter.lost.count(name) if name is not None else 0
            assert lost <= (voter not in self.closed or self.is_over)
            assert lost == 0 or self.is_over, voter.log.lines

    def has_ended(self) -> bool:
        """Whether everything has been told that will be."""
        return all(voter in self.closed or name in voter.lost for voter, name in self.names.items())

    def has_settled(self) -> bool:
        """Whether all has come, or, which must not be, an end has been told."""
        return any(name in voter.lost for voter, name in self.names.items()) or (self.find() and self.has_arrived())

    def has_arrived(self) -> bool:
        both = ((self.opener, self.other), (self.other, self.opener))
        return all(len(self.heard(voter)) == len(self.said[peer]) for voter, peer in both)


def plain(message: Any) -> Any:
    """A message as it can be compared: an image by its size."""
    if type(message) is not Image:
        return message
    data = message.data
    size = data.received if isinstance(data, Received) else data.size
    return image_of(size, message.end)


class Chance:
    """The two voters, and what happens to them."""

    def __init__(self, chance: random.Random, directory: Path, pair: list[Voter]) -> None:
        self.chance = chance
        self.directory = directory
        self.pair = pair
        self.talks: list[Talk] = []
        for voter in pair:
            voter.on_said = lambda link, message, voter=voter: self.load(voter, link, message)  # type: ignore[misc]

    def load(self, voter: Voter, link: Link, message: Any) -> None:
        if type(message) is Image:
            voter.app.loop.call_later(self.chance.uniform(0, 0.01), voter.links.go_on, link)

    def step(self) -> None:
        chance = self.chance
        living = [talk for talk in self.talks if not talk.is_over]
        if not living or chance.random() < 0.05:
            opener, other = chance.sample(self.pair, 2)
            self.talks.append(Talk(opener, other, len(self.talks) + 1))
            return
        talk = chance.choice(living)
        talk.find()
        voter = chance.choice(list(talk.names))
        what = chance.random()
        if what < 0.85:
            self.say(talk, voter)
        elif what < 0.9:
            talk.closed.add(voter)
            voter.links.close(talk.names[voter])
        elif what < 0.94:
            talk.is_cut = True
            wire = voter.links._wires[talk.names[voter]]
            if wire._transport is not None:
                wire._transport.abort()
            else:
                wire.fail("cut by the test")
        else:
            self.send_image(talk)

    def say(self, talk: Talk, voter: Voter) -> None:
        for _ in range(self.chance.choice((1, 1, 3, 40))):
            size = self.chance.choice((1, 10, 1000, 200_000))
            place = len(talk.said[voter])
            talk.say(voter, Append(1, 10**6 + place, (write(1, b"x" * size),), place) if size > 1 else Refusal(place))

    def send_image(self, talk: Talk) -> None:
        """Only who has been asked for one sends one."""
        if talk.find():
            file = OneFile(self.directory / f"picture-{talk.number}-{len(talk.said[talk.other])}")
            talk.say(talk.other, image_of(file))
            content = self.chance.randbytes(self.chance.choice((0, 1, 70_000, 1_500_000)))
            talk.other.app.loop.call_later(self.chance.uniform(0, 0.02), file.make, content)

    def check(self) -> None:
        for voter in self.pair:
            voter.links._check()
        for talk in self.talks:
            talk.check()


@pytest.mark.parametrize("number", range(more_in_ci(4, 40)))
def test_what_comes_is_the_beginning_of_what_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(links, "PROOF_TIME", PATIENCE)  # a machine that is busy is no failure
    monkeypatch.setattr(dialing, "DIAL", PATIENCE)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)

    async def program() -> None:
        async with voters(tmp_path) as pair:
            world = Chance(chance, tmp_path, pair)
            for _ in range(STEPS):
                world.step()
                for _ in range(chance.choice((0, 0, 1, 5))):
                    await asyncio.sleep(0)
                if chance.random() < 0.1:
                    world.check()
            for talk in world.talks:
                await until(talk.has_ended if talk.is_over else talk.has_settled)
            world.check()

    run(program())
