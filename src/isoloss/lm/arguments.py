"""Arguments of the verbs, checked before any work: a wrong kind is refused in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isoloss.files import shown_value, whole_number
from isoloss.formats import Precision
from isoloss.lm.model import Model
from isoloss.lm.shape import ModelError
from isoloss.runs import STORES, StoreError

Posts = str | Precision | Sequence[str | Precision]
#: Rounds all that can be lifted.
_EVERYTHING = "w2 a2 kv2 q2"


def check_kind(name: str, value: object, kind: type | tuple[type, ...], accepted: str) -> None:
    """Raise ModelError unless a value is of a kind; `accepted` says in words what is."""
    if not isinstance(value, kind):
        raise ModelError(f"{name} is {shown_value(value)}; accepted is {accepted}")


def check_whole(name: str, value: object, least: int = 0) -> None:
    """Raise ModelError unless a value is a whole number of at least `least`."""
    whole = whole_number(value)
    if whole is None or whole < least:
        raise ModelError(
            f"{name} is {shown_value(value)}; accepted is a whole number from {least} on"
        )


def check_path(name: str, value: object) -> None:
    """Raise ModelError unless a value is None or the path of a file or folder."""
    check_kind(name, value, (str, Path, type(None)), "a path, or None")


def check_store(store: object) -> None:
    """Raise ModelError for what is no path or None, StoreError for a path that names no store."""
    check_path("store", store)
    if store is not None and Path(str(store)).suffix.lower() not in STORES:
        raise StoreError(f"cannot keep runs in '{store}': accepted endings are {', '.join(STORES)}")


def check_module(name: str, value: object) -> None:
    """Raise ModelError unless a value is a torch module with parameters."""
    if not isinstance(value, nn.Module) or next(value.parameters(), None) is None:
        accepted = "a model: a torch.nn.Module with parameters"
        raise ModelError(f"{name} is {shown_value(value)}; accepted is {accepted}")


def posts_of(post: Posts) -> list[str]:
    """The spellings of what models are quantised to, from one or several.

    A precision by itself would forget what is lifted ('a:fp'), which says something of a model that
    was trained with it.

    Raises
    ------
    ModelError
        Something else than precisions was given, or one cannot be read.
    """
    listed = [post] if isinstance(post, str | Precision) else post
    if not isinstance(listed, Sequence) or not all(isinstance(p, str | Precision) for p in listed):
        raise ModelError(
            f"post is {shown_value(post)}; accepted is a precision such as 'w4', or a list of them"
        )
    try:
        return [_spelled(each) for each in listed]
    except ValueError as error:
        raise ModelError(str(error)) from None


def _spelled(post: str | Precision) -> str:
    """The canonical spelling of what follows the arrow."""
    text, known = str(post), Precision.parse(post)
    if known.changes:
        raise ModelError(
            f"post is '{known}', which changes during training; accepted is what a model is served "
            "in, such as 'w4'"
        )
    alone = str(known)
    if "->" in alone:  # refused by whoever serves
        return text
    return str(Precision(f"{_EVERYTHING} -> {text}")).partition("-> ")[2] or alone


def token_table(tokens: Any, rows: int = 1) -> Tensor:
    """Tokens (rows, context + 1) as a tensor of int64.

    Raises
    ------
    ModelError
        They are no array of whole numbers, fewer rows than `rows`, or rows of fewer than two
        tokens.
    """
    if not isinstance(tokens, np.ndarray | Tensor):
        raise ModelError(
            f"tokens are {shown_value(tokens)}; accepted is an array of whole numbers, (rows, "
            "context + 1)"
        )
    if tokens.ndim != 2 or len(tokens) < rows or tokens.shape[1] < 2:
        least = f"{rows} row{'s' if rows > 1 else ''} or more"
        raise ModelError(
            f"tokens have the shape {tuple(tokens.shape)}; accepted are {least} of 2 tokens or more"
        )
    whole = torch.from_numpy(tokens.copy()) if isinstance(tokens, np.ndarray) else tokens
    if whole.is_floating_point() or whole.is_complex() or whole.dtype == torch.bool:
        raise ModelError(f"tokens are {whole.dtype}; accepted are whole numbers")
    return whole.to(torch.int64)


def check_tokens(model: nn.Module, tokens: Tensor) -> None:
    """Raise ModelError if some tokens are not in the model's vocabulary."""
    vocab = vocabulary(model)
    if vocab is not None and not bool(((tokens >= 0) & (tokens < vocab)).all()):
        raise ModelError(
            f"tokens go from {tokens.min()} to {tokens.max()}; the model's are 0 to {vocab - 1}"
        )


def vocabulary(model: nn.Module) -> int | None:
    """How many tokens a model knows, None where it does not say."""
    known: Any = (
        model.shape.vocab
        if isinstance(model, Model)
        else getattr(getattr(model, "config", None), "vocab_size", None)
    )
    return None if known is None else int(known)
