"""Models in files: safetensors with what made them in the header, written whole or not at all,
checked when read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from isoloss.files import FilesError, decode, from_fields, read_json, reason, write
from isoloss.formats import Precision
from isoloss.lm.model import Model, drawing
from isoloss.lm.training.job import Job
from isoloss.lm.training.tensor_header import check_layout, header_of
from isoloss.runs import Decoder, Run

SCHEMA = 1


class CheckpointError(ValueError):
    """One sentence: which checkpoint cannot be written or read, and why."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model that was trained, its run, and the settings that made it (of corpus and recipe, as
    JSON values).
    """

    model: Model
    run: Run
    settings: Mapping[str, Any]


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors with what is to be known of them, whole or not at all.

    Parameters
    ----------
    path
        The file; its folder is made, and a checkpoint that stands there is replaced.
    tensors
        Tensors by name, on the CPU.
    about
        JSON values, kept in the header.

    Raises
    ------
    CheckpointError
        It cannot be written; what stood there before then still does.
    """
    kept = {name: value.contiguous() for name, value in tensors.items()}
    head = {
        "isoloss": version("isoloss"),
        "type": "checkpoint",
        "schema": str(SCHEMA),
        "about": json.dumps(about, sort_keys=True),
    }
    whole = save(kept, metadata=head | {"sha256": _digest(save(kept, metadata=head))})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, whole, force=True)
    except (OSError, FilesError) as error:
        why = error.__cause__ if isinstance(error.__cause__, OSError) else error
        raise CheckpointError(f"cannot write the checkpoint {path.name}: {reason(why)}") from None


def read_checkpoint(
    path: Path, like: Mapping[str, Tensor] | None = None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a checkpoint and what was said of them.

    Parameters
    ----------
    path
        A file that `save_checkpoint` wrote.
    like
        Tensors that the file must hold the like of, by name, shape and type; of "losses", which
        grows with the steps, the type alone. None accepts any.

    Raises
    ------
    CheckpointError
        The file is not there, is none of ours, of a newer schema, damaged, or holds other tensors.
    """
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read the checkpoint {path}: {reason(error)}") from None
    try:
        header, body = header_of(content)
        head = header.get("__metadata__", {})
        check_layout(header, len(body))
        tensors, digest = load(content), _digest(content)
    except (SafetensorError, ValueError) as error:
        raise _damaged(path, str(error).splitlines()[0][:200]) from None
    if head.get("type") != "checkpoint" or not {"schema", "sha256", "about"} <= set(head):
        raise CheckpointError(f"{path} is not a checkpoint of isoloss")
    if not head["schema"].isdecimal() or len(head["schema"]) > 9:
        raise _damaged(path, f"its schema is {head['schema'][:60]!r}")
    if int(head["schema"]) > SCHEMA:
        raise CheckpointError(
            f"the checkpoint {path} has schema {head['schema']}; this isoloss {version('isoloss')} "
            "reads up to "
            f"{SCHEMA}, so update it"
        )
    if head["sha256"] != digest:
        raise _damaged(path, "its content is not what was written")
    return _like(path, tensors, like), _about(path, head["about"])


def _about(path: Path, text: str) -> dict[str, Any]:
    try:
        about = read_json(text, nan=True)
    except ValueError as error:
        raise _damaged(path, str(error)[:200]) from None
    if not isinstance(about, dict):
        raise _damaged(path, "what it says of its tensors is no object")
    return about


def _like(
    path: Path, found: dict[str, Tensor], wanted: Mapping[str, Tensor] | None
) -> dict[str, Tensor]:
    """The tensors found, if they are the like of those wanted."""
    if wanted is None:
        return found
    for name in [*wanted, *found]:
        if name not in found or name not in wanted:
            raise _damaged(path, f"it {'has' if name in found else 'lacks'} a tensor {name[:80]!r}")
        one, two = found[name], wanted[name]
        grows = name == "losses" and one.shape[1:] == two.shape[1:]
        if one.dtype != two.dtype or (one.shape != two.shape and not grows):
            raise _damaged(
                path,
                f"its tensor {name[:80]!r} is {_kind(one)} where the model has {_kind(two)}",
            )
    return found


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"the checkpoint {path} is damaged: {why}")


def save_model(path: Path, model: Model, job: Job, run: Run) -> None:
    """Write a trained model with its run; raises CheckpointError as `save_checkpoint` does."""
    save_checkpoint(
        path, _weights(model), {"kind": "model", "settings": job.settings, "run": run.known()}
    )


def load_checkpoint(path: str | Path) -> Checkpoint:
    """The model of a file that `save_model` wrote, ready to be evaluated or quantised; stochastic
    rounding draws from the seed of its training, anew.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    CheckpointError
        As `read_checkpoint`; it is the state of a training that has not ended, or its tensors are
        not those of the model that it describes.
    """
    path = Path(path)
    tensors, about = read_checkpoint(path)
    if about.get("kind") == "module":
        raise CheckpointError(
            f"{path} is a module of the task '{about.get('task')}', which the sweep that left it "
            "reads; give that sweep's call the further precisions of post"
        )
    if about.get("kind") != "model":
        raise CheckpointError(
            f"{path} is the state of a training that has not ended, not a model; let its sweep end"
        )
    try:
        settings, run = about["settings"], from_fields(Run, about["run"], "run")
        shape = from_fields(Decoder, settings["shape"], "shape")
        held = sum(value.numel() for value in tensors.values())
        # Asked before the model is made, so that no file makes one that is larger than the file.
        if shape.params > held:
            raise ValueError(f"its shape has {shape.params} params and its tensors hold {held}")
        precision = _spelled(path, decode(str, settings["precision"], "precision"))
        seed = decode(int, settings["seed"], "seed")
        model = Model(shape, precision, seed, compiled=False)
        model.draw_from(drawing(seed))
        if precision.changes:
            model.round_as(precision.stages[-1])
    except CheckpointError:
        raise
    except KeyError as error:
        raise _damaged(path, f"it does not say its {error}") from None
    except (ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        raise _damaged(path, " ".join(str(error).split())[:200]) from None
    _like(path, tensors, _weights(model))
    if run.status == "ok" and not all(bool(value.isfinite().all()) for value in tensors.values()):
        raise _damaged(path, "its run ended well and its tensors hold values that are no numbers")
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(tensors[f"model.{name}"])
    return Checkpoint(model, run, settings)


def _spelled(path: Path, precision: str) -> Precision:
    """The precision of a checkpoint; whole files may name formats that are not loaded here."""
    try:
        return Precision.parse(precision)
    except ValueError as error:
        raise CheckpointError(f"the checkpoint {path} cannot be read here: {error}") from None


def _weights(model: Model) -> dict[str, Tensor]:
    return {f"model.{name}": p.detach().cpu() for name, p in model.named_parameters()}


def _digest(content: bytes) -> str:
    """The sha256 of the header, but for the digest in it, and of the tensors' bytes."""
    header, body = header_of(content)
    header.get("__metadata__", {}).pop("sha256", None)
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    digest.update(body)
    return digest.hexdigest()
