"""A format says how one number is rounded; it is data, and its name is its spelling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from isoloss.formats.grids import (
    LARGEST_GRID,
    Special,
    float_grid,
    float_levels,
    float_max,
    float_step,
    int_grid,
    usual_bias,
)
from isoloss.formats.marks import Marks, Rounding, check_granularity, check_method

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["exact", "int", "float", "block", "ternary", "binary", "noise", "own"]
# What of its range an integer uses: the 2^bits - 1 levels around zero; all of them, the largest magnitude lying
# half a step beyond the last; or all of them between the least and the largest number, with a zero point.
Span = Literal["symmetric", "full", "shifted"]
# Unset parts and ideal noise are kept in bf16 as far as memory and cost go.
REFERENCE_BITS = 16.0
# A group of a plain format carries one bf16 or fp16 scale; the scales of MX and NV blocks have one byte.
GROUP_SCALE_BITS = 16.0
BLOCK_SCALE_BITS = 8.0


@dataclass(frozen=True)
class Format:
    """How one number is rounded. `Format.parse("int4/128+had@gptq")` reads one, `str` prints it back.

    `bits` counts one element with its sign, as a law sees it (int4 4, bf16 16, ternary log2 3); it is
    infinite for 'fp' (no rounding at all) and nan for ideal noise, which has no bits.
    `scale` is the format of a block's shared scale, `bias` the exponent's where it is not the usual one.
    `granularity` None is the default of the part that the format is used for (weights and keys and values a
    row, all others the tensor, block formats their block). `function` is a user's own quantiser (own.py), which
    takes `stored` bits of memory an element.
    """

    name: str
    kind: Kind
    bits: float
    exponent: int | None = None
    mantissa: int | None = None
    special: Special = "none"
    bias: int | None = None
    span: Span = "symmetric"
    block: int | None = None
    scale: Literal["e8m0", "e4m3"] | None = None
    noise: str | None = None
    eps: float | None = None
    granularity: str | int | None = None
    hadamard: bool = False
    clip: bool = False
    pow2: bool = False
    rounding: Rounding | None = None
    method: str | None = None
    function: Callable[[Any], Any] | None = None
    stored: float | None = None

    def __post_init__(self) -> None:
        check_granularity(self.granularity)
        check_method(self.method)
        # One nan object for all, or formats of equal noise would differ.
        object.__setattr__(self, "bits", math.nan if math.isnan(self.bits) else float(self.bits))
        if self.block is not None and self.granularity == self.block:
            object.__setattr__(self, "granularity", None)
        if self.kind in ("exact", "noise") and self.marks != Marks():
            raise ValueError(f"'{self.name}' takes no marks, but has '{self.marks}'")
        if self.kind == "own" and (self.clip or self.pow2 or self.rounding):
            raise ValueError(
                f"'{self.name}' rounds by its own function: '{self.marks}' would change nothing"
            )
        if self.rounding == "dither" and (self.exponent is not None or self.kind == "binary"):
            raise ValueError(
                f"'{self}' cannot be: dither needs equal steps around zero, which integers have"
            )

    @classmethod
    def parse(cls, text: str | Format) -> Format:
        """The format that `text` spells, such as 'int4', 'E4M3', 'mxfp4+had~sr' or 'add(0.001)'.

        Raises ValueError with one sentence that says what is accepted.
        """
        from isoloss.formats.names import read_format  # the names are formats themselves

        if isinstance(text, Format):
            return text
        if not isinstance(text, str):
            raise ValueError(f"a format is a text such as 'int4', not {text!r}")
        return read_format(text)

    def __reduce__(self) -> tuple[Callable[..., Format], tuple[object, ...]]:
        """Pickling goes through the constructor, and makes the name of an own quantiser readable again."""
        if self.function is not None:
            from isoloss.formats.own import restored  # it makes formats

            return restored, (self.bare.name, self.bits, self.function, self.stored, self.marks)
        return Format, tuple(getattr(self, each.name) for each in fields(self))

    def __str__(self) -> str:
        """The name with its marks."""
        return f"{self.name}{self.marks}"

    @property
    def marks(self) -> Marks:
        """Granularity, Hadamard, clip search, power-of-two scale, rounding and method."""
        return Marks(
            self.granularity, self.hadamard, self.clip, self.pow2, self.rounding, self.method
        )

    @property
    def bare(self) -> Format:
        """The same format without marks."""
        return self.marked(Marks())

    def marked(self, marks: Marks) -> Format:
        """The same format with these marks instead of its own."""
        return replace(self, **marks._asdict())

    @property
    def is_exact(self) -> bool:
        """True for 'fp', which rounds nothing."""
        return self.kind == "exact"

    @property
    def group(self) -> int | None:
        """How many elements share one scale, or None where a row or a tensor does."""
        if isinstance(self.granularity, int):
            return self.granularity
        return self.block if self.granularity is None else None

    @property
    def storage_bits(self) -> float:
        """Bits of memory an element, scales counted: MXFP4 4.25, NVFP4 4.5, int4/128 4.125.

        A group of a plain format shares 16 bits, and its zero point where it has one; a block shares 8. Scales
        of a row or a tensor count as 0, and so does NVFP4's second scale, of the tensor. 'fp' and ideal noise
        are kept in the reference, 16 bits.
        """
        if self.kind in ("exact", "noise"):
            return REFERENCE_BITS
        if self.stored is not None:
            return self.stored
        shared = BLOCK_SCALE_BITS if self.kind == "block" else GROUP_SCALE_BITS
        shared += self.bits if self.span == "shifted" else 0.0
        return self.bits + (shared / self.group if self.group else 0.0)

    @property
    def is_scaled(self) -> bool:
        """True where elements are divided by a scale before they are rounded; floats above 8 bits are not."""
        return self.kind not in ("exact", "noise", "own") and not (
            self.kind == "float" and self.bits > 8
        )

    @property
    def lowest_exponent(self) -> int | None:
        """The power of two of a float's smallest normal number; None for other kinds."""
        if self.exponent is None:
            return None
        return 1 - (usual_bias(self.exponent) if self.bias is None else self.bias)

    @property
    def levels(self) -> int | None:
        """How many different numbers an element can be; None where that is unlimited."""
        if self.kind in ("exact", "noise", "own"):
            return None
        if self.exponent is not None and self.mantissa is not None:
            return float_levels(self.exponent, self.mantissa, self.special)
        return 3 if self.kind == "ternary" else int(2**self.bits)

    @property
    def max(self) -> float:
        """The largest element before scaling (int4 7, e4m3 448); infinite for fp, noise and own quantisers."""
        if self.kind in ("exact", "noise", "own"):
            return math.inf
        if (
            self.exponent is not None
            and self.mantissa is not None
            and self.lowest_exponent is not None
        ):
            return float_max(self.exponent, self.mantissa, self.special, 1 - self.lowest_exponent)
        if self.kind in ("ternary", "binary"):
            return 1.0
        if self.span == "shifted":
            return float(2.0**self.bits - 1)
        return float(2.0 ** (self.bits - 1) - 1) * self.smallest_step

    @property
    def smallest_step(self) -> float:
        """The smallest distance of two neighbouring elements before scaling; 0 where there is no grid."""
        if self.kind in ("exact", "noise", "own"):
            return 0.0
        if self.mantissa is not None and self.lowest_exponent is not None:
            return float_step(self.mantissa, 1 - self.lowest_exponent)
        if (
            self.kind == "block"
        ):  # integers of MX are fixed point with one bit before the point and the sign
            return float(2.0 ** (2 - self.bits))
        return 2.0 if self.kind == "binary" else 1.0

    @property
    def grid(self) -> NDArray[np.float64]:
        """All numbers that an element can be before scaling, ascending; integers are two's complement.

        Raises ValueError for fp, noise and own quantisers, which have none, and above 65,536 numbers.
        """
        import numpy as np

        if self.levels is None:
            raise ValueError(f"'{self.name}' has no grid of numbers")
        if self.levels > LARGEST_GRID:
            raise ValueError(
                f"the grid of '{self.name}' has {self.levels} numbers; at most 65536 are listed"
            )
        if (
            self.exponent is not None
            and self.mantissa is not None
            and self.lowest_exponent is not None
        ):
            return float_grid(self.exponent, self.mantissa, self.special, 1 - self.lowest_exponent)
        if self.kind in ("ternary", "binary"):
            return np.linspace(-1.0, 1.0, self.levels)
        if self.span == "shifted":
            return np.arange(2.0**self.bits)
        return int_grid(int(self.bits), self.smallest_step)

    @property
    def relative_error(self) -> float:
        """Mean squared error of rounding a normal variable, divided by its variance (rules: error.py)."""
        from isoloss.formats.errors.relative import (
            relative_error,
        )  # scipy only where an error is asked for

        return relative_error(self)
