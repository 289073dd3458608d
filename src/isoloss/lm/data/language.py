"""A synthetic language of known entropy: a Zipf mixture of context rules, unlimited and seeded.

Each token is drawn in two steps. First a rule family is chosen, family j with probability weight_j.
Then

    family "base":      x_t = a word drawn from the vocabulary, whose frequencies follow Zipf's law
    family (o1, o2...): x_t = the favourite word of the context (x_{t-o1}, x_{t-o2}, ...)

The favourite of a context is the same for ever: it is drawn from the vocabulary once, by a hash. So
every context that occurs is one rule to be learnt; contexts of Zipf words are Zipf-like themselves,
and a model that has room for K rules, or tokens enough to have met them, lacks the mass of the
rarer ones: a power law in params and in tokens. Longer and farther contexts need attention and are
many more. The conditional distribution is a short sum,

    P(x | past) = weight_base u(x) + sum_j weight_j [x is the favourite of context j],

so the entropy is known. A sequence starts after one token 0 (START), which stands for everything
before it too: with the input (START, x_1 .. x_{T-1}) a model can know all that the language knows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.lm.data.corpus import Tokens

Array = NDArray[np.float64]

START = 0
_SLOTS = (
    1 << 16
)  # frequencies are whole multiples of 1 / 65536, so that the table of words is exact
_SEEDS = 1 << 22
_BLOCK = 512  # sequences drawn together
_CHUNK = 16_384  # tokens whose conditional distributions are held at once
_MIX = tuple(np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_ODD = np.array(
    [0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3], np.uint64
)


class LanguageError(ValueError):
    """A language cannot be or do something: one sentence with the value and what is accepted."""


@dataclass(frozen=True)
class Entropy:
    """Entropy of the next token.

    Attributes
    ----------
    value
        Nats a token.
    se
        Its standard error, over whole sequences.
    """

    value: float
    se: float

    def __str__(self) -> str:
        return f"{self.value:.4f} +- {self.se:.4f} nats a token"


@dataclass(frozen=True)
class Language:
    """A synthetic language, by its settings: the same settings are the same language for ever.

    Attributes
    ----------
    vocab
        Different tokens, START among them: 2 to 16384.
    zipf, shift
        Word frequencies are (rank + shift)^-zipf.
    base
        Probability of a word without a rule.
    contexts
        The rule families, each the distances it looks back, nearest first.
    decay
        Family weights fall as (1 + j)^-decay.
    context
        Tokens of a sequence.
    seed
        Which language of this kind.

    Raises
    ------
    LanguageError
        A setting is out of its range.
    """

    vocab: int = 256
    zipf: float = 1.5
    shift: float = 2.0
    base: float = 0.2
    contexts: tuple[tuple[int, ...], ...] = ((1,), (1, 2), (1, 2, 3))
    decay: float = 0.5
    context: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "contexts", tuple(tuple(sorted(offsets)) for offsets in self.contexts)
        )
        if not 2 <= self.vocab <= 16_384:
            raise LanguageError(f"vocab is {self.vocab}; accepted is 2 to 16384 tokens")
        if not 0 < self.base < 1:
            raise LanguageError(
                f"base is {self.base:g}; accepted is a probability above 0 and below 1"
            )
        if not self.zipf > 0 or not self.shift > -1:
            raise LanguageError(
                f"zipf is {self.zipf:g}, shift {self.shift:g}; accepted is above 0 and above -1"
            )
        if self.context < 2:
            raise LanguageError(f"context is {self.context}; accepted is at least 2 tokens")
        if not 0 <= self.seed < _SEEDS:
            raise LanguageError(f"seed is {self.seed}; accepted is 0 to {_SEEDS - 1}")
        if not self.contexts:
            raise LanguageError(
                "contexts is empty; accepted is at least one rule family, such as ((1,), (1, 2))"
            )
        for offsets in self.contexts:
            if (
                not 1 <= len(offsets) <= len(_ODD)
                or min(offsets) < 1
                or len(set(offsets)) < len(offsets)
            ):
                raise LanguageError(
                    f"a rule looks back {offsets}; accepted are 1 to {len(_ODD)} different "
                    "distances of at least 1"
                )

    # ---- properties
    @property
    def name(self) -> str:
        """What a table of runs calls it."""
        return "synthetic"

    def settings(self) -> dict[str, Any]:
        """All that determines its tokens."""
        return {"kind": "synthetic", **asdict(self)}

    def unique(self, tokens: float) -> float:
        """All of them: the language has no end."""
        return tokens

    @cached_property
    def frequencies(self) -> Array:
        """The frequency of each token as a word without a rule, shape (vocab,); 0 for START."""
        return np.bincount(self._words, minlength=self.vocab) / _SLOTS

    @cached_property
    def weights(self) -> Array:
        """The probability of each family, the base first, shape (1 + families,)."""
        falling = (1.0 + np.arange(len(self.contexts))) ** -self.decay
        return np.concatenate([[self.base], (1 - self.base) * falling / falling.sum()])

    @cached_property
    def _words(self) -> Tokens:
        """The token of each slot, shape (65536,): a token owns slots in proportion to its
        frequency.
        """
        share = (np.arange(1, self.vocab) + self.shift) ** -self.zipf
        ends = np.rint(np.cumsum(share) / share.sum() * _SLOTS).astype(np.int64)
        return np.searchsorted(ends, np.arange(_SLOTS), side="right").astype(np.int64) + 1

    @cached_property
    def _reach(self) -> int:
        return max(max(offsets) for offsets in self.contexts)

    @cached_property
    def _looks(self) -> Tokens:
        """Distances of each family, 0 where it has fewer, shape (families, longest)."""
        longest = max(len(offsets) for offsets in self.contexts)
        return np.array(
            [offsets + (0,) * (longest - len(offsets)) for offsets in self.contexts], np.int64
        )

    # ---- sampling
    def batch(self, step: int, sequences: int, seed: int = 0) -> Tokens:
        """Sequences step * sequences onwards of stream `seed`, shape (sequences, context + 1),
        START first.

        A pure function: the same for every run, machine and order of asking.
        """
        if step < 0 or sequences < 1 or not 0 <= seed < _SEEDS:
            raise LanguageError(
                f"batch {step} of {sequences} sequences, seed {seed}: accepted are steps of at "
                "least 0, "
                f"1 sequence or more, seeds from 0 to {_SEEDS - 1}"
            )
        return self._rows(2 * seed, step * sequences, sequences)

    def validation(self, sequences: int = 512) -> Tokens:
        """The first sequences of the stream that no seed trains on, shape (sequences, context +
        1).
        """
        return self._rows(1, 0, sequences)

    def _rows(self, stream: int, start: int, count: int) -> Tokens:
        first, last = start // _BLOCK, (start + count - 1) // _BLOCK
        blocks = np.concatenate([_block(self, stream, number) for number in range(first, last + 1)])
        return blocks[start - first * _BLOCK :][:count]

    def _favourites(self, families: Tokens, past: Tokens) -> Tokens:
        """The favourite words of contexts: families (n,), past (n, longest) the tokens looked at,
        nearest first.
        """
        key = (families.astype(np.uint64) + np.uint64(1 + 1009 * self.seed)) * _MIX[0]
        for place in range(past.shape[-1]):
            key ^= (past[..., place].astype(np.uint64) + np.uint64(1)) * _ODD[place]
            key *= _MIX[1]
            key ^= key >> np.uint64(29)
        key *= _MIX[2]
        return self._words[(key >> np.uint64(48)).astype(np.int64)]

    # ---- its distribution
    def candidates(self, tokens: Tokens) -> Tokens:
        """The favourite of each family at each predicted position, shape (rows, context,
        families).
        """
        tokens = np.asarray(tokens, np.int64)
        rows, width = tokens.shape
        padded = np.concatenate([np.full((rows, self._reach), START), tokens], axis=1)
        found = np.empty((rows, width - 1, len(self.contexts)), np.int64)
        for family, looks in enumerate(self._looks):
            past = np.zeros((rows, width - 1, len(looks)), np.int64)
            for place, distance in enumerate(looks):
                if distance:
                    begin = self._reach + 1 - distance
                    past[..., place] = padded[:, begin : begin + width - 1]
            found[..., family] = self._favourites(np.full((rows, width - 1), family), past)
        return found

    def conditional(self, tokens: Tokens) -> Array:
        """P(x_t = v | what came before), shape (rows, context, vocab), of sequences that begin with
        START.
        """
        found = self.candidates(tokens)
        out = np.broadcast_to(
            self.weights[0] * self.frequencies, (*found.shape[:2], self.vocab)
        ).copy()
        rows, places = np.ogrid[: found.shape[0], : found.shape[1]]
        for family in range(found.shape[2]):
            out[rows, places, found[..., family]] += self.weights[1 + family]
        return out

    def log_likelihood(self, tokens: Tokens) -> Array:
        """log P(x_t | what came before) of the tokens that came, shape (rows, context)."""
        came = np.asarray(tokens, np.int64)[:, 1:]
        ruled = (self.candidates(tokens) == came[..., None]) @ self.weights[1:]
        return np.asarray(np.log(self.weights[0] * self.frequencies[came] + ruled))

    def entropy(self, tokens: Tokens | None = None) -> Entropy:
        """The entropy of the next token, averaged over the contexts of these sequences (validation:
        None).

        Exact for these contexts; the standard error is that of their choice, over sequences.
        """
        tokens = self.validation() if tokens is None else tokens
        each = np.concatenate(
            [self._entropies(part) for part in np.array_split(tokens, -(-tokens.size // _CHUNK))]
        )
        return Entropy(float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each))))

    def _entropies(self, tokens: Tokens) -> Array:
        p = self.conditional(tokens)
        return np.asarray(-(p * np.log(np.where(p > 0, p, 1.0))).sum(-1).mean(-1))


@lru_cache(maxsize=64)
def _block(language: Language, stream: int, number: int) -> Tokens:
    """Block `number` of a stream, shape (512, context + 1): one step of all sequences at a time."""
    draw = np.random.Generator(np.random.Philox(key=[language.seed, (stream << 40) + number]))
    reach, width = language._reach, language.context
    family = (
        np.searchsorted(
            np.cumsum(language.weights)[:-1], draw.random((width, _BLOCK)), side="right"
        )
        - 1
    )
    words = language._words[draw.integers(0, _SLOTS, (width, _BLOCK))]
    out = np.full((reach + 1 + width, _BLOCK), START, np.int64)
    lanes = np.arange(_BLOCK)[:, None]
    for t in range(width):
        now, chosen = reach + 1 + t, family[t]
        looks = language._looks[
            chosen
        ]  # the base, -1, looks somewhere too; its word is taken below
        # Offset 0 stands for "no further token": a shorter context is padded with START.
        past = np.where(looks > 0, out[now - looks, lanes], 0)
        out[now] = np.where(chosen < 0, words[t], language._favourites(chosen, past))
    block = np.ascontiguousarray(out[reach:].T)
    block.flags.writeable = False
    return block
