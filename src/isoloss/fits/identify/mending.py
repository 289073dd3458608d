"""Why constants are not held, from the design, and two runs that would tell them apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.fits.doubt import loss_draws
from isoloss.fits.sample import Sample
from isoloss.fits.solve import Optimum
from isoloss.laws import Array, Inputs, as_inputs
from isoloss.runs import compact

#: Factors beyond the least and the largest size and length at which a mending run may stand.
REACH = (0.25, 0.5, 1.0, 2.0, 4.0)
#: Bit widths that a part of a run may be given to mend.
WIDTHS = (3, 4, 6, 8)


def cause(optimum: Optimum, sample: Sample, names: Sequence[str]) -> str:
    """On how many sizes, lengths and precisions the runs rest that tell of some constants."""
    free = [k.name for k in optimum.problem.coordinates.free]
    columns = [free.index(name) for name in names]
    slope = np.abs(optimum.problem.jacobian(optimum.theta)[:, columns])
    rows = (slope > 1e-9 * np.maximum(slope.max(axis=0), 1e-300)).any(axis=1)
    rows = rows if rows.any() else np.ones(len(sample), dtype=bool)
    x = sample.x
    levels = sorted({str(x.levels.items[k]) for k in np.unique(x.level[rows])})
    params, tokens = x.params[rows], x.tokens[rows]
    return (
        f"{int(rows.sum())} runs of {_distinct('size', params)}, {_distinct('length', tokens)}, "
        f"{_spread(tokens / params)} tokens per param, {_spread(6 * params * tokens)} FLOPs, "
        + (f"all in {levels[0]}" if len(levels) == 1 else f"{len(levels)} precisions")
    )


def remedy(optimum: Optimum, sample: Sample, ridge: Array) -> str:
    """The two runs, no dearer than the dearest, whose losses differ most along a ridge (R, p)."""
    x = _candidates(sample)
    dearest = 1.001 * float(np.max(sample.x.params * sample.x.tokens))
    x = x.take(np.flatnonzero(x.params * x.tokens <= dearest))
    with np.errstate(all="ignore"):
        loss = np.log(loss_draws(optimum.problem.coordinates, ridge, x))
    known = np.isfinite(loss).all(axis=0)
    if not known.any() or len(ridge) < 2:
        return ""
    told_all = np.where(known, loss, 0.0)
    spread = told_all - told_all.mean(axis=0)
    chosen: list[int] = []
    for _ in range(2):
        chosen.append(int(np.argmax(np.linalg.norm(spread, axis=0))))
        told = spread[:, chosen[-1]]
        length = float(told @ told)
        if length > 0:
            # What the first run would tell is taken from all others before the second is chosen.
            spread = spread - np.outer(told, told @ spread) / length
    return " and ".join(_named(x, k) for k in dict.fromkeys(chosen))


def _candidates(sample: Sample) -> Inputs:
    """Sizes and lengths around those of the runs, in their precisions and some of other widths."""
    x = sample.x
    sizes, lengths = _around(x.params), _around(x.tokens)
    levels = dict.fromkeys(x.levels.items[k] for k in np.unique(x.level))
    names = [(level.precision, level.sparsity) for level in levels]
    names += [(text, None) for text in _other_widths(sample)]
    grid = [(n, d, *name) for n in sizes for d in lengths for name in names]
    params, tokens, precision, sparsity = zip(*grid, strict=True)
    groups = [x.groups[0]] * len(grid) if x.groups else None
    return as_inputs(
        np.array(params), np.array(tokens), list(precision), sparsity=list(sparsity), group=groups
    )


def _around(values: Array) -> Array:
    ends = np.array([values.min(), values.max()])
    return np.unique(np.concatenate([[np.sqrt(ends.prod())], *(ends * f for f in REACH)]))


def _other_widths(sample: Sample) -> list[str]:
    """Precisions with one narrow part at a width that no run has."""
    levels = sample.x.levels
    found: list[str] = []
    present = np.unique(sample.x.level)
    for part in ("w", "a", "kv", "g"):
        for mark, every in (("", levels.bits(part)), ("fp -> ", levels.bits(part, "serve"))):
            bits = {float(b) for b in every[present] if b < 16}
            found += [f"{mark}{part}{width}" for width in WIDTHS if bits and width not in bits]
    return found


def _distinct(word: str, values: Array) -> str:
    count = len(np.unique(np.round(np.log(values), 2)))
    return f"{count} {word}{'s' if count > 1 else ''}"


def _spread(values: Array) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.3g}" if high < 1.05 * low else f"{low:.3g} to {high:.3g}"


def _named(x: Inputs, k: int) -> str:
    level = x.levels.items[x.level[k]]
    return f"{compact(x.params[k])} params on {compact(x.tokens[k])} tokens in {level}"
