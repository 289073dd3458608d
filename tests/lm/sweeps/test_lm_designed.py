"""The bundled table isoloss2026: it is what its recipe says, and its rows hang together."""

import numpy as np
import pytest
from benchmarks.isoloss2026 import BLOCKS, RECIPE, keys_of_design

from isoloss.lm.sweeps import jobs_of
from isoloss.runs import TABLES, Runs, read


@pytest.fixture(scope="module")
def table() -> Runs:
    return read("isoloss2026")


def test_the_rows_are_those_of_the_recipe(table: Runs) -> None:
    """Keys are hashes of all that determines a run, so a table of another recipe has other keys."""
    known = dict(keys_of_design())
    assert set(table["key"]) == set(known)
    assert len(set(table["key"])) == len(table)
    assert set(table["block"]) == {block.name for block in BLOCKS}


def test_trained_rows_are_their_jobs(table: Runs) -> None:
    jobs = {job.key: job for block in BLOCKS for job in jobs_of(block.grids, recipe=RECIPE)}
    for run in table:
        if run.parent is None:
            job = jobs[run.key or ""]
            assert (run.params, run.tokens, run.seed) == (
                job.shape.non_embedding_params,
                job.tokens,
                job.seed,
            )
            assert run.precision == str(job.precision)
            assert run.flops == job.row.flops


def test_rows_after_training_hang_on_their_parents(table: Runs) -> None:
    losses = {run.key: run.loss for run in table}
    frame = table.frame()
    after = frame.filter(frame["parent"].is_not_null() & (frame["status"] == "ok"))
    assert len(after) > 500
    before = np.array([losses[key] for key in after["parent"]])
    assert after["gap"].to_numpy() == pytest.approx(after["loss"].to_numpy() - before, abs=1e-5)
    assert (after["kl"] >= 0).all()
    assert all(
        p.split(" -> ")[0] == b
        for p, b in zip(after["precision"], _trained(after["parent"], table), strict=True)
    )


def _trained(parents: object, table: Runs) -> list[str]:
    spelled = dict(zip(table["key"], table["precision"], strict=True))
    return [spelled[key] for key in parents]  # type: ignore[attr-defined]


def test_losses_lie_above_the_entropy_and_fall_with_tokens(table: Runs) -> None:
    """The truth itself scores 1.9675 on the validation tokens
    (benchmarks/synthetic_language.py).
    """
    assert table["loss"].min() > 1.9675
    full = table.where(precision="fp", schedule="wsd", lr_peak=0.01, seed=0)
    for n in set(full["params"]):
        line = full.where(params=n, block="length")
        order = np.argsort(line["tokens"])
        assert (np.diff(line["loss"][order]) < 0).all()


def test_what_it_is_called() -> None:
    assert TABLES["isoloss2026"].provenance.licence == "Apache-2.0"
    assert "synthetic" in TABLES["isoloss2026"].summary
