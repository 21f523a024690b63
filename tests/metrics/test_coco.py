"""Average precision against pycocotools 2.0.11, and by hand."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pytest_vigate.data.dataset import Boxes, Dataset
from pytest_vigate.data.joining import join
from pytest_vigate.data.readers import load
from pytest_vigate.data.readers.coco import Coco as CocoReader
from pytest_vigate.data.tables import Role, Source
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.evaluation.estimate import estimate
from pytest_vigate.evaluation.resampling import multinomial_weights
from pytest_vigate.metrics import coco
from pytest_vigate.metrics.base import Key, Metric
from pytest_vigate.metrics.coco import FEWEST_DRAWS, Coco
from worlds import boxes, dataset, evaluate, jitter, random_boxes, real_data, reorder

NAMES = tuple(score.name for score in Coco.scores)
BOX = (0, 0, 100, 100)
Records = Sequence[Mapping[str, Any]]


def read(truth: Path, results: Path) -> Dataset:
    def side(role: Role, path: Path) -> Any:
        return load(Source(role, path.name, (path,), (path.parent.resolve(),), "coco"), {"coco": CocoReader()})

    return join(side("predictions", results), side("references", truth))


def ours(truth: Mapping[str, Any], results: Records, metric: Coco) -> dict[str, float]:
    with TemporaryDirectory() as folder:
        for name, content in {"truth.json": truth, "results.json": results}.items():
            Path(folder, name).write_text(json.dumps(content), encoding="utf-8")
        return evaluate(metric, read(Path(folder, "truth.json"), Path(folder, "results.json")))


def theirs(
    truth: Mapping[str, Any], results: Records, *, most: Sequence[int] = (1, 10, 100), areas: Sequence[float] = ()
) -> dict[str, float]:
    """pycocotools' twelve numbers, NaN where it says -1."""
    with contextlib.redirect_stdout(io.StringIO()):
        loaded = COCO()
        loaded.dataset = json.loads(json.dumps(truth))
        loaded.createIndex()
        evaluation = COCOeval(loaded, loaded.loadRes(json.loads(json.dumps(results))), "bbox")
        evaluation.params.maxDets = list(most)
        if areas:
            low, high = areas
            evaluation.params.areaRng = [[0, 1e10], [0, low], [low, high], [high, 1e10]]
        evaluation.evaluate()
        evaluation.accumulate()
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]  # (T, R, K, A, M), (T, K, A, M)

    def mean(values: Any) -> float:
        known = values[values > -1]
        return float(known.mean()) if known.size else float("nan")

    cells = [precision[:, :, :, 0, -1], precision[0, :, :, 0, -1], precision[5, :, :, 0, -1]]
    cells += [precision[:, :, :, a, -1] for a in (1, 2, 3)]
    cells += [recall[:, :, 0, m] for m in range(3)] + [recall[:, :, a, -1] for a in (1, 2, 3)]
    return dict(zip(NAMES, map(mean, cells), strict=True))


@pytest.mark.real_data
def test_published_numbers_come_out() -> None:
    folder = real_data("coco-fakebbox100")
    data = read(folder / "instances_val2014_100.json", folder / "instances_val2014_fakebbox100_results.json")
    published = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["bbox_full_precision"]
    assert len(published) == 12
    assert_allclose(list(evaluate(Coco(), data).values()), list(published.values()), rtol=0, atol=1e-9)


