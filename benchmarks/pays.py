"""Whether FP4 pays at 8B: verdicts at 159.4B tokens from cells up to 75.5B, beside what the whole
table says; and at 1T tokens, law by law.

``python -m benchmarks.pays [ahead|forms|far|simulated]``; all unless one is named. `ahead` and
`far` read fp4_llama8b, `forms` isoloss2026 as well; `simulated` counts how often intervals hold
known gains.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from benchmarks.timing import asked, share, table
from isoloss.fits import CellGap, gap_table
from isoloss.laws import Array, preset
from isoloss.plans import Payoff, Payoffs, pays
from isoloss.plans.paying import Recipe, gaps_beyond, recipes_of
from isoloss.runs import Runs, read

#: The last cell that a forecast sees, the target, and the noise of a gap of single runs in nats.
SEEN, TARGET, NOISE = 75_497_472_000, 38_000 * 4_194_304, 0.003
LEVEL, Z = 0.9, 1.645
FORMS = ("constant", "straight", "power")
#: Simulated tables.
REPEATS = 40
Ends = tuple[float, float]


def main(what: str = "all") -> None:
    """The studies that are asked for."""
    for study in (ahead, forms, far, simulated):
        if what in ("all", study.__name__):
            study()


def ahead() -> None:
    """Gains at equal hours and break-even speed-ups, with the reference's later cells and not."""
    whole = pays(_runs(), at=TARGET, noise=NOISE)
    later = (pl.col("tokens") <= SEEN) | (pl.col("precision") == "bf16")
    for title, kept in (("known", later), ("held out too", pl.col("tokens") <= SEEN)):
        runs = _runs().where(kept)
        found = pays(runs, at=TARGET, noise=NOISE, of="run")
        print(
            "### Gain at equal hours at 159.4B tokens from gaps up to 75.5B; the reference's "
            f"later cells {title}\n"
        )
        head = ["recipe", "speed-up", "predicted gain", f"{LEVEL:.0%} interval", "verdict",
                "measured gain", "verdict", "inside"]  # fmt: skip
        rows = [(found[each.recipe], each) for each in whole.payoffs]
        print(table(head, [_row(*pair) for pair in rows]), "\n")
        right = sum(one.verdict == other.verdict for one, other in rows)
        print(f"Verdicts as those of the whole table: {right} of {len(rows)}; always 'pays': "
              f"{sum(other.verdict == 'pays' for _, other in rows)}.\n")  # fmt: skip
        print(table(_SCORED, _scores(runs, found, whole)), "\n")


def _row(one: Payoff, other: Payoff) -> list[str]:
    ends = one.margin_interval
    inside = "yes" if ends[0] <= other.margin <= ends[1] else "no"
    said = "{:+.4f} to {:+.4f}".format(*ends)
    return [one.recipe, f"{one.ratio:.3f}", f"{one.margin:+.4f}", said, one.verdict,
            f"{other.margin:+.4f}", other.verdict, inside]  # fmt: skip


_SCORED = ["forecast", "rms of the gain", "interval score", "gains inside", "gaps inside",
           "rms of log break-even speed-up", "inside"]  # fmt: skip


def _scores(runs: Runs, found: Payoffs, whole: Payoffs) -> Iterator[list[str]]:
    """Errors of pays, and of rivals that take its curve of the reference and another gap."""
    rows = [(found[each.recipe], each) for each in whole.payoffs]
    yield _scored(
        "pays",
        [(o.margin, p.margin, p.margin_interval) for p, o in rows],
        [(o.gap, p.gap, p.gap_interval) for p, o in rows],
        [(math.log(o.break_even), math.log(p.break_even), _logs(p.break_even_interval))
         for p, o in rows],
    )  # fmt: skip
    recipes = {each.name: each for each in recipes_of(runs, None, NOISE).recipes}
    for name, rival in (
        ("gap held constant", _constant),
        ("gap straight in log tokens", _straight),
    ):
        gaps = {each: rival(recipe) for each, recipe in recipes.items()}
        told = pays(_pretending(gaps), at=TARGET, noise=NOISE)
        gains, others, evens = [], [], []
        for p, o in rows:
            gap, wide = gaps[p.recipe][0], Z * gaps[p.recipe][1]
            gain = p.margin + p.gap - gap
            gains.append((o.margin, gain, (gain - wide, gain + wide)))
            others.append((o.gap, gap, (gap - wide, gap + wide)))
            even = math.log(told[p.recipe].break_even)
            evens.append((math.log(o.break_even), even, (even, even)))
        known = len(recipes_of(runs, None, NOISE).reference.tokens) > len(recipes["mxfp4"].tokens)
        yield (
            [*_scored(name, gains, others, evens)[:-1], "-"]
            if known
            else _scored(name, gains, others, [])
        )


