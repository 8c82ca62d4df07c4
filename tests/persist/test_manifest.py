"""Manifests: what Redis writes is read, what is written Redis reads, and what is wrong is said in its words."""

from __future__ import annotations

import random

import pytest

from pycache_server.persist.manifest import BadManifest, Manifest, Part, parse_manifest

TEXT = (
    'file "my file.aof.2.base.rdb" seq 2 type b\n'
    "file appendonly.aof.1.incr.aof seq 1 type h\n"
    "file appendonly.aof.2.incr.aof seq 2 type i\n"
    "file appendonly.aof.3.incr.aof seq 3 type i\n"
)


def test_the_parts_are_read_in_the_order_in_which_they_are_to_be_replayed() -> None:
    manifest = parse_manifest(TEXT)
    assert [part.name for part in manifest.parts()] == [
        "my file.aof.2.base.rdb",
        "appendonly.aof.2.incr.aof",
        "appendonly.aof.3.incr.aof",
    ]
    assert [part.name for part in manifest.history] == ["appendonly.aof.1.incr.aof"]
    assert (manifest.base_sequence, manifest.increment_sequence) == (2, 3)
    assert manifest.text() == TEXT


def test_comments_and_words_that_later_versions_add_are_passed_over() -> None:
    manifest = parse_manifest(
        "# a comment\nfile a.1.incr.aof seq 1 type i startoffset 5\nFILE b.2.incr.aof SEQ 2 TYPE i\n"
    )
    assert [part.sequence for part in manifest.increments] == [1, 2]


@pytest.mark.parametrize(
    ("text", "number", "problem"),
    [
        ("", 0, "Found an empty AOF manifest"),
        ("# nothing\n", 1, "Found an empty AOF manifest"),
        ("\n", 1, "Invalid AOF manifest file format"),
        ("file a seq 1\n", 1, "Invalid AOF manifest file format"),
        ("file a seq 1 type\n", 1, "Invalid AOF manifest file format"),
        ("file a seq 0 type i\n", 1, "Invalid AOF manifest file format"),
        ("file a seq x type i\n", 1, "Invalid AOF manifest file format"),
        ('file "a seq 1 type i\n', 1, "Invalid AOF manifest file format"),
        ("file a seq 1 type i", 1, "The AOF manifest file contains too long line"),
        (f"file {'a' * 1024} seq 1 type i\n", 1, "The AOF manifest file contains too long line"),
        ("file x/a seq 1 type i\n", 1, "File can't be a path, just a filename"),
        ("file a seq 1 type x\n", 1, "Unknown AOF file type"),
        ("file a seq 1 type b\nfile b seq 2 type b\n", 2, "Found duplicate base file information"),
        ("file a seq 2 type i\nfile b seq 2 type i\n", 2, "Found a non-monotonic sequence number"),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_redis(text: str, number: int, problem: str) -> None:
    with pytest.raises(BadManifest) as failure:
        parse_manifest(text)
    assert (failure.value.number, failure.value.problem) == (number, problem)


def test_a_rewrite_makes_history_of_everything_before_it() -> None:
    manifest = Manifest().with_base("a", preamble=True, keep=0).with_increment("a")
    assert manifest.text() == "file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n"
    manifest = manifest.with_increment("a")
    manifest._check()
    rewritten = manifest.with_base("a", preamble=False, keep=1)
    rewritten._check()
    assert [part.name for part in rewritten.parts()] == ["a.2.base.aof", "a.2.incr.aof"]
    assert sorted(part.name for part in rewritten.history) == ["a.1.base.rdb", "a.1.incr.aof"]
    assert rewritten.without_history().text() == "file a.2.base.aof seq 2 type b\nfile a.2.incr.aof seq 2 type i\n"


def test_numbers_go_on_where_the_files_of_a_manifest_end() -> None:
    manifest = parse_manifest("file a.7.base.rdb seq 7 type b\nfile a.9.incr.aof seq 9 type i\n")
    assert manifest.with_increment("a").increments[-1] == Part("a.10.incr.aof", 10, "i")
    assert manifest.with_base("a", True, keep=0).base == Part("a.8.base.rdb", 8, "b")


@pytest.mark.parametrize("seed", range(20))
def test_any_name_survives_being_written(seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    letters = [chr(number) for number in range(1, 256) if chr(number) not in "/\\"]
    name = "".join(chance.choices(letters, k=12)).encode().decode("utf-8", "surrogateescape")
    manifest = Manifest().with_base(name, True, keep=0).with_increment(name)
    assert parse_manifest(manifest.text()).parts() == manifest.parts()
