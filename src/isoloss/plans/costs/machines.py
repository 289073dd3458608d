"""The machines by name: one literal each, with the page of every number.

Peaks are dense, without sparsity. What training reaches of them is a range from published runs
(`achieved`); measured rates (`measured`) come first.
"""

from __future__ import annotations

from isoloss.files import Registry
from isoloss.plans.costs.hardware import Hardware
from isoloss.plans.problems import PlanError

#: Every machine by name, in the order in which help and errors list them.
MACHINES: Registry[Hardware] = Registry("machine", PlanError, of=Hardware)


def register_machine(hardware: Hardware, *, replace: bool = False) -> Hardware:
    """Add a machine, so that every verb, `--hardware`, help and errors know its name.

    Parameters
    ----------
    hardware
        The machine; its name is spelled in lower case with hyphens.
    replace
        Give a taken name to this machine, as when the cell of a notebook runs again.

    Returns
    -------
    Hardware
        The machine that was given.

    Raises
    ------
    PlanError
        It is no Hardware, or another machine has its name.
    """
    MACHINES.check(hardware)
    return MACHINES.register(_spelled(hardware.name), hardware, replace=replace)


def as_machine(hardware: str | Hardware) -> Hardware:
    """The machine that is meant.

    Parameters
    ----------
    hardware
        A name in either case, such as "h100" or "linear-bits", or a Hardware, which comes back as
        it is.

    Raises
    ------
    PlanError
        No machine has this name (the message has the nearest and all names), or it is neither name
        nor Hardware.
    """
    if isinstance(hardware, Hardware):
        return hardware
    if not isinstance(hardware, str):
        raise PlanError(
            f"hardware is {hardware!r}; give a Hardware or the name of a machine: "
            f"{', '.join(MACHINES)}"
        )
    return MACHINES[_spelled(hardware)]


def _spelled(name: str) -> str:
    return name.strip().lower().replace("_", "-")


_GARDEN = "https://glennklockwood.com/garden/processors"
_HPC_AI = "https://hpc-ai.com/blog/B200-Practical-Considerations-for-AI-Teams"

# A100 SXM 80 GB.
register_machine(
    Hardware(
        "a100",
        peaks={"tf32": 156e12, "bf16": 312e12, "int8": 624e12, "int4": 1248e12},
        memory=80e9,
        bandwidth=2.04e12,
        pages={f"{_GARDEN}/A100": ("tf32", "bf16", "int8", "int4", "memory", "bandwidth")},
    )
)
# H100 SXM5.
register_machine(
    Hardware(
        "h100",
        peaks={"tf32": 494.7e12, "bf16": 989.4e12, "fp8": 1978.9e12, "int8": 1978.9e12},
        memory=80e9,
        bandwidth=3.35e12,
        pages={f"{_GARDEN}/h100": ("tf32", "bf16", "fp8", "int8", "memory", "bandwidth")},
    )
)
# H200 SXM: the products of an H100 beside more and faster memory.
register_machine(
    Hardware(
        "h200",
        peaks={"tf32": 494.7e12, "bf16": 989.4e12, "fp8": 1978.9e12, "int8": 1978.9e12},
        memory=141e9,
        bandwidth=4.8e12,
        chip="h100",
        pages={
            f"{_GARDEN}/h100": ("tf32", "bf16", "fp8", "int8"),
            _HPC_AI: ("memory", "bandwidth"),
        },
    )
)
# HGX B200 at 1000 W; of its 192 GB these can be used.
register_machine(
    Hardware(
        "b200",
        peaks={
            "tf32": 1100e12,
            "bf16": 2250e12,
            "fp8": 4500e12,
            "int8": 4500e12,
            "fp6": 4500e12,
            "fp4": 9000e12,
        },
        memory=180e9,
        bandwidth=8.0e12,
        power=1000.0,
        pages={
            f"{_GARDEN}/B200": ("tf32", "bf16", "fp8", "int8", "fp6", "fp4", "bandwidth", "power"),
            _HPC_AI: ("memory",),
        },
    )
)
register_machine(
    Hardware(
        "linear-bits",
        rule="linear-bits",
        pages={"Kumar et al. 2024 (2411.04330), section 4.3": ("rule",)},
    )
)
register_machine(
    Hardware(
        "memory-bits",
        rule="memory-bits",
        pages={"Kumar et al. 2024 (2411.04330), appendix E, eq. 29": ("rule",)},
    )
)
