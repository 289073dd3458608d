"""One run on two processes beside one: losses, roundings that flip, and runs that are killed and
taken up by one or two.

It starts its parts with torchrun: gloo, one thread a process. Beside two processes stands one that
takes the sequences of each batch in reverse: the same function with sums in another order, which is
all that the number of processes should change.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.timing import table
from isoloss.lm import Language, Recipe, model_of
from isoloss.lm.model import loss_of
from isoloss.lm.parallel import ParallelTrainer, PartRounding, Ranks, ranks_on
from isoloss.lm.rounding import Rounding
from isoloss.lm.sweeps.parallel_sweep import parallel_sweep, runs_of
from isoloss.lm.training import Job, Parallel, Trainer, batch_of, finished
from isoloss.runs import Store

SIZE, STEPS, SEEDS = "8k", 200, 3
#: Seeds on one process, by which the order of sums is told from the seed.
MANY = 16
PRECISIONS, KINDS = ("fp", "w4 a4 kv4"), ("ddp", "fsdp")
#: Losses nearer than that are alike.
WITHIN = 1e-5
#: Ranks before a kill and after it, and what is killed.
TAKEN_UP = ((2, 1), (1, 2), (2, 2))
KILLED = (("ddp", "fp"), ("fsdp", "fp"), ("fsdp", "w4 a4 kv4"))
LANGUAGE, RECIPE = Language(), Recipe(compiled=False)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "alike.json"
        assert _torchrun(2, "alike", str(out)).wait() == 0
        rows = json.loads(out.read_text("utf-8"))
        print(f"### Two processes and one: {SIZE} params, {STEPS} steps, {SEEDS} seeds\n")
        print(_alike(rows), "\n")
        print(f"### The order of sums and the seed, {SIZE} params, {STEPS} steps, {MANY} seeds\n")
        print(_orders(), "\n")
        print(f"### Killed and taken up, {SIZE} params, {STEPS} steps\n")
        print(_killed(Path(folder)))


# ---- two processes beside one
class Reversed(Trainer):
    """A trainer that takes the sequences of every batch in reverse."""

    def _loss(self, step: int, recipe: Recipe) -> Tensor:
        (job,) = self.jobs
        pair = batch_of(job.corpus, step, recipe, job.seed)
        return loss_of(self.model, *(part.flip(0) for part in pair))


class Recorder:
    """A rounding that keeps its codes: the numbers over their step, as whole numbers."""

    def __init__(self, own: Rounding | PartRounding, codes: list[Tensor]):
        self.own, self.codes = own, codes

    def __call__(self, x: Tensor, random: torch.Generator | None = None) -> Tensor:
        """x rounded."""
        y = self.own(x, random)
        parted = isinstance(self.own, PartRounding)
        known = self.own.own.known if parted else self.own.known
        z = self.own.ranks.whole(y.detach()) if parted else y.detach()
        shared = z.abs().amax() if known.granularity == "tensor" else z.abs().amax(-1, keepdim=True)
        step = (shared / known.max).clamp_min(1e-30)
        self.codes.append((z / step).round().to(torch.int8).reshape(-1))
        return y


def recorded(trainer: Trainer) -> list[Tensor]:
    """The codes of a trainer's roundings of integers, of the step that it took last."""
    codes: list[Tensor] = []
    for module in trainer.model.modules():
        for name, rounding in list(vars(module).items()):
            if isinstance(rounding, Rounding | PartRounding):
                setattr(module, name, Recorder(rounding, codes))
    return codes


def alike(ranks: Ranks) -> list[dict[str, Any]]:
    """How far losses are apart, and which roundings flip, by kind, precision, type and seed."""
    found = []
    for dtype, kind, precision in itertools.product(("float32", "float64"), KINDS, PRECISIONS):
        torch.set_default_dtype(getattr(torch, dtype))
        for seed in range(SEEDS if dtype == "float32" else 1):
            row = _beside(ranks, kind, precision, seed)
            found.append({"dtype": dtype, "kind": kind, "precision": precision, **row})
            if ranks.leads:
                print(f"compared {kind} {precision} {dtype} {seed}", file=sys.stderr, flush=True)
    return found


def _job(kind: str, precision: str, seed: int = 0) -> Job:
    tokens = STEPS * RECIPE.sequences * LANGUAGE.context
    shape, parallel = model_of(SIZE), Parallel(kind)  # type: ignore[arg-type]
    return Job.of(shape, tokens, precision, LANGUAGE, RECIPE, seed, parallel)


