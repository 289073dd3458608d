"""The cost of quantising: loss and predictions of two models on the same tokens."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from isoloss.files import displayed
from isoloss.lm.after.resting import at_rest
from isoloss.lm.arguments import check_kind, check_module, check_tokens, token_table, vocabulary
from isoloss.lm.model import Model
from isoloss.lm.shape import ModelError
from isoloss.lm.training import EVALUATED_TOGETHER, Recipe, products_in

#: Logits of other models that are held at once.
BYTES_TOGETHER = 1 << 28


@displayed
@dataclass(frozen=True)
class Degradation:
    """How a quantised model does beside the one before, in nats a token.

    Attributes
    ----------
    loss, loss_se
        Mean cross entropy of the quantised model, and its standard error over sequences.
    gap, gap_se
        Loss after minus loss before, on the same tokens, and the standard error of the difference.
    kl, kl_se
        KL(before || after) of the predictions, averaged over tokens, and its standard error over
        sequences.
    """

    loss: float
    loss_se: float
    gap: float
    gap_se: float
    kl: float
    kl_se: float

    def __str__(self) -> str:
        return (
            f"loss {self.loss:.4f} +- {self.loss_se:.4f}, gap {self.gap:+.3g} +- "
            f"{self.gap_se:.2g}, "
            f"KL {self.kl:.3g} +- {self.kl_se:.2g} nats a token"
        )


def pooled(draws: Iterable[Degradation]) -> Degradation:
    """The mean of one model quantised several times on other draws of calibration.

    With g_k the gap of draw k = 1..K, e_k its standard error over sequences (paired: both models
    see the same tokens) and s the standard deviation of the g_k,

        gap = mean g_k,    gap_se^2 = mean e_k^2 + s^2 / K,    s^2 = sum (g_k - gap)^2 / (K - 1),

    and likewise loss and divergence. All draws share the validation tokens, so that more draws do
    not lower the first term; it is an upper bound, reached where sequences differ alike in all
    draws. One draw is as it is, without a spread.
    """
    each = np.array([astuple(found) for found in draws])
    means, errors = each[:, ::2].mean(0), each[:, 1::2]
    spread = each[:, ::2].var(0, ddof=1) / len(each) if len(each) > 1 else 0.0
    total = np.sqrt((errors**2).mean(0) + spread)
    return Degradation(*(float(x) for pair in zip(means, total, strict=True) for x in pair))


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of a model on some tokens, kept for several comparisons.

    Attributes
    ----------
    log_p
        Log probabilities by batch, each (rows, vocabulary, context): 4 bytes a token and word.
    """

    log_p: tuple[Tensor, ...]

    @classmethod
    @torch.no_grad()
    def of(cls, model: nn.Module, tokens: np.ndarray, recipe: Recipe | None = None) -> Predictions:
        """The predictions of a model on tokens of shape (rows, context + 1)."""
        return cls(tuple(_log_p(model, part[:, :-1], recipe) for part in _batches(model, tokens)))

    def loss(self, tokens: np.ndarray) -> float:
        """The mean loss on the tokens that the predictions are of, in nats a token."""
        targets = torch.from_numpy(np.array(tokens[:, 1:], np.int64)).split(
            [len(p) for p in self.log_p]
        )  # type: ignore[no-untyped-call]
        each = [
            functional.nll_loss(p, t.to(p.device), reduction="none").double().mean(1).cpu()
            for p, t in zip(self.log_p, targets, strict=True)
        ]
        return float(torch.cat(each).mean())


