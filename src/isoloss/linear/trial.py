"""One point to be sampled, checked: its ground, the norm of its risk, its step size, and its rules of rounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Format
from isoloss.linear.descent import SGD, first_averaged
from isoloss.linear.ground import Ground, Norm, ground_of, quantised_norm
from isoloss.linear.quantisers import Quantisers, Scales, quantisers_of
from isoloss.linear.regression import Regression
from isoloss.linear.risk import Inputs
from isoloss.linear.rules import rule_of
from isoloss.linear.solving import Spelled, limit_of, point_of
from isoloss.linear.words import whole

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Manner:
    """How a descent is run beyond what the exact risk knows: passes over one data set, and stored weights."""

    passes: int = 1
    stored: Format | None = None
    feedback: bool = False


@dataclass(frozen=True)
class Trial:
    """What is sampled: `norm` is that of the risk asked for, `step_size` the first one as a number."""

    problem: Regression
    sgd: SGD
    quantisers: Quantisers
    scales: Scales
    manner: Manner
    first: int | None
    inputs: Inputs
    ground: Ground
    norm: Norm
    step_size: float

    @property
    def held(self) -> int:
        """Samples of the data set that is used again; 0 where none is."""
        passes = self.manner.passes
        return self.sgd.steps // passes * self.sgd.batch if passes > 1 else 0

    def rules(self) -> dict[str, NDArray[Any]]:
        """The rule of every quantiser, by its field of a task."""
        q, scales, ground = self.quantisers, self.scales, self.ground
        label = float(np.sqrt(ground.power + self.problem.noise_var))
        seen = float(np.sqrt(ground.learned))
        of_sample = {
            "data": (q.d, scales.d, ground.largest),
            "label": (q.l, scales.l, label),
            "activation": (q.a, scales.a, seen),
            "gradient": (q.g, scales.g, label),
        }
        of_step = {
            "weights": (q.w, scales.w, ground.weight),
            "stored": (self.manner.stored, scales.w, ground.weight),
            "result": (q.post, scales.post, ground.weight),
        }
        fine = {name: rule_of(*each, dtype=np.float64) for name, each in of_step.items()}
        return {name: rule_of(*each, dtype=np.float32) for name, each in of_sample.items()} | fine


def manner_of(sgd: SGD, passes: int, stored: Format | str | None, error_feedback: bool) -> Manner:
    """The manner of a descent. Raises ValueError, in one sentence, for what cannot be."""
    passes = whole("passes", passes)
    if sgd.steps % passes:
        raise ValueError(
            f"{sgd.steps} steps do not make {passes} passes; give steps that are a multiple of passes"
        )
    kept = None if stored is None else quantisers_of(f"w:{stored}").w
    if error_feedback and kept is None:
        raise ValueError(
            "error_feedback keeps the rounding error of stored weights; give their format as stored="
        )
    return Manner(passes, kept, bool(error_feedback))


def trial_of(
    point: tuple[Regression, SGD, Spelled], iterate: str, inputs: Inputs, scales: Scales, manner: Manner
) -> Trial:
    """The trial of a point. Raises ValueError, in one sentence, for bad input."""
    problem, sgd, precision = point
    quantisers = quantisers_of(precision)
    ground = ground_of(problem, quantisers.d)
    norm = ground.clean if inputs == "clean" else quantised_norm(problem, quantisers.d, scales.d, ground)
    size = sgd.step_size
    if sgd.share is not None:
        size = sgd.share * limit_of(point_of(problem, sgd, precision, "last", scales, compressed=True))
        if not np.isfinite(size):
            raise ValueError(f"the step size '{sgd.step_size}' has no limit here; give a number")
    first = first_averaged(iterate, sgd.steps)
    return Trial(problem, sgd, quantisers, scales, manner, first, inputs, ground, norm, float(size))
