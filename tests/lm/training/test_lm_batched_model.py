"""Cells: every member has the losses, gradients and steps that it has alone, and the cell is part
of what a run is.
"""

import math
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.exc import FailOnRecompileLimitHit

from isoloss.formats import Format
from isoloss.lm import Language, Model, ModelError, Recipe, fake_quantise, foreseen, train
from isoloss.lm.model import loss_of
from isoloss.lm.rounding.many_grids import Grids, is_plain
from isoloss.lm.sweeps import jobs_of, kinds
from isoloss.lm.sweeps.shared_prefix import SharedPrefix
from isoloss.lm.training.batched_model import BatchedModel
from isoloss.lm.training.batched_trainer import BatchedTrainer
from isoloss.lm.training.job import Job, in_batches
from isoloss.lm.training.trainer import Trainer
from isoloss.runs import Decoder, Grid, Runs, RunsWarning

LANGUAGE = Language(vocab=64, context=16)
SHAPE = Decoder(2, 32, 4, 64, kv_heads=2, ffn=64)
RECIPE = Recipe(sequences=4, validation=16, compiled=False)
STEP = 4 * 16
#: Every kind of rounding, those of plain formats and those that go one by one.
PRECISIONS = (
    "fp",
    "fp",
    "w3",
    "w3",
    "w4 a4 kv4 q8",
    "w4 a4 kv4 q8",
    "w:e2m1 a:e4m3",
    "w4/16 a:uint8 g8",
    "w:nvfp4 a:mxfp4",
    "w4+clip@clipped a4/row",
    "w4@quest a4/row@quest",
    "w4~sr a4~sr g4~sr",
    "w4~sr a4~sr g4~sr",
    "w4+had",
    "w3 w.head:4 w.embedding:4 a.fc2:2",
    "w:ternary a:e5m2",
)


@pytest.fixture
def wide() -> Iterator[None]:
    """Training in float64, where the order of sums does not show."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def job(
    precision: str, steps: int = 12, seed: int = 0, shape: Decoder = SHAPE, **settings: Any
) -> Job:
    return Job.of(shape, steps * STEP, precision, LANGUAGE, replace(RECIPE, **settings), seed)


def trained(trainer: Trainer, steps: int = 12) -> Trainer:
    trainer.advance(steps, steps, trainer.jobs[0].recipe)
    return trainer


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("tied", [False, True])
def test_losses_and_gradients_are_those_of_each_model_alone(tied: bool) -> None:
    shape, draw = replace(SHAPE, tied=tied), torch.Generator().manual_seed(5)
    precisions = [p for p in PRECISIONS if not tied or "head" not in p]
    models = [Model(shape, p, seed, compiled=False) for seed, p in enumerate(precisions)]
    for model in models:
        with torch.no_grad():  # a head that starts at zero passes no gradient on
            model.head.weight.normal_(0, 0.1, generator=draw)
    tokens = torch.randint(64, (len(models), 4, 17), generator=draw)
    cell = BatchedModel(models)
    cell.draw_from([torch.Generator().manual_seed(k) for k in range(len(models))])
    losses = cell.losses(tokens[..., :-1], tokens[..., 1:])
    losses.sum().backward()
    stacked = dict(cell.named_parameters())
    for k, model in enumerate(models):
        model.draw_from(torch.Generator().manual_seed(k))
        loss = loss_of(model, tokens[k, :, :-1], tokens[k, :, 1:])
        loss.backward()
        assert losses[k].item() == pytest.approx(loss.item(), abs=1e-12)
        for name, p in model.named_parameters():
            gradient = stacked[name].grad
            assert gradient is not None
            assert p.grad is not None
            assert torch.allclose(
                gradient[k], p.grad, rtol=0, atol=1e-12 * float(p.grad.abs().max()) + 1e-15
            )


@pytest.mark.usefixtures("wide")
def test_members_take_the_steps_that_they_take_alone() -> None:
    """Clipping, AdamW by width, schedule, batches by seed and each member's own random numbers."""
    jobs = [
        job(p, seed=seed, lr=0.03) for p in ("fp", "w3 a4 kv4", "w4~sr g4~sr") for seed in (0, 1)
    ]
    cell = trained(BatchedTrainer(*jobs))
    for k, (one, ended) in enumerate(zip(jobs, cell.ended(), strict=True)):
        alone = trained(Trainer(one))
        assert [now[k] for now in cell.losses] == pytest.approx(
            [now[0] for now in alone.losses], abs=1e-9
        )
        for p, q in zip(ended.model.parameters(), alone.model.parameters(), strict=True):
            assert torch.allclose(p, q, rtol=0, atol=1e-8)
    assert len({loss for (*_, loss) in cell.losses}) == 12


