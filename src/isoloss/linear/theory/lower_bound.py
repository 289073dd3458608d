"""A lower bound on the risk of averaged SGD, of the form of the upper one and with its constants.

The base result (Zou et al. 2021, 2103.12692) has a lower bound of the form of its upper one, up to
an absolute constant which is not known here, for E x x'A x x' - H A H >= beta tr(H A) H and noise
independent of x. What stands here is derived instead, for H_q, from the recursion of second moments
that exact/step_operator.py has exactly.

Momentum b (heavy ball). Noise of different steps is uncorrelated, so all that changes is what a
step becomes: with e_t = m_t / m_0 along the mean path, noise of step t enters the average with (1
- e_(N-1-t)) / (h N), as q^j did without momentum. Where the poles of z^2 - (1 + b - gamma h) z + b
are real, gamma h <= (1 - sqrt b)^2, f_t = (e_t - b e_(t-1)) / (1 - b) obeys the same recursion
from f_0 = 1, f_1 = 1 - g, g = gamma h / (1 - b) <= 1, and its ratio f_(t+1) / f_t falls from 1 - g
to the larger pole, so f_t <= (1 - g)^t: plain SGD with step size gamma / (1 - b). The average of
e_t over N steps is (1 - f_N) / (N g), and e is f seen through a geometric delay, 1 - e_j = (1 - b)
sum_(i <= j) b^i (1 - f_(j-i)). Both parts of the bound carry over with gamma / (1 - b) for gamma
and 1 - e^(-j/N) delayed in the same way. Coordinates with complex poles count as nothing, and so
does the noise that the bias makes, whose decay has no such bound from below.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.descent import SGD
from isoloss.linear.exact import Operator
from isoloss.linear.moments import Setting
from isoloss.linear.risk import Inputs
from isoloss.linear.theory.gradient_noise import GradientNoise

Array = NDArray[np.float64]
#: Steps up to which a sum over them is taken term by term.
SUMMED = 100_000


def lower_bound(
    at: Setting, op: Operator, noise: GradientNoise, sgd: SGD, gamma: float, inputs: Inputs
) -> float:
    """A lower bound of the form of the upper one, with constants. Source: derived here.

    In coordinate i, with q = 1 - gamma h in [0, 1], the mean of the average is off the optimum by
    c (1 - q^N) / (N gamma h). The variance of w_t obeys V+ >= q^2 V + gamma^2 h (s + rho <h,
    m_t^2>), m_t = c q^t up to sign, so noise of step t enters the average with (1 - q^(N-1-t)) /
    (gamma h N). From q^j <= e^(-j/N) in the head and (1 - q^j) / (gamma h) >= N (1 - e^(-j/N)) in
    the tail:

        risk >= a1 bias + 0.5 (a2 s + a3 rho pull) (k*/N + N gamma^2 sum_tail h^2) + asymptotic bias
        (clean)   a1 = 0.5 (1 - 1/e)^2 = 0.200,  a2 = mean_{j < N} (1 - e^(-j/N))^2 -> 0.168,
        a3 = 0.5 (1 - e^(-(N-1)/N)) (1 - e^(-1/2))^2 -> 0.049

    s is the least E (gradient noise)^2 / h over coordinates at the optimum where the noise has no
    term linear in v, else the part that does not depend on v, and rho counts in the first case
    only.

    With momentum, as the top of this file has it: gamma / (1 - b) for gamma, a2 delayed, no a3, and
    coordinates with complex poles left out.

    Proved for 0.5 E ||w - w_q*||^2 in the norm of H_q, to which the floor of features rounded
    in use is added in bounds.py; on clean inputs every coordinate is weighed by norm / h.
    Coordinates with gamma h > 1 are left out. 0 for clean inputs whose norm mixes directions (a
    sketch quantised before it).
    """
    if inputs == "clean" and at.cross is not None:
        return 0.0
    b = sgd.momentum
    used = (at.h > 0) & (gamma * at.h <= (1 - math.sqrt(b)) ** 2)
    gamma = gamma / (1 - b)  # what momentum makes of a step size in the long run
    steps, h = sgd.steps, np.where(used, at.h, 0.0)
    head = used & (h * gamma * steps >= 1)
    weight = (
        np.ones_like(h)
        if inputs == "in use"
        else np.divide(at.norm, h, out=np.zeros_like(h), where=used)
    )
    base, rho = _least_noise(op, noise, used)
    pull = _pull(at, head, used, gamma * steps)
    late = 0.0 if b else 0.5 * -math.expm1(-(steps - 1) / steps) * math.expm1(-0.5) ** 2
    early = _delayed(steps, b) if b else _early(steps)
    spread = 0.5 * (early * base + late * rho * pull)
    var = weight * np.where(head, 1.0, (steps * gamma * h) ** 2) / steps
    safe = np.where(head, h, 1.0)
    bias = weight * np.where(head, 1 / (safe * (gamma * steps) ** 2), h)
    error = 0.5 * math.expm1(-1.0) ** 2 * bias * at.centre**2
    if inputs == "clean":
        short = (at.centre * (at.best - at.centre) >= 0) & (at.centre * at.best >= 0)
        error = np.where(short, error + 0.5 * at.norm * (at.best - at.centre) ** 2, 0.0)
    return float(at.total(error + spread * var)[0])


def _least_noise(
    op: Operator, noise: GradientNoise, used: NDArray[np.bool_]
) -> tuple[float, float]:
    """s and rho of `lower_bound`."""
    h, k = op.h[0][used], op.k[0][used]
    linear = max(
        np.max(np.abs(op.beta[0][used]), initial=0.0), np.max(np.abs(op.eta[0]), initial=0.0)
    )
    scale = float(np.max(k, initial=0.0))
    if linear > 1e-12 * scale or np.any(op.d[0][used] < h * h * (1 - 1e-12)):
        return noise.fixed, 0.0
    return float(np.min(k / h, initial=math.inf)) if len(h) else 0.0, float(op.rho[0, 0])


def _pull(at: Setting, head: NDArray[np.bool_], used: NDArray[np.bool_], span: float) -> float:
    squares = np.where(used, at.centre**2, 0.0)
    return float(at.total(np.where(head, squares, span * at.h * squares))[0]) / span


def _early(steps: int) -> float:
    """(1/N) sum over j = 1..N-1 of (1 - e^(-j/N))^2, in closed form."""
    one, two = math.expm1(1 / steps), math.expm1(2 / steps)
    first = (1 - math.exp(-(steps - 1) / steps)) / one
    second = (1 - math.exp(-2 * (steps - 1) / steps)) / two
    return max((steps - 1 - 2 * first + second) / steps, 0.0)


def _delayed(steps: int, b: float) -> float:
    """(1/N) sum over j = 1..N-1 of psi_j^2, psi_j = (1 - b) sum over i <= j of b^i (1 -
    e^(-(j-i)/N)).

    With r = e^(-1/N), psi_j = 1 - kappa r^(j+1) + (kappa - 1) b^(j+1), kappa = (1 - b) / (r - b): a
    sum of six geometric series. 0, which is always below, where r and b nearly coincide.
    """
    r = math.exp(-1 / steps)
    if abs(r - b) < 1e-6 * (1 - b):
        return 0.0
    kappa = (1 - b) / (r - b)
    if steps <= SUMMED:
        j = np.arange(2.0, steps + 1)
        return float(np.sum((1 - kappa * r**j + (kappa - 1) * b**j) ** 2)) / steps
    terms = ((1.0, 1.0), (-kappa, r), (kappa - 1, b))
    total = sum(x * y * _geometric(p * q, steps) for x, p in terms for y, q in terms)
    return max(total / steps, 0.0)


def _geometric(ratio: float, steps: int) -> float:
    """The sum of ratio^j over j = 2..N."""
    if ratio in (0.0, 1.0):
        return ratio * (steps - 1.0)
    return ratio**2 * -math.expm1((steps - 1) * math.log(ratio)) / (1 - ratio)
