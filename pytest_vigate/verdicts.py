"""Estimate × threshold → verdict: one plain dict, the only source of what every report says."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

from pytest_vigate.evaluation.cache import Slice
from pytest_vigate.evaluation.estimate import FEW, Estimate
from pytest_vigate.evaluation.plan import Check
from pytest_vigate.gates.model import Threshold, Waiver
from pytest_vigate.metrics.base import Score

Word = Literal["passed", "failed", "inconclusive", "unmeasurable", "warned", "waived"]

#: What stands in the way when no group of `per` is judged.
NOTHING_LEFT = "every group is left out, being too small or nothing that the score could be of"

#: A slice, its verdict, and what stood in the way where the number alone does not say it.
Decided = tuple[Slice, "Word", str]

#: Numbers nearer to 0 than this, as learning rates are, are shown in powers of ten.
SMALL = 1e-3

#: All six words, in the order in which summaries count them.
WORDS: tuple[Word, ...] = ("passed", "failed", "inconclusive", "unmeasurable", "warned", "waived")


class Group(TypedDict):
    """One value of the `per` key."""

    group: str
    verdict: Word | Literal["ignored"]
    value: float | str | None
    low: float | None
    high: float | None
    samples: int


class Verdict(TypedDict):
    """What was decided about one threshold, and on what evidence. Undefined numbers are None."""

    id: str
    """Test item's name within its gate file."""
    score: str
    origin: Literal["measured", "reported"]
    """Whether the score was computed here, or by another tool that reported it."""
    verdict: Word
    value: float | str | None
    """A name where the score is one."""
    low: float | None
    high: float | None
    level: float
    """Of the two-sided interval."""
    method: str
    bound: dict[str, Any]
    """``min`` and ``max``, or ``in`` with the names that the score may be."""
    margin: float | None
    """Distance of the value to the bound, negative when missed."""
    samples: int
    evidence: int
    """Samples that bear on the score; `min_samples` counts these."""
    band: str
    severity: str
    message: str
    notes: list[str]
    signature: str
    where: dict[str, list[str]]
    per: str | None
    groups: list[Group]
    confidence: float | None
    note: str
    tags: list[str]
    waiver: dict[str, Any] | None
    line: int
    """Line of the threshold in the gate file."""
    diagnosis: NotRequired[list[str]]
    worst: NotRequired[list[dict[str, Any]]]


def judge(
    check: Check, slices: Sequence[Slice], *, level: float, signature: str, notes: Sequence[str], today: dt.date
) -> tuple[Verdict, Slice]:
    """The verdict on a check, and the slice that decided it.

    Args:
        check: Threshold, metric and score.
        slices: One, or one a group of `per`.
        level: Level of the two-sided intervals, for the words.
        signature: Of the family.
        notes: Sentences that the family's statistics ask every verdict to carry.
        today: Today's date in UTC, for waivers.
    """
    threshold, score = check.threshold, check.score
    groups = [
        (item, *_decide(threshold, item.estimate, item.statistics.undefined.get(score.name, ""))) for item in slices
    ]
    kept = [group for group in groups if not _left_out(group[0], check)]
    item, word, why = _worst(kept, threshold) if kept else (groups[0][0], "inconclusive", NOTHING_LEFT)
    estimate = item.estimate
    verdict = _blank(check, signature=signature, level=level)
    verdict["value"], verdict["low"], verdict["high"] = plain_value(score, estimate.value), estimate.low, estimate.high
    verdict["method"] = estimate.method
    verdict["margin"] = None if score.names else _margin(threshold, estimate.value)
    verdict["samples"], verdict["evidence"] = estimate.samples, estimate.evidence
    verdict["band"] = score.band(estimate.value)
    verdict["notes"] = [*notes, *check.metric.caveats(item.statistics, score.name)]
    if threshold.per is not None:
        verdict["groups"] = [_group(group, ignored=group not in kept) for group in groups]
    _describe(verdict, threshold, item, word=word, why=why)
    if alone := [repr(item.group) for item, _, _ in groups if not (item.asked or item.estimate.evidence)]:
        verdict["notes"].append(f"left out, for the references lack them: {', '.join(alone[:8])}")
    if word == "passed" and _within_noise(threshold, estimate):
        verdict["notes"].append(f"within noise: the {100 * level:g}% interval contains the bound")
    _apply_waiver(verdict, threshold.waiver, kept, today=today)
    if verdict["verdict"] in ("failed", "inconclusive") and threshold.severity == "warn":
        verdict["verdict"] = "warned"
    return verdict, item


def _left_out(item: Slice, check: Check) -> bool:
    """Whether a group of `per` is not judged: too small where the gate says so, or nothing the score could be of.

    A label that stands in predictions alone has no recall. One that the references have is never excused.
    """
    threshold, evidence = check.threshold, item.estimate.evidence
    small = threshold.small_groups == "ignore" and evidence < threshold.min_samples
    return item.group is not None and (small or not (item.asked or evidence))


