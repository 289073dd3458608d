"""How one run is shared out among several processes: a part of its key, as far as it changes sums
or scales.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from isoloss.files import shown_value, whole_number
from isoloss.lm.shape import ModelError
from isoloss.lm.torchrun import started_by_torchrun

Kind = Literal["ddp", "fsdp"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class Parallel:
    """One run on several ranks; how many there are is no part of it, so that a run may be resumed
    on another number.

    Attributes
    ----------
    kind
        "ddp", every rank has the whole model, or "fsdp", weights, gradients and moments are shared
        out too (FSDP2).
    micro_batches
        A batch is taken in so many parts, one after the other; what shares a scale in a tensor of
        activations then does so in a micro-batch, over all ranks.

    Raises
    ------
    ModelError
        Another kind, or no whole number of micro-batches.
    """

    kind: Kind = "ddp"
    micro_batches: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ModelError(
                f"parallel is {shown_value(self.kind)}; accepted are {', '.join(KINDS)}"
            )
        if (whole_number(self.micro_batches) or 0) < 1:
            raise ModelError(
                f"micro_batches is {shown_value(self.micro_batches)}; accepted is a whole number "
                "from 1 on"
            )

    @property
    def shards(self) -> bool:
        """Whether weights, gradients and moments are shared out."""
        return self.kind == "fsdp"

    @property
    def settings(self) -> dict[str, Any]:
        """What the key of a run holds of it: sums are taken in another order than on one process,
        and scales of a tensor by micro-batch.
        """
        return {"kind": self.kind, "micro_batches": self.micro_batches}

    def check_batch(self, sequences: int, ranks: int) -> None:
        """Raise ModelError unless a batch is parted evenly."""
        if sequences % (ranks * self.micro_batches):
            micro = f" and {self.micro_batches} micro-batches" if self.micro_batches > 1 else ""
            raise ModelError(
                f"a batch of {sequences} sequences is not parted evenly among {ranks} ranks{micro};"
                f" choose sequences that {ranks * self.micro_batches} divides"
            )


def parallel_of(kind: str | None, micro_batches: int | None, **others: object) -> Parallel | None:
    """How runs are shared out among ranks; None where they are not.

    others: arguments of `train` by name, which say something else of where runs are trained.

    Raises
    ------
    ModelError
        Arguments contradict each other, or torchrun started processes that nobody gave work.
    """
    if kind is None:
        if micro_batches is not None:
            raise ModelError(
                "micro_batches are of a run on ranks; give parallel='ddp', on one process too"
            )
        if (count := started_by_torchrun()) > 1:
            raise ModelError(
                f"torchrun started {count} processes and nothing says what they share; give "
                "parallel='ddp' or 'fsdp', or start one process"
            )
        return None
    for name, value in others.items():
        if value:
            raise ModelError(
                f"{name} and parallel both say who trains; with parallel the processes of torchrun "
                f"do, so leave {name} out"
            )
    return Parallel(kind, 1 if micro_batches is None else micro_batches)  # type: ignore[arg-type]
