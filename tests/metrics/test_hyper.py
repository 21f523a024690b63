"""`hyper`: what a run was told, under any usual name, and what differs from another run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vigate.data.curves import Curve, Training, TrainingLog
from pytest_vigate.data.dataset import Dataset, Workspace
from pytest_vigate.data.evidence import of_training
from pytest_vigate.data.logs import read_training
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics._hyperparameters import HYPERPARAMETERS, pairs
from pytest_vigate.metrics.base import Metric
from pytest_vigate.metrics.hyper import Hyper
from worlds import evaluate, replies


def curve(name: str, values: Sequence[float], *, epochs: Sequence[float] | None = None) -> Curve:
    """A series of steps 10, 20, …"""
    steps = 10 * np.arange(1, len(values) + 1)
    return Curve(name, steps, np.array(values, float), np.array([np.nan] * len(values) if epochs is None else epochs))


def run(declared: Mapping[str, object] | None = None, rate: Sequence[float] = (), **series: Any) -> Dataset:
    curves = {"loss": curve("loss", [2, 1, 0.5]), **{name: curve(name, values) for name, values in series.items()}}
    logged = curve("learning_rate", rate) if rate else None
    if logged is not None:
        curves["learning_rate"] = logged
    source = Source("training", "run.json", (Path("/nowhere/run.json"),), ())
    return of_training(Training(source, curves, learning_rate=logged, hyperparameters=declared or {}, notes=("said",)))


def bound(*asked: str, **parameters: Any) -> Metric:
    return Hyper(**parameters).bind(dict.fromkeys(asked, False), {})


def value(data: Dataset, asked: str, **parameters: Any) -> float:
    return evaluate(bound(asked, **parameters), data)[asked]


def why(data: Dataset, asked: str, **parameters: Any) -> str:
    assert np.isnan(value(data, asked, **parameters))
    return bound(asked, **parameters).statistics(data).undefined[asked]


def told(data: Dataset, asked: str, **parameters: Any) -> tuple[str, ...]:
    metric = bound(asked, **parameters)
    return tuple(metric.caveats(metric.statistics(data), asked))


@pytest.mark.parametrize("name", ["learning_rate", "lr", "lr0", "Learning-Rate", "optimizer.lr", "train.learning_rate"])
def test_learning_rate_is_found_under_its_usual_names(name: str) -> None:
    assert value(run({name: 2e-4, "weight_decay": 0.1}), "learning_rate") == 2e-4


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("eval.batch_size", "batch_size"),
        ("scheduler.min.lr", "learning_rate"),
        ("scheduler.min.lr", "lr"),
        ("warmup.epochs", "epochs"),
        ("train.eval.batch_size", "batch_size"),
    ],
)
def test_fixed_scores_are_not_read_off_parts_of_a_run(name: str, asked: str) -> None:
    data = run({name: 3})
    assert why(data, asked) == (
        f"'{asked}' is there only below names that may stand for a part of the run: '{name}'; ask for the one that is "
        "meant in full"
    )
    assert value(data, name) == 3
    assert value(run({name: 3, f"train.args.{asked}": 5}), asked) == 5


def test_learning_rate_that_is_not_declared_is_the_highest_logged() -> None:
    data = run(rate=[1e-5, 2e-4, 1e-6])
    assert evaluate(bound(), data)["learning_rate"] == 2e-4
    assert evaluate(bound(), data)["final_learning_rate"] == 1e-6
    assert told(data, "learning_rate") == ("the highest logged",)
    assert told(data, "final_learning_rate") == ("at step 30",)


def test_declared_and_logged_learning_rate_that_differ_are_told() -> None:
    assert told(run({"lr": 1e-4}, rate=[1e-5, 2e-4]), "learning_rate") == (
        "read as 'lr'; 0.0001 is declared, and the highest logged is 0.0002",
    )
    assert told(run({"learning_rate": 1e-4}, rate=[1e-5, 1.00001e-4]), "learning_rate") == ()


def test_learning_rate_that_is_nan_somewhere_is_no_number() -> None:
    data = run(rate=[1e-4, float("nan"), 2e-4])
    assert why(data, "learning_rate") == "'learning_rate' is nan at step 20"
    assert why(run(rate=[1e-4, float("inf")]), "final_learning_rate") == "'learning_rate' is inf at step 20, its last"
    assert told(run({"learning_rate": 1e-4}, rate=[float("nan")]), "learning_rate") == (
        "'learning_rate' is nan at step 10",
    )


def test_nothing_is_made_up() -> None:
    data = run()
    assert why(data, "learning_rate") == "run.json neither declares nor logs 'learning_rate'; it has 'loss'"
    assert why(data, "final_learning_rate") == "run.json logs no learning rate; it has 'loss'"
    assert why(data, "epochs") == "run.json neither declares nor logs 'epochs'; it has 'loss'"
    assert why(data, "batch_size") == "run.json neither declares nor logs 'batch_size'; it has 'loss'"
    assert why(run({"weight_decay": None}), "weight_decay") == (
        "run.json neither declares nor logs 'weight_decay'; it has 'loss'"
    )
    assert why(run({"weight_decay": 0.1}), "weight_decai") == (
        "run.json neither declares nor logs 'weight_decai'; did you mean 'weight_decay'? it has 'weight_decay', 'loss'"
    )


def test_epochs_are_those_that_were_run() -> None:
    data = run({"num_train_epochs": 3})
    assert value(data, "epochs") == 3
    training = data.training
    assert training is not None
    curves = {"loss": curve("loss", [2, 1], epochs=[0.5, 1.25]), "val": curve("val", [2], epochs=[np.nan])}
    stopped = of_training(replace(training, curves=curves))
    assert value(stopped, "epochs") == 1.25
    assert told(stopped, "epochs") == ("3 are declared, and the last logged is 1.25",)


@pytest.mark.parametrize("name", ["batch_size", "train_batch_size", "per_device_train_batch_size", "batch"])
def test_batch_size_is_found_under_its_usual_names(name: str) -> None:
    assert value(run({name: 8}), "batch_size") == 8


def test_names_of_one_thing_that_differ_are_no_answer() -> None:
    data = run({"train_batch_size": 16, "per_device_train_batch_size": 8})
    assert why(data, "batch_size") == (
        "'batch_size' is declared several times: 'train_batch_size' is 16 and 'per_device_train_batch_size' is 8; "
        "name the one that is meant"
    )
    assert value(data, "per_device_train_batch_size") == 8
    assert value(run({"train_batch_size": 8, "per_device_train_batch_size": 8.0}), "batch_size") == 8
    assert why(run({"LR": 1e-4, "lr": 2e-4}), "lr") == (
        "'lr' is declared several times: 'LR' is 0.0001 and 'lr' is 0.0002; name the one that is meant"
    )


def test_batch_size_of_evaluation_is_not_that_of_training() -> None:
    assert why(run({"eval_batch_size": 8}), "batch_size") == (
        "run.json neither declares nor logs 'batch_size'; did you mean 'eval_batch_size'? it has 'eval_batch_size', "
        "'loss'"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [("1e-4", 1e-4), (" 8 ", 8.0), (True, 1.0), (False, 0.0), ("True", 1.0), (3, 3.0), ("-0.5", -0.5)],
)
def test_numbers_written_as_text_count(given: object, expected: float) -> None:
    assert value(run({"thing": given}), "thing") == expected


@pytest.mark.parametrize(
    ("given", "shown"),
    [("adamw", "'adamw'"), ("", "''"), ("nan", "'nan'"), ("1_000", "'1_000'"), (float("nan"), "nan"),
     (float("inf"), "inf"), (10**400, f"1{'0' * 59}")],
)  # fmt: skip
def test_what_is_no_number_is_undefined_and_shown(given: object, shown: str) -> None:
    assert why(run({"thing": given}), "thing") == f"'thing' is declared as {shown}, and no finite number"


def test_negative_learning_rate_is_none() -> None:
    assert why(run({"lr": -1}), "learning_rate") == "learning_rate is -1, and it cannot lie below 0; correct the log"


def test_any_logged_series_ends_somewhere() -> None:
    data = run({"grad_norm_clip": 1}, grad_norm=[3.0, 2.0, 0.25])
    assert value(data, "Grad-Norm") == 0.25
    assert told(data, "Grad-Norm") == ("the last logged of 'grad_norm', at step 30",)
    assert why(run({}, **{"a/x": [1.0], "b/x": [2.0]}), "x") == (
        "'x' may be any of 2 series: 'a/x' ends at 1 and 'b/x' ends at 2; name one in full"
    )
    assert value(run({}, **{"a/x": [1.0], "b/x": [2.0]}), "b.x") == 2
    assert why(run(x=[1, float("nan")]), "x") == "'x' is nan at step 20, its last"


def test_every_step_bears_on_every_score_that_is_defined() -> None:
    metric, data = bound("lora_r"), run({"lora_r": 16})
    statistics = metric.statistics(data)
    assert (metric.evidence, metric.drawn, statistics.n) == ("run", False, 3)
    assert statistics.notes == ("said",)
    names = [score.name for score in metric.configured]
    assert metric.scores == metric.configured
    assert metric.trials(statistics).tolist() == [[name == "lora_r" for name in names]] * 3
    whole = metric.evaluate(statistics, np.ones((1, 3)))
    assert np.array_equal(metric.leave_one_out(statistics), np.repeat(whole, 3, axis=0), equal_nan=True)
    assert np.isnan(metric.evaluate(statistics, np.zeros((1, 3)))).all()
    assert np.isnan(metric.evaluate(statistics.select(np.array([False, True, True])), np.ones((1, 2)))).all()


def test_other_data_is_no_run() -> None:
    with pytest.raises(
        UnmeasurableError, match=r"^hyper needs the log of a training run; name it under data\.training$"
    ):
        Hyper().statistics(replies(["1"]))


class Runs:
    """Two runs below one root."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def data(self, declared: Mapping[str, object], name: str = "run") -> Dataset:
        """The log of a run, as Hugging Face's Trainer writes it."""
        self.state(name)
        path = self.root / name / "trainer_state.json"
        source = Source("training", f"{name}/trainer_state.json", (path,), (self.root,))
        beside = self.root / name / "args.yaml"
        beside.write_text(json.dumps(dict(declared)), encoding="utf-8")
        hyperparameters = Source("hyperparameters", f"{name}/args.yaml", (beside,), (self.root,))
        training = read_training(TrainingLog(source, hyperparameters=hyperparameters))
        return replace(of_training(training), workspace=Workspace(roots=(self.root,)))

    def state(self, name: str, rate: float = 1e-4, **top: object) -> str:
        (self.root / name).mkdir(exist_ok=True)
        history = [{"loss": 2.0 / step, "learning_rate": rate, "epoch": step, "step": step} for step in (1, 2)]
        path = self.root / name / "trainer_state.json"
        path.write_text(json.dumps({**top, "global_step": 2, "log_history": history}), encoding="utf-8")
        return str(path)

    def plain(self, text: str, name: str = "other.yaml") -> str:
        (self.root / name).write_text(text, encoding="utf-8")
        return str(self.root / name)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_one_variable_at_a_time(runs: Runs) -> None:
    data = runs.data({"learning_rate": "2e-4", "batch_size": 8, "optim": "adamw", "output_dir": "b"})
    against = runs.plain("lr: 1e-4\nbatch_size: 8.0\noptim: adamw\noutput_dir: a\nseed: null\n")
    assert value(data, "changed", against=against) == 1
    assert told(data, "changed", against=against) == (
        "compared with other.yaml: 'learning_rate', 'batch_size', 'optim', without 'output_dir'",
        "1 changed: 'learning_rate' 0.0001 → 2e-4",
    )
    settled = bound(against=against).statistics(data).settled
    assert settled["against"].startswith("sha256:")


