"""Training runs of published models by name: params, tokens, format, device hours, with sources.

Counts are those that the authors print, so they are as round as theirs. A model whose tokens are
not published has no place here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from isoloss.files import Registry, equal_by_fields
from isoloss.runs.problems import RunsError


@equal_by_fields
@dataclass(frozen=True)
class PublishedModel:
    """A model that was trained and described.

    Attributes
    ----------
    name
        In lower case with hyphens; that of its shape where `SHAPES` has it.
    params
        All parameters.
    tokens
        Of pretraining, repeats counted.
    source
        arXiv number of the paper, and the page of a count that it does not give.
    active
        Parameters that one token uses: all of a dense model.
    trained
        The formats of its matrix products in words; empty where the source does not say.
    hours, device
        Device hours of pretraining and on which device; NaN and empty where not published.
    """

    name: str
    params: float
    tokens: float
    source: str
    active: float = float("nan")
    trained: str = ""
    hours: float = float("nan")
    device: str = ""

    def __post_init__(self) -> None:
        if self.active != self.active:
            object.__setattr__(self, "active", self.params)
        for name in ("params", "tokens", "active"):
            if not 0 < getattr(self, name) < float("inf"):
                raise RunsError(f"{name} is {getattr(self, name)}; accepted is a count above 0")
        if self.active > self.params:
            raise RunsError(f"active is {self.active:g}, above params {self.params:g}")

    @property
    def is_mixture(self) -> bool:
        """Whether a token uses some of the params only."""
        return self.active < self.params


#: Every published model by name, in the order in which they are listed.
MODELS: Registry[PublishedModel] = Registry("published model", RunsError, of=PublishedModel)

_LLAMA3 = "2407.21783; tokens, hours: model card of Llama 3"
_LLAMA31 = "2407.21783; hours: model card of Llama 3.1"
_LLAMA2 = "2307.09288, tables 1 and 2"

for _model in (
    PublishedModel("gpt3-175b", 175e9, 300e9, "2005.14165"),
    PublishedModel("gopher-280b", 280e9, 300e9, "2112.11446", trained="bf16"),
    PublishedModel("chinchilla-70b", 70e9, 1.4e12, "2203.15556", trained="bf16"),
    PublishedModel("pythia-12b", 12e9, 300e9, "2304.01373"),
    PublishedModel("llama1-65b", 65.2e9, 1.4e12, "2302.13971", hours=1_022_362, device="a100"),
    PublishedModel("llama2-7b", 6.74e9, 2e12, _LLAMA2, hours=184_320, device="a100"),
    PublishedModel("llama2-70b", 69e9, 2e12, _LLAMA2, hours=1_720_320, device="a100"),
    # The cards say more than 15T; the hours of 3.1, 1.46M and 7.0M, hold longer contexts too.
    PublishedModel(
        "llama3-8b", 8.03e9, 15e12, _LLAMA3, trained="bf16", hours=1.3e6, device="h100"
    ),
    PublishedModel(
        "llama3-70b", 70.6e9, 15e12, _LLAMA3, trained="bf16", hours=6.4e6, device="h100"
    ),
    PublishedModel(
        "llama3-405b", 405.9e9, 15.6e12, _LLAMA31, trained="bf16", hours=30.84e6, device="h100"
    ),
    PublishedModel("gemma2-9b", 9.24e9, 8e12, "2408.00118"),
    PublishedModel("gemma2-27b", 27.2e9, 13e12, "2408.00118"),
    PublishedModel("qwen2.5-72b", 72.7e9, 18e12, "2412.15115"),
    PublishedModel("qwen3-8b", 8.19e9, 36e12, "2505.09388"),
    PublishedModel("qwen3-235b", 235e9, 36e12, "2505.09388", active=22e9),
    PublishedModel("smollm2-135m", 135e6, 2e12, "2502.02737; model card"),
    PublishedModel("smollm2-1.7b", 1.7e9, 11e12, "2502.02737"),
    # Tiles of 128 in FP8 (e4m3); head, embeddings, routers, norms and attention in more bits.
    PublishedModel(
        "deepseek-v3", 671e9, 14.8e12, "2412.19437",
        active=37e9, trained="e4m3", hours=2.664e6, device="h800",
    ),
    PublishedModel("kimi-k2", 1.04e12, 15.5e12, "2507.20534", active=32e9),
    PublishedModel("bitnet-2b4t", 2e9, 4e12, "2504.12285", trained="w1.58 a8"),
    # A hybrid of Mamba and attention; 16% of its linear layers in bf16.
    PublishedModel("nvfp4-12b", 12e9, 10e12, "2509.25149", trained="nvfp4"),
):  # fmt: skip
    MODELS.add(_model)


def nearest_models(params: float, tokens: float, most: int = 4) -> tuple[PublishedModel, ...]:
    """The published models nearest in params and tokens, nearest first.

    Distance is that of the logarithms of active params and tokens.

    Parameters
    ----------
    params
        Params that one token uses.
    tokens
        Of pretraining.
    most
        How many.
    """

    def distance(model: PublishedModel) -> float:
        return math.hypot(math.log(model.active / params), math.log(model.tokens / tokens))

    return tuple(sorted(MODELS.values(), key=distance)[:most])
