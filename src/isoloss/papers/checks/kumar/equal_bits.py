"""Models of equal params times bits: Kumar et al. 2024, figures 1 right, 6 left and 6 middle."""

from __future__ import annotations

from isoloss.linear import Study
from isoloss.papers.checking import check
from isoloss.papers.checks.kumar.formula import FITTED, PRINTED, found, in_bits
from isoloss.papers.claim import Finding
from isoloss.papers.findings import drawn
from isoloss.papers.laboratory import Laboratory

#: Params of the five models by their bits, N P = 7.04e9 (figure 6).
SIZES = {4: 1.76e9, 6: 1.1733e9, 8: 0.88e9, 16: 0.44e9, 32: 0.22e9}
#: The same as printed.
SAID = {4: 1.76e9, 6: 1.17e9, 8: 0.88e9, 16: 0.44e9, 32: 0.22e9}
TOKENS = 16e9
#: Losses of the five runs, whose bars the text does not tell apart: 6 to 16 bits, and 4 and 32.
MIDDLE, OUTER = (2.997, 3.009, 3.057), (3.198, 3.233)


@check
def kumar_equal_bits(laboratory: Laboratory) -> Finding:
    """Loss of the five models of equal params times bits on 16B tokens, by the law."""
    loss = _losses(laboratory, FITTED)
    best = min(loss, key=loss.__getitem__)
    says = f"The loss is least at {best} bits, {loss[best]:.3f} nats."
    return found(
        {f"INT{bits}": value for bits, value in loss.items()} | {"best": best},
        says,
        (FITTED,),
        _figure({"with offsets": loss, "without offsets": _losses(laboratory, PRINTED)}, says),
    )


@check
def kumar_u_shape(laboratory: Laboratory) -> Finding:
    """The shape over the five models, with and without offsets."""
    loss, printed = _losses(laboratory, FITTED), _losses(laboratory, PRINTED)
    best, without = (min(each, key=each.__getitem__) for each in (loss, printed))
    bits = [bits * params for bits, params in SAID.items()]
    arm = "there the U has no left arm" if without == min(printed) else "there as well it is a U"
    says = f"The law is least at {best} bits, without offsets at {without}: {arm}."
    return found(
        {
            "least over greatest params times bits": min(bits) / max(bits),
            "best": best,
            "4 bits above the best": loss[4] - loss[best],
            "32 bits above the best": loss[32] - loss[best],
            "best, without offsets": without,
        },
        says,
        (FITTED, PRINTED),
        _figure({"with offsets": loss, "without offsets": printed}, says),
    )


@check
def kumar_measured(laboratory: Laboratory) -> Finding:
    """The law beside the five printed losses of runs in floats, in order of size."""
    loss = _losses(laboratory, FITTED)
    middle, outer = sorted(loss[b] for b in (6, 8, 16)), sorted(loss[b] for b in (4, 32))
    over = [sum(a) / len(a) - sum(b) / len(b) for a, b in ((middle, MIDDLE), (outer, OUTER))]
    says = (
        f"The law is {over[0]:+.3f} nats off the mean of the runs in 6 to 16 bits and "
        f"{over[1]:+.3f} off that of 4 and 32."
    )
    # The text does not say which bar is whose: each group is given out in the order of the law.
    runs = dict(zip(sorted((6, 8, 16), key=loss.__getitem__), MIDDLE, strict=True))
    runs |= dict(zip(sorted((4, 32), key=loss.__getitem__), OUTER, strict=True))
    return found(
        {
            "lowest of the middle three": middle[0],
            "second of the middle three": middle[1],
            "highest of the middle three": middle[2],
            "lower of the outer two": outer[0],
            "higher of the outer two": outer[1],
            "outer two less middle three": sum(outer) / 2 - sum(middle) / 3,
            "mean of law less runs, middle three": over[0],
            "mean of law less runs, outer two": over[1],
        },
        says,
        (FITTED, "five losses of figure 6"),
        _figure({"law of integers": loss, "runs in floats, bars in the law's order": runs}, says),
    )


def _losses(laboratory: Laboratory, name: str) -> dict[int, float]:
    law = laboratory.law(name)
    return {bits: float(law(params, TOKENS, in_bits(bits))) for bits, params in SIZES.items()}


def _figure(losses: dict[str, dict[int, float]], says: str) -> Study:
    rows = [
        {"x": float(bits), "y": value, "series": series}
        for series, each in losses.items()
        for bits, value in sorted(each.items())
    ]
    return drawn(
        "equal bits",
        "Which precision is best where params times bits are equal? 16B tokens.",
        rows,
        ("bits of every part", "loss (nats)"),
        says,
    )
