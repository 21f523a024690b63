"""Average precision under sample weights: what does not depend on the weights is prepared once.

Precision only has to be read where a run of true positives ends: within a run it rises. So every class under every
threshold and area range is a short list of points, all lists lie in one array, and a draw of weights costs a few
cumulative sums and one look at each point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pytest_vigate.data.coordinates import Bool, Float, Int

#: COCO reads precision at 0, 0.01, …, 1: ``np.linspace(0, 1, 101)``, whose floats are these multiples.
STEP = 0.01
RECALLS = 101

#: Above this the sums of whole weights might not fit 32 bits; a bootstrap's weights add up to the samples.
MOST_WEIGHT = 1 << 24

Numbers = NDArray[np.number[Any]]
Ties = Literal["input", "together", "best"]


@dataclass(frozen=True, slots=True, eq=False)
class Count:
    """Weights of some rows added up between two of them: ``sum(weights[sample[start[q]:stop[q]]])`` for every q."""

    sample: Int  # (m,)
    start: Int  # (q,)
    stop: Int  # (q,)
    times: Int | None = None  # (m,) how often each row counts; None for once

    def under(self, weights: Numbers) -> Numbers:
        """(q,) sums."""
        values = weights.take(self.sample)
        if self.times is not None:
            values *= self.times
        sums = np.zeros(len(values) + 1, dtype=weights.dtype)
        np.cumsum(values, out=sums[1:])
        found: Numbers = sums.take(self.stop) - sums.take(self.start)
        return found

    @staticmethod
    def join(parts: Sequence[Count]) -> Count:
        """Counts one after the other."""
        offsets = np.cumsum([0, *(len(part.sample) for part in parts)])
        return Count(
            np.concatenate([part.sample for part in parts]),
            np.concatenate([part.start + offset for part, offset in zip(parts, offsets, strict=False)]),
            np.concatenate([part.stop + offset for part, offset in zip(parts, offsets, strict=False)]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Where precision is read; c classes, q points ordered by area range, threshold, class and score.

    A point counts from the beginning of its class.
    """

    classes: int
    areas: int
    thresholds: int
    references: Count  # (A * c,) references that count
    recalls: Sequence[tuple[int, Count]]
    """Area range, and (c,) true positives added up over thresholds."""
    hits: Count  # (q,) true positives
    detections: Count  # (q,)
    skipped: Count  # (i,) detections among them that are ignored at this threshold, not at another: different counts
    skipped_at: Int  # (q,) which of them
    late: Count | None  # (q,) true positives that count before the others of their tied group
    group: Int  # (q,) area range, threshold and class: (a * T + t) * c + class
    first: Int  # first point of every group that has one
    parts: Int  # (A * T + 1,) first point of every area range and threshold, and the end
    lift: Float  # (q,) falls from group to group, so that a maximum from the right stays within its group


