"""Hold-outs: the rows that a law must predict without having seen them, chosen so that prediction is extrapolation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.sample import FitError, Sample
from isoloss.laws import Array, Mask
from isoloss.runs import number

RULES = {
    "largest": "the largest params (the largest value; more until a tenth of the rows are held out)",
    "longest": "the largest tokens per param",
    "most_tokens": "the largest tokens",
    "lowest_bits": "the precision whose narrowest part (w, a, kv, q, g or served w) has the fewest bits",
    "format=P": "one precision, as format=w4",
    "source=S": "one source",
    "group=G": "one group",
    "params>=X": "params of at least X",
    "random": "a random fifth (no extrapolation)",
    "rollout=params": "in a comparison: each size in turn, predicted from all smaller ones (also rollout=tokens)",
}


@dataclass(frozen=True)
class Split:
    """Rows to fit and rows to predict, with the rule that made them."""

    rule: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]


def split(sample: Sample, rule: str | Callable[[Sample], Mask], seed: int = 0) -> Split:
    """The split of a rule: a name of RULES or a function from the sample to the mask of held-out rows.

    Raises FitError for an unknown rule and for one that holds out nothing or everything.
    """
    held = rule(sample) if callable(rule) else _mask(sample, rule, seed)
    name = rule if isinstance(rule, str) else getattr(rule, "__name__", "own rule")
    if not held.any() or held.all():
        raise FitError(
            f"hold-out {name!r} holds out {int(held.sum())} of {len(sample)} runs; it must be some but not all"
        )
    return Split(name, np.flatnonzero(~held), np.flatnonzero(held))


def splits(sample: Sample, rule: str | Callable[[Sample], Mask], seed: int = 0) -> list[Split]:
    """The one split of a rule, or the several of a rollout.

    Raises FitError as ``split`` does, and for a rollout over fewer than four values.
    """
    if not isinstance(rule, str) or not rule.startswith("rollout="):
        return [split(sample, rule, seed)]
    found = list(rollout(sample, rule.removeprefix("rollout=")))
    if not found:
        raise FitError(f"hold-out {rule!r} needs at least four different values to roll over")
    return found


def rollout(sample: Sample, by: str = "params", least: int = 3) -> Iterator[Split]:
    """Expanding windows: fit up to each value of params or tokens and predict the next, from the ``least``-th value on."""
    if by not in ("params", "tokens"):
        raise FitError(f"cannot roll out by {by!r}; by is params or tokens")
    values = sample.x.params if by == "params" else sample.x.tokens
    steps = np.unique(values)
    for k in range(least, len(steps)):
        below, at = np.flatnonzero(values < steps[k]), np.flatnonzero(values == steps[k])
        yield Split(f"{by} {steps[k]:.3g} from below", below, at)


def _mask(sample: Sample, rule: str, seed: int) -> Mask:
    word, _, value = rule.partition("=")
    x = sample.x
    if rule == "largest":
        return _top(x.params)
    if rule == "longest":
        return _top(x.tokens / x.params)
    if rule == "most_tokens":
        return _top(x.tokens)
    if rule == "lowest_bits":
        return _fewest_bits(sample)
    if rule == "random":
        order = np.random.default_rng(seed).permutation(len(sample))
        return np.isin(np.arange(len(sample)), order[: max(1, len(sample) // 5)])
    if word == "format" and value:
        return np.array([str(level.precision) == value for level in x.levels.items], dtype=bool)[
            x.level
        ]
    if word in ("source", "group") and value and word in sample.runs.columns:
        return np.array([str(v) == value for v in sample.runs[word]], dtype=bool)
    if word in ("params>", "tokens>") and value:
        return np.asarray((x.params if word == "params>" else x.tokens) >= number(value))
    if word == "rollout":
        raise FitError(f"hold-out {rule!r} is many splits; give it to compare")
    raise FitError(f"unknown hold-out {rule!r}; there are {', '.join(RULES)}")


def _top(values: Array) -> Mask:
    """The rows of the largest values: whole values, until a tenth of the rows are in."""
    held = np.zeros(len(values), dtype=bool)
    for value in np.unique(values)[::-1]:
        held |= values >= value * (1 - 1e-9)
        if held.sum() >= 0.1 * len(values):
            break
    return held


def _fewest_bits(sample: Sample) -> Mask:
    levels = sample.x.levels
    bits = np.fmin.reduce(
        [levels.bits(part) for part in ("w", "a", "kv", "q", "g")] + [levels.bits("w", "serve")]
    )
    return np.asarray(bits[sample.x.level] == bits[sample.x.level].min())
