"""Moment closure: real grids replaced by noise of equal variance, updated along training.

Each rounded number z is taken as normal with its present variance; then Q(z) = gain z + e, with
gain = E z Q / E z^2 and e uncorrelated with z, of variance E Q^2 - gain^2 E z^2 (Bussgang). A gain
of labels or activations moves the optimum that training goes to, one of activations or gradients
the step size. The error e of an integer is noise added, that of a float relative to z^2; labels,
which are normal indeed, also get Stein's term E u_i^2 e^2 = h_i E e^2 + cov(u_i, y)^2 E (e^2)''.
Parameters are rounded coordinate by coordinate around their present mean: stochastic rounding adds
noise, nearest rounding is made linear around the mean at every single step, and so is stochastic
rounding once the parameter meets the end of its grid, which moves its mean too.

The descent is cut into pieces, each 5% of the steps before it, and the levels are set again at
each. A closure: within simulation error for grids finer than the deviation of what they round, a
few percent off for coarser ones. Source: derived.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from isoloss.formats import Format
from isoloss.linear.exact.chain import Stretch, advanced
from isoloss.linear.exact.measuring import error_square
from isoloss.linear.exact.nearest_closure import Nearest, around, nearest_of, nearest_walked
from isoloss.linear.exact.state import Seen, State, start
from isoloss.linear.exact.step_operator import Noise, Noises, Operator, ideal, operator
from isoloss.linear.exact.walking import Way, announced, check_walk, pace_of
from isoloss.linear.moments import Setting, fine_noise, rounded_moments, symmetric_moments
from isoloss.linear.quantisers import Quantisers, Scales, is_grid, is_listed, largest_of, levels_of
from isoloss.linear.update_rules import Coefficients

Array = NDArray[np.float64]
#: Length of a piece, relative to the steps before it.
PIECE = 0.05
SMALLEST_GAIN = 1e-6
#: Variances below this count as zero, relative to the squares of the mean and of the grid's first
#: step.
TINY = 1e-20
#: What the end of a grid cuts off in the mean, relative to that end, from which it counts.
CUT = 1e-4


class Rounding(NamedTuple):
    """Q(z) = gain z + e for z ~ N(0, sd^2): the variance of e, and the bend of E Q^2 beyond that of
    gain z.
    """

    gain: float = 1.0
    noise: float = 0.0
    bend: float = 0.0


@dataclass(frozen=True)
class Levels:
    """What the quantisers do at one moment: noises in units of 1 / gain of the activations, and the
    gains.
    """

    noises: Noises
    label_gain: float
    gain: float
    gradient_gain: float

    def trained(self, at: Setting) -> Setting:
        """What training sees: labels times the ratio of both gains."""
        ratio = self.label_gain / self.gain
        return replace(
            at,
            target=ratio * at.target,
            best=ratio * at.best,
            noise_var=ratio**2 * at.noise_var,
            signal=ratio**2 * at.signal,
            approximation=ratio**2 * at.approximation,
        )


@dataclass(frozen=True)
class Closure:
    """The quantisers of one point, with the sizes that default scales are made from.

    clips: stochastic rounding of the parameter is known to meet the end of its grid.
    """

    quantisers: Quantisers
    scales: Scales
    setting: Setting  # stacked, of one point
    batch: Array
    clips: bool = False

    def at(self, mean: Array, var: Array) -> Levels:
        """The levels where w has these means and variances (1, n)."""
        q, setting = self.quantisers, self.setting
        # Root mean squares of what is rounded: the label, the activation, the error.
        label, signal = self._roots
        squares = mean**2 + var
        w = self._parameter(mean, var)
        seen = float(np.sqrt(setting.total(setting.h * (squares + w.add + w.mul * squares)))[0, 0])
        on_label = rounding(q.l, self.scales.l, label, label)
        on_seen = rounding(q.a, self.scales.a, seen, signal)
        # Dividing activations by their gain moves it into labels and step size, so the operator
        # sees gain 1.
        scale = on_seen.gain
        noises = Noises(
            l=_in_units(q.l, on_label, label, scale, floats_relative=False),
            w=w,
            a=_in_units(q.a, on_seen, seen, scale),
            bend=on_label.bend / on_label.gain**2,
        )
        # The error o needs the levels of labels and activations first; its own gain only scales the
        # step.
        levels = Levels(noises, on_label.gain, scale, 1.0)
        error = scale * float(
            np.sqrt(error_square(levels.trained(setting), noises, mean, var))[0, 0]
        )
        on_error = rounding(q.g, self.scales.g, error, label)
        g = _in_units(q.g, on_error, error, scale * on_error.gain, relative=on_error.gain)
        return replace(levels, noises=noises._replace(g=g), gradient_gain=on_error.gain)

    @property
    def _roots(self) -> tuple[float, float]:
        at = self.setting
        label = float(np.sqrt(at.noise_var + at.total(at.lam * at.target**2))[0, 0])
        return label, float(np.sqrt(at.signal)[0, 0])

    def compiled(self) -> Nearest:
        """This closure, of nearest rounding, as compiled code takes it."""
        q, scales, (label, signal) = self.quantisers, self.scales, self._roots
        on_label = rounding(q.l, scales.l, label, label)
        noise = _in_units(q.l, on_label, label, 1.0, floats_relative=False)
        return nearest_of(
            self.setting,
            float(self.batch[0, 0]),
            (on_label.gain, noise, on_label.bend / on_label.gain**2),
            ((q.a, scales.a, signal), (q.g, scales.g, label)),
            self._levels,
        )

    def at_the_optimum(self) -> Levels:
        """The levels at the optimum on rounded features, which the stability limit is judged at."""
        return self.at(self.setting.centre, np.zeros_like(self.setting.h))

    @property
    def biased(self) -> bool:
        """Whether rounding the parameter in use moves its mean: to the nearest number, or where it
        meets the end of the grid.
        """
        known = self.quantisers.w
        if known is None or not is_grid(known) or not is_listed(known):
            return False
        return known.rounding != "sr" or self.clips

    def meets_end(self, mean: Array, var: Array) -> bool:
        """Whether the end of the grid cuts off from the parameter what this closure leaves out.

        Raises ValueError for a grid too fine to list, whose noise in its place has no end.
        """
        known = self.quantisers.w
        if known is None or not is_grid(known) or self.biased:
            return False
        end = largest_of(known, self.scales.w, self._largest)
        cut = float(np.max(cut_off(end, mean, np.sqrt(np.maximum(var, 0.0)))))
        if cut <= CUT * end:
            return False
        if not is_listed(known):
            raise ValueError(
                f"the numbers of '{known}' end at {end:.4g}, and the parameter goes beyond; take a "
                "larger scale, or a format of 16 bits or fewer, whose end is taken into account"
            )
        return True

    def seen(self, mean: Array, var: Array, centre: Array) -> Seen | None:
        """The parameter in use, linear in w around its present mean, where rounding moves that."""
        if not self.biased:
            return None
        first, second, both = self._rounded(mean, var)
        spread = var > TINY * (self._levels[1] ** 2 + mean**2)
        slope = np.divide(both - first * mean, var, out=np.zeros_like(var), where=spread)
        noise = np.maximum(second - first**2 - slope**2 * var, 0.0)
        return Seen(slope, first - centre - slope * (mean - centre), noise)

    def _rounded(self, mean: Array, var: Array) -> tuple[Array, ...]:
        """E Q, E Q^2 and E Q w of every coordinate of the parameter, (1, n)."""
        stochastic = self.quantisers.w is not None and self.quantisers.w.rounding == "sr"
        sd = np.sqrt(np.maximum(var[0], 0.0))
        found = rounded_moments(self._levels, stochastic, mean[0], sd)
        return tuple(each[None] for each in found)

    @property
    def _levels(self) -> Array:
        """The grid of the parameter in use, ascending from 0."""
        known = self.quantisers.w or Format.parse("fp")
        return levels_of(known, self.scales.w, self._largest)

    @property
    def _largest(self) -> float:
        return float(np.sqrt(np.max(self.setting.target**2)))

    def _parameter(self, mean: Array, var: Array) -> Noise:
        known = self.quantisers.w
        if known is None or not is_grid(known):
            return ideal(known)
        if not is_listed(known):
            return ideal(fine_noise(known, self.scales.w, self._largest)[0])
        _, second, both = self._rounded(mean, var)
        return Noise(add=np.maximum(second - 2 * both + mean**2 + var, 0.0))


def cut_off(end: float, mean: Array, sd: Array) -> Array:
    """E (|x| - end)^+ of x ~ N(mean, sd^2): what -end..end cuts off, coordinate by coordinate."""
    narrow = np.maximum(sd, 1e-12 * end)
    total = np.zeros_like(mean)
    for side in (mean, -mean):
        z = (end - side) / narrow
        total += narrow * (np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) - z * ndtr(-z))
    return total


def rounding(known: Format | None, scale: float | None, sd: float, size: float) -> Rounding:
    """What a real grid does to N(0, sd^2); nothing where there is none. `size` makes the default
    scale.
    """
    if known is None or not is_grid(known) or sd == 0:
        return Rounding()
    if not is_listed(known):
        fine = ideal(fine_noise(known, scale, size)[0])
        return Rounding(1.0, float(fine.add) + float(fine.mul) * sd**2)
    h, _, g, _, b = symmetric_moments(
        levels_of(known, scale, size), known.rounding == "sr", np.array([sd])
    )
    # Bussgang's gain E z Q / E z^2; a grid whose first step is far above sd rounds all to zero.
    gain = max(float(g[0]) / sd**2, SMALLEST_GAIN)
    noise = max(float(h[0]) - gain**2 * sd**2, 0.0)
    return Rounding(gain, noise, float(b[0] - h[0] * sd**2) / sd**4 - 2 * gain**2)


def _in_units(
    known: Format | None,
    found: Rounding,
    sd: float,
    scale: float,
    relative: float | None = None,
    floats_relative: bool = True,
) -> Noise:
    """The noise of a part in units of 1 / `scale`; relative noise, of z^2, in units of 1 /
    `relative`.
    """
    if known is None or not is_grid(known):
        # Ideal noise has gain 1: added noise is in units of the gain squared, relative noise has
        # none.
        own = ideal(known)
        return Noise(own.add / scale**2, own.mul, own.shared)
    if known.is_float and floats_relative and sd > 0:
        return Noise(mul=found.noise / sd**2 / (scale if relative is None else relative) ** 2)
    return Noise(add=found.noise / scale**2)


@dataclass(frozen=True)
class Closed:
    """The end of a descent under a closure: the state, the levels and the optimum of the last
    piece.
    """

    state: State
    levels: Levels
    centre: Array


def closed(
    closure: Closure, stretches: tuple[Stretch, ...], rule: Coefficients, way: Way
) -> Closed:
    """The state after all stretches, the levels set again at each piece."""
    steps, numbers = sum(each.steps for each in stretches), closure.setting.h.shape[1]
    asked = way = replace(way, jump=way.jump and not closure.clips)  # no machine code for it
    _announce(closure, stretches, way)
    if closure.biased and pace_of(steps, numbers, way, nearest=True).compiled:
        return _closed_by_machine(closure, stretches, rule, way)
    told, way = way.told, replace(way, told=None, whole=steps)
    each_rule = Coefficients(*(np.array([[value]]) for value in rule))
    levels, at, centre = None, None, np.zeros_like(closure.setting.h)
    done = summed = 0
    for stretch in stretches:
        for piece in _pieces(stretch, -1 if closure.biased else done):
            mean = centre if at is None else at.mean + centre
            # Levels at the present mean and variance of w = v + centre.
            var = np.zeros_like(mean) if at is None else at.var
            if closure.meets_end(mean, var):
                return closed(replace(closure, clips=True), stretches, rule, asked)
            levels = closure.at(mean, var)
            # Where rounding moves the mean of the parameter it is no noise: `seen` has it step by
            # step.
            noises = levels.noises._replace(w=Noise()) if closure.biased else levels.noises
            op = operator(levels.trained(closure.setting), noises, closure.batch)
            at = (
                start(op, not rule.still)
                if at is None
                else _recentred(at, centre - op.centre, summed)
            )
            centre = op.centre
            seen = closure.seen(at.mean + centre, at.var, centre)
            scaled = replace(piece, size=piece.size * levels.gain * levels.gradient_gain)
            at = advanced(at, op, [scaled], each_rule, way, seen)
            done += piece.steps
            if told is not None:
                told(done / steps)
            summed += piece.steps if piece.summing else 0
    if at is None or levels is None:
        raise AssertionError("a descent has at least one step")
    if closure.meets_end(at.mean + centre, at.var):
        return closed(replace(closure, clips=True), stretches, rule, asked)
    return Closed(at, closure.at(at.mean + centre, at.var), centre)


def _announce(closure: Closure, stretches: tuple[Stretch, ...], way: Way) -> None:
    """Refuse or announce a descent that is stepped through, before it begins."""
    if closure.biased or isinstance(stretches[0].size, np.ndarray):
        steps, numbers = sum(each.steps for each in stretches), closure.setting.h.shape[1]
        check_walk(steps)
        announced(steps, numbers, way, closure.biased, float(closure.batch[0, 0]))


def _closed_by_machine(
    closure: Closure, stretches: tuple[Stretch, ...], rule: Coefficients, way: Way
) -> Closed:
    """The same for nearest rounding, whose pieces are single steps, in machine code."""
    nearest, summed = closure.compiled(), 0
    state, count = np.zeros((9, closure.setting.h.shape[1])), len(stretches)
    for k, stretch in enumerate(stretches):
        here = way.part(k / count, (k + 1) / count)
        sizes = np.broadcast_to(stretch.size, stretch.steps)
        # The optimum is that of the levels that the last step is taken at.
        state = nearest_walked(nearest, state, sizes[:-1], rule, stretch.summing, here)
        last = closure.at(state[:1], state[1:2])
        state = nearest_walked(nearest, state, sizes[-1:], rule, stretch.summing, Way())
        summed += stretch.steps if stretch.summing else 0
    ratio = last.label_gain / last.gain
    at = around(state, ratio * closure.setting.centre, summed)
    return Closed(at, closure.at(state[:1], state[1:2]), ratio * closure.setting.centre)


def judged(closure: Closure) -> tuple[Operator, float]:
    """The operator at the optimum, and what the step size is multiplied with there."""
    levels = closure.at_the_optimum()
    op = operator(levels.trained(closure.setting), levels.noises, closure.batch)
    return op, levels.gain * levels.gradient_gain


def _recentred(at: State, shift: Array, summed: int) -> State:
    return replace(at, mean=at.mean + shift, total=at.total + summed * shift)


def _pieces(stretch: Stretch, done: int) -> Iterator[Stretch]:
    low = 0
    while low < stretch.steps:
        # Pieces grow like the steps before them: the iterate moves by powers of t.
        high = min(low + max(1, int(PIECE * (done + low)) if done >= 0 else 1), stretch.steps)
        size = stretch.size[low:high] if isinstance(stretch.size, np.ndarray) else stretch.size
        yield Stretch(size, high - low, stretch.summing)
        low = high
