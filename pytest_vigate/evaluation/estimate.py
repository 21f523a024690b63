"""Estimates: the value of a score, and how far to trust it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.evaluation.binomial import clopper_pearson
from pytest_vigate.gates.rules import TAIL_DRAWS
from pytest_vigate.metrics.base import Metric, Score, Statistics

#: Draws of which more than this share are undefined give no interval: what is left would flatter the score.
UNDEFINED_SHARE = 0.05

#: Units below which a bootstrap decides nothing: two samples alike would be sure of themselves.
FEW = 10

Method = Literal["bootstrap", "clopper-pearson", "none"]


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """Value and interval of one score on one set of samples.

    Args:
        value: NaN if undefined.
        low: Lower end of the two-sided interval, None where there is none.
        high: Upper end.
        samples: Samples in the set.
        evidence: Samples that bear on the score: an empty picture bears on no F1.
        method: How the interval was made.
        draws: (B,) sorted, defined bootstrap values; empty unless the method is ``bootstrap``.
        units: Samples, or clusters of them, that bear on the score.
        score: The score, for its range.
    """

    value: float
    low: float | None
    high: float | None
    samples: int
    evidence: int
    method: Method
    draws: Float
    units: int
    score: Score

    def bounds(self, confidence: float) -> tuple[float, float] | None:
        """One-sided lower and upper confidence bound, each at the given level.

        None where there is no interval, where fewer than `FEW` units were drawn from (the extremes of a handful are
        no bound, whatever their quantiles say), or where too few draws lie beyond the bound.
        """
        if self.method == "bootstrap":
            beyond = len(self.draws) * (1 - confidence)
            if self.units < FEW or beyond < (1 - UNDEFINED_SHARE) * TAIL_DRAWS:
                return None
            low, high = quantile(self.draws, 1 - confidence), quantile(self.draws, confidence)
            return min(low, self.value), max(high, self.value)
        if self.method == "clopper-pearson":
            return clopper_pearson(self.value, self.units, 1 - confidence, low=self.score.low, high=self.score.high)
        return None


def estimate(
    metric: Metric,
    statistics: Statistics,
    *,
    weights: Iterable[Float],
    level: float,
    groups: Int | None = None,
) -> Mapping[str, Estimate]:
    """Estimates of every score of a family, by score name.

    Percentile bootstrap over samples or clusters. Where every sample is right or wrong, and where the draws show no
    variation at all, Clopper–Pearson instead: 20 of 20 do not prove 100 %.

    Args:
        metric: The configured family.
        statistics: Its statistics of the samples to judge, n of them.
        weights: Bootstrap draws in chunks, (b, n) each; none switches intervals off.
        level: Two-sided level of the interval, 0.95 for 95 %.
        groups: (n,) cluster of every sample, numbered from 0, where clusters were drawn.
    """
    n = statistics.n
    values = metric.evaluate(statistics, np.ones((1, n)))[0]  # (s,)
    trials = metric.trials(statistics)  # (n, s)
    exact = groups is None and all(
        score.share and np.isfinite([score.low, score.high]).all() for score in metric.configured
    )
    # Clopper–Pearson needs no draws, only to know whether there are to be any.
    chunks = [metric.draw(statistics, chunk) for chunk in (islice(weights, 1) if exact else weights)]
    drawn = np.concatenate(chunks) if chunks else np.empty((0, len(values)))  # (B, s)
    tail = (1 - level) / 2
    found: dict[str, Estimate] = {}
    for i, score in enumerate(metric.configured):
        value = float(values[i])
        bearing = trials[:, i] if groups is None else np.bincount(groups, trials[:, i]) > 0
        units = int(np.count_nonzero(bearing))
        defined = np.sort(drawn[~np.isnan(drawn[:, i]), i])
        method = _method(value, defined, score, draws=len(drawn), clustered=groups is not None)
        low = high = None
        if method == "bootstrap":
            # A mean over classes is biased upwards where draws lose a rare class: no bound may pass its own value.
            low, high = min(quantile(defined, tail), value), max(quantile(defined, 1 - tail), value)
        elif method == "clopper-pearson":
            low, high = clopper_pearson(value, units, tail, low=score.low, high=score.high)
        kept = defined if method == "bootstrap" else np.empty(0)
        evidence = int(np.count_nonzero(trials[:, i]))
        found[score.name] = Estimate(value, low, high, n, evidence, method, kept, units, score)
    return found


def _method(value: float, defined: Float, score: Score, *, draws: int, clustered: bool) -> Method:
    if not draws or np.isnan(value):
        return "none"
    bounded = np.isfinite([score.low, score.high]).all()
    varies = len(defined) > 0 and defined[-1] - defined[0] > 1e-12 * max(1.0, abs(value))
    if bounded and ((score.share and not clustered) or not varies):
        return "clopper-pearson"
    if len(defined) < (1 - UNDEFINED_SHARE) * draws:
        return "none"
    return "bootstrap" if varies else "none"


def quantile(values: Float, share: float) -> float:
    """Quantile of sorted values, linear between neighbours: `np.quantile` without its half millisecond a call."""
    place = share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return float(values[below] + (values[above] - values[below]) * (place - below))