class Ranked:
    """Detections by class and falling score, and what they took.

    Args:
        reference: (r,) whether the row is a reference; else it is a detection.
        label: (r,) class; those without a reference are left out.
        sample: (r,) sample.
        score: (r,) of detections.
        order: (r,) of the sample, for detections of one class and score; within a sample they follow the rows.
        rank: (r,) of detections within sample and class.
        bits: (A, r) of references 1 where they count in the area range; of detections bit t where a true positive at
            threshold t, bit T + t where ignored.
        thresholds: T.
        most: Detections a sample and class for average recalls over all areas.
    """

    def __init__(
        self,
        *,
        reference: Bool,
        label: Int,
        sample: Int,
        score: Float,
        order: Float,
        rank: Float,
        bits: Int,
        thresholds: int,
        most: Sequence[int],
    ) -> None:
        known = np.unique(label[reference])
        place = np.full(int(label.max(initial=0)) + 1, -1)
        place[known] = np.arange(len(known))
        code = place[label]
        g = np.flatnonzero(reference)
        g = g[np.argsort(code[g], kind="stable")]
        d = np.flatnonzero(~reference & (code >= 0))
        if (np.diff(order[d]) < 0).any():
            d = d[np.argsort(order[d], kind="stable")]
        d = d[np.lexsort((-score[d], code[d]))]  # stable
        self._classes, self._thresholds = len(known), thresholds
        self._areas = []
        for row in bits[:, d]:
            kept = row >> thresholds != (1 << thresholds) - 1  # not ignored at every threshold
            self._areas.append(_Area(code[d[kept]], sample[d[kept]], score[d[kept]], row[kept], thresholds))
        self._references = Count.join([_by_class(code, sample, g[row[g] > 0], len(known)) for row in bits])
        wanted = [*((0, rank[d] < limit) for limit in most), *((a, rank[d] >= 0) for a in range(1, len(bits)))]
        self._recalls = [(a, _recall(code, sample, d[kept], bits[a], thresholds, len(known))) for a, kept in wanted]

    def ranking(self, ties: Ties) -> Ranking:
        """Where to read precision.

        Args:
            ties: How detections of one class and score are read: in their order, together, or true positives first.
        """
        by_area = [[area.points(t, ties) for t in range(self._thresholds)] for area in self._areas]
        detections = []
        for area, of_area in zip(self._areas, by_area, strict=True):
            begin, read = (np.concatenate(column) for column in zip(*((p.begin, p.read) for p in of_area), strict=True))
            detections.append(Count(area.sample, begin, read))
        points = [point for of_area in by_area for point in of_area]
        group = np.concatenate([point.label + i * self._classes for i, point in enumerate(points)])
        skipped = Count.join([point.skipped for point in points])
        _, some, each = np.unique(
            skipped.start * (len(skipped.sample) + 1) + skipped.stop, return_index=True, return_inverse=True
        )
        return Ranking(
            classes=self._classes,
            areas=len(self._areas),
            thresholds=self._thresholds,
            references=self._references,
            recalls=self._recalls,
            hits=Count.join([point.hits for point in points]),
            detections=Count.join(detections),
            skipped=Count(skipped.sample, skipped.start[some], skipped.stop[some]),
            skipped_at=each,
            late=Count.join([point.late for point in points]) if ties == "best" else None,
            group=group,
            first=np.flatnonzero(np.diff(group, prepend=-1) != 0),
            parts=np.searchsorted(group, self._classes * np.arange(len(points) + 1)),
            lift=2.0 * (group.max(initial=0) - group),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """Points of one threshold of one area range."""

    label: Int  # (q,) class
    begin: Int  # (q,) first detection of the class
    read: Int  # (q,) detections before this one count
    hits: Count
    skipped: Count
    late: Count


class _Area:
    """Detections of one area range, by class and falling score."""

    def __init__(self, code: Int, sample: Int, score: Float, bits: Int, thresholds: int) -> None:
        self.sample = sample
        self._code = code
        self._begin = np.searchsorted(code, np.arange(int(code.max(initial=0)) + 1))
        hits, skips = np.flatnonzero(bits & ((1 << thresholds) - 1)), np.flatnonzero(bits >> thresholds)
        self._hits, self._hit_bits = hits, bits[hits]
        self._skips, self._skip_bits = skips, bits[skips] >> thresholds
        changes = (np.diff(code, prepend=-1) != 0) | (np.diff(score, prepend=np.nan) != 0)
        self._tied = np.cumsum(changes) - 1  # number of the group of tied detections
        self._group = np.append(np.flatnonzero(changes), len(code))  # first detection of every group

    def points(self, t: int, ties: Ties) -> _Points:
        """The last true positive of every run, or of every group of tied detections, at one threshold."""
        hits, skips = self._hits[self._hit_bits >> t & 1 > 0], self._skips[self._skip_bits >> t & 1 > 0]
        if ties == "input":
            runs_on = np.diff(hits, append=-1) == 1
            runs_on &= np.diff(self._code[hits], append=-1) == 0
            to = np.flatnonzero(~runs_on) + 1
            stop = hits[to - 1] + 1
            read = stop
        else:
            group = self._tied[hits]
            to = np.flatnonzero(np.diff(group, append=-1) != 0) + 1
            stop = self._group[group[to - 1] + 1]
            read = stop if ties == "together" else self._group[group[to - 1]]
        label = self._code[stop - 1]
        return _Points(
            label=label,
            begin=self._begin[label],
            read=read,
            hits=Count(self.sample[hits], np.searchsorted(hits, self._begin)[label], to),
            skipped=Count(self.sample[skips], np.searchsorted(skips, self._begin)[label], np.searchsorted(skips, read)),
            late=Count(self.sample[hits], np.searchsorted(hits, read) if ties == "best" else to, to),
        )


def _recall(code: Int, sample: Int, d: Int, bits: Int, thresholds: int, classes: int) -> Count:
    """True positives by class, each as often as there are thresholds at which it is one."""
    d = d[bits[d] & ((1 << thresholds) - 1) > 0]
    times = sum((bits[d] >> t & 1 for t in range(thresholds)), np.zeros(len(d), dtype=np.int64))
    return replace(_by_class(code, sample, d, classes), times=times.astype(np.int32))


def _by_class(code: Int, sample: Int, rows: Int, classes: int) -> Count:
    """Rows that are ordered by class, added up by class."""
    edges = np.searchsorted(code[rows], np.arange(classes + 1))
    return Count(sample[rows], edges[:-1], edges[1:])


def average_precision(ranking: Ranking, weights: Float) -> tuple[Float, Float]:
    """Mean over classes of average precision, (A, T), and of average recall, one of every `Ranking.recalls`.

    Args:
        ranking: The prepared rows.
        weights: (n,) of the samples.

    Returns:
        NaN where no class has a reference under these weights.
    """
    numbers = _whole(weights)
    references = ranking.references.under(numbers).reshape(ranking.areas, ranking.classes)
    asked = np.count_nonzero(references, axis=1)  # (A,)
    tp = ranking.hits.under(numbers)
    counted = ranking.detections.under(numbers)
    counted = counted - ranking.skipped.under(numbers).take(ranking.skipped_at)
    if ranking.late is not None:
        counted = counted + ranking.late.under(numbers)
    precision = _shares(tp, counted)
    precision += ranking.lift
    # Positive floats are ordered as their bits are, and the running maximum of integers is five times as fast.
    best = np.maximum.accumulate(precision.view(np.int64)[::-1])[::-1].view(np.float64) - ranking.lift
    total = np.repeat(references, ranking.thresholds, axis=0).ravel().take(ranking.group)
    reached = _reached(_shares(tp, total))
    gained = np.empty(len(tp))
    np.subtract(reached[1:], reached[:-1], out=gained[1:])
    gained[ranking.first] = reached[ranking.first]
    gained *= best
    under = np.zeros(ranking.areas * ranking.thresholds)
    filled = ranking.parts[:-1] < ranking.parts[1:]
    under[filled] = np.add.reduceat(gained, ranking.parts[:-1][filled]) if filled.any() else 0
    with np.errstate(invalid="ignore"):
        precisions = under.reshape(ranking.areas, ranking.thresholds) / RECALLS / asked[:, None]
        recalls = [
            _shares(found.under(numbers), references[a]).sum() / ranking.thresholds / asked[a]
            for a, found in ranking.recalls
        ]
    return precisions, np.array(recalls)


def _shares(part: Numbers, whole: Numbers) -> Float:
    """Elementwise quotient, 0 where there is no whole."""
    shares: Float = np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
    return shares


def _whole(weights: Float) -> Numbers:
    """Whole numbers as such where they are: their cumulative sums are exact, and several times as fast."""
    whole = weights.astype(np.int32)
    return whole if np.array_equal(whole, weights) and weights.sum() < MOST_WEIGHT else weights


def _reached(recall: Float) -> Float:
    """How many of COCO's recalls are at or below, without a search: they are whole numbers times 0.01."""
    reached = recall * 100
    reached += 1e-9
    np.floor(reached, out=reached)
    reached += reached * STEP <= recall
    return reached
