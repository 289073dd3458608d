"""Laws of differences: what a format costs that was left out, by its error; models left out of
published gaps; laws compared on gaps; gaps told by laws of losses and by laws of gaps.

``python -m benchmarks.differences [formats|measured|trained|models|laws|targets]``; all unless
named.
`models` reads gptq_llama2023, which is downloaded unless ISOLOSS_DATA has it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from benchmarks.isoloss2026 import RECIPE
from benchmarks.timing import asked, share, table
from isoloss.fits import Comparison, Fit, FitError, Sample, as_sample, compare, fit, predict, split
from isoloss.fits.paired_gaps import Target, mean_gaps
from isoloss.formats import Format, Precision, relative_error
from isoloss.laws import Array, DomainError, Law, Mask, preset, with_errors
from isoloss.lm import Language, model_of, rounding_errors, train_one
from isoloss.runs import DownloadError, Runs, compact, read

#: Gaps below this are near the noise of their measurement, in nats.
LEAST = 0.005
#: How gaps grow with tokens, of isoloss2026: published models have too few lengths to tell.
LEVELS = tuple(
    f"w{w}+had@quest{a}"
    for w in ("1", "2", "3", "4", "8", ":e2m1")
    for a in ("", f" a{w}+had@quest")
)
BORROWED = ("p_w", "d_w")
RIVALS = ("kumar2024", "frantar2025", "panferov2025", "error_trained", "quest2025", "quartet2025",
          "chen2025", "chen2025_shared", "thomassen2026")  # fmt: skip
#: Tables on which losses and gaps are fitted: which of their runs, and what is held out.
TABLES = {
    "quest2025": (
        pl.col("sparsity").is_null(),
        ("largest", "longest", "format=w4+had@quest a4+had@quest"),
    ),
    "isoloss2026": (
        ~pl.col("precision").str.contains("->"), ("largest", "longest", "format=w3"),
    ),
}  # fmt: skip
#: Replicates: which gaps a law tells shows in few.
DRAWS = 20
HEAD = [
    "left out",
    "cells",
    "mean gap",
    "predicted / observed",
    "10% to 90%",
    "in the 90% interval",
]


def main(what: str = "all") -> None:
    """The studies that are asked for."""
    for study in (formats, measured, trained, models, laws, targets):
        if what in ("all", study.__name__):
            study()


def formats() -> None:
    """Each format left out of isoloss2026 once, served after training in full precision."""
    for part, ways in (("w", r"^fp -> w[^ ]*$"), ("a", r"^fp -> a")):
        runs = _runs(ways)
        names = sorted(set(mean_gaps(runs).usable["precision"]))
        rows = [_left_out(runs, name) for name in names]
        print(f"### Formats of {part} left out of isoloss2026, after training\n")
        print(table(HEAD, rows), "\n")


def measured() -> None:
    """Formats of activations, keys and values left out, their errors measured on one decoder of the
    recipe (the models of isoloss2026 are not kept): the mean over matrices, and the matrix that a
    format moves most. Which of the two is right was not known before.
    """
    shape, tokens = model_of("20k"), 25 * 20_640
    model = train_one(shape, tokens, recipe=RECIPE).model
    rows = np.asarray(Language().validation(512))[:, :-1]
    for part in ("a", "kv"):
        runs = _runs(rf"^fp -> {part}[^ ]*$")
        names = sorted(set(mean_gaps(runs).usable["precision"]))
        errors = rounding_errors(model, rows, [name.removeprefix("fp -> ") for name in names])
        found = {"mean": errors.mean(part), "largest": errors.largest(part)}
        print(f"### Formats of {part} left out of isoloss2026, errors measured on a 20k decoder\n")
        lines = []
        for how, each in found.items():
            law = with_errors(preset("error"), {part: each})
            for name, own in zip(names, _of_names(part, names, each), strict=True):
                told = _told(_without(law, runs, name))
                lines.append((f"{name}, {how}", f"{own:.2g}", *told))
        print(table([HEAD[0], "error", *HEAD[1:]], lines), "\n")


def _of_names(part: str, names: Sequence[str], errors: Mapping[str, float]) -> Iterator[float]:
    """The measured error of each precision of one part."""
    by_format = {Format.parse(name).bare.name: error for name, error in errors.items()}
    for name in names:
        known = Precision.parse(name).serve[part]
        yield by_format[known.bare.name]


def trained() -> None:
    """Each level of quest2025 left out once, in training: by its error, and by the gap of the level
    whose error is nearest.
    """
    runs = read("quest2025").where(pl.col("sparsity").is_null())
    gaps = mean_gaps(runs).usable
    levels = [level for level in LEVELS if level in set(gaps["precision"])]
    rows = []
    for level in levels:
        found = [fit(law, runs, target="gap", holdout=_of_level(level), draws=100)
                 for law in ("error_trained", "panferov2025")]  # fmt: skip
        rows.append([level, *_told(found[0]), _ratio(found[1]), *_nearest(gaps, level, levels)])
    print("### Levels of quest2025 left out, in training\n")
    print("Predicted by error_trained; beside it panferov2025, and the gap of another level.\n")
    head = [*HEAD, "panferov2025", "level of nearest error", "its gap / observed"]
    print(table(head, rows), "\n")


def models() -> None:
    """Each model left out of the published table; its tokens and errors weigh as in isoloss2026."""
    runs = _runs(r"^fp -> w[^ ]*$", methods=True)
    own = fit("error", runs, target="gap", draws=200).law.values
    held = {name: own[name] for name in BORROWED}
    try:
        published = read("gptq_llama2023")
    except DownloadError as error:
        print(f"gptq_llama2023 is left out: {error}")
        return
    rows: list[list[str]] = []
    logs: list[float] = []
    inside: list[bool] = []
    gaps = mean_gaps(published).frame().sort("params")
    for group, params in gaps.select("group", "params").unique(maintain_order=True).rows():
        found = fit(
            "error", published, target="gap", fixed=held, holdout=_of_group(group), draws=200
        )
        rows.append([f"{compact(params)} params", *_told(found)])
        assert found.held_out is not None
        logs += np.log(found.held_out.prediction.loss / found.held_out.observed).tolist()
        inside += found.held_out.prediction.covers(found.held_out.observed).tolist()
    print("### Models left out of gptq_llama2023\n")
    borrowed = ", ".join(f"{name} = {value:.3g}" for name, value in held.items())
    print(f"{borrowed} of isoloss2026.\n")
    print(table(HEAD, rows), "\n")
    print(
        f"All: {share(inside)} of {len(inside)} gaps in their intervals; off by a factor of "
        f"{np.exp(np.median(np.abs(logs))):.2f} (median).\n"
    )


def laws() -> None:
    """Laws on gaps and on losses of the training runs of two tables."""
    weights = pl.col("precision").str.contains(r"^(fp|w[^ ]*)$")
    for name, chosen, which in (
        ("isoloss2026", ("kumar2024", "frantar2025", "panferov2025", "error_trained"), weights),
        ("quest2025", ("kumar2024", "frantar2025", "panferov2025", "error_trained"),
         pl.col("sparsity").is_null()),
    ):  # fmt: skip
        print(f"### Laws fitted to gaps of {name}, in training\n")
        found = compare(chosen, read(name).where(which), target="gap", draws=20)
        rows = [
            [
                e.fit.law.name,
                f"{e.held_out_rmse:.3f}",
                f"{e.weight:.2f}",
                f"{e.fit.fitted.log_rmse:.3f}",
            ]
            for e in found.entries
        ]
        print(table(["law", "held-out rmse of log gaps", "weight", "fitted rmse"], rows), "\n")
        for law, why in found.refused.items():
            print(f"{law}: {why}")


def targets() -> None:
    """Gaps of the largest size, of the longest runs and of a format that no law has seen: told by
    laws of losses, by laws of gaps, and by what a comparison of laws of gaps chooses.
    """
    print("### Gaps that were held out: fitted to losses, and fitted to gaps\n")
    print(
        f"Relative error of gaps above {LEAST} nats (root mean square of points, jackknife error "
        "over gaps) and how many have an interval: where the runs leave a gap untold, the point is "
        "scored all the same. Chosen: by `compare(..., target='gap')`, its first law and the "
        "average of all; ratio: error of the choice over that of a law, on the same gaps.\n"
    )
    head = ["table", "held out", "law", "of losses", "of gaps", "first chosen / it", "average / it"]
    rows = [
        row
        for name, (which, rules) in TABLES.items()
        for rule in rules
        for row in _on_target(name, read(name).where(which), rule)
    ]
    print(table(head, rows), "\n")


def _on_target(name: str, runs: Runs, rule: str) -> Iterator[list[str]]:
    """A row a law, those of the choices first, of one rule of holding out."""
    gaps = mean_gaps(runs).usable
    taken = gaps.frame()[split(as_sample(gaps), rule).test.tolist()]
    keys = ["precision"] if rule.startswith("format") else ["params", "tokens"]
    unseen = taken.select(keys).unique().to_dicts()
    train = runs.where(~pl.struct(keys).is_in(unseen))
    taken = taken.filter(pl.col("loss") > LEAST)
    known = compare(RIVALS, train, target="gap", draws=DRAWS)
    first, mixed = _off(known.entries[0].fit, taken), _off(known, taken)
    best = known.entries[0].fit.law.name.removeprefix("gap of ")
    yield [name, rule, f"first chosen: {best}", "", str(first), "", ""]
    yield [name, rule, "average", "", str(mixed), "", ""]
    constant = mean_gaps(train).usable.frame().group_by("precision").agg(pl.col("loss").mean())
    alike = dict(constant.iter_rows())
    told = np.array([alike.get(each, math.nan) for each in taken["precision"]])
    off = Off(told / taken["loss"].to_numpy() - 1, 0)
    yield [name, rule, "the format's mean gap", "", str(off), first.over(off), mixed.over(off)]
    for law in RIVALS:
        losses, theirs = (_fitted(law, train, target, taken) for target in ("loss", "gap"))
        rivals = [chosen.over(losses, theirs) for chosen in (first, mixed)]
        yield [name, rule, law, str(losses), str(theirs), *rivals]


@dataclass(frozen=True)
class Off:
    """Relative errors of gaps (n,), NaN where a law has no number; how many have intervals."""

    errors: Array
    told: int

    def __str__(self) -> str:
        squares = self.errors[np.isfinite(self.errors)] ** 2
        if len(squares) < 2:
            return "none"
        left = np.sqrt((squares.sum() - squares) / (len(squares) - 1))
        error = math.sqrt((len(left) - 1) * float(np.var(left)))
        count = (
            "" if len(squares) == len(self.errors) else f", {len(squares)} of {len(self.errors)}"
        )
        return f"{math.sqrt(squares.mean()):.2f} ({error:.2f}){count}, {self.told} told"

    def over(self, *rivals: Off) -> str:
        """The error over the smallest of the rivals', each on the gaps that both have."""
        ratios = []
        for rival in rivals:
            both = np.isfinite(self.errors) & np.isfinite(rival.errors)
            if both.sum() > 1:
                mean = np.mean(self.errors[both] ** 2) / np.mean(rival.errors[both] ** 2)
                ratios.append(math.sqrt(mean))
        return f"{max(ratios):.2f}" if ratios else ""


