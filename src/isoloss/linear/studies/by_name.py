"""The studies by name: the experiments of the papers, and the questions that they leave open."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from isoloss.linear.studies import open_studies, sampled_studies
from isoloss.linear.studies import paper_studies as paper
from isoloss.linear.studies.question import Maker, Study

STUDIES: Mapping[str, Maker] = {
    "samples": paper.samples_study,
    "dims": paper.dims_study,
    "batch": paper.batch_study,
    "dimension": paper.dimension_study,
    "spectrum": paper.spectrum_study,
    "sketch": paper.sketch_study,
    "divergence": paper.divergence_study,
    "integers": open_studies.integers_study,
    "elementwise": open_studies.elementwise_study,
    "momentum": open_studies.momentum_study,
    "biased": sampled_studies.biased_study,
    "passes": sampled_studies.passes_study,
    "bounds": sampled_studies.bounds_study,
}


def study(name: str) -> Study:
    """The study of a name, computed now: seconds to a minute.

    Raises ValueError for an unknown name, with those there are.
    """
    if name not in STUDIES:
        near = get_close_matches(str(name), STUDIES, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(STUDIES)}"
        raise ValueError(f"unknown study '{name}'; {hint}")
    return STUDIES[name]()
