"""Figures of a law: what rounding each part costs in it, or its loss where it says nothing of
precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from isoloss.laws import (
    Box,
    Composed,
    DomainError,
    Grouped,
    Inputs,
    Law,
    Link,
    Table,
    as_inputs,
    plain,
)
from isoloss.plots.drawing import draws
from isoloss.plots.figure import Figure
from isoloss.plots.look import NARROW, Sheet, settle
from isoloss.plots.panels.bits_panels import Panel, cited, draw_panels
from isoloss.plots.problems import PlotError
from isoloss.plots.sizes import Sizes
from isoloss.plots.styles import as_level
from isoloss.plots.ticks import log_axis, plain_number
from isoloss.runs import compact, metric_of

#: Where a law without a region of its own is drawn.
BOX = Box((1e8, 1e11), (1e9, 1e13), (5.0, 1000.0))


@draws(Law, "law", "the first of factors, gap and loss that the law has", first=True)
def law_figure(law: Law) -> Figure:
    """What a law is best shown as: factors where it has them, else its gap, else its loss."""
    for draw in (factors_figure, gap_figure):
        try:
            return draw(law)
        except PlotError:
            continue
    return law_loss_figure(law)


@draws(Law, "factors", "effective over nominal params against bits")
def factors_figure(law: Law) -> Figure:
    """Effective over nominal params (and tokens) against bits for the parts that the law knows, and
    their product.
    """
    inner = _composed(law)
    if inner is None or not (inner.params_factor or inner.tokens_factor):
        raise PlotError(
            f"law {law.name!r} has no factor on params or tokens; kind 'gap' draws what rounding "
            "costs in it"
        )
    panels = []
    for k, (links, noun) in enumerate(
        ((inner.params_factor, "params"), (inner.tokens_factor, "tokens"))
    ):
        if links:
            panels.append(
                Panel(f"effective / nominal {noun}", _factor_of(law, inner, k), _labels(links), 1.0)
            )
    return draw_panels(law, "factors", law.name, panels)


@draws(Law, "gap", "loss gap against bits")
def gap_figure(law: Law) -> Figure:
    """Loss at each number of bits less the loss at the reference, at one size and length."""
    inner = _composed(law)
    params, tokens = _place(law)
    panel = Panel(
        f"loss gap ({metric_of(law.metric).unit})",
        _gap_of(law, params, tokens),
        _labels(inner.links) if inner else (),
        0.0,
    )
    title = f"{law.name}: gap at {compact(params)} params, {compact(tokens)} tokens"
    return draw_panels(law, "gap", title, [panel])


@draws(Law, "loss", "loss against tokens")
def law_loss_figure(law: Law) -> Figure:
    """Loss against tokens for a few sizes inside the region of the law's runs, nothing rounded."""
    box = law.box or BOX
    sizes = Sizes(tuple(float(f"{n:.2g}") for n in np.geomspace(*box.params, 5)))
    text = cited(law) + (" Inside the region of its runs." if law.box else "")
    canvas, grid = Sheet(law.name, text, sizes.legend(True), NARROW, 2.9).open()
    axes = canvas.add_subplot(grid[0])
    for n in sizes.values:
        low, high = (
            max(box.tokens[0], n * box.tokens_per_param[0]),
            min(box.tokens[1], n * box.tokens_per_param[1]),
        )
        if low >= high:
            continue
        tokens = np.geomspace(low, high, 25)
        try:
            loss = law.loss(_inputs(law, "fp", n, tokens))
        except DomainError as error:
            raise PlotError(str(error)) from None
        axes.plot(
            tokens,
            loss,
            color=sizes.colour(n),
            linestyle=sizes.line(n),
            marker=sizes.marker(n),
            markevery=6,
        )
    limits = axes.dataLim
    log_axis(axes, "x", limits.intervalx)
    log_axis(axes, "y", limits.intervaly, plain_number)
    axes.set(xlabel="tokens", ylabel=metric_of(law.metric).axis)
    return Figure(settle(canvas), "loss", text)


def _composed(law: Law) -> Composed | None:
    formula = law.formula.inner if isinstance(law.formula, Grouped) else law.formula
    return formula if isinstance(formula, Composed) else None


def _inputs(law: Law, name: str, params: float, tokens: ArrayLike) -> Inputs:
    level, n = as_level(name), np.size(tokens)
    group = [law.formula.groups[0]] * n if isinstance(law.formula, Grouped) else None
    sparsity = None if level.sparsity is None else [level.sparsity] * n
    return as_inputs(params, tokens, level.precision, sparsity=sparsity, group=group)


def _factor_of(law: Law, inner: Composed, which: int) -> Callable[[str], float]:
    """The factor on params (0) or tokens (1) at a level."""
    constants = {k.name: np.nan if k.value is None else k.value for k in law.constants}

    def factor(name: str) -> float:
        x = _inputs(law, name, 1e9, 1e9)
        inner.check(constants, x)
        return float(np.ravel(plain(inner.factors(constants, x.levels)[which]))[0])

    return factor


def _gap_of(law: Law, params: float, tokens: float) -> Callable[[str], float]:
    def gap(name: str) -> float:
        x = _inputs(law, name, params, tokens)
        return float((law.loss(x) - law.loss(x.at_reference()))[0])

    return gap


def _labels(links: Sequence[Link]) -> tuple[str, ...]:
    """The levels that the tables among some links hold."""
    return tuple(
        dict.fromkeys(label for link in links if isinstance(link, Table) for label in link.labels)
    )


def _place(law: Law) -> tuple[float, float]:
    """The middle of the region that the law's runs cover, in round numbers."""
    box = law.box or BOX
    params, tokens = (float(f"{np.sqrt(low * high):.1g}") for low, high in (box.params, box.tokens))
    return params, tokens
