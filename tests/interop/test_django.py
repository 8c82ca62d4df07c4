"""Django's own Redis cache and django-redis, unchanged, with the server as their Redis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.server.running import Running

pytest.importorskip("django")


@pytest.fixture(scope="module")
def caches(server: Running, django_settings: None) -> Iterator[Any]:
    from django.core.cache import caches as found
    from django.test import override_settings

    url = f"redis://127.0.0.1:{server.port}"
    backends = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": f"{url}/1"},
        "extra": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": f"{url}/2"},
    }
    with override_settings(CACHES=backends):
        yield found
        found.close_all()


@pytest.mark.parametrize("name", ["default", "extra"])
def test_the_cache_interface_as_a_whole(caches: Any, name: str) -> None:
    cache = caches[name]
    cache.set("a", {"b": [1, 2]}, 100)
    assert cache.get("a") == {"b": [1, 2]}
    assert cache.get("nope", "default") == "default"
    assert cache.add("a", 1) is False
    assert cache.add("n", 1) is True
    assert cache.touch("n", 50) is True
    assert cache.touch("nope") is False
    cache.set_many({"x": 1, "y": 2}, 100)
    assert cache.get_many(["x", "y", "z"]) == {"x": 1, "y": 2}
    assert cache.get_or_set("x", 5) == 1
    cache.delete_many(["x", "y"])
    assert cache.has_key("x") is False
    assert cache.delete("a") is True
    cache.set("gone", 1, 0)
    assert cache.get("gone") is None
    cache.set("version", 1, version=2)
    assert cache.get("version", version=2) == 1
    cache.clear()
    assert cache.get("n") is None


def test_counters_of_django_s_own_cache(caches: Any) -> None:
    cache = caches["default"]
    cache.set("n", 5)
    assert cache.incr("n", 3) == 8
    assert cache.decr("n") == 7
    with pytest.raises(ValueError, match="not found"):
        cache.incr("nope")


def test_what_django_redis_adds(caches: Any) -> None:
    cache = caches["extra"]
    cache.set("a:1", 1, timeout=100)
    cache.set("a:2", 2, timeout=None)
    assert 0 < cache.ttl("a:1") <= 100
    assert cache.ttl("a:2") is None
    assert sorted(cache.keys("a:*")) == ["a:1", "a:2"]
    assert sorted(cache.iter_keys("a:*")) == ["a:1", "a:2"]
    assert cache.expire("a:2", 10) is True
    assert cache.persist("a:2") is True
    assert cache.set("a:3", 1, nx=True) is True
    assert cache.delete_pattern("a:*") == 3


def test_sessions(caches: Any) -> None:
    from django.contrib.sessions.backends.cache import SessionStore

    session = SessionStore()
    session["user"] = 7
    session.save()
    assert SessionStore(session.session_key)["user"] == 7
    session.flush()
    assert SessionStore(session.session_key).get("user") is None
