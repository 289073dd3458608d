"""Fixtures for the tests of the commands: the shell, small simulated tables, a saved fit and a
saved comparison.
"""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from isoloss.cli import app

Shell = Callable[..., Result]


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], prog_name="isoloss")


def rows(sources: tuple[str, ...] = ("mine",), seed: int = 0) -> list[str]:
    """A design of four sizes, four lengths and three precisions, with 0.5% noise; w4 counts as
    0.7 of the params.
    """
    rng = np.random.default_rng(seed)
    design = itertools.product(
        sources, (2e7, 5e7, 1e8, 2e8), (1e9, 2e9, 5e9, 1e10), ("bf16", "w4", "w8")
    )
    lines = []
    for source, n, d, precision in design:
        worth = {"bf16": 1.0, "w4": 0.7, "w8": 0.97}[precision]
        loss = 1.8 + 400 * (n * worth) ** -0.34 + 410 * d**-0.28 + 0.2 * (source == "other")
        lines.append(
            f"{source},{n:.0f},{d:.0f},{precision},{loss * np.exp(0.005 * rng.normal()):.5f}"
        )
    return lines


def write(path: Path, lines: list[str], head: str = "source,params,tokens,precision,loss") -> Path:
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs ``isoloss`` with these words in an empty folder, without colour or a network."""
    monkeypatch.chdir(tmp_path)
    for name in ("FORCE_COLOR", "COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ISOLOSS_MIRROR", "http://127.0.0.1:9")
    return run


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("tables") / "mine.csv", rows())


@pytest.fixture(scope="session")
def two_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("tables") / "both.csv", rows(("mine", "other")))


@pytest.fixture(scope="session")
def saved_fit(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "fit.json"
    words = [
        "fit",
        table,
        "--law",
        "frantar2025",
        "--holdout",
        "largest",
        "--draws",
        20,
        "--starts",
        6,
    ]
    assert run(*words, "-o", path).exit_code == 0
    return path


@pytest.fixture(scope="session")
def saved_comparison(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "laws.json"
    words = ["compare", table, "--law", "chinchilla,frantar2025", "--draws", 20, "--starts", 6]
    assert run(*words, "-o", path).exit_code == 0
    return path
