"""What a fit says when it is printed: sections of facts and tables, as text and as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from isoloss.fits.paired_gaps import Gaps, Slope
    from isoloss.fits.result import Fit
    from isoloss.laws import Constant

#: A cell that is a number (with a unit sign at most), or empty: a column of these is right-aligned.
_NUMBER = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?[kMBT%]?|-|nan|inf|")


@dataclass(frozen=True)
class Section:
    """A titled part of a report: lines of text, then a table of strings (numbers are right-aligned)."""

    title: str
    lines: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def sections(fit: Fit) -> list[Section]:
    """The report of a fit, most needed first."""
    return [
        Section(f"{fit.law.name}: {fit.law.title or 'a law'}", tuple(_facts(fit))),
        _constants(fit),
        Section(
            "Errors (log loss)",
            (),
            ("rows", "number", "rmse", "mean", "R2", "inside interval"),
            tuple(_errors(fit)),
        ),
        *_held_out(fit),
        Section("Compute-optimal exponent", tuple(_exponent(fit))),
        *_sensitivity(fit),
        *_efficiencies(fit),
        *_gaps(fit),
        Section("Warnings", tuple(str(c) for c in fit.cautions) or ("none",)),
    ]


def text(parts: Sequence[Section]) -> str:
    """Sections as plain text with aligned columns."""
    out: list[str] = []
    for part in parts:
        out += [part.title, *(f"  {line}" for line in part.lines)]
        if part.rows:
            widths = [
                max(len(row[i]) for row in (part.head, *part.rows)) for i in range(len(part.head))
            ]
            for row in (part.head, *part.rows):
                cells = [
                    c.rjust(w) if _numeric(part, i) else c.ljust(w)
                    for i, (c, w) in enumerate(zip(row, widths, strict=True))
                ]
                out.append("  " + "  ".join(cells).rstrip())
        out.append("")
    return "\n".join(out).rstrip()


def html(parts: Sequence[Section]) -> str:
    """Sections as HTML for a notebook."""
    out: list[str] = []
    for part in parts:
        out.append(f"<h4>{escape(part.title)}</h4>")
        out += [f"<div>{escape(line)}</div>" for line in part.lines]
        if part.rows:
            head = "".join(f"<th>{escape(h)}</th>" for h in part.head)
            body = "".join(
                "<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>"
                for row in part.rows
            )
            out.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    return "".join(out)


def number(value: float | None, digits: int = 4) -> str:
    """A number for a reader: significant digits, a dash where there is none."""
    return "-" if value is None or not np.isfinite(value) else f"{value:.{digits}g}"


def _numeric(part: Section, column: int) -> bool:
    return all(_NUMBER.fullmatch(row[column]) for row in part.rows)


def _facts(fit: Fit) -> Iterator[str]:
    f = fit.facts
    held = int(fit.points.held_out.sum())
    yield (
        f"{f.runs} runs"
        + (f" ({f.runs - held} fitted, {held} held out)" if held else "")
        + (f" of {', '.join(f.sources)}" if f.sources else "")
    )
    for reason, count in f.excluded.items():
        yield f"{count} excluded: {reason}"
    yield f"objective: {fit.objective}; {100 * fit.level:.0f}% intervals from {len(fit.draws)} refits ({fit.resample}), seed {f.seed}"
    yield f"optimum: {fit.certificate}"
    if fit.noise is not None:
        n = fit.noise
        yield (
            f"seed noise {100 * n.seed:.2g}% of the loss ({n.repeated_cells} repeated cells), misfit beyond it "
            f"{100 * n.misfit:.2g}% (p = {n.p_value:.2g})"
        )
    if fit.lack_of_fit is not None:
        yield f"lack of fit: p = {fit.lack_of_fit.p_value:.2g} (curve of {100 * fit.lack_of_fit.size:.2g}% of the loss in the residuals)"
    yield f"table {f.hash[:12]}, isoloss {f.version}"


def _constants(fit: Fit) -> Section:
    bounds = {name for c in fit.cautions if c.kind == "at_bound" for name in c.about}
    rows = []
    for k in fit.law.constants:
        mark = f"= {fit.law.ties[k.name]}" if k.name in fit.law.ties else ""
        low = high = ""
        if k.name in fit.absent:
            mark = "not in the data"
        elif k.name in fit.law.fixed:
            mark = "fixed"
        elif fit.law.ties.get(k.name, k.name) not in fit.law.fixed:
            low, high = (number(v) for v in fit.interval(k.name))
            mark = mark or _ends_at_bound(fit, k)
        if k.name in bounds:
            mark = "AT BOUND"
        rows.append((k.name, number(k.value, 5), low, high, k.unit, mark, k.meaning))
    return Section(
        "Constants",
        tuple(_correlated(fit)),
        ("", "value", "low", "high", "unit", "", "meaning"),
        tuple(rows),
    )


def _ends_at_bound(fit: Fit, k: Constant) -> str:
    """A mark where an end of the interval is the constant's bound, so that the interval is cut there."""
    low, high = fit.interval(k.name)
    near = 1e-4 * (k.upper - k.lower) if k.scale == "linear" else 0.0
    cut = low <= max(k.lower + near, k.lower * (1 + 1e-3)) or high >= min(
        k.upper - near, k.upper * (1 - 1e-3)
    )
    return "to its bound" if cut else ""


