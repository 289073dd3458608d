"""A Llama from a configuration, trained: its matrices on the grid, its key, its rows, the page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import isoloss as il
from isoloss.lm import ModelError, TrainingTask, hub_task, train_task
from isoloss.lm.sweeps.task_jobs import task_jobs_of
from isoloss.lm.tasks import LookedOver, TaskJob, TaskTrainer
from isoloss.runs import Grid
from own_modules import CORPUS, RECIPE, STEP

pytestmark = pytest.mark.extras
SMALL = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "vocab_size": 32, "max_position_embeddings": 32,
}  # fmt: skip
transformers = pytest.importorskip("transformers", reason="pip install 'isoloss[hub]'")


def llama(params: float | None = None, **more: Any) -> Any:
    layers = {} if params is None else {"num_hidden_layers": int(params / 2000)}
    return transformers.LlamaConfig(**SMALL | layers | more)


def test_every_matrix_outside_embedding_and_head_is_on_the_grid() -> None:
    job = TaskJob.of(LookedOver.of(hub_task(llama(), CORPUS), None), 4 * STEP, "w4 a4", RECIPE)
    trainer = TaskTrainer(job)
    trainer.advance(4, 4, RECIPE)
    module, left = trainer.model.module, []
    before = {n: p.detach().clone() for n, p in module.named_parameters() if p.dim() == 2}
    with trainer.model.as_trained() as run:
        for name, weight in run.named_parameters():
            if weight.dim() != 2:
                continue
            whole = before[name].numpy()
            scale = (np.abs(whole).max(1, keepdims=True) / np.float32(7)).astype(np.float32)
            grid = np.round(whole / scale).astype(np.float32) * scale
            left += [] if np.array_equal(weight.detach().numpy(), grid) else [name]
    assert left == ["model.embed_tokens.weight", "lm_head.weight"]
    assert job.rounded_share == 1.0
    assert len(trainer.model.roundings.inputs) == 2 * 7
    assert job.non_embedding == sum(
        p.numel() for n, p in module.named_parameters() if "embed" not in n and "lm_head" not in n
    )


def test_single_blocks_are_trained_in_a_format_of_their_own() -> None:
    looked = LookedOver.of(hub_task(llama(num_hidden_layers=3), CORPUS), None)
    asked = "w4 w.layers.1:fp a8 a.first1:fp g8 g.layers.2.q_proj:fp"
    found = TaskTrainer(TaskJob.of(looked, 4 * STEP, asked, RECIPE)).model.roundings
    assert not [name for name in found.weights if ".layers.1." in name]
    assert [len(each) for each in (found.weights, found.inputs, found.gradients)] == [14, 14, 20]
    assert found.rounded_share == pytest.approx(2 / 3)
    with pytest.raises(ModelError, match=r"the model has no 'g.layers.7'"):
        TaskJob.of(looked, 4 * STEP, "g8 g.layers.7:fp", RECIPE)


@pytest.mark.parametrize("precision", ["fp", "w4 a8 g8"])
def test_training_goes_on_to_the_last_bit(precision: str) -> None:
    task = hub_task(llama(attention_dropout=0.1, tie_word_embeddings=True), CORPUS)
    job = TaskJob.of(LookedOver.of(task, None), 8 * STEP, precision, RECIPE, 1)
    whole, first, second = TaskTrainer(job), TaskTrainer(job), TaskTrainer(job)
    whole.advance(8, 8, RECIPE)
    first.advance(3, 8, RECIPE)
    torch.rand(3)
    second.restore(first.tensors())
    second.advance(8, 8, RECIPE)
    assert whole.losses == second.losses
    one, two = whole.tensors(), second.tensors()
    assert all(torch.equal(one[name], two[name]) for name in set(one) - {"seconds"})


def test_the_configuration_is_in_the_key() -> None:
    def key(config: Any, **more: Any) -> str:
        (job,) = task_jobs_of(Grid(tokens=STEP, **more), hub_task(config, CORPUS, name="x"), RECIPE)
        return job.key

    config = llama()
    first = key(config)
    assert first == key(config) == key(llama())
    assert len({first, key(llama(rms_norm_eps=1e-3)), key(llama(tie_word_embeddings=True))}) == 3
    sizes = {key(llama, params=2000), key(llama, params=4000), key(llama, params=6000)}
    assert len(sizes | {first}) == 4


def test_what_a_configuration_may_not_be() -> None:
    with pytest.raises(ModelError, match="the configuration has 32 tokens and the corpus 256"):
        hub_task(llama())
    with pytest.raises(ModelError, match="accepted is a configuration of transformers, such as"):
        hub_task(SMALL, CORPUS)
    with pytest.raises(ModelError, match="params is 4000, and one configuration has one size"):
        train_task(hub_task(llama(), CORPUS), STEP, params=4000, recipe=RECIPE)
    with pytest.raises(ModelError, match="the configuration is a function of params; give a list"):
        train_task(hub_task(llama, CORPUS, name="llama"), STEP, recipe=RECIPE)


def test_other_families() -> None:
    """Matrices with their inputs first, and experts in a stack, have rounded weights; their
    activations are out of reach, and said to be.
    """
    gpt2 = transformers.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=32, n_positions=32)
    mixtral = transformers.MixtralConfig(**SMALL, num_local_experts=4, num_experts_per_tok=2)
    for config, name in ((gpt2, "h.0.attn.c_attn"), (mixtral, "experts")):
        task = hub_task(config, CORPUS)
        done = train_task(task, 4 * STEP, "w4", recipe=RECIPE)
        assert done.rounded_share == pytest.approx(1.0, abs=0.05)
        assert done.run.status == "ok"
        with pytest.raises(ModelError, match=f"the activations that meet '.*{name}.*' cannot be"):
            train_task(task, 4 * STEP, "w4 a4", recipe=RECIPE)


def test_rows_after_training(tmp_path: Path) -> None:
    recipe = replace(RECIPE, lr=0.01)
    with ThreadPoolExecutor(1) as executor:
        runs = il.train(
            Grid(tokens=8 * STEP, precision=["fp", "w4 a4"]), task=hub_task(llama(), CORPUS),
            post=["w4", "w3@gptq", "w4 a8 kv4"], recipe=recipe, executor=executor, show=False,
        )  # fmt: skip
    frame = {row["precision"]: row for row in runs.frame().to_dicts()}
    assert len(frame) == 8
    assert frame["w4 a4 -> w4"]["gap"] == pytest.approx(0, abs=1e-6)
    assert {row["family"] for row in frame.values()} == {"llama"}
    assert all(row["kl"] > 0 for name, row in frame.items() if name.startswith("fp ->"))


def test_the_llama_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's block is left out where transformers is missing; here it is not."""
    page = (Path(__file__).parents[3] / "docs" / "modules_of_ones_own.md").read_text("utf-8")
    blocks = [each.split("```")[0] for each in page.split("```python\n")[1:]]
    (block,) = (each for each in blocks if "hub_task" in each)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"il": il}
    exec(compile(block, "page", "exec"), names)
    assert isinstance(names["task"], TrainingTask)
    assert (tmp_path / "own.db").exists()
