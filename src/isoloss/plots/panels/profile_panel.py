"""The figure of a profile: how much worse the fit gets as one constant is held away from its best
value.
"""

from __future__ import annotations

import numpy as np

from isoloss.files import percent
from isoloss.fits import Profile, interval_in_words
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import FAINT, INK, NARROW, Sheet, settle
from isoloss.plots.ticks import fixed, linear_ticks

BLUE = "#0072B2"


@draws(Profile, "profile", "objective along one constant", first=True)
def profile_figure(profile: Profile) -> Figure:
    """The rise of the objective against the value, with the interval shaded where the rise is small
    enough.
    """
    order = np.argsort(profile.values)
    value, rise = profile.values[order], profile.objective[order] - profile.objective.min()
    level = f"{percent(profile.level)}"
    ends = interval_in_words(profile.ends, "{:.4g}".format)
    text = (
        f"All other constants are fitted again at each value. {level} interval {ends}; "
        f"lowest at {value[np.argmin(rise)]:.4g}."
    )
    canvas, grid = Sheet(f"Profile of {profile.name}", text, (), NARROW, 2.6).open()
    axes = canvas.add_subplot(grid[0])
    axes.axvspan(profile.low, profile.high, color=BLUE, alpha=0.12, linewidth=0)
    for end in (profile.low, profile.high):
        axes.axvline(end, color=BLUE, linewidth=0.7, linestyle="--")
    inside = np.interp([profile.low, profile.high], value, rise)
    axes.axhline(float(inside.max()), color=FAINT, linewidth=0.7, linestyle=":")
    axes.plot(value, rise, "-o", color=INK, markersize=2.4)
    # Far from the best value the rise is steep and hides what matters.
    top = min(float(rise.max()), 4 * float(inside.max()) or np.inf)
    axes.set_ylim(-0.04 * top, 1.04 * top)
    fixed(axes.xaxis, linear_ticks(*axes.get_xlim(), 6))
    fixed(axes.yaxis, linear_ticks(0, top, 5))
    axes.set(xlabel=profile.name, ylabel="rise of the objective")
    middle = (profile.low + profile.high) / 2
    axes.annotate(
        level,
        (middle, 1),
        (0, -8),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="center",
        color=BLUE,
    )
    return Figure(settle(canvas), "profile", text)
