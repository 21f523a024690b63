"""Average precision and recall of scored detections, as COCO defines them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.dataset import Boxes, Dataset
from pytest_vigate.data.vocabulary import require_common_labels
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics._boxes import Edges, find_edges, malformed, overlaps
from pytest_vigate.metrics._greedy import (
    COUNTED,
    IGNORED,
    NOTHING,
    Detections,
    count_competing,
    match_greedily,
    rank_detections,
)
from pytest_vigate.metrics._ranking import Ranked, Ranking, Ties, average_precision
from pytest_vigate.metrics.base import Key, Metric, Pattern, Score, Statistics

#: 0.50:0.05:0.95 with the very floats of pycocotools: a pair may lie exactly on one.
THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
#: Detections a sample and class that average recalls look at.
LIMITS = {"ar1": 1, "ar10": 10, "ar100": 100}
#: Largest area that counts, as in pycocotools.
MOST_AREA = 1e10
AREAS = ("all", "small", "medium", "large")
#: Thresholds are bits of a number that a float holds exactly.
MOST_THRESHOLDS = 20
#: Ties that move a score by no more than this are not told.
TIES_MATTER = 0.001
#: Rows times draws that intervals are worth, about half a second; but never fewer than `FEWEST_DRAWS`.
WORTH = 20_000_000
FEWEST_DRAWS = 100
#: Rows from which draws are worth several threads: short arrays would only wait for Python's lock.
MANY = 50_000
THREADS = min(4, os.cpu_count() or 1)
#: Samples that are left out one by one to see what they cost; of more, those that may cost most.
CANDIDATES = 100
#: Ids that are ordered as numbers.
_WHOLE = re.compile("-?[0-9]{1,40}")

COLUMNS = (
    "reference",  # 1 for a row of a reference, 0 for one of a detection
    "score",
    "order",  # of the sample among all samples: tied detections follow the order of the picture's ids
    "rank",  # of the detection within its sample and class, 0 for the highest score
    *AREAS,  # reference: 1 where it counts. Detection: bit t if a true positive at threshold t, bit T + t if ignored
    "missed",  # reference that no detection takes at the lowest threshold
    "loose",  # reference that is taken at the lowest threshold but not at 0.75
    "invented",  # detection without a reference at the lowest threshold
)


@dataclass(frozen=True)
class Coco(Metric):
    """Average precision and recall of scored boxes over classes and IoU thresholds, in [0, 1]; higher is better.

    ``map`` is also known as mAP50-95, mAP@[.5:.95] or AP; ``map50`` as mAP50, mAP@0.5 or AP50.

    Definition:
        In every sample and class, detections take references in the order of their scores: each the free one with the
        largest IoU at or above the threshold. Over all samples, sorted by score,
        ``precision = tp / (tp + fp)`` and ``recall = tp / references``. The average precision of a class is the mean,
        over the recalls 0, 0.01, …, 1, of the largest precision at that recall or beyond. ``map`` is its mean over
        thresholds and classes, ``map50`` and ``map75`` at one threshold, ``map_small`` … over objects of one size.
        ``ar1``, ``ar10``, ``ar100`` are the recall with that many detections a sample and class, averaged likewise.

    Statistics:
        One row a detection of the ``max_detections`` best of its sample and class, and one row a reference that is no
        crowd; both carry their label.

    Degenerate:
        A class without references has no precision and is left out of the mean; with no class left, the scores are
        undefined. Predicted boxes without scores cannot be ranked: the family is unmeasurable; gate bbox instead.
        Predicted boxes of zero or inverted area are false positives. Crowds count for nothing, and take any number of
        detections whose intersection over their own area reaches the threshold. Objects outside an area range count
        for nothing there, nor do the detections that took them, nor unmatched detections outside it.

    Differs from:
        pycocotools 2.0.11, to which all scores are equal to 1e-9, tied scores included: it skips annotations whose id
        is 0 as if nobody had found them, and overwrites ``ignore`` with ``iscrowd``; here an id means nothing and both
        mark a region that counts for nothing. Its -1 for "undefined" is undefined here. COCO's own order of pictures is
        that of their ids, which decides ties here too where samples are joined by id; ids that are digits in quotes
        count as numbers here.

    Sources:
        Lin et al. 2014 (COCO). pycocotools 2.0.11 is the oracle of the tests.

    Gate:
        ```yaml
        vigate: 1
        data:
          predictions: {path: results.json, format: coco}
          references: {path: truth.json, format: coco}
        thresholds:
          coco.map50: {min: 85%}
          coco.map: {min: 45%, severity: warn}
        ```
    """

    name: ClassVar[str] = "coco"
    scores: ClassVar[tuple[Score, ...]] = (
        Score(
            "map",
            "mean average precision over IoU 0.50:0.95 (mAP50-95)",
            bands=((0.65, "excellent"), (0.45, "good")),
            below="",
        ),
        Score("map50", "mean average precision at IoU 0.50 (mAP50)", bands=((0.85, "good"),), below=""),
        Score("map75", "mean average precision at IoU 0.75 (mAP75)"),
        Score("map_small", "map over small objects"),
        Score("map_medium", "map over objects of medium size"),
        Score("map_large", "map over large objects"),
        Score("ar1", "average recall with one detection a picture and class"),
        Score("ar10", "average recall with ten detections a picture and class"),
        Score("ar100", "average recall with a hundred detections a picture and class"),
        Score("ar_small", "average recall over small objects"),
        Score("ar_medium", "average recall over objects of medium size"),
        Score("ar_large", "average recall over large objects"),
    )
    needs: ClassVar[frozenset[str]] = frozenset({"boxes"})
    keys: ClassVar[tuple[str, ...]] = ("label",)
    patterns: ClassVar[tuple[Pattern, ...]] = (
        Pattern(
            ("map50",),
            ("map",),
            "boxes are in the right place but not tight: check how box edges were drawn, then train longer or at a "
            "higher resolution",
        ),
        Pattern(
            (),
            ("map50",),
            "objects are missed, invented or confused, however loosely boxes are judged: see bbox.recall, "
            "bbox.precision and confusion",
        ),
    )

    #: highest-scored detections that count in a sample and class
    max_detections: Annotated[int, msgspec.Meta(ge=1)] = 100
    #: IoU thresholds to average over; none are COCO's, 0.50:0.05:0.95
    iou_thresholds: tuple[Annotated[float, msgspec.Meta(gt=0, le=1)], ...] | None = None
    #: square pixels at which medium objects begin and end
    area_ranges: tuple[Annotated[float, msgspec.Meta(gt=0)], Annotated[float, msgspec.Meta(gt=0)]] = (1024.0, 9216.0)
    #: tied scores: in the order of the input, or read together as one point, whatever the order of the input
    ties: Literal["input", "together"] = "input"

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.iou_thresholds
        if given is not None and not (given and list(given) == sorted(set(given)) and len(given) <= MOST_THRESHOLDS):
            many = f"1 to {MOST_THRESHOLDS} numbers, each above the one before"
            raise ValueError(f"iou_thresholds: expected {many}, found {list(given)}")
        if not self.area_ranges[0] < self.area_ranges[1]:
            raise ValueError(f"area_ranges: medium ends at {self.area_ranges[1]:g}, where it has not begun")

    @property
    def configured(self) -> tuple[Score, ...]:
        if self.iou_thresholds is None:
            return self.scores
        return tuple(replace(score, bands=()) if score.name == "map" else score for score in self.scores)

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The T thresholds."""
        return self.iou_thresholds or THRESHOLDS

    def statistics(self, data: Dataset) -> Statistics:
        predictions, references = data.predictions.boxes, data.references.boxes
        require_common_labels(data)
        notes = (*malformed(data), *_scored(predictions, data.predictions.file))
        unknown = _unknown_classes(predictions, references)
        detections = rank_detections(predictions, self.max_detections, by_place=self.ties == "together")
        real = np.flatnonzero(~references.crowd)
        values = np.zeros((len(COLUMNS), len(real) + len(detections.p)))  # (k, r): filled column by column
        columns = dict(zip(COLUMNS, values, strict=True))
        here, there = slice(len(real)), slice(len(real), None)
        outside = self._outside(references.area)  # (g, A)
        columns["reference"][here] = 1
        columns["score"][there] = predictions.score[detections.p]
        columns["order"][there] = _order_of_ids(data.ids)[predictions.sample[detections.p]]
        columns["rank"][there] = detections.rank
        bits, hit, competing = self._match(data, detections, outside)
        for a, name in enumerate(AREAS):
            columns[name][here] = ~outside[real, a]
            columns[name][there] = bits[:, a]
        lowest, tight = hit[real, 0], hit[real, self._at(0.75)]
        columns["missed"][here] = ~lowest
        columns["loose"][here] = lowest & ~tight
        columns["invented"][there] = np.bitwise_and(bits[:, 0], 1 | 1 << len(self.thresholds)) == 0
        rows = np.concatenate([references.label[real], predictions.label[detections.p]])
        asked = frozenset(references.vocabulary[i] for i in np.unique(references.label[real]))
        return Statistics(
            columns=COLUMNS,
            values=values.T,
            sample=np.concatenate([references.sample[real], predictions.sample[detections.p]]),
            n=len(data),
            keys={"label": Key(rows, references.vocabulary, asked)},
            settled={} if self.iou_thresholds else {"iou_thresholds": "0.50:0.05:0.95"},
            notes=(*notes, *unknown, *self._tied(competing)),
            undefined=self._undefined(references, predictions),
        )

    def _at(self, threshold: float) -> int:
        """Index of the first threshold that is at least this."""
        return int(np.searchsorted(self.thresholds[:-1], threshold))

    def _outside(self, area: Float) -> Bool:
        """(N, A) whether an area lies outside each range."""
        low, high = self.area_ranges
        ranges = np.array([(0, MOST_AREA), (0, low), (low, high), (high, MOST_AREA)])
        outside: Bool = (area[:, None] < ranges[:, 0]) | (area[:, None] > ranges[:, 1])
        return outside

    def _match(self, data: Dataset, detections: Detections, outside: Bool) -> tuple[Int, Bool, int]:
        """Bits of every detection and area range, (d, A); whether a reference was taken, (g, T); `count_competing`."""
        predictions, references = data.predictions.boxes, data.references.boxes
        count = len(self.thresholds)
        used = np.zeros(len(predictions.label), dtype=bool)
        used[detections.p] = True
        place = np.empty(len(predictions.label), dtype=np.int64)
        place[detections.p] = np.arange(len(detections.p))
        reach = np.minimum(self.thresholds, 1 - 1e-10)  # pycocotools: an IoU of 1 meets a threshold of 1
        edges = overlaps(data, use_p=used, same_label=True)
        if references.crowd.any():
            on_crowd = find_edges(
                predictions, references, use_p=used, use_g=references.crowd, same_label=True, over_prediction=True
            )
            edges = Edges(*(np.concatenate(pair) for pair in zip(_parts(edges), _parts(on_crowd), strict=True)))
        edges = edges.take(edges.overlap >= reach[0])
        edges = Edges(place[edges.p], edges.g, edges.overlap)
        matches = match_greedily(
            edges,
            group=detections.group,
            many=references.crowd,
            ignored=outside | references.crowd[:, None],
            thresholds=reach,
        )
        bit = 1 << np.arange(count)
        beyond = self._outside(predictions.area[detections.p])  # (d, A)
        bits = np.where(beyond, bit.sum() << count, 0)
        state, far = matches.state, beyond[matches.p][:, :, None]
        skipped = (state == IGNORED) | ((state == NOTHING) & far)
        bits[matches.p] = (state == COUNTED) @ bit + ((skipped @ bit) << count)
        return bits, matches.taken[:, 0], count_competing(detections, edges, references)

    def _tied(self, competing: int) -> tuple[str, ...]:
        """Within a sample, the order of tied boxes decides what they find; reading them together cannot undo that."""
        if not competing:
            return ()
        order = "of their coordinates" if self.ties == "together" else "of the input"
        return (
            f"tied scores within a sample: in {competing} of them, boxes of one class and score compete for a "
            f"reference or for the last place under a limit; the order {order} decides",
        )

    def _undefined(self, references: Boxes, predictions: Boxes) -> dict[str, str]:
        reasons = {
            f"map{round(100 * t)}": f"iou_thresholds of coco do not hold {t:g}; add it, or gate map"
            for t in (0.5, 0.75)
            if t not in self.thresholds
        }
        for name, most in LIMITS.items():
            if self.max_detections < most:
                reasons[name] = f"max_detections of coco is {self.max_detections}; raise it to {most}"
        sizeless = int(np.isnan(references.area).sum() + np.isnan(predictions.area).sum())
        if sizeless:
            why = f"the area of {sizeless} boxes in pixels is unknown; give the records width and height"
            reasons |= {f"{what}_{size}": why for what in ("map", "ar") for size in AREAS[1:]}
        return reasons

    def evaluate(self, statistics: Statistics, weights: Float) -> Float:
        score = partial(self._scores, statistics, ties=self.ties)
        rows = [score(row) for row in weights[:1]]  # prepares what all draws share
        if len(statistics.sample) < MANY:
            rows += map(score, weights[1:])
        else:
            with ThreadPoolExecutor(THREADS) as pool:  # numpy leaves Python's lock alone while it works on long arrays
                rows += pool.map(score, weights[1:])
        found = np.stack(rows) if rows else np.empty((0, len(self.scores)))
        return self.without_undefined(statistics, found)

    def _scores(self, statistics: Statistics, weights: Float, *, ties: Ties) -> Float:
        """(s,) scores under one draw of weights."""
        prepared = statistics.prepared
        if self not in prepared:
            prepared[self] = self._ranked(statistics)
        if (self, ties) not in prepared:
            prepared[self, ties] = prepared[self].ranking(ties)
        ranking: Ranking = prepared[self, ties]
        precisions, recalls = average_precision(ranking, weights)
        thresholds = list(self.thresholds)
        at = [precisions[0, thresholds.index(t)] if t in thresholds else np.nan for t in (0.5, 0.75)]
        return np.array([precisions[0].mean(), *at, *precisions[1:].mean(axis=1), *recalls])

    def _ranked(self, statistics: Statistics) -> Ranked:
        found = dict(zip(statistics.columns, statistics.values.T, strict=True))
        return Ranked(
            reference=found["reference"] > 0,
            label=statistics.keys["label"].code,
            sample=statistics.sample,
            score=found["score"],
            order=found["order"],
            rank=found["rank"],
            bits=np.stack([found[name] for name in AREAS]).astype(np.int64),
            thresholds=len(self.thresholds),
            most=tuple(LIMITS.values()),
        )

    def caveats(self, statistics: Statistics, score: str) -> Sequence[str]:
        if score in statistics.undefined:
            return ()
        if score in LIMITS and (samples := _tied_at(statistics, LIMITS[score])):
            return (
                f"tied scores within a sample: in {samples} of them, boxes of one class and score stand on both sides "
                f"of the limit of {self.name}.{score}; their order decides which of them count",
            )
        if self.ties == "together":
            return ()
        if (self, "ends") not in statistics.prepared:
            ones = np.ones(statistics.n)
            ends = [self._scores(statistics, ones, ties=order) for order in ("together", "best")]
            statistics.prepared[self, "ends"] = dict(
                zip([item.name for item in self.scores], zip(*ends, strict=True), strict=True)
            )
        low, high = statistics.prepared[self, "ends"][score]
        if not high - low > TIES_MATTER:
            return ()
        return (
            f"tied scores: their order over all samples can move {self.name}.{score} between {low:.4f} and {high:.4f}; "
            "it is that of the input. Set ties: together to read them as one, or write scores with more digits",
        )

    def affordable(self, statistics: Statistics) -> int:
        return max(FEWEST_DRAWS, WORTH // max(1, len(statistics.sample)))

    def trials(self, statistics: Statistics) -> Bool:
        """Samples with references: a false positive beside them costs, but proves nothing."""
        reference = statistics.column("reference") > 0
        owners = {name: _owners(statistics, reference & (statistics.column(name) > 0)) for name in AREAS}
        one_half = [owners[name] for name in ("all", "all", *AREAS)]
        return np.column_stack([*one_half, *one_half])

    def leave_one_out(self, statistics: Statistics) -> Float:
        """Exact for the `CANDIDATES` samples that may cost most; the others are said to cost nothing."""
        whole = self.evaluate(statistics, np.ones((1, statistics.n)))
        suspects = np.argsort(-self._suspicion(statistics), kind="stable")[:CANDIDATES]
        without = np.repeat(whole, statistics.n, axis=0)
        weights = np.ones((len(suspects), statistics.n))
        weights[np.arange(len(suspects)), suspects] = 0
        without[suspects] = self.evaluate(statistics, weights)
        return without

    def _suspicion(self, statistics: Statistics) -> Float:
        """(n,) what a sample may cost: references not found, and false positives by the share of hits they outrank."""
        found = dict(zip(statistics.columns, statistics.values.T, strict=True))
        detection, invented = found["reference"] == 0, found["invented"] > 0
        hits = np.sort(found["score"][detection & ~invented])
        above = np.searchsorted(hits, found["score"]) / max(1, len(hits))
        weights = found["missed"] + found["loose"] / 2 + invented * above
        return np.bincount(statistics.sample, weights, statistics.n).astype(np.float64)

    def faults(self, score: str) -> Mapping[str, str]:
        if score.startswith("ar"):
            return {"missed": "missed", "loose": "loose"}
        return {"missed": "missed", "loose": "loose", "invented": "invented"}

    def measures(self, statistics: Statistics, ids: Sequence[str]) -> Mapping[str, Any]:
        reference = statistics.column("reference")
        return {
            "references": int(reference.sum()),
            "detections": int((1 - reference).sum()),
            "missed": int(statistics.column("missed").sum()),
            "loose": int(statistics.column("loose").sum()),
        }

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        lowest, tight = self.thresholds[0], self.thresholds[self._at(0.75)]
        found = f"of {measures['references']} references, {measures['missed']} are missed even at IoU {lowest:g}"
        if tight == lowest:
            return (found,)
        return (f"{found}, and {measures['loose']} are found there but not at {tight:g}",)


def _tied_at(statistics: Statistics, limit: int) -> int:
    """Samples in which the last detection of a class within a limit is tied with the first one beyond."""
    rank, score = statistics.column("rank"), statistics.column("score")
    label = statistics.keys["label"]
    group = statistics.sample * len(label.names) + label.code
    detection = statistics.column("reference") == 0
    last, beyond = (np.flatnonzero(detection & (rank == place)) for place in (limit - 1, limit))
    _, a, b = np.intersect1d(group[last], group[beyond], return_indices=True)
    return len(np.unique(statistics.sample[last[a][score[last[a]] == score[beyond[b]]]]))


def _scored(predictions: Boxes, file: str) -> tuple[str, ...]:
    """Notes on odd scores.

    Raises:
        UnmeasurableError: If a box states no score.
    """
    lacking = int(np.isnan(predictions.score).sum())
    if lacking:
        raise UnmeasurableError(
            f"{file}: {lacking} of {len(predictions.score)} predicted boxes state no score, and average precision "
            "ranks boxes by their scores; record the confidences, or gate bbox.f1, bbox.precision and bbox.recall"
        )
    low, high = predictions.score.min(initial=0), predictions.score.max(initial=0)
    if 0 <= low and high <= 1:
        return ()
    return (f"scores lie between {low:g} and {high:g}, not in [0, 1]: they are ranked as they are",)


def _unknown_classes(predictions: Boxes, references: Boxes) -> tuple[str, ...]:
    """Predictions of a class without references cost COCO's average precision nothing; that is said."""
    asked = np.zeros(len(references.vocabulary), dtype=bool)
    asked[references.label[~references.crowd]] = True
    stray = np.flatnonzero(~asked[predictions.label])
    if not len(stray):
        return ()
    names = [predictions.vocabulary[i] for i in np.unique(predictions.label[stray])]
    shown = ", ".join(map(repr, names[:3])) + (" …" if len(names) > 3 else "")
    return (f"predicted boxes of classes that no reference has, left out by COCO's scores: {len(stray)} ({shown})",)


def _order_of_ids(ids: Sequence[str]) -> Float:
    """Places of samples when sorted by id, whole numbers as numbers: as pycocotools orders pictures."""
    keys: list[Any] = list(map(int, ids)) if all(map(_WHOLE.fullmatch, ids)) else list(ids)
    order = np.empty(len(ids))
    order[sorted(range(len(ids)), key=keys.__getitem__)] = np.arange(len(ids))
    return order


def _parts(edges: Edges) -> tuple[Int, Int, Float]:
    return edges.p, edges.g, edges.overlap


def _owners(statistics: Statistics, rows: Bool) -> Bool:
    owners = np.zeros(statistics.n, dtype=bool)
    owners[statistics.sample[rows]] = True
    return owners
