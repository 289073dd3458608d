"""``isoloss plan``: a law or a saved result and a budget in; params, tokens and precision out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import (
    DOUBT,
    FIGURES,
    PAGES,
    RESULTS,
    SPEND,
    Level,
    LogTo,
    Saving,
    Spending,
    check_target,
    listed,
    names_a_file,
    saved_or_law,
)
from isoloss.cli.manual import Example
from isoloss.cli.output import keep_result, log_plan, say, show, show_json
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.plans import Budget, Hardware, LawsLike

SERVE = "What the served model must do"
HELD = "What is held"


def plan(
    laws: Annotated[
        str,
        typer.Argument(
            metavar="LAWS",
            help="A saved fit or comparison, a law, several separated by commas, or 'published' for"
            " all published laws. 'error2026' has gaps of any format, for --serve.",
            show_default=False,
        ),
    ],
    spending: Spending,
    hardware: Annotated[
        str | None,
        typer.Option(
            "--hardware",
            metavar="NAME",
            help="A machine or cost model: {machines}.",
            show_default="the one that the budget names",
        ),
    ] = None,
    served: Annotated[
        str | None,
        typer.Option(
            "--served",
            metavar="TOKENS",
            rich_help_panel=SPEND,
            help="Tokens generated over the model's life; the budget pays for them too (on a "
            "device at --serve-rate).",
        ),
    ] = None,
    serve_rate: Annotated[
        str | None,
        typer.Option(
            "--serve-rate",
            metavar="RATE",
            rich_help_panel=SPEND,
            help="What one device generates, as '2500 tokens/s at 8B'; inversely to params.",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory", metavar="BYTES", rich_help_panel=SERVE, help="Memory to serve in, as 16GB."
        ),
    ] = None,
    speed: Annotated[
        str | None,
        typer.Option(
            "--speed",
            metavar="RATE",
            rich_help_panel=SERVE,
            help="Least decode speed, as '50 tokens/s'.",
        ),
    ] = None,
    context: Annotated[
        int, typer.Option("--context", min=0, rich_help_panel=SERVE, help="Tokens of context kept.")
    ] = 0,
    batch: Annotated[
        int, typer.Option("--batch", min=1, rich_help_panel=SERVE, help="Sequences at once.")
    ] = 1,
    params: Annotated[
        str | None,
        typer.Option(
            "--params",
            metavar="COUNT",
            rich_help_panel=HELD,
            help="As 8B, or '671B active 37B' of a mixture of experts.",
        ),
    ] = None,
    tokens: Annotated[
        str | None, typer.Option("--tokens", metavar="COUNT", rich_help_panel=HELD, help="As 15T.")
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            "--like",
            metavar="MODEL",
            rich_help_panel=HELD,
            help="Params and shape of a model, dense or a mixture of experts ({models}), or of a "
            "config.json.",
        ),
    ] = None,
    decoder: Annotated[
        str | None,
        typer.Option(
            "--decoder",
            metavar="WORDS",
            rich_help_panel=HELD,
            help="Params and shape, as layers=32,width=4096,heads=32,kv_heads=8,vocab=128256.",
        ),
    ] = None,
    training_memory: Annotated[
        str | None,
        typer.Option(
            "--training-memory",
            metavar="WORDS",
            rich_help_panel=HELD,
            help="How --devices keep the state of training, which limits params: "
            "sharding=optimizer,moments=int8/128,sequences=1,context=8192; off: no limit.",
            show_default="16 bytes a param, shared over all",
        ),
    ] = None,
    unique: Annotated[
        str | None,
        typer.Option(
            "--unique",
            metavar="COUNT",
            rich_help_panel=HELD,
            help="Unique tokens available; beyond them tokens repeat.",
        ),
    ] = None,
    serve: Annotated[
        list[str] | None,
        typer.Option(
            "--serve",
            metavar="FORMATS",
            rich_help_panel=SERVE,
            help="Rank these formats for a model that exists (--params or --like, --tokens), as "
            "e4m3,w4/128.",
        ),
    ] = None,
    serving_devices: Annotated[
        int,
        typer.Option(
            "--serving-devices",
            min=1,
            rich_help_panel=SERVE,
            help="Devices that share the weights as served.",
        ),
    ] = 1,
    precision: Annotated[
        list[str] | None,
        typer.Option(
            "--precision",
            metavar="SPELLING",
            help="Candidates, separated by commas (fp8: forward pass and cache; gradients with g, "
            "as 'fp8 g:e5m2'); with --serve the precision it was trained in.",
            show_default="those of the fitted runs, else bf16",
        ),
    ] = None,
    throughput: Annotated[
        Path | None,
        typer.Option(
            "--throughput",
            metavar="FILE",
            help="Measured rates, which come first (.csv: precision, stage, flop_per_s, "
            "tokens_per_s, params).",
        ),
    ] = None,
    mfu: Annotated[
        str | None,
        typer.Option(
            "--mfu",
            metavar="SHARES",
            help="Model FLOPs utilisation of training, taken as exact: 0.4 of bf16 (other formats "
            "by their published speed-ups), or bf16=0.4,fp8=0.25, or all=0.4.",
            show_default="ranges of published runs",
        ),
    ] = None,
    extrapolate: Annotated[
        bool,
        typer.Option(
            "--extrapolate", help="Recommend also outside the fitted runs.", show_default=False
        ),
    ] = False,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="NAME",
            help="Group whose constants are used, where a law has several.",
        ),
    ] = None,
    draws: Annotated[
        int,
        typer.Option(
            "--draws",
            min=1,
            rich_help_panel=DOUBT,
            help="Bootstrap replicates that are planned again.",
        ),
    ] = 1000,
    level: Level = 0.9,
    to: LogTo = None,
    *,
    saving: Saving,
) -> None:
    """Plan how large, how long and in which precision, under a budget on a machine.

    With --serve: in which format to serve a model that exists. Outside the runs behind a law the
    recommendation is withheld unless --extrapolate asks for it.
    """
    check_target(saving.output, RESULTS, saving.force)
    check_target(saving.drawing, FIGURES, saving.force)
    if to is not None:
        il.runs.check_sendable(to)
    budget = il.Budget(
        **vars(spending), served=served, serve_rate=serve_rate, memory=memory, speed=speed,
        serving_devices=serving_devices, context=context, batch=batch, params=params,
        tokens=tokens, unique_tokens=unique, decoder=_shape(like, decoder),
        training_memory=il.plans.TrainingRule() if training_memory is None else training_memory,
    )  # fmt: skip
    device = il.plans.machine_of(budget, hardware)
    device = device if throughput is None else il.plans.measured(device, throughput)
    device = device if mfu is None else device.with_mfu(mfu)
    known = _laws(laws)
    names = listed(precision, "--precision")
    doubt: dict[str, Any] = {
        "extrapolate": extrapolate,
        "draws": draws,
        "level": level,
        "group": group,
    }
    if serve and to is not None:
        raise Refused("a ranking of --serve is printed or given as --json; --to is for plans")
    if serve:
        _rank(laws, known, budget, device, listed(serve, "--serve"), names, doubt, saving)
        return
    found = il.plan(known, budget, device, precision=names or None, **doubt)
    keep_result(found, saving.output, saving.force)
    if saving.drawing is not None:
        il.plot(found, saving.drawing, force=saving.force)
        say(f"drew {saving.drawing}")
    if saving.as_json:
        from isoloss.cli.output.plans_data import of_plan

        show_json("plan", {"from": laws, **of_plan(found)})
    else:
        show(found.sections())
    log_plan(found, to)  # last: a server may fail


def _laws(words: str) -> LawsLike:
    """The laws that are named, or the word for all published ones."""
    if words == "published":
        return words
    names = [words] if names_a_file(words) else words.split(",")
    found = [saved_or_law(name.strip()) for name in names]
    return found if len(found) > 1 else found[0]


def _shape(like: str | None, decoder: str | None) -> str | None:
    """The shape that is held, from one of the two options."""
    if like is not None and decoder is not None:
        raise Refused("--like and --decoder both give a shape; give one of them")
    if like is not None and "=" in like:
        raise Refused(f"--like is {like[:60]!r}; give words of a shape as --decoder {like[:60]}")
    if decoder is not None and "=" not in decoder:
        raise Refused(f"--decoder is {decoder[:60]!r}; give a name or a file as --like")
    return decoder if like is None else like


def _rank(
    named: str,
    laws: LawsLike,
    budget: Budget,
    device: Hardware,
    formats: list[str],
    trained: list[str],
    doubt: dict[str, Any],
    saving: Saving,
) -> None:
    """Rank the formats to serve a model that exists."""
    if len(trained) > 1:
        raise Refused(
            f"--precision has {len(trained)} values; "
            "with --serve it is the one that the model was trained in"
        )
    check_target(saving.output, PAGES, saving.force)
    if saving.drawing is not None:
        raise Refused("a ranking of --serve has no figure; --plot is for plans")
    found = il.plans.rank_serving(
        laws, budget, device, formats, trained=(trained or ["fp"])[0], **doubt
    )
    keep_result(found, saving.output, saving.force)
    if saving.as_json:
        from isoloss.cli.output.plans_data import of_serving

        show_json("serving", {"from": named, **of_serving(found)})
    else:
        show(found.sections())


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "plan": (
        Example(
            "isoloss plan kumar2024 --train 1e18flop --hardware linear-bits --precision 'w6 a6 "
            "kv6,w7 a7 kv7,bf16'",
            "inside the runs of a published law",
        ),
        Example(
            "isoloss plan fit.json --train 1e21flop --hardware h100 --memory 16GB --extrapolate "
            "-o plan.json",
            "a saved fit beyond its runs, under a limit on serving; kept",
        ),
        Example(
            "isoloss plan kumar2024 --train '64 h100 for 30 days at 2.5 EUR/h' --precision "
            "bf16,int8",
            "a month of a cluster, and what it costs",
        ),
        Example(
            "isoloss plan kumar2024 --params 70B --tokens 15T --serve e4m3,w4/128,mxfp4 "
            "--hardware h100",
            "a model that exists: how to serve it",
        ),
        Example(
            "isoloss plan published --like llama3-8b --tokens 15T --serve bf16,w4/128 --context "
            "8192 --batch 16 --hardware h100",
            "with the shape of a published model",
        ),
        Example(
            "isoloss plan kumar2024 --train '2048 h100 for 60 days' --like deepseek-v3",
            "a mixture of experts: cost by active params, memory by all",
        ),
    ),
}
