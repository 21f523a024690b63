"""What every discovered metric has to keep, whatever it measures."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pytest_vigate.data.coordinates import Float
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.metrics import builtin
from pytest_vigate.metrics.base import Metric, Statistics
from pytest_vigate.metrics.documentation import bands, page, parameters
from worlds import MINILM, dataset, jitter, random_boxes, random_documents, random_texts, reorder, training

METRICS = builtin()
T = TypeVar("T")
SECTIONS = ("Definition", "Statistics", "Degenerate", "Differs from", "Sources", "Gate")

#: What the defaults of a family ask for.
MARKS = {"bertscore": [pytest.mark.bertscore], "meteor": [pytest.mark.wordnet]}
#: Parameters of families whose defaults ask for more than the tests have.
PARAMETERS: Mapping[str, Mapping[str, Any]] = {"bertscore": MINILM, "schema": {"required": ("count", "kind")}}


def over(*evidence: str) -> pytest.MarkDecorator:
    """One test a family that looks at one of these."""
    kinds = [cls for cls in METRICS if cls.evidence in evidence]
    return pytest.mark.parametrize(
        "cls", [pytest.param(cls, marks=MARKS.get(cls.name, []), id=cls.name) for cls in kinds]
    )


every_metric = over("samples", "run", "reported")
every_metric_of_samples = over("samples")
every_metric_of_steps = over("run")


def made(cls: type[Metric]) -> Metric:
    return cls(**PARAMETERS.get(cls.name, {}))


def rounding(cls: type[Metric]) -> float:
    """What the order of sums may change: a model's are in single precision."""
    return 1e-6 if cls.name == "bertscore" else 1e-12


def make_data(seed: int, n: int) -> Dataset:
    """Fair predictions of random boxes and texts, some samples unanswered, some references crowds."""
    rng = np.random.default_rng(seed)
    truth = random_boxes(rng, n, crowd=0.1)
    present = [bool(x) for x in rng.random(n) < 0.9]
    texts = random_texts(rng, n)
    return dataset(jitter(rng, truth), truth, present=present, texts=texts, documents=random_documents(rng, n))


def rearranged(data: Dataset, order: list[int]) -> Dataset:
    replies = data.predictions.replies or ()
    return dataset(
        reorder(data.predictions.boxes, order),
        reorder(data.references.boxes, order),
        present=[bool(data.predictions.present[i]) for i in order],
        texts=(taken(data.predictions.texts, order), taken(data.references.texts, order)),
        documents=(taken(replies, order), taken(tuple(data.references.documents), order)),
    )


def taken(column: tuple[T, ...], order: list[int]) -> tuple[T, ...]:
    return tuple(column[i] for i in order)


def remarks_of(statistics: Statistics) -> list[tuple[int, str]]:
    """What reports would show, by sample."""
    if statistics.remarks is None:
        return []
    return sorted(zip(statistics.sample.tolist(), statistics.remarks.tolist(), strict=True))


def scores(metric: Metric, data: Dataset, weights: Float | None = None) -> Float:
    ones = np.ones((1, len(data))) if weights is None else weights
    return metric.evaluate(metric.statistics(data), ones)


def test_there_are_metrics_to_test() -> None:
    assert {"bbox", "confusion", "coverage"} <= {cls.name for cls in METRICS}


@every_metric_of_samples
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), n=st.integers(1, 12))
def test_order_of_samples_does_not_matter(cls: type[Metric], seed: int, n: int) -> None:
    data = make_data(seed, n)
    order = np.random.default_rng(seed + 1).permutation(n).tolist()
    assert_allclose(scores(made(cls), rearranged(data, order)), scores(made(cls), data), atol=rounding(cls))


@every_metric_of_samples
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), n=st.integers(1, 12))
def test_integer_weights_equal_repetition(cls: type[Metric], seed: int, n: int) -> None:
    data = make_data(seed, n)
    times = np.random.default_rng(seed + 1).integers(0, 4, n)
    repeated = rearranged(data, np.repeat(np.arange(n), times).tolist())
    assert_allclose(
        scores(made(cls), data, times[None, :].astype(float)), scores(made(cls), repeated), atol=rounding(cls)
    )


