"""`overfit` on curves: train against validation by step, and the judged checkpoint against the best one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pytest_vigate.data.curves import TrainingLog
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.data.evidence import of_training
from pytest_vigate.data.logs import read_training
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import DataError, UnmeasurableError
from pytest_vigate.metrics._generalisation import best, generalisation
from pytest_vigate.metrics.overfit import Overfit, direction
from worlds import evaluate, real_data, replies, training

NAN, INF = float("nan"), float("inf")
SCORES = ("gap", "ratio", "rise", "regret", "since_best")
F1 = ("train/f1", "val/f1")


def table() -> Dataset:
    """The run of the vendor's pages."""
    return pair([0.75, 0.85, 0.92, 0.97], [0.72, 0.80, 0.78, 0.74])


def pair(train: Sequence[float], validation: Sequence[float]) -> Dataset:
    """Two logged scores at every 500th step."""
    logged = zip(F1, (train, validation), strict=True)
    return training(more={name: {500 * (i + 1): x for i, x in enumerate(values)} for name, values in logged})


def undefined(metric: Overfit, data: Dataset) -> Mapping[str, str]:
    return metric.statistics(data).undefined


def test_table_of_the_vendor_comes_out() -> None:
    metric, data = Overfit(on=F1), table()
    found = evaluate(metric, data)
    # judged at 2000: 0.97 − 0.74, 0.97 / 0.74, best 0.80 at 1000, so (0.80 − 0.74) / 0.80 and two evaluations ago
    assert_allclose([found[name] for name in SCORES], [0.23, 0.97 / 0.74, 0.06 / 0.8, 0.06, 2], atol=1e-12)
    measures = metric.measures(metric.statistics(data), data.ids)
    assert (measures["best_step"], measures["judged_step"]) == (1000, 2000)
    assert [row["band"] for row in measures["table"]] == ["healthy", "healthy", "overfitting", "severe"]
    assert metric.explain(measures) == (
        "step 500: train 0.75, validation 0.72, gap 0.03, healthy",
        "step 1000: train 0.85, validation 0.8, gap 0.05, healthy, best",
        "step 1500: train 0.92, validation 0.78, gap 0.14, overfitting",
        "step 2000: train 0.97, validation 0.74, gap 0.23, severe, judged",
    )
    assert metric.statistics(data).notes == (
        "compared: train 'train/f1' and validation 'val/f1', higher is better",
        "judged at step 2000, best at step 1000",
    )


def test_better_checkpoint_is_named() -> None:
    metric = Overfit(on=F1)
    statistics = metric.statistics(table())
    told = ["an earlier checkpoint is better: 0.8 at step 1000, 0.74 at step 2000"]
    assert [metric.caveats(statistics, name) for name in SCORES] == [[], [], told, told, told]
    early = Overfit(on=F1, checkpoint=500)
    assert early.caveats(early.statistics(table()), "regret") == [
        "a later checkpoint is better: 0.8 at step 1000, 0.72 at step 500"
    ]
    at_best = Overfit(on=F1, checkpoint=1000)
    assert at_best.caveats(at_best.statistics(table()), "regret") == []


def test_losses_are_compared_the_other_way_round() -> None:
    data = training({100: 2.0, 200: 1.0, 300: 0.5}, {100: 2.2, 200: 1.6, 300: 2.0})
    # 2.0 − 0.5, 2.0 / 0.5, (2.0 − 1.6) / 1.6, 2.0 − 1.6, one evaluation after 200
    found = evaluate(Overfit(), data)
    assert_allclose([found[name] for name in SCORES], [1.5, 4, 0.25, 0.4, 1], atol=1e-12)
    assert not any(score.bands for score in Overfit().configured)


