"""Losses and counts that look like something else: an accuracy, millions, billions, two units."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from isoloss.fits.arguments import FitError
from isoloss.fits.sample import SAME, Sample
from isoloss.fits.warning import ResultWarning, WarningKind
from isoloss.laws import Array, Mask
from isoloss.runs import COLUMNS

#: Columns that runs of one cell may differ in without being anything else than seeds.
OF_A_RUN = ("seed", "loss", "loss_se", "reason", "key", "cost", "parent", "group", "status")
#: Fewest repeated cells, and the p-value of the mean gap in log loss at which a column splits them.
LEAST_CELLS, CHANCE = 4, 1e-4
#: A gap in log loss of this size is rounding.
ROUNDING = 1e-6
#: Pairs that are looked at for a loss that rises, and the share of rises that is said.
MOST_PAIRS, RISES = 4000, 0.8


def counts(sample: Sample) -> Iterator[ResultWarning]:
    """A warning where params or tokens look as if they were in thousands, millions or billions."""
    if not sample.metric.startswith("nats"):
        return
    params, tokens = sample.x.params, sample.x.tokens
    ratio = float(np.median(tokens / params))
    if params.max() < 1e4:
        yield ResultWarning(
            WarningKind.ODD_COUNTS,
            f"params are {params.min():.4g} to {params.max():.4g} on {tokens.min():.3g} to "
            f"{tokens.max():.3g} tokens: if they are in millions, scale them with "
            "runs.with_columns(params=1e6 * runs['params'])",
        )
    if ratio < 1e-2:
        yield ResultWarning(
            WarningKind.ODD_COUNTS,
            f"tokens are {tokens.min():.4g} to {tokens.max():.4g} for {params.min():.3g} to "
            f"{params.max():.3g} params: if they are in billions, scale them with "
            "runs.with_columns(tokens=1e9 * runs['tokens'])",
        )


def rising(sample: Sample) -> Iterator[ResultWarning]:
    """A warning where losses rise with params at equal tokens and precision, as accuracies do."""
    one, two = _steps(sample)
    if len(one) < 5:
        return
    rises = int(np.sum(sample.loss[two] > sample.loss[one]))
    if rises >= RISES * len(one):
        yield ResultWarning(
            WarningKind.RISING_LOSS,
            f"the loss rises with params in {rises} of {len(one)} pairs of equal tokens and "
            "precision: is it an accuracy? A law of the loss falls with params",
        )


def _steps(sample: Sample) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and the next larger size at the same tokens per param or tokens, and precision."""
    x = sample.x
    group = x.group if len(x.group) else np.zeros(len(sample), dtype=int)
    for along in (x.tokens, x.tokens / x.params):
        key = np.column_stack([np.round(np.log(along), 6), x.level, group])
        line = np.asarray(np.unique(key, axis=0, return_inverse=True)[1]).ravel()
        order = np.lexsort((x.params, line))
        one, two = order[:-1], order[1:]
        near = (line[one] == line[two]) & (x.params[two] > x.params[one] * (1 + 1e-9))
        if near.sum() >= 5:
            return one[near][:MOST_PAIRS], two[near][:MOST_PAIRS]
    none = np.zeros(0, dtype=np.intp)
    return none, none


def check_splits(sample: Sample) -> None:
    """Raise FitError where a further column splits repeated cells into losses of another kind."""
    for name, words, gap, spread in _splits(sample):
        if abs(gap) > spread:
            raise FitError(
                f"column {name!r} splits every repeated cell ({' and '.join(words)}), and losses "
                f"differ by a factor {np.exp(abs(gap)):.3g} between its values: they are no seeds; "
                f"{_choice(name, words)}"
            )


def split_cells(sample: Sample) -> Iterator[ResultWarning]:
    """A warning where a further column splits repeated cells into losses that differ."""
    for name, words, gap, _ in _splits(sample):
        yield ResultWarning(
            WarningKind.SPLIT_CELLS,
            f"runs of equal cells differ in {name} ({' and '.join(words)}), and their losses by "
            f"{100 * abs(gap):.2g}% in the mean: they are no seeds of one cell; "
            f"{_choice(name, words)}, or fit with per={name!r}",
            (),
        )


def _choice(name: str, words: list[str]) -> str:
    """What to do about a column that splits cells: it spells the precision, or one is chosen."""
    if "bit" in name.lower():
        return f"if it is the precision, read the table with precision='w{{{name}}}'"
    return f"choose one with where({name}={words[0]!r})"


def _splits(sample: Sample) -> Iterator[tuple[str, list[str], float, float]]:
    """Columns of few values that part all repeated cells, the mean gap of log loss between the
    first two values, and the spread of log loss within one."""
    cells = sample.cells
    repeated = np.bincount(cells) > 1
    known = {"params", "tokens", "precision", "metric", *SAME, *OF_A_RUN}
    known |= {c.name for c in COLUMNS if c.kind in ("count", "positive", "amount")}
    if repeated.sum() < LEAST_CELLS:
        return
    rows = repeated[cells]
    for name in sample.runs.columns:
        if name in known:
            continue
        values = np.array([str(v) for v in sample.runs[name]])[rows]
        words, index = np.unique(values, return_inverse=True)
        if not 2 <= len(words) <= 4:
            continue
        found = _gap(cells[rows], index == 0, index == 1, np.log(sample.loss[rows]))
        if found is not None:
            yield name, [str(w) for w in words], *found


def _gap(
    cells: NDArray[np.intp], one: Mask, two: Mask, log_loss: Array
) -> tuple[float, float] | None:
    """Mean gap between two kinds of rows of the same cells, where it is far beyond chance."""
    shared = np.intersect1d(cells[one], cells[two])
    if len(shared) < max(LEAST_CELLS, 0.8 * len(np.unique(cells))):
        return None
    means = [
        np.array([log_loss[kind & (cells == cell)].mean() for cell in shared])
        for kind in (one, two)
    ]
    gap = means[1] - means[0]
    error = max(float(gap.std(ddof=1)) / np.sqrt(len(gap)), ROUNDING)
    if 2 * stats.t.sf(abs(float(gap.mean())) / error, len(gap) - 1) > CHANCE:
        return None
    return float(gap.mean()), float(means[0].std(ddof=1))
