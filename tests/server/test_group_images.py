"""Images on links: made once for several, sent while others are served, received into a file, and never half."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pycache_server.entry import NEVER
from pycache_server.persist.saving import save
from pycache_server.rdb.reader import BadData
from pycache_server.repl.entries import write
from pycache_server.repl.group_log import GroupLog
from pycache_server.repl.link_wire import Here, Piece, There, Whole, encode
from pycache_server.repl.links import Ack, Append, Image, Link, Refusal, Stand
from pycache_server.server import intake
from pycache_server.server.group import pictures as pictures_module
from pycache_server.server.group.pictures import PictureFile, Pictures
from pycache_server.server.group.received import Received
from pycache_server.session.core import OutputLimit
from pycache_server.store.events import UNHEARD
from tests.server.group_voters import Raw, Voter, run, until, voters
from tests.server.test_group_links import SYNC, append, followed, joined, proved

VOTERS = ("a:1", "b:1", "c:1")


def image_of(data: Any, end: int = 90, size: int = 0) -> Image:
    return Image(3, ((3, 0),), end, VOTERS, 100, 0, 80, data)


class OneFile(PictureFile):
    """A picture made by the test."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, 3, lambda file: None)

    def make(self, content: bytes, end: int = 90) -> OneFile:
        self.path.write_bytes(content)
        self.table, self.end, self.voters = ((3, 0),), end, VOTERS
        self.settle("")
        return self


def content(received: Received) -> bytes:
    assert received.received == received.size
    return bytes(received._whole())


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# On links


@pytest.mark.parametrize("save", ["", "3600 1"])
def test_an_image_arrives_with_what_was_said_behind_it(tmp_path: Path, save: str) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            a.app.settings.values["save"] = ((3600, 1),) if save else ()
            link, there = await joined(a, b)
            data = bytes(range(256)) * 20_000
            b.links.say(there, append(0))
            b.links.say(there, image_of(OneFile(tmp_path / "picture").make(data)))
            behind = [append(90 + place) for place in range(500)]
            for message in behind:
                b.links.say(there, message)
            await until(lambda: a.messages(Image))
            image = a.messages(Image)[0]
            assert a.messages()[:2] == [append(0), image]
            assert image == image_of(image.data)
            assert (image.data._path is not None) == bool(save)
            assert content(image.data) == data
            a.links.go_on(link)
            await until(lambda: len(a.said) == 502)
            assert a.messages()[2:] == behind
            assert set(a.progress) == {link}
            image.data.close()

    run(program())


