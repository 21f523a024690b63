"""Hugging Face Trainer, LLaMA-Factory, ms-swift."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.world import World, message
from pytest_vigate.data.curves import Curve
from worlds import real_data


def points(curve: Curve | None) -> list[tuple[int, float]]:
    assert curve is not None
    return list(zip(curve.step.tolist(), curve.value.tolist(), strict=True))


def train(step: int, loss: object, **more: object) -> dict[str, object]:
    return {"loss": loss, "grad_norm": 0.5, "learning_rate": 1e-4, "epoch": step / 10, "step": step, **more}


def evaluation(step: int, loss: object, **more: object) -> dict[str, object]:
    return {
        "eval_loss": loss,
        "eval_runtime": 2.5,
        "eval_samples_per_second": 9.0,
        "epoch": step / 10,
        "step": step,
        **more,
    }


SUMMARY = {
    "epoch": 2.0,
    "step": 20,
    "total_flos": 1e15,
    "train_loss": 0.001,
    "train_runtime": 3.0,
    "train_samples_per_second": 6.7,
}


def state(*history: object, **more: object) -> dict[str, object]:
    return {"epoch": 2.0, "global_step": 20, "log_history": [*history], "best_metric": None, **more}


def test_train_and_validation_are_curves_by_step(world: World) -> None:
    world.write_json(
        "trainer_state.json",
        state(
            train(10, 1.5), evaluation(10, 1.6, eval_f1=0.5), train(20, 1.0), evaluation(20, 1.8, eval_f1=0.6), SUMMARY
        ),
    )
    found = world.training("trainer_state.json")
    assert found.source.format == "hf-trainer"
    assert points(found.train) == [(10, 1.5), (20, 1.0)]
    assert points(found.validation) == [(10, 1.6), (20, 1.8)]
    assert points(found.learning_rate) == [(10, 1e-4), (20, 1e-4)]
    assert found.train is not None
    assert found.train.epoch.tolist() == [1.0, 2.0]
    assert found.filtered
    assert found.notes == (
        "read as train loss 'loss' (2 points, steps 10 to 20); validation loss 'eval_loss' (2 points, steps 10 to 20)",
    )


def test_mean_of_the_run_and_speeds_are_no_series(world: World) -> None:
    world.write_json("trainer_state.json", state(train(10, 1.5), evaluation(10, 1.6), train(20, 1.0), SUMMARY))
    found = world.training("trainer_state.json")
    assert sorted(found.curves) == ["eval_loss", "grad_norm", "learning_rate", "loss"]
    assert points(found.train)[-1] == (20, 1.0)


def test_summary_alone_proves_nothing(world: World) -> None:
    world.write_json("trainer_state.json", state(SUMMARY))
    assert message(lambda: world.training("trainer_state.json")) == (
        "trainer_state.json: the log has no points; zero points prove nothing"
    )


def test_train_loss_of_evaluations_is_a_series_of_its_own(world: World) -> None:
    world.write_json("trainer_state.json", state(train(10, 1.5), {"train_loss": 1.4, "train_runtime": 1.0, "step": 10}))
    found = world.training("trainer_state.json", series={"train": "train_loss"})
    assert points(found.train) == [(10, 1.4)]


@pytest.mark.parametrize("indent", [None, 2])
def test_bare_nan_and_infinity_are_facts(world: World, indent: int | None) -> None:
    history = [train(1, math.nan), train(2, math.inf), train(3, -math.inf, note="a: NaN b"), train(4, 1.0)]
    world.write("trainer_state.json", json.dumps(state(*history, max_steps=4), indent=indent))
    found = world.training("trainer_state.json")
    assert found.train is not None
    np.testing.assert_array_equal(found.train.value, [math.nan, math.inf, -math.inf, 1.0])
    assert found.hyperparameters == {"max_steps": 4}


def test_text_that_holds_a_literal_is_read_rightly(world: World) -> None:
    # inside of the text, ": NaN," is what the fast path takes for a number
    history = [train(1, math.nan, note="loss: NaN, again"), train(2, 1.0)]
    world.write_json("trainer_state.json", state(*history))
    found = world.training("trainer_state.json")
    assert found.train is not None
    np.testing.assert_array_equal(found.train.value, [math.nan, 1.0])


def test_set_up_and_trial_are_hyperparameters(world: World) -> None:
    more: dict[str, Any] = {"train_batch_size": 2, "num_train_epochs": 38, "max_steps": 300, "logging_steps": 5}
    world.write_json(
        "trainer_state.json", state(train(1, 1.0), **more, eval_steps=15, save_steps=None, trial_params={"lr": 0.1})
    )
    assert world.training("trainer_state.json").hyperparameters == {**more, "eval_steps": 15, "lr": 0.1}


def test_declared_hyperparameters_replace_those_of_the_state(world: World) -> None:
    world.write_json("trainer_state.json", state(train(1, 1.0), max_steps=3))
    world.write("declared.yaml", "optim: {name: adamw, lr: 1e-4}\nlayers: [1, 2]\n")
    found = world.training("trainer_state.json", hyperparameters="declared.yaml")
    assert found.hyperparameters == {"optim.name": "adamw", "optim.lr": 1e-4, "layers": "[1, 2]"}


def test_set_up_that_cannot_be_read_is_noted_where_nothing_is_declared(world: World) -> None:
    world.write_json("trainer_state.json", state(train(1, 1.0), trial_params={"a.b": 1, "a": {"b": 2}}))
    world.write("declared.yaml", "lr: 1e-4\n")
    note = "hyperparameters are not read: trainer_state.json: the name 'a.b' is there twice, nested and with dots; "
    assert f"{note}keep the one meant" in world.training("trainer_state.json").notes
    assert len(world.training("trainer_state.json", hyperparameters="declared.yaml").notes) == 1


def test_one_named_validation_set_is_the_validation_set(world: World) -> None:
    world.write_json("trainer_state.json", state(train(1, 1.0), {"eval_coco_loss": 2.0, "step": 1}))
    assert points(world.training("trainer_state.json").validation) == [(1, 2.0)]


def test_of_several_validation_sets_none_is_chosen(world: World) -> None:
    rows = [train(1, 1.0), {"eval_coco_loss": 2.0, "step": 1}, {"eval_lvis_loss": 3.0, "step": 1}]
    world.write_json("trainer_state.json", state(*rows))
    assert world.training("trainer_state.json").validation is None
    chosen = world.training("trainer_state.json", series={"validation": "eval_lvis_loss"})
    assert points(chosen.validation) == [(1, 3.0)]


def test_run_folder_is_read_by_its_own_state(world: World) -> None:
    world.write_json("run/trainer_state.json", state(train(20, 1.0)))
    world.write_json("run/checkpoint-10/trainer_state.json", state(train(10, 2.0)))
    found = world.training("run")
    assert points(found.train) == [(20, 1.0)]
    assert found.notes == ("read as train loss 'loss' (1 point, step 20)",)


@pytest.mark.parametrize("own", [state(train(20, 1.0)), {"log_history": [train(20, 1.0)]}])
def test_state_older_than_a_checkpoint_is_not_the_run(world: World, own: object) -> None:
    world.write_json("run/trainer_state.json", own)
    world.write_json("run/checkpoint-9/trainer_state.json", state(train(9, 7.0)))
    world.write_json("run/checkpoint-30/trainer_state.json", state(train(30, math.nan), max_steps=30))
    found = world.training("run")
    assert found.train is not None
    assert found.train.step.tolist() == [30]
    assert found.hyperparameters == {"max_steps": 30}
    assert found.notes == (
        "run/trainer_state.json ends at step 20, before the newest checkpoint: read is "
        "run/checkpoint-30/trainer_state.json",
        "read as train loss 'loss' (1 point, step 30)",
    )


def test_empty_state_is_older_than_any_checkpoint(world: World) -> None:
    world.write_json("run/trainer_state.json", {"log_history": []})
    world.write_json("run/checkpoint-30/trainer_state.json", state(train(30, 9.0)))
    assert points(world.training("run").train) == [(30, 9.0)]


def test_checkpoint_behind_the_last_logged_step_is_noted(world: World) -> None:
    # logged every 20 steps, saved and ended at step 30
    world.write_json("run/trainer_state.json", state(train(20, 1.0), global_step=30))
    world.write_json("run/checkpoint-30/trainer_state.json", state(train(20, 1.0), global_step=30))
    assert world.training("run").notes == (
        "read as train loss 'loss' (1 point, step 20)",
        "the log ends at step 20, but there is a checkpoint-30",
    )


def test_run_folder_without_a_state_is_read_by_its_last_checkpoint(world: World) -> None:
    for step in (9, 100, 20):
        world.write_json(f"run/checkpoint-{step}/trainer_state.json", state(train(step, float(step))))
    world.write("run/checkpoint-300/model.bin", "no state")
    assert points(world.training("run").train) == [(100, 100.0)]
    assert points(world.training("run/checkpoint-20").train) == [(20, 20.0)]


def test_several_folders_without_a_number_are_refused(world: World) -> None:
    for name in ("a", "b"):
        world.write_json(f"run/{name}/trainer_state.json", state(train(1, 1.0)))
    assert message(lambda: world.training("run", form="hf-trainer")) == (
        "run: 2 folders hold a trainer_state.json: 'a', 'b'; name the one of the run that is judged"
    )


def test_folder_without_a_state_is_refused(world: World) -> None:
    world.write("run/model.bin", "none")
    assert message(lambda: world.training("run", form="hf-trainer")) == (
        "run: there is no trainer_state.json in this folder or its checkpoints; check the path"
    )


def test_state_outside_of_the_roots_is_refused(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "trainer_state.json"
    other.write_text(json.dumps(state(train(1, 1.0))), encoding="utf-8")
    (world.root / "run").mkdir()
    (world.root / "run/trainer_state.json").symlink_to(other)
    assert message(lambda: world.training("run")) == (
        "run/trainer_state.json: this path leads out of the folders that data may come from; move the file below the "
        "root, or name its folder in the ini option vigate_data_roots"
    )


def test_two_files_for_one_run_are_refused(world: World) -> None:
    for name in ("a.trainer_state.json", "b.trainer_state.json"):
        world.write_json(name, state(train(1, 1.0)))
    assert message(lambda: world.training("a.trainer_state.json", "b.trainer_state.json")) == (
        "a.trainer_state.json: 2 files for one run: 'a.trainer_state.json', 'b.trainer_state.json'; name the log of "
        "the run that is judged"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", "trainer_state.json: there is no array log_history; name the trainer_state.json that the Trainer wrote"),
        ("[]", "trainer_state.json: there is no array log_history; name the trainer_state.json that the Trainer wrote"),
        (
            '{"log_history": 3}',
            "trainer_state.json: there is no array log_history; name the trainer_state.json that the Trainer wrote",
        ),
        (
            '{"log_history": [3]}',
            "trainer_state.json: log_history[0]: this is no object, where a record of the history is due; correct it",
        ),
        (
            '{"log_history": [\n{"loss": 1, "step":',
            "trainer_state.json:2:20: this is not JSON: expecting value; correct it, or write the file again",
        ),
        (
            '{"log_history": ' + "[" * 100_000,
            "trainer_state.json:1:1: this is not JSON: it is nested too deeply; correct it, or write the file again",
        ),
        ('{"log_history": []}', "trainer_state.json: the log has no points; zero points prove nothing"),
        (
            '{"log_history": [{"loss": "none", "step": 1}]}',
            "trainer_state.json: log_history[0]: 'loss' is 'none', where a number is due; correct it, or name another "
            "series",
        ),
        (
            '{"log_history": [{"loss": 1}, {"eval_loss": 1, "step": 2}]}',
            "trainer_state.json: log_history[0]: 'loss' stands where 'step' is missing; a value without a step is no "
            "point",
        ),
        (
            '{"log_history": [{"loss": 1}]}',
            "trainer_state.json: no column says the step; declare series: {step: …} or {epoch: …}, it has 'loss'",
        ),
    ],
)
def test_state_that_cannot_be_read_says_why(world: World, text: str, expected: str) -> None:
    world.write("trainer_state.json", text)
    assert message(lambda: world.training("trainer_state.json")) == expected


def test_halves_of_characters_do_not_hide_the_history(world: World) -> None:
    world.write("trainer_state.json", '{"log_history": [{"loss": 1.5, "step": 1, "by": "\\ud800"}], "max_steps": 7}')
    found = world.training("trainer_state.json")
    assert points(found.train) == [(1, 1.5)]
    assert found.hyperparameters == {"max_steps": 7}


def llama(step: int, **more: object) -> dict[str, object]:
    counted = {"current_steps": step, "total_steps": 40, "epoch": step / 40, "percentage": 2.5 * step}
    return {**counted, "elapsed_time": "0:00:32", "remaining_time": "6:01:13", "throughput": 12.5, **more}


def test_llama_factory_rows_of_progress_are_no_points(world: World) -> None:
    rows = [llama(10, loss=2.0, lr=1e-4), llama(10, eval_loss=2.1), llama(20, loss=1.0, lr=5e-5), llama(20), llama(21)]
    world.write_lines("trainer_log.jsonl", *rows)
    found = world.training("trainer_log.jsonl")
    assert found.source.format == "llama-factory"
    assert sorted(found.curves) == ["eval_loss", "loss", "lr"]
    assert points(found.train) == [(10, 2.0), (20, 1.0)]
    assert points(found.validation) == [(10, 2.1)]
    assert points(found.learning_rate) == [(10, 1e-4), (20, 5e-5)]
    assert found.filtered


def test_llama_factory_version_1_counts_steps(world: World) -> None:
    world.write_lines(
        "log.jsonl", {"step": 1, "total_steps": 2, "loss": 2.0}, {"step": 2, "total_steps": 2, "loss": 1.0}
    )
    found = world.training("log.jsonl")
    assert found.source.format == "llama-factory"
    assert points(found.train) == [(1, 2.0), (2, 1.0)]


def test_appended_run_goes_back_only_where_declared(world: World) -> None:
    # the second run takes up at step 20 again: steps 20 and 30 of the first are replaced
    first = [llama(step, loss=float(step)) for step in (10, 20, 30)]
    world.write_lines("trainer_log.jsonl", *first, *(llama(step, loss=step + 0.5) for step in (20, 30, 40)))
    assert message(lambda: world.training("trainer_log.jsonl")) == (
        "trainer_log.jsonl:4: the step of 'loss' goes back from 30 to 20; if the run was resumed, declare on_resume: "
        "last, else give each run a log of its own"
    )
    found = world.training("trainer_log.jsonl", on_resume="last")
    assert points(found.train) == [(10, 10.0), (20, 20.5), (30, 30.5), (40, 40.5)]
    assert found.notes[0] == "the run was resumed: what was logged before from step 20 on is replaced"


def test_last_record_that_is_cut_off_is_left_out_and_noted(world: World) -> None:
    whole = "".join(json.dumps(llama(step, loss=float(step))) + "\n" for step in (10, 20))
    for end in ('{"current_steps": 30, "total_steps": 40, "loss": 9.', "{", '{"current_steps": 30, "loss": NaN'):
        world.write("trainer_log.jsonl", whole + end)
        found = world.training("trainer_log.jsonl")
        assert points(found.train) == [(10, 10.0), (20, 20.0)]
        assert found.notes[0] == "the last line is cut off and left out"


def test_last_record_without_an_end_of_line_counts_where_it_is_whole(world: World) -> None:
    world.write("trainer_log.jsonl", json.dumps(llama(10, loss=1.0)) + "\n" + json.dumps(llama(20, loss=math.nan)))
    found = world.training("trainer_log.jsonl")
    assert found.train is not None
    np.testing.assert_array_equal(found.train.value, [1.0, math.nan])
    assert len(found.notes) == 1


def test_record_that_is_cut_off_elsewhere_is_an_error(world: World) -> None:
    world.write(
        "trainer_log.jsonl", '{"current_steps": 10, "total_steps": 40, "loss": 2.0}\n{"current_steps": 20, "lo\n{}\n'
    )
    assert message(lambda: world.training("trainer_log.jsonl")) == (
        "trainer_log.jsonl:2:26: this is not JSON: invalid control character; correct it, or write the file again"
    )


def test_swift_steps_are_the_first_number_of_a_text(world: World) -> None:
    rows = [
        {"loss": "2.0", "token_acc": 0.5, "epoch": 0.5, "global_step/max_steps": "10/100", "memory(GiB)": 16.8},
        {"eval_loss": 2.5, "eval_token_acc": 0.4, "epoch": 0.5, "global_step/max_steps": "10/100"},
        {"loss": 1.0, "token_acc": 0.6, "epoch": 1.0, "global_step/max_steps": "20/100", "train_speed(s/it)": 0.1},
        {"train_runtime": 3.0, "total_flos": 1e9, "train_loss": 0.01, "global_step/max_steps": "20/100"},
        {"last_model_checkpoint": "x/checkpoint-20", "best_metric": 2.5, "global_step": 20, "log_history": [{}]},
    ]
    world.write_lines("logging.jsonl", *rows)
    world.write("args.json", '{"learning_rate": 1e-4, "lora": {"rank": 8}, "max_grad_norm": Infinity}')
    found = world.training("logging.jsonl")
    assert found.source.format == "ms-swift"
    assert sorted(found.curves) == ["eval_loss", "eval_token_acc", "loss", "token_acc"]
    assert points(found.train) == [(10, 2.0), (20, 1.0)]
    assert points(found.validation) == [(10, 2.5)]
    assert found.hyperparameters == {"learning_rate": 1e-4, "lora.rank": 8, "max_grad_norm": math.inf}
    assert found.filtered


def test_older_swift_counts_global_steps(world: World) -> None:
    last = {"last_model_checkpoint": "x/checkpoint-5", "best_metric": 2.5, "global_step": 5}
    world.write_lines("logging.jsonl", {"loss": 2.0, "global_step": 1}, {"loss": 1.0, "global_step": 5}, last)
    found = world.training("logging.jsonl")
    assert points(found.train) == [(1, 2.0), (5, 1.0)]
    assert list(found.curves) == ["loss"]


def test_swift_step_that_is_no_number_is_an_error(world: World) -> None:
    world.write_lines("logging.jsonl", {"loss": 2.0, "global_step/max_steps": "ten/100"})
    assert message(lambda: world.training("logging.jsonl")) == (
        "logging.jsonl:1: 'global_step/max_steps' is 'ten', where a number is due; correct it, or name another series"
    )


@pytest.mark.parametrize(
    ("names", "form"),
    [
        (("trainer_state.json", "trainer_log.jsonl"), "hf-trainer"),
        (("checkpoint-9/trainer_state.json", "trainer_log.jsonl"), "llama-factory"),
        (("checkpoint-9/trainer_state.json", "logging.jsonl"), "ms-swift"),
        (("checkpoint-9/trainer_state.json",), "hf-trainer"),
    ],
)
def test_run_folder_has_one_format(world: World, names: tuple[str, ...], form: str) -> None:
    row = {"loss": 1.0, "step": 9, "current_steps": 9, "total_steps": 9, "global_step/max_steps": "9/9"}
    for name in names:
        world.write("run/" + name, json.dumps(state(row) if name.endswith(".json") else row) + "\n")
    found = world.training("run")
    assert found.source.format == form
    assert points(found.train) == [(9, 1.0)]


@pytest.mark.real_data
def test_published_overfitting_run(world: World) -> None:
    # SOURCE.md: eval_loss 1.3727 at step 15, minimum 1.2538 at step 30, 3.7559 at step 300; train 1.38 to 0.03
    found = copied(world, "hf-trainer-state", "overfit.trainer_state.json")
    assert [(step, round(value, 4)) for step, value in points(found.validation)][:2] == [(15, 1.3727), (30, 1.2538)]
    assert min(points(found.validation), key=lambda point: point[1])[0] == 30
    assert round(points(found.validation)[-1][1], 4) == 3.7559
    assert points(found.validation)[-1][0] == 300
    assert [round(value, 2) for _, value in (points(found.train)[0], points(found.train)[-1])] == [1.38, 0.03]


@pytest.mark.real_data
def test_published_healthy_run(world: World) -> None:
    # SOURCE.md: loss 1.52 to 0.94 over 300 steps (its minimum, at step 260), no eval_loss
    found = copied(world, "hf-trainer-state", "healthy.trainer_state.json")
    assert found.validation is None
    assert round(points(found.train)[0][1], 2) == 1.52
    assert round(min(value for _, value in points(found.train)), 2) == 0.94
    assert points(found.train)[-1][0] == 300


@pytest.mark.real_data
def test_published_llama_factory_run(world: World) -> None:
    expected = json.loads((real_data("llamafactory-trainer-log") / "expected.json").read_text(encoding="utf-8"))
    found = copied(world, "llamafactory-trainer-log", "trainer_log.jsonl")
    measured = expected["measured"]
    assert len(points(found.train)) == measured["train_points"]
    assert len(points(found.validation)) == measured["eval_points"]
    assert [*points(found.train)[0]] == measured["first_train"]
    assert [*points(found.train)[-1]] == measured["last_train"]
    assert [*min(points(found.validation), key=lambda point: point[1])] == measured["eval_min"]
    assert [*points(found.validation)[-1]] == measured["eval_last"]


def copied(world: World, folder: str, name: str) -> Any:
    """The training of a published file."""
    path: Path = real_data(folder) / name
    world.write(name, path.read_bytes())
    return world.training(name)
