"""What a model learns from: a synthetic language of known entropy, texts, their tokens and their order."""

from isoloss.lm.data.corpora import corpus_of
from isoloss.lm.data.corpus import Corpus, Tokens
from isoloss.lm.data.language import Entropy, Language, LanguageError
from isoloss.lm.data.text import Text, TextWarning
from isoloss.lm.data.text_files import TextError, documents

# fmt: off
__all__ = [
    "Corpus", "Entropy", "Language", "LanguageError", "Text", "TextError", "TextWarning", "Tokens", "corpus_of",
    "documents",
]
# fmt: on
