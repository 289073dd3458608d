"""What the studies show with the values they have by default: the quick ones; the slower ones are
run by benchmarks.
"""

import numpy as np
import pytest

from isoloss.linear import STUDIES, study


def test_additive_noise_saturates_and_a_shared_factor_does_not() -> None:
    found = study("samples")
    assert found.at("additive", "eps 0.01")[1][-1] > 10 * found.at("additive", "eps 0")[1][-1]
    assert (
        found.at("shared factor", "eps 0.01")[1][-1]
        < 1.1 * found.at("shared factor", "eps 0")[1][-1]
    )
    assert len(found.runs) == len(found.table)


@pytest.mark.parametrize(
    ("panel", "part", "slope"),
    [
        ("additive", "activations", -1),
        ("additive", "parameter", 0),
        ("shared factor", "labels", 0),
        ("shared factor", "output gradients", -1),
        ("factor by element", "labels", -1),
        ("factor by element", "data", 0),
    ],
)
def test_what_a_batch_averages_away(panel: str, part: str, slope: float) -> None:
    x, y = study("batch").at(panel, part)
    assert np.polyfit(np.log(x[-5:]), np.log(y[-5:]), 1)[0] == pytest.approx(slope, abs=0.05)


def test_clean_risk_converges_while_the_risk_in_use_diverges() -> None:
    found = study("divergence")
    clean, used = (
        found.at("batch 1", f"additive noise, {reading}")[1] for reading in ("clean", "in use")
    )
    real = found.at("batch 1", "real integers, stochastic, in use")[1]
    assert used[-1] / used[0] > 5 > 1.5 > clean[-1] / clean[0]
    assert real[-1] / real[0] < 1.2


def test_a_study_prints_its_answer_and_unknown_ones_are_named() -> None:
    assert repr(study("batch")).startswith("batch: Does a larger batch average rounding away?")
    with pytest.raises(ValueError, match=r"^unknown study 'batches'; did you mean 'batch' or"):
        study("batches")
    with pytest.raises(ValueError, match=r"^unknown study 'x'; accepted are samples, dims,"):
        study("x")
    assert all(maker.__doc__ for maker in STUDIES.values())
