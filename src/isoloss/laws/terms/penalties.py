"""Penalties: losses added to the base, and the conditions that say at which levels they act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from isoloss.laws.constant import Constant
from isoloss.laws.formula import Constants, Link, changed_power, each, product
from isoloss.laws.inputs import Inputs, Levels, Mask, Stage
from isoloss.laws.jet import Value, select, take


class Condition(Protocol):
    """Says at which levels a penalty acts; a table is one, too."""

    def applies(self, levels: Levels) -> Mask:
        """The levels at which it acts, shape (levels,)."""


@dataclass(frozen=True)
class Rounded:
    """The levels at which a part has a format of its own.

    Attributes
    ----------
    part
        The part, as "w".
    stage
        "train" or "serve".
    """

    part: str
    stage: Stage = "train"

    def applies(self, levels: Levels) -> Mask:
        """Where the part has a format at that stage."""
        return levels.is_set(self.part, self.stage)


@dataclass(frozen=True)
class Requantised:
    """The levels that are served in fewer bits than every part in question was trained in.

    Two parts below the served bits would give two negative gates and a positive product, so the
    penalty is zero where any one is not above. Reference: Kumar et al. 2024, eqs. 8-9 (training
    precision above P_post).

    Attributes
    ----------
    parts
        The parts that must have been trained in more bits.
    served
        The part that is served in fewer.
    """

    parts: tuple[str, ...] = ("w", "a", "kv")
    served: str = "w"

    def applies(self, levels: Levels) -> Mask:
        """Where the served part has a format, every part trained in more bits or unset."""
        after = levels.bits(self.served, "serve")
        above = [~(levels.bits(part) <= after) for part in self.parts]
        return np.asarray(levels.is_set(self.served, "serve") & np.all(above, axis=0))


@dataclass(frozen=True)
class Penalty:
    """An additive loss k N^-n D^d prod link at the levels where its condition holds.

    Attributes
    ----------
    amplitude
        k; None: one, for penalties whose size is a table among the links.
    params_power, tokens_power
        n and d: a constant, a table where it depends on the level, or None for zero.
    links
        The factors that depend on the formats.
    condition
        Where the penalty acts; elsewhere it is exactly zero.
    on_effective
        Whether N is the effective N rho_N (Kumar et al. 2024, eq. 9).
    """

    amplitude: Constant | None
    params_power: Constant | Link | None
    tokens_power: Constant | Link | None
    links: tuple[Link, ...]
    condition: Condition
    on_effective: bool = False

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Its amplitude, its powers and the constants of its links."""
        own = [x for x in (self.amplitude, self.params_power, self.tokens_power) if x is not None]
        spread = [(x,) if isinstance(x, Constant) else x.constants for x in (*own, *self.links)]
        return tuple(k for constants in spread for k in constants)

    def applies(self, levels: Levels) -> Mask:
        """Where its condition holds."""
        return self.condition.applies(levels)

    def with_links(self, change: Callable[[Link], Link]) -> Penalty:
        """The penalty with each link changed, those of its powers included."""

        return replace(
            self,
            params_power=changed_power(self.params_power, change),
            tokens_power=changed_power(self.tokens_power, change),
            links=each(self.links, change),
        )

    def __call__(self, c: Constants, x: Inputs, log_params: Value) -> Value:
        """The penalty of every run."""
        mask = self.applies(x.levels)
        if not mask.any():
            return 0.0
        strength = product(self.links, c, x.levels)
        if self.amplitude is not None:
            strength = strength * c[self.amplitude.name]
        log_n = log_params if self.on_effective else x.log_params
        power: Value = 0.0
        if self.params_power is not None:
            power = power - _power(self.params_power, c, x) * log_n
        if self.tokens_power is not None:
            power = power + _power(self.tokens_power, c, x) * x.log_tokens
        return select(mask[x.level], take(strength, x.level) * np.exp(power), 0.0)


def _power(given: Constant | Link, c: Constants, x: Inputs) -> Value:
    return c[given.name] if isinstance(given, Constant) else take(given(c, x.levels), x.level)
