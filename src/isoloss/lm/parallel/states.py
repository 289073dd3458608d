"""States of a run on several ranks, as torch's distributed checkpoints: each rank writes what it
has, and any number of ranks reads it.

A state is a folder of its own; a small file beside it (NAME.json) says which one counts, and the
hash of every file in it and of itself. That file is replaced when the state is whole, so a kill at
any moment leaves the state before or this one. All ranks must see the folder.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from isoloss.files import FilesError, read_json, reason, write
from isoloss.lm.parallel.parallel_trainer import ParallelTrainer
from isoloss.lm.parallel.ranks import Ranks
from isoloss.lm.training import CheckpointError

SCHEMA = 1


def save_state(folder: Path, name: str, trainer: ParallelTrainer) -> None:
    """Keep the state of a trainer; called by all ranks.

    Raises
    ------
    CheckpointError
        On every rank, where one of them cannot write.
    """
    ranks, into = trainer.ranks, folder / f"{name}-{trainer.step}"
    problem = None
    try:
        if ranks.leads:
            shutil.rmtree(into, ignore_errors=True)
        save(tensors_of(trainer), checkpoint_id=into, process_group=ranks.orders)
        # Each rank reads what it wrote, by the name that torch gives to its files.
        own = {path.name: _hash(path) for path in into.glob(f"__{ranks.rank}_*")}
    except (OSError, RuntimeError, ValueError, CheckpointException) as error:
        problem, own = _why(error), {}
    problem, found = _first(ranks, problem), ranks.all_of(own)
    if problem is None and ranks.leads:
        hashes = {file: digest for each in found for file, digest in each.items()}
        problem = _mark(folder, name, into, hashes, trainer)
    if problem := ranks.told(problem):
        raise CheckpointError(f"cannot write the state {into.name}: {problem}")


def read_state(folder: Path, name: str, trainer: ParallelTrainer) -> bool:
    """Take a trainer to the state that counts, if there is one; called by all ranks.

    Raises
    ------
    CheckpointError
        On every rank, where the state is damaged or another run's; the trainer is of no use then.
    """
    ranks, mark, problem = trainer.ranks, folder / f"{name}.json", None
    told: dict[str, Any] | None = None
    if ranks.leads and mark.exists():
        try:
            told = _marked(mark)
        except (OSError, ValueError) as error:
            problem = _why(error)
    told, problem = ranks.told((told, problem))
    if told is None and problem is None:
        return False
    if told is not None:
        state = folder / told["state"]
        # Looked at and told before torch reads: a rank that stays away from that is waited for.
        problem = _first(ranks, _damage(state, told["files"], ranks))
        if problem is None:
            try:
                _read(state, told, trainer)
            except (OSError, RuntimeError, ValueError, KeyError, CheckpointException) as error:
                problem = _why(error)
            problem = _first(ranks, problem)
    if problem is not None:
        raise CheckpointError(f"the state {mark.name} is damaged: {problem}")
    return True


def forget_state(folder: Path, name: str) -> None:
    """Remove the states of a name; by the first rank."""
    (folder / f"{name}.json").unlink(missing_ok=True)
    for path in folder.glob(f"{name}-*"):
        shutil.rmtree(path, ignore_errors=True)


def tensors_of(trainer: ParallelTrainer) -> dict[str, Tensor]:
    """All that the future of a run depends on, of one shape at every step: weights and moments
    (parts of them where they are shared out), losses, random numbers.
    """
    (job,) = trainer.jobs
    losses = torch.full((job.steps,), torch.nan, dtype=torch.float64)
    losses[: trainer.step] = torch.tensor(trainer.losses, dtype=torch.float64).reshape(-1)
    return trainer.learned() | {"losses": losses, "random": trainer.random[0].get_state()}


def _first(ranks: Ranks, problem: str | None) -> str | None:
    """The first problem that any rank has, on every rank."""
    return next(filter(None, ranks.all_of(problem)), None)


def _damage(state: Path, files: Mapping[str, str], ranks: Ranks) -> str | None:
    """What is wrong with the share of this rank in the files of a state."""
    for file, digest in sorted(files.items())[ranks.rank :: ranks.size]:
        try:
            if _hash(state / file) != digest:
                return f"its file {file} is not what was written"
        except OSError as error:
            return _why(error)
    return None


def _read(state: Path, told: dict[str, Any], trainer: ParallelTrainer) -> None:
    """Read a state into a trainer; by all ranks."""
    kept, step = tensors_of(trainer), told["step"]
    load(kept, checkpoint_id=state, process_group=trainer.ranks.orders)
    losses = kept["losses"][:step].tolist()
    trainer.losses = [[loss] for loss in losses]
    trainer.random[0].set_state(kept["random"].clone())
    trainer.seconds = told["seconds"]
    trainer.taken = [(each[0], each[1]) for each in told["taken"]]
    trainer.put_back(kept)


def _mark(
    folder: Path, name: str, into: Path, hashes: dict[str, str], trainer: ParallelTrainer
) -> str | None:
    """Say that a state counts, and remove those before it; why not, if it cannot be written."""
    hashes = hashes | {".metadata": _hash(into / ".metadata")}
    told = {
        "type": "state of several ranks",
        "schema": SCHEMA,
        "state": into.name,
        "step": trainer.step,
        "seconds": trainer.seconds,
        "taken": trainer.taken,
        "files": hashes,
    }
    try:
        sealed = told | {"sha256": _seal(told)}
        write(folder / f"{name}.json", json.dumps(sealed).encode(), force=True)
    except (OSError, FilesError) as error:
        return _why(error)
    for path in folder.glob(f"{name}-*"):
        if path != into:
            shutil.rmtree(path, ignore_errors=True)
    return None


def _marked(path: Path) -> dict[str, Any]:
    """What a note says; ValueError where it is damaged. Older ones have no hash of themselves."""
    told = read_json(path.read_bytes())
    wanted = {"state": str, "step": int, "seconds": float, "taken": list, "files": dict}
    if not isinstance(told, dict) or told.get("schema") != SCHEMA:
        raise ValueError(f"it has no schema {SCHEMA}")
    for name, kind in wanted.items():
        if not isinstance(told.get(name), kind):
            raise ValueError(f"it does not say its {name}")
    if told.get("sha256", seal := _seal(told)) != seal:
        raise ValueError("it is not what was written")
    pairs = [each for each in told["taken"] if isinstance(each, list) and len(each) == 2]
    if not math.isfinite(told["seconds"]) or len(pairs) < len(told["taken"]):
        raise ValueError("its seconds or the ranks that took its steps are none")
    if told["state"] != f"{path.stem}-{told['step']}":
        raise ValueError(f"its step is {told['step']} and its state {told['state'][:60]!r}")
    return told


def _seal(told: Mapping[str, Any]) -> str:
    """The sha256 of a note, but for its own."""
    own = {name: value for name, value in told.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _why(error: BaseException) -> str:
    if isinstance(error, CheckpointException) and error.failures:
        # What a rank met is said, not how torch came there.
        first, _ = next(iter(error.failures.values()))
        return _why(first)
    if error.__cause__ is not None:
        return _why(error.__cause__)
    text = reason(error) if isinstance(error, OSError) else str(error)
    return " ".join(text.split())[:200] or type(error).__name__
