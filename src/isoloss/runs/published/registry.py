"""The registry of public tables: repository, pinned commit, licence, citation and parser of
each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import polars as pl

from isoloss.runs.intake import open_bytes
from isoloss.runs.problems import RunsError
from isoloss.runs.provenance import Provenance
from isoloss.runs.published.fetching import fetch
from isoloss.runs.published.fp4_llama8b import parse_fp4_llama8b
from isoloss.runs.published.gadre import parse_gadre
from isoloss.runs.published.gemstones import parse_gemstones
from isoloss.runs.published.gptq_llama import parse_gptq_llama
from isoloss.runs.published.hoffmann import parse_hoffmann
from isoloss.runs.published.public_table import Parser, PublicTable
from isoloss.runs.published.quest import parse_quest

GITHUB = "https://github.com"
QUEST = ("IST-DASLab/QuEST", "c295afda142c03a89d2af04653881beccf459aa1")
SCALING = ("mlfoundations/scaling", "a003c4913793ac2ae7ef87b28ecb562955d026d5")
GEMSTONES = ("mcleish7/gemstone-scaling-laws", "5f420478f6057b0cbb4d13405fb10ca64675bccb")
GPTQ_LLAMA = ("qwopqwop200/GPTQ-for-LLaMa", "e985b700f19e670bad9b949cd83056889dd31448")
FP4_LLAMA8B = ("MrHuff/mfu-fp4-training", "3503dfaf264186b4736cc9ecac4bca95e2cc0698")
GADRE_SETS = {"eval_set": "evaluation set whose loss is taken, c4_val unless given"}


def _github(
    name: str,
    summary: str,
    where: tuple[str, str],
    citation: str,
    parse: Parser,
    options: Mapping[str, str] | None = None,
    licence: str = "MIT",
) -> PublicTable:
    repository, commit = where
    provenance = Provenance(licence, citation, f"{GITHUB}/{repository}", commit)
    return PublicTable(name, summary, provenance, parse, repository, options=options)


def bundled_table(
    name: str, summary: str, file: str, citation: str = "isoloss, simulated"
) -> PublicTable:
    """A table of isoloss's own, read from src/isoloss/runs/tables."""
    return PublicTable(name, summary, Provenance("Apache-2.0", citation), _own(name), bundled=file)


def _own(name: str) -> Parser:
    def parse(files: Mapping[str, bytes]) -> pl.DataFrame:
        ((file, content),) = files.items()
        frame = open_bytes(content, file).frame
        return frame if "source" in frame.columns else frame.with_columns(source=pl.lit(name))

    return parse


_GADRE = "Gadre et al. 2024, Language models scale reliably with over-training, arXiv 2403.08540"
_GEMSTONES = (
    "McLeish et al. 2025, Gemstones: A model suite for multi-faceted scaling laws, arXiv 2502.06857"
)
_QUEST = (
    "Panferov et al. 2025, QuEST: Stable training with 1-bit weights and activations, "
    "arXiv 2502.05003"
)
_GPTQ_LLAMA = "qwopqwop200 2023, GPTQ-for-LLaMa, after Frantar et al. 2022, GPTQ, arXiv 2210.17323"
_FP4_LLAMA8B = (
    "Hu 2026, Format-Aware Fusion for Fast FP4 Llama Pretraining, technical report, "
    "github.com/MrHuff/mfu-fp4-training"
)
_HOFFMANN = (
    "Hoffmann et al. 2022, arXiv 2203.15556; read off a figure by Besiroglu et al. 2024, "
    "arXiv 2404.10102"
)


def _gadre(name: str, corpus: str, count: int, named: str) -> PublicTable:
    parse = partial(parse_gadre, source=name, corpus=corpus)
    return _github(
        name, f"{count} over-training runs on {named}", SCALING, _GADRE, parse, GADRE_SETS
    )


def _gemstones(eval_set: str, named: str) -> PublicTable:
    name = f"gemstones2025_{eval_set}"
    parse = partial(parse_gemstones, source=name, eval_set=eval_set)
    return _github(
        name, f"22 shapes at 35 checkpoints, loss on {named}", GEMSTONES, _GEMSTONES, parse
    )


TABLES: dict[str, PublicTable] = {
    table.name: table
    for table in (
        _github(
            "quest2025",
            "104 quantised pretraining runs, 1 to 8 bits and FP4",
            QUEST,
            _QUEST,
            parse_quest,
        ),
        _github(
            "hoffmann2022", "245 Chinchilla runs, 240 usable", GEMSTONES, _HOFFMANN, parse_hoffmann
        ),
        _gadre("gadre2024_c4", "c4", 34, "C4"),
        _gadre("gadre2024_redpajama", "redpajama", 35, "RedPajama"),
        _gemstones("dclm", "DCLM"),
        _gemstones("fineweb_edu", "FineWeb-Edu"),
        _github(
            "gptq_llama2023",
            "LLaMA 7B to 65B after rounding to nearest and GPTQ in 3 and 4 bits, WikiText2",
            GPTQ_LLAMA,
            _GPTQ_LLAMA,
            parse_gptq_llama,
            licence="Apache-2.0",
        ),
        _github(
            "fp4_llama8b",
            "11 trajectories of an 8B model, BF16 and ten FP4 recipes, with measured speeds",
            FP4_LLAMA8B,
            _FP4_LLAMA8B,
            parse_fp4_llama8b,
        ),
        bundled_table(
            "isoloss2026",
            "small language models on a synthetic language, trained and then quantised in many "
            "formats, with and without decay",
            "isoloss2026.parquet",
            "isoloss, measured with benchmarks/isoloss2026.py",
        ),
        bundled_table(
            "recipes2026",
            "language models of 5k and 20k params trained in four bits, operand by operand, and "
            "changed to full precision before the end",
            "recipes2026.parquet",
            "isoloss, measured with benchmarks/recipes.py",
        ),
        bundled_table(
            "simulated2024",
            "465 runs SIMULATED from kumar2024 with 1% noise on the paper's design; nothing was "
            "trained",
            "simulated2024.csv",
            "isoloss, simulated from the published constants of Kumar et al. 2024, arXiv "
            "2411.04330",
        ),
    )
}


def load_table(table: PublicTable, options: Mapping[str, Any]) -> pl.DataFrame:
    """The table's rows in canonical columns, read or downloaded; options are those of its
    parser.
    """
    unknown = [name for name in options if name not in (table.options or {})]
    if unknown:
        raise RunsError(f"'{table.name}' has no option '{unknown[0]}'")
    return table.parse(fetch(table), **options)


def provenance_of(sources: Iterable[str | None]) -> dict[str, Provenance]:
    """Licence and citation of those sources that are public tables."""
    return {source: TABLES[source].provenance for source in sources if source in TABLES}
