"""``isoloss train``: a sweep of small language models, their table of runs, and fitted laws."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import (
    FIGURES,
    TABLES,
    AsJson,
    Fitting,
    Force,
    KeptTable,
    Level,
    check_target,
    chosen_laws,
    drawn,
    listed,
    many,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import counted, say, show, show_json, show_text
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.fits import Comparison, Fit
    from isoloss.laws import Law
    from isoloss.runs import Runs

#: Bootstrap replicates, for the intervals.
DRAWS = 200
#: Words of the lists below, which the help shows without loading torch.
SCHEDULES, DTYPES = ("cosine", "wsd", "constant"), ("float32", "bfloat16")
PARALLEL = ("ddp", "fsdp")
MODELS, TRAINING, SWEEP, AFTER = "What is trained", "How", "The sweep", "When all is done"
CLUSTER = "Beyond one machine"
RUNS = Path("runs.db")


@dataclass(frozen=True)
class Lists:
    """Settings that may be lists; every combination is trained."""

    params: Annotated[
        list[str], many("--params", "N,N...", MODELS, "Sizes without embeddings, as 0.1M.")
    ]
    tokens: Annotated[
        list[str] | None, many("--tokens", "D,D...", MODELS, "Tokens seen, as 0.5M.")
    ] = None
    tokens_per_param: Annotated[
        list[str] | None,
        many("--tokens-per-param", "R,R...", MODELS, "Tokens seen, in place of --tokens."),
    ] = None
    precision: Annotated[
        list[str] | None,
        many(
            "--precision", "P,P...", MODELS, "Precisions of training, as fp,w4,'w4 a8 kv8'.", "fp"
        ),
    ] = None
    lr: Annotated[
        list[str] | None,
        many("--lr", "X,X...", TRAINING, "Peak learning rates at width 64.", "0.01"),
    ] = None
    schedule: Annotated[
        list[str] | None,
        many(
            "--schedule",
            "S,S...",
            TRAINING,
            "wsd is constant, then decays; token counts of wsd and constant share their first "
            "steps.",
            "cosine",
            SCHEDULES,
        ),
    ] = None
    dtype: Annotated[
        list[str] | None,
        many("--dtype", "T,T...", TRAINING, "Type of products.", "float32", DTYPES),
    ] = None


@dataclass(frozen=True)
class Teaching:
    """Settings of every run."""

    seeds: Annotated[
        int,
        typer.Option("--seeds", min=1, rich_help_panel=MODELS, help="Paired seeds of every run."),
    ] = 1
    corpus: Annotated[
        str,
        typer.Option(
            "--corpus",
            metavar="NAME",
            rich_help_panel=TRAINING,
            help="Corpus: synthetic, a file or folder of text (.txt .jsonl .parquet), or hub:NAME.",
        ),
    ] = "synthetic"
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer",
            metavar="NAME",
            rich_help_panel=TRAINING,
            help="Of a text: bytes, bpe:SIZE (trained on it), or a tokenizer.json.",
            show_default="bytes",
        ),
    ] = None
    unique_tokens: Annotated[
        str | None,
        typer.Option(
            "--unique-tokens",
            metavar="U",
            rich_help_panel=TRAINING,
            help="So many different tokens of a text, repeated as often as runs ask.",
            show_default="one epoch at most",
        ),
    ] = None
    context: Annotated[
        int,
        typer.Option("--context", min=2, rich_help_panel=TRAINING, help="Tokens of a sequence."),
    ] = 64
    sequences: Annotated[
        int,
        typer.Option("--sequences", min=1, rich_help_panel=TRAINING, help="Sequences in a batch."),
    ] = 16
    validation: Annotated[
        int,
        typer.Option(
            "--validation",
            min=2,
            rich_help_panel=TRAINING,
            help="Held-out sequences that are evaluated.",
        ),
    ] = 512
    warmup: Annotated[
        float | None,
        typer.Option(
            "--warmup",
            rich_help_panel=TRAINING,
            help="Share of the steps that warm up, or from 1 on their number.",
            show_default="0.05 for cosine, else 50",
        ),
    ] = None
    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="NAME",
            rich_help_panel=TRAINING,
            help="Where, as torch names it: cpu, cuda.",
        ),
    ] = "cpu"


@dataclass(frozen=True)
class Sweeping:
    """How the sweep is run and kept."""

    post: Annotated[
        list[str] | None,
        many(
            "--post",
            "P,P...",
            SWEEP,
            "Precisions that every model is quantised to after training, as w4,w3,w4/32@gptq.",
        ),
    ] = None
    store: Annotated[
        Path,
        typer.Option(
            "--store",
            metavar="FILE",
            rich_help_panel=SWEEP,
            help="File that keeps every run (.db); rerunning resumes, finished runs are skipped.",
        ),
    ] = RUNS
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="FOLDER",
            rich_help_panel=SWEEP,
            help="Also keep the trained models, for 'isoloss quantise'.",
            show_default=False,
        ),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            rich_help_panel=SWEEP,
            help="Processes of one thread each; with --on, calls or jobs at once.",
            show_default="one a core, or one for a GPU",
        ),
    ] = None
    cells: Annotated[
        bool,
        typer.Option(
            "--cells",
            rich_help_panel=SWEEP,
            help="Batched sweep: train all precisions and seeds of a size with the same token "
            "counts as one model, for a GPU.",
            show_default=False,
        ),
    ] = False
    parallel: Annotated[
        str | None,
        typer.Option(
            "--parallel",
            metavar="KIND",
            rich_help_panel=SWEEP,
            help="Train each run on all processes that torchrun started "
            f"({', '.join(PARALLEL)}): torchrun --nproc-per-node 8 -m isoloss train ...",
            show_default=False,
        ),
    ] = None
    micro_batches: Annotated[
        int | None,
        typer.Option(
            "--micro-batches",
            min=1,
            rich_help_panel=SWEEP,
            help="With --parallel: parts of a batch, taken one after the other.",
            show_default="1",
        ),
    ] = None
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            rich_help_panel=SWEEP,
            help="Print what would be trained, its FLOPs, memory and time, and stop.",
            show_default=False,
        ),
    ] = False


@dataclass(frozen=True)
class Beyond:
    """Where the work is done, if not by this machine's own processes."""

    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="ENGINE",
            rich_help_panel=CLUSTER,
            help="Who works: ray, ray:HOST:PORT, slurm, submitit-local (its stand-in), or your own "
            "with --use.",
            show_default="processes of this machine",
        ),
    ] = None
    gpus_per_task: Annotated[
        float,
        typer.Option(
            "--gpus-per-task",
            min=0,
            rich_help_panel=CLUSTER,
            help="Devices of a task; Ray shares them out (.25).",
            show_default="none",
        ),
    ] = 0
    partition: Annotated[
        str | None,
        typer.Option(
            "--partition",
            metavar="NAME",
            rich_help_panel=CLUSTER,
            help="Slurm's queue.",
            show_default="the site's",
        ),
    ] = None
    time: Annotated[
        str | None,
        typer.Option(
            "--time",
            metavar="LIMIT",
            rich_help_panel=CLUSTER,
            help="Time limit of a job, as 4h; longer tasks go on in the next.",
            show_default="1h",
        ),
    ] = None
    sbatch: Annotated[
        list[str] | None,
        many(
            "--sbatch",
            "NAME=VALUE,...",
            CLUSTER,
            "Other options of sbatch, as account=lab,qos=low.",
        ),
    ] = None
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            metavar="FOLDER",
            rich_help_panel=CLUSTER,
            help="Folder for checkpoints that all workers share.",
            show_default="beside the store",
        ),
    ] = None
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="K/N",
            rich_help_panel=CLUSTER,
            help="A part of the sweep in a store of its own, runs-K-of-N.db unless told; 'isoloss "
            "runs runs-*-of-N.db -o runs.db' joins them.",
            show_default=False,
        ),
    ] = None
    price: Annotated[
        float | None,
        typer.Option(
            "--price",
            min=0,
            metavar="MONEY",
            rich_help_panel=CLUSTER,
            help="Of a worker and hour, for --dry-run.",
            show_default=False,
        ),
    ] = None


