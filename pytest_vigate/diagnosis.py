"""Why a score is as it is: patterns of scores → what they mean and what to do; the samples that cost most.

A family states its patterns itself. *High* and *low* are read off the score's own bands: high is at least the band
"good".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from pytest_vigate.evaluation.cache import Slice
from pytest_vigate.evaluation.plan import Check
from pytest_vigate.metrics.base import Metric
from pytest_vigate.verdicts import Verdict

#: Samples that a verdict names at most.
NAMED = 5
#: Costs up to this are rounding.
NOTHING = 1e-12


def diagnose(
    check: Check,
    decided: Slice,
    verdict: Verdict,
    *,
    families: Mapping[str, Metric],
    beside: Callable[[Metric, Slice], Mapping[str, float]],
) -> None:
    """Add `diagnosis` and `worst` to a verdict that did not pass.

    Args:
        check: What was judged.
        decided: On which samples.
        verdict: How.
        families: All that the gate uses, by the name under which it does.
        beside: Scores of another family on these samples.
    """
    metric = check.metric
    measures = metric.measures(decided.statistics, decided.ids)
    # A gate may configure a family several times: the one that goes by the family's name stands for it, else the first.
    others = {other.name: other for other in reversed([*families.values()])}
    others |= {other.name: other for name, other in families.items() if name == other.name}
    told = _patterns(metric, decided.values, others=others, beside=lambda other: beside(other, decided))
    verdict["diagnosis"] = [*told, *metric.explain(measures)]
    verdict["worst"] = worst_samples(metric, check.score.name, decided, lower=_asks_for_less(check, decided))


def _asks_for_less(check: Check, decided: Slice) -> bool:
    """Whether the bound that is missed, or may be, is a max."""
    low, high = check.threshold.min, check.threshold.max
    return high is not None and (low is None or decided.values[check.score.name] > high)


def is_high(metric: Metric, name: str, value: float) -> bool:
    """Whether a value reaches the band "good" of its score."""
    return value >= _good(metric, name)


def _good(metric: Metric, name: str) -> float:
    """Where the band "good" of a score begins; NaN where its parameters leave it no bands."""
    score = next(score for score in metric.configured if score.name == name)
    return next((edge for edge, word in score.bands if word == "good"), math.nan)


def _patterns(
    metric: Metric,
    values: Mapping[str, float],
    *,
    others: Mapping[str, Metric] = MappingProxyType({}),
    beside: Callable[[Metric], Mapping[str, float]] = lambda _: {},
) -> Iterator[str]:
    """Advice of all patterns that fit: the family's own, and those of other families that name it."""
    known = {**others, metric.name: metric}
    scores = {metric.name: values}
    for owner in (metric, *(other for name, other in others.items() if name != metric.name)):
        for pattern in owner.patterns:
            high, low = ([_full(owner, name) for name in names] for names in (pattern.high, pattern.low))
            families = {family for family, _ in (*high, *low)}
            if metric.name not in families or not families <= known.keys():
                continue
            for family in families - scores.keys():
                scores[family] = beside(known[family])
            found = {(family, name): scores[family].get(name, math.nan) for family, name in (*high, *low)}
            if any(math.isnan(value) or math.isnan(_good(known[key[0]], key[1])) for key, value in found.items()):
                continue  # neither high nor low
            reached = {(family, name): is_high(known[family], name, found[family, name]) for family, name in found}
            if all(reached[key] for key in high) and not any(reached[key] for key in low):
                shown = [
                    f"{word} {name if len(families) == 1 else f'{family}.{name}'} {found[family, name]:.2f}"
                    for word, names in (("high", high), ("low", low))
                    for family, name in names
                ]
                yield f"{', '.join(shown)}: {pattern.advice}"


def _full(owner: Metric, name: str) -> tuple[str, str]:
    """Family and name of a score in a pattern."""
    family, dot, score = name.rpartition(".")
    return (family, score) if dot else (owner.name, name)


def worst_samples(metric: Metric, score: str, decided: Slice, *, lower: bool = False) -> list[dict[str, Any]]:
    """The samples that cost the score most, dearest first.

    A sample's cost is what the score would gain without it.

    Args:
        metric: The family.
        score: Name of the score.
        decided: The samples.
        lower: Whether less is better where the score itself has no direction.
    """
    column = [item.name for item in metric.scores].index(score)
    direction = -1.0 if (metric.scores[column].direction or ("lower" if lower else "higher")) == "lower" else 1.0
    without = metric.leave_one_out(decided.statistics)[:, column]  # (n,)
    costs = np.where(np.isnan(without), -math.inf, direction * (without - decided.values[score]))
    statistics = decided.statistics
    words = metric.faults(score)
    places = [statistics.columns.index(name) for name in words]
    faults = statistics.totals[:, places]  # (n, faults)
    # A sample alone in the slice has no "without it": its faults still name it.
    costs = np.where(np.isneginf(costs) & (faults.sum(axis=1) > 0), 0.0, costs)
    order = np.argsort(-costs, kind="stable")[:NAMED]
    dear = bool((costs > NOTHING).any())  # beside samples that cost something, those that cost nothing are no news
    found = []
    for i in order:
        named = {word: int(count) for word, count in zip(words.values(), faults[i], strict=True) if count}
        if costs[i] > NOTHING or (abs(costs[i]) <= NOTHING and named and not dear):
            identifier = decided.ids[i]
            reply = {"reply": decided.malformed[identifier]} if identifier in decided.malformed else {}
            found.append({"id": identifier, "cost": float(costs[i]), "faults": named, **reply})
    return found