def _correlated(fit: Fit) -> Iterator[str]:
    table = np.abs(np.triu(fit.correlations, 1))
    names = [k.name for k in fit.law.free]
    found = sorted(
        ((table[i, j], names[i], names[j]) for i, j in zip(*np.nonzero(table > 0.95), strict=True)),
        reverse=True,
    )
    if found:
        listed = ", ".join(
            f"{a}~{b} {fit.correlations[names.index(a), names.index(b)]:.3f}"
            for _, a, b in found[:5]
        )
        yield f"correlated: {listed}" + (
            f" and {len(found) - 5} more pairs" if len(found) > 5 else ""
        )


def _errors(fit: Fit) -> Iterator[tuple[str, ...]]:
    held = [] if fit.held_out is None else [(f"held out: {fit.held_out.rule}", fit.held_out.errors)]
    for name, e in [("fitted", fit.fitted), *held]:
        inside = "-" if e.covered is None else f"{100 * e.covered:.0f}%"
        yield name, str(e.rows), number(e.log_rmse), number(e.log_bias, 2), number(e.r2), inside


def _held_out(fit: Fit, most: int = 10) -> list[Section]:
    """The held-out runs one by one, the worst predicted first."""
    held = fit.held_out
    if held is None:
        return []
    p = held.prediction
    error = p.loss / held.observed - 1
    inside = p.covers(held.observed)
    rows = tuple(
        (number(p.params[k], 3), number(p.tokens[k], 3), p.precision[k], f"{held.observed[k]:.4f}", f"{p.loss[k]:.4f}",
         f"{100 * error[k]:+.2f}%", f"{p.low[k]:.4f} to {p.high[k]:.4f}", "yes" if inside[k] else "NO")
        for k in np.argsort(-np.abs(error))[:most]
    )  # fmt: skip
    lines = (f"the {len(rows)} of {len(error)} that are furthest off",) if len(error) > most else ()
    head = (
        "params",
        "tokens",
        "precision",
        "observed",
        "predicted",
        "error",
        f"{100 * p.level:.0f}% interval",
        "inside",
    )
    return [Section(f"Held-out runs ({held.rule})", lines, head, rows)]


def _exponent(fit: Fit) -> Iterator[str]:
    value, low, high = fit.exponent
    if fit.withheld is not None:
        yield f"withheld: {fit.withheld}"
        yield f"(the law alone would say {number(value, 3)}, {number(low, 3)} to {number(high, 3)})"
    else:
        where = (
            f" (group {fit.optimum.problem.x.groups[0]})"
            if fit.optimum and fit.optimum.problem.x.groups
            else ""
        )
        yield f"params grow as compute to the power {number(value, 3)} ({number(low, 3)} to {number(high, 3)}) around {fit.flop:.2g} flop (6 N D){where}"


def _sensitivity(fit: Fit) -> list[Section]:
    s = fit.sensitivity
    if s is None:
        return []
    rows = [(k.name, number(k.value, 5), number(s.values[k.name], 5)) for k in fit.law.free]
    rows.append(("exponent of params", number(fit.exponent[0], 4), number(s.exponent, 4)))
    return [
        Section(
            "What changes with the objective",
            (),
            ("", str(fit.objective), s.objective),
            tuple(rows),
        )
    ]


def _efficiencies(fit: Fit) -> list[Section]:
    e = fit.efficiencies
    if e is None:
        return []
    head = (
        "",
        *(f"E = {floor:g}" for floor in e.floors),
        *(f"gap at E = {floor:g}" for floor in e.floors),
    )
    rows = [
        (name, *(number(v) for v in e.values[name]), *(number(g, 3) for g in e.gaps[name]))
        for name in e.values
    ]
    lines = (
        f"an efficiency means what its base makes it mean; the gap does not: nats at {e.params:.3g} params, {e.tokens:.3g} tokens",
        "objective at each floor: " + ", ".join(number(v, 5) for v in e.objective),
    )
    return [Section("Efficiencies with the floor E held", lines, head, tuple(rows))]


def _gaps(fit: Fit, most: int = 24) -> list[Section]:
    g = fit.gaps
    if g is None:
        return []
    shown = sorted(g.levels, key=lambda x: -x.pairs)[:most]
    rows = tuple((x.precision, str(x.pairs), str(x.negative), number(x.mean, 3)) for x in shown)
    lines = [
        f"{g.pairs} pairs of runs that share all but precision; {g.negative} gaps are not positive"
    ]
    lines += _slopes(g)
    if fit.gap_score is not None:
        score = fit.gap_score
        lines.append(
            f"this law misses the gaps by {score.nats:.3g} nats (root mean square of all), and by a factor {score.factor:.2f} "
            f"those {score.scored} of {score.pairs} that are positive in the runs and in the law"
        )
    if len(g.levels) > most:
        lines.append(
            f"the {most} precisions of most pairs are shown; {len(g.levels) - most} more are in fit.gaps.levels"
        )
    return [
        Section(
            "Paired gaps (no base law)",
            tuple(lines),
            ("precision", "pairs", "not positive", "mean gap, nats"),
            rows,
        )
    ]


def _slopes(g: Gaps) -> Iterator[str]:
    if g.together is not None:
        yield (
            f"gap grows to the power {_slope(g.together)} with tokens and params together: "
            "tokens per param are nearly constant in the pairs, so the two exponents cannot be told apart"
        )
        return
    for name, slope in (("tokens", g.tokens), ("params", g.params)):
        if slope is None:
            yield f"no exponent in {name}: the pairs do not vary in it"
        else:
            yield f"gap grows as {name} to the power {_slope(slope)}"


def _slope(slope: Slope) -> str:
    if not slope.freedom:
        return f"{slope.value:+.3f} (too few cells of params and tokens for an error)"
    low, high = slope.interval(0.9)
    return (
        f"{slope.value:+.3f} (90%: {low:+.3f} to {high:+.3f}, {slope.freedom} degrees of freedom)"
    )
