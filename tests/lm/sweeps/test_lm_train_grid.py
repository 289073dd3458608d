"""The verb train: what a grid becomes, that the same call does nothing, what is refused before
anything is trained.
"""

import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import isoloss as il
from isoloss.lm import (
    ModelError,
    Recipe,
    Trained,
    corpus_of,
    foreseen,
    load_checkpoint,
    model_of,
    train,
    train_one,
)
from isoloss.lm.sweeps import jobs_of, kinds, tasks_of
from isoloss.runs import Grid, Runs, RunsError, RunsWarning, StoreError

RECIPE = Recipe(sequences=4, validation=8, compiled=False)
CORPUS = il.lm.Language(vocab=32, context=16)
STEP = 4 * 16
GRID = Grid(params="4k", tokens=[5 * STEP, 10 * STEP], precision=["fp", "w4"], seed=[0, 1])


def trained(grid: Any, store: Path | None, **more: Any) -> Runs:
    with ThreadPoolExecutor(1) as executor:
        return train(
            grid,
            **(
                {
                    "corpus": CORPUS,
                    "recipe": RECIPE,
                    "store": store,
                    "executor": executor,
                    "show": False,
                }
                | more
            ),
        )


def test_every_cell_is_one_run_and_every_post_one_more(tmp_path: Path) -> None:
    runs = trained(GRID, tmp_path / "runs.db", post=["w3", "w4 a4"])
    assert len(runs) == 8 * 3
    cells = {(run.tokens, run.precision, run.seed) for run in runs}
    assert len(cells) == 24
    parents = {run.key: run for run in runs if run.parent is None}
    assert len(parents) == 8
    for run in runs:
        if run.parent is not None:
            assert run.precision.startswith(f"{parents[run.parent].precision} -> ")
            gap = run.loss - parents[run.parent].loss
            assert runs.frame().filter(key=run.key)["gap"][0] == pytest.approx(gap, abs=1e-6)
    alone = train_one(model_of("4k", 32), 10 * STEP, "w4", corpus=CORPUS, recipe=RECIPE, seed=1)
    assert parents[alone.run.key].loss == alone.run.loss


def test_post_lifts_what_training_rounded(tmp_path: Path) -> None:
    """'a:fp' says something of activations that were trained in 3 bits."""
    posts = ["w3", "w3 a:fp", "a:fp", "fp"]
    runs = trained(Grid(params="4k", tokens=5 * STEP, precision="w3 a3"), None, post=posts)
    gaps = dict(zip(runs["precision"], runs.frame()["gap"], strict=True))
    done = train_one(model_of("4k", 32), 5 * STEP, "w3 a3", corpus=CORPUS, recipe=RECIPE)
    tokens = CORPUS.validation(8)
    for post in posts:
        found = il.lm.degradation(done.model, il.lm.quantised(done.model, post), tokens, RECIPE)
        assert gaps[str(il.Precision(f"w3 a3 -> {post}"))] == pytest.approx(found.gap, abs=1e-6)
    assert gaps["w3 a3 -> w3"] == 0
    assert len(set(gaps.values()) - {None}) == 3  # weights are w3 as they were trained
    table = il.quantise(done, posts)
    assert list(table["precision"]) == [name for name in gaps if "->" in name]


def test_the_same_call_again_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = trained(GRID, tmp_path / "runs.db", post="w3")
    again = trained(GRID, tmp_path / "runs.db", post="w3", show=True)
    assert again == first
    assert "nothing to do: all " in capsys.readouterr().err
    assert il.read(str(tmp_path / "runs.db")).hash == first.hash


def test_a_larger_grid_does_what_is_missing(tmp_path: Path) -> None:
    small = trained(
        Grid(params="4k", tokens=5 * STEP), tmp_path / "runs.db", keep=tmp_path / "models"
    )
    large = trained(
        [Grid(params="4k", tokens=5 * STEP), GRID],
        tmp_path / "runs.db",
        keep=tmp_path / "models",
        post="w4",
    )
    assert len(large) == 16
    assert {run.key for run in small} <= {run.key for run in large}
    assert (
        load_checkpoint(tmp_path / "models" / f"{next(iter(small)).key}.safetensors").run.tokens
        == 5 * STEP
    )


def test_without_a_store_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(trained(Grid(params="4k", tokens=5 * STEP), None)) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_fails_is_warned_of_and_the_rest_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = kinds.finished

    def failing(trainer: Any, job: Any) -> Trained:
        if job.seed == 1:
            raise MemoryError("no room")
        return usual(trainer, job)

    monkeypatch.setattr("isoloss.lm.sweeps.kinds.finished", failing)
    with pytest.warns(RunsWarning, match=r"seed 1, cosine failed: MemoryError: no room"):
        runs = trained(Grid(params="4k", tokens=5 * STEP, seed=[0, 1]), tmp_path / "runs.db")
    assert [run.seed for run in runs] == [0]


def test_lists_of_the_recipe_and_tokens_per_param() -> None:
    jobs = jobs_of(
        Grid(
            params="4k", tokens_per_param=[2, 4], lr=[0.01, 0.02], sequences=[4.0], schedule="wsd"
        ),
        CORPUS,
        RECIPE,
    )
    assert {(job.recipe.lr, job.recipe.sequences, job.recipe.schedule) for job in jobs} == {
        (0.01, 4, "wsd"),
        (0.02, 4, "wsd"),
    }
    params = model_of("4k", 32).non_embedding_params
    assert sorted({job.tokens / params for job in jobs}) == pytest.approx([2, 4], rel=0.01)
    assert len(tasks_of(jobs)) == 2  # a prefix for each rate
    assert len(jobs_of([GRID, GRID], CORPUS, RECIPE)) == 8


