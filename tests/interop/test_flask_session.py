"""Flask-Session, with the server as its Redis."""

from __future__ import annotations

from typing import Any

import pytest
import redis

flask = pytest.importorskip("flask")
flask_session = pytest.importorskip("flask_session")


@pytest.mark.parametrize("form", ["msgpack", "json"])
def test_a_session_lives_in_redis_and_ends(redis_port: int, form: str) -> None:
    store = redis.Redis(port=redis_port)
    app = flask.Flask("shop")
    app.config.update(
        SESSION_TYPE="redis",
        SESSION_REDIS=store,
        SESSION_SERIALIZATION_FORMAT=form,
        PERMANENT_SESSION_LIFETIME=500,
        SECRET_KEY="not a secret",
    )
    flask_session.Session(app)

    @app.route("/add/<item>")
    def add(item: str) -> Any:
        flask.session.setdefault("basket", []).append(item)
        flask.session.modified = True
        return flask.session["basket"]

    @app.route("/leave")
    def leave() -> str:
        flask.session.clear()
        return "bye"

    client, other = app.test_client(), app.test_client()
    assert client.get("/add/a").json == ["a"]
    assert client.get("/add/b").json == ["a", "b"]
    assert other.get("/add/c").json == ["c"]
    keys = sorted(store.scan_iter("session:*"))
    assert len(keys) == 2
    assert all(490 < store.ttl(key) <= 500 for key in keys)
    client.get("/leave")
    assert len(list(store.scan_iter("session:*"))) == 1
    assert client.get("/add/d").json == ["d"]
    store.close()
