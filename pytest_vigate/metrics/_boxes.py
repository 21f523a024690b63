"""Overlap and assignment of boxes, vectorised over all samples at once.

Most boxes of a picture touch nothing, or only the one box they belong to. So overlaps are computed only inside a
sample (and a label), and the assignment is solved only inside a connected component of overlapping boxes: an optimal
assignment of the whole is the union of optimal assignments of the components, because pairs without overlap add
nothing to the sum. Components with one or two boxes on a side have closed forms; only what is left goes to scipy.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.dataset import Boxes

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


def areas(xyxy: Float) -> Float:
    """(N,) area of boxes; 0 where width or height is not positive."""
    width, height = xyxy[:, 2] - xyxy[:, 0], xyxy[:, 3] - xyxy[:, 1]
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
    p_area, g_area = areas(predictions.xyxy[p]), areas(references.xyxy[g])
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


def _runs(count: Int, most: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges whose counts add up to about `most` each."""
    ends = np.cumsum(count)
    start = 0
    while start < len(count):
        done = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + most, side="right")))
        yield start, stop
        start = stop


def assign(edges: Edges) -> Int:
    """Indices of the edges of a one-to-one assignment whose overlaps add up to the maximum.

    Boxes may stay without a partner. Where several assignments reach the maximum, one of them is taken, always
    the same for the same edges.
    """
    if not len(edges.p):
        return np.empty(0, dtype=np.int64)
    _, p = np.unique(edges.p, return_inverse=True)
    _, g = np.unique(edges.g, return_inverse=True)
    alone = (np.bincount(p)[p] == 1) & (np.bincount(g)[g] == 1)
    chosen = [np.flatnonzero(alone)]
    rest = np.flatnonzero(~alone)
    if len(rest):
        component = _components(p[rest], g[rest])
        order = np.argsort(component, kind="stable")
        rest, component = rest[order], component[order]
        p_side = _nodes_in(component, p[rest])
        g_side = _nodes_in(component, g[rest])
        narrow = np.minimum(p_side, g_side)
        star, double = narrow == 1, narrow == 2
        chosen.append(rest[star][_best_of(component[star], edges.overlap[rest[star]])])
        if double.any():
            which = rest[double]
            by_p = (p_side <= g_side)[double]
            two, many = np.where(by_p, p[which], g[which]), np.where(by_p, g[which], p[which])
            chosen.append(which[_best_of_two(component[double], two, many, edges.overlap[which])])
        hard = ~star & ~double
        if hard.any():
            which = rest[hard]
            chosen.append(which[_solve(component[hard], p[which], g[which], edges.overlap[which])])
    return np.sort(np.concatenate(chosen))


def _components(p: Int, g: Int) -> Int:
    """(e,) connected component of each edge: the smallest node label spreads until nothing changes."""
    _, u = np.unique(p, return_inverse=True)
    _, v = np.unique(g, return_inverse=True)
    v = v + u.max() + 1
    label = np.arange(v.max() + 1)
    while True:
        low = np.minimum(label[u], label[v])
        new = label.copy()
        np.minimum.at(new, u, low)
        np.minimum.at(new, v, low)
        new = new[new]  # halves the way to the root
        if np.array_equal(new, label):
            return np.unique(label[u], return_inverse=True)[1]
        label = new


def _nodes_in(component: Int, node: Int) -> Int:
    """(e,) number of different nodes in the edge's component, by edges sorted by component."""
    order = np.lexsort((node, component))
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(component[order]) != 0) | (np.diff(node[order]) != 0)
    return np.bincount(component[order][new], minlength=int(component[-1]) + 1)[component]


def _best_of(group: Int, overlap: Float) -> Int:
    """Index of the largest overlap of every group; the first of equals."""
    order = np.lexsort((-overlap, group))
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.diff(group[order]) != 0
    return order[new]


def _best_of_two(component: Int, two: Int, many: Int, overlap: Float) -> Int:
    """Optimal edges of components with exactly two nodes on one side.

    Only the two best edges of each of the two nodes can matter: a node gives way to the other node alone. If their
    best partners differ, both take them; otherwise the better of the two ways to share is taken.
    """
    order = np.lexsort((-overlap, two, component))
    node, owner = two[order], component[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(node) != 0) | (np.diff(owner) != 0)
    first = np.flatnonzero(new)  # best edge of every node; nodes of a component follow each other
    second = np.full(len(first), -1)  # next best, -1 where there is none
    follows = first + 1 < len(order)
    follows[follows] = ~new[first[follows] + 1]
    second[follows] = first[follows] + 1

    best, next_best = order[first].reshape(-1, 2), np.where(second < 0, -1, order[second]).reshape(-1, 2)
    gain = np.where(next_best < 0, 0.0, overlap[next_best])  # (c, 2)
    a, b = best[:, 0], best[:, 1]
    clash = many[a] == many[b]
    keep_a = overlap[a] + gain[:, 1] >= overlap[b] + gain[:, 0]
    a = np.where(clash & ~keep_a, next_best[:, 0], a)
    b = np.where(clash & keep_a, next_best[:, 1], b)
    both = np.concatenate([a, b])
    return both[both >= 0]


def _solve(component: Int, p: Int, g: Int, overlap: Float) -> Int:
    """Optimal edges of larger components, by the Hungarian method in scipy."""
    from scipy.optimize import linear_sum_assignment  # 0.3 s to import, and most data never comes here

    starts = np.flatnonzero(np.concatenate([[True], np.diff(component) != 0, [True]]))
    chosen: list[Int] = []
    for start, stop in itertools.pairwise(starts):
        _, row = np.unique(p[start:stop], return_inverse=True)
        _, column = np.unique(g[start:stop], return_inverse=True)
        shape = (row.max() + 1, column.max() + 1)
        gain = np.zeros(shape)
        edge = np.full(shape, -1)
        gain[row, column] = overlap[start:stop]
        edge[row, column] = np.arange(start, stop)
        picked = edge[linear_sum_assignment(gain, maximize=True)]
        chosen.append(picked[picked >= 0])
    return np.concatenate(chosen)
