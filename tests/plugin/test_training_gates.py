"""Gates on a training run, on scores from elsewhere, and on overfitting of computed scores."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from reading import Run, cases, properties
from worlds import real_data, write_run

Record = Callable[..., dict[str, Any]]

TRAINING = "vigate: 1\ndata:\n  training: trainer_state.json\n"


def write_gate(folder: Path, thresholds: str, *, head: str = TRAINING, metrics: str = "") -> None:
    text = f"{head}{f'metrics:{chr(10)}{metrics}' if metrics else ''}thresholds:\n{thresholds}"
    (folder / "run.gate.yaml").write_text(text, encoding="utf-8")


def judged(record: Record, *arguments: str) -> dict[str, dict[str, Any]]:
    (gate,) = record(*arguments)["gates"]
    return {verdict["id"].partition("::")[2]: verdict for verdict in gate["verdicts"]}


@pytest.fixture
def healthy(pytester: pytest.Pytester) -> Path:
    write_run(pytester.path)
    return pytester.path


@pytest.fixture
def overfitting(pytester: pytest.Pytester) -> Path:
    write_run(pytester.path, rise=0.3)
    return pytester.path


def test_a_gate_may_judge_a_run_alone(healthy: Path, record: Record) -> None:
    write_gate(healthy, "  loss.drop: {min: 40%}\n  overfit.rise: {max: 10%}\n  loss.pattern: {in: [healthy]}\n")
    found = judged(record)
    assert {name: verdict["verdict"] for name, verdict in found.items()} == dict.fromkeys(
        ("loss.drop", "overfit.rise", "loss.pattern"), "passed"
    )
    assert found["loss.pattern"]["value"] == "healthy"
    assert found["loss.pattern"]["bound"] == {"in": ["healthy"]}
    assert found["loss.pattern"]["margin"] is None
    assert found["loss.drop"]["low"] is None


def test_the_log_is_in_the_record_with_its_digest(healthy: Path, record: Record) -> None:
    write_gate(healthy, "  loss.drop: {min: 40%}\n")
    (gate,) = record()["gates"]
    (file,) = gate["data"]
    assert (file["role"], file["path"], file["format"]) == ("training", "trainer_state.json", "hf-trainer")
    assert file["samples"] == 100
    assert file["digest"].startswith("sha256:")


def test_an_overfitting_run_fails_in_words(overfitting: Path, run: Run) -> None:
    write_gate(overfitting, "  loss.pattern: {in: [healthy, underfitting]}\n  overfit.rise: {max: 10%}\n")
    result = run()
    result.assert_outcomes(failed=2)
    text = str(result.stdout)
    assert "failed: loss.pattern is overfitting, must be in [healthy, underfitting]" in text
    assert "  loss.pattern  overfitting  in [healthy, underfitting]" in text
    # it rises by 30 % of what it was in the middle
    assert "overfit.rise is 0.300, must be <= 0.1" in text


def test_names_reach_junit(overfitting: Path, run: Run) -> None:
    write_gate(overfitting, "  loss.pattern: {in: [healthy], severity: warn}\n")
    run("--junit-xml=gates.xml")
    found = properties(cases(overfitting / "gates.xml")["loss.pattern"])
    assert found["vigate.value"] == "overfitting"
    assert found["vigate.bound"] == "in [healthy]"
    assert found["vigate.margin"] == ""
    assert found["vigate.verdict"] == "warned"


def test_a_waiver_holds_for_a_name(overfitting: Path, record: Record) -> None:
    waiver = "waiver: {until: 2999-01-01, owner: me, reason: soon}"
    write_gate(overfitting, f"  loss.pattern: {{in: [healthy], {waiver}}}\n")
    assert judged(record)["loss.pattern"]["verdict"] == "waived"


def test_a_run_without_validation_is_unmeasurable_where_it_is_needed(pytester: pytest.Pytester, record: Record) -> None:
    write_run(pytester.path, validated=False)
    write_gate(pytester.path, "  loss.drop: {min: 40%}\n  overfit.rise: {max: 10%}\n  loss.pattern: {in: [healthy]}\n")
    found = judged(record)
    assert [verdict["verdict"] for verdict in found.values()] == ["passed", "unmeasurable", "unmeasurable"]
    assert (
        "the log has no validation loss; it has 'loss', 'learning_rate', 'grad_norm'"
        in (found["overfit.rise"]["message"])
    )


def test_min_samples_counts_logged_points(healthy: Path, record: Record) -> None:
    write_gate(healthy, "  loss.val_final: {max: 2, min_samples: 11}\n  loss.final: {max: 2, min_samples: 100}\n")
    found = judged(record)
    assert found["loss.val_final"]["verdict"] == "inconclusive"
    assert found["loss.val_final"]["evidence"] == 10
    assert found["loss.final"]["verdict"] == "passed"


@pytest.mark.parametrize(
    ("threshold", "problem"),
    [
        ("loss.pattern: {min: 0.5}", "loss.pattern is one of healthy, overfitting, underfitting, unstable, not "
            "learning, and no number; write in: [healthy]"),
        ("loss.pattern: {in: [helthy]}", "'helthy' is not one of healthy, overfitting, underfitting, unstable, not "
            "learning; did you mean 'healthy'?"),
        ("loss.pattern: {in: [healthy, overfitting, underfitting, unstable, not learning]}", "a list of all names can "
            "never fail: loss.pattern is always one of healthy, overfitting, underfitting, unstable, not learning"),
        ("loss.pattern: {in: [healthy], waiver: {until: 2999-01-01, owner: o, reason: r, floor: 1}}",
            "a floor is a number, and loss.pattern is a name; remove it"),
        ("loss.final: {in: [healthy]}", "loss.final is a number, not a name; give min or max"),
        ("loss.final: {max: 1, confidence: 95%}",
            "there is no interval for the log of a training run, so no confidence bound; leave confidence out"),
        ("loss.final: {max: 1, where: {light: night}}",
            "'light' is neither in data.attributes nor a key of loss; list it under data.attributes"),
        ("bbox.f1: {min: 50%}", "bbox looks at what a model said, and the gate names none; add data.predictions"),
        ("reported.f1: {min: 50%}", "reported looks at a file of scores, and the gate names none; add data.reported"),
        ("reported.f1: {min: 75}", "75 lies outside [0, 1], the range of reported.f1; did you mean 75%?"),
    ],
)  # fmt: skip
def test_threshold_that_makes_no_sense_is_a_problem(healthy: Path, run: Run, threshold: str, problem: str) -> None:
    write_gate(healthy, f"  {threshold}\n")
    result = run()
    assert result.ret == 2
    assert any(line.startswith("run.gate.yaml:5:") and line.endswith(f": {problem}") for line in result.outlines)


def test_a_run_has_to_be_named(pytester: pytest.Pytester, run: Run) -> None:
    write_gate(pytester.path, "  loss.final: {max: 1}\n", head="vigate: 1\ndata: {predictions: p.jsonl}\n")
    result = run()
    assert result.ret == 2
    assert (
        "run.gate.yaml:4:3: $.thresholds['loss.final']: loss looks at the log of a training run, and the gate names "
        "none; add data.training"
    ) in result.outlines


def test_an_unknown_format_of_a_log(healthy: Path, run: Run) -> None:
    head = "vigate: 1\ndata:\n  training: {path: trainer_state.json, format: hf-trainr}\n"
    write_gate(healthy, "  loss.final: {max: 1}\n", head=head)
    assert (
        "run.gate.yaml:3:48: $.data.training.format: unknown format 'hf-trainr'; did you mean 'hf-trainer'?"
        in run().outlines
    )


def test_what_overfit_is_on_is_checked_at_its_place(healthy: Path, run: Run) -> None:
    write_gate(healthy, "  overfit.gap: {max: 0.1}\n", metrics="  overfit: {on: answer.exakt}\n")
    assert (
        "run.gate.yaml:5:17: $.metrics.overfit.on: on: unknown score 'answer.exakt'; did you mean 'answer.exact'?"
        in run().outlines
    )


def test_a_declared_checkpoint_is_where_a_run_is_judged(overfitting: Path, record: Record) -> None:
    head = f"{TRAINING}  checkpoint: 500\n"
    write_gate(overfitting, "  overfit.rise: {max: 10%}\n  overfit.regret: {max: 0.01}\n", head=head)
    found = judged(record)
    assert [verdict["value"] for verdict in found.values()] == [0.0, 0.0]
    (overfitting / "run.gate.yaml").write_text(
        (overfitting / "run.gate.yaml").read_text(encoding="utf-8").replace("500", "450"), encoding="utf-8"
    )
    found = judged(record)
    assert (
        "validation has no point at step 450, whose checkpoint is judged; the nearest: 300, 400, 500"
        in (found["overfit.rise"]["message"])
    )


def test_reported_scores_are_marked_as_such(healthy: Path, run: Run, record: Record) -> None:
    head = "vigate: 1\ndata: {reported: all_results.json}\n"
    write_gate(healthy, "  reported.eval_f1: {min: 75%}\n", head=head)
    found = record("--junit-xml=gates.xml")
    (verdict,) = found["gates"][0]["verdicts"]
    assert (verdict["verdict"], verdict["value"], verdict["origin"]) == ("passed", 0.81, "reported")
    assert "reported by all_results.json, not measured here" in verdict["notes"]
    assert properties(cases(healthy / "gates.xml")["reported.eval_f1"])["vigate.origin"] == "reported"
    run().stdout.fnmatch_lines(["  reported.eval_f1  0.810  >= 0.75  -  n=1  passed (reported)"])


def test_a_percentage_meets_no_bound_in_percent(healthy: Path, record: Record) -> None:
    (healthy / "scores.json").write_text('{"agility": 5.3, "flexibility": 5.3}', encoding="utf-8")
    write_gate(
        healthy,
        "  reported.agility: {min: 70%}\n  reported.flexibility: {min: 3}\n",
        head="vigate: 1\ndata: {reported: scores.json}\n",
    )
    found = judged(record)
    assert found["reported.agility"]["message"] == (
        "reported.agility is undefined: scores.json: 'agility' is 5.3, where a share lies in [0, 1]; if it is in "
        "percent, write metrics: {reported: {percent: [agility]}}"
    )
    assert found["reported.flexibility"]["verdict"] == "passed"


def test_lint_reads_a_run(healthy: Path, pytester: pytest.Pytester) -> None:
    write_gate(healthy, "  loss.drop: {min: 40%}\n")
    result = pytester.run("vigate", "lint", "--data", "run.gate.yaml")
    assert result.ret == 0
    assert result.outlines == ["run.gate.yaml: 1 thresholds, a run of 100 logged steps"]


ANSWERS = """\
vigate: 1
data:
  predictions: {path: "step-{checkpoint}/validation.jsonl"}
  references: validation.jsonl
  train:
    predictions: {path: "step-{checkpoint}/train.jsonl"}
    references: train.jsonl