@st.composite
def sets(draw: st.DrawFn, *, cents: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A small set: few pictures, classes and places, so that scores and overlaps tie; crowds; areas of their own."""
    pictures = draw(st.permutations(range(1, 1 + draw(st.integers(1, 4)))))
    classes = draw(st.integers(1, 3))
    step = 0.01 if cents else 1

    def box() -> list[float]:
        x, y, w, h = (draw(st.integers(0, 12)) for _ in range(4))
        jitter = [draw(st.integers(0, 99)) * step if cents else 0 for _ in range(4)]
        # Wider than 1: where no number exceeds it, they look relative and are refused.
        return [round(a + b, 2) for a, b in zip((x, y, w + 2, h + 1), jitter, strict=True)]

    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for picture in pictures:
        for _ in range(draw(st.integers(0, 4))):
            found = box()
            area = draw(st.sampled_from([found[2] * found[3], 20, 40, 60]))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": picture,
                    "category_id": draw(st.integers(1, classes)),
                    "bbox": found,
                    "area": area,
                    "iscrowd": int(draw(st.integers(0, 5)) == 0),
                }
            )
        near: list[list[float]] = [one["bbox"] for one in annotations if one["image_id"] == picture]
        for _ in range(draw(st.integers(0, 5))):
            copied = bool(near) and draw(st.booleans())
            results.append(
                {
                    "image_id": picture,
                    "category_id": draw(st.integers(1, classes)),
                    "bbox": draw(st.sampled_from(near)) if copied else box(),
                    "score": draw(st.sampled_from([0.1, 0.2, 0.3, 0.5]))
                    if draw(st.booleans())
                    else draw(st.floats(0, 1)),
                }
            )
    truth = {
        "images": [{"id": picture, "file_name": f"{picture}.jpg", "width": 30, "height": 30} for picture in pictures],
        "annotations": annotations,
        "categories": [{"id": code, "name": f"c{code}"} for code in range(1, classes + 1)],
    }
    first = {"image_id": pictures[0], "category_id": 1, "bbox": box(), "score": 0.25}
    return truth, [first, *results]  # pycocotools cannot load an empty list


def assert_equal(found: Mapping[str, float], expected: Mapping[str, float]) -> None:
    assert_allclose(list(found.values()), list(expected.values()), rtol=0, atol=1e-9)


@settings(max_examples=150, deadline=None)
@given(sets(cents=False))
def test_equal_to_pycocotools_with_ties_crowds_and_areas(drawn: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    truth, results = drawn
    assert_equal(ours(truth, results, Coco(area_ranges=(30, 50))), theirs(truth, results, areas=(30, 50)))


@settings(max_examples=100, deadline=None)
@given(sets(cents=True))
def test_equal_to_pycocotools_where_decimals_round(drawn: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    truth, results = drawn
    assert_equal(ours(truth, results, Coco(area_ranges=(30, 50))), theirs(truth, results, areas=(30, 50)))


@settings(max_examples=60, deadline=None)
@given(sets(cents=False), st.integers(1, 3))
def test_equal_to_pycocotools_with_more_than_the_most_detections(
    drawn: tuple[dict[str, Any], list[dict[str, Any]]], most: int
) -> None:
    truth, results = drawn
    found = ours(truth, results, Coco(max_detections=most))
    expected = theirs(truth, results, most=(1, most, most))
    for name in ("map", "map50", "map75", "map_small", "map_medium", "map_large", "ar1", "ar_small"):
        assert found[name] == pytest.approx(expected[name], abs=1e-9, nan_ok=True)


def test_scale_of_thousands_of_boxes_equals_pycocotools() -> None:
    rng = np.random.default_rng(0)
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for picture in range(1, 61):
        for _ in range(20):
            x, y, w, h = np.round([*rng.uniform(0, 500, 2), *np.exp(rng.normal(4, 1, 2))], 2).tolist()
            label, crowd = int(rng.integers(1, 9)), int(rng.random() < 0.05)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": picture,
                    "category_id": label,
                    "bbox": [x, y, w, h],
                    "area": round(w * h * 0.8, 2),
                    "iscrowd": crowd,
                }
            )
            for _ in range(rng.integers(0, 12)):
                shift = rng.normal(0, 0.1, 4) * (w, h, w, h)
                moved = np.round(np.abs(np.array([x, y, w, h]) + shift), 2).tolist()
                results.append(
                    {"image_id": picture, "category_id": label, "bbox": moved, "score": round(float(rng.random()), 2)}
                )
    truth = {
        "images": [{"id": i, "file_name": f"{i}.jpg"} for i in range(1, 61)],
        "annotations": annotations,
        "categories": [{"id": i, "name": f"c{i}"} for i in range(1, 9)],
    }
    assert_equal(ours(truth, results, Coco()), theirs(truth, results))


def test_annotation_with_id_0_counts_like_any_other() -> None:
    # pycocotools takes a match with annotation 0 for none: its AP of two perfect boxes is 0.252.
    images = [{"id": 1, "file_name": "1.jpg"}]
    found = [[0, 0, 10, 10], [50, 50, 10, 10]]
    annotations = [
        {"id": i, "image_id": 1, "category_id": 1, "bbox": box, "area": 100, "iscrowd": 0}
        for i, box in enumerate(found)
    ]
    truth = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "coin"}]}
    results = [{"image_id": 1, "category_id": 1, "bbox": box, "score": 0.9 - i / 10} for i, box in enumerate(found)]
    assert theirs(truth, results)["map"] == pytest.approx(0.2524752)
    assert ours(truth, results, Coco())["map"] == 1


def test_worked_example() -> None:
    # One class, three references. Detections by score: .9 hit, .8 false, .7 hit, .6 false.
    # Precision 1/1 up to recall 1/3, 2/3 up to recall 2/3, nothing beyond. Recalls 0 to 0.33 are 34 points, 0.34 to
    # 0.66 are 33: AP50 = (34 · 1 + 33 · 2/3) / 101.
    far = (300, 300, 310, 310)
    found = boxes([[BOX, far, (200, 0, 300, 100), far]], scores=[[0.9, 0.8, 0.7, 0.6]])
    truth = boxes([[BOX, (200, 0, 300, 100), (0, 200, 100, 300)]])
    scores = evaluate(Coco(), dataset(found, truth))
    assert scores["map50"] == pytest.approx((34 + 33 * 2 / 3) / 101)
    assert scores["ar1"] == pytest.approx(1 / 3)
    assert scores["ar100"] == pytest.approx(2 / 3)


def test_iou_at_the_threshold_counts() -> None:
    # 100 × 50 in 100 × 100: IoU 0.5 exactly.
    scores = evaluate(Coco(), dataset(boxes([[(0, 0, 100, 50)]], scores=[[0.9]]), boxes([[BOX]])))
    assert (scores["map50"], scores["map75"]) == (1, 0)
    assert scores["map"] == pytest.approx(0.1)


def test_touching_and_one_pixel_boxes() -> None:
    pixel = (7, 7, 8, 8)
    found = boxes([[pixel, (8, 7, 9, 8)]], scores=[[0.9, 0.8]])
    scores = evaluate(Coco(), dataset(found, boxes([[pixel]])))
    assert (scores["map"], scores["map_small"]) == (1, 1)
    assert np.isnan(scores["map_large"])


def test_identical_boxes_are_found_once() -> None:
    scores = evaluate(Coco(), dataset(boxes([[BOX, BOX]], scores=[[0.9, 0.9]]), boxes([[BOX]])))
    assert (scores["map50"], scores["ar1"]) == (1, 1)
    twice = evaluate(Coco(), dataset(boxes([[BOX]], scores=[[0.9]]), boxes([[BOX, BOX]])))
    assert twice["ar100"] == 0.5


def test_empty_pictures_take_part() -> None:
    # The picture without references costs precision: its box outranks the hit.
    found = boxes([[BOX], [BOX], []], scores=[[0.8], [0.9], []])
    scores = evaluate(Coco(), dataset(found, boxes([[BOX], [], []])))
    assert scores["map50"] == pytest.approx(0.5)


def test_class_with_predictions_only_is_left_out_and_said() -> None:
    found = boxes([[BOX, BOX, BOX]], labels=[[0, 1, 2]], scores=[[0.9, 0.8, 0.7]])
    statistics = Coco().statistics(dataset(found, boxes([[BOX]])))
    assert Coco().evaluate(statistics, np.ones((1, 1)))[0, 0] == 1
    assert statistics.notes == (
        "predicted boxes of classes that no reference has, left out by COCO's scores: 2 ('dent', 'scratch')",
    )


def test_class_with_references_only_counts_as_zero() -> None:
    found = boxes([[BOX]], labels=[[0]], scores=[[0.9]])
    assert evaluate(Coco(), dataset(found, boxes([[BOX, BOX]], labels=[[0, 1]])))["map"] == 0.5


def test_no_predictions_at_all_are_zero() -> None:
    scores = evaluate(Coco(), dataset(boxes([[]]), boxes([[BOX]])))
    assert (scores["map"], scores["ar100"]) == (0, 0)


def test_only_crowds_leave_scores_undefined() -> None:
    scores = evaluate(Coco(), dataset(boxes([[BOX]], scores=[[0.9]]), boxes([[BOX]], crowd=[[True]])))
    assert np.isnan(list(scores.values())).all()


@pytest.mark.parametrize(("scores", "lacking"), [([float("nan")] * 2, 2), ([0.5, float("nan")], 1)])
def test_boxes_without_scores_are_unmeasurable_and_the_way_out_is_named(scores: list[float], lacking: int) -> None:
    data = dataset(boxes([[BOX, BOX]], scores=[scores]), boxes([[BOX]]))
    message = (
        f"predictions.jsonl: {lacking} of 2 predicted boxes state no score, and average precision ranks boxes by their "
        "scores; record the confidences, or gate bbox.f1, bbox.precision and bbox.recall"
    )
    with pytest.raises(UnmeasurableError, match=f"^{re.escape(message)}$"):
        Coco().statistics(data)


def test_scores_outside_the_unit_range_are_ranked_and_said() -> None:
    statistics = Coco().statistics(dataset(boxes([[BOX, BOX]], scores=[[-1.5, 87.5]]), boxes([[BOX]])))
    assert statistics.notes == ("scores lie between -1.5 and 87.5, not in [0, 1]: they are ranked as they are",)


def test_threshold_that_is_not_read_is_undefined_with_the_reason() -> None:
    metric = Coco(iou_thresholds=(0.6, 0.75), max_detections=5)
    statistics = metric.statistics(dataset(boxes([[BOX]], scores=[[0.9]]), boxes([[BOX]])))
    values = dict(zip(NAMES, metric.evaluate(statistics, np.ones((1, 1)))[0], strict=True))
    assert {name for name, value in values.items() if np.isnan(value)} == {
        "map50",
        "ar10",
        "ar100",
        "map_small",
        "map_medium",
        "ar_small",
        "ar_medium",
    }
    assert statistics.undefined == {
        "map50": "iou_thresholds of coco do not hold 0.5; add it, or gate map",
        "ar10": "max_detections of coco is 5; raise it to 10",
        "ar100": "max_detections of coco is 5; raise it to 100",
    }


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"iou_thresholds": (0.75, 0.5)},
            "iou_thresholds: expected 1 to 20 numbers, each above the one before, found [0.75, 0.5]",
        ),
        ({"iou_thresholds": ()}, "iou_thresholds: expected 1 to 20 numbers, each above the one before, found []"),
        ({"area_ranges": (50.0, 20.0)}, "area_ranges: medium ends at 20, where it has not begun"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Coco(**parameters)


# One reference in each of ten pictures; a hit and a false box of the same score in each, the false one first.
HIT, FALSE = BOX, (300, 300, 310, 310)
TIED = dataset(boxes([[FALSE, HIT]] * 10, scores=[[0.5, 0.5]] * 10), boxes([[BOX]] * 10))


def test_tied_scores_are_told_with_what_they_can_do() -> None:
    # In the order of the input: precision 1/2, 2/4, …: 0.5. Hits first: 1. Together: 10 of 20.
    metric = Coco()
    statistics = metric.statistics(TIED)
    assert metric.evaluate(statistics, np.ones((1, 10)))[0, 1] == pytest.approx(0.5)
    assert metric.caveats(statistics, "map50") == (
        "tied scores: their order over all samples can move coco.map50 between 0.5000 and 1.0000; it is that of the "
        "input. Set ties: together to read them as one, or write scores with more digits",
    )
    assert metric.caveats(statistics, "ar100") == ()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_every_order_of_ties_lies_between_the_ends(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = random_boxes(rng, 5, most=4)
    found = jitter(rng, truth, by=8)
    found.score[:] = np.round(found.score * 3) / 3
    metric, ones = Coco(), np.ones(5)
    statistics = metric.statistics(dataset(found, truth))
    ends = [metric._scores(statistics, ones, ties=ties)[1] for ties in ("together", "best")]
    value = metric.evaluate(statistics, ones[None])[0, 1]
    if not np.isnan(value):
        assert ends[0] - 1e-12 <= value <= ends[1] + 1e-12


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_ties_read_together_do_not_depend_on_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = random_boxes(rng, 8, most=4)
    found = jitter(rng, truth, by=8)
    found.score[:] = np.round(found.score * 3) / 3
    order = rng.permutation(8).tolist()
    metric = Coco(ties="together")
    straight = evaluate(metric, dataset(found, truth))
    shuffled = evaluate(metric, dataset(reorder(shuffled_within(rng, found), order), reorder(truth, order)))
    assert_equal(shuffled, straight)


def shuffled_within(rng: np.random.Generator, found: Boxes) -> Boxes:
    """The same boxes in another order within every sample."""
    index = np.lexsort((rng.random(len(found.label)), found.sample))
    columns = {name: getattr(found, name)[index] for name in ("xyxy", "label", "score", "crowd", "area")}
    return replace(found, **columns)


# Two references side by side; the first box overlaps both, the second only the left one.
RIVALS = boxes([[(112, 0, 212, 100), (80, 0, 180, 100)]], scores=[[0.5, 0.5]])
SIDE_BY_SIDE = boxes([[(100, 0, 200, 100), (130, 0, 230, 100)]])


def test_tied_boxes_that_compete_within_a_sample_are_told() -> None:
    assert Coco().statistics(dataset(RIVALS, SIDE_BY_SIDE)).notes == (
        "tied scores within a sample: in 1 of them, boxes of one class and score compete for a reference or for the "
        "last place under a limit; the order of the input decides",
    )
    apart = boxes([[(112, 0, 212, 100), (80, 0, 180, 100)]], scores=[[0.5, 0.4]])
    assert Coco().statistics(dataset(apart, SIDE_BY_SIDE)).notes == ()


def test_only_samples_with_references_are_evidence() -> None:
    # One coin in a hundred pictures, and a worse false box in each of the others: perfect, and proves next to nothing.
    found = boxes([[BOX]] * 100, scores=[[0.9], *([0.5] for _ in range(99))])
    data = dataset(found, boxes([[BOX], *([] for _ in range(99))]))
    metric = Coco()
    statistics = metric.statistics(data)
    (weights,) = multinomial_weights(100, draws=200, rng=np.random.default_rng(0))
    estimated = estimate(metric, statistics, weights=[weights], level=0.95)["map50"]
    assert (estimated.value, estimated.evidence, estimated.method) == (1.0, 1, "clopper-pearson")
    assert estimated.low == pytest.approx(0.025)


def test_interval_of_a_mean_over_rare_classes_holds_its_value() -> None:
    # The common class is always found, two rare ones never: draws that lose a rare class would lift the mean.
    found = boxes([[BOX]] * 30, scores=[[0.9]] * 30)
    truth = boxes(
        [[BOX, FALSE], [BOX, FALSE], *([BOX] for _ in range(28))],
        labels=[[0, 1], [0, 2], *([0] for _ in range(28))],
    )
    metric = Coco()
    statistics = metric.statistics(dataset(found, truth))
    weights = multinomial_weights(30, draws=300, rng=np.random.default_rng(0))
    estimated = estimate(metric, statistics, weights=weights, level=0.95)["map50"]
    assert estimated.value == pytest.approx(1 / 3)
    assert estimated.low == estimated.value
    bounds = estimated.bounds(0.95)
    assert bounds is not None
    assert bounds[0] == estimated.value


@pytest.mark.parametrize("ids", [("-2", "-1"), ("999999999999999", "1000000000000000"), ("7", "10")])
def test_ties_follow_ids_as_numbers(ids: tuple[str, str]) -> None:
    # The picture of the smaller id has the false box: 0.5; the other way round 1.
    far = (300.0, 300.0, 310.0, 310.0)
    hit_last = dataset(boxes([[far], [BOX]], scores=[[0.5], [0.5]]), boxes([[], [BOX]]))
    hit_first = dataset(boxes([[BOX], [far]], scores=[[0.5], [0.5]]), boxes([[BOX], []]))
    assert evaluate(Coco(), replace(hit_last, ids=ids))["map50"] == pytest.approx(0.5)
    assert evaluate(Coco(), replace(hit_first, ids=ids))["map50"] == 1


def test_worst_samples_are_looked_for_among_confident_mistakes() -> None:
    # 110 pictures with two false boxes below every hit, and one whose false box outranks all.
    quiet = [[BOX, FALSE, FALSE]] * 110
    found = boxes([*quiet, [BOX, FALSE]], scores=[*([0.9, 0.1, 0.1] for _ in range(110)), [0.9, 0.99]])
    metric = Coco()
    statistics = metric.statistics(dataset(found, boxes([[BOX]] * 111)))
    without = metric.leave_one_out(statistics)[:, 1]
    assert int(np.argmax(without)) == 110


def test_label_splits_average_precision_by_class() -> None:
    rng = np.random.default_rng(3)
    truth = random_boxes(rng, 12)
    data = dataset(jitter(rng, truth), truth)
    statistics = Coco().statistics(data)
    label = statistics.keys["label"]
    ones = np.ones((1, 12))
    by_class = [Coco().evaluate(statistics.take(label.code == i), ones)[0] for i in range(len(label.names))]
    assert_allclose(np.mean(by_class, axis=0)[:3], Coco().evaluate(statistics, ones)[0][:3], atol=1e-12)


def test_fractions_as_weights_are_read_as_they_are() -> None:
    rng = np.random.default_rng(4)
    truth = random_boxes(rng, 12)
    statistics = Coco().statistics(dataset(jitter(rng, truth), truth))
    weights = rng.integers(0, 4, (1, 12)).astype(float)
    assert_allclose(Coco().evaluate(statistics, weights / 2), Coco().evaluate(statistics, weights), rtol=0, atol=1e-12)


def test_threads_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    truth = random_boxes(rng, 40)
    statistics = Coco().statistics(dataset(jitter(rng, truth), truth))
    (weights,) = multinomial_weights(40, draws=30, rng=rng)
    alone = Coco().evaluate(statistics, weights)
    monkeypatch.setattr(coco, "MANY", 0)
    assert np.array_equal(Coco().evaluate(statistics, weights), alone, equal_nan=True)


def test_large_data_gets_fewer_draws_and_small_data_all() -> None:
    statistics = Coco().statistics(dataset(boxes([[BOX]], scores=[[0.9]]), boxes([[BOX]])))
    assert Coco().affordable(statistics) >= 1000
    many = np.zeros(10**6, dtype=np.int64)
    large = replace(
        statistics, values=np.zeros((10**6, 11)), sample=many, keys={"label": Key(many, ("bolt",), frozenset())}
    )
    assert Coco().affordable(large) == FEWEST_DRAWS


def test_leaving_out_looks_closely_at_the_samples_with_most_faults() -> None:
    rng = np.random.default_rng(6)
    truth = random_boxes(rng, 150, most=2)
    data = dataset(jitter(rng, truth, by=1), truth)
    metric = Coco()
    statistics = metric.statistics(data)
    found, exact = metric.leave_one_out(statistics), Metric.leave_one_out(metric, statistics)
    whole = metric.evaluate(statistics, np.ones((1, 150)))
    looked = ~((found == whole) | np.isnan(whole)).all(axis=1)
    assert 0 < looked.sum() <= 100
    assert_allclose(found[looked], exact[looked], atol=1e-12)


def test_draws_are_no_different_from_pycocotools_on_the_drawn_pictures() -> None:
    rng = np.random.default_rng(7)
    truth = random_boxes(rng, 10)
    found = jitter(rng, truth)
    statistics = Coco().statistics(dataset(found, truth))
    (weights,) = multinomial_weights(10, draws=3, rng=rng)
    for row in weights:
        drawn = np.repeat(np.arange(10), row.astype(int)).tolist()
        repeated = evaluate(Coco(), dataset(reorder(found, drawn), reorder(truth, drawn)))
        assert_allclose(Coco().evaluate(statistics, row[None])[0], list(repeated.values()), atol=1e-12)


def one_box(width: float, height: float, *, found: Sequence[float] | None = None) -> tuple[dict[str, Any], Records]:
    box = [0, 0, width, height]
    truth = {
        "images": [{"id": 1, "file_name": "1.jpg"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": box, "area": width * height, "iscrowd": 0}],
        "categories": [{"id": 1, "name": "coin"}],
    }
    return truth, [{"image_id": 1, "category_id": 1, "bbox": found or box, "score": 0.5}]


@pytest.mark.parametrize("side", [1e5, 1.001e5])
def test_largest_area_is_that_of_pycocotools(side: float) -> None:
    truth, results = one_box(side, side)
    found = ours(truth, results, Coco())
    assert_equal(found, theirs(truth, results))
    assert np.isnan(found["map"]) == (side > 1e5)


def test_threshold_of_one_is_met_by_the_very_same_box() -> None:
    # (12.3 + 0.7) - 12.3 is a little less than 0.7: the IoU of the box with itself comes out below 1.
    truth, results = one_box(0.7, 7)
    truth["annotations"][0]["bbox"] = [12.3, 0, 0.7, 7]
    results = [{**results[0], "bbox": [12.3, 0, 0.7, 7]}]
    assert (12.3 + 0.7) - 12.3 < 0.7
    assert ours(truth, results, Coco(iou_thresholds=(1.0,)))["map"] == 1


def test_ties_that_hardly_matter_are_not_told() -> None:
    # 999 hits, and one false box tied with the last of them: precision there is 999/1000 or 1, for one recall of 101.
    far = (300.0, 300.0, 310.0, 310.0)
    scores = [[1 - i / 1e4] for i in range(998)] + [[0.5, 0.5]]
    found = boxes([[BOX]] * 998 + [[far, BOX]], scores=scores)
    metric = Coco()
    statistics = metric.statistics(dataset(found, boxes([[BOX]] * 999)))
    low, high = (metric._scores(statistics, np.ones(999), ties=ties)[1] for ties in ("together", "best"))
    assert 0 < high - low < 0.001
    assert metric.caveats(statistics, "map50") == ()


def test_bands_do_not_outlive_other_thresholds() -> None:
    assert {score.name for score in Coco().configured if score.bands} == {"map", "map50"}
    assert {score.name for score in Coco(iou_thresholds=(0.3, 0.5)).configured if score.bands} == {"map50"}
