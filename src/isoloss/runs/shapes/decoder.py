"""A dense decoder's exact parameters, and its FLOPs and bytes counted from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from isoloss.formats import Format, Precision
from isoloss.runs.problems import RunsError
from isoloss.runs.shapes.matrices import (
    DOWN,
    GATE,
    KEY,
    OUT,
    QUERY,
    UP,
    VALUE,
    Matrix,
    own_precisions,
)

REFERENCE_BITS = 16.0  # unset parts are bf16 in cost and memory


@dataclass(frozen=True)
class Flops:
    """FLOPs for one token (1 multiply-add = 2 FLOPs), and the rule of thumb beside them.

    Attributes
    ----------
    forward
        One pass.
    training
        Forward and backward, three times that.
    attention
        Those of forward in products of queries, keys and values, which no parameter count sees.
    rule
        6 N.
    """

    forward: float
    training: float
    attention: float
    rule: float

    def __str__(self) -> str:
        return (
            f"{self.training:.4g} FLOPs a token in training ({self.training / self.rule:.3f} x "
            "6N), "
            f"{self.forward:.4g} forward, {self.attention / self.forward:.1%} of it attention "
            "products"
        )


@dataclass(frozen=True)
class Decoder:
    """A dense decoder-only transformer, by its shape.

    Attributes
    ----------
    layers, width, heads, vocab
        Blocks, width of the residual stream, heads of queries, entries of the vocabulary.
    kv_heads
        Heads of keys and values; None: as many as heads.
    head_dim
        Width of a head; None: width / heads.
    ffn
        Width of the feed-forward layer; None: 4 width.
    tied
        The output head is the input embedding.
    gated
        Three feed-forward matrices instead of two.
    biases
        On every matrix and norm but the head.
    positions
        Learned position vectors (GPT-2); 0 for rotary ones.
    block_extras
        Numbers of a block beside its matrices, its two norms and `biases`: scales of norms of
        queries and keys (Qwen3) or after a layer (Gemma 2), biases of some matrices (Qwen2).

    Raises
    ------
    RunsError
        A count is below 1 (of positions and block_extras below 0), or heads do not divide.
    """

    layers: int
    width: int
    heads: int
    vocab: int
    kv_heads: int | None = None
    head_dim: int | None = None
    ffn: int | None = None
    tied: bool = False
    gated: bool = True
    biases: bool = False
    positions: int = 0
    block_extras: int = 0

    def __post_init__(self) -> None:
        for name, default in (("kv_heads", self.heads), ("ffn", 4 * self.width)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, default)
        if self.head_dim is None:
            if self.heads < 1 or self.width % self.heads:
                raise RunsError(
                    f"width {self.width} is no multiple of heads {self.heads}; give head_dim"
                )
            object.__setattr__(self, "head_dim", self.width // self.heads)
        for name in ("layers", "width", "heads", "vocab", "kv_heads", "head_dim", "ffn"):
            if getattr(self, name) < 1:
                raise RunsError(
                    f"{name} is {getattr(self, name)}; accepted is a whole number of at least 1"
                )
        for name in ("positions", "block_extras"):
            if getattr(self, name) < 0:
                raise RunsError(
                    f"{name} is {getattr(self, name)}; accepted is a whole number of at least 0"
                )
        if self.heads % self._kv_heads:
            raise RunsError(f"heads {self.heads} is no multiple of kv_heads {self.kv_heads}")

    # The defaults are filled in __post_init__; these say so to the type checker.
    @property
    def _kv_heads(self) -> int:
        return self.kv_heads or self.heads

    @property
    def _queries(self) -> int:
        return self.heads * (self.head_dim or 0)

    @property
    def _keys(self) -> int:
        return self._kv_heads * (self.head_dim or 0)

    # ---- parameters
    @property
    def matrix_params(self) -> int:
        """Parameters of the blocks' matrices: attention and feed-forward, without biases and
        norms.
        """
        attention = self.width * (2 * self._queries + 2 * self._keys)
        return self.layers * (attention + (3 if self.gated else 2) * self.width * (self.ffn or 0))

    @property
    def matrices(self) -> Iterator[Matrix]:
        """The matrices of every block by name."""
        ups = (UP, GATE) if self.gated else (UP,)
        counts = [
            *((kind, self.width * self._queries) for kind in (QUERY, OUT)),
            *((kind, self.width * self._keys) for kind in (KEY, VALUE)),
            *((kind, self.width * (self.ffn or 0)) for kind in (*ups, DOWN)),
        ]
        for block in range(self.layers):
            yield from (Matrix(kind, block, count, count) for kind, count in counts)

    @property
    def head_params(self) -> int:
        """Parameters of the output head, 0 where it is the embedding."""
        return 0 if self.tied else self.vocab * self.width

    @property
    def embedding_params(self) -> int:
        """Parameters of token and position embeddings and of the head."""
        return (self.vocab + self.positions) * self.width + self.head_params

    @property
    def non_embedding_params(self) -> int:
        """Parameters of the blocks and norms: what laws call N without embeddings."""
        norms = (2 * self.layers + 1) * self.width * (2 if self.biases else 1)
        per_layer = (
            self._queries
            + 2 * self._keys
            + 2 * self.width
            + (2 if self.gated else 1) * (self.ffn or 0)
        )
        extras = per_layer + self.block_extras if self.biases else self.block_extras
        return self.matrix_params + norms + self.layers * extras

    @property
    def params(self) -> int:
        """All parameters."""
        return self.non_embedding_params + self.embedding_params

    @property
    def in_words(self) -> str:
        """The shape in one line, as it stands beside what was counted with it."""
        feed = "gated feed-forward" if self.gated else "feed-forward"
        head = "head tied to it" if self.tied else "head of its own"
        return (
            f"{self.layers} layers of width {self.width}, {self.heads} heads of {self.head_dim}, "
            f"{self.kv_heads} of keys and values, {feed} {self.ffn}, vocabulary {self.vocab}, "
            f"{head}: {self.params / 1e9:.4g}B params, "
            f"{self.non_embedding_params / 1e9:.4g}B of them in blocks"
        )

    # ---- flops
    def flops(self, context: int, causal: bool = True, embeddings: bool = False) -> Flops:
        """The FLOPs of one token, averaged over a sequence of `context` tokens.

        forward = 2 (matrices + head) + 4 layers heads head_dim attended, where attended is (context
        + 1) / 2 with a causal mask, context without. embeddings: whether the rule 6 N counts N with
        them.
        """
        attended = (context + 1) / 2 if causal else float(context)
        return self._flops(attended, embeddings)

    def decode_flops(self, position: int) -> float:
        """The FLOPs of generating one token that attends to `position` tokens, itself included."""
        return self._flops(float(position), False).forward

    def _flops(self, attended: float, embeddings: bool) -> Flops:
        attention = 4 * self.layers * self._queries * attended
        forward = 2.0 * (self.matrix_params + self.vocab * self.width) + attention
        return Flops(forward, 3 * forward, attention, 6.0 * self._counted(embeddings))

    def training_flops(self, tokens: float, context: int, causal: bool = True) -> float:
        """The FLOPs of training on `tokens` tokens in sequences of `context`."""
        return self.flops(context, causal).training * tokens

    def rule_6nd(self, tokens: float, embeddings: bool = False) -> float:
        """The rule of thumb 6 N D beside it, N without embeddings unless told."""
        return 6.0 * self._counted(embeddings) * tokens

    def _counted(self, embeddings: bool) -> int:
        return self.params if embeddings else self.non_embedding_params

    # ---- bytes
    def weight_bytes(self, precision: str | Precision = "bf16") -> float:
        """The bytes of the weights as served, scales included.

        w is the format of the blocks' matrices, of which some may have their own (`w.last4`,
        `w.attention`). Embeddings and head stay at 16 bits, as quantised
        models keep them, unless w.embedding or w.head is set itself; norms and biases always do.
        """
        served = Precision.parse(precision)
        matrices = _bits_of_matrices(self, served)
        embedding = (self.vocab + self.positions) * self.width * own_bits(served, "w.embedding")
        head = self.head_params * own_bits(served, "w.head")
        rest = (self.non_embedding_params - self.matrix_params) * REFERENCE_BITS
        return (matrices + embedding + head + rest) / 8

    def read_bytes(self, precision: str | Precision = "bf16") -> float:
        """The bytes of weights that generating one token reads.

        All but the look-up tables, of which a token takes one row; a tied table is read as the
        head.
        """
        served = Precision.parse(precision)
        looked_up = self.positions + (0 if self.tied else self.vocab)
        table = looked_up * self.width * own_bits(served, "w.embedding") / 8
        return self.weight_bytes(served) - table

    def kv_bytes(self, context: int, batch: int = 1, precision: str | Precision = "bf16") -> float:
        """The bytes of keys and values of `batch` sequences of `context` tokens."""
        served = Precision.parse(precision)
        bits = sum(kept_bits(served.format(part, "serve")) for part in ("k", "v"))
        return self.layers * self._keys * context * batch * bits / 8

    def training_bytes(
        self, weights: float = 2, gradients: float = 2, master: float = 4, moments: float = 8
    ) -> float:
        """The bytes of the training state, activations left out: bytes a parameter times
        parameters.

        The defaults are mixed-precision Adam: bf16 weights and gradients, fp32 master copy, two
        fp32 moments.
        """
        return self.params * float(weights + gradients + master + moments)


@lru_cache(maxsize=4096)
def _bits_of_matrices(decoder: Decoder, served: Precision) -> float:
    """Bits of the blocks' matrices as served; kept, as searches ask again and again."""
    own = own_precisions(served, decoder.matrices, decoder.layers)
    return sum(n * kept_bits(p.format("w", "serve")) for p, (n, _) in own.items())


def own_bits(precision: Precision, scope: str) -> float:
    """Bits an element in memory by the format set for this very scope, in serving if there, else in
    training; 16 where it is not set itself.
    """
    return kept_bits(precision.serve.get(scope) or precision.train.get(scope))


def kept_bits(known: Format | None) -> float:
    """Bits an element in memory; ideal noise and 'fp' are held in the reference format."""
    return REFERENCE_BITS if known is None else known.storage_bits
