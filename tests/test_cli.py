"""The `vigate` command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_vigate.gates.syntax import compose
from worlds import hook_example, write_gate, write_jsonl, write_world


def vigate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell would."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest_vigate.cli", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n", encoding="utf-8")
    write_world(tmp_path)
    return tmp_path


def test_lint_counts_thresholds_of_good_files(folder: Path) -> None:
    write_gate(folder, "  bbox.f1: {min: 70%}\n  bbox.iou: {min: 70%}\n")
    result = vigate(folder, "lint", ".")
    assert (result.returncode, result.stdout, result.stderr) == (0, "car.gate.yaml: 2 thresholds\n", "")


def test_lint_shows_all_problems_of_all_files(folder: Path) -> None:
    write_gate(folder, "  bbox.f2: {min: 70%}\n  bbox.iou: {min: 70}\n")
    write_gate(folder, "  bbox.f1: {mim: 70%}\n", name="van")
    result = vigate(folder, "lint", "car.gate.yaml", "van.gate.yaml")
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        "car.gate.yaml:7:3: $.thresholds['bbox.f2']: unknown score 'bbox.f2'; did you mean 'bbox.f1'?",
        "car.gate.yaml:8:19: $.thresholds['bbox.iou'].min: 70 lies outside [0, 1], the range of bbox.iou; "
        "did you mean 70%?",
        "van.gate.yaml:7:12: $.thresholds['bbox.f1']: a threshold needs a bound; give min or max, or in for "
        "a score that is a name",
        "van.gate.yaml:7:13: $.thresholds['bbox.f1'].mim: unknown key 'mim'; did you mean 'min'?",
    ]


def test_lint_reads_no_data_unless_asked(folder: Path) -> None:
    write_gate(folder, "  bbox.f1: {min: 70%}\n")
    (folder / "predictions.jsonl").unlink()
    assert vigate(folder, "lint", ".").returncode == 0
    result = vigate(folder, "lint", "--data", ".")
    assert result.returncode == 1
    assert result.stderr == (
        "car.gate.yaml: predictions.jsonl: there is no such file; check the path, it is relative to the gate file\n"
    )


def test_lint_with_data_tells_what_was_joined(folder: Path) -> None:
    write_gate(folder, "  bbox.f1: {min: 70%}\n")
    assert vigate(folder, "lint", "--data", ".").stdout == (
        "car.gate.yaml: 1 thresholds, 8 samples, 8 with a prediction, 8 predicted and 8 referenced boxes\n"
    )


def test_lint_with_data_counts_malformed_replies(folder: Path) -> None:
    path = folder / "predictions.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace(']}]}}"', '"', 2), encoding="utf-8")
    write_gate(folder, "  bbox.f1: {min: 70%}\n")
    assert vigate(folder, "lint", "--data", ".").stdout == (
        "car.gate.yaml: 1 thresholds, 8 samples, 8 with a prediction, 6 predicted and 8 referenced boxes, "
        "malformed replies: 2\n"
    )


def test_lint_with_data_counts_only_what_was_answered(folder: Path) -> None:
    path = folder / "predictions.jsonl"
    first, *others = path.read_text(encoding="utf-8").splitlines()
    lines = [json.dumps({**json.loads(first), "raw_output": None}), *others]
    path.write_text("\n".join(lines), encoding="utf-8")
    write_gate(folder, "  bbox.f1: {min: 70%}\n")
    assert vigate(folder, "lint", "--data", ".").stdout == (
        "car.gate.yaml: 1 thresholds, 8 samples, 7 with a prediction, 7 predicted and 8 referenced boxes\n"
    )


RECORDS_GATE = """\
vigate: 1
data:
  predictions: {path: p.jsonl, format: jsonl, fields: {text: answer}DECLARED}
  references: {path: r.jsonl, boxes: {order: xyxy, space: 1000}}
