"""Box counts on published data, against a matcher written here over scipy alone.

Data: the COCO API's fake results on its first 100 val2014 pictures (see the folder's SOURCE.md). The oracle knows
nothing of the package: it reads the JSON files itself and loops over pictures and categories.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from pytest_vigate.data.joining import join
from pytest_vigate.data.readers import builtin, load
from pytest_vigate.data.tables import Source
from pytest_vigate.metrics.bbox import BoxMatching
from worlds import real_data

pytestmark = pytest.mark.real_data

FOLDER = "coco-fakebbox100"
TRUTH, RESULTS = "instances_val2014_100.json", "instances_val2014_fakebbox100_results.json"


def overlaps(found: list[Any], truth: list[Any], *, over_found: bool = False) -> NDArray[np.float64]:
    """IoU of xywh boxes, or intersection over the found box's area."""
    table = np.zeros((len(found), len(truth)))
    for i, (x, y, w, h) in enumerate(box["bbox"] for box in found):
        for j, (u, v, a, b) in enumerate(box["bbox"] for box in truth):
            wide, high = min(x + w, u + a) - max(x, u), min(y + h, v + b) - max(y, v)
            if wide > 0 and high > 0:
                shared = wide * high
                table[i, j] = shared / (w * h if over_found else w * h + a * b - shared)
    return table


def count(folder: Path, *, iou: float, min_score: float, same_label: bool) -> dict[str, float]:
    """tp, fp, fn and sum of IoU by the design's rules, one picture (and category) at a time."""
    annotations = json.loads((folder / TRUTH).read_text(encoding="utf-8"))["annotations"]
    results = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    groups: dict[Any, tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
    for side, boxes in enumerate((results, annotations)):
        for box in boxes:
            if side == 1 or box["score"] >= min_score:
                key = (box["image_id"], box["category_id"] if same_label else None)
                groups[key][side].append(box)
    total = {"tp": 0.0, "fp": 0.0, "fn": 0.0, "iou": 0.0, "pairs": 0.0}
    for found, everything in groups.values():
        truth = [box for box in everything if not box["iscrowd"]]
        crowd = [box for box in everything if box["iscrowd"]]
        table = overlaps(found, truth)
        rows, columns = linear_sum_assignment(table, maximize=True)
        pairs = [(i, j) for i, j in zip(rows, columns, strict=True) if table[i, j] > 0]
        hits = {i for i, j in pairs if table[i, j] >= iou}
        on_crowd = overlaps(found, crowd, over_found=True)
        excused = {i for i in range(len(found)) if i not in hits and len(crowd) and on_crowd[i].max() >= iou}
        pairs = [(i, j) for i, j in pairs if i not in excused]
        total["tp"] += len(hits)
        total["fn"] += len(truth) - len(hits)
        total["fp"] += len(found) - len(hits) - len(excused)
        total["iou"] += sum(table[i, j] for i, j in pairs)
        total["pairs"] += len(pairs)
    return total


@pytest.mark.parametrize("same_label", [True, False])
@pytest.mark.parametrize(("iou", "min_score"), [(0.5, 0.0), (0.75, 0.0), (0.5, 0.6)])
def test_counts_equal_an_independent_hungarian_matcher(iou: float, min_score: float, same_label: bool) -> None:
    folder = real_data(FOLDER)
    readers = {reader.name: reader for reader in builtin()}
    root = folder.resolve()
    predictions = load(Source("predictions", RESULTS, (root / RESULTS,), (root,), format="coco"), readers)
    data = join(predictions, load(Source("references", TRUTH, (root / TRUTH,), (root,), format="coco"), readers))
    metric = BoxMatching(iou=iou, min_score=min_score, labels="match" if same_label else "ignore")
    statistics = metric.statistics(data)
    ours = dict(zip(statistics.columns, statistics.values.sum(axis=0), strict=True))
    expected = count(folder, iou=iou, min_score=min_score, same_label=same_label)
    assert {name: ours[name] for name in ("tp", "fp", "fn", "pairs")} == {
        name: expected[name] for name in ("tp", "fp", "fn", "pairs")
    }
    assert ours["iou"] == pytest.approx(expected["iou"], abs=1e-9)
    scores = metric.evaluate(statistics, np.ones((1, len(data))))[0]
    assert scores[0] == pytest.approx(2 * expected["tp"] / (2 * expected["tp"] + expected["fp"] + expected["fn"]))


def test_the_oracle_sees_crowds() -> None:
    # Nine crowd regions stand in the file; a matcher that knew no crowd would count more false positives.
    annotations = json.loads((real_data(FOLDER) / TRUTH).read_text(encoding="utf-8"))["annotations"]
    assert sum(box["iscrowd"] for box in annotations) == 9