def test_checkpoint_says_which_evaluation_is_judged() -> None:
    def gap(metric: Overfit, data: Dataset) -> float:
        return evaluate(metric, data)["gap"]

    data = table()
    run = data.training
    assert run is not None
    judged = of_training(replace(run, judged=1500))
    assert gap(Overfit(on=F1), judged) == pytest.approx(0.14)
    assert gap(Overfit(on=F1, checkpoint="last"), judged) == pytest.approx(0.23)
    assert gap(Overfit(on=F1, checkpoint=500), judged) == pytest.approx(0.03)
    assert gap(Overfit(on=F1, checkpoint="best"), judged) == pytest.approx(0.05)


def test_best_checkpoint_has_nothing_to_regret_so_that_proves_nothing() -> None:
    metric = Overfit(on=F1, checkpoint="best")
    why = "the best checkpoint is its own best; judge the last one, or a step"
    assert undefined(metric, table()) == dict.fromkeys(("rise", "regret", "since_best"), why)
    assert np.isnan(evaluate(metric, table())["regret"])


def test_step_without_an_evaluation_is_never_judged_by_its_neighbour() -> None:
    metric = Overfit(on=F1, checkpoint=1400)
    assert np.isnan([*evaluate(metric, table()).values()]).all()
    why = "validation has no point at step 1400, whose checkpoint is judged; the nearest: 1000, 1500, 2000"
    assert undefined(metric, table()) == dict.fromkeys(SCORES, why)


def test_later_best_is_regretted_too() -> None:
    found = evaluate(Overfit(on=F1, checkpoint=500), table())
    assert [found["regret"], found["since_best"]] == pytest.approx([0.08, 0])


def test_first_of_equals_is_the_best() -> None:
    assert evaluate(Overfit(on=F1), pair([0.9] * 4, [0.7, 0.8, 0.8, 0.8]))["since_best"] == 2


def test_curves_are_aligned_by_step_and_not_by_row() -> None:
    # train at every step, validation never at one of them: at 25 the last five of 21 … 24.9 are 20.5 … 24.5
    train = {step: 100.0 - step for step in range(1, 51)}
    data = training({2 * step: value for step, value in train.items()}, {51: 70.0, 101: 60.0})
    # at 101: train points 92 94 96 98 100, of values 54 53 52 51 50 → 52
    assert evaluate(Overfit(), data)["gap"] == pytest.approx(60 - 52)
    measures = Overfit().measures(Overfit().statistics(data), data.ids)
    # at 51: points 42 44 46 48 50, of values 79 78 77 76 75 → 77
    assert [row["train"] for row in measures["table"]] == [77, 52]


def test_noise_of_single_steps_makes_no_gap() -> None:
    train = dict.fromkeys(range(1, 101), 1.0)
    data = training(train | {100: 0.1, 50: 9.0}, {50: 1.1, 100: 1.2})
    assert evaluate(Overfit(), data)["gap"] == pytest.approx(0.2)


def test_train_is_not_smoothed_over_evaluations() -> None:
    # 40 of each, at the same steps: an older train loss would hide the gap
    train = {step: 41.0 - step for step in range(1, 41)}
    assert evaluate(Overfit(), training(train, dict.fromkeys(train, 40.0)))["gap"] == 39


