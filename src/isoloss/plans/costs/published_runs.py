"""Published runs: params, tokens and device hours, which say what training reaches on a machine.

One line adds one (`register_run`). Hours are those of whole runs, with restarts and what was lost
by them, where the page does not say otherwise; rates are 6 N D over these hours, of active params.
Tokens, hours and devices of models that `runs.MODELS` has are read there; other runs stand here
alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isoloss.files import Registry, real_number, shown_value
from isoloss.plans.problems import PlanError
from isoloss.runs import MODELS


@dataclass(frozen=True)
class PublishedRun:
    """The hours that a published model was trained for.

    Attributes
    ----------
    name
        Of the model, in lower case with hyphens.
    machine
        The machine whose rates it tells, by name, as "h100".
    format
        The class of formats that its products ran in: "bf16" (or fp16), "fp8", ...
    params
        That a token uses: the active ones of a mixture of experts.
    tokens
        Trained on.
    hours
        Device hours.
    peak
        Peak rate of its device in bf16, FLOP/s.
    page
        Where these were read.
    peaks
        Peak rate of its format over that of bf16.
    devices
        How many trained at once, where the page says so.
    device
        Its device, where that is another one with the same products, as "H800"; else empty.
    flop
        Training FLOPs as published, which come before 6 N D; None where none are.
    is_format_said
        Whether its authors say the format; where they do not, bf16 is assumed.

    Raises
    ------
    PlanError
        A count is not positive.
    """

    name: str
    machine: str
    format: str
    params: float
    tokens: float
    hours: float
    peak: float
    page: str
    peaks: float = 1.0
    devices: int | None = None
    device: str = ""
    flop: float | None = None
    is_format_said: bool = True

    def __post_init__(self) -> None:
        for word in ("params", "tokens", "hours", "peak", "peaks"):
            value = getattr(self, word)
            if not 0 < real_number(value) < float("inf"):
                raise PlanError(
                    f"{word} of run {self.name} is {shown_value(value)}; "
                    "accepted is a number above 0"
                )

    @property
    def flop_per_s(self) -> float:
        """FLOP/s of 6 N D that each device reached over the whole run."""
        flop = 6.0 * self.params * self.tokens if self.flop is None else self.flop
        return flop / (self.hours * 3600.0)


#: Every published run by name.
RUNS: Registry[PublishedRun] = Registry("published run", PlanError, of=PublishedRun)


def register_run(run: PublishedRun, *, replace: bool = False) -> PublishedRun:
    """Add a published run, so that plans on its machine take it into their range of rates.

    Parameters
    ----------
    run
        The run.
    replace
        Give a taken name to this run.

    Raises
    ------
    PlanError
        It is no PublishedRun, or another run has its name.
    """
    return RUNS.add(run, replace=replace)


_LLAMA1 = "https://arxiv.org/abs/2302.13971, table 15 (hours), table 2 (tokens)"
_LLAMA2 = "https://github.com/meta-llama/llama/blob/main/MODEL_CARD.md"
_LLAMA3 = "https://github.com/meta-llama/llama3/blob/main/MODEL_CARD.md"
_LLAMA31 = (
    "https://github.com/meta-llama/llama-models/blob/main/models/llama3_1/MODEL_CARD.md (hours); "
    "https://arxiv.org/abs/2407.21783 (FLOPs)"
)
_SMOLLM3 = "https://huggingface.co/blog/smollm3 (384 H100 for 24 days)"
_DEEPSEEK = "https://arxiv.org/abs/2412.19437 (hours of pretraining)"

_BLOOM = "https://arxiv.org/abs/2211.05100, section 3.4.1"
_OPT = "https://arxiv.org/abs/2302.13971, table 15 (fp16)"
_H100, _A100 = 989.4e12, 312e12


def _of(
    name: str, params: float, machine: str, peak: float, page: str, form: str = "bf16", **more: Any
) -> PublishedRun:
    """The run of a published model, its params counted to the digit where the page rounds them."""
    model = MODELS[name]
    device = "" if model.device == machine else model.device.upper()
    counts = params, model.tokens, model.hours
    more = {"device": device, "is_format_said": bool(model.trained), **more}
    return PublishedRun(name, machine, form, *counts, peak, page, **more)


# fmt: off
for _run in (
    # H100 and devices with its products. Restarts are in the hours.
    _of("llama3-8b", 8.03e9, "h100", _H100, _LLAMA3),
    _of("llama3-70b", 70.55e9, "h100", _H100, _LLAMA3),
    _of("llama3-405b", 405.85e9, "h100", _H100, _LLAMA31, devices=16_384, flop=3.8e25),
    PublishedRun("smollm3-3b", "h100", "bf16", 3.075e9, 11.2e12, 221_184, _H100, _SMOLLM3,
                 devices=384),
    _of("deepseek-v3", 37e9, "h100", _H100, _DEEPSEEK, "fp8", peaks=1978.9 / 989.4, devices=2048),
    # A100. The hours of the first four are those of their steps; OPT's and BLOOM's of whole stays.
    PublishedRun("llama1-7b", "a100", "bf16", 6.738e9, 1e12, 82_432, _A100, _LLAMA1,
                 is_format_said=False),
    PublishedRun("llama1-13b", "a100", "bf16", 13.016e9, 1e12, 135_168, _A100, _LLAMA1,
                 is_format_said=False),
    PublishedRun("llama1-33b", "a100", "bf16", 32.53e9, 1.4e12, 530_432, _A100, _LLAMA1,
                 is_format_said=False),
    _of("llama1-65b", 65.29e9, "a100", _A100, _LLAMA1, devices=2048),
    _of("llama2-7b", 6.738e9, "a100", _A100, _LLAMA2),
    PublishedRun("llama2-13b", "a100", "bf16", 13.016e9, 2e12, 368_640, _A100, _LLAMA2,
                 is_format_said=False),
    _of("llama2-70b", 68.98e9, "a100", _A100, _LLAMA2),
    PublishedRun("bloom-176b", "a100", "bf16", 176.25e9, 366e9, 1_082_990, _A100, _BLOOM,
                 devices=384),
    PublishedRun("opt-175b", "a100", "bf16", 175e9, 180e9, 809_472, _A100, _OPT, devices=992),
):
    register_run(_run)
# fmt: on
