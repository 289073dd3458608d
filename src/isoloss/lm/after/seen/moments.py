"""What calibration tells of the inputs X of a matrix, in a size that does not grow with tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from isoloss.lm.shape import ModelError

#: What a method may see of the inputs of a matrix.
Sees = Literal["nothing", "hessian", "inputs", "moments"]
#: The share of the mean diagonal of H that is added to it before it is inverted.
DAMPING = 0.01
#: The share of the trace of H by which rounding may take eigenvalues below zero, H_ij from H_ji.
ROUNDED = 1e-6
#: Columns of H that are computed together; of all others only those to the right.
_COLUMNS = 256


@dataclass(eq=False)
class Moments:
    """Sums over the inputs X, shape (tokens, inputs), that a matrix was seen to take.

    Attributes
    ----------
    hessian
        H = 2 X^T X in float64, (inputs, inputs).
    magnitude
        The mean of |x| of each input, (inputs,); zero where no token came.
    largest
        The largest |x| of each input, (inputs,).
    tokens
        How many there were.
    """

    hessian: Tensor
    magnitude: Tensor
    largest: Tensor
    tokens: int = 0
    _factors: dict[float, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, inputs: int, device: torch.device | str = "cpu") -> Moments:
        """Those of no tokens yet."""
        zeros = torch.zeros(inputs, dtype=torch.float64, device=device)
        return cls(torch.outer(zeros, zeros), zeros, zeros.clone())

    @classmethod
    def of_hessian(cls, hessian: Tensor) -> Moments:
        """Those of which H alone, (inputs, inputs), is known.

        Raises
        ------
        ModelError
            H is not finite, or no sum over inputs: it is not symmetric, or has an eigenvalue below
            zero by more than rounding.
        """
        _check_moments(hessian)
        size = (hessian.diagonal().double() / 2).sqrt()
        return cls(hessian.double(), size, size)

    def add(self, x: Tensor) -> None:
        """Take in more inputs, (tokens, inputs)."""
        if not len(x):
            return
        for start in range(0, x.shape[1], _COLUMNS):  # H is symmetric: what is below is above
            end = min(start + _COLUMNS, x.shape[1])
            part = x[:, start:end].T @ x[:, start:]
            self.hessian[start:end, start:].add_(part, alpha=2)
            self.hessian[end:, start:end].add_(part[:, end - start :].T, alpha=2)
        self.tokens += len(x)
        size = x.abs()
        self.magnitude = self.magnitude + (size.mean(0) - self.magnitude) * (len(x) / self.tokens)
        self.largest = torch.maximum(self.largest, size.amax(0))

    def factor(self, damping: float) -> tuple[Tensor, Tensor]:
        """The order of inputs, the largest H_ii first, and U in that order: see `inverse_factor`.

        Found once for all formats.
        """
        if damping not in self._factors:
            order = self.hessian.diagonal().argsort(descending=True, stable=True)
            self._factors[damping] = order, inverse_factor(self.hessian[order][:, order], damping)
        return self._factors[damping]


#: What a method that sees more than nothing is given.
Seen = Tensor | Moments


def inverse_factor(hessian: Tensor, damping: float = DAMPING) -> Tensor:
    """U, upper triangular, with (H + damping mean(diag H) 1)^-1 = U^T U, in float64; for H = 0 the
    identity.
    """
    _check_finite(hessian)
    h = hessian.double()
    mean = h.diagonal().mean()
    if mean <= 0:
        return torch.eye(len(h), dtype=h.dtype, device=h.device)
    # In units of the mean diagonal, which change no ratio U_ij / U_ii and keep the numbers near 1.
    h = h / mean + damping * torch.eye(len(h), dtype=h.dtype, device=h.device)
    lower, failed = torch.linalg.cholesky_ex(h)
    if failed:
        raise ModelError(
            f"H has no Cholesky factor with {damping:g} of its mean diagonal added; accepted is "
            "more damping"
        )
    upper: Tensor = torch.linalg.cholesky(torch.cholesky_inverse(lower), upper=True)
    return upper


def _check_finite(hessian: Tensor) -> None:
    if not bool(torch.isfinite(hessian).all()):
        raise ModelError(
            "the inputs of calibration hold NaN or infinity; quantise a model whose loss is finite"
        )


def _check_moments(hessian: Tensor) -> None:
    """Raise ModelError unless H can be 2 X^T X of some inputs, as far as rounding lets it be."""
    _check_finite(hessian)
    h = hessian.double()
    accepted = "accepted is 2 X^T X of inputs, symmetric and with no eigenvalue below zero"
    top = float(h.diagonal().clamp_min(0).sum())
    apart = float((h - h.T).abs().max())
    if apart > ROUNDED * max(top, float(h.abs().max())):
        i, j = divmod(int((h - h.T).abs().argmax()), len(h))
        raise ModelError(
            f"H[{i}, {j}] is {float(h[i, j]):.4g} and H[{j}, {i}] is {float(h[j, i]):.4g}; "
            f"{accepted}"
        )
    room = ROUNDED * top * torch.eye(len(h), dtype=h.dtype, device=h.device)
    if bool(h.any()) and torch.linalg.cholesky_ex(h + room).info:
        least = float(torch.linalg.eigvalsh(h)[0])
        raise ModelError(f"H has the eigenvalue {least:.4g} (its trace is {top:.4g}); {accepted}")
