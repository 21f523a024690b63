"""Patterns of scores and the samples that cost most."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pytest_vigate.data.dataset import Dataset
from pytest_vigate.diagnosis import _patterns, worst_samples
from pytest_vigate.evaluation.cache import Slice
from pytest_vigate.evaluation.estimate import estimate
from pytest_vigate.metrics.bbox import BoxMatching
from worlds import Box, boxes, dataset

WHOLE = (0, 0, 100, 100)
FAR = (500, 500, 600, 600)


def decided(data: Dataset, score: str = "f1") -> Slice:
    metric = BoxMatching()
    statistics = metric.statistics(data)
    found = estimate(metric, statistics, weights=(), level=0.95)
    values = {name: item.value for name, item in found.items()}
    return Slice(None, True, data.ids, statistics, found[score], values, np.ones(len(data), dtype=bool), False)


def explained(data: Dataset) -> list[str]:
    metric = BoxMatching()
    return list(metric.explain(metric.measures(metric.statistics(data), data.ids)))


LOOSE = "high f1, low iou: finds the objects but draws loose boxes"
CAUTIOUS = "high precision, low recall: too cautious"
EAGER = "high recall, low precision: too eager"
ACCURATE = "high iou, low f1, low recall: accurate where it finds something, but misses many"
NEITHER = "low precision, low recall: neither finds the objects nor is right about them"
SOUND = "high f1, high iou: finds the objects and places them well"


@pytest.mark.parametrize(
    ("f1", "iou", "precision", "recall", "expected"),
    [
        (0.80, 0.5, 0.80, 0.80, [LOOSE]),
        (0.60, 0.5, 0.90, 0.40, [CAUTIOUS]),
        (0.60, 0.9, 0.90, 0.40, [CAUTIOUS, ACCURATE]),
        (0.60, 0.9, 0.40, 0.90, [EAGER]),
        (0.30, 0.4, 0.30, 0.30, [NEITHER]),
        (0.30, 0.9, 0.30, 0.30, [ACCURATE, NEITHER]),
        (0.90, 0.9, 0.90, 0.90, [SOUND]),
    ],
)
def test_combinations_of_scores_are_named_with_what_to_do(
    f1: float, iou: float, precision: float, recall: float, expected: list[str]
) -> None:
    values = {"f1": f1, "iou": iou, "precision": precision, "recall": recall}
    said = [re.sub(r" \d\.\d\d", "", line).partition(";")[0] for line in _patterns(BoxMatching(), values)]
    assert [line[: len(start)] for line, start in zip(said, expected, strict=True)] == expected


def test_combination_shows_the_scores_it_is_made_of() -> None:
    (line,) = _patterns(BoxMatching(), {"f1": 0.8, "iou": 0.5, "precision": 0.8, "recall": 0.8})
    assert line == (
        "high f1 0.80, low iou 0.50: finds the objects but draws loose boxes: "
        "tighten the annotations and check how box edges were drawn"
    )


def test_undefined_scores_fit_no_pattern() -> None:
    assert list(_patterns(BoxMatching(), {name: float("nan") for name in ("f1", "iou", "precision", "recall")})) == []


@pytest.mark.parametrize(("predicted", "size"), [((-50, -50, 150, 150), "larger"), ((25, 25, 75, 75), "smaller")])
def test_boxes_of_another_size_are_told_with_their_ratio(predicted: Box, size: str) -> None:
    data = dataset(boxes([[predicted]]), boxes([[WHOLE]]))
    ratio = "4.00" if size == "larger" else "0.25"
    assert any(
        line.startswith(f"boxes are {size} than their references (median area ratio {ratio})")
        for line in explained(data)
    )


def test_boxes_of_the_right_size_are_not_blamed() -> None:
    assert explained(dataset(boxes([[WHOLE]]), boxes([[WHOLE]]))) == []


def test_objects_never_found_are_listed_by_label() -> None:
    data = dataset(boxes([[WHOLE], []], labels=[[0], []]), boxes([[WHOLE], [FAR, WHOLE]], labels=[[0], [1, 1]]))
    assert "never found: 'dent' (2 times); add examples of them" in explained(data)


def test_worst_samples_are_ordered_by_what_the_score_would_gain_without_them() -> None:
    # s0 perfect; s1 one missed; s2 one missed and two invented. F1 = 2·1 / (2·1 + 2 + 2) = 1/3;
    # without s2: 2/(2 + 1) = 2/3 (gain 1/3); without s1: 2/(2 + 2 + 1) = 2/5 (gain 1/15).
    data = dataset(boxes([[WHOLE], [], [(700, 0, 710, 10), (800, 0, 810, 10)]]), boxes([[WHOLE], [FAR], [FAR]]))
    worst = worst_samples(BoxMatching(), "f1", decided(data))
    assert [sample["id"] for sample in worst] == ["s2", "s1"]
    assert [sample["cost"] for sample in worst] == pytest.approx([1 / 3, 1 / 15])
    assert [sample["faults"] for sample in worst] == [{"missed": 1, "invented": 2}, {"missed": 1}]


@pytest.mark.parametrize(("predicted", "word"), [((60, 0, 160, 100), "shifted"), ((30, 30, 70, 70), "loose")])
def test_poor_boxes_are_named_loose_or_shifted(predicted: Box, word: str) -> None:
    data = dataset(boxes([[predicted], [WHOLE]]), boxes([[WHOLE], [WHOLE]]))
    (sample,) = worst_samples(BoxMatching(), "iou", decided(data, "iou"))
    assert (sample["id"], sample["faults"]) == ("s0", {word: 1})


def test_only_sample_is_named_although_nothing_is_left_without_it() -> None:
    (sample,) = worst_samples(BoxMatching(), "f1", decided(dataset(boxes([[]]), boxes([[WHOLE]]))))
    assert (sample["id"], sample["faults"]) == ("s0", {"missed": 1})


def test_samples_that_cost_nothing_are_not_named() -> None:
    assert worst_samples(BoxMatching(), "f1", decided(dataset(boxes([[WHOLE]]), boxes([[WHOLE]])))) == []
