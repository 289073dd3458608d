"""What may be spent, as options that the commands with a budget share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from isoloss.cli.arguments.options import one

SPEND = "What may be spent"


@dataclass(frozen=True)
class Spending:
    """Compute, device hours or money."""

    train: Annotated[
        str | None,
        one(
            "--train",
            "BUDGET",
            SPEND,
            "FLOPs of bf16, as 1e21flop, or a sentence: '64 h100 for 30 days', '$2M at $2.5/h'.",
        ),
    ] = None
    hours: Annotated[
        str | None, one("--hours", "TIME", SPEND, "Wall time, as 30days; needs --devices.")
    ] = None
    devices: Annotated[
        int | None,
        typer.Option("--devices", min=1, rich_help_panel=SPEND, help="Devices to train on."),
    ] = None
    money: Annotated[
        str | None, one("--money", "SUM", SPEND, "As 2MUSD; needs --price, or '2MUSD at 2.5USD/h'.")
    ] = None
    price: Annotated[str | None, one("--price", "SUM", SPEND, "Of a device hour, as 2.5USD.")] = (
        None
    )
