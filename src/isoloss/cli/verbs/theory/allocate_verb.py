"""``isoloss theory allocate``: the best size, samples, format and step size under a budget."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import (
    AsInputs,
    AsIterate,
    AsModel,
    AsScales,
    Keeping,
    ModelName,
    ProblemLists,
    listed,
    many,
    one,
    only,
    regression_of,
    scales_of,
    switch,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import keep_rows, show_json, show_text, waiting
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.linear import Allocation, Allowance

ALLOWANCE, SEARCH = "The allowance", "The search"


@dataclass(frozen=True)
class Limits:
    """What a training may cost."""

    compute: Annotated[
        str | None,
        one("--compute", "C", ALLOWANCE, "M N at most, as 1e9; with --weigh-bits M N P / 16."),
    ] = None
    memory: Annotated[str | None, one("--memory", "BITS", ALLOWANCE, "M P at most, in bits.")] = (
        None
    )
    most_samples: Annotated[str | None, one("--samples", "N", ALLOWANCE, "N at most.")] = None
    weigh_bits: Annotated[
        bool, switch("--weigh-bits", ALLOWANCE, "Compute is in proportion to the bits P.")
    ] = False
    bits: Annotated[
        list[str] | None,
        many(
            "--bits",
            "SPELLING=P,...",
            ALLOWANCE,
            "P of a precision, as 'd:vec(0.01)=8', which relative noise does not say itself.",
        ),
    ] = None


def allocate(
    *,
    problem: ProblemLists,
    limits: Limits,
    precision: Annotated[
        list[str],
        many("--precision", "SPELLING,...", SEARCH, "The precisions that are ranked.", "required"),
    ],
    sizes: Annotated[
        int, typer.Option("--sizes", min=2, rich_help_panel=SEARCH, help="Sizes that are tried.")
    ] = 40,
    shares: Annotated[
        list[str] | None,
        many("--shares", "S,S...", SEARCH, "Step sizes tried, as shares of the limit.", "6"),
    ] = None,
    batch: Annotated[
        int, typer.Option("--batch", min=1, rich_help_panel=SEARCH, help="Samples of a step.")
    ] = 1,
    schedule: Annotated[
        str,
        typer.Option("--schedule", rich_help_panel=SEARCH, help="constant, geometric or cosine."),
    ] = "constant",
    model: AsModel = ModelName.first,
    iterate: AsIterate = "average",
    inputs: AsInputs = "clean",
    scales: AsScales = None,
    keeping: Keeping,
) -> None:
    """Choose model size M, samples N, format and step size together under an allowance, on exact
    risk.

    The largest model is the whole problem. The closed form of the size stands beside each choice.
    """
    if problem.sketch:
        raise Refused(
            "allocate chooses how many rows a sketch has; leave --sketch out and give --model "
            "sketch"
        )
    posed, lists = regression_of(problem, sketched=model == ModelName.sketch)
    (point,) = il.linear.grid_points(posed, {"steps": 1} | only(lists))
    tried = {"shares": [il.runs.number(each) for each in listed(shares, "--shares")]}
    spelled = listed(precision, "--precision")
    allowance = _allowance(limits, spelled)
    with waiting("searching"):
        found = il.linear.allocate(
            point[0],
            allowance,
            spelled,
            sizes=sizes,
            batch=batch,
            schedule=schedule,
            iterate=iterate,
            model=model.value,
            inputs=inputs,  # type: ignore[arg-type]
            scales=scales_of(scales, spelled),
            **(tried if shares else {}),
        )
    keep_rows(_rows(found), keeping)
    if keeping.as_json:
        _as_json(found)
    else:
        show_text(str(found))


def _allowance(limits: Limits, spelled: list[str]) -> Allowance:
    given = {"compute": limits.compute, "memory": limits.memory, "samples": limits.most_samples}
    bits: dict[str, float] = {}
    for text in listed(limits.bits, "--bits"):
        spelling, sign, value = (word.strip() for word in text.rpartition("="))
        if not sign:
            raise Refused(f"cannot read --bits {text!r}; write it like 'd:vec(0.01)=8'")
        if il.Precision.parse(spelling) not in map(il.Precision.parse, spelled):
            raise Refused(f"--bits of '{spelling}', which is none of --precision")
        bits[spelling] = il.runs.number(value)
    known: dict[str, Any] = {
        name: il.runs.number(text) for name, text in given.items() if text is not None
    }
    if "compute" not in known and "samples" not in known:
        raise Refused("nothing limits the samples; give --compute or --samples")
    return il.linear.Allowance(weigh_bits=limits.weigh_bits, bits=bits, **known)


def _rows(found: Allocation) -> list[dict[str, Any]]:
    """The choices as runs: params, tokens and loss beside the names of a choice."""
    return [
        {
            "params": each.size,
            "tokens": each.samples,
            "loss": each.risk,
            "metric": "excess_risk",
            "inputs": found.inputs,
            **asdict(each),
        }
        for each in found.choices
    ]


def _as_json(found: Allocation) -> None:
    show_json(
        "allocation",
        {
            "allowance": str(found.allowance),
            "model": found.model,
            "inputs": found.inputs,
            "constant": found.constant,
            "exponent": found.exponent,
            "theory": found.theory,
            "choices": [asdict(each) for each in found.choices],
            "dropped": dict(found.dropped),
        },
    )


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "theory allocate": (
        Example(
            "isoloss theory allocate --dim 1e4 --compute 1e7 --precision 'fp,d:add(0.01)'",
            "two precisions under one compute",
        ),
        Example(
            "isoloss theory allocate --dim 1e4 --compute 1e7 --weigh-bits --precision "
            "'fp,d:int8~sr,d:vec(0.01)' --bits 'd:vec(0.01)=8' -o choices.csv",
            "bits cost compute",
        ),
    ),
}