@pytest.mark.parametrize("numbers", ["float32", "bfloat16"])
def test_in_float32_the_order_of_sums_is_all_that_differs(numbers: str) -> None:
    """Before a sum's last bit turns a rounding over, the losses are equal to it."""
    jobs = [job(p, dtype=numbers) for p in ("fp", "w4 a8", "w:e2m1")]
    cell = trained(BatchedTrainer(*jobs), 6)
    for k, one in enumerate(jobs):
        alone = trained(Trainer(one), 6)
        assert [now[k] for now in cell.losses] == pytest.approx(
            [now[0] for now in alone.losses], abs=1e-5
        )


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++")
def test_fused_rounding_changes_nothing() -> None:
    ends = []
    for compiled in (True, False):
        jobs = [
            job(p, 3, seed, compiled=compiled) for p in ("w3 a4", "w:e2m1 a4") for seed in (0, 1)
        ]
        ends.append(trained(BatchedTrainer(*jobs), 3).losses)
    assert ends[0] == ends[1]


@pytest.mark.usefixtures("wide")
def test_a_member_that_breaks_stays_as_it_is_and_the_others_learn_on() -> None:
    jobs = [job("w4", seed=seed) for seed in range(3)]
    cell, alone = BatchedTrainer(*jobs), [Trainer(one) for one in jobs]
    for trainer in (cell, *alone):
        trainer.advance(4, 12, RECIPE)
    with torch.no_grad():
        dict(cell.model.named_parameters())["norm.weight"][1] = math.nan
        dict(alone[1].model.named_parameters())["norm.weight"].fill_(math.nan)
    for trainer in (cell, *alone):
        trainer.advance(12, 12, RECIPE)
    for ended, one in zip(cell.ended(), alone, strict=True):
        (expected,) = one.ended()
        assert ended.broken == expected.broken
        assert ended.losses == pytest.approx(expected.losses, abs=1e-9, nan_ok=True)
        for p, q in zip(ended.model.parameters(), expected.model.parameters(), strict=True):
            assert torch.allclose(p, q, rtol=0, atol=1e-8, equal_nan=True)
    assert [ended.broken for ended in cell.ended()] == [
        None,
        "the training loss is nan at step 5",
        None,
    ]
    with torch.no_grad():
        for p in cell.model.parameters():
            p.fill_(math.nan)
    cell.advance(20, 20, RECIPE)
    assert (cell.step, cell.broken) == (13, [0, 1, 2])  # nothing is left to train


def test_a_loss_that_was_no_number_once_ends_a_member_for_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cell = BatchedTrainer(*[job("w4", seed=seed) for seed in range(3)])
    usual, third = cell.model.losses, torch.tensor([1.0, math.inf, 1.0])
    monkeypatch.setattr(
        cell.model, "losses", lambda *t: usual(*t) * (third if cell.step == 2 else 1.0)
    )
    cell.advance(2, 8, RECIPE)
    before = [p[1].clone() for p in cell.model.parameters()]
    cell.advance(8, 8, RECIPE)
    assert cell.broken == [1]
    assert [len(ended.losses) for ended in cell.ended()] == [8, 3, 8]
    assert all(
        torch.equal(p[1], old) for p, old in zip(cell.model.parameters(), before, strict=True)
    )


def test_a_cell_goes_on_to_the_last_bit() -> None:
    jobs = [job(p, 9, seed) for p in ("w3 a4", "w4~sr g4~sr") for seed in (0, 1)]
    whole = trained(BatchedTrainer(*jobs), 9)
    for at in (0, 1, 5):
        first = BatchedTrainer(*jobs)
        first.advance(at, 9, RECIPE)
        second = BatchedTrainer(*jobs)
        second.restore(first.tensors())
        assert trained(second, 9).losses == whole.losses


def test_cells_are_trunks_that_differ_in_precision_and_seed_alone() -> None:
    grid = Grid(
        params=["4k", "6k"],
        tokens=["2k", "4k"],
        precision=["fp", "w4"],
        seed=[0, 1],
        schedule="wsd",
    )
    jobs = jobs_of(grid, Language(vocab=32, context=16), replace(RECIPE, warmup=3))
    cells = in_batches(jobs)
    assert [len(cell) for cell in cells] == [
        8,
        8,
    ]  # two sizes: two token counts x two precisions x two seeds
    assert {(str(one.precision), one.seed) for one in cells[0]} == {
        (p, s) for p in ("fp", "w4") for s in (0, 1)
    }
    assert len({one.cell for cell in cells for one in cell}) == 2
    again = in_batches(jobs[::-1])
    assert {one.key for cell in again for one in cell} == {
        one.key for cell in cells for one in cell
    }


