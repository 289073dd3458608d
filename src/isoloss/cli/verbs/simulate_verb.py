"""``isoloss simulate``: the risk of quantised SGD on linear regression, for every combination of
some settings.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import isoloss as il
from isoloss.cli.arguments import (
    FIGURES,
    SAMPLING,
    TABLES_OR_PAGES,
    AsJson,
    AsScales,
    DescentLists,
    Force,
    KeptTableOrPage,
    ProblemLists,
    ReadingLists,
    SamplingLists,
    check_target,
    count,
    descent_of,
    drawn,
    flag,
    given,
    regression_of,
    scales_of,
)
from isoloss.cli.manual import Example, given_options
from isoloss.cli.output import draw, keep, show, show_json, waiting
from isoloss.cli.refusing import Refused
from isoloss.cli.study_command import list_studies, run_study


class MethodName(StrEnum):
    """How the risk is found."""

    exact = "exact"
    sampled = "sampled"


def simulate(
    *,
    problem: ProblemLists,
    descent: DescentLists,
    reading: ReadingLists,
    sampling: SamplingLists,
    scales: AsScales = None,
    method: Annotated[
        MethodName,
        typer.Option(
            "--method", help="Exact, or by simulation with real rounding and a standard error."
        ),
    ] = MethodName.exact,
    replicates: Annotated[
        int | None,
        count("--replicates", SAMPLING, "Independent runs whose mean is the risk.", 4, "1000"),
    ] = None,
    seed: Annotated[
        int | None, count("--seed", SAMPLING, "Seed of all random numbers.", 0, "0")
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            "--study",
            metavar="NAME",
            help="A ready-made study instead, of which 'list' shows all with their parameters; "
            "options that are given change them.",
            show_default=False,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A parameter of the study that has no option, as eps=0.01 or noise=add,vec. "
            "Repeatable.",
            show_default=False,
        ),
    ] = None,
    output: KeptTableOrPage = None,
    drawing: Annotated[Path | None, drawn("it")] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Simulate quantised SGD on linear regression: the exact excess risk, and its parts.

    Lists are combined. The table has params (features, or rows of the sketch), tokens (samples) and
    loss (risk), so 'isoloss fit' and 'isoloss plot' take it like any other.
    """  # fmt: skip
    if study == "list":
        if others := [name for name in given_options() if name != "study"]:
            raise Refused(f"--study list shows the studies and takes no {flag(others[0])}")
        list_studies()
        return
    check_target(output, TABLES_OR_PAGES, force)
    check_target(drawing, FIGURES, force)
    if study is not None:
        run_study(study, settings, output, drawing, force, as_json)
        return
    if settings:
        raise Refused(
            "--set is for the parameters of a --study; settings have options of their own"
        )
    posed, lists = regression_of(problem)
    lists |= descent_of(descent) | given(reading) | given(sampling)
    with waiting("simulating"):
        runs = il.simulate(
            posed,
            il.Grid(**lists),
            method=method.value,
            scales=scales_of(scales),
            replicates=replicates,
            seed=seed,
        )
    keep(runs, len(runs), output, force)
    if as_json:
        show_json("runs", {"runs": runs.frame().to_dicts()})
    else:
        from isoloss.cli.output.simulated_report import simulated_sections

        show(simulated_sections(runs))
    draw(runs, output, drawing, force)


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "simulate": (
        Example(
            "isoloss simulate --dim 1e4 --samples 1e3,1e4,1e5 --precision fp,d:int6,d:e4m3 -o "
            "risk.parquet",
            "exact risk of three precisions, kept as a table of runs",
        ),
        Example(
            "isoloss simulate --steps 1000 --batch 1,16 --step-size 0.1 --precision "
            "'fp,a:add(0.1),a:vec(0.1)'",
            "two noise models, two batches",
        ),
        Example(
            "isoloss simulate --dim 50 --steps 500 --precision fp,w:int4,g:e5m2~sr --method "
            "sampled --replicates 200",
            "real rounding, simulated",
        ),
        Example(
            "isoloss simulate --dim 50 --steps 400 --passes 1,4 --stored fp,int8 --method sampled "
            "--replicates 200",
            "several passes, weights without a copy in full precision",
        ),
        Example("isoloss simulate --study list", "the ready-made studies"),
        Example(
            "isoloss simulate --study batch --dim 500 --decay 1.5 -o batch.csv --plot batch.svg",
            "one of them with other parameters, kept and drawn",
        ),
    ),
}
