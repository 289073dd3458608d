"""Teams that do not know their law: a truth near a published law, 60 noisy runs of it, and other
laws to fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.optimize import brentq, minimize_scalar

from isoloss.fits import draw_runs
from isoloss.formats import Precision
from isoloss.laws import Array, Law, as_inputs, preset
from isoloss.plans import MFU, Hardware, as_machine, rate_of
from isoloss.runs import Runs

#: Sizes and tokens per param of the runs: 15 cells, each in four precisions.
SIZES, RATIOS = np.geomspace(3e7, 6e8, 5), (10.0, 40.0, 160.0)
#: Standard deviation of log loss between seeds, and how often a seed is an outlier and by how much.
NOISE, ODD, OUTLIER = (0.005, 0.010), 0.03, (0.02, 0.06)
#: Where the size of a jittered term is held: the middle of the runs.
PIVOT = {"A": ("alpha", 1.4e8), "B": ("beta", 5.5e9)}
#: Published laws with constants of precisions, newest first.
NEWEST = ("quartet2025", "chen2025", "quest2025", "sun2025", "kumar2024")
#: Panferov's law with the outer exponent of its base free: every set of laws has one whose base
#: bends.
KAPPA = "panferov2025, kappa free"


@dataclass(frozen=True)
class Family:
    """A published law as the truth: its precisions, the machine, and the laws that its teams fit.

    No team fits the law of its truth, nor one of the same form (Frantar's table is the form of
    QuEST, and that of Quartet with an outer exponent of one).
    """

    truth: str
    precisions: tuple[str, ...]
    hardware: str
    laws: tuple[str, ...]


def _floats(*names: str) -> tuple[str, ...]:
    return tuple(f"w:{name}/128 a:{name}/128 g:{name}/128" for name in names)


FAMILIES = (
    Family(
        "kumar2024",
        ("bf16", "w8 a8", "w6 a6", "w4/128 a4/128"),
        "linear-bits",
        ("frantar2025", "panferov2025", "chen2025_shared", "quartet2025"),
    ),
    Family(
        "sun2025",
        ("bf16", *_floats("e4m3", "e3m2", "e2m1")),
        "b200",
        ("frantar2025", "kumar2024", "chen2025_shared", "quartet2025"),
    ),
    Family(
        "quest2025",
        ("bf16", *(f"w{b}+had@quest a{b}+had@quest" for b in (8, 4, 3))),
        "linear-bits",
        ("kumar2024", "panferov2025", "chen2025_shared", KAPPA),
    ),
    Family(
        "chen2025",
        ("bf16", "w4/32 a4/32", "w4/128 a4/128", "w4/256 a4/256"),
        "linear-bits",
        ("frantar2025", "kumar2024", "quartet2025"),
    ),
    Family(
        "quartet2025",
        ("bf16", "w:mxfp4@quest a:mxfp4@quest", "w:mxfp4 a:mxfp4", "w:mxfp4~sr a:mxfp4~sr"),
        "b200",
        ("frantar2025", "panferov2025", "chen2025_shared", KAPPA),
    ),
)


def form(name: str) -> Law:
    """The law of a name, to be fitted."""
    if name == KAPPA:
        return replace(preset("panferov2025").release("kappa"), name=KAPPA)
    return preset(name)


@dataclass(frozen=True)
class Team:
    """What one team has: its runs, the machine, the laws it fits; and the truth, which only the
    score sees.
    """

    seed: int
    family: Family
    truth: Law
    runs: Runs
    compute: float


def team(seed: int) -> Team:
    """The team of a seed; families take turns."""
    rng = np.random.default_rng([2025, seed])
    family = FAMILIES[seed % len(FAMILIES)]
    truth = jittered(published(family.truth), rng)
    cells = design(family.precisions)
    runs = draw_runs(truth, cells, rng.uniform(*NOISE), seed=int(rng.integers(2**31)))
    odd = rng.random(len(runs)) < ODD
    loss = np.asarray(runs["loss"]) * np.exp(np.where(odd, rng.uniform(*OUTLIER, len(runs)), 0.0))
    compute = float(np.sum(6.0 * np.asarray(runs["params"]) * np.asarray(runs["tokens"])))
    return Team(seed, family, truth, runs.with_columns(loss=loss), compute)


def published(name: str) -> Law:
    """A published law; QuEST's with its factors moved to Epoch's base, at equal gaps in the middle
    of the runs.

    Its own base (alpha 0.06, no floor) would put 600B params on 6B tokens, which is no truth to
    plan for.
    """
    law = preset(name)
    if name != "quest2025":
        return law
    base, n = preset("epoch2024").values, PIVOT["A"][1]
    own, new = (b["A"] * n ** -b["alpha"] for b in (law.values, base))
    moved = {
        key: (1.0 + own / new * (eff ** -law.values["alpha"] - 1.0)) ** (-1.0 / base["alpha"])
        for key, eff in law.values.items()
        if key.startswith("eff")
    }
    return law.at(**moved, **{key: base[key] for key in ("A", "alpha", "B", "beta", "E")})


def design(precisions: Sequence[str]) -> Runs:
    """Every size at every length in every precision."""
    n, ratio = (v.ravel() for v in np.meshgrid(SIZES, RATIOS))
    rows, count = len(n), len(precisions)
    frame = {
        "params": np.tile(n, count),
        "tokens": np.tile(n * ratio, count),
        "precision": np.repeat(list(precisions), rows).tolist(),
        "loss": np.ones(rows * count),
    }
    return Runs.from_frame(pl.DataFrame(frame))


def jittered(law: Law, rng: np.random.Generator) -> Law:
    """A law whose constants lie around those of another, as another corpus and recipe would have
    them.

    Exponents, the outer exponent and the floor move by 5%, sizes of terms by 10% in the middle of
    the runs, what a precision costs by 20%.
    """
    free = [k.name for k in law.constants if k.name not in law.ties and k.value is not None]
    old = {name: law.values[name] for name in free}
    new = {
        name: old[name] * np.exp(0.05 * rng.standard_normal())
        for name in ("alpha", "beta", "E")
        if name in old
    }
    if "kappa" not in law.fixed:
        new["kappa"] = old["kappa"] * np.exp(0.05 * rng.standard_normal())
    power = old["kappa"] / new.get("kappa", old["kappa"])
    for size, (name, middle) in PIVOT.items():
        before = old.get(name, old["alpha"])
        after = new.get(name, new["alpha"])
        at_middle = (old[size] * middle**-before) ** power * np.exp(0.1 * rng.standard_normal())
        new[size] = at_middle * middle**after
    for name in free:
        factor = np.exp(0.2 * rng.standard_normal())
        if name.startswith("eff"):
            new[name] = float(np.exp(np.log(old[name]) * factor))
        elif name.startswith("k") and name != "kappa":
            new[name] = old[name] * factor
        elif name.startswith("gamma_"):
            new[name] = old[name] * np.sqrt(factor)
    return law.at(**{name: float(value) for name, value in new.items()})


def at_peaks(hardware: str) -> Hardware:
    """A machine whose formats reach one share of their peaks, so that rates hold no doubt here."""
    return as_machine(hardware).with_mfu({"all": MFU})


@dataclass(frozen=True)
class Oracle:
    """The best plans of a known law by plain search, without anything of isoloss.plans but the
    rates.
    """

    law: Law
    precisions: tuple[str, ...]
    costs: Array

    @classmethod
    def of(cls, law: Law, precisions: Sequence[str], hardware: str) -> Oracle:
        rates = [rate_of(at_peaks(hardware), Precision.parse(p)).cost for p in precisions]
        return cls(law, tuple(precisions), np.array(rates))

    def loss(self, params: float, tokens: float, precision: str) -> float:
        """The loss of one run under the law."""
        return float(self.law.loss(as_inputs(params, tokens, [precision]))[0])

    def params(self, compute: float, precision: str) -> tuple[float, float]:
        """The best params at a compute in one precision when all is spent, and the loss there."""
        cost = 6.0 * self.costs[self.precisions.index(precision)]
        u = np.linspace(np.log(1e5), np.log(1e14), 200)
        n = np.exp(u)
        values = self.law.loss(as_inputs(n, compute / (cost * n), [precision]))
        k = int(np.argmin(values))
        ends = (u[max(k - 1, 0)], u[min(k + 1, len(u) - 1)])

        def at(v: float) -> float:
            return self.loss(np.exp(v), compute / (cost * np.exp(v)), precision)

        found = minimize_scalar(at, bounds=ends, method="bounded", options={"xatol": 1e-7})
        return float(np.exp(found.x)), float(found.fun)

    def best(self, compute: float) -> float:
        """The least loss at a compute over all precisions."""
        return min(self.params(compute, p)[1] for p in self.precisions)

    def needed(self, loss: float, compute: float) -> float:
        """The least compute that reaches a loss, at most the given one; a millionth of it where
        less would do.
        """

        def over(v: float) -> float:
            return self.best(compute * np.exp(v)) - loss

        least = np.log(1e-6)
        if over(0.0) >= 0:
            return compute
        return compute * float(
            np.exp(least if over(least) <= 0 else brentq(over, least, 0.0, xtol=1e-6))
        )
