"""The problem: a two-layer student that learns a two-layer teacher of the same kind, one pass.

Inputs x are normal with the covariance H = diag(i^-a), i = 1..d, as in the linear laboratory.
With phi the activation and no biases,

    f(x)  = m^-1/2 sum_j v_j phi(<u_j, x>)           student, m neurons
    f*(x) = k^-1/2 sum_j v*_j phi(<u*_j, x>)         teacher, k neurons, u* ~ N(0, I), v* = +-1
    y = f*(x) + xi,  xi ~ N(0, noise_var),

and SGD on 1/2 (y - f(x))^2 sees each sample once. Where the five quantisers act, in one step with
a batch X (B, d):

    X_q = Q_d(X)                     data, forward and backward alike
    y_q = Q_l(y)                     labels
    U_q, v_q = Q_w(U), Q_w(v)        weights as used, forward and backward; stored ones are exact
    z = Q_a(X_q U_q')                what the first layer puts out, before phi
    o = Q_a(phi(z) v_q / m^1/2)      what the second layer puts out
    r = Q_g(y_q - o)                 output gradient
    e = Q_g(r v_q' / m^1/2)          what is passed back, before the mask phi'(z), so that neurons
                                     that are off stay off as they do under real formats
    U += gamma/B (e * phi'(z))' X_q,   v += gamma/B phi(z)' r / m^1/2

Rounding passes gradients straight through, products are exact. This is the update of Zhang, Su, Zou
2025 (2510.18259, setting) with every tensor between the layers rounded as well. A shared factor
('vec') belongs to one sample of the data, and to one whole tensor of the batch for the others: the
labels, each layer's weights, each layer's outputs, each of the two gradients.

With a linear activation, one neuron, the second layer fixed and nothing rounded between the layers
(`between=False`), f(x) = v <u, x> and the step is that of the linear laboratory, letter by letter:
tests hold it to the exact risk there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.checks import finite, one_of, whole

Array = NDArray[np.float64]
ACTIVATIONS = ("relu", "linear")


@dataclass(frozen=True)
class Network:
    """A teacher and a student of two layers, without biases, on normal inputs of variance i^-decay.

    Attributes
    ----------
    dim : int
        Number of inputs d.
    width : int
        Neurons of the student, m.
    decay : float
        a of the variances i^-a of the inputs.
    teacher_width : int
        Neurons of the teacher, k.
    noise_var : float
        Variance of the label's noise, in squared units of y.
    activation : str
        'relu' or 'linear'.
    second_layer : bool
        Whether the second layer is trained; fixed signs where it is not.
    between : bool
        Whether what lies between the layers is rounded too: their outputs, what is passed back, and
        the second layer. False rounds data, labels, the first layer, output and output gradient.
    init : float
        Standard deviation of the first layer's initial weights. Where the width is even, neurons
        start in pairs of opposite sign, so that f = 0; 0 starts a linear student at zero.

    Raises
    ------
    ValueError
        A field is out of range; the message has the value and what is accepted.
    """

    dim: int
    width: int = 32
    decay: float = 2.0
    teacher_width: int = 8
    noise_var: float = 0.25
    activation: str = "relu"
    second_layer: bool = True
    between: bool = True
    init: float = 1.0

    def __post_init__(self) -> None:
        for name in ("dim", "width", "teacher_width"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))
        for name in ("decay", "noise_var", "init"):
            object.__setattr__(self, name, finite(name, getattr(self, name), 0.0))
        for name in ("second_layer", "between"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} is {getattr(self, name)!r}; accepted are True and False")
        one_of("activation", self.activation, ACTIVATIONS)
        if not self.init and self.activation == "relu":
            raise ValueError(
                "init is 0.0, where ReLU has no gradient; accepted is a number above 0"
            )

    @property
    def params(self) -> int:
        """Weights that are trained."""
        return self.width * (self.dim + self.second_layer)

    @property
    def lam(self) -> Array:
        """Variances of the inputs, (d,)."""
        return np.asarray(np.arange(1.0, self.dim + 1) ** -self.decay)

    def __str__(self) -> str:
        return (
            f"{self.activation} network, dim {self.dim}, width {self.width}, variances "
            f"i^-{self.decay:g}, teacher of width {self.teacher_width}, noise variance "
            f"{self.noise_var:g}"
        )
