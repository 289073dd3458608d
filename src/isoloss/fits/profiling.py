"""The verbs ``profile`` and ``profile_prediction``: likelihood intervals of a fit, by profile."""

from __future__ import annotations

from typing import Any

from isoloss.files import real_number
from isoloss.fits.arguments import FitError, check_count, check_level, shown
from isoloss.fits.doubt import Profile, points, profile_of_constant, profile_of_loss
from isoloss.fits.result import Fit
from isoloss.fits.sample import Sample
from isoloss.fits.solve import Optimum
from isoloss.formats import Precision
from isoloss.runs import compact


def profile(
    fit: Fit,
    name: str,
    level: float | None = None,
    *,
    grid: int = 41,
    reach: float = 4.0,
) -> Profile:
    """The profile-likelihood interval of one constant: the objective with all others fitted again.

    Parameters
    ----------
    fit
        A fit made in this process: one that was loaded has no runs any more.
    name
        A constant that was estimated.
    level
        Coverage; that of the fit by default.
    grid
        Values of the constant at which the others are fitted.
    reach
        Half width of the grid in standard errors.

    Returns
    -------
    Profile
        The objective on the grid, and the interval.

    Raises
    ------
    FitError
        The constant was not estimated, runs come in groups (a profile takes runs as independent),
        the fit has no runs, or an argument is not accepted.
    """
    optimum, sample = _solved(fit)
    level = fit.level if level is None else check_level(level)
    _check_grid(grid, reach)
    return profile_of_constant(optimum, sample, name, level, grid, reach)


def profile_prediction(
    fit: Fit,
    params: float | str,
    tokens: float | str,
    precision: str | Precision = "fp",
    level: float | None = None,
    *,
    sparsity: str | None = None,
    group: str | None = None,
    grid: int = 41,
    reach: float = 4.0,
) -> Profile:
    """The profile-likelihood interval of the law's mean loss at one point.

    Parameters
    ----------
    fit, level, grid, reach
        As in ``profile``.
    params, tokens, precision, sparsity, group
        The point, as in ``predict``.

    Returns
    -------
    Profile
        The objective against the loss at the point, in the metric of the runs, and the interval.

    Raises
    ------
    DomainError
        The law is not defined at the point.
    FitError
        As ``profile``, and for more than one point.
    """
    optimum, sample = _solved(fit)
    level = fit.level if level is None else check_level(level)
    _check_grid(grid, reach)
    at = points(params, tokens, precision, group, sparsity)
    if len(at) != 1:
        raise FitError(f"a profile is of one point, and {len(at)} are given")
    name = f"loss at {compact(at.params[0])} params, {compact(at.tokens[0])} tokens, {precision}"
    return profile_of_loss(optimum, sample, at, name, level, grid, reach)


def _solved(fit: Any) -> tuple[Optimum, Sample]:
    if not isinstance(fit, Fit):
        raise FitError(f"cannot profile {shown(fit)}; give a fit, as fit(law, runs) returns")
    if fit.optimum is None or fit.sample is None:
        raise FitError("this fit was loaded from a file without its runs; profile needs a new fit")
    return fit.optimum, fit.sample


def _check_grid(grid: Any, reach: Any) -> None:
    check_count("grid", grid, 3)
    if not 0 < real_number(reach) <= 100:
        raise FitError(f"reach is {shown(reach)}; it is a number of standard errors up to 100")