@pytest.mark.parametrize(
    ("train", "validation", "scores", "why"),
    [
        (
            {100: 1.0, 200: 0.5, 1000: 0.1},
            {50: 2.0, 1000: 1.0},
            (),
            "",
        ),
        (
            {300: 1.0, 400: 0.5},
            {150: 2.0, 250: 1.5},
            SCORES,
            "train has steps 300 to 400 and validation steps 150 to 250: they lie apart, so the two count their steps "
            "differently",
        ),
        (
            {1: 1.0, 2: 0.5},
            {1000: 2.0, 2000: 1.5},
            SCORES,
            "train has steps 1 to 2 and validation steps 1000 to 2000: they lie apart, so the two count their steps "
            "differently",
        ),
        (
            {10: 2.0, 20: 1.0},
            {10: 2.0, 100: 1.5},
            ("gap", "ratio"),
            "the last train point before step 100 is at step 20, too long ago to compare",
        ),
        (
            {10: 2.0, 20: NAN},
            {10: 2.5, 20: 1.5},
            ("gap", "ratio"),
            "train is not finite at step 20, the last one before the evaluation at step 20",
        ),
        ({10: 2.0, 20: 1.0}, {10: 2.5, 20: NAN}, SCORES, "validation is not finite at step 20, which is judged"),
        ({10: 2.0, 20: 1.0}, {10: INF, 20: 1.5}, SCORES[2:], "there is one evaluation, which is its own best"),
        ({10: 2.0, 20: 1.0}, {20: 1.5}, SCORES[2:], "there is one evaluation, which is its own best"),
        (
            {10: 2.0, 20: 0.0},
            {10: 2.5, 20: 1.5},
            ("ratio",),
            "train is 0 and validation 1.5, and a ratio to 0 or below says nothing",
        ),
        (
            {10: 2.0, 20: 1.0},
            {10: 0.0, 20: 1.5},
            ("rise",),
            "validation is 0 or below at its best, and a share of that says nothing",
        ),
        (
            {10: 2.0, 30: 1.0},
            {10: 2.5, 20: 1.5},
            SCORES,
            "the last evaluation is at step 20 and training goes on to step 30, so the end of the run was not "
            "validated, or the two count their steps differently; declare checkpoint: with the step of an evaluation "
            "to judge that one",
        ),
        (
            None,
            {10: 2.5, 20: 1.5},
            ("gap", "ratio"),
            "the log has no train loss; it has 'eval_loss'; if one of them is it, declare series: {train: NAME}",
        ),
        (
            {10: 2.5, 20: 1.5},
            None,
            SCORES,
            "the log has no validation loss; it has 'loss'; if one of them is it, declare series: {validation: NAME}",
        ),
        (
            {10: 2.5, 20: 1.5},
            {10: 2.5, 20: 1.5},
            SCORES,
            "'eval_loss' is 'loss' point for point, and no validation; declare the one that was",
        ),
    ],
)
def test_what_cannot_be_known_says_why(
    train: dict[int, float] | None, validation: dict[int, float] | None, scores: Sequence[str], why: str
) -> None:
    data = training(train, validation)
    assert undefined(Overfit(), data) == dict.fromkeys(scores, why)
    found = evaluate(Overfit(), data)
    assert {name for name in SCORES if np.isnan(found[name])} == set(scores)


def test_train_that_is_cut_off_is_compared_at_a_step_that_is_asked_for_alone() -> None:
    # a pause of 10, and the log goes on for 60; the next evaluation is not due before 300
    train, rate = dict.fromkeys(range(10, 200, 10), 1.0), dict.fromkeys(range(10, 260, 10), 0.1)
    data = training(train, {100: 1.5, 200: 1.4}, more={"lr": rate})
    why = "the train loss ends at step 190, and the log goes on to step 250"
    assert undefined(Overfit(), data) == {"gap": why, "ratio": why}
    assert np.isnan(evaluate(Overfit(), data)["gap"])
    assert evaluate(Overfit(checkpoint=100), data)["gap"] == pytest.approx(0.5)
    pair = Overfit(on=("loss", "eval_loss"))
    assert undefined(pair, data)["gap"] == "'loss' ends at step 190, and the log goes on to step 250"


def test_end_of_a_log_is_validated_though_train_is_cut_off() -> None:
    data = training({10: 2.0, 20: 1.0}, {10: 2.5, 20: 1.5}, more={"lr": dict.fromkeys(range(10, 50, 10), 0.1)})
    why = (
        "the last evaluation is at step 20 and the log goes on to step 40, so the end of the run was not validated, or "
        "the two count their steps differently; declare checkpoint: with the step of an evaluation to judge that one"
    )
    assert undefined(Overfit(), data) == dict.fromkeys(SCORES, why)
    assert not undefined(Overfit(checkpoint=20), data)


