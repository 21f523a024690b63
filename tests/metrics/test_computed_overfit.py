"""`overfit` on scores of other families: hand-worked tables, and any family's own numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pytest_vigate.data.dataset import Checkpoints, Dataset
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.evaluation.loading import beside
from pytest_vigate.metrics import builtin
from pytest_vigate.metrics.answer import Answer
from pytest_vigate.metrics.base import Metric, Statistics, default
from pytest_vigate.metrics.overfit import Overfit
from worlds import boxes, dataset, jitter, random_boxes, random_documents, random_texts, require_wordnet

STEPS = (500, 1000, 1500, 2000)
SCORES = ("gap", "ratio", "rise", "regret", "since_best")


def answered(right: int, of: int) -> Dataset:
    """So many right answers, of so many questions."""
    texts = (
        tuple((f"answer {i}" if i < right else "no idea",) for i in range(of)),
        tuple((f"answer {i}",) for i in range(of)),
    )
    nothing = boxes([[] for _ in range(of)])
    return dataset(nothing, nothing, texts=texts)


def together(
    validation: Sequence[Dataset],
    train: Sequence[Dataset | None] | None,
    *,
    steps: Sequence[int | None] | None = None,
    judged: int = -1,
) -> Dataset:
    """All checkpoints, as a gate that names them loads them."""
    at = judged % len(validation)
    checkpoints = Checkpoints(
        tuple(STEPS[: len(validation)] if steps is None else steps),
        lambda metric: tuple(metric.statistics(one) for one in validation),
        None
        if train is None
        else lambda metric: tuple(None if one is None else metric.statistics(one) for one in train),
        at,
    )
    return beside(validation[at], None if train is None else train[at] or next(filter(None, train)), checkpoints)


def table(judged: int = -1) -> Dataset:
    """The table of a page on overfitting: train .75 .85 .92 .97, validation .72 .80 .78 .74, of 100 questions each."""
    return together(
        [answered(right, 100) for right in (72, 80, 78, 74)],
        [answered(right, 100) for right in (75, 85, 92, 97)],
        judged=judged,
    )


def bound(on: str = "answer.exact", **parameters: Any) -> Metric:
    family = on.partition(".")[0]
    families = {cls.name: default(cls) for cls in builtin() if cls.name not in ("bertscore", "schema")}
    return Overfit(on=on, **parameters).bind(
        {"gap": False}, {name: families[name] for name in (family, "overfit", "loss")}
    )


def scores(metric: Metric, data: Dataset) -> dict[str, float]:
    found = metric.statistics(data)
    return dict(zip(SCORES, metric.evaluate(found, np.ones((1, len(data))))[0].tolist(), strict=True))


def test_the_table_of_the_vendor_comes_out() -> None:
    # gaps .03 .05 .14 .23; best at 1000, .80 - .74 = .06 and .06 / .80 = .075 behind it
    gaps = [scores(bound(), table(i))["gap"] for i in range(4)]
    assert gaps == pytest.approx([0.03, 0.05, 0.14, 0.23])
    (gap,) = (score for score in bound().configured if score.name == "gap")
    assert [gap.band(value) for value in gaps] == ["healthy", "healthy", "overfitting", "severe"]
    found = scores(bound(), table())
    assert found["regret"] == pytest.approx(0.06)
    assert found["rise"] == pytest.approx(0.075)
    assert found["ratio"] == pytest.approx(0.97 / 0.74)
    assert found["since_best"] == 2


@pytest.mark.parametrize(
    ("checkpoint", "gap", "regret"), [(1500, 0.14, 0.02), ("last", 0.23, 0.06), (None, 0.05, 0.0), (500, 0.03, 0.08)]
)
def test_which_checkpoint_is_judged(checkpoint: Any, gap: float, regret: float) -> None:
    # None leaves it to the gate, which judges 1000 here
    found = scores(bound(checkpoint=checkpoint), table(judged=1))
    assert (found["gap"], found["regret"]) == pytest.approx((gap, regret))


def test_the_best_checkpoint_has_a_gap_and_no_regret() -> None:
    metric = bound(checkpoint="best")
    found = scores(metric, table())
    assert found["gap"] == pytest.approx(0.05)
    assert np.isnan([found[name] for name in ("rise", "regret", "since_best")]).all()
    assert metric.statistics(table()).undefined["regret"] == (
        "the best checkpoint is its own best; judge the last one, or a step"
    )


def test_verdicts_name_the_better_checkpoint_and_the_samples() -> None:
    metric, found = bound(), bound().statistics(table())
    assert metric.caveats(found, "regret") == (
        "an earlier checkpoint is better: answer.exact is 0.8 at checkpoint 1000, and 0.74 at checkpoint 2000",
    )
    assert metric.caveats(found, "gap") == ()
    assert found.notes[0] == (
        "compared: answer.exact on 100 samples of the training and 100 to validate on, judged at checkpoint 2000"
    )


def test_the_diagnosis_is_the_table() -> None:
    metric, found = bound(), bound().statistics(table())
    assert metric.explain(metric.measures(found, ())) == (
        "step 500: train 0.75, validation 0.72, gap 0.03, healthy",
        "step 1000: train 0.85, validation 0.8, gap 0.05, healthy, best",
        "step 1500: train 0.92, validation 0.78, gap 0.14, overfitting",
        "step 2000: train 0.97, validation 0.74, gap 0.23, severe, judged",
    )


def test_without_samples_of_the_training_there_is_no_gap() -> None:
    data = together([answered(right, 10) for right in (8, 9, 7)], None)
    found = bound().statistics(data)
    assert found.undefined == dict.fromkeys(
        ("gap", "ratio"), "the gate names no samples of the training; add data.train with predictions and references"
    )
    assert scores(bound(), data)["regret"] == pytest.approx(0.2)


def test_one_checkpoint_has_a_gap_and_is_its_own_best() -> None:
    data = together([answered(7, 10)], [answered(9, 10)], steps=[None])
    found = bound().statistics(data)
    assert scores(bound(), data)["gap"] == pytest.approx(0.2)
    assert set(found.undefined) == {"rise", "regret", "since_best"}
    assert found.undefined["regret"] == (
        "there is one checkpoint, which is its own best; write {checkpoint} in the path of the predictions"
    )


def test_a_judged_checkpoint_without_predictions_for_the_training() -> None:
    data = together([answered(8, 10), answered(7, 10)], [answered(9, 10), None])
    assert bound().statistics(data).undefined == dict.fromkeys(
        ("gap", "ratio"),
        "checkpoint 1000 has no predictions for the samples of the training; write {checkpoint} in their path",
    )


def test_a_checkpoint_that_is_not_there() -> None:
    with pytest.raises(UnmeasurableError) as caught:
        bound(checkpoint=1600).statistics(table())
    assert str(caught.value) == (
        "there are no predictions of checkpoint 1600, which is judged; the nearest: 1000, 1500, 2000"
    )


@pytest.mark.parametrize(
    ("on", "parameters", "message"),
    [
        ("answer.exakt", {}, "on: unknown score 'answer.exakt'; did you mean 'answer.exact'?"),
        ("anser.exact", {}, "on: 'anser.exact' is no score; did you mean 'answer.exact'?"),
        ("answer.length_ratio", {}, "on: answer.length_ratio is better neither way, so there is nothing to overfit"),
        ("loss.final", {}, "on: loss.final is not computed on samples; write loss, or the names of two series"),
        ("answer.exact", {"better": "lower"}, "better: which way answer.exact is better is known; remove it"),
        ("confusion.rate", {}, "on: confusion.rate is better neither way, so there is nothing to overfit"),
    ],
)
def test_scores_that_cannot_overfit(on: str, parameters: dict[str, Any], message: str) -> None:
    families = {cls.name: default(cls) for cls in builtin() if cls.name in ("answer", "loss", "confusion", "overfit")}
    with pytest.raises(ValueError, match=r"^") as caught:
        Overfit(on=on, **parameters).bind({"gap": False}, families)
    assert str(caught.value) == message


def test_draws_keep_the_best_checkpoint_of_the_data() -> None:
    metric, found = bound(), bound().statistics(table())
    rng = np.random.default_rng(0)
    weights = np.concatenate([rng.multinomial(100, [0.01] * 100, size=50) for _ in range(2)], axis=1).astype(float)
    drawn = metric.draw(found, weights)
    right = [np.arange(100) < count for count in (80, 74, 97)]
    top, here = (weights[:, :100] @ one / 100 for one in right[:2])
    there = weights[:, 100:] @ right[2] / 100
    assert_allclose(drawn[:, 0], there - here, atol=1e-12)
    assert_allclose(drawn[:, 2], (top - here) / top, atol=1e-12)
    assert_allclose(drawn[:, 3], top - here, atol=1e-12)
    assert (drawn[:, 4] == 2).all()


def test_leaving_one_out_costs_what_weight_zero_costs() -> None:
    metric, found = bound(), bound().statistics(table())
    assert_allclose(metric.leave_one_out(found), Metric.leave_one_out(metric, found), atol=1e-12)


def test_both_sides_bear_on_the_gap_and_validation_alone_on_the_regret() -> None:
    trials = bound().trials(bound().statistics(table()))
    assert trials.sum(axis=0).tolist() == [200, 200, 100, 100, 100]


def test_a_slice_takes_samples_of_both_sides() -> None:
    metric, found = bound(), bound().statistics(table())
    kept = np.tile(np.arange(100) % 2 == 0, 2)
    expected = scores(metric, table())
    sliced = metric.evaluate(found.select(kept), np.ones((1, int(kept.sum()))))[0]
    weighed = metric.evaluate(found, kept[None, :].astype(float))[0]
    assert_allclose(sliced, weighed, atol=1e-12)
    # of the even questions the first 49 of 50 are right on train, and 37 of 50 on validation
    assert sliced[0] == pytest.approx(0.98 - 0.74)
    assert expected["gap"] != pytest.approx(sliced[0])


ANY = [
    (cls, score.name)
    for cls in builtin()
    if cls.evidence == "samples" and cls.name not in ("bertscore", "schema")
    for score in cls.scores
    if score.direction is not None and not (score.picks or score.asks)
]
#: Scores that the made-up samples have nothing for: no numbers, no ten answers, no large boxes.
UNDEFINED = {"answer.number", "answer.vqa", "coco.map_large", "coco.ar_large", "confusion.accuracy"}


@pytest.mark.parametrize(("cls", "score"), [pytest.param(*one, id=f"{one[0].name}.{one[1]}") for one in ANY])
def test_numbers_are_those_of_the_family_itself(cls: type[Metric], score: str) -> None:
    if cls.name == "meteor":
        require_wordnet()
    metric = default(cls)

    def made(seed: int, n: int) -> Dataset:
        rng = np.random.default_rng(seed)
        truth = random_boxes(rng, n, crowd=0.1)
        return dataset(jitter(rng, truth), truth, texts=random_texts(rng, n), documents=random_documents(rng, n))

    validation, train = [made(1, 9), made(1, 9)], [made(3, 7), made(4, 7)]
    validation[1] = replace(validation[1], predictions=made(2, 9).predictions)
    own = [metric.statistics(one) for one in (*validation, *train)]
    column = [item.name for item in metric.scores].index(score)
    values = [float(metric.evaluate(one, np.ones((1, one.n)))[0, column]) for one in own]
    computed = metric_of(cls, score)
    found = scores(computed, together(validation, train))
    sign = 1.0 if metric.scores[column].direction == "lower" else -1.0
    assert np.isfinite(values).all() or f"{cls.name}.{score}" in UNDEFINED
    assert_allclose(found["gap"], sign * (values[1] - values[3]), atol=1e-9)


def metric_of(cls: type[Metric], score: str) -> Metric:
    return Overfit(on=f"{cls.name}.{score}").bind({"gap": False}, {cls.name: default(cls)})


def test_rows_are_as_many_as_the_family_has() -> None:
    found: Statistics = bound().statistics(table())
    inner = default(Answer).statistics(answered(72, 100))
    assert len(found.sample) == 200 + 8 * len(inner.sample)


def test_a_dear_family_affords_a_third_of_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    found = bound().statistics(table())
    assert bound().affordable(found) is None
    monkeypatch.setattr(Answer, "affordable", lambda _, statistics: 3 * statistics.n)
    assert bound().affordable(found) == 100


def test_a_model_that_is_worse_on_what_it_was_trained_on_is_told() -> None:
    def caveats(train: int) -> tuple[str, ...]:
        found = bound().statistics(together([answered(80, 100)], [answered(train, 100)], steps=[None]))
        return tuple(bound().caveats(found, "gap"))

    assert caveats(70) == ()
    assert caveats(69) == (
        "answer.exact is worse on the samples of the training, 0.69, than on validation, 0.8: check that the "
        "predictions for them are of this model, and read in the same way",
    )


def test_no_draw_regrets_less_than_nothing() -> None:
    # 80 right at first, then 79 others: question 80 is right at the judged checkpoint alone
    judged = answered(81, 100)
    answers = tuple(("no idea",) if i < 2 else text for i, text in enumerate(judged.predictions.texts))
    nothing = boxes([[] for _ in range(100)])
    later = dataset(nothing, nothing, texts=(answers, judged.references.texts))
    metric, found = bound(), bound().statistics(together([answered(80, 100), later], None))
    weights = np.ones((2, 100))
    weights[1, [0, 80]] = 0, 2  # 79 right of 100 at first, 80 later
    assert metric.draw(found, weights)[:, 3].tolist() == [0.01, 0.0]


def test_pictures_of_both_sides_are_apart() -> None:
    sides = [replace(answered(3, 4), pictures=np.array([0, 0, 1, 2])) for _ in range(2)]
    checkpoints = Checkpoints((None,), lambda _: (), None, 0)
    pictures = beside(sides[0], sides[1], checkpoints).pictures
    assert pictures is not None
    assert pictures.tolist() == [0, 0, 1, 2, 3, 3, 4, 5]
