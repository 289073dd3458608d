"""What a rank does in the tests: python on_ranks.py FOLDER; the first one writes all.json there.

All in float64, in which sums of another order move no rounding: what differs is another function.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from isoloss.lm import Language, Recipe, model_of, train
from isoloss.lm.parallel import ParallelTrainer, Ranks, ranks_on, read_state, save_state
from isoloss.lm.training import CheckpointError, Job, Parallel, Trainer
from isoloss.runs import Grid

CORPUS = Language(vocab=32, context=16)
RECIPE = Recipe(sequences=4, validation=4, compiled=False)
STEPS, HALF = 4, 2
GRID = Grid(params="3k", tokens=[256, 512], precision=["fp", "w4 a4"], schedule="wsd", warmup=2)
#: What shares a scale in every way, draws or learns; that of each operand of backward products.
ALIKE = (
    "fp",
    "w4 a4 kv4",
    "a:e4m3 g:e4m3 q:e4m3",
    "a:int8~sr g:int8~sr w:int8~sr kv:int4~sr",
    "a:nvfp4 g:nvfp4~sr",
    "a8+had kv:uint4/tensor",
    "a1.58 v:binary/tensor",
    "a8+clip",
    "a:int8/tensor@lsq w4@lsq",
    "a:int8+clip@clipped",
    "w8@quest a8@quest",
    "g8 a.dw:e4m3 g.dw:e4m3~sr w.dx:e4m3 g.dx:mxfp8",
    "a:coord(0.001) g:vec(0.001)",
    "a8/3x8 w:e4m3/8x8",
    "w3 a3 then fp from 50%",
)
SHARDED = ("fp", "w4 a4 kv4", "w:int8~sr a:nvfp4~sr", "w3 a3 then fp from 50%")


def job_of(precision: str, parallel: Parallel) -> Job:
    tokens = STEPS * RECIPE.sequences * CORPUS.context
    shape = model_of("3k", CORPUS.vocab)
    return Job.of(shape, tokens, precision, CORPUS, RECIPE, parallel=parallel)


def losses_of(trainer: Trainer, until: int = STEPS) -> list[float]:
    trainer.advance(until, STEPS, RECIPE)
    return [loss for (loss,) in trainer.losses]


def alike(ranks: Ranks) -> Any:
    """The largest difference of losses and of weights to one process, by kind and precision."""
    found = {}
    for kind, precisions in (("ddp", ALIKE), ("fsdp", SHARDED)):
        for precision in precisions:
            trainer = ParallelTrainer(job_of(precision, Parallel(kind)), ranks)  # type: ignore[arg-type]
            losses, whole = losses_of(trainer), trainer.gathered()
            if whole is not None:
                one = Trainer(replace(trainer.jobs[0], parallel=None))
                by_loss = max(abs(a - b) for a, b in zip(losses, losses_of(one), strict=True))
                pairs = zip(whole.parameters(), one.model.parameters(), strict=True)
                by_weight = max(float((a - b).detach().abs().max()) for a, b in pairs)
                found[f"{kind} {precision}"] = by_loss, by_weight
    return found


def micro(ranks: Ranks) -> Any:
    """Losses by micro-batches: scales of rows, then of a tensor."""
    found = {}
    for precision in ("w4 kv4", "a4"):
        for kind, count in (("ddp", 1), ("ddp", 2), ("fsdp", 2)):
            trainer = ParallelTrainer(job_of(precision, Parallel(kind, count)), ranks)  # type: ignore[arg-type]
            found[f"{precision} {kind} {count}"] = losses_of(trainer)
    return found


def begin(ranks: Ranks, folder: Path) -> Any:
    """Half of a run of each kind, kept."""
    for kind in ("ddp", "fsdp"):
        trainer = ParallelTrainer(job_of("w:int8~sr a4", Parallel(kind)), ranks)  # type: ignore[arg-type]
        for until in (HALF - 1, HALF):  # the second state takes the place of the first
            losses_of(trainer, until)
            save_state(folder, kind, trainer)
    return sorted(path.name for path in folder.iterdir())


def resume(ranks: Ranks, folder: Path) -> Any:
    """The other half: losses of all steps, and who took them."""
    found = {}
    for kind in ("ddp", "fsdp"):
        trainer = ParallelTrainer(job_of("w:int8~sr a4", Parallel(kind)), ranks)  # type: ignore[arg-type]
        assert read_state(folder, kind, trainer)
        assert trainer.step == HALF
        found[kind] = [losses_of(trainer), trainer.taken]
    return found


def damaged(ranks: Ranks, folder: Path) -> Any:
    """What each rank says of a state in which one file, of either rank, is damaged or gone."""
    found = {}
    for number, hurt in ((0, _flip), (1, _flip), (1, Path.unlink)):
        place, name = folder / f"{hurt.__name__} {number}", f"__{number}_0.distcp"
        trainer = ParallelTrainer(job_of("fp", Parallel("fsdp")), ranks)
        losses_of(trainer, HALF)
        save_state(place, "state", trainer)
        if ranks.leads:
            hurt(place / f"state-{HALF}" / name)
        ranks.all_of(None)
        found[place.name] = ranks.all_of(_refusal(place, trainer))
    return found


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _refusal(place: Path, trainer: ParallelTrainer) -> str:
    try:
        read_state(place, "state", trainer)
    except CheckpointError as error:
        return str(error)
    return "no refusal"


def whole(ranks: Ranks) -> list[float]:
    """The losses of such a run that nobody stopped."""
    return losses_of(ParallelTrainer(job_of("w:int8~sr a4", Parallel()), ranks))


def swept(ranks: Ranks, folder: Path) -> Any:
    """A sweep, as each rank sees it."""
    runs = train(
        GRID,
        corpus=CORPUS,
        recipe=RECIPE,
        parallel="ddp",
        post="w3",
        store=folder / "ranks.db",
        keep=folder / "models",
        show=False,
    )
    return ranks.all_of([[run.key, run.precision, run.loss] for run in runs])


def all_of(ranks: Ranks, folder: Path) -> dict[str, Any]:
    """What the tests ask of two ranks; a folder has the states that one rank left."""
    return {
        "alike": alike(ranks),
        "micro": micro(ranks),
        "resume": resume(ranks, folder / "of one"),
        "begin": begin(ranks, folder / "of two"),
        "damaged": damaged(ranks, folder / "damaged"),
        "swept": swept(ranks, folder),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    place = Path(sys.argv[1])
    with ranks_on("cpu") as met:
        answer = all_of(met, place)
        if met.leads:
            (place / "all.json").write_text(json.dumps(answer), encoding="utf-8")
