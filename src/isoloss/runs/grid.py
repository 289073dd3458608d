"""A grid of settings to run: lists in, every combination out."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec

from isoloss.formats import Precision
from isoloss.runs.columns import BY_NAME
from isoloss.runs.numbers import compact, number
from isoloss.runs.problems import RunsError

Cell = dict[str, Any]
#: One value or several, as numbers, text or precisions.
Values = Any
P = ParamSpec("P")


def _as_written(init: Callable[P, None]) -> Callable[P, None]:
    """`Grid.__init__` with the signature of `init`, which help and completion show.

    Python forgets in which order named parameters were given, and that order is the order of the
    combinations; so the lists are taken as they were written.
    """

    @functools.wraps(init)
    def read(self: Grid, **lists: Any) -> None:
        if not lists:
            raise RunsError("a grid needs at least one list, like params=['1M', '4M']")
        axes = {name: _axis(name, values) for name, values in lists.items()}
        object.__setattr__(self, "axes", axes)

    return read  # type: ignore[return-value]


@dataclass(frozen=True, init=False, repr=False)
class Grid:
    """Every combination of lists: ``Grid(params=["1M", "4M"], precision=["fp", "w4"])``.

    Iterating gives each combination as a dictionary, the last list that was written running
    fastest. One value is as good as a list of one. Numbers may be text with a suffix ("1.3B"),
    precisions any spelling.

    Parameters
    ----------
    params
        Sizes of models, in parameters.
    tokens
        Training lengths, in tokens.
    tokens_per_param
        Training lengths as multiples of params, in place of tokens.
    precision
        Which part uses which format.
    seed
        Seeds, whole numbers.
    samples
        Samples seen in linear regression, steps x batch.
    steps
        Steps of the descent in linear regression, in place of samples.
    step_size
        Step sizes of the descent in linear regression.
    **others
        Whatever else the verb varies. In `train`: tied, and the settings of its recipe: lr,
        sequences, schedule (cosine, wsd, constant), warmup, decay, lr_end, weight_decay, beta1,
        beta2, eps, clip, dtype (float32, bfloat16) and validation. In `simulate`: settings of the
        problem, the descent and the reading (dim, decay, batch, iterate, inputs ...).

    Attributes
    ----------
    axes
        The lists by name, in the order in which they were written, their values read.

    Raises
    ------
    RunsError
        There is no list, one is empty or has a value twice, or a value is no number where one is
        due.
    """

    axes: Mapping[str, tuple[Any, ...]]

    @_as_written
    def __init__(
        self,
        *,
        params: Values = None,
        tokens: Values = None,
        tokens_per_param: Values = None,
        precision: Values = None,
        seed: Values = None,
        samples: Values = None,
        steps: Values = None,
        step_size: Values = None,
        **others: Values,
    ) -> None:
        """Read the lists; see the class."""

    def __iter__(self) -> Iterator[Cell]:
        return (
            dict(zip(self.axes, cell, strict=True))
            for cell in itertools.product(*self.axes.values())
        )

    def __len__(self) -> int:
        return math.prod(len(values) for values in self.axes.values())

    def __hash__(self) -> int:
        return hash(tuple(self.axes.items()))

    def __str__(self) -> str:
        lists = [
            f"{name}={', '.join(_shown(value) for value in values)}"
            for name, values in self.axes.items()
        ]
        sizes = " x ".join(str(len(values)) for values in self.axes.values())
        return "\n".join([f"grid of {len(self)} cells ({sizes})", *lists])

    __repr__ = __str__


def _axis(name: str, values: Any) -> tuple[Any, ...]:
    listed = isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping)
    read = [_value(name, value) for value in (values if listed else [values])]
    if not read:
        raise RunsError(f"the grid's list '{name}' is empty; give at least one value")
    repeated = [value for i, value in enumerate(read) if value in read[:i]]
    if repeated:
        raise RunsError(
            f"the grid's list '{name}' holds {_shown(repeated[0])} twice; give each value once"
        )
    return tuple(read)


def _value(name: str, value: Any) -> Any:
    """The value as a precision, a number or text, as its name and its writing say."""
    if name == "precision":
        return Precision.parse(value)
    column = BY_NAME.get(name)
    if column is not None and column.kind != "text":
        found = number(value)
        if found <= 0 and column.kind in ("count", "positive"):
            raise RunsError(f"the grid's list '{name}' holds {value!r}; accepted is {column.wants}")
        return int(found) if column.kind == "integer" and found.is_integer() else found
    if column is not None or not isinstance(value, str):
        return value
    try:
        return number(value)
    except RunsError:
        return value


def _shown(value: object) -> str:
    return compact(value) if isinstance(value, float) else str(value)
