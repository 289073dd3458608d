"""What a calculation of the risk returns: the value, its parts and how it was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
How = Literal["exact", "closure", "sampled"]
Inputs = Literal["clean", "quantised"]
INPUTS = ("clean", "quantised")


@dataclass(frozen=True)
class Parts:
    """Parts of a risk; bias + variance + approximation + rounding is its value.

    bias: from the mean of the iterate. variance: from its spread over data and rounding. approximation: what
    no model of the sketch can learn. rounding: added by rounding the result after training ('-> w:...').
    floor: on clean inputs the share of the bias that training never removes, 0.5 ||w_q* - w*||_H^2; on
    quantised inputs what features quantised in use cost, 0.5 w*'H(H+D)^-1 D w*, which is not in the value.
    """

    bias: float
    variance: float
    approximation: float = 0.0
    rounding: float = 0.0
    floor: float = 0.0

    @property
    def total(self) -> float:
        """bias + variance + approximation + rounding."""
        return self.bias + self.variance + self.approximation + self.rounding


@dataclass(frozen=True)
class Risk:
    """An excess risk, 0.5 E ||w - w*||_H^2 on clean inputs or 0.5 E ||w - w_q*||_{H_q}^2 on quantised ones.

    `standard_error` is 0 unless `how` is 'sampled'. 'exact': no approximation (1e-10 of the larger of the risk
    and a thousandth of the risk at w_0); 'closure': real grids where second moments close only approximately.
    `step_size` is the first one used, as a number.
    """

    value: float
    standard_error: float
    how: How
    parts: Parts
    inputs: Inputs
    step_size: float

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        error = f" +- {self.standard_error:.1g}" if self.standard_error else ""
        names = ("bias", "variance", "approximation", "rounding")
        shown = [(name, getattr(self.parts, name)) for name in names]
        sums = " + ".join(
            f"{name} {value:.4g}" for name, value in shown if value or name in names[:2]
        )
        where = "of it" if self.inputs == "clean" else "beside it"
        floor = f"; floor {self.parts.floor:.4g} {where}" if self.parts.floor else ""
        return f"excess risk {self.value:.6g}{error} ({self.how}, {self.inputs} inputs) = {sums}{floor}"


@dataclass(frozen=True)
class Directions:
    """The risk by eigendirection: arrays (n,) that sum to the parts of the risk.

    `eigenvalue` is that of the features as the model sees them (on quantised inputs, of H_q).
    """

    eigenvalue: Array
    bias: Array
    variance: Array

    @property
    def risk(self) -> Array:
        """Bias and variance together."""
        return self.bias + self.variance


@dataclass(frozen=True)
class TrainingRisk:
    """The expected training loss 0.5 E o^2 at the next sample, o the error that the last step would see.

    value = noise + floor + approximation + excess. noise: of labels (half of noise_var included) and of the
    quantisers of labels, parameter and activations; floor: of the data quantiser; excess: 0.5 E ||w -
    w_q*||^2 in the norm of quantised inputs.
    """

    value: float
    noise: float
    floor: float
    approximation: float
    excess: float
    how: How

    def __str__(self) -> str:
        return (
            f"training risk {self.value:.6g} ({self.how}) = noise {self.noise:.4g} + floor {self.floor:.4g} "
            f"+ approximation {self.approximation:.4g} + excess {self.excess:.4g}"
        )
