"""What a law is evaluated on: params and tokens of every run, and the few precisions they share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoloss.formats import Format, Precision
from isoloss.laws.jet import Array

T = TypeVar("T")
Key = TypeVar("Key", bound=Hashable)
Mask = NDArray[np.bool_]
Stage = Literal["train", "serve"]


class DomainError(ValueError):
    """A law was asked for a point where it is not defined."""


@dataclass(frozen=True)
class Level:
    """One way of rounding.

    Attributes
    ----------
    precision
        Which part uses which format, in training and in serving.
    sparsity
        The pattern of pruned weights, as "2:4" or "50%"; None: none is pruned.
    """

    precision: Precision
    sparsity: str | None = None

    def __post_init__(self) -> None:
        self.precision.check_one_format_a_part()

    @property
    def is_reference(self) -> bool:
        """Whether it is dense and nothing has fewer than 16 bits, in training or serving."""
        return not self.sparsity and self.precision.is_wide

    def __str__(self) -> str:
        return f"{self.precision} {self.sparsity}" if self.sparsity else str(self.precision)


class UnreadLevel(Level):
    """One way of rounding that no law is asked about: pairs of runs need its name alone."""

    def __post_init__(self) -> None:
        """Take what laws do not read: phases, and operands of backward products."""


@dataclass(frozen=True)
class Levels:
    """The distinct levels of a table; links are evaluated on these few and gathered.

    What is read off the formats is kept, because a fit asks for it thousands of times.

    Attributes
    ----------
    items
        The levels, each once.
    """

    items: tuple[Level, ...]
    _kept: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.items)

    def keep(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` returns, made once for every key."""
        if key not in self._kept:
            self._kept[key] = make()
        found: T = self._kept[key]
        return found

    def formats(self, part: str, stage: Stage = "train") -> list[Format | None]:
        """The format of a part at every level, None where unset; in serving what the arrow sets."""
        if stage == "serve":
            return [x.precision.serve.get(part) for x in self.items]
        return [x.precision.format(part) for x in self.items]

    def is_set(self, part: str, stage: Stage = "train") -> Mask:
        """Where a part has a format other than the exact one."""
        return self.keep(
            ("set", part, stage),
            lambda: np.array(
                [f is not None and not f.is_exact for f in self.formats(part, stage)], dtype=bool
            ),
        )

    def read(
        self,
        part: str,
        number: Callable[[Format], float],
        stage: Stage = "train",
        unset: float = np.nan,
    ) -> Array:
        """A number read off the format of a part at every level, shape (levels,).

        It is ``unset`` where the part has no format.
        """
        return self.keep(
            (part, number, stage, unset),
            lambda: np.array(
                [
                    unset if f is None or f.is_exact else number(f)
                    for f in self.formats(part, stage)
                ],
                dtype=float,
            ),
        )

    def bits(self, part: str, stage: Stage = "train") -> Array:
        """Bits of a part's format, shape (levels,); infinite where it is unset."""
        return self.read(part, bits_of, stage, np.inf)


def bits_of(known: Format) -> float:
    """The bits of a format as a law sees them; nan for ideal noise, which has none."""
    return known.bits


@dataclass(frozen=True)
class Inputs:
    """Params, tokens and level of n runs.

    Attributes
    ----------
    params, tokens
        Counts, shape (n,).
    levels
        The distinct levels.
    level
        The index of every run's level in `levels`, shape (n,).
    unique_tokens
        Different tokens, shape (n,); None: no token is seen twice. Only laws of repeated data ask.
    groups
        The distinct groups, for laws with a base for each; () without groups.
    group
        The index of every run's group in `groups`, shape (n,), or empty.
    """

    params: Array
    tokens: Array
    levels: Levels
    level: NDArray[np.intp]
    unique_tokens: Array | None = None
    groups: tuple[str, ...] = ()
    group: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))

    def __len__(self) -> int:
        return len(self.params)

    @cached_property
    def log_params(self) -> Array:
        """Natural logarithm of params."""
        return np.log(self.params)

    @cached_property
    def log_tokens(self) -> Array:
        """Natural logarithm of tokens."""
        return np.log(self.tokens)

    @cached_property
    def epochs(self) -> Array:
        """How often a token was seen on average, shape (n,); one where none is repeated."""
        if self.unique_tokens is None:
            return np.ones(len(self))
        return np.asarray(np.maximum(self.tokens / self.unique_tokens, 1.0))

    @cached_property
    def present(self) -> NDArray[np.intp]:
        """The levels that some run has."""
        return np.unique(self.level)

    def take(self, rows: NDArray[np.intp]) -> Inputs:
        """The inputs of some rows, in the order given."""
        return Inputs(
            self.params[rows],
            self.tokens[rows],
            self.levels,
            self.level[rows],
            None if self.unique_tokens is None else self.unique_tokens[rows],
            self.groups,
            self.group[rows] if len(self.group) else self.group,
        )

    def at_reference(self) -> Inputs:
        """The same runs without any rounding."""
        zeros = np.zeros(len(self), dtype=np.intp)
        levels = Levels((Level(Precision.parse("fp")),))
        return Inputs(
            self.params, self.tokens, levels, zeros, self.unique_tokens, self.groups, self.group
        )


