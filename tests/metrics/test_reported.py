"""`reported`: scores from elsewhere, by any name, and never measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from pytest_vigate.data.dataset import Dataset
from pytest_vigate.data.evidence import of_reported
from pytest_vigate.data.reported import read_reported
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics.base import Statistics
from pytest_vigate.metrics.reported import ReportedScores
from worlds import evaluate, replies


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def data_of(root: Path, scores: Mapping[str, object]) -> Dataset:
    (root / "scores.json").write_text(json.dumps(scores), encoding="utf-8")
    return of_reported(read_reported(Source("reported", "scores.json", (root / "scores.json",), (root,))))


def ask(
    root: Path, scores: Mapping[str, object], *asked: str, percent: tuple[str, ...] = ()
) -> tuple[dict[str, float], Statistics]:
    metric, data = ReportedScores(percent=percent).bind(dict.fromkeys(asked, False), {}), data_of(root, scores)
    return evaluate(metric, data), metric.statistics(data)


def value(root: Path, scores: Mapping[str, object], asked: str, *, percent: tuple[str, ...] = ()) -> float:
    return ask(root, scores, asked, percent=percent)[0][asked]


def why(root: Path, scores: Mapping[str, object], asked: str, *, percent: tuple[str, ...] = ()) -> str:
    found, statistics = ask(root, scores, asked, percent=percent)
    assert np.isnan(found[asked])
    return statistics.undefined[asked]


def told(root: Path, scores: Mapping[str, object], asked: str, *, percent: tuple[str, ...] = ()) -> tuple[str, ...]:
    metric = ReportedScores(percent=percent).bind({asked: False}, {})
    return tuple(metric.caveats(metric.statistics(data_of(root, scores)), asked))


def test_every_name_is_a_score_once_the_gate_asks_for_it(root: Path) -> None:
    found, statistics = ask(root, {"eval_f1": 0.75, "Total loss": 2.5}, "F1", "loss", "mood")
    assert found == {"F1": 0.75, "loss": 2.5, "mood": pytest.approx(float("nan"), nan_ok=True)}
    assert statistics.notes == ("reported by scores.json, not measured here",)
    assert statistics.undefined == {"mood": "scores.json has no score 'mood'; it has 'eval_f1', 'Total loss'"}
    assert ReportedScores().configured == ()


def test_known_shares_have_range_and_direction_and_others_have_neither() -> None:
    metric = ReportedScores(percent=("agility",)).bind(dict.fromkeys(["macro_f1", "loss", "agility"], False), {})
    said = [(score.name, score.low, score.high, score.direction) for score in metric.configured]
    assert said == [
        ("macro_f1", 0.0, 1.0, "higher"),
        ("loss", -np.inf, np.inf, None),
        ("agility", 0.0, 1.0, None),
    ]
    assert metric.scores == metric.configured


@pytest.mark.parametrize("percentage", [75, 1.01, 100])
def test_percentage_of_a_known_share_passes_no_bound(root: Path, percentage: float) -> None:
    assert why(root, {"f1": percentage}, "f1") == (
        f"scores.json: 'f1' is {percentage:g}, where a share lies in [0, 1]; "
        "if it is in percent, write metrics: {reported: {percent: [f1]}}"
    )


@pytest.mark.parametrize("wrong", [101, -0.5])
def test_what_is_no_share_at_all_is_no_percentage(root: Path, wrong: float) -> None:
    assert why(root, {"f1": wrong}, "f1") == (
        f"scores.json: 'f1' is {wrong:g}, where a share lies in [0, 1]; correct the file"
    )
    assert why(root, {"f1": wrong}, "f1", percent=("f1",)) == (
        f"scores.json: 'f1' is {wrong:g}, where a percentage lies in [0, 100]; correct the file"
    )


def test_declared_percentages_are_shares(root: Path) -> None:
    assert value(root, {"Bounding Box F1": 75}, "f1", percent=("F1",)) == 0.75
    assert value(root, {"agility": 75}, "agility", percent=("agility",)) == 0.75
    assert value(root, {"f1": 0.75}, "f1", percent=("f1",)) == 0.0075
    assert told(root, {"Bounding Box F1": 75}, "f1", percent=("f1",)) == (
        "read as 'Bounding Box F1'; stated in percent",
    )


def test_rounding_of_single_precision_is_no_other_unit(root: Path) -> None:
    assert value(root, {"f1": 1.0000001192092896}, "f1") == 1.0
    assert value(root, {"f1": -1e-9}, "f1") == 0.0
    assert value(root, {"f1": 100.00000000000001}, "f1", percent=("f1",)) == 1.0


def test_percent_names_a_score_that_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"^percent: there is no threshold on 'f2'; the gate has f1, loss$"):
        ReportedScores(percent=("f2",)).bind(dict.fromkeys(["f1", "loss"], False), {})


def test_share_beside_percentages_is_doubted(root: Path) -> None:
    # f1 could be 0.9 percent: the others of the file are percentages
    scores = {"f1": 0.9, "precision": 71.5, "loss": 3.0}
    assert told(root, scores, "f1") == (
        "above 1 in the same file: 'precision'; if 'f1' is in percent too, declare percent",
    )
    metric = ReportedScores(percent=("precision",)).bind(dict.fromkeys(["f1", "precision"], False), {})
    assert metric.caveats(metric.statistics(data_of(root, scores)), "f1") == ()


def test_unit_of_an_unknown_score_above_one_is_doubted(root: Path) -> None:
    assert value(root, {"agility": 75}, "agility") == 75
    assert told(root, {"agility": 75}, "agility") == ("value as reported, its unit is not known",)
    assert told(root, {"agility": 0.75}, "agility") == ()
    assert told(root, {"eval_loss": 2.5}, "eval_loss") == ()


@pytest.mark.parametrize(
    ("scores", "asked", "expected"),
    [
        ({"f1": "N/A", "x": 1}, "f1", "scores.json: 'f1' is the text 'N/A', and no number"),
        ({"f1": None, "x": 1}, "f1", "scores.json: 'f1' is null, and no number"),
        ({"f1": True, "x": 1}, "f1", "scores.json: 'f1' is true, and no number"),
        ({"f1": [1], "x": 1}, "f1", "scores.json: 'f1' is a list of 1, and no number"),
        ({"f1": float("nan")}, "f1", "scores.json: 'f1' is nan, and no finite number"),
        ({"m": float("inf")}, "m", "scores.json: 'm' is inf, and no finite number"),
        ({"f1_scor": 0.5}, "f1_score", "scores.json has no score 'f1_score'; did you mean 'f1_scor'? it has 'f1_scor'"),
        (
            {"eval_loss": 1.5, "test_loss": 1.7, "train_loss": 1.2},
            "loss",
            "scores.json: 'loss' may be any of 2: 'eval_loss' is 1.5 and 'test_loss' is 1.7; "
            "name one in full, as eval_loss",
        ),
        (
            {"results": {"a": {"f1": 0.9}, "b": {"f1": None}}},
            "f1",
            "scores.json: 'f1' may be any of 2: 'results.a.f1' is 0.9 and 'results.b.f1' is null; "
            "name one in full, as results.a.f1",
        ),
        (
            {"results": {"a": {"f1": 0.9}, "b": {"f1": "N/A"}}},
            "f1",
            "scores.json: 'f1' may be any of 2: 'results.a.f1' is 0.9 and 'results.b.f1' is the text 'N/A'; "
            "name one in full, as results.a.f1",
        ),
        ({"f1": True, "eval_f1": 0.9}, "f1", "scores.json: 'f1' is true, and no number"),
        ({"f1": None, "eval_f1": 0.9}, "f1", "scores.json: 'f1' is null, and no number"),
        ({"a": {"f1": True}, "x": 1}, "f1", "scores.json: 'a.f1' is true, and no number"),
        (
            {"train_f1": 0.99, "higher_is_better": {"f1": True}},
            "f1",
            "scores.json has 'f1' of the samples that were trained on alone, 'train_f1'; name it in full if it is "
            "meant",
        ),
        (
            {"F1": 0.5, "f-1": 0.9},
            "f1",
            "scores.json: 'f1' may be any of 2: 'F1' is 0.5 and 'f-1' is 0.9; keep the one meant",
        ),
        (
            {"results": {"t": {"acc,strict": 0.5, "acc,loose": 0.9}}},
            "acc",
            "scores.json: 'acc' may be any of 2: 'results.t.acc,strict' is 0.5 and 'results.t.acc,loose' is 0.9; "
            "name one in full, as results.t.acc_strict",
        ),
        (
            {"train_f1": 0.99},
            "f1",
            "scores.json has 'f1' of the samples that were trained on alone, 'train_f1'; name it in full if it is "
            "meant",
        ),
        (
            {f"score{i}": i for i in range(14)},
            "zeal",
            "scores.json has no score 'zeal'; it has " + ", ".join(f"'score{i}'" for i in range(12)) + " and 2 more",
        ),
    ],
)
def test_what_is_no_score_is_undefined(root: Path, scores: Mapping[str, object], asked: str, expected: str) -> None:
    assert why(root, scores, asked) == expected


def test_flags_beside_the_scores_of_lmms_eval_are_no_scores(root: Path) -> None:
    scores = {
        "results": {"refcoco": {"alias": "refcoco", "bbox_f1,none": 0.62, "bbox_f1_stderr,none": "N/A"}},
        "configs": {"refcoco": {"metric_list": [{"metric": "bbox_f1"}], "bbox_f1": ["mean"]}},
        "higher_is_better": {"refcoco": {"bbox_f1": True}},
    }
    assert value(root, scores, "bbox_f1") == 0.62
    assert value(root, scores, "refcoco.bbox_f1") == 0.62
    assert told(root, scores, "bbox_f1") == ("read as 'results.refcoco.bbox_f1,none'",)


def test_score_of_the_training_stands_back_behind_others(root: Path) -> None:
    assert value(root, {"train_f1": 0.99, "eval_f1": 0.7}, "f1") == 0.7
    assert told(root, {"train_f1": 0.99, "eval_f1": 0.7}, "f1") == ("read as 'eval_f1'",)
    # the name that was asked for comes before others for the same thing, but for this
    assert value(root, {"train_acc": 0.99, "eval_accuracy": 0.7}, "acc") == 0.7
    assert value(root, {"train_f1": 0.99, "eval_f1": 0.7}, "train_f1") == 0.99


def test_advised_names_lead_to_the_score(root: Path) -> None:
    scores = {"results": {"t": {"acc,strict": 0.5, "acc,loose": 0.9}}}
    assert value(root, scores, "results.t.acc_strict") == 0.5
    assert value(root, scores, "acc-loose") == 0.9
    assert value(root, {"train_f1": 0.99}, "train_f1") == 0.99


def test_names_that_agree_are_one_score(root: Path) -> None:
    assert value(root, {"F1": 0.5, "f1": 0.5}, "f1") == 0.5


def test_file_is_the_only_sample_and_nothing_is_drawn(root: Path) -> None:
    metric, data = ReportedScores().bind(dict.fromkeys(["f1", "gone"], False), {}), data_of(root, {"f1": 0.5})
    statistics = metric.statistics(data)
    assert (metric.drawn, metric.evidence, statistics.n) == (False, "reported", 1)
    assert metric.trials(statistics).tolist() == [[True, False]]
    assert np.isnan(metric.evaluate(statistics, np.zeros((2, 1)))).all()
    assert np.isnan(metric.leave_one_out(statistics)).all()
    assert np.isnan(metric.evaluate(statistics.select(np.zeros(1, np.bool_)), np.ones((1, 0)))).all()


def test_other_data_is_no_report() -> None:
    with pytest.raises(UnmeasurableError, match=r"^reported needs a file of scores; name it under data\.reported$"):
        ReportedScores().statistics(replies(["1"]))


@pytest.mark.parametrize(
    ("asked", "scores"),
    [
        ("f1score", {"f1": 87.0}),
        ("AverageIoU", {"Average IoU": 3.0}),
        ("BoundingBoxF1", {"Bounding Box F1": 3.0}),
        ("acc_norm", {"acc_norm": 5.3}),
        ("recall@10", {"recall@10": 5.3}),
        ("pass@1", {"pass@1": 12.0}),
        ("bert_score", {"bert_score": 5.3}),
    ],
)
def test_percentages_under_other_names_of_shares_pass_no_bound(
    tmp_path: Path, asked: str, scores: dict[str, float]
) -> None:
    metric = ReportedScores().bind({asked: False}, {})
    undefined = metric.statistics(data_of(tmp_path, scores)).undefined
    assert (
        "where a share lies in [0, 1]; if it is in percent, write metrics: {reported: {percent: [" in undefined[asked]
    )


def test_a_bound_in_percent_makes_a_score_a_share(tmp_path: Path) -> None:
    metric = ReportedScores().bind({"agility": True, "cider": False}, {})
    assert [(score.low, score.high) for score in metric.configured] == [(0, 1), (-np.inf, np.inf)]
    undefined = metric.statistics(data_of(tmp_path, {"agility": 5.3, "cider": 1.2})).undefined
    assert set(undefined) == {"agility"}


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        ({"training_set": {"f1": 0.99}}, "of the samples that were trained on alone"),
        ({"train_split": {"f1": 0.99}}, "of the samples that were trained on alone"),
        ({"human_baseline": {"f1": 0.99}}, "which is no result of the model"),
        ({"f1": {"mean": 0.4, "stderr": 0.01}, "config": {"f1": 1}}, "which is no result of the model"),
    ],
)
def test_numbers_that_are_no_result_answer_no_short_name(tmp_path: Path, scores: dict[str, object], why: str) -> None:
    metric = ReportedScores().bind({"f1": False}, {})
    assert why in metric.statistics(data_of(tmp_path, scores)).undefined["f1"]
