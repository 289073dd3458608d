"""The exact recursion of Zhang et al. 2025 written again, a step at a time, by coordinates."""

import numpy as np


def clean_risk(dim, steps, gamma, batch=1, eps=None, kind="additive", noise_var=1.0):
    """Clean excess risk of the average of w_0..w_{N-1}, with errors of two points.

    `eps` is the level by part: d, l, w, a, g; w* = 1, eigenvalues i^-2, normal features.
    """
    level = {"d": 0.0, "l": 0.0, "w": 0.0, "a": 0.0, "g": 0.0} | (eps or {})
    d, added = level["d"], kind == "additive"
    lam = np.arange(1.0, dim + 1) ** -2.0
    lam_q = lam + d if added else (1 + d) * lam
    c, signal = lam.copy(), lam.sum()
    mean, second = np.zeros(dim), np.zeros(dim)
    means, seconds = [], []
    for _ in range(steps):
        means.append(mean)
        seconds.append(second)
        kept = second + level["w"] if added else (1 + level["w"]) * second
        y2, ya, a2 = _moments(lam, lam_q, c, mean, kept, d, signal, noise_var, added)
        noise = y2 - 2 * ya + a2
        drift = c * c - 2 * c * mean * lam_q + lam_q**2 * kept
        if added:
            noise = noise + lam_q * (level["l"] + level["a"] + level["g"])
        else:
            noise = noise + level["l"] * y2 + level["a"] * a2
            drift = drift + level["l"] * c * c + level["a"] * lam_q**2 * kept
            noise, drift = (1 + level["g"]) * noise, (1 + level["g"]) * drift
        move = c * mean - lam_q * second
        second = second + 2 * gamma * move + gamma**2 * (noise / batch + (1 - 1 / batch) * drift)
        mean = mean + gamma * (c - lam_q * mean)
    return _of_average(np.array(means), np.array(seconds), c / lam_q, lam, lam_q, gamma)


def _moments(lam, lam_q, c, mean, kept, d, signal, noise_var, added):
    """E u^2 y^2, E u^2 y a and E u^2 a^2 by coordinate."""
    if added:
        y2 = lam_q * (signal - lam + noise_var) + 3 * lam**2 + lam * d
        ya = lam_q * (np.sum(c * mean) - c * mean) + mean * (3 * lam**2 + 3 * lam * d)
        fourth = 3 * lam**2 + 6 * lam * d + d**2
        return y2, ya, lam_q * (np.sum(lam_q * kept) - lam_q * kept) + kept * fourth

    def comb(t):
        return lam * (np.sum(t) - t) + 3 * lam * t

    return (
        (1 + d) * comb(lam) + lam_q * noise_var,
        (1 + 3 * d) * comb(lam * mean),
        (1 + 6 * d + d * d) * comb(lam * kept),
    )


def _of_average(means, seconds, best, lam, lam_q, gamma):
    """0.5 E |w_bar - w*|^2_H, with the covariance of iterates t < s, which decays by rho a step."""
    steps = len(means)
    rho, square = 1 - gamma * lam_q, np.zeros_like(lam)
    for t in range(steps):
        left = steps - 1 - t
        decay = rho * (1 - rho**left) / (gamma * lam_q)
        square += seconds[t] + 2 * (left * best * means[t] + decay * (seconds[t] - best * means[t]))
    return 0.5 * np.sum(lam * (square / steps**2 - 2 * means.mean(axis=0) + 1))
