"""The verb ``quantise``: trained models rounded for serving, as a table of runs with their gaps."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from torch import nn

from isoloss.files import reason, shown_value
from isoloss.files import shown as shown_path
from isoloss.formats import Precision
from isoloss.lm.after.degrading import Predictions
from isoloss.lm.after.hub import hub_run, load_hub, text_windows, tokens_seen
from isoloss.lm.after.post_method import calibrated_methods
from isoloss.lm.after.post_rows import Calibration, post_key, post_precision, post_run
from isoloss.lm.after.seen import folder_of
from isoloss.lm.after.serving_weights import check_scope, served
from isoloss.lm.arguments import Posts, check_kind, check_store, posts_of
from isoloss.lm.data import Corpus, Language, corpus_of
from isoloss.lm.model import Model
from isoloss.lm.shape import ModelError
from isoloss.lm.training import (
    Checkpoint,
    Recipe,
    Trained,
    device_of,
    key_of,
    load_checkpoint,
)
from isoloss.runs import Run, Runs, Store, number

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


@dataclass(frozen=True, eq=False)
class _Order:
    """What is done to every model."""

    posts: Sequence[str]
    calibration: Calibration | None
    rotate: bool
    callback: Callable[[int], object]
    store: Store | None
    moments: Path | None


def quantise(
    model: Subject | Sequence[Subject],
    post: Posts,
    *,
    corpus: Corpus | str | Path | None = None,
    calibration: Calibration | None = None,
    trained_on: float | str | Sequence[float | str] | None = None,
    rotate: bool = False,
    device: str | None = None,
    store: str | Path | None = None,
    moments: str | Path | None = None,
    callback: Callable[[int], None] | None = None,
) -> Runs:
    """Round trained models for serving, and measure what that costs.

    Gap and divergence are paired: both models see the same validation tokens.

    Parameters
    ----------
    model
        What `train_one` gave, a checkpoint, a folder of checkpoints, or the folder or hub name
        ("owner/name", "owner/name@revision") of a causal language model of Hugging Face (extra
        `hub`), which needs `corpus` and `trained_on`; or several of these.
    post
        What is rounded to which format, as "w4", "w3/32@gptq" or "w4 a8 kv8", or a list of these.
    corpus
        What to measure and calibrate on: the corpus of training, which a checkpoint knows unless it
        was text; text of your own for a model of Hugging Face.
    calibration
        The sequences that methods such as '@gptq' look at; 128 of a stream that no run trains on
        unless given.
    trained_on
        Tokens that a model of Hugging Face has seen, as "2T"; of several models as many, in their
        order. Folders whose `trainer_state.json` counts tokens say it themselves.
    rotate
        Whether the residual stream is rotated before anything is rounded (QuaRot), which spreads
        channels that are larger than others; by another matrix for every draw of calibration.
    device
        Where, as torch names it: "cpu", "cuda"; where the model is unless given, which is the CPU
        for files.
    store
        A file that keeps every row as it is measured (".db"). Rerunning resumes: rows that are
        there, from `train(post=...)` too, are not measured again. Without it nothing is kept.
    moments
        A folder that keeps what calibration shows of each model (moments of inputs, as large as
        8 bytes times the square of its inputs for each of them), whole as soon as it is gathered:
        further precisions of the same model and calibration, in this call or others, need no
        pass. Moments of others are left alone, damaged ones gathered anew.
    callback
        Called with how many rows more there are.

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
    CheckpointError, TextError, StoreError
        A file cannot be read, or the store or moments written.

    Warns
    -----
    MomentsWarning
        Kept moments are damaged, or of others.
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
    _check(calibration, rotate, callback)
    check_store(store)
    check_kind("device", device, (str, type(None)), "a device such as 'cuda', or None")
    where = None if device is None else device_of(device, "quantise")
    kept = None if store is None else Store(store)
    folder = None if moments is None else folder_of(moments)
    order = _Order(posts, calibration, rotate, callback or (lambda _: None), kept, folder)
    rows: list[dict[str, Any]] = []
    for read in _readers(model, corpus, trained_on):
        given = read()
        if where is not None:
            given = replace(given, model=copy.deepcopy(given.model).to(where))
        rows += _rows(given, order)
    if kept is not None:
        return kept.runs(row["key"] for row in rows)
    return Runs.from_frame(pl.DataFrame(rows, infer_schema_length=None))


