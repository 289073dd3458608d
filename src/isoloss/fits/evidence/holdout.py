"""Hold-outs: rows that a law must predict without having seen them, chosen as extrapolation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.files import Registry
from isoloss.fits.arguments import MOST_SEED, FitError, check_count, shown
from isoloss.fits.sample import Sample, as_sample
from isoloss.fits.solve import Optimum, unheld
from isoloss.formats import Precision
from isoloss.laws import Array, Inputs, Mask
from isoloss.runs import Runs, number

#: The rule of a hold-out: its spelling, or a function from the sample to the mask of held-out rows.
HoldOut = str | Callable[[Sample], Mask]


@dataclass(frozen=True)
class Split:
    """Rows to fit and rows to predict.

    Attributes
    ----------
    rule
        What made the split, in words.
    train, test
        Indices of rows of the sample.
    """

    rule: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]


@dataclass(frozen=True)
class Rule:
    """A hold-out that is chosen by its spelling.

    Attributes
    ----------
    meaning
        What it holds out, in a few words.
    held
        The mask of held-out rows, from the sample, the text after "=" and a seed.
    value
        What stands after "=" in its spelling, as "P" in "format=P"; empty for a rule without.
    """

    meaning: str
    held: Callable[[Sample, str, int], Mask]
    value: str = ""


#: Rules by the word before "="; one more is ``RULES.register("word", Rule(...))``.
RULES: Registry[Rule] = Registry("hold-out", FitError, of=Rule)


def split(sample: Sample | Runs | Any, rule: HoldOut, seed: int = 0) -> Split:
    """The rows that a rule holds out.

    Parameters
    ----------
    sample
        A sample, or runs of which one is made.
    rule
        A spelling of `RULES`, or a function from the sample to the mask of held-out rows.
    seed
        The seed of "random".

    Returns
    -------
    Split
        Rows to fit and rows to predict.

    Raises
    ------
    FitError
        The rule is unknown, or holds out no run or every run.
    """
    sample = as_sample(sample)
    check_count("seed", seed, 0, MOST_SEED)
    held = _held(sample, rule, seed)
    name = rule if isinstance(rule, str) else getattr(rule, "__name__", "own rule")
    if not held.any() or held.all():
        raise FitError(
            f"hold-out {name!r} holds out {int(held.sum())} of {len(sample)} runs; it must be some "
            "but not all"
        )
    return Split(name, np.flatnonzero(~held), np.flatnonzero(held))


def check_rule(rule: Any) -> None:
    """FitError for what is neither the spelling of a rule nor a function."""
    if not isinstance(rule, str) and not callable(rule):
        raise FitError(
            f"hold-out is {shown(rule)}; it is a function of the sample or one of {spellings()}"
        )
    if isinstance(rule, str) and not rule.startswith(f"{ROLLOUT}="):
        word, sign, value = rule.partition("=")
        found = RULES.find(word)
        if found is None or bool(found.value) != bool(sign and value):
            raise FitError(f"unknown hold-out {shown(rule)}; accepted are {spellings()}")


def check_held(optimum: Optimum, x: Inputs, rule: str) -> None:
    """FitError where held-out runs depend on constants that no fitted run holds: a guess."""
    guessed = unheld(optimum.law, optimum.absent, x)
    if guessed:
        raise FitError(
            f"runs held out by {rule!r} depend on {', '.join(guessed)}, which no other run holds: "
            f"law {optimum.law.name!r} cannot predict them"
        )


def spellings() -> str:
    """The spellings of all rules, as a message lists them."""
    known = (word + (f"={rule.value}" if rule.value else "") for word, rule in RULES.items())
    return ", ".join([*known, *(f"{ROLLOUT}={by}" for by in ROLLED)])


def splits(sample: Sample, rule: HoldOut, seed: int = 0) -> list[Split]:
    """The one split of a rule, or the several of a rollout.

    Raises FitError as ``split`` does, and for a rollout over fewer than four values.
    """
    if not isinstance(rule, str) or not rule.startswith(f"{ROLLOUT}="):
        return [split(sample, rule, seed)]
    found = list(rollout(sample, rule.removeprefix(f"{ROLLOUT}=")))
    if not found:
        raise FitError(f"hold-out {rule!r} needs at least four different values to roll over")
    return found


#: The rule of several splits, for comparisons, and what it rolls over.
ROLLOUT, ROLLED = "rollout", ("params", "tokens")


def rollout(sample: Sample | Runs | Any, by: str = "params", least: int = 3) -> Iterator[Split]:
    """Expanding windows: fit up to each value of params or tokens, and predict the next.

    Parameters
    ----------
    sample
        A sample, or runs of which one is made.
    by
        "params" or "tokens".
    least
        Values in the first window.

    Returns
    -------
    iterator of Split
        One split a value, from the ``least``-th on.

    Raises
    ------
    FitError
        ``by`` or ``least`` is not accepted.
    """
    if by not in ROLLED:
        raise FitError(f"cannot roll out by {shown(by)}; by is {' or '.join(ROLLED)}")
    check_count("least", least, 1)
    sample = as_sample(sample)
    values = sample.x.params if by == "params" else sample.x.tokens
    steps = np.unique(values)
    return (_window(values, steps[k], by) for k in range(least, len(steps)))


def _window(values: Array, step: float, by: str) -> Split:
    below, at = np.flatnonzero(values < step), np.flatnonzero(values == step)
    return Split(f"{by} {step:.3g} from below", below, at)


def _held(sample: Sample, rule: HoldOut, seed: int) -> Mask:
    check_rule(rule)
    if callable(rule):
        held = np.asarray(rule(sample))
        if held.dtype != bool or held.shape != (len(sample),):
            raise FitError(
                f"a hold-out function gave {held.dtype} of shape {held.shape}; it gives a mask of "
                f"{len(sample)} true or false values"
            )
        return held
    word, _, value = rule.partition("=")
    if word == ROLLOUT:
        raise FitError(f"rule {rule!r} makes several splits; use it in compare(), not in fit()")
    return RULES[word].held(sample, value, seed)


def _top(values: Array) -> Mask:
    """The rows of the largest values: whole values, until a tenth of the rows are in."""
    held = np.zeros(len(values), dtype=bool)
    for value in np.unique(values)[::-1]:
        held |= values >= value * (1 - 1e-9)
        if held.sum() >= 0.1 * len(values):
            break
    return held


def _fewest_bits(sample: Sample, value: str, seed: int) -> Mask:
    levels = sample.x.levels
    bits = np.fmin.reduce(
        [levels.bits(part) for part in ("w", "a", "kv", "q", "g")] + [levels.bits("w", "serve")]
    )
    return np.asarray(bits[sample.x.level] == bits[sample.x.level].min())


def _of_format(sample: Sample, value: str, seed: int) -> Mask:
    asked = Precision.parse(value)
    same = [level.precision == asked for level in sample.x.levels.items]
    return np.array(same, dtype=bool)[sample.x.level]


def _of_column(name: str) -> Callable[[Sample, str, int], Mask]:
    def held(sample: Sample, value: str, seed: int) -> Mask:
        if name not in sample.runs.columns:
            raise FitError(
                f"hold-out '{name}={value}' needs the column {name!r}; runs have "
                f"{', '.join(sample.runs.columns)}"
            )
        return np.array([str(v) == value for v in sample.runs[name]], dtype=bool)

    return held


def _random_fifth(sample: Sample, value: str, seed: int) -> Mask:
    order = np.random.default_rng(seed).permutation(len(sample))
    return np.isin(sample.rank, order[: max(1, len(sample) // 5)])


for _word, _rule in {
    "largest": Rule(
        "the largest params (the largest value; more until a tenth of the rows are held out)",
        lambda sample, value, seed: _top(sample.x.params),
    ),
    "longest": Rule(
        "the largest tokens per param",
        lambda sample, value, seed: _top(sample.x.tokens / sample.x.params),
    ),
    "most_tokens": Rule("the largest tokens", lambda sample, value, seed: _top(sample.x.tokens)),
    "lowest_bits": Rule(
        "the precision whose narrowest part (w, a, kv, q, g or served w) has the fewest bits",
        _fewest_bits,
    ),
    "format": Rule("one precision, as format=w4", _of_format, "P"),
    "source": Rule("one source", _of_column("source"), "S"),
    "group": Rule("one group", _of_column("group"), "G"),
    "params>": Rule(
        "params of at least X",
        lambda sample, value, seed: np.asarray(sample.x.params >= number(value)),
        "X",
    ),
    "tokens>": Rule(
        "tokens of at least X",
        lambda sample, value, seed: np.asarray(sample.x.tokens >= number(value)),
        "X",
    ),
    "random": Rule("a random fifth (no extrapolation)", _random_fifth),
}.items():
    RULES.register(_word, _rule)