def _pretending(gaps: Mapping[str, tuple[float, float]]) -> Runs:
    """The table with other gaps at the target."""
    frame = _runs().frame()
    last = pl.col("tokens") == TARGET
    base = frame.filter(last & (pl.col("precision") == "bf16"))["loss"][0]
    other = {name: base + gap for name, (gap, _) in gaps.items()}
    told = pl.col("group").replace_strict(other, default=base, return_dtype=pl.Float64)
    return Runs.from_frame(frame.with_columns(loss=pl.when(last).then(told).otherwise("loss")))


def _constant(recipe: Recipe) -> tuple[float, float]:
    """The last gap, and the noise of it and of one more."""
    return float(recipe.gap[-1]), NOISE * math.sqrt(2)


def _straight(recipe: Recipe) -> tuple[float, float]:
    """The line through the last two gaps in log tokens, and its error."""
    (x, y), (a, b) = np.log(recipe.tokens[-2:]), recipe.gap[-2:].tolist()
    far = (math.log(TARGET) - y) / (y - x)
    return b + far * (b - a), NOISE * math.sqrt(1 + (1 + far) ** 2 + far**2)


Told = Sequence[tuple[float, float, Ends]]


def _scored(name: str, gains: Told, gaps: Told, evens: Told) -> list[str]:
    cells = [name, f"{_rms(gains):.4f}", f"{_winkler(gains):.4f}", _inside(gains), _inside(gaps)]
    return [*cells, f"{_rms(evens):.3f}", _inside(evens)] if evens else [*cells, "-", "-"]


def _logs(ends: Ends) -> Ends:
    return math.log(ends[0]), math.log(ends[1])


def _rms(told: Told) -> float:
    return math.sqrt(float(np.mean([(seen - said) ** 2 for seen, said, _ in told])))


def _inside(told: Told) -> str:
    return f"{sum(low <= seen <= high for seen, _, (low, high) in told)} of {len(told)}"


def _winkler(told: Told) -> float:
    """The mean interval score (Gneiting and Raftery 2007, eq. 43), the lower the better."""
    return float(np.mean([
        high - low + 2 / (1 - LEVEL) * (max(0.0, low - seen) + max(0.0, seen - high))
        for seen, _, (low, high) in told
    ]))  # fmt: skip


def forms() -> None:
    """Every set of forms in which gaps may go on: the last gap from those before it."""
    print("### How gaps go on: the last gap from those before it, by the forms that are averaged\n")
    own = [_split(cells) for cells in _own()]
    paper = [_cut()]
    told = ("rms / noise", "log density", f"in the {LEVEL:.0%} interval")
    names = ("isoloss2026 in training", "fp4_llama8b")
    head = ["forms", *(f"{name}: {what}" for name in names for what in told)]
    sets = [c for k in (1, 2, 3) for c in itertools.combinations(FORMS, k)]
    print(table(head, [[", ".join(s), *_told(own, s), *_told(paper, s)] for s in sets]), "\n")


Split = list[tuple[Recipe, float, float, float]]


def _told(tables: Sequence[Split], chosen: Sequence[str]) -> list[str]:
    """Root mean square error over noise, log density and coverage."""
    z, log, held = [], [], []
    rng = np.random.default_rng(0)
    for rows in tables:
        found = gaps_beyond([each for each, *_ in rows], chosen)  # type: ignore[arg-type]
        for growth, (_, tokens, gap, noise) in zip(found.growths, rows, strict=True):
            drawn = growth.drawn(tokens, rng.normal(size=8000), rng.uniform(size=8000))
            z.append((growth.mean(tokens) - gap) / noise)
            log.append(growth.log_density(tokens, gap, noise))
            low, high = np.quantile(drawn + noise * rng.normal(size=8000), [0.05, 0.95])
            held.append(low <= gap <= high)
    return [f"{math.sqrt(np.mean(np.square(z))):.2f}", f"{np.mean(log):.2f}",
            f"{sum(held)} of {len(held)}"]  # fmt: skip


def _own() -> Iterator[Mapping[str, list[CellGap]]]:
    """Gaps of isoloss2026 in training, decayed, by size and precision."""
    by: dict[float, dict[str, list[CellGap]]] = defaultdict(lambda: defaultdict(list))
    for cell in gap_table(read("isoloss2026")).cells:
        if cell.schedule == "wsd" and "->" not in cell.precision:
            by[cell.params][cell.precision].append(cell)
    yield from by.values()