"""


@pytest.fixture
def checkpoints(pytester: pytest.Pytester) -> Path:
    """The vendor's table: right answers on 100 questions each of the training and of validation."""
    folder = pytester.path
    for part in ("train", "validation"):
        write_answers(folder / f"{part}.jsonl", 100, field="reference")
    for step, train, validation in ((500, 75, 72), (1000, 85, 80), (1500, 92, 78), (2000, 97, 74)):
        write_answers(folder / f"step-{step}/train.jsonl", train)
        write_answers(folder / f"step-{step}/validation.jsonl", validation)
    return folder


def write_answers(path: Path, right: int, *, field: str = "text") -> None:
    path.parent.mkdir(exist_ok=True)
    texts = {f"q{i}": f"answer {i}" if i < right else "no idea" for i in range(100)}
    lines = [json.dumps({"id": name, field: text}) for name, text in texts.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


ON = "  overfit: {on: answer.exact}\n"


def test_gap_and_regret_of_a_computed_score(checkpoints: Path, record: Record) -> None:
    write_gate(checkpoints, "  overfit.gap: {max: 10%}\n  overfit.regret: {max: 5%}\n", head=ANSWERS, metrics=ON)
    found = judged(record)
    gap, regret = found["overfit.gap"], found["overfit.regret"]
    assert gap["value"] == pytest.approx(0.23)
    assert (gap["verdict"], gap["band"], gap["method"]) == ("failed", "severe", "mover")
    # two shares of 100: sqrt(.74 * .26 / 100 + .97 * .03 / 100) = 0.047, so about 0.23 -+ 0.092; exact are wider
    assert gap["low"] == pytest.approx(0.138, abs=0.02)
    assert gap["high"] == pytest.approx(0.322, abs=0.02)
    assert regret["value"] == pytest.approx(0.06)
    assert regret["notes"][-1] == (
        "an earlier checkpoint is better: answer.exact is 0.8 at checkpoint 1000, and 0.74 at checkpoint 2000"
    )


def test_confidence_on_a_gap(checkpoints: Path, record: Record) -> None:
    write_gate(checkpoints, "  overfit.gap: {max: 20%, confidence: 95%}\n", head=ANSWERS, metrics=ON)
    assert judged(record)["overfit.gap"]["verdict"] == "inconclusive"


@pytest.mark.parametrize(("checkpoint", "band"), [(500, "healthy"), (1000, "healthy"), (1500, "overfitting")])
def test_the_gate_says_which_checkpoint_is_judged(
    checkpoints: Path, record: Record, checkpoint: int, band: str
) -> None:
    head = ANSWERS.replace("data:\n", f"data:\n  checkpoint: {checkpoint}\n")
    write_gate(checkpoints, "  overfit.gap: {max: 30%}\n", head=head, metrics=ON)
    assert judged(record)["overfit.gap"]["band"] == band


def test_the_files_of_the_training_are_in_the_record(checkpoints: Path, record: Record) -> None:
    write_gate(checkpoints, "  overfit.gap: {max: 30%}\n", head=ANSWERS, metrics=ON)
    (gate,) = record()["gates"]
    roles = [(file["role"], file["path"]) for file in gate["data"]]
    assert ("train predictions", "step-500/train.jsonl") in roles
    assert ("train references", "train.jsonl") in roles
    assert ("predictions", "step-1500/validation.jsonl") in roles
    assert len(roles) == len(set(roles)) == 10


def test_train_and_validation_of_one_file_are_no_evidence(checkpoints: Path, record: Record) -> None:
    shutil.copy(checkpoints / "step-2000/validation.jsonl", checkpoints / "step-2000/train.jsonl")
    write_gate(checkpoints, "  overfit.gap: {max: 30%}\n", head=ANSWERS, metrics=ON)
    assert judged(record)["overfit.gap"]["message"] == (
        "overfit.gap cannot be measured: step-2000/train.jsonl: the predictions for the samples of the training are "
        "those for validation, so there can be no gap; name those of the training under data.train"
    )


def test_without_samples_of_the_training(checkpoints: Path, record: Record) -> None:
    head = ANSWERS.partition("  train:")[0]
    write_gate(checkpoints, "  overfit.gap: {max: 30%}\n  overfit.regret: {max: 10%}\n", head=head, metrics=ON)
    found = judged(record)
    assert found["overfit.gap"]["message"] == (
        "overfit.gap is undefined: the gate names no samples of the training; add data.train with predictions "
        "and references"
    )
    assert found["overfit.regret"]["verdict"] == "passed"


def test_train_predictions_of_no_checkpoint_are_of_none(checkpoints: Path, record: Record) -> None:
    shutil.copy(checkpoints / "step-500/train.jsonl", checkpoints / "train_answers.jsonl")
    head = ANSWERS.replace('"step-{checkpoint}/train.jsonl"', "train_answers.jsonl")
    write_gate(checkpoints, "  overfit.gap: {max: 30%}\n", head=head, metrics=ON)
    assert judged(record)["overfit.gap"]["message"] == (
        "overfit.gap is undefined: checkpoint 2000 has no predictions for the samples of the training; write "
        "{checkpoint} in their path"
    )


def test_samples_of_the_training_that_were_not_scored_flatter_nobody(checkpoints: Path, record: Record) -> None:
    # with 50 of 100 counted as wrong the gap would be 0.5 - 0.74
    for step in (500, 1000, 1500, 2000):
        path = checkpoints / f"step-{step}/train.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(lines[:50]), encoding="utf-8")
    write_gate(checkpoints, "  overfit.gap: {max: 10%}\n", head=ANSWERS, metrics=ON)
    assert judged(record)["overfit.gap"]["message"] == (
        "overfit.gap cannot be measured: step-2000/train.jsonl: 50 of 100 samples of the training have no prediction; "
        "counted as wrong they would make the gap smaller, so score them all, or name the references of the others "
        "alone"
    )


def test_samples_all_right_leave_the_gap_in_doubt(checkpoints: Path, record: Record) -> None:
    # 97 of 100 are right on train, and 5 of 5 on validation, which may be 48 % in truth
    for part in ("validation", "step-2000/validation"):
        lines = (checkpoints / f"{part}.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[:5]
        (checkpoints / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")
    head = ANSWERS.replace("{checkpoint}", "2000")
    several = ("{max: 5%}", "{max: 5%, confidence: 95%, id: sure}", "{max: 5%, min_samples: 20, id: many}")
    thresholds = "".join(f"    - {one}\n" for one in several)
    write_gate(checkpoints, f"  overfit.gap:\n{thresholds}", head=head, metrics=ON)
    found = judged(record)
    assert {name: verdict["verdict"] for name, verdict in found.items()} == {
        "overfit.gap": "passed",
        "overfit.gap[sure]": "inconclusive",
        "overfit.gap[many]": "inconclusive",
    }
    gap = found["overfit.gap"]
    assert (gap["samples"], gap["evidence"]) == (105, 5)
    # Clopper-Pearson of 5 of 5 at 95 % ends at 0.478; that of 97 of 100 at 0.915 and 0.994
    assert gap["low"] == pytest.approx(-0.03 - (0.97 - 0.9148), abs=1e-3)
    assert gap["high"] == pytest.approx(-0.03 + ((1 - 0.4782) ** 2 + (0.9938 - 0.97) ** 2) ** 0.5, abs=1e-3)


def test_runs_and_predictions_that_end_apart_are_told(checkpoints: Path, record: Record) -> None:
    write_run(checkpoints)  # 1 000 steps, while the last predictions are of 2 000
    head = ANSWERS.replace("data:\n", "data:\n  training: trainer_state.json\n")
    write_gate(checkpoints, "  loss.drop: {min: 10%}\n  answer.exact: {min: 10%}\n", head=head)
    assert (
        "checkpoint 2000 is judged, and the log of the run goes to step 1000" in (judged(record)["loss.drop"]["notes"])
    )


def test_a_gate_on_a_run_and_predictions_records_the_files_of_both(checkpoints: Path, record: Record) -> None:
    write_run(checkpoints)
    head = ANSWERS.partition("  train:")[0].replace("data:\n", "data:\n  training: trainer_state.json\n")
    write_gate(checkpoints, "  loss.drop: {min: 10%}\n  answer.exact: {min: 10%}\n", head=head)
    (gate,) = record()["gates"]
    assert {file["role"] for file in gate["data"]} == {"training", "predictions", "references"}


def test_a_series_that_nothing_asks_for_is_a_slip_of_the_pen(healthy: Path, run: Run) -> None:
    series = "{valdation: eval_loss, other: loss, v: eval_loss, wd: loss}"
    head = f"vigate: 1\ndata:\n  training: {{path: trainer_state.json, series: {series}}}\n"
    metrics = "  overfit: {on: [loss, v], better: lower}\n"
    write_gate(healthy, "  overfit.gap: {max: 1}\n  hyper.wd: {max: 5}\n", head=head, metrics=metrics)
    assert [line for line in run().outlines if line.startswith("run.gate.yaml:")] == [
        "run.gate.yaml:3:60: $.data.training.series.valdation: nothing asks for 'valdation'; "
        "did you mean 'validation'?",
        "run.gate.yaml:3:78: $.data.training.series.other: nothing asks for 'other'; "
        "what a log is asked for is step, epoch, train, validation",
    ]


def test_declared_hyperparameters_are_in_the_record(healthy: Path, record: Record) -> None:
    (healthy / "declared.yaml").write_text("weight_decay: 0.1\n", encoding="utf-8")
    head = "vigate: 1\ndata: {training: {path: trainer_state.json, hyperparameters: declared.yaml}}\n"
    write_gate(healthy, "  hyper.weight_decay: {max: 1}\n", head=head)
    (gate,) = record()["gates"]
    assert gate["verdicts"][0]["value"] == 0.1
    assert [(file["role"], file["path"]) for file in gate["data"]] == [
        ("training", "trainer_state.json"),
        ("hyperparameters", "declared.yaml"),
    ]
    digest = hashlib.sha256(b"weight_decay: 0.1\n").hexdigest()
    assert gate["data"][1]["digest"] == f"sha256:{digest}"


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("overfit", {"overfit.rise": "failed", "loss.drop": "passed", "loss.pattern": "failed"}),
        ("healthy", {"overfit.rise": "unmeasurable", "loss.drop": "passed", "loss.pattern": "unmeasurable"}),
    ],
)
def test_published_runs(pytester: pytest.Pytester, record: Record, file: str, expected: Mapping[str, str]) -> None:
    shutil.copy(real_data("hf-trainer-state") / f"{file}.trainer_state.json", pytester.path / "trainer_state.json")
    write_gate(pytester.path, "  overfit.rise: {max: 10%}\n  loss.drop: {min: 20%}\n  loss.pattern: {in: [healthy]}\n")
    assert {name: verdict["verdict"] for name, verdict in judged(record).items()} == expected
