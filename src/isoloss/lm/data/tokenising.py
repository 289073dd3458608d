"""From text to tokens and back: raw bytes, or the library `tokenizers`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.lm.data.text_files import TextError

#: The token after each document; tokenisers that come from a file have one of the others.
END = "<|end|>"
ENDS = (END, "<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|eot_id|>")
ACCEPTED = "'bytes', 'bpe:1024' (or another size) or the path of a tokenizer.json"
_TOGETHER = 256


@dataclass(frozen=True)
class Tokeniser:
    """How text becomes tokens: `text` is the JSON of the library `tokenizers`, None for raw bytes.

    vocab: how many different tokens there are. end: the token after each document.
    """

    text: str | None = None
    vocab: int = 257
    end: int = 256

    @property
    def dtype(self) -> type[np.uint16 | np.uint32]:
        """The smallest type that holds a token."""
        return np.uint16 if self.vocab <= 1 << 16 else np.uint32

    @property
    def sha256(self) -> str:
        """What tells it from any other."""
        return hashlib.sha256((self.text or "bytes").encode()).hexdigest()

    def encoded(self, texts: Iterable[str]) -> Iterator[NDArray[Any]]:
        """The tokens of each text, without an end; a special token spelled out in a text is
        text.
        """
        rest = iter(texts)
        while some := list(islice(rest, _TOGETHER)):
            if self.text is None:
                yield from (
                    np.frombuffer(each.encode(), np.uint8).astype(self.dtype) for each in some
                )
            else:
                found = self._library.encode_batch(some, add_special_tokens=False)
                yield from (np.array(each.ids, self.dtype) for each in found)

    def decoded(self, tokens: Iterable[int]) -> str:
        """The text of some tokens, ends left out; a character that was cut comes back as U+FFFD."""
        ids = [int(token) for token in tokens]
        if self.text is None:
            return bytes(token for token in ids if token != self.end).decode("utf-8", "replace")
        return str(self._library.decode([token for token in ids if token != self.end]))

    @cached_property
    def _library(self) -> Any:
        return _ready(_tokenizers().Tokenizer.from_str(self.text))


def tokeniser_of(name: str, training: Callable[[], Iterable[str]]) -> Tokeniser:
    """The tokeniser that a name asks for; `training` gives the documents that a BPE is trained on.

    Raises TextError for other names, tokenisers without an end token, and texts too small for the
    size asked.
    """
    if name == "bytes":
        return Tokeniser()
    if size := re.fullmatch(r"bpe:(\d+)", name):
        return _trained(int(size[1]), training())
    return _from_file(Path(name))


def check_name(name: str) -> None:
    """Raise TextError for a name that is no tokeniser's."""
    size = re.fullmatch(r"bpe:(\d+)", name)
    if size and int(size[1]) < 257:
        raise TextError(
            f"tokenizer {name!r} is too small; accepted is bpe:257 (256 bytes and an end) or more"
        )
    if name != "bytes" and not size and not Path(name).is_file():
        raise TextError(f"unknown tokenizer {name!r}; accepted are {ACCEPTED}")


def _trained(size: int, texts: Iterable[str]) -> Tokeniser:
    """Byte-level BPE: any text has tokens, and gives back the same text."""
    library = _tokenizers()
    made = library.Tokenizer(library.models.BPE())
    made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END],
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    if made.get_vocab_size() < size:
        raise TextError(
            f"the text gives a BPE of {made.get_vocab_size()} tokens and bpe:{size} asks for more; "
            f"ask for bpe:{made.get_vocab_size()}, or give more text"
        )
    return Tokeniser(made.to_str(), size, made.token_to_id(END))


def _from_file(path: Path) -> Tokeniser:
    try:
        made = _tokenizers().Tokenizer.from_file(str(path))
    except TextError:
        raise
    except Exception as error:  # the library raises no class of its own
        raise TextError(f"cannot read the tokenizer {path}: {str(error).splitlines()[0]}") from None
    ends = [made.token_to_id(each) for each in ENDS if made.token_to_id(each) is not None]
    if not ends:
        raise TextError(
            f"the tokenizer {path} has no token that ends a document; accepted is one of "
            f"{' '.join(ENDS)}"
        )
    made.no_truncation()
    made.no_padding()
    return Tokeniser(made.to_str(), max(made.get_vocab().values()) + 1, ends[0])


def _ready(library: Any) -> Any:
    library.encode_special_tokens = True  # not kept in its JSON
    return library


def _tokenizers() -> Any:
    try:
        import tokenizers
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    except ModuleNotFoundError:
        raise TextError(
            "a BPE needs the package tokenizers; pip install 'isoloss[lm]', or tokenizer='bytes'"
        ) from None
    return tokenizers