def _beside(ranks: Ranks, kind: str, precision: str, seed: int) -> dict[str, Any]:
    job = _job(kind, precision, seed)
    both = ParallelTrainer(job, ranks)
    codes = recorded(both)
    one = Trainer(replace(job, parallel=None)) if ranks.leads else None
    other = Reversed(replace(job, parallel=None)) if ranks.leads else None
    if other is not None:
        other.advance(STEPS, STEPS, RECIPE)
    known = recorded(one) if one else []
    flips, rounded = [], 0
    for step in range(1, STEPS + 1):
        both.advance(step, STEPS, RECIPE)
        if one is not None:
            one.advance(step, STEPS, RECIPE)
            pairs = zip(codes, known, strict=True)
            flips.append(sum(int((a != b).sum()) for a, b in pairs))
            rounded = sum(map(len, known))
        codes.clear()
        known.clear()
    for trainer in (both, one):
        if trainer is not None:
            _unrecorded(trainer)
    last = finished(both.ended()[0], job).evaluation.loss
    if one is None or other is None:
        return {}
    alone, turned = (finished(t.ended()[0], job).evaluation.loss for t in (one, other))
    return {
        "seed": seed,
        "losses": [loss for (loss,) in both.losses],
        "alone": [loss for (loss,) in one.losses],
        "reversed": [loss for (loss,) in other.losses],
        "flips": flips,
        "rounded": rounded,
        "validation": [last, alone, turned],
    }


def _unrecorded(trainer: Trainer) -> None:
    for module in trainer.model.modules():
        for name, rounding in list(vars(module).items()):
            if isinstance(rounding, Recorder):
                setattr(module, name, rounding.own)


def _alike(rows: Sequence[dict[str, Any]]) -> str:
    lines, spread = [], []
    for name in itertools.product(("float32", "float64"), KINDS, PRECISIONS):
        of_one = [row for row in rows if (row["dtype"], row["kind"], row["precision"]) == name]
        lines.append([*name, *_said(of_one)])
        if len(of_one) == SEEDS:
            ends = np.array([row["validation"] for row in of_one])
            by_ranks, by_order = np.sqrt(np.mean(np.square(ends[:, [0, 2]] - ends[:, [1]]), axis=0))
            by_seed = np.sqrt(2) * ends[:, 1].std(ddof=1)  # of the difference of two seeds
            spread.append([*name[1:], f"{by_ranks:.1e}", f"{by_order:.1e}", f"{by_seed:.1e}"])
    head = [
        "type", "kind", "precision", "largest difference before a flip", "its median over steps",
        "first flip, step", f"first difference above {WITHIN:g}, step", "codes flipped at first",
        "share flipped, last step", "largest difference", "largest, reversed",
    ]  # fmt: skip
    ends_head = [
        "kind",
        "precision",
        "two processes less one",
        "reversed less one",
        "seed less seed",
    ]
    return (
        "Training losses of two processes less those of one, nats a token; codes are those of "
        f"weights, activations, keys and values.\n\n{table(head, lines)}\n\nRoot mean squares of "
        f"differences of validation losses, float32, {SEEDS} seeds:\n\n{table(ends_head, spread)}"
    )


def _orders() -> str:
    """How far the order of sums and the seed move the end of a run, on one process."""
    torch.set_default_dtype(torch.float32)
    lines = []
    for precision in PRECISIONS:
        ends = np.array([_ends(precision, seed) for seed in range(MANY)])
        squares = (ends[:, 1] - ends[:, 0]) ** 2
        by_order = float(np.sqrt(squares.mean()))
        by_seed = float(np.sqrt(2) * ends[:, 0].std(ddof=1))
        errors = (
            float(squares.std(ddof=1)) / np.sqrt(MANY) / (2 * by_order),
            by_seed / np.sqrt(2 * (MANY - 1)),
        )
        told = (f"{v:.1e} (se {e:.1e})" for v, e in zip((by_order, by_seed), errors, strict=True))
        lines.append([precision, *told])
    return (
        "Root mean squares of differences of validation losses, float32, one process.\n\n"
        + table(["precision", "reversed less one", "seed less seed"], lines)
    )


