"""What theory expects of a study: thin lines with their law beside them, below the data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from isoloss.laws import Array
from isoloss.linear import Reference
from isoloss.plots.look import SMALL

GREY = "#5f5f5f"
#: A theory line, thinner than data and behind it.
THIN: dict[str, Any] = {"color": GREY, "linewidth": 0.8, "linestyle": (0, (6, 2)), "marker": ""}
#: Words that stand on a line stay legible over others.
HALO = [withStroke(linewidth=1.8, foreground="white")]
#: A line is followed in so many steps, and a label stands so many points off it.
STEPS, GAP = 60, 2.5


def draw_theory(axes: Axes, references: Sequence[Reference]) -> None:
    """Draw references into axes whose limits are set; a label that several share is written
    once.
    """
    across, up = axes.get_xlim(), axes.get_ylim()
    lines = [(each.label, *_points(each, across, up)) for each in references]
    for _, x, y in lines:
        axes.plot(x, y, zorder=1.5, **THIN)
    inked, named = _inked(axes), set()
    for label, x, y in lines:
        inside = (y > up[0]) & (y < up[1]) & (x > across[0]) & (x < across[1])
        if label not in named and inside.any():
            named.add(label)
            inked = _write(axes, label, x[inside], y[inside], inked)
    axes.set_xlim(across)
    axes.set_ylim(up)


def _points(
    each: Reference, across: tuple[float, float], up: tuple[float, float]
) -> tuple[Array, Array]:
    """Points of a line, close to one another; one that stands or lies goes from end to end."""
    if not each.y:
        return np.full(STEPS, each.x[0]), np.geomspace(*up, STEPS)
    if not each.x:
        return np.geomspace(*across, STEPS), np.full(STEPS, each.y[0])
    x = np.geomspace(each.x[0], each.x[-1], STEPS)
    return x, np.exp(np.interp(np.log(x), np.log(each.x), np.log(each.y)))


def _inked(axes: Axes) -> Array:
    """Where curves are, (n, 2) in pixels."""
    found = [np.empty((0, 2))]
    for line in axes.get_lines():
        at = axes.transData.transform(line.get_xydata())
        steps = np.linspace(0, len(at) - 1, 30 * len(at))
        found.append(np.column_stack([np.interp(steps, np.arange(len(at)), c) for c in at.T]))
    return np.concatenate(found)


def _write(axes: Axes, label: str, x: Array, y: Array, inked: Array) -> Array:
    """Write a label beside its line where it is farthest from curves and other labels, and return
    what is inked then.
    """
    box, dots = axes.get_window_extent(), axes.get_figure().dpi / 72  # type: ignore[union-attr]
    size = np.array([0.62 * SMALL * _length(label), 1.3 * SMALL]) * dots
    line = axes.transData.transform(np.column_stack([x, y]))
    best, where = -np.inf, (line[0], 1, 1)
    for at in line[np.linspace(0, len(line) - 1, 13).astype(int)]:
        for right, above in product((1, -1), (1, -1)):
            corner = at + np.array([right, above]) * GAP * dots
            ends = np.sort(np.stack([corner, corner + np.array([right, above]) * size]), axis=0)
            if (ends[0] < box.min).any() or (ends[1] > box.max).any():
                continue
            room = _room(ends, inked)
            if room > best:
                best, where = room, (at, right, above)
    at, right, above = where
    axes.annotate(
        label, tuple(axes.transData.inverted().transform(at)), xytext=(right * GAP, above * GAP),
        textcoords="offset points", ha="left" if right > 0 else "right",
        va="bottom" if above > 0 else "top", fontsize=SMALL, color=GREY, path_effects=HALO,
        zorder=4,
    )  # fmt: skip
    middle = at + np.array([right, above]) * (GAP * dots + size / 2)
    return np.concatenate([inked, middle + np.linspace(-0.5, 0.5, 9)[:, None] * [size[0], 0]])


def _room(ends: Array, points: Array) -> float:
    """The least distance of points from a box of the corners (2, 2)."""
    outside = np.maximum(np.maximum(ends[0] - points, points - ends[1]), 0)
    return float(np.hypot(*outside.T).min())


def _length(label: str) -> int:
    """About how many letters wide a label is, without the marks of its formulas."""
    return len(re.sub(r"\\[a-z]+", "x", re.sub(r"[${}^_, ]", "", label))) or 1
