"""A format says how one number is rounded; it is data, and its name is its spelling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from isoloss.files import displayed, equal_by_fields
from isoloss.formats.grids import (
    LARGEST_GRID,
    Elements,
    Kind,
    Span,
    Special,
    check_numbers,
    elements_of,
    float_grid,
    uniform_grid,
    usual_bias,
)
from isoloss.formats.modifiers import (
    Modifiers,
    Rounding,
    check_modifiers,
    split_modifiers,
    tile_of,
)
from isoloss.formats.names import FORMATS, look_up

#: Unset parts and ideal noise are kept in bf16 as far as memory and cost go.
REFERENCE_BITS = 16.0
#: A group of a plain format carries one bf16 or fp16 scale; a power of two has one byte, and so
#: have the scales of MX and NV blocks.
GROUP_SCALE_BITS = 16.0
BYTE_SCALE_BITS = 8.0

#: Classes of arithmetic by the most bits that they hold.
_FLOAT_CLASSES = (("fp4", 4), ("fp6", 6), ("fp8", 8), ("bf16", 16), ("tf32", 19))
_INTEGER_CLASSES = (("int4", 4), ("int8", 8), ("bf16", 16))


@displayed
@equal_by_fields
@dataclass(frozen=True)
class Format:
    """How one number is rounded; `Format.parse("int4/128+had@gptq")` reads one, `str` prints it.

    Attributes
    ----------
    name
        The spelling without modifiers; it reads back as this very format.
    kind
        'int', 'float' (a sign, exponent and mantissa), 'block' (integers or floats with a scale of
        a block), 'grid' (a list of numbers), 'ternary', 'binary', 'custom' (a function), 'noise'
        (ideal) or 'exact' ('fp', no rounding). Ask the properties below before asking the kind.
    bits
        Bits of one element with its sign, as a law sees them (int4 4, bf16 16, ternary log2 3);
        infinite for 'fp', nan for ideal noise, which has none.
    exponent, mantissa
        Bits of the fields of a float; None for other kinds.
    special
        What the top codes of a float say: 'none' (all are numbers), 'nan', 'ieee' or 'fnuz'.
    bias
        The bias of the exponent where it is not the usual one.
    span
        What of its range an integer uses: 'symmetric', 'full' or 'shifted' (with a zero point).
    block
        How many neighbours share a scale where no modifier says otherwise; None for plain formats.
    scale
        The format of a block's shared scale.
    noise, eps
        The model of ideal noise ('add', 'vec', 'coord') and its level.
    granularity, hadamard, clip, pow2, rounding, method
        The modifiers, see `Modifiers`. Granularity None is the default of the part: the block of
        a block format, a row of weights, keys and values, the tensor of all others.
    function
        The quantiser of a custom format (custom.py).
    stored
        Bits of memory an element of a custom format takes, scales counted; else `storage_bits`.
    numbers
        The numbers of a 'grid', ascending, before any scale.
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
    clip: float = 0.0
    pow2: bool = False
    rounding: Rounding | None = None
    method: str | None = None
    function: Callable[[Any], Any] | None = None
    stored: float | None = None
    numbers: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_modifiers(self.modifiers)
        check_numbers(self.name, self.numbers, self.kind == "grid")
        if self.kind == "float" and (self.exponent is None or self.mantissa is None):
            raise ValueError(f"'{self.name}' is a float without exponent or mantissa bits")
        # One nan object for all: tuples take it for equal, and hash it alike.
        object.__setattr__(self, "bits", math.nan if math.isnan(self.bits) else float(self.bits))
        if self.block is not None and self.granularity == self.block:
            object.__setattr__(self, "granularity", None)
        if self.is_ideal and self.modifiers != Modifiers():
            raise ValueError(f"'{self.name}' takes no modifiers, but has '{self.modifiers}'")
        if self.function and (self.clip or self.pow2 or self.rounding):
            raise ValueError(
                f"'{self.name}' rounds by its own function: '{self.modifiers}' would change nothing"
            )
        if self.rounding == "dither" and not self.is_uniform:
            raise ValueError(
                f"'{self}' cannot be: dither needs equal steps around zero, which integers have"
            )
        kept = elements_of(self.kind, self.bits, self.span, self._float, self.numbers)
        object.__setattr__(self, "_kept", kept)

    @classmethod
    def parse(cls, text: str | Format) -> Format:
        """The format of a spelling such as 'int4', 'E4M3', 'mxfp4+had~sr' or 'add(0.001)'.

        Raises
        ------
        ValueError
            The spelling cannot be read; the sentence says what is accepted.
        """
        if isinstance(text, Format):
            return text
        if not isinstance(text, str):
            raise ValueError(f"a format is a text such as 'int4', not {text!r}")
        name, modifiers = split_modifiers(text.strip().lower())
        found = look_up(name)
        known = cls(**found) if isinstance(found, dict) else found
        return known.modified(modifiers)

    def __reduce__(self) -> tuple[Callable[..., Format], tuple[object, ...]]:
        """Pickling goes through the constructor, and keeps a custom format's name readable."""
        values = tuple(getattr(self.bare, each.name) for each in fields(self))
        home = FORMATS.home(self.name) if self.name in FORMATS else None
        if home is None or FORMATS.is_shipped(home):
            home = getattr(self.function, "__module__", None)
        return _restored, (home, values, self.modifiers)

    def __str__(self) -> str:
        """The name with its modifiers."""
        return f"{self.name}{self.modifiers}"

    # ---- modifiers
    @property
    def modifiers(self) -> Modifiers:
        """Granularity, Hadamard, clip search, power-of-two scale, rounding and method."""
        return Modifiers(
            self.granularity, self.hadamard, self.clip, self.pow2, self.rounding, self.method
        )

    @property
    def bare(self) -> Format:
        """The same format without modifiers."""
        return self.modified(Modifiers())

    def modified(self, modifiers: Modifiers) -> Format:
        """The same format with these modifiers instead of its own."""
        return replace(self, **modifiers._asdict())

    # ---- questions about the kind
    @property
    def is_exact(self) -> bool:
        """True for 'fp', which rounds nothing."""
        return self.kind == "exact"

    @property
    def is_noise(self) -> bool:
        """True for ideal noise: add(eps), vec(eps), coord(eps)."""
        return self.noise is not None

    @property
    def is_ideal(self) -> bool:
        """True for 'fp' and ideal noise: kept in the reference precision for memory and cost."""
        return self.is_exact or self.is_noise

    @property
    def is_integer(self) -> bool:
        """True for intN, intN_full and uintN, whose elements are whole numbers."""
        return self.kind == "int"

    @property
    def is_float(self) -> bool:
        """True for floats that stand alone; those in blocks (mxfp4, nvfp4) are 'block'."""
        return self.kind == "float"

    @property
    def is_wide(self) -> bool:
        """True where a law counts no rounding: 'fp' and floats of 16 bits and more."""
        return self.is_exact or (self.is_float and self.bits >= REFERENCE_BITS)

    @property
    def is_random(self) -> bool:
        """Whether rounding draws random numbers: '~sr', '~dither' and ideal noise."""
        return self.rounding is not None or self.is_noise

    @property
    def has_grid(self) -> bool:
        """Whether an element is one of finitely many numbers before scaling."""
        return not (self.is_ideal or self.function)

    @property
    def is_uniform(self) -> bool:
        """Whether all steps are equal around zero: integers, in blocks too, and ternary."""
        match self.kind:
            case "int" | "ternary":
                return True
            case "block":
                return self.exponent is None
            case "exact" | "float" | "grid" | "binary" | "noise" | "custom":
                return False
            case _:
                assert_never(self.kind)

    @property
    def is_scaled(self) -> bool:
        """Whether elements are divided by a scale before rounding; floats above 8 bits are not."""
        return self.has_grid and not (self.is_float and self.bits > 8)

    @property
    def scales_by_mean(self) -> bool:
        """Whether the scale is the mean magnitude (ternary, binary) instead of the largest."""
        return self.kind in ("ternary", "binary")

    @property
    def short(self) -> str | None:
        """The bare number that stands for this format behind a part (w4); None where none does."""
        match self.kind:
            case "ternary":
                return "1.58"
            case "binary":
                return "1"
            case "int":
                is_short = self.span == "symmetric" and self.bits not in (16, 32)
                return f"{self.bits:.0f}" if is_short else None
            case "exact" | "float" | "block" | "grid" | "noise" | "custom":
                return None
            case _:
                assert_never(self.kind)

    @property
    def computes_in(self) -> str | None:
        """The class of arithmetic that holds the format: 'int4', 'int8', 'fp4', 'fp6', 'fp8',
        'bf16', ...

        None where no machine computes in the format itself (grids of numbers, custom functions):
        products then run in the reference precision on dequantised numbers, and only memory is
        saved.
        """
        match self.kind:
            case "exact" | "noise":
                return "bf16"
            case "grid" | "custom":
                return None
            case "int" | "float" | "block" | "ternary" | "binary":
                classes = _INTEGER_CLASSES if self.exponent is None else _FLOAT_CLASSES
                return next((name for name, most in classes if self.bits <= most), self.name)
            case _:
                assert_never(self.kind)

    # ---- bits
    @property
    def compute_bits(self) -> float:
        """Bits that a cost by bits sees: the format's, and the reference's for 'fp' and ideal
        noise."""
        return REFERENCE_BITS if self.is_ideal else self.bits

    @property
    def tile(self) -> tuple[int, int] | None:
        """Rows and columns of the tile that shares a scale, None where none does."""
        return tile_of(self.granularity)

    @property
    def group(self) -> int | None:
        """How many elements share one scale, or None where a row, channel, token or tensor does."""
        if tile := self.tile:
            return tile[0] * tile[1]
        if isinstance(self.granularity, int):
            return self.granularity
        return self.block if self.granularity is None else None

    @property
    def scale_bits(self) -> float:
        """Bits of one shared scale: 16, a byte in blocks and with '+pow2', and a zero point's
        beside it."""
        is_byte = self.scale is not None or self.pow2
        zero = self.bits if self.span == "shifted" else 0.0
        return (BYTE_SCALE_BITS if is_byte else GROUP_SCALE_BITS) + zero

    @property
    def storage_bits(self) -> float:
        """Bits of memory an element, scales counted: MXFP4 4.25, NVFP4 4.5, int4/128 4.125, NF4
        4.25.

        Scales of a row or a tensor count as 0, and so does NVFP4's second scale, of the tensor.
        'fp' and ideal noise are kept in the reference, 16 bits.
        """
        if self.is_ideal:
            return REFERENCE_BITS
        if self.stored is not None:
            return self.stored
        return self.bits + (self.scale_bits / self.group if self.group else 0.0)

    # ---- the grid, before scaling
    @property
    def _float(self) -> tuple[int, int, Special, int] | None:
        """Exponent bits, mantissa bits, special codes and bias of a float; None for other kinds."""
        if self.exponent is None or self.mantissa is None:
            return None
        bias = usual_bias(self.exponent) if self.bias is None else self.bias
        return self.exponent, self.mantissa, self.special, bias

    @property
    def lowest_exponent(self) -> int | None:
        """The power of two of a float's smallest normal number; None for other kinds."""
        return None if self._float is None else 1 - self._float[3]

    @property
    def _elements(self) -> Elements | None:
        """How many numbers, the ends and the smallest step, found once; None without a grid."""
        return self._kept  # type: ignore[attr-defined,no-any-return]

    @property
    def levels(self) -> int | None:
        """How many different numbers an element can be; None where that is unlimited."""
        return None if self._elements is None else self._elements.levels

    @property
    def max(self) -> float:
        """The largest element (int4 7, e4m3 448); infinite for fp, noise and custom functions."""
        return math.inf if self._elements is None else self._elements.max

    @property
    def min(self) -> float:
        """The smallest element: two's complement reaches a step further below zero (int4 -8)."""
        return -math.inf if self._elements is None else self._elements.min

    @property
    def smallest_step(self) -> float:
        """The smallest distance of two neighbouring elements; 0 where there is no grid."""
        return 0.0 if self._elements is None else self._elements.step

    @property
    def scaled_max(self) -> float:
        """The element that a scale made of the largest magnitude maps that magnitude to.

        The largest, so that nothing saturates; half a step beyond it where the range is full; the
        largest magnitude of a grid of numbers.
        """
        if self.numbers is not None:
            return max(self.numbers[-1], -self.numbers[0])
        return self.max + (self.smallest_step / 2 if self.span == "full" else 0.0)

    @property
    def grid(self) -> NDArray[np.float64]:
        """All numbers that an element can be, ascending; integers are two's complement.

        Raises
        ------
        ValueError
            The format has no grid (fp, noise, custom functions), or more than 65,536 numbers.
        """
        if self.levels is None:
            raise ValueError(f"'{self.name}' has no grid of numbers")
        if self.levels > LARGEST_GRID:
            raise ValueError(
                f"the grid of '{self.name}' has {self.levels} numbers; at most 65536 are listed"
            )
        if self.numbers is not None:
            return np.array(self.numbers)
        if self._float is not None:
            return float_grid(*self._float)
        return uniform_grid(self.levels, self.min, self.smallest_step)


def _restored(home: str | None, values: tuple[Any, ...], modifiers: Modifiers) -> Format:
    """The format that was pickled, the name of a custom one readable in this process too."""
    known = Format(*values)
    if home is not None:
        FORMATS.register(known.name, known, home=home)
    return known.modified(modifiers)
