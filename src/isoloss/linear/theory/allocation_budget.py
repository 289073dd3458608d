"""What a training may cost: compute, bits of memory, samples, and what a precision counts for in
it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from isoloss.files import shown_value
from isoloss.formats import Format, Precision
from isoloss.linear.asked import check_precision
from isoloss.linear.checks import finite, whole
from isoloss.linear.moments import noise_levels
from isoloss.linear.quantisers import Quantisers, quantisers_of

#: Bits of what is not rounded.
REFERENCE_BITS = 16.0


@dataclass(frozen=True)
class Allowance:
    """Limits on model size M (coordinates), samples N and bits P of a precision; at least one on N.

    P is the widest of the parts d, w, a that are rounded (16 if none is), added noise eps counting
    as 0.5 log2(1 / eps) as in the theory.

    Attributes
    ----------
    compute : float, optional
        M N <= compute, in multiply-adds of one direction; with `weigh_bits`, M N P / 16 <= compute.
    memory : float, optional
        M P <= memory, in bits.
    samples : int, optional
        N <= samples.
    weigh_bits : bool
        Whether compute is in proportion to the bits.
    bits : mapping of str to float, optional
        P by the spelling of a precision, as relative noise needs, whose eps only says the mantissa.

    Raises
    ------
    ValueError
        A limit is out of range, or nothing limits the samples.
    """

    compute: float | None = None
    memory: float | None = None
    samples: int | None = None
    weigh_bits: bool = False
    bits: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        for name in ("compute", "memory"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, finite(name, given, 0.0, above=True))
        if self.samples is not None:
            object.__setattr__(self, "samples", whole("samples", self.samples))
        if self.compute is None and self.samples is None:
            raise ValueError("nothing limits the samples; give compute or samples")
        given = {} if self.bits is None else self.bits
        if not isinstance(given, Mapping):
            raise ValueError(
                f"bits is {shown_value(given)}; accepted is a dict such as {{'d:vec(0.01)': 8}}"
            )
        named = {str(Precision.parse(check_precision(key))): value for key, value in given.items()}
        for key, value in named.items():
            finite(f"bits of '{key}'", value, 0.0, above=True)
        object.__setattr__(self, "bits", named)

    def width(self, precision: Precision) -> float:
        """P of a precision, nan where it is unknown and nothing asks for it.

        Raises ValueError where it is unknown and counts.
        """
        known = (self.bits or {}).get(str(precision), _width(quantisers_of(precision)))
        if math.isnan(known) and (self.memory is not None or self.weigh_bits):
            raise ValueError(
                f"the bits of '{precision}' are not known, as relative noise says the mantissa "
                f"only; give bits={{'{precision}': ...}}"
            )
        return known

    def largest(self, precision: Precision, dim: int, batch: int) -> int:
        """The largest model that is affordable with at least one batch.

        Raises ValueError where there is none.
        """
        width, most = self.width(precision), float(dim)
        if self.memory is not None:
            most = min(most, self.memory / width)
        if self.compute is not None:
            most = min(most, self.compute / (batch * self._weight(width)))
        if most < 1 or (self.samples is not None and self.samples < batch):
            raise ValueError(
                f"'{precision}' does not fit: not one coordinate and one batch of {batch}"
            )
        return int(most)

    def samples_for(self, precision: Precision, size: int) -> int:
        """The samples that are affordable with a model of this size."""
        found = float("inf") if self.samples is None else float(self.samples)
        if self.compute is not None:
            found = min(found, self.compute / (size * self._weight(self.width(precision))))
        return int(found * (1 + 1e-12))

    def effective_compute(self, precision: Precision) -> float | None:
        """M N that is affordable at a precision; None where compute is not limited."""
        return None if self.compute is None else self.compute / self._weight(self.width(precision))

    def _weight(self, width: float) -> float:
        return width / REFERENCE_BITS if self.weigh_bits else 1.0

    def __str__(self) -> str:
        cost = "M N P / 16" if self.weigh_bits else "M N"
        parts = [] if self.compute is None else [f"{cost} <= {self.compute:.4g}"]
        parts += [] if self.memory is None else [f"M P <= {self.memory:.4g} bits"]
        parts += [] if self.samples is None else [f"N <= {self.samples}"]
        return ", ".join(parts)


def _width(quantisers: Quantisers) -> float:
    """The widest of the data, parameter and activation formats; nan where one of them has no
    bits.
    """
    widths = [
        _bits(each) for each in (quantisers.d, quantisers.w, quantisers.a) if each is not None
    ]
    return math.nan if any(map(math.isnan, widths)) else max(widths, default=REFERENCE_BITS)


def _bits(known: Format) -> float:
    noise = noise_levels(known)
    if noise is None:
        return known.bits
    return max(0.5 * math.log2(1 / noise.add), 1.0) if noise.only_added else math.nan
