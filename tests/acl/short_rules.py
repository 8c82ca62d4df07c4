"""Rules for a set of commands: the few that Redis 7.0 finds, whatever rules have made the set.

It begins with all commands or with none. Then it takes the category of which the set has most and lacks least, again
and again, and what is wrong then command by command. As in Redis the outcome is a set of rules that is short, and not
always the shortest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pycache_server.acl.vocabulary import ALL, Category, Vocabulary, Word


def short_rules(vocabulary: Vocabulary, allowed: int, first_args: Mapping[Word, Sequence[bytes]]) -> list[bytes]:
    """The rules for a set of commands and for those that are allowed for some first arguments alone."""
    adds = allowed >= 0
    sign = b"+" if adds else b"-"
    made = 0 if adds else ALL
    rules = [b"-@all" if adds else b"+@all"]
    left = dict(vocabulary.categories)
    wanted = allowed
    while (name := _best(left, wanted, adds)) is not None:
        reach = left.pop(name).reach
        rules.append(sign + b"@" + name)
        made = made | reach if adds else made & ~reach
        wanted = wanted & ~reach if adds else wanted | reach
    rules += _singles(vocabulary.commands, allowed, made, first_args)
    return rules


def _best(categories: Mapping[bytes, Category], wanted: int, adds: bool) -> bytes | None:
    """The category that helps most, if one helps."""
    best, fewest, most = None, 0, 0
    for name, category in categories.items():
        inside = (wanted & category.members).bit_count()
        outside = category.members.bit_count() - inside
        same, different = (inside, outside) if adds else (outside, inside)
        if same > different and (best is None or different < fewest or (different == fewest and same > most)):
            best, fewest, most = name, different, same
    return best


def _singles(
    words: Sequence[Word], allowed: int, made: int, first_args: Mapping[Word, Sequence[bytes]]
) -> Iterator[bytes]:
    """The rules that remain when the categories have made a set."""
    for word in words:
        is_allowed = bool(allowed & word.bit)
        if is_allowed != bool(made & word.bit):
            yield (b"+" if is_allowed else b"-") + word.name
            made = made | word.reach if is_allowed else made & ~word.reach
        yield from _singles(list(word.subcommands.values()), allowed, made, first_args)
        if not is_allowed:
            yield from (b"+%b|%b" % (word.name, argument) for argument in first_args.get(word, ()))
