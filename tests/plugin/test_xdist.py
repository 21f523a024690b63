"""Workers: the same verdicts, one whole record."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from reading import Run, properties, verdicts
from worlds import write_gate

pytest.importorskip("xdist")

THRESHOLDS = """\
  bbox.f1: {min: 70%}
  bbox.recall: {min: 90%}
  bbox.precision: {min: 70%, min_samples: 20}
  bbox.iou: [{min: 70%, where: {lighting: dawn}}, {min: 90%, severity: warn}]
  bbox.acc: {min: 80%, waiver: {until: 2999-01-01, owner: vision, reason: VIS-1}}
"""


@pytest.fixture
def two_gates(world: Path) -> Path:
    write_gate(world, THRESHOLDS)
    write_gate(world, THRESHOLDS, name="van")
    return world


@pytest.mark.parametrize("mode", ["load", "loadscope", "loadfile", "loadgroup", "worksteal", "each"])
def test_every_mode_gives_the_record_of_one_process(two_gates: Path, run: Run, mode: str) -> None:
    run("--vigate-json=alone.json", "-p", "no:xdist")
    alone = json.loads((two_gates / "alone.json").read_text(encoding="utf-8"))
    assert len(verdicts(alone)) == 12
    distribution = ["--tx", "2*popen"] if mode == "each" else ["-n", "2"]
    result = run("--vigate-json=workers.json", *distribution, "--dist", mode)
    assert json.loads((two_gates / "workers.json").read_text(encoding="utf-8")) == alone
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["12 thresholds judged: 2 passed, 2 failed, 2 inconclusive, 2 unmeasurable, 2 warned, 2 waived; 0 not judged"]
    )


def test_junit_is_the_same_with_workers(two_gates: Path, run: Run) -> None:
    run("--junit-xml=alone.xml", "-p", "no:xdist")
    run("--junit-xml=workers.xml", "-n", "2")
    alone, workers = (
        {
            (case.get("classname"), case.get("name")): properties(case)
            for case in ElementTree.parse(two_gates / name).getroot().iter("testcase")
        }
        for name in ("alone.xml", "workers.xml")
    )
    assert len(alone) == 12
    assert workers == alone


def test_deselected_thresholds_are_known_across_workers(two_gates: Path, run: Run) -> None:
    result = run("--vigate-json=vigate.json", "-n", "2", "-k", "f1")
    found = json.loads((two_gates / "vigate.json").read_text(encoding="utf-8"))
    assert (found["complete"], found["counts"]["deselected"], found["counts"]["not_judged"]) == (False, 10, 10)
    assert result.ret == 0


def test_unreadable_gate_file_is_an_error_with_workers_too(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 70%}\n")
    write_gate(world, "  bbox.f9: {min: 70%}\n", name="other")
    result = run("--vigate-json=vigate.json", "-n", "2")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["other.gate.yaml:7:3: *unknown score 'bbox.f9'*"])
    assert json.loads((world / "vigate.json").read_text(encoding="utf-8"))["complete"] is False


def test_lost_worker_makes_the_run_incomplete(two_gates: Path, run: Run) -> None:
    (two_gates / "test_crash.py").write_text("import os\ndef test_crash(): os._exit(1)\n", encoding="utf-8")
    run("--vigate-json=vigate.json", "-n", "2")
    assert json.loads((two_gates / "vigate.json").read_text(encoding="utf-8"))["complete"] is False


def test_only_the_controller_writes(two_gates: Path, run: Run) -> None:
    run("--vigate-json=vigate.json", "-n", "2", "-p", "no:cacheprovider")
    written = {path.name for path in two_gates.iterdir() if path.is_file()}
    assert written == {"car.gate.yaml", "van.gate.yaml", "predictions.jsonl", "references.jsonl", "vigate.json"}


def test_halves_of_characters_reach_the_record_as_escapes(world: Path, run: Run) -> None:
    (world / "p.jsonl").write_text('{"id": "a\\ud83d", "prediction": "two\\ud83d"}\n', encoding="utf-8")
    (world / "r.jsonl").write_text('{"id": "a\\ud83d", "reference": "two", "\\udc00": "b\\udc00"}\n', encoding="utf-8")
    (world / "texts.gate.yaml").write_text(
        "vigate: 1\ndata: {predictions: p.jsonl, references: r.jsonl}\nthresholds: {answer.exact: {min: 90%}}\n",
        encoding="utf-8",
    )
    result = run("--vigate-json=vigate.json", "--junit-xml=junit.xml", "-n", "2")
    assert result.ret == 1
    assert r"a\\ud83d" in (world / "vigate.json").read_text(encoding="utf-8")