def test_nothing_is_heard_while_an_image_is_loaded_but_the_other_end_is_told_that_one_is_there(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, there = await joined(a, b)
            b.links.say(there, image_of(OneFile(tmp_path / "picture").make(b"data")))
            b.links.say(there, append(90))
            await until(lambda: a.messages(Image))
            begin = len(b.messages(Here))
            await until(lambda: len(b.messages(Here)) > begin + 2)
            assert not a.messages(Append)
            a.links.go_on(link)
            await until(lambda: a.messages(Append))
            a.links.go_on(link)
            a.links.go_on(Link("nobody:1", 9, True))

    run(program())


def test_an_empty_data_set_is_an_image_too(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            _, there = await joined(a, b)
            b.links.say(there, image_of(OneFile(tmp_path / "picture").make(b"")))
            await until(lambda: a.messages(Image))
            assert content(a.messages(Image)[0].data) == b""

    run(program())


def test_an_image_that_is_being_made_is_waited_for(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, there = await joined(a, b)
            picture = OneFile(tmp_path / "picture")
            b.links.say(there, image_of(picture))
            b.links.say(there, append(90))
            await until(lambda: len(a.progress) >= 2 and b.messages(Here))
            assert not a.said
            picture.make(b"made at last")
            await until(lambda: a.messages(Image))
            assert content(a.messages(Image)[0].data) == b"made at last"
            a.links.go_on(link)
            await until(lambda: a.messages(Append))

    run(program())


def test_an_image_of_a_later_moment_leaves_out_what_it_shows_already(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, there = await joined(a, b)
            picture = OneFile(tmp_path / "picture")
            b.links.say(there, image_of(picture, end=90))
            b.links.say(there, Append(3, 90, (write(3, b"0" * 10),), 0))
            b.links.say(there, Append(3, 100, (write(3, b"1" * 10), write(3, b"2" * 10)), 0))
            b.links.say(there, Append(3, 120, (write(3, b"3" * 10),), 0))
            b.links.say(there, Stand(3))
            picture.make(b"later", end=110)
            await until(lambda: a.messages(Image))
            assert a.messages(Image)[0].end == 110
            a.links.go_on(link)
            await until(lambda: a.messages(Stand))
            assert a.messages(Append) == [
                Append(3, 110, (write(3, b"2" * 10),), 0),
                Append(3, 120, (write(3, b"3" * 10),), 0),
            ]

    run(program())


@pytest.mark.parametrize("when", ["before", "after"])
def test_where_no_image_can_be_made_the_link_ends_and_says_why(tmp_path: Path, when: str) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, there = await joined(a, b)
            picture = OneFile(tmp_path / "picture")
            if when == "before":
                picture.settle("no room")
            b.links.say(there, image_of(picture))
            if when == "after":
                await until(lambda: a.progress)
                picture.settle("no room")
            await until(lambda: a.lost == [link] and b.lost == [there])
            assert b.log.have("no image can be sent: no room")
            assert not a.said and picture.users == 0

    run(program())


def test_a_file_that_has_gone_or_become_shorter_ends_the_link(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, there = await joined(a, b)
            picture = OneFile(tmp_path / "gone").make(b"data")
            picture.remove()
            b.links.say(there, image_of(picture))
            await until(lambda: a.lost == [link])
            _, there = await joined(a, b)
            picture = OneFile(tmp_path / "shorter").make(b"data")
            picture.path.write_bytes(b"d")
            b.links.say(there, image_of(picture))
            await until(lambda: len(a.lost) == 2)
            assert b.log.have("its file has become shorter")

    run(program())


def test_a_link_that_ends_within_an_image_leaves_no_file_and_nobody_waiting(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            a.app.settings.values["save"] = ((3600, 1),)
            link, there = await joined(a, b)
            picture = OneFile(tmp_path / "picture").make(b"x" * 50_000_000)
            b.links.say(there, image_of(picture))
            await until(lambda: any(name.startswith("temp-") for name in files(tmp_path)))
            b.links.close(there)
            await until(lambda: a.lost == [link])
            assert files(tmp_path) == ["picture"]
            assert picture.users == 0 and not a.said

    run(program())


def test_an_image_that_nobody_installs_goes_with_the_last_that_knows_it(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            a.app.settings.values["save"] = ((3600, 1),)
            _, there = await joined(a, b)
            b.links.say(there, image_of(OneFile(tmp_path / "picture").make(b"data")))
            await until(lambda: a.messages(Image))
            assert len(files(tmp_path)) == 2
            a.said.clear()
            assert files(tmp_path) == ["picture"]

    run(program())


HEAD = encode(image_of(5))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (HEAD + HEAD, "within another one"),
        (encode(Piece(b"abc")), "a piece of no image"),
        (encode(Whole()), "not whole"),
        (HEAD + encode(Whole()), "not whole"),
        (HEAD + encode(Piece(b"abc")) + encode(Whole()), "not whole"),
        (HEAD + encode(Piece(b"abcdef")), "longer"),
        (HEAD + encode(Ack(1)), "among the pieces"),
    ],
)
def test_an_image_that_is_none_ends_the_link(tmp_path: Path, data: bytes, problem: str) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            a.app.settings.values["save"] = ((3600, 1),)
            raw = await followed(a)
            raw.send(data)
            assert await raw.is_closed()
            await until(lambda: a.lost)
            assert a.log.have(problem)
            assert files(tmp_path) == []

    run(program())


def test_who_follows_sends_no_images(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            a.app.settings.values["save"] = ((3600, 1),)
            raw = await proved(a)
            raw.send(encode(SYNC) + HEAD + encode(Piece(b"abc")))
            assert await raw.is_closed()
            await until(lambda: a.lost)
            assert a.log.have("an image comes from who has asked for the stream")
            assert files(tmp_path) == []

    run(program())


def test_of_an_image_in_memory_what_is_too_large_for_it_goes_on_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MOST_IN_MEMORY", 10_000)

    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            a.app.core.keyspace.databases[0].place(b"k", random.randbytes(50_000), NEVER, UNHEARD)
            data = b"".join(save(a.app.core.keyspace)) + b"x"
            received = Received(a.app, len(data), True)
            for place in range(0, len(data), 4000):
                received.take(data[place : place + 4000])
                assert sum(map(len, received._parts)) <= 10_000
                assert len(files(tmp_path)) == (place + 4000 > 10_000)
            with pytest.raises(BadData, match="something follows the end of the file"):
                list(received.load())
            received.close()
            assert files(tmp_path) == []

    run(program())


def test_what_a_full_disk_does_not_take_can_be_given_up(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path, 1) as (a,):
            received = Received(a.app, 100_000, False)
            received.take(b"x" * 10)
            received._stream.close()
            received._stream = Path("/dev/full").open("wb")  # noqa: SIM115
            received.take(b"x" * 10)  # which waits to be written
            received.close()
            assert files(tmp_path) == []

    run(program())


def test_a_disk_that_is_full_ends_the_link_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Received, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            a.app.settings.values["save"] = ((3600, 1),)
            link, there = await joined(a, b)
            monkeypatch.setattr(Received, "take", full)
            b.links.say(there, image_of(OneFile(tmp_path / "picture").make(b"data")))
            await until(lambda: a.lost == [link])
            assert a.log.have("Write error or short write writing to the file of an image: No space left on device")
            a.app.settings.values["dir"] = str(tmp_path / "no such directory")
            _, there = await joined(a, b)
            b.links.say(there, image_of(OneFile(tmp_path / "picture").make(b"data")))
            await until(lambda: len(a.lost) == 2)
            assert a.log.have("Opening the temp file needed for an image: No such file")
            assert files(tmp_path) == ["picture"]

    run(program())


def test_what_waits_behind_an_image_is_bounded(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, there = await joined(a, b)
            b.app.core.output_limits["slave"] = OutputLimit(1 << 20, 0, 0)
            b.app.core.replication.backlog_size = 0
            picture = OneFile(tmp_path / "picture")
            b.links.say(there, image_of(picture))
            b.links.say(there, append(90, b"x" * (1 << 20)))
            b.links.say(there, append(90 + (1 << 20), b"x" * (1 << 20)))
            await until(lambda: a.lost == [link] and b.lost == [there])
            assert picture.users == 0

    run(program())


# Pictures


class Pictured:
    """A voter that leads, as far as pictures know."""

    def __init__(self, voter: Voter) -> None:
        self.voter = voter
        self.core = voter.app.core
        self.log = GroupLog(VOTERS)
        self.seals = 0
        self.pictures = Pictures(voter.app, lambda: self.log, self.seal)
        self.core.replication.keep_backlog()
        self.execute(b"*1\r\n$4\r\nPING\r\n")
        self.seal()

    def execute(self, data: bytes) -> None:
        """What clients have changed, which is no entry yet."""
        self.core.replication.leading.append(data)

    def seal(self) -> None:
        self.seals += 1
        missing = self.core.replication.history.offset - self.log.end
        if missing:
            self.log.append(write(3, b"x" * missing))


@contextlib.asynccontextmanager
async def pictured(directory: Path, **options: str) -> AsyncIterator[Pictured]:
    async with voters(directory, 1, **options) as (voter,):
        raw = await Raw.to(voter)
        raw.say(b"SET", b"key", b"value")
        assert await raw.line() == b"+OK\r\n"
        yield Pictured(voter)


def test_a_picture_shows_where_the_history_ends_and_is_shared(tmp_path: Path) -> None:
    async def program() -> None:
        async with pictured(tmp_path) as leader:
            first = leader.pictures.take(3, 0)
            second = leader.pictures.take(3, first.end)
            assert first == second
            assert (first.table, first.end, first.voters) == (leader.log.epochs.table, leader.log.end, VOTERS)
            await until(lambda: first.data.is_complete)
            assert leader.pictures.take(3, 0).data is first.data
            assert first.data.path.read_bytes().startswith(b"REDIS")
            leader.pictures._check()

    run(program())


def test_a_picture_of_another_epoch_or_too_old_is_not_shared(tmp_path: Path) -> None:
    async def program() -> None:
        async with pictured(tmp_path) as leader:
            first = leader.pictures.take(3, 0).data
            await until(lambda: first.is_complete)
            leader.execute(b"x" * 10)
            leader.seal()
            second = leader.pictures.take(3, leader.log.end).data
            assert second is not first
            await until(lambda: second.is_complete)
            assert not first.path.exists()
            assert leader.pictures.take(4, 0).data is not second

    run(program())


def test_a_picture_goes_when_it_is_old_and_nobody_sends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures_module, "FRESH", 0.05)

    async def program() -> None:
        async with pictured(tmp_path) as leader:
            unused = leader.pictures.take(3, 0).data
            await until(lambda: unused.is_complete and not unused.path.exists())
            used = leader.pictures.take(3, 0).data
            used.hold()
            await until(lambda: used.is_complete and leader.pictures._last is None)
            assert used.path.exists()
            used.release()
            assert files(tmp_path) == []

    run(program())


def test_a_picture_waits_for_another_snapshot_and_shows_a_later_moment(tmp_path: Path) -> None:
    async def program() -> None:
        async with pictured(tmp_path, snapshot_method="slices") as leader:
            other = leader.voter.app.snapshots.start(lambda data: None, "RDB", lambda snapshot: None)
            other.pause()
            picture = leader.pictures.take(3, 0)
            picture.data.hold()
            assert picture.end == leader.log.end
            leader.execute(b"x" * 10)
            again = leader.pictures.take(3, 0)
            assert again.data is picture.data and again.end == picture.end
            other.resume()
            await until(lambda: picture.data.is_complete)
            assert picture.data.end == picture.end + 10 == leader.log.end
            picture.data.release()

    run(program())


def test_a_picture_is_not_begun_while_the_keyspace_is_ahead_of_the_history(tmp_path: Path) -> None:
    async def program() -> None:
        async with pictured(tmp_path) as leader:
            leader.execute(b"x" * 10)
            picture = leader.pictures.take(3, 0)
            picture.data.hold()
            assert leader.voter.app.snapshots.running is None
            await until(lambda: picture.data.is_complete)
            assert leader.seals and picture.data.end == picture.end + 10
            picture.data.release()

    run(program())


def test_a_picture_that_nobody_waits_for_is_given_up(tmp_path: Path) -> None:
    async def program() -> None:
        async with pictured(tmp_path, snapshot_method="slices") as leader:
            snapshots = leader.voter.app.snapshots
            picture = leader.pictures.take(3, 0).data
            picture.hold()
            assert snapshots.running is not None
            snapshots.running.pause()
            picture.release()
            await until(lambda: snapshots.running is None)
            assert picture.problem and not leader.voter.log.have("has failed")
            waits = leader.pictures.take(3, 0).data
            leader.pictures.forget()
            await until(lambda: snapshots.running is None)
            assert waits.problem
            assert files(tmp_path) == []

    run(program())


def test_a_picture_that_fails_is_told_to_who_waits(tmp_path: Path) -> None:
    async def program() -> None:
        async with pictured(tmp_path) as leader:
            leader.voter.app.settings.values["dir"] = str(tmp_path / "nowhere")
            picture = leader.pictures.take(3, 0).data
            told: list[None] = []
            picture.when_made(lambda: told.append(None))
            await until(lambda: picture.problem)
            assert leader.voter.log.have("A picture of the data set for followers")
            leader.voter.app.settings.values["dir"] = str(tmp_path)
            again = leader.pictures.take(3, 0).data
            assert again is not picture
            await until(lambda: again.is_complete)

    run(program())


def test_a_picture_is_sent_to_two_followers_that_come_one_after_the_other(tmp_path: Path) -> None:
    async def program() -> None:
        async with pictured(tmp_path) as leader, voters(tmp_path, 2) as (b, c):
            found = []
            for follower in (b, c):
                leader.voter.said.clear()
                _, there = await joined(follower, leader.voter)
                picture = leader.pictures.take(3, 0)
                leader.voter.links.say(there, image_of(picture.data, picture.end))
                found.append(follower)
            for follower in found:
                await until(lambda follower=follower: follower.messages(Image))
            first, second = (content(follower.messages(Image)[0].data) for follower in found)
            assert first == second and first.startswith(b"REDIS")

    run(program())


def test_signs_of_life_are_written_whole_whatever_else_is_sent(tmp_path: Path) -> None:
    async def program() -> None:
        async with voters(tmp_path) as (a, b):
            link, there = await joined(a, b)
            for _ in range(50):
                b.links.say(there, There())
                a.links.say(link, Refusal(1))
                await asyncio.sleep(0)
            await until(lambda: len(b.messages(Refusal)) == 50 and len(a.progress) == 50)

    run(program())
