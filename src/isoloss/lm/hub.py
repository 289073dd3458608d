"""Models of Hugging Face: read from a folder, with text cut into windows of their own tokens (extra `hub`)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from isoloss.lm.corpus import Tokens
from isoloss.lm.shape import ModelError

CONTEXT = 256


@dataclass(frozen=True, eq=False)
class Windows:
    """Texts as a corpus: windows of tokens to calibrate on, (rows, context + 1), and others that are held out."""

    name: str
    vocab: int
    training: Tokens
    held_out: Tokens

    @property
    def context(self) -> int:
        """Tokens that a window predicts."""
        return self.held_out.shape[1] - 1

    def batch(self, step: int, sequences: int, seed: int = 0) -> Tokens:
        """The windows of a step, in an order drawn by the seed, shape (sequences, context + 1)."""
        chosen = np.random.default_rng(seed).permutation(len(self.training))[step * sequences :][:sequences]
        if len(chosen) < sequences:
            raise ModelError(
                f"{self.name} has {len(self.training)} windows of {self.context} tokens to calibrate on, and "
                f"{(step + 1) * sequences} are asked for; give more text, or fewer sequences"
            )
        return self.training[chosen]

    def validation(self, sequences: int = 512) -> Tokens:
        """As many held-out windows as there are, at most `sequences`, spread evenly, shape (rows, context + 1)."""
        rows = np.linspace(0, len(self.held_out) - 1, min(sequences, len(self.held_out)))
        return self.held_out[np.unique(rows.round().astype(int))]

    def settings(self) -> dict[str, Any]:
        """What tells these windows from others."""
        digest = hashlib.sha256(self.training.tobytes())
        digest.update(self.held_out.tobytes())
        return {"kind": "windows", "name": self.name, "sha256": digest.hexdigest()}

    def unique(self, tokens: float) -> float:
        """How many different tokens there are, at most."""
        return min(tokens, float(self.training.shape[0] * self.context))


def load_hub(source: str | Path) -> tuple[nn.Module, Any]:
    """The causal language model and the tokenizer of a folder (its own files, or one .gguf) or of a name on the hub.

    Raises ModelError, in one sentence, where the extra `hub` is missing or nothing can be read.
    """
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError:
        raise ModelError("models of Hugging Face need transformers; pip install 'isoloss[hub]'") from None
    folder, options = Path(source), {}
    if folder.is_dir():
        options["local_files_only"] = True
        if not (folder / "config.json").exists():
            options["gguf_file"] = _only_gguf(folder).name
    elif folder.is_absolute() or str(source).count("/") > 1:
        raise ModelError(
            f"there is no folder {str(source)!r}; accepted are a model's folder or its name on the hub"
        )
    try:
        import torch

        model = AutoModelForCausalLM.from_pretrained(str(source), dtype=torch.float32, **options)
        tokenizer = AutoTokenizer.from_pretrained(str(source), **options)
    except Exception as error:  # the library raises no class of its own
        raise ModelError(
            f"cannot read a causal language model from {str(source)!r}: {_first_line(error)}"
        ) from None
    model.eval()
    return model, tokenizer


def windows(
    tokenizer: Any,
    training: Iterable[str],
    held_out: Iterable[str],
    context: int = CONTEXT,
    name: str = "text",
) -> Windows:
    """Texts cut into windows of context + 1 tokens, each text by itself; what is left of a text at its end is not used.

    Raises ModelError where a part has fewer than two windows.
    """
    parts = {}
    for part, texts in (("to calibrate on", training), ("held out", held_out)):
        rows = [_cut(np.array(tokenizer(text)["input_ids"], np.int64), context) for text in texts]
        found = np.concatenate(rows) if rows else np.empty((0, context + 1), np.int64)
        if len(found) < 2:
            raise ModelError(
                f"the text {part} has {len(found)} windows of {context + 1} tokens; accepted are 2 or more"
            )
        parts[part] = found
    return Windows(name, len(tokenizer), parts["to calibrate on"], parts["held out"])


def _cut(tokens: Tokens, context: int) -> Tokens:
    """Windows that overlap by one token, so that each token but the first is predicted once."""
    count = max(0, (len(tokens) - 1) // context)
    return (
        np.stack([tokens[i * context : (i + 1) * context + 1] for i in range(count)])
        if count
        else np.empty((0, context + 1), np.int64)
    )


def _only_gguf(folder: Path) -> Path:
    found = sorted(folder.glob("*.gguf"))
    if len(found) != 1:
        raise ModelError(
            f"the folder {folder} has no config.json and {len(found)} .gguf files; accepted is one model"
        )
    return found[0]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
