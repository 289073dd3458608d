"""Published speed-ups: how much faster whole training steps are in a format than in bf16.

One line adds one (`register_speedup`). Both steps are of one model on one machine in one library,
all three products of the linear layers in the format; heads, embeddings and attention stay in bf16,
as they do in practice, so these are less than ratios of peaks.
"""

from __future__ import annotations

from dataclasses import dataclass

from isoloss.files import Registry, real_number, shown_value
from isoloss.plans.problems import PlanError


@dataclass(frozen=True)
class PublishedSpeedup:
    """Steps in a format against steps in bf16.

    Attributes
    ----------
    name
        Of the measurement, in lower case with hyphens.
    format
        The class of formats: "fp8", "fp4", "int8".
    times
        Tokens a second over those of bf16.
    peaks
        Peak rate of the format over that of bf16 on its machine.
    source
        Who measured it, in a word; figures of one source count less than those of several.
    device
        What on, as "H100".
    page
        Where it was read.

    Raises
    ------
    PlanError
        A number is not positive.
    """

    name: str
    format: str
    times: float
    peaks: float
    source: str
    device: str
    page: str

    def __post_init__(self) -> None:
        for word, value in {"times": self.times, "peaks": self.peaks}.items():
            if not 0 < real_number(value) < float("inf"):
                raise PlanError(
                    f"{word} of speed-up {self.name} is {shown_value(value)}; "
                    "accepted is a number above 0"
                )


#: Every published speed-up by name.
SPEEDUPS: Registry[PublishedSpeedup] = Registry(
    "published speed-up", PlanError, of=PublishedSpeedup
)


def register_speedup(speedup: PublishedSpeedup, *, replace: bool = False) -> PublishedSpeedup:
    """Add a published speed-up, so that plans take it into the range of its format.

    Parameters
    ----------
    speedup
        The measurement.
    replace
        Give a taken name to this measurement.

    Raises
    ------
    PlanError
        It is no PublishedSpeedup, or another has its name.
    """
    return SPEEDUPS.add(speedup, replace=replace)


_TITAN = (
    "https://github.com/pytorch/torchtitan/blob/main/benchmarks/llama3_h100_202412_torchtitan.md"
)
_OLMO = "https://pypi.org/project/ai2-olmo-core/1.5.0"
_AO = "https://github.com/pytorch/ao"
_CRUSOE = (
    "https://crusoe.ai/blog/crusoe-powers-pytorch-innovation-driving-ai-performance-and-efficiency"
)
_B200 = (
    "https://pytorch.org/blog/accelerating-2k-scale-pre-training-up-to-1-28x-with-torchao-mxfp8-"
    "and-torchtitan-on-crusoe-b200-cluster"
)
_BRIDGE = "https://docs.nvidia.com/nemo/megatron-bridge/latest/performance-summary-archive.html"
_INT8 = "https://github.com/pytorch/torchtitan/issues/578"
_FP4 = "https://github.com/MrHuff/mfu-fp4-training (3503dfaf, steps of 8B on 32 GB200)"

# fmt: off
for _one in (
    # FP8: tokens/s a device as printed, divided here; by row or tensor, MXFP8 on Blackwell.
    PublishedSpeedup("titan-8b-8", "fp8", 8532 / 6667, 2, "torchtitan", "H100", _TITAN),
    PublishedSpeedup("titan-8b-128", "fp8", 8380 / 6514, 2, "torchtitan", "H100", _TITAN),
    PublishedSpeedup("olmo-1b", "fp8", 51 / 44, 2, "olmo-core", "H100", _OLMO),
    PublishedSpeedup("olmo-7b", "fp8", 13 / 10, 2, "olmo-core", "H100", _OLMO),
    PublishedSpeedup("olmo-13b", "fp8", 5.5 / 4.6, 2, "olmo-core", "H100", _OLMO),
    PublishedSpeedup("torchao-70b-405b-low", "fp8", 1.43, 2, "torchao", "H100", _AO),
    PublishedSpeedup("torchao-70b-405b-high", "fp8", 1.51, 2, "torchao", "H100", _AO),
    PublishedSpeedup("crusoe-2k-low", "fp8", 1.34, 2, "crusoe", "H200", _CRUSOE),
    PublishedSpeedup("crusoe-2k-high", "fp8", 1.43, 2, "crusoe", "H200", _CRUSOE),
    PublishedSpeedup("crusoe-b200-low", "fp8", 1.22, 2, "crusoe", "B200", _B200),
    PublishedSpeedup("crusoe-b200-high", "fp8", 1.28, 2, "crusoe", "B200", _B200),
    PublishedSpeedup("deepseek-v3-gb200", "fp8", 4018 / 3139, 2, "megatron-bridge", "GB200",
                     _BRIDGE),
    PublishedSpeedup("deepseek-v3-gb300", "fp8", 4357 / 3848, 2, "megatron-bridge", "GB300",
                     _BRIDGE),
    # INT8: forward and backward, a first result of its author.
    PublishedSpeedup("titan-int8", "int8", 1.20, 2, "torchtitan", "A100", _INT8),
    # FP4: ten recipes of one report, each against its one BF16 configuration.
    PublishedSpeedup("hu-te-f0l4", "fp4", 1.439, 4, "hu2026", "GB200", _FP4),
    PublishedSpeedup("hu-te-native", "fp4", 1.468, 4, "hu2026", "GB200", _FP4),
    PublishedSpeedup("hu-localcta-h16", "fp4", 1.695, 4, "hu2026", "GB200", _FP4),
    PublishedSpeedup("hu-pure-v5", "fp4", 1.727, 4, "hu2026", "GB200", _FP4),
    PublishedSpeedup("hu-depth-27-5", "fp4", 1.761, 4, "hu2026", "GB200", _FP4),
    PublishedSpeedup("hu-localcta", "fp4", 1.767, 4, "hu2026", "GB200", _FP4),
    PublishedSpeedup("hu-operand-h16", "fp4", 1.849, 4, "hu2026", "GB200", _FP4),
    PublishedSpeedup("hu-operand-h32", "fp4", 1.865, 4, "hu2026", "GB200", _FP4),
    PublishedSpeedup("hu-mxfp4-h32", "fp4", 1.980, 4, "hu2026", "GB200", _FP4),
    PublishedSpeedup("hu-mxfp4", "fp4", 2.013, 4, "hu2026", "GB200", _FP4),
):
    register_speedup(_one)
# fmt: on
