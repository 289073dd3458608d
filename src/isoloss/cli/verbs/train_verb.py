"""``isoloss train``: a sweep of small language models, their table of runs, and fitted laws."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import (
    FIGURES,
    TABLES,
    AsJson,
    Beyond,
    Fitting,
    Force,
    KeptTable,
    Level,
    Lists,
    Sweeping,
    Teaching,
    check_target,
    chosen_laws,
    corpus_of,
    drawn,
    engine_of,
    grid_of,
    listed,
    store_of,
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
AFTER = "When all is done"


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
    if beyond.price is not None and not sweeping.dry_run:
        raise Refused("--price is for --dry-run, which trains nothing; give both, or leave it out")
    # Laws are refused before the sweep, not after.
    laws = chosen_laws(listed(law, "--law"), Fitting()) if law else []
    grid, how = grid_of(lists, teaching), _how(teaching, sweeping, beyond)
    if sweeping.dry_run:
        if il.lm.leads():
            show_text(f"{grid}\n\n{il.lm.foreseen(grid, price=beyond.price, **how)}")
        return
    wanted = il.lm.foreseen(grid, **how).rows if il.lm.leads() else 0
    runs = il.train(grid, keep=sweeping.keep, folder=beyond.folder, **how)
    if not il.lm.leads():  # the first process of torchrun opens the store and tells all
        return
    if output is not None:
        say(f"saved {len(runs)} rows as {runs.save(output, force=force)}")
    _tell(runs, level if gaps else None, as_json)
    found = _fitted(runs, laws, level) if laws else None
    if found is not None and not as_json:
        show(found.sections())
    if drawing is not None:
        il.plot(found or runs, drawing, force=force)
        say(f"drew {drawing}")
    if len(runs) < wanted:  # runs that failed were warned of, each with its reason
        raise typer.Exit(1)


def _how(teaching: Teaching, sweeping: Sweeping, beyond: Beyond) -> dict[str, Any]:
    """What the options say of a sweep, as `il.train` and `il.lm.foreseen` take it."""
    recipe = il.lm.Recipe(
        sequences=teaching.sequences, validation=teaching.validation, device=teaching.device
    )
    return {
        "corpus": corpus_of(teaching),
        "recipe": recipe,
        "post": listed(sweeping.post, "--post") if sweeping.post else [],
        "store": store_of(sweeping.store, beyond.shard),
        "workers": sweeping.workers,
        "cells": sweeping.cells,
        "parallel": sweeping.parallel,
        "micro_batches": sweeping.micro_batches,
        "executor": engine_of(beyond, sweeping.workers),
        "shard": beyond.shard,
    }


def _tell(runs: Runs, level: float | None, as_json: bool) -> None:
    """Print the sweep, and its gaps where a level is given."""
    # These need polars, which the help does not.
    from isoloss.cli.output.runs_report import as_data, sections

    if as_json:
        show_json("runs", as_data(runs))
        return
    show(sections(runs, "the sweep", every_reason=False))
    if level is not None:
        show(il.fits.gap_table(runs, level).sections())


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
