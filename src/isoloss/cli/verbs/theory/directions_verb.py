"""``isoloss theory directions``: bias and variance of the risk in every eigendirection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import isoloss as il
from isoloss.cli.arguments import (
    AsInputs,
    AsIterate,
    AsScales,
    DescentLists,
    Keeping,
    ProblemLists,
    points_of,
    scales_of,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import keep_rows, said_point, show, show_json
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    import polars as pl

    from isoloss.formats import Precision
    from isoloss.linear import SGD, Regression, Scales

#: Directions that are printed; a file and --json have all.
MOST = 12
#: Parts of the risk that belong to no direction.
BESIDE = ("approximation", "floor", "rounding")


def directions(
    *,
    problem: ProblemLists,
    descent: DescentLists,
    iterate: AsIterate = "average",
    inputs: AsInputs = "clean",
    scales: AsScales = None,
    keeping: Keeping,
) -> None:
    """Split the exact risk by eigendirection: the bias and the variance of each.

    One setting; the directions of the largest risk are printed, and all of them kept.
    """
    points = points_of(problem, descent)
    if len(points) > 1:
        raise Refused(f"directions are those of one setting, not of {len(points)}; give no lists")
    read = scales_of(scales, [points[0][2]])
    frame = _frame(points[0], iterate, inputs, read)
    risk_of = il.linear.excess_risk
    whole = risk_of(*points[0], iterate, inputs, scales=read)  # type: ignore[arg-type]
    beside = {name: getattr(whole.parts, name) for name in BESIDE}
    keep_rows(frame, keeping)
    if keeping.as_json:
        content = {"inputs": inputs, "risk": whole.value, **beside, "directions": frame.to_dicts()}
        show_json("directions", content)
        return
    largest = frame.sort("risk", descending=True).head(MOST)
    share = sum(largest["risk"].to_list()) / sum(frame["risk"].to_list())
    rows = tuple(
        (str(row["direction"]), *(f"{row[name]:.4g}" for name in frame.columns[1:]))
        for row in largest.iter_rows(named=True)
    )
    lines = (
        said_point(points[0]),
        f"bias {frame['bias'].sum():.6g} + variance {frame['variance'].sum():.6g}, "
        f"{il.linear.INPUT_WORDS[inputs]}; the {len(rows)} shown are {share:.1%} of it",
        *_besides(whole.value, beside),
    )
    title = f"Risk by direction: {len(frame)} directions"
    show([il.fits.Section(title, lines, tuple(frame.columns), rows)])


def _besides(risk: float, beside: dict[str, float]) -> list[str]:
    """What of the risk belongs to no direction, where there is any."""
    parts = " + ".join(f"{name} {value:.6g}" for name, value in beside.items() if value)
    return [f"the whole risk is {risk:.6g}, of which {parts} in no direction"] if parts else []


def _frame(
    point: tuple[Regression, SGD, Precision], iterate: str, inputs: str, read: Scales
) -> pl.DataFrame:
    import polars as pl

    found = il.linear.risk_by_direction(*point, iterate, inputs, read)  # type: ignore[arg-type]
    return pl.DataFrame(
        {
            "direction": range(1, len(found.eigenvalue) + 1),
            "eigenvalue": found.eigenvalue,
            "bias": found.bias,
            "variance": found.variance,
            "risk": found.risk,
        }
    )


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "theory directions": (
        Example(
            "isoloss theory directions --dim 1000 --steps 1e4 --precision 'd:add(0.001)' -o "
            "directions.csv",
            "where the risk lies",
        ),
    ),
}
