"""Plans say what their laws do not see: parts, candidates that tie, groups that are not there."""

import pytest

from isoloss.fits import WarningKind
from isoloss.plans import Budget, PlanError, plan, rank_serving

BUDGET = Budget("1e21 flop")


def said(found):
    return [w.text for w in found.warnings if w.kind is WarningKind.UNSEEN_PARTS]


def test_candidates_of_one_loss_are_named():
    asked = ["w4", "w4/128", "w8", "w8+had"]
    found = plan("kumar2024", BUDGET, "linear-bits", precision=asked, extrapolate=True, draws=1)
    ties = [text for text in said(found) if "cannot tell apart" in text]
    assert ties == [
        "law kumar2024 cannot tell apart 'w4' = 'w4/128'; 'w8' = 'w8+had': the same loss at equal "
        "size, so nothing but their cost ranks them"
    ]
    other = plan("kumar2024", BUDGET, "linear-bits", precision=["w4", "w8"], extrapolate=True)
    assert said(other) == []


@pytest.mark.parametrize(
    ("laws", "precision", "text"),
    [
        (
            "kumar2024",
            ["g4", "g8"],
            "law 'kumar2024' has terms for w, a, kv, -> w, in which the candidates do not differ: "
            "all get the same loss; use a precision-aware law or one precision",
        ),
        (
            "hoffmann2022",
            ["w4", "w8"],
            "law 'hoffmann2022' has no precision term that tells the candidates apart: all get the "
            "same loss; use a precision-aware law or one precision",
        ),
        (
            ["hoffmann2022", "ouyang2024"],
            ["w4", "w8"],
            "law 'hoffmann2022' has no precision term, law 'ouyang2024' has terms for -> w, in "
            "which the candidates do not differ: all get the same loss; use a precision-aware law "
            "or one precision",
        ),
    ],
)
def test_a_law_with_terms_is_not_said_to_have_none(laws, precision, text):
    with pytest.raises(PlanError) as caught:
        plan(laws, BUDGET, "h100", precision=precision)
    assert str(caught.value) == text


def test_a_law_that_is_left_out_says_its_parts():
    found = plan(
        ["kumar2024", "ouyang2024"], BUDGET, "h100", precision=["w4", "w8"], extrapolate=True
    )
    assert (
        "law ouyang2024 (weight 0.5) has terms for -> w, in which the candidates are alike, and is "
        "left out"
    ) in said(found)


def test_what_the_best_choice_sets_and_no_term_reads_is_a_typed_warning():
    found = plan("kumar2024", BUDGET, "linear-bits", precision="w8@lsq g8", extrapolate=True)
    assert said(found) == [
        "no law sees 'w8@lsq g8': law kumar2024 has no term for w@lsq, g in 'w8@lsq g8', so its "
        "loss is unknown",
        "law kumar2024 has no term for g, w@lsq in 'w8@lsq g8': what they cost is missing from the "
        "loss",
    ]
    served = rank_serving("kumar2024", Budget(params="1B", tokens="100B"), "h100", ["w4@foo"])
    assert any("law kumar2024 has no term for -> w@foo" in text for text in said(served))
    assert served.choices[0].gap != served.choices[0].gap


@pytest.mark.parametrize("laws", ["kumar2024", ["kumar2024", "chen2025"]])
def test_a_group_that_no_law_has_is_refused(laws):
    with pytest.raises(PlanError, match=r"group is 'x', and laws? 'kumar2024'.* one base for all"):
        plan(laws, BUDGET, "linear-bits", group="x")
