"""redis.conf syntax, every directive's kind, CONFIG SET's rules, and the rewriting of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycache_server.server.apply import APPLY
from pycache_server.settings import title
from pycache_server.settings.config import ConfigError, SetError, Settings, arguments_to_text
from pycache_server.settings.table import DIRECTIVES, directive

CONF = Path(__file__).parent.parent / "conf" / "pycache.conf"


def loaded(text: str) -> Settings:
    settings = Settings()
    settings.load(text)
    return settings


def problem_of(text: str) -> tuple[int, str, str]:
    with pytest.raises(ConfigError) as caught:
        loaded(text)
    return caught.value.number, caught.value.line, caught.value.problem


def test_our_own_file_loads_and_says_the_defaults() -> None:
    settings = loaded(CONF.read_text())
    assert settings.idle == []
    for name, row in DIRECTIVES.items():
        if name != "bind":
            assert settings[name] == row.default, name


def test_what_is_applied_acts() -> None:
    assert [name for name in APPLY if not DIRECTIVES[name].acts] == []


def test_our_own_file_documents_every_directive_that_acts() -> None:
    text = CONF.read_text()
    words = {line.lstrip("# ").split(" ")[0] for line in text.splitlines() if line.strip()}
    assert {name for name, row in DIRECTIVES.items() if row.acts} - words == set()


@pytest.mark.parametrize(
    ("given", "told"),
    [("KA", "AK"), ("gKE", "gKE"), ("$lshzxeKE", "$lshzxeKE"), ("EKtdg$lshzxe", "AKE"), ("nmAE", "AEmn"), ("", "")],
)
def test_letters_of_events_are_told_in_one_order(given: str, told: str) -> None:
    settings = loaded(f'notify-keyspace-events "{given}"')
    assert settings.get("notify-keyspace-events") == told


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{title} {listen-addr} {server-mode}", "server *:1"),
        ("a{{b} {port} {tls-port} {unixsocket} {config-file}", "a{b} 1 0 /s -"),
        ("{nothing}", None),
        ("{title", None),
        ("x {", None),
        ("plain", "plain"),
        (" ", ""),
    ],
)
def test_titles_are_made_of_variables(template: str, result: str | None) -> None:
    values = dict(zip(title.VARIABLES, ("server", "*:1", "", "-", "1", "0", "/s"), strict=True))
    assert title.expand(template, values) == result
    assert (title.check(template) is None) is bool(result)


def test_units_quotes_comments_and_case() -> None:
    settings = loaded("# a comment\n\n  MAXMEMORY   2gb\r\nrequirepass \"a b\\x41\"\nlogfile 'it\\'s'\nTIMEOUT 5")
    assert settings["maxmemory"] == 2 << 30
    assert settings["requirepass"] == "a bA"
    assert settings["logfile"] == "it's"
    assert settings["timeout"] == 5


@pytest.mark.parametrize(
    ("word", "size"),
    [("1", 1), ("1b", 1), ("1k", 1000), ("1KB", 1024), ("1m", 10**6), ("1mb", 1 << 20), ("3gb", 3 << 30)],
)
def test_units_of_memory(word: str, size: int) -> None:
    assert loaded(f"maxmemory {word}")["maxmemory"] == size


@pytest.mark.parametrize(
    ("text", "number", "line", "problem"),
    [
        ("foo bar", 1, "foo bar", "Bad directive or wrong number of arguments"),
        ("\n\nport 1 2", 3, "port 1 2", "wrong number of arguments"),
        ("port abc", 1, "port abc", "argument couldn't be parsed into an integer"),
        ("port 99999", 1, "port 99999", "argument must be between 0 and 65535 inclusive"),
        ("maxmemory 1gg", 1, "maxmemory 1gg", "argument must be a memory value"),
        ("appendonly maybe", 1, "appendonly maybe", "argument must be 'yes' or 'no'"),
        ('hz "1', 1, 'hz "1', "Unbalanced quotes in configuration line"),
        ("save 1", 1, "save 1", "Invalid save parameters"),
        ("databases 0", 1, "databases 0", "argument must be between 1 and 2147483647 inclusive"),
        (
            "loglevel loud",
            1,
            "loglevel loud",
            "argument(s) must be one of the following: debug, verbose, notice, warning",
        ),
        (
            "notify-keyspace-events Q",
            1,
            "notify-keyspace-events Q",
            "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
        ),
        (
            "client-output-buffer-limit normal 1 2",
            1,
            "client-output-buffer-limit normal 1 2",
            "Wrong number of arguments in buffer limit configuration.",
        ),
    ],
)
def test_errors_tell_the_line_and_what_is_wrong(text: str, number: int, line: str, problem: str) -> None:
    assert problem_of(text) == (number, line, problem)


@pytest.mark.parametrize(
    "line",
    [
        "tls-port 6380",
        "cluster-enabled yes",
        "loadmodule x.so",
    ],
)
def test_what_cannot_be_had_is_an_error_and_never_ignored(line: str) -> None:
    assert (
        "available" in problem_of(line)[2]
        or "no persistence" in problem_of(line)[2]
        or "modules" in problem_of(line)[2]
    )


@pytest.mark.parametrize("line", ["appendonly no", 'save ""', "tls-port 0", "replicaof no one", "cluster-enabled no"])
def test_not_asking_for_it_is_fine(line: str) -> None:
    loaded(line)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("replicaof 10.0.0.1 6379", "10.0.0.1 6379"),
        ("slaveof 10.0.0.1 6379", "10.0.0.1 6379"),
        ("replicaof no one", ""),
    ],
)
def test_a_master_is_a_host_and_a_port_or_no_one(line: str, value: str) -> None:
    assert loaded(line).get("replicaof") == value
    assert problem_of("replicaof 10.0.0.1 70000")[2] == "Invalid master port"
    assert problem_of("replicaof 10.0.0.1")[2] == "wrong number of arguments"


def test_directives_without_effect_are_kept_and_named() -> None:
    settings = loaded("io-threads 4\ncluster-port 10")
    assert settings.idle == ["io-threads", "cluster-port"]
    assert settings.get("io-threads") == "4"


def test_lines_of_some_directives_add_up() -> None:
    settings = loaded("client-output-buffer-limit pubsub 1 2 3\nclient-output-buffer-limit replica 4 5 6")
    assert settings["client-output-buffer-limit"] == {"normal": (0, 0, 0), "slave": (4, 5, 6), "pubsub": (1, 2, 3)}


def test_aliases_are_the_same_directive() -> None:
    row = directive("hash-max-ziplist-entries")
    assert row is not None
    assert row.name == "hash-max-listpack-entries"
    assert loaded("slave-read-only no").get("replica-read-only") == "no"


def test_includes_come_where_they_stand() -> None:
    settings = Settings()
    settings.load("port 1\ninclude x\nhz 20", "main", lambda pattern: [("x", "port 2\nhz 30")])
    assert settings["port"] == 2
    assert settings["hz"] == 20


def test_renamed_commands_are_remembered() -> None:
    assert loaded('rename-command FLUSHALL ""\nrename-command get fetch').renamed == {"flushall": "", "get": "fetch"}


def test_options_of_the_command_line_become_lines() -> None:
    text = arguments_to_text(["--port", "7000", "--save", "", "--requirepass", 'a "b"', "--bind", "127.0.0.1", "::1"])
    settings = loaded(text)
    assert settings["port"] == 7000
    assert settings["save"] == ()
    assert settings["requirepass"] == 'a "b"'
    assert settings["bind"] == ("127.0.0.1", "::1")


@pytest.mark.parametrize(
    ("pairs", "problem", "name"),
    [
        ([("nope", "1")], "Unknown option or number of arguments for CONFIG SET - 'nope'", ""),
        ([("hz", "1"), ("hz", "2")], "duplicate parameter", "hz"),
        ([("databases", "3")], "can't set immutable config", "databases"),
        ([("dir", "/")], "can't set protected config", "dir"),
        ([("maxmemory", "x")], "argument must be a memory value", "maxmemory"),
        ([("hz", "5"), ("timeout", "-1")], "argument must be between 0 and 2147483647 inclusive", "timeout"),
    ],
)
def test_config_set_sets_all_or_nothing(pairs: list[tuple[str, str]], problem: str, name: str) -> None:
    settings = Settings()
    with pytest.raises(SetError) as caught:
        settings.checked(pairs, allow_protected=False)
    assert (caught.value.problem, caught.value.name) == (problem, name)
    assert settings.values == Settings().values


def test_config_set_merges_the_classes_of_a_limit() -> None:
    settings = Settings()
    wanted = settings.checked([("client-output-buffer-limit", "normal 1mb 2 3")], allow_protected=False)
    assert wanted["client-output-buffer-limit"]["normal"] == (1 << 20, 2, 3)
    assert wanted["client-output-buffer-limit"]["pubsub"] == (32 << 20, 8 << 20, 60)


@pytest.mark.parametrize("name", DIRECTIVES)
def test_every_default_can_be_shown_written_and_read_again(name: str) -> None:
    row = DIRECTIVES[name]
    for line in row.kind.lines(row.default):
        assert loaded(f"{name} {line}")[name] == row.default
    assert isinstance(row.kind.text(row.default), str)


def test_a_rewritten_file_keeps_comments_and_order_and_has_the_present_values() -> None:
    limits = "client-output-buffer-limit normal 0 0 0\nclient-output-buffer-limit pubsub 1 2 3\n"
    text = "# head\nport 6379\n\n# size\nmaxmemory 1mb\n" + limits
    settings = loaded(text)
    settings.values |= {"port": 7000, "maxmemory": 3 << 30, "requirepass": "a b", "timeout": 9}
    written = settings.rewrite(text)
    assert written.splitlines()[:5] == ["# head", "port 7000", "", "# size", "maxmemory 3gb"]
    assert "# Generated by CONFIG REWRITE" in written
    assert 'requirepass "a b"' in written
    again = loaded(written)
    assert again.values == settings.values
    assert settings.rewrite(written) == written
    assert loaded(settings.rewrite("")).values == settings.values


def test_times_to_live_are_set_by_scope_and_written_back() -> None:
    text = 'max-ttl 86400\nmax-ttl db 2 600\nmax-ttl prefix "a b:" 30\nmax-ttl prefix s: 5\nmax-ttl prefix s: 7\n'
    settings = loaded(text)
    assert settings["max-ttl"] == (
        *(("all", "", 86400), ("db", "2", 600), ("prefix", "a b:", 30), ("prefix", "s:", 5), ("prefix", "s:", 7)),
    )
    assert settings.get("default-ttl") == ""
    wanted = settings.checked([("max-ttl", '10 prefix "x y" 20 db 0 30 prefix db 40')], False)["max-ttl"]
    assert wanted == (("all", "", 10), ("prefix", "x y", 20), ("db", "0", 30), ("prefix", "db", 40))
    settings.values["max-ttl"] = wanted
    assert settings.get("max-ttl") == '10 prefix "x y" 20 db 0 30 prefix db 40'
    assert settings.rewrite(text) == 'max-ttl 10\nmax-ttl prefix "x y" 20\nmax-ttl db 0 30\nmax-ttl prefix db 40\n'
    assert settings.checked([("max-ttl", "")], False)["max-ttl"] == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x", "'x' must be a number of seconds between 0 and 10000000000"),
        ("-1", "'-1' must be a number of seconds between 0 and 10000000000"),
        ("10000000001", "'10000000001' must be a number of seconds between 0 and 10000000000"),
        ("db x 1", "'x' is not the number of a database"),
        ("db 1", "'db' must be followed by a number and seconds"),
        ("prefix p", "'prefix' must be followed by a prefix and seconds"),
    ],
)
def test_a_wrong_time_to_live_is_refused_with_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(SetError) as error:
        Settings().checked([("default-ttl", text)], False)
    assert str(error.value.problem) == problem


def test_limits_are_set_by_scope_and_written_back() -> None:
    text = "limit prefix session: 100mb lru\nlimit db 3 50mb allkeys-lfu\n"
    settings = loaded(text)
    assert settings["limit"] == (("prefix", "session:", 100 << 20, "lru"), ("db", "3", 50 << 20, "allkeys-lfu"))
    assert settings.get("limit") == "prefix session: 100mb lru db 3 50mb allkeys-lfu"
    assert settings.rewrite(text) == text
    for wrong, problem in (
        ("100mb lru", "'100mb' must be 'db' or 'prefix': maxmemory is the limit of everything"),
        ("db 3 lru", "'db' must be followed by a number and a size and a policy"),
        ("prefix p x lru", "argument must be a memory value"),
    ):
        with pytest.raises(SetError) as error:
            settings.checked([("limit", wrong)], False)
        assert error.value.problem == problem
