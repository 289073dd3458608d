"""When quantisation keeps the rate of full precision: the conditions of the papers' corollaries,
side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from isoloss.files import displayed
from isoloss.formats import Format, NoiseLevels, Precision
from isoloss.linear.asked import check_point
from isoloss.linear.descent import SGD
from isoloss.linear.moments import noise_levels
from isoloss.linear.quantisers import PARTS, quantisers_of, spelled_noises
from isoloss.linear.regression import Regression
from isoloss.linear.risk_of import excess_risk


@dataclass(frozen=True)
class RateCondition:
    """A condition left <= right, up to a constant that nobody has stated; `holds` takes it as one.

    Attributes
    ----------
    part : str
        The part that is rounded: d, l, w, a or g.
    what : str
        The condition as a formula.
    left, right : float
        Its sides.
    source : str
        'notes': derived in the notes on corollary 4.2 of Zhang et al. 2025 (2510.18259), whose
        words they agree with. 'ours': added here, from the exact recursion.
    """

    part: str
    what: str
    left: float
    right: float
    source: str = "notes"

    @property
    def holds(self) -> bool:
        """Whether the left side is at most the right one."""
        return self.left <= self.right

    def __str__(self) -> str:
        sign, word = ("<=", "holds") if self.holds else (">", "fails")
        sides = f"{self.left:.4g} {sign} {self.right:.4g}"
        return f"{self.part}: {self.what}: {sides}, {word} ({self.source})"


@displayed
@dataclass(frozen=True)
class RateConditions:
    """The conditions of every rounded part; it is read like a tuple of them.

    Attributes
    ----------
    precision : str
        The spelling of what is rounded.
    conditions : tuple of RateCondition
        In the order d, l, w, a, g.
    reference : float
        R_0, the exact risk at full precision.
    """

    precision: str
    conditions: tuple[RateCondition, ...]
    reference: float

    @property
    def hold(self) -> bool:
        """Whether all of them hold, constants taken as one."""
        return all(each.holds for each in self)

    def __iter__(self) -> Iterator[RateCondition]:
        return iter(self.conditions)

    def __len__(self) -> int:
        return len(self.conditions)

    def __getitem__(self, at: int) -> RateCondition:
        return self.conditions[at]

    def __str__(self) -> str:
        count = sum(each.holds for each in self)
        head = (
            f"conditions under which '{self.precision}' keeps the rate of full precision "
            f"(R_0 {self.reference:.4g}): {count} of {len(self)} hold, constants taken as 1"
        )
        return "\n".join([head, *(f"  {each}" for each in self)])


def rate_conditions(
    problem: Regression, sgd: SGD, precision: Precision | str, iterate: str = "average"
) -> RateConditions:
    """Conditions under which each ideal noise of a precision leaves the full-precision rate as it
    is.

    R_0 is the exact full-precision risk, N the steps, B the batch, ||w*||^2 = w*' H w*, k* of full
    precision.

    Parameters
    ----------
    problem, sgd, precision, iterate
        As in `excess_risk`; a problem without sketch.

    Returns
    -------
    RateConditions
        In the order d, l, w, a, g; printed with a line for each.

    Raises
    ------
    ValueError
        Real grids (give the noise that stands for them), noise of more than one source, or a
        sketch.
    """
    problem, sgd, precision = check_point((problem, sgd, precision))
    if problem.sketch is not None:
        raise ValueError("the conditions are those of a problem without sketch; leave sketch out")
    quantisers = quantisers_of(precision)
    found: list[RateCondition] = []
    reference = excess_risk(problem, sgd, "fp", iterate)
    for part in PARTS:
        known = getattr(quantisers, part)
        if known is None:
            continue
        noise = _noise_of(part, known)
        if part == "d":
            found += _of_data(problem, noise, reference.value, sgd.steps * reference.step_size)
        else:
            found.append(_of_noise(problem, part, noise, sgd.batch))
    return RateConditions(str(Precision.parse(precision)), tuple(found), reference.value)


def _noise_of(part: str, known: Format) -> NoiseLevels:
    """The noise of a part, which is added, one factor a vector, or one an element."""
    noise = noise_levels(known)
    if noise is None:
        raise ValueError(
            f"the conditions are those of ideal noise, not of '{part}:{known}'; "
            f"give {spelled_noises()}"
        )
    if not (noise.basis_free or not (noise.add or noise.shared)):
        raise ValueError(
            f"the conditions know noise of one source, not '{part}:{known}'; give added noise, "
            "one factor a vector or one an element"
        )
    return noise


def _of_data(
    problem: Regression, noise: NoiseLevels, rate: float, span: float
) -> list[RateCondition]:
    """Of the data quantiser: approximation and spectrum; span = N gamma."""
    lam, squares, eps = problem.lam, problem.target_squares, noise.add or noise.mul
    if not noise.only_added:
        return [
            RateCondition(
                "d", "approximation, eps ||w*||^2 <= R_0", eps * float(lam @ squares), rate
            ),
            RateCondition("d", "spectrum, eps <= 1", eps, 1.0),
        ]
    floor = float(np.sum(eps * lam * squares / (lam + eps)))
    head = int(np.sum(lam * span >= 1))
    lifted = (problem.dim - head) * (span * eps) ** 2
    return [
        RateCondition("d", "approximation, sum eps lam w*^2 / (lam + eps) <= R_0", floor, rate),
        RateCondition("d", "spectrum, eps <= 1/(N gamma)", eps, 1 / span),
        RateCondition("d", "spectrum, (d - k*) (N gamma eps)^2 <= k*", lifted, float(head)),
    ]


def _of_noise(problem: Regression, part: str, noise: NoiseLevels, batch: int) -> RateCondition:
    """Of the quantisers of labels, parameter, activations and gradients."""
    eps, noise_var = noise.add or noise.mul, problem.noise_var
    signal, trace = float(problem.lam @ problem.target_squares), float(np.sum(problem.lam))
    if part == "w":
        if noise.only_added:
            return RateCondition(
                part, "eps <= sigma^2 / (B tr H)", eps, noise_var / (batch * trace)
            )
        return RateCondition(
            part, "eps <= sigma^2 / (B ||w*||^2)", eps, _ratio(noise_var, batch * signal)
        )
    source = "ours" if part == "l" else "notes"
    if noise.only_added:
        return RateCondition(part, "eps <= sigma^2", eps, noise_var, source)
    if noise.one_factor:
        return RateCondition(
            part, "eps <= sigma^2 / (B ||w*||^2)", eps, _ratio(noise_var, batch * signal), source
        )
    return RateCondition(part, "eps <= sigma^2 / ||w*||^2", eps, _ratio(noise_var, signal), "ours")


def _ratio(above: float, below: float) -> float:
    return above / below if below else np.inf
