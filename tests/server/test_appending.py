"""What is written when: a server in process whose file is in the test's hands. It fails, writes less, or blocks, and
the order of what it is asked to do and of what clients are told is on record."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import hiredis
import pytest

from pycache_server.server import aof
from pycache_server.server.appendfile import AppendFile
from pycache_server.server.embed import Server

_NOTHING = object()


class Disk:
    """What the files of a server do, and have done."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        """In their order: ``write`` with the bytes, ``sync``, ``cut``."""
        self.room: int | None = None
        """How many bytes still fit, None for any number."""
        self.broken_sync = False
        self.broken_cut = False
        self.may_sync = threading.Event()
        self.may_sync.set()
        self.files: list[TestFile] = []

    def open(self, path: Path) -> AppendFile:
        file = TestFile(path, self)
        self.files.append(file)
        return file

    def written(self) -> bytes:
        return b"".join(what for name, what in self.events if name == "write")

    def names(self) -> list[str]:
        return [name for name, _ in self.events]


class TestFile(AppendFile):
    """A true file with a disk in between that can be told to fail."""

    __test__ = False

    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__(path)
        self._disk = disk

    def _write(self, data: bytes | memoryview) -> int:
        disk = self._disk
        size = len(data) if disk.room is None else min(disk.room, len(data))
        if not size:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = super()._write(data[:size])
        if disk.room is not None:
            disk.room -= written
        disk.events.append(("write", bytes(data[:written])))
        return written

    def sync(self) -> None:
        assert self._disk.may_sync.wait(20)
        if self._disk.broken_sync:
            raise OSError(errno.EIO, "Input/output error")
        super().sync()
        self._disk.events.append(("sync", None))

    def cut(self) -> None:
        if self._disk.broken_cut:
            raise OSError(errno.EIO, "Input/output error")
        super().cut()
        self._disk.events.append(("cut", None))


class Talk:
    """A client, whose replies go on record, too."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, disk: Disk) -> None:
        self._reader = reader
        self._writer = writer
        self._disk = disk
        self._parser = hiredis.Reader(notEnoughData=_NOTHING, encoding="utf-8", errors="surrogateescape")

    def send(self, *words: Any) -> None:
        self._writer.write(hiredis.pack_command(words))

    def send_all(self, commands: list[list[Any]]) -> None:
        """Several, with one write."""
        self._writer.write(b"".join(map(hiredis.pack_command, map(tuple, commands))))

    async def read(self) -> Any:
        while (value := self._parser.gets()) is _NOTHING:
            data = await asyncio.wait_for(self._reader.read(1 << 16), 20)
            if not data:
                raise ConnectionError("closed")
            self._disk.events.append(("reply", data))
            self._parser.feed(data)
        return value

    async def call(self, *words: Any) -> Any:
        self.send(*words)
        return await self.read()

    async def is_silent(self) -> bool:
        """Whether nothing comes, though the server has had turns enough."""
        for _ in range(50):
            await asyncio.sleep(0)
        try:
            await asyncio.wait_for(self.read(), 0.05)
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        self._writer.close()


class Setting:
    """A server, its disk and its clients."""

    def __init__(self, server: Server, disk: Disk) -> None:
        self.server = server
        self.disk = disk
        self.talks: list[Talk] = []
        self.app = server.app
        self.appending = server.app.aof.appending

    async def connect(self) -> Talk:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        talk = Talk(reader, writer, self.disk)
        self.talks.append(talk)
        return talk

    async def until(self, true: Callable[[], Any]) -> None:
        deadline = asyncio.get_running_loop().time() + 20
        while not true():
            assert asyncio.get_running_loop().time() < deadline, "it has not become true"
            await asyncio.sleep(0.005)

    def syncs_are_due(self) -> None:
        """Let the second be over after which everysec syncs."""
        self.appending._sync_begun -= 10


