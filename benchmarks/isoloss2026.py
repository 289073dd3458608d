"""The recipe of the bundled table isoloss2026: small language models in many precisions, each cell
there for a reason.

``python -m benchmarks.isoloss2026 STORE`` trains what is missing, block by block, into a store
(killed,
it goes on); ``... STORE --write`` then writes the table that isoloss bundles. Without a store: the
blocks and what each costs.

All is the synthetic language, warm-up-stable-decay with 50 steps of warm-up and a decay over a
fifth of the steps, batches of 1024 tokens; runs of one size, seed, precision and learning rate
share one trunk, and precisions share batches and first weights.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.timing import table
from isoloss.lm import Recipe, foreseen, train
from isoloss.lm.sweeps import jobs_of, tasks_of
from isoloss.runs import Grid, Store, compact

TABLE = Path(__file__).parents[1] / "src/isoloss/runs/tables/isoloss2026.parquet"
NAME = "isoloss2026"
RECIPE = Recipe(schedule="wsd")

WEIGHTS = ("w2", "w3", "w4", "w6", "w8")
#: Formats, methods, groups and parts after training: on the runs that decide how the gap grows.
MANY = (
    *WEIGHTS, "w2@gptq_sequential", "w3@gptq_sequential", "w4@gptq_sequential", "w3+clip", "w3/16",
    "w4/16", "w:e2m1", "w:e2m3", "w:e4m3", "w:mxfp4", "w:nvfp4", "a4", "a6", "a8",
    "a:e4m3", "kv3", "kv4", "kv8", "w4 a8", "w4 a4 kv4",
)  # fmt: skip


@dataclass(frozen=True)
class Block:
    """Cells of the design: grids, what is done after training, and why they are there."""

    name: str
    why: str
    grids: tuple[Grid, ...]
    post: tuple[str, ...] = WEIGHTS


def _grid(params: Any, ratios: Any, precision: Any = "fp", seeds: int = 3, **more: Any) -> Grid:
    return Grid(
        params=params, tokens_per_param=ratios, precision=precision, seed=list(range(seeds)), **more
    )


LONG, MIDDLE = (10, 25, 60, 150, 400), (10, 25, 60)
#: In training: each part alone from 2 to 8 bits, floats of 4, 6 and 8 bits, and parts together.
TRAINED = (
    *WEIGHTS, "a2", "a3", "a4", "a6", "a8", "kv2", "kv3", "kv4", "w:e2m1", "w:e2m3", "w:e4m3",
    "a:e2m1",
    "w3 a3 kv3", "w4 a4 kv4", "w8 a8 kv8",
)  # fmt: skip
BLOCKS = (
    Block(
        "length",
        "how the gap after training grows with tokens, with and without decay (C1, C2): 40 times "
        "in tokens per param at "
        "three sizes, so that params can be told from tokens, three seeds",
        (_grid(["20k", "40k", "80k"], LONG, schedule=["wsd", "constant"]),),
        MANY,
    ),
    Block(
        "equal N x P",
        "params times bits the same at the same tokens: whether bits buy what params buy",
        tuple(
            Grid(params=n, tokens=["1M", "2M"], precision=p, seed=[0, 1, 2])
            for n, p in (("20k", "w8"), ("40k", "w4"), ("80k", "w2"))
        ),
    ),
    Block(
        "rates",
        "two more learning rates, half and twice: whether gaps are of the format or of the rate "
        "(C5)",
        (_grid("20k", [10, 60], ["fp", "w3", "w4"], seeds=2, lr=[0.005, 0.02]),),
    ),
    Block(
        "groups",
        "scales shared by 16 and 32 weights, and block formats, in training",
        (_grid("20k", [25], ["w3/32", "w4/32", "w4/16", "w:mxfp4", "w:nvfp4"], seeds=2),),
    ),
    Block(
        "training",
        "what each part and format costs in training, and how that moves with params and tokens: "
        "two sizes and three seeds, "
        "so that exponents can have an interval (80k and 0.4M are in 'sweep')",
        (_grid(["20k", "40k"], MIDDLE, list(TRAINED)),),
    ),
    Block(
        "sweep",
        "the sweep of 72 runs that the README shows: larger models, short training",
        (
            Grid(
                params=["0.08M", "0.4M"],
                tokens=["0.5M", "1M", "2M"],
                precision=["fp", "w2", "w3", "w4", "w8", "w4 a4 kv4"],
                seed=[0, 1],
            ),
        ),
    ),
)


def main(store: str | None = None, write: str | None = None) -> None:
    if store is None:
        print(_costs("runs.db"))
    elif write is not None:
        _write(store)
    else:
        for block in BLOCKS:
            print(f"{block.name}: {block.why}", file=sys.stderr, flush=True)
            train(block.grids, recipe=RECIPE, post=block.post, store=store, keep=f"{store}.models")


def _costs(store: str) -> str:
    rows = []
    for block in BLOCKS:
        seen = foreseen(block.grids, recipe=RECIPE, post=block.post, store=store)
        runs = len(jobs_of(block.grids, recipe=RECIPE))
        rows.append([block.name, runs, seen.rows, seen.there, compact(seen.flops), block.why])
    return table(
        ["block", "runs", "rows with those after training", "there", "flop left", "why"], rows
    )


def keys_of_design() -> Iterator[tuple[str, str]]:
    """Every row of the design by its key, and the block that it is of: the first that asks for
    it.
    """
    for block in BLOCKS:
        for task in tasks_of(jobs_of(block.grids, recipe=RECIPE), block.post):
            yield from ((key, block.name) for key in task.rows)


def _write(stores: str) -> None:
    """Nothing; writes what is there of the design, from one store or several with commas
    between.
    """
    blocks: dict[str, str] = {}
    for key, name in keys_of_design():
        blocks.setdefault(key, name)
    found = [Store(store).runs(blocks) for store in stores.split(",")]
    runs = found[0]
    for more in found[1:]:
        runs += more.take([key not in set(runs["key"]) for key in more["key"]])
    runs = runs.with_columns(source=NAME, block=[blocks[key] for key in runs["key"]])
    runs.save(TABLE, force=True)
    print(f"wrote {len(runs)} of {len(blocks)} rows to {TABLE.name}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
