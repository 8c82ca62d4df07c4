"""Servers in a program: on its event loop, in a thread, several at once."""

from __future__ import annotations

import asyncio
import gc
import os
import threading

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from pycache_server import Server, ThreadedServer
from pycache_server.session.session import Session
from pycache_server.settings.config import ConfigError


def test_a_server_runs_on_the_program_s_own_loop() -> None:
    async def program() -> None:
        async with Server() as server:
            client = redis.asyncio.Redis(port=server.port)
            await client.set("a", 1)
            assert await client.get("a") == b"1"
            assert server.url == f"redis://127.0.0.1:{server.port}/0"
            await client.aclose()

    asyncio.run(program())


def test_a_server_runs_in_a_thread() -> None:
    with ThreadedServer(maxmemory="10mb", databases=3, notify_keyspace_events="KEA") as server:
        client = redis.Redis(port=server.port)
        assert client.config_get("maxmemory") == {"maxmemory": "10485760"}
        assert client.config_get("databases") == {"databases": "3"}
        client.set("a", 1)
        client.close()
    with pytest.raises(RuntimeError):
        _ = server.port


def test_servers_do_not_disturb_each_other() -> None:
    with ThreadedServer() as one, ThreadedServer(requirepass="secret") as other:
        first, second = redis.Redis(port=one.port), redis.Redis(port=other.port, password="secret")
        first.set("a", "one")
        second.set("a", "other")
        assert first.get("a") == b"one"
        assert second.get("a") == b"other"
        assert first.info("server")["run_id"] != second.info("server")["run_id"]
        first.config_resetstat()
        assert second.info("commandstats")["cmdstat_set"]["calls"] == 1
        second.config_set("slowlog-max-len", 7)
        assert first.config_get("slowlog-max-len") == {"slowlog-max-len": "128"}
        first.flushall()
        assert second.dbsize() == 1
        first.close()
        second.close()


def test_a_program_keeps_its_collector_and_its_directory() -> None:
    before, directory = gc.isenabled(), os.getcwd()
    with ThreadedServer(dir="/"):
        assert gc.isenabled() == before
        assert os.getcwd() == directory


def test_a_wrong_option_is_an_error_at_once() -> None:
    with pytest.raises(ConfigError):
        ThreadedServer(maxmemory="much").start()
    with pytest.raises(ConfigError):
        Server(no_such_directive=1)


def test_a_port_that_is_taken_is_an_error_at_once() -> None:
    with ThreadedServer() as server, pytest.raises(OSError, match="listening"):
        ThreadedServer(port=server.port).start()


def test_a_client_can_shut_it_down() -> None:
    server = ThreadedServer()
    server.start()
    client = redis.Redis(port=server.port, socket_timeout=5, retry=Retry(NoBackoff(), 0))
    with pytest.raises(redis.ConnectionError):
        client.execute_command("SHUTDOWN")
    client.close()
    server.stop()


def test_it_may_be_stopped_while_its_thread_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    closed, goes_on = threading.Event(), threading.Event()

    class Ending(ThreadedServer):
        def _run(self) -> None:
            super()._run()
            closed.set()
            goes_on.wait(20)

    server = Ending()
    server.start()
    client = redis.Redis(port=server.port, socket_timeout=5, retry=Retry(NoBackoff(), 0))
    with pytest.raises(redis.ConnectionError):
        client.execute_command("SHUTDOWN")
    client.close()
    assert closed.wait(20)
    thread = server._thread
    assert thread is not None
    wait = thread.join

    def join() -> None:
        goes_on.set()
        wait()

    monkeypatch.setattr(thread, "join", join)
    server.stop()
    assert not thread.is_alive()
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.port


def test_it_can_be_started_again() -> None:
    server = ThreadedServer()
    for _ in range(3):
        with server:
            client = redis.Redis(port=server.port)
            assert client.ping()
            assert client.dbsize() == 0
            client.set("a", 1)
            client.close()


def sessions() -> int:
    return sum(type(each) is Session for each in gc.get_objects())


def test_a_connection_that_has_ended_leaves_no_cycle_behind() -> None:
    async def program() -> int:
        async with Server() as server:
            before = sessions()
            for ending in (b"", b"QUIT\r\n", b"*1\r\n+x\r\n", b"nope\r\n", b"BLPOP l 0\r\n", b"MULTI\r\nGET x\r\n"):
                reader, writer = await asyncio.open_connection(server.host, server.port)
                writer.write(b"PING\r\nSUBSCRIBE c\r\nRESET\r\n" + ending)
                await reader.readuntil(b"+RESET\r\n")
                writer.close()
                await writer.wait_closed()
            while server.app.core.sessions:
                await asyncio.sleep(0.01)
            del reader, writer
            await asyncio.sleep(0.01)
            return sessions() - before

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(program()) == 0
    finally:
        gc.enable()