def unmeasurable(check: Check, reason: str, *, level: float, signature: str) -> Verdict:
    """The verdict when the score cannot be known: an error whatever the severity, for not knowing is no warning."""
    verdict = _blank(check, signature=signature, level=level)
    verdict["message"] = f"{check.threshold.score} cannot be measured: {reason}"
    return verdict


def _blank(check: Check, *, signature: str, level: float) -> Verdict:
    threshold = check.threshold
    waiver = threshold.waiver
    return Verdict(
        id=threshold.test_id,
        score=threshold.score,
        origin="reported" if check.metric.evidence == "reported" else "measured",
        verdict="unmeasurable",
        value=None,
        low=None,
        high=None,
        level=level,
        method="none",
        bound=_bound(threshold),
        margin=None,
        samples=0,
        evidence=0,
        band="",
        severity=threshold.severity,
        message="",
        notes=[],
        signature=signature,
        where={key: list(values) for key, values in threshold.where.items()},
        per=threshold.per,
        groups=[],
        confidence=threshold.confidence,
        note=threshold.note,
        tags=list(threshold.tags),
        waiver=None
        if waiver is None
        else {
            "until": waiver.until.isoformat(),
            "owner": waiver.owner,
            "reason": waiver.reason,
            "floor": waiver.floor,
        },
        line=threshold.positions[""].line,
    )


def _bound(threshold: Threshold) -> dict[str, Any]:
    if threshold.among:
        return {"in": list(threshold.among)}
    return {word: bound for word in ("min", "max") if (bound := getattr(threshold, word)) is not None}


def plain_value(score: Score, value: float) -> float | str | None:
    """A score as reports have it: its name where it is one, None where it is undefined."""
    if math.isnan(value):
        return None
    return score.names[int(value)] if score.names else value


def _decide(threshold: Threshold, estimate: Estimate, undefined: str) -> tuple[Word, str]:
    """Verdict on one estimate, and what stood in the way where the number alone does not say it.

    Args:
        threshold: The bound and its options.
        estimate: The score's.
        undefined: Why the score is undefined, where the family knows.
    """
    if math.isnan(estimate.value):
        return "unmeasurable", f"undefined: {undefined or 'nothing to divide by on these samples'}"
    if estimate.evidence < threshold.min_samples:
        of = "" if estimate.evidence == estimate.samples else f" of {estimate.samples} samples bear on it, which"
        many = f"{estimate.evidence}{of or ' samples'} are fewer than min_samples {threshold.min_samples}"
        return "inconclusive", many
    if estimate.score.names:
        return ("passed" if plain_value(estimate.score, estimate.value) in threshold.among else "failed"), ""
    if threshold.confidence is None:
        return ("passed" if _met(threshold, estimate.value, estimate.value) else "failed"), ""
    bounds = estimate.bounds(threshold.confidence)
    if bounds is None:
        if estimate.units < FEW:
            return "inconclusive", f"{estimate.units} are too few for a confidence bound"
        if estimate.method == "bootstrap":
            few = f"{len(estimate.draws)} draws are too few for a bound of {100 * threshold.confidence:g}%"
            return "inconclusive", f"{few}; state intervals.draws"
        return "inconclusive", "there is no interval for a confidence bound; leave confidence out"
    if _met(threshold, *bounds):
        return "passed", ""
    lower, upper = bounds
    level = f"{100 * threshold.confidence:g}%"
    if threshold.min is not None and upper < threshold.min:
        return "failed", f"even its one-sided {level} upper bound {upper:.4g} lies below"
    if threshold.max is not None and lower > threshold.max:
        return "failed", f"even its one-sided {level} lower bound {lower:.4g} lies above"
    return "inconclusive", f"its one-sided {level} bounds {lower:.4g} and {upper:.4g} leave it open"


def _met(threshold: Threshold, lower: float, upper: float) -> bool:
    """Whether a lower value reaches the min and an upper value keeps the max; bounds are inclusive."""
    return (threshold.min is None or lower >= threshold.min) and (threshold.max is None or upper <= threshold.max)


def _worst(groups: Sequence[Decided], threshold: Threshold) -> Decided:
    """The group that decides: the gravest verdict, and among equals the one farthest on the wrong side."""
    gravity = {word: i for i, word in enumerate(("unmeasurable", "failed", "inconclusive", "passed"))}

    def order(group: Decided) -> tuple[int, float]:
        margin = _margin(threshold, group[0].estimate.value)
        return gravity[group[1]], -math.inf if margin is None else margin

    return min(groups, key=order)


