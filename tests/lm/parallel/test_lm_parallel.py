"""One run on two processes (gloo) is the run of one process, whatever is rounded; states are taken
up by any number of ranks.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from isoloss.lm import train
from isoloss.lm.parallel import ranks_on
from isoloss.runs import Store

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import on_ranks  # noqa: E402

#: Losses and weights in float64 after some steps: nothing but the order of sums differs.
CLOSE = 1e-11


@pytest.fixture(scope="module")
def in_float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ranks")


@pytest.fixture(scope="module")
def of_two(folder: Path, in_float64: None) -> Any:
    """What two ranks did, once, after one rank left its states."""
    with ranks_on("cpu") as ranks:
        on_ranks.begin(ranks, folder / "of one")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "TORCHELASTIC_RUN_ID": "test",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, str(HERE / "on_ranks.py"), str(folder)]
    two = [
        subprocess.Popen(command, env=shared | {"RANK": rank, "LOCAL_RANK": rank}) for rank in "01"
    ]
    assert [rank.wait(300) for rank in two] == [0, 0]
    return json.loads((folder / "all.json").read_text("utf-8"))


def test_two_ranks_train_the_run_of_one_process(of_two: Any) -> None:
    found, kinds = of_two["alike"], {"ddp": on_ranks.ALIKE, "fsdp": on_ranks.SHARDED}
    assert set(found) == {f"{kind} {p}" for kind, known in kinds.items() for p in known}
    assert {name: far for name, far in found.items() if max(far) > CLOSE} == {}


def test_micro_batches_change_what_shares_a_scale_in_a_tensor_alone(of_two: Any) -> None:
    two = of_two["micro"]
    with ranks_on("cpu") as ranks:
        one = on_ranks.micro(ranks)
    for name, losses in two.items():
        assert losses == pytest.approx(one[name], abs=CLOSE), name
        assert losses == pytest.approx(two[name.replace("fsdp", "ddp")], abs=CLOSE), name
    assert two["w4 kv4 ddp 2"] == pytest.approx(two["w4 kv4 ddp 1"], abs=CLOSE)
    assert two["a4 ddp 2"] != pytest.approx(two["a4 ddp 1"], abs=1e-6)


def test_a_state_is_taken_up_by_another_number_of_ranks(of_two: Any, folder: Path) -> None:
    half, rest = on_ranks.HALF, on_ranks.STEPS - on_ranks.HALF
    assert of_two["begin"] == [f"ddp-{half}", "ddp.json", f"fsdp-{half}", "fsdp.json"]
    with ranks_on("cpu") as ranks:
        two_then_one = on_ranks.resume(ranks, folder / "of two")
        whole = on_ranks.whole(ranks)
    one_then_two = of_two["resume"]
    for kind in ("ddp", "fsdp"):
        assert two_then_one[kind] == [pytest.approx(whole, abs=CLOSE), [(2, half), (1, rest)]]
        assert one_then_two[kind] == [pytest.approx(whole, abs=CLOSE), [[1, half], [2, rest]]]


def test_a_damaged_file_of_one_rank_is_refused_by_every_rank(of_two: Any) -> None:
    found = of_two["damaged"]
    assert sorted(found) == ["_flip 0", "_flip 1", "unlink 1"]
    for name, (one, other) in found.items():
        assert one == other
        assert one.startswith("the state state.json is damaged: ")
        assert f"__{name[-1]}_0.distcp" in one or "No such file" in one


def test_a_sweep_on_two_ranks_leaves_the_rows_of_one_process(of_two: Any, folder: Path) -> None:
    first, second = of_two["swept"]
    rows = Store(folder / "ranks.db").runs()
    assert first == second
    assert sorted(first) == sorted([run.key, run.precision, run.loss] for run in rows)
    with ThreadPoolExecutor(1) as thread:
        alone = train(
            on_ranks.GRID,
            corpus=on_ranks.CORPUS,
            recipe=on_ranks.RECIPE,
            post="w3",
            executor=thread,
            show=False,
        )
    by_name = {(run.tokens, run.precision): run for run in alone}
    assert len(rows) == len(alone) == 8
    for run in rows:
        one = by_name[run.tokens, run.precision]
        assert run.loss == pytest.approx(one.loss, abs=CLOSE)
        assert (run.flops, run.batch_tokens, run.lr_final) == (
            one.flops,
            one.batch_tokens,
            one.lr_final,
        )
    assert {run.key for run in rows}.isdisjoint(run.key for run in alone)
    frame = rows.frame()
    trained = frame.filter(frame["parent"].is_null())
    assert trained.select("parallel", "micro_batches", "ranks").unique().rows() == [("ddp", 1, "2")]
    assert len(list((folder / "models").glob("*.safetensors"))) == 4
