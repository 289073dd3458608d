"""What a calculation of the risk returns: the value, its parts and how it was found.

A risk is always a true excess risk, 0.5 E (<w, x> - y)^2 less that of w* on clean features. With u
the rounded features, H_q = E u u' = H + D and w_q* = H_q^-1 E u y,

    clean    0.5 E ||w - w*||_H^2
    in use   0.5 E ||w||_{H_q}^2 - E <w, E u y> + 0.5 ||w*||_H^2
             = 0.5 E ||w - w_q*||_{H_q}^2 + floor,   floor = 0.5 w*'H(H+D)^-1 D w*

(approximation counted in both where there is a sketch). The floor is the ApproxErr of Zhang et al.
2025 (2510.18259), through secondary notes; the other summand is `quantised_norm`, the norm that
theory/bounds.py bounds before it adds the floor.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isoloss.files import displayed

Array = NDArray[np.float64]
How = Literal["exact", "closure", "sampled"]
Inputs = Literal["clean", "in use"]
INPUTS: tuple[Inputs, ...] = ("clean", "in use")
#: What each of them says in a sentence or a title.
INPUT_WORDS = {"clean": "clean inputs", "in use": "features rounded in use"}
#: Directions of a risk that are printed.
SHOWN = 12


@displayed
@dataclass(frozen=True)
class Parts:
    """Parts of an excess risk, in squared units of the label; the first five sum to its value.

    Attributes
    ----------
    bias : float
        From the mean of the iterate.
    variance : float
        From its spread over data and rounding.
    approximation : float
        What no model of the sketch can learn.
    rounding : float
        Added by rounding the result after training ('-> w:...').
    floor : float
        What features rounded in use cost the best w, 0.5 w*'H(H+D)^-1 D w* (ApproxErr of
        2510.18259). 0 on clean inputs, where no feature is rounded in use.
    asymptotic_bias : float
        The share of the bias that training on rounded features never removes, 0.5 ||w_q* -
        w*||_H^2, on clean inputs. 0 in use, where training ends at the optimum of that very risk.
        Not a summand: it is within `bias`.
    quantised_norm : float or None
        0.5 E ||w - w_q*||_{H_q}^2, which is bias + variance + rounding of features rounded in use.
        Not a risk: full precision does not bound it from below. None on clean inputs, where nothing
        is summed in the norm of H_q; ask for inputs 'in use'.
    """

    bias: float
    variance: float
    approximation: float = 0.0
    rounding: float = 0.0
    floor: float = 0.0
    asymptotic_bias: float = 0.0
    quantised_norm: float | None = None

    @property
    def total(self) -> float:
        """bias + variance + approximation + rounding + floor."""
        return self.bias + self.variance + self.approximation + self.rounding + self.floor

    def __str__(self) -> str:
        numbers = ((each.name, getattr(self, each.name)) for each in fields(self))
        return ", ".join(f"{name} {value:.4g}" for name, value in numbers if value is not None)


@displayed
@dataclass(frozen=True)
class Risk:
    """Excess risk of the result over w* on clean features, whichever inputs it is used on.

    Attributes
    ----------
    value : float
        The risk, in squared units of the label: `parts.total`.
    standard_error : float
        Of the value: over replicates where `how` is 'sampled', over sketches in a `SketchRisk`; 0
        otherwise.
    how : str
        'exact': no approximation (1e-10 of the larger of the risk and a thousandth of the risk at
        w_0); 'closure': real grids or sketches where second moments close only approximately;
        'sampled'.
    parts : Parts
        What the value is made of.
    inputs : str
        'clean' or 'in use': whether features are rounded in training only, or in use too.
    step_size : float
        The largest step size gamma, as a number.
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
        names = ("bias", "variance", "approximation", "rounding", "floor")
        shown = [(name, getattr(self.parts, name)) for name in names]
        sums = " + ".join(
            f"{name} {value:.4g}" for name, value in shown if value or name in names[:2]
        )
        lasting = self.parts.asymptotic_bias
        known = f"{lasting:.4g} of the bias is" if lasting == lasting else "unknown how much is"
        tail = f"; {known} asymptotic" if lasting else ""
        head = f"excess risk {self.value:.6g}{error} ({self.how}, {INPUT_WORDS[self.inputs]})"
        return f"{head} = {sums}{tail}"


@displayed
@dataclass(frozen=True)
class Directions:
    """The risk by eigendirection: arrays (n,) that sum to the bias and the variance of the risk.

    Attributes
    ----------
    eigenvalue : array (n,)
        Of the features as the model sees them (rounded in use, of H_q).
    bias : array (n,)
        From the mean of the iterate.
    variance : array (n,)
        From its spread.
    """

    eigenvalue: Array
    bias: Array
    variance: Array

    @property
    def risk(self) -> Array:
        """Bias and variance together."""
        return self.bias + self.variance

    def __str__(self) -> str:
        rows = [f"{'eigenvalue':>12} {'bias':>12} {'variance':>12} {'share':>8}"]
        whole = float(np.sum(self.risk)) or 1.0
        columns = (self.eigenvalue, self.bias, self.variance, self.risk / whole)
        for low, *rest in list(zip(*columns, strict=True))[:SHOWN]:
            rows.append(f"{low:>12.4g} {rest[0]:>12.4g} {rest[1]:>12.4g} {rest[2]:>8.1%}")
        more = len(self.risk) - SHOWN
        rows += [f"and {more} more directions"] if more > 0 else []
        first = f"risk {whole:.6g} by direction, bias {np.sum(self.bias):.4g} + variance "
        return "\n".join([f"{first}{np.sum(self.variance):.4g}", *rows])


@displayed
@dataclass(frozen=True)
class TrainingRisk:
    """Expected training loss 0.5 E o^2 at the next sample, o the error that the last step would
    see.

    Attributes
    ----------
    value : float
        noise + floor + approximation + excess, in squared units of the label.
    noise : float
        Of labels (half of noise_var included) and of the quantisers of labels, parameter and
        activations.
    floor : float
        Of the data quantiser, 0.5 w*'H(H+D)^-1 D w*.
    approximation : float
        What no model of the sketch can learn.
    excess : float
        0.5 E ||w - w_q*||^2 in the norm of H_q.
    how : str
        'exact' or 'closure'.
    """

    value: float
    noise: float
    floor: float
    approximation: float
    excess: float
    how: How

    def __str__(self) -> str:
        return (
            f"training risk {self.value:.6g} ({self.how}) = noise {self.noise:.4g} + floor "
            f"{self.floor:.4g} "
            f"+ approximation {self.approximation:.4g} + excess {self.excess:.4g}"
        )
