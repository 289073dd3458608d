"""The tab of plans: a plan, its map, its frontier, what each law says, and where one is."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any

import isoloss as il
from isoloss.app.asked import PlanAsked, listed, told
from isoloss.app.dropped import Dropped
from isoloss.app.lines import Code, Lines, budget_call, call, command, one_or_many, plain

#: Plans that are kept for the other pictures of the same question.
KEPT = 16
#: What the page has in place of an option.
BOX = "'recommend outside the runs' overrides"
#: What a plan is not asked: where one is.
HERE, USUAL = ("params", "tokens", "rounded", "bits"), told(PlanAsked())


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
            "is_recommended": found.best is not None,
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
        point = {name: getattr(first, name) for name in ("params", "tokens", "loss")}
        is_recommended = found.best is not None
        return {**surface, "regions": regions, "first": point, "is_recommended": is_recommended}

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
        words = {"params": plain(asked.params), "tokens": plain(asked.tokens), "bits": asked.bits}
        python = call("il.plans.gaps_by_law", *words.values())
        return {
            "answers": answers,
            "bits": asked.bits,
            "silent": found.silent,
            "warnings": [str(each) for each in found.warnings],
            **_lines(Lines((command("disagree", **words),), ("import isoloss as il", python))),
        }

    def here(self, asked: PlanAsked) -> dict[str, Any]:
        """The loss of one's own model by each law, with its interval, or why it tells none."""
        own = self.dropped[asked.file] if asked.file else None
        laws = {own.name: own.law} if own is not None else {name: name for name in asked.names}
        words = {"params": plain(asked.params), "tokens": plain(asked.tokens)}
        shell, notebook = [], []
        for name in laws:
            kept = name if own is None else own.saved
            shell.append(command("predict", kept, **words, precision=asked.rounded))
            law = name if own is None else Code("fit")
            notebook.append(call("il.predict", law, *words.values(), asked.rounded))
        found = [_at(law, name, asked) for name, law in laws.items()]
        return {"laws": found, "shell": shell, "notebook": notebook}

    def _plan_lines(self, asked: PlanAsked) -> Lines:
        words = budget_words(asked)
        own = self.dropped[asked.file] if asked.file else None
        named = asked.laws if own is None else own.saved
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
    return dataclasses.replace(asked, **{name: USUAL[name] for name in HERE})


def _at(law: Any, name: str, asked: PlanAsked) -> dict[str, Any]:
    """What a law says of one's own model."""
    try:
        found = il.predict(law, asked.params, asked.tokens, asked.rounded)
    except ValueError as error:
        return {"law": name, "loss": None, "warnings": [str(error)]}
    [(loss, low, high)] = found
    warned = [str(warning) for warning in found.warnings]
    return {
        "law": name, "loss": loss, "low": low, "high": high, "level": found.level,
        "warnings": warned,
    }  # fmt: skip


def _choice(each: Any) -> dict[str, Any]:
    kept = (
        "precision", "params", "tokens", "loss", "params_interval", "tokens_interval",
        "loss_interval", "probability", "binding", "device_hours", "wall_hours", "money",
        "serving_bytes", "standing",
    )  # fmt: skip
    return {name: getattr(each, name) for name in kept} | {
        "no_interval": None if each.has_interval else each.absent,
        "more": each.more_at_least if each.standing == "at least" else each.more,
    }


def _lines(found: Lines) -> dict[str, Any]:
    return {"shell": found.shell, "notebook": found.notebook}
