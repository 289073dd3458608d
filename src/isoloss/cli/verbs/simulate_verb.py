"""``isoloss simulate``: the risk of quantised SGD on linear regression, for every combination of
some settings.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import (
    FIGURES,
    TABLES,
    AsJson,
    Force,
    KeptTable,
    check_target,
    drawn,
    listed,
    many,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import say, show, show_json, waiting
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.runs import Runs

PROBLEM, DESCENT = "The problem", "The descent"
#: A table of more rows is summed up, not printed.
MOST_ROWS = 60


class MethodName(StrEnum):
    """How the risk is found."""

    exact = "exact"
    sampled = "sampled"


@dataclass(frozen=True)
class Lists:
    """Settings that may be lists; every combination is simulated."""

    dim: Annotated[
        list[str] | None, many("--dim", "D,D...", PROBLEM, "Number of features.", "100")
    ] = None
    decay: Annotated[
        list[str] | None, many("--decay", "A,A...", PROBLEM, "Eigenvalues i^-A.", "2")
    ] = None
    noise_var: Annotated[
        list[str] | None, many("--noise-var", "V,V...", PROBLEM, "Variance of the noise.", "1")
    ] = None
    target: Annotated[
        list[str] | None,
        many(
            "--target",
            "W,W...",
            PROBLEM,
            "Coordinates of w*: a number, isotropic, or 'source B'.",
            "1",
        ),
    ] = None
    sketch: Annotated[
        list[str] | None, many("--sketch", "M,M...", PROBLEM, "Rows of a Gaussian sketch.", "none")
    ] = None
    samples: Annotated[
        list[str] | None, many("--samples", "N,N...", DESCENT, "Samples seen, as 1e3,1e9.")
    ] = None
    steps: Annotated[
        list[str] | None, many("--steps", "T,T...", DESCENT, "Steps, instead of samples.")
    ] = None
    batch: Annotated[
        list[str] | None, many("--batch", "B,B...", DESCENT, "Samples of a step.", "1")
    ] = None
    step_size: Annotated[
        list[str] | None,
        many(
            "--step-size",
            "G,G...",
            DESCENT,
            "A number, or a share of the largest stable one.",
            "0.5 limit",
        ),
    ] = None
    schedule: Annotated[
        list[str] | None,
        many("--schedule", "S,S...", DESCENT, "constant, geometric or cosine.", "constant"),
    ] = None
    momentum: Annotated[
        list[str] | None, many("--momentum", "M,M...", DESCENT, "Of the update rule.", "0")
    ] = None
    rule: Annotated[
        list[str] | None,
        many(
            "--rule",
            "R,R...",
            DESCENT,
            "How gradients move w: heavy ball, nesterov, ema.",
            "heavy ball",
        ),
    ] = None
    precision: Annotated[
        list[str] | None,
        many(
            "--precision",
            "SPELLING,...",
            DESCENT,
            "Formats of data d, labels l, parameter w, activations a, output gradients g; '-> "
            "w4' rounds the result.",
            "fp",
        ),
    ] = None


def simulate(
    *,
    lists: Lists,
    iterate: Annotated[
        str,
        typer.Option("--iterate", help="What is returned: last, average, tail, or 'tail 0.25'."),
    ] = "average",
    inputs: Annotated[
        str,
        typer.Option(
            "--inputs",
            help="Where w is used: on 'clean' features, or rounded 'in use' too.",
        ),
    ] = "clean",
    method: Annotated[
        MethodName,
        typer.Option(
            "--method", help="Exact, or by simulation with real rounding and a standard error."
        ),
    ] = MethodName.exact,
    replicates: Annotated[int, typer.Option("--replicates", min=4, help="Of a simulation.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of a simulation.")] = 0,
    study: Annotated[
        str | None,
        typer.Option(
            "--study",
            metavar="NAME",
            help="A ready-made study instead, of which 'list' shows all.",
            show_default=False,
        ),
    ] = None,
    output: KeptTable = None,
    drawing: Annotated[Path | None, drawn("it")] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Simulate quantised SGD on linear regression: the exact excess risk, and its parts.

    Lists are combined. The table has params (features, or rows of the sketch), tokens (samples) and
    loss (risk), so 'isoloss fit' and 'isoloss plot' take it like any other.
    """  # fmt: skip
    check_target(output, TABLES, force)
    check_target(drawing, FIGURES, force)
    given = {
        each.name: listed(getattr(lists, each.name), each.name)
        for each in fields(lists)
        if getattr(lists, each.name)
    }
    if study is not None:
        _study(study, bool(given), output, drawing, force, as_json)
        return
    if not ("samples" in given or "steps" in given):
        raise Refused("say how long it descends: --samples 1e3,1e6 or --steps 1000")
    runs = _simulated(
        il.Regression(100),
        il.Grid(**given),
        iterate=iterate,
        inputs=inputs,
        method=method.value,
        replicates=replicates,
        seed=seed,
    )
    _keep(runs, runs, output, drawing, force)
    if as_json:
        show_json("runs", {"runs": runs.frame().to_dicts()})
    else:
        show(_sections(runs))


