"""A corpus by name: the synthetic language, a path, a data set of the hub, or a corpus itself."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from isoloss.lm.data.corpus import Corpus
from isoloss.lm.data.language import Language
from isoloss.lm.data.text import Text
from isoloss.lm.data.text_files import TextError


def corpus_of(corpus: str | Path | Corpus, **settings: Any) -> Corpus:
    """The corpus that a name, a path or a corpus stands for.

    Parameters
    ----------
    corpus
        "synthetic" for the synthetic language, the path of a file or folder of text, "hub:NAME" for
        a data set of the hub, or a `Corpus`, which comes back as it is.
    settings
        Of `Language` or `Text`, as context=128 or tokenizer="bpe:1024".

    Returns
    -------
    Corpus
        What hands out batches by seed and step.

    Raises
    ------
    TextError
        It is none of these, a setting is unknown, or the text is not there.
    """
    if not isinstance(corpus, str | Path):
        if not isinstance(corpus, Corpus) or isinstance(corpus, type):
            given = corpus.__name__ if isinstance(corpus, type) else type(corpus).__name__
            raise TextError(
                f"a {given} is no corpus; accepted are 'synthetic', a path of text, hub:NAME, or a "
                "Corpus"
            )
        if settings:
            raise TextError(
                f"{', '.join(settings)} cannot change a corpus that is made; set them where it is "
                "made"
            )
        return corpus
    kind: type[Language | Text] = Language if str(corpus) == "synthetic" else Text
    known = {field.name for field in fields(kind)} - {"path"}
    if unknown := sorted(set(settings) - known):
        raise TextError(
            f"unknown setting {unknown[0]!r} of a {kind.__name__}; accepted are "
            f"{', '.join(sorted(known))}"
        )
    return Language(**settings) if kind is Language else Text(corpus, **settings)
