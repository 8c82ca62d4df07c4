"""The post of a voter: what is said arrives or is lost, costs nothing where nobody is, and strangers are sent away."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pycache_server.election.messages import Hello, Higher, Prove, Who, Window
from pycache_server.election.wire import Wire
from pycache_server.server import worker
from pycache_server.server.group import dialing, post
from pycache_server.server.group.dialing import Dialer, address_of
from tests.conftest import free_port
from tests.server.group_voters import SECRET, Raw, run, start, until, voters


def test_the_first_message_makes_the_connection_and_others_follow_on_it(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            said = [Hello(1), Prove(), Higher(7), Who("birth", 3, ((b.seat, "other"),))]
            for message in said:
                a.post.send(b.seat, message)
            await until(lambda: len(b.heard) == len(said))
            a.post.send(b.seat, Hello(2))
            await until(lambda: len(b.heard) == len(said) + 1)
            assert b.heard == [(a.seat, message) for message in [*said, Hello(2)]]
            assert len(b.app.core.sessions) == 1
            assert b.post.senders == set(b.app.core.sessions)
            b.post.send(a.seat, Hello(9))
            await until(lambda: a.heard == [(b.seat, Hello(9))])

    run(program())


def test_post_needs_no_password(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, requirepass="secret") as (a, b):
            a.post.send(b.seat, Hello(1))
            await until(lambda: b.heard)

    run(program())


def test_of_what_is_said_before_a_connection_is_there_the_newest_arrives(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            for epoch in range(100):
                a.post.send(b.seat, Hello(epoch))
            await until(lambda: b.heard)
            assert b.heard == [(a.seat, Hello(epoch)) for epoch in range(100 - post.MOST_FIRST, 100)]

    run(program())


# Beside the election


def test_an_aside_travels_as_messages_do_and_is_told_apart(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, requirepass="secret") as (a, b):
            a.post.send_aside(b.seat, Window(7, "id"))
            await until(lambda: b.asides)
            a.post.send(b.seat, Hello(1))
            a.post.send_aside(b.seat, Window(8, "id"))
            await until(lambda: len(b.asides) == 2)
            assert b.asides == [(a.seat, Window(7, "id")), (a.seat, Window(8, "id"))]
            assert b.heard == [(a.seat, Hello(1))] and len(b.app.core.sessions) == 1

    run(program())


def test_an_aside_takes_no_message_its_place_while_a_connection_is_made(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            a.post.send(b.seat, Hello(1))
            for port in range(100):
                a.post.send_aside(b.seat, Window(port, "id"))
            await until(lambda: b.heard)
            assert b.heard == [(a.seat, Hello(1))] and not b.asides

    run(program())


@pytest.mark.parametrize(
    "answer", [b"-ERR unknown subcommand 'ASIDE'. Try GROUP HELP.\r\n", b"-NOAUTH Authentication required.\r\n"]
)
def test_a_voter_that_knows_no_asides_hears_one_for_each_connection(tmp_path: Path, answer: bytes) -> None:
    older: list[Raw] = []

    async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        older.append(Raw(reader, writer))
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1000):
                said.append(data)
                if b"ASIDE" in data:
                    writer.write(answer)

    said: list[bytes] = []

    async def program() -> None:
        server = await asyncio.start_server(come, "127.0.0.1", 0)
        async with voters(tmp_path, 1) as (a,):
            seat = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

            def heard() -> Any:
                a.post.send_aside(seat, Window(7, "id"))
                return said and not a.post._ways[seat]._takes_asides

            await until(heard)
            before = len(said)
            for _ in range(10):
                a.post.send_aside(seat, Window(7, "id"))
            a.post.send(seat, Hello(1))
            await until(lambda: len(said) > before)
            assert b"TELL" in said[-1] and not any(b"ASIDE" in data for data in said[before:])
            assert not a.log.have("answers")
            older[0].close()
            await until(lambda: a.post._ways[seat]._transport is None)
            said.clear()
            a.post._ways[seat]._not_before = 0.0
            a.post.send(seat, Hello(2))
            await until(lambda: said)
            a.post.send_aside(seat, Window(7, "id"))
            await until(lambda: b"ASIDE" in said[-1])
        server.close()

    run(program())


def test_a_seat_that_comes_back_is_reached_again(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            b = await start(tmp_path)
            seat, port = b.seat, b.port
            a.post.send(seat, Hello(1))
            await until(lambda: b.heard)
            await b.stop()
            again = await start(tmp_path, port=port)

            def heard() -> Any:
                a.post.send(seat, Hello(2))
                return again.heard

            await until(heard)
            await again.stop()

    run(program())


def test_a_seat_where_nobody_is_is_tried_less_and_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            now = [100.0]
            a.post.ticks = lambda: now[0]  # type: ignore[method-assign, assignment]
            tries: list[float] = []

            async def dial(self: Dialer, seat: str, protocol: Any) -> None:
                tries.append(now[0])
                raise OSError("nobody there")

            monkeypatch.setattr(Dialer, "dial", dial)
            for _ in range(2000):
                a.post.send("127.0.0.1:1", Hello(1))
                await asyncio.sleep(0)
                now[0] += 0.01
            gaps = [after - before for before, after in pairwise(tries)]
            assert 0.09 <= gaps[0] <= 0.22 and gaps[1] >= 0.19
            assert all(0.49 <= gap <= 1.02 for gap in gaps[4:])
            assert sum("cannot be reached: nobody there" in line for line in a.log.lines) <= 21

    run(program())


class Closed(asyncio.Transport):
    """A transport that uvloop has closed without a word."""

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: Any) -> None:
        raise RuntimeError("unable to perform operation: the handler is closed")

    def abort(self) -> None:
        pass


async def too_late(self: Dialer, seat: str, protocol: Any) -> None:
    """The time is over when the connection has just been made."""
    protocol().connection_made(Closed())
    raise OSError("no connection within 0.5 seconds")


def test_a_connection_that_came_too_late_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Closed, "write", lambda self, data: None)  # what was said first is lost

    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            with monkeypatch.context() as late:
                late.setattr(Dialer, "dial", too_late)
                a.post.send(b.seat, Hello(1))
                await until(lambda: a.post._ways[b.seat]._not_before)
                a.post.send(b.seat, Hello(2))
                link = a.link_to(b.seat)
                await until(lambda: a.lost == [link])

            def heard() -> Any:
                a.post.send(b.seat, Hello(3))
                return b.heard

            await until(heard)

    run(program())


def test_a_peer_that_does_not_read_loses_messages_and_holds_nothing_up(tmp_path: Path) -> None:
    async def program() -> None:
        server = await asyncio.start_server(Raw, "127.0.0.1", 0)
        async with voters(tmp_path, 1) as (a,):
            seat = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            large = Who("x" * 300, 1, tuple((f"{place}", "y" * 300) for place in range(90)))
            a.post.send(seat, large)
            way = a.post._ways[seat]
            await until(lambda: way._transport is not None)
            for _ in range(2000):
                a.post.send(seat, large)
                await asyncio.sleep(0)
            assert way._transport is not None
            assert 0 < way._transport.get_write_buffer_size() <= post.MOST_UNSENT + 40_000
        server.close()

    run(program())


def test_what_a_server_answers_that_is_no_voter_is_told(tmp_path: Path) -> None:
    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        Raw(reader, writer)
        await reader.read(1)
        writer.write(b"-DENIED Redis is running in protected mode\r\n" * 3)

    async def program() -> None:
        server = await asyncio.start_server(answers, "127.0.0.1", 0)
        async with voters(tmp_path, 1) as (a,):
            seat = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            a.post.send(seat, Hello(1))
            await until(lambda: a.log.have(f"The voter {seat} answers '-DENIED Redis is running in protected mode"))
        server.close()

    run(program())


# Strangers


@pytest.mark.parametrize(
    ("envelope", "problem"),
    [
        (lambda seat: b"", "another protocol or version"),
        (lambda seat: b"garbage", "another protocol or version"),
        (lambda seat: Wire("h:1", b"another").encode(seat, Hello(1)), "another group-secret, or forged"),
        (lambda seat: Wire("h:1", SECRET).encode("h:2", Hello(1)), "it is for h:2"),
        (lambda seat: Wire("h:1", SECRET).encode(seat, Hello(1))[:-1], "another group-secret"),
        (lambda seat: b"x" * (post.LONGEST + 1), "too long"),
    ],
)
def test_what_is_no_message_for_this_voter_closes_the_connection_and_is_told(
    tmp_path: Path, envelope: Any, problem: str
) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            raw = await Raw.to(a)
            raw.say(b"GROUP", b"TELL", envelope(a.seat))
            assert await raw.line() == b""
            assert a.post.refused == 1 and not a.heard
            assert a.log.have("A message to this voter from 127.0.0.1:") and a.log.have(problem)

    run(program())


def test_of_many_refusals_of_one_address_one_a_second_is_told(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            now = [100.0]
            a.post.ticks = lambda: now[0]  # type: ignore[method-assign, assignment]
            for _ in range(20):
                raw = await Raw.to(a)
                raw.say(b"GROUP", b"TELL", b"garbage")
                assert await raw.line() == b""
                now[0] += 0.1
            assert a.post.refused == 20
            assert sum("is refused" in line for line in a.log.lines) == 2
            for number in range(3 * post.MOST_NOTED):
                a.post.note(str(number), "a line")
            assert len(a.post._noted) <= post.MOST_NOTED

    run(program())


def test_nothing_is_sent_after_the_end(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            a.post.send(b.seat, Hello(1))
            a.post.close()
            a.post.send(b.seat, Hello(2))
            await b.app.close_listeners()
            assert not b.heard

    run(program())


# Names


def test_a_name_is_looked_up_and_all_its_addresses_are_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def look_up(host: str, *rest: Any, **options: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, 0, 0, "", (address, 0)) for address in ("127.0.0.7", "127.0.0.1", "127.0.0.1")]

    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            monkeypatch.setattr(dialing.socket, "getaddrinfo", look_up)
            b = await start(tmp_path, seat="voter.example:1")
            port = b.port
            b.post._wire = Wire(f"voter.example:{port}", SECRET)
            a.post.send(f"voter.example:{port}", Hello(1))
            await until(lambda: b.heard)
            assert asked == ["voter.example"]
            await until(lambda: not worker.running())
            await b.stop()

    run(program())


def test_a_resolver_that_does_not_answer_holds_up_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialing, "DIAL", 0.05)
    answers, asked = threading.Event(), []

    def look_up(host: str, *rest: Any, **options: Any) -> Any:
        asked.append(host)
        answers.wait(20)
        raise socket.gaierror(-2, "Name or service not known")

    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            monkeypatch.setattr(dialing.socket, "getaddrinfo", look_up)
            dialer = Dialer(a.app)
            for _ in range(3):
                with pytest.raises(OSError, match="no connection within"):
                    await dialer.dial("dead.example:1", asyncio.Protocol)
            assert asked == ["dead.example"]
            assert [thread.name for thread in threading.enumerate()].count("group-name") == 1 <= worker.running()
            a.post.send(b.seat, Hello(1))
            await until(lambda: b.heard)
            answers.set()
            await until(lambda: not dialer._lookups)
            with pytest.raises(OSError, match="Name or service not known"):
                await dialer.dial("dead.example:1", asyncio.Protocol)

    run(program())


def test_a_connection_that_comes_to_nothing_says_why(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            dialer = Dialer(a.app)
            with pytest.raises(OSError, match="refused"):
                await dialer.dial(f"127.0.0.1:{free_port()}", asyncio.Protocol)
            for seat in ("nothing", "127.0.0.1:x", "127.0.0.1:99999", "a..b:1", "x" * 70 + ".example:1"):
                with pytest.raises(OSError, match=r"name|port|known|no host|resolution|Error"):
                    await dialer.dial(seat, asyncio.Protocol)
            await until(lambda: not dialer._lookups)

    run(program())


@pytest.mark.parametrize(
    ("seat", "address"), [("h:1", ("h", 1)), ("[::1]:7001", ("::1", 7001)), ("10.0.0.1:6379", ("10.0.0.1", 6379))]
)
def test_a_seat_is_an_address(seat: str, address: tuple[str, int]) -> None:
    assert address_of(seat) == address
