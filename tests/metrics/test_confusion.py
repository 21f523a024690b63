"""The confusion matrix, one sentence a test; numbers are worked by hand in the comments."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from pytest_vigate.data.coordinates import Float
from pytest_vigate.data.dataset import Boxes, Dataset
from pytest_vigate.data.replies import ParseFailure
from pytest_vigate.errors import DataError
from pytest_vigate.metrics.base import Statistics
from pytest_vigate.metrics.bbox import BoxMatching
from pytest_vigate.metrics.confusion import Confusion
from worlds import VOCABULARY, Box, boxes, dataset, evaluate, jitter, random_boxes

BOLT, DENT, SCRATCH = range(3)
WHOLE = (0, 0, 100, 100)
HALF = (0, 0, 50, 100)  # IoU with WHOLE: 5 000 / 10 000 = 0.5
ELSEWHERE = (200, 200, 300, 300)
FAR = (500, 500, 600, 600)

Cells = dict[tuple[str, str], int]


def measures(data: Dataset, metric: Confusion | None = None) -> dict[str, Any]:
    chosen = metric or Confusion()
    return dict(chosen.measures(chosen.statistics(data), data.ids))


def cells(data: Dataset, metric: Confusion | None = None) -> Cells:
    matrix = measures(data, metric)["matrix"]
    return {(actual, predicted): n for actual, row in matrix.items() for predicted, n in row.items()}


def explained(data: Dataset, metric: Confusion | None = None) -> list[str]:
    return list((metric or Confusion()).explain(measures(data, metric)))


def worked() -> Dataset:
    """Two dents, one of them missed; two scratches, one taken for a dent; a scratch invented; an empty picture."""
    return dataset(
        boxes([[WHOLE, ELSEWHERE], [FAR], [HALF], []], labels=[[DENT, DENT], [SCRATCH], [SCRATCH], []]),
        boxes([[WHOLE, ELSEWHERE], [WHOLE], [WHOLE], []], labels=[[DENT, SCRATCH], [DENT], [SCRATCH], []]),
    )


def test_matrix_and_scores_of_a_world_worked_by_hand() -> None:
    assert measures(worked()) == {
        "labels": ["bolt", "dent", "scratch", "background"],
        "matrix": {
            "dent": {"dent": 1, "background": 1},
            "scratch": {"dent": 1, "scratch": 1},
            "background": {"scratch": 1},
        },
        "largest": [
            {
                "actual": "dent",
                "predicted": "background",
                "what": "'dent' missed",
                "count": 1,
                "share": 0.5,
                "samples": ["s1"],
            },
            {
                "actual": "scratch",
                "predicted": "dent",
                "what": "'scratch' taken for 'dent'",
                "count": 1,
                "share": 0.5,
                "samples": ["s0"],
            },
            {
                "actual": "background",
                "predicted": "scratch",
                "what": "'scratch' invented",
                "count": 1,
                "share": 1.0,
                "samples": ["s1"],
            },
        ],
    }
    # 3 pairs, 2 of them right; 1 of 4 references missed; 1 of 4 predictions invented.
    scores = evaluate(Confusion(), worked())
    assert [scores["accuracy"], scores["missed"], scores["invented"]] == pytest.approx([2 / 3, 1 / 4, 1 / 4])


def test_rate_is_the_share_of_the_marked_rows() -> None:
    # Of the two scratches one is taken for a dent.
    statistics = Confusion().statistics(worked())
    actual, predicted = statistics.keys["actual"], statistics.keys["predicted"]
    marked = statistics.mark("rate", predicted.code == DENT).take(actual.code == SCRATCH)
    assert Confusion().evaluate(marked, np.ones((1, 4)))[0][3] == 0.5


def test_references_state_what_is_asked() -> None:
    statistics = Confusion().statistics(worked())
    assert {name: (key.names, key.asked) for name, key in statistics.keys.items()} == {
        name: ((*VOCABULARY, "background"), frozenset({"dent", "scratch"})) for name in ("actual", "predicted")
    }


def plain_iou(a: Float, b: Float) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))


def plain_cells(data: Dataset, *, iou: float, min_score: float) -> Cells:
    """The matrix by loops and scipy."""
    predictions, references = data.predictions.boxes, data.references.boxes
    found: Counter[tuple[str, str]] = Counter()
    for i in range(len(data)):
        ours = [j for j in range(*predictions.offsets[i : i + 2]) if not predictions.score[j] < min_score]
        everything = range(*references.offsets[i : i + 2])
        theirs = [j for j in everything if not references.crowd[j]]
        gain = np.array([[plain_iou(predictions.xyxy[p], references.xyxy[g]) for g in theirs] for p in ours])
        gain = np.where(gain >= iou, gain, 0.0).reshape(len(ours), len(theirs))
        taken = [(a, b) for a, b in zip(*linear_sum_assignment(gain, maximize=True), strict=True) if gain[a, b]]
        for a, b in taken:
            found[VOCABULARY[references.label[theirs[b]]], VOCABULARY[predictions.label[ours[a]]]] += 1
        for b in set(range(len(theirs))) - {b for _, b in taken}:
            found[VOCABULARY[references.label[theirs[b]]], "background"] += 1
        for a in set(range(len(ours))) - {a for a, _ in taken}:
            x1, y1, x2, y2 = predictions.xyxy[ours[a]]
            on_crowd = [
                max(min(x2, g[2]) - max(x1, g[0]), 0.0) * max(min(y2, g[3]) - max(y1, g[1]), 0.0)
                for g in (references.xyxy[j] for j in everything if references.crowd[j])
            ]
            if not any(shared / ((x2 - x1) * (y2 - y1)) >= iou for shared in on_crowd):
                found["background", VOCABULARY[predictions.label[ours[a]]]] += 1
    return dict(found)


def crowded(rng: np.random.Generator, *, n: int, crowd: float = 0.0) -> Dataset:
    """Fair predictions with some labels wrong, and as many boxes again out of nothing."""
    truth = random_boxes(rng, n, most=7, crowd=crowd)
    fair = jitter(rng, truth)
    wild = random_boxes(rng, n, most=3)
    both = [np.concatenate([a[s : s + k], b[t : t + m]]) for a, b, s, k, t, m in _samples(fair, wild)]
    label = np.where(rng.random(sum(map(len, both))) < 0.3, rng.integers(0, 3, sum(map(len, both))), 0)
    per_sample = [part.tolist() for part in both]
    starts = np.cumsum([0, *map(len, both)])
    labels = [label[a:b].tolist() for a, b in itertools.pairwise(starts)]
    scores = [rng.random(len(part)).tolist() for part in both]
    return dataset(boxes(per_sample, labels=labels, scores=scores), truth)


def _samples(a: Boxes, b: Boxes) -> list[tuple[Any, ...]]:
    return [
        (a.xyxy, b.xyxy, s, e - s, t, f - t)
        for (s, e), (t, f) in zip(itertools.pairwise(a.offsets), itertools.pairwise(b.offsets), strict=True)
    ]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    iou=st.sampled_from([0.05, 0.3, 0.5, 0.8]),
    min_score=st.sampled_from([0.0, 0.4]),
    crowd=st.sampled_from([0.0, 0.2]),
)
def test_matrix_equals_loops_over_scipy(seed: int, iou: float, min_score: float, crowd: float) -> None:
    data = crowded(np.random.default_rng(seed), n=4, crowd=crowd)
    assert cells(data, Confusion(iou=iou, min_score=min_score)) == plain_cells(data, iou=iou, min_score=min_score)


CORNERS = st.tuples(*[st.integers(0, 3)] * 4)


@settings(max_examples=300, deadline=None)
@given(
    predicted=st.lists(st.tuples(CORNERS, st.integers(0, 1)), max_size=3),
    referenced=st.lists(st.tuples(CORNERS, st.integers(0, 1)), max_size=3),
)
def test_among_equal_sums_of_iou_right_labels_win(
    predicted: list[tuple[tuple[int, ...], int]], referenced: list[tuple[tuple[int, ...], int]]
) -> None:
    # On a grid of 4 × 4 equal sums are common, and different ones differ by more than a millionth.
    def side(drawn: list[tuple[tuple[int, ...], int]]) -> list[tuple[Box, int]]:
        return [((x, y, x + w + 1, y + h + 1), label) for (x, y, w, h), label in drawn]

    ours, theirs = side(predicted), side(referenced)
    best = (0.0, 0)
    for size in range(1, min(len(ours), len(theirs)) + 1):
        for some in itertools.combinations(ours, size):
            for others in itertools.permutations(theirs, size):
                pairs = [
                    (plain_iou(np.array(a), np.array(b)), here == there)
                    for (a, here), (b, there) in zip(some, others, strict=True)
                ]
                if all(iou >= 0.3 for iou, _ in pairs):
                    best = max(best, (round(sum(iou for iou, _ in pairs), 7), sum(agree for _, agree in pairs)))
    data = dataset(
        boxes([[box for box, _ in ours]], labels=[[label for _, label in ours]]),
        boxes([[box for box, _ in theirs]], labels=[[label for _, label in theirs]]),
    )
    found = cells(data, Confusion(iou=0.3)) if ours or theirs else {}
    assert sum(n for (actual, called), n in found.items() if actual == called) == best[1]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_rows_add_up_to_references_and_columns_to_predictions(seed: int) -> None:
    data = crowded(np.random.default_rng(seed), n=5)
    found = cells(data)
    for side, boxes_ in enumerate((data.references.boxes, data.predictions.boxes)):
        for code, label in enumerate(VOCABULARY):
            assert sum(n for cell, n in found.items() if cell[side] == label) == (boxes_.label == code).sum()
    assert ("background", "background") not in found


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), order=st.permutations(range(3)))
def test_other_names_permute_the_matrix(seed: int, order: list[int]) -> None:
    data = crowded(np.random.default_rng(seed), n=5)
    place = np.array(order)
    sides = [replace(side.boxes, label=place[side.boxes.label]) for side in (data.predictions, data.references)]
    renamed = {**{VOCABULARY[i]: VOCABULARY[order[i]] for i in range(3)}, "background": "background"}
    expected = {(renamed[actual], renamed[called]): n for (actual, called), n in cells(data).items()}
    assert cells(dataset(*sides)) == expected


def test_prediction_with_the_right_label_takes_the_reference_of_twins() -> None:
    for labels in ([DENT, SCRATCH], [SCRATCH, DENT]):
        data = dataset(boxes([[WHOLE, WHOLE]], labels=[labels]), boxes([[WHOLE]], labels=[[DENT]]))
        assert cells(data) == {("dent", "dent"): 1, ("background", "scratch"): 1}


def test_reference_with_the_right_label_takes_the_prediction_of_twins() -> None:
    for labels in ([DENT, SCRATCH], [SCRATCH, DENT]):
        data = dataset(boxes([[WHOLE]], labels=[[DENT]]), boxes([[WHOLE, WHOLE]], labels=[labels]))
        assert cells(data) == {("dent", "dent"): 1, ("scratch", "background"): 1}


def test_better_box_with_the_wrong_label_takes_the_reference() -> None:
    # IoU 1 against 0.99: the label decides only between equals.
    data = dataset(boxes([[(0, 0, 99, 100), WHOLE]], labels=[[DENT, SCRATCH]]), boxes([[WHOLE]], labels=[[DENT]]))
    assert cells(data) == {("dent", "scratch"): 1, ("background", "dent"): 1}


def test_pairs_below_the_threshold_do_not_compete() -> None:
    # x 0–100 and 30–130 against 0–97 and −32–68. IoU: .97 .515 / .515 .235. The largest sum of all, .97 + .235, holds
    # a pair below 0.5; without it .515 + .515 = 1.03 beats .97 alone.
    data = dataset(
        boxes([[(0, 0, 97, 10), (-32, 0, 68, 10)]], labels=[[DENT, SCRATCH]]),
        boxes([[(0, 0, 100, 10), (30, 0, 130, 10)]], labels=[[SCRATCH, DENT]]),
    )
    assert cells(data) == {("dent", "dent"): 1, ("scratch", "scratch"): 1}


def test_iou_exactly_at_the_threshold_is_a_pair() -> None:
    data = dataset(boxes([[HALF]]), boxes([[WHOLE]]))
    assert cells(data, Confusion(iou=0.5)) == {("bolt", "bolt"): 1}
    above = float(np.nextafter(0.5, 1))
    assert cells(data, Confusion(iou=above)) == {("bolt", "background"): 1, ("background", "bolt"): 1}


def test_touching_boxes_are_no_pair_however_low_the_threshold() -> None:
    data = dataset(boxes([[(100, 0, 200, 100)]]), boxes([[WHOLE]]))
    assert cells(data, Confusion(iou=1e-9)) == {("bolt", "background"): 1, ("background", "bolt"): 1}


def test_boxes_of_one_pixel_are_boxes() -> None:
    data = dataset(boxes([[(7, 7, 8, 8), (9, 9, 10, 10)]]), boxes([[(7, 7, 8, 8), (8, 7, 9, 8)]]))
    assert cells(data) == {("bolt", "bolt"): 1, ("bolt", "background"): 1, ("background", "bolt"): 1}


def test_classes_on_one_side_alone_have_a_row_or_a_column() -> None:
    data = dataset(boxes([[WHOLE]], labels=[[SCRATCH]]), boxes([[ELSEWHERE]], labels=[[DENT]]))
    assert cells(data) == {("dent", "background"): 1, ("background", "scratch"): 1}
    scores = evaluate(Confusion(), data)
    assert math.isnan(scores["accuracy"])
    assert (scores["missed"], scores["invented"]) == (1, 1)


def test_all_missed_leaves_accuracy_and_invented_undefined() -> None:
    scores = evaluate(Confusion(), dataset(boxes([[], []]), boxes([[WHOLE], [WHOLE]])))
    assert scores["missed"] == 1
    assert math.isnan(scores["accuracy"])
    assert math.isnan(scores["invented"])


def test_nothing_anywhere_is_undefined() -> None:
    data = dataset(boxes([[], []]), boxes([[], []]))
    assert all(math.isnan(value) for value in evaluate(Confusion(), data).values())
    assert measures(data) == {"labels": [*VOCABULARY, "background"], "matrix": {}, "largest": []}
    assert explained(data) == []


def test_picture_without_boxes_adds_nothing() -> None:
    alone = dataset(boxes([[HALF]]), boxes([[WHOLE, ELSEWHERE]]))
    beside = dataset(boxes([[HALF], []]), boxes([[WHOLE, ELSEWHERE], []]))
    assert evaluate(Confusion(), alone) == evaluate(Confusion(), beside)


def test_crowd_is_never_missed_and_excuses_what_lies_on_it() -> None:
    # Half of the second prediction lies on the crowd; its label does not matter.
    crowd = (200, 200, 1200, 1200)
    data = dataset(
        boxes([[WHOLE, (150, 300, 250, 400), FAR]], labels=[[DENT, DENT, BOLT]]),
        boxes([[WHOLE, crowd]], labels=[[DENT, SCRATCH]], crowd=[[False, True]]),
    )
    assert cells(data, Confusion(iou=0.5)) == {("dent", "dent"): 1}
    assert cells(data, Confusion(iou=0.6)) == {("dent", "dent"): 1, ("background", "dent"): 1}
    assert Confusion().statistics(data).keys["actual"].asked == {"dent"}


def test_pair_on_a_crowd_stays_a_pair() -> None:
    data = dataset(boxes([[WHOLE]], labels=[[DENT]]), boxes([[WHOLE, (0, 0, 900, 900)]], crowd=[[False, True]]))
    assert cells(data) == {("bolt", "dent"): 1}


def test_min_score_leaves_out_low_scores_and_keeps_boxes_without() -> None:
    metric = Confusion(min_score=0.5)
    data = dataset(boxes([[WHOLE, ELSEWHERE, FAR]], scores=[[0.5, 0.49, math.nan]]), boxes([[WHOLE, ELSEWHERE]]))
    assert cells(data, metric) == {("bolt", "bolt"): 1, ("bolt", "background"): 1, ("background", "bolt"): 1}
    assert metric.statistics(data).notes == (
        "1 of 3 predicted boxes state no score: min_score keeps them",
        "min_score 0.5 leaves out 1 of 3 predicted boxes",
    )


def test_row_of_which_nothing_was_found_has_no_rate() -> None:
    # Missed altogether: what is not seen is not confused, and a gate on confusions must not be green for it.
    statistics = Confusion().statistics(dataset(boxes([[]]), boxes([[WHOLE, ELSEWHERE]])))
    background = statistics.keys["predicted"].names.index("background")
    column = statistics.keys["predicted"].code == background
    ones = np.ones((1, 1))
    assert math.isnan(Confusion().evaluate(statistics.mark("rate", ~column), ones)[0, 3])
    assert Confusion().evaluate(statistics.mark("rate", column), ones)[0, 3] == 1.0


def test_degenerate_predictions_are_invented_and_said() -> None:
    data = dataset(boxes([[WHOLE, (5, 5, 5, 50), (50, 50, 5, 5)]]), boxes([[WHOLE]]))
    assert cells(data) == {("bolt", "bolt"): 1, ("background", "bolt"): 2}
    assert Confusion().statistics(data).notes == ("2 predicted boxes have zero or inverted area and count as invented",)


def test_malformed_replies_are_said_as_bbox_says_them() -> None:
    data = dataset(boxes([[], [WHOLE]]), boxes([[WHOLE], [WHOLE]]))
    failed = replace(data.predictions, derive_failures=lambda: {0: ParseFailure("no JSON")})
    (note,) = Confusion().statistics(replace(data, predictions=failed)).notes
    assert note.startswith("malformed replies: 1 ")
    assert BoxMatching().statistics(replace(data, predictions=failed)).notes == (note,)


def renamed(data: Dataset, *names: str) -> Dataset:
    sides = [replace(side.boxes, vocabulary=names) for side in (data.predictions, data.references)]
    return dataset(*sides)


@pytest.mark.parametrize(
    ("names", "file"),
    [(("bolt", "background", "scratch"), "references.jsonl"), (("background", "dent", "scratch"), "predictions.jsonl")],
)
def test_class_called_background_is_refused(names: tuple[str, ...], file: str) -> None:
    data = dataset(boxes([[WHOLE]], labels=[[BOLT]]), boxes([[WHOLE]], labels=[[DENT]]))
    with pytest.raises(DataError) as caught:
        Confusion().statistics(renamed(data, *names))
    assert str(caught.value) == (
        f"{file}: a class is called 'background', which is the word for what is no object; rename it with labels_map"
    )


def test_category_called_background_without_boxes_is_the_background() -> None:
    data = renamed(dataset(boxes([[WHOLE]], labels=[[1]]), boxes([[ELSEWHERE]], labels=[[2]])), "background", "a", "b")
    found = measures(data)
    assert found["labels"] == ["a", "b", "background"]
    assert found["matrix"] == {"b": {"background": 1}, "background": {"a": 1}}


def test_boxes_without_labels_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        Confusion().statistics(renamed(dataset(boxes([[WHOLE]]), boxes([[WHOLE]])), ""))
    assert str(caught.value) == (
        "references.jsonl: no box has a label that could be confused; name the field that holds it under fields"
    )


def test_background_stays_last_when_shards_with_other_classes_are_joined() -> None:
    first = dataset(boxes([[WHOLE]]), boxes([[WHOLE]]))
    parts = [renamed(first, "dent"), renamed(first, "rust")]
    joined = Statistics.concatenate([Confusion().statistics(part) for part in parts])
    found = Confusion().measures(joined, ("a", "b"))
    assert found["labels"] == ["dent", "rust", "background"]
    assert found["matrix"] == {"dent": {"dent": 1}, "rust": {"rust": 1}}


def test_largest_cells_come_first_with_the_samples_that_hold_most() -> None:
    # dent→scratch: once in s0 and s1, twice in s2, once in s3. Three cells of one follow in the order of classes, and
    # of these two are left out.
    slots = [(200 * i, 0, 200 * i + 100, 100) for i in range(3)]
    data = dataset(
        boxes(
            [slots[:1], slots[:1], slots[:2], slots[:1], slots],
            labels=[[SCRATCH], [SCRATCH], [SCRATCH] * 2, [SCRATCH], [DENT, SCRATCH, BOLT]],
        ),
        boxes(
            [slots[:1], slots[:1], slots[:2], slots[:1], slots[:2]],
            labels=[[DENT], [DENT], [DENT] * 2, [DENT], [BOLT, BOLT]],
        ),
    )
    assert measures(data)["largest"] == [
        {
            "actual": "dent",
            "predicted": "scratch",
            "what": "'dent' taken for 'scratch'",
            "count": 5,
            "share": 1.0,
            "samples": ["s2", "s0", "s1"],
        },
        {
            "actual": "bolt",
            "predicted": "dent",
            "what": "'bolt' taken for 'dent'",
            "count": 1,
            "share": 0.5,
            "samples": ["s4"],
        },
        {
            "actual": "bolt",
            "predicted": "scratch",
            "what": "'bolt' taken for 'scratch'",
            "count": 1,
            "share": 0.5,
            "samples": ["s4"],
        },
    ]


def pairs_of(*kinds: tuple[int | None, int | None]) -> Dataset:
    """A picture an object: what it is, what it is called; None is background."""
    return dataset(
        boxes([[] if p is None else [WHOLE] for _, p in kinds], labels=[[] if p is None else [p] for _, p in kinds]),
        boxes([[] if g is None else [WHOLE] for g, _ in kinds], labels=[[] if g is None else [g] for g, _ in kinds]),
    )


def test_invented_objects_as_most_of_the_errors_ask_for_pictures_without_objects() -> None:
    data = pairs_of((None, DENT), (None, DENT), (DENT, SCRATCH), (DENT, DENT))
    assert explained(data) == [
        "largest confusions: 'dent' invented (2), 'dent' taken for 'scratch' (1)",
        "2 of 3 errors are invented objects: add pictures without objects",
    ]


@pytest.mark.parametrize(("min_score", "cure"), [(None, "the confidence threshold"), (0.25, "min_score")])
def test_missed_objects_as_most_of_the_errors_ask_for_examples_or_a_lower_threshold(
    min_score: float | None, cure: str
) -> None:
    data = pairs_of((DENT, None), (DENT, None), (BOLT, None), (DENT, SCRATCH), (None, SCRATCH))
    assert explained(data, Confusion(min_score=min_score)) == [
        "largest confusions: 'dent' missed (2), 'bolt' missed (1), 'dent' taken for 'scratch' (1)",
        f"3 of 5 errors are missed objects: add examples of 'dent', 'bolt', or lower {cure}",
    ]


def test_classes_taken_for_each_other_ask_for_a_guideline() -> None:
    data = pairs_of(*[(DENT, SCRATCH)] * 3, *[(SCRATCH, DENT)] * 2, (BOLT, DENT), (DENT, BOLT))
    assert explained(data) == [
        "largest confusions: 'dent' taken for 'scratch' (3), 'scratch' taken for 'dent' (2), "
        "'bolt' taken for 'dent' (1)",
        "'dent' and 'scratch' are taken for each other (3 and 2 times): check that the annotation guideline tells "
        "them apart, or merge them",
    ]


def test_pair_of_classes_is_not_named_where_other_errors_drown_it() -> None:
    # 4 of 41 errors are less than a tenth.
    data = pairs_of(*[(DENT, SCRATCH), (SCRATCH, DENT)] * 2, *[(BOLT, SCRATCH)] * 37)
    assert explained(data) == [
        "largest confusions: 'bolt' taken for 'scratch' (37), 'dent' taken for 'scratch' (2), "
        "'scratch' taken for 'dent' (2)"
    ]


def test_one_confusion_back_is_no_pair_of_classes_hard_to_tell_apart() -> None:
    data = pairs_of(*[(DENT, SCRATCH)] * 3, (SCRATCH, DENT))
    assert explained(data) == ["largest confusions: 'dent' taken for 'scratch' (3), 'scratch' taken for 'dent' (1)"]


def test_few_errors_prove_no_habit() -> None:
    assert explained(pairs_of((None, DENT), (None, DENT), (DENT, DENT))) == ["largest confusions: 'dent' invented (2)"]
    assert explained(pairs_of((DENT, None), (DENT, None), (DENT, DENT))) == ["largest confusions: 'dent' missed (2)"]


def test_perfect_matrix_explains_nothing() -> None:
    assert explained(pairs_of((DENT, DENT), (BOLT, BOLT))) == []


@pytest.mark.parametrize("iou", [0, -0.1, 1.5, math.nan])
def test_threshold_outside_its_range_is_refused(iou: float) -> None:
    with pytest.raises(ValueError, match=r"^iou: expected float"):
        Confusion(iou=iou)
