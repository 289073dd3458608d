"""Floating point against integers: how many mantissa bits are as good as how many integer bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoloss.files import displayed, shown_value, whole_number
from isoloss.formats import INT_BITS, Format
from isoloss.linear.asked import check_point
from isoloss.linear.checks import finite, one_of, several, whole
from isoloss.linear.descent import SGD
from isoloss.linear.regression import Regression
from isoloss.linear.risk import Inputs
from isoloss.linear.risk_of import excess_risks
from isoloss.linear.theory.closed_forms import as_noise


@displayed
@dataclass(frozen=True)
class EqualBits:
    """An integer format and the float of the same exact risk.

    Attributes
    ----------
    bits : int
        Of the integer, sign counted.
    mantissa : float
        Mantissa bits of the float, between whole numbers by the logarithm of what rounding costs;
        nan outside the mantissas looked at.
    cost : float
        The integer's risk less that of full precision.
    rule : float
        The bit rule with the format constants taken as one.
    measured : float
        The bit rule with the constants of the two formats.
    """

    bits: int
    mantissa: float
    cost: float
    rule: float
    measured: float


def bit_rule(
    bits: float, decay: float, dim: int, integer: float = 1.0, floating: float = 1.0
) -> float:
    """Mantissa bits m from which a float is at least as good as an integer of b bits, as data.

        m = b - (a/2) log2 d + 0.5 log2(c_FP / c_INT)

    for spectrum i^-a in d dimensions and errors c_FP 4^-m (relative) and c_INT 4^-b (added). It
    says that the relative noise is no larger than the added one at the smallest eigenvalue, d^-a:
    right for the worst target, which lies there; other targets need fewer integer bits. m counts no
    exponent and no sign, b has its sign.

    Source: the rule without constants is corollary 4.3 of Zhang et al. 2025 (2510.18259) through
    secondary notes; the constants, and the reading as the worst target, are derived.

    Parameters
    ----------
    bits : float
        b.
    decay : float
        a.
    dim : int
        d.
    integer, floating : float
        c_INT and c_FP, which `format_constant` has.

    Returns
    -------
    float
        m.

    Raises
    ------
    ValueError
        An argument is out of range.
    """
    offset = 0.5 * math.log2(
        finite("floating", floating, 0.0, True) / finite("integer", integer, 0.0, True)
    )
    return finite("bits", bits) - finite("decay", decay) / 2 * math.log2(whole("dim", dim)) + offset


def format_constant(known: Format | str, largest: float = 1.0) -> float:
    """c in error = c 4^-bits of an integer (added) or c 4^-mantissa of a float (relative).

    Stochastic: 10.7 for long integers, 0.0905 for floats. Nearest: 5.3 and 0.0452.

    Parameters
    ----------
    known : Format or str
        An integer, at its default scale, or a float, on normal numbers.
    largest : float
        Largest root mean square of the features that an integer is made for.

    Returns
    -------
    float
        c.

    Raises
    ------
    ValueError
        The format is neither an integer nor a float.
    """
    if not isinstance(known, Format | str):
        raise ValueError(
            f"known is {shown_value(known)}; accepted is a format such as 'int8' or 'e4m3'"
        )
    known, largest = Format.parse(known), finite("largest", largest, 0.0, above=True)
    if not (known.is_integer or known.is_float):
        raise ValueError(f"'{known}' has no bits to count; accepted are integers and floats")
    _, eps = as_noise(known, None, largest)
    return float(eps * 4.0 ** (known.bits if known.is_integer else known.mantissa or 0))


def equal_risk_bits(
    problem: Regression,
    sgd: SGD,
    bits: Sequence[int] = tuple(range(4, 13)),
    mantissas: Sequence[int] = tuple(range(1, 8)),
    exponent: int = 8,
    rounding: str = "~sr",
    iterate: str = "average",
    inputs: Inputs = "clean",
) -> list[EqualBits]:
    """For each integer format, the mantissa of the float whose exact risk is the same, as data.

    Integers have their default scale.

    Parameters
    ----------
    problem, sgd, iterate, inputs
        As in `excess_risk`; a power law.
    bits : sequence of int
        Of the integers, 2 to 32.
    mantissas : sequence of int
        Mantissa bits of the floats that are looked at.
    exponent : int
        Exponent bits of the floats.
    rounding : str
        '~sr', stochastic, or '', to nearest.

    Returns
    -------
    list of EqualBits
        One an integer.

    Raises
    ------
    ValueError
        Bad input, or a problem without a power law.
    """
    check_point((problem, sgd, "fp"))
    if problem.spectrum is not None:
        raise ValueError("the bit rule is for a spectrum i^-decay, not for a given spectrum")
    bits = [_integer(each) for each in several(bits)]
    mantissas = [whole("mantissas", each) for each in several(mantissas)]
    whole("exponent", exponent)
    one_of("rounding", rounding, ("~sr", ""))
    if not bits or not mantissas:
        raise ValueError("there is nothing to compare; give at least one of bits and of mantissas")
    floats = [f"e{exponent}m{m}{rounding}" for m in mantissas]
    integers = [f"int{b}{rounding}" for b in bits]
    spelled = ["fp", *(f"d:{each}" for each in (*integers, *floats))]
    risks = excess_risks([(problem, sgd, each) for each in spelled], iterate, inputs)
    total = np.array([each.value for each in risks])
    costs = total[1:] - total[0]
    found = []
    for b, name, cost in zip(bits, integers, costs, strict=False):
        constants = format_constant(name), format_constant(floats[-1])
        found.append(
            EqualBits(
                b,
                _level(cost, costs[len(bits) :], mantissas),
                float(cost),
                bit_rule(b, problem.decay, problem.dim),
                bit_rule(b, problem.decay, problem.dim, *constants),
            )
        )
    return found


def _integer(bits: object) -> int:
    found = whole_number(bits)
    if found is None or found not in INT_BITS:
        raise ValueError(
            f"bits is {shown_value(bits)}; accepted is a whole number from {INT_BITS[0]} to "
            f"{INT_BITS[-1]}"
        )
    return found


def _level(cost: float, costs: np.ndarray, mantissas: Sequence[int]) -> float:
    """Where falling costs meet a cost, linear in the logarithm."""
    known = costs > 0
    if cost <= 0 or not known.any():
        return math.nan
    logs, at = -np.log(costs[known]), np.asarray(mantissas, dtype=float)[known]
    return float(np.interp(-math.log(cost), logs, at, left=math.nan, right=math.nan))
