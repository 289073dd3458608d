"""The forms of precision that checks fit: N_eff, its rivals of table 1, factors that are free.

Kumar et al. print no formulas of the rivals. Each is composed here of the terms of isoloss as their
table 1 names it, on the base of the paper (one exponent for params and tokens).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from isoloss.fits import Comparison, Fit, Sample, compare, fit
from isoloss.laws import (
    Composed,
    Constant,
    FormatLink,
    Law,
    Mask,
    Penalty,
    Rounded,
    Table,
    Value,
    amplitude,
    bits_power,
    power,
    preset,
    saturating,
    scale,
)
from isoloss.papers.laboratory import Laboratory
from isoloss.runs import Runs

#: Starts and replicates of the fits of checks: enough for these laws of few constants.
STARTS, DRAWS = 8, 100
FOLDS = 5
EFF = scale("eff", "effective over nominal params", 1e-3, 2.0, (0.2, 1.0))
EFF_TOKENS = scale("eff_D", "effective over nominal tokens", 1e-3, 2.0, (0.2, 1.0))


def _gamma(name: str) -> Constant:
    return scale(name, "bits over which the cost falls by e", 0.05, 20.0, (0.5, 3.0), "bits")


def _offset(name: str) -> Constant:
    return Constant(name, "offset in the exponent", -3.0, 8.0, (0.0, 1.5))


def _factor(part: str, suffix: str) -> FormatLink:
    return saturating(part, _gamma(f"gamma_{suffix}"), _offset(f"n_{suffix}"))


def law_of(name: str, formula: Composed, tied: bool = True) -> Law:
    """A law to be fitted; its base has no outer exponent, and one exponent where ``tied``."""
    law = Law(name, formula, title=f"{name}, to be fitted").fix(kappa=1.0)
    return law.tie("beta", "alpha") if tied else law


def n_eff(part: str = "w") -> Law:
    """Kumar's factor of the bits of one part on params."""
    return law_of("N_eff", Composed(params_factor=(_factor(part, "N"),)))


def rivals() -> dict[str, Law]:
    """The forms of table 1 by name, N_eff first; all see the bits of weights."""
    both = _factor("w", "N")
    bits = scale("p", "power of bits", 0.05, 20.0, (0.5, 5.0))
    added = Penalty(
        amplitude("k", "size of the added loss", "nats"),
        None,
        None,
        (bits_power("w", bits, "train"),),
        Rounded("w"),
    )
    share = FormatLink(
        "w", (scale("c", "share of params at one bit", 1e-3, 2.0, (0.05, 0.5)), bits), _risen
    )
    return {
        "N_eff": n_eff(),
        "additive": law_of("additive", Composed(penalties=(added,))),
        "D_eff": law_of("D_eff", Composed(tokens_factor=(_factor("w", "D"),))),
        "one factor on both": law_of(
            "one factor on both", Composed(params_factor=(both,), tokens_factor=(both,))
        ),
        "factors on each": law_of(
            "factors on each", Composed(params_factor=(both,), tokens_factor=(_factor("w", "D"),))
        ),
        "power of bits": law_of("power of bits", Composed(params_factor=(share,))),
    }


def _risen(bits: Value, share: Value, risen: Value) -> Value:
    return share * np.exp(risen * np.log(bits))


def free_factors(parts: Sequence[str], tied: bool = True) -> Law:
    """A free factor on params for every level of each of the parts, which multiply."""
    tables = tuple(Table((part,), replace(EFF, name=f"eff_{part}")) for part in parts)
    return law_of("free factors", Composed(params_factor=tables), tied)


def capacity(parts: Sequence[str] = ("w", "a", "kv")) -> Law:
    """A free factor on params for every level of all parts together; base and kappa are free."""
    return Law("params", Composed(params_factor=(Table(tuple(parts), EFF),)))


