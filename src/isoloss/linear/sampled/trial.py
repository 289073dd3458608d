"""A point to be sampled, checked: data source, norm of the risk, step size, rules of rounding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.files import shown_value
from isoloss.formats import Format, Modifiers, Precision, unexecuted
from isoloss.linear.asked import Asked, Spelled
from isoloss.linear.checks import whole
from isoloss.linear.descent import SGD, first_averaged, sized
from isoloss.linear.exact import limit_of, point_of
from isoloss.linear.quantisers import (
    Quantisers,
    Scales,
    quantisers_of,
    rounds_in_groups,
    shares_scales,
)
from isoloss.linear.regression import Regression
from isoloss.linear.risk import Inputs
from isoloss.linear.sampled.data_source import DataSource, Norm, data_source_of, quantised_norm
from isoloss.linear.sampled.kernels import rule_of, scaled_rule

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Manner:
    """How a descent is run beyond what the exact risk knows: passes over one data set, and stored
    weights.
    """

    passes: int = 1
    stored: Format | None = None
    feedback: bool = False


@dataclass(frozen=True)
class Trial:
    """What is sampled: `norm` is that of the risk asked for, `step_size` the first one as a
    number.
    """

    problem: Regression
    sgd: SGD
    quantisers: Quantisers
    scales: Scales
    manner: Manner
    first: int | None
    inputs: Inputs
    source: DataSource
    norm: Norm
    step_size: float

    @property
    def held(self) -> int:
        """Samples of the data set that is used again; 0 where none is."""
        passes = self.manner.passes
        return self.sgd.steps // passes * self.sgd.batch if passes > 1 else 0

    def floor(self, targets: Array) -> Array:
        """0.5 w*'H(H+D)^-1 D w* for targets (R, dim), (R,); 0 on clean inputs."""
        if self.inputs == "clean":
            return np.zeros(len(targets))
        clean, used = self.source.clean.best(targets), self.norm.best(targets)
        return self.source.clean.half(clean, clean) - self.norm.half(used, used)

    def rules(self) -> dict[str, NDArray[Any]]:
        """The rule of every quantiser, by its field of a task."""
        q, scales, source = self.quantisers, self.scales, self.source
        # Sizes that default scales are made from: root mean squares of label and learned
        # activation.
        label = float(np.sqrt(source.power + self.problem.noise_var))
        seen = float(np.sqrt(source.learned))
        of_sample = {
            "label": (q.l, scales.l, label),
            "activation": (q.a, scales.a, seen),
            "gradient": (q.g, scales.g, label),
        }
        of_step = {
            "weights": (q.w, scales.w, source.weight),
            "stored": (self.manner.stored, scales.w, source.weight),
            "result": (q.post, scales.post, source.weight),
        }
        inputs = len(source.deviation) if source.before else source.weights
        # The weights are kept in float64, so what rounds them works there; samples are float32.
        fine = {
            name: _row_rule(*each, source.weights, np.float64) for name, each in of_step.items()
        }
        data = _row_rule(q.d, scales.d, source.largest, inputs, np.float32)
        return {name: rule_of(*each) for name, each in of_sample.items()} | fine | {"data": data}


def _row_rule(
    known: Format | None, scale: float | None, size: float, length: int, dtype: Any
) -> NDArray[Any]:
    if known is not None and shares_scales(known):
        return scaled_rule(known, length, dtype)
    return rule_of(known, scale, size, dtype)


