"""The synthetic language: its speed and entropy, and the power laws of full-precision loss in
params and tokens.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from benchmarks.timing import seconds, table
from isoloss.fits import Fit, fit
from isoloss.lm import Language, Recipe, model_of, train_one
from isoloss.lm.data.language import _block
from isoloss.runs import Runs, compact

SIZES = ("4k", "12k", "40k", "120k")
TOKENS = ("0.25M", "0.7M", "2M")
RECIPE = Recipe()


def main() -> None:
    torch.set_num_threads(1)
    language = Language()
    print("### Synthetic language: loss against params and tokens\n")
    _speed(language)
    known = float(-language.log_likelihood(language.validation(RECIPE.validation)).mean())
    print(f"Entropy {language.entropy()}; the truth scores {known:.4f} on the validation tokens.\n")
    done = []
    for size in SIZES:
        for tokens in TOKENS:
            run = train_one(
                model_of(size, language.vocab), tokens, corpus=language, recipe=RECIPE
            ).run
            print(
                f"{size} {tokens}: {run.loss:.4f} in {run.cost:.0f} s", file=sys.stderr, flush=True
            )
            done.append(run)
    runs = Runs(done)
    excess = (runs["loss"] - known).reshape(len(SIZES), len(TOKENS))
    _grid(runs, excess)
    _laws(runs, excess, known)


def _speed(language: Language) -> None:
    took, blocks = seconds(lambda: [_block(language, 2**20, number) for number in range(8)])
    print(
        f"Drawn: {sum(block.size for block in blocks) / took / 1e6:.1f}M tokens a second on one "
        "core."
    )


def _grid(runs: Runs, excess: np.ndarray) -> None:
    params = runs["params"].reshape(excess.shape)[:, 0]
    tokens = runs["tokens"].reshape(excess.shape)[0]
    rows = [
        [f"{compact(n)}", *(f"{gap:.4f}" for gap in line)]
        for n, line in zip(params, excess, strict=True)
    ]
    print("Loss minus what the truth scores on the same tokens, nats a token:\n")
    print(
        table(["params without embeddings", *(f"{compact(d)} tokens" for d in tokens)], rows), "\n"
    )
    speed = runs["tokens"].sum() / runs["cost"].sum()
    print(f"{runs['cost'].sum():.0f} s in all, {speed:.0f} tokens a second.\n")
    down = bool((np.diff(excess, axis=0) < 0).all()), bool((np.diff(excess, axis=1) < 0).all())
    print(f"Falls with params in every column: {down[0]}; with tokens in every row: {down[1]}.\n")


def _laws(runs: Runs, excess: np.ndarray, known: float) -> None:
    rows = []
    for name, fixed in (("E fitted", {}), ("E = the truth's score", {"E": known})):
        found = fit("chinchilla", runs, fixed=fixed, objective="squares", draws=200)
        left = runs["loss"] - found.predict(runs["params"], runs["tokens"]).loss
        spread = 1 - (left**2).sum() / ((runs["loss"] - runs["loss"].mean()) ** 2).sum()
        off = np.abs(left / excess.ravel())
        shown = [_constant(found, constant) for constant in ("alpha", "beta", "E")]
        rows.append(
            [name, *shown, f"{spread:.4f}", f"{100 * off.mean():.1f}% ({100 * off.max():.1f}%)"]
        )
    head = [
        "chinchilla law",
        "alpha (90%)",
        "beta (90%)",
        "E (90%)",
        "R2",
        "misfit over excess, mean (largest)",
    ]
    print(table(head, rows))
    print(f"\nThe truth's score is {known:.4f}.")


def _constant(found: Fit, name: str) -> str:
    if name in found.law.fixed:
        return f"{found.values[name]:.4f} fixed"
    low, high = found.interval(name)
    return f"{found.values[name]:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