def test_the_cell_is_part_of_what_a_run_is() -> None:
    two, three = ([job(p) for p in ps] for ps in (["fp", "w4"], ["fp", "w4", "w3"]))
    keys = [{one.key for one in jobs} for jobs in (two, *in_batches(two), *in_batches(three))]
    assert len(set.union(*keys)) == 2 + 2 + 3
    assert in_batches(two[:1]) == [two[:1]]  # one alone is no cell
    ends_elsewhere = job("w3", 20)
    assert in_batches([*two, ends_elsewhere]) == [*in_batches(two), [ends_elsewhere]]


def test_members_whose_settings_are_spelled_otherwise_are_still_members() -> None:
    """A warm-up of 50 steps is what wsd has where none is given."""
    jobs = [
        job("fp", schedule="wsd", warmup=50),
        job("fp", seed=1, schedule="wsd"),
        job("w4", schedule="wsd"),
    ]
    (cell,) = in_batches(jobs)
    assert [len(branch) for branch in SharedPrefix(tuple(cell)).branches] == [3]


def test_learned_steps_are_refused() -> None:
    with pytest.raises(
        ModelError,
        match=r"^'w4@lsq' has learned steps, which cells=True does not have; train it without$",
    ):
        in_batches([job("w4@lsq"), job("fp")])


# ---- in sweeps
GRID = Grid(params="4k", tokens=[5 * STEP, 10 * STEP], precision=["fp", "w4"], seed=[0, 1])


def swept(store: Path, grid: Grid = GRID, **more: Any) -> Runs:
    how: dict[str, Any] = {
        "corpus": Language(vocab=32, context=16),
        "recipe": RECIPE,
        "show": False,
    }
    with ThreadPoolExecutor(1) as executor:
        return train(grid, store=store, executor=executor, **(how | more))


def losses(runs: Runs) -> dict[str | None, float]:
    return {run.key: run.loss for run in runs}


def test_a_sweep_by_cells_has_the_rows_of_one_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = swept(tmp_path / "alone.db", post=["w3"])
    runs = swept(tmp_path / "runs.db", post=["w3"], cells=True)
    assert len(runs) == len(alone) == 16
    assert not {run.key for run in runs} & {run.key for run in alone}
    found, expected = (
        {(r.tokens, r.precision, r.seed): r.loss for r in table} for table in (runs, alone)
    )
    assert found == pytest.approx(expected, abs=1e-4)
    cells = runs.frame()["cell"]
    assert cells.null_count() == 8  # rows after training have their parent's
    assert cells.n_unique() == 3
    capsys.readouterr()
    assert swept(tmp_path / "runs.db", post=["w3"], cells=True, show=True) == runs
    assert "nothing to do: all " in capsys.readouterr().err


def test_one_member_that_fails_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = kinds.finished

    def failing(ended: Any, job: Job) -> Any:
        if (job.seed, str(job.precision)) == (1, "w4"):
            raise MemoryError("no room")
        return usual(ended, job)

    monkeypatch.setattr("isoloss.lm.sweeps.kinds.finished", failing)
    with pytest.warns(
        RunsWarning, match=r"batched sweep of 4, cosine failed: MemoryError: no room"
    ):
        runs = swept(tmp_path / "runs.db", cells=True)
    assert len(runs) == 6
    monkeypatch.undo()
    assert losses(swept(tmp_path / "runs.db", cells=True)) == losses(
        swept(tmp_path / "whole.db", cells=True)
    )


def test_models_of_a_cell_are_kept_and_not_trained_again(tmp_path: Path) -> None:
    keep = tmp_path / "models"
    first = swept(tmp_path / "runs.db", cells=True, keep=keep)
    assert {path.stem for path in keep.iterdir()} == {run.key for run in first}
    for path in keep.iterdir():
        path.touch()
    before = {path: path.stat().st_mtime_ns for path in keep.iterdir()}
    later = swept(tmp_path / "runs.db", cells=True, keep=keep, post=["w3"])
    assert losses(later) == losses(swept(tmp_path / "whole.db", cells=True, post=["w3"]))
    assert before == {
        path: path.stat().st_mtime_ns for path in keep.iterdir()
    }  # none was written again


