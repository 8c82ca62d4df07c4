"""Keys that clients of a follower let expire: each is remembered once, and found when it is due."""

from __future__ import annotations

from random import Random

from pycache_server.store.owned import OwnKeys


def test_names_are_found_when_they_are_due_and_not_before() -> None:
    own = OwnKeys()
    assert own.next_due() is None
    assert own.remember(0, b"a", 50)
    assert not own.remember(1, b"a", 70)
    assert own.remember(0, b"b", 40)
    assert own.next_due() == 40
    assert own.take_due(39) is None
    assert own.take_due(60) == (0, b"b")
    assert own.take_due(60) == (0, b"a")
    assert own.take_due(60) is None
    assert len(own) == 1
    own.clear()
    assert own.take_due(100) is None


def test_a_time_that_is_prolonged_takes_no_room() -> None:
    own = OwnKeys()
    for expires in range(100, 1000):
        own.remember(0, b"session", expires)
    own._check()
    assert own.take_due(100) == (0, b"session")  # whoever looks at it remembers it anew
    assert own.take_due(2000) is None


def test_every_name_is_found_by_its_earliest_time() -> None:
    rng = Random(5)
    own, earliest = OwnKeys(), {}
    for now in range(3000):
        name = rng.randrange(2), b"%d" % rng.randrange(30)
        expires = now + rng.randrange(1, 200)
        own.remember(*name, expires)
        earliest[name] = min(earliest.get(name, expires), expires)
        while (found := own.take_due(now)) is not None:
            assert earliest.pop(found) <= now
        assert all(expires > now for expires in earliest.values())
        assert len(own) == len(earliest)
    own._check()
