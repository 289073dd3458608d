"""The closure of nearest rounding, step after step in machine code.

Where the parameter in use is rounded to the nearest number, its rounding is made linear around the
mean at every single step (closures.py), and the levels of activations and gradients follow it. Here
one step is: moments of the rounded parameter, coordinate by coordinate; from their sums the levels;
from these, which enter the operator of step_operator.py as numbers, its coefficients and the step
of state.py. The same numbers as in numpy, up to the order of sums.

All of it is one file, constants of other files included: what numba keeps on disk is made again
only where the file itself changes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import ndtr, zeta

from isoloss.linear.exact.compiled_walk import NO_MEAN, NO_SQUARE, compiled, compiled_strictly

#: Deviations beyond which all mass is below 1e-13; deviations, in steps of an even grid, from which
#: its rounding error is uniform to 1e-13, and from which sums over the cells beyond its end close.
REACH, SMOOTH, WIDE = 7.5, 1.25, 2.5
#: As in closures.py and moments/grid_moments.py: variances that count as zero, what a point mass is
#: taken as, the smallest gain, and where the finest numbers of a float end.
TINY, POINT, SMALLEST_GAIN, DEPTH = 1e-20, 1e-12, 1e-6, 1e-9
#: Coefficients of the sum over midpoints, -B_2n(1/2) / (2n)! (Euler and Maclaurin): eight are
#: enough for 1e-14 from WIDE on.
MIDPOINT = tuple(
    (-1) ** (n + 1) * 2 * (1 - 2.0 ** (1 - 2 * n)) * zeta(2 * n) / (2 * math.pi) ** (2 * n)
    for n in range(1, 9)
)
#: P(x > z) and phi(z) of x ~ N(0, 1), at z = 0, 1/128, ... beyond REACH: series in the distance
#: from the nearest of these cost a quarter of erfc and exp, which were most of a step.
NODES = 128
TAILS = ndtr(-np.arange(REACH * NODES + 2) / NODES)
DENSITIES = np.exp(-0.5 * (np.arange(REACH * NODES + 2) / NODES) ** 2) / math.sqrt(2 * math.pi)
#: A run of at least RUN even cells is summed by its ends alone where levels lie at most DENSE
#: deviations apart and the deviation is at most FLATTEST largest numbers (more loses digits).
DENSE, RUN, FLATTEST = 0.1, 4, 10.0
ROOT_HALF, DENSITY = math.sqrt(0.5), 1 / math.sqrt(2 * math.pi)
#: Kinds of a part, as in nearest_closure.py.
IDEAL, FINE, LISTED = range(3)


@compiled_strictly
def place(levels: Any, value: float) -> int:
    """How many levels lie below a value."""
    low, high = 0, levels.size
    while low < high:
        middle = (low + high) // 2
        if levels[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled_strictly
def tail_and_density(z: float) -> tuple[float, float]:
    """P(x > z) and phi(z) of x ~ N(0, 1) for z from 0 to REACH, to 1e-16.

    Taylor series of both around the nearest node a, |h| at most 1/256: that of phi as an
    exponential, that of P with the Hermite polynomials of a.
    """
    node = int(z * NODES + 0.5)
    a, density = node / NODES, DENSITIES[node]
    h = z - a
    u = -h * (a + 0.5 * h)
    grown = 1 + u * (1 + u / 2 * (1 + u / 3 * (1 + u / 4 * (1 + u / 5 * (1 + u / 6)))))
    b = a * a
    he4, he5 = b * (b - 6) + 3, a * (b * (b - 10) + 15)
    series = 1 - h / 2 * (a - h / 3 * (b - 1 - h / 4 * (a * (b - 3) - h / 5 * (he4 - h / 6 * he5))))
    return TAILS[node] - density * h * series, density * grown


@compiled_strictly
def beyond(end: float, gap: float) -> tuple[float, float, float]:
    """Sums over the edges z of the cells beyond an end of an even grid: gap P(x > z),
    gap z P(x > z) and gap phi(z), x ~ N(0, 1); z = end + gap (k - 1/2) for k = 1, 2, ..., gap at
    most 1 / WIDE.

    Each is the integral from the end on and the derivatives there, of odd order.
    """
    tail = 0.5 * math.erfc(end * ROOT_HALF)
    density = DENSITY * math.exp(-0.5 * end * end)
    zeroth = density - end * tail
    first = 0.5 * ((1 - end * end) * tail + end * density)
    mass = tail
    # Hermite polynomials: the j-th derivative of phi is (-1)^j He_j phi, that of P is the
    # (j - 1)-th of -phi, and that of z P is z P^(j) + j P^(j-1).
    before, here, power = 1.0, end, gap * gap
    for n in range(len(MIDPOINT)):
        odd = 2 * n + 1
        factor = MIDPOINT[n] * power
        of_tail = -before * density
        zeroth += factor * of_tail
        # Of order odd - 1: P itself, or -phi^(odd - 2) = He_(odd - 2) phi.
        lower = tail if n == 0 else (end * before - here) / (odd - 1) * density
        first += factor * (end * of_tail + odd * lower)
        mass += factor * -here * density
        after = end * here - odd * before
        before, here = after, end * after - (odd + 1) * here
        power *= gap * gap
    return zeroth, first, mass


@compiled_strictly
def ends(z: float, tail: float, density: float, gap: float) -> tuple[float, float, float]:
    """What one end of a run adds to the sums over its inner edges (`beyond` has the letters):
    antiderivative and odd derivatives (Euler and Maclaurin); `run_sums` has half of the end itself.
    """
    square, power = z * z, gap * gap
    one, three, five = power / 12, -power * power / 720, power**3 / 30240
    second, fourth = square - 1, (square - 6) * square + 3
    zeroth = z * tail - density - density * (one + three * second + five * fourth)
    first = 0.5 * (second * tail - z * density) + one * (tail - z * density)
    first += z * density * (three * (4 - square) + five * ((11 - square) * square - 18))
    mass = -tail - z * density * (one + three * (square - 3) + five * ((square - 10) * square + 15))
    return zeroth, first, mass


@compiled_strictly
def run_sums(low: Any, high: Any, gap: float) -> tuple[float, float, float]:
    """The sums of `beyond` over the inner edges of a run from its ends (z, P(x > z), phi(z)), which
    are edges themselves: cells of a run by parts are its end numbers and a gap at each inner edge.
    """
    above, below = ends(high[0], high[1], high[2], gap), ends(low[0], low[1], low[2], gap)
    half = 0.5 * gap
    zeroth = above[0] - below[0] - half * (low[1] + high[1])
    first = above[1] - below[1] - half * (low[0] * low[1] + high[0] * high[1])
    return zeroth, first, above[2] - below[2] - half * (low[2] + high[2])


@compiled_strictly
def run_of(levels: Any, k: int, last: int) -> int:
    """The first cell from k on whose upper edge is not half of the gap below level k away."""
    gap = levels[k] - levels[k - 1]
    near = 1e-9 * gap
    while k < last - 1 and abs(levels[k + 1] - levels[k] - gap) < near:
        k += 1
    return k


@compiled_strictly
def even_moments(
    low: float, high: float, step: float, mean: float, sd: float
) -> tuple[float, float, float]:
    """As `nearest_moments`, of an even grid that ends `low` and `high` deviations from the mean.

    By Poisson's sum formula what is left out is below exp(-2 pi^2 SMOOTH^2).
    """
    one, two, joint = mean, mean * mean + sd * sd + step * step / 12, sd
    # The grid ends: what the cells beyond would have added to its last number goes, summed by
    # parts over their edges.
    for end, side in ((high, 1.0), (low, -1.0)):
        if end < REACH:
            zeroth, first, mass = beyond(end, step / sd)
            one -= side * sd * zeroth
            two -= 2 * sd * (side * mean * zeroth + sd * first)
            joint -= sd * mass
    return one, two, joint


@compiled_strictly
def mass_between(below: float, above: float, tail: float, after: float) -> float:
    """The normal mass of a cell, from the tails of its two edges, each the smaller side's."""
    if below > 0:
        return tail - after
    return after - tail if above < 0 else 1.0 - tail - after


