"""The rate of a precision on a machine: each product runs at the wider of its operand formats.

A step has three products of 2 N FLOPs a token; its rate is the harmonic mean of the rates of their
classes, each a range (`achieved`). Draws are of the level, which all precisions share, and of the
speed-up of each class, so that the costs of precisions move together as they do on one cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
from scipy.special import ndtri

from isoloss.formats import Format, Precision
from isoloss.laws import Array
from isoloss.plans.costs.achieved import LEAST_SURE, Basis, Range
from isoloss.plans.costs.hardware import Hardware
from isoloss.plans.problems import PlanError

#: Classes of formats, narrow to wide: a format computes at the first of its own chain that the
#: machine has.
FLOATS = ("fp4", "fp6", "fp8", "bf16", "tf32")
INTEGERS = ("int4", "int8", "bf16", "tf32")
#: The products of a training step and their operands, 2 N FLOPs a token each: forward, then the
#: gradients of activations and of weights.
PRODUCTS = {
    "forward": ("w", "a"),
    "input gradient": ("g.dx", "w.dx"),
    "weight gradient": ("g.dw", "a.dw"),
}
OPERANDS = tuple(dict.fromkeys(operand for product in PRODUCTS.values() for operand in product))


@dataclass(frozen=True)
class Rate:
    """How fast a precision is trained on a machine.

    Attributes
    ----------
    cost
        FLOPs of bf16 that one FLOP of it costs: 1 for bf16.
    flops
        FLOP/s a device, the middle of its range; 0 on an abstract machine.
    how
        Where that is from: "measured", "bf16 peak x MFU 0.4", or the published range.
    emulated
        Operand formats that the machine lacks: their products run in a wider class.
    interval
        Ends of 90% of the FLOP/s; equal where it is taken as exact, 0 on an abstract machine.
    speed_up
        Step over step in bf16, as a range.
    basis
        What the range rests on: "measured", "given", "published" figures, or "assumed".
    runs_in
        For each emulated format the classes that its products run in.
    """

    cost: float
    flops: float
    how: str
    emulated: tuple[str, ...] = ()
    interval: tuple[float, float] = (0.0, 0.0)
    speed_up: Range | None = None
    basis: Basis = "given"
    runs_in: tuple[tuple[str, ...], ...] = ()

    @property
    def is_point(self) -> bool:
        """Whether it is taken as exact."""
        return self.interval[0] == self.interval[1]


@dataclass(frozen=True)
class RateDraws:
    """Draws of what is not known of the rates of a machine.

    Attributes
    ----------
    level
        Standard normal of the level, shared by all precisions, (S,).
    classes
        Standard normal of the speed-up of each class of formats, (S,) each.
    """

    level: Array
    classes: Mapping[str, Array]

    @classmethod
    def of(cls, machine: Hardware, count: int, seed: int = 0) -> RateDraws:
        """So many draws, stratified: each quantile once, in random order."""
        rng = np.random.default_rng([seed, count])
        middles = ndtri((np.arange(count) + 0.5) / count)
        names = sorted(machine.peaks)
        level, *rest = (rng.permutation(middles) for _ in range(len(names) + 1))
        return cls(level, dict(zip(names, rest, strict=True)))


def in_doubt(machine: Hardware, rates: Sequence[Rate]) -> bool:
    """Whether the rate of some precision, or of bf16, is a range."""
    return not machine.is_abstract and not (
        machine.level.is_point and all(rate.is_point for rate in rates)
    )


def drawn_costs(
    machine: Hardware, precisions: Sequence[Precision], draws: RateDraws
) -> tuple[Array, Array]:
    """Draws of the cost of each precision, (S, n), and of the FLOP/s of bf16, (S, 1)."""
    base = machine.level.at(draws.level)
    columns = []
    for precision in precisions:
        known = _measured(machine, precision)
        if known is not None:
            columns.append(base / known)
            continue
        classes = classes_of(machine, precision)
        each = [base / _drawn(machine, name, base, draws) for name in classes]
        columns.append(np.mean(each, axis=0))
    return np.stack(columns, axis=1), base[:, None]


def _drawn(machine: Hardware, name: str, base: Array, draws: RateDraws) -> Array:
    """Draws of the FLOP/s of a class of formats, given those of bf16."""
    if name == "bf16":
        return base
    own = machine.range_of(name)
    if own.is_point:
        return np.full(base.shape, own.middle)
    return base * machine.speed_up(name).at(draws.classes[name])


def rate_of(machine: Hardware, precision: Precision) -> Rate:
    """The training rate of a precision: measured where there is a measurement, else from shares of
    peaks that are given, else from published runs.

    Parameters
    ----------
    machine
        A device or cost model.
    precision
        What is trained; an arrow is ignored.

    Returns
    -------
    Rate
        Its cost and FLOP/s.

    Raises
    ------
    PlanError
        A format is wider than all that the machine computes in.
    """
    match machine.rule:
        case "linear-bits":
            return Rate(linear_bits(precision) / 16.0, 0.0, "linear in bits")
        case "memory-bits":
            return Rate(0.0, 0.0, "training is free")
        case "rates":
            return _device_rate(machine, precision)
        case _:
            assert_never(machine.rule)


def _device_rate(machine: Hardware, precision: Precision) -> Rate:
    base = machine.level
    known = _measured(machine, precision)
    if known is not None:
        gain = _measured_gain(machine, precision, known / base.middle)
        return Rate(base.middle / known, known, "measured", (), (known, known), gain, "measured")
    classes = classes_of(machine, precision)
    emulated, runs_in = _emulated(machine, precision)
    gain = _gain(machine, classes)
    own = [machine.range_of(each) for each in classes]
    whole = base if set(classes) == {"bf16"} else base.along(gain)
    if all(each.is_point for each in own):
        together = 1.0 / float(np.mean([1.0 / each.middle for each in own]))
        whole = Range.point(own[0].middle if len(set(classes)) == 1 else together, "given")
    return Rate(
        base.middle / whole.middle, whole.middle, _how(machine, classes), emulated,
        (whole.low, whole.high), gain, whole.basis, runs_in,
    )  # fmt: skip


def _measured_gain(machine: Hardware, precision: Precision, times: float) -> Range:
    """A measured speed-up, with what is published of the classes that its products run in."""
    try:
        told = _gain(machine, classes_of(machine, precision))
    except PlanError:  # wider than all that the machine has peaks for: nothing is published
        return Range.point(times, "measured")
    return replace(told, low=times, middle=times, high=times, basis="measured")


def peak_of(machine: Hardware, precision: Precision) -> float:
    """The highest peak among the formats of a precision, which no rate of it can pass; scales of
    blocks count as taken, as kernels of one's own may.
    """
    able = replace(machine, takes_blocks=True)
    try:
        classes = [_class_of(able, precision.format(part)) for part in OPERANDS]
    except PlanError:
        classes = list(machine.peaks)
    return max(machine.peaks[each] for each in classes)


def _gain(machine: Hardware, classes: Sequence[str]) -> Range:
    """The speed-up of a step whose products run in some classes."""
    each = [machine.speed_up(name) for name in classes]
    low, middle, high = (
        1.0 / float(np.mean([1.0 / getattr(r, end) for r in each]))
        for end in ("low", "middle", "high")
    )
    first = min(each, key=lambda r: (r.is_point, LEAST_SURE.index(r.basis)))
    return replace(first, low=low, middle=middle, high=high)


def _measured(machine: Hardware, precision: Precision) -> float | None:
    spelled = str(precision.trained)
    return machine.measured.get("bf16" if spelled in ("fp", BF16) else spelled)


def classes_of(machine: Hardware, precision: Precision) -> list[str]:
    """The class that each product of a training step runs in."""
    return [product_class(machine, precision, *parts) for parts in PRODUCTS.values()]


def _how(machine: Hardware, classes: list[str]) -> str:
    """Where a rate is from, as "bf16 peak x MFU 0.4" or the published range of each class."""
    names = list(dict.fromkeys(classes))
    measured = "bf16" in names and "bf16" in machine.measured
    if all(name in machine.mfu for name in names) and not measured:
        shares = dict.fromkeys(f"{machine.mfu[each]:g}" for each in classes)
        peaks = (
            f"{classes[0]} peak"
            if len(names) == 1
            else f"{classes[0]} forward, {classes[1]} backward peaks"
        )
        return f"{peaks} x MFU {' and '.join(shares)}"
    said = [level_in_words(machine)]
    said += [_gain_in_words(machine, name) for name in names if name != "bf16"]
    return ", ".join(said)


def level_in_words(machine: Hardware) -> str:
    """What bf16 reaches on a machine, in words."""
    level = machine.level
    if level.basis == "measured":
        return "bf16 measured"
    if level.basis == "given":
        return f"bf16 peak x MFU {machine.mfu['bf16']:g}"
    low, middle, high = (v / machine.peaks["bf16"] for v in (level.low, level.middle, level.high))
    whose = f" of {machine.chip}" if machine.chip not in ("", machine.name) else ""
    source = f"{level.figures} published runs{whose}" if level.basis == "published" else "assumed"
    return f"bf16 {low:.2f} to {high:.2f} of its peak, middle {middle:.2f} ({source})"


def _gain_in_words(machine: Hardware, name: str) -> str:
    gain = machine.speed_up(name)
    if name in machine.mfu:
        return f"{name} peak x MFU {machine.mfu[name]:g}"
    count = f"{gain.figures} published figure{'s' if gain.figures != 1 else ''}"
    source = count if gain.basis == "published" else f"assumed, {count}"
    return (
        f"{name} {gain.low:.2f} to {gain.high:.2f} times that, middle {gain.middle:.2f} ({source})"
    )


def linear_bits(precision: Precision) -> float:
    """The bits P of the cost N D P / 16: the wider of weights and activations, 16 where unset."""
    return max(_bits(precision.format(part)) for part in ("w", "a"))


def product_class(
    machine: Hardware, precision: Precision, first: str, second: str, stage: str = "train"
) -> str:
    """The class in which a product of two parts runs: the wider of the two that the machine has.

    Integers of up to 4 bits are numbers of an 8-bit float, so these two meet at fp8; other integers
    and floats meet at bf16.
    """
    one, two = (
        _class_of(machine, precision.format(part, "serve" if stage == "serve" else "train"))
        for part in (first, second)
    )
    for chain in (FLOATS, INTEGERS):
        if one in chain and two in chain:
            return max(one, two, key=chain.index)
    formats = [
        precision.format(part, "serve" if stage == "serve" else "train") for part in (first, second)
    ]
    narrow = all(f is not None and (f.exponent is not None or f.bits <= 4) for f in formats)
    return "fp8" if narrow and "fp8" in machine.peaks else "bf16"


def own_class(known: Format | None) -> str:
    """The narrowest class that holds a format: fp8 for e4m3, int4 for ternary; bf16 where nothing
    is rounded.

    So do formats that no machine computes in, such as nf4: their numbers are dequantised, and only
    memory is saved.
    """
    return "bf16" if known is None else known.computes_in or "bf16"


def _class_of(machine: Hardware, known: Format | None) -> str:
    # Blocks with a scale of their own are multiplied as they are only where products take such
    # scales; elsewhere they are dequantised first.
    wanted = "bf16" if _is_foreign_block(machine, known) else own_class(known)
    chain = INTEGERS if wanted.startswith("int") else FLOATS
    if wanted not in chain:
        raise PlanError(
            f"{machine.name} computes in no format as wide as {wanted}; "
            f"it has {', '.join(machine.peaks)}"
        )
    return next(each for each in chain[chain.index(wanted) :] if each in machine.peaks)


def lacks(machine: Hardware, known: Format) -> bool:
    """Whether a machine has no products in a format, so that they run in a wider class."""
    return known.computes_in not in machine.peaks or _is_foreign_block(machine, known)


def _is_foreign_block(machine: Hardware, known: Format | None) -> bool:
    return known is not None and known.kind == "block" and not machine.has_blocks


def _emulated(
    machine: Hardware, precision: Precision
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The formats of operands that the machine has no products in, by name, and the classes that
    the products of each run in.
    """
    found: dict[str, set[str]] = {}
    for parts in PRODUCTS.values():
        runs_in = product_class(machine, precision, *parts)
        for part in parts:
            known = precision.format(part)
            if known is not None and lacks(machine, known):
                found.setdefault(str(known.bare), set()).add(runs_in)
    return tuple(found), tuple(tuple(sorted(each)) for each in found.values())


def _bits(known: Format | None) -> float:
    return 16.0 if known is None else known.compute_bits


BF16 = str(Precision("bf16"))
