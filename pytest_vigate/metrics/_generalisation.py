"""How much better a model is on what it was trained on, and how much better it once was: the formulas of `overfit`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.metrics._curves import number
from pytest_vigate.metrics.base import Score, ratio

#: Scores of `overfit`, whatever it is on.
SCORES: Final = (
    Score("gap", "how much worse validation is than train", -np.inf, np.inf, "lower"),
    Score("ratio", "how many times as bad validation is as train", 0, np.inf, "lower"),
    Score("rise", "how much worse validation is than at its best, as a share", 0, np.inf, "lower"),
    Score("regret", "how much worse validation is than at its best", 0, np.inf, "lower"),
    Score("since_best", "evaluations after the best one", 0, np.inf, "lower", "evaluations"),
)
#: Gap between scores in [0, 1] from which it is called so.
BANDS = ((0.20, "severe"), (0.10, "overfitting"))
BELOW = "healthy"


@dataclass(frozen=True, slots=True, eq=False)
class Generalisation:
    """Scores of a run at the checkpoint that is judged, each (…,); NaN where undefined. Less is better.

    Args:
        gap: How much worse validation is than train.
        ratio: How many times as bad: validation over train for losses, train over validation for scores.
        rise: How much worse validation is than at its best, as a share of its best.
        regret: The same, in its own unit.
        since_best: Evaluations after the best one, up to the one that is judged; 0 where the best one is later.
    """

    gap: Float
    ratio: Float
    rise: Float
    regret: Float
    since_best: Float

    @property
    def values(self) -> Float:
        """(…, 5) all of them, in the order above."""
        return np.stack([getattr(self, item.name) for item in fields(self)], axis=-1)


def best(validation: Float, *, lower: bool) -> Int:
    """(…,) index of the first best evaluation among the finite ones; 0 where none is.

    Args:
        validation: (…, C).
        lower: Whether less is better.
    """
    worst = np.inf if lower else -np.inf
    known: Bool = np.isfinite(validation)
    told = np.where(known, validation, worst)
    found: Int = told.argmin(axis=-1) if lower else told.argmax(axis=-1)
    return found


def generalisation(train: Float, validation: Float, judged: int, *, lower: bool) -> Generalisation:
    """The formulas, on any leading axes.

    The best evaluation is the first best of all, also of those after the judged one: a later one that is better is
    regretted too. A single evaluation is its own best, which proves nothing: `rise`, `regret` and `since_best` are
    then NaN.

    Args:
        train: (…, C) of the C evaluations; NaN where unknown.
        validation: (…, C); NaN where unknown.
        judged: Index of the one that is judged.
        lower: Whether less is better.
    """
    known: Bool = np.isfinite(validation)
    at = best(validation, lower=lower)
    top = np.take_along_axis(validation, np.asarray(at)[..., None], axis=-1)[..., 0]
    top = np.where(known.sum(axis=-1) > 1, top, np.nan)
    return formulas(train[..., judged], validation[..., judged], top, np.maximum(judged - at, 0), lower=lower)


def formulas(train: Float, validation: Float, top: Float, since: Float | Int, *, lower: bool) -> Generalisation:
    """The same of what is known already.

    Args:
        train: (…,) at the checkpoint that is judged.
        validation: (…,) the same.
        top: (…,) validation at its best; NaN where no other evaluation is there.
        since: (…,) evaluations after the best one.
        lower: Whether less is better.
    """
    with np.errstate(all="ignore"):  # what is not finite stays so, and is told below
        regret = _apart(validation, top, lower=lower)
        over, under = (validation, train) if lower else (train, validation)
        times = np.where((over >= 0) & (under > 0), ratio(over, under), np.nan)
        rise = np.where(top > 0, ratio(regret, top), np.nan)
        since = np.where(np.isnan(regret), np.nan, since)
        parts = [_apart(validation, train, lower=lower), times, rise, regret, since]
    return Generalisation(*(np.where(np.isfinite(part), part, np.nan) for part in parts))


def _apart(here: Float, there: Float, *, lower: bool) -> Float:
    """How much worse one is, without the noise of the last digits: 0.8 − 0.7 is no more than 0.1, and 0 has no sign."""
    difference = np.asarray(here - there if lower else there - here)
    size = np.maximum(np.abs(here), np.abs(there))
    exponent = np.floor(np.log10(np.where(size > 0, size, 1.0)))
    unit = 10.0 ** np.where(np.isfinite(exponent), 12 - exponent, 0)
    rounded = np.round(difference * unit) / unit
    return np.where(np.isfinite(rounded), rounded, difference) + 0.0


def described(measures: Mapping[str, Any]) -> tuple[str, ...]:
    """The table of the measures in words, a line an evaluation."""
    left = measures["evaluations"] - len(measures["table"])
    lines = [_row(item, measures) for item in measures["table"]]
    return (*lines, f"and {left} evaluations between them") if left else tuple(lines)


def _row(item: Mapping[str, Any], measures: Mapping[str, Any]) -> str:
    """``step 1500: train 0.92, validation 0.78, gap 0.14, overfitting``."""
    parts = [
        f"{name} {'unknown' if item[name] is None else number(item[name])}" for name in ("train", "validation", "gap")
    ]
    parts += [item["band"]] if item["band"] else []
    parts += [word for word in ("best", "judged") if measures[f"{word}_step"] == item["step"]]
    return f"step {item['step']}: {', '.join(parts)}"
