"""Tokens per byte of weights: the loss that they mend in quantised training, and the best share of
training that is quantised.

S = D / (N B / 8) for N params of B bits that see D tokens (Dremov et al. 2025, 2509.22935).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isoloss.files import real_number, shown_value
from isoloss.laws.constant import Constant
from isoloss.laws.formula import Constants, Link
from isoloss.laws.inputs import DomainError, Inputs, Levels, Mask
from isoloss.laws.jet import Array, Value, select, take

#: From as many bits on weights are not quantised.
_WIDE = 16
#: How each argument is written.
_AS = {"params": "1e9", "tokens": "1e11", "bits": "4"}
#: a of f* = exp(ln S - a / ln S) / S.
_BEST = 6.7297


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


def best_quantised_share(params: ArrayLike, tokens: ArrayLike, bits: ArrayLike) -> Array | float:
    """The share of training tokens that are best spent in few bits, after full precision.

    f* = exp(ln S - 6.7297 / ln S) / S = exp(-6.7297 / ln S), with S = tokens / (params bits / 8).
    A share of .16 is trained as ``"fp then w4 from 84%"``. Shares predicted in the paper are off by
    .091 in the mean, so below that little is known; its runs have 86M to 2.2B params, 2.3B to 1.4T
    tokens, and weights alone in 1 to 6 bits.

    Reference: Dremov et al. 2025, 2509.22935, through a secondary note.

    Parameters
    ----------
    params, tokens
        Counts, tokens of both phases; numbers or arrays that broadcast against each other.
    bits
        Bits of a weight in the quantised phase, likewise.

    Returns
    -------
    array or float
        Shares in (0, 1), of the shape of the arguments together.

    Raises
    ------
    DomainError
        There is no more than one token per byte of weights, or so few that the share is no number
        above 0; an argument is no finite number above 0; bits are 16 or more; shapes do not
        broadcast.
    """
    given = {"params": params, "tokens": tokens, "bits": bits}
    n, d, b = found = [_positive(name, value) for name, value in given.items()]
    if (b >= _WIDE).any():
        raise DomainError(
            f"bits is {b.max():g}; weights of {_WIDE} bits or more are not quantised, so accepted "
            "are fewer"
        )
    try:
        np.broadcast_shapes(*(each.shape for each in found))
    except ValueError:
        shapes = ", ".join(f"{k} {v.shape}" for k, v in zip(given, found, strict=True))
        raise DomainError(f"shapes do not agree: {shapes}") from None
    per_byte = d / (n * b / 8.0)
    if np.any(per_byte <= 1.0):
        raise DomainError(
            f"the best share of quantised training is known above 1 token per byte of weights, "
            f"tokens / (params bits / 8), and here are {np.min(per_byte):.3g}; give more tokens, "
            "or fewer params or bits"
        )
    share: Array = np.exp(-_BEST / np.log(per_byte))
    if not share.all():
        raise DomainError(
            f"at {np.min(per_byte):.8g} tokens per byte of weights the best share of quantised "
            "training is too small for a number; give more tokens, or fewer params or bits"
        )
    return share if share.shape else float(share)


def _positive(name: str, value: ArrayLike) -> Array:
    given = np.asarray(value, dtype=object)
    numbers: Array = np.vectorize(real_number, otypes=[float])(given)
    wrong = given[~(np.isfinite(numbers) & (numbers > 0))]
    if wrong.size:
        said = shown_value(wrong.flat[0])
        raise DomainError(f"{name} is {said}; it is a finite number above 0, as {_AS[name]}")
    return numbers
