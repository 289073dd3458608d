"""What a sweep trains, and how, as options; and the grid and the corpus that they ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments.options import listed, many
from isoloss.cli.refusing import Refused

#: Words of the lists below, which the help shows without loading torch.
SCHEDULES, DTYPES = ("cosine", "wsd", "constant"), ("float32", "bfloat16")
PARALLEL = ("ddp", "fsdp")
MODELS, TRAINING, SWEEP = "What is trained", "How", "The sweep"
#: The store, unless one is named.
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


def grid_of(lists: Lists, teaching: Teaching) -> Any:
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


def corpus_of(teaching: Teaching) -> Any:
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
