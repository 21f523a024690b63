"""Overlaps and assignment against a plain loop over scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from pytest_vigate.data.coordinates import Float
from pytest_vigate.data.dataset import Boxes
from pytest_vigate.metrics import _assignment, _boxes
from pytest_vigate.metrics._assignment import assign, hungarian
from pytest_vigate.metrics._boxes import Edges, find_edges
from worlds import boxes, random_boxes


def all_edges(a: Boxes, b: Boxes, *, same_label: bool = False) -> Edges:
    return find_edges(a, b, use_p=np.ones(len(a.label), bool), use_g=np.ones(len(b.label), bool), same_label=same_label)


def plain_iou(a: Float, b: Float) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))


def plain_matrix(a: Boxes, b: Boxes, sample: int, *, same_label: bool) -> Float:
    rows = range(a.offsets[sample], a.offsets[sample + 1])
    columns = range(b.offsets[sample], b.offsets[sample + 1])
    found = np.zeros((len(rows), len(columns)))
    for i, p in enumerate(rows):
        for j, g in enumerate(columns):
            if not same_label or a.label[p] == b.label[g]:
                found[i, j] = plain_iou(a.xyxy[p], b.xyxy[g])
    return found


@pytest.mark.parametrize("same_label", [False, True])
@pytest.mark.parametrize("most", [1, 2, 3, 8])
def test_assignment_equals_scipy_on_whole_samples(most: int, same_label: bool) -> None:
    rng = np.random.default_rng(most)
    a, b = random_boxes(rng, 80, most=most), random_boxes(rng, 80, most=most)
    edges = all_edges(a, b, same_label=same_label)
    chosen = edges.take(assign(edges))
    expected = []
    for sample in range(80):
        matrix = plain_matrix(a, b, sample, same_label=same_label)
        for i, j in zip(*linear_sum_assignment(matrix, maximize=True), strict=True):
            if matrix[i, j] > 0:
                expected.append((int(a.offsets[sample] + i), int(b.offsets[sample] + j)))
    assert sorted(zip(chosen.p.tolist(), chosen.g.tolist(), strict=True)) == sorted(expected)


def test_pairs_are_found_whatever_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    a, b = random_boxes(rng, 30), random_boxes(rng, 30)
    whole = all_edges(a, b)
    monkeypatch.setattr(_boxes, "CHUNK", 7)
    parts = all_edges(a, b)
    assert (parts.p.tolist(), parts.g.tolist()) == (whole.p.tolist(), whole.g.tolist())
    assert parts.overlap.tolist() == whole.overlap.tolist()


def test_touching_boxes_do_not_overlap() -> None:
    assert len(all_edges(boxes([[(0, 0, 10, 10)]]), boxes([[(10, 0, 20, 10)]])).p) == 0


def test_boxes_of_zero_or_inverted_area_overlap_nothing() -> None:
    bad = boxes([[(5, 5, 5, 9), (9, 9, 1, 1), (8, 2, 2, 8)]])
    assert len(all_edges(bad, boxes([[(0, 0, 10, 10)]])).p) == 0


@st.composite
def components(draw: st.DrawFn) -> Edges:
    """A bipartite graph with distinct overlaps, so that the optimum is almost surely unique."""
    p, g = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    cells = draw(st.lists(st.tuples(st.integers(0, p - 1), st.integers(0, g - 1)), min_size=1, unique=True))
    weights = draw(st.lists(st.floats(0.01, 1.0), min_size=len(cells), max_size=len(cells)))
    ends = np.array(cells)
    return Edges(ends[:, 0], ends[:, 1], np.array(weights))


@settings(max_examples=300, deadline=None)
@given(components())
def test_assignment_is_one_to_one_and_optimal(edges: Edges) -> None:
    chosen = edges.take(assign(edges))
    assert len(set(chosen.p.tolist())) == len(set(chosen.g.tolist())) == len(chosen.p)
    gain = np.zeros((int(edges.p.max()) + 1, int(edges.g.max()) + 1))
    gain[edges.p, edges.g] = edges.overlap
    best = gain[linear_sum_assignment(gain, maximize=True)].sum()
    assert chosen.overlap.sum() == pytest.approx(best, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**16), m=st.integers(1, 5), rows=st.integers(1, 7), more=st.integers(0, 6))
def test_problems_solved_together_are_each_optimal(seed: int, m: int, rows: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    gain = rng.random((m, rows, rows + more)) * (rng.random((m, rows, rows + more)) < 0.6)
    gain = np.round(gain, 1) if seed % 2 else gain  # with ties and without
    columns = hungarian(gain)
    for one, column in zip(gain, columns, strict=True):
        assert len(set(column.tolist())) == rows
        best = one[linear_sum_assignment(one, maximize=True)].sum()
        assert one[np.arange(rows), column].sum() == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize(("small", "batch"), [(0, 4_000_000), (16, 1), (4, 50)])
def test_assignment_does_not_depend_on_how_it_is_split(small: int, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    a, b = random_boxes(rng, 60, most=9), random_boxes(rng, 60, most=9)
    edges = all_edges(a, b)
    whole = assign(edges).tolist()
    monkeypatch.setattr(_assignment, "SMALL", small)
    monkeypatch.setattr(_assignment, "BATCH", batch)
    assert assign(edges).tolist() == whole
