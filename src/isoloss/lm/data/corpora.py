"""What a model is trained on by name: the synthetic language, a path, a hub data set, or a corpus itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isoloss.lm.data.corpus import Corpus
from isoloss.lm.data.language import Language
from isoloss.lm.data.text import Text


def corpus_of(corpus: str | Path | Corpus, **settings: Any) -> Corpus:
    """The corpus itself, the synthetic language for "synthetic", or the text of a path or hub:NAME.

    settings: of `Language` or `Text`, as context=128 or tokenizer="bpe:1024".
    """
    if not isinstance(corpus, str | Path):
        return corpus
    return Language(**settings) if str(corpus) == "synthetic" else Text(corpus, **settings)
