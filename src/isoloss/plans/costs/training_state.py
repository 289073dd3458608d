"""The memory that training takes on one device: weights, gradients, optimizer, activations.

The rule, in bytes on each of n devices:

- weights, gradients, and the state of Adam (a master copy and two moments), each in its own format,
  params times its bytes; 2 + 2 + 4 + 4 + 4 by default (Rajbhandari et al. 2020, 1910.02054, section
  3.1, who write 2 + 2 + 12);
- sharding over all devices (the same, section 5): "none" keeps all on each, "optimizer" shares the
  optimizer's state, "gradients" the gradients too, "weights" the weights too, and then the weights
  of the largest part (a block, the table or the head) are gathered whole while it is computed;
- activations in 16 bits, of the sequences of this device, a token and block: the inputs of two
  norms, of the matrices, and queries, keys, values and the output of attention; of the feed-forward
  layer two rows of its width (four if gated). Attention keeps no scores (a fused kernel), and
  there is no dropout: 32 widths for GPT-2's shape, where Korthikanti et al. 2022 (2205.05198, eq.
  1) have 34 with two of dropout masks. With "blocks" recomputed only the input of each block is
  kept, and all of one block;
- of a mixture of experts, what a token leaves in the experts that it uses (chosen and shared), the
  outputs of the chosen ones, from which the router learns, and the router's scores in float32; with
  compressed attention the compressed vectors, before and behind their norms, too. Experts stay on
  the devices that keep them and tokens go there, evenly, so that only the rest of a block is
  gathered;
- the logits of these tokens in float32.

Not counted: buffers of communication, fragmentation, kernels, and the splitting of tensors or
layers over devices, which changes none of the sums above but activations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from isoloss.files import displayed
from isoloss.formats import as_format
from isoloss.plans.checks import as_count
from isoloss.plans.problems import PlanError
from isoloss.runs import Decoder, Mixture, as_shape

Sharding = Literal["none", "optimizer", "gradients", "weights"]
Recomputed = Literal["nothing", "blocks"]
#: Bytes of an activation and of a logit.
ACTIVATION, LOGIT = 2.0, 4.0


@displayed
@dataclass(frozen=True)
class TrainingMemory:
    """The bytes that training takes on each device; `training_memory` has the rule.

    Attributes
    ----------
    weights, gradients, optimizer
        The share of each that one device keeps.
    gathered
        Weights of the largest part, whole while it is computed; 0 where weights are not shared.
    activations
        Of blocks and logits.
    devices
        Over which the state is shared.
    rule
        The choices behind the figures, in words.
    """

    weights: float
    gradients: float
    optimizer: float
    gathered: float
    activations: float
    devices: int
    rule: str

    @property
    def state(self) -> float:
        """Weights, gradients and optimizer."""
        return self.weights + self.gradients + self.optimizer

    @property
    def total(self) -> float:
        """All that is counted."""
        return self.state + self.gathered + self.activations

    def __str__(self) -> str:
        parts = ("weights", "gradients", "optimizer", "gathered", "activations")
        shares = ", ".join(f"{name} {getattr(self, name) / 1e9:.4g}" for name in parts)
        return f"{self.total / 1e9:.4g} GB on each of {self.devices} devices: {shares}; {self.rule}"


def training_memory(
    decoder: Decoder | Mixture | str,
    devices: int = 1,
    *,
    sequences: int = 1,
    context: int = 2048,
    sharding: Sharding = "weights",
    recomputed: Recomputed = "nothing",
    weights: str = "bf16",
    gradients: str = "bf16",
    master: str | None = "fp32",
    moments: str = "fp32",
) -> TrainingMemory:
    """The memory that training a model takes on each device.

    Parameters
    ----------
    decoder
        The shape, or what `runs.as_shape` reads as one, as "llama3-70b" or "deepseek-v3".
    devices
        Over which the state is shared.
    sequences, context
        Sequences that one device computes at once, and their tokens.
    sharding
        What is shared: "none", "optimizer", "gradients" (and optimizer) or "weights" (and both).
    recomputed
        "nothing", or "blocks": only the input of each block is kept on the way forward.
    weights, gradients, master, moments
        Formats of each; master None: the weights have no copy.

    Returns
    -------
    TrainingMemory
        Bytes on one device, by what they are for.

    Raises
    ------
    PlanError
        A count is below 1, or a word is none of those accepted.
    ValueError
        A format or a shape cannot be read.

    Notes
    -----
    Rajbhandari et al. 2020 (1910.02054), sections 3.1 and 5; Korthikanti et al. 2022 (2205.05198),
    section 4.1.
    """
    shape = as_shape(decoder)
    devices, tokens = as_count("devices", devices), as_count("sequences", sequences)
    tokens *= as_count("context", context)
    check_word("sharding", sharding, get_args(Sharding))
    check_word("recomputed", recomputed, get_args(Recomputed))
    shares = get_args(Sharding).index(sharding)
    weight, gradient = bytes_a_number("weights", weights), bytes_a_number("gradients", gradients)
    copy = 0.0 if master is None else bytes_a_number("master", master)
    optimizer = 2 * bytes_a_number("moments", moments) + copy
    kept = [shape.params / (devices if shares >= least else 1) for least in (3, 2, 1)]
    largest = _largest_part(shape) * weight if shares == 3 and devices > 1 else 0.0
    rule = (
        f"weights in {weights}, gradients in {gradients}, Adam with moments in {moments} and "
        f"{'no master copy' if master is None else f'a master copy in {master}'}, "
        f"shared: {SHARED[shares]}, recomputed: {recomputed}, {sequences} x {context} tokens a "
        f"device, activations in 16 bits{_EVENLY if isinstance(shape, Mixture) else ''}"
    )
    return TrainingMemory(
        kept[0] * weight, kept[1] * gradient, kept[2] * optimizer, largest,
        tokens * _activations(shape, recomputed), devices, rule,
    )  # fmt: skip


#: What a mixture of experts takes for granted.
_EVENLY = ", experts evenly used and not gathered"
#: What each sharding shares, in words.
SHARED = (
    "nothing",
    "optimizer",
    "optimizer and gradients",
    "optimizer, gradients and weights",
)


def _activations(shape: Decoder | Mixture, recomputed: Recomputed) -> float:
    """Bytes that one token leaves for the way back."""
    if isinstance(shape, Mixture):
        return _of_mixture(shape, recomputed)
    heads = shape.heads * (shape.head_dim or 0)
    keys = (shape.kv_heads or 0) * (shape.head_dim or 0)
    fed = (4 if shape.gated else 2) * (shape.ffn or 0)
    return activations_of(
        float(shape.layers), float(shape.width), heads, keys, fed, shape.vocab, recomputed
    )


def _of_mixture(shape: Mixture, recomputed: Recomputed) -> float:
    """Those of a mixture of experts: a block's own, by whether it has experts."""
    plain = 4 * shape.width + shape.attention.saved
    used = 4 * shape.expert_ffn * (shape.chosen + shape.shared) + shape.chosen * shape.width
    dense = ACTIVATION * (plain + 4 * shape.dense_ffn)
    mixed = ACTIVATION * (plain + used) + LOGIT * shape.experts
    if recomputed == "blocks":
        largest = max(dense, mixed) if shape.dense_layers else mixed
        return ACTIVATION * shape.layers * shape.width + largest + LOGIT * shape.vocab
    of_blocks = shape.dense_layers * dense + (shape.layers - shape.dense_layers) * mixed
    return of_blocks + LOGIT * shape.vocab


