"""Which formats the five quantisers of a step and the rounding of the result have, read off a
precision.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import NOISES, Format, Modifiers, Precision
from isoloss.linear.checks import finite, in_range

Array = NDArray[np.float64]
PARTS = ("d", "l", "w", "a", "g")
#: The range of an integer grid where no scale is given, in root mean squares of the largest
#: element.
REACH = 4.0


@dataclass(frozen=True)
class Scales:
    """What one unit of a real grid stands for, by part: its numbers are the format's times the
    scale.

    For integers the scale is the step. None: floats have scale 1; an integer of b bits has step
    2 R / (2^b - 1), so that the cells of its numbers -2^(b-1)+1 .. 2^(b-1)-1 cover -R..R, with R
    four root mean squares of the largest element. Scales do not change in training.

    Attributes
    ----------
    d, l, w, a, g : float, optional
        Of data, labels, parameter in use, activations and output gradients. R of None is made from
        the features for d, the labels for l and g, <w*, x> for a, and w* for w.
    post : float, optional
        Of the rounding of the result ('-> w:...'); R of None is made from w*.

    Raises
    ------
    ValueError
        A scale is not a number from 1e-30 to 1e30.
    """

    d: float | None = None
    l: float | None = None  # noqa: E741  the part's letter
    w: float | None = None
    a: float | None = None
    g: float | None = None
    post: float | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            given = getattr(self, each.name)
            if given is not None:
                scale = finite(f"the scale of {each.name}", given, 0.0, above=True)
                in_range(f"the scale of {each.name}", scale)
                object.__setattr__(self, each.name, scale)

    def check_used(self, precisions: Iterable[Precision]) -> None:
        """Raise ValueError for the scale of a part that none of the precisions rounds to a grid."""
        known = {part for each in precisions for part in _scaled_parts(each)}
        for each in fields(self):
            scale = getattr(self, each.name)
            if scale is not None and each.name not in known:
                part = "the result" if each.name == "post" else each.name
                raise ValueError(
                    f"the scale of {each.name} is {scale:g}, but no precision here rounds {part} "
                    "to an integer or a float of that scale; leave it out"
                )


DEFAULT_SCALES = Scales()


@dataclass(frozen=True)
class Quantisers:
    """The formats of data, labels, parameter in use, activation, output gradient and result; None
    is exact.
    """

    d: Format | None = None
    l: Format | None = None  # noqa: E741  the part's letter
    w: Format | None = None
    a: Format | None = None
    g: Format | None = None
    post: Format | None = None

    @property
    def closed(self) -> bool:
        """Whether the second moments of training close exactly: no real grid on l, w, a or g."""
        return not any(map(is_grid, (self.l, self.w, self.a, self.g)))


def _scaled_parts(precision: Precision) -> Iterator[str]:
    """The parts that are rounded to a real grid whose unit `Scales` give."""
    parts = {**precision.train, "post": precision.serve.get("w")}
    for part, known in parts.items():
        if is_grid(known) and known and not (known.is_exact or _follows(known)):
            yield part


def is_grid(known: Format | None) -> bool:
    """Whether a quantiser rounds to the numbers of a real format."""
    return known is not None and known.noise is None


def quantisers_of(precision: Precision | str, sampled: bool = False) -> Quantisers:
    """The quantisers of a precision or its spelling, for the exact risk or for the sampler.

    Raises ValueError for parts other than d l w a g (and w after the arrow), for kinds of format
    other than ideal noise, integers and floats, for modifiers other than ~sr and ~dither, and for
    dither of other parts than data and the result, which only the sampler knows.
    """
    found = _read(Precision.parse(precision))
    for part in "" if sampled else "lwag":
        known = getattr(found, part)
        if known is not None and known.rounding == "dither":
            raise ValueError(
                f"no exact risk for '{part}:{known}' in precision '{precision}'; where nothing "
                f"saturates it is '{part}:add_uniform(step^2 / 12)', else use method='sampled'"
            )
    return found


@lru_cache(maxsize=4096)
def _read(precision: Precision) -> Quantisers:
    found = {scope: known for scope, known in precision.train.items() if not known.is_exact}
    after = {scope: known for scope, known in precision.serve.items() if not known.is_exact}
    for scope in found:
        if scope not in PARTS:
            raise ValueError(
                f"linear regression has no part '{scope}', as in precision '{precision}'; "
                f"parts are {' '.join(PARTS)}"
            )
    for scope in after:
        if scope != "w":
            raise ValueError(
                f"'{scope}' after the arrow of precision '{precision}' is not known here; only "
                "the result is rounded, as in '-> w:int4'"
            )
    for known in (*found.values(), *after.values()):
        _check(known, precision)
    return Quantisers(**found, post=after.get("w"))


def _check(known: Format, precision: Precision) -> None:
    is_known = known.is_noise or known.is_integer or known.is_float
    if not is_known or known.span != "symmetric":
        raise ValueError(
            f"no exact risk for format '{known}' in precision '{precision}'; "
            f"accepted are {spelled_noises()}, integers and floats{_sampled(known)}"
        )
    marks = known.modifiers
    if marks._replace(granularity=None, rounding=None) != Modifiers() or marks.granularity not in (
        None,
        "tensor",
    ):
        raise ValueError(
            f"no exact risk for the modifiers '{marks}' in precision '{precision}'; "
            f"accepted are '~sr' and '~dither'{_sampled(known)}"
        )


def shares_scales(known: Format | None) -> bool:
    """Whether groups of neighbours share a scale made of their largest magnitude: blocks, '/row'
    and '/128'.
    """
    if known is None or not known.is_scaled or known.span != "symmetric":
        return False
    return _follows(known)


def rounds_in_groups(known: Format) -> bool:
    """Whether a format whose groups share scales is one that the sampler rounds to: MX, NV,
    integers and floats.
    """
    return known.scale is not None or known.is_integer or known.is_float


def _sampled(known: Format) -> str:
    """What a message says of groups that share a scale, which only the sampler has."""
    if not (shares_scales(known) and rounds_in_groups(known)):
        return ""
    return (
        "; numbers that share a scale are rounded together, one depending on the other, which "
        "only method='sampled' follows, for d, w and the result"
    )


def _follows(known: Format) -> bool:
    """Whether scales follow the numbers: blocks, rows, groups."""
    return known.block is not None or known.granularity not in (None, "tensor")


def spelled_noises(basis_free: bool = False) -> str:
    """The ideal noises as they are spelled, for a message: all, or those that look alike in every
    basis.
    """
    names = [
        f"{name}(eps)"
        for name, model in NOISES.items()
        if not basis_free or model.levels(1.0).basis_free
    ]
    return " and ".join(names) if len(names) == 2 else ", ".join(names)


def levels_of(known: Format, scale: float | None, size: float) -> Array:
    """The numbers >= 0 of a real grid, ascending from 0; a symmetric integer leaves -2^(b-1)
    unused.

    `size` is the root mean square of the largest element, which the default step of an integer is
    made from.
    """
    if known.is_integer:
        step = scale or default_step(known, size)
        return np.arange(2.0 ** (known.bits - 1)) * step
    grid = known.grid
    return grid[grid >= 0] * (scale or 1.0)


def largest_of(known: Format, scale: float | None, size: float) -> float:
    """The largest number of `levels_of`, which need not be listed."""
    if known.is_integer:
        return float((2.0 ** (known.bits - 1) - 1) * (scale or default_step(known, size)))
    return float(known.max * (scale or 1.0))


def default_step(known: Format, size: float) -> float:
    """The step of an integer whose cells cover four root mean squares on both sides."""
    return float(2 * REACH * (size or 1.0) / (2.0**known.bits - 1))


def is_listed(known: Format) -> bool:
    """Whether the numbers of a real grid are few enough to be listed, at most 65,536."""
    return (known.levels or math.inf) <= 2**16
