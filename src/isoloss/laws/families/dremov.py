"""Dremov's law of quantised training: a floor by bits, and a loss that falls with tokens per
byte.
"""

from __future__ import annotations

from isoloss.laws.constant import amplitude, power, scale
from isoloss.laws.formula import Composed
from isoloss.laws.law import Law
from isoloss.laws.provenance import Box
from isoloss.laws.terms import Penalty, PerByte, Rounded, halving

ORDER = 130


def laws() -> tuple[Law, ...]:
    """The form alone, for models trained in low precision from the first token on."""
    floor = Penalty(
        amplitude("theta", "size of the floor that bits leave", "nats"),
        None,
        None,
        (
            halving(
                "w", scale("k", "halvings of the floor a bit", 0.01, 10.0, (0.2, 2.0), "1/bits")
            ),
        ),
        Rounded("w"),
    )
    reachable = PerByte(
        amplitude("phi", "size of the loss that tokens mend", "nats"),
        power("psi", "how fast the mendable loss falls with params"),
        power("omega", "how fast the mendable loss falls with tokens per byte"),
        halving(
            "w",
            scale("chi", "halvings of the mendable loss a bit", 0.01, 10.0, (0.2, 2.0), "1/bits"),
        ),
    )
    law = Law(
        "dremov2025",
        Composed(penalties=(floor, reachable)),
        title="Dremov et al. 2025, quantised training of weights, to be fitted",
        source="2509.22935",
        evidence="S",
        box=Box((8.6e7, 2.2e9), (2.3e9, 1.4e12), (1.0, 1.6e4), "weights of 1 to 6 bits"),
        notes=(
            "for quantised training from the first token: the paper's third term, of a phase in "
            "full precision before, lambda 2^(-mu B) / (N^nu S_fp^xi S_qat^rho), is left out: S_fp "
            "and S_qat are tokens per byte of each phase, laws take precisions that do not change, "
            "and the sign of xi is not verified",
            "best_quantised_share gives the share of training that is best quantised after such a "
            "phase, for a precision that changes, as 'fp then w4 from 80%'",
        ),
    )
    return (law.fix(kappa=1.0),)
