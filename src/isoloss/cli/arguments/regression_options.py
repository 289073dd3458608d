"""Options of regression: the problem, the descent and how it is sampled, as lists of which every
combination counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from isoloss.cli.arguments.options import many, one

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
        one(
            "--spectrum",
            "FILE",
            PROBLEM,
            "Eigenvalues in place of --decay: a file of numbers (.npy, or text with commas or "
            "lines between), or 'exp R' for e^(-R (i-1)).",
        ),
    ] = None
    features: Annotated[
        str | None,
        one(
            "--features",
            "FILE",
            PROBLEM,
            "Data whose spectrum it is, in place of --decay: a row a sample, a column a "
            "feature (.npy .csv .tsv .parquet).",
        ),
    ] = None
    labels: Annotated[
        str | None,
        one(
            "--labels",
            "COLUMN",
            PROBLEM,
            "Column of --features with the labels: their least-squares fit is the target, "
            "its mean squared residual the noise variance.",
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
