"""The problem: linear regression on features with a known spectrum, perhaps seen through a random
sketch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from isoloss.files import displayed, shown_value
from isoloss.linear.checks import finite, fits_in_memory, in_range, one_of, whole

Array = NDArray[np.float64]
Site = Literal["after", "before"]
#: Arrays of all coordinates that a computation has beside one another: spectrum, target, means.
_ARRAYS = 8
_TARGETS = "a number, an array of dim numbers, 'isotropic' or 'source 1.5'"


@displayed
@dataclass(frozen=True, eq=False)
class Regression:
    """Linear regression y = <w*, x> + noise on independent symmetric features x_i of variance
    lam_i.

    Attributes
    ----------
    dim : int
        Number of features d.
    decay : float
        a of the spectrum lam_i = i^-a, i = 1..d.
    noise_var : float
        Variance sigma^2 of the label's noise, in squared units of y.
    target : float, str or array (dim,)
        w*: one number for all coordinates, an array, 'isotropic' (random, E w*_i^2 = 1) or
        'source b' (random, E lam_i w*_i^2 = i^-b). Over a random target the risk is averaged
        exactly.
    sketch : int, optional
        M: the model sees S x, with S of M rows, S_ij ~ N(0, 1/M) drawn from `seed`. A sketch needs
        normal features.
    spectrum : array (dim,), optional
        The eigenvalues lam, in place of i^-decay.
    kurtosis : float
        E x_i^4 / lam_i^2; 3 is normal. The features are, above 3, 0 but for a share 3 / k of the
        samples, which are normal; below, a normal plus or minus a fixed number, at 1 the sign
        alone. Real grids see that distribution, all else the kurtosis only.
    site : str
        Where the data of a sketch are quantised: 'after' it (S x is rounded) or 'before' it (x is).
    seed : int
        Seed of the sketch.

    Raises
    ------
    ValueError
        A field is out of range; the message has the value and what is accepted.

    Notes
    -----
    Setting of Zhang, Su, Zou 2025 (2510.18259), with a sketch of Zhang et al. 2026 (2602.19241).
    """

    dim: int
    decay: float = 2.0
    noise_var: float = 1.0
    target: float | str | Sequence[float] | Array = 1.0
    sketch: int | None = None
    _: KW_ONLY
    spectrum: Sequence[float] | Array | None = None
    kurtosis: float = 3.0
    site: Site = "after"
    seed: int = 0

    def __post_init__(self) -> None:
        self._set("dim", whole("dim", self.dim))
        self._set("decay", finite("decay", self.decay, 0.0))
        self._set("noise_var", finite("noise_var", self.noise_var, 0.0))
        in_range("noise_var", self.noise_var)
        self._set("kurtosis", finite("kurtosis", self.kurtosis, 1.0))
        self._set("seed", whole("seed", self.seed, 0))
        one_of("site", self.site, ("after", "before"))
        if self.spectrum is not None:
            self._set("spectrum", _column("spectrum", self.spectrum, self.dim, low=0.0))
            if not np.any(self.spectrum):
                raise ValueError(
                    "all eigenvalues of the spectrum are 0, so no feature says anything of the "
                    "label; accepted are numbers of at least 0, at least one of them above 0"
                )
            in_range("the largest eigenvalue", float(np.max(self.spectrum)))
        self._check_target()
        if self.sketch is not None:
            self._set("sketch", whole("sketch", self.sketch))
            self._check_sketch(self.sketch)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check_target(self) -> None:
        if isinstance(self.target, str):
            words = self.target.split()
            if words[:1] == ["source"] and len(words) == 2:
                self._set("target", f"source {finite('the source exponent', words[1])!r}")
            elif words != ["isotropic"]:
                raise ValueError(f"unknown target {self.target!r}; accepted are {_TARGETS}")
        elif not isinstance(self.target, list | tuple | np.ndarray) or np.ndim(self.target) == 0:
            self._set("target", finite("target", self.target))
            in_range("target", float(self.target))  # type: ignore[arg-type]
        else:
            self._set("target", _column("target", self.target, self.dim))
            in_range("the largest coordinate of target", float(np.max(np.abs(self.target))))

    def _check_sketch(self, rows: int) -> None:
        if rows > self.dim:
            raise ValueError(
                f"a sketch of {rows} rows is larger than dim {self.dim}; accepted is 1 to "
                f"{self.dim}"
            )
        if self.kurtosis != 3.0:
            raise ValueError(f"a sketch needs normal features, kurtosis 3, not {self.kurtosis!r}")

    # ---- other ways to a spectrum
    @classmethod
    def exponential(cls, dim: int, rate: float, **given: Any) -> Self:
        """The problem with an exponential spectrum, lam_i = exp(-rate (i - 1)).

        Parameters
        ----------
        dim : int
            Number of features.
        rate : float
            Decay of the logarithm of the spectrum, 0 or above.
        given
            The other fields of a Regression.

        Returns
        -------
        Regression
            The problem, its spectrum given.

        Raises
        ------
        ValueError
            An argument is out of range.
        """
        rate = finite("rate", rate, 0.0)
        return cls(dim, spectrum=np.exp(-rate * np.arange(whole("dim", dim))), **given)

    @classmethod
    def from_covariance(cls, covariance: Array, **given: Any) -> Self:
        """The problem in the eigenbasis of a covariance matrix.

        Parameters
        ----------
        covariance : array (d, d)
            Symmetric; negative eigenvalues count as zero.
        given
            The other fields of a Regression; an array `target` is in the eigenbasis.

        Returns
        -------
        Regression
            The problem, its spectrum the eigenvalues in descending order.

        Raises
        ------
        ValueError
            The matrix is not symmetric.
        """
        matrix = np.asarray(covariance, dtype=float)
        if (
            matrix.ndim != 2
            or matrix.shape[0] != matrix.shape[1]
            or not np.allclose(matrix, matrix.T)
        ):
            raise ValueError(
                f"a covariance is a symmetric matrix, not an array of shape {matrix.shape}"
            )
        values = np.maximum(np.linalg.eigvalsh(matrix)[::-1], 0.0)
        return cls(len(values), spectrum=values, **given)

    @classmethod
    def from_data(cls, features: Array, labels: Array | None = None, **given: Any) -> Self:
        """The problem with the spectrum of data, E x x' = X'X / rows (not centred).

        Parameters
        ----------
        features : array (rows, d)
            X, finite numbers.
        labels : array (rows,), optional
            With them the target is their least-squares fit in the eigenbasis and the noise variance
            its mean squared residual.
        given
            The other fields of a Regression, which come before what is fitted.

        Returns
        -------
        Regression
            The problem, its spectrum the eigenvalues in descending order.

        Raises
        ------
        ValueError
            The features are no matrix of finite numbers, or the labels do not fit.
        """
        data = np.asarray(features, dtype=float)
        if data.ndim != 2 or not data.size:
            raise ValueError(
                "features are a matrix (rows, d) of finite numbers, at least one, not of shape "
                f"{np.shape(features)}"
            )
        if not np.isfinite(data).all():
            row, column = np.argwhere(~np.isfinite(data))[0]
            raise ValueError(
                f"feature {column} of row {row}, counted from 0, is {data[row, column]}; accepted "
                "are finite numbers"
            )
        left, singular, _ = np.linalg.svd(data, full_matrices=False)
        rows, dim = data.shape
        lam = np.zeros(dim)
        lam[: len(singular)] = singular**2 / rows
        if labels is not None:
            y = _column("labels", labels, rows)
            kept = singular > singular[0] * 1e-12
            if kept.sum() == rows and "noise_var" not in given:
                raise ValueError(
                    f"{rows} labels are fitted exactly by {dim} features, so the noise cannot be "
                    "told; take more rows than features, or give noise_var"
                )
            target = np.zeros(dim)
            target[: len(singular)][kept] = (left.T @ y)[kept] / singular[kept]
            residual = y - left[:, kept] @ (left[:, kept].T @ y)
            given = {"target": target, "noise_var": float(np.mean(residual**2))} | given
        return cls(dim, spectrum=lam, **given)

    # ---- what follows from the fields
    @property
    def random_target(self) -> bool:
        """Whether w* is random, with independent coordinates of mean zero."""
        return isinstance(self.target, str)

    @property
    def smooth(self) -> bool:
        """Whether spectrum and target are powers of the index, so that modes can be compressed."""
        return self.spectrum is None and np.ndim(self.target) == 0

    @property
    def lam(self) -> Array:
        """The eigenvalues of H = E x x', (dim,)."""
        return self.lam_at(self._indices())

    @property
    def target_squares(self) -> Array:
        """E w*_i^2, (dim,)."""
        return self.target_squares_at(self._indices())

    def _indices(self) -> Array:
        """1 to dim. Raises ValueError where arrays of all coordinates do not fit in memory."""
        fits_in_memory(
            f"an array of each of the {self.dim} coordinates",
            _ARRAYS * 8.0 * self.dim,
            "use a smaller dim, or method 'exact', which needs no list of them",
        )
        return np.arange(1.0, self.dim + 1)

    def lam_at(self, index: Array) -> Array:
        """The eigenvalues at indices 1..dim; those of a power law also between them."""
        if self.spectrum is None:
            return np.asarray(index**-self.decay)
        given: Array = np.asarray(self.spectrum, dtype=float)[index.astype(int) - 1]
        return given

    def target_squares_at(self, index: Array) -> Array:
        """E w*_i^2 at indices 1..dim; between them where the problem is smooth."""
        if isinstance(self.target, str):
            if self.target == "isotropic":
                return np.ones_like(index)
            lam = self.lam_at(index)
            with np.errstate(divide="ignore"):
                squares = index ** -float(self.target.split()[1]) / lam
            return np.where(lam > 0, squares, 0.0)
        if np.ndim(self.target) == 0:
            return np.full_like(index, float(self.target) ** 2)  # type: ignore[arg-type]
        fixed: Array = np.asarray(self.target, dtype=float)[index.astype(int) - 1]
        return fixed**2

    def sketch_columns(self, chunk: int) -> Iterator[tuple[int, Array]]:
        """The columns of S as rows (chunk, M), some at a time, each with the index of its first."""
        rng, rows = np.random.default_rng(self.seed), self.sketch or self.dim
        for low in range(0, self.dim, chunk):
            columns = rng.standard_normal((min(chunk, self.dim - low), rows))
            yield low, columns / math.sqrt(rows)

    def sketch_matrix(self) -> Array:
        """S (M, dim), S_ij ~ N(0, 1/M), the same for every call."""
        return np.concatenate([columns for _, columns in self.sketch_columns(self.dim)]).T

    def __str__(self) -> str:
        spectrum = f"i^-{self.decay:g}" if self.spectrum is None else "given"
        target = self.target if np.ndim(self.target) == 0 else "given"
        sketch = (
            "" if self.sketch is None else f", sketched to {self.sketch} (quantised {self.site})"
        )
        return (
            f"linear regression, dim {self.dim}, spectrum {spectrum}, target {target}, "
            f"noise variance {self.noise_var:g}{sketch}"
        )

    # ---- equal where all fields are
    @cached_property
    def _key(self) -> tuple[object, ...]:
        fields = (self.spectrum, self.target)
        arrays = tuple(each.tobytes() if isinstance(each, np.ndarray) else each for each in fields)
        return (
            self.dim,
            self.decay,
            self.noise_var,
            self.sketch,
            self.kurtosis,
            self.site,
            self.seed,
            arrays,
        )

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Regression) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)


def _column(
    name: str, values: Sequence[float] | Array, length: int, low: float = -math.inf
) -> Array:
    """A read-only copy of a vector of `length` finite numbers of at least `low`."""
    try:
        column = np.array(values, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"{name} is {shown_value(values)}; accepted is an array of {length} finite numbers"
        ) from None
    if column.shape != (length,):
        raise ValueError(f"{name} has shape {column.shape}; accepted is ({length},)")
    bad = ~np.isfinite(column) | (column < low)
    if bad.any():
        at = int(np.argmax(bad))
        bound = "" if low == -math.inf else f" of at least {low:g}"
        raise ValueError(f"{name}[{at}] is {column[at]}; accepted are finite numbers{bound}")
    column.flags.writeable = False
    return column