def _ends(precision: str, seed: int) -> list[float]:
    """Validation losses of a run, and of one with the sequences of its batches in reverse."""
    job = replace(_job("ddp", precision, seed), parallel=None)
    found = []
    for kind in (Trainer, Reversed):
        trainer = kind(job)
        trainer.advance(STEPS, STEPS, RECIPE)
        found.append(finished(trainer.ended()[0], job).evaluation.loss)
    return found


def _said(rows: Sequence[dict[str, Any]]) -> list[str]:
    apart = np.array([np.abs(np.subtract(row["losses"], row["alone"])) for row in rows])
    order = np.array([np.abs(np.subtract(row["reversed"], row["alone"])) for row in rows])
    flips = np.array([row["flips"] for row in rows])
    first = [int(np.argmax(each > 0)) if each.any() else STEPS for each in flips]
    far = [int(np.argmax(each > WITHIN)) if (each > WITHIN).any() else STEPS for each in apart]
    # The step of the first flip has other roundings already.
    before = np.concatenate([each[:k] for each, k in zip(apart, first, strict=True)])
    count = [int(each[k]) if k < STEPS else 0 for each, k in zip(flips, first, strict=True)]

    def steps(found: Sequence[int]) -> str:
        return ", ".join("none" if k == STEPS else f"{k + 1}" for k in found)

    rounded = max(1, rows[0]["rounded"])
    return [
        f"{before.max():.1e}" if len(before) else "-",
        f"{np.median(before):.1e}" if len(before) else "-",
        steps(first),
        steps(far),
        ", ".join(map(str, count)),
        f"{flips[:, -1].mean() / rounded:.1%}",
        f"{apart.max():.1e}",
        f"{order.max():.1e}",
    ]


# ---- killed and taken up
def _killed(folder: Path) -> str:
    lines, draw = [], random.Random(0)
    for kind, precision in KILLED:
        whole = {}
        for count in (1, 2):
            store = folder / f"{kind}{precision[:2]}{count}.db"
            assert _torchrun(count, "sweep", str(store), kind, precision).wait() == 0
            (whole[count],) = Store(store).runs()
        for first, then in TAKEN_UP:
            store = folder / f"{kind}{precision[:2]}{first}{then}.db"
            _kill_at(_torchrun(first, "sweep", str(store), kind, precision), store, draw)
            assert _torchrun(then, "sweep", str(store), kind, precision).wait() == 0
            (run,) = Store(store).runs()
            said = run_columns(store)
            lines.append(
                [kind, precision, f"{first}, then {then}", said,
                 f"{run.loss - whole[then].loss:+.1e}", f"{whole[2].loss - whole[1].loss:+.1e}"]
            )  # fmt: skip
            print(lines[-1], file=sys.stderr, flush=True)
    head = [
        "kind", "precision", "processes", "ranks in the row", "loss less that of the last "
        "number, never killed", "two less one, never killed",
    ]  # fmt: skip
    return f"Validation losses, nats a token.\n\n{table(head, lines)}"


def run_columns(store: Path) -> str:
    """What the row of a store says of its ranks."""
    return str(Store(store).runs().frame()["ranks"][0])


def _kill_at(process: subprocess.Popen[bytes], store: Path, draw: random.Random) -> None:
    """Kill all processes of a run some time after it kept its first state."""
    folder = store.with_name(f"{store.name}.files")
    while process.poll() is None and not any(folder.glob("*/state.json")):
        time.sleep(0.01)
    time.sleep(draw.uniform(0, 0.5))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()
    for number in (process.pid, *map(int, children)):  # ranks have sessions of their own
        os.kill(number, signal.SIGKILL)
    process.wait()
    (state,) = Store(store).tasks()
    assert state.state != "done", "it ended before the kill"


def swept(store: str, kind: str, precision: str) -> None:
    """A sweep of one run that keeps its state five times a second."""
    (run,) = runs_of([_job(kind, precision)], (), None)
    parallel_sweep([replace(run, every=0.2)], store, show=False)


def _torchrun(count: int, *words: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
        str(count), "-m", "benchmarks.several_devices", *words,
    ]  # fmt: skip
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})


def _alike_on_ranks(out: str) -> None:
    with ranks_on("cpu") as ranks:
        found = alike(ranks)
        if ranks.leads:
            Path(out).write_text(json.dumps(found), encoding="utf-8")


PARTS: dict[str, Callable[..., None]] = {"alike": _alike_on_ranks, "sweep": swept}

if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:]:
        PARTS[sys.argv[1]](*sys.argv[2:])
    else:
        main()
