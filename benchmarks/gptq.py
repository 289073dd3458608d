"""GPTQ beside rounding to nearest, on a model trained here."""

from __future__ import annotations

import sys
import time

import torch

from benchmarks.timing import table
from isoloss.lm import (
    Calibration,
    Degradation,
    Language,
    Predictions,
    Recipe,
    degradation,
    model_of,
    quantised,
    train_one,
)

SIZE, TOKENS = "0.1M", "1M"
OURS = ("w{}", "w{}+clip", "w{}@gptq", "w{}+clip@gptq", "w{}/32", "w{}/32@gptq")
HEAD = ["", "bits", "gap", "se", "KL", "se", "seconds to quantise"]


def main() -> None:
    torch.set_num_threads(1)
    language = Language()
    start = time.perf_counter()
    done = train_one(model_of(SIZE), TOKENS, corpus=language, recipe=Recipe())
    _say(f"{SIZE}: {done.run.loss:.4f} in {time.perf_counter() - start:.0f} s")
    tokens = language.validation(done.job.recipe.validation)
    before, calibration = Predictions.of(done.model, tokens), Calibration()
    rows = []
    for bits in (2, 3, 4, 8):
        for form in OURS:
            post = form.format(bits)
            start = time.perf_counter()
            small = quantised(done.model, post, calibration.tokens(language))
            took = time.perf_counter() - start
            rows.append(_row(form, bits, degradation(before, small, tokens), took))
    print(
        f"### GPTQ beside rounding to nearest, after training {SIZE} params on {TOKENS} tokens of "
        "the synthetic language\n"
    )
    print(
        f"Loss before {done.run.loss:.4f} on {len(tokens)} sequences; calibrated on "
        f"{calibration.sequences} others. "
        "Nats a token, standard errors over sequences, of differences on the same tokens.\n"
    )
    print(table(HEAD, rows))


def _row(form: str, bits: int, found: Degradation, took: float) -> list[str]:
    numbers = (
        f"{found.gap:+.4f}",
        f"{found.gap_se:.4f}",
        f"{found.kl:.4f}",
        f"{found.kl_se:.4f}",
        f"{took:.2f}",
    )
    return [form.format("N"), str(bits), *numbers]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
