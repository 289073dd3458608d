"""The tab of plans: a plan, its map, its frontier, what each law says, and where one is."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any

import isoloss as il
from isoloss.app.asked import PlanAsked, listed
from isoloss.app.dropped import Dropped
from isoloss.app.lines import Code, Lines, budget_call, call, command, one_or_many, plain

#: Plans that are kept for the other pictures of the same question.
KEPT = 16
#: What the page has in place of an option.
BOX = "'recommend outside the runs' overrides"


def budget_words(asked: PlanAsked) -> dict[str, Any]:
    """The budget that is asked for, in the words of `Budget` and of the command line."""
    words: dict[str, Any] = {"train": f"{plain(asked.train)} flop"}
    if asked.hours is not None:
        words["hours"] = f"{plain(asked.hours)} hours"
    if asked.devices is not None:
        words["devices"] = asked.devices
    if asked.price is not None:
        words["price"] = f"{plain(asked.price)} USD"
    if asked.served is not None:
        words["served"] = plain(asked.served)
        words["serve_rate"] = f"{plain(asked.serve_rate)} tokens/s at 8B"
    if asked.memory is not None:
        words["memory"] = f"{plain(asked.memory)} GB"
    return words


class PlanTab:
    """The numbers of the tab; the last plans are kept for the pictures that follow."""

    def __init__(self, dropped: Dropped) -> None:
        self.dropped = dropped
        self._planned = lru_cache(maxsize=KEPT)(self._plan)

    def laws(self, asked: PlanAsked) -> Any:
        """The laws that are asked: those of a file, or published ones by name."""
        return self.dropped[asked.file].law if asked.file else one_or_many(asked.names)

    def _plan(self, asked: PlanAsked) -> Any:
        return il.plan(
            self.laws(asked), il.Budget(**budget_words(asked)), asked.hardware,
            precision=listed(asked.precision) or None, extrapolate=asked.extrapolate,
            draws=asked.draws,
        )  # fmt: skip

    def plan(self, asked: PlanAsked) -> dict[str, Any]:
        """The choices with their intervals, the recommendation or why it is withheld, warnings."""
        found = self._planned(_of_plan(asked))
        return {
            "recommendation": [
                each.replace(il.plans.OVERRIDE, BOX) for each in found.recommendation
            ],
            "metric": found.metric,
            "level": found.level,
            "currency": found.currency,
            "devices": found.devices,
            "choices": [_choice(each) for each in found.choices],
            "by_law": [dataclasses.asdict(each) for each in found.by_law],
            "warnings": [str(each) for each in found.warnings],
            "dropped": dict(found.dropped),
            **_lines(self._plan_lines(asked)),
        }

    def map(self, asked: PlanAsked) -> dict[str, Any]:
        """Loss over params and tokens, the limits of the budget, the regions of the runs."""
        found = self._planned(_of_plan(asked))
        surface = dataclasses.asdict(found.surface)
        boxes = (m.law.box for m in found.question.members)
        regions = [{"params": b.params, "tokens": b.tokens} for b in boxes if b is not None]
        first = found.choices[0]
        best = {"params": first.params, "tokens": first.tokens, "loss": first.loss}
        return {**surface, "regions": regions, "first": best, "is_best": found.best is not None}

    def frontier(self, asked: PlanAsked) -> dict[str, Any]:
        """The least loss at each cost, by precision."""
        found = self._planned(_of_plan(asked)).frontier
        return {"curves": []} if found is None else dataclasses.asdict(found)

    def disagreement(self, asked: PlanAsked) -> dict[str, Any]:
        """What every published law says that some bits cost, at one's own model."""
        found = il.plans.gaps_by_law(plain(asked.params), plain(asked.tokens), asked.bits)
        answers = [
            {
                "law": each.reading.law, "asked": each.precision, "method": each.reading.method,
                "gap": each.gaps[0], "outside": each.outside[0],
            }
            for each in found.answers
        ]  # fmt: skip
        told = {"params": plain(asked.params), "tokens": plain(asked.tokens), "bits": asked.bits}
        python = call("il.plans.gaps_by_law", *told.values())
        return {
            "answers": answers,
            "silent": found.silent,
            **_lines(Lines((command("disagree", **told),), ("import isoloss as il", python))),
        }

    def here(self, asked: PlanAsked) -> dict[str, Any]:
        """The loss of one's own model by each law, with its interval."""
        own = self.dropped[asked.file] if asked.file else None
        laws = {own.name: own.law} if own is not None else {name: name for name in asked.names}
        found = {
            name: il.predict(law, asked.params, asked.tokens, asked.rounded)
            for name, law in laws.items()
        }
        told = {"params": plain(asked.params), "tokens": plain(asked.tokens)}
        kept = "fit.json" if own is not None else None
        return {
            "laws": [
                {
                    "law": name, "loss": float(each.loss[0]), "low": float(each.low[0]),
                    "high": float(each.high[0]),
                    "warnings": [str(warning) for warning in each.warnings],
                }
                for name, each in found.items()
            ],
            "shell": [
                command("predict", kept or name, **told, precision=asked.rounded) for name in found
            ],
            "notebook": [
                call("il.predict", Code("fit") if own else name, *told.values(), asked.rounded)
                for name in found
            ],
        }  # fmt: skip

    def _plan_lines(self, asked: PlanAsked) -> Lines:
        words = budget_words(asked)
        own = self.dropped[asked.file] if asked.file else None
        named = asked.laws if own is None else "fit.json"
        shell = command(
            "plan", named, **words, hardware=asked.hardware, precision=asked.precision or None,
            extrapolate=asked.extrapolate, draws=asked.draws,
        )  # fmt: skip
        laws = one_or_many(asked.names) if own is None else Code("fit")
        python = call(
            "il.plan", laws, budget_call(words), asked.hardware,
            precision=listed(asked.precision) or None, extrapolate=asked.extrapolate,
            draws=asked.draws,
        )  # fmt: skip
        before = own.lines if own is not None else Lines((), ())
        return Lines(
            (*before.shell, shell), ("import isoloss as il", *before.notebook, f"plan = {python}")
        )


def _of_plan(asked: PlanAsked) -> PlanAsked:
    """What of the question moves the plan: where one is does not."""
    return dataclasses.replace(asked, params=1e9, tokens=2e10, rounded="bf16", bits=4)


def _choice(each: Any) -> dict[str, Any]:
    kept = (
        "precision", "params", "tokens", "loss", "params_interval", "tokens_interval",
        "loss_interval", "probability", "binding", "device_hours", "wall_hours", "money",
        "money_interval", "serving_bytes", "standing", "more", "outside",
    )  # fmt: skip
    return {name: getattr(each, name) for name in kept} | {
        "no_interval": None if each.has_interval else each.absent
    }


def _lines(found: Lines) -> dict[str, Any]:
    return {"shell": found.shell, "notebook": found.notebook}