def _margin(threshold: Threshold, value: float) -> float | None:
    if math.isnan(value):
        return None
    margins = [-math.inf] if threshold.among else []
    if threshold.min is not None:
        margins.append(value - threshold.min)
    if threshold.max is not None:
        margins.append(threshold.max - value)
    return min(margins)


def _group(group: Decided, *, ignored: bool) -> Group:
    item, word, _ = group
    found = item.estimate
    return Group(
        group=item.group or "",
        verdict="ignored" if ignored else word,
        value=plain_value(found.score, found.value),
        low=found.low,
        high=found.high,
        samples=found.samples,
    )


def _within_noise(threshold: Threshold, estimate: Estimate) -> bool:
    if estimate.low is None or estimate.high is None:
        return False
    return any(estimate.low < bound < estimate.high for bound in (threshold.min, threshold.max) if bound is not None)


def _describe(verdict: Verdict, threshold: Threshold, item: Slice, *, word: Word, why: str) -> None:
    """Fill in verdict and message."""
    value = item.estimate.value
    conditions = [f"{key}={'|'.join(values)}" for key, values in threshold.where.items()]
    where = f" where {', '.join(conditions)}" if conditions else ""
    where += "" if item.group is None else f" for {threshold.per} {item.group!r}"
    verdict["verdict"] = word
    if why == NOTHING_LEFT:
        verdict["message"] = f"{verdict['score']}: {why}"
        return
    if math.isnan(value):
        verdict["message"] = f"{verdict['score']}{where} is {why}"
        return
    shown = format_value(verdict["value"], verdict["bound"])
    need = " and ".join(format_bound(verdict["bound"]))
    reason = f" ({why})" if why else ""
    if word == "passed":
        met = "is" if threshold.among else "meets"
        verdict["message"] = f"{verdict['score']}{where} is {shown}, {met} {need}"
    else:
        verdict["message"] = f"{verdict['score']}{where} is {shown}, must be {need}{reason}"
    bad = [group["group"] for group in verdict["groups"] if group["verdict"] in ("failed", "unmeasurable")]
    if len(bad) > 1:
        shown_groups = ", ".join(repr(name) for name in bad[:8]) + (", …" if len(bad) > 8 else "")
        verdict["message"] += f"; {len(bad)} of {len(verdict['groups'])} groups miss it: {shown_groups}"


def _apply_waiver(verdict: Verdict, waiver: Waiver | None, groups: Sequence[Decided], *, today: dt.date) -> None:
    """A failure is waived while the waiver holds; one that has ended, does not reach or is not needed is said."""
    if waiver is None:
        return
    until = waiver.until.isoformat()
    if verdict["verdict"] == "passed":
        verdict["notes"].append(f"the waiver of {waiver.owner} until {until} is no longer needed; remove it")
    if verdict["verdict"] != "failed":
        return
    if today > waiver.until:
        verdict["message"] += f"; the waiver of {waiver.owner} ended on {until} ({waiver.reason})"
    elif any(word == "inconclusive" for _, word, _ in groups):
        verdict["message"] += f"; the waiver of {waiver.owner} covers failures, and a group is inconclusive"
    elif waiver.floor is not None and (side := _beyond_floor(verdict["bound"], waiver.floor, groups)):
        verdict["message"] += f"; {side} the floor {waiver.floor:g} of the waiver of {waiver.owner} ({waiver.reason})"
    else:
        verdict["verdict"] = "waived"
        verdict["message"] += f"; waived by {waiver.owner} until {until}: {waiver.reason}"


def _beyond_floor(bound: Mapping[str, float], floor: float, groups: Sequence[Decided]) -> str:
    """On which side of the floor a failed group lies; empty if none lies beyond it."""
    values = [item.estimate.value for item, word, _ in groups if word == "failed"]
    if set(bound) == {"max"}:
        return "above" if max(values) > floor else ""
    return "below" if min(values) < floor else ""


def format_value(value: float | str | None, bound: Mapping[str, Any]) -> str:
    """A number with as many digits as it takes to differ from its bounds, three decimals at least; a name as it is."""
    if value is None or isinstance(value, str):
        return value or "-"
    if 0 < abs(value) < SMALL:
        return f"{value:.4g}" if all(f"{value:.4g}" != f"{other:.4g}" for other in bound.values()) else repr(value)
    for digits in range(3, 18):
        text = f"{value:.{digits}f}"
        if all(value == other or text != f"{other:.{digits}f}" for other in bound.values()):
            return text
    return repr(value)


def format_bound(bound: Mapping[str, Any]) -> list[str]:
    """``>= 0.75`` and ``<= 0.9``, or ``in [healthy]``."""
    if "in" in bound:
        return [f"in [{', '.join(bound['in'])}]"]
    signs = {"min": ">=", "max": "<="}
    parts = []
    for word, number in bound.items():
        short = f"{number:g}"
        parts.append(f"{signs[word]} {short if float(short) == number else repr(number)}")
    return parts
