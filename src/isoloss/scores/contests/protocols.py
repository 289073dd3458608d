"""Frozen protocols: which runs of a table are held out, the same for every law."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isoloss.files import Registry
from isoloss.fits import Sample, Split, rollout, split
from isoloss.scores.problems import ScoreError

#: The rule of several splits: fit up to a token count, predict the next one that has runs in two
#: precisions or more; the last so many of them.
NEXT_TOKENS, WINDOWS = "rollout=tokens", 2


@dataclass(frozen=True)
class Protocol:
    """One way to hold out runs.

    Attributes
    ----------
    meaning
        What laws must predict, in a few words.
    rule
        The hold-out rule of `isoloss.fits` for a table, or NEXT_TOKENS; None where the table has no
        such runs.
    """

    meaning: str
    rule: Callable[[Sample], str | None]


#: Protocols by name; one more is ``PROTOCOLS.register("name", Protocol(...))``.
PROTOCOLS: Registry[Protocol] = Registry("protocol", ScoreError, of=Protocol)


def splits(sample: Sample, rule: str) -> list[Split]:
    """The splits of a rule, several of a rollout.

    Raises FitError where it holds out no run or every run.
    """
    if rule != NEXT_TOKENS:
        return [split(sample, rule)]
    several = [each for each in rollout(sample, "tokens", least=2)
               if len(set(sample.x.level[each.test].tolist())) > 1]  # fmt: skip
    return several[-WINDOWS:]


def _next_tokens(sample: Sample) -> str | None:
    return NEXT_TOKENS if splits(sample, NEXT_TOKENS) else None


def _unseen(sample: Sample) -> str | None:
    """A precision as a format that nobody has run: of those below 16 bits, dense, that have more
    bits than the lowest, the one of most runs, the first by name where several are.
    """
    levels = sample.x.levels
    parts = [levels.bits(part) for part in ("w", "a", "kv", "q", "g")]
    bits = np.fmin.reduce([*parts, levels.bits("w", "serve")])
    count = Counter(sample.x.level.tolist())
    low = [k for k in count if not levels.items[k].is_reference and not levels.items[k].sparsity]
    least = min((bits[k] for k in low), default=0.0)
    names = {str(levels.items[k].precision): -count[k] for k in low if bits[k] > least}
    return f"format={min(names, key=lambda name: (names[name], name))}" if names else None


def _if_several(rule: str, values: Callable[[Sample], int]) -> Callable[[Sample], str | None]:
    return lambda sample: rule if values(sample) > 2 else None


for _name, _protocol in {
    "largest size": Protocol(
        "the largest models", _if_several("largest", lambda s: len(set(s.x.params.tolist())))
    ),
    "longest run": Protocol(
        "the most tokens", _if_several("most_tokens", lambda s: len(set(s.x.tokens.tolist())))
    ),
    "lowest bits": Protocol(
        "the fewest bits",
        _if_several("lowest_bits", lambda s: len({str(each) for each in s.x.levels.items})),
    ),
    "unseen format": Protocol("a precision that no run has", _unseen),
    "next token count": Protocol("the next token count, from all below it", _next_tokens),
}.items():
    PROTOCOLS.register(_name, _protocol)
