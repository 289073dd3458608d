"""Methods after training on decoders that are trained here: what each loses at 4 and 3 bits, over
training seeds and draws of calibration.

``python -m benchmarks.own_methods [SEEDS [DRAWS]]``. Every method rounds the same models on the
same draws, so that differences are paired; a gap is a mean over seeds of means over draws, its
error the spread between seeds, which holds that of draws and of validation tokens, over the root of
how many there are. The spread of draws within a seed stands beside it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.timing import asked, table
from isoloss.lm import (
    Calibration,
    Language,
    Predictions,
    Recipe,
    Trained,
    degradation,
    model_of,
    quantised,
    train_one,
)

#: Params and tokens of training.
MODELS = (("20k", "1M"), ("80k", "2M"))
VOCAB, SEQUENCES = 64, 64
GROUP = 16
#: Behind a format, and whether the residual stream is rotated before.
METHODS = (
    ("", False), ("+clip", False), ("@hqq", False), ("@awq", False), ("+clip@awq", False),
    ("@smoothquant", False), ("@gptq", False), ("+clip@gptq", False),
    ("+clip@gptq_sequential", False), ("", True), ("+clip@gptq", True),
)  # fmt: skip
PLAIN, BEST = ("", False), ("+clip@gptq", False)
Gaps = NDArray[np.float64]
HEAD = ["", "gap", "se", "less RTN", "se", "less +clip@gptq", "se", "sd of draws", "s"]


@dataclass(frozen=True)
class Given:
    """A trained model, held-out tokens and its predictions of them."""

    trained: Trained
    tokens: np.ndarray
    before: Predictions

    @classmethod
    def of(cls, done: Trained) -> Given:
        """Those of its own corpus."""
        tokens = done.job.corpus.validation(done.job.recipe.validation)
        return cls(done, tokens, Predictions.of(done.model, tokens))

    def gap(self, post: str, draw: int, rotate: bool) -> float:
        """What a precision costs, calibrated on a draw."""
        seen = Calibration(SEQUENCES).tokens(self.trained.job.corpus, draw)
        small = quantised(self.trained.model, post, seen, draw=draw, rotate=rotate)
        return degradation(self.before, small, self.tokens).gap


def main(seeds: int = 3, draws: int = 2) -> None:
    """A table for each size and width."""
    torch.set_num_threads(1)
    language, recipe = Language(vocab=VOCAB), Recipe(compiled=False)
    for size, tokens in MODELS:
        shape = model_of(size, VOCAB)
        done = [
            Given.of(train_one(shape, tokens, corpus=language, recipe=recipe, seed=seed))
            for seed in range(seeds)
        ]
        losses = ", ".join(f"{each.trained.run.loss:.4f}" for each in done)
        _say(f"{size}: {losses}")
        print(f"### Methods after training {size} params on {tokens} tokens, {seeds} seeds\n")
        print(
            f"Losses before {losses}; groups of {GROUP}, calibrated on {SEQUENCES} sequences, "
            f"{draws} draws. Nats a token; errors over seeds, of differences paired by seed and "
            "draw, each known to a half itself where there are three seeds; seconds of processor "
            "a cell.\n"
        )
        for bits in (4, 3):
            print(table([f"w:uint{bits}/{GROUP}", *HEAD[1:]], _rows(done, bits, draws)), "\n")


def _rows(done: Sequence[Given], bits: int, draws: int) -> list[list[str]]:
    found = {method: _gaps(done, bits, *method, draws) for method in METHODS}
    rows = []
    for method, (gaps, took) in found.items():
        form, rotate = method
        apart = [_mean(gaps - found[other][0]) for other in (PLAIN, BEST)]
        spread = float(np.sqrt(gaps.var(1, ddof=1).mean())) if draws > 1 else np.nan
        name = (form or "to nearest") + (", rotated" if rotate else "")
        pairs = ((f"{mean:+.4f}", f"{se:.4f}") for mean, se in (_mean(gaps), *apart))
        both = [text for pair in pairs for text in pair]
        rows.append([name, *both, f"{spread:.4f}", f"{took:.2f}"])
    return rows


def _gaps(
    done: Sequence[Given], bits: int, form: str, rotate: bool, draws: int
) -> tuple[Gaps, float]:
    """The gaps of a method, (seeds, draws), and seconds of processor a cell."""
    post, start = f"w:uint{bits}/{GROUP}{form}", time.process_time()
    gaps = np.array([
        [each.gap(post, draw, rotate) for draw in range(draws)] for each in done
    ])  # fmt: skip
    took = (time.process_time() - start) / gaps.size
    _say(f"{post}{', rotated' if rotate else ''}: {gaps.mean():+.4f}, {took:.2f} s")
    return gaps, took


def _mean(gaps: Gaps) -> tuple[float, float]:
    """The mean over seeds and its standard error, draws of a seed taken together."""
    by_seed = gaps.mean(1)
    return float(by_seed.mean()), float(by_seed.std(ddof=1) / np.sqrt(len(by_seed)))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], int, int))
