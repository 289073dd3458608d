"""``isoloss pays``: whether loss gaps are worth the speed that they buy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import isoloss as il
from isoloss.cli.arguments import (
    DOUBT,
    FIGURES,
    RESULTS,
    Level,
    OfName,
    Reading,
    Saving,
    Tables,
    check_target,
    listed,
    names_a_file,
    read_tables,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import keep_result, say, show, show_json

ASKED = "What is compared"


def pays(
    *,
    tables: Tables,
    rates: Annotated[
        Path | None,
        typer.Option(
            "--rates",
            metavar="FILE",
            rich_help_panel=ASKED,
            help="A CSV of recipe (a group, a precision, or 'reference'), ratio or "
            "tokens_per_second of a device, and where known error (relative), joules_per_token, "
            "price (of a device hour).",
            show_default="columns tokens_per_second_per_gpu or speed_over_bf16 of the table",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TOKENS",
            rich_help_panel=ASKED,
            help="Tokens of a recipe, as 160B.",
            show_default="those of the longest run of the reference",
        ),
    ] = None,
    params: Annotated[
        str | None,
        typer.Option(
            "--params",
            metavar="N",
            rich_help_panel=ASKED,
            help="The size, where the table has several.",
        ),
    ] = None,
    price: Annotated[
        float | None,
        typer.Option(
            "--price",
            metavar="MONEY",
            rich_help_panel=ASKED,
            help="Of a device hour, where FILE has none.",
        ),
    ] = None,
    law: Annotated[
        list[str] | None,
        typer.Option(
            "--law",
            metavar="LAW,...",
            rich_help_panel=ASKED,
            help="Base laws beyond the reference's own curve: names of 'isoloss laws' or saved "
            "fits.",
            show_default="epoch2024,hoffmann2022",
        ),
    ] = None,
    reading: Reading,
    noise: Annotated[
        float,
        typer.Option(
            "--noise",
            rich_help_panel=DOUBT,
            help="Standard deviation of the gap of two single runs in nats, where none was "
            "repeated.",
        ),
    ] = 0.003,
    speed_error: Annotated[
        float,
        typer.Option(
            "--speed-error",
            rich_help_panel=DOUBT,
            help="Relative standard error of a speed-up that has none of its own.",
        ),
    ] = 0.02,
    of: Annotated[
        OfName,
        typer.Option(
            "--of",
            rich_help_panel=DOUBT,
            help="Intervals of the mean of a recipe over seeds, or of one run of it.",
        ),
    ] = OfName.mean,
    level: Level = 0.9,
    saving: Saving,
) -> None:
    """Say whether recipes pay: what their loss gaps cost beside what their speed buys.

    A recipe sees --at tokens, the reference as many as it can in the same hours (money, energy).
    Gains with intervals, the share saved at equal loss, and the one measurement that would decide.
    """
    check_target(saving.output, RESULTS, saving.force, tables)
    check_target(saving.drawing, FIGURES, saving.force)
    laws = [il.laws.as_law(Path(each) if names_a_file(each) else each)
            for each in listed(law, "--law")] or il.plans.BASE_LAWS  # fmt: skip
    found = il.pays(
        read_tables(tables, reading),
        rates,
        at=at,
        params=params,
        price=price,
        laws=laws,
        noise=noise,
        speed_error=speed_error,
        of=of.value,
        level=level,
    )
    keep_result(found, saving.output, saving.force)
    if saving.drawing is not None:
        il.plot(found, saving.drawing, force=saving.force)
        say(f"drew {saving.drawing}")
    if saving.as_json:
        units = {"gaps": il.runs.metric_of(found.terms.metric).short, "spent": "hours, joules"}
        show_json("payoffs", {"units": units, **asdict(found)})
    else:
        show(found.sections())


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "pays": (
        Example("isoloss pays fp4_llama8b --at 159.4B", "which of ten FP4 recipes pay at 8B"),
        Example(
            "isoloss pays fp4_llama8b --at 1T --price 3 --plot pays.svg",
            "where base laws decide, drawn",
        ),
    ),
}
