"""A mixture of experts by its shape: all its parameters, and those that one token uses.

Memory goes by all parameters, the cost of a token by those it uses. Attention is either grouped
(keys and values of each head are kept) or latent (DeepSeek-AI 2024, 2405.04434, section 2.1: one
compressed vector and one rotary key a token are kept).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache

from isoloss.formats import Precision
from isoloss.runs.problems import RunsError
from isoloss.runs.shapes.decoder import REFERENCE_BITS, Flops, kept_bits, own_bits
from isoloss.runs.shapes.matrices import ATTENTION, EXPERTS, FFN, SHARED, Matrix, own_precisions


@dataclass(frozen=True)
class GroupedHeads:
    """Attention with keys and values of `kv_heads` heads; `norms`: of queries and keys."""

    heads: int
    kv_heads: int
    head_dim: int
    norms: bool = False

    def params(self, width: int) -> int:
        """Parameters of the matrices in one block."""
        return 2 * width * (self.heads + self.kv_heads) * self.head_dim

    @property
    def extras(self) -> int:
        """Scales of norms in one block."""
        return 2 * self.head_dim if self.norms else 0

    @property
    def kept(self) -> int:
        """Numbers kept for one token in one block."""
        return 2 * self.kv_heads * self.head_dim

    @property
    def mixed(self) -> int:
        """Widths of the two products of queries, keys and values, over all heads."""
        return 2 * self.heads * self.head_dim

    @property
    def saved(self) -> int:
        """Numbers that one token leaves in one block for the way back in training: queries, keys,
        values, the output, and where these have norms queries and keys before them.
        """
        both = self.heads + self.kv_heads
        return (3 if self.norms else 2) * both * self.head_dim


@dataclass(frozen=True)
class LatentHeads:
    """Attention with queries, keys and values from compressed vectors.

    Attributes
    ----------
    heads
        Of queries, keys and values.
    query_rank, kv_rank
        Widths of the compressed vectors.
    rotary, plain, value
        Widths of the rotary part of a head, of its other part, and of its values.
    """

    heads: int
    query_rank: int
    kv_rank: int
    rotary: int
    plain: int
    value: int

    def params(self, width: int) -> int:
        """Parameters of the matrices in one block."""
        queries = self.query_rank * (width + self.heads * (self.plain + self.rotary))
        keys = width * (self.kv_rank + self.rotary)
        values = self.kv_rank * self.heads * (self.plain + self.value)
        return queries + keys + values + self.heads * self.value * width

    @property
    def extras(self) -> int:
        """Scales of norms in one block."""
        return self.query_rank + self.kv_rank

    @property
    def kept(self) -> int:
        """Numbers kept for one token in one block."""
        return self.kv_rank + self.rotary

    @property
    def mixed(self) -> int:
        """Widths of the two products of queries, keys and values, over all heads."""
        return self.heads * (self.plain + self.rotary + self.value)

    @property
    def saved(self) -> int:
        """Numbers that one token leaves in one block for the way back in training: queries, keys,
        values, the output, and the compressed vectors before and behind their norms.
        """
        heads = 2 * self.heads * (self.plain + self.rotary + self.value)
        return heads + 2 * (self.query_rank + self.kv_rank) + self.rotary


@dataclass(frozen=True)
class Mixture:
    """A decoder whose feed-forward layers are choices among experts.

    Attributes
    ----------
    layers, width, vocab
        Blocks, width of the residual stream, entries of the vocabulary.
    attention
        Of every block.
    experts, chosen, shared
        Experts of a block, those that the router takes for a token, and those that all tokens use.
    expert_ffn
        Width of an expert, gated.
    dense_layers, dense_ffn
        First blocks with one gated feed-forward layer, and its width.
    router_bias
        One number an expert beside the router's matrix.
    tied
        The output head is the input embedding.

    Raises
    ------
    RunsError
        A count is out of range, or more experts are chosen than there are.
    """

    layers: int
    width: int
    vocab: int
    attention: GroupedHeads | LatentHeads
    experts: int
    chosen: int
    expert_ffn: int
    shared: int = 0
    dense_layers: int = 0
    dense_ffn: int = 0
    router_bias: bool = False
    tied: bool = False

    def __post_init__(self) -> None:
        least = {"shared": 0, "dense_layers": 0, "dense_ffn": 0}
        counts: list[tuple[object, str]] = [
            *((self, f.name) for f in fields(self) if f.name != "attention"),
            *((self.attention, f.name) for f in fields(self.attention)),
        ]
        for owner, name in counts:
            value, most = getattr(owner, name), least.get(name, 1)
            if not isinstance(value, bool) and value < most:
                raise RunsError(f"{name} is {value}; accepted is a whole number of at least {most}")
        for name, few, many in (
            ("chosen", self.chosen, self.experts),
            ("dense_layers", self.dense_layers, self.layers - 1),
        ):
            if few > many:
                raise RunsError(f"{name} is {few}; accepted is at most {many}")

    @property
    def params(self) -> int:
        """All parameters, the table of embeddings and the router's biases included."""
        return self._matrices(self.experts) + self._rest + self._table + self._head

    @property
    def active_params(self) -> int:
        """Parameters that one token uses: the head counts, the table of embeddings, of which a
        token takes one row, does not.
        """
        return self._matrices(self.chosen) + self._rest + self.vocab * self.width

    @property
    def active_non_embedding_params(self) -> int:
        """Parameters that one token uses without embeddings and head: what laws fitted on dense
        models take for N without embeddings.
        """
        return self._matrices(self.chosen) + self._rest

    def experts_read(self, batch: int) -> float:
        """Routed experts of a block that a step of `batch` sequences reads, where each sequence
        chooses alike among all, on its own: experts (1 - (1 - chosen / experts)^batch).
        """
        return self.experts * (1 - (1 - self.chosen / self.experts) ** batch)

    def flops(self, context: int) -> Flops:
        """The FLOPs of one token with a causal mask, averaged over a sequence of `context` tokens;
        routers and the head are counted, and the rule 6 N with active N without embeddings.
        """
        mixing = 2.0 * self.layers * self.attention.mixed * (context + 1) / 2
        routers = self._mixed * self.experts * self.width
        used = self._matrices(self.chosen) + routers + self.vocab * self.width
        forward = 2.0 * used + mixing
        return Flops(forward, 3 * forward, mixing, 6.0 * self.active_non_embedding_params)

    @property
    def matrices(self) -> Iterator[Matrix]:
        """The matrices of every block by name."""
        return self.of_blocks(self.experts)

    @property
    def in_words(self) -> str:
        """The shape in one line."""
        return (
            f"{self.layers} layers of width {self.width}, {self.experts} experts of "
            f"{self.expert_ffn} ({self.chosen} chosen, {self.shared} shared), vocabulary "
            f"{self.vocab}: {self.params / 1e9:.4g}B params, {self.active_params / 1e9:.4g}B active"
        )

    def weight_bytes(self, precision: str | Precision = "bf16") -> float:
        """The bytes of all weights as served, as `Decoder.weight_bytes` counts them; routers, norms
        and biases stay at 16 bits.
        """
        served = Precision.parse(precision)
        table = self._table * own_bits(served, "w.embedding") / 8
        if self.tied:
            return self._bytes(served, self.experts) + table
        head = self._head * own_bits(served, "w.head") / 8
        return self._bytes(served, self.experts) + table + head

    def read_bytes(self, precision: str | Precision = "bf16", batch: int = 1) -> float:
        """The bytes of weights that a step of decoding reads for `batch` sequences, which read more
        experts than one (`experts_read`).
        """
        served = Precision.parse(precision)
        scope = "w.embedding" if self.tied else "w.head"
        head = self.vocab * self.width * own_bits(served, scope) / 8
        return self._bytes(served, self.experts_read(batch)) + head

    def kv_bytes(self, context: int, batch: int = 1, precision: str | Precision = "bf16") -> float:
        """The bytes of what attention keeps of `batch` sequences of `context` tokens."""
        served = Precision.parse(precision)
        keys, values = (kept_bits(served.format(part, "serve")) for part in ("k", "v"))
        if keys != values and isinstance(self.attention, LatentHeads):
            raise RunsError(
                f"'{served}' rounds keys and values apart, and this attention keeps one vector for "
                "both; set both as 'kv'"
            )
        bits = (keys + values) / 2
        return self.layers * self.attention.kept * context * batch * bits / 8

    @property
    def _mixed(self) -> int:
        return self.layers - self.dense_layers

    @property
    def _expert(self) -> int:
        """Parameters of one expert of a block."""
        return 3 * self.width * self.expert_ffn

    @property
    def _table(self) -> int:
        return self.vocab * self.width

    @property
    def _head(self) -> int:
        return 0 if self.tied else self.vocab * self.width

    @property
    def _rest(self) -> int:
        """Parameters of norms and routers."""
        norms = (2 * self.layers + 1) * self.width + self.layers * self.attention.extras
        return norms + self._mixed * self.experts * (self.width + self.router_bias)

    def _matrices(self, experts: int) -> int:
        """Parameters of the blocks' matrices with so many routed experts a block."""
        attention = self.layers * self.attention.params(self.width)
        dense = self.dense_layers * 3 * self.width * self.dense_ffn
        return attention + dense + self._mixed * (experts + self.shared) * self._expert

    def _bytes(self, served: Precision, experts: float) -> float:
        """Bytes of blocks, routers and norms with so many routed experts a block."""
        return (_bits_of_matrices(self, served, experts) + self._rest * REFERENCE_BITS) / 8

    def of_blocks(self, experts: float) -> Iterator[Matrix]:
        """The matrices of every block by name, with so many routed experts as all of them."""
        attention = self.attention.params(self.width)
        dense = 3 * self.width * self.dense_ffn
        for block in range(self.layers):
            yield Matrix(ATTENTION, block, attention, attention)
            if block < self.dense_layers:
                yield Matrix(FFN, block, dense, dense)
                continue
            shared = self.shared * self._expert
            yield Matrix(SHARED, block, shared, shared)
            yield Matrix(EXPERTS, block, experts * self._expert, self.chosen * self._expert)


@lru_cache(maxsize=4096)
def _bits_of_matrices(mixture: Mixture, served: Precision, experts: float) -> float:
    """Bits of the blocks' matrices as served, with so many routed experts a block; kept, as
    searches ask again and again.
    """
    own = own_precisions(served, mixture.of_blocks(experts), mixture.layers)
    return sum(n * kept_bits(p.format("w", "serve")) for p, (n, _) in own.items())