def test_equal_runs_have_not_changed(runs: Runs) -> None:
    data = runs.data({"lr": 0.0001, "bf16": True, "nested": {"r": 16}})
    assert value(data, "changed", against=runs.plain("lr: 1e-4\nbf16: 'True'\nnested: {r: 16.0}\n")) == 0
    assert value(data, "changed", against=runs.plain('{"LR": "1e-04", "bf16": true, "nested.r": 16}', "o.json")) == 0


@pytest.mark.parametrize(
    ("other", "count", "said"),
    [
        ("lr: 1e-4\nr: 16\n", 1, "1 changed: 'r' 16 → not set"),
        ("lr: 1e-4\noptimizer: {name: adam}\n", 1, "1 changed: 'optimizer.name' 'adam' → not set"),
        ("lr: 2e-4\nseed: 1\n", 2, "2 changed: 'lr' 0.0002 → 0.0001, 'seed' 1 → not set"),
        ("lr: text\n", 1, "1 changed: 'lr' 'text' → 0.0001"),
        ("lr: 1e-4\nLR: 2e-4\n", 1, "1 changed: 'lr' 0.0001 and 0.0002 → 0.0001"),
    ],
)
def test_what_either_side_lacks_has_changed(runs: Runs, other: str, count: int, said: str) -> None:
    data, against = runs.data({"lr": 1e-4}), runs.plain(other)
    assert value(data, "changed", against=against) == count
    assert told(data, "changed", against=against)[-1] == said


