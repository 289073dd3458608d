"""The typical decoder of a size, for costs that depend on more than the count of params."""

from __future__ import annotations

import numpy as np

from isoloss.formats import Format
from isoloss.laws import Value
from isoloss.runs import Decoder, Mixture, compact

#: A dense decoder of usual proportions: width 128 times the layers, heads of 128, 8 KV heads, ffn
#: 8/3 width gated, so that params without embeddings are near 12 layers width^2 = 12 x 128^2
#: layers^3.
ASPECT, HEAD, KV_HEADS, VOCAB = 128, 128, 8, 32_000
#: Tokens of the sequences that training is counted in.
CONTEXT = 2048


def layers_of(params: Value) -> Value:
    """The layers, as a real number, of a decoder of usual proportions; shape of params."""
    return (params / (12.0 * ASPECT**2)) ** (1 / 3)


def kv_elements(params: Value) -> Value:
    """Numbers kept for one token of context: 2 layers kv_heads head_dim."""
    layers = layers_of(params)
    return 2.0 * layers * np.minimum(KV_HEADS * HEAD, ASPECT * layers)


def decoder_of(params: float, vocab: int = VOCAB) -> Decoder:
    """The decoder of usual proportions nearest to a size.

    Parameters
    ----------
    params
        Count without embeddings.
    vocab
        Tokens in its vocabulary.

    Returns
    -------
    Decoder
        Its layers, width, heads and feed-forward width.
    """
    layers = max(1, round(layers_of(params)))
    width = max(64, 64 * round((params / (12.0 * layers)) ** 0.5 / 64))
    head = HEAD if width % HEAD == 0 else 64
    heads = width // head
    kv = next(k for k in range(min(KV_HEADS, heads), 0, -1) if heads % k == 0)
    rest = params / layers - width * (2 * heads * head + 2 * kv * head)
    ffn = max(32, 32 * round(rest / (3 * width) / 32))
    return Decoder(layers, width, heads, vocab, kv_heads=kv, head_dim=head, ffn=ffn)


def counted_over_rule(params: float, decoder: Decoder | Mixture | None = None) -> float:
    """Exact training FLOPs over 6 N D, N without embeddings (active ones of a mixture of experts),
    of a shape or of a typical decoder.
    """
    flops = (decoder or decoder_of(params)).flops(CONTEXT)
    return flops.training / flops.rule


def shape_in_words(
    params: float | None,
    decoder: Decoder | Mixture | None = None,
    all_params: float | None = None,
) -> str:
    """The shape that memory and speed are counted with: a decoder's own, or the assumed one.

    Parameters
    ----------
    params
        Count without embeddings, which tells the layers of the assumed shape; None: the rule.
    decoder
        The shape, where it is known.
    all_params
        Those of a mixture of experts of unknown shape.
    """
    if decoder is not None:
        return decoder.in_words
    kept = f"{KV_HEADS} heads of {HEAD} for keys and values"
    if params is None:
        layers = f"(params / {12 * ASPECT**2}) to the power 1/3 layers"
    else:
        count = float(layers_of(params))
        layers = f"{count:.3g} layers of width {ASPECT * count:.0f}"
        if ASPECT * count < KV_HEADS * HEAD:
            kept = "keys and values of full width"
    shape = f"an assumed shape: {layers}, {kept}, embeddings and head not counted"
    if all_params is None or params is None:
        return shape
    return (
        f"{compact(all_params)} params, {compact(params)} active; keys and values of a dense model "
        f"of these ({shape}); no two sequences of a batch share an expert"
    )


def bits_of(known: Format | None) -> float:
    """Bits an element in memory, scales counted; 16 where no format is set."""
    return 16.0 if known is None else known.storage_bits
