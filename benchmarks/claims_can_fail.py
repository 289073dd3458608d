"""Five computations changed on purpose, and which verdicts of `isoloss reproduce` turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np

import isoloss as il
from benchmarks.timing import table
from isoloss.formats import NOISES
from isoloss.papers import Claim, Laboratory, Report, Reproduction, Verdict, put_to_test, reproduce
from isoloss.papers.verdict import conditions
from isoloss.runs import cores, read

#: Claims whose check takes longer are left out of the changed runs.
MOST_SECONDS = 5.0
#: What the names of tables begin with in what a claim rests on.
TABLES = ("isoloss2026", "quest2025")


@dataclass(frozen=True)
class Change:
    """A computation changed on purpose.

    Attributes
    ----------
    name
        What is wrong.
    says
        The change.
    rests
        Words of which one stands in `Finding.rests_on` of the claims that rest on it.
    make
        Changes what a laboratory computes with, until the context ends.
    """

    name: str
    says: str
    rests: tuple[str, ...]
    make: Callable[[Laboratory], AbstractContextManager[None]]


def law_with(name: str, **values: float) -> Callable[[Laboratory], AbstractContextManager[None]]:
    """A preset law with other constants."""

    def make(laboratory: Laboratory) -> AbstractContextManager[None]:
        laboratory.once(("law", name), lambda: il.laws.preset(name).with_values(values))
        return nullcontext()

    return make


@contextmanager
def swapped(laboratory: Laboratory) -> Iterator[None]:
    """`add` computes what `vec` does, and the reverse."""
    add, vec = NOISES["add"], NOISES["vec"]
    home = NOISES.home("add")
    NOISES.register("add", vec, replace=True, home=home)
    NOISES.register("vec", add, replace=True, home=home)
    try:
        yield
    finally:
        NOISES.register("add", add, replace=True, home=home)
        NOISES.register("vec", vec, replace=True, home=home)


def shuffled(laboratory: Laboratory) -> AbstractContextManager[None]:
    """The losses of tables in another order."""
    rng = np.random.default_rng(0)
    for name in TABLES:
        runs = read(name)
        laboratory.once(
            ("runs", name), lambda runs=runs: runs.with_columns(loss=rng.permutation(runs["loss"]))
        )
    return nullcontext()


#: Offsets in Kumar's exponents, which the text of the paper leaves out.
OFFSETS = {"n_w": 0.0, "n_a": 0.0, "n_kv": 0.0, "b": 0.0}
CHANGES = (
    Change(
        "a wrong constant",
        "alpha of kumar2024 0.45 for 0.4965",
        ("kumar2024",),
        law_with("kumar2024", alpha=0.45),
    ),
    Change("a swapped scheme", "add and vec exchanged", ("exact risk",), swapped),
    Change(
        "a dropped term",
        "kumar2024 without offsets",
        ("kumar2024",),
        law_with("kumar2024", **OFFSETS),
    ),
    Change("a shuffled table", f"losses of {' and '.join(TABLES)} permuted", TABLES, shuffled),
    Change(
        "a wrong sign",
        "gamma_D of kumar2024 -0.5068",
        ("kumar2024",),
        law_with("kumar2024", gamma_D=-0.5068),
    ),
)


def resting_on(change: Change, found: Iterable[Reproduction]) -> list[Reproduction]:
    """The reproductions that rest on what a change changes, and do not take long."""
    return [
        each
        for each in found
        if each.finding is not None
        and any(word in line for word in change.rests for line in each.finding.rests_on)
        and each.seconds <= MOST_SECONDS
    ]


def changed(change: Change, claims: Sequence[Claim], seed: int = 0) -> list[Reproduction | str]:
    """What becomes of each claim under a change; a sentence where the check refuses its input."""
    laboratory = Laboratory(seed)
    with change.make(laboratory):
        return [_tested(each, laboratory) for each in claims]


def _tested(claim: Claim, laboratory: Laboratory) -> Reproduction | str:
    try:
        with np.errstate(all="ignore"):
            return put_to_test(claim, laboratory)
    except (ValueError, ArithmeticError, LookupError) as error:  # wrong numbers go anywhere
        return f"refused: {str(error).splitlines()[0]}"


def sentence(found: Reproduction | str) -> str:
    """The verdict, or the refusal."""
    return found if isinstance(found, str) else found.sentence


def turns(before: Reproduction, after: Reproduction | str) -> bool:
    """Whether the verdict is another, or other conditions hold; not whether its numbers are."""
    if isinstance(after, str):
        return True
    one, other = (
        (each.verdict, conditions((expected, judged) for expected, _, judged in each.figures))
        for each in (before, after)
    )
    return one != other


def moved(before: Reproduction, after: Reproduction | str) -> bool:
    """Whether any figure of a claim is another."""
    return isinstance(after, str) or not before.table().equals(after.table())


def main() -> None:
    found = reproduce(workers=cores())
    assert isinstance(found, Report)
    rows, lines = [], []
    for change in CHANGES:
        before = resting_on(change, found)
        after = changed(change, [each.claim for each in before])
        pairs = [each for each in zip(before, after, strict=True) if moved(*each)]
        held = [each for each in pairs if each[0].verdict in (Verdict.HOLDS, Verdict.ONLY_IF)]
        turned = [each for each in pairs if turns(*each)]
        count = sum(turns(*each) for each in held)
        rows.append([change.name, change.says, len(pairs), len(turned), len(held), count])
        lines += [
            [change.name, f"{one.claim.paper}, {one.claim.name}", one.sentence, sentence(other)]
            for one, other in turned
        ]
    head = ["change", "what", "claims with another figure", "verdicts that turn"]
    print(table([*head, "of them held before", "turn"], rows))
    print(
        f"\nOf the claims whose check takes up to {MOST_SECONDS:g} s. A claim that failed before "
        "may fail after.\n\n### Verdicts that turn\n"
    )
    cut = [[*one, before[:70], after[:70]] for *one, before, after in lines]
    print(table(["change", "claim", "before", "after"], cut))


if __name__ == "__main__":
    main()
