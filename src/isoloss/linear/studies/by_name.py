"""The studies by name: the experiments of the papers, and the questions that they leave open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from isoloss.files import Registry, shown_value
from isoloss.linear.studies import on_networks, sampled_studies
from isoloss.linear.studies.batch_studies import batch_study, momentum_study
from isoloss.linear.studies.bounds_study import bounds_study
from isoloss.linear.studies.dimension_studies import dimension_study, divergence_study
from isoloss.linear.studies.integers_study import integers_study
from isoloss.linear.studies.parameters import WORK, Parameter, accepts, checked, parameters_of
from isoloss.linear.studies.question import Maker, Study
from isoloss.linear.studies.sample_studies import dims_study, samples_study
from isoloss.linear.studies.sketch_studies import elementwise_study, sketch_study
from isoloss.linear.studies.spectrum_study import spectrum_study
from isoloss.linear.studies.work import Work


def _shipped() -> None:
    for name, maker in (
        ("samples", samples_study),
        ("dims", dims_study),
        ("batch", batch_study),
        ("dimension", dimension_study),
        ("spectrum", spectrum_study),
        ("sketch", sketch_study),
        ("divergence", divergence_study),
        ("integers", integers_study),
        ("elementwise", elementwise_study),
        ("momentum", momentum_study),
        ("biased", sampled_studies.biased_study),
        ("passes", sampled_studies.passes_study),
        ("bounds", bounds_study),
        ("network-spectrum", on_networks.network_spectrum),
        ("network-batch", on_networks.network_batch),
        ("network-dimension", on_networks.network_dimension),
        ("network-floor", on_networks.network_floor),
        ("network-width", on_networks.network_width),
    ):
        STUDIES.register(name, maker, home=maker.__module__)


#: The studies by name, each a function whose keywords are its parameters and whose docstring says
#: what it shows. One that has the keyword `work` gives it the points to do.
STUDIES: Registry[Maker] = Registry("study", load=_shipped)


def study(
    name: str,
    /,
    *,
    progress: Callable[[int, int], None] | None = None,
    store: str | Path | None = None,
    **parameters: object,
) -> Study:
    """Compute a study now: seconds to a minute.

    Parameters
    ----------
    name
        A name of `STUDIES`.
    progress
        Called with the number of points done and of all, as they are done.
    store
        A file in which finished points are kept: the same call goes on from there after it was
        stopped. It is left when the study is done.
    parameters
        What the study is to have other than by default, as ``dim=500`` or ``batch=[1, 16]``;
        `study_parameters` lists them.

    Returns
    -------
    Study
        The question, the table that answers it, and the answer in sentences.

    Raises
    ------
    ValueError
        There is no study of this name; the message has the nearest names and all that there are.
        Or it has no such parameter, a value is out of range, or the store is of another question.
    """
    maker = _maker(name)
    given = checked(name, maker, parameters)
    if not accepts(maker, WORK):
        return maker(**given)
    asked = {"study": name, "parameters": given}
    return _with_reasons(maker(**given, work=Work(progress, store, asked)))


def _with_reasons(found: Study) -> Study:
    """The study with the reason for rows that diverged as its last sentence."""
    if "reason" not in found.table.columns:
        return found
    reasons = found.table["reason"].drop_nulls()
    if not len(reasons):
        return found
    text = f"{len(reasons)} of {len(found.table)} rows diverge: {reasons[0]}"
    return replace(found, answer=(*found.answer, text))


def study_parameters(name: str) -> tuple[Parameter, ...]:
    """The parameters of a study, each with its name and default.

    Parameters
    ----------
    name
        A name of `STUDIES`.

    Returns
    -------
    tuple of Parameter
        In the order of the function's signature; none where it has none.

    Raises
    ------
    ValueError
        There is no study of this name.
    """
    return tuple(parameters_of(_maker(name)).values())


def _maker(name: object) -> Maker:
    if not isinstance(name, str):
        raise ValueError(f"a study is named by a text such as 'batch', not {shown_value(name)}")
    return STUDIES[name]