Scene = Callable[[Setting], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    """Runs a scene in a server."""

    def play(scene: Scene, **options: Any) -> None:
        async def run() -> None:
            disk = Disk()
            server = Server(appendonly=True, dir=str(tmp_path), save="", **options)
            await _start(server, disk)
            setting = Setting(server, disk)
            try:
                await scene(setting)
            finally:
                for talk in setting.talks:
                    talk.close()
                disk.may_sync.set()
                disk.room, disk.broken_sync = None, False
                await server.stop()

        asyncio.run(run())

    return play


async def _start(server: Server, disk: Disk) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aof, "AppendFile", disk.open)
        await server.start()
    server.app.aof.open_file = disk.open


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_a_reply_leaves_when_what_it_tells_of_is_written(play: Callable[..., None], policy: str) -> None:
    async def scene(setting: Setting) -> None:
        client, disk = await setting.connect(), setting.disk
        disk.events.clear()
        assert await client.call("SET", "k", "v") == "OK"
        expected = ["write", "sync", "reply"] if policy == "always" else ["write", "reply"]
        assert [name for name in disk.names() if name != "sync" or policy == "always"] == expected
        assert disk.written().endswith(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n")

    play(scene, appendfsync=policy)


def test_a_round_of_the_event_loop_is_written_at_once(play: Callable[..., None]) -> None:
    async def scene(setting: Setting) -> None:
        clients = [await setting.connect() for _ in range(10)]
        await asyncio.gather(*(client.call("PING") for client in clients))
        setting.disk.events.clear()
        for client in clients:
            client.send("INCR", "n")
        assert sorted([await client.read() for client in clients]) == list(range(1, 11))
        names = setting.disk.names()
        assert names.count("sync") == names.count("write") < 10
        assert names.index("reply") > names.index("sync")

    play(scene, appendfsync="always")


def test_reads_pay_nothing_and_pass_at_once(play: Callable[..., None]) -> None:
    async def scene(setting: Setting) -> None:
        client = await setting.connect()
        await client.call("SET", "k", "v")
        setting.disk.events.clear()
        assert await client.call("GET", "k") == "v"
        assert setting.disk.names() == ["reply"]

    play(scene)


def test_a_transaction_is_written_whole_before_its_reply(play: Callable[..., None]) -> None:
    async def scene(setting: Setting) -> None:
        client = await setting.connect()
        await client.call("MULTI")
        await client.call("SET", "a", "1")
        await client.call("SET", "b", "2")
        setting.disk.events.clear()
        await client.call("EXEC")
        assert setting.disk.names() == ["write", "reply"]
        assert b"MULTI" in setting.disk.written() and setting.disk.written().endswith(b"EXEC\r\n")

    play(scene)


def test_a_full_disk_holds_the_reply_and_refuses_writes_until_there_is_room(
    play: Callable[..., None], tmp_path: Path
) -> None:
    async def scene(setting: Setting) -> None:
        client, other = await setting.connect(), await setting.connect()
        await client.call("SET", "k", "0")
        setting.disk.room = 10
        client.send("SET", "k", "1")
        await setting.until(lambda: setting.appending.error is not None)
        assert await client.is_silent()
        refusal = "MISCONF Errors writing to the AOF file: No space left on device"
        for words in (["SET", "j", "1"], ["PING"], ["LPUSH", "l", "x"]):
            assert str(await other.call(*words)) == refusal
        await other.call("MULTI")
        assert str(await other.call("SET", "j", "1")) == refusal
        assert str(await other.call("EXEC")).startswith("EXECABORT")
        assert "MISCONF" in str(await other.call("EVAL", "return redis.call('SET', 'k', '2')", "0"))
        assert str(await other.call("EVAL", "#!lua\nreturn 1", "0")) == refusal
        assert await other.call("EVAL", "return redis.call('GET', 'k')", "0") == "1"
        assert await other.call("GET", "k") == "1"
        assert "aof_last_write_status:err" in await other.call("INFO", "persistence")
        setting.disk.room = None
        assert await client.read() == "OK"
        assert await other.call("SET", "j", "1") == "OK"
        assert "aof_last_write_status:ok" in await other.call("INFO", "persistence")
        assert setting.disk.names().count("cut") >= 1

    play(scene)
    content = (tmp_path / "appendonlydir" / "appendonly.aof.1.incr.aof").read_bytes()
    assert content.count(b"SET") == 3 and content.startswith(b"*2\r\n$6\r\nSELECT")


def test_a_short_write_that_cannot_be_cut_off_is_continued(play: Callable[..., None], tmp_path: Path) -> None:
    async def scene(setting: Setting) -> None:
        client = await setting.connect()
        await client.call("SET", "k", "0")
        setting.disk.room, setting.disk.broken_cut = 7, True
        client.send("SET", "k", "1")
        await setting.until(lambda: setting.appending.error is not None)
        setting.disk.room = None
        assert await client.read() == "OK"

    play(scene)
    content = (tmp_path / "appendonlydir" / "appendonly.aof.1.incr.aof").read_bytes()
    assert content.endswith(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n1\r\n")


def test_while_an_fsync_takes_long_others_write_and_are_answered(play: Callable[..., None]) -> None:
    async def scene(setting: Setting) -> None:
        client, disk = await setting.connect(), setting.disk
        disk.may_sync.clear()
        setting.syncs_are_due()
        assert await client.call("SET", "k", "1") == "OK"
        assert setting.appending.syncing() == 1
        for number in range(20):
            assert await client.call("SET", "k", number) == "OK"
        assert disk.written().endswith(b"$2\r\n19\r\n")
        assert setting.appending.synced < setting.appending.written
        client.send("WAITAOF", "1", "0", "0")
        assert await client.is_silent()
        disk.may_sync.set()
        setting.syncs_are_due()
        assert await client.read() == [1, 0]

    play(scene)


def test_a_failing_fsync_refuses_writes_until_one_succeeds_and_wants_a_rewrite(play: Callable[..., None]) -> None:
    async def scene(setting: Setting) -> None:
        client = await setting.connect()
        setting.disk.broken_sync = True
        setting.syncs_are_due()
        assert await client.call("SET", "k", "1") == "OK"
        await setting.until(lambda: setting.appending.sync_error is not None)
        assert str(await client.call("SET", "k", "2")) == ("MISCONF Errors writing to the AOF file: Input/output error")
        client.send("WAITAOF", "1", "0", "0")
        assert await client.is_silent()
        setting.disk.broken_sync = False
        setting.syncs_are_due()
        assert await client.read() == [1, 0]
        assert not setting.appending.doubtful  # kernels drop what they could not write: a base was written before
        assert await client.call("SET", "k", "2") == "OK"
        await setting.until(lambda: setting.app.aof.rewrites.count == 1 and not setting.appending.doubtful)

    play(scene)


@pytest.mark.parametrize("what", ["write", "sync"])
def test_always_ends_the_server_without_a_reply_where_the_disk_fails(play: Callable[..., None], what: str) -> None:
    async def scene(setting: Setting) -> None:
        client, idle = await setting.connect(), await setting.connect()
        assert await idle.call("PING") == "PONG"
        assert await client.call("SET", "k", "1") == "OK"
        if what == "write":
            setting.disk.room = 3
        else:
            setting.disk.broken_sync = True
        client.send("SET", "k", "2")
        for each in (client, idle):
            with pytest.raises(ConnectionError):
                await each.read()
        await asyncio.wait_for(setting.server.wait_stopped(), 20)

    play(scene, appendfsync="always")


def test_a_client_that_is_killed_never_gets_what_is_held(play: Callable[..., None]) -> None:
    async def scene(setting: Setting) -> None:
        client, other = await setting.connect(), await setting.connect()
        number = await client.call("CLIENT", "ID")
        setting.disk.room = 0
        client.send("SET", "k", "1")
        await setting.until(lambda: setting.appending.error is not None)
        assert await other.call("CLIENT", "KILL", "ID", number) == 1
        setting.disk.room = None
        with pytest.raises(ConnectionError):
            await client.read()

    play(scene)


def test_a_client_that_says_goodbye_gets_what_is_held_first(play: Callable[..., None]) -> None:
    async def scene(setting: Setting) -> None:
        quitting, leaving = await setting.connect(), await setting.connect()
        for client in (quitting, leaving):
            await client.call("PING")
        setting.disk.room = 0
        quitting.send("SET", "k", "1")
        leaving.send("SET", "j", "1")
        await setting.until(lambda: setting.app.outbox.held() == 10)
        quitting.send("QUIT")
        leaving._writer.write_eof()
        assert await quitting.is_silent() and await leaving.is_silent()
        setting.disk.room = None
        assert [await quitting.read(), await quitting.read(), await leaving.read()] == ["OK", "OK", "OK"]
        for client in (quitting, leaving):
            with pytest.raises(ConnectionError):
                await client.read()

    play(scene)


def test_what_is_held_counts_as_output_that_the_client_does_not_read(play: Callable[..., None]) -> None:
    async def scene(setting: Setting) -> None:
        client, other = await setting.connect(), await setting.connect()
        await other.call("CONFIG", "SET", "client-output-buffer-limit", "normal 2mb 0 0")
        await other.call("SET", "big", "x" * 400_000)
        setting.disk.room = 0
        client.send("SET", "k", "1")
        await setting.until(lambda: setting.appending.error is not None)
        for _ in range(3):
            client.send("GET", "big")
        await setting.until(lambda: any(line.full for line in setting.app.outbox.waiting()))
        listed = await other.call("CLIENT", "LIST")
        assert any("omem=4" in line for line in listed.splitlines())
        setting.disk.room = None
        assert await client.read() == "OK"
        assert [len(await client.read()) for _ in range(3)] == [400_000] * 3

    play(scene)


def test_annotations_stand_between_commands_and_are_heard_when_the_file_is_loaded(
    play: Callable[..., None], tmp_path: Path
) -> None:
    async def scene(setting: Setting) -> None:
        client = await setting.connect()
        await client.call("SET", "k", "1")
        setting.appending.note(b"POSITION:7")
        await client.call("SET", "k", "2")
        heard: list[bytes] = []
        setting.app.aof.on_annotation = heard.append
        setting.app.aof.reload()
        assert heard == [b"#POSITION:7"]
        assert await client.call("GET", "k") == "2"

    play(scene)
    assert b"\r\n#POSITION:7\r\n*3" in (tmp_path / "appendonlydir" / "appendonly.aof.1.incr.aof").read_bytes()


def test_a_rewrite_under_load_loses_nothing(play: Callable[..., None], tmp_path: Path) -> None:
    async def scene(setting: Setting) -> None:
        client, other = await setting.connect(), await setting.connect()
        for number in range(300):
            await client.call("RPUSH", "l", number)
            if number % 100 == 50:
                await other.call("BGREWRITEAOF")
        await setting.until(lambda: setting.app.aof.rewrites.begun is None)
        setting.app.aof.reload()
        assert await client.call("LRANGE", "l", "0", "-1") == list(map(str, range(300)))

    play(scene)
