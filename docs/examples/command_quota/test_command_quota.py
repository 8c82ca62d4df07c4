"""How commands of one's own are tested: in this process, in a time that stands still unless the test moves it."""

from pycache_server.testing import World


def test_a_quota_is_used_up_and_comes_back() -> None:
    world = World(commands=["command_quota"])
    client = world.connect()
    assert client.call("QUOTA.TAKE", "user:7", 3, 60) == 2
    assert client.call("QUOTA.TAKE", "user:7", 3, 60, "COST", 2) == 0
    assert client.call("QUOTA.TAKE", "user:7", 3, 60) is None
    assert str(client.call("QUOTA.TAKE", "user:7", 3, 60, "STRICT")) == "QUOTAEXCEEDED there is not that much left"
    assert client.call("TTL", "user:7") == 60
    world.advance(60)
    assert client.call("QUOTA.LEFT", "user:7", 3) == 3


def test_what_it_is_called_with_is_checked() -> None:
    client = World(commands=["command_quota"]).connect()
    for words, error in (
        (("QUOTA.TAKE", "k", 0, 60), "ERR limit must be positive"),
        (("QUOTA.TAKE", "k", 1, 60, "NOPE"), "ERR syntax error"),
        (("QUOTA.TAKE", "k", 1), "ERR wrong number of arguments for 'quota.take' command"),
    ):
        assert str(client.call(*words)) == error
    client.call("RPUSH", "list", 1)
    assert str(client.call("QUOTA.LEFT", "list", 1)).startswith("WRONGTYPE ")