@every_metric_of_samples
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), n=st.integers(2, 12))
def test_shards_concatenate_to_the_whole(cls: type[Metric], seed: int, n: int) -> None:
    data, metric = make_data(seed, n), made(cls)
    cut = max(1, n // 3)
    shards = [metric.statistics(rearranged(data, part)) for part in ([*range(cut)], [*range(cut, n)])]
    joined = Statistics.concatenate(shards)
    assert_allclose(metric.evaluate(joined, np.ones((1, n))), scores(metric, data), atol=rounding(cls))
    assert remarks_of(joined) == remarks_of(metric.statistics(data))
    assert {name: key.names for name, key in joined.keys.items()} == {
        name: key.names for name, key in metric.statistics(data).keys.items()
    }


@every_metric_of_samples
def test_zero_weights_are_a_slice(cls: type[Metric]) -> None:
    data, metric = make_data(3, 20), made(cls)
    mask = np.arange(20) % 3 == 0
    statistics = metric.statistics(data)
    kept = np.flatnonzero(mask).tolist()
    expected = scores(metric, rearranged(data, kept))
    assert_allclose(metric.evaluate(statistics, mask[None, :].astype(float)), expected, atol=rounding(cls))
    assert_allclose(metric.evaluate(statistics.select(mask), np.ones((1, len(kept)))), expected, atol=rounding(cls))
    assert remarks_of(statistics.select(mask)) == remarks_of(metric.statistics(rearranged(data, kept)))


@every_metric_of_samples
def test_leaving_one_out_equals_weight_zero(cls: type[Metric]) -> None:
    data, metric = make_data(4, 15), made(cls)
    statistics = metric.statistics(data)
    assert_allclose(metric.leave_one_out(statistics), Metric.leave_one_out(metric, statistics), atol=rounding(cls))


@every_metric_of_samples
def test_draws_are_evaluated_together_as_alone(cls: type[Metric]) -> None:
    data, metric = make_data(6, 9), made(cls)
    statistics = metric.statistics(data)
    weights = np.random.default_rng(0).integers(0, 3, (5, 9)).astype(float)
    together = metric.evaluate(statistics, weights)
    alone = np.concatenate([metric.evaluate(statistics, row[None, :]) for row in weights])
    assert_allclose(together, alone, atol=rounding(cls))


@every_metric_of_samples
def test_empty_data_is_undefined(cls: type[Metric]) -> None:
    assert np.isnan(scores(made(cls), make_data(0, 1), np.zeros((1, 1)))).all()


@every_metric_of_samples
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_scores_stay_in_their_range(cls: type[Metric], seed: int) -> None:
    found = scores(made(cls), make_data(seed, 8))[0]
    for score, value in zip(cls.scores, found, strict=True):
        assert np.isnan(value) or score.low <= value <= score.high


@every_metric_of_samples
def test_perfect_predictions_reach_the_better_end(cls: type[Metric]) -> None:
    rng = np.random.default_rng(8)
    truth = random_boxes(rng, 30, most=1)  # average recall may see one box a picture
    _, accepted = random_texts(rng, 30)
    accepted = tuple((texts[0],) * len(texts) for texts in accepted)  # a consensus needs references that agree
    metric = made(cls)
    due: list[object] = [{"count": i, "kind": "bolt", "parts": [{"name": "nut", "size": i}]} for i in range(30)]
    documents = [json.dumps(document) for document in due], due
    data = dataset(truth, truth, texts=(tuple((texts[0],) for texts in accepted), accepted), documents=documents)
    bears = np.atleast_1d(metric.trials(metric.statistics(data)).any(axis=0))
    assert bears.any()
    for score, value, measured in zip(cls.scores, scores(metric, data)[0], bears, strict=True):
        if not measured:
            assert np.isnan(value)
        elif score.direction is not None:
            best = score.high if score.direction == "higher" else score.low
            # What METEOR takes off for fragments is little for a whole sentence, and never nothing.
            assert value == (pytest.approx(best, abs=0.01) if cls.name == "meteor" else best)


@every_metric_of_samples
def test_statistics_leave_the_data_as_it_was(cls: type[Metric]) -> None:
    data = make_data(9, 6)
    before = {side: data_columns(data, side) for side in ("predictions", "references")}
    made(cls).evaluate(made(cls).statistics(data), np.ones((1, 6)))
    for side, columns in before.items():
        for name, column in data_columns(data, side).items():
            assert np.array_equal(column, columns[name], equal_nan=True)


def data_columns(data: Dataset, side: str) -> Mapping[str, Float]:
    found = getattr(data, side).boxes
    return {name: getattr(found, name).copy() for name in ("xyxy", "label", "score", "crowd", "area", "offsets")}


@every_metric_of_samples
def test_nan_in_statistics_is_refused(cls: type[Metric]) -> None:
    statistics = made(cls).statistics(make_data(1, 4))
    spoiled = statistics.values.copy()
    spoiled[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"^values must be finite$"):
        replace(statistics, values=spoiled)


@every_metric_of_samples
def test_trials_say_which_samples_bear_on_a_score(cls: type[Metric]) -> None:
    # Taking away a sample that does not bear on a score must leave it as it is, or better: it proved nothing.
    data, metric = make_data(11, 30), made(cls)
    statistics = metric.statistics(data)
    trials, without = metric.trials(statistics), metric.leave_one_out(statistics)
    whole = metric.evaluate(statistics, np.ones((1, 30)))[0]
    for i in range(len(metric.scores)):
        change = without[~trials[:, i], i] - whole[i]
        better = -1 if metric.scores[i].direction == "lower" else 1
        assert (np.isnan(change) | (better * change >= -1e-12)).all()


@every_metric_of_samples
def test_faults_name_columns_of_the_statistics(cls: type[Metric]) -> None:
    columns = made(cls).statistics(make_data(2, 3)).columns
    for score in cls.scores:
        assert set(made(cls).faults(score.name)) <= set(columns)


@every_metric
def test_docstring_has_its_sections_in_order(cls: type[Metric]) -> None:
    text = inspect.cleandoc(cls.__doc__ or "")
    found = re.findall(r"^([A-Z][\w ]+):$", text, flags=re.MULTILINE)
    assert [name for name in found if name in SECTIONS] == list(SECTIONS)


@every_metric
def test_page_names_every_score_and_documented_parameter(cls: type[Metric]) -> None:
    text = page(cls)
    for score in cls.scores:
        assert f"{cls.name}.{score.name} in " in text or f"{cls.name}.{score.name}, one of " in text
    for item in parameters(cls):
        assert item.doc, f"{cls.name}.{item.name} has no #: line"
        assert f"{item.name} (default " in text


@every_metric
def test_patterns_name_scores_that_can_be_high(cls: type[Metric]) -> None:
    banded = {
        f"{other.name}.{score.name}"
        for other in METRICS
        for score in other.scores
        if any(name == "good" for _, name in score.bands)
    }
    for pattern in cls.patterns:
        assert {name if "." in name else f"{cls.name}.{name}" for name in (*pattern.high, *pattern.low)} <= banded


@every_metric
def test_bands_read_as_a_list(cls: type[Metric]) -> None:
    for score in cls.scores:
        text = bands(score)
        assert not score.bands or re.fullmatch(r"\w+( from [0-9.]+| below)(, \w+( from [0-9.]+| below))*", text)


@every_metric
def test_bands_fall_from_the_top(cls: type[Metric]) -> None:
    for score in cls.scores:
        edges = [edge for edge, _ in score.bands]
        assert edges == sorted(edges, reverse=True)
        for edge, name in score.bands:
            assert score.band(edge) == name  # half-open: the edge belongs to the band above
            assert score.band(np.nextafter(edge, -np.inf)) != name


def make_run(seed: int, steps: list[int]) -> Dataset:
    """A run with noise, evaluated at every third step, of which only some steps are left."""
    rng = np.random.default_rng(seed)
    train = {step: float(2 * np.exp(-step / 400) + 0.5 + rng.normal(0, 0.05)) for step in range(10, 1001, 10)}
    validation = {step: float(value + rng.normal(0.1, 0.02)) for step, value in train.items() if step % 30 == 0}
    parts = [{step: value for step, value in part.items() if step in steps} for part in (train, validation)]
    return training(*parts, hyperparameters={"learning_rate": 1e-4, "train_batch_size": 8})


STEPS = list(range(10, 1001, 10))


@every_metric_of_steps
def test_steps_of_weight_zero_are_not_there(cls: type[Metric]) -> None:
    data, metric = make_run(3, STEPS), made(cls)
    kept = [step for step in STEPS if step <= 600]
    weights = np.array([[step in kept for step in STEPS]], dtype=float)
    statistics = metric.statistics(data)
    sliced = statistics.select(weights[0] > 0)
    assert_allclose(metric.evaluate(statistics, weights), metric.evaluate(sliced, np.ones((1, len(kept)))))


@every_metric_of_steps
def test_a_step_is_there_once_whatever_its_weight(cls: type[Metric]) -> None:
    data, metric = make_run(4, STEPS), made(cls)
    weights = np.random.default_rng(0).integers(1, 5, (3, len(STEPS))).astype(float)
    expected = np.repeat(scores(metric, data), 3, axis=0)
    assert np.isfinite(expected).any()
    assert_allclose(scores(metric, data, weights), expected)


@every_metric_of_steps
def test_scores_of_runs_stay_in_their_range(cls: type[Metric]) -> None:
    for seed in range(20):
        found = scores(made(cls), make_run(seed, STEPS))[0]
        for score, value in zip(cls.scores, found, strict=True):
            assert np.isnan(value) or score.low <= value <= score.high
            assert np.isnan(value) or not score.names or value in range(len(score.names))


@every_metric_of_steps
def test_every_undefined_score_says_why(cls: type[Metric]) -> None:
    metric = made(cls)
    for steps in ([10], [10, 20], [10, 20, 30], STEPS[:7], STEPS):
        data = make_run(6, steps)
        statistics = metric.statistics(data)
        found = metric.evaluate(statistics, np.ones((1, len(data))))[0]
        lacking = {score.name for score, value in zip(cls.scores, found, strict=True) if np.isnan(value)}
        assert lacking == set(statistics.undefined)
        assert all(statistics.undefined.values())


@every_metric_of_steps
def test_leaving_out_a_step_costs_nothing_or_is_unknown(cls: type[Metric]) -> None:
    data, metric = make_run(7, STEPS), made(cls)
    statistics = metric.statistics(data)
    without = metric.leave_one_out(statistics)
    assert without.shape == metric.trials(statistics).shape == (len(data), len(cls.scores))
    known = ~np.isnan(without)
    assert np.array_equal(without[known], np.broadcast_to(scores(metric, data), without.shape)[known])
