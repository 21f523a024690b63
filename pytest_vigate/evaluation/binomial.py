"""Exact bounds of a share, without scipy: its special functions take a quarter of a second to import."""

from __future__ import annotations

import math

#: Relative accuracy of the beta quantile.
ACCURACY = 1e-14


def clopper_pearson(
    value: float, trials: int, tail: float, *, low: float = 0.0, high: float = 1.0
) -> tuple[float, float]:
    """Exact binomial bounds of a share, each missing the truth with probability `tail` at most.

    A value between two counts (a mean of equal numbers) is read as that many successes through the continuous form of
    the same beta quantiles.

    Args:
        value: The share, between `low` and `high`.
        trials: What it is a share of.
        tail: Probability that lies beyond each bound.
        low: Value of no success.
        high: Value of success in every trial.

    Source:
        Clopper and Pearson 1934; scipy.stats.binomtest(...).proportion_ci(method="exact") is the oracle of the tests.
    """
    width = high - low
    successes = (value - low) / width * trials
    failures = trials - successes
    lower = 0.0 if successes <= 0 else beta_quantile(successes, failures + 1, tail)
    upper = 1.0 if failures <= 0 else 1 - beta_quantile(failures, successes + 1, tail)
    return low + lower * width, low + upper * width


def beta_quantile(a: float, b: float, probability: float) -> float:
    """Where the beta distribution reaches a probability: Newton's steps, kept inside a bracket."""
    low, high = 0.0, 1.0
    x = a / (a + b)
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    for _ in range(200):
        excess = _below(a, b, x, log_beta) - probability
        low, high = (low, x) if excess > 0 else (x, high)
        slope = math.exp((a - 1) * math.log(x) + (b - 1) * math.log1p(-x) - log_beta)
        following = x - excess / slope if slope > 0 else math.inf
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - x) <= ACCURACY * x:
            return following
        x = following
    return x


def _below(a: float, b: float, x: float, log_beta: float) -> float:
    """Regularised incomplete beta function, by its continued fraction on the side where it converges fast.

    Source:
        Press et al. 2007, Numerical Recipes, 6.4 (modified Lentz).
    """
    if x > (a + 1) / (a + b + 2):
        return 1 - _below(b, a, 1 - x, log_beta)
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 100_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            fraction *= c * d
        if abs(c * d - 1) <= ACCURACY / 10:
            break
    return math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta) * fraction / a


def _away_from_zero(value: float) -> float:
    return value if abs(value) > 1e-300 else 1e-300
