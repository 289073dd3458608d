"""Your own text as a corpus: files, a folder or a data set of the hub, cut into tokens and windows.

The order of things: documents are read in a fixed order; some are held out for validation (whole
ones, drawn by `seed`, until they hold their share of the characters; the one that crosses it is cut
in two); the tokeniser sees the training part only; each part becomes one row of tokens, an end
token after each document. Window i of a part is its tokens i T .. (i+1) T, one more than T, so each
token is predicted once. A run goes through all windows in the order of its seed, and again in
another order where `unique_tokens` lets it.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.lm.data.shuffling import shuffled
from isoloss.lm.data.text_files import HUB, TextError, digest_of, documents
from isoloss.lm.data.tokenising import Tokeniser, check_name, tokeniser_of
from isoloss.lm.data.tokens_file import Tokenised, stored_tokens, tokenised
from isoloss.runs import compact, number

Tokens = NDArray[np.int64]
_HELD_OUT, _KEPT, _VALIDATION, _EPOCH = range(4)  # what an order is for


class TextWarning(UserWarning):
    """One sentence about a text that went on all the same."""


@dataclass(frozen=True)
class Text:
    """A text by where it is and how it is cut; nothing is read before it is needed.

    Attributes
    ----------
    path
        Files or folders of .txt, .jsonl and .parquet, or hub:NAME (hub:NAME:CONFIGURATION).
    tokenizer
        "bytes" (257 tokens), "bpe:1024" (trained on the training part), or the path of a
        tokenizer.json.
    context
        Tokens that a sequence predicts.
    unique_tokens
        How many different tokens runs see, repeated when they are used up (whole sequences of them,
        drawn by `seed`); None refuses to repeat.
    field
        The field of a .jsonl line or .parquet row that holds a document.
    validation_share
        Share of the characters that is held out.
    seed
        Which documents are held out.
    folder
        Where tokens are kept: ISOLOSS_CACHE unless given, else the user's cache folder.

    Raises
    ------
    TextError
        A setting is out of its range; faults of the text are found when it is read.
    """

    path: str | Path | tuple[str | Path, ...]
    tokenizer: str = "bytes"
    context: int = 64
    unique_tokens: float | str | None = None
    field: str = "text"
    validation_share: float = 0.05
    seed: int = 0
    folder: str | Path | None = None

    def __post_init__(self) -> None:
        given = (self.path,) if isinstance(self.path, str | Path) else tuple(self.path)
        object.__setattr__(self, "path", tuple(str(each) for each in given))
        object.__setattr__(self, "tokenizer", str(self.tokenizer))
        if not given or (len(given) > 1 and any(str(each).startswith(HUB) for each in given)):
            raise TextError(f"path is {given!r}; accepted are files and folders, or one hub:NAME")
        check_name(self.tokenizer)
        if self.context < 2:
            raise TextError(f"context is {self.context}; accepted is at least 2 tokens")
        if not 0 < self.validation_share < 1:
            raise TextError(
                f"validation_share is {self.validation_share:g}; accepted is a share above 0 and "
                "below 1"
            )
        if self.seed < 0:
            raise TextError(f"seed is {self.seed}; accepted is 0 or more")
        if self.unique_tokens is not None:
            object.__setattr__(self, "unique_tokens", number(self.unique_tokens))

    def __getstate__(self) -> dict[str, Any]:
        """The settings and the key of the tokens: a worker maps the file that is there and reads no
        text.
        """
        kept = {each.name for each in fields(self)} | {"_key"}
        return {name: value for name, value in self.__dict__.items() if name in kept}

    def __str__(self) -> str:
        held = compact(len(self._opened.validation))
        seen = f"{compact(self.tokens)} tokens to train on and {held} held out"
        return f"{self.name}: {seen}, {self.vocab} different ones"

    # ---- properties
    @property
    def name(self) -> str:
        """The name of the file, folder or data set; of several, with a plus between."""
        return "+".join(Path(each.removeprefix(HUB)).resolve().name for each in self._paths)

    @property
    def vocab(self) -> int:
        """How many different tokens there are."""
        return self._opened.tokeniser.vocab

    @property
    def tokens(self) -> int:
        """How many tokens there are to train on, in whole sequences."""
        return self._windows * self.context

    def encode(self, text: str) -> Tokens:
        """The tokens of a text, shape (tokens,)."""
        return next(self._opened.tokeniser.encoded([text])).astype(np.int64)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens; ends of documents are left out."""
        return self._opened.tokeniser.decoded(tokens)

    def settings(self) -> dict[str, Any]:
        """All that determines its tokens: what they are, not where they lie."""
        found = self._opened
        return {
            "kind": "text",
            "context": self.context,
            "vocab": self.vocab,
            "tokens_sha256": found.sha256["training"],
            "validation_sha256": found.sha256["validation"],
            "tokenizer_sha256": found.tokeniser.sha256,
            "unique_tokens": None if self.unique_tokens is None else self._kept * self.context,
            "seed": self.seed,
        }

    def unique(self, tokens: float) -> float:
        """How many different tokens a run of so many sees.

        Raises TextError where that is more than there are and `unique_tokens` does not say to
        repeat them.
        """
        if self.unique_tokens is None and tokens > self.tokens:
            raise TextError(
                f"{self.name} has {compact(self.tokens)} tokens and the run asks for "
                f"{compact(tokens)}; "
                "give more text, or unique_tokens=... to repeat them"
            )
        return float(min(tokens, self._kept * self.context))

    # ---- sequences
    def batch(self, step: int, sequences: int, seed: int = 0) -> Tokens:
        """The sequences of a step, shape (sequences, context + 1): a pure function, the same for
        every run.

        Raises TextError where the text is used up and `unique_tokens` does not say to repeat it.
        """
        if step < 0 or sequences < 1 or seed < 0:
            raise TextError(
                f"batch {step} of {sequences} sequences, seed {seed}: accepted are steps and seeds "
                "of at least 0, "
                "1 sequence or more"
            )
        places = np.arange(step * sequences, (step + 1) * sequences)
        self.unique((step + 1) * sequences * self.context)
        epochs, places = np.divmod(places, self._kept)
        chosen = np.empty_like(places)
        for epoch in np.unique(epochs):
            now = epochs == epoch
            chosen[now] = shuffled(places[now], self._kept, _EPOCH, seed, int(epoch))
        if self._kept < self._windows:
            chosen = shuffled(chosen, self._windows, _KEPT, self.seed)
        return self._cut(self._opened.training, chosen)

    def validation(self, sequences: int = 512) -> Tokens:
        """Sequences of the part held out, in an order of their own, shape (sequences, context +
        1).
        """
        held = self._opened.validation
        there = (len(held) - 1) // self.context
        if sequences > there:
            raise TextError(
                f"the validation part of {self.name} has {there} sequences of {self.context} "
                f"tokens and {sequences} "
                "are asked for; ask for fewer, give more text or a larger validation_share than "
                f"{self.validation_share:g}"
            )
        return self._cut(held, shuffled(np.arange(sequences), there, _VALIDATION))

    def _cut(self, tokens: NDArray[Any], windows: Tokens) -> Tokens:
        places = windows[:, None] * self.context + np.arange(self.context + 1)
        return np.asarray(tokens[places], np.int64)

    @property
    def _windows(self) -> int:
        return (len(self._opened.training) - 1) // self.context

    @cached_property
    def _kept(self) -> int:
        """How many windows a run may use."""
        if self.unique_tokens is None:
            return self._windows
        kept = round(number(self.unique_tokens) / self.context)
        if not 1 <= kept <= self._windows:
            raise TextError(
                f"unique_tokens is {compact(number(self.unique_tokens))}; accepted is from one "
                "sequence of "
                f"{self.context} to the {compact(self.tokens)} tokens of {self.name}"
            )
        return kept

    # ---- reading it
    @property
    def _paths(self) -> tuple[str, ...]:
        assert isinstance(self.path, tuple)
        return tuple(map(str, self.path))

    @cached_property
    def _key(self) -> str:
        return self._fresh_key()

    def _fresh_key(self) -> str:
        """The hash of what the tokens are made from, as it is now."""
        own = Path(self.tokenizer)
        settings = [
            digest_of(self._paths, self.field),
            self.field,
            hashlib.sha256(own.read_bytes()).hexdigest() if own.is_file() else self.tokenizer,
            self.validation_share,
            self.seed,
        ]
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()

    @cached_property
    def _opened(self) -> Tokenised:
        folder = Path(self.folder) if self.folder is not None else _cache() / "tokens"

        def warn(sentence: str) -> None:
            warnings.warn(sentence, TextWarning, stacklevel=2)

        found = stored_tokens(folder / f"{self._key[:32]}.safetensors", self._key, self._made, warn)
        for part in ("training", "validation"):
            have = len(getattr(found, part))
            if have <= self.context:
                raise TextError(
                    f"the {part} part of {self.name} has {have} tokens, and one sequence of "
                    f"{self.context} takes "
                    f"{self.context + 1}; give more text"
                )
        return found

    def _made(self) -> Tokenised:
        """The tokens, from the text."""
        if self._fresh_key() != self._key:
            raise TextError(f"{self.name} has changed since it was opened; make a new Text of it")
        training = self._training_lengths(self._documents())

        def part(held_out: bool) -> Iterator[str]:
            return _part(self._documents(), training, held_out)

        tokeniser = tokeniser_of(self.tokenizer, lambda: part(held_out=False))
        seen, held = (_joined(tokeniser, part(held_out)) for held_out in (False, True))
        return tokenised(seen, held, tokeniser)

    def _documents(self) -> Iterator[str]:
        return documents(self._paths, self.field)

    def _training_lengths(self, texts: Iterable[str]) -> NDArray[np.int64]:
        """How many characters of each document are trained on, shape (documents,); what follows is
        held out.
        """
        lengths = np.array([len(each) for each in texts], np.int64)
        if not lengths.sum():
            raise TextError(
                f"{self.name} holds no text: {len(lengths)} documents without a character"
            )
        order = shuffled(np.arange(len(lengths)), len(lengths), _HELD_OUT, self.seed)
        wanted = round(self.validation_share * int(lengths.sum()))
        before = np.cumsum(lengths[order]) - lengths[order]
        held = np.zeros_like(lengths)
        held[order] = np.clip(wanted - before, 0, lengths[order])
        return np.asarray(lengths - held)


def _part(texts: Iterable[str], training: NDArray[np.int64], held_out: bool) -> Iterator[str]:
    """The documents of a part, the one that is cut with its own share."""
    for document, length in zip(texts, training, strict=True):
        if length < len(document) if held_out else length or not document:
            yield document[length:] if held_out else document[:length]


def _joined(tokeniser: Tokeniser, texts: Iterable[str]) -> NDArray[Any]:
    """The tokens of texts, an end after each, shape (tokens,)."""
    end = np.array([tokeniser.end], tokeniser.dtype)
    return np.concatenate(
        [end[:0], *(part for tokens in tokeniser.encoded(texts) for part in (tokens, end))]
    )


def _cache() -> Path:
    import pooch  # heavy, and needed only here

    return Path(os.environ.get("ISOLOSS_CACHE") or pooch.os_cache("isoloss"))
