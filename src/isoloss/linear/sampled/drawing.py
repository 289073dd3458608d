"""Replicates of a trial, drawn in threads by the compiled loop, and what is kept of each: two
risks, and means.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoloss.linear.checks import fits_in_memory
from isoloss.linear.sampled.running import runner_of
from isoloss.linear.sampled.trial import Trial

Array = NDArray[np.float64]
#: Weights of one chunk of replicates, which are held at once.
HELD = 2**22
#: Losses of so many times that at w = 0 have diverged.
GROWN = 1e6


@dataclass(frozen=True)
class Drawn:
    """The risk of every replicate (R,), of its result and of that rounded once more; what it splits
    into.

    spread: mean of 0.5 ||w - best||^2 of the result. bias: 0.5 E ||E w - best||^2, without bias
    itself. missed: what no model can learn. floor: what rounding the features in use costs the best
    one. The risks hold both.
    """

    values: Array
    unrounded: Array
    spread: float
    bias: float
    missed: float
    floor: float


def drawn(trial: Trial, replicates: int, seed: int, progress: bool) -> Drawn:
    """Replicates 0, 1, ... of a trial.

    Raises ValueError where they would not fit in memory or diverge, ModuleNotFoundError without
    numba.
    """
    # Even chunks: neighbours 2 j and 2 j + 1 share a random target and stay together.
    n = trial.source.weights
    rows = min(replicates, max(64, 2 * (HELD // (2 * max(n, 1)))))
    _check_memory(trial, replicates, rows)
    run = runner_of(trial, seed)
    values, unrounded, missed, floor = np.empty((4, replicates))
    twins = []
    total = np.zeros(n)
    with _bar(progress, replicates) as advance:
        for low in range(0, replicates, rows):
            here = slice(low, min(low + rows, replicates))
            targets, w, rounded = run(low, here.stop - low, advance)
            best = trial.norm.best(targets)
            missed[here] = trial.source.missed(trial.problem.lam, targets)
            # Each replicate has the floor of its own target, so that its risk is a risk.
            floor[here] = trial.floor(targets)
            error = w - best
            with np.errstate(over="ignore", invalid="ignore"):
                unrounded[here] = trial.norm.half(error, error)
                values[here] = trial.norm.half(rounded - best, rounded - best)
                total += error.sum(axis=0)
            # 0.5 <error, error'> of neighbours is an unbiased 0.5 ||E error||^2 given their target:
            # the bias without the variance in it.
            even = len(error) // 2 * 2
            twins.append(trial.norm.half(error[0:even:2], error[1:even:2]))
    _check_finite(values, trial)
    spread = float(unrounded.mean())
    if trial.problem.random_target:
        bias = float(np.concatenate(twins).mean())
    else:
        # With a fixed target all replicates serve; the variance of their mean is taken off.
        mean = total[None] / replicates
        bias = spread - (spread - float(trial.norm.half(mean, mean)[0])) * replicates / (
            replicates - 1
        )
    beside = missed + floor
    return Drawn(
        values + beside, unrounded + beside, spread, bias, float(missed.mean()), float(floor.mean())
    )


def _check_memory(trial: Trial, replicates: int, rows: int) -> None:
    """Raise ValueError if the arrays of a chunk would not fit in memory."""
    n, dim = trial.source.weights, trial.problem.dim
    inputs = len(trial.source.deviation)
    random = rows * (3 * dim + 2 * inputs) if trial.problem.random_target else 3 * dim
    matrices = 4 * n * dim if trial.problem.sketch is not None else 0
    fits_in_memory(
        f"sampling {replicates} replicates of {n} weights",
        8.0 * (8 * rows * n + random + matrices + 4 * replicates + 64 * max(n, dim))
        + 16.0 * trial.held,
        "use fewer replicates or a smaller dim",
    )


def _check_finite(values: Array, trial: Trial) -> None:
    problem = trial.problem
    begun = 0.5 * (float(np.sum(problem.lam * problem.target_squares)) + problem.noise_var)
    lost = int(np.sum(~(values <= GROWN * begun)))  # what is no number is lost too
    if lost:
        raise ValueError(
            f"the step size {trial.step_size:.6g} is unstable: {lost} of {len(values)} "
            f"replicates grew past {GROWN:,.0f} times the loss at w = 0; use a smaller one or a "
            "share such as '0.5 limit'"
        )


@contextmanager
def _bar(progress: bool, replicates: int) -> Iterator[Callable[[int], None]]:
    """What is told of replicates that are done: a bar where that is asked for and stderr is a
    terminal.
    """
    if not (progress and sys.stderr.isatty()):
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replicates", total=replicates)
        yield lambda done: bar.advance(task, done)
