"""Links between voters: who may open one, that messages keep their order, and how each kind of end is told."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pycache_server.errors import RedisError
from pycache_server.repl.entries import beat, write
from pycache_server.repl.link_proof import PROOF_SIZE, VERSION, Proofs, hello
from pycache_server.repl.link_wire import MOST_OF_FOLLOWERS, Here, There, encode
from pycache_server.repl.links import Ack, Append, Link, Refusal, Stand, Sync
from pycache_server.server.group import links as links_module
from pycache_server.server.group.links import MOST_UNPROVED
from pycache_server.server.group.wire import Wire, without_older_acks
from pycache_server.session.core import OutputLimit
from tests.conftest import free_port
from tests.server.group_voters import SECRET, Raw, Voter, run, start, to_the_end, until, voters

SYNC = Sync(3, ((1, 0), (3, 50)), 90, 80, True)
NONCE = b"0123456789abcdef0123456789abcdef"


def append(first: int, data: bytes = b"x") -> Append:
    return Append(3, first, (write(3, data),), 0)


async def joined(a: Voter, b: Voter) -> tuple[Link, Link]:
    """A link that ``a`` has opened to ``b``, by its names at both ends."""
    link = a.link_to(b.seat)
    before = len(synced(a, b))
    a.links.say(link, SYNC)
    await until(lambda: len(synced(a, b)) > before)
    return link, synced(a, b)[-1]


def synced(a: Voter, b: Voter) -> list[Link]:
    """The links on which ``a`` has asked ``b`` for its stream, as ``b`` names them."""
    return [link for link, message in b.said if link.peer == a.seat and type(message) is Sync]


async def proved(voter: Voter, seat: str = "127.0.0.1:1", nonce: bytes = NONCE) -> Raw:
    """A connection that has proved itself by hand."""
    raw = await Raw.to(voter)
    raw.send(hello(seat, voter.seat, nonce))
    answer = await raw.line()
    raw.send(Proofs(SECRET, seat, voter.seat, nonce, answer.split()[1]).proof())
    return raw


async def followed(voter: Voter) -> Raw:
    """A connection that the voter has opened to follow a leader, which is played by hand."""
    came: asyncio.Future[Raw] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = Raw(reader, writer)
        words = [await raw.word() for _ in range(6)]
        proofs = Proofs(SECRET, words[3].decode(), words[4].decode(), words[5], NONCE)
        raw.send(proofs.answer())
        assert proofs.is_proof(await reader.readexactly(PROOF_SIZE))
        came.set_result(raw)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    voter.link_to(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    raw = await came
    server.close()
    return raw


# Beginnings


def test_what_was_said_before_a_link_was_there_arrives_and_is_answered(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, there = await joined(a, b)
            assert b.said == [(Link(a.seat, 1, False), SYNC)]
            b.links.say(there, append(90))
            await until(lambda: a.said)
            assert a.said == [(link, append(90))]
            assert not a.lost and not b.lost

    run(program())


def test_a_link_is_no_client_any_more(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            await joined(a, b)
            assert not b.app.core.sessions
            assert b.links.unproved == 0

    run(program())


def test_a_link_needs_no_password(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, requirepass="secret") as (a, b):
            await joined(a, b)

    run(program())


def test_messages_keep_their_order_in_both_directions(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, there = await joined(a, b)
            many = [append(100 + place, b"%d" % place * (1 + place % 700)) for place in range(1, 2000)]
            for place, message in enumerate(many):
                b.links.say(there, message)
                a.links.say(link, Refusal(place))
            await until(lambda: len(a.said) == len(many) == len(b.messages(Refusal)))
            assert a.messages() == many
            assert b.messages(Refusal) == [Refusal(place) for place in range(len(many))]

    run(program())


def test_a_message_to_several_is_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def program() -> None:
        async with voters(tmp_path, 3) as (leader, b, c):
            _, to_b = await joined(b, leader)
            leader.said.clear()
            _, to_c = await joined(c, leader)
            calls: list[Any] = []
            monkeypatch.setattr(links_module, "encode", lambda message: calls.append(message) or encode(message))
            message = append(5)
            leader.links.say(to_b, message)
            leader.links.say(to_c, message)
            assert calls == [message]
            leader.links.say(to_b, append(6))
            await until(lambda: len(b.said) == 2 and c.said)
            assert b.messages() == [append(5), append(6)]

    run(program())


# Versions


@pytest.mark.parametrize(("opener", "other", "spoken"), [("2", "2", 90), ("2", "1", 0), ("1", "2", 0), ("1", "1", 0)])
def test_voters_of_two_versions_speak_the_older_one(tmp_path: Path, opener: str, other: str, spoken: int) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            a.links.version, b.links.version = opener.encode(), other.encode()
            a.links.durable = lambda: 90
            link, there = await joined(a, b)
            a.links.say(link, Ack(100))
            await until(lambda: b.messages(Ack))
            assert b.messages() == [SYNC, Ack(100, spoken)]
            assert a.links._wires[link].version == b.links._wires[there].version == min(opener, other).encode()
            assert not a.lost and not b.lost
            b.links.say(there, append(90))
            await until(lambda: a.messages(Append))

    run(program())


def test_what_is_said_before_an_older_voter_answers_arrives_in_its_order(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            b.links.version = b"1"
            link = a.link_to(b.seat)
            said = [SYNC, *(Refusal(number) for number in range(100))]
            for message in said:
                a.links.say(link, message)
            await until(lambda: len(b.said) == len(said))
            assert b.messages() == said and not a.lost and not a.links._dials
            assert len(a.links._wires) == 1 and b.links.strangers == 0

    run(program())


def test_a_link_may_be_closed_while_it_is_opened_in_an_older_version(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            b.links.version = b"1"
            link = a.link_to(b.seat)
            opened: list[bytes] = []
            anew = a.links.open_anew

            def open_and_close(wire: Wire, version: bytes) -> None:
                opened.append(version)
                anew(wire, version)
                a.links.close(link)

            a.links.open_anew = open_and_close  # type: ignore[method-assign]
            await until(lambda: opened)
            await until(lambda: not a.links._dials)
            assert not a.lost and not b.said and not a.links._wires and not a.links._dials

    run(program())


def test_what_claims_to_be_older_and_is_not_is_left_after_one_try(tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1000))
        writer.write(b"-ERR this voter speaks version 1 of the protocol of links, not 2\r\n")
        writer.close()

    async def program() -> None:
        server = await asyncio.start_server(answers, "127.0.0.1", 0)
        async with voters(tmp_path, 1) as (a,):
            link = a.link_to(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
            await until(lambda: a.lost == [link])
            assert a.log.have("it answers '-ERR this voter speaks version 1")
        server.close()
        assert [data.split(b"\r\n")[6] for data in asked] == [b"2", b"1"]

    run(program())


def test_more_is_not_said_to_be_on_the_disk_than_is_acknowledged(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            a.links.durable = lambda: 500
            link, _ = await joined(a, b)
            a.links.say(link, Ack(100))
            await until(lambda: b.messages(Ack))
            assert b.messages(Ack) == [Ack(100, 100)]

    run(program())


def test_two_links_of_one_peer_exist_beside_each_other(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            _, first = await joined(a, b)
            b.said.clear()
            _, second = await joined(a, b)
            assert first != second and not b.lost
            b.links.close(first)
            await until(lambda: len(a.lost) == 1)
            b.links.say(second, Stand(3))
            await until(lambda: a.messages() == [Stand(3)])

    run(program())


# Strangers


def test_another_secret_is_refused_by_who_opens_the_link(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            b = await start(tmp_path, secret=b"another")
            link = a.link_to(b.seat)
            a.links.say(link, SYNC)
            await until(lambda: a.lost)
            assert a.lost == [link] and not b.said
            assert a.log.have("another group-secret")
            await until(lambda: b.links.strangers == 1)
            await b.stop()

    run(program())


def test_a_wrong_proof_of_the_opener_is_refused(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            raw = await Raw.to(a)
            raw.send(hello("127.0.0.1:1", a.seat, NONCE))
            answer = await raw.line()
            raw.send(Proofs(b"another", "127.0.0.1:1", a.seat, NONCE, answer.split()[1]).proof() + encode(SYNC))
            assert await raw.is_closed()
            await until(lambda: a.links.strangers == 1)
            assert not a.said and not a.lost
            assert a.log.have("127.0.0.1:1 is refused: its proof is wrong")

    run(program())


def test_a_proof_that_was_heard_before_is_of_no_use(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            first = await Raw.to(a)
            first.send(hello("127.0.0.1:1", a.seat, NONCE))
            proof = Proofs(SECRET, "127.0.0.1:1", a.seat, NONCE, (await first.line()).split()[1]).proof()
            second = await Raw.to(a)
            second.send(hello("127.0.0.1:1", a.seat, NONCE))
            await second.line()
            second.send(proof + encode(SYNC))
            assert await second.is_closed()
            assert not a.said
            first.send(proof + encode(SYNC))
            await until(lambda: a.said)
            first.close()

    run(program())


def test_what_the_other_end_has_proved_cannot_be_sent_back_to_it(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            raw = await Raw.to(a)
            raw.send(hello("127.0.0.1:1", a.seat, NONCE))
            mac = (await raw.line()).split()[2]
            raw.send(b"*2\r\n$5\r\nproof\r\n$64\r\n" + mac + b"\r\n" + encode(SYNC))
            assert await raw.is_closed()
            assert not a.said

    run(program())


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((b"3", b"h:1", b"{me}", NONCE), "this voter speaks version 2 of the protocol of links, not 3"),
        ((b"0", b"h:1", b"{me}", NONCE), "version 2"),
        ((b"", b"h:1", b"{me}", NONCE), "version 2"),
        ((b"x" * 10_000, b"h:1", b"{me}", NONCE), "version 2"),
        ((VERSION, b"h:1", b"h:2", NONCE), "this is the voter"),
        ((VERSION, b"{me}", b"{me}", NONCE), "which other voter"),
        ((VERSION, b"no seat", b"{me}", NONCE), "which other voter"),
        ((VERSION, b"\xff:1", b"{me}", NONCE), "which other voter"),
        ((VERSION, b"h" * 300 + b":1", b"{me}", NONCE), "which other voter"),
        ((VERSION, b"h:1", b"{me}", b"short"), "nonce"),
        ((VERSION, b"h:1", b"{me}", NONCE[:-1] + b"X"), "nonce"),
    ],
)
def test_a_link_that_cannot_be_is_answered_with_the_reason(
    tmp_path: Path, words: tuple[bytes, ...], problem: str
) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            raw = await Raw.to(a)
            raw.say(b"GROUP", b"LINK", *(word.replace(b"{me}", a.seat.encode()) for word in words))
            answer = await raw.line()
            assert answer.startswith(b"-ERR ") and problem.encode() in answer
            assert await raw.is_closed()
            assert a.log.have(problem)

    run(program())


def test_a_link_does_not_begin_behind_an_answer_that_has_not_left(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            raw = await Raw.to(a)
            raw.send(b"*1\r\n$4\r\nPING\r\n" + hello("127.0.0.1:1", a.seat, NONCE))
            assert await raw.line() == b"+PONG\r\n"
            assert await raw.line() == b"-ERR a link cannot begin with pending output\r\n"
            assert await raw.is_closed()

    run(program())


def test_a_link_needs_a_connection_of_its_own(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            session: Any = SimpleNamespace(link=None, address="127.0.0.1:5", closing=False)
            words = [b"GROUP", b"LINK", VERSION, b"127.0.0.1:1", a.seat.encode(), NONCE]
            with pytest.raises(RedisError, match="a link needs a connection of its own"):
                a.links.accept(session, words)
            assert session.closing

    run(program())


def test_the_opener_tells_the_operator_what_it_was_answered(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            b = await start(tmp_path, seat="elsewhere:6379")
            link = a.link_to(f"127.0.0.1:{b.port}")
            await until(lambda: a.lost == [link])
            assert a.log.have("this is the voter elsewhere:6379")
            await b.stop()

    run(program())


def test_who_proves_nothing_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_module, "PROOF_TIME", 0.05)

    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            raw = await Raw.to(a)
            raw.send(hello("127.0.0.1:1", a.seat, NONCE))
            assert await raw.is_closed()
            await until(lambda: a.links.unproved == 0)
            assert a.log.have("in time")

    run(program())


def test_who_proves_itself_and_says_nothing_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_module, "PROOF_TIME", 0.05)

    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            raw = await proved(a)
            assert await raw.is_closed()
            await until(lambda: len(a.lost) == 1)

    run(program())


def test_of_many_that_prove_nothing_the_oldest_makes_way(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            strangers = []
            for _ in range(MOST_UNPROVED + 10):
                raw = await Raw.to(a)
                raw.send(hello("127.0.0.1:1", a.seat, NONCE))
                await raw.line()
                strangers.append(raw)
                a.links._check()
            for raw in strangers[:10]:
                assert await raw.is_closed()
            assert a.links.unproved == MOST_UNPROVED
            await joined(b, a)
            for raw in strangers:
                raw.close()
            await until(lambda: a.links.unproved == 0)

    run(program())


def test_garbage_in_place_of_a_proof_is_not_kept(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            raw = await Raw.to(a)
            raw.send(hello("127.0.0.1:1", a.seat, NONCE))
            await raw.line()
            raw.send(b"A" * (1 << 20))
            assert await raw.is_closed()
            await until(lambda: a.links.unproved == 0)

    run(program())


def test_a_server_that_is_no_voter_ends_the_link(tmp_path: Path) -> None:
    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"x" * 2000)
        await reader.read()
        writer.close()

    async def program() -> None:
        server = await asyncio.start_server(answers, "127.0.0.1", 0)
        async with voters(tmp_path, 1) as (a,):
            link = a.link_to(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
            await until(lambda: a.lost == [link])
            assert a.log.have("something else than a voter")
        server.close()

    run(program())


# What is none of the protocol


@pytest.mark.parametrize(
    "data",
    [b"+OK\r\n", b"*1\r\n$3\r\nfoo\r\n", b"\0\0", b"*2\r\n$3\r\nack\r\n:-1\r\n", b"*2\r\n$5\r\npiece\r\n$1\r\na\r\n"],
)
def test_what_is_no_message_ends_the_link_and_says_why(tmp_path: Path, data: bytes) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            raw = await proved(a)
            raw.send(encode(SYNC) + data)
            assert await raw.is_closed()
            await until(lambda: a.lost)
            assert a.messages() == [SYNC] or not a.messages()
            assert a.log.have("The link of the voter 127.0.0.1:1 has ended: ")

    run(program())


def test_of_acknowledgements_that_come_together_the_newest_is_heard(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            raw = await proved(a)
            raw.send(encode(SYNC) + b"".join(encode(Ack(number)) for number in range(4000)) + encode(Refusal(9)))
            await until(lambda: a.messages(Refusal))
            heard = [message.offset for message in a.messages(Ack)]
            assert len(heard) < 10  # one for each read
            assert heard[-1] == 3999 and heard == sorted(heard)

    run(program())


def test_no_acknowledgement_is_left_out_that_the_next_one_does_not_say_again() -> None:
    said = [SYNC, Ack(1), Ack(5), Ack(5), Ack(3), Ack(4), Refusal(1), Ack(2), Ack(9)]
    assert without_older_acks(said) == [SYNC, Ack(5), Ack(4), Refusal(1), Ack(9)]
    assert without_older_acks([Ack(1)]) == [Ack(1)] and without_older_acks([]) == []


def test_a_failure_of_who_hears_a_message_ends_the_link_and_is_logged(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, _ = await joined(a, b)

            def fail(link: Link, message: Any) -> None:
                raise ZeroDivisionError("a mistake")

            b.on_said = fail
            a.links.say(link, Refusal(1))
            a.links.say(link, Refusal(2))
            await until(lambda: b.lost and a.lost)
            assert b.log.have("a message of a link failed: ZeroDivisionError: a mistake")
            assert b.messages(Refusal) == [Refusal(1)]

    run(program())


# Ends


def test_a_cut_connection_is_told_once_at_both_ends(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, there = await joined(a, b)
            transport = a.links._wires[link]._transport
            assert transport is not None
            transport.abort()
            await until(lambda: a.lost and b.lost)
            a.links.say(link, Ack(1))
            a.links.close(link)
            b.links.close(there)
            await asyncio.sleep(0)
            assert (a.lost, b.lost) == ([link], [there])

    run(program())


def test_who_hangs_up_hears_nothing_and_its_last_words_arrive(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, there = await joined(a, b)
            large = append(90, b"y" * 3_000_000)
            b.links.say(there, large)
            b.links.say(there, Stand(3))
            b.links.close(there)
            for place in range(2000):  # the other end goes on speaking, which must not cost it what was said
                a.links.say(link, Ack(place))
            await until(lambda: a.lost == [link])
            assert a.messages() == [large, Stand(3)]
            assert not b.lost and b.messages() == [SYNC]

    run(program())


def test_nothing_comes_on_a_link_that_was_closed_in_the_middle(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            a.on_said = lambda link, message: a.links.close(link) if message == Refusal(9) else None
            raw = await proved(a)
            raw.send(encode(SYNC) + encode(Refusal(9)) + encode(Ack(1)))
            assert await raw.is_closed()
            assert a.messages() == [SYNC, Refusal(9)]
            assert not a.lost

    run(program())


def test_a_link_may_be_closed_while_it_is_being_made(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            for rounds in range(12):
                link = a.link_to(b.seat)
                a.links.say(link, SYNC)
                for _ in range(rounds):
                    await asyncio.sleep(0)
                a.links.close(link)
            await joined(a, b)
            await until(lambda: b.links.unproved == 0)
            assert not a.lost
            assert len(b.links._wires) - len(b.lost) <= 12

    run(program())


def test_a_seat_where_nobody_listens_is_lost_once(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            link = a.link_to(f"127.0.0.1:{free_port()}")
            a.links.say(link, SYNC)
            await until(lambda: a.lost == [link])
            bad = [
                a.link_to(seat) for seat in ("nothing", "127.0.0.1:99999", "no.such.name.invalid:1", "a" * 80 + ":1")
            ]
            await until(lambda: len(a.lost) == 5)
            assert set(a.lost) == {link, *bad}

    run(program())


def test_a_peer_that_does_not_answer_the_greeting_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_module, "PROOF_TIME", 0.05)

    async def program() -> None:
        server = await asyncio.start_server(Raw, "127.0.0.1", 0)
        async with voters(tmp_path, 1) as (a,):
            link = a.link_to(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
            await until(lambda: a.lost == [link])
            assert a.log.have("in time")
        server.close()

    run(program())


def test_a_peer_that_does_not_read_is_given_up_at_the_hard_limit(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            a.app.core.output_limits["slave"] = OutputLimit(4 << 20, 0, 0)
            a.app.core.replication.backlog_size = 0
            raw = await proved(a)
            raw.send(encode(SYNC))
            await until(lambda: a.said)
            link = a.incoming()
            first = 0
            while link not in a.lost and first < 200 << 20:
                a.links.say(link, append(first, b"z" * 100_000))
                first += 100_000
                await asyncio.sleep(0)
            assert a.lost == [link]
            assert a.log.have("output buffer limits")
            assert a.app.core.stats.output_overflows == 1
            raw.close()

    run(program())


def test_a_peer_that_stays_behind_the_soft_limit_is_given_up(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            now = [100.0]
            a.app.host.ticks = lambda: now[0]  # type: ignore[method-assign, assignment]
            a.app.core.output_limits["slave"] = OutputLimit(0, 1000, 60)
            raw = await proved(a)
            raw.send(encode(SYNC))
            await until(lambda: a.said)
            link = a.incoming()
            a.links.say(link, append(0, b"z" * 20_000_000))
            now[0] += 59
            a.links.say(link, append(20_000_000))
            assert a.links.unread(link) > 1000
            now[0] += 1
            a.links.say(link, append(20_000_001))
            await until(lambda: a.lost == [link])
            assert a.log.have("for overcoming of output buffer limits")
            raw.close()

    run(program())


def test_one_message_may_be_larger_than_the_limit(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, there = await joined(a, b)
            b.app.core.output_limits["slave"] = OutputLimit(1 << 20, 0, 0)
            b.app.core.replication.backlog_size = 0
            for count in (2, 4):
                b.links.say(there, append(0, b"z" * 20_000_000))
                b.links.say(there, append(20_000_000))
                await until(lambda count=count: len(a.messages(Append)) == count)  # type: ignore[misc]
            assert not a.lost and not b.lost
            assert link.outgoing

    run(program())


def test_a_message_of_a_follower_is_never_large(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            raw = await proved(a)
            raw.send(encode(SYNC) + b"*2\r\n$3\r\nack\r\n$1000000000\r\n")
            raw.send(b"x" * (MOST_OF_FOLLOWERS + (1 << 20)))
            assert await raw.is_closed()
            await until(lambda: a.lost)
            assert a.log.have("a message is too long")

    run(program())


def test_what_waits_for_a_link_that_is_being_made_is_bounded_too(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            a.app.core.output_limits["slave"] = OutputLimit(100_000, 0, 0)
            a.app.core.replication.backlog_size = 0
            link = a.link_to("127.0.0.1:1")
            a.links.say(link, append(0, b"z" * 50_000))
            a.links.say(link, append(50_000, b"z" * 200_000))
            assert link in a.links._wires
            a.links.say(link, append(250_000, b"z" * 200_000))
            await until(lambda: a.lost == [link])
            assert a.log.have("output buffer limits")

    run(program())


# Signs of life


def test_a_follower_says_that_it_is_there_while_a_large_message_comes(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, there = await joined(a, b)
            b.links.say(there, append(90, b"y" * 30_000_000))
            await until(lambda: a.said)
            assert a.progress and set(a.progress) == {link}
            await until(lambda: Here() in b.messages())
            assert a.messages() == [append(90, b"y" * 30_000_000)]

    run(program())


def test_a_sign_of_the_leader_is_progress_and_answered(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, there = await joined(a, b)
            b.links.say(there, There())
            await until(lambda: b.messages() == [SYNC, Here()])
            assert a.progress == [link] and not a.said

    run(program())


# The end of the server


def test_the_end_of_the_server_ends_its_links_and_sends_what_was_said(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            b = await start(tmp_path)
            link, there = await joined(a, b)
            b.links.say(there, Append(3, 90, (beat(3),), 0))
            await b.stop()
            await until(lambda: a.lost == [link])
            assert a.messages() == [Append(3, 90, (beat(3),), 0)]
            assert not b.lost

    run(program())


def test_links_work_on_uvloop(tmp_path: Path) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, there = await joined(a, b)
            b.links.say(there, append(90, b"y" * 3_000_000))
            b.links.close(there)
            await until(lambda: a.lost == [link])
            assert a.messages() == [append(90, b"y" * 3_000_000)]

    with contextlib.closing(uvloop.new_event_loop()) as loop:
        loop.run_until_complete(to_the_end(program()))
