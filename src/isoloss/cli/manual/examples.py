"""One or more examples of every command: shown below its help, printed in docs/commands.md, run by the tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape


@dataclass(frozen=True)
class Example:
    """A line for the shell, what it does, and the file of the reader's own that it needs, if any."""

    line: str
    does: str
    needs: str = ""


EXAMPLES: dict[str, tuple[Example, ...]] = {
    "": (
        Example("isoloss runs quest2025", "look at a public table"),
        Example(
            "isoloss fit quest2025 --law kumar2024 --holdout largest -o fit.json", "fit a law to it"
        ),
        Example(
            "isoloss predict fit.json --params 1B --tokens 20B --precision 'w4 a8'", "ask the fit"
        ),
    ),
    "runs": (
        Example("isoloss runs", "the tables that can be read by name"),
        Example("isoloss runs quest2025", "what a table holds"),
        Example("isoloss runs hoffmann2022 --excluded", "the rows that cannot be used, and why"),
        Example(
            "isoloss runs quest2025 --where params=..200M -o small.parquet", "keep some of its rows"
        ),
        Example(
            "isoloss runs export.csv --column loss=val_loss --precision 'w{w_bits} a{a_bits}'",
            "read an export of a tracker",
            "export.csv",
        ),
    ),
    "laws": (
        Example("isoloss laws", "every law by name"),
        Example("isoloss laws kumar2024", "one law: constants, units, notes"),
    ),
    "formats": (
        Example("isoloss formats", "every named format"),
        Example("isoloss formats int4/128 e2m1 mxfp4 nvfp4 int4~sr", "some of them, with marks"),
        Example(
            "isoloss formats int4 e4m3 --distribution laplace --block 64",
            "heavier tails, scales of 64",
        ),
    ),
    "simulate": (
        Example(
            "isoloss simulate --dim 1e4 --samples 1e3,1e4,1e5 --precision fp,d:int6,d:e4m3 -o risk.parquet",
            "exact risk of three precisions, kept as a table of runs",
        ),
        Example(
            "isoloss simulate --steps 1000 --batch 1,16 --step-size 0.1 --precision 'fp,a:add(0.1),a:vec(0.1)'",
            "two noise models, two batches",
        ),
        Example(
            "isoloss simulate --dim 50 --steps 500 --precision fp,w:int4,g:e5m2~sr --method sampled --replicates 200",
            "real rounding, simulated",
        ),
        Example("isoloss simulate --study list", "the ready-made studies"),
        Example("isoloss simulate --study batch --plot batch.svg", "one of them, drawn"),
    ),
    "train": (
        Example(
            "isoloss train --params 4k,8k --tokens 20k,40k --precision fp,w4 --schedule wsd --warmup 3 --post w4,w3 --store tiny.db",
            "eight tiny models, each quantised twice after training; the same line again does nothing",
        ),
        Example(
            "isoloss train --params 0.08M,0.4M --tokens 0.5M,1M,2M --precision 'fp,w2,w3,w4,w8,w4 a4 kv4' --seeds 2 "
            "--schedule wsd --post w2,w3,w4,w6,w8 --store runs.db --dry-run",
            "what half an hour on two cores would train",
        ),
        Example(
            "isoloss train --params 4k --tokens 20k --precision fp,w4,w:e2m1 --seeds 2 --cells --store cells.db",
            "six runs as one batched model, as for a GPU with --device cuda",
        ),
    ),
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
            "isoloss compare quest2025 --law chinchilla,kumar2024,frantar2025 --draws 50 -o laws.json",
            "rank three laws by what they predict unseen",
        ),
    ),
    "gaps": (
        Example("isoloss gaps quest2025", "what each precision costs in a public table"),
        Example(
            "isoloss gaps simulated2024 --where precision=bf16,w3,w4 --plot gaps.svg",
            "two of them, drawn",
        ),
    ),
    "predict": (
        Example(
            "isoloss predict kumar2024 --params 200M --tokens 20B --precision 'w4 a8,w8 a8,bf16'",
            "a law",
        ),
        Example(
            "isoloss predict fit.json --params 500M,1B --tokens 50B --precision 'w4+had@quest a4+had@quest'",
            "a saved fit, with intervals",
        ),
    ),
    "plan": (
        Example(
            "isoloss plan kumar2024 --train 1e18flop --hardware linear-bits --precision 'w6 a6 kv6,w7 a7 kv7,bf16'",
            "inside the runs of a published law",
        ),
        Example(
            "isoloss plan fit.json --train 1e21flop --hardware h100 --memory 16GB --extrapolate -o plan.json",
            "a saved fit beyond its runs, under a limit on serving; kept",
        ),
        Example(
            "isoloss plan kumar2024 --params 70B --tokens 15T --serve e4m3,w4/128,mxfp4 --hardware h100",
            "a model that exists: how to serve it",
        ),
    ),
    "disagree": (
        Example(
            "isoloss disagree --params 7B --tokens 2T --bits 4", "what 4 bits cost, by every law"
        ),
        Example(
            "isoloss disagree --train 1e21flop --hardware linear-bits,h100",
            "what each law would do with a budget",
        ),
    ),
    "next-runs": (
        Example(
            "isoloss next-runs fit.json --train 1e20flop --hardware h100 --target 1e22flop",
            "the runs for 1e20 flop that teach most about the params of a plan for 1e22",
        ),
        Example(
            "isoloss next-runs fit.json --hours 24h --devices 8 --hardware h100 --target 1e22flop --target-precision bf16 "
            "--params 10M,400M --max-runs 12 -o runs.csv",
            "a day on 8 devices, for a model of one precision, kept as a table to fill in",
        ),
    ),
    "plot": (
        Example("isoloss plot quest2025 --as runs -o runs.svg", "draw a table"),
        Example("isoloss plot kumar2024 -o law.svg", "draw a law"),
        Example("isoloss plot 'e2m1 int4 nvfp4' -o grids.svg", "draw number formats"),
        Example("isoloss plot fit.json -o fit.svg", "draw a saved fit"),
        Example(
            "isoloss plot plan.json --kind frontier -o frontier.svg",
            "draw what a saved plan would do with more",
        ),
    ),
}


def as_epilog(examples: Sequence[Example]) -> str:
    """The examples as the last lines of a help text."""
    lines = [f"[dim]# {escape(each.does)}[/dim]\n$ {escape(each.line)}" for each in examples]
    return "\n".join(["[bold]Examples[/bold]", *lines])
