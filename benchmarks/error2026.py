"""The recipe of the bundled fits error2026 and error_trained2026: laws of the error with evidence.

``python -m benchmarks.error2026`` fits both, leaves each way of rounding out once, and shows how
they meet gaps that they never saw; ``... --write`` then writes the files that isoloss bundles and
the constants to copy into laws/families/error.py. It reads gptq_llama2023 and quest2025, which are
downloaded unless ISOLOSS_DATA has them.

After training (`after`): isoloss2026 alone, 20k to 409k params, tells the exponent of the error but
extrapolates to 1/55 of what 4 bits cost LLaMA; with the 24 gaps of LLaMA one power law holds both
ends. In training (`trained`): gaps of QuEST with Hadamard, whose size alone counts, as A and c_w
enter their product in the limit of small gaps: c_w is held there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from isoloss.fits import Fit, fit, text
from isoloss.fits.paired_gaps import mean_gaps
from isoloss.fits.presets import leave_out
from isoloss.runs import Runs, read

HOME = Path(__file__).parents[1] / "src/isoloss/fits/presets"
#: Printed perplexities have two decimals: the error of a logarithm of about 1.7 of two of them.
PRINTED = 0.0008
#: A way is left out where fewer of its gaps are told from zero: those that are come out too large.
TOLD = 0.5
#: Where gaps in training are powers of the error, so that they tell A c_w alone.
SMALL = 0.01
DRAWS = 200
COLUMNS = (
    "params", "tokens", "precision", "loss", "loss_se", "status", "reason", "metric", "group",
)  # fmt: skip


def after() -> tuple[Fit, Runs]:
    """Weights after training: isoloss2026 and LLaMA as one table of gaps."""
    spelled = pl.col("precision")
    weights = (spelled == "fp") | spelled.str.contains(r"^fp -> w[^ ]*$")
    gaps = mean_gaps(read("isoloss2026").where(weights)).frame()
    told = gaps.group_by("precision").agg(share=(pl.col("status") == "ok").mean())
    kept = told.filter(pl.col("share") >= TOLD)["precision"]
    own = gaps.filter(spelled.is_in(kept.implode()))
    llama = mean_gaps(read("gptq_llama2023")).frame().with_columns(loss_se=pl.lit(PRINTED))
    both = pl.concat([each.select(COLUMNS) for each in (own, llama)], how="vertical_relaxed")
    source = pl.lit("gaps of isoloss2026 and gptq_llama2023")
    runs = Runs.from_frame(both.with_columns(source=source))
    found = fit("error2026", runs, target="gap", objective="squares", draws=DRAWS)
    return leave_out(found, runs), runs


def trained() -> tuple[Fit, Runs]:
    """Weights and activations in training: QuEST with Hadamard."""
    spelled = pl.col("precision")
    runs = read("quest2025").where(
        pl.col("sparsity").is_null() & ((spelled == "bf16") | spelled.str.contains("had"))
    )
    found = fit("error_trained2026", runs, target="gap", fixed={"c_w": SMALL}, draws=DRAWS)
    return leave_out(found, runs), runs


def main(*words: str) -> None:
    """Both fits with what was left out; written where asked."""
    for made in (after, trained):
        found, _ = made()
        print(text(found.sections()), "\n")
        values = ", ".join(f'"{k}": {v:.6g}' for k, v in found.law.values.items())
        print(f"{found.law.name}: {{{values}}}\n{found.law.box}\n")
        if "--write" in words:
            print(found.save(HOME / f"{found.law.name}.json", force=True), "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
