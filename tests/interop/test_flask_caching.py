"""Flask-Caching, with the server as its Redis."""

from __future__ import annotations

from typing import Any

import pytest

flask = pytest.importorskip("flask")
flask_caching = pytest.importorskip("flask_caching")


@pytest.fixture
def app(redis_port: int) -> Any:
    app = flask.Flask("shop")
    app.config.update(
        CACHE_TYPE="RedisCache",
        CACHE_REDIS_URL=f"redis://127.0.0.1:{redis_port}/3",
        CACHE_KEY_PREFIX="shop:",
        CACHE_DEFAULT_TIMEOUT=100,
    )
    app.cache = flask_caching.Cache(app)
    with app.app_context():
        yield app


def test_views_are_cached_by_path_and_query(app: Any) -> None:
    calls = []

    @app.route("/items")
    @app.cache.cached(query_string=True)
    def items() -> str:
        calls.append(flask.request.args.get("page"))
        return f"page {flask.request.args.get('page')}"

    client = app.test_client()
    for page in ("1", "1", "2", "1"):
        assert client.get(f"/items?page={page}").text == f"page {page}"
    assert calls == ["1", "2"]


def test_functions_are_memoized_and_forgotten(app: Any) -> None:
    calls = []

    @app.cache.memoize(50)
    def price(item: str, tax: int = 0) -> dict[str, Any]:
        calls.append(item)
        return {"item": item, "tax": tax}

    for _ in range(2):
        assert price("a", tax=3) == {"item": "a", "tax": 3}
        assert price("b") == {"item": "b", "tax": 0}
    assert calls == ["a", "b"]
    app.cache.delete_memoized(price, "a", tax=3)
    price("a", tax=3)
    price("b")
    assert calls == ["a", "b", "a"]
    app.cache.delete_memoized(price)
    price("b")
    assert calls == ["a", "b", "a", "b"]


def test_the_interface_as_a_whole(app: Any) -> None:
    cache = app.cache
    assert cache.set("a", [1, 2])
    assert cache.get("a") == [1, 2]
    assert cache.add("a", 3) is False
    assert cache.add("b", None, timeout=0)
    assert cache.has("b")
    cache.set_many({"x": 1, "y": "text"})
    assert cache.get_many("x", "y", "nope") == [1, "text", None]
    assert cache.get_dict("x", "nope") == {"x": 1, "nope": None}
    assert cache.cache.inc("n", 5) == 5
    assert cache.cache.dec("n", 2) == 3
    assert cache.delete("x")
    cache.delete_many("y", "b")
    assert not cache.has("y")
    assert cache.unlink("a")
    cache.set("left", 1)
    assert cache.clear()
    assert cache.get("left") is None
