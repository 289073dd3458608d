"""Frantar's laws: a factor on params for every way of compressing, and one for every sparsity."""

from __future__ import annotations

from isoloss.laws.constant import Constant, scale
from isoloss.laws.formula import BASE, Composed
from isoloss.laws.law import Law
from isoloss.laws.terms import Sparse, Table

ORDER = 70

#: The factor of one level; above one where rounding happens to help.
EFF = scale("eff", "effective over nominal params", 1e-3, 2.0, (0.2, 1.0))
TABLE = Composed(params_factor=(Table(("w", "a"), EFF),))


def laws() -> tuple[Law, ...]:
    """The table of factors and the sparsity law, both forms alone."""
    compression = Law(
        "frantar2025",
        TABLE,
        title="Frantar et al. 2025, one factor on params for every format, to be fitted",
        source="2502.16440",
        evidence="A",
        notes=(
            "a factor belongs to its base: it enters as factor^alpha and cannot be moved to "
            "another fit",
            "hearsay, from a machine-made summary and so no values here: factors of .923 for w4, "
            ".747 for w4 a4, .067 for w1 a1, .871 for 50% of the weights pruned",
        ),
    )
    return compression.fix(kappa=1.0), _sparsity().fix(kappa=1.0)


def _sparsity() -> Law:
    alpha = next(k for k in BASE if k.name == "alpha")
    share = Constant(
        "s",
        "share of the params term that sparsity at equal non-zero weights can take",
        0.0,
        0.999,
        (0.1, 0.9),
    )
    power = scale("p", "power of the share of weights that is left", 0.01, 10.0, (0.1, 2.0))
    return Law(
        "frantar2023",
        Composed(params_factor=(Sparse(share, power, alpha),)),
        title="Frantar et al. 2023, sparsity, to be fitted",
        source="2309.08520",
        evidence="S",
        notes=("params are all weights, pruned ones included; the paper counts the non-zero ones",),
    )
