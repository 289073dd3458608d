"""The figure of payoffs: every recipe where it is, and the line of no gain through the right
points.
"""

import numpy as np
import polars as pl
import pytest

from isoloss.laws import preset
from isoloss.plans import Payoffs, pays
from isoloss.plots import plot
from isoloss.runs import Runs

LENGTHS = (1e10, 2e10, 4e10)


@pytest.fixture(scope="module")
def found() -> Payoffs:
    law, rows = preset("epoch2024"), []
    for d in LENGTHS:
        for precision, gap in (("bf16", 0.0), ("w4", 0.01), ("w2", 0.2)):
            loss = float(law(1e9, d)) + gap
            rows.append({"params": 1e9, "tokens": d, "precision": precision, "loss": loss})
    return pays(Runs.from_frame(pl.DataFrame(rows)), {"w4": 1.5, "w2": 1.8})


def test_recipes_stand_at_their_speed_up_and_gap(found: Payoffs) -> None:
    figure = plot(found)
    (axes,) = [each for each in figure.figure.axes if each.axison]
    bars = {
        (float(line.get_xdata()[0]), round(float(line.get_ydata()[0]), 6))  # type: ignore[index]
        for line in axes.lines
        if line.get_marker() in ("o", "D", "X")
    }
    assert bars == {(1.5, 0.01), (1.8, 0.2)}
    assert {each.get_text() for each in axes.texts} == {"w4", "w2"}
    assert "A recipe below the line pays." in figure.caption


def test_the_line_is_what_the_reference_loses_with_fewer_tokens(found: Payoffs) -> None:
    line, law = found.indifference, preset("epoch2024")
    assert line.gap[0] == pytest.approx(0.0, abs=1e-9)
    at = LENGTHS[-1]
    wanted = [float(law(1e9, at / r)) - float(law(1e9, at)) for r in line.ratio.tolist()]
    assert line.gap == pytest.approx(np.array(wanted), abs=1.5e-3)
    assert (line.low <= line.gap).all()
    assert (line.gap <= line.high).all()
