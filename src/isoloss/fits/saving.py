"""Fits, comparisons and laws as JSON files, and back."""

from __future__ import annotations

from pathlib import Path

from isoloss.fits.caution import Caution
from isoloss.fits.compare_laws import Comparison, Entry
from isoloss.fits.doubt import Efficiencies, LackOfFit, Noise, Prediction
from isoloss.fits.files import Files
from isoloss.fits.paired_gaps import Gaps, GapScore, LevelGap, Slope
from isoloss.fits.result import Errors, Facts, Fit, HeldOut, Points, Sensitivity
from isoloss.fits.solve import Certificate, Objective
from isoloss.laws import Law

#: What this room saves; "optimum" and "sample" are objects that only refitting needs.
FILES = Files({}, {}).also(
    {"fit": Fit, "comparison": Comparison, "law": Law},
    [
        Caution, Certificate, Comparison, Efficiencies, Entry, Errors, Facts, Fit, Gaps, GapScore, HeldOut, LackOfFit, LevelGap,
        Noise, Objective, Points, Prediction, Sensitivity, Slope,
    ],
    {"optimum", "sample"},
)  # fmt: skip


def save(thing: Fit | Comparison | Law, path: str | Path, force: bool = False) -> Path:
    """The path of the JSON file that was written.

    Raises FitError when the file exists and ``force`` is not given, ValueError when the law is no preset's.
    """
    return FILES.save(thing, path, force)


def load(path: str | Path) -> Fit | Comparison | Law:
    """What was saved. Raises FitError for a file that is none of ours or of a newer schema."""
    thing = FILES.load(path)
    assert isinstance(thing, Fit | Comparison | Law)
    return thing
