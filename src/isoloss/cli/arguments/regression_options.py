"""Regression on the command line: the problem, the descent and how it is sampled, as lists of which
every combination counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments.options import listed, many
from isoloss.cli.arguments.regression_files import eigenvalues, regression_of_data
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.linear import Regression, Scales

PROBLEM, DESCENT, MODEL = "The problem", "The descent", "The model"
SAMPLING = "How it is sampled (--method sampled)"
#: Features where nothing says how many.
DIM = 100
ON_OFF = {"off": False, "on": True}


@dataclass(frozen=True)
class ProblemLists:
    """Settings of the problem."""

    dim: Annotated[
        list[str] | None, many("--dim", "D,D...", PROBLEM, "Number of features.", str(DIM))
    ] = None
    decay: Annotated[
        list[str] | None, many("--decay", "A,A...", PROBLEM, "Eigenvalues i^-A.", "2")
    ] = None
    spectrum: Annotated[
        str | None,
        typer.Option(
            "--spectrum",
            metavar="FILE",
            rich_help_panel=PROBLEM,
            help="Eigenvalues in place of --decay: a file of numbers (.npy, or text with commas or "
            "lines between), or 'exp R' for e^(-R (i-1)).",
            show_default=False,
        ),
    ] = None
    features: Annotated[
        str | None,
        typer.Option(
            "--features",
            metavar="FILE",
            rich_help_panel=PROBLEM,
            help="Data whose spectrum it is, in place of --decay: a row a sample, a column a "
            "feature (.npy .csv .tsv .parquet).",
            show_default=False,
        ),
    ] = None
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="COLUMN",
            rich_help_panel=PROBLEM,
            help="Column of --features with the labels: their least-squares fit is the target, "
            "what it leaves the noise.",
            show_default=False,
        ),
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
    kurtosis: Annotated[
        list[str] | None,
        many("--kurtosis", "K,K...", PROBLEM, "E x^4 / (E x^2)^2 of a feature; normal is 3.", "3"),
    ] = None
    sketch: Annotated[
        list[str] | None, many("--sketch", "M,M...", PROBLEM, "Rows of a Gaussian sketch.", "none")
    ] = None
    site: Annotated[
        list[str] | None,
        many(
            "--site",
            "S,S...",
            PROBLEM,
            "Where the data of a sketch are rounded.",
            "after",
            ("after", "before"),
        ),
    ] = None
    sketch_seed: Annotated[
        list[str] | None, many("--sketch-seed", "S,S...", PROBLEM, "Seeds of the sketch.", "0")
    ] = None


@dataclass(frozen=True)
class DescentLists:
    """Settings of the descent."""

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


@dataclass(frozen=True)
class ReadingLists:
    """How the risk is read."""

    iterate: Annotated[
        list[str] | None,
        many(
            "--iterate",
            "W,W...",
            DESCENT,
            "What is returned: last, average, tail, or 'tail 0.25'.",
            "average",
        ),
    ] = None
    inputs: Annotated[
        list[str] | None,
        many(
            "--inputs",
            "W,W...",
            DESCENT,
            "Where w is used: on 'clean' features, or rounded 'in use' too.",
            "clean",
        ),
    ] = None


@dataclass(frozen=True)
class SamplingLists:
    """What only a simulation knows."""

    passes: Annotated[
        list[str] | None,
        many("--passes", "P,P...", SAMPLING, "Times that the same samples are gone through.", "1"),
    ] = None
    stored: Annotated[
        list[str] | None,
        many(
            "--stored",
            "FORMAT,...",
            SAMPLING,
            "Format that the weights are kept in between steps, without a master copy.",
            "fp",
        ),
    ] = None
    error_feedback: Annotated[
        list[str] | None,
        many(
            "--error-feedback",
            "W,W...",
            SAMPLING,
            "Add what the rounding of --stored cuts off to the next update.",
            "off",
            tuple(ON_OFF),
        ),
    ] = None


class ModelName(StrEnum):
    """What a model of M sees."""

    first = "first"
    sketch = "sketch"


AsModel = Annotated[
    ModelName,
    typer.Option(
        "--model",
        rich_help_panel=MODEL,
        help="A model of M sees the first M coordinates, or a random sketch of M rows.",
    ),
]
AsInputs = Annotated[
    str,
    typer.Option("--inputs", help="Where w is used: on 'clean' features, or rounded 'in use' too."),
]
AsIterate = Annotated[
    str, typer.Option("--iterate", help="What is returned: last, average, tail, or 'tail 0.25'.")
]
AsScales = Annotated[
    list[str] | None,
    many(
        "--scales",
        "PART=S,...",
        DESCENT,
        "Units of real grids, as d=0.01,w=0.1; 'post' is the rounding of the result. Otherwise "
        "integers reach four root mean squares and floats have 1.",
    ),
]


def regression_of(problem: ProblemLists) -> tuple[Regression, dict[str, list[Any]]]:
    """The problem that the lists start from, and the lists of a Grid.

    Raises Refused for two ways to a spectrum, or a --dim that is not that of the file.
    """
    lists = given(problem)
    if "sketch_seed" in lists:
        lists["seed"] = lists.pop("sketch_seed")
    if problem.labels is not None and problem.features is None:
        raise Refused("--labels is a column of --features; give the file too")
    ways = {"--spectrum": problem.spectrum, "--features": problem.features}
    used = [flag for flag, text in ways.items() if text is not None]
    if "decay" in lists:
        used.append("--decay")
    if len(used) > 1:
        raise Refused(f"{used[0]} and {used[1]} both give the eigenvalues; give one")
    if problem.features is not None:
        return _sized(regression_of_data(Path(problem.features), problem.labels), problem, lists)
    if problem.spectrum is None:
        return il.Regression(DIM), lists
    if problem.spectrum.split()[:1] == ["exp"]:
        return _exponential(problem.spectrum, lists.pop("dim", [str(DIM)])), lists
    values = eigenvalues(Path(problem.spectrum))
    return _sized(il.Regression(len(values), spectrum=values), problem, lists)


def _exponential(text: str, dims: list[str]) -> Regression:
    if len(dims) > 1:
        raise Refused(f"--spectrum '{text}' goes with one --dim, not {len(dims)}")
    rate = il.runs.number(text.removeprefix("exp").strip())
    return il.Regression.exponential(_whole("--dim", dims[0]), rate)


def _sized(
    posed: Regression, problem: ProblemLists, lists: dict[str, list[Any]]
) -> tuple[Regression, dict[str, list[Any]]]:
    """The problem of a file and the lists, without a --dim that says what the file says."""
    dims = lists.pop("dim", [])
    if dims and [il.runs.number(each) for each in dims] != [posed.dim]:
        raise Refused(
            f"--dim {','.join(dims)} is not the {posed.dim} of "
            f"'{problem.spectrum or problem.features}'; leave --dim out"
        )
    return posed, lists


def descent_of(descent: DescentLists) -> dict[str, list[Any]]:
    """The lists of the descent. Raises Refused where neither samples nor steps are given."""
    if not (descent.samples or descent.steps):
        raise Refused("say how long it descends: --samples 1e3,1e6 or --steps 1000")
    return given(descent)


def given(
    lists: ProblemLists | DescentLists | ReadingLists | SamplingLists,
) -> dict[str, list[Any]]:
    """The lists that were given, by name, as a Grid takes them."""
    found: dict[str, list[Any]] = {}
    for each in fields(lists):
        texts = getattr(lists, each.name)
        if isinstance(texts, list) and texts:
            found[each.name] = listed(texts, f"--{each.name.replace('_', '-')}")
    if "error_feedback" in found:
        found["error_feedback"] = [_switch(text) for text in found["error_feedback"]]
    return found


def _switch(text: str) -> bool:
    if text not in ON_OFF:
        raise Refused(f"--error-feedback is {text!r}; accepted are {', '.join(ON_OFF)}")
    return ON_OFF[text]


def scales_of(texts: list[str] | None) -> Scales:
    """The scales that PART=S words say. Raises Refused for an unknown part or one without
    number.
    """
    parts = [each.name for each in fields(il.linear.Scales)]
    found: dict[str, float] = {}
    for text in listed(texts, "--scales"):
        part, sign, value = (word.strip() for word in text.partition("="))
        if not sign or part not in parts:
            raise Refused(
                f"cannot read --scales {text!r}; write it like w=0.1, with a part of "
                f"{', '.join(parts)}"
            )
        if part in found:
            raise Refused(f"--scales gives {part} twice, {found[part]:g} and {value}")
        found[part] = il.runs.number(value)
    return il.linear.Scales(**found)


def whole_numbers(flag: str, texts: list[str]) -> list[int]:
    """The whole numbers of an option. Raises Refused for other numbers."""
    return [_whole(flag, text) for text in texts]


def _whole(flag: str, text: str) -> int:
    value = il.runs.number(text)
    if not value.is_integer():
        raise Refused(f"{flag} is {text!r}; accepted is a whole number")
    return int(value)


def only(lists: Mapping[str, list[Any]]) -> dict[str, Any]:
    """The lists as single values. Raises Refused for a list of several."""
    for name, values in lists.items():
        if len(values) > 1:
            raise Refused(f"--{name.replace('_', '-')} takes one value here, not {len(values)}")
    return {name: values[0] for name, values in lists.items()}
