"""``isoloss quantise``: trained models rounded for serving, and the gap that this leaves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import isoloss as il
from isoloss.cli.arguments import TABLES, AsJson, Force, KeptTable, check_target, count, listed
from isoloss.cli.manual import Example
from isoloss.cli.output import counted, say, show, show_json

if TYPE_CHECKING:
    from isoloss.runs import Runs

MEASURED = "On what"


def quantise(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Checkpoints (.safetensors) or folders of them, as 'isoloss train --keep' leaves "
            "them, or folders or hub names (owner/name, owner/name@revision) of causal language "
            "models of Hugging Face.",
        ),
    ],
    post: Annotated[
        list[str],
        typer.Option(
            "--post",
            metavar="P,P...",
            help="Precisions to serve in, as w4,w3/32@gptq,'w4 a8 kv8'; methods are @rtn "
            "(to nearest), @gptq, @gptq_sequential, @awq, @smoothquant and @hqq.",
            show_default=False,
        ),
    ],
    rotate: Annotated[
        bool,
        typer.Option(
            "--rotate",
            help="Rotate the residual stream before anything is rounded (QuaRot); nothing changes "
            "in full precision.",
        ),
    ] = False,
    corpus: Annotated[
        str | None,
        typer.Option(
            "--corpus",
            metavar="NAME",
            rich_help_panel=MEASURED,
            help="Text to measure on (.txt .jsonl .parquet): the same that a model was trained on, "
            "any for one of Hugging Face.",
            show_default="the corpus of training",
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer",
            metavar="NAME",
            rich_help_panel=MEASURED,
            help="Of that text, as in training: bytes, bpe:SIZE or a tokenizer.json.",
            show_default="bytes",
        ),
    ] = None,
    context: Annotated[
        int | None,
        count(
            "--context",
            MEASURED,
            "Tokens of a sequence of that text, as in training.",
            least=2,
            default="64",
        ),
    ] = None,
    calibration: Annotated[
        int,
        count(
            "--calibration",
            MEASURED,
            "Sequences that calibrated methods look at, none of them measured on.",
            least=1,
        ),
    ] = 128,
    draws: Annotated[
        int,
        count(
            "--draws",
            MEASURED,
            "How often other sequences are drawn for them; gaps are means, and their errors hold "
            "the spread.",
            least=1,
        ),
    ] = 1,
    trained_on: Annotated[
        str | None,
        typer.Option(
            "--trained-on",
            metavar="D,D...",
            rich_help_panel=MEASURED,
            help="Tokens that each model of Hugging Face has seen, as 2T.",
            show_default="what its trainer_state.json counts",
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            "--store",
            metavar="FILE",
            help="Keeps every row as it is measured (.db); the same line again goes on.",
            show_default=False,
        ),
    ] = None,
    moments: Annotated[
        Path | None,
        typer.Option(
            "--moments",
            metavar="FOLDER",
            help="Keeps what calibration shows of a model (moments of inputs), so that further "
            "precisions of it need no pass.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="NAME",
            rich_help_panel=MEASURED,
            help="Where, as torch names it: cpu, cuda.",
            show_default="cpu",
        ),
    ] = None,
    output: KeptTable = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Quantise trained models, and measure the loss it costs and how far predictions move.

    Gap and KL divergence are nats a token between the model and its quantised self on the same
    validation tokens, with standard errors over sequences. The rows are runs like any other:
    'isoloss fit' takes them.
    """
    check_target(output, TABLES, force)
    wanted = listed(post, "--post")
    text: Any = corpus
    settings = {"tokenizer": tokenizer, "context": context}
    given = {name: value for name, value in settings.items() if value is not None}
    if given and corpus is None:
        option = f"--{next(iter(given))}"
        raise typer.BadParameter("it is of a text; name the text with --corpus", param_hint=option)
    files = {model: il.lm.checkpoints_of(model) for model in models}
    if given and not all(files.values()):
        option = f"--{next(iter(given))}"
        raise typer.BadParameter(
            "a model of Hugging Face has its own tokens, in windows of 256", param_hint=option
        )
    if corpus is not None and all(files.values()):
        text = il.lm.corpus_of(corpus, **given)
    what = models[0] if len(models) == 1 else f"{len(models)} models"
    seen = None if trained_on is None else listed([trained_on], "--trained-on")
    with counted(
        f"quantising {what}", sum(len(each) or 1 for each in files.values()) * len(wanted)
    ) as tick:
        runs = il.quantise(
            models,
            wanted,
            corpus=text,
            calibration=il.lm.Calibration(calibration, draws=draws),
            trained_on=seen,
            rotate=rotate,
            device=device,
            store=store,
            moments=moments,
            callback=tick,
        )
    if output is not None:
        say(f"saved {len(runs)} rows as {runs.save(output, force=force)}")
    if as_json:
        show_json("runs", {"runs": runs.frame().to_dicts()})
        return
    show([_section(runs, what)])


def _section(runs: Runs, what: str) -> Any:
    """The rows as a table: models, precisions and gaps."""
    several = len(set(runs["parent"])) > 1
    compact = il.runs.compact
    rows = []
    for k, precision in enumerate(runs["precision"]):
        of_model = (compact(runs["params"][k]), compact(runs["tokens"][k]), _count(runs["seed"][k]))
        cost = [
            f"{runs[name][k]:{sign}.3g} +- {runs[f'{name}_se'][k]:.2g}"
            if runs[name][k] == runs[name][k]
            else "-"
            for name, sign in ((("gap", "+"), ("kl", "")) if "kl" in runs.columns else ())
        ]
        why = str(runs["reason"][k] or "") if runs["status"][k] != "ok" else ""
        rows.append(
            (*(of_model if several else ()), str(precision), f"{runs['loss'][k]:.4f}", *cost, why)
        )
    head = (
        *(("params", "tokens", "seed") if several else ()),
        "precision",
        "loss",
        "gap",
        "KL",
        "",
    )
    keep = [i for i in range(len(head)) if head[i] or any(row[i] for row in rows if i < len(row))]
    title = f"{len(runs)} quantised models of {what}"
    line = f"nats a token on {runs['eval_set'][0]}; standard errors over sequences"
    turned = ["the residual stream is rotated first"] if "rotated" in runs.columns else []
    lines = (line, *turned, *_left_alone(runs))
    return il.fits.Section(
        title,
        lines,
        tuple(head[i] for i in keep),
        tuple(tuple(row[i] for i in keep) for row in rows),
    )


def _left_alone(runs: Runs) -> list[str]:
    """Which rows have weights that stayed as they were, embedding and head apart."""
    if "rounded_share" not in runs.columns:
        return []
    shares = {
        str(precision).rpartition("-> ")[2]: share
        for precision, share in zip(runs["precision"], runs["rounded_share"], strict=True)
        if share < 1
    }
    return [
        f"{precision} rounds {share:.2%} of the weights outside embedding and head"
        for precision, share in shares.items()
    ]


def _count(value: float) -> str:
    return "-" if value != value else f"{value:.0f}"


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "quantise": (
        Example(
            "isoloss train --params 4k,8k --tokens 20k --store kept.db --keep models",
            "two tiny models, kept",
        ),
        Example(
            "isoloss quantise models --post w4,w3,w3@gptq -o quantised.csv",
            "what rounding their weights costs",
        ),
        Example(
            "isoloss quantise SmolLM2-135M --post w:uint4/64@gptq --corpus texts --trained-on 2T",
            "a model of Hugging Face on your own text",
            "SmolLM2-135M",
        ),
    ),
}