def test_ignored_names_are_whole_names(runs: Runs) -> None:
    data = runs.data({"lr": 1e-4, "name": "b", "optimizer": {"name": "sgd"}})
    against = runs.plain("lr: 1e-4\nname: a\noptimizer: {name: adam}\n")
    assert told(data, "changed", against=against)[-1] == "1 changed: 'optimizer.name' 'adam' → 'sgd'"
    assert value(data, "changed", against=against, ignore=("Optimizer-Name", "name")) == 0
    assert value(data, "changed", against=against, ignore=()) == 2


def test_nothing_that_proves_nothing_passes(runs: Runs) -> None:
    data = runs.data({"lr": 1e-4})
    own = str(runs.root / "run" / "trainer_state.json")
    assert why(data, "changed") == "there is nothing to compare with; write metrics: {hyper: {against: FILE}}"
    assert why(data, "changed", against=own) == (
        "run/trainer_state.json is the run that is judged; name the log of another under against"
    )
    assert why(data, "changed", against=runs.plain("{}")) == (
        "other.yaml declares no hyperparameters, so nothing can be compared; name a file that does"
    )
    assert why(data, "changed", against=runs.plain("name: a\n")) == (
        "other.yaml declares no hyperparameters, so nothing can be compared; name a file that does"
    )
    assert why(data, "changed", against=runs.plain("wd: 1\n")) == (
        "run/trainer_state.json and other.yaml share no hyperparameter, so nothing can be compared"
    )
    assert why(data, "changed", against=str(runs.root / "gone.yaml")) == (
        "gone.yaml: there is no such file; check the path, it is relative to the gate file"
    )