thresholds:
"""


def write_records(folder: Path, *, declared: str, label: str, thresholds: str) -> None:
    """A gate on one picture with a car, and on a reply with a box of this label; `declared` are words of its side."""
    box = [0, 0, 500, 500]
    reply = json.dumps([{"bbox_2d": box, "label": label}])
    write_jsonl(folder / "p.jsonl", [{"id": 1, "answer": reply}])
    write_jsonl(folder / "r.jsonl", [{"id": 1, "boxes": [box], "labels": ["car"]}])
    write_gate(folder, thresholds, head=RECORDS_GATE.replace("DECLARED", declared))


@pytest.mark.parametrize(
    ("declared", "thresholds", "reasons"),
    [
        (
            "",
            "  bbox.f1: {min: 1%}\n  bbox.iou: {min: 1%}\n  coverage.predictions: {min: 1%}\n"
            "  coverage.parsed: {min: 1%}\n",
            [
                "p.jsonl: bbox needs boxes, and these records carry replies; declare how the replies write them, as "
                "boxes: qwen3-vl, name the fields that hold them under 'fields', or gate another family",
                "coverage.parsed is undefined: nothing says how the replies of p.jsonl write boxes; declare it, as "
                "boxes: qwen3-vl",
            ],
        ),
        (
            ", boxes: qwen3-vl",
            "  bbox.f1: {min: 1%}\n  confusion.accuracy: {min: 1%, confidence: 95%}\n",
            [
                "p.jsonl: no predicted label is known to r.jsonl: predictions have 'auto', references 'car'; say which "
                "mean the same: labels_map: {auto: car} under predictions",
            ],
        ),
        (
            ", boxes: qwen3-vl, labels_map: {auto: car}",
            "  bbox.f1: {min: 1%, where: {label: lorry}}\n  bbox.iou: {min: 1%, min_samples: 50, severity: warn}\n",
            [
                "no sample has label=lorry: the data has 'car'; zero samples prove nothing",
            ],
        ),
    ],
)
def test_lint_with_data_tells_what_cannot_be_measured_as_a_run_does(
    folder: Path, declared: str, thresholds: str, reasons: list[str]
) -> None:
    write_records(folder, declared=declared, label="auto", thresholds=thresholds)
    result = vigate(folder, "lint", "--data", ".")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [f"car.gate.yaml: {reason}" for reason in reasons]
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--vigate-json=record.json"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert run.returncode == 1
    (gate,) = json.loads((folder / "record.json").read_text(encoding="utf-8"))["gates"]
    unmeasurable = [item["message"] for item in gate["verdicts"] if item["verdict"] == "unmeasurable"]
    assert len(unmeasurable) >= len(reasons)
    assert {message.partition(" cannot be measured: ")[2] or message for message in unmeasurable} == set(reasons)


def test_lint_with_data_judges_nothing(folder: Path) -> None:
    write_gate(folder, "  bbox.f1: {min: 99%, confidence: 99%, min_samples: 50}\n")
    assert vigate(folder, "lint", "--data", ".").returncode == 0


def test_lint_knows_the_box_presets_of_a_conftest(folder: Path) -> None:
    write_gate(folder, "  bbox.f1: {min: 70%}\n").write_text(
        "vigate: 1\ndata: {predictions: {path: predictions.jsonl, boxes: at-signs}, references: references.jsonl}\n"
        "thresholds: {bbox.f1: {min: 70%}}\n",
        encoding="utf-8",
    )
    assert vigate(folder, "lint", ".").returncode == 2
    (folder / "conftest.py").write_text(hook_example("pytest_vigate_box_presets"), encoding="utf-8")
    assert vigate(folder, "lint", ".").returncode == 0


def test_lint_of_nothing_is_not_well(folder: Path) -> None:
    assert vigate(folder, "lint", "none.gate.yaml").returncode == 4
    result = vigate(folder, "lint", ".")
    assert result.returncode == 5
    assert result.stderr == ".: no gate file found; they are named *.gate.yaml or *.gate.yml\n"


def test_schema_is_valid_and_explains_every_family(folder: Path) -> None:
    result = vigate(folder, "schema")
    assert result.returncode == 0
    schema = json.loads(result.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    scores = schema["properties"]["thresholds"]["properties"]
    assert scores["bbox.f1"]["description"] == (
        "harmonic mean of precision and recall. In [0, 1], higher is better. "
        "Excellent from 0.9, good from 0.75, fair from 0.6, poor below"
    )
    parameters = schema["properties"]["metrics"]["properties"]["bbox"]["properties"]
    assert parameters["iou"]["description"] == "IoU at or above which a pair is a true positive"
    assert parameters["assign"]["enum"] == ["hungarian", "thresholded"]


def test_schema_offers_the_box_presets_and_takes_any(folder: Path) -> None:
    schema = json.loads(vigate(folder, "schema").stdout)
    whole = schema["properties"]["data"]["properties"]["predictions"]["anyOf"][1]
    name, mapping = whole["properties"]["boxes"]["anyOf"]
    assert {"vi", "qwen2.5-vl", "paligemma", "coco"} <= set(name["examples"])
    assert mapping["properties"]["preset"] == name
    validator = jsonschema.Draft202012Validator(whole)
    good: list[Any] = [
        "my-own",
        {"preset": "my-own"},
        {"order": "xyxy", "space": 7},
        {"preset": "vi", "one_based": False},
    ]
    bad: list[Any] = [
        "",
        {},
        {"order": "xyxy"},
        {"space": 7, "size": [1, 1]},
        {"preset": "vi", "resize": {"factor": 28}},
    ]
    for boxes in (*good, *bad):
        assert validator.is_valid({"path": "p", "boxes": boxes}) == (boxes in good), boxes


def test_schema_accepts_the_examples_of_the_project(folder: Path) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(vigate(folder, "schema").stdout))
    examples = sorted((Path(__file__).parents[1] / "example_gates").rglob("*.gate.yaml"))
    assert len(examples) >= 3
    for example in examples:
        root = compose(example.read_bytes()).root
        assert root is not None
        validator.validate(root.value)


def test_metrics_lists_families_and_prints_pages(folder: Path) -> None:
    listed = vigate(folder, "metrics").stdout
    assert "bbox: Agreement of predicted with referenced boxes" in listed
    assert "    coverage.predictions, coverage.parsed\n" in listed
    page = vigate(folder, "metrics", "bbox").stdout
    for section in ("Scores:", "Definition:", "Parameters:", "Differs from:", "Sources:", "Gate:"):
        assert f"\n{section}\n" in page


def test_unknown_metric_gets_a_suggestion(folder: Path) -> None:
    result = vigate(folder, "metrics", "bbx")
    assert (result.returncode, result.stderr) == (4, "unknown metric 'bbx'; did you mean 'bbox'?\n")


def test_families_of_a_conftest_are_known(folder: Path) -> None:
    (folder / "conftest.py").write_text(hook_example("pytest_vigate_metrics"), encoding="utf-8")
    assert "counting: " in vigate(folder, "metrics").stdout
    write_gate(folder, "  counting.exact: {min: 70%}\n")
    assert vigate(folder, "lint", ".").returncode == 0


def test_each_gate_is_linted_with_the_conftests_above_it(folder: Path) -> None:
    for name in ("one", "two"):
        below = folder / name
        below.mkdir()
        (below / "conftest.py").write_text(hook_example("pytest_vigate_metrics"), encoding="utf-8")
        write_world(below)
        write_gate(below, "  counting.exact: {min: 70%}\n")
    assert vigate(folder, "lint", ".").returncode == 0
    write_gate(folder, "  counting.exact: {min: 70%}\n")
    result = vigate(folder, "lint", ".")
    assert result.returncode == 2
    assert result.stderr.startswith("car.gate.yaml:7:3: $.thresholds['counting.exact']: unknown score 'counting.exact'")


def test_lint_says_when_pytest_would_not_collect_the_file(folder: Path) -> None:
    write_gate(folder, "  bbox.f1: {min: 70%}\n").rename(folder / "car_gate.yaml")
    result = vigate(folder, "lint", "car_gate.yaml")
    assert result.returncode == 4
    assert result.stderr == (
        "car_gate.yaml: pytest does not collect a gate of this name; call it *.gate.yaml or *.gate.yml\n"
    )
