"""`loss`: what is read off the losses of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

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
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics._run_patterns import NAMES
from pytest_vigate.metrics.loss import Loss
from worlds import evaluate, real_data, replies, training

NAN, INF = float("nan"), float("inf")
LACKS = "it has 'loss'; if one of them is it, declare series: {validation: NAME}"


def curve(values: Sequence[float], every: int = 10) -> dict[int, float]:
    """Values at every tenth step."""
    return {every * (i + 1): value for i, value in enumerate(values)}


def undefined(data: Dataset, metric: Loss | None = None) -> Mapping[str, str]:
    return (metric or Loss()).statistics(data).undefined


def test_train_loss_is_smoothed_and_validation_is_not() -> None:
    # 100 points, so windows of 5: the first are 9 3 5 4 6 → median 5, the last 1 2 9 1 2 → 2; lowest: 2 2 2 1 2 → 2
    train = [9, 3, 5, 4, 6, 4, 4, *[3] * 84, 2, 2, 2, 2, 1, 2, 9, 1, 2]
    found = evaluate(Loss(), training(curve(train), {500: 4.0, 750: 3.0, 1000: 3.5}))
    assert {name: found[name] for name in ("start", "final", "best")} == {"start": 5, "final": 2, "best": 2}
    assert found["drop"] == pytest.approx(1 - 2 / 5)
    assert {name: found[name] for name in ("val_final", "val_best")} == {"val_final": 3.5, "val_best": 3}
    assert found["val_drop"] == pytest.approx(1 - 3.5 / 4)


def test_smoothing_is_what_the_gate_declares() -> None:
    later = [4, 2, 2, *[1] * 35, 3]
    data = training(curve([8, *later]))  # 40 points: windows of 2 at most
    # α = 2 / (2 + 1): 8, 4 + (8 − 4) / 3 = 16/3, …
    mean, values = 8.0, [8.0]
    for value in later:
        mean = mean / 3 + value * 2 / 3
        values.append(mean)
    expected = {"median": (6, 2, 1), "none": (8, 3, 1), "ema": (8, values[-1], min(values))}
    for smooth, numbers in expected.items():
        found = evaluate(Loss(smooth=smooth), data)  # type: ignore[arg-type]  # the three literals
        assert_allclose([found[name] for name in ("start", "final", "best")], numbers, rtol=1e-12)
    assert_array_equal([*evaluate(Loss(window=1), data).values()], [*evaluate(Loss(smooth="none"), data).values()])


def test_window_is_a_twentieth_of_the_curve_at_most() -> None:
    for count, window in ((3, 1), (39, 1), (40, 2), (99, 4), (100, 5), (400, 5)):
        values = np.random.default_rng(count).random(count)
        found = evaluate(Loss(), training(curve(values.tolist())))
        assert (found["start"], found["final"]) == (np.median(values[:window]), np.median(values[-window:]))


def test_slope_is_the_relative_change_over_the_last_fifth() -> None:
    # from 100 − 0 to 100 − 99 by 1 a step: smoothed 98 … 3 (95 steps), last fifth 22 … 3: −19 / 22
    falling = training(curve([100.0 - i for i in range(100)], every=1))
    assert evaluate(Loss(), falling)["slope"] == pytest.approx(-19 / 22)
    assert evaluate(Loss(), training(curve([2.0] * 30)))["slope"] == pytest.approx(0)


def test_slope_goes_by_steps_and_not_by_rows() -> None:
    # 2 at step 0 to 1 at step 100, with most points late: a line is a line wherever it was logged
    steps = [0, *range(60, 101)]
    data = training({step: 2 - step / 100 for step in steps})
    assert evaluate(Loss(smooth="none"), data)["slope"] == pytest.approx(-0.2 / 1.2)


def test_spikes_are_excursions_and_points_that_follow_each_other_are_one() -> None:
    smooth = [2.0] * 40
    spiky = [*smooth[:10], 2.5, *smooth[:10], 3.0, 4.0, 3.0, *smooth[:16]]
    # the deviation of a flat curve is 2 % of its median, 8 of them 16 %: above 2.32
    assert evaluate(Loss(), training(curve(spiky)))["spikes"] == 2
    assert evaluate(Loss(), training(curve([*smooth[:10], 2.31, *smooth[:29]])))["spikes"] == 0
    assert evaluate(Loss(), training(curve([*smooth[:10], 2.33, *smooth[:29]])))["spikes"] == 1
    assert evaluate(Loss(spike=20), training(curve(spiky)))["spikes"] == 1


def test_steep_start_is_no_spike_and_neither_is_noise() -> None:
    assert evaluate(Loss(), training(curve([11, 6, 3, 2, 1.5, 1.2, *[1.0] * 30])))["spikes"] == 0
    rng = np.random.default_rng(0)
    counts = [evaluate(Loss(), training(curve(rng.normal(1, 0.2, 500).tolist())))["spikes"] for _ in range(20)]
    assert sum(counts) <= 2  # of 10 000 points


def test_spikes_and_what_is_not_finite_name_their_steps() -> None:
    values = [2.0] * 30
    values[12], values[13], values[20] = 9.3, 9.0, NAN
    metric, data = Loss(), training(curve(values), {100: 2.0, 200: INF, 300: 2.0})
    statistics = metric.statistics(data)
    rows = {name: statistics.sample[statistics.column(name) > 0].tolist() for name in ("spike", "nonfinite")}
    assert [[data.ids[i] for i in found] for found in rows.values()] == [["130"], ["210", "200"]]
    assert metric.explain(metric.measures(statistics, data.ids))[-5:] == (
        "not finite: 2",
        "  '200': inf",
        "  '210': nan",
        "spikes: 1",
        "  '130': 9.3 beside 2",
    )
    assert metric.faults("spikes") == {"spike": "spike"}
    assert metric.faults("nonfinite") == {"nonfinite": "not finite"}
    assert evaluate(metric, data)["nonfinite"] == 2


def test_what_is_not_finite_is_left_out_of_windows() -> None:
    clean = [5.0, 4, 4, 3, 3, 2, 2, 2, 1, 1, 1, 1]
    spoiled = curve(clean)
    spoiled[35], spoiled[55] = NAN, -INF
    found, expected = evaluate(Loss(), training(ordered(spoiled))), evaluate(Loss(), training(curve(clean)))
    assert [found[name] for name in ("start", "final", "best", "drop")] == [
        expected[name] for name in ("start", "final", "best", "drop")
    ]
    assert found["nonfinite"] == 2


@pytest.mark.parametrize(
    ("values", "lost"), [([3, 2, 1, NAN], ("final", "drop", "slope")), ([INF, 3, 2, 1], ("start", "drop"))]
)
def test_end_that_is_not_finite_leaves_nothing_to_compare(values: list[float], lost: tuple[str, ...]) -> None:
    data = training(curve(values))
    step = 40 if np.isnan(values[-1]) else 10
    found, why = evaluate(Loss(), data), undefined(data)
    for name in ("start", "final", "best", "drop", "slope"):
        assert np.isnan(found[name]) == (name in lost)
        assert why.get(name) == (f"the train loss is not finite at step {step}" if name in lost else None)


def test_run_of_nothing_but_nan_is_undefined_and_unstable() -> None:
    data = training(curve([NAN] * 5), curve([NAN] * 5))
    found = evaluate(Loss(), data)
    assert {name: value for name, value in found.items() if not np.isnan(value)} == {
        "nonfinite": 10,
        "pattern": NAMES.index("unstable"),
    }
    why = undefined(data)
    assert why["best"] == "no point of the train loss is finite"
    assert why["val_best"] == "no evaluation of the validation loss is finite"


def test_validation_that_ends_in_nan_has_no_final() -> None:
    data = training(curve([3, 2, 1]), {10: 3.0, 20: 2.0, 30: NAN})
    found = evaluate(Loss(), data)
    assert found["val_best"] == 2
    assert np.isnan([found["val_final"], found["val_drop"]]).all()
    assert undefined(data)["val_final"] == "the validation loss is not finite at step 30"


def test_run_of_one_point_has_no_drop() -> None:
    data = training({7: 2.0}, {7: 3.0})
    found, why = evaluate(Loss(), data), undefined(data)
    assert {name: value for name, value in found.items() if not np.isnan(value)} == {
        "start": 2,
        "final": 2,
        "best": 2,
        "nonfinite": 0,
        "val_final": 3,
        "val_best": 3,
    }
    assert {name: why[name] for name in ("drop", "slope", "spikes", "val_drop", "pattern")} == {
        "drop": "the train loss has one point",
        "slope": "the train loss has one point",
        "spikes": "1 finite points of the train loss are too few to tell a spike",
        "val_drop": "the validation loss has one point",
        "pattern": "1 points of the train loss are too few to tell; 10 are needed",
    }


def test_loss_from_0_or_below_has_no_drop() -> None:
    data = training(curve([-1, -2, -3, -4]), curve([0, -1, -2, -3]))
    found, why = evaluate(Loss(), data), undefined(data)
    assert (found["start"], found["final"], found["val_final"]) == (-1, -4, -3)
    assert why["drop"] == "the loss starts at -1, and a share of 0 or less says nothing"
    assert why["val_drop"] == "the loss starts at 0, and a share of 0 or less says nothing"
    assert why["slope"] == "the line through the last fifth starts at or below 0"


def test_log_without_validation_says_what_it_has() -> None:
    why = undefined(training(curve([3.0, 2, 1])))
    assert why["val_final"] == why["val_best"] == why["val_drop"] == f"the log has no validation loss; {LACKS}"
    long = undefined(training(curve(np.linspace(3, 1, 20).tolist())))
    assert long["pattern"] == (
        f"without a validation loss a run cannot be called healthy: the log has no validation loss; {LACKS}"
    )


def test_log_without_train_loss_proves_nothing_of_it() -> None:
    data = training(None, curve([3.0, 2, 1]))
    found, why = evaluate(Loss(), data), undefined(data)
    assert {name for name, value in found.items() if not np.isnan(value)} == {"val_final", "val_best", "val_drop"}
    lacks = "the log has no train loss; it has 'eval_loss'; if one of them is it, declare series: {train: NAME}"
    assert {why[name] for name in ("start", "final", "best", "drop", "slope", "spikes", "nonfinite")} == {lacks}


def test_log_without_losses_is_unmeasurable() -> None:
    data = training(more={"lr": {1: 0.1}})
    with pytest.raises(UnmeasurableError) as caught:
        Loss().statistics(data)
    assert str(caught.value) == (
        "run.jsonl: the log has no train loss; it has 'lr'; if one of them is it, declare series: {train: NAME}"
    )
    with pytest.raises(UnmeasurableError, match=r"^the gate names no training log; declare data: \{training: …\}$"):
        Loss().statistics(replies(["{}"]))


def test_series_that_is_its_own_validation_is_none() -> None:
    values = curve([3.0, 2, 1])
    copy = training(values, values)
    assert undefined(copy)["val_best"] == (
        "'eval_loss' is 'loss' point for point, and no validation; declare the one that was"
    )
    assert np.isnan(evaluate(Loss(), copy)["val_final"])
    run = copy.training
    assert run is not None
    assert undefined(of_training(replace(run, validation=run.train)))["val_best"] == (
        "train and validation are the same series 'loss'; declare the one that was validated"
    )


def test_validation_that_stops_half_way_says_nothing_of_the_end() -> None:
    train = curve(np.linspace(3, 1, 20).tolist())
    cut = training(train, {50: 3.0, 100: 2.0})
    found = evaluate(Loss(), cut)
    assert np.isnan([found["val_final"], found["val_drop"], found["pattern"]]).all()
    assert found["val_best"] == 2
    assert undefined(cut)["val_final"] == (
        "the last evaluation is at step 100 and training goes on to step 200, so the end of the run was not "
        "validated, or the two count their steps differently"
    )
    # one evaluation every 50 steps: the next is not due at 149 yet
    assert evaluate(Loss(), training({10: 3.0, 149: 1.0}, {50: 3.0, 100: 2.0}))["val_final"] == 2


CUT = "the train loss ends at step 100, and the log goes on to step 200"
UNVALIDATED = (
    "the last evaluation is at step 100 and the log goes on to step 200, so the end of the run was not validated, or "
    "the two count their steps differently"
)


@pytest.mark.parametrize("name", ["lr", "grad_norm", "train/epoch"])
def test_train_loss_that_ends_before_its_log_says_nothing_of_the_end(name: str) -> None:
    train = curve(np.geomspace(4, 1, 10).tolist())
    validation = {25: 3.0, 50: 2.0, 75: 1.5, 100: 1.2}
    data = training(train, validation, more={name: curve([0.1] * 20)})
    found, why = evaluate(Loss(), data), undefined(data)
    of_train, of_validation = ("final", "drop", "slope", "nonfinite", "pattern"), ("val_final", "val_drop")
    assert why == dict.fromkeys(of_train, CUT) | dict.fromkeys(of_validation, UNVALIDATED)
    assert {score for score, value in found.items() if np.isnan(value)} == {*of_train, *of_validation}
    assert f"pattern cannot be told: {CUT}" in notes(data)


def test_validation_goes_on_without_train() -> None:
    data = training(curve(np.geomspace(4, 1, 10).tolist()), {50: 2.0, 100: 1.5, 150: 1.2, 200: 1.1})
    assert undefined(data)["final"] == CUT
    assert evaluate(Loss(), data)["val_final"] == 1.1


def test_end_of_a_log_is_no_end_of_train_before_two_pauses() -> None:
    train, rate = curve([3.0, 2, 1]), curve([0.1] * 3)
    assert not np.isnan(evaluate(Loss(), training(train, more={"lr": rate | {49: 0.1}}))["final"])
    assert np.isnan(evaluate(Loss(), training(train, more={"lr": rate | {50: 0.1}}))["final"])
    assert not np.isnan(evaluate(Loss(), training(train, {31: 1.0}))["final"])


def test_series_that_count_otherwise_do_not_end_the_train_loss() -> None:
    train = curve([3.0, 2, 1], every=1)
    others = {
        "system/cpu": dict.fromkeys(range(1, 100), 1.0),
        "train/batch_loss": dict.fromkeys(range(1, 100), 1.0),
        "validation/evaluation_loss_vs_iterations": dict.fromkeys(range(1, 100), 1.0),
        "by_hundreds": {100: 1.0, 200: 1.0},
        "test/acc": {90: 0.5},
    }
    assert evaluate(Loss(), training(train, more=others))["final"] == 1


def test_holes_of_the_train_loss_are_told() -> None:
    steps = [*range(50, 101), *range(105, 110), *range(120, 130), *range(150, 160)]
    rate = dict.fromkeys(range(160), 0.1)
    said = notes(training(dict.fromkeys(steps, 1.0), more={"lr": rate}))
    assert said[-2:] == (
        "the train loss begins at step 50, and the log at step 0",
        "the train loss has no points between steps 100 and 105, 109 and 120, 129 and 150, while the log goes on",
    )
    # 4 steps are no hole, and neither is one that the whole log has
    assert len(notes(training(dict.fromkeys([*range(50), 53, *range(54, 60)], 1.0), more={"lr": rate}))) == 1
    holed = dict.fromkeys(steps, 1.0)
    assert len(notes(training(holed, more={"lr": holed}))) == 1


def test_start_of_evaluations_is_no_pause_between_them() -> None:
    # eval_delay: every 10 from 100 on, so one is missing at 120
    train = curve(np.geomspace(4, 1, 20).tolist())
    assert np.isnan(evaluate(Loss(), training(train, {100: 2.0, 110: 1.9}))["val_final"])


def test_train_loss_that_falls_to_0_has_no_end() -> None:
    data = training(curve([12, 11, 10, 9, 9, 9, 9, 9, 9, 0, 0, 0]))
    why = "the train loss falls to exactly 0 at step 100 and stays, as no loss does"
    assert {name: said for name, said in undefined(data).items() if said == why} == dict.fromkeys(
        ("final", "best", "drop", "slope"), why
    )
    assert np.isnan([evaluate(Loss(), data)[name] for name in ("final", "best", "drop", "slope")]).all()
    assert evaluate(Loss(), data)["start"] == 12
    assert undefined(training(curve([0.0] * 12)))["start"] == why.replace("100", "10")


def test_last_point_far_above_the_best_is_told_beside_the_end() -> None:
    values = [*np.geomspace(4, 1, 98).tolist(), 1e6, 1e6]
    metric = Loss()
    statistics = metric.statistics(training(curve(values)))
    assert [metric.caveats(statistics, name) for name in ("final", "drop", "best")] == [
        ("the last point is 1e+06",),
        ("the last point is 1e+06",),
        (),
    ]
    back = metric.statistics(training(curve([*values[:-1], 1.0])))
    assert metric.caveats(back, "final") == ()


def test_line_that_starts_below_0_is_named_so() -> None:
    # straight up to 60: the line through the last points starts below 0 though no loss does
    data = training(curve([1.0] * 24 + [0.1, 0.1, 0.1, 0.1, 0.1, 60.0]))
    assert undefined(data)["slope"] == "the line through the last fifth starts at or below 0"


def notes(data: Dataset) -> Sequence[str]:
    return Loss().statistics(data).notes


def test_notes_carry_the_pattern_and_what_the_log_hides() -> None:
    # 12 points are not smoothed: it starts at 12
    train = curve([12, 11, 10, 9, 9, 9, 9, 9, 9, 0, 0, 0])
    data = training(
        train, more={"train/grad_norm": {10: 1.0, 30: NAN, 40: INF}}, filtered=True, notes=("read as told",)
    )
    assert notes(data) == (
        "read as told",
        "pattern unstable: the train loss falls to exactly 0 at step 100 and stays, as no loss does; halve the "
        "learning rate",
        "the train loss is exactly 0 from step 100 on for several points: what a diverged model logs where its tool "
        "hides NaN",
        "the train loss starts at 12, above 10: look at the annotation format",
        "'train/grad_norm' is not finite at step 30",
    )


def test_filter_of_the_trainer_is_told_where_it_matters() -> None:
    statistics = Loss().statistics(training(curve([3.0, 2, 1]), filtered=True))
    assert Loss().caveats(statistics, "nonfinite") == (
        "the Trainer replaces a loss that is not finite by the mean of those before it, unless the run sets "
        "logging_nan_inf_filter to false: a count of 0 is no proof",
    )
    assert Loss().caveats(statistics, "drop") == ()
    assert Loss().caveats(Loss().statistics(training(curve([3.0, 2, 1]))), "nonfinite") == ()


def test_losses_of_single_batches_are_told() -> None:
    rng = np.random.default_rng(1)
    statistics = Loss().statistics(training(curve(rng.lognormal(0, 1.5, 200).tolist())))
    (said,) = Loss().caveats(statistics, "spikes")
    assert said.endswith("of the loss, as of single batches: log means over more of them")


def test_diagnosis_tells_pattern_best_step_and_levels() -> None:
    train = curve(np.geomspace(4, 0.4, 40).tolist())
    # best at 100; then up by 50 %
    metric, data = Loss(), training(train, {50: 3.0, 100: 2.0, 200: 2.4, 300: 2.8, 400: 3.0})
    lines = metric.explain(metric.measures(metric.statistics(data), data.ids))
    final = np.median(np.geomspace(4, 0.4, 40)[-2:])
    assert lines[1:] == (
        "the validation loss is lowest at step 100: 2",
        f"ends at {final:.4g}: below 0.5 is excellent; losses of different architectures do not compare",
    )
    assert lines[0].startswith("pattern overfitting: the validation loss rose by 50.0% from its best at about step 100")
    assert lines[0].endswith("; train on more data, or for fewer epochs")


def test_numbers_as_large_as_they_go_do_not_break() -> None:
    most = float(np.finfo(float).max)
    found = evaluate(Loss(), training(curve([1e-300, *[most] * 20]), curve([1e-300, *[-most] * 20])))
    assert not np.isinf(list(found.values())).any()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"window": 0}, "window: expected int >= 1, found 0"),
        ({"window": 102}, "window: expected int <= 101, found 102"),
        ({"spike": 0}, "spike: expected float > 0.0, found 0"),
        ({"smooth": "mean"}, "smooth: expected median or ema or none, found 'mean'"),
    ],
)
def test_parameters_are_checked(parameters: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Loss(**parameters)
    assert str(caught.value) == message


VALUES = st.one_of(st.floats(0.01, 10), st.sampled_from([NAN, INF, 0.0, -1.0]))
LOSSES = st.dictionaries(st.integers(0, 60), VALUES, min_size=1, max_size=40)
#: No piece of which is a piece of the others.
OTHERS = st.dictionaries(st.integers(0, 60), st.one_of(st.floats(11, 20), st.just(NAN)), min_size=1, max_size=40)


def ordered(points: Mapping[int, float]) -> dict[int, float]:
    return dict(sorted(points.items()))


@settings(deadline=None, max_examples=150)
@given(train=LOSSES, validation=OTHERS, seed=st.integers(0, 99))
def test_steps_of_weight_0_are_not_there(train: dict[int, float], validation: dict[int, float], seed: int) -> None:
    metric, data = Loss(), training(ordered(train), ordered(validation))
    run = data.training
    assert run is not None
    kept = np.random.default_rng(seed).random(len(data)) < 0.7
    left = set(run.steps[kept].tolist())
    rest = [{step: value for step, value in ordered(points).items() if step in left} for points in (train, validation)]
    statistics = metric.statistics(data)
    found = metric.evaluate(statistics, np.stack([kept * 1.0, kept * 3.0, np.ones(len(kept))]))
    assert_array_equal(found[0], found[1])
    assert_array_equal(found[2], list(evaluate(metric, data).values()))
    assert_array_equal(metric.evaluate(statistics.select(kept), np.ones((1, len(left))))[0], found[0])
    if any(rest):
        assert_array_equal(found[0], list(evaluate(metric, training(*rest)).values()))
    else:
        assert np.isnan(found[0]).all()


@settings(deadline=None, max_examples=150)
@given(train=LOSSES, validation=LOSSES)
def test_every_undefined_score_says_why_and_no_other(train: dict[int, float], validation: dict[int, float]) -> None:
    metric, data = Loss(), training(ordered(train), ordered(validation))
    found, why = evaluate(metric, data), undefined(data)
    assert {name for name, value in found.items() if np.isnan(value)} == set(why)
    assert all(why.values())
    for score in metric.scores:
        assert np.isnan(found[score.name]) or score.low <= found[score.name] <= score.high
    metric.explain(metric.measures(metric.statistics(data), data.ids))


@settings(deadline=None, max_examples=50)
@given(train=st.lists(st.floats(0.01, 10), min_size=6, max_size=60), times=st.sampled_from([0.25, 4.0, 1024.0]))
def test_shares_do_not_depend_on_the_unit_of_the_loss(train: list[float], times: float) -> None:
    found = evaluate(Loss(), training(curve(train)))
    scaled = evaluate(Loss(), training(curve([times * value for value in train])))
    for name in ("drop", "slope", "spikes", "pattern"):
        assert_allclose(scaled[name], found[name], rtol=1e-9, atol=1e-12)


def test_trials_are_the_points_of_the_curve() -> None:
    metric, data = Loss(), training({10: 3.0, 20: 2.0, 30: 1.0}, {15: 3.0, 30: 2.0}, more={"lr": {5: 0.1}})
    counted = dict(
        zip([score.name for score in metric.scores], metric.trials(metric.statistics(data)).sum(axis=0), strict=True)
    )
    assert counted == dict.fromkeys(("start", "final", "best", "drop", "slope", "spikes"), 3) | dict.fromkeys(
        ("val_final", "val_best", "val_drop"), 2
    ) | {"nonfinite": 4, "pattern": 4}


def test_no_step_can_be_left_out() -> None:
    metric = Loss()
    statistics = metric.statistics(training(curve([3.0, 2, 1])))
    without = metric.leave_one_out(statistics)
    assert without.shape == (3, len(metric.scores))
    assert np.isnan(without).all()


def read(folder: str, name: str) -> Dataset:
    path = real_data(folder) / name
    return of_training(read_training(TrainingLog(Source("training", name, (path,), (path.parent,)))))


@pytest.mark.real_data
def test_published_runs_come_out_as_published() -> None:
    # healthy: published "loss 1.52 to 0.94 over 300 steps", the first point and the lowest of the log
    raw = evaluate(Loss(smooth="none"), read("hf-trainer-state", "healthy.trainer_state.json"))
    assert (round(raw["start"], 2), round(raw["best"], 2)) == (1.52, 0.94)
    healthy = evaluate(Loss(), read("hf-trainer-state", "healthy.trainer_state.json"))
    assert healthy["drop"] > 0.10
    assert np.isnan(healthy["pattern"])
    overfit = read("hf-trainer-state", "overfit.trainer_state.json")
    found = evaluate(Loss(), overfit)
    assert (round(found["val_best"], 4), round(found["val_final"], 4)) == (1.2538, 3.7559)
    assert NAMES[int(found["pattern"])] == "overfitting"
    assert "the validation loss rose by 199.6% from its best at about step 30" in " ".join(notes(overfit))


@pytest.mark.real_data
def test_mild_rise_of_validation_is_healthy_and_its_best_step_is_named() -> None:
    data = read("llamafactory-trainer-log", "trainer_log.jsonl")
    found = evaluate(Loss(), data)
    assert NAMES[int(found["pattern"])] == "healthy"
    assert found["val_best"] == 1.5517804622650146
    assert "the validation loss ends 1.7% above its best at step 4500" in " ".join(notes(data))


@pytest.mark.real_data
def test_losses_of_single_batches_are_not_called_unstable() -> None:
    data = read("lightning-metrics-csv", "metrics.csv")
    found = evaluate(Loss(), data)
    assert found["spikes"] == 9
    assert NAMES[int(found["pattern"])] != "unstable"
