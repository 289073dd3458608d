"""The algebra of laws: a base, factors on params and tokens, and penalties, each a frozen term.

    L = E + (A (N' rho_N)^-alpha + B (D' rho_D)^-beta)^kappa + sum_j delta_j

N', D' are params and tokens after the maps (data repetition, a cap on the model size), rho_N and
rho_D are products of links (each depends on the format of one part), and the delta_j are penalties.
Reference: the forms of Kaplan, Hoffmann, Muennighoff, Kumar, Frantar, Panferov, Quartet, Sun, Chen,
Dremov and Ouyang are instances.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import numpy as np

from isoloss.laws.constant import Constant, amplitude, exponent
from isoloss.laws.inputs import DomainError, Inputs, Levels, Mask
from isoloss.laws.jet import Value, plain, select, take

Constants = Mapping[str, Value]
T = TypeVar("T")


class Formula(Protocol):
    """Anything that gives a loss from constants and inputs: the equation of a law."""

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The constants it is made of, in the order in which they are reported."""

    def loss(self, c: Constants, x: Inputs) -> Value:
        """The loss of every run, shape (S, n) when constants are (S, 1), NaN outside its domain."""

    def check(self, c: Constants, x: Inputs) -> None:
        """Raise DomainError where the formula is undefined; unknown constants are NaN."""


class Link(Protocol):
    """A factor that depends on how a part is rounded."""

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Its constants."""

    def applies(self, levels: Levels) -> Mask:
        """The levels at which it acts; elsewhere the factor is one."""

    def __call__(self, c: Constants, levels: Levels) -> Value:
        """The factor at every level, shape (S, levels); NaN where it acts but is not defined."""

    def domain(self, c: Constants) -> str:
        """Where the factor is defined and positive, as the end of an error sentence."""


class Addend(Protocol):
    """A penalty: a loss that is added to the base; its domain is that of its ``links``."""

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Its constants."""

    @property
    def links(self) -> tuple[Link, ...]:
        """The links it is made of."""

    def applies(self, levels: Levels) -> Mask:
        """The levels at which it acts; elsewhere it is exactly zero."""

    def __call__(self, c: Constants, x: Inputs, log_params: Value) -> Value:
        """The penalty of every run; ``log_params`` is that of the effective params."""


@runtime_checkable
class Linked(Protocol):
    """A term or formula made of links, which can be changed: how tables get their labels."""

    def with_links(self, change: Callable[[Link], Link]) -> Any:
        """The same with each link changed."""


