"""A Llama from a configuration and a plain torch module, in fp and w4 a4, killed with SIGKILL,
resumed, quantised and fitted, beside isoloss's decoder in one store.

The table is compared, to the last bit, with that of an undisturbed sweep. Without transformers the
Llama is left out, which is said. ``python -m benchmarks.own_modules [KILLS [SECONDS]]``: kills,
each within so many seconds of a start or of work.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import isoloss as il
from benchmarks.sweep_killed import Report, killed
from benchmarks.timing import asked, table
from isoloss.lm import Recipe, TrainingTask, hub_task
from isoloss.lm.sweeps import jobs_of, task_jobs_of, tasks_of
from isoloss.runs import Grid, Run, Runs, Task

CORPUS = il.lm.Language(vocab=64, context=32)
RECIPE = Recipe(validation=64, schedule="wsd", warmup=20, compiled=False)
LENGTHS = {"tokens": ["16k", "24k", "32k"], "precision": ["fp", "w4 a4"]}
POST = ["w4", "w3@gptq"]
#: Seconds between states that are kept: often enough that a run cut short has some.
EVERY = 0.2
KILLS, WITHIN = 3, 4.0


class Window(nn.Module):
    """The next token from the last four, by two layers with dropout."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(CORPUS.vocab, width)
        self.mix = nn.Linear(4 * width, 4 * width)
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(4 * width, width)
        self.head = nn.Linear(width, CORPUS.vocab)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the tokens that follow."""
        x = functional.pad(self.embedding(tokens), (0, 0, 3, 0)).unfold(1, 4, 1).flatten(2)
        logits: Tensor = self.head(self.out(self.drop(self.mix(x)).relu()))
        return logits


def window(params: float | None, seed: int) -> nn.Module:
    """About 20 width^2 params."""
    return Window(round(((params or 2000) / 20) ** 0.5))


def llama(params: float) -> Any:
    """The configuration of a Llama of about so many params: 2 layers of about 11 width^2."""
    from transformers import LlamaConfig

    width = 4 * round((params / 22) ** 0.5 / 4)
    return LlamaConfig(
        hidden_size=width, intermediate_size=2 * width + width // 2 // 8 * 8, num_hidden_layers=2,
        num_attention_heads=2, vocab_size=CORPUS.vocab, max_position_embeddings=64,
    )  # fmt: skip


def own_tasks() -> dict[str, TrainingTask]:
    """The modules by name, and what `train` is given of each."""
    found = {"window": TrainingTask("window", window, CORPUS)}
    if find_spec("transformers"):
        found["llama"] = hub_task(llama, CORPUS, name="llama")
    return found


def mill() -> list[Task]:
    """Every module and the decoder, in two sizes: as `train` makes their tasks."""
    torch.set_num_threads(1)
    grid = Grid(params=["4k", "12k"], **LENGTHS)
    jobs = [job for task in own_tasks().values() for job in task_jobs_of(grid, task, RECIPE, POST)]
    tasks = tasks_of([*jobs, *jobs_of(grid, CORPUS, RECIPE)], POST)
    return [replace(task, work=replace(task.work, every=EVERY)) for task in tasks]


def main(kills: int = KILLS, within: float = WITHIN) -> None:
    """Print what became of the sweep, what rounding cost, and the fit of the whole store."""
    if "llama" not in own_tasks():
        print(
            "transformers is not installed: the Llama is left out (pip install 'isoloss[hub]').\n"
        )
    with tempfile.TemporaryDirectory() as folder:
        report = killed("benchmarks.own_modules:mill", Path(folder), kills, within, workers=1)
        runs = il.read(str(Path(folder) / "killed.db"))
    print(_killed(report), "\n")
    print(_costs(runs), "\n")
    fit = il.fit("chinchilla", runs.where(precision="fp"), per="family", draws=50)
    rows = [[c.name, f"{c.value:.4g}"] for c in fit.law.constants if "[" in c.name]
    print(table(["constant, fitted to the fp runs of one store", "value"], rows))
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    spent = sum(each.ru_utime + each.ru_stime for each in used)
    print(f"\nAll of it took {spent:.0f} s of processor.")
    if not report.exact:
        raise SystemExit("the tables differ")


def _killed(report: Report) -> str:
    counts = ", ".join(f"{what} {count}" for what, count in report.kills.items())
    rows = [
        ["kills with SIGKILL", counts],
        ["times the sweep was started", report.starts],
        ["rows in its table", report.rows],
        ["rows missing or not in the undisturbed table", report.missing],
        ["columns with any other bit", ", ".join(report.differing) or "none"],
    ]
    return table(["what", "found"], rows)


def _costs(runs: Runs) -> str:
    """For each family and precision: the mean loss, and what it costs beside the run in fp of the
    same size, tokens and seed, or beside the module before it was rounded.
    """
    rows, by_key = [], {run.key: run for run in runs}
    pairs = {(r.family, r.params, r.tokens, r.seed): r for r in runs if r.precision == "fp"}
    for family, precision in dict.fromkeys((r.family, r.precision) for r in runs):
        alike = [r for r in runs if (r.family, r.precision) == (family, precision)]

        def before(run: Run) -> Run:
            same = pairs[run.family, run.params, run.tokens, run.seed]
            return by_key[run.parent] if run.parent else same

        gaps = np.array([run.loss - before(run).loss for run in alike])
        error = f"{gaps.std(ddof=1) / len(gaps) ** 0.5:.4f}"
        losses = np.mean([run.loss for run in alike])
        cost = "" if precision == "fp" else f"{gaps.mean():+.4f} +- {error}"
        rows.append([family, precision, len(alike), f"{losses:.4f}", cost])
    return table(["family", "precision", "runs", "mean loss", "gap, paired (nats)"], rows)


if __name__ == "__main__":
    main(*(asked(__doc__, sys.argv[1:], int, float)))