def read(precision: Spelled) -> Quantisers:
    """The quantisers of a precision, formats that share scales along a row too, on d, w and after
    the arrow.

    Raises ValueError for what has no meaning here.
    """
    # Formats that share scales have no exact theory, so quantisers_of refuses them: read apart.
    whole = Precision.parse(precision)
    shared = {scope: known for scope, known in whole.train.items() if shares_scales(known)}
    after = {scope: known for scope, known in whole.serve.items() if shares_scales(known)}
    for scope, known in (*shared.items(), *after.items()):
        if why := unexecuted(known, tiles=False):
            raise ValueError(f"'{scope}:{known}' cannot be sampled: {why}")
        if (
            known.modifiers._replace(granularity=None, rounding=None) != Modifiers()
            or known.rounding == "dither"
        ):
            raise ValueError(
                f"the modifiers '{known.modifiers}' of '{scope}:{known}' cannot be sampled; "
                "accepted are groups and '~sr'"
            )
        if (
            scope not in ("d", "w")
            or (scope in after and scope != "w")
            or not rounds_in_groups(known)
        ):
            raise ValueError(
                f"'{scope}:{known}' cannot be sampled: scales are shared along rows of integers "
                "or floats, which d, w and -> w have"
            )
    rest = Precision(
        {scope: known for scope, known in whole.train.items() if scope not in shared},
        {scope: known for scope, known in whole.serve.items() if scope not in after},
    )
    names = {"w": "post"}
    return replace(
        quantisers_of(rest, sampled=True),
        **shared,
        **{names[scope]: known for scope, known in after.items()},
    )


def manner_of(sgd: SGD, passes: int, stored: Format | str | None, error_feedback: bool) -> Manner:
    """The manner of a descent. Raises ValueError, in one sentence, for what cannot be."""
    passes = whole("passes", passes)
    if sgd.steps % passes:
        raise ValueError(
            f"{sgd.steps} steps do not make {passes} passes; give steps that are a multiple of "
            "passes"
        )
    if not isinstance(stored, Format | str | None):
        raise ValueError(f"stored is {shown_value(stored)}; accepted is a format such as 'int8'")
    kept = None if stored is None else read(f"w:{stored}").w
    if error_feedback and kept is None:
        raise ValueError(
            "error_feedback keeps the rounding error of stored weights; give their format as "
            "stored="
        )
    return Manner(passes, kept, bool(error_feedback))


def _check_groups(problem: Regression, quantisers: Quantisers, manner: Manner) -> None:
    """Raise ValueError where groups that share a scale do not divide the row that is rounded."""
    weights = problem.sketch or problem.dim
    inputs = problem.dim if problem.site == "before" else weights
    rounded = (quantisers.w, quantisers.post, manner.stored)
    for known, length in ((quantisers.d, inputs), *((each, weights) for each in rounded)):
        if known is not None and shares_scales(known):
            scaled_rule(known, length)


def trial_of(
    point: Asked,
    iterate: str,
    inputs: Inputs,
    scales: Scales,
    manner: Manner,
) -> Trial:
    """The trial of a point. Raises ValueError, in one sentence, for bad input."""
    problem, sgd, precision = point
    quantisers = read(precision)
    shared = [each for each in (quantisers.d, quantisers.w, quantisers.post) if shares_scales(each)]
    _check_groups(problem, quantisers, manner)
    if inputs == "in use" and shares_scales(quantisers.d):
        raise ValueError(
            f"E u u' of data rounded to '{quantisers.d}' is not known; ask for inputs 'clean'"
        )
    if sgd.share is not None and shared:
        raise ValueError(
            f"the stability limit under '{shared[0]}' is not known; give step_size as a number, "
            f"not '{sgd.step_size}'"
        )
    source = data_source_of(problem, quantisers.d)
    norm = (
        source.clean
        if inputs == "clean"
        else quantised_norm(problem, quantisers.d, scales.d, source)
    )
    # A limit is asked for only where the step size is a share of it.
    limit = 0.0
    if sgd.share is not None:
        limit = limit_of(point_of(problem, sgd, precision, "last", scales, compressed=True))
    size = sized(sgd, limit)
    # -1 and None both mean the last iterate: None here, -1 in compiled code.
    first = first_averaged(iterate, sgd.steps)
    return Trial(problem, sgd, quantisers, scales, manner, first, inputs, source, norm, size)
