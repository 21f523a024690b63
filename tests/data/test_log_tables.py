"""Ultralytics, Lightning and Keras: logs that are CSV files of a tool."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from data.world import World, message
from pytest_vigate.data.curves import Curve, Training
from worlds import real_data


def points(curve: Curve | None) -> list[tuple[int, float]]:
    assert curve is not None
    return list(zip(curve.step.tolist(), curve.value.tolist(), strict=True))


YOLO = """\
epoch,time,train/box_loss,train/cls_loss,train/dfl_loss,metrics/mAP50(B),val/box_loss,val/cls_loss,val/dfl_loss,lr/pg0
1,10.5,1.5,2.5,1,0.25,1.75,2,1.25,0.003
2,20.5,1.25,2,1,0.5,1.5,1.5,1.25,0.002
"""


def test_losses_of_a_detector_are_sums_of_their_parts(world: World) -> None:
    world.write("results.csv", YOLO)
    world.write("args.yaml", "task: detect\nlr0: 0.01\nbatch: 16\ncos_lr: false\nname: null\n")
    found = world.training("results.csv")
    assert found.source.format == "ultralytics"
    # train 1.5 + 2.5 + 1 = 5 and 1.25 + 2 + 1 = 4.25; validation 1.75 + 2 + 1.25 = 5 and 1.5 + 1.5 + 1.25 = 4.25
    assert points(found.train) == [(1, 5.0), (2, 4.25)]
    assert points(found.validation) == [(1, 5.0), (2, 4.25)]
    assert points(found.learning_rate) == [(1, 0.003), (2, 0.002)]
    assert found.train is not None
    assert found.train.epoch.tolist() == [1.0, 2.0]
    assert found.hyperparameters == {"task": "detect", "lr0": 0.01, "batch": 16, "cos_lr": False, "name": None}
    assert not found.filtered


def test_padded_headers_and_epochs_from_0_of_older_releases(world: World) -> None:
    rows = [["epoch", "train/box_loss", "val/box_loss", "x/lr0"], ["0", "3", "4", "0.1"], ["1", "2", "nan", "0.05"]]
    world.write("results.csv", "".join(",".join(f"{cell:>23}" for cell in row) + "\n" for row in rows))
    found = world.training("results.csv")
    assert points(found.train) == [(1, 3.0), (2, 2.0)]
    assert found.validation is not None
    np.testing.assert_array_equal(found.validation.value, [4, math.nan])
    assert points(found.learning_rate) == [(1, 0.1), (2, 0.05)]
    assert found.notes[0] == "'epoch' counts from 0; steps are finished epochs, from 1"


def test_part_that_one_side_lacks_is_in_neither_sum(world: World) -> None:
    world.write("results.csv", "epoch,train/box_loss,train/l1_loss,val/box_loss\n1,3,100,4\n")
    found = world.training("results.csv")
    assert points(found.train) == [(1, 3.0)]
    assert points(found.validation) == [(1, 4.0)]
    assert found.notes[0] == "only one side has 'train/l1_loss'; the losses are sums without it"


def test_detector_without_validation_losses_has_none(world: World) -> None:
    world.write("results.csv", "epoch,train/box_loss,train/cls_loss,metrics/mAP50(B)\n1,3,1,0.5\n")
    found = world.training("results.csv")
    assert points(found.train) == [(1, 4.0)]
    assert found.validation is None


def test_classifier_has_one_loss(world: World) -> None:
    world.write("results.csv", "epoch,time,train/loss,metrics/accuracy_top1,val/loss,lr/pg0\n1,9,2,0.5,3,0.1\n")
    found = world.training("results.csv")
    assert (points(found.train), points(found.validation)) == ([(1, 2.0)], [(1, 3.0)])


def test_epochs_that_were_not_validated_have_no_validation_loss(world: World) -> None:
    header = "epoch,train/box_loss,metrics/mAP50(B),val/box_loss\n"
    world.write("results.csv", header + "1,3,0,0\n2,2,0,0\n3,1,0.5,4\n")
    found = world.training("results.csv")
    assert points(found.validation) == [(3, 4.0)]
    assert points(found.curves["metrics/mAP50(B)"]) == [(3, 0.5)]
    assert len(points(found.train)) == 3
    assert found.notes[0] == "2 epochs were not validated: all losses and scores of val are 0 there"
    world.write("results.csv", header + "1,3,0,0\n2,2,0,0\n")
    assert world.training("results.csv").validation is None


def test_results_that_are_cut_off_end_before_the_last_line(world: World) -> None:
    whole = world.write("results.csv", YOLO).read_text(encoding="utf-8")
    header, first, second = whole.splitlines(keepends=True)
    for length in range(1, len(second)):  # also where only the line's end is missing: 0.002 may have been 0.0025
        world.write("results.csv", header + first + second[:length])
        found = world.training("results.csv")
        assert points(found.train) == [(1, 5.0)]
        assert found.notes[0] == "the last line has no end: it is cut off and left out"
    for length in range(1, len(header)):
        world.write("results.csv", header[:length])
        assert message(lambda: world.training("results.csv", form="ultralytics")) == (
            "results.csv:1: the header has no end: the log is cut off in it; zero points prove nothing"
        )


def test_line_that_is_cut_off_elsewhere_is_an_error(world: World) -> None:
    header, first, second = YOLO.splitlines(keepends=True)
    world.write("results.csv", header + first[:8] + second)
    assert message(lambda: world.training("results.csv")) == (
        "results.csv:2: 12 cells, where the header has 10; complete the row"
    )
    world.write("results.csv", header + first[:8] + "\n" + second)
    assert message(lambda: world.training("results.csv")) == (
        "results.csv:2: 3 cells, where the header has 10; complete the row"
    )


def test_results_that_were_appended_to_go_back(world: World) -> None:
    row = "1,10.5,9.5,2.5,1,0.25,1.75,2,1.25,0.003\n"
    world.write("results.csv", YOLO + row)
    assert message(lambda: world.training("results.csv")) == (
        "results.csv:4: the step of 'time' goes back from 2 to 1; if the run was resumed, declare on_resume: last, "
        "else give each run a log of its own"
    )
    # 9.5 + 2.5 + 1 = 13
    assert points(world.training("results.csv", on_resume="last").train) == [(1, 13.0)]


def test_run_folder_of_ultralytics(world: World) -> None:
    world.write("train/results.csv", YOLO)
    world.write("train/args.yaml", "batch: 16\n")
    assert world.training("train").source.format == "ultralytics"
    assert world.training("train").hyperparameters == {"batch": 16}


METRICS = """\
epoch,lr-Adam,step,train_loss_epoch,train_loss_step,val_loss
0,0.1,4,,2.5,
0,,9,,2.25,
0,,9,2.375,,
0,,9,,,3.5
1,0.05,14,,inf,
1,,19,,,nan
"""


def test_lightning_has_train_and_validation_on_rows_of_their_own(world: World) -> None:
    world.write("version_0/metrics.csv", METRICS)
    world.write("version_0/hparams.yaml", "lr: 0.1\nmodel:\n  depth: 3\n")
    for name in ("version_0", "version_0/metrics.csv"):
        found = world.training(name)
        assert found.source.format == "lightning"
        assert points(found.train) == [(4, 2.5), (9, 2.25), (14, math.inf)]
        assert found.validation is not None
        assert found.validation.step.tolist() == [9, 19]
        np.testing.assert_array_equal(found.validation.value, [3.5, math.nan])
        assert found.validation.epoch.tolist() == [1.0, 2.0]  # running epochs 0 and 1
        assert points(found.curves["train_loss_epoch"]) == [(9, 2.375)]
        assert points(found.learning_rate) == [(4, 0.1), (14, 0.05)]
        assert found.hyperparameters == {"lr": 0.1, "model.depth": 3}


def test_hyperparameters_that_are_python_objects_are_noted(world: World) -> None:
    world.write("metrics.csv", METRICS)
    world.write("hparams.yaml", "lr: 0.1\nargs: !!python/object:os.system {}\n")
    found = world.training("metrics.csv")
    assert found.hyperparameters == {}
    assert found.notes[0] == ("hyperparameters are not read: hparams.yaml:2:7: this is not YAML: tag; correct it")


@pytest.mark.parametrize("text", ["", "{}\n", "\n"])
def test_no_hyperparameters_are_none(world: World, text: str) -> None:
    world.write("metrics.csv", METRICS)
    world.write("hparams.yaml", text)
    found = world.training("metrics.csv")
    assert found.hyperparameters == {}
    assert len(found.notes) == 1


def test_detector_whose_parts_end_early_has_no_total(world: World) -> None:
    world.write("results.csv", "epoch,train/box_loss,train/cls_loss\n1,3,1\n2,2,\n")
    assert message(lambda: world.training("results.csv")) == (
        "results.csv: train/box_loss + train/cls_loss cannot be added up: step 2 has no 'train/cls_loss'; log all "
        "parts at every step, or declare series that have the same steps"
    )


@pytest.mark.parametrize(
    ("form", "text"),
    [("keras", "epoch,loss,step\n0,2,10\n1,1,20\n"), ("ultralytics", "epoch,train/loss,step\n1,2,10\n")],
)
def test_log_with_steps_is_none_of_a_format_of_epochs(world: World, form: str, text: str) -> None:
    world.write("log.csv", text)
    assert message(lambda: world.training("log.csv", form=form)) == (
        f"log.csv: there is a column 'step', and {form} counts epochs only; declare format: csv, or series: {{step: …}}"
    )
    found = world.training("log.csv", form=form, series={"step": "step"}).train
    assert found is not None
    assert found.step[0] == 10


def test_lightning_without_steps_is_none(world: World) -> None:
    world.write("version_0/metrics.csv", "epoch,train_loss\n0,2\n1,1\n")
    assert message(lambda: world.training("version_0", form="lightning")) == (
        "version_0/metrics.csv: there is no column 'step', which Lightning writes; declare format: csv, or series: "
        "{step: …}"
    )
    assert message(lambda: world.training("version_0")).startswith("version_0: no format of training logs fits; ")
    world.write("version_0/metrics.csv", "step,train_loss\n")
    assert message(lambda: world.training("version_0")) == (
        "version_0: the log has no points; zero points prove nothing"
    )


def test_header_outside_of_the_folder_is_no_sign(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "metrics.csv"
    other.write_text(METRICS, encoding="utf-8")
    (world.root / "version_0").mkdir()
    (world.root / "version_0/metrics.csv").symlink_to(other)
    assert message(lambda: world.training("version_0")).startswith("version_0: no format of training logs fits; ")


KERAS = """\
epoch,accuracy,loss,val_accuracy,val_loss
0,0.25,2.5,0.5,NA
1,0.5,1.5,0.75,1.75
"""


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_keras_counts_epochs_from_0(world: World, separator: str, end: str) -> None:
    world.write("log.csv", KERAS.replace(",", separator).replace("\n", end))
    found = world.training("log.csv")
    assert found.source.format == "keras"
    assert points(found.train) == [(1, 2.5), (2, 1.5)]
    assert points(found.validation) == [(2, 1.75)]
    assert found.validation is not None
    assert found.validation.epoch.tolist() == [2.0]
    assert points(found.curves["accuracy"]) == [(1, 0.25), (2, 0.5)]


def test_keras_run_that_goes_on_counts_from_0_too(world: World) -> None:
    # initial_epoch=5: five epochs are finished before, six after the first row
    world.write("log.csv", "epoch,loss\n5,2\n6,1\n")
    assert points(world.training("log.csv", form="keras").train) == [(6, 2.0), (7, 1.0)]


def test_invented_columns_of_keras_are_no_series(world: World) -> None:
    world.write("log.csv", 'epoch,loss,weights,val_loss,val_weights\n0,2.5,"[1, 2]",NA,NA\n1,1.5,"[3, 4]",NA,NA\n')
    found = world.training("log.csv")
    assert found.validation is None
    assert list(found.curves) == ["loss"]
    assert message(lambda: world.training("log.csv", series={"f1": "weights"})) == (
        "log.csv:2: 'weights' is '[1, 2]', where a number is due; correct it, or name another series"
    )


def test_tables_of_nobody_fit_no_format(world: World) -> None:
    declare = (
        "no format of training logs fits; declare format: one of csv, hf-trainer, jsonl, keras, lightning, "
        "llama-factory, mlflow, ms-swift, tensorboard, ultralytics, vi"
    )
    for text in (
        "epoch,loss,accuracy\n0,1,2\n",  # Keras sorts
        "epoch,accuracy,loss\n1,1,2\n",  # and counts from 0
        "step,loss\n0,1\n",
        "epoch,metrics/f1\n1,2\n",
        "epoch,accuracy,loss\n0,1,2\n0,1,2\n",  # a row a batch
    ):
        world.write("log.csv", text)
        assert message(lambda: world.training("log.csv")) == f"log.csv: {declare}"


@pytest.mark.real_data
def test_published_lightning_run(world: World) -> None:
    folder = real_data("lightning-metrics-csv")
    expected = json.loads((folder / "expected_measured.json").read_text(encoding="utf-8"))["metrics_csv"]
    world.write("metrics.csv", (folder / "metrics.csv").read_bytes())
    found: Training = world.training("metrics.csv")
    validation = found.validation
    assert validation is not None
    logged = zip((validation.epoch - 1).tolist(), validation.step.tolist(), validation.value.tolist(), strict=True)
    assert [[*row] for row in logged] == expected["val_loss"]
    assert points(found.curves["test_loss"]) == [(8595, expected["final_test_loss"])]
    assert len(points(found.train)) == expected["rows"] - len(expected["val_loss"]) - 1
