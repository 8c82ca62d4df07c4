"""A group whose voters reach each other by proxies that damage what travels: images that are cut or have another byte
change nothing, and the next whole one does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.interop.following import wait_for
from tests.interop.groups import SECRET, Group, Voter
from tests.proxy import Proxy

pytestmark = pytest.mark.interop
PIECE = b"$5\r\npiece\r\n$"


class Damaging(Proxy):
    """A proxy that may change what the target says."""

    change: Callable[[bytes], bytes] | None = None
    damaged = 0

    def _counted(self, data: bytes) -> bytes:
        if self.change is not None and PIECE in data:
            data = self.change(data)
            self.damaged += 1
        return super()._counted(data)


class Damaged(Group):
    """Three voters that know each other by the addresses of proxies."""

    def __init__(self, directory: Path, proxies: list[Damaging]) -> None:
        seats = [f"127.0.0.1:{proxy.port}" for proxy in proxies]
        usual = ("--group-secret", SECRET, "--save", "", "--enable-debug-command", "yes")
        self.voters = [
            Voter(directory, proxy.target, ("--group-voters", *seats, "--group-seat", seat, *usual))
            for proxy, seat in zip(proxies, seats, strict=True)
        ]
        for voter in self.voters:
            voter.start()


@pytest.fixture
def proxies() -> Iterator[list[Damaging]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Damaging(free_port())) for _ in range(3)]


def with_another_byte(data: bytes) -> bytes:
    place = data.index(PIECE) + 60
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


def with_another_size(data: bytes) -> bytes:
    place = data.index(PIECE) + len(PIECE)
    return data[:place] + b"1" + data[place:]


def without_its_pieces(data: bytes) -> bytes:
    place = data.index(b"*2\r\n" + PIECE)
    return data[:place] + b"*1\r\n$5\r\nwhole\r\n"


DAMAGES = {
    "another byte": (with_another_byte, "is damaged: "),
    "an end that comes early": (without_its_pieces, "an image has ended that is not whole"),
    "more than there is": (with_another_size, ""),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_image_is_not_taken_and_the_next_one_is(tmp_path: Path, proxies: list[Damaging], kind: str) -> None:
    change, said = DAMAGES[kind]
    with Damaged(tmp_path, proxies) as group:
        group.wait_whole()
        leader, (follower, _) = group.leader(), group.followers()
        for number in range(200):
            assert leader.call("SET", f"k{number}", "v" * 50) == "OK"
        group.wait_same()
        follower.end()
        way = next(proxy for proxy in proxies if proxy.target == leader.port)
        way.change = change
        follower.start()
        wait_for(lambda: way.damaged >= 2, "two damaged images")
        if said:
            wait_for(lambda: said in follower.log(), said)
        assert follower.info()["sync_state"] == "recovering"
        assert leader.call("SET", "meanwhile", "1") == "OK"
        way.change = None
        way.cut()
        group.wait_same()
        assert follower.call("GET", "meanwhile") == "1"


def test_an_image_that_is_cut_anywhere_is_asked_for_again(tmp_path: Path, proxies: list[Damaging]) -> None:
    with Damaged(tmp_path, proxies) as group:
        group.wait_whole()
        leader, (follower, _) = group.leader(), group.followers()
        for number in range(200):
            assert leader.call("SET", f"k{number}", "v" * 50) == "OK"
        way = next(proxy for proxy in proxies if proxy.target == leader.port)
        for size in (1, 100, 300, 1000, 5000, 12_000):
            group.wait_same()
            follower.end()
            cuts: list[int] = []

            def cut_once(data: bytes, size: int = size, cuts: list[int] = cuts) -> bytes:
                if not cuts:
                    cuts.append(size)
                    way.cut_after(size)
                return data

            way.change = cut_once
            follower.start()
            wait_for(lambda cuts=cuts: cuts and way._cut_after == 0, "a cut")
            way.change = None
            way.cut_after(None)
            assert leader.call("INCR", "n") > 0
        group.wait_same()
