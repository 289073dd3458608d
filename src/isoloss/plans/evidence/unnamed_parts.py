"""Parts that a spelling does not name: not rounded at all to a law, and computed in bf16."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.fits import ResultWarning, WarningKind, loss_in_words
from isoloss.formats import Precision
from isoloss.plans.budget import Budget
from isoloss.plans.evidence.choices import Choice
from isoloss.plans.search import Member, losses_at

BF16 = str(Precision("bf16"))
#: Parts that a product computes in bf16 where no format is named.
PARTS = ("w", "a")


def ahead_by_unnamed(
    members: Sequence[Member], counts: Sequence[Sequence[int]], choices: Sequence[Choice],
    budget: Budget,
) -> tuple[ResultWarning, ...]:  # fmt: skip
    """A warning where the first choice is ahead of bf16 only by parts that it does not name.

    To a law in bits 16 of them round a little, and a part without a format not at all; both run in
    bf16, so that a lead of this kind is none.

    Parameters
    ----------
    members, counts
        The laws of the first choice, and which of their replicates are averaged.
    choices
        Of the plan, the first one first.
    budget
        Of the plan.
    """
    first = choices[0]
    plain = next((c for c in choices if c.precision == BF16 and c.standing == "seen"), None)
    asked = Precision(first.precision)
    unnamed = [part for part in PARTS if asked.format(part) is None]
    if plain is None or plain is first or first.standing != "seen" or not unnamed:
        return ()
    named = " ".join(f"{part}:bf16" for part in unnamed)
    both = [asked, Precision.parse(f"{first.precision} {named}")]
    loss, weights = losses_at(members, counts, both, first.params, first.tokens, budget)
    more = float(np.average(loss[:, 1] - loss[:, 0], weights=weights))
    if not more >= plain.more:
        return ()
    text = (
        f"'{first.precision}' is ahead of bf16 by {loss_in_words(plain.more)} only because "
        f"{' and '.join(unnamed)}, which it does not name, count as not rounded at all: they are "
        f"computed in bf16, and with {named} its loss is {loss_in_words(more)} higher"
    )
    return (ResultWarning(WarningKind.UNTESTED, text),)
