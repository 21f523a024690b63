"""The run record: whole, exact, and the one source of terminal and JUnit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reading import Run, cases, properties, verdicts
from worlds import GATE, GOOD, vi_prediction, vi_reference, vi_reply, write_gate, write_jsonl

Record = Callable[..., dict[str, Any]]

THRESHOLDS = """\
  bbox.f1: {min: 70%}
  bbox.recall: {min: 90%}
  coverage.predictions: {min: 100%}
  bbox.iou: {min: 90%, severity: warn}
"""


def test_record_holds_verdicts_scores_digests_and_versions(world: Path, record: Record) -> None:
    gate = write_gate(world, THRESHOLDS)
    found = record()
    assert (found["vigate"], found["complete"], found["seed"]) == (1, True, 0)
    assert found["tool"]["name"] == "pytest-vigate"
    assert found["tool"]["pytest"] == pytest.__version__
    assert found["counts"] == {
        "passed": 2,
        "failed": 1,
        "inconclusive": 0,
        "unmeasurable": 0,
        "warned": 1,
        "waived": 0,
        "deselected": 0,
        "not_judged": 0,
        "ignored_groups": 0,
    }
    (entry,) = found["gates"]
    assert (entry["path"], entry["name"]) == ("car.gate.yaml", "car")
    assert entry["digest"] == f"sha256:{hashlib.sha256(gate.read_bytes()).hexdigest()}"
    assert [(item["role"], item["path"], item["format"], item["samples"]) for item in entry["data"]] == [
        ("predictions", "predictions.jsonl", "vi", 8),
        ("references", "references.jsonl", "vi", 8),
    ]
    assert all(item["digest"].startswith("sha256:") for item in entry["data"])
    families = {family["name"]: family for family in entry["families"]}
    assert set(families) == {"bbox", "coverage"}
    # Every score of a family used, gated or not.
    assert set(families["bbox"]["scores"]) == {"f1", "precision", "recall", "iou", "iou_all", "acc"}
    assert families["bbox"]["parameters"]["labels"] == "ignore"
    recall = next(item for item in entry["verdicts"] if item["id"].endswith("bbox.recall"))
    assert (recall["verdict"], recall["value"], recall["bound"], recall["samples"]) == ("failed", 0.75, {"min": 0.9}, 8)
    assert [sample["id"] for sample in recall["worst"]] == ["car_06.jpg", "car_07.jpg"]


def test_format_found_by_its_signs_is_in_the_record(world: Path, record: Record) -> None:
    write_gate(world, "  bbox.f1: {min: 70%}\n", head=GATE.replace(", format: vi", ""))
    assert [item["format"] for item in record()["gates"][0]["data"]] == ["vi", "vi"]


def test_score_has_one_interval_wherever_it_is_shown(world: Path, record: Record) -> None:
    write_gate(world, THRESHOLDS)
    (entry,) = record()["gates"]
    family = next(family for family in entry["families"] if family["name"] == "bbox")
    for verdict in entry["verdicts"]:
        if verdict["score"].startswith("bbox."):
            score = family["scores"][verdict["score"].removeprefix("bbox.")]
            assert (score["low"], score["high"]) == (verdict["low"], verdict["high"])


def test_adding_a_threshold_never_moves_anothers_interval(world: Path, record: Record) -> None:
    write_gate(world, "  bbox.f1: {min: 70%}\n")
    (alone,) = record()["gates"][0]["verdicts"]
    write_gate(
        world,
        "  bbox.recall: [{min: 50%}, {min: 50%, where: {lighting: day}}]\n"
        "  bbox.f1: {min: 70%}\n"
        "  coverage.predictions: {min: 50%}\n",
    )
    beside = next(item for item in record()["gates"][0]["verdicts"] if item["score"] == "bbox.f1")
    assert (beside["low"], beside["high"]) == (alone["low"], alone["high"])


def test_two_runs_give_the_same_record(world: Path, record: Record) -> None:
    write_gate(world, THRESHOLDS)
    assert record() == record()


def test_seed_moves_intervals_and_nothing_else(world: Path, record: Record) -> None:
    found = []
    for seed in range(5):
        write_gate(world, f"  bbox.f1: {{min: 70%}}\nintervals: {{seed: {seed}, draws: 20}}\n")
        run_record = record()
        assert run_record["seed"] == seed
        found += run_record["gates"][0]["verdicts"]
    assert {verdict["value"] for verdict in found} == {0.75}
    assert len({(verdict["low"], verdict["high"]) for verdict in found}) > 1


def test_clusters_are_drawn_whole_from_the_attribute_that_names_them(world: Path, record: Record) -> None:
    # All eight pictures but the last are of one cluster: drawn whole, recall swings between 6/7 and 0.
    write_gate(world, "  bbox.recall: {min: 70%}\n")
    (alone,) = record()["gates"][0]["verdicts"]
    write_gate(world, "  bbox.recall: {min: 70%}\nintervals: {cluster: lighting}\n")
    (together,) = record()["gates"][0]["verdicts"]
    assert (together["low"], together["high"]) == (0.0, 6 / 7)
    assert alone["low"] > 0


def test_label_slice_counts_the_samples_that_have_the_label(world: Path, record: Record) -> None:
    # Predictions say "dent", references "a dent": only the two pictures with a false positive have the label "dent".
    write_gate(world, "  bbox.f1: {min: 1%, where: {label: dent}}\n")
    (verdict,) = record()["gates"][0]["verdicts"]
    assert (verdict["verdict"], verdict["value"], verdict["samples"]) == ("failed", 0.0, 2)


@pytest.mark.parametrize(
    ("options", "deselected", "not_judged"),
    [
        (["-k", "f1"], 3, 3),
        (["-m", "coverage"], 3, 3),
        (["-x"], 0, 2),
        (["car.gate.yaml::bbox.f1"], 0, 3),
        (["--deselect", "car.gate.yaml::bbox.f1"], 1, 1),
    ],
)
def test_cut_run_never_passes_for_a_whole_one(
    world: Path, record: Record, options: list[str], deselected: int, not_judged: int
) -> None:
    write_gate(world, THRESHOLDS)
    found = record(*options)
    assert found["complete"] is False
    assert (found["counts"]["deselected"], found["counts"]["not_judged"]) == (deselected, not_judged)


def test_last_failed_run_judges_only_these_and_says_so(world: Path, record: Record) -> None:
    write_gate(world, THRESHOLDS)
    record()
    found = record("--lf")
    assert verdicts(found) == {"car.gate.yaml::bbox.recall": "failed"}
    assert (found["complete"], found["counts"]["not_judged"]) == (False, 3)


def test_skipped_threshold_is_not_judged(world: Path, record: Record) -> None:
    write_gate(world, THRESHOLDS)
    (world / "conftest.py").write_text(
        "import pytest\n"
        "def pytest_collection_modifyitems(items):\n"
        "    items[0].add_marker(pytest.mark.skip(reason='not today'))\n",
        encoding="utf-8",
    )
    found = record()
    assert (found["complete"], found["counts"]["not_judged"]) == (False, 1)


def test_unreadable_gate_file_makes_the_run_incomplete(world: Path, record: Record) -> None:
    write_gate(world, "  bbox.f1: {min: 70%}\n")
    write_gate(world, "  bbox.f9: {min: 70%}\n", name="other")
    found = record("--continue-on-collection-errors")
    assert verdicts(found) == {"car.gate.yaml::bbox.f1": "passed"}
    assert found["complete"] is False


def test_run_without_gates_is_not_complete(pytester: pytest.Pytester, record: Record) -> None:
    pytester.makepyfile("def test_one(): pass")
    assert record()["complete"] is False


def test_last_failed_run_that_skips_a_whole_gate_file_is_not_complete(world: Path, record: Record) -> None:
    write_gate(world, "  bbox.f1: {min: 90%}\n")
    write_gate(world, "  bbox.f1: {min: 10%}\n", name="good")
    record()
    found = record("--lf")
    assert verdicts(found) == {"car.gate.yaml::bbox.f1": "failed"}
    assert (found["complete"], found["counts"]["not_judged"]) == (False, 1)


@pytest.mark.parametrize("hook", ["def pytest_collection(): os._exit(9)", "raise RuntimeError"])
def test_old_record_does_not_survive_a_run_that_crashes(world: Path, pytester: pytest.Pytester, hook: str) -> None:
    (world / "vigate.json").write_text('{"complete": true}', encoding="utf-8")
    (world / "conftest.py").write_text(f"import os\n{hook}\n", encoding="utf-8")
    assert pytester.runpytest_subprocess("--vigate-json=vigate.json").ret != 0
    assert not (world / "vigate.json").exists()


def test_record_that_cannot_be_written_is_wrong_usage(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 70%}\n")
    result = run("--vigate-json=.")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: --vigate-json: . is there and no file; name a file to write" in result.errlines
    result = run("--vigate-json=predictions.jsonl/vigate.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.errlines if line.startswith("ERROR: ")]
    # The middle is the system's own word for it.
    assert line.startswith("ERROR: --vigate-json: predictions.jsonl/vigate.json cannot be written: ")
    assert line.endswith("; name another place")


def test_hostile_ids_do_not_fill_the_record(world: Path, record: Record) -> None:
    write_jsonl(world / "predictions.jsonl", [vi_prediction("x" * 1_000_000, vi_reply(("dent", [])))])
    write_jsonl(world / "references.jsonl", [vi_reference("x" * 1_000_000, ("dent", [GOOD]))])
    write_gate(world, "  bbox.f1: {min: 70%}\n", head=GATE.replace("  attributes: [lighting]\n", ""))
    assert record()["counts"]["failed"] == 1
    assert (world / "vigate.json").stat().st_size < 100_000


def test_record_is_replaced_in_one_step(world: Path, run: Run) -> None:
    write_gate(world, THRESHOLDS)
    run("--vigate-json=out/vigate.json")
    assert [path.name for path in (world / "out").iterdir()] == ["vigate.json"]


def test_terminal_and_junit_are_projections_of_the_record(world: Path, run: Run) -> None:
    write_gate(world, THRESHOLDS)
    result = run("--vigate-json=vigate.json", "--junit-xml=gates.xml")
    found = json.loads((world / "vigate.json").read_text(encoding="utf-8"))
    junit = cases(world / "gates.xml")
    for verdict in found["gates"][0]["verdicts"]:
        name = verdict["id"].partition("::")[2]
        shown = properties(junit[name])
        assert shown["vigate.verdict"] == verdict["verdict"]
        assert float(shown["vigate.value"]) == verdict["value"]
        assert float(shown["vigate.low"]) == verdict["low"]
        assert float(shown["vigate.margin"]) == verdict["margin"]
        line = next(line for line in result.outlines if line.startswith(f"  {name} "))
        assert f"{verdict['value']:.3f}" in line
        assert f"[{verdict['low']:.3f}, {verdict['high']:.3f}]" in line
        assert verdict["verdict"] in line
    assert (
        "4 thresholds judged: 2 passed, 1 failed, 0 inconclusive, 0 unmeasurable, 1 warned, 0 waived; 0 not judged"
        in result.outlines
    )


def test_summary_counts_what_was_not_judged(world: Path, run: Run) -> None:
    write_gate(world, THRESHOLDS)
    run("-k", "f1").stdout.fnmatch_lines(["1 thresholds judged: 1 passed, *; 3 not judged (3 deselected)"])
    (world / "car.gate.yaml").unlink()
    write_gate(world, "  bbox.recall: {min: 50%, per: lighting, min_samples: 2, small_groups: ignore}\n")
    run().stdout.fnmatch_lines(["1 thresholds judged: 1 passed, *; 0 not judged (1 groups left out)"])
