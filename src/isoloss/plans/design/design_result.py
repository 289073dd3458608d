"""The next runs as a value: what to train, its cost, and how much surer the plan will be."""

from __future__ import annotations

from dataclasses import dataclass

from isoloss.files import displayed, percent
from isoloss.fits import NOT_HELD, ResultWarning, Section, text
from isoloss.plans.design.to_train import NextRun, ToTrain
from isoloss.runs import compact


@dataclass(frozen=True)
class Width:
    """The interval of the optimal params as a factor, most over least.

    Attributes
    ----------
    now
        Of the fit as it is.
    after
        Expected after the runs.
    grid
        Expected after a regular grid of the same cost; None where the budget pays for no grid.
    """

    now: float
    after: float
    grid: float | None


@displayed
@dataclass(frozen=True)
class NextRuns(ToTrain):
    """The runs that shrink the interval of a plan's params most for their cost. Prints itself.

    Iterating gives one dictionary a run (params, tokens, precision, seed, flops as 6ND), as a Grid
    does. Seeds count from 0 for each run, so give others where you have trained it before.

    Attributes
    ----------
    runs
        The runs, each with its number of seeds.
    budget, target, hardware
        In words.
    flop, most_flop
        What the runs cost and what they may cost, FLOPs of bf16.
    params
        The optimal params at the target as they are known now: (median, low, high).
    width
        What becomes of that interval.
    grid_runs
        Runs of the regular grid of the same cost that it is compared with; 0 without one.
    noise
        Standard deviation of log loss that was taken.
    level
        Coverage of the interval, 0.9 = 90%.
    warnings
        Typed warnings.
    held
        Whether the runs of the fit tell the params now; where a ridge moves them they do not.
    costs
        Device hours, days and money with their ranges, in words; None on a cost model.
    """

    runs: tuple[NextRun, ...]
    budget: str
    target: str
    hardware: str
    flop: float
    most_flop: float
    params: tuple[float, float, float]
    width: Width
    grid_runs: int
    noise: float
    level: float
    warnings: tuple[ResultWarning, ...]
    held: bool = True
    costs: str | None = None

    def sections(self) -> list[Section]:
        """The report as titled sections, for whoever prints it."""
        return [
            Section("Next runs", tuple(self._headline())),
            self.table("What to train"),
            Section("Warnings", tuple(map(str, self.warnings)) or ("none",)),
        ]

    def _headline(self) -> list[str]:
        middle, low, high = self.params
        share = percent(self.level)
        ends = f"{share}: {compact(low)} to {compact(high)}"
        now = f"{compact(middle)} ({ends}, a factor of {self.width.now:.3g})"
        if not self.held:
            now = (
                f"{NOT_HELD}: the fitted runs leave them to a ridge; {share} of the replicates lie "
                f"between {compact(low)} and {compact(high)}, a factor of {self.width.now:.3g}"
            )
        after = f"expected after these {len(self)} runs: a factor of {self.width.after:.3g}"
        if self.width.grid is not None:
            grid = f"a regular grid of {self.grid_runs} runs of the same cost"
            after += f"; after {grid}: {self.width.grid:.3g}"
        return [
            f"budget: {self.budget}; used: {self.flop:.3g} of {self.most_flop:.3g} FLOPs (bf16)",
            f"to learn: the params of a plan for {self.target}",
            f"hardware: {self.hardware}",
            *([self.costs] if self.costs else []),
            f"now: {now}",
            after,
        ]

    def __str__(self) -> str:
        return text(self.sections())