def train(
    *,
    lists: Lists,
    teaching: Teaching,
    sweeping: Sweeping,
    beyond: Beyond,
    law: Annotated[
        list[str] | None,
        typer.Option(
            "--law",
            metavar="NAME,NAME...",
            rich_help_panel=AFTER,
            help="Fit laws to the runs, and rank them where there are several: {laws}.",
            show_default=False,
        ),
    ] = None,
    gaps: Annotated[
        bool,
        typer.Option(
            "--gaps",
            rich_help_panel=AFTER,
            help="Also print the gap of each precision, as 'isoloss gaps' does.",
            show_default=False,
        ),
    ] = False,
    level: Level = 0.9,
    drawing: Annotated[Path | None, drawn("the fitted laws, or the runs without --law,")] = None,
    output: KeptTable = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Train small language models in many precisions, quantise them, and fit laws to what they
    lost.

    Every combination of the lists is one run; runs that differ in precision alone see the same
    batches. All is kept in one file: killed at any moment, the same command goes on, and once all
    is done it does nothing. Runs that fail stop no others; with any, the exit code is 1.
    """
    check_target(drawing, FIGURES, force)
    check_target(output, TABLES, force)
    laws = (
        chosen_laws(listed(law, "--law"), Fitting()) if law else []
    )  # refused before the sweep, not after
    grid = _grid(lists, teaching)
    post = listed(sweeping.post, "--post") if sweeping.post else []
    how: dict[str, Any] = {
        "corpus": _corpus(teaching),
        "recipe": il.lm.Recipe(
            sequences=teaching.sequences, validation=teaching.validation, device=teaching.device
        ),
        "post": post,
        "store": _store(sweeping.store, beyond.shard),
        "workers": sweeping.workers,
        "cells": sweeping.cells,
        "parallel": sweeping.parallel,
        "micro_batches": sweeping.micro_batches,
        "executor": _engine(beyond, sweeping.workers),
        "shard": beyond.shard,
    }
    if not il.lm.leads():  # the first process of torchrun opens the store and tells all
        if not sweeping.dry_run:
            il.train(grid, keep=sweeping.keep, **how)
        return
    if beyond.price is not None and not sweeping.dry_run:
        raise Refused("--price is for --dry-run, which trains nothing; give both, or leave it out")
    if sweeping.dry_run:
        show_text(f"{grid}\n\n{il.lm.foreseen(grid, price=beyond.price, **how)}")
        return
    wanted = il.lm.foreseen(grid, **how).rows
    runs = il.train(grid, keep=sweeping.keep, folder=beyond.folder, **how)
    if output is not None:
        say(f"saved {len(runs)} rows as {runs.save(output, force=force)}")
    # These need polars, which the help does not.
    from isoloss.cli.output.runs_report import as_data, sections

    if as_json:
        show_json("runs", as_data(runs))
    else:
        show(sections(runs, "the sweep", every_reason=False))
        show(il.fits.gap_table(runs, level).sections() if gaps else [])
    found = _fitted(runs, laws, level) if laws else None
    if found is not None and not as_json:
        show(found.sections())
    if drawing is not None:
        il.plot(found or runs, drawing, force=force)
        say(f"drew {drawing}")
    if len(runs) < wanted:  # runs that failed were warned of, each with its reason
        raise typer.Exit(1)


def _store(given: Path, shard: str | None) -> Path:
    """The store that was named, or that of a shard."""
    if shard is None or given != RUNS:
        return given
    number, count = il.runs.shard_numbers(shard)
    return Path(f"runs-{number}-of-{count}.db")


def _engine(beyond: Beyond, workers: int | None) -> Any:
    """The engine of the options, None for this machine's own processes."""
    more = listed(beyond.sbatch, "--sbatch") if beyond.sbatch else []
    if wrong := next((each for each in more if "=" not in each), None):
        raise typer.BadParameter(
            f"{wrong!r} is no option with a value, such as account=lab", param_hint="--sbatch"
        )
    asked = il.runs.Asked(
        at_once=workers,
        gpus_per_task=beyond.gpus_per_task,
        partition=beyond.partition,
        time=beyond.time,
        more=dict(each.split("=", 1) for each in more),
    )
    if beyond.on is not None:
        return il.runs.engine_named(beyond.on, asked)
    for name in ("gpus_per_task", "partition", "time", "sbatch", "folder"):
        if getattr(beyond, name):
            raise Refused(
                f"--{name.replace('_', '-')} is for workers elsewhere; name an engine with --on"
            )
    return None


def _grid(lists: Lists, teaching: Teaching) -> Any:
    """The grid of the options."""
    axes: dict[str, Any] = {"params": listed(lists.params, "--params")}
    for name in ("tokens", "tokens_per_param", "precision", "lr", "schedule", "dtype"):
        given = getattr(lists, name)
        if given:
            axes[name] = listed(given, f"--{name.replace('_', '-')}")
    if ("tokens" in axes) == ("tokens_per_param" in axes):
        raise typer.BadParameter(
            "give one of --tokens and --tokens-per-param", param_hint="--tokens"
        )
    if teaching.warmup is not None:
        axes["warmup"] = [teaching.warmup]
    return il.Grid(**axes, seed=list(range(teaching.seeds)))


def _corpus(teaching: Teaching) -> Any:
    """The corpus of the options."""
    settings: dict[str, Any] = {"context": teaching.context}
    of_text = {"tokenizer": teaching.tokenizer, "unique_tokens": teaching.unique_tokens}
    given = {name: value for name, value in of_text.items() if value is not None}
    if given and teaching.corpus == "synthetic":
        option = f"--{next(iter(given)).replace('_', '-')}"
        raise Refused(
            f"{option} is of a text, which the synthetic language is not; name one with --corpus"
        )
    return il.lm.corpus_of(teaching.corpus, **settings, **given)


def _fitted(runs: Runs, laws: list[Law], level: float) -> Fit | Comparison:
    """The law fitted to the runs, or several, ranked by what they predict unseen."""
    one = len(laws) == 1
    with counted(
        f"fitting {', '.join(law.name for law in laws)}", DRAWS if one else 3 * len(laws) * DRAWS
    ) as tick:
        if one:
            return il.fit(laws[0], runs, draws=DRAWS, level=level, callback=tick)
        return il.compare(laws, runs, draws=DRAWS, level=level, callback=tick)


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "train": (
        Example(
            "isoloss train --params 4k,8k --tokens 20k,40k --precision fp,w4 --schedule wsd "
            "--warmup 3 --post w4,w3 --store tiny.db",
            "eight tiny models, each quantised twice after training; the same line again does "
            "nothing",
        ),
        Example(
            "isoloss train --params 0.08M,0.4M --tokens 0.5M,1M,2M --precision 'fp,w2,w3,w4,w8,w4 "
            "a4 kv4' --seeds 2 "
            "--schedule wsd --post w2,w3,w4,w6,w8 --store runs.db --dry-run",
            "what half an hour on two cores would train",
        ),
        Example(
            "isoloss train --params 4k --tokens 20k --precision fp,w4,w:e2m1 --seeds 2 --cells "
            "--store cells.db",
            "six runs as one batched model, as for a GPU with --device cuda",
        ),
    ),
}
