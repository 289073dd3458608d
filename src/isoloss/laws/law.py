"""A law: a formula with named constants, callable on params, tokens and precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from isoloss.files import displayed, encode, save
from isoloss.formats import Precision
from isoloss.laws.constant import Constant, check_bounds
from isoloss.laws.formula import Composed, Constants, Formula, Grouped, check
from isoloss.laws.inputs import DomainError, Inputs, Levels, as_inputs, shape_of
from isoloss.laws.jet import Array, plain
from isoloss.laws.provenance import Box, Evidence
from isoloss.laws.terms import bound

Spelling = str | Precision | Sequence[str | Precision]
T = TypeVar("T")


@displayed
@dataclass(frozen=True)
class Law:
    """Named constants and an equation: ``law(params, tokens, precision)`` is the loss, in nats or
    in the metric of the runs it was fitted to.

    Attributes
    ----------
    name
        Its name, as "kumar2024".
    formula
        The equation, a `Composed` or one's own; it says which constants there are.
    values
        The constants that are known, by name; the others are to be fitted.
    fixed
        Names of constants that a fit leaves at their values.
    ties
        A constant's name to that of the one it equals.
    bounds
        Bounds in a fit, by name, in place of the constant's own.
    title
        What it is, in a line.
    source
        The paper (arXiv number) and the place in it.
    evidence
        How form and constants are known, a letter of `EVIDENCE`.
    box
        The region that its runs cover, None where unknown.
    notes
        What a user must know: conventions, ranges, what was not published.
    metric
        What the loss is, as the column of runs: "nats" or "excess_risk". A fit takes that of its
        runs; constants whose unit is nats have none in another metric. "unknown" of a fitted law
        in a file that does not say it.

    Raises
    ------
    ValueError
        A constant that the formula has not, a fix without a value, or bounds that do not rise.
    """

    name: str
    formula: Formula
    values: Mapping[str, float] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    ties: Mapping[str, str] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    title: str = ""
    source: str = ""
    evidence: Evidence = "O"
    box: Box | None = None
    notes: tuple[str, ...] = ()
    metric: str = "nats"

    def __post_init__(self) -> None:
        known = {k.name for k in self.formula.constants}
        for word in (self.values, self.fixed, self.ties, self.ties.values(), self.bounds):
            for name in word:
                if name not in known:
                    raise ValueError(
                        f"law {self.name!r} has no constant {name!r}; it has "
                        f"{', '.join(sorted(known))}"
                    )
        for name in self.fixed:
            if name not in self.values:
                said = f"constant {name!r} of law {self.name!r} is fixed but has no value"
                raise ValueError(said)
        for k in self.formula.constants:
            check_bounds(k, self.bounds.get(k.name, (k.lower, k.upper)))

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Every constant with value and bounds; a tied one has the value of the one it equals."""
        out = []
        for k in self.formula.constants:
            lower, upper = self.bounds.get(k.name, (k.lower, k.upper))
            value = self.values.get(self.ties.get(k.name, k.name))
            start = (max(k.start[0], lower), min(k.start[1], upper))
            start = start if start[0] < start[1] else (lower, upper)
            unit = "" if k.unit == "nats" and self.metric != "nats" else k.unit
            out.append(replace(k, lower=lower, upper=upper, start=start, value=value, unit=unit))
        return tuple(out)

    @property
    def free(self) -> tuple[Constant, ...]:
        """The constants that a fit estimates: neither fixed nor tied."""
        return tuple(k for k in self.constants if k.name not in {*self.fixed, *self.ties})

    def __call__(
        self,
        params: ArrayLike,
        tokens: ArrayLike,
        precision: Spelling = "fp",
        *,
        unique_tokens: ArrayLike | None = None,
        sparsity: str | Sequence[str | None] | None = None,
        group: str | Sequence[str] | None = None,
    ) -> Array | float:
        """The loss, in `metric`.

        Parameters
        ----------
        params, tokens
            Counts; numbers or arrays that broadcast against each other.
        precision
            A spelling ("w4 a8", "w8 -> w4"), a Precision, or a list of them that broadcasts.
        unique_tokens
            The number of different tokens, for laws of repeated data; None: none is seen twice.
        sparsity
            The pattern of pruned weights, "2:4" or "50%"; one for all rows or one a row.
        group
            The group of runs, for laws with a base for each; one for all rows or one a row.

        Returns
        -------
        float or array
            Of the common shape; a float where all arguments are numbers.

        Raises
        ------
        DomainError
            The law is not defined there, or needs a constant without a value; nothing is clamped.
        """
        many = [np.shape(v) for v in (params, tokens, unique_tokens) if v is not None]
        many += [
            (len(v),)
            for v in (precision, sparsity, group)
            if not isinstance(v, str | Precision | None)
        ]
        shape = shape_of(many)
        rows = int(np.prod(shape))
        x = as_inputs(
            params,
            tokens,
            precision,
            unique_tokens=unique_tokens,
            sparsity=[sparsity] * rows if isinstance(sparsity, str) else sparsity,
            group=[group] * rows if isinstance(group, str) else group,
        )
        loss = self.loss(x)
        return loss.reshape(shape) if shape else float(loss[0])

    def gap(
        self,
        params: ArrayLike,
        tokens: ArrayLike,
        precision: Spelling,
        reference: Spelling = "fp",
        *,
        sparsity: str | None = None,
        group: str | None = None,
    ) -> Array | float:
        """The loss at a precision less the loss at a reference, same params and tokens.

        Parameters
        ----------
        params, tokens, precision, group
            As in a call of the law.
        reference
            The precision that is subtracted, in general exact arithmetic ("fp").
        sparsity
            The pattern of pruned weights at `precision`; the reference has all weights.

        Returns
        -------
        float or array
            Of the common shape.

        Raises
        ------
        DomainError
            The law is not defined at one of them.
        """
        rounded = self(params, tokens, precision, sparsity=sparsity, group=group)
        return rounded - self(params, tokens, reference, group=group)

    def loss(self, x: Inputs) -> Array:
        """The loss of every run of an Inputs, shape (n,)."""
        check(self.name, self.formula, self._known(), x)
        loss = self._evaluated(self._known(), x)
        bad = np.flatnonzero(~np.isfinite(loss))
        if len(bad):
            raise DomainError(self._why_undefined(x, int(bad[0])))
        return loss

    def factors(self, precision: Spelling, *, sparsity: str | None = None) -> tuple[Array, Array]:
        """Effective over nominal params and tokens at each precision.

        Parameters
        ----------
        precision
            One spelling or several.
        sparsity
            The pattern of pruned weights, for all of them.

        Returns
        -------
        tuple of array
            rho_N and rho_D, each of shape (precisions,).

        Raises
        ------
        DomainError
            The formula is no `Composed`, or a factor is not defined or has no single value.
        """
        inner = self.formula.inner if isinstance(self.formula, Grouped) else self.formula
        if not isinstance(inner, Composed):
            raise DomainError(
                f"law {self.name!r} has no factors: its precision does not act through params or "
                "tokens"
            )
        count = 1 if isinstance(precision, str | Precision) else len(precision)
        x = as_inputs(
            1e9, 1e9, precision, sparsity=None if sparsity is None else [sparsity] * count
        )
        c = {**{k.name: float("nan") for k in inner.constants}, **self._known()}
        factors = replace(inner, penalties=())
        factors.check(c, x)
        rho = (plain(v) * np.ones(len(x.levels)) for v in factors.factors(c, x.levels))
        rho_n, rho_d = (v[x.level] for v in rho)
        if not np.isfinite(rho_n + rho_d).all():
            names = [
                k.name for link in factors.links for k in link.constants if np.isnan(c[k.name])
            ]
            raise DomainError(
                f"law {self.name!r} has no single value for {', '.join(names)}, which its "
                "factors need"
            )
        return rho_n, rho_d

    def at(self, **values: float) -> Self:
        """The law with other values of some constants."""
        return replace(self, values={**self.values, **{k: float(v) for k, v in values.items()}})

    def with_values(self, values: Mapping[str, float]) -> Self:
        """As ``at``, for names that are no Python words, as ``eff[w4]``."""
        return replace(self, values={**self.values, **values})

    def fix(self, *names: str, **values: float) -> Self:
        """The law with some constants held in a fit, at their values or at those given."""
        law = self.at(**values)
        return replace(
            law,
            fixed=self.fixed | set(names) | set(values),
            ties=_without(self.ties, (*names, *values)),
        )

    def release(self, *names: str) -> Self:
        """The law with some constants estimated again: neither fixed nor tied."""
        return replace(self, fixed=self.fixed - set(names), ties=_without(self.ties, names))

    def tie(self, name: str, to: str) -> Self:
        """The law with one constant equal to another; what was tied to the first follows it.

        Parameters
        ----------
        name, to
            The constant, and the one that it equals.

        Raises
        ------
        ValueError
            A constant tied to itself, or a name that the law has not.
        """
        to = self.ties.get(to, to)
        if name == to:
            raise ValueError(f"constant {name!r} of law {self.name!r} cannot be tied to itself")
        ties = {k: to if v == name else v for k, v in self.ties.items()} | {name: to}
        return replace(
            self, values=_without(self.values, (name,)), fixed=self.fixed - {name}, ties=ties
        )

    def bounded(self, **bounds: tuple[float, float]) -> Self:
        """The law with other bounds in a fit."""
        return replace(self, bounds={**self.bounds, **bounds})

    def bind(self, levels: Levels) -> Self:
        """The law with one constant for every level of the data, where it has tables."""
        return replace(self, formula=bound(self.formula, levels))

    def per(self, names: Sequence[str], groups: Sequence[str]) -> Self:
        """The law with a value of some constants for every group; their fixes and ties carry over.

        A constant tied to one of them is grouped with it; a fixed one stays as it is.

        Parameters
        ----------
        names
            The constants with a value a group, in general those of the base.
        groups
            The groups; constants are then named as ``E[quest2025]``.
        """
        own = {n for n in names if n not in self.fixed}
        own |= {n for n, to in self.ties.items() if to in own}
        order = tuple(k.name for k in self.formula.constants if k.name in own)
        spread = {f"{n}[{g}]": (n, g) for n in order for g in groups}
        values, ties, bounds = (
            _without(self.values, order),
            _without(self.ties, order),
            _without(self.bounds, order),
        )
        values |= {new: self.values[n] for new, (n, _) in spread.items() if n in self.values}
        bounds |= {new: self.bounds[n] for new, (n, _) in spread.items() if n in self.bounds}
        tied = {new: (self.ties[n], g) for new, (n, g) in spread.items() if n in self.ties}
        ties |= {new: f"{to}[{g}]" if to in own else to for new, (to, g) in tied.items()}
        formula = Grouped(self.formula, order, tuple(groups))
        return replace(self, formula=formula, values=values, ties=ties, bounds=bounds)

    def __str__(self) -> str:
        source = f" ({self.source})" if self.source else ""
        head = f"{self.name}: {self.title or 'a law'}{source}"
        rows = []
        for k in self.constants:
            value = "to be fitted" if k.value is None or np.isnan(k.value) else f"{k.value:.6g}"
            held = f" = {self.ties[k.name]}" if k.name in self.ties else ""
            held = held or (" fixed" if k.name in self.fixed else "")
            rows.append(f"  {k.name:<22} {value:>12}{held:<10} {k.unit:<6} {k.meaning}")
        return "\n".join([head, *rows, *(f"  note: {note}" for note in self.notes)])

    def to_json(self) -> dict[str, Any]:
        """What a file keeps of the law, as JSON values; `law_from_json` reads it back.

        Raises
        ------
        ValueError
            A term type or function of the formula is not registered (`register`, `register_term`).
        """
        found: dict[str, Any] = encode(self)["Law"]
        return found

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write the law as a JSON file, which `isoloss.load` reads, and return its path.

        Parameters
        ----------
        path
            Where the file stands afterwards.
        force
            Replace a file that exists.

        Raises
        ------
        ValueError
            The file exists and `force` is not given, or the law cannot be saved (see `to_json`).
        """
        return save(self, path, force)

    def _known(self) -> Constants:
        return {k.name: float("nan") if k.value is None else k.value for k in self.constants}

    def _evaluated(self, c: Constants, x: Inputs) -> Array:
        with np.errstate(all="ignore"):
            return np.array(np.broadcast_to(plain(self.formula.loss(c, x)), (len(x),)))

    def _why_undefined(self, x: Inputs, row: int) -> str:
        one = x.take(np.array([row]))
        place = f"params {x.params[row]:.3g}, tokens {x.tokens[row]:.3g}"
        where = f"{place}, precision '{x.levels.items[x.level[row]]}'"
        unknown = {
            k.name: sum(k.start) / 2 for k in self.constants if k.value is None or np.isnan(k.value)
        }
        # Of the constants without a value, those matter here that alone make the loss undefined.
        filled = {**self._known(), **unknown}
        needed = [
            k for k in unknown if np.isnan(self._evaluated({**filled, k: float("nan")}, one)[0])
        ]
        if needed:
            found = f"no value for {', '.join(needed)}, needed at {where}"
            return f"law {self.name!r} has {found}; fit it or give values with at()"
        return f"law {self.name!r} is not defined at {where}"


def _without(mapping: Mapping[str, T], names: Sequence[str]) -> dict[str, T]:
    return {k: v for k, v in mapping.items() if k not in names}