def data_factor(parts: Sequence[str] = ("w", "a", "kv")) -> Law:
    """A free factor on tokens for every level; base and kappa are free."""
    return Law("tokens", Composed(tokens_factor=(Table(tuple(parts), EFF_TOKENS),)))


def added(parts: Sequence[str] = ("w", "a", "kv")) -> Law:
    """A loss k N^-n D^d for every level, exponents shared; base and kappa are free."""
    size = Table(tuple(parts), amplitude("k", "size of the added loss", "nats"))
    penalty = Penalty(
        None,
        power("gN", "how fast it falls with params"),
        power("gD", "how fast it grows with tokens"),
        (size,),
        size,
    )
    return Law("added", Composed(penalties=(penalty,)))


def after_training(on_effective: bool = True, **held: float) -> Law:
    """Kumar's penalty of rounding after training alone, for gaps in the place of losses: the base
    is made nothing, and the constants of training are held.
    """
    law = preset("kumar2024")
    penalties = tuple(
        replace(each, on_effective=on_effective)
        for each in law.formula.penalties  # type: ignore[attr-defined]
    )
    formula = replace(law.formula, penalties=penalties)  # type: ignore[type-var]
    bare = replace(law, name="after training", formula=formula, box=None)
    held = {"gamma_w": 2.0, "n_w": 0.0} | held
    return bare.fix(A=1e-12, B=1e-12, E=0.0, alpha=0.5, b=0.0, **held)


def fitted(laboratory: Laboratory, law: Law, runs: Runs, key: str) -> Fit:
    """A fit of a law to runs, made once by its name, the hash of the runs and a key."""
    return laboratory.once(
        ("fit", law.name, runs.hash, key),
        lambda: fit(law, runs, starts=STARTS, draws=DRAWS, seed=laboratory.seed),
    )


def compared(
    laboratory: Laboratory,
    laws: Sequence[Law],
    runs: Runs,
    holdouts: Sequence[str],
    key: str,
    draw: int = 0,
) -> Comparison:
    """A comparison of laws on rounded runs that were held out, made once.

    The runs in full precision are fitted always, so that what is asked is the form of precision and
    not the base. ``holdouts`` are "random" (five folds of cells), "longest" and "largest"; ``draw``
    says which draw of the folds.
    """
    rules = [rule for name in holdouts for rule in _rules(name, laboratory.seed + draw)]
    return laboratory.once(
        ("compare", tuple(law.name for law in laws), runs.hash, tuple(holdouts), key, draw),
        lambda: compare(
            list(laws), runs, holdouts=rules, starts=STARTS, draws=20, seed=laboratory.seed
        ),
    )


def _rules(name: str, seed: int) -> list[Callable[[Sample], Mask]]:
    if name == "random":
        return [partial(_fold, k, seed) for k in range(FOLDS)]
    return [{"longest": _longest, "largest": _largest}[name]]


def _rounded(sample: Sample) -> Mask:
    return np.array([each not in ("fp", "bf16") for each in sample.runs["precision"]], dtype=bool)


def _fold(fold: int, seed: int, sample: Sample) -> Mask:
    """A fifth of the cells of rounded runs; seeds of a cell go together."""
    names = [
        f"{n:.0f} {d:.0f} {p}"
        for n, d, p in zip(sample.x.params, sample.x.tokens, sample.runs["precision"], strict=True)
    ]
    found, cell = np.unique(names, return_inverse=True)
    folds = np.random.default_rng(seed).permutation(len(found)) % FOLDS
    return np.asarray((folds[cell] == fold) & _rounded(sample))


def _longest(sample: Sample) -> Mask:
    """Rounded runs of the most tokens per param."""
    length = sample.x.tokens / sample.x.params
    rounded = _rounded(sample)
    return np.asarray(rounded & (length > 0.9 * length[rounded].max()))


def _largest(sample: Sample) -> Mask:
    """Rounded runs of the most params."""
    rounded = _rounded(sample)
    return np.asarray(rounded & (sample.x.params > 0.9 * sample.x.params[rounded].max()))
