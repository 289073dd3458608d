"""Models in files: safetensors with what made them in the header, written whole or not at all, checked when read."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from isoloss.lm.model import Model
from isoloss.lm.training.job import Job
from isoloss.runs import Decoder, Run

SCHEMA = 1


class CheckpointError(ValueError):
    """One sentence: which checkpoint cannot be written or read, and why."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model that was trained, its run, and the settings that made it (of corpus and recipe, as JSON values)."""

    model: Model
    run: Run
    settings: Mapping[str, Any]


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Nothing; writes a file that is there whole or not at all.

    Raises CheckpointError where it cannot be written; what stood there before then still does.
    """
    kept = {name: value.contiguous() for name, value in tensors.items()}
    head = {
        "isoloss": version("isoloss"),
        "type": "checkpoint",
        "schema": str(SCHEMA),
        "about": json.dumps(about, sort_keys=True),
    }
    whole = save(kept, metadata=head | {"sha256": _digest(save(kept, metadata=head))})
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise CheckpointError(
            f"cannot write the checkpoint {path.name}: {error.strerror or error}"
        ) from None


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and what was said of them.

    Raises CheckpointError where the file is not there, is none of ours, of a newer schema, or damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"cannot read the checkpoint {path}: {error.strerror or error}"
        ) from None
    try:
        head = _header(content)[0].get("__metadata__", {})
        tensors, digest = load(content), _digest(content)
    except (SafetensorError, ValueError, KeyError, struct.error) as error:
        raise CheckpointError(
            f"the checkpoint {path} is damaged: {str(error).splitlines()[0]}"
        ) from None
    if head.get("type") != "checkpoint" or not {"schema", "sha256", "about"} <= set(head):
        raise CheckpointError(f"{path} is not a checkpoint of isoloss")
    if int(head["schema"]) > SCHEMA:
        raise CheckpointError(
            f"the checkpoint {path} has schema {head['schema']}; this isoloss {version('isoloss')} reads up to {SCHEMA}, so update it"
        )
    if head["sha256"] != digest:
        raise CheckpointError(
            f"the checkpoint {path} is damaged: its content is not what was written"
        )
    return tensors, json.loads(head["about"])


def save_model(path: Path, model: Model, job: Job, run: Run) -> None:
    """Nothing; writes a trained model with its run. Raises CheckpointError as `save_checkpoint` does."""
    tensors = {f"model.{name}": p.detach().cpu() for name, p in model.named_parameters()}
    save_checkpoint(path, tensors, {"kind": "model", "settings": job.settings, "run": run.known()})


def load_checkpoint(path: str | Path) -> Checkpoint:
    """The model of a file that `save_model` wrote, ready to be evaluated or quantised.

    Raises CheckpointError as `read_checkpoint` does, and for the state of a training that has not ended.
    """
    path = Path(path)
    tensors, about = read_checkpoint(path)
    if about.get("kind") != "model":
        raise CheckpointError(
            f"{path} is the state of a training that has not ended, not a model; let its sweep end"
        )
    settings = about["settings"]
    model = Model(
        Decoder(**settings["shape"]), settings["precision"], settings["seed"], compiled=False
    )
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(tensors[f"model.{name}"])
    return Checkpoint(model, Run.of(about["run"]), settings)


def _digest(content: bytes) -> str:
    """The sha256 of the header, but for the digest in it, and of the tensors' bytes."""
    header, body = _header(content)
    header.get("__metadata__", {}).pop("sha256", None)
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    digest.update(body)
    return digest.hexdigest()


def _header(content: bytes) -> tuple[dict[str, Any], memoryview]:
    """The header of a safetensors file, and what follows it."""
    end = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:end])
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    return header, memoryview(content)[end:]
