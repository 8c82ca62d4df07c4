"""The messages of a link as bytes: what is written is read again, however it is cut, and nothing else is."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycache_server.election.position import Position
from pycache_server.repl import entries, link_wire
from pycache_server.repl.link_wire import BadLink, Here, LinkReader, Piece, There, Whole, encode
from pycache_server.repl.links import Ack, Append, Continue, Image, Pull, Pulled, Refusal, Stand, Sync

numbers = st.integers(0, link_wire.MOST_NUMBER)
seats = st.from_regex(r"[a-z0-9.\-]{1,20}:[0-9]{1,5}", fullmatch=True)
writes = st.builds(entries.write, numbers, st.binary(min_size=1, max_size=60))
some_entries = st.lists(
    st.one_of(
        writes,
        st.builds(entries.beat, numbers),
        st.builds(entries.mark, numbers, seats, st.from_regex(r"[0-9a-f]{40}", fullmatch=True)),
        st.builds(entries.voters, numbers, st.lists(seats, min_size=1, max_size=5).map(tuple)),
    ),
    max_size=5,
).map(tuple)
tables = st.lists(st.tuples(numbers, numbers), max_size=6).map(
    lambda rows: tuple(zip(sorted({row[0] for row in rows}), sorted({row[1] for row in rows}), strict=False))
)
messages = st.one_of(
    st.builds(Sync, numbers, tables, numbers, numbers, st.booleans(), st.booleans()),
    st.builds(Continue, numbers, numbers, some_entries, numbers),
    st.builds(
        lambda table, more, voters, four: Image(
            four[0], table, (table[-1][1] if table else 0) + more, voters, *four[1:]
        ),
        tables.filter(lambda rows: not rows or rows[-1][1] < link_wire.MOST_NUMBER // 2),
        st.integers(0, 1000),
        st.lists(seats, min_size=1, max_size=5).map(tuple),
        st.tuples(numbers, numbers, numbers, numbers, numbers),
    ),
    st.builds(Append, numbers, numbers, some_entries, numbers),
    st.builds(Append, numbers, numbers, st.tuples(writes), numbers),
    st.builds(Stand, numbers),
    numbers.map(Ack),
    st.tuples(numbers, numbers).map(lambda two: Ack(max(two), min(two))),
    st.builds(Refusal, numbers),
    st.builds(Pull, tables, numbers, numbers),
    st.builds(Pulled, st.builds(Position, numbers, numbers), numbers, some_entries),
    st.builds(Piece, st.binary(min_size=1, max_size=100)),
    st.sampled_from([Here(), There(), Whole()]),
)


def read(data: bytes) -> list[Any]:
    return list(LinkReader().feed(data))


@settings(deadline=None)
@given(st.lists(messages, max_size=6))
def test_what_is_written_is_read(said: list[Any]) -> None:
    assert read(b"".join(encode(message) for message in said)) == said


@settings(deadline=None)
@given(st.lists(messages, min_size=1, max_size=4), st.data())
def test_it_does_not_matter_how_the_bytes_are_cut(said: list[Any], data: st.DataObject) -> None:
    whole = b"".join(encode(message) for message in said)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    reader, found = LinkReader(), []
    for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += reader.feed(whole[begin:end]) if end > begin else []
    assert found == said


@settings(max_examples=40, deadline=None)
@given(messages)
def test_a_message_that_is_cut_short_is_none_yet(message: Any) -> None:
    whole = encode(message)
    for end in range(1, len(whole)):
        assert read(whole[:end]) == []


@settings(deadline=None)
@given(messages, st.data())
def test_one_byte_that_is_another_never_does_harm(message: Any, data: st.DataObject) -> None:
    whole = bytearray(encode(message))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(whole))
    except BadLink:
        return
    for each in found:  # what is taken for a message is exactly one
        assert read(encode(each)) == [each]


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=200))
def test_garbage_is_refused_or_waits_for_more(data: bytes) -> None:
    with contextlib.suppress(BadLink):
        assert read(data) == []


def array(*words: bytes | int) -> bytes:
    return link_wire._array(words[0], *words[1:])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        b"+OK\r\n",
        b":5\r\n",
        b"$3\r\nack\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"%1\r\n+ack\r\n:1\r\n",
        b"*1\r\n:5\r\n",
        b"*1\r\n*1\r\n:5\r\n",
        b"-ERR no\r\n",
        b"*2\r\n$3\r\nack\r\n-ERR x\r\n",
        b"*2\r\n$3\r\nack\r\n#t\r\n",
        b"*2\r\n$3\r\nack\r\n,1.5\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        array(b"unknown", 1),
        array(b"ack"),
        array(b"ack", 1, 2),
        array(b"ack", 1, -1),
        array(b"ack", 1, b"1"),
        array(b"ack", 1, 1, 1),
        array(b"ack", -1),
        array(b"ack", b"1"),
        array(b"here", 1),
        array(b"whole", b"x"),
        array(b"piece"),
        array(b"piece", b""),
        array(b"piece", 1),
        array(b"piece", b"a", b"b"),
        array(b"stand", b"a"),
        array(b"append", 1, 2),
        array(b"append", 1, 2, 3, 4, b"w"),
        array(b"append", 1, 2, 3, 4, b"w", b""),
        array(b"append", 1, 2, 3, 4, b"x", b"data"),
        array(b"append", 1, 2, 3, -4, b"w", b"data"),
        array(b"append", 1, -2, 3, 4, b"w", b"data"),
        array(b"append", 1, 2, 3, b"4", b"w", b"data"),
        array(b"append", 1, 2, 3, 4, b"w", 5),
        array(b"append", 1, 2, 3, 4, 5, b"data"),
        array(b"append", 1, 2, 3, 4, b"b", b"data"),
        array(b"append", 1, 2, 3, 5, b"b", entries.beat(4).data),
        array(b"append", 1, 2, 3, 4, b"m", entries.beat(4).data),
        array(b"append", 1, 2, 3, 4, b"b", entries.beat(4).data + b"\r\n"),
        array(b"append", 1, 2, 3, 4, b"v", entries.voters(4, ("a:1",)).data.replace(b"a:1", b"\xff:1")),
        array(b"sync", 1, 2, 3, 4),
        array(b"sync", 1, 2, 3, 1, 5),
        array(b"sync", 1, 2, 3, 1, 5, 1, 4, 2),
        array(b"sync", 1, 2, 3, 1, 5, 2, 6, 2),
        array(b"sync", 1, 2, 3, 1, 5, b"2"),
        array(b"pull", 1),
        array(b"image", 1, 2, 3, 4, 5, 6),
        array(b"image", 1, 2, 3, 4, 5, 6, 1, 1),
        array(b"image", 1, 2, 3, 4, 5, 6, 0, 1),
        array(b"image", 1, 2, 3, 4, 5, 6, 0, b""),
        array(b"image", 1, 2, 3, 4, 5, 6, 0, b"\xff"),
        array(b"image", 1, 2, 3, 4, 5, 6, 2**62, b"a:1"),
        array(b"image", 1, 2, 3, 4, 5, 6, 0),
        array(b"image", 1, 2, 3, 4, 5, 6, 1, 1, 3, b"a:1"),
        array(b"refusal", 2**62 + 1),
        array(b"stand", 2**63 - 1),
        array(b"sync", 2**62 + 1, 2, 3, 1),
        array(b"sync", 1, 2, 3, 1, 2**62 + 1, 5),
        array(b"append", 2**62 + 1, 2, 3, 4, b"w", b"data"),
        b"*2000000000\r\n" if link_wire.reader_of(1) is not None else b"+OK\r\n",
    ],
)
def test_what_is_not_exactly_a_message_is_refused(data: bytes) -> None:
    with pytest.raises(BadLink):
        read(data)


def test_an_acknowledgement_of_nothing_on_the_disk_is_that_of_version_1() -> None:
    assert encode(Ack(5)) == b"*2\r\n$3\r\nack\r\n:5\r\n"
    assert encode(Ack(5, 4)) == b"*3\r\n$3\r\nack\r\n:5\r\n:4\r\n"
    assert read(array(b"ack", 5, 0)) == [Ack(5)]


def test_a_message_without_an_end_is_refused_in_time() -> None:
    reader = LinkReader(100_000)
    reader.feed(b"*2\r\n$5\r\npiece\r\n$200000\r\n")
    assert reader.feed(b"x" * 99_000) == []
    with pytest.raises(BadLink, match="too long"):
        reader.feed(b"x" * 5000)


def test_a_reader_knows_how_much_waits() -> None:
    reader = LinkReader()
    data = encode(Append(1, 2, (entries.write(1, b"x" * 1000),), 0))
    assert reader.feed(data[:500]) == [] and reader.waiting == 500
    assert len(reader.feed(data[500:])) == 1 and reader.waiting == 0