@pytest.mark.filterwarnings("ignore::isoloss.runs.NothingUsable")
@pytest.mark.parametrize(
    "precision", ["w8 w.embedding:4~sr", "w4/row+clip@clipped a4/row+clip@clipped"]
)
def test_rounding_that_draws_or_overflows_ends_in_a_row(precision: str, tmp_path: Path) -> None:
    grid = Grid(
        params="4k",
        tokens=5 * STEP,
        precision=["fp", precision],
        lr=1e12,
        clip=1e9,
        schedule="constant",
    )
    for cells in (True, False):
        runs = swept(tmp_path / f"{cells}.db", cells=cells, grid=grid)
        assert len(runs) == 2
        assert "diverged" in {run.status for run in runs}


def test_a_tied_head_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    grid = Grid(params="4k", tokens=5 * STEP, precision=["fp", "w.head:4"], tied=True)
    with pytest.raises(ModelError, match=r"^a tied head is the embedding: "):
        swept(tmp_path / "runs.db", cells=True, grid=grid)
    assert not (tmp_path / "runs.db").exists()


def test_workers_are_counted_from_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^workers is 0"):
        train(GRID, store=tmp_path / "runs.db", recipe=RECIPE, workers=0, show=False)


def test_a_cell_counts_its_members() -> None:
    how: dict[str, Any] = {
        "corpus": Language(vocab=32, context=16),
        "recipe": RECIPE,
        "store": "none.db",
    }
    apart, cells = foreseen(GRID, **how, workers=1), foreseen(GRID, **how, workers=1, cells=True)
    assert (apart.rows, apart.flops) == (cells.rows, cells.flops)
    assert (
        cells.memory
        == 4 * apart.memory + 4 * 4 * jobs_of(GRID, how["corpus"], RECIPE)[0].shape.params
    )
    assert (apart.tasks, cells.tasks) == (8, 2)


def test_a_device_that_is_not_there_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    for device in ("cuda", "meta"):
        with pytest.raises(ModelError, match=rf"^cannot train on device '{device}': "):
            train(GRID, store=tmp_path / "runs.db", recipe=replace(RECIPE, device=device))
    assert not (tmp_path / "runs.db").exists()


# ---- plain formats side by side
def test_more_programs_than_torch_keeps_round_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*numbers: Any) -> None:
        raise FailOnRecompileLimitHit

    monkeypatch.setattr("isoloss.lm.rounding.many_grids._program", lambda *key: full)
    x, formats = torch.randn(2, 3, 8), [Format.parse("int4/row"), None]
    assert torch.equal(Grids(formats, compiled=True)(x), Grids(formats, compiled=False)(x))


PLAIN = [
    f"{name}/{share}"
    for name in (
        "int2",
        "int3",
        "int4",
        "int8",
        "int16",
        "int3_full",
        "int8_full",
        "e2m1",
        "e2m3",
        "e3m2",
        "e4m3",
        "e5m2",
        "e3m4",
    )
    for share in ("row", "tensor")
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_formats_side_by_side_round_as_each_alone_to_the_last_bit(dtype: torch.dtype) -> None:
    formats = [Format.parse(name) for name in PLAIN]
    assert all(map(is_plain, formats))
    draw = torch.Generator().manual_seed(2)
    numbers = torch.randn(6, 64, generator=draw, dtype=torch.float64)
    numbers[1] *= 10.0 ** torch.linspace(
        -30, 3, 64
    )  # all binades, subnormals of every format among them
    numbers[2] = torch.linspace(-7, 7, 64) / 2  # midpoints of int4
    numbers[3] = 0
    numbers[4, 0] = torch.nan
    numbers[5] = torch.tensor([2.0**-130, -(2.0**-140)]).repeat(32)
    x = numbers.to(dtype).expand(len(formats) + 1, 6, 64).contiguous()
    rounded = Grids([*formats, None], compiled=False)(x)
    for known, one, given in zip(formats, rounded, x, strict=False):
        assert torch.equal(
            one.nan_to_num(7), fake_quantise(given, known, check=False).nan_to_num(7)
        ), known
    assert torch.equal(rounded[-1].nan_to_num(7), x[-1].nan_to_num(7))


@pytest.mark.parametrize(
    "name",
    [
        "int4/16",
        "uint4/row",
        "int4/row~sr",
        "int4/row+had",
        "int4/row+clip",
        "int4/row+pow2",
        "bf16",
        "mxfp4",
        "int4/row@lsq",
    ],
)
def test_formats_with_a_rule_of_their_own_are_not_plain(name: str) -> None:
    assert not is_plain(Format.parse(name))
