"""Small simulated runs and what is fitted to them, made once for the room."""

import numpy as np
import pytest

from isoloss.fits import Comparison, Fit, Profile, compare, fit, profile
from isoloss.laws import preset
from isoloss.runs import Run, Runs

LEVELS = ("bf16", "w3", "w4@quest", "w4@quest a8@quest")


def simulated(levels: tuple[str, ...] = LEVELS, noise: float = 0.003) -> Runs:
    """Runs of Kumar's law on four sizes and four lengths, one of them diverged and one
    unfinished.
    """
    law, rng = preset("kumar2024"), np.random.default_rng(0)
    rows = [
        Run(n, d, p, float(law(n, d, p)) * float(np.exp(noise * rng.normal())), source="simulated")
        for n in (3e7, 6e7, 1.2e8, 2.4e8)
        for d in (1.5e9, 3e9, 6e9, 2.4e10)
        for p in levels
    ]
    bad = [Run(3e7, 1e9, "w4", 9.0, status="diverged", source="simulated")]
    bad += [Run(3e7, 1e9, "w4", 4.0, status="unfinished", source="simulated")]
    return Runs(rows + bad)


@pytest.fixture(scope="session")
def runs() -> Runs:
    return simulated()


@pytest.fixture(scope="session")
def plain_runs() -> Runs:
    return simulated(("bf16",))


@pytest.fixture(scope="session")
def fitted(runs: Runs) -> Fit:
    return fit("kumar2024", runs, draws=20, starts=4, holdout="largest")


@pytest.fixture(scope="session")
def base_fit(plain_runs: Runs) -> Fit:
    return fit("chinchilla", plain_runs, draws=20, starts=4)


@pytest.fixture(scope="session")
def comparison(runs: Runs) -> Comparison:
    return compare(["chinchilla", "kumar2024", "sun2025"], runs, draws=10, starts=4)


@pytest.fixture(scope="session")
def alpha_profile(base_fit: Fit) -> Profile:
    assert base_fit.optimum is not None
    assert base_fit.sample is not None
    return profile(base_fit, "alpha", 0.9, grid=11)
