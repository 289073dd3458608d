"""A machine as a value: peak rates, memory, bandwidth, and the page of each number."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from isoloss.files import displayed, equal_by_fields, real_number, shown_value
from isoloss.plans.costs.achieved import Range, level_of, speed_up_of
from isoloss.plans.costs.published_runs import RUNS
from isoloss.plans.costs.published_speedups import SPEEDUPS
from isoloss.plans.problems import PlanError

Rule = Literal["rates", "linear-bits", "memory-bits"]
#: A share of the peak that training reaches, the same in every format: what was taken as exact
#: before rates had ranges. `with_mfu({"all": MFU})` plans with it.
MFU = 0.4
#: The word for every class of formats of a machine in given shares.
ALL = "all"
#: FLOP/s that no device has: a larger peak is a slip of units.
LARGEST_PEAK = 1e21
#: The classes of formats that a machine may have a peak rate for.
CLASSES = ("fp4", "fp6", "fp8", "bf16", "tf32", "int4", "int8")
DESCRIBED: dict[Rule, str] = {
    "rates": "a device",
    "linear-bits": "abstract, cost 6 N D P / 16, P the wider of weights and activations",
    "memory-bits": "abstract, cost N P, P the bits of weights as served; tokens cost nothing",
}


@displayed
@equal_by_fields
@dataclass(frozen=True)
class Hardware:
    """A device, or an abstract cost model of the papers.

    Attributes
    ----------
    name
        What it is called: "h100".
    peaks
        Peak rate of matrix products in FLOP/s, dense, by class of formats: fp4 fp6 fp8 bf16 tf32
        int4 int8. A device has at least bf16, which the FLOPs of a budget are counted in; a format
        whose class is missing runs at the next wider one.
    memory
        Bytes.
    bandwidth
        Of memory, in bytes/s; it bounds decoding.
    mfu
        Share of the peak that training reaches (model FLOPs utilisation), by class, taken as exact;
        a class without one has the range of published runs (`range_of`).
    rule
        "rates" for a device. The cost models have no device: "linear-bits" counts 6 N D P / 16,
        "memory-bits" N P.
    pages
        Where the numbers were read: for each page (or paper, or file) the names of the numbers it
        gives, which are classes of `peaks`, "memory", "bandwidth", "power", "rule", "measured".
    measured
        Measured training rates, FLOP/s of 6 N D a device, by precision. They replace peaks.
    decoding
        Measured decode speeds, tokens/s of one sequence, by precision. They replace bandwidth.
    chip
        The machine whose products it has, and so whose published runs tell its rates, as "h100" of
        an H200; itself where empty.
    takes_blocks
        Whether its products take a scale for each block of 16 or 32 numbers, as mxfp8, mxfp4 and
        nvfp4 have; where not, these are dequantised and run in bf16. By default where it has a peak
        for fp4.
    left_out
        Published runs and speed-ups that do not count in its ranges, by name.
    power
        The most that a device draws, W; NaN where no source says, and then plans give no energy.

    Raises
    ------
    PlanError
        A number is not positive, a class is unknown, or a device has no rate for bf16.
    """

    name: str
    peaks: Mapping[str, float] = field(default_factory=dict)
    memory: float = float("inf")
    bandwidth: float = float("inf")
    mfu: Mapping[str, float] = field(default_factory=dict)
    rule: Rule = "rates"
    pages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    measured: Mapping[str, float] = field(default_factory=dict)
    decoding: Mapping[str, float] = field(default_factory=dict)
    chip: str = ""
    takes_blocks: bool | None = None
    left_out: tuple[str, ...] = ()
    power: float = float("nan")

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and re.fullmatch(r"[\w.+-]+", self.name, re.ASCII)):
            raise PlanError(
                f"a machine cannot be named {self.name!r}; use letters, digits and any of '-_.+'"
            )
        if not isinstance(self.peaks, Mapping):
            raise PlanError(f"peaks of {self.name} are {self.peaks!r}; accepted is a mapping")
        if self.rule not in get_args(Rule):
            raise PlanError(
                f"rule of {self.name} is {self.rule!r}; accepted are {', '.join(get_args(Rule))}"
            )
        unknown = [each for each in self.peaks if each not in CLASSES]
        if unknown:
            raise PlanError(
                f"{self.name} has a peak for {unknown[0]!r}; "
                f"classes of formats are {', '.join(CLASSES)}"
            )
        if self.rule == "rates" and "bf16" not in self.peaks:
            raise PlanError(
                f"{self.name} has no peak for bf16, which the FLOPs of a budget are counted in"
            )
        for name, value in self.numbers.items():
            unlimited = name not in self.peaks  # memory and bandwidth of a cost model
            if not 0 < real_number(value) <= (math.inf if unlimited else LARGEST_PEAK):
                raise PlanError(
                    f"{name} of {self.name} is {shown_value(value)}; accepted is a number above 0"
                )
        self._check_measured()
        told = {name for names in self.pages.values() for name in names}
        if odd := sorted(told - {*self.numbers, "rule", "measured", "power"}):
            raise PlanError(f"pages of {self.name} name {odd[0]!r}, which it has no number for")

    def _check_measured(self) -> None:
        """Raise PlanError for a measured rate or power that is none, or a rate above every peak."""
        if self.power == self.power and not 0 < real_number(self.power) < math.inf:
            raise PlanError(
                f"power of {self.name} is {shown_value(self.power)}; accepted is a number of W "
                "above 0"
            )
        most = max(self.peaks.values(), default=math.inf)
        for name, value in self.measured.items():
            if not 0 < real_number(value) <= most:
                raise PlanError(
                    f"measured rate of '{name}' on {self.name} is {shown_value(value)}; accepted "
                    f"is a number above 0 and up to its highest peak, {most:.4g} FLOP/s"
                )
        for name, value in self.decoding.items():
            if not 0 < real_number(value) < math.inf:
                raise PlanError(
                    f"decode speed of '{name}' on {self.name} is {shown_value(value)}; accepted is "
                    "a number above 0"
                )

    @property
    def is_abstract(self) -> bool:
        """Whether this is a cost model of the papers and no device."""
        return self.rule != "rates"

    @property
    def is_free_to_train(self) -> bool:
        """Whether tokens cost nothing, so that only the bits of weights are limited."""
        return self.rule == "memory-bits"

    @property
    def train_unit(self) -> str:
        """The unit of a budget's `train` on this machine, in words."""
        return "bits of all weights" if self.is_free_to_train else "compute (FLOPs of bf16)"

    @property
    def numbers(self) -> dict[str, float]:
        """Its peaks by class, memory and bandwidth."""
        return {**self.peaks, "memory": self.memory, "bandwidth": self.bandwidth}

    def page(self, number: str) -> str | None:
        """The page that a number was read on, as `page("bf16")` or `page("memory")`, or None."""
        return next((page for page, names in self.pages.items() if number in names), None)

    @property
    def has_blocks(self) -> bool:
        """Whether its products take a scale for each block of numbers."""
        return "fp4" in self.peaks if self.takes_blocks is None else self.takes_blocks

    @property
    def level(self) -> Range:
        """The FLOP/s that training in bf16 reaches, which rates of other formats rest on."""
        if "bf16" in self.measured:
            return Range.point(self.measured["bf16"], "measured")
        if "bf16" in self.mfu:
            return Range.point(self.peaks["bf16"] * self.mfu["bf16"], "given")
        return level_of(self.chip or self.name, self.left_out).times(self.peaks["bf16"])

    @property
    def least_params(self) -> float:
        """Params of the smallest published run behind its level; NaN where that is given, measured
        or assumed.
        """
        chip = self.chip or self.name
        found = [
            r.params for r in RUNS.values() if r.machine == chip and r.name not in self.left_out
        ]
        return min(found) if self.level.basis == "published" else float("nan")

    def speed_up(self, rate: str) -> Range:
        """The speed-up of steps in a class of formats over steps in bf16, with what is published
        of it also where it is given.
        """
        told = speed_up_of(rate, self.peaks[rate] / self.peaks["bf16"], self.left_out)
        if rate not in self.mfu or (rate == "bf16" and "bf16" in self.measured):
            return told
        own = self.level.under(self.peaks[rate] * self.mfu[rate])
        return replace(told, low=own.low, middle=own.middle, high=own.high, basis=own.basis)

    def range_of(self, rate: str) -> Range:
        """The FLOP/s that training reaches in a class of formats, as a range.

        The given share of the peak is taken as exact; else it is the level times the speed-up.
        """
        if rate in self.mfu and not (rate == "bf16" and "bf16" in self.measured):
            return Range.point(self.peaks[rate] * self.mfu[rate], "given")
        return self.level if rate == "bf16" else self.level.along(self.speed_up(rate))

    def reached(self, rate: str) -> float:
        """The FLOP/s that training reaches in a class of formats: the middle of its range."""
        return self.range_of(rate).middle

    def without(self, *figures: str) -> Hardware:
        """The machine with ranges from which some published runs or speed-ups are left out.

        Raises
        ------
        PlanError
            No published figure has a name.
        """
        known = (*RUNS, *SPEEDUPS)
        if odd := [name for name in figures if name not in known]:
            raise PlanError(
                f"no published figure is named {odd[0]!r}; there are {', '.join(known)}"
            )
        return replace(self, left_out=(*self.left_out, *figures))

    def with_mfu(self, mfu: float | str | Mapping[str, float]) -> Hardware:
        """The machine with given shares of its peaks, taken as exact.

        Parameters
        ----------
        mfu
            One share in (0, 1], which is that of bf16: other classes keep their published
            speed-ups over it, with their doubt. Or a share for each of some classes, a mapping or a
            text, as "bf16=.4,fp8=.25"; "all=.4" for every class, as if each reached as much of its
            peak.

        Raises
        ------
        PlanError
            A share is outside (0, 1], the machine does not have the class, or bf16 has none.
        """
        read = _shares(mfu) if isinstance(mfu, str) else mfu
        given = dict(read) if isinstance(read, Mapping) else {"bf16": read}
        if ALL in given:
            given = {**dict.fromkeys(self.peaks, given.pop(ALL)), **given}
        if given and self.is_abstract:
            raise PlanError(
                f"mfu is {shown_value(mfu)} and {self.name} is a cost model, which has no peaks; "
                "name a device, as h100"
            )
        for rate, share in given.items():
            if rate not in self.peaks:
                raise PlanError(
                    f"{self.name} has no rate {rate!r}; it has {', '.join(self.peaks) or 'none'}"
                )
            if not 0 < real_number(share) <= 1:
                raise PlanError(
                    f"mfu of {rate} is {shown_value(share)}; it is a share of the peak in (0, 1]"
                )
        if given and "bf16" not in {*given, *self.mfu, *self.measured}:
            name, share = next(iter(given.items()))
            raise PlanError(
                f"mfu gives {name} without bf16, which its speed-up stands over; give both, as "
                f"bf16=0.4,{name}={share:g}"
            )
        return replace(self, mfu={**self.mfu, **given})

    def __str__(self) -> str:
        if self.is_abstract:
            return f"{self.name}: {DESCRIBED[self.rule]}"
        rates = ", ".join(f"{rate} {peak / 1e12:.5g}" for rate, peak in self.peaks.items())
        memory = f"{self.memory / 1e9:.4g} GB, {self.bandwidth / 1e12:.3g} TB/s"
        return f"{self.name}: {rates} TFLOP/s, {memory}"


def _shares(text: str) -> float | dict[str, float]:
    """Shares of peaks from a text: that of bf16, or one for each of some classes."""
    try:
        if "=" not in text:
            return float(text)
        pairs = [part.split("=") for part in text.split(",") if part.strip()]
        found = {name.strip().lower(): float(value) for name, value in pairs}
    except ValueError:
        raise PlanError(
            f"cannot read mfu {text[:80]!r}; write one share of the peak, as 0.4, or one for each "
            "of some classes of formats, as bf16=0.4,fp8=0.25 or all=0.4"
        ) from None
    if len(found) < len(pairs):
        raise PlanError(f"mfu {text[:80]!r} gives a class of formats twice; give it once")
    return found
