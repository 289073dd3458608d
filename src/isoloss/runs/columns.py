"""The columns of a table of runs: one list that the reader, the checks and the documentation
share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isoloss.runs.metrics import METRICS

Kind = Literal["count", "positive", "amount", "integer", "text"]


@dataclass(frozen=True)
class Column:
    """One column: its name, what its numbers are, its unit, its meaning and the words it accepts.

    kind: "count" (of things, above 0), "positive" (above 0), "amount" (0 or more), "integer",
    "text".
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    required: bool = False
    accepted: tuple[str, ...] = ()

    @property
    def wants(self) -> str:
        """What a value of this column must be, in words."""
        if self.accepted:
            units = " (bits, bpb, bpc and ppl are converted)" if self.name == "metric" else ""
            return "one of " + ", ".join(self.accepted) + units
        if self.kind == "amount":
            return "a finite number, 0 or more"
        return {"integer": "a whole number", "text": "text"}.get(
            self.kind, "a finite number above 0"
        )


STATUSES = ("ok", "diverged", "unfinished", "excluded")
PARAMS_KINDS = ("non_embedding", "total", "nominal")

COLUMNS: tuple[Column, ...] = (
    Column("params", "count", "parameters", "size of the model, counted as params_kind says", True),
    Column("tokens", "count", "tokens", "tokens seen in training (in linear: steps x batch)", True),
    Column("precision", "text", "spelling", "which part used which format", True),
    Column(
        "loss", "positive", "nats/token", "final loss, or excess risk where metric says so", True
    ),
    Column("metric", "text", "", "what loss is; the two never mix", accepted=METRICS),
    Column("loss_se", "amount", "as loss", "standard error of the loss"),
    Column("seed", "integer", "", "seed of the run"),
    Column("status", "text", "", "whether the run can be used", accepted=STATUSES),
    Column("reason", "text", "", "why the run is not ok"),
    Column("params_kind", "text", "", "how params were counted", accepted=PARAMS_KINDS),
    Column("params_embedding", "amount", "parameters", "parameters of the embedding"),
    Column("unique_tokens", "count", "tokens", "different tokens seen"),
    Column("flops", "count", "flop", "training compute"),
    Column("flop_rule", "text", "", "how flops (or tokens from flops) were counted, such as 6ND"),
    Column("method", "text", "", "quantisation method, such as quest, lsq, gptq, rtn"),
    Column("kernels", "text", "", "how low precision was computed", accepted=("simulated", "real")),
    Column("sparsity", "text", "", "sparsity pattern of the weights, such as 2:4"),
    Column("source", "text", "", "the table or project that the run is from"),
    Column("corpus", "text", "", "training corpus"),
    Column("eval_set", "text", "", "data on which the loss was measured"),
    Column("tokenizer", "text", "", "tokenizer"),
    Column("family", "text", "", "model family"),
    Column("optimizer", "text", "", "optimizer"),
    Column("batch_tokens", "count", "tokens", "tokens in one step"),
    Column("lr_peak", "positive", "", "highest learning rate"),
    Column("lr_final", "amount", "", "learning rate at the end"),
    Column("schedule", "text", "", "learning-rate schedule, such as cosine, constant"),
    Column("group", "text", "", "runs of one model or trajectory share it"),
    Column("parent", "text", "", "key of the run that this one was quantised or branched from"),
    Column("key", "text", "", "content hash of the run's settings"),
    Column("cost", "amount", "seconds", "time the run took"),
)

BY_NAME: dict[str, Column] = {column.name: column for column in COLUMNS}
REQUIRED: tuple[str, ...] = tuple(column.name for column in COLUMNS if column.required)
NUMERIC: frozenset[str] = frozenset(c.name for c in COLUMNS if c.kind != "text")
