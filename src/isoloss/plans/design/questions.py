"""Questions that first runs are to answer: the params of a plan, a token exponent, a gap."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from isoloss.files import real_number
from isoloss.formats import Precision
from isoloss.laws import Array
from isoloss.plans.budget import Budget
from isoloss.plans.design.power_laws import Readings
from isoloss.plans.problems import PlanError
from isoloss.runs import compact

#: The kinds of questions.
Kind = Literal["params", "exponent", "gap"]
#: How near an answer is wanted unless said: params within a factor, an exponent that is none.
WITHIN: dict[str, float] = {"params": 2.0, "exponent": 0.05, "gap": 0.0}
ACCEPTED = (
    "accepted are 'params within 1.5' (with a target, as 1e23 flop), 'exponent of w4' (the sign of "
    "the token exponent of its gap; 'within 0.05' counts as none) and 'gap of w4 > 0.02 at 7B, "
    "140B' (params, tokens; 'within 0.005' nats is near enough)"
)
#: Step of central differences.
STEP = 1e-5


@dataclass(frozen=True)
class Asked:
    """A question with all that it needs.

    Attributes
    ----------
    kind
        "params" of the compute-optimal plan, the sign of the token "exponent" of a gap, or whether
        a "gap" is more than a value.
    precision
        Of the gap; None for params.
    value
        The gap in question; NaN for others.
    target
        The compute of the plan, or the params and tokens at which the gap is asked for.
    within
        What is near enough, in the unit of the answer: the factor, most over least, within which
        params are wanted; the half-width at which an exponent counts as none; the nats within which
        a gap is known well enough on either side of the value.
    """

    kind: Kind
    precision: Precision | None
    value: float
    target: Budget | None
    within: float

    def answer(self, readings: Readings, theta: Array) -> float:
        """What one law answers: log params, the exponent, or the log gap over that in question."""
        if self.kind == "exponent":
            return float(theta[-1])
        assert self.target is not None
        if self.kind == "params":
            return readings.best_log_params(theta, self.target.train or float("nan"))
        n, d = self.target.params or float("nan"), self.target.tokens or float("nan")
        return readings.log_gap(theta, n, d) - float(np.log(self.value))

    def aim(self, readings: Readings, theta: Array) -> Array:
        """Slopes of the answer by the constants, (p,)."""
        steps = STEP * np.eye(len(theta))
        ends = ((theta + s, theta - s) for s in steps)
        found = [self.answer(readings, up) - self.answer(readings, down) for up, down in ends]
        return np.array(found) / (2 * STEP)

    def need(self, answer: float) -> float:
        """The half-width of the answer's interval at which the question is resolved."""
        match self.kind:
            case "params":
                return 0.5 * float(np.log(self.within))
            case "exponent":
                return max(abs(answer), self.within)
            case "gap":
                gap = self.value * np.exp(answer)
                return max(abs(answer), float(np.log1p(self.within / gap)))

    def point(self, readings: Readings, theta: Array) -> tuple[float, float] | None:
        """The params and tokens that the answer is about; None where it is about an exponent."""
        if self.kind == "exponent" or self.target is None:
            return None
        if self.kind == "gap":
            return self.target.params or float("nan"), self.target.tokens or float("nan")
        params = float(np.exp(self.answer(readings, theta)))
        return params, (self.target.train or float("nan")) / (6.0 * params)

    def say(self, answer: float) -> str:
        """An answer in words."""
        match self.kind:
            case "params":
                return f"{compact(float(np.exp(answer)))} params"
            case "exponent":
                return f"{answer:+.3f}"
            case "gap":
                return f"{self.value * np.exp(answer):.4f} nats"

    def width(self, half: float) -> str:
        """The interval of an answer in words."""
        if self.kind == "exponent":
            return f"+-{half:.3f}"
        return f"a factor of {np.exp(2 * half):.3g}"

    def span(self, answer: float, half: float) -> str:
        """The interval around one answer in the unit of the question."""
        match self.kind:
            case "params":
                return f"{np.exp(2 * half):.3g} x"
            case "exponent":
                return f"+-{half:.3f}"
            case "gap":
                low, high = (self.value * np.exp(answer + s * half) for s in (-1, 1))
                return f"{low:.3g} to {high:.3g}"

    @property
    def wanted(self) -> str:
        """The interval that answers the question, in words."""
        match self.kind:
            case "params":
                return f"a factor of {self.within:g}"
            case "exponent":
                return f"+-{self.within:g}, or the exponent's own size where it is larger,"
            case "gap":
                near = f", or ends {self.within:g} nats from the gap," if self.within else ""
                return f"an interval that leaves out {self.value:g} nats{near}"

    def __str__(self) -> str:
        match self.kind:
            case "params":
                return (
                    f"the params of a plan for {self.target}, within a factor of {self.within:g} "
                    "(the upper end of the interval over the lower)"
                )
            case "exponent":
                return (
                    f"the sign of the token exponent of the gap of '{self.precision}', or that it "
                    f"lies within {self.within:g} of zero"
                )
            case "gap":
                assert self.target is not None
                n, d = (compact(v or 0) for v in (self.target.params, self.target.tokens))
                near = f", or its gap within {self.within:g} nats" if self.within else ""
                return (
                    f"whether '{self.precision}' costs more than {self.value:g} nats at {n} params "
                    f"on {d} tokens{near}"
                )