def test_train_that_begins_after_the_judged_evaluation_has_no_gap() -> None:
    data = training({30: 2.0, 40: 1.0}, {10: 3.0, 20: 2.5, 40: 2.0})
    metric = Overfit(checkpoint=20)
    why = "train has no point at or before step 20; its first is at step 30"
    assert undefined(metric, data) == {"gap": why, "ratio": why}
    assert evaluate(metric, data)["regret"] == 0.5


def test_end_that_is_not_due_yet_is_told() -> None:
    statistics = Overfit().statistics(training({10: 2.0, 29: 1.0}, {10: 2.5, 20: 1.5}))
    assert statistics.notes[-1] == "training goes on to step 29; the last evaluation is at step 20"
    assert not statistics.undefined


def test_evaluations_that_are_not_finite_are_no_best_ones() -> None:
    statistics = Overfit().statistics(training({10: 2.0, 40: 1.0}, {10: 2.0, 20: -INF, 30: NAN, 40: 2.5}))
    assert Overfit().evaluate(statistics, np.ones((1, statistics.n)))[0, 3:].tolist() == [0.5, 3]
    assert statistics.notes[-1] == "evaluations that are not finite, and so no best ones: 2 of 4"


def test_series_that_are_not_there_are_named() -> None:
    with pytest.raises(DataError) as caught:
        Overfit(on=("train/f1", "val/f2")).statistics(table())
    assert str(caught.value) == "run.jsonl: the log has no series 'val/f2'; did you mean 'val/f1'?"
    same = Overfit(on=("val/f1", "val/f1"))
    why = "train and validation are the same series 'val/f1'; declare the one that was validated"
    assert undefined(same, table()) == dict.fromkeys(SCORES, why)


def test_data_without_a_run_or_with_a_computed_score_is_unmeasurable() -> None:
    with pytest.raises(UnmeasurableError, match=r"^the gate names no training log; declare data: \{training: …\}$"):
        Overfit().statistics(replies(["{}"]))
    with pytest.raises(UnmeasurableError) as caught:
        Overfit(on="bbox.f1").statistics(table())
    assert str(caught.value) == (
        "on: 'bbox.f1' is computed, and the log holds loss and pairs of series; name a pair as on: [train/f1, val/f1]"
    )


@pytest.mark.parametrize(
    ("names", "way"),
    [
        (F1, "higher"),
        (("train/Accuracy", "val_accuracy"), "higher"),
        (("metrics/mAP50-95(B)", "val/mAP50-95(B)"), "higher"),
        (("train/rouge1", "eval/rougeL"), "higher"),
        (("train_perplexity", "eval_perplexity"), "lower"),
        (("train/box_loss", "val/box_loss"), "lower"),
        (("wer", "eval_wer"), "lower"),
        (("train/f1_loss", "val/f1_loss"), None),
        (("train/loss", "val/f1"), None),
        (("train/quality", "val/quality"), None),
        (("train/mapping", "val/accurate"), None),
        (("train/accuracy_gap", "val/accuracy_gap"), None),
        (("train/false_recall", "val/false_recall"), None),
        (("train/loss_drop", "val/loss_drop"), "lower"),
    ],
)
def test_direction_is_read_off_names_or_asked_for(names: tuple[str, str], way: str | None) -> None:
    assert direction(names) == way


def test_direction_that_names_do_not_tell_is_asked_for() -> None:
    names = ("train/quality", "val/quality")
    data = training(more={names[0]: {10: 0.5, 20: 0.9}, names[1]: {10: 0.5, 20: 0.7}})
    with pytest.raises(UnmeasurableError) as caught:
        Overfit(on=names).statistics(data)
    assert str(caught.value) == (
        "whether 'train/quality' and 'val/quality' are better higher or lower is not known by their names; declare "
        "better: higher or lower under metrics: overfit"
    )
    ways: tuple[Literal["higher", "lower"], ...] = ("higher", "lower")
    assert [evaluate(Overfit(on=names, better=way), data)["gap"] for way in ways] == pytest.approx([0.2, -0.2])
    assert [bool(Overfit(on=names, better=way).configured[0].bands) for way in ways] == [True, False]


