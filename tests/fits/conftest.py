"""Tables that the tests of fits share: simulated from a law with known constants."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from isoloss.fits import draw_runs
from isoloss.laws import Law, preset
from isoloss.runs import Runs


def design(sizes: int = 5, lengths: int = 6, precision: tuple[str, ...] = ("bf16",)) -> Runs:
    """A grid of params x tokens per param x precision, without losses."""
    n, ratio, p = np.meshgrid(
        np.geomspace(1e7, 1e9, sizes), np.geomspace(5, 500, lengths), np.arange(len(precision))
    )
    names = [precision[k] for k in p.ravel()]
    frame = {
        "params": n.ravel(),
        "tokens": (n * ratio).ravel(),
        "precision": names,
        "loss": np.ones(n.size),
    }
    return Runs.from_frame(pl.DataFrame(frame))


@pytest.fixture(scope="session")
def truth() -> Law:
    return preset("epoch2024")


@pytest.fixture(scope="session")
def table(truth: Law) -> Runs:
    return draw_runs(truth, design(), noise=0.003, seed=1)


@pytest.fixture(scope="session")
def quantised() -> Runs:
    return draw_runs(
        "kumar2024",
        design(4, 4, ("bf16", "w3", "w4", "w8", "a4", "a8", "kv4 a8", "kv5")),
        noise=0.002,
        seed=2,
    )
