"""Machines: peak rates by format, memory and bandwidth, as data; and the two abstract cost models of the papers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Literal

from isoloss.plans.problems import PlanError

Rule = Literal["rates", "linear-bits", "memory-bits"]
#: Share of the peak that training reaches where nobody says otherwise, the same in every format.
MFU = 0.4
SOURCE = "vendor datasheets and architecture papers, dense, without sparsity; glennklockwood.com/garden/processors"


@dataclass(frozen=True)
class Hardware:
    """A device: peak rates (flop/s) by class of format, memory (bytes), memory bandwidth (bytes/s).

    ``mfu`` is the share of a peak that training reaches, by class of format. ``measured`` holds measured training
    rates (flop/s of 6 N D, a device) by precision, ``decoding`` measured decode speeds (tokens/s): where they are
    given they replace peaks. ``rule`` is "rates" for a real device. The abstract machines have no device:
    "linear-bits" counts N D P / 16 (times 6), "memory-bits" N P.
    """

    name: str
    peaks: Mapping[str, float] = field(default_factory=dict)
    memory: float = float("inf")
    bandwidth: float = float("inf")
    mfu: Mapping[str, float] = field(default_factory=dict)
    rule: Rule = "rates"
    source: str = SOURCE
    measured: Mapping[str, float] = field(default_factory=dict)
    decoding: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_abstract(self) -> bool:
        """Whether this is a cost model of the papers and no device."""
        return self.rule != "rates"

    def reached(self, rate: str) -> float:
        """The flop/s that training reaches in a class of formats: peak times mfu."""
        return self.peaks[rate] * self.mfu.get(rate, MFU)

    def with_mfu(self, mfu: float | Mapping[str, float]) -> Hardware:
        """The machine with another share of its peaks, one for all formats or one for each class of formats.

        Raises PlanError for a share outside (0, 1] and a class that the machine has not.
        """
        given = dict.fromkeys(self.peaks, mfu) if isinstance(mfu, int | float) else dict(mfu)
        for rate, share in given.items():
            if rate not in self.peaks:
                raise PlanError(
                    f"{self.name} has no rate {rate!r}; it has {', '.join(self.peaks) or 'none'}"
                )
            if not 0 < share <= 1:
                raise PlanError(f"mfu of {rate} is {share:g}; it is a share of the peak in (0, 1]")
        return replace(self, mfu={**self.mfu, **given})

    def __str__(self) -> str:
        if self.is_abstract:
            return f"{self.name}: {DESCRIBED[self.rule]}"
        rates = ", ".join(f"{rate} {peak / 1e12:.5g}" for rate, peak in self.peaks.items())
        return f"{self.name}: {rates} Tflop/s, {self.memory / 1e9:.4g} GB, {self.bandwidth / 1e12:.3g} TB/s"


DESCRIBED: dict[Rule, str] = {
    "rates": "a device",
    "linear-bits": "abstract, cost 6 N D P / 16, P the wider of weights and activations",
    "memory-bits": "abstract, cost N P, P the bits of weights as served; tokens cost nothing",
}


def _device(name: str, memory: float, bandwidth: float, **peaks: float) -> Hardware:
    return Hardware(
        name, {rate: peak * 1e12 for rate, peak in peaks.items()}, memory * 1e9, bandwidth * 1e12
    )


#: Every machine by name. B200 memory is the usable part.
MACHINES: tuple[Hardware, ...] = (
    _device("a100", 80, 2.04, tf32=156, bf16=312, int8=624, int4=1248),
    _device("h100", 80, 3.35, tf32=494.7, bf16=989.4, fp8=1978.9, int8=1978.9),
    _device("h200", 141, 4.8, tf32=494.7, bf16=989.4, fp8=1978.9, int8=1978.9),
    _device("b200", 180, 8.0, tf32=1100, bf16=2250, fp8=4500, int8=4500, fp6=4500, fp4=9000),
    Hardware(
        "linear-bits", rule="linear-bits", source="Kumar et al. 2024 (2411.04330), section 4.3"
    ),
    Hardware(
        "memory-bits",
        rule="memory-bits",
        source="Kumar et al. 2024 (2411.04330), appendix E, eq. 29",
    ),
)


def machine(name: str | Hardware) -> Hardware:
    """The machine of a name, such as "h100" or "linear-bits"; one that is made already comes back.

    Raises PlanError with the nearest names and all that there are.
    """
    if isinstance(name, Hardware):
        return name
    known = {each.name: each for each in MACHINES}
    wanted = str(name).lower().replace("_", "-")
    if wanted in known:
        return known[wanted]
    near = get_close_matches(wanted, known, n=2)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise PlanError(f"unknown hardware {name!r}; {hint}there are {', '.join(known)}")