def test_copy_of_the_judged_log_is_the_same_run(runs: Runs) -> None:
    data = runs.data({"lr": 1e-4})
    (runs.root / "copy").mkdir()
    copy = runs.root / "copy" / "trainer_state.json"
    copy.write_bytes((runs.root / "run" / "trainer_state.json").read_bytes())
    assert why(data, "changed", against=str(copy)) == (
        "copy/trainer_state.json is the run that is judged; name the log of another under against"
    )


def test_file_that_the_judged_run_was_read_with_is_the_same_run(runs: Runs) -> None:
    row = {"current_steps": 1, "total_steps": 1, "loss": 1.0, "epoch": 1.0}
    (runs.root / "trainer_log.jsonl").write_text(f"{json.dumps(row)}\n", encoding="utf-8")
    own = runs.plain("lr: 1e-4\n", "training_args.yaml")
    source = Source("training", "trainer_log.jsonl", (runs.root / "trainer_log.jsonl",), (runs.root,))
    data = replace(of_training(read_training(TrainingLog(source))), workspace=Workspace(roots=(runs.root,)))
    assert value(data, "learning_rate") == 1e-4
    assert why(data, "changed", against=own) == (
        "training_args.yaml is the run that is judged; name the log of another under against"
    )


def test_file_outside_the_roots_is_not_read(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "other.yaml"
    outside.write_text("lr: 1e-4\n", encoding="utf-8")
    assert why(runs.data({"lr": 1e-4}), "changed", against=str(outside)) == (
        "other.yaml: this path leads out of the folders that data may come from; move the file below the root, or name "
        "its folder in the ini option vigate_data_roots"
    )


def test_logged_learning_rates_are_compared_where_none_is_declared(runs: Runs) -> None:
    other = runs.state("other", rate=2e-4, train_batch_size=8)
    data = runs.data({"train_batch_size": 8})
    assert told(data, "changed", against=other) == (
        "compared with other/trainer_state.json: 'train_batch_size', 'learning_rate as logged'",
        "1 changed: 'learning_rate as logged' 0.0002 → 0.0001",
    )


def test_empty_object_beside_children_is_no_change_of_its_own(runs: Runs) -> None:
    data = runs.data({"lr": 1e-4, "o": {}})
    assert value(data, "changed", against=runs.plain("lr: 1e-4\no: {a: 1, b: 2}\n")) == 2
    assert value(data, "changed", against=runs.plain("lr: 1e-4\no: {}\n")) == 0
    assert value(data, "changed", against=runs.plain("lr: 1e-4\n")) == 1


def test_long_ids_that_differ_have_changed(runs: Runs) -> None:
    data = runs.data({"lr": 1e-4, "seed": "9007199254740993"})
    assert value(data, "changed", against=runs.plain("lr: 1e-4\nseed: 9007199254740992\n")) == 1
    assert value(data, "changed", against=runs.plain("lr: 1e-4\nseed: '+9007199254740993'\n")) == 0


def test_many_changes_are_counted_and_few_are_shown(runs: Runs) -> None:
    data = runs.data({f"p{i}": i for i in range(20)})
    against = runs.plain(json.dumps({f"p{i}": i + 1 for i in range(20)}))
    assert value(data, "changed", against=against) == 20
    last = told(data, "changed", against=against)[-1]
    assert last.startswith("20 changed: 'p0' 1 → 0, ")
    assert last.endswith("'p11' 12 → 11 and 8 more")


VALUES = st.one_of(st.integers(-5, 5), st.floats(allow_nan=True), st.booleans(), st.text("ab1.e-", max_size=4))
SIDES = st.dictionaries(st.sampled_from(["lr", "LR", "learning_rate", "wd", "a.b", "a_b", "seed"]), VALUES, max_size=5)


@settings(deadline=None, max_examples=200)
@given(side=SIDES, other=SIDES)
def test_differences_are_none_with_itself_and_the_same_both_ways(
    side: Mapping[str, object], other: Mapping[str, object]
) -> None:
    assert all(pair.alike for pair in pairs(side, dict([*side.items()][::-1])))
    one, two = pairs(side, other), pairs(other, side)
    assert sum(not pair.alike for pair in one) == sum(not pair.alike for pair in two)
    written = {name: f"{value}" for name, value in side.items()}
    assert all(pair.alike for pair in pairs(side, written))


def test_no_name_has_two_meanings() -> None:
    for name, group in HYPERPARAMETERS.items():
        assert name in group
        assert len(set(group)) == len(group)
