"""Effective model size, effective samples and additive error of one rounded run, which print
themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from isoloss.files import displayed
from isoloss.linear.risk import INPUT_WORDS, How, Inputs


@displayed
@dataclass(frozen=True)
class EffectiveSizes:
    """Effective model size, effective samples and additive error: risk = approximation + trained +
    additive_error.

    Attributes
    ----------
    precision : str
        The spelling.
    nominal_size : int
        M, coordinates or rows of the model.
    nominal_samples : float
        N, steps times batch.
    model_size : float
        M_eff, the full-precision size whose best model is as good as that of the rounded run.
    samples : float
        N_eff, the samples at which full precision of that size has learnt as much; nan where no
        number up to N does.
    additive_error : float
        What is left of the risk, signed.
    risk : float
        Of the rounded run, on the inputs asked for.
    approximation : float
        What full precision of size M_eff can never learn.
    trained : float
        What more samples would still remove, of the rounded run and of full precision of the
        effective sizes alike.
    scale : float
        By how much rounding inflates the variance of the leading direction, 1 + eps for relative
        noise; the step size of full precision is that much larger and the rounded result is read as
        that much larger.
    step_size : float
        gamma of the rounded run.
    closed_size, closed_samples : float
        Closed forms of the theory; nan where there is none.
    inputs : str
        Of the risk and so of the additive error; the sizes are those of clean inputs.
    how : str
        'exact', or 'closure' where second moments close only approximately.
    reason : str
        Why there are no samples; empty where there are.
    """

    precision: str
    nominal_size: int
    nominal_samples: float
    model_size: float
    samples: float
    additive_error: float
    risk: float
    approximation: float
    trained: float
    scale: float
    step_size: float
    closed_size: float
    closed_samples: float
    inputs: Inputs
    how: How
    reason: str = ""

    @property
    def size(self) -> EffectiveSize:
        """The effective model size by itself."""
        return EffectiveSize(
            "model size", self.precision, self.nominal_size, self.model_size, self.closed_size
        )

    @property
    def data(self) -> EffectiveSize:
        """The effective samples by themselves."""
        return EffectiveSize(
            "samples",
            self.precision,
            self.nominal_samples,
            self.samples,
            self.closed_samples,
            self.reason,
        )

    def __str__(self) -> str:
        rows = [
            f"effective sizes at '{self.precision}' ({self.how})",
            f"  model size      {self.size.found}",
            f"  samples         {self.data.found}",
            f"  additive error  {self.additive_error:+.4g}",
            f"  risk {self.risk:.4g} ({INPUT_WORDS[self.inputs]}) = approximation "
            f"{self.approximation:.4g} + trained {self.trained:.4g} "
            f"{'-' if self.additive_error < 0 else '+'} {abs(self.additive_error):.4g}",
        ]
        return "\n".join(rows)


@displayed
@dataclass(frozen=True)
class EffectiveSize:
    """One of the two effective sizes of a run.

    Attributes
    ----------
    kind : str
        'model size' or 'samples'.
    precision : str
        The spelling.
    nominal : float
        The size that was given.
    value : float
        The effective size; nan where there is none.
    closed : float
        Closed form of the theory, nan where there is none.
    reason : str
        Why there is no value; empty where there is one.
    """

    kind: Literal["model size", "samples"]
    precision: str
    nominal: float
    value: float
    closed: float
    reason: str = ""

    @property
    def ratio(self) -> float:
        """Effective over nominal size."""
        return self.value / self.nominal

    @property
    def found(self) -> str:
        """The value of the nominal size and the closed form, or why there is no value."""
        if self.reason:
            return f"none of {self.nominal:.6g}: {self.reason}"
        closed = "" if math.isnan(self.closed) else f" (closed form {self.closed:.4g})"
        return f"{self.value:.4g} of {self.nominal:.6g}{closed}"

    def __str__(self) -> str:
        return f"effective {self.kind} at '{self.precision}': {self.found}"
