"""Trained modules of a task in files, which the sweep that left them reads again."""

from __future__ import annotations

from pathlib import Path

import torch

from isoloss.files import from_fields
from isoloss.lm.tasks.rounded_module import RoundedModule
from isoloss.lm.tasks.task_job import TaskJob
from isoloss.lm.tasks.task_trainer import TaskTrainer
from isoloss.lm.training import CheckpointError, read_checkpoint, save_checkpoint
from isoloss.runs import Run

#: What tells such files from those of the decoder.
KIND = "module"


def save_module(path: Path, model: RoundedModule, job: TaskJob, run: Run) -> None:
    """Write weights and buffers of a trained module with its run; raises CheckpointError as
    `save_checkpoint` does.
    """
    about = {"kind": KIND, "task": job.task.name, "settings": job.settings, "run": run.known()}
    save_checkpoint(path, _tensors(model), about)


def read_module(path: Path, job: TaskJob) -> tuple[Run, RoundedModule]:
    """The run and the module of a file, on the job's device.

    Raises
    ------
    CheckpointError
        It cannot be read, or is of another run.
    """
    model = TaskTrainer(job).model
    tensors, about = read_checkpoint(path, _tensors(model))
    if about.get("kind") != KIND or about.get("settings") != job.settings:
        raise CheckpointError(f"the checkpoint {path} is of another run than {job.key}")
    try:
        run = from_fields(Run, about["run"], "run")
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"the checkpoint {path} is damaged: {error}") from None
    with torch.no_grad():
        for name, tensor in _named(model).items():
            tensor.copy_(tensors[name])
    return run, model


def _named(model: RoundedModule) -> dict[str, torch.Tensor]:
    return dict(model.module.named_parameters()) | dict(model.module.named_buffers())


def _tensors(model: RoundedModule) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in _named(model).items()}
