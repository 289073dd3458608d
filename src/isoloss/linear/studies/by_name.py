"""The studies by name: the experiments of the papers, and the questions that they leave open."""

from __future__ import annotations

from isoloss.files import Registry
from isoloss.linear.studies import on_networks, open_studies, sampled_studies
from isoloss.linear.studies import paper_studies as paper
from isoloss.linear.studies.question import Maker, Study


def _shipped() -> None:
    for name, maker in (
        ("samples", paper.samples_study),
        ("dims", paper.dims_study),
        ("batch", paper.batch_study),
        ("dimension", paper.dimension_study),
        ("spectrum", paper.spectrum_study),
        ("sketch", paper.sketch_study),
        ("divergence", paper.divergence_study),
        ("integers", open_studies.integers_study),
        ("elementwise", open_studies.elementwise_study),
        ("momentum", open_studies.momentum_study),
        ("biased", sampled_studies.biased_study),
        ("passes", sampled_studies.passes_study),
        ("bounds", sampled_studies.bounds_study),
        ("network-spectrum", on_networks.network_spectrum),
        ("network-batch", on_networks.network_batch),
        ("network-dimension", on_networks.network_dimension),
        ("network-floor", on_networks.network_floor),
        ("network-width", on_networks.network_width),
    ):
        STUDIES.register(name, maker, home=maker.__module__)


#: The studies by name, each a function without arguments whose docstring says what it shows.
STUDIES: Registry[Maker] = Registry("study", load=_shipped)


def study(name: str) -> Study:
    """Compute a study now: seconds to a minute.

    Parameters
    ----------
    name
        A name of `STUDIES`.

    Returns
    -------
    Study
        The question, the table that answers it, and the answer in sentences.

    Raises
    ------
    ValueError
        There is no study of this name; the message has the nearest names and all that there are.
    """
    if not isinstance(name, str):
        raise ValueError(f"a study is named by a text such as 'batch', not {name!r}")
    return STUDIES[name]()