@torch.no_grad()
def degradation(
    model: nn.Module | Predictions,
    quantised: nn.Module,
    tokens: np.ndarray,
    recipe: Recipe | None = None,
) -> Degradation:
    """Compare a quantised model with the one before, on the same tokens.

    KL is sum_v p(v) log(p(v) / q(v)) at every token, p the model's and q the quantised one's. Rows
    are taken 32 at a time as in `evaluate`, with products in the dtype of the recipe: its loss is
    the same to the last bit. Models of Hugging Face are taken as well, in batches whose logits fill
    a quarter of a GB.

    Parameters
    ----------
    model
        The model before, or its `Predictions` of the same tokens, which spare its part of the work.
    quantised
        The model after, as `quantised` gives it.
    tokens
        Held-out sequences, shape (rows, context + 1), two rows or more.
    recipe
        The recipe of training, for the dtype of products; float32 unless given.

    Returns
    -------
    Degradation
        Loss, gap and divergence in nats a token, each with its standard error.

    Raises
    ------
    ModelError
        An argument is of another kind, tokens are not in the vocabulary, fewer than two rows (which
        have no standard error), or the predictions are of other tokens.
    """
    if not isinstance(model, Predictions):
        check_module("model", model)
    check_module("quantised", quantised)
    check_kind("recipe", recipe, (Recipe, type(None)), "a Recipe, or None")
    batches, found = _batches(quantised, tokens), []
    if isinstance(model, Predictions) and [len(p) for p in model.log_p] != [
        len(part) for part in batches
    ]:
        raise ModelError("the predictions are of other tokens; make them of the same ones")
    for number, part in enumerate(batches):
        inputs, targets = part[:, :-1], part[:, 1:]
        before = (
            model.log_p[number] if isinstance(model, Predictions) else _log_p(model, inputs, recipe)
        )
        after = _log_p(quantised, inputs, recipe)
        losses = [
            functional.nll_loss(p, targets.to(p.device), reduction="none") for p in (before, after)
        ]
        # Log probabilities are R V T (rows, vocabulary, tokens); KL sums over V.
        apart = (before.exp() * (before - after)).sum(1)
        found.append(torch.stack([losses[1], losses[1] - losses[0], apart]).double().mean(2).cpu())
    # Rows of (loss, gap, kl): paired by sequence, so that what both models share cancels in the
    # gap.
    each = torch.cat(found, 1).numpy()
    errors = each.std(1, ddof=1) / math.sqrt(each.shape[1])
    return Degradation(*(float(x) for pair in zip(each.mean(1), errors, strict=True) for x in pair))


def _batches(model: nn.Module, tokens: np.ndarray) -> tuple[Tensor, ...]:
    whole = token_table(tokens, rows=2)
    check_tokens(model, whole)
    many = EVALUATED_TOGETHER
    if not isinstance(model, Model):
        many = max(1, min(many, BYTES_TOGETHER // (4 * tokens.shape[1] * (vocabulary(model) or 1))))
    parts: tuple[Tensor, ...] = whole.split(many)  # type: ignore[no-untyped-call]
    return parts


def _log_p(model: nn.Module, inputs: Tensor, recipe: Recipe | None) -> Tensor:
    """Log probabilities (rows, vocabulary, context); for models of ours by the operations of
    `evaluate`.
    """
    with products_in(recipe or Recipe(), next(model.parameters()).device), at_rest(model):
        logits = logits_of(model, inputs)
        if isinstance(model, Model):
            return functional.log_softmax(logits.transpose(1, 2), 1)
        # Several times faster for large vocabularies, and the last bits differ.
        return functional.log_softmax(logits.float(), -1).transpose(1, 2)


def logits_of(model: nn.Module, inputs: Tensor) -> Tensor:
    """Logits (rows, tokens, vocabulary) of a model of ours or of Hugging Face, for inputs (rows,
    tokens).
    """
    if getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        raise ModelError(
            f"a {type(model).__name__} is an encoder with a decoder, and only decoders are run; "
            "its weights can be rounded by methods without calibration, such as 'w4'"
        )
    inputs = inputs.to(next(model.parameters()).device)
    out: Any = model(inputs, use_cache=False) if hasattr(model, "config") else model(inputs)
    logits: Tensor = out.logits if hasattr(out, "logits") else out
    return logits
