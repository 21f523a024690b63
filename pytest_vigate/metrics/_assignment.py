"""One-to-one assignment of boxes that overlap, vectorised over all samples at once.

The assignment is solved inside a connected component of overlapping boxes: an optimal assignment of the whole is the
union of optimal assignments of the components, because pairs without overlap add nothing to the sum. Components with
one or two boxes on a side have closed forms. Small ones are solved together, one step of the Hungarian method for all
of them at a time; what is left goes to scipy, whose import alone takes longer than most data needs.
"""

from __future__ import annotations

import numpy as np

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.metrics._boxes import Edges

#: Boxes on the narrow side up to which components are solved together: beyond, scipy's compiled loops win.
SMALL = 16
#: Pairs of boxes solved together; 32 MB of gains and as much again beside them.
BATCH = 4_000_000


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
    """Optimal edges of larger components, whose edges follow each other."""
    starts = np.flatnonzero(np.concatenate([[True], np.diff(component) != 0]))
    code = np.repeat(np.arange(len(starts)), np.diff([*starts, len(component)]))
    row, rows = _numbered(code, p, starts)
    column, columns = _numbered(code, g, starts)
    turned = rows > columns  # so that rows are the narrow side
    row, column = np.where(turned[code], column, row), np.where(turned[code], row, column)
    narrow, wide = np.minimum(rows, columns), np.maximum(rows, columns)

    chosen: list[Int] = []
    for size in np.unique(narrow):
        alike = np.flatnonzero(narrow == size)
        most = max(1, BATCH // int(size * wide[alike].max())) if size <= SMALL else 1
        for first in range(0, len(alike), most):
            batch = alike[first : first + most]
            place = np.full(len(starts), -1)
            place[batch] = np.arange(len(batch))
            edges = np.flatnonzero(place[code] >= 0)
            at = place[code[edges]], row[edges], column[edges]
            gain = np.zeros((len(batch), int(size), int(wide[batch].max())))
            edge = np.full(gain.shape, -1)
            gain[at], edge[at] = overlap[edges], edges
            partner = hungarian(gain) if size <= SMALL else _by_scipy(gain[0])[None]
            picked = np.take_along_axis(edge, partner[:, :, None], axis=2).ravel()
            chosen.append(picked[picked >= 0])
    return np.concatenate(chosen)


def _numbered(component: Int, node: Int, starts: Int) -> tuple[Int, Int]:
    """(e,) number of each edge's node within its component, and (c,) number of nodes."""
    _, dense = np.unique(component * (node.max() + 1) + node, return_inverse=True)
    number = dense - np.minimum.reduceat(dense, starts)[component]
    return number, np.maximum.reduceat(number, starts) + 1


def _by_scipy(gain: Float) -> Int:
    from scipy.optimize import linear_sum_assignment  # half a second to import, and most data never comes here

    rows, columns = linear_sum_assignment(gain, maximize=True)
    return np.asarray(columns[np.argsort(rows)], dtype=np.int64)


def hungarian(gain: Float) -> Int:
    """Column of every row in assignments of maximal gain, many problems of one shape at once.

    Args:
        gain: (m, rows, columns), rows <= columns, finite.

    Returns:
        (m, rows) columns, all different within a problem.

    Source:
        The shortest augmenting paths of Crouse 2016, "On implementing 2D rectangular assignment algorithms", which
        scipy.optimize.linear_sum_assignment follows too; here every step is taken for all problems together.
    """
    m, rows, columns = gain.shape
    cost = gain.max(axis=(1, 2), keepdims=True) - gain
    u, v = np.zeros((m, rows)), np.zeros((m, columns))
    row_of = np.full((m, columns), -1)
    column_of = np.full((m, rows), -1)
    for current in range(rows):
        reached = np.full((m, columns), np.inf)  # cost of the shortest path to each column
        before = np.full((m, columns), -1)  # the row from which that path comes
        done = np.zeros((m, columns), dtype=bool)
        sink = np.full(m, -1)
        length = np.zeros(m)
        row = np.full(m, current)
        open_ = np.arange(m)  # problems whose path has not met a free column
        while len(open_):
            i = row[open_]
            path = length[open_, None] + cost[open_, i] - u[open_, i][:, None] - v[open_]
            shorter = ~done[open_] & (path < reached[open_])
            reached[open_] = np.where(shorter, path, reached[open_])
            before[open_] = np.where(shorter, i[:, None], before[open_])
            nearest = np.where(done[open_], np.inf, reached[open_]).argmin(axis=1)
            length[open_] = reached[open_, nearest]
            done[open_, nearest] = True
            owner = row_of[open_, nearest]
            sink[open_[owner < 0]] = nearest[owner < 0]
            row[open_] = owner
            open_ = open_[owner >= 0]
        slack = np.where(done, length[:, None] - reached, 0.0)
        v -= slack
        u[:, current] += length
        problem, column = np.nonzero(done & (row_of >= 0))
        u[problem, row_of[problem, column]] += slack[problem, column]
        at, column = np.arange(m), sink
        while len(at):
            row = before[at, column]
            row_of[at, column] = row
            column_of[at, row], column = column, column_of[at, row]
            at, column = at[row != current], column[row != current]
    return column_of
