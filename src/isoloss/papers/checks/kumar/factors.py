"""Effective params in low precision: figures 3, 14, 15 and 16 of Kumar et al. 2024, and table 2."""

from __future__ import annotations

import numpy as np

from isoloss.laws import DomainError, Law
from isoloss.papers.checking import check
from isoloss.papers.checks.kumar.formula import (
    FITTED,
    PARTS,
    PRINTED,
    Factor,
    constants,
    factors,
    found,
    in_bits,
    loss_of,
    mean_factor,
    product,
    root,
)
from isoloss.papers.claim import Finding
from isoloss.papers.findings import drawn
from isoloss.papers.laboratory import Laboratory

BITS = (3, 4, 5, 6, 7, 8, 12, 16)


@check
def kumar_constants(laboratory: Laboratory) -> Finding:
    """The constants of the law as it is shipped."""
    law = laboratory.law(FITTED)
    known = constants(law)
    unknown = [k.name for k in law.constants if k.value is None]
    names = [name for name in known if name != "kappa"]
    return found(
        {name: known[name] for name in names},
        f"The law has the {len(names)} constants of table 2; {', '.join(unknown)} have no "
        "published value.",
        (FITTED,),
    )


@check
def kumar_factor_table(laboratory: Laboratory) -> Finding:
    """Factors of each part and of all, by the law where it is defined and by its formula."""
    law = laboratory.law(FITTED)
    each = factors(law)
    ours = {f"{part} {bits}": each[part](bits) for part in PARTS for bits in BITS}
    ours |= {f"all {bits}": float(law.factors(in_bits(bits))[0][0]) for bits in BITS if bits > 3}
    apart = max(
        abs(float(law.factors(f"{part}{bits}")[0][0]) - ours[f"{part} {bits}"])
        for part in PARTS
        for bits in BITS
        if ours[f"{part} {bits}"] > 0
    )
    refused = _refused(law, "a3")
    return found(
        ours,
        f"Formula and law agree to {apart:.0e}; at 3 bits of activations the factor is negative "
        f"and the law {'refuses' if refused else 'does not refuse'}.",
        (FITTED,),
    )


@check
def kumar_crossing(laboratory: Laboratory) -> Finding:
    """Where keys and values cross the weights, with and without offsets."""
    each, printed = factors(laboratory.law(FITTED)), factors(laboratory.law(PRINTED))

    def crossing(f: dict[str, Factor]) -> float:
        return root(lambda bits: f["w"](bits) - f["kv"](bits), 2.5, 16.0)

    at, without = crossing(each), crossing(printed)
    says = (
        f"Keys and values cross the weights at {at:.2f} bits; without offsets "
        f"{'never' if np.isnan(without) else f'at {without:.2f}'}."
    )
    rows = [
        {"x": float(bits), "y": f[part](bits), "series": name, "panel": panel}
        for panel, f in (("with offsets", each), ("without offsets", printed))
        for part, name in PARTS.items()
        for bits in np.linspace(3.2, 16, 65)
    ]
    return found(
        {
            "weights at 3 bits": each["w"](3),
            "keys and values at 3 bits": each["kv"](3),
            "weights at 8 bits": each["w"](8),
            "keys and values at 8 bits": each["kv"](8),
            "bits at which they cross": at,
            "bits at which they cross, without offsets": without,
        },
        says,
        (FITTED, PRINTED),
        drawn(
            "effective params",
            "How many params are left of a part in few bits? Factors of each part.",
            rows,
            ("bits of the part", "effective over nominal params"),
            says,
        ),
    )


@check
def kumar_most_sensitive(laboratory: Laboratory) -> Finding:
    """The lead of the other parts over activations at 4 to 12 bits."""
    bits = range(4, 13)
    each, printed = factors(laboratory.law(FITTED)), factors(laboratory.law(PRINTED))
    weights = min(each["w"](b) - each["a"](b) for b in bits)
    attention = min(each["kv"](b) - each["a"](b) for b in bits)
    without = min(printed["w"](b) - printed["a"](b) for b in bits)
    return found(
        {
            "least lead of weights over activations": weights,
            "least lead of keys and values over activations": attention,
            "least lead of weights over activations, without offsets": without,
        },
        f"Weights lead activations by {weights:.4f} or more of the params at 4 to 12 bits; without "
        f"offsets they trail by up to {-without:.3f}.",
        (FITTED, PRINTED),
    )


