"""Dremov's law of quantised training: a floor by bits, and a loss that falls with tokens per
byte.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoloss.laws.constant import Constant, amplitude, power, scale
from isoloss.laws.formula import Composed, Constants, Link
from isoloss.laws.inputs import Inputs, Levels, Mask
from isoloss.laws.jet import Value, select, take
from isoloss.laws.law import Law
from isoloss.laws.provenance import Box
from isoloss.laws.terms import Penalty, Rounded, halving

ORDER = 130


@dataclass(frozen=True)
class PerByte:
    """phi 2^(-chi B) N^-psi S^-omega, S = D/(N B/8) tokens per byte of weights, B their bits."""

    size: Constant
    params_power: Constant
    bytes_power: Constant
    link: Link

    @property
    def constants(self) -> tuple[Constant, ...]:
        """phi, psi, omega and chi."""
        return (self.size, self.params_power, self.bytes_power, *self.link.constants)

    @property
    def links(self) -> tuple[Link, ...]:
        """The one link."""
        return (self.link,)

    def applies(self, levels: Levels) -> Mask:
        """Where weights have a format."""
        return levels.is_set("w")

    def __call__(self, c: Constants, x: Inputs, log_params: Value) -> Value:
        """The penalty of every run."""
        mask = self.applies(x.levels)
        if not mask.any():
            return 0.0
        per_weight = np.log(np.where(mask, x.levels.bits("w"), 8.0) / 8.0)
        log_s = x.log_tokens - x.log_params - per_weight[x.level]
        strength = take(self.link(c, x.levels), x.level) * c[self.size.name]
        decay = c[self.params_power.name] * x.log_params + c[self.bytes_power.name] * log_s
        return select(mask[x.level], strength * np.exp(-decay), 0.0)


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
            "for quantised training from the first token: the paper's third term, needing a "
            "phase in full precision before, is left out (runs do not record that phase, and its "
            "sign is not verified)",
        ),
    )
    return (law.fix(kappa=1.0),)
