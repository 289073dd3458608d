"""How loose the bounds are: bound over exact risk, over a grid of problems and precisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from isoloss.files import displayed
from isoloss.formats import noise_model
from isoloss.linear.checks import finite, of_type, one_of, several, whole
from isoloss.linear.descent import SGD
from isoloss.linear.quantisers import PARTS
from isoloss.linear.regression import Regression
from isoloss.linear.risk import Inputs
from isoloss.linear.risk_of import excess_risks
from isoloss.linear.theory.bounds import risk_bound


@displayed
@dataclass(frozen=True)
class Tightness:
    """One setting: the exact risk with its bounds.

    Attributes
    ----------
    dim, steps, batch : int
        d, N and B.
    noise : str
        The noise model; 'none' for full precision.
    eps : float
        Its level.
    exact : float
        The exact risk of the averaged iterate.
    upper : float
        The upper bound, infinite where it says nothing.
    lower : float
        The lower bound.
    """

    dim: int
    noise: str
    eps: float
    steps: int
    batch: int
    exact: float
    upper: float
    lower: float

    @property
    def looseness(self) -> float:
        """upper / exact."""
        return self.upper / self.exact

    @property
    def reach(self) -> float:
        """lower / exact."""
        return self.lower / self.exact

    def __str__(self) -> str:
        noise = self.noise if self.noise == "none" else f"{self.noise}({self.eps:g})"
        return (
            f"dim {self.dim}, {self.steps} steps, batch {self.batch}, noise {noise}: excess risk "
            f"{self.exact:.4g}, bounds {self.reach:.3g} and {self.looseness:.3g} times it"
        )

    __repr__ = __str__


def bound_tightness(
    dims: Sequence[int] = (50, 200),
    eps: Sequence[float] = (0.0, 1e-3, 1e-2),
    steps: Sequence[int] = (300, 3000, 10_000),
    batches: Sequence[int] = (1,),
    noises: Sequence[str] = ("add",),
    parts: str = "dlwag",
    step_size: float | str = 0.05,
    decay: float = 2.0,
    inputs: Inputs = "clean",
) -> list[Tightness]:
    """Bounds and exact risk of the average for spectrum i^-decay, w* = 1, noise variance 1.

    By default the 18 settings in which the notes checked the bound. Every combination is computed;
    zero eps is full precision and appears once, with noise 'none'.

    Parameters
    ----------
    dims, steps, batches : sequence of int
        d, N and B.
    eps : sequence of float
        Levels of the noise, the same on every part.
    noises : sequence of str
        Noise models by name.
    parts : str
        The parts that are rounded, a letter each.
    step_size : float or str
        As in `SGD`, constant.
    decay : float
        a.
    inputs : str
        'clean' or 'in use'.

    Returns
    -------
    list of Tightness
        One a setting.

    Raises
    ------
    ValueError
        Bad input, or an unstable step size.
    """
    for part in of_type("parts", parts, str, "'dw'") or "?":
        one_of("part", part, PARTS)
    dims, steps, batches = (
        [whole(name, each) for each in several(values)]
        for name, values in (("dims", dims), ("steps", steps), ("batches", batches))
    )
    eps = [finite("eps", each, 0.0) for each in several(eps)]
    noises = [of_type("noise", each, str, "'add'") for each in several(noises)]
    for each in noises:
        noise_model(each)  # an unknown one raises
    cells = [
        (dim, noise, level, count, batch)
        for dim, noise, level, count, batch in product(dims, noises, eps, steps, batches)
        if level or noise == noises[0]
    ]
    points = [
        (
            Regression(dim, decay),
            SGD(count, batch, step_size),
            " ".join(f"{part}:{noise}({level!r})" for part in parts) if level else "fp",
        )
        for dim, noise, level, count, batch in cells
    ]
    exact = excess_risks(points, inputs=inputs)
    rows = []
    for (dim, noise, level, count, batch), point, risk in zip(cells, points, exact, strict=True):
        bound = risk_bound(*point, inputs)
        name = noise if level else "none"
        rows.append(Tightness(dim, name, level, count, batch, risk.value, bound.upper, bound.lower))
    return rows
