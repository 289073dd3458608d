"""The links of the literature: how a factor or a penalty depends on the format of one part.

Most are a function of one number read off the format, so they are values of one type, FormatLink;
the functions below make them. Tables stand in tables.py; links that look at more than one format
stand in patterns.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isoloss.formats import Format, noise_model, relative_error
from isoloss.laws.constant import Constant
from isoloss.laws.formula import Constants, takes
from isoloss.laws.inputs import Levels, Mask, Stage, bits_of
from isoloss.laws.jet import Value, plain


@dataclass(frozen=True)
class FormatLink:
    """A factor shape(number, *constants), where the number is read off the format of one part.

    Attributes
    ----------
    part
        The part whose format is read: "w", "a", "kv", "g", "d" ...
    constants
        The constants of `shape`, in the order of its arguments.
    shape
        The factor from the number and the constants, in numpy: it gets arrays and jets.
    read
        The number of a format, by default its bits; NaN where it has none.
    stage
        Whether the format of training or of serving is read.
    noun
        What the number is, in errors.
    least
        From the constants, the number at and below which the factor is not positive; None: it is
        positive everywhere.

    Raises
    ------
    ValueError
        A function that cannot be called with so many arguments.
    """

    part: str
    constants: tuple[Constant, ...]
    shape: Callable[..., Value]
    read: Callable[[Format], float] = bits_of
    stage: Stage = "train"
    noun: str = "bits"
    least: Callable[..., float] | None = None

    def __post_init__(self) -> None:
        for word, function, count in (
            ("shape", self.shape, 1 + len(self.constants)),
            ("least", self.least, len(self.constants)),
            ("read", self.read, 1),
        ):
            if function is not None and not takes(function, count):
                raise ValueError(
                    f"{word} of the link on part {self.part!r} cannot be called with {count} "
                    f"{'argument' if count == 1 else 'arguments'}; shape takes the number and each "
                    "constant, least each constant, read a format"
                )

    def applies(self, levels: Levels) -> Mask:
        """Where the part has a format at that stage."""
        return levels.is_set(self.part, self.stage)

    def __call__(self, c: Constants, levels: Levels) -> Value:
        """The factor at every level."""
        # Where the part is unset any number will do: the factor is not used there.
        number = levels.read(self.part, self.read, self.stage, 0.5)
        return self.shape(number, *(c[k.name] for k in self.constants))

    def domain(self, c: Constants) -> str:
        """The numbers at which it is positive."""
        if self.least is None:
            return f"the law needs the {self.noun} of part {self.part!r}"
        least = self.least(*(float(plain(c[k.name])) for k in self.constants))
        return f"the law holds only above {least:.3g} {self.noun} of part {self.part!r}"


def noise_of(known: Format) -> tuple[str, float]:
    """The rounding noise of a format in the theory: "additive" or "multiplicative", and its eps.

    Ideal noise says it itself; otherwise additive with 4^-bits for integers, multiplicative with
    4^-mantissa for floats and blocks of floats (Zhang et al. 2025, 2510.18259: exponents, range and
    clipping are left out).
    """
    if known.eps is not None:
        model = noise_model(str(known.noise))
        if model.kind == "mixed":
            raise ValueError(
                f"a law of noise takes noise that is added or relative, not '{known}', which is "
                "both"
            )
        at = model.levels(known.eps)
        return ("additive", at.add) if model.kind == "added" else ("multiplicative", at.mul)
    if known.mantissa is not None:
        return "multiplicative", 4.0**-known.mantissa
    return "additive", 4.0**-known.bits


def saturating(part: str, gamma: Constant, offset: Constant | None = None) -> FormatLink:
    """1 - exp(-P/gamma + n), P the bits of a part; n is zero without an offset.

    Reference: Kumar et al. 2024, eqs. 3-4; the offset n of appendix K is left out of the paper's
    main text.

    Parameters
    ----------
    part
        The part whose bits count, as "w".
    gamma
        Bits over which 1 - f falls by e.
    offset
        The constant n, or None.

    Returns
    -------
    FormatLink
        The factor.
    """
    return FormatLink(part, _given(gamma, offset), _saturating, least=_root)


def decaying(
    part: str, gamma: Constant, offset: Constant | None = None, stage: Stage = "serve"
) -> FormatLink:
    """exp(-P/gamma + b): a penalty that falls exponentially with bits.

    Reference: Kumar et al. 2024, eq. 2 and appendix K.

    Parameters
    ----------
    part
        The part whose bits count, as "w".
    gamma
        Bits over which it falls by e.
    offset
        The constant b, or None for zero.
    stage
        Whether the bits of training or of serving count.

    Returns
    -------
    FormatLink
        The factor.
    """
    return FormatLink(part, _given(gamma, offset), _decaying, stage=stage)


def halving(part: str, rate: Constant, stage: Stage = "train") -> FormatLink:
    """2^(-k P), P the bits of a part (Dremov et al. 2025).

    Parameters
    ----------
    part
        The part whose bits count, as "w".
    rate
        The constant k, per bit.
    stage
        Whether the bits of training or of serving count.

    Returns
    -------
    FormatLink
        The factor.
    """
    return FormatLink(part, (rate,), _halving, stage=stage)


def bits_power(part: str, power: Constant, stage: Stage = "serve") -> FormatLink:
    """P^-g, P the bits of a part (Ouyang et al. 2024).

    Parameters
    ----------
    part
        The part whose bits count, as "w".
    power
        The constant g.
    stage
        Whether the bits of training or of serving count.

    Returns
    -------
    FormatLink
        The factor.
    """
    return FormatLink(part, (power,), _falling, stage=stage)


def float_fields(
    part: str, exponent: Constant, mantissa: Constant
) -> tuple[FormatLink, FormatLink]:
    """(E + 1/2)^-delta and (M + 1/2)^-nu, E and M the exponent and mantissa bits of a part.

    Reference: Sun et al. 2025.

    Parameters
    ----------
    part
        The part, whose format must be a float.
    exponent, mantissa
        The powers delta and nu.

    Returns
    -------
    tuple of FormatLink
        The factor of each.
    """
    return (
        FormatLink(part, (exponent,), _falling_from_half, _exponent_bits, noun="exponent bits"),
        FormatLink(part, (mantissa,), _falling_from_half, _mantissa_bits, noun="mantissa bits"),
    )


def tanh_error(part: str, limit: Constant, slope: Constant, power: Constant) -> FormatLink:
    """L tanh(F x^C), x = log_1/4 of the relative error of rounding a normal variable.

    Reference: Panferov et al. 2025. x is near the bits of an integer format, so that a format
    nobody trained in is placed by its error.

    Parameters
    ----------
    part
        The part, as "w".
    limit, slope, power
        The constants L, F and C.

    Returns
    -------
    FormatLink
        The factor.
    """
    return FormatLink(part, (limit, slope, power), _tanh, _quarterings, noun="rounding error")


def error_capacity(part: str, size: Constant, power: Constant) -> FormatLink:
    """exp(-c err^p), err the relative error of rounding a normal variable at the best scale.

    What Kumar's exp(-P/gamma) and free factors a level have in common: the share of params that a
    format leaves falls with how far it moves numbers, so that a format nobody trained in is placed
    by its error.

    Parameters
    ----------
    part
        The part, as "w".
    size, power
        The constants c and p.

    Returns
    -------
    FormatLink
        The factor.
    """
    return FormatLink(part, (size, power), _capacity, relative_error, noun="rounding error")


def _given(*constants: Constant | None) -> tuple[Constant, ...]:
    return tuple(k for k in constants if k is not None)


def _saturating(bits: Value, gamma: Value, offset: Value = 0.0) -> Value:
    return 1.0 - np.exp(offset - bits / gamma)


def _root(gamma: float, offset: float = 0.0) -> float:
    return gamma * offset


def _decaying(bits: Value, gamma: Value, offset: Value = 0.0) -> Value:
    return np.exp(offset - bits / gamma)


def _halving(bits: Value, rate: Value) -> Value:
    return np.exp(rate * (-math.log(2.0) * bits))


def _falling(number: Value, power: Value) -> Value:
    return np.exp(power * -np.log(number))


def _falling_from_half(number: Value, power: Value) -> Value:
    return np.exp(power * -np.log(number + 0.5))


def _tanh(number: Value, limit: Value, slope: Value, power: Value) -> Value:
    return limit * np.tanh(slope * np.exp(power * np.log(number)))


def _capacity(error: Value, size: Value, power: Value) -> Value:
    return np.exp(-size * np.exp(power * np.log(error)))


def _exponent_bits(known: Format) -> float:
    return math.nan if known.exponent is None else float(known.exponent)


def _mantissa_bits(known: Format) -> float:
    return math.nan if known.mantissa is None else float(known.mantissa)


def _quarterings(known: Format) -> float:
    return -math.log(relative_error(known)) / math.log(4.0)