def _fitted(law: str, train: Runs, target: Target, taken: pl.DataFrame) -> Off:
    """Errors of a law that is fitted to losses or to gaps."""
    try:
        return _off(fit(law, train, target=target, draws=DRAWS), taken)
    except FitError:
        return Off(np.full(len(taken), np.nan), 0)


def _off(known: Fit | Comparison, taken: pl.DataFrame) -> Off:
    names = taken["precision"].to_list()
    try:
        found = predict(known, taken["params"], taken["tokens"], precision=names, gap=True)
    except DomainError:
        return Off(np.full(len(taken), np.nan), 0)
    errors = found.loss / taken["loss"].to_numpy() - 1
    return Off(errors, int(np.isfinite(found.low).sum()))


def _runs(ways: str, methods: bool = False) -> Runs:
    """Runs of isoloss2026 that were trained in full precision, as trained and served in some ways;
    `methods`: whether by others than rounding to nearest too.
    """
    spelled = pl.col("precision")
    chosen = spelled.str.contains(ways)
    return read("isoloss2026").where(
        (spelled == "fp") | (chosen if methods else chosen & ~spelled.str.contains("@"))
    )


def _left_out(runs: Runs, name: str) -> list[str]:
    return [name, *_told(_without("error", runs, name))]


def _without(law: Law | str, runs: Runs, name: str) -> Fit:
    return fit(law, runs, target="gap", holdout=_of_level(name), draws=200)


