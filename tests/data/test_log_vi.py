from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.world import World, message
from pytest_vigate.data.reported import read_reported

PATH = "run.json"


def pulled(*checkpoints: dict[str, Any], flow: Any = None, **changed: Any) -> dict[str, Any]:
    """A file as `vigate pull vi` writes it."""
    return {
        "vigate": 1,
        "source": "vi",
        "pulled": "2026-01-01T00:00:00Z",
        "run": {"id": "run-1", "flow": flow, "project": None, "status": [], "log": ""},
        "checkpoints": [
            {"id": f"output-{i}", "created": "2026-01-01T00:00:00Z", "epoch": None, "evaluation_metrics": None, **given}
            for i, given in enumerate(checkpoints)
        ],
        **changed,
    }


def at(epoch: int | None, **metrics: Any) -> dict[str, Any]:
    return {"epoch": epoch, "evaluation_metrics": metrics}


def test_every_metric_is_a_curve_by_epoch(world: World) -> None:
    world.write_json(PATH, pulled(at(1, bbox={"f1": 0.5, "iou": None}, BLEU=0.2), at(3, bbox={"f1": 0.75, "iou": 0.6})))
    training = world.training(PATH)
    assert training.source.format == "vi"
    assert {name: curve.step.tolist() for name, curve in training.curves.items()} == {
        "bbox.f1": [1, 3],
        "bbox.iou": [3],
        "BLEU": [1],
    }
    assert training.curve("bbox.f1").value.tolist() == [0.5, 0.75]
    assert training.curve("bbox.f1").epoch.tolist() == [1, 3]
    assert (training.train, training.validation, training.learning_rate) == (None, None, None)
    assert training.notes == ("no series was read as a loss",)


@pytest.mark.parametrize("epochs", [(0, 1, 2), (0, 0, 2)])
def test_steps_are_epochs_as_vi_counts_them(world: World, epochs: tuple[int, ...]) -> None:
    world.write_json(PATH, pulled(*(at(epoch, f1=0.1 * i) for i, epoch in enumerate(epochs))))
    training = world.training(PATH)
    assert training.curve("f1").step.tolist() == sorted(set(epochs))
    # what has finished: a count that begins with 0 names the epoch that runs
    assert training.curve("f1").epoch.tolist() == [epoch + 1 for epoch in sorted(set(epochs))]
    assert training.notes[0] == "epochs are counted from 0 in the log, and so are steps"


def test_last_checkpoint_is_that_of_the_highest_epoch(world: World) -> None:
    world.write_json(PATH, pulled(at(3, f1=0.3), at(1, f1=0.1), at(2, f1=0.2)))
    for resumed in ("error", "last"):
        training = world.training(PATH, on_resume=resumed)
        assert training.curve("f1").step.tolist() == [1, 2, 3]
        assert training.curve("f1").value.tolist() == [0.1, 0.2, 0.3]
        assert training.notes[0] == "checkpoints are sorted by epoch; the last is checkpoint 'output-0', epoch 3"


checkpoints = st.lists(
    st.fixed_dictionaries({"epoch": st.integers(0, 9), "f1": st.floats(-9, 9)}),
    min_size=1,
    max_size=9,
    unique_by=lambda drawn: drawn["epoch"],
)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=checkpoints, dated=st.booleans())
def test_curves_and_reported_scores_name_the_same_checkpoints(
    world: World, drawn: list[dict[str, Any]], dated: bool
) -> None:
    world.write_json(PATH, pulled(*(at(one["epoch"] if dated else None, f1=one["f1"]) for one in drawn)))
    curve = world.training(PATH).curve("f1")
    source = world.source("reported", PATH)
    assert read_reported(source).values == {"f1": curve.value[-1]}
    for step, value in zip(curve.step.tolist(), curve.value.tolist(), strict=True):
        assert read_reported(source, checkpoint=step).values == {"f1": value}
    assert curve.step.tolist() == (sorted(one["epoch"] for one in drawn) if dated else [*range(1, len(drawn) + 1)])


def test_without_epochs_checkpoints_are_counted(world: World) -> None:
    world.write_json(PATH, pulled(at(None, f1=0.5), at(None), at(None, f1=0.6)))
    training = world.training(PATH)
    assert training.curve("f1").step.tolist() == [1, 3]
    assert np.isnan(training.curve("f1").epoch).all()
    assert training.notes[:2] == (
        "no checkpoint has an epoch: steps count checkpoints, from 1",
        "1 of 3 checkpoints have no metrics",
    )


@pytest.mark.parametrize(
    ("train", "validation"),
    [("train_loss", "val_loss"), ("Training Loss", "Validation-Total Loss"), ("trainTotalLoss", "evalLoss")],
)
def test_losses_are_read_where_their_names_say_which(world: World, train: str, validation: str) -> None:
    world.write_json(PATH, pulled(at(1, **{train: 2.0, validation: 3.0, "Total loss": 9, "learningRate": 0.1})))
    training = world.training(PATH)
    assert training.train is training.curve(train)
    assert training.validation is training.curve(validation)
    assert training.learning_rate is training.curve("learningRate")


def test_total_loss_is_neither_until_it_is_declared(world: World) -> None:
    world.write_json(PATH, pulled(at(1, **{"Total loss": 2.0}), at(2, **{"Total loss": 1.5})))
    assert world.training(PATH).validation is None
    declared = world.training(PATH, series={"validation": "Total loss"})
    assert declared.validation is not None
    assert declared.validation.value.tolist() == [2.0, 1.5]


