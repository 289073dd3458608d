"""A task's trained module, rounded for serving: what post names anew, the rest as it was trained.

Weights are rounded as the optimiser holds them; parts that post does not name are served as the
forward pass of training had them, so that "w8 a8 -> w4" keeps its activations in int8.
"""

from __future__ import annotations

from isoloss.formats import Format, Precision
from isoloss.lm.after import check_scope, served
from isoloss.lm.rounding import rule_of, without_method
from isoloss.lm.shape import ModelError

#: Gradient rules that round as `formats` do; others have grids of their own.
_AS_FORMATS = ("ste", "clipped")


def as_served(trained: Precision, post: str | Precision) -> Precision:
    """What is served, the whole of it after the arrow: parts named by `post`, others as trained.

    Raises
    ------
    ModelError
        A part that is not named was trained on a grid of its rule's own.
    """
    row = served(trained, post)
    if not row.serve:
        raise ModelError(
            f"serving differs in nothing from '{trained}'; name parts such as 'w4' or 'w4 a8'"
        )
    found: dict[str, Format] = {}
    for scope, known in trained.stages[-1].train.items():
        part = scope.partition(".")[0]
        if part == "g" or known.is_exact or {part, scope} & set(row.serve):
            continue
        if (rule := rule_of(known)).name not in _AS_FORMATS:
            raise ModelError(
                f"'{scope}:{known}' was trained on the grid of @{rule.name}, which serving has "
                f"not; name '{scope}' anew in post ('{row}')"
            )
        found[scope] = without_method(known)
    return Precision("fp", {**found, **row.serve})


def check_served(whole: Precision) -> None:
    """Raise ModelError for parts and methods that serving lacks."""
    for scope, known in whole.serve.items():
        check_scope(scope, known, whole)
