"""Voters come in where clients are refused, and nobody else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pycache_server.election.messages import Hello, Window
from pycache_server.election.wire import Wire
from pycache_server.repl.links import Ack
from pycache_server.server import reserve
from pycache_server.server.apply import share_descriptors
from tests.server.group_voters import SECRET, Raw, Voter, run, until, voters
from tests.server.test_group_links import joined

TOO_MANY = b"-ERR max number of clients reached\r\n"


def envelope(a: Voter, sender: str = "h:1") -> bytes:
    return Wire(sender, SECRET).encode(a.seat, Hello(1))


@pytest.mark.parametrize(
    ("possible", "clients", "at_window", "shared"),
    [
        (30_000, 10_000, 10_000, (10_000, 10_000)),
        (15_000, 10_000, 10_000, (10_000, 5000)),
        (10_000, 10_000, 10_000, (9936, 64)),
        (10_000, 10_000, 0, (10_000, 0)),
        (500, 10_000, 0, (500, 0)),
        (-100, 10_000, 10_000, (1, 64)),
        (100, 10, 10, (10, 10)),
    ],
)
def test_of_few_descriptors_the_server_has_more_than_its_sentinel_port(
    possible: int, clients: int, at_window: int, shared: tuple[int, int]
) -> None:
    assert share_descriptors(possible, clients, at_window) == shared


async def fill(a: Voter) -> list[Raw]:
    """Clients that take all there is for them."""
    clients = [await Raw.to(a) for _ in range(a.app.settings["maxclients"])]
    for client in clients:
        client.say(b"PING")
        assert await client.line() == b"+PONG\r\n"
    return clients


def open_reserve(*found: Voter) -> None:
    for voter in found:
        voter.app.reserve.is_open = True


def test_voters_get_through_where_clients_have_taken_everything(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, maxclients="3") as (a, b):
            open_reserve(a, b)
            await fill(a)
            b.post.send(a.seat, Hello(1))
            b.post.send_aside(a.seat, Window(1, "id"))
            await until(lambda: a.heard == [(b.seat, Hello(1))])
            b.post.send_aside(a.seat, Window(1, "id"))
            await until(lambda: a.asides)
            there, _ = await joined(b, a)
            b.links.say(there, Ack(9))
            await until(lambda: a.messages(Ack))
            assert len(a.app.core.sessions) == 4 and a.app.reserve.count == 1
            assert a.app.core.stats.rejected_connections == 0
            a.app.reserve._check()

    run(program())


@pytest.mark.parametrize("words", [(b"PING",), (b"AUTH", b"x"), (b"GROUP", b"INFO"), (b"GROUP",), (b"HELLO", b"3")])
def test_who_is_no_voter_is_told_what_it_would_have_been_told(tmp_path: Path, words: tuple[bytes, ...]) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1, maxclients="2") as (a,):
            open_reserve(a)
            await fill(a)
            late = await Raw.to(a)
            late.say(*words)
            late.say(b"SET", b"k", b"v")
            assert await late.line() == TOO_MANY and await late.is_closed()
            assert a.app.core.stats.rejected_connections == 1
            await until(lambda: a.app.reserve.count == 0)
            assert not a.app.core.keyspace.databases[0].size

    run(program())


def test_who_says_nothing_is_told_so_in_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserve, "TRIAL", 0.05)

    async def program() -> None:
        async with voters(tmp_path, 1, maxclients="2") as (a,):
            open_reserve(a)
            await fill(a)
            late = await Raw.to(a)
            assert await late.line() == TOO_MANY and await late.is_closed()

    run(program())


def test_a_server_that_is_no_voter_refuses_at_once(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1, maxclients="2") as (a,):
            await fill(a)
            late = await Raw.to(a)
            assert await late.line() == TOO_MANY and await late.is_closed()
            assert a.app.reserve.count == 0

    run(program())


def test_garbage_is_no_proof(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1, maxclients="2") as (a,):
            open_reserve(a)
            await fill(a)
            for said in (b"garbage", Wire("h:1", b"guess").encode(a.seat, Hello(1)), b"x" * 20_000):
                late = await Raw.to(a)
                late.say(b"GROUP", b"TELL", said)
                assert await late.is_closed()
            await until(lambda: a.app.reserve.count == 0)
            assert not a.heard

    run(program())


def test_who_has_proved_itself_is_no_client(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1, maxclients="2") as (a,):
            open_reserve(a)
            clients = await fill(a)
            late = await Raw.to(a)
            late.say(b"GROUP", b"TELL", envelope(a))
            await until(lambda: a.heard)
            for client in clients:
                client.close()
            await until(lambda: len(a.app.core.sessions) == 1)
            late.say(b"PING")  # there is room now; but what it has proved is not who it is
            assert await late.is_closed()
            await until(lambda: a.app.reserve.count == 0)
            again = await fill(a)  # nobody counts who has gone
            assert len(again) == 2

    run(program())


def test_a_seat_has_one_connection_there_the_last_one(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1, maxclients="2") as (a,):
            open_reserve(a)
            await fill(a)
            raws: list[Raw] = []
            for number in range(5):
                raws.append(await Raw.to(a))
                raws[-1].say(b"GROUP", b"TELL", envelope(a))
                await until(lambda number=number: len(a.heard) == number + 1)
            for raw in raws[:-1]:
                assert await raw.is_closed()
            await until(lambda: len(a.app.core.sessions) == 3)
            a.app.reserve._check()

    run(program())


def test_of_many_on_trial_the_oldest_makes_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserve, "TRIAL", 60.0)

    async def program() -> None:
        async with voters(tmp_path, maxclients="2") as (a, b):
            open_reserve(a)
            await fill(a)
            late: list[Any] = [await Raw.to(a) for _ in range(reserve.MOST_ON_TRIAL + 10)]
            for raw in late[:10]:
                assert await raw.line() == TOO_MANY and await raw.is_closed()
            assert a.app.reserve.count == reserve.MOST_ON_TRIAL
            b.post.send(a.seat, Hello(1))
            await until(lambda: a.heard)
            a.app.reserve._check()

    run(program())
