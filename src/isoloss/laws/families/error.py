"""Laws of the error: what a format costs follows from how far it moves numbers.

**After training** (`error`):

    gap = c err^p N^-n D^d m,

err the relative error of rounding normal rows as wide as the matrices of a decoder of N params, m
the factor of a method beside rounding to nearest. A format that nobody has run has an error, so it
has a price. The exponent p is near 1: the loss is near its minimum in most directions, and the
quadratic form of its curvature grows with the mean square of what is added.

**In training** (`error_trained`): N_eff = N exp(-c_w err_w^p - c_a err_a^p - c_kv err_kv^p) in
Hoffmann's law, err at the best scale. Fitted to losses of quest2025 p is .64 (90%: .61 to .67);
gaps alone do not hold it.

`error2026` and `error_trained2026` are their gaps with constants, fitted by
``python -m benchmarks.error2026 --write``; the evidence is kept with fits (`fits.presets`).
Weights after training alone, as rows of normal numbers are no stand-in for activations, whose
tails are heavier: formats of activations left out of isoloss2026 were told .1 to 21 times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from isoloss.laws.constant import Constant, amplitude, power, scale
from isoloss.laws.formula import Composed
from isoloss.laws.gap_of import gap_law
from isoloss.laws.law import Law
from isoloss.laws.provenance import Box
from isoloss.laws.terms import ErrorPenalty, FormatLink, MethodFactor, error_capacity

ORDER = 175

PARTS = {"w": "weights", "a": "activations", "kv": "keys and values"}


def laws() -> tuple[Law, ...]:
    """The laws of the error after training and in it, to be fitted, and their gaps as fitted."""
    return _after(), _trained(), _after_2026(), _trained_2026()


def _after() -> Law:
    law = Law(
        "error",
        Composed(penalties=tuple(_penalty(part) for part in PARTS)),
        title="A power of the rounding error of normal rows, after training, to be fitted",
        source="isoloss",
        notes=(
            "a format that nobody has run is placed by its error",
            "activations and keys have heavier tails than the normal rows that they are priced by",
        ),
    )
    return law.fix(kappa=1.0)


def _trained() -> Law:
    law = Law(
        "error_trained",
        Composed(params_factor=_capacities(PARTS)),
        title="Params that a rounding error leaves, in training, to be fitted",
        source="isoloss",
        notes=("a format that nobody trained in is placed by its error",),
    )
    return law.fix(kappa=1.0)


def _after_2026() -> Law:
    law = Law("error2026", Composed(penalties=(_penalty("w", ("gptq",)),))).fix(kappa=1.0)
    return _fitted(
        law,
        "Gap of weights rounded after training, a power of their error",
        {"c_w": 0.0813747, "p_w": 1.06184, "n_w": 0.123593, "d_w": 0.263813, "m[gptq]": 0.557522},
        Box(
            (20640.0, 6.52e10),
            (206848.0, 1.4e12),
            (1.22072, 400.0),
            kinds=("float", "int"),
            holes=((409360.0, 6.74e9),),
        ),
        (
            "gaps of isoloss2026 (20k to 409k params) and gptq_llama2023 (7B to 65B), none between",
            "weights alone: the error of normal rows does not tell what activations, keys and "
            "values cost",
        ),
    )


def _trained_2026() -> Law:
    law = Law("error_trained2026", Composed(params_factor=_capacities(("w", "a")))).fix(kappa=1.0)
    return _fitted(
        law,
        "Gap of weights and activations trained in few bits, by their error",
        {"A": 5188.88, "alpha": 0.115428, "c_w": 0.01, "c_a": 0.01095, "p": 0.711649},
        Box(
            (30482560.0, 822151168.0),
            (2999975936.0, 79999795200.0),
            (97.0499, 100.892),
            kinds=("binary", "float", "int"),
            methods=("quest",),
        ),
        (
            "gaps of quest2025: QuEST with Hadamard, about 100 tokens a param, so that growth with "
            "tokens is not known",
            "c_w is held in the limit of small gaps, where A c_w and A c_a alone count",
        ),
    ).fix("c_w")


def _fitted(
    law: Law, title: str, values: Mapping[str, float], box: Box, notes: tuple[str, ...]
) -> Law:
    """The gaps of a law with the constants of a fit of isoloss."""
    found = replace(gap_law(law), name=law.name, title=title, source="isoloss", box=box)
    return replace(found.with_values(values), evidence="F", notes=notes)


def _capacities(parts: Iterable[str]) -> tuple[FormatLink, ...]:
    """A factor of params for each part, all of one power."""
    shared = scale("p", "power of the error in training", 0.05, 5.0, (0.4, 1.2))
    meaning = "size of what rounding {} costs"
    return tuple(
        error_capacity(
            part, scale(f"c_{part}", meaning.format(PARTS[part]), 1e-3, 1e4, (1, 20)), shared
        )
        for part in parts
    )


def _penalty(part: str, methods: tuple[str, ...] = ()) -> ErrorPenalty:
    name = PARTS[part]
    own = "m" if part == "w" else f"m_{part}"
    factor = Constant(
        own, f"gap of {name} over that of rounding to nearest", 1e-3, 10.0, (0.3, 1.0)
    )
    return ErrorPenalty(
        part,
        amplitude(f"c_{part}", f"size of what rounding {name} after training costs", "nats"),
        scale(f"p_{part}", f"power of the error of {name}", 0.05, 5.0, (0.7, 1.3)),
        power(f"n_{part}", f"how fast the cost of rounding {name} falls with params"),
        power(f"d_{part}", f"how fast the cost of rounding {name} grows with tokens"),
        MethodFactor(part, factor, methods),
    )
