"""The head of the report of a fit, line by line, against what the fit itself holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from isoloss.fits import Fit, ResultWarning, WarningKind, fit
from isoloss.fits.result import OF_LAW
from isoloss.laws import as_inputs
from isoloss.runs import Runs


@pytest.fixture(scope="module")
def fitted(table: Runs) -> Fit:
    return fit("chinchilla", table, draws=8, starts=2, holdout="largest", level=0.8, seed=3)


def test_the_head_says_which_runs_how_and_from_what(fitted: Fit) -> None:
    lines = fitted.sections()[0].lines
    assert fitted.sections()[0].title == f"chinchilla: {fitted.law.title}"
    assert lines[0] == "30 runs (24 fitted, 6 held out) of simulated from epoch2024"
    assert lines[1] == "units: 24 independent runs"
    assert lines[2] == (
        f"objective: {fitted.objective}; 80% intervals from 8 bootstrap replicates (fractional), "
        "seed 3"
    )
    assert lines[3] == f"optimum: {fitted.certificate}"
    assert lines[-1] == f"table {fitted.facts.hash[:12]}, isoloss {fitted.facts.version}"


def test_what_the_report_has_after_it(fitted: Fit) -> None:
    titles = [section.title for section in fitted.sections()]
    assert titles[1:4] == ["Constants", "Errors (log loss)", "Held-out runs (largest)"]
    assert titles[-1] == "Warnings"
    for line in fitted.sections()[0].lines:
        assert f"  {line}" in str(fitted).splitlines()


def test_points_are_told_what_the_law_cannot_see_and_nothing_else_of_the_fit(fitted: Fit) -> None:
    of_law, other = (ResultWarning(kind, "said") for kind in (min(OF_LAW), WarningKind.AT_BOUND))
    assert WarningKind.AT_BOUND not in OF_LAW
    told = replace(fitted, warnings=(other, of_law)).doubts(as_inputs(3e7, 1e9, "bf16"))
    assert told == (*fitted.doubts(as_inputs(3e7, 1e9, "bf16")), of_law)
