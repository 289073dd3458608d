"""How a gradient passes a rounding: a rule as a value, and the open set of all rules.

Rounding Q is flat almost everywhere, so its true gradient is 0 and teaches nothing. Every rule puts
something in its place: with y = Q(x) and g = dL/dy it says what dL/dx is, and sometimes rounds to a
grid of its own. Each is one file in rules/, with its formula and source at the top:

    @ste       dL/dx = g everywhere; the rule where none is named
    @clipped   dL/dx = g inside the grid, 0 where x was clipped
    @lsq       the same, and the step of the grid is a parameter with a gradient of its own
    @quest     in a rotated basis, 0 where the error exceeds half a step

The backward products see the rounded operand in every rule: dx = g Q(W), dW = g^T Q(x).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from isoloss.files import Registry
from isoloss.formats import Format, Precision, fills_up, is_operand
from isoloss.lm.entries import check_name, register_folder
from isoloss.lm.rounding.learned_step import LearnedStep
from isoloss.lm.shape import ModelError

#: The rule of a format that names none.
PLAIN = "ste"


def _takes_all(known: Format, scope: str, share: str | int | None) -> str | None:
    return None


@dataclass(frozen=True)
class GradientRule:
    """How training rounds a part and passes its gradient: ``w4@name``.

    Attributes
    ----------
    name
        How it is spelled behind the @: lower-case letters, digits and single underscores.
    apply
        A function of (x, known, random, compiled) that returns x rounded, with the gradient of the
        rule, shape and dtype of x. known: the format, its granularity filled in, without a method;
        random: a torch.Generator where the format draws, else None; compiled: whether torch.compile
        may fuse the rounding.
    module
        In place of `apply`, for a rule whose step is learned: a function of (known, shape,
        compiled) that makes the module, a `LearnedStep`; shape is that of weights (outputs,
        inputs), None for what comes in batches.
    refusal
        Why a part cannot have it, as the end of a sentence, or None: of the format, the scope
        ("w.fc1") and what shares a scale ("row", "tensor" or a group's size).
    label
        What the column `method` of a run says; the name unless given.
    plain
        Whether it rounds as `formats` does and passes the gradient whole, so that batched sweeps
        may round many formats in one pass.
    any_groups
        Whether it takes tiles, and a last group that is smaller than the others, as `formats` does.
    """

    name: str
    apply: Callable[[Tensor, Format, Any, bool], Tensor] | None = None
    module: Callable[[Format, tuple[int, int] | None, bool], LearnedStep] | None = None
    refusal: Callable[[Format, str, str | int | None], str | None] = _takes_all
    label: str | None = None
    plain: bool = False
    any_groups: bool = False

    def __post_init__(self) -> None:
        check_name("training method", self.name)
        if (self.apply is None) == (self.module is None):
            raise ModelError(
                f"the training method '{self.name}' needs either a function 'apply' or one that "
                "makes its 'module'"
            )

    @property
    def learned(self) -> bool:
        """Whether it has parameters of its own."""
        return self.module is not None


def _shipped() -> None:
    register_folder(RULES, "isoloss.lm.rounding.rules", "RULE")


RULES: Registry[GradientRule] = Registry("training method", ModelError, _shipped, of=GradientRule)


def register_rule(rule: GradientRule, *, replace: bool = False) -> GradientRule:
    """Make a gradient rule of your own known as ``@name`` in training.

    Parameters
    ----------
    rule
        The record. Processes of a sweep are sent its functions by reference, so they stand at the
        top level of a module; the command line learns of the module by ``--use``.
    replace
        Give a taken name to this rule, as when the cell of a notebook runs again.

    Returns
    -------
    GradientRule
        The rule itself.

    Raises
    ------
    ModelError
        The name is taken by another rule.
    """
    return RULES.add(rule, replace=replace)


def rule_of(known: Format) -> GradientRule:
    """The rule that a format names, the plain one where it names none.

    Raises
    ------
    ModelError
        There is no such rule; the sentence has those that there are.
    """
    return RULES[known.method or PLAIN]


def own_rules(formats: Iterable[Format]) -> tuple[GradientRule, ...]:
    """The rules among those of some formats that isoloss does not ship: what a worker must be
    sent.
    """
    return RULES.own(rule_of(known) for known in formats)


def know_rules(rules: Iterable[GradientRule]) -> None:
    """Register rules that another process sent; those that are known already keep their home."""
    for rule in rules:
        RULES.receive(rule, (rule.apply or rule.module).__module__)


def without_method(known: Format) -> Format:
    """The format itself, as its rule rounds to it."""
    return known if known.method is None else replace(known, method=None)


def method_of(precision: Precision) -> str | None:
    """What a table of runs calls the way gradients take in training: one word, or one for each part
    that is set.
    """
    words = {
        scope: rule_of(known).label or rule_of(known).name
        for stage in precision.stages
        for scope, known in stage.train.items()
        if not known.is_exact
    }
    if len(set(words.values())) <= 1:
        return next(iter(words.values()), None)
    return ", ".join(f"{scope} {word}" for scope, word in words.items())


def check_method(known: Format, scope: str, share: str | int | None) -> None:
    """Raise ModelError for a training method that is unknown, or that the format and part cannot
    have.
    """
    try:
        rule = rule_of(known)
    except ModelError as error:
        raise ModelError(f"{error} (in '{scope}:{known}')") from None
    if known.tile and not rule.any_groups:
        raise ModelError(
            f"'{scope}:{known}' cannot be: @{rule.name} takes no tiles; accepted are /tensor, /row "
            "and a group size"
        )
    if known.tile and not fills_up(known):
        raise ModelError(
            f"'{scope}:{known}' cannot be: tiles take neither +had nor scales that are means"
        )
    if rule.plain:
        return
    if scope.partition(".")[0] == "g" or is_operand(scope):
        raise ModelError(
            f"'{scope}:{known}' has no gradient to pass on; output gradients and operands of the "
            "backward products take no method"
        )
    if problem := rule.refusal(known, scope, share):
        raise ModelError(f"'{scope}:{known}' cannot be: {problem}")
