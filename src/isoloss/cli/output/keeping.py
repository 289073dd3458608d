"""Results kept, drawn and logged: a table first, so that nothing done depends on what may fail
after it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import isoloss as il
from isoloss.cli.output.showing import say
from isoloss.cli.output.spinner import waiting
from isoloss.cli.refusing import Refused, sentence

if TYPE_CHECKING:
    from isoloss.linear import Study
    from isoloss.plans import Plan
    from isoloss.runs import Runs


def keep(found: Study | Runs, rows: int, output: Path | None, force: bool) -> None:
    """Save a table where one is asked for, or write the page of what it shows, and say so."""
    if is_page(output):
        keep_result(found, output, force)
    elif output is not None:
        say(f"saved {rows} rows as {found.save(output, force=force)}")


def is_page(output: Path | None) -> bool:
    """Whether a page is asked for, by the ending."""
    return output is not None and output.suffix.lower() == ".html"


def keep_result(found: Any, output: Path | None, force: bool) -> None:
    """Save a result where one is asked for, or write its page, by the ending, and say so."""
    if is_page(output):
        il.report(found, path=output, force=force)
        say(f"wrote {output}")
    elif output is not None:
        say(f"saved {found.save(output, force=force)}")


def draw(found: Study | Runs, output: Path | None, drawing: Path | None, force: bool) -> None:
    """Draw what is asked to be drawn; if that fails, the table is kept all the same."""
    if drawing is None:
        return
    try:
        il.plot(found, drawing, force=force)
    except Exception as error:
        kept = output is not None and not is_page(output)
        table = output if kept else found.save(_free(drawing.with_suffix(".csv")))
        text = f"no figure: {sentence(error)}; the table is kept as {table}"
        raise Refused(text) from error
    say(f"drew {drawing}")


def log_runs(runs: Runs, to: str | None) -> None:
    """Log a table to a tracker where one is named, and say so."""
    if to is not None:
        with waiting(f"logging to {il.runs.without_secrets(to)}"):
            sent = il.runs.log_runs(runs, to)
        say(str(sent))


def log_plan(plan: Plan, to: str | None) -> None:
    """Log a plan to a tracker where one is named, and say so: its recommendation, or why it is
    withheld, beside its file.
    """
    if to is None:
        return
    params: dict[str, Any] = {"budget": plan.budget, "hardware": plan.hardware}
    metrics: dict[str, float] = {}
    best = plan.best
    if best is None:
        params["withheld"] = plan.withheld or plan.apart
    else:
        params["precision"] = best.precision
        low, high = best.loss_interval
        asked = {
            "params": best.params, "tokens": best.tokens, "loss": best.loss,
            "loss_low": low, "loss_high": high, "device_hours": best.device_hours,
        }  # fmt: skip
        # What is not known has no value there.
        metrics = {name: value for name, value in asked.items() if math.isfinite(value)}
    with waiting(f"logging to {il.runs.without_secrets(to)}"):
        sent = il.runs.log_result(plan, to, params, metrics)
    say(str(sent))


def _free(path: Path) -> Path:
    """The path, or one beside it with a number behind, that no file has."""
    k = 1
    while (free := path if k == 1 else path.with_stem(f"{path.stem}-{k}")).exists():
        k += 1
    return free
