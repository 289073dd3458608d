"""Ideal noise models by name: what stands before the level in `add(1e-3)`, one record each.

A quantiser of the theory leaves x as x + n + s x, with n and s symmetric, of mean zero and
independent of x. Three variances and a distribution (distributions.py), normal unless said, are all
there is to it, so a model is data, and whatever computes with noise (rounding, the exact risk, the
sampler, the bounds) asks these and never the name. `NOISES.register("name", NoiseModel(...))` adds
one; `add_uniform` is `add` with that distribution instead of its own.

Reference: Zhang, Su, Zou 2025 (arXiv 2510.18259), the definitions of additive and multiplicative
quantisers; 'coord' is what element-wise rounding of floats does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from isoloss.files import Registry
from isoloss.formats.distributions import DISTRIBUTIONS

NoiseKind = Literal["added", "relative", "mixed"]


class NoiseLevels(NamedTuple):
    """Variances of one noise at one level.

    Attributes
    ----------
    add : float
        Var n, in squared units of x, drawn anew for every element.
    mul : float
        Var s, relative to x^2.
    shared : float
        E s s' of two elements of one vector: 0 where every element has a factor of its own, `mul`
        where one factor serves the whole vector.
    kurtosis : float
        E n^4 / (E n^2)^2, and of s: 3 is normal.
    """

    add: float
    mul: float
    shared: float
    kurtosis: float = 3.0

    @property
    def fourth(self) -> float:
        """E s^4, s the sum of an element's own factor and of the vector's, each of the kurtosis."""
        own, common = self.mul - self.shared, self.shared
        return self.kurtosis * (own**2 + common**2) + 6 * own * common

    @property
    def pair(self) -> float:
        """E s^2 s'^2 of two elements of one vector."""
        own, common = self.mul - self.shared, self.shared
        return own**2 + 2 * own * common + self.kurtosis * common**2

    @property
    def only_added(self) -> bool:
        """Whether its size does not depend on x."""
        return not self.mul

    @property
    def one_factor(self) -> bool:
        """Whether it is one factor (1 + s) of a whole vector, which any linear map lets through."""
        return self.mul > 0 and self.shared == self.mul

    @property
    def basis_free(self) -> bool:
        """Whether it is the same noise in every orthogonal basis: added, or one factor a vector."""
        return self.shared == self.mul


@dataclass(frozen=True)
class NoiseModel:
    """Noise x + n + s x by its variances, each in units of the level eps, and its distribution.

    Attributes
    ----------
    meaning : str
        What it is, in a few words, as help and pages show it.
    added : float
        Var n / eps.
    relative : float
        Var s / eps.
    shared : float
        E s s' / eps of two elements of one vector, from 0 to `relative`. Zero where `added` is not:
        the moments of a shared factor beside added noise do not close.
    distribution : str
        Of n, and of an element's own and the vector's share of s: a name of `DISTRIBUTIONS`.

    Raises
    ------
    ValueError
        A number is negative or not finite, none is above 0, `shared` is out of its range, or the
        distribution is unknown.
    """

    meaning: str
    added: float = 0.0
    relative: float = 0.0
    shared: float = 0.0
    distribution: str = "normal"

    def __post_init__(self) -> None:
        sizes = (self.added, self.relative, self.shared)
        if not all(math.isfinite(each) and each >= 0 for each in sizes) or not any(sizes):
            raise ValueError(
                f"a noise of added {self.added!r}, relative {self.relative!r}, shared "
                f"{self.shared!r} is none; accepted are finite numbers, 0 or above, one above 0"
            )
        if self.shared > (0.0 if self.added else self.relative):
            raise ValueError(
                f"shared is {self.shared!r} beside added {self.added!r} and relative "
                f"{self.relative!r}; accepted is 0 to relative, and 0 where noise is added"
            )
        DISTRIBUTIONS[self.distribution]  # an unknown one raises

    @property
    def kind(self) -> NoiseKind:
        """Whether its size is fixed ('added'), in proportion to x ('relative'), or both
        ('mixed').
        """
        if not self.relative:
            return "added"
        return "mixed" if self.added else "relative"

    def levels(self, eps: float) -> NoiseLevels:
        """The variances at the level eps."""
        kurtosis = DISTRIBUTIONS[self.distribution].kurtosis
        return NoiseLevels(self.added * eps, self.relative * eps, self.shared * eps, kurtosis)


def noise_model(name: str) -> NoiseModel:
    """The noise model of a name such as 'vec', or 'vec_uniform' of another distribution.

    Raises ValueError for an unknown name.
    """
    known = NOISES.find(name)
    if known is not None:
        return known
    model, distribution = _split(name)
    if model is None:
        for each in NOISES:
            if name.startswith(f"{each}_"):
                raise ValueError(DISTRIBUTIONS.unknown(name.removeprefix(f"{each}_")))
        raise ValueError(
            f"{NOISES.unknown(name)}; a distribution may follow, as in add_uniform: "
            f"{', '.join(DISTRIBUTIONS)}"
        )
    return replace(NOISES[model], distribution=distribution)


def canonical_noise(name: str) -> str:
    """A name without a distribution that its model has anyway: 'add_normal' is 'add'.

    Raises ValueError for an unknown name.
    """
    model, distribution = _split(name)
    noise_model(name)
    if name in NOISES or model is None or NOISES[model].distribution != distribution:
        return name
    return model


def _split(name: str) -> tuple[str | None, str]:
    """A registered model and the distribution behind it; None where the name is no such pair."""
    for distribution in DISTRIBUTIONS:
        model = name.removesuffix(f"_{distribution}")
        if model != name and NOISES.find(model) is not None:
            return model, distribution
    return None, ""


def _shipped() -> None:
    for name, model in (
        ("add", NoiseModel("added, an element its own", added=1.0)),
        ("vec", NoiseModel("one factor a vector", relative=1.0, shared=1.0)),
        ("coord", NoiseModel("one factor an element", relative=1.0)),
    ):
        NOISES.register(name, model, home=__name__)


#: The noise models by name; their spelling is the name with a level, `add(1e-3)`, a distribution
#: between them where it is another than the model's own, `add_uniform(1e-3)`.
NOISES: Registry[NoiseModel] = Registry("noise model", load=_shipped, of=NoiseModel)
