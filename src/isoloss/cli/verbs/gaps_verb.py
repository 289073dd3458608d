"""``isoloss gaps``: what each precision costs in tables of runs, and how that grows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import (
    FIGURES,
    PAGES,
    TABLES_OR_PAGES,
    AsJson,
    Force,
    KeptTableOrPage,
    Level,
    Reading,
    Tables,
    check_target,
    drawn,
    read_tables,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import say, show, show_json

if TYPE_CHECKING:
    from isoloss.fits import GapTable, ScheduleEffects


def gaps(
    *,
    tables: Tables,
    reading: Reading,
    level: Level = 0.9,
    drawing: Annotated[Path | None, drawn("the gaps against tokens per param")] = None,
    schedules: Annotated[
        bool,
        typer.Option(
            "--schedules",
            help="Also say what the decay of the rate, and a switch to full precision before the "
            "end ('w4 a4 then fp from 80%'), do to a gap, and the best switch at equal hours.",
        ),
    ] = False,
    output: KeptTableOrPage = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Say what each precision costs: the loss of runs less that of equal runs at full precision.

    No law is fitted: means of paired runs with errors over seeds, the smallest gap the runs can
    resolve, and the exponents with which a gap grows with tokens and params, decayed and undecayed
    runs apart. The table that -o keeps has the mean gap of each cell as its loss.
    """
    check_target(drawing, FIGURES, force)
    check_target(output, TABLES_OR_PAGES, force, tables)
    runs = read_tables(tables, reading)
    found = il.fits.gap_table(runs, level)
    effects = il.fits.schedule_effects(runs, level) if schedules else None
    if output is not None and output.suffix.lower() in PAGES:
        il.report(found, *([effects] if effects else []), path=output, force=force)
        say(f"wrote {output}")
    elif output is not None:
        kept = il.fits.mean_gaps(runs)
        say(f"saved {len(kept)} rows as {kept.save(output, force=force)}")
    if drawing is not None:
        il.plot(found, drawing, force=force)
        say(f"drew {drawing}")
    if as_json:
        told = {} if effects is None else {"schedules": of_effects(effects)}
        show_json("gaps", of_gaps(found) | told)
    else:
        show([*found.sections(), *(effects.sections() if effects else ())])


def of_gaps(found: GapTable) -> dict[str, Any]:
    """The table as JSON; an exponent is value, error, degrees of freedom, or why it has none."""
    precisions = []
    for each in found.precisions:
        grown = (
            each.growth
            if isinstance(each.growth, str)
            else {k: asdict(s) for k, s in each.growth.slopes.items()}
        )
        rest = {
            k: getattr(each, k)
            for k in ("precision", "schedule", "cells", "pairs", "mean", "error", "resolved")
        }
        precisions.append({**rest, "exponents": grown})
    return {
        "units": {"gaps": il.runs.metric_of(found.metric).short},
        "level": found.level,
        "noise_between_seeds": found.noise,
        "precisions": precisions,
        "cells": [asdict(cell) for cell in found.cells],
        "decay_less_none": [
            {"precision": precision, "exponent": name, **asdict(slope)}
            for (precision, name), slope in found.differences.items()
        ],
        "left_out": found.left_out,
        "to_means_of_several_references": found.pooled,
    }


def of_effects(found: ScheduleEffects) -> dict[str, Any]:
    """Held and decayed gaps, what switches leave, and how fast damage fades, as JSON."""
    return {
        "decays": [asdict(each) for each in found.decays],
        "switches": [asdict(each) for each in found.kept],
        "fading": [
            {
                "precision": before,
                "then": then,
                "schedule": schedule,
                "params": params,
                **asdict(fading),
            }
            for (before, then, schedule, params), fading in found.fadings.items()
        ],
        "worth_of_tokens": [
            {"schedule": schedule, "params": params, "nats_a_factor_e": worth}
            for (schedule, params), worth in found.slopes.items()
        ],
        "best_switches": [
            {"precision": before, "then": then, "schedule": schedule, **asdict(switch)}
            for before, then, schedule, switch in found.best()
        ],
        "left_out": dict(found.left_out),
    }


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "gaps": (
        Example("isoloss gaps quest2025", "what each precision costs in a public table"),
        Example(
            "isoloss gaps simulated2024 --where precision=bf16,w3,w4 --plot gaps.svg",
            "two of them, drawn",
        ),
        Example(
            "isoloss gaps isoloss2026 --where lr_peak=0.01 --schedules",
            "held rates beside decayed ones",
        ),
        Example("isoloss gaps isoloss2026 -o gaps.csv", "the mean gap of each cell, as a table"),
    ),
}
