"""The figure of paired gaps: what a precision costs against tokens per param, in training and after
it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from isoloss.fits import CellGap, GapTable, PrecisionGap
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import FAINT, NARROW, SMALL, WIDE, Sheet, settle
from isoloss.plots.styles import Style, apart, styles
from isoloss.plots.ticks import log_axis, plain_number
from isoloss.runs import compact, metric_of

#: Lines beyond this cannot be told apart.
MOST = 7
TITLES = {False: "in training", True: "after training"}


@draws(GapTable, "gaps", "loss gaps against tokens per param", first=True)
def gaps_figure(found: GapTable) -> Figure:
    """Mean gap of every cell with its standard error over seeds, a line for each size; below zero
    none can be drawn.
    """
    schedule = found.schedules[0]
    stages = [stage for stage in (False, True) if _chosen(found, stage, schedule)]
    shown = {stage: _chosen(found, stage, schedule) for stage in stages}
    looks = {stage: apart(styles([p.precision for p in shown[stage]])) for stage in stages}
    sizes = sorted({cell.params for cell in found.cells})
    legend = [
        (look.handle(line=True), name) for stage in stages for name, look in looks[stage].items()
    ]
    words = f"{schedule} runs; " if len(found.schedules) > 1 else ""
    caption = (
        f"{words}error bars: one standard error over paired seeds; larger marks are larger models "
        f"({', '.join(compact(n) for n in sizes)} params)."
    )
    left_out = sum(_count(found, stage, schedule) - len(shown[stage]) for stage in stages)
    if left_out:
        caption += f" {left_out} precisions more are in the table."
    width = WIDE if len(stages) > 1 else NARROW
    canvas, grid = Sheet("What a precision costs", caption, legend, width, 2.7).open(1, len(stages))
    for at, stage in enumerate(stages):
        axes = canvas.add_subplot(grid[0, at])
        cells = [c for c in found.cells if c.schedule == schedule and c.precision in looks[stage]]
        known = [p.resolved for p in shown[stage] if math.isfinite(p.resolved)]
        _draw(
            axes,
            cells,
            looks[stage],
            sizes,
            None if stage or not known else float(np.median(known)),
        )
        axes.set_title(TITLES[stage])
        label = f"loss less the reference's ({metric_of(found.metric).unit})"
        axes.set(xlabel="tokens per param", ylabel=label if at == 0 else "")
    return Figure(settle(canvas), "gaps", caption)


def _draw(
    axes: Axes,
    cells: Sequence[CellGap],
    looks: dict[str, Style],
    sizes: Sequence[float],
    floor: float | None,
) -> None:
    """Draw the cells of a panel, and a line at the gap that one cell resolves, if
    given.
    """
    every: list[CellGap] = []
    for precision, look in looks.items():
        for k, n in enumerate(sizes):
            line = [c for c in cells if c.precision == precision and c.params == n and c.mean > 0]
            if not line:
                continue
            every += line
            error = [0.0 if math.isnan(c.error) else min(c.error, 0.9 * c.mean) for c in line]
            axes.errorbar(
                [c.tokens / c.params for c in line], [c.mean for c in line], error,
                color=look.colour, marker=look.marker, linestyle=look.line,
                markersize=2.4 + 1.1 * k, linewidth=0.8, elinewidth=0.6, markeredgewidth=0.3,
            )  # fmt: skip
    log_axis(axes, "x", np.array([c.tokens / c.params for c in every]), plain_number)
    log_axis(
        axes,
        "y",
        np.array([c.mean for c in every] + ([] if floor is None else [floor])),
        plain_number,
    )
    if floor is not None:
        axes.axhline(floor, color=FAINT, linewidth=0.8, linestyle=(0, (2, 2)))
        said = axes.annotate(
            "one cell resolves",
            (1, floor),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
        )
        said.set(fontsize=SMALL, color="#555555")


def _of(found: GapTable, after: bool, schedule: str) -> list[PrecisionGap]:
    return [
        p for p in found.precisions if p.after == after and p.schedule == schedule and p.mean > 0
    ]


def _count(found: GapTable, after: bool, schedule: str) -> int:
    return len(_of(found, after, schedule))


def _chosen(found: GapTable, after: bool, schedule: str) -> list[PrecisionGap]:
    """The precisions that a panel shows, in the order of their gaps.

    Models that were trained at the reference first, then those of most cells, then plainer names.
    """
    known = _of(found, after, schedule)
    rounded = {
        p.precision: after and not p.precision.startswith(("fp ->", "bf16 ->")) for p in known
    }
    kept = sorted(known, key=lambda p: (rounded[p.precision], -p.cells, len(p.precision)))[:MOST]
    return [p for p in known if p in kept]