@compiled_strictly
def nearest_moments(levels: Any, step: float, mean: float, sd: float) -> tuple[float, float, float]:
    """E u, E u^2 and cov(u, x) / sd for x ~ N(mean, sd^2) and u the nearest of ascending levels.

    `step` is the distance of evenly spaced levels, 0 for others.
    """
    low, high = (mean - levels[0]) / sd, (levels[-1] - mean) / sd
    nearer = min(low, high)
    least = (SMOOTH if nearer > REACH else WIDE) * step
    # With all mass beyond an end, its sums would cancel the mean; there one cell is all there is.
    if 0 < least < sd < levels[-1] and nearer > -REACH:
        return even_moments(low, high, step, mean, sd)
    first = max(place(levels, mean - REACH * sd) - 1, 0)
    last = min(place(levels, mean + REACH * sd) + 1, levels.size)
    one, two, joint = 0.0, 0.0, 0.0
    # Walks over the edges of the cells; a tail is kept on the side where it is small.
    below, tail, density = -math.inf, 0.0, 0.0
    k = first
    while k < last:
        gap = (levels[k] - levels[k - 1]) / sd if k > first else 1.0
        even = gap < DENSE and abs(below) < REACH and sd < FLATTEST * levels[-1]
        end = run_of(levels, k, last) if even else k
        above, after, later = math.inf, 0.0, 0.0
        if end >= k + RUN:
            above = ((levels[end - 1] + levels[end]) / 2 - mean) / sd
            after, later = tail_and_density(min(abs(above), REACH))
            low, high = tail if below > 0 else 1 - tail, after if above > 0 else 1 - after
            sums = run_sums((below, low, density), (above, high, later), gap)
            a, b = levels[k], levels[end - 1]
            one += a * low - b * high + sd * sums[0]
            two += a * a * low - b * b * high + 2 * sd * (mean * sums[0] + sd * sums[1])
            joint += a * density - b * later + sd * sums[2]
            below, tail, density, k = above, after, later, end
            continue
        if k < last - 1:
            above = ((levels[k] + levels[k + 1]) / 2 - mean) / sd
            if abs(above) < REACH:
                after, later = tail_and_density(abs(above))
        mass = mass_between(below, above, tail, after)
        one, two = one + levels[k] * mass, two + levels[k] * levels[k] * mass
        joint += levels[k] * (density - later)
        below, tail, density = above, after, later
        k += 1
    return one, two, joint


