"""What operators see and set of clients that cache: INFO, CLIENT LIST, tracking-table-max-keys."""

from __future__ import annotations

from pathlib import Path

from tests.server.running import Running


def test_figures_and_the_limit_of_the_table(tmp_path: Path) -> None:
    with Running(tmp_path, "--tracking-table-max-keys", "100") as server, server.connect() as reader:
        reader.call("HELLO", 3)
        reader.call("CLIENT", "TRACKING", "ON")
        with server.connect() as listener:
            listener.call("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a", "PREFIX", "b")
            reader.call("MGET", *range(10))
            assert server.info("clients")["tracking_clients"] == "2"
            stats = server.info("stats")
            assert [stats[f"tracking_total_{name}"] for name in ("keys", "items", "prefixes")] == ["10", "10", "2"]
            assert "flags=tB " in server.call("CLIENT", "LIST")
            assert server.call("CONFIG", "SET", "tracking-table-max-keys", 3) == "OK"
            told = {reader.read()[1][0] for _ in range(7)}
            assert told < set(map(str, range(10)))
            assert server.info("stats")["tracking_total_keys"] == "3"
        assert server.call("CONFIG", "GET", "tracking-table-max-keys") == ["tracking-table-max-keys", "3"]


def test_a_broadcast_comes_before_what_is_asked_after_the_change(tmp_path: Path) -> None:
    with Running(tmp_path) as server, server.connect() as reader, server.connect() as writer:
        reader.call("HELLO", 3)
        reader.call("CLIENT", "TRACKING", "ON", "BCAST")
        for _ in range(100):
            writer.call("INCR", "key")
            assert reader.call("PING") == ["invalidate", ["key"]]
            assert reader.read() == "PONG"


def test_who_wants_no_news_of_its_own_hears_of_what_the_table_gives_up(tmp_path: Path) -> None:
    with Running(tmp_path) as server, server.connect() as reader:
        reader.call("HELLO", 3)
        reader.call("CLIENT", "TRACKING", "ON", "NOLOOP")
        reader.call("MGET", "a", "b")
        reader.send(b"CONFIG SET tracking-table-max-keys 1\r\n")
        found = [reader.read(), reader.read()]
        assert "OK" in found
        assert [each for each in found if each != "OK"] in ([["invalidate", ["a"]]], [["invalidate", ["b"]]])
