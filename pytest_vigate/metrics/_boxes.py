"""Overlap of boxes, vectorised over all samples at once.

Most boxes of a picture touch nothing, or only the one box they belong to. So overlaps are computed only inside a
sample (and a label), and only pairs that overlap are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.dataset import Boxes, Dataset
from pytest_vigate.metrics._failures import some

#: Candidate pairs held at once; about 100 MB with their coordinates.
CHUNK = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Pairs of a predicted and a referenced box that overlap."""

    p: Int  # (e,) index of the prediction
    g: Int  # (e,) index of the reference
    overlap: Float  # (e,) IoU, or intersection over the prediction's area

    def take(self, which: Bool | Int) -> Edges:
        """Some of the pairs."""
        return Edges(self.p[which], self.g[which], self.overlap[which])


def areas(extent: Float) -> Float:
    """(N,) area of boxes from (N, 2) width and height; 0 where one is not positive."""
    width, height = extent.T
    return np.where((width > 0) & (height > 0), width * height, 0.0)


def find_edges(
    predictions: Boxes, references: Boxes, *, use_p: Bool, use_g: Bool, same_label: bool, over_prediction: bool = False
) -> Edges:
    """All overlapping pairs within a sample.

    Args:
        predictions: Predicted boxes.
        references: Referenced boxes.
        use_p: (p,) predictions to look at.
        use_g: (g,) references to look at.
        same_label: Only pairs of one label.
        over_prediction: Measure intersection over the prediction's area, as for crowd regions, instead of IoU.
    """
    p, g = np.flatnonzero(use_p), np.flatnonzero(use_g)
    p_key, g_key = predictions.sample[p], references.sample[g]
    if same_label:
        labels = max(len(references.vocabulary), 1)
        p_key, g_key = p_key * labels + predictions.label[p], g_key * labels + references.label[g]
    order = np.argsort(g_key, kind="stable")
    g, g_key = g[order], g_key[order]
    first = np.searchsorted(g_key, p_key, side="left")
    count = np.searchsorted(g_key, p_key, side="right") - first
    p, first, count = p[count > 0], first[count > 0], count[count > 0]

    p_sides = np.ascontiguousarray(predictions.xyxy[p].T)  # (4, p)
    g_sides = np.ascontiguousarray(references.xyxy[g].T)  # (4, g)
    p_area, g_area = areas(predictions.extent[p]), areas(references.extent[g])
    found: list[tuple[Int, Int, Float]] = []
    for start, stop in _runs(count, CHUNK):
        reps = count[start:stop]
        a = np.repeat(np.arange(start, stop), reps)
        b = np.arange(len(a)) - np.repeat(np.cumsum(reps) - reps - first[start:stop], reps)
        width = np.minimum(p_sides[2][a], g_sides[2][b]) - np.maximum(p_sides[0][a], g_sides[0][b])
        touching = width > 0
        a, b, width = a[touching], b[touching], width[touching]
        height = np.minimum(p_sides[3][a], g_sides[3][b]) - np.maximum(p_sides[1][a], g_sides[1][b])
        touching = height > 0
        a, b, shared = a[touching], b[touching], (width * height)[touching]
        whole = p_area[a] if over_prediction else p_area[a] + g_area[b] - shared
        found.append((p[a], g[b], shared / whole))
    if not found:
        none = np.empty(0, dtype=np.int64)
        return Edges(none, none, np.empty(0))
    return Edges(*(np.concatenate(column) for column in zip(*found, strict=True)))


def overlaps(data: Dataset, *, use_p: Bool, same_label: bool) -> Edges:
    """Overlapping pairs of predictions and references that are no crowds; families that look at all share them."""
    find = partial(
        find_edges,
        data.predictions.boxes,
        data.references.boxes,
        use_g=~data.references.boxes.crowd,
        same_label=same_label,
    )
    if not use_p.all():
        return find(use_p=use_p)
    if ("overlaps", same_label) not in data.prepared:
        data.prepared["overlaps", same_label] = find(use_p=use_p)
    found: Edges = data.prepared["overlaps", same_label]
    return found


def keep(data: Dataset, *, min_score: float | None) -> tuple[Bool, tuple[str, ...]]:
    """(p,) predictions to score, and what has to be said about the others and about malformed replies.

    Args:
        data: The data.
        min_score: Predictions with a lower score are left out; boxes that state no score stay.
    """
    predictions = data.predictions.boxes
    notes = malformed(data)
    if min_score is None:
        return np.ones(len(predictions.score), dtype=bool), tuple(notes)
    if lacking := int(np.count_nonzero(np.isnan(predictions.score))):
        notes.append(f"{lacking} of {len(predictions.score)} predicted boxes state no score: min_score keeps them")
    kept: Bool = ~(predictions.score < min_score)
    if dropped := int(np.count_nonzero(~kept)):
        notes.append(f"min_score {min_score:g} leaves out {dropped} of {len(kept)} predicted boxes")
    return kept, tuple(notes)


def malformed(data: Dataset) -> list[str]:
    """What has to be said about replies that could not be read without a fault: how they count, and why."""
    failures = data.predictions.failures
    if not failures:
        return []
    counts = np.diff(data.predictions.boxes.offsets)
    whole = sum(bool(counts[i]) for i in failures)
    return [
        f"malformed replies: {len(failures)} ({whole} with boxes that count, {len(failures) - whole} without); "
        f"{some(failures, data.ids)}"
    ]


def find_on_crowd(predictions: Boxes, references: Boxes, *, use_p: Bool, same_label: bool, least: float) -> Int:
    """Predictions that lie on a crowd region with at least that share of their own area."""
    if not references.crowd.any():
        return np.empty(0, dtype=np.int64)
    on_crowd = find_edges(
        predictions, references, use_p=use_p, use_g=references.crowd, same_label=same_label, over_prediction=True
    )
    return on_crowd.p[on_crowd.overlap >= least]


def _runs(count: Int, most: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges whose counts add up to about `most` each."""
    ends = np.cumsum(count)
    start = 0
    while start < len(count):
        done = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + most, side="right")))
        yield start, stop
        start = stop