def _check(calibration: object, rotate: object, callback: object) -> None:
    """Raise ModelError for arguments of another kind."""
    check_kind("calibration", calibration, (Calibration, type(None)), "a Calibration, or None")
    check_kind("rotate", rotate, (bool,), "True or False")
    if callback is not None and not callable(callback):
        raise ModelError(f"callback is {shown_value(callback)}; accepted is a function of a count")


def _rows(given: _Given, order: _Order) -> list[dict[str, Any]]:
    """The rows of a model; of those that the store has, the key alone."""
    run, calibration, rotate = given.run, order.calibration, order.rotate
    if order.store is not None and not run.key:
        raise ModelError(
            f"the run of a model has no key, so that no store can keep its rows: {run}"
        )
    if isinstance(given.model, Model):
        for post in order.posts:
            post_precision(
                run.precision, post, given.model.shape.layers
            )  # refused before anything is measured
    spelled = {post: served(Precision.parse(run.precision), post) for post in order.posts}
    keys = {post: post_key(run.key or "", spelled[post], calibration, rotate) for post in spelled}
    there = order.store.present(keys.values()) if order.store else set()
    if there:
        order.callback(len(there))
    made = _measured(given, order, [post for post, key in keys.items() if key not in there])
    return [{"key": key} if key in there else next(made) for key in keys.values()]