class ArgumentMap(Protocol):
    """A change of params or tokens before the base sees them."""

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Its constants."""

    def __call__(
        self, c: Constants, x: Inputs, params: Value, tokens: Value
    ) -> tuple[Value, Value]:
        """Params and tokens as the base sees them."""


def takes(function: object, count: int) -> bool:
    """Whether a function or a term can be called with that many arguments; True where unknown."""
    try:
        signature(cast(Callable[..., Any], function)).bind(*(None,) * count)
    except TypeError:
        return False
    except ValueError:  # compiled functions have no signature
        return True
    return True


def relinked(term: T, change: Callable[[Link], Link]) -> T:
    """The term or formula with each link in it changed, or itself where it is not made of links."""
    return cast(T, term.with_links(change)) if isinstance(term, Linked) else term


def each(links: tuple[Link, ...], change: Callable[[Link], Link]) -> tuple[Link, ...]:
    """Links changed one by one, the links inside them first."""
    return tuple(change(relinked(link, change)) for link in links)


def changed_power(
    given: Constant | Link | None, change: Callable[[Link], Link]
) -> Constant | Link | None:
    """A power that may be a table, changed where it is."""
    return given if given is None or isinstance(given, Constant) else each((given,), change)[0]


def product(links: tuple[Link, ...], c: Constants, levels: Levels) -> Value:
    """The product of links at every level; the float one where none applies."""
    total: Value = 1.0
    for link in links:
        mask = link.applies(levels)
        if mask.any():
            total = total * select(mask, link(c, levels), 1.0)
    return total


BASE = (
    amplitude("A", "size of the params term", "nats"),
    exponent("alpha", "how fast loss falls with params"),
    amplitude("B", "size of the tokens term", "nats"),
    exponent("beta", "how fast loss falls with tokens"),
    Constant("E", "irreducible loss", 0.0, 20.0, (0.3, 2.5), "nats", amplitude=True),
    Constant("kappa", "outer exponent of the base", 0.05, 3.0, (0.2, 1.2)),
)


@dataclass(frozen=True)
class Composed:
    """A base with factors, maps and penalties.

    Attributes
    ----------
    params_factor, tokens_factor
        Links whose products are rho_N and rho_D: what a precision leaves of params and tokens.
    penalties
        Losses that are added.
    maps
        Changes of params and tokens before the base sees them, one after the other.
    """

    params_factor: tuple[Link, ...] = ()
    tokens_factor: tuple[Link, ...] = ()
    penalties: tuple[Addend, ...] = ()
    maps: tuple[ArgumentMap, ...] = ()

    @property
    def constants(self) -> tuple[Constant, ...]:
        """A, alpha, B, beta, E, kappa, then those of the terms.

        A name that two terms use is one constant.
        """
        terms: tuple[ArgumentMap | Link | Addend, ...]
        terms = (*self.maps, *self.params_factor, *self.tokens_factor, *self.penalties)
        return tuple(
            {k.name: k for k in (*BASE, *(k for term in terms for k in term.constants))}.values()
        )

    @property
    def links(self) -> tuple[Link, ...]:
        """The links of its factors, then those of its penalties."""
        return (
            *self.params_factor,
            *self.tokens_factor,
            *(k for p in self.penalties for k in p.links),
        )

    def with_links(self, change: Callable[[Link], Link]) -> Composed:
        """The formula with each link changed."""
        return replace(
            self,
            params_factor=each(self.params_factor, change),
            tokens_factor=each(self.tokens_factor, change),
            penalties=tuple(relinked(penalty, change) for penalty in self.penalties),
        )

    def loss(self, c: Constants, x: Inputs) -> Value:
        """The loss of every run."""
        log_n, log_d = self._arguments(c, x)
        reducible = c["A"] * np.exp(-c["alpha"] * log_n) + c["B"] * np.exp(-c["beta"] * log_d)
        kappa = c["kappa"]
        if not (isinstance(kappa, float) and kappa == 1.0):
            reducible = reducible**kappa
        total = reducible + c["E"]
        for penalty in self.penalties:
            total = total + penalty(c, x, log_n)
        return total

    def _arguments(self, c: Constants, x: Inputs) -> tuple[Value, Value]:
        """Logarithms of the params and tokens that the base sees."""
        log_n: Value = x.log_params
        log_d: Value = x.log_tokens
        if self.maps:
            n, d = x.params, x.tokens
            for change in self.maps:
                n, d = change(c, x, n, d)
            log_n, log_d = np.log(n), np.log(d)
        rho_n, rho_d = self.factors(c, x.levels)
        log_n = log_n if isinstance(rho_n, float) else log_n + take(np.log(rho_n), x.level)
        log_d = log_d if isinstance(rho_d, float) else log_d + take(np.log(rho_d), x.level)
        return log_n, log_d

    def factors(self, c: Constants, levels: Levels) -> tuple[Value, Value]:
        """rho_N and rho_D at every level: effective over nominal params and tokens."""
        return product(self.params_factor, c, levels), product(self.tokens_factor, c, levels)

    def check(self, c: Constants, x: Inputs) -> None:
        """Raise DomainError where a factor is not positive, with what the link needs."""
        everywhere = np.ones(len(x.levels), dtype=bool)
        for link in (*self.params_factor, *self.tokens_factor):
            _check_link(link, c, x, everywhere, np.less_equal)
        for penalty in self.penalties:
            for link in penalty.links:
                _check_link(link, c, x, penalty.applies(x.levels), np.less)


def check(name: str, formula: Formula, c: Constants, x: Inputs) -> None:
    """Raise DomainError where the formula of a law is undefined, or it has no groups and some are
    named."""
    if x.groups and not hasattr(formula, "groups"):
        raise DomainError(
            f"group is {', '.join(map(repr, x.groups[:6]))}, and law {name!r} has one base for all "
            "runs; leave group out, or fit the law with per= for a base a group"
        )
    formula.check(c, x)


def _check_link(link: Link, c: Constants, x: Inputs, acts: Mask, wrong: np.ufunc) -> None:
    """Raise DomainError at the first level of a run where the link is no factor.

    ``wrong`` compares it with zero: a factor inside the base must be above, one of a penalty may be
    zero. Constants without a value stand at the middle of their range: what is not defined even so
    is for want of a property of the format, not of a value.
    """
    unknown = {
        k.name: sum(k.start) / 2
        for k in link.constants
        if np.isnan(plain(c.get(k.name, 0.0))).any()
    }
    mask = link.applies(x.levels) & acts
    if not mask.any():
        return
    with np.errstate(all="ignore"):
        values = np.broadcast_to(plain(link({**c, **unknown}, x.levels)), (len(x.levels),))
    for k in x.present:
        if mask[k] and (np.isnan(values[k]) or (wrong(values[k], 0.0) and not unknown)):
            fault = (
                "gives no factor" if np.isnan(values[k]) else f"gives a factor of {values[k]:.4g}"
            )
            raise DomainError(f"precision '{x.levels.items[k]}' {fault}: {link.domain(c)}")


@dataclass(frozen=True)
class Grouped:
    """A formula in which some constants have a value for every group of runs (``per="source"``).

    Attributes
    ----------
    inner
        The formula of one group.
    names
        The constants with a value a group.
    groups
        The groups.
    """

    inner: Formula
    names: tuple[str, ...]
    groups: tuple[str, ...]

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The grouped constants once a group, as ``E[quest2025]``, the others as they are."""
        out: list[Constant] = []
        for k in self.inner.constants:
            out += (
                [k.renamed(f"{k.name}[{g}]", g) for g in self.groups]
                if k.name in self.names
                else [k]
            )
        return tuple(out)

    def with_links(self, change: Callable[[Link], Link]) -> Grouped:
        """The formula with each link of its inner one changed."""
        return replace(self, inner=relinked(self.inner, change))

    def loss(self, c: Constants, x: Inputs) -> Value:
        """The loss of every run with the constants of its group."""
        return self.inner.loss(self._spread(c, x), x)

    def check(self, c: Constants, x: Inputs) -> None:
        """Raise DomainError for a group without constants, then what the inner formula raises."""
        if set(x.groups) - set(self.groups) or not x.groups:
            found, known = ", ".join(x.groups) or "none", ", ".join(self.groups)
            raise DomainError(f"group {found} has no base; there is one for {known}")
        for index, group in enumerate(x.groups):
            own = {name: c[f"{name}[{group}]"] for name in self.names}
            self.inner.check({**c, **own}, x.take(np.flatnonzero(x.group == index)))

    def _spread(self, c: Constants, x: Inputs) -> Constants:
        masks = {g: x.group == x.groups.index(g) for g in x.groups}
        spread = dict(c)
        for name in self.names:
            spread[name] = sum(
                (select(mask, c[f"{name}[{g}]"], 0.0) for g, mask in masks.items()), start=0.0
            )
        return spread
