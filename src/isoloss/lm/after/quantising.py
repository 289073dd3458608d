"""The verb ``quantise``: trained models rounded for serving, as a table of runs with what that cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from torch import nn

from isoloss.formats import Precision
from isoloss.lm.after.degrading import Predictions
from isoloss.lm.after.hub import hub_run, load_hub, text_windows
from isoloss.lm.after.post_rows import Calibration, post_precision, post_run
from isoloss.lm.data import Corpus, Language, corpus_of
from isoloss.lm.model import Model
from isoloss.lm.shape import ModelError
from isoloss.lm.training import Checkpoint, Recipe, Trained, load_checkpoint
from isoloss.runs import Run, Runs

#: What can be quantised: a trained model, its file, a folder of such files, or a model of Hugging Face.
Subject = Trained | Checkpoint | str | Path
#: Predictions of the model before are kept for all precisions up to so many bytes.
KEPT_BYTES = 1 << 31
#: A model whose loss is further from its run's was not evaluated on these tokens.
SAME_LOSS = 1e-3


@dataclass(frozen=True, eq=False)
class _Given:
    """A model that is ready to be quantised, its run, and what it is measured and calibrated on."""

    model: nn.Module
    run: Run
    corpus: Corpus
    recipe: Recipe


def quantise(
    what: Subject,
    post: str | Precision | Sequence[str | Precision],
    *,
    corpus: Corpus | str | Path | None = None,
    calibration: Calibration | None = None,
    trained_on: float | str | None = None,
    tick: Callable[[int], None] | None = None,
) -> Runs:
    """A row for each model and precision of `post`: its loss, and columns gap, gap_se, kl, kl_se in nats a token.

    what: what `train_one` gave, a checkpoint, a folder of checkpoints, or the folder or hub name of a causal language
    model of Hugging Face (extra `hub`), which needs `corpus`, text of your own, and `trained_on`, the tokens that
    it has seen. post: "w4", "w3/32@gptq", "w4 a8 kv8" ..., or a list. corpus: as the model was trained on, which a
    checkpoint knows unless it was text. calibration: the sequences that GPTQ looks at. tick: called with 1 after each row.

    Gap and divergence are paired: both models see the same validation tokens. Raises ModelError, in one sentence, for
    what cannot be quantised, before anything is.
    """
    posts = [post] if isinstance(post, str | Precision) else list(post)
    spelled = [str(each) for each in posts]
    if not spelled or len(set(spelled)) < len(spelled):
        raise ModelError(
            f"post is {spelled}; accepted is a precision such as 'w4', or several different ones"
        )
    rows: list[dict[str, Any]] = []
    for given in _given(what, corpus, trained_on):
        rows += _rows(given, posts, calibration, tick or (lambda _: None))
    return Runs.from_frame(pl.DataFrame(rows, infer_schema_length=None))


def _rows(
    given: _Given,
    posts: Sequence[str | Precision],
    calibration: Calibration | None,
    tick: Callable[[int], None],
) -> list[dict[str, Any]]:
    if isinstance(given.model, Model):
        for post in posts:
            post_precision(given.run.precision, post)  # refused before anything is measured
    tokens = given.corpus.validation(given.recipe.validation)
    before = None
    if 4 * tokens.size * given.corpus.vocab <= KEPT_BYTES:
        before = Predictions.of(given.model, tokens, given.recipe)
        _check_loss(given.run, before, tokens)
    rows = []
    for post in posts:
        run, extra = post_run(
            given.run, post, given.model, tokens, given.corpus, calibration, before, given.recipe
        )
        rows.append(
            {name: value for name, value in asdict(run).items() if value is not None} | extra
        )
        tick(1)
    return rows


def _check_loss(run: Run, before: Predictions, tokens: np.ndarray) -> None:
    """None, or ModelError where a run has another loss than its model: the corpus is not the one it was trained on."""
    found = before.loss(tokens)
    if run.status == "ok" and math.isfinite(run.loss) and abs(found - run.loss) > SAME_LOSS:
        raise ModelError(
            f"the model has a loss of {found:.4f} on these tokens and its run says {run.loss:.4f}; "
            "pass the corpus that it was trained on"
        )


def _given(
    what: Subject, corpus: Corpus | str | Path | None, trained_on: float | str | None
) -> Iterator[_Given]:
    """The models that `what` names, one after the other."""
    if isinstance(what, Trained):
        yield _Given(what.model, what.run, _corpus(corpus) or what.job.corpus, what.job.recipe)
    elif isinstance(what, Checkpoint):
        yield _from_checkpoint(what, _corpus(corpus))
    elif not isinstance(what, str | Path):
        raise ModelError(
            f"cannot quantise a {type(what).__name__}; accepted are a trained model, its file or a folder"
        )
    elif files := _checkpoints(Path(what)):
        for file in files:
            yield _from_checkpoint(load_checkpoint(file), _corpus(corpus))
    else:
        yield _from_hub(what, corpus, trained_on)


def _from_checkpoint(found: Checkpoint, corpus: Corpus | None) -> _Given:
    known = dict(found.settings["corpus"])
    if corpus is None:
        if known.pop("kind") != "synthetic":
            raise ModelError(
                f"the model was trained on the text '{found.run.corpus}'; pass it as corpus=..., which its file does not hold"
            )
        corpus = Language(**known)
    elif corpus.settings() != known:
        raise ModelError(
            f"the model was trained on other tokens than those of '{corpus.name}'; pass its own corpus"
        )
    return _Given(found.model, found.run, corpus, Recipe(**found.settings["recipe"]))


def _from_hub(
    source: str | Path, corpus: Corpus | str | Path | None, trained_on: float | str | None
) -> _Given:
    if corpus is None or trained_on is None:
        raise ModelError(
            f"'{source}' is no checkpoint of isoloss; of a model of Hugging Face say what to measure it on and how many tokens "
            "it was trained on: corpus='texts/' and trained_on='2T'"
        )
    model, tokenizer = load_hub(source)
    text = text_windows(tokenizer, corpus) if isinstance(corpus, str | Path) else corpus
    return _Given(model, hub_run(model, source, text, trained_on), text, Recipe(validation=64))


def _corpus(corpus: Corpus | str | Path | None) -> Corpus | None:
    return None if corpus is None else corpus_of(corpus)


def _checkpoints(path: Path) -> list[Path]:
    """The files of a checkpoint, or of a folder that holds nothing but checkpoints; none where it is something else."""
    if path.is_dir() and not (path / "config.json").exists():
        return sorted(path.glob("*.safetensors"))
    return [path] if path.is_file() or path.suffix == ".safetensors" else []
