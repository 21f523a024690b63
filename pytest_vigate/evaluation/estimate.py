"""Estimates: the value of a score, and how far to trust it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.evaluation.binomial import clopper_pearson
from pytest_vigate.gates.rules import TAIL_DRAWS
from pytest_vigate.metrics.base import Metric, Part, Score, Statistics

#: Draws of which more than this share are undefined give no interval: what is left would flatter the score.
UNDEFINED_SHARE = 0.05

#: Units below which a bootstrap decides nothing: two samples alike would be sure of themselves.
FEW = 10

Method = Literal["bootstrap", "clopper-pearson", "mover", "none"]
#: Lower and upper end that each leave out a tail.
Ends = Callable[[float], tuple[float, float]]


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
        units: Samples, or clusters of them, that bear on the score; of several strata, in the smallest.
        score: The score, for its range.
        ends: Where the method is ``mover``: the ends of the interval by the tail that each leaves out.
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
    ends: Ends | None = None

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
        if self.ends is not None:
            return self.ends(1 - confidence) if self.units >= FEW else None
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
    strata: Int | None = None,
) -> Mapping[str, Estimate]:
    """Estimates of every score of a family, by score name.

    Percentile bootstrap over samples or clusters. Where every sample is right or wrong, and where the draws show no
    variation at all, Clopper–Pearson instead: 20 of 20 do not prove 100 %. A difference between two strata has the
    interval that Zou and Donner's method (MOVER) makes of those of its parts; where one stratum shows no variation, no
    other score has an interval.

    Args:
        metric: The configured family.
        statistics: Its statistics of the samples to judge, n of them.
        weights: Bootstrap draws in chunks, (b, n) each; none switches intervals off.
        level: Two-sided level of the interval, 0.95 for 95 %.
        groups: (n,) cluster of every sample, numbered from 0, where clusters were drawn.
        strata: (n,) stratum of every sample, where several were drawn independently.
    """
    n = statistics.n
    values = metric.evaluate(statistics, np.ones((1, n)))[0]  # (s,)
    trials = metric.trials(statistics)  # (n, s)
    exact = groups is None and all(
        score.share and np.isfinite([score.low, score.high]).all() for score in metric.configured
    )
    # Clopper–Pearson needs no draws, only to know whether there are to be any.
    chunks: list[Float] = []
    alone: list[list[Float]] = []
    for chunk in islice(weights, 1) if exact else weights:
        chunks.append(metric.draw(statistics, chunk))
        if strata is not None:
            alone.append([metric.draw(statistics, np.where(strata == i, chunk, 1.0)) for i in np.unique(strata)])
    drawn = np.concatenate(chunks) if chunks else np.empty((0, len(values)))  # (B, s)
    # (B, s) by stratum: draws of one, with the others as they are
    varied = [np.concatenate(parts) for parts in zip(*alone, strict=True)]
    tail = (1 - level) / 2
    found: dict[str, Estimate] = {}
    for i, score in enumerate(metric.configured):
        value = float(values[i])
        units, evidence = _smallest(trials[:, i], groups, strata)
        defined = np.sort(drawn[~np.isnan(drawn[:, i]), i])
        method = _method(value, defined, score, draws=len(drawn), clustered=groups is not None)
        low = high = None
        if method == "bootstrap":
            # A mean over classes is biased upwards where draws lose a rare class: no bound may pass its own value.
            low, high = min(quantile(defined, tail), value), max(quantile(defined, 1 - tail), value)
        elif method == "clopper-pearson":
            low, high = clopper_pearson(value, units, tail, low=score.low, high=score.high)
        ends = None
        if varied and not np.isnan(value):
            parts = metric.parts(statistics, score.name)
            columns = [np.sort(part[~np.isnan(part[:, i]), i]) for part in varied]
            counts = _units(trials[:, i], groups, strata)
            if parts:
                ends = _mover(value, parts, columns, counts, clustered=groups is not None)
                method = "none" if ends is None else "mover"
                low, high = (None, None) if ends is None else ends(tail)
            elif any(count and not _varies(column, value) for count, column in zip(counts, columns, strict=True)):
                method, low, high = "none", None, None
        kept = defined if method == "bootstrap" else np.empty(0)
        found[score.name] = Estimate(value, low, high, n, evidence, method, kept, units, score, ends)
    return found


def _units(trials: Bool, groups: Int | None, strata: Int | None) -> list[int]:
    """Samples, or clusters of them, that bear on a score, by stratum."""
    parts = [np.ones(len(trials), np.bool_)] if strata is None else [strata == i for i in np.unique(strata)]
    kept = [trials & part for part in parts]
    return [int(np.count_nonzero(part) if groups is None else len(np.unique(groups[part]))) for part in kept]


def _smallest(trials: Bool, groups: Int | None, strata: Int | None) -> tuple[int, int]:
    """Units and samples that bear on a score, of several strata in the one that has fewest; none bears in some."""
    units, samples = (min((count for count in _units(trials, by, strata) if count), default=0) for by in (groups, None))
    return units, samples


def _varies(defined: Float, value: float) -> bool:
    return len(defined) > 0 and bool(defined[-1] - defined[0] > 1e-12 * max(1.0, abs(value)))


def _mover(
    value: float, parts: Mapping[int, Part], drawn: Sequence[Float], units: Sequence[int], *, clustered: bool
) -> Ends | None:
    """The ends of a difference from those of its parts; None where one of them has none.

    Zou, Donner: Construction of confidence limits about effect measures (Statistics in Medicine, 2008).
    """
    if len(parts) > len(drawn) or any(np.isnan(part.value) for part in parts.values()):
        return None
    for i, part in parts.items():
        bounded = np.isfinite([part.low, part.high]).all()
        if not units[i] or not (_varies(drawn[i], value) or bounded):
            return None

    def ends(tail: float) -> tuple[float, float]:
        below = above = 0.0
        for i, part in parts.items():
            exact = (part.share and not clustered) or not _varies(drawn[i], value)
            if exact:
                low, high = clopper_pearson(part.value, units[i], tail, low=part.low, high=part.high)
                down, up = part.value - low, high - part.value
                down, up = (down, up) if part.rising else (up, down)
            else:
                down, up = value - quantile(drawn[i], tail), quantile(drawn[i], 1 - tail) - value
            below, above = math.hypot(below, max(down, 0.0)), math.hypot(above, max(up, 0.0))
        return value - below, value + above

    return ends


def _method(value: float, defined: Float, score: Score, *, draws: int, clustered: bool) -> Method:
    if not draws or np.isnan(value):
        return "none"
    bounded = np.isfinite([score.low, score.high]).all()
    varies = _varies(defined, value)
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
