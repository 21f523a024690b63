"""Gates on average precision."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_vigate.metrics.coco import Coco
from reading import Run
from worlds import real_data, write_coco

Record = Callable[..., dict[str, Any]]
NAMES = tuple(score.name for score in Coco.scores)
HEAD = """\
vigate: 1
data:
  predictions: {path: results.json, format: coco}
  references: {path: truth.json, format: coco}
"""


def write(folder: Path, thresholds: str, *, scores: Sequence[float | None], more: str = "") -> None:
    """One coin a picture, found exactly by its first box and missed by its second; scores of the boxes in turn."""
    write_coco(folder, scores=scores)
    (folder / "coin.gate.yaml").write_text(f"{HEAD}{more}thresholds:\n{thresholds}", encoding="utf-8")


def verdicts(record: Mapping[str, Any]) -> dict[str, Any]:
    return {verdict["score"]: verdict for gate in record["gates"] for verdict in gate["verdicts"]}


@pytest.mark.real_data
@pytest.mark.parametrize("workers", [["-p", "no:xdist"], ["-n", "2"]], ids=["one process", "two workers"])
def test_published_numbers_are_judged(pytester: pytest.Pytester, record: Record, workers: list[str]) -> None:
    pytest.importorskip("xdist")
    folder = real_data("coco-fakebbox100")
    published = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["bbox_full_precision"]
    shutil.copy(folder / "instances_val2014_100.json", pytester.path / "truth.json")
    shutil.copy(folder / "instances_val2014_fakebbox100_results.json", pytester.path / "results.json")
    lines = "".join(
        f"  coco.{name}: {{min: {value - 1e-9!r}}}\n" for name, value in zip(NAMES, published.values(), strict=True)
    )
    (pytester.path / "fake.gate.yaml").write_text(f"{HEAD}thresholds:\n{lines}", encoding="utf-8")
    found = record(*workers)
    judged = verdicts(found)
    assert found["counts"]["passed"] == 12
    for name, value in zip(NAMES, published.values(), strict=True):
        assert judged[f"coco.{name}"]["value"] == pytest.approx(value, abs=1e-9)
        assert judged[f"coco.{name}"]["low"] < value < judged[f"coco.{name}"]["high"]


def test_boxes_without_scores_are_an_error_that_names_the_way_out(pytester: pytest.Pytester, run: Run) -> None:
    write(pytester.path, "  coco.map: {min: 50%}\n", scores=[None, None])
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "unmeasurable: coco.map cannot be measured: results.json: 2 of 2 predicted boxes state no score, and "
            "average precision ranks boxes by their scores; record the confidences, or gate bbox.f1, bbox.precision "
            "and bbox.recall"
        ]
    )


def test_verdict_says_between_which_values_ties_can_move_it(pytester: pytest.Pytester, record: Record) -> None:
    # A hit and a false box a picture, all of one score: precision from 1/2 (read together) to 1 (hits first).
    lines = "  coco.map50: {min: 40%}\n  coco.ar100: {min: 40%}\n  coco.ar1: {min: 40%}\n"
    write(pytester.path, lines, scores=[0.5] * 20)
    judged = verdicts(record())
    note = (
        "tied scores: their order over all samples can move coco.map50 between 0.5000 and 1.0000; it is that of the "
        "input. Set ties: together to read them as one, or write scores with more digits"
    )
    assert note in judged["coco.map50"]["notes"]
    assert not any("tied" in said for said in judged["coco.ar100"]["notes"])
    assert judged["coco.ar1"]["notes"][0] == (
        "tied scores within a sample: in 10 of them, boxes of one class and score stand on both sides of the limit of "
        "coco.ar1; their order decides which of them count"
    )


def test_ties_together_leave_nothing_to_say(pytester: pytest.Pytester, record: Record) -> None:
    write(
        pytester.path,
        "  coco.map50: {min: 40%}\n",
        scores=[0.5] * 20,
        more="metrics: {coco: {ties: together}}\n",
    )
    judged = verdicts(record())["coco.map50"]
    assert judged["value"] == pytest.approx(0.5)
    assert not any("tied" in said for said in judged["notes"])


def test_failure_tells_what_was_missed_and_by_whom(pytester: pytest.Pytester, run: Run) -> None:
    # Five pictures with the hit first, five where the false box outranks it.
    write(pytester.path, "  coco.map: {min: 99%}\n", scores=[0.9, 0.1] * 5 + [0.2, 0.8] * 5)
    result = run()
    result.stdout.fnmatch_lines(
        [
            "failed: coco.map is 0.*, must be >= 0.99; the 5 worst samples have 5 invented",
            "  of 10 references, 0 are missed even at IoU 0.5, and 0 are found there but not at 0.75",
            "worst samples:",
            "  6: 1 invented (costs *)",
        ]
    )


def test_unknown_parameter_values_are_problems_of_the_gate(pytester: pytest.Pytester, run: Run) -> None:
    write(
        pytester.path,
        "  coco.map: {min: 50%}\n",
        scores=[0.5, 0.4],
        more="metrics: {coco: {iou_thresholds: [0.75, 0.5]}, large: {metric: coco, area_ranges: [9216, 1024]}}\n",
    )
    result = run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        [
            "coin.gate.yaml:5:11: $.metrics.coco: iou_thresholds: expected 1 to 20 numbers, each above the one before, "
            "found [[]0.75, 0.5]",
            "coin.gate.yaml:5:48: $.metrics.large: area_ranges: medium ends at 1024, where it has not begun",
        ]
    )


@pytest.mark.parametrize(("stated", "expected"), [("", 3), ("intervals: {draws: 40}\n", 40)])
def test_record_says_how_many_draws_were_worth_it(
    pytester: pytest.Pytester, record: Record, monkeypatch: pytest.MonkeyPatch, stated: str, expected: int
) -> None:
    monkeypatch.setattr(Coco, "affordable", lambda *_: 3)
    write(pytester.path, "  coco.map: {min: 1%}\n", scores=[0.9, 0.1, 0.2, 0.8] * 6, more=stated)
    (gate,) = record("-p", "no:xdist")["gates"]
    assert gate["families"][0]["scores"]["map"]["draws"] == expected


def test_confidence_takes_the_draws_it_needs(
    pytester: pytest.Pytester, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Coco, "affordable", lambda *_: 3)
    scores = [0.9, 0.1, 0.2, 0.8] * 10
    write(pytester.path, "  coco.map: [{min: 20%, confidence: 95%}, {min: 20%, id: point}]\n", scores=scores)
    (gate,) = record("-p", "no:xdist")["gates"]
    assert gate["families"][0]["scores"]["map"]["draws"] == 3
    sure, point = gate["verdicts"]
    assert sure["verdict"] == point["verdict"] == "passed"
    assert (sure["low"], sure["high"]) != (point["low"], point["high"])
