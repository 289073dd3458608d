"""What matrices are seen to take of calibration tokens: all of a model's in one pass, kept, so that
every format and method is answered from it; or one after the other, as rounded layers give them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isoloss.files import shown_value
from isoloss.lm.after.degrading import logits_of
from isoloss.lm.after.seen.fingerprint import model_hash, weights_hash
from isoloss.lm.after.seen.keeping import KeptMoments, Key, folder_of
from isoloss.lm.after.seen.matrix import Matrix
from isoloss.lm.after.seen.meeting import Meeting, in_order
from isoloss.lm.after.seen.moments import Moments, Seen, Sees
from isoloss.lm.after.seen.walking import Walk
from isoloss.lm.arguments import check_tokens
from isoloss.lm.shape import ModelError

#: Rows of calibration tokens that pass a model together.
TOGETHER = 16
#: What was seen is kept for further formats up to so many bytes, and gathered in portions of them.
KEPT_BYTES = 4 << 30

#: Matrices that take the same input and see the same of it.
Group = tuple[Matrix, ...]


class Calibrated:
    """Calibration tokens with what matrices were seen to take of them.

    The model that is looked at has its weights as they were trained, whatever rounds its
    activations; what it shows is kept by the names of its matrices, and serves its copies. A model
    of other weights is refused.

    Parameters
    ----------
    tokens
        Shape (rows, context).
    folder
        Where moments are kept for other calls, and for one that goes on after a kill; of any
        models and calibrations, which are told apart. In memory alone unless given.

    Raises
    ------
    ModelError
        The folder is a file.
    """

    def __init__(self, tokens: Tensor, folder: str | Path | None = None) -> None:
        self.tokens = tokens
        self._folder = None if folder is None else folder_of(folder)
        self._files: KeptMoments | None = None
        #: By what else is rounded, name and kind: the first name of its group, and what was seen.
        self._kept: dict[Key, tuple[str, Seen]] = {}
        self._bytes = 0
        self._weights = self._model = ""

    def belong(self, model: nn.Module) -> None:
        """Take a model as the one that is looked at.

        Raises
        ------
        ModelError
            It has other weights than the one before.
        """
        weights = weights_hash(model)
        if self._weights not in ("", weights):
            raise ModelError(
                "the calibration has seen a model of other weights than this one; make another of "
                "its tokens: Calibrated(calibration.tokens)"
            )
        if self._folder is not None and not self._weights:
            self._model = model_hash(model, weights)
        self._weights = weights

    def seen(
        self, model: nn.Module, matrices: Mapping[Matrix, Sees], aside: str = ""
    ) -> Iterator[tuple[Group, Seen]]:
        """Matrices that take the same input and see the same of it, with what they see; `aside`
        says what else of the model is rounded, which changes its inputs.

        Raises
        ------
        ModelError
            Tokens are no table of whole numbers, or do not pass one of the matrices.
        CheckpointError
            Moments cannot be kept in the folder.
        """
        batches = batches_of(model, self.tokens)
        keys = {matrix: (aside, matrix.name, sees) for matrix, sees in matrices.items()}
        kept: dict[str, list[Matrix]] = {}
        for matrix, key in keys.items():
            if key in self._kept:
                kept.setdefault(f"{self._kept[key][0]} {key[2]}", []).append(matrix)
        yield from ((tuple(group), self._kept[keys[group[0]]][1]) for group in kept.values())
        left = {matrix: key for matrix, key in keys.items() if key not in self._kept}
        if left and self._folder is not None:
            device = next(iter(left)).weight.device
            self._files = self._files or KeptMoments(self._folder, self._model, self.tokens, device)
            for group, seen in self._files.found(left):
                self._keep(keys, group, seen)
                yield group, seen
                left = {matrix: key for matrix, key in left.items() if matrix not in group}
        if not left:
            return
        runs = [partial(logits_of, model, batch) for batch in batches]
        order, again = in_order(left, _looks(model, batches))
        for portion in _portions(_alike(order, matrices), matrices, self.tokens.numel()):
            gathered = _gathered(portion, matrices, runs, again)
            if self._files is not None:
                self._files.add(gathered, keys)
            for group, seen in gathered:
                self._keep(keys, group, seen)
                yield group, seen

    def _keep(self, keys: Mapping[Matrix, Key], group: Group, seen: Seen) -> None:
        """Keep what a group was seen to take in memory, as far as there is room."""
        size = _bytes(seen)
        if self._bytes + size <= KEPT_BYTES:
            self._bytes += size
            self._kept |= {keys[matrix]: (group[0].name, seen) for matrix in group}


def seen_in_turn(
    model: nn.Module, matrices: Mapping[Matrix, Sees], tokens: Tensor
) -> Iterator[tuple[Group, Seen]]:
    """The same, as matrices before them are by then: whoever rounds the weights of one group before
    asking for the next has the inputs that rounded layers give.

    Matrices that share an input come together, and so do the experts of a stack; the model is run
    once for each such stage, within its list of blocks only the block, unless weights are shared
    along it. Raises ModelError as `Calibrated.seen`.
    """
    batches = batches_of(model, tokens)
    groups, again = in_order(matrices, _looks(model, batches))
    walk = Walk(model, [] if again else [matrix.module for matrix in matrices], batches)
    for _, stage in groupby(groups, key=lambda group: id(group[0].weight)):
        alike = _alike(stage, matrices)
        yield from _gathered(alike, matrices, walk.passes(alike[0][0].module), again)


def _looks(model: nn.Module, batches: Sequence[Tensor]) -> list[Callable[[], Any]]:
    """Runs that tell in which order matrices are passed: of one row, and of all for those that it
    does not pass.
    """
    return [partial(logits_of, model, batch) for batch in (batches[0][:1], *batches)]


def batches_of(model: nn.Module, tokens: object) -> list[Tensor]:
    """Calibration tokens, (rows, context), in batches; ModelError where they are none of the
    model's.
    """
    if not isinstance(tokens, Tensor):
        raise ModelError(
            f"calibration is {shown_value(tokens)}; accepted are tokens as a torch tensor, (rows, "
            "context)"
        )
    if tokens.dim() != 2 or tokens.is_floating_point() or not tokens.numel():
        raise ModelError(
            f"calibration is {tokens.dtype} of shape {tuple(tokens.shape)}; accepted are whole "
            "numbers, (rows, context)"
        )
    check_tokens(model, tokens)
    return list(tokens.split(TOGETHER))  # type: ignore[no-untyped-call]


@torch.no_grad()
def _gathered(
    groups: Iterable[Group],
    sees: Mapping[Matrix, Sees],
    runs: Iterable[Callable[[], Any]],
    again: bool,
) -> list[tuple[Group, Seen]]:
    """What the first of each group takes in these runs, which serves the whole group; again:
    whether it may take it several times in a run.
    """
    sums = {group[0]: _Sum(group[0], sees[group[0]]) for group in groups}
    meeting = Meeting(sums, lambda matrix, x: sums[matrix].add(x), again)
    for run in runs:
        with meeting.watch():
            run()
    return [(group, sums[group[0]].seen()) for group in groups]


class _Sum:
    """Adds up the inputs of a matrix batch by batch, to what its method sees of them."""

    def __init__(self, matrix: Matrix, sees: Sees) -> None:
        self._sees, self._inputs = sees, matrix.inputs
        self._moments = Moments.of(matrix.inputs, matrix.weight.device)
        self._parts: list[Tensor] = []

    def add(self, x: Tensor) -> None:
        """Take in inputs, (..., tokens, inputs), which are summed in float32 at least."""
        x = x.reshape(-1, self._inputs)
        x = x if x.dtype == torch.float64 else x.float()
        if self._sees == "inputs":
            self._parts.append(x)
        else:
            self._moments.add(x)

    def seen(self) -> Seen:
        """All of it."""
        match self._sees:
            case "inputs":
                empty = self._moments.largest.new_empty(0, self._inputs, dtype=torch.float32)
                return torch.cat(self._parts or [empty])
            case "hessian":
                return self._moments.hessian
            case _:
                return self._moments


def _alike(groups: Iterable[Sequence[Matrix]], sees: Mapping[Matrix, Sees]) -> list[Group]:
    """The groups, those apart that see different things of an input."""
    return [
        tuple(matrix for matrix in group if sees[matrix] == kind)
        for group in groups
        for kind in dict.fromkeys(sees[matrix] for matrix in group)
    ]


def _portions(
    groups: Sequence[Group], sees: Mapping[Matrix, Sees], tokens: int
) -> Iterator[list[Group]]:
    """The groups in portions whose sums, or inputs, are held together."""
    portion: list[Group] = []
    held = 0
    for group in groups:
        rows = tokens if sees[group[0]] == "inputs" else 2 * group[0].inputs
        if portion and held + 4 * rows * group[0].inputs > KEPT_BYTES:
            yield portion
            portion, held = [], 0
        portion.append(group)
        held += 4 * rows * group[0].inputs
    if portion:
        yield portion


def _bytes(seen: Seen) -> int:
    tensor = seen.hessian if isinstance(seen, Moments) else seen
    return 2 * tensor.nbytes if isinstance(seen, Moments) else tensor.nbytes
