"""Proofs: right for one link, one direction and one secret, and for nothing else."""

from __future__ import annotations

import hiredis
import pytest

from pycache_server.repl.link_proof import (
    NONCE_SIZE,
    PROOF_SIZE,
    Proofs,
    hello,
    is_nonce,
    nonce_of,
    older_version,
    refusal,
    seat_of,
)
from pycache_server.repl.link_wire import BadLink

A, B = b"a" * NONCE_SIZE, b"b" * NONCE_SIZE
GOOD = (b"secret", "h:1", "h:2", A, B)


def test_both_ends_make_the_same_proofs() -> None:
    here, there = Proofs(*GOOD), Proofs(*GOOD)
    assert there.is_answer(here.answer())
    assert there.is_proof(here.proof())
    assert len(here.proof()) == PROOF_SIZE
    assert nonce_of(here.answer()) == B


@pytest.mark.parametrize("place", range(len(GOOD)))
def test_every_part_counts(place: int) -> None:
    parts = list(GOOD)
    parts[place] = parts[place][:-1] + ("9" if isinstance(parts[place], str) else b"9")  # type: ignore[call-overload]
    other = Proofs(*parts)  # type: ignore[arg-type]
    assert not other.is_answer(Proofs(*GOOD).answer())
    assert not other.is_proof(Proofs(*GOOD).proof())


def test_what_stands_in_one_part_is_not_taken_for_another() -> None:
    one = Proofs(b"s", "a:1", "1b:1", A, B)
    other = Proofs(b"s", "a:11", "b:1", A, B)
    assert not one.is_proof(other.proof())


def test_the_answer_is_no_proof() -> None:
    proofs = Proofs(*GOOD)
    assert proofs.answer().split()[2] not in proofs.proof()


def test_the_greeting_is_a_command() -> None:
    reader = hiredis.Reader()
    reader.feed(hello("h:1", "h:2", A))
    assert reader.gets() == [b"GROUP", b"LINK", b"2", b"h:1", b"h:2", A]
    reader.feed(hello("h:1", "h:2", A, b"1"))
    assert reader.gets() == [b"GROUP", b"LINK", b"1", b"h:1", b"h:2", A]


def test_a_proof_is_for_one_version() -> None:
    assert Proofs(*GOOD).answer() == Proofs(*GOOD, b"2").answer() != Proofs(*GOOD, b"1").answer()
    assert not Proofs(*GOOD, b"1").is_proof(Proofs(*GOOD, b"2").proof())


@pytest.mark.parametrize(
    ("line", "asked", "older"),
    [
        (b"-ERR this voter speaks version 1 of the protocol of links, not 2\r\n", b"2", b"1"),
        (b"-" + refusal(b"1", b"2") + b"\r\n", b"2", b"1"),
        (b"-" + refusal(b"1", b"1") + b"\r\n", b"1", None),
        (b"-" + refusal(b"2", b"1") + b"\r\n", b"1", None),
        (b"-" + refusal(b"2", b"2") + b"\r\n", b"2", None),
        (b"-" + refusal(b"7", b"2") + b"\r\n", b"2", None),
        (b"-" + refusal(b"", b"2") + b"\r\n", b"2", None),
        (b"-ERR this is the voter h:1, not h:2\r\n", b"2", None),
        (b"+LINK\r\n", b"2", None),
    ],
)
def test_an_older_version_is_found_in_a_refusal(line: bytes, asked: bytes, older: bytes | None) -> None:
    assert older_version(line, asked) == older


@pytest.mark.parametrize(
    "line",
    [b"-NOAUTH Authentication required.\r\n", b"+LINK\r\n", b"+LINK short mac\r\n", b"", b"+OK\r\n", b"\xff\r\n"],
)
def test_another_answer_is_told_as_it_is(line: bytes) -> None:
    with pytest.raises(BadLink, match="it answers"):
        nonce_of(line)


@pytest.mark.parametrize(
    ("word", "seat"),
    [
        (b"h:1", "h:1"),
        (b"[::1]:7001", "[::1]:7001"),
        (b"::1:7001", None),
        (b"h", None),
        (b":1", None),
        (b"h:", None),
        (b"h:x", None),
        (b"h h:1", None),
        (b"h\n:1", None),
        (b"h" * 400 + b":1", None),
    ],
)
def test_a_seat_is_a_host_and_a_port(word: bytes, seat: str | None) -> None:
    assert seat_of(word) == seat


def test_a_nonce_is_hex_digits() -> None:
    assert is_nonce(b"0123456789abcdef" * 2)
    assert not is_nonce(b"0123456789abcdeF" * 2)
    assert not is_nonce(b"")