def _split(cells: Mapping[str, list[CellGap]]) -> Split:
    """Each precision of three lengths or more without its longest, and that one."""
    out: Split = []
    for name, every in cells.items():
        rows = sorted(every, key=lambda each: each.tokens)
        if len(rows) < 3:
            continue
        pairs = np.array([each.pairs for each in rows])
        pair = math.sqrt(np.mean([e.error**2 * e.pairs for e in rows]))
        tokens, gap = (np.array([getattr(each, k) for each in rows]) for k in ("tokens", "mean"))
        noise: Array = pair / np.sqrt(pairs)
        seen = Recipe(name, name, tokens[:-1], gap[:-1], noise[:-1])
        out.append((seen, float(tokens[-1]), float(gap[-1]), float(noise[-1])))
    return out


def _cut() -> Split:
    """The recipes of fp4_llama8b up to the last cell that is seen, and their gaps at the target."""
    whole = {each.name: each for each in recipes_of(_runs(), None, NOISE).recipes}
    seen = recipes_of(_runs().where(tokens=(None, SEEN)), None, NOISE).recipes
    return [(each, TARGET, float(whole[each.name].gap[-1]), NOISE) for each in seen]


def far() -> None:
    """At 1T tokens, where base laws decide."""
    found = pays(_runs(), at="1T", noise=NOISE)
    print("### Gain at equal hours at 1T tokens, by base law\n")
    laws = [*found.terms.laws]
    head = ["recipe", "gap", "gain", f"{LEVEL:.0%} interval", "verdict",
            *(part for law in laws for part in (law, "verdict")), "leans on"]  # fmt: skip
    rows = [
        [each.recipe, f"{each.gap:+.4f}", f"{each.margin:+.4f}",
         "{:+.4f} to {:+.4f}".format(*each.margin_interval), each.verdict,
         *(part for one in each.by_law for part in (f"{one.margin:+.4f}", one.verdict)),
         each.leans_on]
        for each in found.payoffs
    ]  # fmt: skip
    print(table(head, rows))
    differ = sum(len({one.verdict for one in each.by_law}) > 1 for each in found.payoffs)
    undecided = sum(each.verdict == "undecided" for each in found.payoffs)
    print(f"\nLaws differ for {differ} of {len(found.payoffs)}; undecided: {undecided}.\n")


def simulated() -> None:
    """Gains that are known: a reference 1.5 times as steep as epoch2024 says, powers as gaps."""
    rows = []
    for title, at in (("at a cell", 160e9), ("between cells", 120e9), ("twice beyond", 320e9)):
        rng = np.random.default_rng(0)
        told = [each for _ in range(REPEATS) for each in _known(rng, at)]
        error = [p.margin - gain for gain, p in told]
        wide = [(p.margin_interval[1] - p.margin_interval[0]) / 2 / Z for _, p in told]
        inside = [p.margin_interval[0] <= gain <= p.margin_interval[1] for gain, p in told]
        roots = (f"{math.sqrt(np.mean(np.square(each))):.4f}" for each in (error, wide))
        rows.append([title, len(told), share(inside), *roots, f"{np.mean(error):+.4f}"])
    head = ["target", "recipes", f"in the {LEVEL:.0%} interval", "rms error, nats",
            "as the intervals say", "mean error"]  # fmt: skip
    print(f"### Gains of simulated recipes, {REPEATS} tables of three\n\n{table(head, rows)}\n")


def _known(rng: np.random.Generator, at: float) -> Iterator[tuple[float, Payoff]]:
    """One table of three recipes, gap c (D / 160B)^e with noise: true gains beside what is told."""
    law, lengths = preset("epoch2024"), np.geomspace(20e9, 160e9, 5)
    noise = NOISE / math.sqrt(2)

    def base(tokens: float) -> float:
        return 2 + 1.5 * float(law(1e9, tokens))

    rows = [_row_of(d, "bf16", base(d) + noise * rng.normal()) for d in lengths]
    speeds, truth = {}, {}
    for k in range(3):
        name, e, c, speed = f"w{k + 2}", rng.normal(0.3, 0.4), *rng.uniform([0.01, 1.2], [0.06, 2])
        gap = c * (lengths / lengths[-1]) ** e
        rows += [_row_of(d, name, base(d) + g + noise * rng.normal())
                 for d, g in zip(lengths, gap, strict=True)]  # fmt: skip
        speeds[name] = speed * math.exp(0.02 * rng.normal())
        truth[name] = base(at / speed) - base(at) - c * (at / lengths[-1]) ** e
    found = pays(Runs.from_frame(pl.DataFrame(rows)), speeds, at=at, laws="epoch2024")
    yield from ((truth[each.recipe], each) for each in found.payoffs)


def _row_of(tokens: float, precision: str, loss: float) -> dict[str, object]:
    return {"params": 1e9, "tokens": tokens, "precision": precision, "loss": loss}


def _runs() -> Runs:
    return read("fp4_llama8b")


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], str))
