"""What may be spent, as options that the commands with a budget share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

SPEND = "What may be spent"


@dataclass(frozen=True)
class Spending:
    """Compute, device hours or money."""

    train: Annotated[
        str | None,
        typer.Option(
            "--train", metavar="FLOP", rich_help_panel=SPEND, help="FLOPs of bf16, as 1e21flop."
        ),
    ] = None
    hours: Annotated[
        str | None,
        typer.Option(
            "--hours",
            metavar="TIME",
            rich_help_panel=SPEND,
            help="Wall time, as 30days; needs --devices.",
        ),
    ] = None
    devices: Annotated[
        int | None,
        typer.Option("--devices", min=1, rich_help_panel=SPEND, help="Devices to train on."),
    ] = None
    money: Annotated[
        str | None,
        typer.Option(
            "--money", metavar="SUM", rich_help_panel=SPEND, help="As 2MUSD; needs --price."
        ),
    ] = None
    price: Annotated[
        str | None,
        typer.Option("--price", metavar="SUM", rich_help_panel=SPEND, help="Of a device hour."),
    ] = None
