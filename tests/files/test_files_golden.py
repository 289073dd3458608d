"""Files and stores of version 0.1 load, with the numbers that they had."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoloss.fits import Comparison, Fit
from isoloss.laws import Law
from isoloss.plans import Plan, load
from isoloss.runs import Store, read

GOLDEN = Path(__file__).parents[1] / "golden"
EXPECTED: dict[str, Any] = json.loads((GOLDEN / "expected.json").read_text())
POINT = ("3e8", "2e10", "w4")


def _floats(texts: Any) -> Any:
    if isinstance(texts, dict):
        return {name: float.fromhex(text) for name, text in texts.items()}
    return [float.fromhex(text) for text in texts]


def _same(found: Any, kind: str, name: str) -> None:
    """Numbers that are computed may differ by what another processor rounds; stored ones may
    not.
    """
    np.testing.assert_allclose(np.atleast_1d(found), _floats(EXPECTED[kind][name]), rtol=1e-12)


def test_a_fit_of_0_1_loads_the_same() -> None:
    fit = load(GOLDEN / "fit.json")
    assert isinstance(fit, Fit)
    np.testing.assert_equal(fit.values, _floats(EXPECTED["fit"]["values"]))
    assert list(fit.exponent) == _floats(EXPECTED["fit"]["exponent"])
    _same(fit.interval("E"), "fit", "interval_E")
    found = fit.predict(*POINT)
    for name in ("loss", "low", "high"):
        _same(getattr(found, name), "fit", name)


def test_a_comparison_of_0_1_loads_the_same() -> None:
    both = load(GOLDEN / "comparison.json")
    assert isinstance(both, Comparison)
    assert both.weights == _floats(EXPECTED["comparison"]["weights"])
    found = both.predict(*POINT)
    for name in ("loss", "low", "high"):
        _same(getattr(found, name), "comparison", name)


def test_a_plan_of_0_1_loads_the_same() -> None:
    plan = load(GOLDEN / "plan.json")
    assert isinstance(plan, Plan)
    best, expected = plan.choices[0], EXPECTED["plan"]
    assert [best.precision, *(x.hex() for x in (best.params, best.tokens, best.loss))] == expected[
        "best"
    ]
    assert (len(plan.choices), len(plan.regrets)) == (expected["choices"], expected["regrets"])
    assert plan.charts.surface.loss.ndim == 2


def test_a_law_of_0_1_loads_the_same() -> None:
    law = load(GOLDEN / "law.json")
    assert isinstance(law, Law)
    np.testing.assert_equal(dict(law.values), _floats(EXPECTED["law"]["values"]))
    assert sorted(law.fixed) == EXPECTED["law"]["fixed"]
    _same(law(*POINT), "law", "loss")


@pytest.mark.parametrize("how", [lambda path: Store(path).runs(), read], ids=["store", "read"])
def test_a_store_of_0_1_reads_the_same(how, tmp_path: Path) -> None:
    path = Path(shutil.copy(GOLDEN / "runs.db", tmp_path))
    runs, expected = how(path), EXPECTED["runs"]
    assert runs["key"].tolist() == expected["keys"]
    assert [loss.hex() for loss in runs["loss"]] == expected["loss"]
    assert [gap.hex() for gap in runs["gap"]] == expected["gap"]
    assert runs.hash == expected["hash"]
    assert [state.state for state in Store(path).tasks()] == ["done"] * 3