def as_inputs(
    params: ArrayLike,
    tokens: ArrayLike,
    precision: str | Precision | Sequence[str | Precision] = "fp",
    *,
    unique_tokens: ArrayLike | None = None,
    sparsity: Sequence[str | None] | None = None,
    group: Sequence[str] | None = None,
    unread: bool = False,
) -> Inputs:
    """Inputs from numbers or arrays that broadcast against each other.

    Parameters
    ----------
    params, tokens, unique_tokens
        Counts; grids come out as rows, in C order.
    precision
        One spelling, or several that broadcast as well.
    sparsity, group
        One entry a row.
    unread
        Whether no law will be asked about the levels, so that they may be what no law reads.

    Returns
    -------
    Inputs
        One row a run.

    Raises
    ------
    DomainError
        A count is not positive and finite.
    ValueError
        Shapes or lengths do not agree, or a precision cannot be read.
    """
    given = [precision] if isinstance(precision, str | Precision) else list(precision)
    columns = {"params": np.asarray(params, dtype=float), "tokens": np.asarray(tokens, dtype=float)}
    if unique_tokens is not None:
        columns["unique_tokens"] = np.asarray(unique_tokens, dtype=float)
    n, d, *unique, which = _rows(columns, np.arange(len(given)))
    for word, values in zip(columns, (n, d, *unique), strict=True):
        wrong = ~(np.isfinite(values) & (values > 0))
        if wrong.any():
            raise DomainError(
                f"{word} is {values[wrong][0]:g}; a law needs positive, finite counts"
            )
    for word, texts in (("sparsity", sparsity), ("group", group)):
        if texts is not None and len(texts) != len(n):
            raise ValueError(f"{word} has {len(texts)} entries for {len(n)} rows; give one a row")
    kind = UnreadLevel if unread else Level
    levels, level = _levels(_parsed(given), which.tolist(), sparsity, kind)
    groups, index = _distinct(group) if group is not None else ((), np.zeros(0, dtype=np.intp))
    return Inputs(n, d, Levels(levels), level, unique[0] if unique else None, groups, index)


def _rows(columns: dict[str, Array], which: NDArray[np.intp]) -> list[Any]:
    """The columns and the index of the precision as flat arrays of one length."""
    try:
        spread = np.broadcast_arrays(*(np.atleast_1d(x) for x in columns.values()), which)
    except ValueError:
        shapes = ", ".join(f"{word} {np.shape(x)}" for word, x in columns.items())
        raise ValueError(f"shapes do not agree: {shapes}, precision ({len(which)},)") from None
    return [np.ravel(x) for x in spread]


def _parsed(given: Sequence[str | Precision]) -> list[Precision]:
    """Precisions, each spelling parsed once."""
    texts: dict[str, Precision] = {}
    for each in given:
        if isinstance(each, str) and each not in texts:
            texts[each] = Precision.parse(each)
    return [texts[p] if isinstance(p, str) else Precision.parse(p) for p in given]


def _levels(
    parsed: Sequence[Precision],
    which: Sequence[int],
    sparsity: Sequence[str | None] | None,
    kind: type[Level],
) -> tuple[tuple[Level, ...], NDArray[np.intp]]:
    """The distinct levels, and that of every row; rows of one object are not compared by value."""
    objects = {id(each): each for each in parsed}
    ids = list(map(id, parsed))
    keys, at = _distinct((ids[i], sparsity[k] if sparsity else None) for k, i in enumerate(which))
    levels, of = _distinct(kind(objects[i], pattern) for i, pattern in keys)
    return levels, of[at]


def _distinct(rows: Iterable[Key]) -> tuple[tuple[Key, ...], NDArray[np.intp]]:
    seen: dict[Key, int] = {}
    index = [seen.setdefault(row, len(seen)) for row in rows]
    return tuple(seen), np.array(index, dtype=np.intp)


def shape_of(many: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The common shape, or () where shapes do not agree: as_inputs then says which."""
    try:
        return np.broadcast_shapes(*many)
    except ValueError:
        return ()