def _of_level(name: str) -> Callable[[Sample], Mask]:
    def held(sample: Sample) -> Mask:
        named = [str(level) == name for level in sample.x.levels.items]
        return np.array(named)[sample.x.level]

    return held


def _nearest(gaps: Runs, level: str, levels: Sequence[str]) -> tuple[str, str]:
    """The other level whose weights' error is nearest, and its gaps over those of the level."""
    alike = [each for each in levels if each != level and (" a" in each) == (" a" in level)]
    other = min(alike, key=lambda each: abs(math.log(_error(each) / _error(level))))
    frame = gaps.frame()
    one, two = (frame.filter(pl.col("precision") == each) for each in (level, other))
    both = one.join(two, on=("params", "tokens"), suffix="_other")
    return other, f"{np.median((both['loss_other'] / both['loss']).to_numpy()):.2f}"


def _error(level: str) -> float:
    known = Precision.parse(level).format("w")
    assert known is not None
    return relative_error(known)


def _ratio(found: Fit) -> str:
    held = found.held_out
    assert held is not None
    return f"{np.median(held.prediction.loss / held.observed):.2f}"


def _of_group(group: str) -> Callable[[Sample], Mask]:
    def held(sample: Sample) -> Mask:
        return np.array([str(each) == group for each in sample.runs["group"]])

    return held


def _told(found: Fit) -> Iterator[str]:
    """How the held-out gaps were met."""
    held = found.held_out
    assert held is not None
    ratio = held.prediction.loss / held.observed
    yield f"{len(ratio)}"
    mean = float(np.mean(held.observed))
    yield f"{mean:.5f}" + ("" if mean > LEAST else " (noise)")
    yield f"{np.median(ratio):.2f}"
    yield f"{np.quantile(ratio, 0.1):.2f} to {np.quantile(ratio, 0.9):.2f}"
    told = np.isfinite(held.prediction.low)
    inside = float(held.prediction.covers(held.observed).mean())
    yield f"{100 * inside:.0f}%" if told.any() else "not held"


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], str))
