"""Data of training: a synthetic language of known entropy, texts, their tokens and their order.

A `Corpus` hands out batches as a pure function of seed and step (corpus.py). `Language` draws them
from rules whose entropy is known (language.py). `Text` reads documents (text_files.py), turns them
into tokens (tokenising.py), keeps those in a file that every worker maps (tokens_file.py), and cuts
them into windows in a seeded order (shuffling.py). `corpus_of` reads a name.
"""

from isoloss.lm.data.corpora import corpus_of
from isoloss.lm.data.corpus import Corpus, Tokens
from isoloss.lm.data.language import Entropy, Language, LanguageError
from isoloss.lm.data.text import Text, TextWarning
from isoloss.lm.data.text_files import TextError, documents

# fmt: off
__all__ = [
    "Corpus", "Entropy", "Language", "LanguageError", "Text", "TextError", "TextWarning", "Tokens",
    "corpus_of", "documents",
]
# fmt: on
