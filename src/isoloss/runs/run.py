"""One run: what was trained, how, and the loss that came out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isoloss.files import displayed
from isoloss.formats import Precision
from isoloss.runs.columns import NUMERIC
from isoloss.runs.numbers import number


@displayed
@dataclass(frozen=True)
class Run:
    """One run; its fields are the columns of a table of runs, None where unknown.

    Numbers may be given as text (params="1.3B") and the precision in any spelling; a precision that
    cannot be read is kept as it is, so that a table can hold the run as excluded and say why.
    """

    params: float
    tokens: float
    precision: str
    loss: float
    metric: str = "nats"
    loss_se: float | None = None
    seed: int | None = None
    status: str = "ok"
    reason: str | None = None
    params_kind: str | None = None
    params_embedding: float | None = None
    unique_tokens: float | None = None
    flops: float | None = None
    flop_rule: str | None = None
    method: str | None = None
    kernels: str | None = None
    sparsity: str | None = None
    source: str | None = None
    corpus: str | None = None
    eval_set: str | None = None
    tokenizer: str | None = None
    family: str | None = None
    optimizer: str | None = None
    batch_tokens: float | None = None
    lr_peak: float | None = None
    lr_final: float | None = None
    schedule: str | None = None
    group: str | None = None
    parent: str | None = None
    key: str | None = None
    cost: float | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in NUMERIC and isinstance(value, str):
                object.__setattr__(self, field.name, number(value))
        object.__setattr__(self, "precision", _spelling(self.precision))

    def known(self) -> dict[str, Any]:
        """The fields that are known, by name."""
        return {
            name: value for name, value in dataclasses.asdict(self).items() if value is not None
        }

    def __str__(self) -> str:
        return " ".join(f"{name}={_shown(value)}" for name, value in self.known().items())

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Run:
        """The run that a row of a table (column name to value) describes; other columns are left
        out.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        missing: dict[str, Any] = {
            "params": math.nan,
            "tokens": math.nan,
            "loss": math.nan,
            "precision": "",
        }
        known = {name: value for name, value in row.items() if name in names and value is not None}
        return cls(**(missing | known))


def _spelling(precision: object) -> str:
    try:
        return str(Precision.parse(precision))  # type: ignore[arg-type]
    except ValueError:
        return str(precision)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
