"""``isoloss plan``: a law or a saved result and a budget in; params, tokens and precision out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import isoloss as il
from isoloss.cli.options import DOUBT, Level, Saving, listed
from isoloss.cli.showing import say, show, show_json
from isoloss.cli.targets import FIGURES, RESULTS, check_target
from isoloss.cli.things import saved_or_law

SPEND = "What may be spent"
SERVE = "What the served model must do"
HELD = "What is held"


def plan(
    thing: Annotated[
        str,
        typer.Argument(
            metavar="THING",
            help="A saved fit or comparison, a law of 'isoloss laws', or 'published' for all that have constants.",
            show_default=False,
        ),
    ],
    hardware: Annotated[
        str,
        typer.Option(
            "--hardware",
            metavar="NAME",
            help="a100, h100, h200, b200, or a cost model: linear-bits (N D P), memory-bits (N P).",
            show_default=False,
        ),
    ],
    train: Annotated[
        str | None,
        typer.Option("--train", metavar="FLOP", rich_help_panel=SPEND, help="Flop of bf16, as 1e21flop."),
    ] = None,
    hours: Annotated[
        str | None,
        typer.Option(
            "--hours", metavar="TIME", rich_help_panel=SPEND, help="Wall time, as 30days; needs --devices."
        ),
    ] = None,
    devices: Annotated[
        int | None, typer.Option("--devices", min=1, rich_help_panel=SPEND, help="Devices to train on.")
    ] = None,
    money: Annotated[
        str | None,
        typer.Option("--money", metavar="SUM", rich_help_panel=SPEND, help="As 2MUSD; needs --price."),
    ] = None,
    price: Annotated[
        str | None, typer.Option("--price", metavar="SUM", rich_help_panel=SPEND, help="Of a device hour.")
    ] = None,
    served: Annotated[
        str | None,
        typer.Option(
            "--served",
            metavar="TOKENS",
            rich_help_panel=SPEND,
            help="Tokens generated over the life of the model, which the budget pays for as well.",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option("--memory", metavar="BYTES", rich_help_panel=SERVE, help="It must fit, as 16GB."),
    ] = None,
    speed: Annotated[
        str | None,
        typer.Option("--speed", metavar="RATE", rich_help_panel=SERVE, help="At least, as '50 tokens/s'."),
    ] = None,
    context: Annotated[
        int, typer.Option("--context", min=0, rich_help_panel=SERVE, help="Tokens of context kept.")
    ] = 0,
    batch: Annotated[
        int, typer.Option("--batch", min=1, rich_help_panel=SERVE, help="Sequences at once.")
    ] = 1,
    params: Annotated[
        str | None, typer.Option("--params", metavar="COUNT", rich_help_panel=HELD, help="As 8B.")
    ] = None,
    tokens: Annotated[
        str | None, typer.Option("--tokens", metavar="COUNT", rich_help_panel=HELD, help="As 15T.")
    ] = None,
    unique: Annotated[
        str | None,
        typer.Option("--unique", metavar="COUNT", rich_help_panel=HELD, help="Unique tokens that there are."),
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(
            "--precision",
            metavar="SPELLING",
            help="Precisions to choose from, separated by commas.",
            show_default="those of the fitted runs, else bf16",
        ),
    ] = None,
    throughput: Annotated[
        Path | None,
        typer.Option(
            "--throughput",
            metavar="FILE",
            help="Measured rates (.csv: precision, stage, flop_per_s or tokens_per_s and params), before peaks.",
        ),
    ] = None,
    mfu: Annotated[
        float | None,
        typer.Option("--mfu", help="Share of the peak that training reaches.", show_default="0.4"),
    ] = None,
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="Recommend also outside the runs.", show_default=False)
    ] = False,
    group: Annotated[
        str | None, typer.Option("--group", metavar="NAME", help="Whose base, where there are several.")
    ] = None,
    draws: Annotated[
        int, typer.Option("--draws", min=1, rich_help_panel=DOUBT, help="Refits that are planned again.")
    ] = 1000,
    level: Level = 0.9,
    *,
    saving: Saving,
) -> None:
    """Plan how large, how long and in which precision, under a budget on a machine.

    Outside the runs behind a law no single answer is given unless --extrapolate asks for it.
    """
    check_target(saving.output, RESULTS, saving.force)
    check_target(saving.drawing, FIGURES, saving.force)
    device = il.plans.machine(hardware)
    device = device if mfu is None else device.with_mfu(mfu)
    device = device if throughput is None else il.plans.measured(device, throughput)
    budget = il.Budget(
        train, hours=hours, devices=devices, money=money, price=price, served=served, memory=memory, speed=speed,
        context=context, batch=batch, params=params, tokens=tokens, unique_tokens=unique,
    )  # fmt: skip
    found = il.plan(
        "published" if thing == "published" else saved_or_law(thing),
        budget,
        device,
        precision=listed(precision, "--precision") or None,
        extrapolate=extrapolate,
        draws=draws,
        level=level,
        group=group,
    )
    if saving.output is not None:
        say(f"saved {found.save(saving.output, force=saving.force)}")
    if saving.drawing is not None:
        il.plot(found, saving.drawing, force=saving.force)
        say(f"drew {saving.drawing}")
    if saving.as_json:
        from isoloss.cli.results_data import of_plan

        show_json("plan", {"from": thing, **of_plan(found)})
    else:
        show(found.sections())
