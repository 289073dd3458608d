"""How rounding distorts the spectrum of the features, measured on drawn ones beside theory.

Eigenvalues and variances of rounded features stand over those of the same features before rounding,
so that what the draw itself does to a spectrum cancels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl

from isoloss.formats import Format, fake_quantise
from isoloss.linear.checks import whole
from isoloss.linear.regression import Regression
from isoloss.linear.studies.question import Array, Reference, Study
from isoloss.linear.studies.work import Point, Work

NAMES = {
    "int16~sr": "real int, stochastic",
    "int16": "real int, nearest",
    "e6m1~sr": "real e6m1, stochastic",
}
MEASURED, DIAGONAL = "measured eigenvalues", "diagonal of E u u'"
#: An eigenvalue below this share of what it was is zero but for the digits of the solver.
ZERO = 1e-9


def spectrum_study(
    *,
    dim: int = 200,
    decay: float = 2.0,
    samples: int = 40_000,
    eps: float = 1e-3,
    factor: float = 0.02,
    precision: tuple[str, ...] = tuple(NAMES),
    seed: int = 0,
    work: Work | None = None,
) -> Study:
    """How rounding distorts the spectrum of the features, measured on drawn ones beside theory."""
    if whole("samples", samples) < dim:
        raise ValueError(
            f"samples is {samples}; accepted are at least as many as dim, {dim}, since fewer have "
            "eigenvalues of zero before rounding too"
        )
    lam = np.asarray(Regression(dim, decay).lam)
    ways = {
        "additive noise": (f"add({eps!r})", (lam + eps) / lam),
        "shared factor": (f"vec({factor!r})", np.full(dim, 1 + factor)),
        **{NAMES.get(each, each): (each, None) for each in precision},
    }
    for spelled, _ in ways.values():
        Format.parse(spelled)

    def point(name: str, spelled: str, theory: Array | None) -> Point:
        return lambda: _measured(name, spelled, theory, lam, samples, eps, seed)

    table = (work or Work()).table([point(name, *way) for name, way in ways.items()])
    study = Study(
        "spectrum",
        f"What does rounding the data do to their spectrum? {samples} features of variance "
        f"i^-{decay:g}, d = {dim}: additive noise {eps:g}, a shared factor {factor:g}, integers "
        f"with step^2 / 6 = {eps:g}, floats of 1 mantissa bit; all over the same features before "
        "rounding. A line ends where every number rounds to 0.",
        table,
        "index", "ratio", "way", "what", ("index i", "eigenvalue with rounding / without"), (),
    )  # fmt: skip
    return replace(
        study, answer=tuple(_ratios(study)), theory=tuple(_expected(lam, decay, eps, factor))
    )


def _measured(
    name: str, spelled: str, theory: Array | None, lam: Array, count: int, eps: float, seed: int
) -> pl.DataFrame:
    """Eigenvalues and diagonal of one way of rounding, over those of the same features before."""
    x = np.random.default_rng(seed).standard_normal((count, len(lam))) * np.sqrt(lam)
    drawn = "~sr" in spelled or "(" in spelled
    step = float(np.sqrt(6 * eps)) if Format.parse(spelled).is_integer else 1.0
    out = fake_quantise(
        x, spelled, random=seed + 1 if drawn else None, scale=None if "(" in spelled else step
    )
    values, before = (np.linalg.eigvalsh(each.T @ each)[::-1] for each in (out, x))
    diagonal = np.mean(out**2, axis=0) / np.mean(x**2, axis=0) if theory is None else theory
    index = np.arange(1, len(lam) + 1)
    tables = [
        pl.DataFrame({"index": index, "ratio": np.where(ratios > ZERO, ratios, np.nan)})
        .with_columns(pl.lit(name).alias("way"), pl.lit(what).alias("what"))
        .with_columns(pl.col("ratio").fill_nan(None))
        for what, ratios in ((MEASURED, values / before), (DIAGONAL, diagonal))
    ]
    return pl.concat(tables)


def _expected(lam: Array, decay: float, eps: float, factor: float) -> Iterator[Reference]:
    """A floor under the spectrum, a factor, and what small numbers keep of stochastic rounding."""
    index = np.arange(1.0, len(lam) + 1)
    for panel in (MEASURED, DIAGONAL):
        ideal = 1 + eps * index**decay
        yield Reference("$1 + \\epsilon\\, i^a$", tuple(index), tuple(ideal), panel)
        yield Reference("1 + factor", (), (1 + factor,), panel)
        # E of |x| / step draws of a whole step: theory notes, 1.2.
        small = np.sqrt(6 * eps * 2 * lam / np.pi) / lam
        far = small > 3
        if far.sum() > 1:
            yield Reference("$i^{a/2}$", tuple(index[far]), tuple(small[far]), panel)


def _ratios(study: Study) -> Iterator[str]:
    for panel, name, x, y in study.lines():
        if panel == MEASURED:
            at = [i for i in (1, 10, 100, 1000) if i <= x[-1]]
            values = ", ".join(f"{y[list(x).index(i)]:.4g}" for i in at)
            ends = "" if len(x) == study.table["index"].max() else f"; 0 from i = {x[-1] + 1:.0f}"
            yield (
                f"{name}: at i = {', '.join(map(str, at))} the eigenvalue is {values} times that "
                f"of the same features before rounding{ends}"
            )
