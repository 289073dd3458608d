"""Hours of published runs against the plan's interval for their params and tokens, each run left
out of the rates."""

from __future__ import annotations

import math

from benchmarks.timing import table
from isoloss.plans import RUNS, SPEEDUPS, Budget, PublishedRun, as_machine, plan

#: Runs whose intervals must hold their hours and be no wider than this factor.
NAMED, WIDEST = ("llama3-405b", "deepseek-v3"), 2.5
#: The precision that a run in each class of formats is planned in.
SPELLED = {"bf16": "bf16", "fp8": "e4m3 g:e4m3"}


def main() -> None:
    print("### Hours of published runs, each left out of the rates\n")
    rows = [row(run) for run in RUNS.values()]
    head = [
        "run",
        "machine",
        "format",
        "published",
        "planned",
        "interval (90%)",
        "factor",
        "inside",
    ]
    print(table(head, [each[:-1] for each in rows]))
    held = sum(bool(each[-1]) for each in rows)
    print(
        f"\nInside: {held} of {len(rows)} (of intervals of 90%). Bar: {' and '.join(NAMED)} ",
        end="",
    )
    ok = all(each[-1] and float(each[-3]) <= WIDEST for each in rows if each[0] in NAMED)
    print(f"inside, no wider than a factor {WIDEST}: {'met' if ok else 'missed'}.\n")
    print(
        "### Published speed-ups of whole steps over steps in bf16, and the range that plans take\n"
    )
    print(table(["format", "published", "figures", "sources", "range (90%)", "middle"], speeds()))


def row(run: PublishedRun) -> list[object]:
    """One run: its hours, and those of a plan that has not heard of it."""
    machine = as_machine(run.machine).without(run.name)
    params, tokens = run.params, run.tokens
    if run.flop is not None:
        tokens = run.flop / 6 / params
    budget = Budget("1e30 flop", params=params, tokens=tokens)
    spelled = SPELLED[run.format]
    asked = {"precision": spelled, "extrapolate": True, "draws": 4000}
    (choice,) = plan("sun2025", budget, machine, **asked).choices
    low, high = choice.paid_hours_interval
    inside = low < run.hours < high
    cells = [thousands(v) for v in (run.hours, choice.paid_hours)]
    ends = f"{thousands(low)} to {thousands(high)}"
    device = run.device or run.machine.upper()
    said = "yes" if inside else "no"
    return [run.name, device, run.format, *cells, ends, f"{high / low:.2f}", said, inside]


def speeds() -> list[list[object]]:
    """One row a class of formats that has figures."""
    out = []
    for name, machine in (("fp8", "h100"), ("int8", "a100"), ("fp4", "b200")):
        gain = as_machine(machine).speed_up(name)
        assert gain.figures == sum(s.format == name for s in SPEEDUPS.values())
        ends = f"{gain.low:.2f} to {gain.high:.2f} ({gain.basis})"
        said = f"{gain.least:.2f} to {gain.most:.2f}"
        out.append([name, said, gain.figures, gain.sources, ends, f"{gain.middle:.2f}"])
    return out


def thousands(hours: float) -> str:
    """Hours in thousands with three digits."""
    digits = max(0, 2 - math.floor(math.log10(hours / 1e3)))
    return f"{hours / 1e3:,.{digits}f}k"


if __name__ == "__main__":
    main()
