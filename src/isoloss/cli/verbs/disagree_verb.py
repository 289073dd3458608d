"""``isoloss disagree``: one question to every published law and cost model, in one table."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

import isoloss as il
from isoloss.cli.arguments import PAGES, AsJson, Force, KeptPage, check_target, listed
from isoloss.cli.manual import Example
from isoloss.cli.output import keep_result, show, show_json
from isoloss.cli.refusing import Refused


def disagree(
    params: Annotated[
        list[str] | None,
        typer.Option(
            "--params", metavar="COUNT", help="Of a model, as 7B; several with as many --tokens."
        ),
    ] = None,
    tokens: Annotated[
        list[str] | None,
        typer.Option("--tokens", metavar="COUNT", help="It was trained on, as 2T."),
    ] = None,
    bits: Annotated[
        list[str] | None,
        typer.Option(
            "--bits",
            metavar="NUMBER",
            help="Whose gap is asked, as 4; with --train those to choose from.",
            show_default="4; with --train 2 to 8",
        ),
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(
            "--train",
            metavar="FLOP",
            help="A budget instead of a model: what each law would do with it.",
        ),
    ] = None,
    hardware: Annotated[
        list[str] | None,
        typer.Option(
            "--hardware",
            metavar="NAME",
            help="Machines and cost models, with --train: {machines}.",
            show_default="linear-bits and all",
        ),
    ] = None,
    output: KeptPage = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Ask every published law that sees precision the same question, each in its own formats.

    What 4 bits cost a model (--params, --tokens), or what to train with a budget (--train). Numbers
    in parentheses lie outside the runs behind a law.
    """
    check_target(output, PAGES, force)
    sizes, lengths = listed(params, "--params"), listed(tokens, "--tokens")
    counts = [_whole(each) for each in listed(bits, "--bits")]
    if (train is None) == (not sizes):
        raise Refused("give a model (--params and --tokens) or a budget (--train), one of the two")
    if train is None:
        if hardware:
            raise Refused(
                "--hardware goes with --train; the gap of a number of bits has no machine in it"
            )
        if len(counts) > 1:
            raise Refused(
                f"--bits has {len(counts)} values; "
                "the gap is asked for one number of bits at a time"
            )
        found = il.plans.gaps_by_law(sizes, lengths, *counts)
    else:
        if lengths:
            raise Refused(
                "--tokens goes with --params; a budget (--train) leaves tokens to the laws"
            )
        machines = listed(hardware, "--hardware") or None
        found = il.plans.plans_by_law(
            il.Budget(train), machines, **({"bits": counts} if counts else {})
        )
    keep_result(found, output, force)
    if as_json:
        show_json(
            "disagreement", {"units": {"gaps": "nats/token", "outside": "factor"}, **asdict(found)}
        )
    else:
        show(found.sections())


def _whole(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 16:
        raise Refused(f"--bits is '{text}'; accepted is a whole number from 1 to 16")
    return int(text)


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "disagree": (
        Example(
            "isoloss disagree --params 7B --tokens 2T --bits 4", "what 4 bits cost, by every law"
        ),
        Example(
            "isoloss disagree --train 1e21flop --hardware linear-bits,h100",
            "what each law would do with a budget",
        ),
    ),
}
