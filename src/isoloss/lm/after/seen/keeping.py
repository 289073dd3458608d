"""Moments of calibration in a folder: read by later calls, and by one that goes on after a kill, in
place of another pass.

A file holds what one group of matrices was seen to take, whole or not at all, and says whose it is:
which model, tokens, release and choices aside. What is of others is left alone; what is damaged is
gathered anew, with a warning.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from isoloss.files import reason, shown, shown_value
from isoloss.lm.after.seen.matrix import Matrix
from isoloss.lm.after.seen.moments import Moments, Seen
from isoloss.lm.shape import ModelError
from isoloss.lm.training import CheckpointError, read_checkpoint, save_checkpoint

#: By what else is rounded, name and kind.
Key = tuple[str, str, str]
#: Raised when what the files mean changes.
SCHEMA = 1
_VECTORS = ("magnitude", "largest")


class MomentsWarning(UserWarning):
    """Kept moments cannot be used, and are gathered anew."""


class _Entry(NamedTuple):
    """A file with what it says."""

    place: int
    path: Path
    about: Mapping[str, Any]


class KeptMoments:
    """The moments that a folder keeps of one model and calibration.

    Parameters
    ----------
    folder
        Of moments of any models; each model and calibration has a folder of its own in it.
    model
        What tells the model from others.
    tokens
        The calibration, (rows, context).
    device
        Where sums were taken, whose last bits are those of its products.
    """

    def __init__(self, folder: Path, model: str, tokens: Tensor, device: torch.device) -> None:
        shape = f"{tokens.dtype} {tuple(tokens.shape)}"
        digest = hashlib.sha256(shape.encode() + tokens.cpu().contiguous().numpy().tobytes())
        self._whose = {
            "kind": "moments",
            "schema": SCHEMA,
            "isoloss": version("isoloss"),
            "model": model,
            "tokens": digest.hexdigest(),
            "device": device.type,
        }
        told = json.dumps(self._whose, sort_keys=True).encode()
        self._folder = folder / hashlib.sha256(told).hexdigest()[:16]
        self._entries = dict(self._index())

    def found(self, keys: Mapping[Matrix, Key]) -> Iterator[tuple[tuple[Matrix, ...], Seen]]:
        """The groups of these matrices that files hold, with what they were seen to take, in the
        order in which they were gathered.
        """
        groups: dict[int, list[Matrix]] = {}
        for matrix, key in keys.items():
            if key in self._entries:
                groups.setdefault(self._entries[key].place, []).append(matrix)
        for _, group in sorted(groups.items()):
            entry = self._entries[keys[group[0]]]
            seen = _read(entry, group[0])
            if seen is not None:
                yield tuple(group), seen

    def add(
        self, gathered: Iterable[tuple[Sequence[Matrix], Seen]], keys: Mapping[Matrix, Key]
    ) -> None:
        """Keep what groups were seen to take; inputs themselves, which grow with tokens, are not.

        Raises
        ------
        CheckpointError
            A file cannot be written.
        """
        start = 1 + max((entry.place for entry in self._entries.values()), default=-1)
        for place, (group, seen) in enumerate(gathered, start):
            aside, name, sees = keys[group[0]]
            if sees == "inputs":
                continue
            about = self._whose | {"aside": aside, "sees": sees, "place": place}
            about |= {"matrices": [matrix.name for matrix in group]}
            told = hashlib.sha256(json.dumps([aside, name, sees]).encode()).hexdigest()[:8]
            readable = re.sub(r"[^\w.-]", "_", name)[-80:]
            path = self._folder / f"{readable}-{told}.safetensors"
            save_checkpoint(path, _tensors(seen), about | _counts(seen))
            self._entries |= _keyed(_Entry(place, path, about))

    def _index(self) -> Iterator[tuple[Key, _Entry]]:
        for path in sorted(self._folder.glob("*.safetensors")):
            try:
                with safe_open(path, "pt") as file:
                    about = json.loads((file.metadata() or {})["about"])
                if not self._whose.items() <= about.items():
                    raise ValueError("it is of another model or calibration")
                yield from _keyed(_Entry(int(about["place"]), path, about)).items()
            except (SafetensorError, OSError, ValueError, LookupError, TypeError) as error:
                _say(path, str(error).splitlines()[0][:200])


def folder_of(given: object) -> Path:
    """A folder of moments, which need not be there.

    Raises
    ------
    ModelError
        It is no path, or a file.
    """
    if not isinstance(given, str | Path) or not str(given):
        raise ModelError(f"moments is {shown_value(given)}; accepted is a folder")
    path = Path(given)
    try:
        if path.exists() and not path.is_dir():
            raise ModelError(f"{shown(path)} is a file; moments are kept in a folder")
    except OSError as error:  # a name that is too long for the system
        raise ModelError(f"cannot keep moments in {shown(path)}: {reason(error)}") from None
    return path


def _keyed(entry: _Entry) -> dict[Key, _Entry]:
    aside, sees = (str(entry.about[name]) for name in ("aside", "sees"))
    return {(aside, str(name), sees): entry for name in entry.about["matrices"]}


def _tensors(seen: Seen) -> dict[str, Tensor]:
    if isinstance(seen, Tensor):
        return {"hessian": seen.cpu()}
    return {"hessian": seen.hessian.cpu()} | {n: getattr(seen, n).cpu() for n in _VECTORS}


def _counts(seen: Seen) -> dict[str, int]:
    return {"count": seen.tokens} if isinstance(seen, Moments) else {}


def _read(entry: _Entry, matrix: Matrix) -> Seen | None:
    """What a file holds of a matrix; None, with a warning, where it is damaged."""
    vectors = _VECTORS if entry.about["sees"] == "moments" else ()
    size = matrix.inputs
    with torch.device("meta"):  # shapes and types alone
        like = {name: torch.empty(size, dtype=torch.float64) for name in vectors}
        like["hessian"] = torch.empty(size, size, dtype=torch.float64)
    try:
        tensors, about = read_checkpoint(entry.path, like)
        on = {name: tensor.to(matrix.weight.device) for name, tensor in tensors.items()}
        if not vectors:
            return on["hessian"]
        return Moments(on["hessian"], on["magnitude"], on["largest"], int(about["count"]))
    except (CheckpointError, LookupError, TypeError) as error:
        _say(entry.path, str(error).removeprefix(f"the checkpoint {entry.path} is damaged: "))
        return None


def _say(path: Path, why: str) -> None:
    warnings.warn(
        f"the moments in {shown(path)} cannot be used ({why}); they are gathered anew",
        MomentsWarning,
        stacklevel=2,
    )
