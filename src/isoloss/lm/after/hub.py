"""Models of Hugging Face (extra `hub`), with text cut into windows of their own tokens."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from isoloss.lm.after.seen import settings_text, weights_hash
from isoloss.lm.data import Corpus, TextWarning, Tokens, documents
from isoloss.lm.shape import ModelError
from isoloss.lm.training import key_of
from isoloss.runs import Run, number

CONTEXT = 256


@dataclass(frozen=True, eq=False)
class Windows:
    """Texts as a corpus, cut into windows of tokens.

    Attributes
    ----------
    name
        What a table of runs calls it.
    vocab
        Different tokens.
    training
        Windows to calibrate on, (rows, context + 1).
    held_out
        Windows to measure on, (rows, context + 1).
    """

    name: str
    vocab: int
    training: Tokens
    held_out: Tokens

    @property
    def context(self) -> int:
        """Tokens that a window predicts."""
        return int(self.held_out.shape[1]) - 1

    def batch(self, step: int, sequences: int, seed: int = 0) -> Tokens:
        """The windows of a step, in an order drawn by the seed, shape (sequences, context + 1)."""
        chosen = np.random.default_rng(seed).permutation(len(self.training))[step * sequences :][
            :sequences
        ]
        if len(chosen) < sequences:
            raise ModelError(
                f"{self.name} has {len(self.training)} windows of {self.context} tokens to "
                "calibrate on, and "
                f"{(step + 1) * sequences} are asked for; give more text, or fewer sequences"
            )
        found: Tokens = self.training[chosen]
        return found

    def validation(self, sequences: int = 512) -> Tokens:
        """As many held-out windows as there are, at most `sequences`, spread evenly, shape (rows,
        context + 1).
        """
        rows = np.linspace(0, len(self.held_out) - 1, min(sequences, len(self.held_out)))
        found: Tokens = self.held_out[rows.round().astype(int)]
        return found

    def settings(self) -> dict[str, Any]:
        """What tells these windows from others."""
        digest = hashlib.sha256(self.training.tobytes())
        digest.update(self.held_out.tobytes())
        return {"kind": "windows", "name": self.name, "sha256": digest.hexdigest()}

    def unique(self, tokens: float) -> float:
        """How many different tokens there are, at most."""
        return min(tokens, float(self.training.shape[0] * self.context))


def load_hub(source: str | Path) -> tuple[nn.Module, Any]:
    """The causal language model and the tokenizer of a folder (its own files, or one .gguf) or of a
    name on the hub, "owner/name" or "owner/name@revision".

    Raises ModelError, in one sentence, where the extra `hub` is missing or nothing can be read.
    """
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError:
        raise ModelError(
            "models of Hugging Face need transformers; pip install 'isoloss[hub]'"
        ) from None
    folder, name = Path(source), str(source)
    options: dict[str, Any] = {}
    if folder.is_dir():
        options["local_files_only"] = True
        if not (folder / "config.json").exists():
            options["gguf_file"] = _only_gguf(folder).name
    elif "@" in name:
        name, _, options["revision"] = name.partition("@")
    elif folder.is_absolute() or str(source).count("/") > 1:
        raise ModelError(
            f"there is no folder {str(source)!r}; accepted are a model's folder or its name on the "
            "hub"
        )
    try:
        model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32, **options)
        tokenizer = AutoTokenizer.from_pretrained(name, **options)
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
    """Texts cut into windows of context + 1 tokens, each text by itself; a rest at its end is not
    used.

    Raises ModelError where a part has fewer than two windows.
    """
    parts = [_cut(tokenizer, texts, context) for texts in (training, held_out)]
    return _checked_windows(name, len(tokenizer), *parts)


def text_windows(tokenizer: Any, path: str | Path, context: int = CONTEXT) -> Windows:
    """The text of a file or folder (.txt .jsonl .parquet) as windows; its last tenth is held out.

    Raises TextError for what cannot be read, ModelError where it is too short.
    """
    rows = _cut(tokenizer, documents((str(path),), "text"), context)
    kept = len(rows) - max(2, len(rows) // 10)
    return _checked_windows(
        Path(path).resolve().name, len(tokenizer), rows[:kept], rows[max(0, kept) :]
    )


def hub_run(model: nn.Module, source: str | Path, text: Corpus, trained_on: float | str) -> Run:
    """The row of a model of Hugging Face, without a loss; `trained_on` tokens."""
    ends = {id(p): p.numel() for end in _ends(model) for p in end.parameters()}
    params = sum(p.numel() for p in model.parameters())
    name = Path(source).resolve().name if Path(source).is_dir() else str(source)
    tokens = number(trained_on)
    told = {"model": name, "weights": weights_hash(model), "tokens": text.settings()}
    return Run(
        params=params - sum(ends.values()),
        tokens=tokens,
        precision="fp",
        loss=math.nan,
        status="unfinished",
        params_kind="non_embedding",
        params_embedding=sum(ends.values()),
        corpus=None,
        eval_set=f"{text.name}, windows of {text.context}",
        family=str(getattr(getattr(model, "config", None), "model_type", type(model).__name__)),
        source=name,
        key=key_of(told | {"config": settings_text(model), "trained_on": tokens}),
    )


def tokens_seen(source: str | Path) -> float | None:
    """The tokens that the folder of a checkpoint of transformers' trainer says it has seen; None
    where it does not count them.
    """
    try:
        state = json.loads((Path(source) / "trainer_state.json").read_text("utf-8"))
        seen = state.get("num_input_tokens_seen")
    except (OSError, ValueError, AttributeError):
        return None
    return float(seen) if isinstance(seen, int) and seen > 0 else None


def _ends(model: nn.Module) -> list[nn.Module]:
    """Embedding and output layer, as far as the model names them."""
    found = [
        getattr(model, f"get_{which}_embeddings", lambda: None)() for which in ("input", "output")
    ]
    return [end for end in found if end is not None]


def _cut(tokenizer: Any, texts: Iterable[str], context: int) -> Tokens:
    """Windows of context + 1 tokens that overlap by one, so that each token but a text's first is
    predicted once.
    """
    found = [np.empty((0, context + 1), np.int64)]
    short = 0
    for text in texts:
        tokens = np.array(tokenizer(text)["input_ids"], np.int64)
        starts = np.arange(0, len(tokens) - context, context)
        found.append(tokens[starts[:, None] + np.arange(context + 1)])
        short += not len(starts)
    if short and len(found) > short + 1:  # where all are, there is no window, which is refused
        warnings.warn(
            f"{short} of {len(found) - 1} texts are shorter than a window of {context + 1} tokens "
            "and are not used",
            TextWarning,
            stacklevel=3,
        )
    return np.concatenate(found)


def _checked_windows(name: str, vocab: int, training: Tokens, held_out: Tokens) -> Windows:
    if min(len(training), len(held_out)) < 2:
        raise ModelError(
            f"{name} has {len(training)} windows of {training.shape[1]} tokens to calibrate on and "
            f"{len(held_out)} held out; "
            "accepted are 2 or more of each"
        )
    return Windows(name, vocab, training, held_out)


def _only_gguf(folder: Path) -> Path:
    found = sorted(folder.glob("*.gguf"))
    if len(found) != 1:
        raise ModelError(
            f"the folder {folder} has no config.json and {len(found)} .gguf files; accepted is one "
            "model"
        )
    return found[0]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
