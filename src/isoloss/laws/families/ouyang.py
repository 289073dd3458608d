"""Ouyang's laws of rounding after training: grows with tokens, falls with params and bits."""

from __future__ import annotations

from isoloss.laws.constant import scale
from isoloss.laws.families.chen import PARAMS, SIZE, TOKENS
from isoloss.laws.formula import Composed
from isoloss.laws.law import Law
from isoloss.laws.provenance import Box, Evidence
from isoloss.laws.terms import Penalty, Rounded, Table, bits_power

ORDER = 150

#: Base [(4.74e19/N)^(.045/.399) + 7.63e10/D]^.399.
BASE = {
    "A": 4.74e19 ** (0.045 / 0.399),
    "alpha": 0.045 / 0.399,
    "B": 7.63e10,
    "beta": 1.0,
    "E": 0.0,
    "kappa": 0.399,
}
RUNS = Box(
    (1.6e8, 1.2e10),
    (1e9, 2.06e11),
    (0.083, 1290),
    "GPTQ of weights in 2, 3 and 4 bits",
    kinds=("int",),
    methods=("-> gptq",),
)
#: k, gN and gD of each number of bits, recovered from the paper's table of tokens.
PER_BIT = {
    "w2": (4.115e-4, 0.2239, 0.5195),
    "w3": (1.170e-5, 0.3547, 0.6728),
    "w4": (6.132e-6, 0.3835, 0.6551),
}


def laws() -> tuple[Law, ...]:
    """delta = k D^gD / (N^gN P^g), pooled over bits, and with constants for each number of bits."""
    bits = bits_power("w", scale("gP", "how fast the loss falls with bits", 0.1, 20.0, (1.0, 8.0)))
    pooled = Penalty(SIZE, PARAMS, TOKENS, (bits,), Rounded("w", "serve"))
    size, params, tokens = (
        Table(("w",), k, tuple(PER_BIT), "serve", bare=True) for k in (SIZE, PARAMS, TOKENS)
    )
    per_bit = Penalty(None, params, tokens, (size,), size)
    values = {
        f"{k.name}[{label}]": value
        for label, row in PER_BIT.items()
        for k, value in zip((SIZE, PARAMS, TOKENS), row, strict=True)
    }
    return (
        _law(
            "ouyang2024",
            pooled,
            {"k": 0.017, "gN": 0.2261, "gD": 0.5251, "gP": 5.4967},
            "pooled over bits",
            "S",
        ),
        _law("ouyang2024_per_bit", per_bit, values, "one law for each number of bits", "D"),
    )


def _law(
    name: str, penalty: Penalty, values: dict[str, float], what: str, evidence: Evidence
) -> Law:
    sources = {
        "S": "figure captions, through a secondary note",
        "D": "constants recovered from its table 1",
    }
    return Law(
        name,
        Composed(penalties=(penalty,)),
        BASE | values,
        fixed=frozenset({"E", "beta"}),
        title=f"Ouyang et al. 2024, GPTQ of Pythia, {what}",
        source=f"2411.17691, {sources[evidence]}",
        evidence=evidence,
        box=RUNS,
        notes=(
            "the pooled law is 2.2 to 2.4 times off in tokens at 405B from the paper's table, "
            "which comes from one law for each number of bits",
            "checkpoints of one schedule: tokens and learning-rate decay go together",
        ),
    )
