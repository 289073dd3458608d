"""A corpus, what models are trained on: batches by seed and step, and a validation set."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]


@runtime_checkable
class Corpus(Protocol):
    """Batches that are a pure function of seed and step, so that runs which share both see the same
    tokens.
    """

    @property
    def vocab(self) -> int:
        """How many different tokens there are."""

    @property
    def context(self) -> int:
        """Tokens that a sequence predicts."""

    @property
    def name(self) -> str:
        """What a table of runs calls it."""

    def batch(self, step: int, sequences: int, seed: int = 0) -> Tokens:
        """The sequences of a step, shape (sequences, context + 1): the same for every run that
        asks.
        """

    def validation(self, sequences: int = 512) -> Tokens:
        """Sequences that no run trains on, always the same, shape (sequences, context + 1)."""

    def settings(self) -> dict[str, Any]:
        """All that determines its tokens, as JSON can hold it; part of a run's key."""

    def unique(self, tokens: float) -> float:
        """How many different tokens a run of so many sees; ValueError, in one sentence, where there
        are too few.
        """
