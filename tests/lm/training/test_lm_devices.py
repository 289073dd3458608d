"""Training and quantising on a device that is not there: nothing is left behind on the CPU, and a
step waits for the device once.
"""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from fake_devices import DEVICE, fake_device
from isoloss.formats import Format
from isoloss.lm import Language, ModelError, Recipe, model_of, quantise, shape
from isoloss.lm.after.post_method import METHODS, Scaled
from isoloss.lm.after.seen import Moments
from isoloss.lm.model import Model
from isoloss.lm.rounding import LearnedStep
from isoloss.lm.shape import check_memory, free_memory, training_bytes
from isoloss.lm.sweeps import kinds, shared_prefix
from isoloss.lm.training import Job, Trainer, trainer_of

LANGUAGE = Language(vocab=32, context=16)
RECIPE = Recipe(sequences=2, validation=2, device=DEVICE, compiled=False)
SHAPE = model_of("4k", vocab=32)


def job(precision: str, seed: int = 0) -> Job:
    return Job.of(SHAPE, 10 * 2 * 16, precision, LANGUAGE, RECIPE, seed)


@pytest.mark.parametrize(
    "precision",
    ["w4+clip@clipped a:nvfp4/4 kv4~sr g8", "w4/row@lsq a4/row@quest q4/tensor@lsq"],
)
def test_a_step_stays_on_the_device_and_waits_for_its_loss_alone(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_device(monkeypatch) as reads:
        trainer = Trainer(job(precision))
        for module in trainer._trained(0).modules():
            if isinstance(module, LearnedStep):
                module.is_set = True  # as the first steps leave them
        trainer.advance(1, 10, RECIPE)
        assert reads.count == 1 + 1  # the device is tried, then a loss a step
        assert {p.device.type for p in trainer.model.parameters()} == {DEVICE}


def test_members_of_a_batched_sweep_stay_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_device(monkeypatch) as reads:
        jobs = tuple(job(p) for p in ("w4", "w3/4"))
        trainer = trainer_of(jobs)
        trainer.advance(1, 10, RECIPE)
        assert reads.count == 1 + len(jobs)  # a list of tensors without numbers is read singly
        assert {p.device.type for p in trainer.ended()[1].model.parameters()} == {DEVICE}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_methods_after_training_stay_on_the_device(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = METHODS[name]
    with fake_device(monkeypatch):
        inputs, moments = torch.empty(16, 8, device=DEVICE), Moments.of(8, DEVICE)
        moments.add(inputs)
        kinds = {"hessian": moments.hessian, "moments": moments, "inputs": inputs}
        known = Format.parse("uint4/4" if name == "hqq" else "int4/4")
        found = method.round(torch.empty(4, 8, device=DEVICE), known, kinds.get(method.sees))
    both = (found.weight, found.scale) if isinstance(found, Scaled) else (found,)
    assert {each.device.type for each in both} == {DEVICE}


def test_a_kept_model_is_taken_up_on_the_device_of_its_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = job("fp")
    (tmp_path / f"{wanted.key}.safetensors").touch()
    with fake_device(monkeypatch):
        kept = SimpleNamespace(run=wanted.row, model=Model(SHAPE, compiled=False))
        monkeypatch.setattr(kinds, "load_checkpoint", lambda path: kept)
        prefix = shared_prefix.SharedPrefix((wanted,), keep=tmp_path)
        watch: Any = SimpleNamespace(missing={wanted.key}, folder=tmp_path, say=print)
        found = prefix.kept(wanted, watch)
    assert found is not None
    assert {p.device.type for p in found[1].parameters()} == {DEVICE}


# ---- memory
def on_a_gpu(monkeypatch: pytest.MonkeyPatch, free: float) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2 * free))


def test_what_files_hold_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has read much has little unused, and gives it back when asked."""
    told = tmp_path / "meminfo"
    told.write_text("MemTotal: 24000000 kB\nMemFree: 2000 kB\nMemAvailable: 20000000 kB\n")
    monkeypatch.setattr(shape, "MEMORY", told)
    assert free_memory() == 20_000_000 * 1024
    told.write_text("MemTotal: 24000000 kB\n")
    assert free_memory() > 0


def test_memory_is_that_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_gpu(monkeypatch, 1e6)
    assert free_memory("cuda:0") == 1e6
    check_memory(SHAPE, 32)
    with pytest.raises(ModelError, match=r"to train and 0.001 GB are free on cuda; choose"):
        check_memory(SHAPE, 4096, device="cuda")
    with pytest.raises(ModelError, match=r"are free on cuda"):
        Job.of(SHAPE, 1e6, "fp", LANGUAGE, replace(RECIPE, sequences=4096, device="cuda"))


def test_a_model_that_only_the_gpu_has_room_for_is_on_the_ladder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ModelError, match="GB are free"):
        model_of("100T")
    on_a_gpu(monkeypatch, 1e18)
    assert model_of("100T").params > 9e13


def test_products_in_bfloat16_leave_fewer_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the bytes that autograd keeps, counted on one step of either kind."""
    shape = model_of("0.1M")
    kept = [saved(shape, dtype) for dtype in ("float32", "bfloat16")]
    batch = 16 * 64
    counted = [training_bytes(shape, batch, dtype=d) - training_bytes(shape, 0, dtype=d)
               for d in ("float32", "bfloat16")]  # fmt: skip
    assert counted[1] / counted[0] == pytest.approx(kept[1] / kept[0], rel=0.1)


def saved(shape: Any, dtype: str) -> int:
    """Bytes of the tensors that a step keeps for the way back, weights and their casts apart."""
    model = Model(shape, compiled=False)
    sizes = {p.numel() for p in model.parameters()}
    found: dict[int, tuple[int, Any]] = {}

    def note(x: torch.Tensor) -> torch.Tensor:
        if x.numel() not in sizes:
            storage = x.untyped_storage()
            found[storage._cdata] = storage.nbytes(), storage
        return x

    tokens = torch.zeros(16, 64, dtype=torch.int64)
    with (
        torch.autograd.graph.saved_tensors_hooks(note, lambda x: x),
        torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"),
    ):
        nn.functional.cross_entropy(model(tokens).flatten(0, 1).float(), tokens.flatten())
    return sum(size for size, _ in found.values())


@pytest.mark.parametrize(("given", "word"), [("bf16", "bfloat16"), ("fp32", "float32")])
def test_dtypes_have_the_words_of_formats_too(given: Any, word: str) -> None:
    assert Recipe(dtype=given) == Recipe(dtype=word)  # type: ignore[arg-type]


def test_quantising_on_a_device_that_is_not_there_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ModelError, match=r"^cannot quantise on device 'nowhere': "):
        quantise("models", "w4", device="nowhere")
    with pytest.raises(ModelError, match=r"^device is 3; accepted is a device such as 'cuda'"):
        quantise("models", "w4", device=3)  # type: ignore[arg-type]
