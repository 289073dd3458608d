"""The rate of a precision on a machine: each product runs at the wider of its operand formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from isoloss.formats import Format, Precision
from isoloss.plans.costs.hardware import MFU, Hardware
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
        FLOP/s a device; 0 on an abstract machine.
    how
        Where that is from: "measured", or "bf16 peak x MFU 0.4".
    emulated
        Operand formats that the machine lacks: they compute wider and save memory only.
    """

    cost: float
    flops: float
    how: str
    emulated: tuple[str, ...] = ()


def rate_of(machine: Hardware, precision: Precision) -> Rate:
    """The training rate of a precision: measured where there is a measurement, else from peaks.

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
    base = machine.measured.get("bf16", machine.reached("bf16"))
    spelled = str(precision.trained)
    known = machine.measured.get("bf16" if spelled in ("fp", BF16) else spelled)
    if known is not None:
        return Rate(base / known, known, "measured")
    classes = [product_class(machine, precision, *parts) for parts in PRODUCTS.values()]
    seconds = sum(1.0 / machine.reached(each) for each in classes) / len(classes)
    return Rate(
        base * seconds, 1.0 / seconds, _how(machine, classes), _emulated(machine, precision)
    )


def _how(machine: Hardware, classes: list[str]) -> str:
    """Where a rate is from, as "bf16 peak x MFU 0.4"."""
    shares = dict.fromkeys(f"{machine.mfu.get(each, MFU):g}" for each in classes)
    peaks = (
        f"{classes[0]} peak"
        if len(set(classes)) == 1
        else f"{classes[0]} forward, {classes[1]} backward peaks"
    )
    return f"{peaks} x MFU {' and '.join(shares)}"


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
    wanted = own_class(known)
    chain = INTEGERS if wanted.startswith("int") else FLOATS
    if wanted not in chain:
        raise PlanError(
            f"{machine.name} computes in no format as wide as {wanted}; "
            f"it has {', '.join(machine.peaks)}"
        )
    return next(each for each in chain[chain.index(wanted) :] if each in machine.peaks)


def _emulated(machine: Hardware, precision: Precision) -> tuple[str, ...]:
    """The formats of operands that the machine has no rate for, by name."""
    found = (precision.format(part) for part in OPERANDS)
    return tuple(
        dict.fromkeys(
            str(f.bare) for f in found if f is not None and f.computes_in not in machine.peaks
        )
    )


def _bits(known: Format | None) -> float:
    return 16.0 if known is None else known.compute_bits


BF16 = str(Precision("bf16"))
