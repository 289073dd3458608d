"""Modules of a user's own for the tests of tasks: plain ones, and functions that give them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from isoloss.lm import Language, Recipe

CORPUS = Language(vocab=32, context=16)
RECIPE = Recipe(sequences=4, validation=16, compiled=False, warmup=2, lr=0.02)
STEP = 4 * 16


class Plain(nn.Module):
    """Logits of the next token from a window of tokens, by two layers with dropout and biases."""

    def __init__(self, width: int = 12, dropout: float = 0.1, window: int = 3) -> None:
        super().__init__()
        self.window = window
        self.embedding = nn.Embedding(CORPUS.vocab, width)
        self.mix = nn.Linear(window * width, 2 * width)
        self.norm = nn.BatchNorm1d(2 * width)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(2 * width, width)
        self.head = nn.Linear(width, CORPUS.vocab)

    def forward(self, tokens: Tensor) -> Tensor:
        x = functional.pad(self.embedding(tokens), (0, 0, self.window - 1, 0))
        x = self.mix(x.unfold(1, self.window, 1).flatten(2))
        x = self.norm(x.flatten(0, 1)).view(x.shape)
        logits: Tensor = self.head(self.out(self.drop(x).relu()))
        return logits


def plain(params: float | None, seed: int) -> nn.Module:
    return Plain(12 if params is None else int(params))


class Experts(nn.Module):
    """Experts that a gate chooses among: some take no token of a batch, and so no step."""

    def __init__(self, width: int = 8, experts: int = 6) -> None:
        super().__init__()
        self.embedding = nn.Embedding(CORPUS.vocab, width)
        self.gate = nn.Linear(width, experts, bias=False)
        self.experts = nn.ModuleList(nn.Linear(width, width) for _ in range(experts))
        self.stack = nn.Parameter(torch.randn(2, width, width) / 3)
        self.head = nn.Linear(width, CORPUS.vocab)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens).flatten(0, 1)
        chosen = (100 * self.gate(x)).softmax(-1).max(-1)
        y = torch.zeros_like(x)
        for k in chosen.indices.unique().tolist():
            rows = chosen.indices == k
            y[rows] = self.experts[k](x[rows]) * chosen.values[rows, None]
        for k in range(2):
            y = y + (y @ self.stack[k]).relu()
        logits: Tensor = self.head(y).view(*tokens.shape, -1)
        return logits


def experts(params: float | None, seed: int) -> nn.Module:
    return Experts()


# ---- batches of one's own: pairs of vectors, with a loss that is no cross entropy of tokens
class Regressor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.inner(x))
        return found


def regressor(params: float | None, seed: int) -> nn.Module:
    return Regressor()


def pairs(step: int, sequences: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng([step, seed])
    x = rng.normal(size=(sequences, 8)).astype(np.float32)
    return {"x": x, "label": (x[:, :4].argmax(1))}


def held_pairs(sequences: int) -> list[dict[str, Any]]:
    return [pairs(k, 8, 10**6) for k in range(max(2, sequences // 4))]


def pair_loss(module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    return functional.cross_entropy(module(batch["x"]), batch["label"])