def test_what_would_be_done(tmp_path: Path) -> None:
    seen = foreseen(
        GRID, corpus=CORPUS, recipe=RECIPE, post="w3", store=tmp_path / "runs.db", workers=1
    )
    assert (seen.rows, seen.there, seen.seconds) == (16, 0, None)
    assert seen.flops == sum(
        job.shape.training_flops(job.tokens, 16) for job in jobs_of(GRID, CORPUS, RECIPE)
    )
    assert not (tmp_path / "runs.db").exists()


def test_a_text_is_a_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOLOSS_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "words.txt"
    file.write_text("the cat sat on the mat and the dog sat on the cat. " * 200)
    text = corpus_of(file, context=16)
    runs = trained(
        Grid(params="4k", tokens=10 * STEP, precision=["fp", "w3"]),
        tmp_path / "runs.db",
        corpus=text,
    )
    assert set(runs["corpus"]) == {"words.txt"}
    assert (runs["unique_tokens"] == 10 * STEP).all()


@pytest.mark.parametrize(
    ("grid", "more", "message"),
    [
        (
            {"params": "4k"},
            {},
            "a grid of training needs either tokens or tokens_per_param; its lists are params",
        ),
        ({"tokens": "1k"}, {}, "a grid of training needs params; its lists are tokens"),
        (
            {"params": "4k", "tokens": "1k", "depth": 2},
            {},
            "a grid cannot vary 'depth' in training; lists are params, tied, tokens,",
        ),
        (
            {"params": "4k", "tokens": "1k", "sequences": [2.5]},
            {},
            "sequences is 2.5; accepted is a whole number",
        ),
        (
            {"params": "4k", "tokens": "1k", "schedule": "linear"},
            {},
            "unknown schedule 'linear'; accepted are cosine, wsd, constant",
        ),
        (
            {"params": "4k", "tokens": "1k", "precision": "w4 l3"},
            {},
            "the model has no part 'l' ('w4 l3'); it has w a kv k v q g",
        ),
        ({"params": "4k", "tokens": "1k"}, {"post": "w4 -> w3"}, "'w4 -> w3' has an arrow"),
        ({"params": "4k", "tokens": "1k"}, {"post": "g4"}, "serving has no part 'g'"),
        ({"params": "1000T", "tokens": "1k"}, {}, "a model of 1e+15 params needs"),
        (
            {"params": "4k", "tokens": "1k"},
            {"corpus": "nowhere.txt"},
            "there is no file or folder nowhere.txt",
        ),
    ],
)
def test_what_is_refused_before_anything_is_trained(
    tmp_path: Path, grid: dict[str, Any], more: dict[str, Any], message: str
) -> None:
    with pytest.raises((ModelError, RunsError, ValueError)) as caught:
        trained(grid, tmp_path / "runs.db", **more)
    assert message in str(caught.value)
    assert not (tmp_path / "runs.db").exists()


def test_too_little_text_is_said_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOLOSS_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "short.txt"
    file.write_text("a short text, and not much more. " * 80)
    text = corpus_of(file, context=16)
    with pytest.raises(
        ValueError,
        match=r"short.txt has .* tokens and the run asks for 1M; give more text, or unique_tokens=",
    ):
        trained(Grid(params="4k", tokens="1M"), tmp_path / "runs.db", corpus=text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jobs = jobs_of(Grid(params="4k", tokens="1M"), replace(text, unique_tokens=1024), RECIPE)
    assert jobs[0].row.unique_tokens == 1024


@pytest.mark.parametrize(
    ("recipe", "post", "message"),
    [
        (
            replace(RECIPE, validation=400),
            "w3",
            "the validation part of short.txt has 16 sequences of 16 tokens and 400 are",
        ),
        (
            RECIPE,
            "w3@gptq",
            "short.txt has 1.81k tokens and the run asks for 2.05k; give more text, or "
            "unique_tokens=",
        ),
    ],
)
def test_too_little_to_measure_or_calibrate_on_is_said_before_training(
    recipe: Recipe, post: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOLOSS_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "short.txt"
    file.write_text("a short text, and not much more. " * 63)
    text = corpus_of(file, context=16, validation_share=0.13)
    with pytest.raises(ValueError) as caught:
        trained(
            Grid(params="4k", tokens=5 * STEP),
            tmp_path / "runs.db",
            corpus=text,
            recipe=recipe,
            post=post,
        )
    assert message in str(caught.value)
    assert not (tmp_path / "runs.db").exists()


def test_the_help_shows_the_words_that_are_accepted() -> None:
    """Written out where torch is not loaded, so they are compared here."""
    from isoloss.cli.arguments import training_options
    from isoloss.lm.sweeps import jobs
    from isoloss.lm.training import recipe

    told = (training_options.SCHEDULES, training_options.DTYPES)
    assert told == (recipe.SCHEDULES, recipe.DTYPES)
    described = set(re.findall(r"\w+", Grid.__doc__ or ""))
    assert {*jobs.OF_MODEL, *jobs.OF_RUN, *jobs.OF_RECIPE} <= described


def test_jobs_that_go_on_need_a_store_that_stays() -> None:
    with pytest.raises(StoreError, match=r"jobs of submitit-local go on .*; give one, such as"):
        trained(GRID, None, executor="submitit-local")