def activations_of(
    layers: float,
    width: float,
    queries: float,
    keys: float,
    fed: float,
    vocab: float,
    recomputed: Recomputed,
) -> float:
    """Bytes that one token leaves for the way back, by the counts of a shape.

    Parameters
    ----------
    layers, width, queries, keys, vocab
        Blocks, and the widths of the residual stream, of all queries, of all keys, of the logits.
    fed
        Numbers that the feed-forward layer of a block keeps.
    recomputed
        As for `training_memory`.
    """
    # Two inputs of norms and two of matrices; q, k, v and what attention gives to its last matrix.
    block = ACTIVATION * (4 * width + 2 * queries + 2 * keys + fed)
    if recomputed == "blocks":
        return ACTIVATION * layers * width + block + LOGIT * vocab
    return layers * block + LOGIT * vocab


def _largest_part(shape: Decoder | Mixture) -> float:
    """Parameters of the largest of a block, without its routed experts, the table of embeddings and
    the head.
    """
    table = float(shape.vocab * shape.width)
    if isinstance(shape, Decoder):
        return max(shape.matrix_params / shape.layers, table)
    attention = shape.attention.params(shape.width)
    dense = 3 * shape.width * shape.dense_ffn if shape.dense_layers else 0
    shared = (3 * shape.shared * shape.expert_ffn + shape.experts) * shape.width
    return max(float(attention + max(dense, shared)), table)


@lru_cache(maxsize=256)
def bytes_a_number(name: str, spelling: str) -> float:
    """Bytes a number in a format; PlanError for ideal ones, which no memory holds."""
    known = as_format(spelling)
    if known.is_ideal:
        raise PlanError(f"{name} is {spelling!r}; accepted is a format with bits, as fp32")
    return known.storage_bits / 8


def check_word(name: str, value: object, accepted: tuple[str, ...]) -> None:
    """Raise PlanError unless a value is one of the words accepted."""
    if value not in accepted:
        raise PlanError(f"{name} is {value!r}; accepted are {', '.join(accepted)}")
