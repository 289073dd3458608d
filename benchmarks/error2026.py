"""The recipe of the bundled fits error2026 and error_trained2026: laws of the error with evidence.

``python -m benchmarks.error2026`` fits both, leaves each way of rounding out once, and shows how
they meet gaps that they never saw; ``... --write`` then writes the files that isoloss bundles and
the constants to copy into laws/families/error.py. It reads gptq_llama2023 and quest2025, which are
downloaded unless ISOLOSS_DATA has them.

After training (`after`): isoloss2026 alone, 20k to 409k params, tells the exponent of the error but
extrapolates to 1/55 of what 4 bits cost LLaMA; with the 24 gaps of LLaMA one power law holds both
ends. In training (`trained`): gaps of QuEST with Hadamard, whose size alone counts, as A and c_w
enter their product in the limit of small gaps: c_w is held there.

Beside them stand gaps that others print and no fit saw. OPT shows the limit: rounded to nearest it
breaks (perplexities of thousands at 3 bits), which no power of an error tells. LLaMA 7B and 13B of
llama.cpp are models of the fit in other formats; Llama 2 and 3 are none of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.timing import share, table
from isoloss.fits import Fit, fit, predict
from isoloss.fits.paired_gaps import mean_gaps
from isoloss.fits.presets import leave_out
from isoloss.runs import Runs, compact, read

HOME = Path(__file__).parents[1] / "src/isoloss/fits/presets"
#: Printed perplexities have two decimals: the error of a logarithm of about 1.7 of two of them.
PRINTED = 0.0008
#: A way is left out where fewer of its gaps are told from zero: those that are come out too large.
TOLD = 0.5
#: Where gaps in training are powers of the error, so that they tell A c_w alone.
SMALL = 0.01
DRAWS = 200
#: Perplexities on WikiText2 that others print, as params, tokens, without rounding, then each way:
#: GPTQ of OPT (Frantar et al. 2022, arXiv 2210.17323, tokens 180B), and llama.cpp's README.
OTHERS: dict[str, Any] = {
    "OPT, GPTQ": {
        "ways": ("uint4/row@gptq", "uint3/row@gptq"),
        "models": (
            (1.25e8, 1.8e11, 27.65, 31.12, 53.85), (3.5e8, 1.8e11, 22.00, 24.24, 33.79),
            (1.3e9, 1.8e11, 14.63, 15.47, 20.97), (2.7e9, 1.8e11, 12.47, 12.87, 16.88),
            (6.7e9, 1.8e11, 10.86, 11.39, 14.86), (1.3e10, 1.8e11, 10.13, 10.31, 11.61),
            (3e10, 1.8e11, 9.56, 9.63, 10.27), (6.6e10, 1.8e11, 9.34, 9.55, 14.16),
            (1.75e11, 1.8e11, 8.34, 8.37, 8.68),
        ),
    },
    "OPT, rounded to nearest": {
        "ways": ("uint4/row", "uint3/row"),
        "models": (
            (1.25e8, 1.8e11, 27.65, 37.28, 1.3e3), (3.5e8, 1.8e11, 22.00, 25.94, 64.57),
            (1.3e9, 1.8e11, 14.63, 48.17, 1.3e4), (2.7e9, 1.8e11, 12.47, 16.92, 1.6e4),
            (6.7e9, 1.8e11, 10.86, 12.10, 5.8e3), (1.3e10, 1.8e11, 10.13, 11.32, 3.4e3),
            (3e10, 1.8e11, 9.56, 10.98, 1.6e3), (6.6e10, 1.8e11, 9.34, 110.0, 6.1e3),
            (1.75e11, 1.8e11, 8.34, 10.54, 7.3e3),
        ),
    },
    "llama.cpp, rounded to nearest": {
        "ways": ("q4_0", "q4_1", "q5_0"),
        "models": (
            (6.74e9, 1e12, 5.9066, 6.1565, 6.0912, 5.9862),
            (1.3e10, 1e12, 5.2543, 5.3860, 5.3608, 5.2856),
            (6.9e10, 2e12, 3.4313, 3.5550, 3.5125, 3.4744),
            (8.03e9, 1.5e13, 6.233160, 6.700147, 6.682737, 6.363224),
        ),
    },
}  # fmt: skip
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


def unseen(found: Fit) -> None:
    """Gaps of models and formats that the fit never saw, printed by others."""
    rows = [(name, *row) for name, table_of in OTHERS.items() for row in _rows(table_of)]
    names, params, tokens, ways, gaps = (list(column) for column in zip(*rows, strict=True))
    said, observed = predict(found, params, tokens, ways, gap=True), np.array(gaps)
    inside, off = said.covers(observed), np.log(said.loss / observed)
    print("### Gaps that error2026 never saw\n")
    lines = [
        [name, compact(n), way, f"{gap:.4f}", f"{loss:.4f}", f"{low:.4f} to {high:.4f}",
         "yes" if within else "NO"]
        for name, n, way, gap, (loss, low, high), within in zip(
            names, params, ways, gaps, said, inside, strict=True)
    ]  # fmt: skip
    head = ["models", "params", "served in", "observed", "predicted", "90% interval", "inside"]
    print(table(head, lines), "\n")
    for name in OTHERS:
        own = np.array([each == name for each in names])
        print(
            f"{name}: {share(inside[own])} of {own.sum()} inside; off by a factor of "
            f"{np.exp(np.median(np.abs(off[own]))):.2f} (median).\n"
        )


def _rows(models: dict[str, tuple[float, ...]]) -> Iterator[tuple[float, float, str, float]]:
    ways = models["ways"]
    for params, tokens, whole, *rounded in models["models"]:
        for way, each in zip(ways, rounded, strict=True):
            yield params, tokens, f"fp -> w:{way}", float(np.log(each / whole))


def main(*words: str) -> None:
    """Both fits with what was left out; written where asked."""
    for made in (after, trained):
        found, _ = made()
        assert found.left_out is not None
        print(f"### {found.law.name}: {found.law.title}\n")
        held = [k.name for k in found.law.free]
        rows = [
            (k, f"{v:.6g}", "{:.3g} to {:.3g}".format(*found.interval(k)) if k in held else "held")
            for k, v in found.law.values.items()
        ]
        print(table(("", "value", "90% interval"), rows), "\n")
        for section in found.left_out.sections():
            print("; ".join(section.lines).capitalize() + ".\n")
            print(table(section.head, section.rows), "\n")
        if made is after:
            unseen(found)
        if "--write" in words:
            print(found.save(HOME / f"{found.law.name}.json", force=True).name, found.law.box, "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
