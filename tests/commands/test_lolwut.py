"""LOLWUT draws what Redis draws, where chance has no part in it; and in its style where it has."""

from __future__ import annotations

import re
from itertools import product

import pytest

from pycache_server import REDIS_VERSION
from tests.conftest import RealRedis
from tests.differential.oracle import Real
from tests.peers import AnyClient, Client, Ours, error_of

COLOURS = {"0;30;40", "0;90;100", "0;37;47", "0;97;107"}


def picture(client: Client, *words: object) -> list[str]:
    return str(client.call("LOLWUT", "VERSION", *words)).split("\n")


@pytest.mark.parametrize("words", [(), ("VERSION",), ("VERSION", 7), ("VERSION", 50), ("VERSION", -1), ("x", "y", "z")])
def test_other_versions_have_no_art(client: AnyClient, words: tuple[object, ...]) -> None:
    assert re.fullmatch(r"Redis ver\. [0-9.]+\n", client.call("LOLWUT", *words))


@pytest.mark.parametrize(
    "words", [("VERSION", "x"), ("VERSION", 5, "x"), ("VERSION", 5, 1, "x"), ("VERSION", 6, 1, "x"), ("VERSION", "")]
)
def test_sizes_are_numbers(client: AnyClient, words: tuple[object, ...]) -> None:
    assert error_of(client.call("LOLWUT", *words)) == "ERR value is not an integer or out of range"


@pytest.mark.interop
def test_rows_in_order_are_drawn_as_by_redis(real_redis: RealRedis) -> None:
    real, ours = Real(real_redis.port, 2), Ours().connect(decode=False)
    for sizes in product([0, 1, 2, 3, 7, 10, 66, 333, 2000], [-1, 1, 2, 3, 9, 50, 999], [0, 1, 2]):
        argv = [b"LOLWUT", b"VERSION", b"5", *(b"%d" % size for size in sizes)]
        mine, theirs = (call.rpartition(b" ver. ")[0] for call in (ours.call(*argv), real.call(argv)))
        if mine != theirs:
            break
    real.close()
    assert mine == theirs, sizes


def test_squares_get_into_disorder(our_client: Client) -> None:
    first, second = picture(our_client, 5), picture(our_client, 5)
    assert first[:7] == second[:7]
    assert first[10:] != second[10:]
    assert {len(line) for line in first[:48]} == {66}
    assert first[-2] == f"Georg Nees - schotter, plotter on paper, 1968. Redis ver. {REDIS_VERSION}"


def test_a_picture_is_not_larger_than_the_server_can_draw_at_once(our_client: Client) -> None:
    assert len("\n".join(picture(our_client, 5, 1000, 1, 200))) < 3_000_000


@pytest.mark.parametrize(("words", "columns", "rows"), [((), 80, 20), ((30, 10), 30, 10), ((0, -5), 1, 1)])
def test_a_town_at_night(client: AnyClient, words: tuple[int, ...], columns: int, rows: int) -> None:
    lines = str(client.call("LOLWUT", "VERSION", 6, *words)).split("\n")
    for line in lines[:rows]:
        pixels = re.findall("\x1b\\[([0-9;]+)m \x1b\\[0m", line)
        assert len(pixels) == columns
        assert COLOURS.issuperset(pixels)
    assert lines[rows:] == [
        "Dedicated to the 8 bit game developers of past and present.",
        lines[-2],
        "",
    ]
    assert lines[-2].startswith("Original 8 bit image from Plaguemon by hikikomori. Redis ver. ")


def test_a_picture_is_verbatim(client: AnyClient) -> None:
    client.call("HELLO", 3)
    client.raw = b""
    client.call("LOLWUT")
    assert re.match(rb"=2\d\r\ntxt:Redis ver\. ", client.raw)
