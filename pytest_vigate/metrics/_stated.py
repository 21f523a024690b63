"""Scores that a file states: there is nothing to compute, to draw or to leave out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float
from pytest_vigate.metrics.base import Key, Metric, Statistics

#: Family key that says which score a row is of.
_SCORE = "score"


class Number(NamedTuple):
    """A number of a score, and what the verdict has to say of it."""

    value: float
    said: str = ""


#: The numbers that a score is the sum of; or why it is undefined.
Stated = Sequence[Number] | str


def stated(found: Mapping[str, Stated], n: int, **said: Any) -> Statistics:
    """The statistics of what was found: one row a number, all of the first sample, for the whole stands for each.

    Args:
        found: By the name of the score.
        n: Number of samples.
        said: What else statistics say.
    """
    rows = [(code, number) for code, item in enumerate(found.values()) if not isinstance(item, str) for number in item]
    remarks = np.full(len(rows), "", dtype=np.object_)
    remarks[:] = [number.said for _, number in rows]
    return Statistics(
        ("value",),
        np.array([number.value for _, number in rows], dtype=np.float64).reshape(-1, 1),
        np.zeros(len(rows), dtype=np.int64),
        n,
        keys={_SCORE: Key(np.array([code for code, _ in rows], dtype=np.int64), tuple(found))},
        undefined={name: item for name, item in found.items() if isinstance(item, str)},
        remarks=remarks,
        **said,
    )


@dataclass(frozen=True)
class StatedScores(Metric):
    """A family whose scores stand in a file. No sample bears more on them than another, and none can be left out."""

    def evaluate(self, statistics: Statistics, weights: Float) -> Float:
        values = statistics.column("value")
        found = np.full((len(weights), len(self.configured)), np.nan)
        there = (weights > 0).any(axis=1)
        for i, score in enumerate(self.configured):
            rows = _rows(statistics, score.name)
            if rows.any() and score.name not in statistics.undefined:
                found[there, i] = values[rows].sum()
        return found

    def trials(self, statistics: Statistics) -> Bool:
        defined = [bool(_rows(statistics, score.name).any()) for score in self.configured]
        return np.tile(np.array(defined, dtype=np.bool_), (statistics.n, 1))

    def leave_one_out(self, statistics: Statistics) -> Float:
        n = statistics.n
        left = np.full((1, max(n, 1)), float(n > 1))
        return np.repeat(self.evaluate(statistics, left), n, axis=0)

    def caveats(self, statistics: Statistics, score: str) -> Sequence[str]:
        if statistics.remarks is None:
            return ()
        return tuple(said for said in statistics.remarks[_rows(statistics, score)].tolist() if said)


def _rows(statistics: Statistics, score: str) -> Bool:
    key = statistics.keys[_SCORE]
    if score not in key.names:
        return np.zeros(len(statistics.sample), dtype=np.bool_)
    found: Bool = key.code == key.names.index(score)
    return found
