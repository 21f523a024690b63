"""COCO's greedy matching, vectorised over samples, classes, area ranges and IoU thresholds at once.

Detections take references in the order of their scores. Groups (a sample and a class) do not touch each other, so the
first detections of all groups are decided in one step, then the second ones, and so on; only detections that reach a
reference at all take part.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.dataset import Boxes
from pytest_vigate.metrics._boxes import Edges

State = NDArray[np.int8]

#: What a detection is matched to.
NOTHING, COUNTED, IGNORED = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The best detections of every sample and class, in the order in which they choose."""

    p: Int  # (d,) index of the predicted box
    group: Int  # (d,) sample and class
    rank: Int  # (d,) 0 for the highest score of the group
    score: Float  # (d,)
    cut: Int  # groups in which the detections kept by a limit are tied with those left out


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """What became of the detections that reach a reference, and of the references. A is the number of area ranges."""

    p: Int  # (d,) index of the detection
    state: State  # (d, A, T)
    taken: Bool  # (g, A, T)


def rank_detections(predictions: Boxes, most: int, *, by_place: bool) -> Detections:
    """The detections that take part, by sample, class and score.

    Args:
        predictions: The boxes of all samples.
        most: Detections of a sample and class that take part.
        by_place: Tied ones come in the order of their coordinates, not of the input.
    """
    group = predictions.sample * max(len(predictions.vocabulary), 1) + predictions.label
    keys = [-predictions.score, group]
    if by_place:
        keys = [*predictions.xyxy.T, *keys]
    p = np.lexsort(keys)  # stable: tied detections stay in the order of the input
    group, score = group[p], predictions.score[p]
    begins = np.flatnonzero(np.diff(group, prepend=-1) != 0)
    rank = np.arange(len(p)) - np.repeat(begins, np.diff([*begins, len(p)]))
    tied = np.zeros(len(p), dtype=bool)
    tied[1:] = (np.diff(group) == 0) & (np.diff(score) == 0)
    kept = rank < most
    cut = tied & (rank == most)
    return Detections(p[kept], group[kept], rank[kept], score[kept], np.unique(group[cut]))


def match_greedily(edges: Edges, *, group: Int, many: Bool, ignored: Bool, thresholds: Float) -> Matches:
    """Match detections in their order.

    A detection takes the counted reference with the largest IoU at or above the threshold that no earlier one has
    taken, else an ignored one; of equal IoU the last in the order of the references, as in pycocotools 2.0.11
    (`COCOeval.evaluateImg`).

    Args:
        edges: Pairs of a detection and a reference of one group. Detections are numbered in the order in which they
            choose within their group, groups one after the other.
        group: (p,) group of every detection.
        many: (g,) references that any number of detections may take: crowds.
        ignored: (g, A) references that do not count in an area range.
        thresholds: (T,) IoU.
    """
    order = np.lexsort((-edges.g, -edges.overlap, edges.p))
    edges = edges.take(order)
    new = np.diff(edges.p, prepend=-1) != 0
    first = np.flatnonzero(new)
    p = edges.p[first]  # (d,)
    detection = np.cumsum(new) - 1  # (e,)
    choice = np.arange(len(detection)) - first[detection]  # (e,) 0 for the best reference of a detection
    begins = np.flatnonzero(np.diff(group[p], prepend=-1) != 0)
    step = np.arange(len(p)) - np.repeat(begins, np.diff([*begins, len(p)]))  # (d,) turn within the group

    areas = ignored.shape[1]
    state = np.zeros((len(p), areas, len(thresholds)), dtype=np.int8)
    taken = np.zeros((len(many), areas, len(thresholds)), dtype=bool)
    turn = step[detection]
    by_turn = np.lexsort((choice, turn))
    turns = np.searchsorted(turn[by_turn], np.arange(turn.max(initial=-1) + 2))
    for start, stop in itertools.pairwise(turns):
        now = by_turn[start:stop]
        choices = np.searchsorted(choice[now], np.arange(choice[now].max() + 2))
        for kind in (COUNTED, IGNORED):
            for low, high in itertools.pairwise(choices):
                e = now[low:high]
                d, g = detection[e], edges.g[e]
                takes = (edges.overlap[e][:, None] >= thresholds)[:, None, :] & (state[d] == NOTHING)
                takes &= (ignored[g] == (kind == IGNORED))[:, :, None]
                takes &= ~taken[g] | many[g][:, None, None]
                state[d] += kind * takes
                taken[g] |= takes
    return Matches(p, state, taken)


def count_competing(detections: Detections, edges: Edges, references: Boxes) -> int:
    """Samples in which detections of one class and score could take the same reference, or straddle a limit.

    Args:
        detections: In the order in which they choose.
        edges: Pairs of them and a reference that overlap enough.
        references: Those.
    """
    order = np.lexsort((edges.p, edges.g))
    p, g = edges.p[order], edges.g[order]
    score = detections.score[p]
    rivals = (np.diff(g) == 0) & (np.diff(score) == 0)
    rivals &= ~references.crowd[g[1:]]
    reaching = np.unique(detections.group[edges.p])
    groups = np.union1d(detections.group[p[1:][rivals]], np.intersect1d(detections.cut, reaching))
    return len(np.unique(groups // max(len(references.vocabulary), 1)))
