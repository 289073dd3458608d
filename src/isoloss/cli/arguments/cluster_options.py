"""Who trains a sweep, if not this machine's own processes, as options; and the engine and the store
that they ask for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments.options import listed, many
from isoloss.cli.arguments.training_options import RUNS
from isoloss.cli.refusing import Refused

CLUSTER = "Beyond one machine"


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
            help="Of a worker and hour (of all ranks of a run, with --parallel), for --dry-run.",
            show_default=False,
        ),
    ] = None


def store_of(given: Path, shard: str | None) -> Path:
    """The store that was named, or that of a shard."""
    if shard is None or given != RUNS:
        return given
    number, count = il.runs.shard_numbers(shard)
    return Path(f"runs-{number}-of-{count}.db")


def engine_of(beyond: Beyond, workers: int | None) -> Any:
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
