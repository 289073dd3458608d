"""The theory's law: additive noise hides params beyond a size, multiplicative adds a floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoloss.formats import Format
from isoloss.laws.constant import Constant, amplitude, scale
from isoloss.laws.formula import BASE, Composed, Constants, Link
from isoloss.laws.inputs import Levels, Mask
from isoloss.laws.jet import Value
from isoloss.laws.law import Law
from isoloss.laws.terms import Cap, FormatLink, Penalty, noise_of

ORDER = 180

CAP = Cap(
    "d",
    scale("c", "params that noise of size one would leave", 1e-3, 1e12, (0.1, 1e3), "params"),
    Constant("a", "decay of the spectrum of the data", 1.01, 10.0, (1.2, 3.0)),
)
POWER = Constant(
    "p",
    "power of eps/(1 + eps) in that floor: 1 in use with rounded data, 2 without",
    0.5,
    3.0,
    (1.0, 2.0),
)


#: Parts whose noise costs samples: labels, activations, output gradients, the parameter as used.
PARTS = {"l": "labels", "a": "activations", "g": "output gradients", "w": "parameters"}


@dataclass(frozen=True)
class SamplesLeft:
    """(1 + k eps)^(-1/(kappa beta)): the share of the samples that the noise of a part leaves.

    Noise of variance eps on labels, activations, gradients or parameters adds to the noise of a
    step, sigma_G^2 = sigma_0^2 + h eps. The bias c (N gamma)^(-r) and the variance sigma_G^2 gamma
    (N gamma)^(-r), r = (a - 1)/a = kappa beta, together grow by 1 + k eps from it, k = h gamma / (c
    + gamma sigma_0^2): as if samples were lost. Of additive noise h is one (labels, activations,
    gradients) or the trace of H (parameters), of a shared factor the power of what it multiplies.
    Reference: Zhang et al. 2025 (2510.18259), sigma_G of Theorem 4.1; the share is derived here.

    Attributes
    ----------
    part
        The part whose noise counts.
    kind
        "additive" or "multiplicative": the noise that counts; of the other kind it leaves all.
    size
        k, at the batch and step size of the runs.
    beta, kappa
        The exponent of tokens and the outer exponent of the base, by the same names.
    """

    part: str
    kind: str
    size: Constant
    beta: Constant
    kappa: Constant

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The size k, and the exponents of the base."""
        return (self.size, self.beta, self.kappa)

    def applies(self, levels: Levels) -> Mask:
        """Where the part has noise of the kind."""
        return np.asarray(levels.read(self.part, _is_relative, unset=-1.0) == self._is_relative)

    def __call__(self, c: Constants, levels: Levels) -> Value:
        """The factor at every level."""
        eps = levels.read(self.part, _level, unset=0.0)
        power = c[self.beta.name] * c[self.kappa.name]
        return np.exp(np.log(1.0 + c[self.size.name] * eps) / -power)

    def domain(self, c: Constants) -> str:
        """The noise that it takes: any of its kind."""
        return f"the law needs {self.kind} noise of part {self.part!r}"

    @property
    def _is_relative(self) -> float:
        return float(self.kind == "multiplicative")


@dataclass(frozen=True)
class Relative:
    """The levels at which the noise of a part grows with the value; additive noise has no floor."""

    part: str

    def applies(self, levels: Levels) -> Mask:
        """Where the part has relative noise."""
        return np.asarray(levels.read(self.part, _is_relative, unset=0.0) > 0)


def _is_relative(known: Format) -> float:
    return float(noise_of(known)[0] == "multiplicative")


def _level(known: Format) -> float:
    """eps."""
    return noise_of(known)[1]


def _share(known: Format) -> float:
    """eps/(1 + eps)."""
    _, eps = noise_of(known)
    return eps / (1 + eps)


def _raised(share: Value, power: Value) -> Value:
    return np.exp(power * np.log(share))


def laws() -> tuple[Law, ...]:
    """The law for noise in the data, and with a term for the noise of each other part."""
    return _of_data(), _of_all_parts()


def _floor() -> Penalty:
    return Penalty(
        amplitude("F", "loss that multiplicative noise of size one leaves"),
        None,
        None,
        (FormatLink("d", (POWER,), _raised, _share, noun="noise level"),),
        Relative("d"),
    )


def _of_data() -> Law:
    """E + (A min(N, c eps^(-1/a))^-alpha + B D^-beta)^kappa + F (eps/(1 + eps))^p.

    The minimum is for additive noise, the floor F for multiplicative.
    """
    return Law(
        "zhang2026",
        Composed(maps=(CAP,), penalties=(_floor(),)),
        bounds={"alpha": (0.02, 8.0), "beta": (0.02, 8.0)},
        title="Zhang et al. 2026, quantised stochastic gradient descent in regression, to be "
        "fitted",
        source="2602.19241 and 2510.18259, orders derived here from their setting",
        evidence="D",
        notes=(
            "for noise in the data (part d); in the theory kappa alpha = a - 1 and kappa beta = "
            "(a - 1)/a",
            "the theory has the order of the base, of which a sum and a maximum are alike; exact "
            "risk is nearer the maximum (kappa below one)",
            "c is in units of ideal noise: integers, whose eps is taken as 4^-bits, have another "
            "one",
            "the papers' own constants and their effective number of samples are not known here",
        ),
    )


def _of_all_parts() -> Law:
    """The same with D (1 + k eps)^(-1/(kappa beta)) for the noise of each other part."""
    return Law(
        "zhang2026_parts",
        Composed(
            tokens_factor=tuple(
                _samples_left(part, kind)
                for part in PARTS
                for kind in ("additive", "multiplicative")
            ),
            maps=(CAP,),
            penalties=(_floor(),),
        ),
        bounds={"alpha": (0.02, 8.0), "beta": (0.02, 8.0)},
        title="zhang2026 with the samples that noise of labels, activations, gradients and "
        "parameters costs, to be fitted",
        source="2602.19241 and 2510.18259, orders derived here from their setting",
        evidence="D",
        notes=(
            "k and r hold at one batch and step size: of additive noise they fall as the batch "
            "grows, but not of parameters",
            "in the theory k of labels, activations and gradients are one number, that of "
            "parameters is the trace of H times it",
        ),
    )


def _samples_left(part: str, kind: str) -> Link:
    letter, noise = ("k", "additive noise") if kind == "additive" else ("r", "a relative error")
    size = scale(
        f"{letter}_{part}",
        f"growth of the noise of a step with {noise} of {PARTS[part]}",
        1e-6,
        1e6,
        (1e-2, 10.0),
    )
    base = {k.name: k for k in BASE}
    return SamplesLeft(part, kind, size, base["beta"], base["kappa"])
