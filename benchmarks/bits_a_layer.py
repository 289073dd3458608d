"""Bits a layer: allocations at equal bits that nobody measured, predicted and measured, and what
the chosen one wins over them.

``python -m benchmarks.bits_a_layer [own|smollm2] [ALLOCATIONS]``; a model of 0.1M that it trains (a
few minutes), or SmolLM2-135M by block, as `benchmarks.smollm2` reads it (an hour).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from benchmarks.smollm2 import read
from benchmarks.timing import asked, table
from isoloss.formats import Format, Precision
from isoloss.lm import (
    BitAllocation,
    Calibrated,
    Degradation,
    Language,
    Predictions,
    Recipe,
    Sensitivity,
    allocate_bits,
    degradation,
    model_of,
    quantised,
    sensitivity,
    train_one,
)
from isoloss.lm.after.degrading import pooled
from isoloss.lm.allocating.assembling import Assembled


@dataclass(frozen=True)
class Study:
    """A model, held-out tokens, tokens to calibrate on, units, and pairs of formats."""

    model: nn.Module
    tokens: np.ndarray
    calibration: Tensor | None
    by: str
    pairs: Sequence[tuple[str, str]]


def main(which: str = "own", allocations: int = 20) -> None:
    torch.set_num_threads(1)
    studies = {"own": own, "smollm2": smollm2}
    if which not in studies:
        raise SystemExit(f"{which!r} is no model of this study; accepted are {', '.join(studies)}")
    study, rows, won = studies[which](), [], []
    seen = None if study.calibration is None else Calibrated(study.calibration)
    every = tuple(dict.fromkeys(known for pair in study.pairs for known in pair))
    whole = sensitivity(study.model, every, study.tokens, seen, by=study.by)
    lost = _Lost(study, seen, whole)
    for pair in study.pairs:
        measured = replace(whole, formats=pair)
        drawn = list(_drawn(measured, allocations))
        halves = [lost(each) for each in drawn]
        found = [pooled(each) for each in halves]
        rows.append([*_row(pair, measured, drawn, found), *_repeated(halves)])
        chosen = allocate_bits(measured, _middle(measured))
        best, mean = pooled(lost(chosen.formats)), np.mean([each.gap for each in found])
        won.append([
            " and ".join(pair), f"{chosen.bits:.3f}", f"{chosen.gap:+.4f} +- {chosen.gap_se:.4f}",
            f"{best.gap:+.4f} +- {best.gap_se:.4f}", f"{mean:+.4f}",
        ])  # fmt: skip
        print(rows[-1], won[-1], file=sys.stderr, flush=True)
    print(f"### Allocations at equal bits, {len(whole.units)} units of {which} (by {study.by})\n")
    head = [
        "formats", "rank correlation", "median error", "within 20%", "gaps", "rank, scaled gaps",
        "median error", "gaps of one half of the text by the other", "divergences likewise",
    ]  # fmt: skip
    print(table(head, rows), "\n")
    print(
        "The last two: how well what is measured on half of the text ranks what is on the other, "
        "which no prediction can be expected to beat.\n"
    )
    print(table(["formats", "bits", "predicted", "chosen", "drawn, mean"], won), "\n")


class _Lost:
    """What an allocation loses on either half of the text; of blocks, put together from models
    rounded as a whole once.
    """

    def __init__(self, study: Study, seen: Calibrated | None, measured: Sensitivity):
        self.study, self.seen = study, seen
        self.before = [
            (Predictions.of(study.model, half), half)
            for half in (study.tokens[::2], study.tokens[1::2])
        ]
        self.lending = study.by == "block"
        if self.lending:
            self.copied = Assembled(study.model, measured.blocks)
            self.rounded = {
                known: quantised(study.model, _spelled(dict.fromkeys(measured.units, known)), seen)
                for known in measured.formats
            }

    def __call__(self, formats: Mapping[str, str]) -> list[Degradation]:
        if self.lending:
            blocks = {unit: self.rounded[known] for unit, known in formats.items()}
            with self.copied.lent(blocks) as model:
                return [degradation(before, model, half) for before, half in self.before]
        model = quantised(self.study.model, _spelled(formats), self.seen)
        return [degradation(before, model, half) for before, half in self.before]


def _repeated(halves: Sequence[Sequence[Degradation]]) -> list[str]:
    """How gaps, and divergences, of one half of the text rank those of the other."""
    lost = np.array([[(half.gap, half.kl) for half in each] for each in halves])
    return [f"{spearmanr(lost[:, 0, k], lost[:, 1, k])[0]:.2f}" for k in (0, 1)]


def _spelled(formats: Mapping[str, str]) -> Precision:
    return BitAllocation(formats, 0.0, 0.0, 0.0, 0.0).precision


def own() -> Study:
    """The decoder of 0.1M on 1M tokens of the synthetic language."""
    corpus = Language(vocab=64, context=32)
    recipe = Recipe(validation=256, compiled=False)
    model = train_one(model_of("0.1M", 64), "1M", corpus=corpus, recipe=recipe).model
    pairs = (("int2", "int3"), ("int3", "int4"), ("e2m1", "int3"))
    return Study(model, corpus.validation(256), None, "matrix", pairs)


def smollm2() -> Study:
    """SmolLM2-135M, its text cut short."""
    given = read()
    (seen,) = given.drawn(1)
    pairs = (
        ("uint3/64+clip@gptq", "uint4/64+clip@gptq"),
        ("uint2/64+clip@gptq", "uint3/64+clip@gptq"),
    )
    return Study(given.model, given.tokens[:16], seen.tokens, "block", pairs)


def _drawn(measured: Sensitivity, count: int) -> list[dict[str, str]]:
    """Units halved at random between two formats, so that their bits are about equal."""
    draw, half = np.random.default_rng(0), len(measured.units) // 2
    both = [measured.formats[0]] * half
    both += [measured.formats[1]] * (len(measured.units) - half)
    return [
        dict(zip(measured.units, map(str, draw.permutation(both)), strict=True))
        for _ in range(count)
    ]


def _middle(measured: Sensitivity) -> float:
    return float(np.mean([Format.parse(known).storage_bits for known in measured.formats]))


def _row(
    pair: tuple[str, str],
    measured: Sensitivity,
    drawn: Sequence[Mapping[str, str]],
    found: Sequence[Degradation],
) -> list[str]:
    gaps = np.array([each.gap for each in found])
    ours = np.array([measured.predicted(each)[0] for each in drawn])
    scale = {
        f: measured.whole[f].gap / sum(measured.alone[u, f].gap for u in measured.units)
        for f in measured.formats
    }
    plain = np.array(
        [sum(measured.alone[u, f].gap * scale[f] for u, f in each.items()) for each in drawn]
    )
    errors = np.abs(ours / gaps - 1)
    return [
        " and ".join(pair), f"{spearmanr(ours, gaps)[0]:.2f}", f"{np.median(errors):.1%}",
        f"{np.mean(errors <= 0.2):.0%}", f"{gaps.min():.4f} to {gaps.max():.4f}",
        f"{spearmanr(plain, gaps)[0]:.2f}", f"{np.median(np.abs(plain / gaps - 1)):.1%}",
    ]  # fmt: skip


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], str, int))