def test_numbers_that_json_does_not_have_are_facts(world: World) -> None:
    texts = ("NaN", "Infinity", "-Infinity")
    world.write_json(PATH, pulled(*(at(i, val_loss=text) for i, text in enumerate(texts, start=1)), at(4, val_loss=1)))
    value = world.training(PATH).curve("val_loss").value
    assert math.isnan(value[0])
    assert value[1:].tolist() == [math.inf, -math.inf, 1]
    big = "9" * 400
    world.write("big.json", world.write_json(PATH, pulled(at(1, f1=77))).read_text().replace("77", f"-{big}"))
    assert world.training("big.json", form="vi").curve("f1").value.tolist() == [-math.inf]


def test_empty_objects_are_no_metrics(world: World) -> None:
    world.write_json(PATH, pulled(at(1, bbox={}), at(2, bbox={"f1": 0.5})))
    training = world.training(PATH)
    assert training.curve("bbox.f1").step.tolist() == [2]
    assert training.notes[0] == "1 of 2 checkpoints have no metrics"


def test_what_is_no_number_is_left_out_and_said(world: World) -> None:
    world.write_json(PATH, pulled(at(1, f1=0.5, perClass=[1, 2], done=True, note="fine")))
    training = world.training(PATH)
    assert list(training.curves) == ["f1"]
    assert training.notes[0] == "metrics that are no numbers are left out: it has 'perClass', 'done', 'note'"


def test_settings_of_the_flow_are_hyperparameters(world: World) -> None:
    blocks = [{"block": "trainer", "settings": {"lr": 1e-4, "lora": {"rank": 8}}}, {"block": "x"}, 3]
    world.write_json(PATH, pulled(at(1, f1=1), flow={"settings": {"seed": 7}, "blocks": blocks}))
    assert world.training(PATH).hyperparameters == {"settings.seed": 7, "trainer.lr": 1e-4, "trainer.lora.rank": 8}
    world.write("declared.yaml", "lr: 0.5")
    assert world.training(PATH, hyperparameters="declared.yaml").hyperparameters == {"lr": 0.5}


def test_run_that_is_named_has_to_be_this_one(world: World) -> None:
    world.write_json(PATH, pulled(at(1, f1=1)))
    assert world.training(PATH, run="run-1").curve("f1").value.tolist() == [1]
    assert message(lambda: world.training(PATH, run="run-2")) == (
        "run.json: this is the run 'run-1', not 'run-2'; pull that one"
    )


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            pulled(at(1, f1=1), at(None, f1=2), at(3, f1=3)),
            "run.json: checkpoint 2: it has no epoch, and 2 of 3 checkpoints have one: nothing says where it stands; "
            "remove it from the file, or give it its epoch",
        ),
        (pulled(at(-1, f1=1)), "run.json: checkpoint 1: the epoch -1 is none; epochs count from 0 or 1"),
        (
            pulled(at(3, f1=1), at(2, f1="bad")),
            "run.json: checkpoint 2: 'f1' is no number here, and is one at other checkpoints; pull anew",
        ),
        (
            pulled(at(1, **{"x" * 501: 1})),
            f"run.json: checkpoint 1: the name '{'x' * 59}…' is longer than 500 characters; shorten it",
        ),
        (
            pulled(*(at(i, **{f"k{i}-{j}": 1 for j in range(60_000)}) for i in (1, 2))),
            "run.json: more than 100000 metrics, which is more than any run has; pull anew",
        ),
        (pulled(at(True, f1=1)), "run.json: $.checkpoints[0].epoch: expected int | null, got bool"),
        (pulled(at(1, a={})), "run.json: the log has no points; zero points prove nothing"),
        (
            pulled(at(1, f1=1), at(2, f1="bad")),
            "run.json: checkpoint 2: 'f1' is no number here, and is one at other checkpoints; pull anew",
        ),
        (
            pulled(at(1, **{"a": {"b": 1}, "a.b": 2})),
            "run.json: checkpoint 1: the name 'a.b' is there twice, nested and with dots; keep the one meant",
        ),
        (
            pulled(at(1, val_loss=1, eval_loss=2)),
            "run.json: 'val_loss' and 'eval_loss' may both be the validation loss; declare series: {validation: one of "
            "them}",
        ),
        (pulled(), "run.json: the log has no points; zero points prove nothing"),
        (pulled(at(1), at(2)), "run.json: the log has no points; zero points prove nothing"),
        ({"vigate": 1}, "run.json: $: the field 'source' is missing"),
    ],
)
def test_what_is_no_log_is_refused(world: World, document: dict[str, Any], said: str) -> None:
    world.write_json(PATH, document)
    assert message(lambda: world.training(PATH, form="vi")) == said


@pytest.mark.parametrize("role", ["step", "epoch"])
def test_steps_cannot_be_declared(world: World, role: str) -> None:
    world.write_json(PATH, pulled(at(1, f1=1)))
    assert message(lambda: world.training(PATH, series={role: "f1"})) == (
        f"run.json: Vi's epochs are the steps of this log; leave '{role}' out of series"
    )


def test_file_that_is_cut_or_nested_without_end_is_refused(world: World) -> None:
    text = world.write_json(PATH, pulled(at(1, f1=1))).read_text(encoding="utf-8")
    world.write("cut.json", text[:-20])
    assert message(lambda: world.training("cut.json")).startswith("cut.json:1:")
    world.write("deep.json", text.replace('"f1": 1', '"f1": ' + "[" * 50_000 + "]" * 50_000))
    assert message(lambda: world.training("deep.json")).startswith("deep.json")
