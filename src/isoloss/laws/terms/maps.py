"""Argument maps: what repeated data and a coarse grid make of params and tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoloss.formats import Format
from isoloss.laws.constant import Constant
from isoloss.laws.formula import Constants
from isoloss.laws.inputs import Inputs, Levels, Mask
from isoloss.laws.jet import Value, select, take
from isoloss.laws.terms.links import noise_of


@dataclass(frozen=True)
class Repetition:
    """N' = U_N + U_N R_N* (1 - exp(-R_N/R_N*)) and likewise D': what is in excess counts ever less.

    U_D is the number of unique tokens, R_D = D/U_D - 1 how often they are repeated; U_N is the
    lesser of N and the params that are best for U_D tokens, (alpha A / (beta B))^(1/alpha)
    U_D^(beta/alpha), and R_N = N/U_N - 1. Reference: Muennighoff et al. 2023 (2305.16264), eqs. 5,
    6 and 17.

    Attributes
    ----------
    params_decay, tokens_decay
        R_N* and R_D*: the excess at which more is worth little.
    """

    params_decay: Constant
    tokens_decay: Constant

    @property
    def constants(self) -> tuple[Constant, ...]:
        """R_N* and R_D*."""
        return (self.params_decay, self.tokens_decay)

    def __call__(
        self, c: Constants, x: Inputs, params: Value, tokens: Value
    ) -> tuple[Value, Value]:
        """Effective params and tokens."""
        unique = tokens if x.unique_tokens is None else np.minimum(x.unique_tokens, tokens)
        enough = np.minimum(best_params(c, unique), params)
        return (
            _discounted(params, enough, c[self.params_decay.name]),
            _discounted(tokens, unique, c[self.tokens_decay.name]),
        )


@dataclass(frozen=True)
class Cap:
    """N' = min(N, M_q): additive noise of size eps hides all but M_q = c eps^(-1/a) params.

    For an integer of b bits eps = 4^-b, hence M_q = c 2^(2b/a); multiplicative noise (floats) hides
    none. In the theory a is the decay of the data's spectrum, and alpha of the base is a - 1.
    Reference: Zhang et al. 2026 (2602.19241), derived here from its setting.

    Attributes
    ----------
    part
        The part whose noise counts, "d" in the theory.
    size
        c: params that noise of size one would leave.
    decay
        a: decay of the spectrum of the data.
    """

    part: str
    size: Constant
    decay: Constant

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The size c and the decay a."""
        return (self.size, self.decay)

    def __call__(
        self, c: Constants, x: Inputs, params: Value, tokens: Value
    ) -> tuple[Value, Value]:
        """Params that are seen, and tokens as they are."""
        acts = self._acts(x.levels)
        if not acts.any():
            return params, tokens
        log_eps = x.levels.read(self.part, _log_noise)
        most = c[self.size.name] * np.exp(np.where(acts, log_eps, 0.0) / -c[self.decay.name])
        capped = np.minimum(params, take(most, x.level))
        rows = acts[x.level]
        return select(rows, capped, 0.0) + select(~rows, params, 0.0), tokens

    def _acts(self, levels: Levels) -> Mask:
        return np.isfinite(levels.read(self.part, _log_noise))


def best_params(c: Constants, tokens: Value) -> Value:
    """The params that are best for some tokens: (alpha A / (beta B))^(1/alpha) D^(beta/alpha)."""
    ratio = np.log(c["alpha"] * c["A"]) - np.log(c["beta"] * c["B"])
    return np.exp((ratio + c["beta"] * np.log(tokens)) / c["alpha"])


def _discounted(count: Value, unique: Value, decay: Value) -> Value:
    return unique + unique * decay * (1.0 - np.exp((1.0 - count / unique) / decay))


def _log_noise(known: Format) -> float:
    """The logarithm of a format's additive noise; NaN where its noise is multiplicative."""
    kind, eps = noise_of(known)
    return float(np.log(eps)) if kind == "additive" else float("nan")
