"""``isoloss reproduce``: the claims of the papers put to the test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import FIGURES, OUTPUT, AsJson, Force, check_target, drawn
from isoloss.cli.manual import Example, given_options
from isoloss.cli.output import naming, say, show, show_json
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.papers import Claim, Report, Reproduction

COMPUTING = "How it is computed"
#: Options of a test of claims, by the names of their parameters; a list has none of them.
TESTING = {
    "output": "-o", "drawing": "--plot", "seed": "--seed", "workers": "--workers",
    "force": "--force",
}  # fmt: skip


def reproduce(
    *,
    paper: Annotated[
        str | None,
        typer.Argument(
            metavar="[PAPER]",
            help="A paper, as kumar2024, or a row of the list of claims, as K5, or a claim.",
            show_default=False,
        ),
    ] = None,
    claim: Annotated[
        str | None,
        typer.Argument(
            metavar="[CLAIM]",
            help="A claim of it, as 'figure 6 left', or a row; after a row another one.",
            show_default=False,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every claim of every paper.", show_default=False)
    ] = False,
    listing: Annotated[
        bool,
        typer.Option("--list", help="List the claims and compute nothing.", show_default=False),
    ] = False,
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, rich_help_panel=COMPUTING, help="Seed of what is drawn."),
    ] = 0,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            rich_help_panel=COMPUTING,
            help="Processes that share the claims, one thread each.",
            show_default="one a core",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            rich_help_panel=OUTPUT,
            help="Write a page with figures, one file that needs no network: FOLDER/index.html, "
            "or a file that ends in .html.",
        ),
    ] = None,
    drawing: Annotated[Path | None, drawn("the figure of one claim")] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Put claims of the papers to the test: what the paper says, its number, ours, and a verdict.

    A verdict is computed from a tolerance that was written before: holds, holds only if, fails,
    differs from our reading (where the text was not at hand or the number is not printed in it),
    not testable here, with the reason, or could not be downloaded, with how to try again.
    """
    _check_words(everything, listing, paper, claim)
    if not (everything or paper or listing):
        _teach(as_json)
        return
    chosen = il.papers.claims(paper or "", claim or "")
    if listing:
        _list(chosen, as_json)
        return
    check_target(drawing, FIGURES, force)
    if drawing is not None and (everything or len(chosen) > 1):
        raise Refused("--plot draws one claim; name one, or give -o for a page with every figure")
    if output is not None:
        il.papers.check_page(output, force)
    with naming("reproduce") as tell:
        found = il.reproduce(
            paper or "",
            claim or "",
            seed=seed,
            workers=il.runs.cores() if workers is None else workers,
            progress=tell,
        )
    if output is not None:
        say(f"wrote {il.papers.write_page(_report(found, seed), output, force)}")
    if drawing is not None:
        il.plot(next(iter(_report(found, seed))), drawing, force=force)
        say(f"drew {drawing}")
    if as_json:
        show_json("reproduction", _data(_report(found, seed)))
    else:
        show(found.sections())


def _check_words(everything: bool, listing: bool, paper: str | None, claim: str | None) -> None:
    """Raise Refused for words that would be passed over."""
    if paper == "" or claim == "":
        raise Refused("a paper or claim is ''; 'isoloss reproduce --list' has every one")
    if everything and paper:
        raise Refused(f"--all is every claim; give it without '{paper}'")
    given = given_options()
    unused = [flag for name, flag in TESTING.items() if name in given]
    if listing and unused:
        raise Refused(
            f"--list computes nothing, so {' and '.join(unused)} would do nothing; leave one out"
        )
    if unused and not (everything or paper):
        raise Refused(
            f"{' and '.join(unused)} without a claim would do nothing; name a paper, a row or a "
            "claim, or give --all"
        )


def _report(found: Report | Reproduction, seed: int) -> Report:
    return found if isinstance(found, il.papers.Report) else il.papers.Report((found,), seed)


def _data(report: Report) -> dict[str, Any]:
    """The report as JSON: versions, seed, shares of verdicts, and every claim with its figures."""
    return {
        "versions": il.papers.versions(),
        "seed": report.seed,
        "shares": report.shares,
        "claims": [
            {
                **_told(each.claim),
                "verdict": each.verdict.value,
                "sentence": each.sentence,
                "ours": each.finding.says if each.finding else None,
                "figures": each.table().to_dicts(),
                "rests_on": each.finding.rests_on if each.finding else (),
                "seconds": each.seconds,
            }
            for each in report
        ],
    }


def _told(claim: Claim) -> dict[str, Any]:
    kept = (
        "paper", "name", "place", "says", "rows", "check", "numbers", "why", "changed", "command",
    )  # fmt: skip
    return {name: getattr(claim, name) for name in kept}


def _list(chosen: list[Claim], as_json: bool) -> None:
    """Print the claims with their places; nothing is computed."""
    if as_json:
        show_json("claims", {"claims": [_told(each) for each in chosen]})
        return
    show(
        [
            il.fits.Section(
                paper,
                (),
                ("claim", "rows", "tested by", "place"),
                tuple(
                    (each.name, " ".join(each.rows), each.check or "-", each.place)
                    for each in chosen
                    if each.paper == paper
                ),
            )
            for paper in dict.fromkeys(each.paper for each in chosen)
        ]
    )


def _teach(as_json: bool) -> None:
    """Print what there is to ask for, and how."""
    found = il.papers.papers().values()
    if as_json:
        counts = {each.name: len(each.claims) for each in found}
        show_json("papers", {"papers": counts})
        return
    rows = tuple(
        (
            each.name,
            str(len(each.claims)),
            str(sum(bool(claim.check) for claim in each.claims.values())),
            each.title,
        )
        for each in found
    )
    lines = tuple(f"{each.line}  # {each.does}" for each in EXAMPLES["reproduce"])
    show(
        [
            il.fits.Section("Papers", (), ("paper", "claims", "tested", "title"), rows),
            il.fits.Section("How to ask", (*lines, "isoloss reproduce --help")),
        ]
    )


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "reproduce": (
        Example("isoloss reproduce kumar2024 --list", "what a paper claims"),
        Example("isoloss reproduce kumar2024 'figure 6 left'", "one claim"),
        Example("isoloss reproduce K6", "the claims that answer a row of the list"),
        Example("isoloss reproduce Q5 F6 --list", "those of two rows, without computing"),
        Example(
            "isoloss reproduce --all -o report",
            "every claim, as one page with figures",
            needs="up to ten minutes",
        ),
    ),
}
