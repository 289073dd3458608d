"""The verb ``quantise``: trained models rounded for serving, as a table of runs with their gaps."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from torch import nn

from isoloss.files import reason, shown_value
from isoloss.files import shown as shown_path
from isoloss.formats import Precision
from isoloss.lm.after.degrading import Predictions
from isoloss.lm.after.hub import hub_run, load_hub, text_windows
from isoloss.lm.after.post_method import calibrated_methods
from isoloss.lm.after.post_rows import Calibration, post_precision, post_run
from isoloss.lm.after.serving_weights import check_scope, served
from isoloss.lm.arguments import Posts, check_kind, posts_of
from isoloss.lm.data import Corpus, Language, corpus_of
from isoloss.lm.model import Model
from isoloss.lm.shape import ModelError
from isoloss.lm.training import Checkpoint, Recipe, Trained, device_of, load_checkpoint
from isoloss.runs import Run, Runs

#: A subject of quantising: a trained model, its file, a folder of such files, or a model of Hugging
#: Face.
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
    model: Subject,
    post: Posts,
    *,
    corpus: Corpus | str | Path | None = None,
    calibration: Calibration | None = None,
    trained_on: float | str | None = None,
    rotate: bool = False,
    device: str | None = None,
    callback: Callable[[int], None] | None = None,
) -> Runs:
    """Round trained models for serving, and measure what that costs.

    Gap and divergence are paired: both models see the same validation tokens.

    Parameters
    ----------
    model
        What `train_one` gave, a checkpoint, a folder of checkpoints, or the folder or hub name of a
        causal language model of Hugging Face (extra `hub`), which needs `corpus` and `trained_on`.
    post
        What is rounded to which format, as "w4", "w3/32@gptq" or "w4 a8 kv8", or a list of these.
    corpus
        What to measure and calibrate on: the corpus of training, which a checkpoint knows unless it
        was text; text of your own for a model of Hugging Face.
    calibration
        The sequences that methods such as '@gptq' look at; 128 of a stream that no run trains on
        unless given.
    trained_on
        Tokens that a model of Hugging Face has seen, as "2T".
    rotate
        Whether the residual stream is rotated before anything is rounded (QuaRot), which spreads
        channels that are larger than others; by another matrix for every draw of calibration.
    device
        Where, as torch names it: "cpu", "cuda"; where the model is unless given, which is the CPU
        for files.
    callback
        Called with 1 after each row.

    Returns
    -------
    Runs
        A row for each model and precision, with its loss, its `parent`, and the columns gap,
        gap_se, kl and kl_se in nats a token, and rounded_share, of the weights outside embedding
        and head; `rotated` where the stream was.

    Raises
    ------
    ModelError
        Something cannot be quantised, before anything is.
    CheckpointError, TextError
        A file cannot be read.
    """
    posts = posts_of(post)
    if not posts or len(set(posts)) < len(posts):
        raise ModelError(
            f"post is {[str(each) for each in posts]}; accepted is a precision such as 'w4', or "
            "several different ones"
        )
    for (
        each
    ) in posts:  # before a model is read: scopes that serving lacks, methods that there are not
        precision = served(Precision("fp"), each)
        for scope, known in precision.serve.items():
            check_scope(scope, known, precision)
    _check(calibration, trained_on, rotate, callback)
    check_kind("device", device, (str, type(None)), "a device such as 'cuda', or None")
    where = None if device is None else device_of(device, "quantise")
    rows: list[dict[str, Any]] = []
    for given in _given(model, corpus, trained_on):
        if where is not None:
            given = replace(given, model=copy.deepcopy(given.model).to(where))
        rows += _rows(given, posts, calibration, callback or (lambda _: None), rotate)
    return Runs.from_frame(pl.DataFrame(rows, infer_schema_length=None))


def _check(calibration: object, trained_on: object, rotate: object, callback: object) -> None:
    """Raise ModelError for arguments of another kind."""
    check_kind("calibration", calibration, (Calibration, type(None)), "a Calibration, or None")
    check_kind("rotate", rotate, (bool,), "True or False")
    check_kind("trained_on", trained_on, (int, float, str, type(None)), "a number such as '2T'")
    if callback is not None and not callable(callback):
        raise ModelError(f"callback is {shown_value(callback)}; accepted is a function of a count")


def _rows(
    given: _Given,
    posts: Sequence[Precision],
    calibration: Calibration | None,
    callback: Callable[[int], None],
    rotate: bool,
) -> list[dict[str, Any]]:
    if isinstance(given.model, Model):
        for post in posts:
            post_precision(given.run.precision, post)  # refused before anything is measured
    tokens = given.corpus.validation(given.recipe.validation)
    before = None
    if 4 * tokens.size * given.corpus.vocab <= KEPT_BYTES:
        before = Predictions.of(given.model, tokens, given.recipe)
        _check_loss(given.run, before, tokens)
    rows, seen = [], None
    if any(calibrated_methods(served(Precision("fp"), post).serve.values()) for post in posts):
        seen = (calibration or Calibration()).drawn(given.corpus)
    for post in posts:
        run, extra = post_run(
            given.run, post, given.model, tokens, given.corpus, calibration, before, given.recipe,
            seen, rotate,
        )  # fmt: skip
        rows.append(
            {name: value for name, value in asdict(run).items() if value is not None} | extra
        )
        callback(1)
    return rows


def _check_loss(run: Run, before: Predictions, tokens: np.ndarray) -> None:
    """Raise ModelError if a run has another loss than its model: the corpus is not the one it was
    trained on.
    """
    found = before.loss(tokens)
    if run.status == "ok" and math.isfinite(run.loss) and abs(found - run.loss) > SAME_LOSS:
        raise ModelError(
            f"the model has a loss of {found:.4f} on these tokens and its run says {run.loss:.4f}; "
            "pass the corpus that it was trained on"
        )


def _given(
    model: Subject, corpus: Corpus | str | Path | None, trained_on: float | str | None
) -> Iterator[_Given]:
    """The models that `model` names, one after the other."""
    if isinstance(model, Trained):
        yield _Given(model.model, model.run, _corpus(corpus) or model.job.corpus, model.job.recipe)
    elif isinstance(model, Checkpoint):
        yield _from_checkpoint(model, _corpus(corpus))
    elif not isinstance(model, str | Path):
        raise ModelError(
            f"cannot quantise a {type(model).__name__}; accepted are a trained model, its file or "
            "a folder"
        )
    elif files := _checkpoints(Path(model)):
        for file in files:
            yield _from_checkpoint(load_checkpoint(file), _corpus(corpus))
    else:
        yield _from_hub(model, corpus, trained_on)


def _from_checkpoint(found: Checkpoint, corpus: Corpus | None) -> _Given:
    known = dict(found.settings["corpus"])
    if corpus is None:
        if known.pop("kind") != "synthetic":
            raise ModelError(
                f"the model was trained on the text '{found.run.corpus}'; pass it as corpus=..., "
                "which its file does not hold"
            )
        corpus = Language(**known)
    elif corpus.settings() != known:
        raise ModelError(
            f"the model was trained on other tokens than those of '{corpus.name}'; pass its own "
            "corpus"
        )
    return _Given(found.model, found.run, corpus, Recipe.of_settings(found.settings["recipe"]))


def _from_hub(
    source: str | Path, corpus: Corpus | str | Path | None, trained_on: float | str | None
) -> _Given:
    if corpus is None or trained_on is None:
        what = "is no checkpoint of isoloss" if Path(source).exists() else "is no file or folder"
        raise ModelError(
            f"'{source}' {what}; of a model of Hugging Face say what to measure it on and how "
            "many tokens it was trained on: corpus='texts/' and trained_on='2T'"
        )
    model, tokenizer = load_hub(source)
    text = text_windows(tokenizer, corpus) if isinstance(corpus, str | Path) else corpus
    return _Given(model, hub_run(model, source, text, trained_on), text, Recipe(validation=64))


def _corpus(corpus: Corpus | str | Path | None) -> Corpus | None:
    return None if corpus is None else corpus_of(corpus)


def _checkpoints(path: Path) -> list[Path]:
    """The files of a checkpoint, or of a folder that holds nothing but checkpoints; none where it
    is something else.
    """
    try:
        if path.is_dir() and not (path / "config.json").exists():
            return sorted(path.glob("*.safetensors"))
        return [path] if path.is_file() or path.suffix == ".safetensors" else []
    except OSError as error:  # a name that is too long for the system
        raise ModelError(f"cannot read {shown_path(path)}: {reason(error)}") from None
