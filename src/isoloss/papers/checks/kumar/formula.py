"""The formula of Kumar et al. 2024 at any real number of bits, and what their checks share.

Laws of isoloss see formats, which have whole bits, and refuse a factor that is not positive; the
paper's optima and zeros lie between formats, so the checks write the factor out from the constants
of the law.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, prod

from scipy.optimize import brentq

from isoloss.laws import Law
from isoloss.linear import Study
from isoloss.papers.claim import Finding
from isoloss.papers.findings import exact

PARTS = {"w": "weights", "a": "activations", "kv": "keys and values"}
#: What the paper's laws rest on: its table 2, with offsets and as the main text prints it.
FITTED, PRINTED = "kumar2024", "kumar2024_printed"
#: Mean squared errors of the fits of figure 5: weights alone, joint, product of separate fits.
SQUARED = {"weights": 0.0028, "joint": 0.0086, "product": 0.0089}
#: R2 of the same fits.
EXPLAINED = {"weights": 0.9655, "joint": 0.9006, "product": 0.8973}


@dataclass(frozen=True)
class Factor:
    """f(P) = 1 - exp(-P / gamma + sign n): the params that a part in P bits leaves."""

    gamma: float
    n: float = 0.0
    sign: float = 1.0

    def __call__(self, bits: float) -> float:
        """The factor; negative where training fails."""
        return 1.0 - self._lost(bits)

    def elasticity(self, bits: float) -> float:
        """d log f / d log P."""
        return bits * self._lost(bits) / (self.gamma * self(bits))

    @property
    def zero(self) -> float:
        """The bits at which nothing is left."""
        return self.sign * self.n * self.gamma

    def _lost(self, bits: float) -> float:
        return exp(-bits / self.gamma + self.sign * self.n)


def constants(law: Law) -> dict[str, float]:
    """The constants of a law that are known, tied ones included."""
    return {k.name: k.value for k in law.constants if k.value is not None}


def factors(law: Law, sign: float = 1.0) -> dict[str, Factor]:
    """The factor of each part from the constants of a law; without offsets where it has none."""
    c = constants(law)
    return {part: Factor(c[f"gamma_{part}"], c.get(f"n_{part}", 0.0), sign) for part in PARTS}


def mean_factor(law: Law) -> Factor:
    """The factor of mean gamma and mean n, the paper's short form where all parts have equal
    bits.
    """
    each = factors(law).values()
    return Factor(sum(f.gamma for f in each) / 3, sum(f.n for f in each) / 3)


def product(law: Law, bits: float) -> float:
    """The factor on params where every part has the same bits."""
    return prod(f(bits) for f in factors(law).values())


def best_bits_of(parts: Iterable[Factor]) -> float:
    """The bits of largest f(P)/P, where the elasticities of the parts sum to one.

    Every elasticity falls with bits beyond the largest zero, so there is one root.
    """
    each = list(parts)
    least = max(0.0, *(f.zero for f in each)) + 1e-9
    return root(lambda bits: sum(f.elasticity(bits) for f in each) - 1.0, least, 60.0)


def loss_of(law: Law, params: float, tokens: float, precision: str = "fp") -> float:
    """The law's loss of one run, in nats."""
    return float(law(params, tokens, precision))


def root(f: Callable[[float], float], low: float, high: float) -> float:
    """Where f is zero between low and high; nan where it does not change its sign."""
    if f(low) * f(high) > 0:
        return float("nan")
    return float(brentq(f, low, high, xtol=1e-12))


def found(
    ours: Mapping[str, float], says: str, rests_on: Sequence[str], figure: Study | None = None
) -> Finding:
    """A finding of figures without error."""
    return Finding(exact(ours), says, tuple(rests_on), figure)


def in_bits(bits: int, parts: Iterable[str] = PARTS) -> str:
    """The precision with these parts in so many bits, as "w4 a4 kv4"."""
    return " ".join(f"{part}{bits}" for part in parts)
