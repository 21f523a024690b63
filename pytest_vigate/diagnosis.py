"""Why a score is as it is: patterns of scores → what they mean and what to do; the samples that cost most.

The patterns are the advice of the vendor's pages on evaluating detection and grounding models, in our words. *High*
and *low* are read off the score's own bands: high is at least the band "good".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Pattern:
    """A combination of scores of one family that means something."""

    family: str
    high: tuple[str, ...]
    low: tuple[str, ...]
    advice: str


#: All that fit are given, in this order.
PATTERNS = (
    Pattern(
        "bbox",
        ("f1",),
        ("iou",),
        "finds the objects but draws loose boxes: tighten the annotations and check how box edges were drawn",
    ),
    Pattern(
        "bbox",
        ("precision",),
        ("recall",),
        "too cautious: what it finds is right but it misses much; add positive examples, lower the confidence",
    ),
    Pattern(
        "bbox",
        ("recall",),
        ("precision",),
        "too eager: it finds the objects and invents more; add pictures without objects and hard negatives",
    ),
    Pattern(
        "bbox",
        ("iou",),
        ("f1", "recall"),
        "accurate where it finds something, but misses many: add examples of the rare objects",
    ),
    Pattern(
        "bbox",
        (),
        ("precision", "recall"),
        "neither finds the objects nor is right about them: train longer, or the model is too small for the task",
    ),
    Pattern(
        "bbox",
        ("f1", "iou"),
        (),
        "finds the objects and places them well: what is left to gain lies in the worst samples",
    ),
)

#: Median area ratio of matched pairs outside this range is worth a sentence.
AREA_RATIO = (0.7, 1.4)


def diagnose(check: Check, decided: Slice, verdict: Verdict) -> None:
    """Add `diagnosis` and `worst` to a verdict that did not pass."""
    metric = check.metric
    measures = metric.measures(decided.statistics)
    explain = EXPLANATIONS.get(metric.name)
    verdict["diagnosis"] = [*_patterns(metric, decided.values), *(explain(measures) if explain else ())]
    verdict["worst"] = worst_samples(metric, check.score.name, decided)


def is_high(metric: Metric, name: str, value: float) -> bool:
    """Whether a value reaches the band "good" of its score."""
    score = next(score for score in metric.scores if score.name == name)
    good = next((edge for edge, word in score.bands if word == "good"), math.inf)
    return value >= good


def _patterns(metric: Metric, values: Mapping[str, float]) -> Iterator[str]:
    for pattern in PATTERNS:
        if pattern.family != metric.name:
            continue
        if any(math.isnan(values[name]) for name in (*pattern.high, *pattern.low)):
            continue
        high = all(is_high(metric, name, values[name]) for name in pattern.high)
        low = not any(is_high(metric, name, values[name]) for name in pattern.low)
        if high and low:
            shown = [
                f"{'high' if name in pattern.high else 'low'} {name} {values[name]:.2f}"
                for name in (*pattern.high, *pattern.low)
            ]
            yield f"{', '.join(shown)}: {pattern.advice}"


def _boxes(measures: Mapping[str, Any]) -> Iterator[str]:
    """What the boxes themselves tell."""
    counts = [f"{measures[name]} {name}" for name in ("missed", "invented", "loose", "shifted") if measures[name]]
    if counts:
        yield f"{measures['tp'] + measures['fn']} references: {', '.join(counts)}"
    ratio = measures.get("median_area_ratio")
    if ratio is not None and not AREA_RATIO[0] <= ratio <= AREA_RATIO[1]:
        size = "larger" if ratio > 1 else "smaller"
        cure = "are drawn tightly" if ratio > 1 else "show whole objects"
        yield (
            f"boxes are {size} than their references (median area ratio {ratio:.2f}): "
            f"check the coordinate convention, then that annotations {cure}"
        )
    if measures["background"]:
        count = measures["background"]
        yield f"{count} predicted boxes touch no reference they could match: add pictures without objects"
    never = measures["never_found"]
    if never:
        shown = ", ".join(f"{label!r} ({count} times)" for label, count in list(never.items())[:5])
        more = f" and {len(never) - 5} more" if len(never) > 5 else ""
        yield f"never found: {shown}{more}; add examples of them"


#: What else a family's measures tell, by family.
EXPLANATIONS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {"bbox": _boxes}


def worst_samples(metric: Metric, score: str, decided: Slice) -> list[dict[str, Any]]:
    """The samples that cost the score most, dearest first.

    A sample's cost is what the score would gain without it.
    """
    column = [item.name for item in metric.scores].index(score)
    direction = -1.0 if metric.scores[column].direction == "lower" else 1.0
    without = metric.leave_one_out(decided.statistics)[:, column]  # (n,)
    costs = np.where(np.isnan(without), -math.inf, direction * (without - decided.values[score]))
    statistics = decided.statistics
    words = metric.faults(score)
    places = [statistics.columns.index(name) for name in words]
    faults = statistics.totals[:, places]  # (n, faults)
    # A sample alone in the slice has no "without it": its faults still name it.
    costs = np.where(np.isneginf(costs) & (faults.sum(axis=1) > 0), 0.0, costs)
    order = np.argsort(-costs, kind="stable")[:NAMED]
    found = []
    for i in order:
        named = {word: int(count) for word, count in zip(words.values(), faults[i], strict=True) if count}
        if costs[i] > NOTHING or (abs(costs[i]) <= NOTHING and named):
            found.append({"id": decided.ids[i], "cost": float(costs[i]), "faults": named})
    return found
