"""A task on a device that is not there: nothing is left behind on the CPU, and a step waits for the
device once.
"""

from dataclasses import replace
from typing import Any

import pytest
from torch import nn

from fake_devices import DEVICE, fake_device
from isoloss.lm import TrainingTask
from isoloss.lm.after import Matrix, Weights
from isoloss.lm.tasks import LookedOver, TaskJob, TaskTrainer
from own_modules import CORPUS, RECIPE, STEP, Plain


def build(params: float | None, seed: int) -> nn.Module:
    """Without buffers, which the device that is not there leaves behind."""
    module = Plain()
    module.norm = nn.Identity()  # type: ignore[assignment]
    return module


def of_layers(module: Any, probe: Any) -> Weights:
    """Tensors without numbers have no memory to be told by."""
    probe(module)
    layers = {name: layer for name, layer in module.named_modules() if type(layer) is nn.Linear}
    return Weights(tuple(Matrix(n, n, each, each.weight) for n, each in layers.items()))


@pytest.mark.parametrize("precision", ["w4 a8 g8", "w4~sr a4/row@quest"])
def test_a_step_stays_on_the_device(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = LookedOver.of(TrainingTask("plain", build, CORPUS), None)
    job = TaskJob.of(looked, 4 * STEP, precision, RECIPE)
    job = replace(job, recipe=replace(RECIPE, device=DEVICE))
    monkeypatch.setattr("isoloss.lm.tasks.task_trainer.weights_of_model", of_layers)
    with fake_device(monkeypatch) as reads:
        trainer = TaskTrainer(job)
        trainer.advance(1, 4, job.recipe)
        assert reads.count == 1 + 1  # the device is tried, then a loss a step
        assert {p.device.type for p in trainer.model.parameters()} == {DEVICE}
        with trainer.model.as_trained() as module:
            assert {p.device.type for p in module.parameters()} == {DEVICE}
