"""What a law can say of a precision: seen, a bound or unknown, by itself and after a fit."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from isoloss.fits import as_sample, views
from isoloss.fits.fitting import box_of
from isoloss.fits.seeing import unheld_in
from isoloss.formats import Precision
from isoloss.laws import Box, Law, Level, as_inputs, preset
from isoloss.runs import Runs

SIZES = ((3e7, 6e8), (1e8, 1e9), (3e8, 9e9))


def box_for(precisions: list[str]) -> Box:
    """The box of runs of some precisions."""
    rows = [(n, d, p, 3.0) for p in precisions for n, d in SIZES]
    frame = pl.DataFrame(rows, schema=["params", "tokens", "precision", "loss"], orient="row")
    return box_of(as_sample(Runs.from_frame(frame)))


def fitted_to(precisions: list[str], name: str = "kumar2024") -> Law:
    return replace(preset(name), box=box_for(precisions))


def standing(law: Law, fitted: list[str], asked: str) -> tuple[str, tuple[str, ...]]:
    (view,) = views(law, [Level(Precision(asked))], fitted)
    return view.standing, view.missing


@pytest.mark.parametrize(
    ("law", "asked", "said", "missing"),
    [
        ("kumar2024", "w5 a6", "seen", ()),
        ("kumar2024", "w5/64+had~sr", "seen", ()),  # how numbers are scaled is a warning
        ("kumar2024", "w5 q2", "at least", ("q",)),
        ("kumar2024", "w5 w.head:bf16", "unknown", ("w.head",)),  # rounds less than w5
        ("kumar2024", "w:e2m2", "unknown", ("w:e2m2",)),  # five bits to it, of integers
        ("kumar2024_float", "w:e2m2", "seen", ()),
        ("kumar2024_float", "w5", "unknown", ("w:int5",)),
        ("kumar2024", "fp -> w5@gptq", "seen", ()),  # all its runs were rounded so
        ("kumar2024", "fp -> w5@rtn", "unknown", ("-> w@rtn",)),
        ("kumar2024", "w5@gptq", "unknown", ("w@gptq",)),  # not in training
        ("hoffmann2022", "w5", "at least", ("w",)),
        ("hoffmann2022", "fp", "seen", ()),
        ("sun2025", "w:e2m3/64 a:e2m3/64 g:e2m3/64", "seen", ()),  # its runs rounded all three
        ("sun2025", "w:e2m3/64 a:e3m3/64", "at least", ("a",)),
    ],
)
def test_published_laws(law: str, asked: str, said: str, missing: tuple[str, ...]) -> None:
    assert standing(preset(law), [], asked) == (said, missing)


@pytest.mark.parametrize(
    ("runs", "asked", "said"),
    [
        (["fp", "w5", "w7"], "w6/32", "seen"),
        (["fp", "w5", "w7"], "w:e2m2", "unknown"),
        (["fp", "w:e2m2", "w:e3m3"], "w:e2m3", "seen"),
        (["fp", "w5 g5", "w7 g7"], "w6 g6", "seen"),  # gradients as the weights, always
        (["fp", "w5 g8", "w7 g8"], "w5 g8", "seen"),  # the runs of w5 all had it
        (["fp", "w5 g8", "w7 g8"], "w5 g4", "at least"),
        (["fp", "w5", "w5 g8"], "w5 g8", "at least"),  # one constant for both
        (["fp", "w5", "w5 g8"], "w5/32", "unknown"),
        (["fp", "w5", "w5/32"], "w5", "seen"),
        (["fp", "w5@gptq", "w7@gptq"], "w6@gptq", "seen"),
        (["fp", "w5@gptq", "w5@rtn"], "w5@gptq", "unknown"),
        (["fp", "w5@gptq", "w5@rtn"], "w5", "unknown"),
        (["fp", "w5", "w:e2m2", "w7"], "w5", "unknown"),  # a blend of two kinds
        (["fp", "w5", "w:e2m2", "w7"], "w7", "seen"),
        (["fp", "w5", "q4"], "bf16", "seen"),
        (["w3", "w3 -> w4"], "w3 -> w4", "seen"),  # a penalty that is zero by its condition
    ],
)
def test_a_fit_sees_what_its_runs_tell_apart(runs: list[str], asked: str, said: str) -> None:
    assert standing(fitted_to(runs), runs, asked)[0] == said


def test_a_law_of_size_alone_holds_the_one_rounding_of_its_runs() -> None:
    law = fitted_to(["w5 q4"], "hoffmann2022")
    assert standing(law, ["w5 q4"], "w5 q4") == ("seen", ())
    assert standing(law, ["fp", "w5 q4"], "w5 q4") == ("at least", ("w", "q"))


def test_a_sparsity_is_missed_and_a_law_that_is_undefined_says_why() -> None:
    law = fitted_to(["w5"])
    asked = [Level(Precision("w5"), "2:4"), Level(Precision("w1"))]
    pruned, low = views(law, asked, ["w5", "w5 2:4"], [None, "w1 is too low"])
    assert (pruned.standing, pruned.missing) == ("at least", ("2:4",))
    assert (low.standing, low.sees, low.why("own", asked[1])) == ("unknown", False, "w1 is too low")


@pytest.mark.parametrize(
    ("runs", "kinds", "methods", "shared"),
    [
        (["fp", "w5", "bf16"], ("int",), (), ()),
        (["fp", "w:e2m2 a:e2m2 g:e2m2"], ("float",), (), ("a", "g")),
        (["w:mxfp4@quest", "w5@quest -> w4@gptq"], ("float", "int"), ("quest", "-> gptq"), ()),
        (["w5@quest", "w5"], ("int",), (), ()),
        (["w5 a5", "a5"], ("int",), (), ()),
    ],
)
def test_what_the_runs_of_a_fit_were_rounded_to(
    runs: list[str], kinds: tuple[str, ...], methods: tuple[str, ...], shared: tuple[str, ...]
) -> None:
    box = box_for(runs)
    assert (box.kinds, box.methods, box.shared) == (kinds, methods, shared)


def test_sixteen_bits_rest_on_no_constant_of_rounding() -> None:
    law, absent = preset("kumar2024"), ("gamma_a", "n_a")
    asked = {p: as_inputs(1e9, 2e10, [p]) for p in ("bf16", "w16 a16", "a4")}
    assert {p: unheld_in(law, absent, x) for p, x in asked.items()} == {
        "bf16": (), "w16 a16": (), "a4": absent
    }  # fmt: skip
    both = as_inputs([1e9, 1e9], [2e10, 2e10], ["bf16", "a4"])
    assert unheld_in(law, absent, both) == absent
