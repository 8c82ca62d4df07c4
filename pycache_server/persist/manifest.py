"""The manifest of an append-only file: which files it is made of, as text.

Since Redis 7 an append-only file is a directory: a *base* file that holds a whole data set, *increments* with the
commands since then, in the order of their sequence numbers, and *history* files, which a rewrite has made superfluous
and which only wait to be removed. The manifest names them, a line each::

    file appendonly.aof.2.base.rdb seq 2 type b
    file appendonly.aof.1.incr.aof seq 1 type h
    file appendonly.aof.2.incr.aof seq 2 type i

A Manifest is changed by making another one: the old one stays right until the new text is on the disk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pycache_server.words import split_text

BASE = "b"
HISTORY = "h"
INCREMENT = "i"
LONGEST_LINE = 1024
"""Bytes that a line may have with its end, as in Redis."""
SUFFIX = ".manifest"
_PLAIN = re.compile(r"[!#-&(-\[\]-~]+")  # what stands without quotes


class BadManifest(ValueError):
    """A text that is no manifest: the number of the line, what it says, and what is wrong, in Redis's words."""

    def __init__(self, number: int, line: str, problem: str) -> None:
        super().__init__(problem)
        self.number = number
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Part:
    """One file; ``kind`` is BASE, HISTORY or INCREMENT."""

    name: str
    sequence: int
    kind: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of one append-only file."""

    base: Part | None = None
    history: tuple[Part, ...] = ()
    increments: tuple[Part, ...] = ()
    base_sequence: int = 0
    """The highest sequence number of a base file so far."""
    increment_sequence: int = 0

    def parts(self) -> list[Part]:
        """The files that hold the data set, in the order in which they are to be read."""
        return [*((self.base,) if self.base is not None else ()), *self.increments]

    def text(self) -> str:
        """The manifest as a file."""
        base = (self.base,) if self.base is not None else ()
        return "".join(map(_line, (*base, *self.history, *self.increments)))

    def with_increment(self, name: str) -> Manifest:
        """The manifest with a new increment, which belongs to the file ``name``."""
        sequence = self.increment_sequence + 1
        part = Part(f"{name}.{sequence}.incr.aof", sequence, INCREMENT)
        return replace(self, increments=(*self.increments, part), increment_sequence=sequence)

    def with_base(self, name: str, preamble: bool, keep: int) -> Manifest:
        """The manifest with a new base file, in the form of an RDB file or of commands; but for the last ``keep``
        increments, everything else has become history."""
        sequence = self.base_sequence + 1
        part = Part(f"{name}.{sequence}.base.{'rdb' if preamble else 'aof'}", sequence, BASE)
        cut = len(self.increments) - keep
        old = [replace(part, kind=HISTORY) for part in (*self.parts(),)[: cut + (self.base is not None)]]
        return replace(
            self,
            base=part,
            history=(*reversed(old), *self.history),
            increments=self.increments[cut:],
            base_sequence=sequence,
        )

    def with_old_file(self, name: str) -> Manifest:
        """The manifest with a file of an older Redis as its base, under its own name."""
        return replace(self, base=Part(name, 1, BASE), base_sequence=1)

    def without_history(self) -> Manifest:
        """The manifest when its superfluous files have been removed."""
        return replace(self, history=())

    def _check(self) -> None:
        """Assert that sequence numbers rise, and that the text says the same."""
        sequences = [part.sequence for part in self.increments]
        assert sequences == sorted(set(sequences))
        assert self.increment_sequence >= max(sequences, default=0)
        again = parse_manifest(self.text()) if self.parts() else self
        assert again.parts() == self.parts() and again.history == self.history


def _line(part: Part) -> str:
    return f"file {_quoted(part.name)} seq {part.sequence} type {part.kind}\n"


def _quoted(name: str) -> str:
    """A name as it stands in a manifest: in quotes where it must be."""
    if _PLAIN.fullmatch(name):
        return name
    escapes = {0x5C: r"\\", 0x22: r"\"", 10: r"\n", 13: r"\r", 9: r"\t", 7: r"\a", 8: r"\b"}
    data = name.encode("utf-8", "surrogateescape")
    texts = (escapes.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}") for byte in data)
    return '"' + "".join(texts) + '"'


def parse_manifest(text: str) -> Manifest:
    """The manifest that a text is.

    Raises BadManifest.
    """
    base: Part | None = None
    history: list[Part] = []
    increments: list[Part] = []
    last = 0
    number = 0
    for number, raw in enumerate(re.findall(r"[^\n]*\n|[^\n]+", text), 1):
        if raw.startswith("#"):
            continue
        part = _parse_line(number, raw)
        last = number
        if part.kind == BASE and base is not None:
            raise BadManifest(number, raw.strip(), "Found duplicate base file information")
        if part.kind == INCREMENT and increments and part.sequence <= increments[-1].sequence:
            raise BadManifest(number, raw.strip(), "Found a non-monotonic sequence number")
        if part.kind == BASE:
            base = part
        else:
            (history if part.kind == HISTORY else increments).append(part)
    if not last:
        raise BadManifest(number, "", "Found an empty AOF manifest")
    return Manifest(
        base,
        tuple(history),
        tuple(increments),
        base.sequence if base is not None else 0,
        increments[-1].sequence if increments else 0,
    )


def _parse_line(number: int, raw: str) -> Part:
    line = raw.strip(" \t\r\n")
    if not raw.endswith("\n") or len(raw) >= LONGEST_LINE:
        raise BadManifest(number, line, "The AOF manifest file contains too long line")
    words = split_text(line) or []
    if len(words) < 6 or len(words) % 2:
        raise BadManifest(number, line, "Invalid AOF manifest file format")
    found = {name.lower(): value for name, value in zip(words[::2], words[1::2], strict=True)}
    name, sequence, kind = found.get("file", ""), found.get("seq", ""), found.get("type", "")[:1]
    if "/" in name or "\\" in name:
        raise BadManifest(number, line, "File can't be a path, just a filename")
    if not name or not kind or not re.fullmatch(r"[1-9]\d{0,17}", sequence):
        raise BadManifest(number, line, "Invalid AOF manifest file format")
    if kind not in (BASE, HISTORY, INCREMENT):
        raise BadManifest(number, line, "Unknown AOF file type")
    return Part(name, int(sequence), kind)