def _simulated(*asked: Any, **given: Any) -> Runs:
    """The runs, with a sign of life while they are made; long walks are said by a warning."""
    with waiting("risks"):
        return il.simulate(*asked, **given)


def _study(
    name: str, also: bool, output: Path | None, drawing: Path | None, force: bool, as_json: bool
) -> None:
    if also:
        raise Refused("a study has its own settings; leave the others out, or leave out --study")
    if name == "list":
        rows = tuple((each, maker.__doc__ or "") for each, maker in il.linear.STUDIES.items())
        show([il.fits.Section(f"{len(rows)} studies", (), ("name", "what it shows"), rows)])
        return
    with waiting(f"study {name}"):
        found = il.linear.study(name)
    _keep(found, found.runs if output is not None else None, output, drawing, force)
    if as_json:
        show_json(
            "study",
            {
                "name": name,
                "question": found.question,
                "answer": found.answer,
                "table": found.table.to_dicts(),
            },
        )
    else:
        show(
            [
                il.fits.Section(name, (found.question,)),
                il.fits.Section("What the table shows", found.answer),
            ]
        )


def _keep(
    thing: object, runs: Runs | None, output: Path | None, drawing: Path | None, force: bool
) -> None:
    if output is not None and runs is not None:
        say(f"saved {len(runs)} rows as {runs.save(output, force=force)}")
    if drawing is not None:
        il.plot(thing, drawing, force=force)  # type: ignore[arg-type]
        say(f"drew {drawing}")


def _sections(runs: Runs) -> list[il.fits.Section]:
    from isoloss.cli.output.runs_report import sections

    if len(runs) > MOST_ROWS:
        return sections(runs, "regression")
    sketched = any(value > 0 for value in runs["approximation"])
    error = ("loss_se",) if any(value > 0 for value in runs["loss_se"]) else ()
    used = runs["inputs"][0] == "in use"
    last = ("floor", "quantised_norm") if used else ("asymptotic_bias",)
    parts = (*error, "bias", "variance", *(("approximation",) if sketched else ()), *last)
    head = (
        "params",
        "samples",
        "batch",
        "step size",
        "precision",
        "risk",
        *("+-" if part == "loss_se" else part.replace("_", " ") for part in parts),
        "how",
    )
    columns = [
        runs[name] for name in ("params", "tokens", "batch_tokens", "lr_peak", "loss", *parts)
    ]
    rows = []
    for k, precision in enumerate(runs["precision"]):
        params, tokens, batch, step, *values = (float(column[k]) for column in columns)
        counts = [il.runs.compact(each) for each in (params, tokens, batch)]
        numbers = ["-" if v != v else f"{v:.4g}" for v in (step, *values)]
        rows.append(
            (
                *counts,
                numbers[0],
                str(precision),
                *numbers[1:],
                str(runs["how"][k] or runs["status"][k]),
            )
        )
    why = tuple(dict.fromkeys(str(reason) for reason in runs.excluded["reason"]))
    title = f"{len(runs)} runs of quantised SGD on linear regression"
    lines = (
        f"excess risk, {runs['iterate'][0]} iterate, {il.linear.INPUT_WORDS[runs['inputs'][0]]}",
        *why,
    )
    return [il.fits.Section(title, lines, head, tuple(rows))]


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
        Example("isoloss simulate --study list", "the ready-made studies"),
        Example("isoloss simulate --study batch --plot batch.svg", "one of them, drawn"),
    ),
}