@compiled_strictly
def symmetric(levels: Any, stochastic: bool, sd: float) -> tuple[float, float]:
    """E u^2 and E u x for x ~ N(0, sd^2) and its rounding to +-levels, ascending from 0."""
    first = max(place(levels, DEPTH * sd) - 2, 0)
    last = min(place(levels, REACH * sd) + 2, levels.size)
    two, joint = 0.0, 0.0
    for k in range(first, last):
        a = levels[k]
        if stochastic:
            low = a
            high = levels[k + 1] if k + 1 < levels.size else math.inf
        else:
            low = (levels[k - 1] + a) / 2 if k > 0 else 0.0
            high = (levels[k + 1] + a) / 2 if k + 1 < levels.size else math.inf
        x, y = low / sd, high / sd
        px, py = DENSITY * math.exp(-0.5 * x * x), DENSITY * math.exp(-0.5 * y * y)
        mass = 0.5 * (math.erfc(x * ROOT_HALF) - math.erfc(y * ROOT_HALF))
        i1, ypy = sd * (px - py), 0.0 if math.isinf(y) else y * py
        if stochastic and k + 1 < levels.size:
            b = levels[k + 1]
            two += (a + b) * i1 - a * b * mass
            joint += sd * sd * (mass + x * px - ypy)
        else:
            two += a * a * mass
            joint += a * i1
    return 2 * two, 2 * joint