def test_bands_are_for_scores_up_to_1_and_say_so() -> None:
    metric = Overfit(on=F1)
    percent = metric.statistics(pair([75, 97], [72, 74]))
    assert metric.caveats(percent, "gap") == ["the scores go up to 97, and the bands are for scores in [0, 1]"]
    assert metric.caveats(metric.statistics(table()), "gap") == []


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"checkpoint": -1}, "checkpoint: expected a step from 0, found -1"),
        ({"better": "higher"}, "better: a loss is better lower; name the two series under on"),
        ({"better": "up"}, "better: expected higher or lower, found 'up'"),
        (
            {"on": F1, "better": "lower"},
            "better: 'train/f1' and 'val/f1' are better higher, by their names; remove it",
        ),
        (
            {"on": ("train/loss", "val/f1")},
            "on: 'train/loss' is better lower and 'val/f1' higher, so the two do not compare; name one score of train "
            "and of validation",
        ),
    ],
)
def test_parameters_are_checked(parameters: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Overfit(**parameters)
    assert str(caught.value) == message


def test_long_run_lists_some_evaluations_with_the_best_and_the_judged_one() -> None:
    steps = range(1, 1001)
    data = training(dict.fromkeys(steps, 1.0), {step: abs(step - 777) + 1.0 for step in steps})
    measures = Overfit().measures(Overfit().statistics(data), data.ids)
    listed = [row["step"] for row in measures["table"]]
    assert len(listed) == 13
    assert {1, 777, 1000} <= set(listed)
    assert Overfit().explain(measures)[-1] == "and 987 evaluations between them"


def test_formulas_take_leading_axes() -> None:
    rng = np.random.default_rng(2)
    train, validation = rng.random((2, 3, 4, 7))
    validation[0, 0, 2] = NAN
    for lower in (True, False):
        together = generalisation(train, validation, 5, lower=lower)
        assert together.values.shape == (3, 4, 5)
        for i in np.ndindex(3, 4):
            alone = generalisation(train[i], validation[i], 5, lower=lower)
            assert_array_equal(together.values[i], alone.values)
            assert best(validation, lower=lower)[i] == best(validation[i], lower=lower)


def test_formulas_leave_undefined_what_is_not_known() -> None:
    nothing = generalisation(np.full(3, NAN), np.full(3, NAN), 1, lower=True)
    assert np.isnan(nothing.values).all()
    without_train = generalisation(np.full(2, NAN), np.array([0.5, 0.4]), 1, lower=False)
    assert_allclose(without_train.values, [NAN, NAN, 0.2, 0.1, 1])
    alone = generalisation(np.array([0.9]), np.array([0.6]), 0, lower=False)
    assert_allclose(alone.values, [0.3, 1.5, NAN, NAN, NAN])


VALUES = st.one_of(st.floats(0.01, 10), st.sampled_from([NAN, INF, 0.0, -1.0]))
CURVES = st.dictionaries(st.integers(0, 40), VALUES, max_size=30)
OTHERS = st.dictionaries(st.integers(0, 40), st.one_of(st.floats(11, 20), st.just(NAN)), min_size=1, max_size=30)
METRICS = st.sampled_from([Overfit(), Overfit(checkpoint="best"), Overfit(checkpoint="last"), Overfit(checkpoint=20)])


def ordered(points: Mapping[int, float]) -> dict[int, float]:
    return dict(sorted(points.items()))


@settings(deadline=None, max_examples=200)
@given(metric=METRICS, train=CURVES, validation=OTHERS, seed=st.integers(0, 99))
def test_steps_of_weight_0_are_not_there(
    metric: Overfit, train: dict[int, float], validation: dict[int, float], seed: int
) -> None:
    data = training(ordered(train), ordered(validation))
    run = data.training
    assert run is not None
    kept = np.random.default_rng(seed).random(len(data)) < 0.7
    left = set(run.steps[kept].tolist())
    rest = [{step: value for step, value in ordered(points).items() if step in left} for points in (train, validation)]
    statistics = metric.statistics(data)
    found = metric.evaluate(statistics, np.stack([kept * 1.0, kept * 3.0, np.ones(len(kept))]))
    assert_array_equal(found[0], found[1])
    assert_array_equal(found[2], [*evaluate(metric, data).values()])
    assert_array_equal(metric.evaluate(statistics.select(kept), np.ones((1, len(left))))[0], found[0])
    if any(rest):
        assert_array_equal(found[0], [*evaluate(metric, training(*rest)).values()])
    else:
        assert np.isnan(found[0]).all()


@settings(deadline=None, max_examples=200)
@given(metric=METRICS, train=CURVES, validation=CURVES)
def test_every_undefined_score_says_why_and_no_other(
    metric: Overfit, train: dict[int, float], validation: dict[int, float]
) -> None:
    data = training(ordered(train), ordered(validation))
    if not len(data):
        return
    found, why = evaluate(metric, data), undefined(metric, data)
    assert {name for name, value in found.items() if np.isnan(value)} == set(why)
    assert all(why.values())
    for score in metric.scores:
        assert np.isnan(found[score.name]) or score.low <= found[score.name] <= score.high
        metric.caveats(metric.statistics(data), score.name)
    metric.explain(metric.measures(metric.statistics(data), data.ids))


def test_numbers_as_large_as_they_go_do_not_break() -> None:
    most = float(np.finfo(float).max)
    found = evaluate(Overfit(), training({1: 1.0, 2: -most}, {1: 1e-300, 2: most}))
    assert np.isnan([found["gap"], found["rise"]]).all()


def test_trials_are_the_evaluations_and_the_train_points_where_they_count() -> None:
    data = training({10: 3.0, 20: 2.0, 30: 1.0}, {15: 3.0, 30: 2.0}, more={"lr": {5: 0.1}})
    trials = Overfit().trials(Overfit().statistics(data))
    assert trials.sum(axis=0).tolist() == [4, 4, 2, 2, 2]
    assert np.isnan(Overfit().leave_one_out(Overfit().statistics(data))).all()


def read(folder: str, name: str) -> Dataset:
    path = real_data(folder) / name
    return of_training(read_training(TrainingLog(Source("training", name, (path,), (path.parent,)))))


@pytest.mark.real_data
def test_published_run_that_overfits_does() -> None:
    data = read("hf-trainer-state", "overfit.trainer_state.json")
    found = evaluate(Overfit(), data)
    # published: 1.2538 at step 30 of every 15th, 3.7559 at step 300
    assert found["rise"] == pytest.approx(3.755920648574829 / 1.2537771463394165 - 1)
    assert found["since_best"] == 300 / 15 - 30 / 15
    # train at 300: median of 0.03286 at 290, 0.03275 at 295 and 0.02712 at 300
    assert found["gap"] == pytest.approx(3.755920648574829 - 0.0327520102262497)
    assert "judged at step 300, best at step 30" in Overfit().statistics(data).notes


@pytest.mark.real_data
def test_published_run_without_validation_is_undefined() -> None:
    data = read("hf-trainer-state", "healthy.trainer_state.json")
    assert np.isnan([*evaluate(Overfit(), data).values()]).all()
    assert undefined(Overfit(), data)["rise"].startswith("the log has no validation loss; it has ")


@pytest.mark.real_data
def test_published_run_rises_a_little() -> None:
    found = evaluate(Overfit(), read("llamafactory-trainer-log", "trainer_log.jsonl"))
    # published: best 1.55178 at step 4500, 1.57756 at step 6500, every 500 steps
    assert found["rise"] == pytest.approx(1.577560544013977 / 1.5517804622650146 - 1)
    assert found["since_best"] == 4
