"""What laws see of a precision: found by asking them, right for every shipped law and one's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from isoloss.formats import Precision
from isoloss.laws import (
    Constant,
    DomainError,
    Law,
    Level,
    alike,
    preset,
    presets,
    seen_parts,
    sights,
    unseen,
)


@pytest.mark.parametrize(
    ("law", "precision", "left", "seen_as"),
    [
        ("kumar2024", "w4 a8 d:add(0.1)", ("d",), "w4 a8"),
        ("kumar2024", "fp -> w4@foo", ("-> w@foo",), "fp -> w4"),
        ("kumar2024", "w4 w.head:fp", ("w.head",), "w4"),
        ("kumar2024", "w4/128@lsq a8/64 q4", ("w/128", "w@lsq", "a/64", "q"), "w4 a8"),
        ("kumar2024", "w4+had~sr", ("w+had", "w~sr"), "w4"),
        ("kumar2024", "l:vec(0.1) g:e4m3", ("g", "l"), "fp"),
        ("chinchilla", "w4 w.head:int8 a8/64 -> w:fp", ("w", "a", "-> w"), "fp"),
        ("ouyang2024", "w8 -> w4/128", ("w", "-> w/128"), "fp -> w4"),
        ("chen2025", "w4/128@lsq a4/64", ("w@lsq", "a/64"), "w4/128 a4"),
        ("quest2025", "w4/128@lsq a4/64 d4", ("d",), "w4/128@lsq a4/64"),
        ("zhang2026", "d4~sr w:add(0.1)", ("w", "d~sr"), "d4"),
        ("zhang2026_parts", "d4 w:add(0.1) l:vec(0.1)", (), "d4 w:add(0.1) l:vec(0.1)"),
    ],
)
def test_parts_scopes_modifiers_and_serving(
    law: str, precision: str, left: tuple[str, ...], seen_as: str
) -> None:
    (found,) = sights(preset(law), [Level(Precision(precision))])
    assert sorted(found.unseen) == sorted(left)
    assert str(found.level) == str(Precision(seen_as))
    assert found.is_reference == (seen_as == "fp")
    assert found.unseen == unseen(preset(law), precision)


@pytest.mark.parametrize(
    ("law", "precision"),
    [
        ("kumar2024", "w3 -> w4"),  # the penalty is zero by its condition, not for want of a term
        ("kumar2024", "w:bf16"),
        ("chinchilla", "bf16"),
        ("sun2025", "w4@lsq"),  # not defined at integers: refused, so nothing is left out
        ("zhang2026", "d:add(1e-12)"),  # no hidden params at usual sizes
    ],
)
def test_what_is_zero_wide_or_refused_is_not_unseen(law: str, precision: str) -> None:
    assert unseen(preset(law), precision) == ()


@pytest.mark.parametrize(
    "law", [law for law in presets() if law.fixed >= {"kappa"}], ids=lambda law: law.name
)
def test_what_is_left_out_changes_no_loss_of_any_law(law: Law) -> None:
    values = {k.name: float(np.sqrt(k.start[0] * k.start[1]) or 0.3) for k in law.free}
    levels = [Level(Precision(p)) for p in ("w8/64 q4", "a8@lsq g:e4m3", "d4", "fp -> w4~sr")]
    known = law.with_values(values)
    for level, found in zip(levels, sights(law, levels), strict=True):
        try:
            loss = known(1e8, 1e10, level.precision)
        except DomainError:
            continue
        assert loss == pytest.approx(known(1e8, 1e10, found.level.precision), rel=1e-13)


def test_sparsity_is_seen_by_laws_of_sparsity_alone() -> None:
    assert unseen(preset("kumar2024"), "w4", "2:4") == ("2:4",)
    assert unseen(preset("frantar2023"), "fp", "2:4") == ()


@pytest.mark.parametrize(
    ("law", "parts"),
    [
        ("chinchilla", ()),
        ("kumar2024", ("w", "a", "kv", "-> w")),
        ("quartet2025", ("w", "a", "g")),
        ("ouyang2024", ("-> w",)),
        ("zhang2026", ("d",)),
        ("zhang2026_parts", ("w", "a", "g", "d", "l")),
    ],
)
def test_the_parts_of_a_law(law: str, parts: tuple[str, ...]) -> None:
    assert seen_parts(preset(law)) == parts


def test_levels_of_one_loss_are_named_together() -> None:
    levels = [Level(Precision(p)) for p in ("w4", "w8", "w4/128", "w:e4m3", "w4@gptq", "a4")]
    assert alike(preset("kumar2024"), levels) == ((0, 2, 4), (1, 3))
    assert alike(preset("chinchilla"), levels) == (tuple(range(6)),)
    assert alike(preset("quest2025"), levels) == ()


@dataclass(frozen=True)
class OfQueries:
    """A formula of one's own that reads queries, and cannot read a mixed noise."""

    constants = (Constant("k", "cost of four bits", 0.0, 1.0, (0.1, 0.9)),)

    def loss(self, c, x):  # type: ignore[no-untyped-def]
        if any(level.precision.format("l") is not None for level in x.levels.items):
            raise ValueError("labels cannot be read")
        return 2.0 + c["k"] * x.levels.is_set("q")[x.level]

    def check(self, c, x):  # type: ignore[no-untyped-def]
        return None


def test_a_formula_of_ones_own_is_asked_like_any_other() -> None:
    law = Law("own", OfQueries())
    assert unseen(law, "w4 q8/64") == ("w", "q/64")
    assert unseen(law, "l4") == ()  # refused, not left out
    assert [s.unseen for s in sights(law, [Level(Precision(p)) for p in ("l4", "w4")])] == [
        (),
        ("w",),
    ]


def test_a_group_that_a_law_has_not_is_refused() -> None:
    law = preset("kumar2024")
    with pytest.raises(DomainError, match=r"group is 'x', and law 'kumar2024' has one base for"):
        law(1e9, 2e10, "w4", group="x")
    grouped = law.per(["E"], ["x"]).with_values({"E[x]": 2.0})
    assert grouped(1e9, 2e10, "w4", group="x") == pytest.approx(
        law.at(E=2.0)(1e9, 2e10, "w4"), rel=1e-14
    )