def question_of(text: object, target: Budget | None, within: float | None) -> Asked:
    """The question that is meant.

    Raises
    ------
    PlanError
        It cannot be read, or its target lacks what it needs.
    """
    asked = text if isinstance(text, str) else ""
    asked, target, within = _suffixes(asked, target, within)
    found = re.fullmatch(
        r"\s*(params)\s*|\s*(exponent|gap)\s+(?:of\s+)?(.+?)\s*(?:\s>\s*([-+.\w]+))?\s*", asked
    )
    if found is None:
        raise PlanError(f"cannot read the question {text!r}; {ACCEPTED}")
    kind: Kind = found[1] or found[2]  # type: ignore[assignment]
    value = _value(found[4], text) if kind == "gap" else float("nan")
    if kind == "exponent" and found[4] is not None:
        raise PlanError(f"cannot read the question {text!r}; {ACCEPTED}")
    _check_target(kind, target)
    near = WITHIN[kind] if within is None else within
    if kind == "params" and not 1 < near < np.inf:
        raise PlanError(f"within is {near:g}; params are wanted within a factor above 1, as 1.5")
    if not 0 <= near < np.inf:
        raise PlanError(f"within is {near:g}; it is a number of at least 0, as 0.05")
    precision = None if kind == "params" else Precision.parse(found[3])
    return Asked(kind, precision, value, target, float(near))


def _suffixes(
    text: str, target: Budget | None, within: float | None
) -> tuple[str, Budget | None, float | None]:
    """A question without its "within 1.5" and "at 7B, 140B", and what these say."""
    if (near := re.search(r"\s+within\s+(\S+)\s*$", text)) is not None:
        if within is not None:
            raise PlanError(f"the question {text!r} says within, and within is also {within:g}")
        within, text = real_number(_number(near[1], text)), text[: near.start()]
    if (at := re.search(r"\s+at\s+([^\s,]+)[\s,]+(\S+)\s*$", text)) is not None:
        if target is not None:
            raise PlanError(f"the question {text!r} says at, and target is also {target}")
        target, text = Budget(params=at[1], tokens=at[2]), text[: at.start()]
    return text, target, within


def _number(text: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise PlanError(f"cannot read {text!r} in the question {whole!r}; {ACCEPTED}") from error


def _value(text: str | None, whole: object) -> float:
    if text is None:
        raise PlanError(f"the question {whole!r} says no gap; {ACCEPTED}")
    value = _number(text, str(whole))
    if not 0 < value < np.inf:
        raise PlanError(f"the gap of the question {whole!r} is not above 0; {ACCEPTED}")
    return value


def _check_target(kind: Kind, target: Budget | None) -> None:
    """Raise PlanError where a target lacks what a question needs, or says what it does not use."""
    limits = () if target is None else target.limits
    if kind == "exponent" and target is not None:
        raise PlanError(
            f"target is {target}, and an exponent is asked for at no compute, size or length; "
            "leave it out, and say how near zero counts as none as within=0.05 (--within 0.05)"
        )
    if kind == "params" and limits != ("train",):
        raise PlanError(
            "the params of a plan are asked for at a compute: give a target of train alone, as "
            "1e23 flop; how near they are wanted is within, as 'params within 1.5'"
        )
    if kind == "gap" and limits != ("params", "tokens"):
        raise PlanError(
            "a gap is asked for at one size and length: say 'at 7B, 140B', or give a target that "
            "holds params and tokens, and nothing else"
        )
