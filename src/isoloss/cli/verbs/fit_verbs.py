"""``isoloss fit`` and ``isoloss compare``: a law, or several, fitted to tables of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

import isoloss as il
from isoloss.cli.arguments import (
    DOUBT,
    FIGURES,
    FITTING,
    RESULTS,
    Fitting,
    Reading,
    ResampleName,
    Saving,
    Tables,
    check_target,
    chosen_laws,
    listed,
    read_tables,
    saved_or_law,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import counted, keep_result, say, show, show_json, waiting
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.fits import Comparison, Fit, Profile, Section

DRAWS = "Bootstrap replicates (resampled tables), from which intervals are read."

HOLDOUT = (
    "Runs to predict, not to fit: largest, longest, most_tokens, lowest_bits, format=w4, "
    "source=S, group=G, params>=1e9, tokens>=1e11 or random."
)


def fit(
    *,
    tables: Tables,
    law: Annotated[
        str,
        typer.Option(
            "--law",
            metavar="NAME",
            rich_help_panel=FITTING,
            help="A law, which 'isoloss laws NAME' describes: {laws}.",
        ),
    ] = "kumar2024",
    holdout: Annotated[
        str | None,
        typer.Option(
            "--holdout",
            metavar="RULE",
            rich_help_panel=FITTING,
            help=HOLDOUT,
        ),
    ] = None,
    fitting: Fitting,
    draws: Annotated[int, typer.Option("--draws", min=2, rich_help_panel=DOUBT, help=DRAWS)] = 400,
    how: Annotated[
        ResampleName | None,
        typer.Option(
            "--how",
            rich_help_panel=DOUBT,
            help="What is drawn again; without it fractional where a constant rests on few runs, "
            "else groups or cells of repeats, else runs.",
            show_default=False,
        ),
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            rich_help_panel=DOUBT,
            help="Also the profile-likelihood interval of a constant. Repeatable.",
        ),
    ] = None,
    update: Annotated[
        bool,
        typer.Option(
            "--update",
            rich_help_panel=FITTING,
            help="Move a shipped fit of gaps (error2026, error_trained2026, or one saved) by "
            "a few paired runs, with --target gap.",
        ),
    ] = False,
    reading: Reading,
    saving: Saving,
) -> None:
    """Fit a law to tables of runs, and say how far it can be trusted.

    The report gives constants with intervals, errors on runs that were not fitted, and warnings in
    words.
    """
    _check_targets(saving, tables)
    if update:
        _update(law, tables, fitting, reading, saving, (holdout, how, profile))
        return
    (chosen,) = chosen_laws([law], fitting)
    runs = read_tables(tables, reading)
    with counted(f"fitting {law}", draws) as callback:
        found = il.fit(
            chosen,
            runs,
            target=fitting.target.value,
            objective=fitting.objective.value,
            holdout=holdout,
            per=fitting.per,
            draws=draws,
            how=None if how is None else how.value,
            starts=fitting.starts,
            level=fitting.level,
            seed=fitting.seed,
            callback=callback,
        )
    profiles = [_profiled(found, name) for name in listed(profile, "--profile")]
    _keep(found, saving)
    if saving.as_json:
        from isoloss.cli.output.results_data import of_fit

        show_json("fit", of_fit(found, profiles))
    else:
        show([*found.sections(), *_profile_section(profiles)])


def _update(
    law: str,
    tables: list[str],
    fitting: Fitting,
    reading: Reading,
    saving: Saving,
    others: tuple[object, ...],
) -> None:
    """Update a shipped fit of gaps by runs."""
    if fitting.target.value != "gap":
        raise Refused("--update moves laws of gaps; give --target gap with it")
    if any(others) or fitting.per or fitting.fix or fitting.free or saving.drawing is not None:
        raise Refused(
            "--update takes the law, the runs and --target gap; leave out --holdout, --how, "
            "--profile, --per, --fix, --free and --plot"
        )
    known = saved_or_law(law)
    found = il.fits.update(
        known if isinstance(known, il.Fit) else law, read_tables(tables, reading)
    )
    keep_result(found.fit, saving.output, saving.force)
    if saving.as_json:
        from isoloss.cli.output.results_data import of_update

        show_json("update", of_update(found))
    else:
        show(found.sections())


def compare(
    *,
    tables: Tables,
    law: Annotated[
        list[str],
        typer.Option(
            "--law",
            metavar="NAME,NAME...",
            rich_help_panel=FITTING,
            help="Laws, separated by commas or given one by one: {laws}.",
            show_default=False,
        ),
    ],
    holdout: Annotated[
        list[str] | None,
        typer.Option(
            "--holdout",
            metavar="RULE",
            rich_help_panel=FITTING,
            help="Runs to predict, not to fit, as in 'isoloss fit'. Repeatable.",
            show_default="largest, longest",
        ),
    ] = None,
    fitting: Fitting,
    draws: Annotated[int, typer.Option("--draws", min=2, rich_help_panel=DOUBT, help=DRAWS)] = 200,
    reading: Reading,
    saving: Saving,
) -> None:
    """Rank laws by what they predict unseen, and weigh them for an average.

    Each law is fitted to all runs and again without those of each hold-out. No single law is
    right: the saved comparison predicts as the weighted average.
    """
    _check_targets(saving, tables)
    names = listed(law, "--law")
    chosen = chosen_laws(names, fitting)
    runs = read_tables(tables, reading)
    with counted(f"comparing {len(names)} laws", len(names) * draws) as callback:
        found = il.compare(
            chosen,
            runs,
            holdouts=holdout or None,
            target=fitting.target.value,
            objective=fitting.objective.value,
            per=fitting.per,
            draws=draws,
            starts=fitting.starts,
            level=fitting.level,
            seed=fitting.seed,
            callback=callback,
        )
    _keep(found, saving)
    if saving.as_json:
        from isoloss.cli.output.results_data import of_comparison

        show_json("comparison", of_comparison(found))
    else:
        show(found.sections())


def _check_targets(saving: Saving, tables: list[str]) -> None:
    check_target(saving.output, RESULTS, saving.force, tables)
    check_target(saving.drawing, FIGURES, saving.force)


def _keep(found: Fit | Comparison, saving: Saving) -> None:
    keep_result(found, saving.output, saving.force)
    if saving.drawing is not None:
        il.plot(found, saving.drawing, force=saving.force)
        say(f"drew {saving.drawing}")


def _profiled(found: Fit, name: str) -> Profile:
    with waiting(f"profiling {name}"):
        return il.fits.profile(found, name)


def _profile_section(profiles: list[Profile]) -> list[Section]:
    if not profiles:
        return []
    rows = tuple(
        (each.name, *il.fits.ends_in_words(each.ends, "{:.5g}".format)) for each in profiles
    )
    title = f"Profile likelihood, {il.files.percent(profiles[0].level)} intervals"
    return [il.fits.Section(title, (), ("", "low", "high"), rows)]


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "fit": (
        Example("isoloss fit quest2025 --law kumar2024", "fit a published form to a public table"),
        Example(
            "isoloss fit quest2025 --law frantar2025 --holdout largest --draws 100 -o fit.json",
            "hold out the largest models, keep the fit",
        ),
        Example(
            "isoloss fit gadre2024_c4 --law chinchilla --free kappa --profile alpha --draws 100",
            "free a constant, profile another",
        ),
        Example(
            "isoloss fit mine.csv quest2025 --per source", "a base for each source", "mine.csv"
        ),
    ),
    "compare": (
        Example(
            "isoloss compare quest2025 --law chinchilla,kumar2024,frantar2025 --draws 50 -o "
            "laws.json",
            "rank three laws by what they predict unseen",
        ),
    ),
}
