"""``isoloss predict``: the loss of models that were not trained."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Annotated

import typer

import isoloss as il
from isoloss.cli.arguments import DOUBT, AsJson, OfName, listed, saved_or_law
from isoloss.cli.manual import Example
from isoloss.cli.output import show, show_json
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.fits import Comparison, Fit, Prediction, Section
    from isoloss.laws import Law

Counts = Annotated[
    list[str],
    typer.Option(
        "--params",
        metavar="N,N...",
        help="Params of the model, as 1M,7B. All are combined.",
        show_default=False,
    ),
]


def predict(
    law: Annotated[
        str,
        typer.Argument(
            metavar="FIT_OR_LAW",
            help="A saved fit or comparison, or a law of 'isoloss laws'.",
            show_default=False,
        ),
    ],
    params: Counts,
    tokens: Annotated[
        list[str],
        typer.Option(
            "--tokens", metavar="D,D...", help="Tokens of its training, as 20B.", show_default=False
        ),
    ],
    precision: Annotated[
        list[str] | None,
        typer.Option(
            "--precision",
            metavar="SPELLING,...",
            help="Precisions, as 'w4 a8,bf16', or with serving as 'bf16 -> w4'.",
            show_default="fp, no rounding",
        ),
    ] = None,
    sparsity: Annotated[
        str | None,
        typer.Option(
            "--sparsity",
            metavar="PATTERN",
            help="Sparsity of the weights, as 2:4; of a saved result.",
        ),
    ] = None,
    unique: Annotated[
        str | None,
        typer.Option(
            "--unique",
            metavar="TOKENS",
            help="The different tokens among those of the training; beyond them tokens repeat.",
            show_default="none is seen twice",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group", metavar="NAME", help="Whose base, where a fit was made with --per."
        ),
    ] = None,
    gap: Annotated[
        bool,
        typer.Option(
            "--gap",
            help="The loss less that of the same model without rounding; laws of gaps give nothing "
            "else.",
        ),
    ] = False,
    of: Annotated[
        OfName,
        typer.Option(
            "--of",
            rich_help_panel=DOUBT,
            help="Interval of a new run (noise and misfit included) or of the law's mean.",
        ),
    ] = OfName.run,
    level: Annotated[
        float | None,
        typer.Option(
            "--level",
            min=0.01,
            max=0.999,
            rich_help_panel=DOUBT,
            help="Coverage of the interval, 0.9 = 90%.",
            show_default="that of the fit",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict the loss at every combination of params, tokens and precision.

    From a saved fit or comparison with intervals, from a published law without.
    """
    known = saved_or_law(law)
    rows = list(
        product(
            map(il.runs.number, listed(params, "--params")),
            map(il.runs.number, listed(tokens, "--tokens")),
            listed(precision, "--precision") or ["fp"],
        )
    )
    found = _predicted(known, rows, unique, level, of, sparsity, group, gap)
    if as_json:
        from isoloss.cli.output.results_data import of_prediction

        show_json("prediction", {"from": law, "gap": gap, **of_prediction(found)})
    else:
        show(_sections(law, found, "gap" if gap else "loss"))


def _predicted(
    known: Fit | Comparison | Law,
    rows: list[tuple[float, float, str]],
    unique: str | None,
    level: float | None,
    of: OfName,
    sparsity: str | None,
    group: str | None,
    gap: bool,
) -> Prediction:
    params, tokens, precision = (list(column) for column in zip(*rows, strict=True))
    if isinstance(known, il.Law):
        if sparsity is not None or group is not None:
            raise Refused(
                "--sparsity and --group are for a saved fit or comparison; a law takes neither here"
            )
        if level is not None:
            raise Refused(
                f"--level {level:g} is for a saved fit or comparison; a law alone has no interval"
            )
        return il.predict(known, params, tokens, precision, unique_tokens=unique, gap=gap)
    return il.predict(
        known,
        params,
        tokens,
        precision,
        gap=gap,
        level=level,
        of=of.value,
        group=group,
        sparsity=sparsity,
        unique_tokens=unique,
    )


def _sections(name: str, found: Prediction, what: str) -> list[Section]:
    compact = il.runs.compact
    bare = not {None, il.fits.NOT_HELD} & set(found.absent)
    covers = {"run": "a new run", "mean": "the law's mean"}[found.of]
    unit = il.runs.metric_of(found.metric).per_run
    line = (
        unit
        if bare
        else f"{unit}; low to high is the {il.files.percent(found.level)} interval of {covers}"
    )
    rows = [
        (
            compact(n),
            compact(d),
            spelled,
            *_cells(said, absent),
        )
        for n, d, spelled, said, absent in zip(
            found.params.tolist(),
            found.tokens.tolist(),
            found.precision,
            found.said,
            found.absent,
            strict=True,
        )
    ]
    head = ("params", "tokens", "precision", what, "low", "high")
    warned = (
        [il.fits.Section("Warnings", tuple(str(each) for each in found.warnings))]
        if found.warnings
        else []
    )
    return [
        il.fits.Section(f"{what.capitalize()} predicted by {name}", (line,), head, tuple(rows)),
        *warned,
    ]


def _cells(said: tuple[str, str, str], absent: str | None) -> tuple[str, ...]:
    """Loss and ends of an interval, or the word in their place."""
    return said if absent is None else (said[0], absent, absent)


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "predict": (
        Example(
            "isoloss predict kumar2024 --params 200M --tokens 20B --precision 'w4 a8,w8 a8,bf16'",
            "a law",
        ),
        Example(
            "isoloss predict fit.json --params 500M,1B --tokens 50B --precision 'w4+had@quest "
            "a4+had@quest'",
            "a saved fit, with intervals",
        ),
    ),
}
