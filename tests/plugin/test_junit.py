"""JUnit: what a CI shows of a threshold."""

from __future__ import annotations

from pathlib import Path

import pytest

from reading import Run, cases, properties
from worlds import write_gate

FAMILIES = pytest.mark.parametrize("family", ["xunit1", "xunit2"])


@FAMILIES
def test_properties_hold_the_whole_evidence(world: Path, run: Run, family: str) -> None:
    write_gate(world, "  bbox.f1: {min: 70%}\n")
    run("--junit-xml=gates.xml", "-o", f"junit_family={family}")
    found = properties(cases(world / "gates.xml")["bbox.f1"])
    low, high = float(found.pop("vigate.low")), float(found.pop("vigate.high"))
    assert low < 0.75 < high
    signature = found.pop("vigate.signature")
    assert signature.startswith("bbox|assign:hungarian|iou:0.5|labels:ignore|min_score:none|version:")
    assert found == {
        "vigate.score": "bbox.f1",
        "vigate.origin": "measured",
        "vigate.value": "0.75",
        "vigate.bound": ">= 0.7",
        "vigate.margin": repr(0.75 - 0.7),
        "vigate.samples": "8",
        "vigate.verdict": "passed",
        "vigate.band": "good",
        "vigate.severity": "block",
    }


@FAMILIES
def test_failure_text_goes_from_the_line_to_act_on_to_the_command(world: Path, run: Run, family: str) -> None:
    write_gate(world, "  bbox.recall: {min: 90%, note: The line stops.}\n")
    run("--junit-xml=gates.xml", "-o", f"junit_family={family}")
    failure = cases(world / "gates.xml")["bbox.recall"].find("failure")
    assert failure is not None
    lines = str(failure.text).splitlines()
    assert lines[0] == "failed: bbox.recall is 0.750, must be >= 0.9; the 2 worst samples have 2 missed"
    assert str(failure.get("message")).splitlines()[0].startswith(lines[0][:60])
    assert lines[1].startswith("95% interval [0.")
    assert lines[1].endswith("] (bootstrap), 8 samples, band good")
    assert lines[2:] == [
        "diagnosis:",
        "  high f1 0.75, high iou 0.82: finds the objects and places them well: "
        "what is left to gain lies in the worst samples",
        "  8 references: 2 missed, 2 invented",
        "  2 predicted boxes touch no reference they could match: add pictures without objects",
        "worst samples:",
        # Without one missed picture recall would be 6/7: 6/7 − 6/8 = 0.107
        "  car_06.jpg: 1 missed (costs 0.11)",
        "  car_07.jpg: 1 missed (costs 0.11)",
        "note of the gate: The line stops.",
        "reproduce: pytest car.gate.yaml::bbox.recall",
    ]


def test_inconclusive_failure_begins_with_that_word(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 70%, min_samples: 9}\n")
    run("--junit-xml=gates.xml")
    failure = cases(world / "gates.xml")["bbox.f1"].find("failure")
    assert failure is not None
    assert str(failure.text).startswith(
        "inconclusive: bbox.f1 is 0.750, must be >= 0.7 (8 samples are fewer than min_samples 9)"
    )


def test_unmeasurable_is_an_error_without_a_stack(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 70%}\n")
    (world / "predictions.jsonl").unlink()
    result = run("--junit-xml=gates.xml")
    error = cases(world / "gates.xml")["bbox.f1"].find("error")
    assert error is not None
    text = str(error.text)
    assert text.startswith("unmeasurable: bbox.f1 cannot be measured: predictions.jsonl: ")
    assert "Traceback" not in text
    assert "nodes.py" not in text
    assert text.splitlines()[-1] == "reproduce: pytest car.gate.yaml::bbox.f1"
    assert result.ret == 1


def test_warned_and_waived_are_skipped_with_their_reason(world: Path, run: Run) -> None:
    write_gate(
        world,
        "  bbox.f1: {min: 90%, severity: warn}\n"
        "  bbox.recall: {min: 90%, waiver: {until: 2999-01-01, owner: vision, reason: VIS-1}}\n",
    )
    run("--junit-xml=gates.xml")
    found = cases(world / "gates.xml")
    warned, waived = found["bbox.f1"].find("skipped"), found["bbox.recall"].find("skipped")
    assert warned is not None
    assert waived is not None
    assert warned.get("message") == "bbox.f1 is 0.750, must be >= 0.9"
    assert waived.get("message") == ("bbox.recall is 0.750, must be >= 0.9; waived by vision until 2999-01-01: VIS-1")
    assert properties(found["bbox.recall"])["vigate.verdict"] == "waived"


def test_xunit1_points_at_the_line_of_the_threshold(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 70%}\n  bbox.iou: {min: 70%}\n")
    run("--junit-xml=gates.xml", "-o", "junit_family=xunit1")
    assert cases(world / "gates.xml")["bbox.iou"].get("line") == "7"  # counted from 0 by pytest


def test_markers_of_family_and_tags_select(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 70%, tags: [nightly]}\n  coverage.predictions: {min: 70%}\n")
    run("-m", "nightly", "--strict-markers").assert_outcomes(passed=1, deselected=1)
    run("-m", "coverage").assert_outcomes(passed=1, deselected=1)
    run("-m", "vigate").assert_outcomes(passed=2)
    run("-m", "not vigate").assert_outcomes(deselected=2)
