"""Section 8 of the design for boxes, one sentence a test; numbers are worked by hand in the comments."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_vigate.metrics.bbox import BoxMatching
from worlds import boxes, dataset, evaluate

WHOLE = (0, 0, 100, 100)
HALF = (0, 0, 50, 100)  # IoU with WHOLE: 5 000 / 10 000 = 0.5
ELSEWHERE = (200, 200, 300, 300)


def test_matching_maximises_the_sum_before_the_threshold_counts() -> None:
    # Heights equal; references x 0–100 and 30–130, predictions 0–97 and −32–68. IoU: .97 .515 / .515 .235.
    # Sum .97 + .235 = 1.205 beats .515 + .515 = 1.03, so one of two pairs reaches 0.5.
    data = dataset(boxes([[(0, 0, 97, 10), (-32, 0, 68, 10)]]), boxes([[(0, 0, 100, 10), (30, 0, 130, 10)]]))
    assert evaluate(BoxMatching(), data)["recall"] == 0.5


def test_thresholded_assignment_lets_only_good_pairs_compete() -> None:
    # As above, but .235 is dropped first: .515 + .515 = 1.03 now beats .97 alone, and both count.
    data = dataset(boxes([[(0, 0, 97, 10), (-32, 0, 68, 10)]]), boxes([[(0, 0, 100, 10), (30, 0, 130, 10)]]))
    assert evaluate(BoxMatching(assign="thresholded"), data)["recall"] == 1.0


def test_iou_exactly_at_the_threshold_counts() -> None:
    assert evaluate(BoxMatching(iou=0.5), dataset(boxes([[HALF]]), boxes([[WHOLE]])))["f1"] == 1.0


def test_average_iou_is_over_pairs_and_iou_all_over_references() -> None:
    # Pairs: 1.0 and 0.5; a third reference is missed. (1 + .5) / 2 = .75; (1 + .5 + 0) / 3 = .5
    far = (400, 0, 500, 100)
    data = dataset(boxes([[WHOLE, (400, 0, 450, 100)]]), boxes([[WHOLE, far, ELSEWHERE]]))
    scores = evaluate(BoxMatching(), data)
    assert scores["iou"] == pytest.approx(0.75)
    assert scores["iou_all"] == pytest.approx(0.5)


def test_counts_are_pooled_over_samples() -> None:
    # Sample 1: 1 right. Sample 2: 1 right, 2 invented, 1 missed. P = 2/4, R = 2/3, F1 = 4/(4+2+1)
    data = dataset(
        boxes([[WHOLE], [WHOLE, (500, 0, 510, 10), (600, 0, 610, 10)]]), boxes([[WHOLE], [WHOLE, ELSEWHERE]])
    )
    scores = evaluate(BoxMatching(), data)
    assert [scores["precision"], scores["recall"]] == pytest.approx([0.5, 2 / 3])
    assert scores["f1"] == pytest.approx(4 / 7)


def test_no_predictions_leave_precision_undefined_and_f1_zero() -> None:
    scores = evaluate(BoxMatching(), dataset(boxes([[]]), boxes([[WHOLE]])))
    assert math.isnan(scores["precision"])
    assert math.isnan(scores["iou"])
    assert (scores["f1"], scores["recall"], scores["iou_all"], scores["acc"]) == (0, 0, 0, 0)


def test_sample_without_boxes_on_either_side_adds_nothing() -> None:
    alone = evaluate(BoxMatching(), dataset(boxes([[WHOLE]]), boxes([[WHOLE, ELSEWHERE]])))
    beside = evaluate(BoxMatching(), dataset(boxes([[WHOLE], []]), boxes([[WHOLE, ELSEWHERE], []])))
    assert alone == beside


def test_nothing_anywhere_is_undefined_not_zero() -> None:
    assert all(math.isnan(value) for value in evaluate(BoxMatching(), dataset(boxes([[]]), boxes([[]]))).values())


def test_false_positives_on_pictures_without_references_count() -> None:
    # One perfect box, one picture without objects and 100 invented boxes: P = 1/101
    invented = [(i, 0, i + 1, 1) for i in range(100)]
    data = dataset(boxes([[WHOLE], invented]), boxes([[WHOLE], []]))
    assert evaluate(BoxMatching(), data)["precision"] == pytest.approx(1 / 101)


def test_labels_match_by_default_for_categories() -> None:
    data = dataset(boxes([[WHOLE]], labels=[[1]]), boxes([[WHOLE]], labels=[[2]]))
    assert evaluate(BoxMatching(), data)["recall"] == 0.0
    assert evaluate(BoxMatching(labels="ignore"), data)["recall"] == 1.0
    assert BoxMatching().statistics(data).settled == {"labels": "match"}


def test_labels_are_ignored_by_default_for_phrases() -> None:
    data = dataset(boxes([[WHOLE]], labels=[[1]], phrases=True), boxes([[WHOLE]], labels=[[2]], phrases=True))
    assert evaluate(BoxMatching(), data)["recall"] == 1.0
    assert evaluate(BoxMatching(labels="match"), data)["recall"] == 0.0
    assert BoxMatching().statistics(data).settled == {"labels": "ignore"}


@pytest.mark.parametrize("phrases", [(True, False), (False, True)])
def test_labels_match_by_default_where_one_side_has_categories(phrases: tuple[bool, bool]) -> None:
    ours, theirs = phrases
    data = dataset(
        boxes([[WHOLE, ELSEWHERE]], labels=[[1, 2]], phrases=ours),
        boxes([[WHOLE, ELSEWHERE]], labels=[[2, 1]], phrases=theirs),
    )
    assert evaluate(BoxMatching(), data)["recall"] == 0.0
    assert BoxMatching().statistics(data).settled == {"labels": "match"}


def test_crowd_reference_is_never_missed() -> None:
    data = dataset(boxes([[WHOLE]]), boxes([[WHOLE, ELSEWHERE]], crowd=[[False, True]]))
    assert evaluate(BoxMatching(), data)["recall"] == 1.0


def test_prediction_on_a_crowd_is_neither_right_nor_wrong() -> None:
    # The prediction covers a hundredth of the crowd, but lies on it wholly: intersection / own area = 1.
    crowd = (200, 200, 1200, 1200)
    data = dataset(boxes([[WHOLE, (300, 300, 400, 400)]]), boxes([[WHOLE, crowd]], crowd=[[False, True]]))
    scores = evaluate(BoxMatching(), data)
    assert (scores["precision"], scores["f1"]) == (1.0, 1.0)


def test_prediction_half_outside_a_crowd_is_excused_only_up_to_the_threshold() -> None:
    crowd = (200, 200, 1200, 1200)
    beside = (150, 300, 250, 400)  # half of it on the crowd
    data = dataset(boxes([[WHOLE, beside]]), boxes([[WHOLE, crowd]], crowd=[[False, True]]))
    assert evaluate(BoxMatching(iou=0.5), data)["precision"] == 1.0
    assert evaluate(BoxMatching(iou=0.6), data)["precision"] == 0.5


def test_crowd_of_another_label_excuses_nothing() -> None:
    crowd = (200, 200, 1200, 1200)
    data = dataset(boxes([[(300, 300, 400, 400)]], labels=[[1]]), boxes([[crowd]], labels=[[2]], crowd=[[True]]))
    assert evaluate(BoxMatching(), data)["precision"] == 0.0
    assert math.isnan(evaluate(BoxMatching(labels="ignore"), data)["precision"])


def test_degenerate_predictions_are_false_positives_counted_apart() -> None:
    metric = BoxMatching()
    data = dataset(boxes([[WHOLE, (5, 5, 5, 50), (50, 50, 5, 5)]]), boxes([[WHOLE]]))
    assert evaluate(metric, data)["precision"] == pytest.approx(1 / 3)
    assert metric.measures(metric.statistics(data), data.ids)["degenerate"] == 2


def test_duplicate_predictions_of_one_reference_match_once() -> None:
    scores = evaluate(BoxMatching(), dataset(boxes([[WHOLE, WHOLE]]), boxes([[WHOLE]])))
    assert (scores["precision"], scores["recall"]) == (0.5, 1.0)


def test_min_score_leaves_out_low_scores_and_keeps_the_bound_itself() -> None:
    data = dataset(boxes([[WHOLE, ELSEWHERE]], scores=[[0.5, 0.49]]), boxes([[WHOLE]]))
    assert evaluate(BoxMatching(min_score=0.5), data)["precision"] == 1.0


def test_min_score_keeps_boxes_without_score_and_says_so() -> None:
    data = dataset(boxes([[WHOLE, ELSEWHERE]], scores=[[math.nan, 0.1]]), boxes([[WHOLE]]))
    metric = BoxMatching(min_score=0.5)
    assert evaluate(metric, data)["precision"] == 1.0
    assert metric.statistics(data).notes == (
        "1 of 2 predicted boxes state no score: min_score keeps them",
        "min_score 0.5 leaves out 1 of 2 predicted boxes",
    )


def test_acc_is_the_share_of_samples_whose_every_reference_is_found() -> None:
    # Found, half found, missed, and one without references, which proves nothing: 1 of 3.
    data = dataset(boxes([[WHOLE], [WHOLE], [ELSEWHERE], []]), boxes([[WHOLE], [WHOLE, ELSEWHERE], [WHOLE], []]))
    assert evaluate(BoxMatching(), data)["acc"] == pytest.approx(1 / 3)


def test_rows_carry_labels_that_slices_can_name() -> None:
    metric = BoxMatching()
    data = dataset(boxes([[WHOLE, ELSEWHERE]], labels=[[0, 2]]), boxes([[WHOLE, (400, 0, 500, 100)]], labels=[[0, 1]]))
    statistics = metric.statistics(data)
    key = statistics.keys["label"]
    recall = {}
    for code in range(3):
        rows = statistics.take(key.code == code)
        recall[key.names[code]] = metric.evaluate(rows, np.ones((1, 1)))[0][2]
    assert recall["bolt"] == 1.0
    assert recall["dent"] == 0.0
    assert math.isnan(recall["scratch"])  # only a false positive: nothing there to recall


@pytest.mark.parametrize(
    ("predicted", "fault"),
    [
        ((120, 0, 220, 100), "shifted_pairs"),  # the right size in the wrong place
        ((20, 20, 80, 80), "loose_pairs"),  # the right place, the wrong size
    ],
)
def test_poor_pair_is_named_by_the_factor_that_costs_more(predicted: tuple[int, ...], fault: str) -> None:
    reference = (80, 0, 180, 100) if fault == "shifted_pairs" else WHOLE
    metric = BoxMatching()
    statistics = metric.statistics(dataset(boxes([[predicted]]), boxes([[reference]])))
    assert statistics.column(fault).tolist()[0] == 1
    other = "loose_pairs" if fault == "shifted_pairs" else "shifted_pairs"
    assert statistics.column(other).tolist()[0] == 0


def test_measures_give_median_area_ratio_and_labels_never_found() -> None:
    metric = BoxMatching(labels="ignore")
    data = dataset(
        boxes([[(0, 0, 100, 100), (0, 200, 200, 400)]], labels=[[0, 0]]),
        boxes([[(0, 0, 100, 100), (50, 250, 150, 350), (700, 0, 710, 10)]], labels=[[0, 0, 1]]),
    )
    measures = metric.measures(metric.statistics(data), data.ids)
    assert measures["median_area_ratio"] == pytest.approx(2.5)  # of 1 and 4
    assert measures["never_found"] == {"dent": 1}


def test_invented_box_on_background_is_told_from_one_beside_an_object() -> None:
    metric = BoxMatching()
    data = dataset(boxes([[WHOLE, (0, 0, 90, 90), ELSEWHERE]]), boxes([[WHOLE]]))
    measures = metric.measures(metric.statistics(data), data.ids)
    assert (measures["invented"], measures["background"]) == (2, 1)


@pytest.mark.parametrize("iou", [0, -0.1, 1.5, math.nan])
def test_threshold_outside_its_range_is_refused(iou: float) -> None:
    with pytest.raises(ValueError, match=r"^iou: expected float"):
        BoxMatching(iou=iou)