@compiled_strictly
def level(part: Any, levels: Any, sd: float) -> tuple[float, float, float]:
    """Gain, added and relative noise of a part (kind, add, mul, shared, is float, stochastic) at a
    deviation.
    """
    kind, add, mul, _, is_float, stochastic = part
    if kind == IDEAL or sd == 0:
        return 1.0, (add if kind == IDEAL else 0.0), (mul if kind == IDEAL else 0.0)
    if kind == FINE:
        gain, noise = 1.0, add + mul * sd * sd
    else:
        two, joint = symmetric(levels, stochastic, sd)
        gain = max(joint / (sd * sd), SMALLEST_GAIN)
        noise = max(two - gain * gain * sd * sd, 0.0)
    if is_float:
        return gain, 0.0, noise / (sd * sd)
    return gain, noise, 0.0


@compiled_strictly
def parameter_in_use(known: Any, levels: Any, step: float, state: Any, work: Any) -> float:
    """Fill work with E Q, slope, variance seen and E (Q - w)^2 of the rounded parameter; returns
    the sum of h E Q^2.
    """
    weight, h = known[0], known[1]
    mean, var = state[0], state[1]
    size, first = 0.0, levels[levels.size // 2 + 1]  # the smallest above 0
    for i in range(h.size):
        v, m = max(var[i], 0.0), mean[i]
        # A point mass is taken as a very narrow normal, as in moments/grid_moments.py.
        sd = max(math.sqrt(v), POINT * (abs(m) + first))
        one, two, joint = nearest_moments(levels, step, m, sd)
        slope = joint / sd if v > TINY * (first * first + m * m) else 0.0
        work[0, i], work[1, i] = one, slope
        work[2, i] = slope * slope * v + max(two - one * one - slope * slope * v, 0.0)
        work[3, i] = max(two - 2 * (one * m + sd * joint) + m * m + v, 0.0)
        size += weight[i] * h[i] * (m * m + v + work[3, i])
    return size


@compiled_strictly
def levels_at(
    size: float, known: Any, scalars: Any, parts: Any, grids: Any, state: Any, added: Any
) -> tuple[float, float, float, float, float, float]:
    """Gain and noise (added, relative) of activations and then of gradients, in units of the
    former's gain; `size` is E <u, Q(w)>^2.
    """
    _, _, label_gain, l_add, l_mul, _, _, sum_label, sum_left = scalars
    on_a, on_g = parts
    weight, h, c = known[0], known[1], known[3]
    # Activations first: their gain moves the optimum, ratio c.
    scale, a_add, a_mul = level(on_a, grids[0], math.sqrt(size))
    a_add, ratio = a_add / scale**2, label_gain / scale
    a_mul = a_mul if on_a[0] == IDEAL else a_mul / scale**2
    error = ratio**2 * (sum_left + l_mul * sum_label) + l_add / scale**2 + a_add + a_mul * size
    for i in range(h.size):
        off = state[0, i] - ratio * c[i]
        error += weight[i] * h[i] * (off * off + state[1, i] + added[i])
    gain, g_add, g_mul = level(on_g, grids[1], scale * math.sqrt(error))
    g_mul = g_mul if on_g[0] == IDEAL else g_mul / gain**2
    return scale, a_add, a_mul, gain, g_add / (scale * gain) ** 2, g_mul


@compiled_strictly
def coefficients(
    now: Any, known: Any, scalars: Any, shared: Any, work: Any
) -> tuple[float, float, float]:
    """Fill work with E Q - c, beta and k of the step (step_operator.py); returns the sum of the
    rank-one term and what multiplies `diagonal` and h^2 in D.
    """
    weight, h, diagonal, c, skew, off, rest, label, pulled, spread = known
    batch, rho4, label_gain, l_add, l_mul, l_shared, bend, _, _ = scalars
    (scale, a_add, a_mul, _, g_add, g_mul), (a_shared, g_shared) = now, shared
    ratio = label_gain / scale
    # Batch means of one sample with itself and of two samples.
    own, pair = (1 + g_mul) / batch, (1 - 1 / batch) * (1 + g_shared)
    flat, here = own * (l_add / scale**2 + a_add) + g_add / batch, 0.0
    for i in range(h.size):
        two_samples = pair * a_shared * h[i] * h[i] * c[i]
        work[4, i] = h[i] * flat + ratio**2 * (
            own * (rest[i] + l_mul * label[i] + bend * pulled[i] + a_mul * spread[i])
            + two_samples * c[i]
            + pair * l_shared * pulled[i]
        )
        work[3, i] = 2 * ratio * (own * (a_mul * diagonal[i] * c[i] - skew[i]) + two_samples)
        eta = 2 * ratio * own * (a_mul * rho4 * h[i] * c[i] - off[i])
        m = work[0, i] - ratio * c[i]
        work[0, i] = m
        rank = own * (1 + a_mul) * rho4 * h[i] * (work[2, i] + m * m)
        here += weight[i] * (rank + eta * m)
    return here, own * (1 + a_mul), pair * (1 + a_shared)


@compiled_strictly
def moved(
    gamma: float, sums: Any, known: Any, rule: Any, state: Any, work: Any, summing: bool
) -> None:
    """One step of state.py for all coordinates, in place; letters as there."""
    (here, single, double), (b, c, d) = sums, rule
    h, diagonal = known[1], known[2]
    mean, var, total, var_total, cov, speed, var_speed, cov_speed, cov_total = state
    seen_mean, slope, seen_var, beta, const = work
    for i in range(h.size):
        m, gh = seen_mean[i], gamma * h[i]
        noise = (single * diagonal[i] + double * h[i] * h[i]) * (seen_var[i] + m * m)
        noise += beta[i] * m - (h[i] * m) ** 2 + h[i] * here + const[i]
        added, push = gamma * gamma * noise, gh * m
        gh *= slope[i]
        if summing:
            total[i] += mean[i]
            joined = cov[i] + var[i]
            var_total[i] += cov[i] + joined
            cov_total[i] = b * (cov_total[i] + cov_speed[i]) - gh * joined
            cov[i] = joined + c * cov_total[i] - d * gh * joined
        turns, drift = b * gh * cov_speed[i], b * cov_speed[i] - gh * var[i]
        after, pulled = b * b * var_speed[i] - 2 * turns + added, turns - added
        u = b * speed[i] - push
        mean[i] += c * u - d * push
        var[i] += 2 * c * drift + c * c * after - 2 * d * gh * var[i]
        var[i] += d * d * added - 2 * c * d * pulled
        speed[i] = u if abs(u) > NO_MEAN else 0.0
        var_speed[i] = after if after > NO_SQUARE else 0.0
        cov_speed[i] = drift + c * after - d * pulled


@compiled
def walk_nearest(
    sizes: Any,
    known: Any,
    scalars: Any,
    parts: Any,
    grids: Any,
    step: float,
    rule: Any,
    state: Any,
    work: Any,
    summing: bool,
) -> None:
    """Move state (9, n), the moments of w itself, through steps of sizes (T,).

    known (10, n): weight, h, the diagonal of D, c, skew, pull, and of k at relative noise zero the
    residual, the label, its pull and the spread of activations. scalars: batch, rho4, gain of
    labels, their noise (added, relative, shared) and bend, and the error's sums. parts and grids:
    of activation and gradient; the grid of the parameter, of even distance `step` or 0, comes
    third. work (5, n).
    """
    shared = (parts[0][3], parts[1][3])
    for t in range(sizes.size):
        size = parameter_in_use(known, grids[2], step, state, work)
        now = levels_at(size, known, scalars, parts, grids, state, work[3])
        sums = coefficients(now, known, scalars, shared, work)
        moved(sizes[t] * now[0] * now[3], sums, known, rule, state, work, summing)