def _measured(given: _Given, order: _Order, posts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A row for each of these precisions, in the store once it is measured."""
    if not posts:
        return
    calibration = order.calibration
    tokens = given.corpus.validation(given.recipe.validation)
    before = None
    if 4 * tokens.size * given.corpus.vocab <= KEPT_BYTES:
        before = Predictions.of(given.model, tokens, given.recipe)
        _check_loss(given.run, before, tokens)
    seen = None
    if any(calibrated_methods(served(Precision("fp"), post).serve.values()) for post in posts):
        seen = (calibration or Calibration()).drawn(given.corpus, order.moments)
    for post in posts:
        run, extra = post_run(
            given.run, post, given.model, tokens, given.corpus, calibration, before, given.recipe,
            seen, order.rotate,
        )  # fmt: skip
        if order.store is not None:
            order.store.add(key_of({"quantised": given.run.key}), run, **extra)
        order.callback(1)
        yield {name: value for name, value in asdict(run).items() if value is not None} | extra


def _check_loss(run: Run, before: Predictions, tokens: np.ndarray) -> None:
    """Raise ModelError if a run has another loss than its model: the corpus is not the one it was
    trained on. A model that rounds stochastically draws anew, so that its loss may move by a
    standard error.
    """
    found, allowed = before.loss(tokens), SAME_LOSS
    trained = Precision.parse(run.precision).stages[-1].train.values()
    if run.loss_se is not None and any(known.rounding for known in trained):
        allowed = max(allowed, run.loss_se)
    if run.status == "ok" and math.isfinite(run.loss) and abs(found - run.loss) > allowed:
        raise ModelError(
            f"the model has a loss of {found:.4f} on these tokens and its run says {run.loss:.4f}; "
            "pass the corpus that it was trained on"
        )


def _readers(
    model: object, corpus: Corpus | str | Path | None, trained_on: object
) -> list[Callable[[], _Given]]:
    """What reads each model that is named; raises ModelError for what can be refused unread."""
    single = isinstance(model, Trained | Checkpoint | str | Path)
    listed = [model] if single or not isinstance(model, Sequence) else list(model)
    names = {str(Path(m)) if isinstance(m, str | Path) else id(m) for m in listed}
    if len(names) < max(1, len(listed)):
        raise ModelError(
            f"model is {shown_value(model)}; accepted is a model, or several different ones"
        )
    readers: list[Callable[[], _Given]] = []
    for each, tokens in zip(listed, _trained_on(trained_on, listed), strict=True):
        ours = isinstance(each, Trained | Checkpoint) or (
            isinstance(each, str | Path) and bool(checkpoints_of(each))
        )
        if ours and tokens is not None:
            raise ModelError(
                f"trained_on is {tokens!r}, and a model that isoloss trained knows its tokens; "
                "leave it out, or give None in its place"
            )
        if isinstance(each, Trained):
            job = each.job
            given = _Given(each.model, each.run, _corpus(corpus) or job.corpus, job.recipe)
            readers.append(partial(_itself, given))
        elif isinstance(each, Checkpoint):
            readers.append(partial(_from_checkpoint, each, _corpus(corpus)))
        elif not isinstance(each, str | Path):
            raise ModelError(
                f"cannot quantise a {type(each).__name__}; accepted are a trained model, its file "
                "or a folder"
            )
        elif files := checkpoints_of(each):
            readers += [partial(_from_file, file, _corpus(corpus)) for file in files]
        else:
            readers.append(_hub_reader(each, corpus, tokens))
    return readers


def _trained_on(given: object, models: Sequence[object]) -> list[Any]:
    """The tokens that each model has seen, None where nobody says so."""
    many = isinstance(given, Sequence) and not isinstance(given, str)
    listed: list[Any] = list(given) if isinstance(given, Sequence) and many else [given]
    for each in listed:
        check_kind("trained_on", each, (int, float, str, type(None)), "a number such as '2T'")
    if not many and len(models) > 1 and given is not None:
        raise ModelError(
            f"trained_on is {given!r} for {len(models)} models; accepted are as many, in order"
        )
    if many and len(listed) != len(models):
        raise ModelError(
            f"trained_on has {len(listed)} values for {len(models)} models; accepted are as many, "
            "in their order"
        )
    return listed if many else listed * len(models)


def _itself(given: _Given) -> _Given:
    return given


def _from_file(file: Path, corpus: Corpus | None) -> _Given:
    return _from_checkpoint(load_checkpoint(file), corpus)


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


def _hub_reader(
    source: str | Path, corpus: Corpus | str | Path | None, trained_on: float | str | None
) -> Callable[[], _Given]:
    trained_on = tokens_seen(source) if trained_on is None else trained_on
    if corpus is None or trained_on is None:
        what = "is no checkpoint of isoloss" if Path(source).exists() else "is no file or folder"
        raise ModelError(
            f"'{source}' {what}; of a model of Hugging Face say what to measure it on and how "
            "many tokens it was trained on: corpus='texts/' and trained_on='2T'"
        )
    seen = number(trained_on)
    if not 0 < seen < math.inf:
        raise ModelError(f"trained_on is {trained_on!r}; accepted are tokens above 0, as '2T'")
    return partial(_from_hub, source, corpus, seen)


def _from_hub(source: str | Path, corpus: Corpus | str | Path, trained_on: float) -> _Given:
    model, tokenizer = load_hub(source)
    text = text_windows(tokenizer, corpus) if isinstance(corpus, str | Path) else corpus
    return _Given(model, hub_run(model, source, text, trained_on), text, Recipe(validation=64))


def _corpus(corpus: Corpus | str | Path | None) -> Corpus | None:
    return None if corpus is None else corpus_of(corpus)


def checkpoints_of(source: str | Path) -> list[Path]:
    """The files of a checkpoint, or of a folder that holds nothing but checkpoints; none where it
    is something else: a model of Hugging Face.
    """
    path = Path(source)
    try:
        if path.is_dir() and not (path / "config.json").exists():
            return sorted(path.glob("*.safetensors"))
        return [path] if path.is_file() or path.suffix == ".safetensors" else []
    except OSError as error:  # a name that is too long for the system
        raise ModelError(f"cannot read {shown_path(path)}: {reason(error)}") from None