@check
def kumar_from_losses(laboratory: Laboratory) -> Finding:
    """Equation 30 on losses of the law, at several sizes, lengths and precisions."""
    law = laboratory.law(FITTED)
    c = constants(law)
    error, moved = 0.0, 0.0
    for params, tokens in ((3e7, 1.6e9), (1.1e8, 1.3e10), (2.2e8, 2.6e10)):
        for bits in (3, 4, 6, 8):
            loss = loss_of(law, params, tokens, f"w{bits}")
            by = [
                _share(loss - loss_of(law, params, tokens, reference), params, c)
                for reference in ("fp", "w16")
            ]
            error = max(error, abs(by[0] - factors(law)["w"](bits)))
            moved = max(moved, abs(by[1] - by[0]))
    return found(
        {
            "greatest error of equation 30 on the law's losses": error,
            "greatest change where 16 bits stand for unrounded": moved,
        },
        f"Equation 30 gives the factor back to {error:.0e}; weights in 16 bits as the reference "
        f"move it by up to {moved:.4f}.",
        (FITTED,),
    )


@check
def kumar_floats(laboratory: Laboratory) -> Finding:
    """Factors of weights in floats."""
    law = laboratory.law("kumar2024_float")
    formats = {3: "e2m0", 4: "e3m0", 5: "e3m1", 6: "e3m2", 7: "e4m2", 8: "e5m2", 12: "e5m6"}
    ours = {bits: float(law.factors(f"w:{name}")[0][0]) for bits, name in formats.items()}
    integers = factors(laboratory.law(FITTED))["w"]
    ahead = [str(bits) for bits, value in ours.items() if value > integers(bits)]
    says = f"Floats leave more params than integers at {', '.join(ahead)} bits."
    rows = [
        {"x": float(bits), "y": value, "series": series}
        for bits in ours
        for series, value in (("floats", ours[bits]), ("integers", integers(bits)))
    ]
    return found(
        {f"{bits} bits": value for bits, value in ours.items()},
        says,
        ("kumar2024_float", FITTED),
        drawn(
            "floats and integers",
            "How many params are left of weights in few bits? Factors of weights.",
            rows,
            ("bits of weights", "effective over nominal params"),
            says,
        ),
    )


@check
def kumar_tied(laboratory: Laboratory) -> Finding:
    """The cube of the factor of mean gamma and mean offset, beside the product."""
    law = laboratory.law(FITTED)
    cube = {bits: mean_factor(law)(bits) ** 3 for bits in (4, 8)}
    over = {bits: value / product(law, bits) for bits, value in cube.items()}
    return found(
        {f"mean gamma and n at {bits} bits": value for bits, value in cube.items()}
        | {f"over the product at {bits} bits": value for bits, value in over.items()},
        f"One mean gamma gives {over[8]:.3f} of the product at 8 bits and {over[4]:.3f} at 4.",
        (FITTED,),
    )


@check
def kumar_unstable(laboratory: Laboratory) -> Finding:
    """The bits at which the law leaves no params of each part, and what 3 bits leave."""
    law = laboratory.law(FITTED)
    each = factors(law)
    refused = [part for part in PARTS if _refused(law, f"{part}3")]
    return found(
        {f"{name}: bits that leave no params": each[part].zero for part, name in PARTS.items()}
        | {f"{PARTS[part]} of 3 bits": each[part](3) for part in ("a", "kv")},
        f"At 3 bits the law refuses {', '.join(PARTS[part] for part in refused)} alone; keys and "
        f"values keep {each['kv'](3):.2f} of the params.",
        (FITTED,),
    )


def _share(gap: float, params: float, c: dict[str, float]) -> float:
    """Equation 30: effective over nominal params from the loss above unrounded training."""
    raised = gap / c["A"] + params ** -c["alpha"]
    return float(raised ** (-1.0 / c["alpha"]) / params)


def _refused(law: Law, precision: str) -> bool:
    try:
        law(1e8, 1e10, precision)
    except DomainError:
        return True
    return False
