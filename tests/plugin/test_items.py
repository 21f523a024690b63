"""Gate files as test items: ids, verdicts, statuses, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reading import Run
from worlds import FAR, GATE, GOOD, NEAR, vi_prediction, vi_reference, vi_reply, write_gate, write_jsonl

ALL_SIX = """\
  bbox.f1: {min: 70%}
  bbox.recall: {min: 90%}
  bbox.precision: {min: 70%, min_samples: 20}
  bbox.iou:
    - {min: 70%, where: {lighting: dawn}}
    - {min: 90%, severity: warn}
  bbox.acc: {min: 80%, waiver: {until: 2999-01-01, owner: vision, reason: VIS-1}}
"""


def test_each_verdict_has_its_status_and_letter(world: Path, run: Run) -> None:
    write_gate(world, ALL_SIX)
    result = run()
    result.assert_outcomes(passed=1, failed=2, errors=1)
    assert result.parseoutcomes()["warned"] == 1
    assert result.parseoutcomes()["waived"] == 1
    result.stdout.fnmatch_lines(["car.gate.yaml .FFEWV *"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_verbose_run_prints_words(world: Path, run: Run) -> None:
    write_gate(world, ALL_SIX)
    shown = [line.split(" (")[0].split("  ")[0] for line in run("-v").outlines if line.startswith("car.gate.yaml::")]
    assert shown == [
        "car.gate.yaml::bbox.f1 PASSED",
        "car.gate.yaml::bbox.recall FAILED",
        "car.gate.yaml::bbox.precision FAILED",
        "car.gate.yaml::bbox.iou[lighting=dawn] ERROR",
        "car.gate.yaml::bbox.iou WARNED",
        "car.gate.yaml::bbox.acc WAIVED",
    ]


@pytest.mark.parametrize(
    ("thresholds", "code"),
    [
        ("  bbox.f1: {min: 70%}\n", 0),
        ("  bbox.f1: {min: 70%}\n  bbox.iou: {min: 90%, severity: warn}\n", 0),
        ("  bbox.f1: {min: 90%, waiver: {until: 2999-01-01, owner: o, reason: r}}\n", 0),
        ("  bbox.f1: {min: 90%}\n", 1),
        ("  bbox.f1: {min: 70%, min_samples: 9}\n", 1),
        ("  bbox.f1: {min: 70%, where: {lighting: dawn}}\n", 1),
        ("  bbox.f1: {min: 70%, severity: warn, where: {lighting: dawn}}\n", 1),
        ("  bbox.f2: {min: 70%}\n", 2),
    ],
)
def test_exit_code_tells_pass_fail_and_unreadable(world: Path, run: Run, thresholds: str, code: int) -> None:
    write_gate(world, thresholds)
    assert run().ret == code


def test_wrong_option_and_empty_selection_exit_with_pytests_codes(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 70%}\n")
    assert run("--vigate-json=.").ret == pytest.ExitCode.USAGE_ERROR
    assert run("-k", "nothing").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_problems_of_a_gate_file_come_out_together_and_exit_with_2(world: Path, run: Run) -> None:
    write_gate(
        world,
        "  bbox.recal: {min: 0.9}\n"
        "  bbox.f1: {min: 75}\n"
        "  bbox.iou: {max: 0.5}\n"
        "  bbox.acc: {min: 0.5, where: {light: night}}\n"
        "  coverage.predictions: {mim: 0.5}\n",
    )
    result = run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert [line for line in result.outlines if line.startswith("car.gate.yaml:")] == [
        "car.gate.yaml:7:3: $.thresholds['bbox.recal']: unknown score 'bbox.recal'; did you mean 'bbox.recall'?",
        "car.gate.yaml:8:18: $.thresholds['bbox.f1'].min: 75 lies outside [0, 1], the range of bbox.f1; "
        "did you mean 75%?",
        "car.gate.yaml:9:19: $.thresholds['bbox.iou'].max: "
        "bbox.iou is better when higher, so it takes a min, not a max",
        "car.gate.yaml:10:39: $.thresholds['bbox.acc'].where.light: "
        "'light' is neither in data.attributes nor a key of bbox; did you mean 'lighting'?",
        "car.gate.yaml:11:25: $.thresholds['coverage.predictions']: a threshold needs a bound; give min or max, or in "
        "for a score that is a name",
        "car.gate.yaml:11:26: $.thresholds['coverage.predictions'].mim: unknown key 'mim'; did you mean 'min'?",
    ]
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize(
    ("threshold", "problem"),
    [
        ("bbox.f1: {min: 0}", "a min of 0 can never fail: bbox.f1 is never below it"),
        (
            "bbox.f1: {min: 50%, waiver: {until: 2999-01-01, owner: o, reason: r, floor: 50%}}",
            "the floor 0.5 is not below the min 0.5, so nothing would be waived",
        ),
        (
            "bbox.f1: {min: 50%, per: weather}",
            "'weather' is neither in data.attributes nor a key of bbox; list it under data.attributes",
        ),
        (
            "coverage.predictions: {min: 50%, per: label}",
            "'label' is neither in data.attributes nor a key of coverage; list it under data.attributes",
        ),
        ("rouge.f1: {min: 50%}", "unknown score 'rouge.f1'; did you mean 'rouge.rouge1'?"),
    ],
)
def test_threshold_that_makes_no_sense_is_a_problem(world: Path, run: Run, threshold: str, problem: str) -> None:
    write_gate(world, f"  {threshold}\n")
    result = run()
    assert result.ret == 2
    assert any(line.startswith("car.gate.yaml:7:") and line.endswith(f": {problem}") for line in result.outlines)


@pytest.mark.parametrize(
    ("metrics", "problem"),
    [
        ("bbox: {iuo: 0.5}", "unknown parameter 'iuo' of bbox; did you mean 'iou'?"),
        ("bbox: {iou: 2}", "iou: expected float <= 1.0, found 2"),
        ("bbox: {iou: high}", "iou: expected float, got str, found 'high'"),
        ("bbox: {labels: mixed}", "labels: expected match or ignore, found 'mixed'"),
        ("strict: {metric: bbx}", "unknown metric 'bbx'; did you mean 'bbox'?"),
        ("coverage: {iou: 0.5}", "unknown parameter 'iou' of coverage; it has no parameters"),
    ],
)
def test_parameter_that_makes_no_sense_is_a_problem(world: Path, run: Run, metrics: str, problem: str) -> None:
    head = "vigate: 1\ndata: {predictions: predictions.jsonl, references: references.jsonl}\nmetrics:\n"
    write_gate(world, f"  {metrics}\nthresholds:\n  bbox.f1: {{min: 50%}}\n", head=head)
    result = run()
    assert result.ret == 2
    assert any(line.startswith("car.gate.yaml:4:") and line.endswith(f": {problem}") for line in result.outlines)


def test_unknown_format_is_a_problem_of_the_file(world: Path, run: Run) -> None:
    head = "vigate: 1\ndata:\n  predictions: {path: predictions.jsonl, format: via}\n  references: references.jsonl\n"
    write_gate(world, "thresholds:\n  bbox.f1: {min: 50%}\n", head=head)
    result = run()
    assert result.ret == 2
    result.stdout.fnmatch_lines(["car.gate.yaml:3:*unknown format 'via'; did you mean 'vi'?"])


def test_same_family_under_a_name_of_its_own(world: Path, run: Run) -> None:
    head = (
        "vigate: 1\ndata: {predictions: predictions.jsonl, references: references.jsonl}\n"
        "metrics:\n  strict: {metric: bbox, iou: 0.9}\n"
    )
    write_gate(world, "thresholds:\n  bbox.f1: {min: 75%}\n  strict.f1: {min: 1%}\n", head=head)
    run().assert_outcomes(passed=1, failed=1)


def test_ids_name_score_slice_and_split_but_never_the_bound(world: Path, run: Run) -> None:
    write_gate(
        world,
        "  bbox.recall:\n"
        "    - {min: 0.5}\n"
        "    - {min: 0.4, where: {lighting: night}}\n"
        "    - {min: 0.4, where: {lighting: [night, day]}}\n"
        "    - {min: 0.4, per: lighting}\n"
        "    - {min: 0.4, id: again}\n",
    )
    result = run("--collect-only", "-q")
    assert result.outlines[:5] == [
        "car.gate.yaml::bbox.recall",
        "car.gate.yaml::bbox.recall[lighting=night]",
        "car.gate.yaml::bbox.recall[lighting=night|day]",
        "car.gate.yaml::bbox.recall[per lighting]",
        "car.gate.yaml::bbox.recall[again]",
    ]


def test_collecting_reads_no_data(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 70%}\n")
    (world / "predictions.jsonl").unlink()
    (world / "references.jsonl").unlink()
    result = run("--collect-only", "-q", "--vigate-json=vigate.json")
    assert result.ret == 0
    assert "car.gate.yaml::bbox.f1" in result.outlines
    assert not (world / "vigate.json").exists()


def test_slices_and_splits_judge_their_own_samples(world: Path, run: Run) -> None:
    # Of eight dents the last two are missed; the last one is the only picture at night.
    write_gate(
        world,
        "  bbox.recall:\n"
        "    - {min: 85%, where: {lighting: day}}\n"  # 6 of 7
        "    - {min: 1%, where: {lighting: night}}\n"  # 0 of 1
        "    - {min: 1%, per: lighting}\n"
        "    - {min: 85%, per: lighting, min_samples: 2, small_groups: ignore, id: large}\n"
        "    - {min: 75%, where: {label: a dent}, id: label}\n",
    )
    found = {
        line.split("::")[1].split("] ")[0]: line for line in run("-v").outlines if line.startswith("car.gate.yaml::")
    }
    assert {name: "PASSED" in line for name, line in found.items()} == {
        "bbox.recall[lighting=day": True,
        "bbox.recall[lighting=night": False,
        "bbox.recall[per lighting": False,
        "bbox.recall[per lighting,large": True,
        "bbox.recall[label=a dent,label": True,
    }


def test_gates_run_beside_ordinary_tests(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 70%}\n")
    (world / "test_plain.py").write_text("def test_one(): pass\n", encoding="utf-8")
    result = run()
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["1 thresholds judged: 1 passed, *"])


def test_run_without_gate_files_prints_nothing_of_ours(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_one(): pass")
    assert "vigate" not in "\n".join(line for line in run().outlines if not line.startswith("plugins:"))


def test_blocked_plugin_collects_no_gates(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 70%}\n")
    assert run("-p", "no:vigate").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_other_yaml_files_are_left_alone(world: Path, run: Run) -> None:
    (world / "settings.yaml").write_text("a: [", encoding="utf-8")
    (world / "gate.yaml").write_text("a: [", encoding="utf-8")
    assert run().ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_gate_file_with_short_ending_is_collected(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 70%}\n").rename(world / "car.gate.yml")
    run().assert_outcomes(passed=1)


def mark_all(folder: Path, mark: str) -> None:
    """A conftest that marks every item."""
    (folder / "conftest.py").write_text(
        "import pytest\n"
        "def pytest_collection_modifyitems(items):\n"
        f"    for item in items:\n        item.add_marker(pytest.mark.{mark})\n",
        encoding="utf-8",
    )


def test_xfail_mark_of_a_conftest_cannot_turn_a_failure_green(world: Path, run: Run) -> None:
    mark_all(world, "xfail")
    write_gate(world, ALL_SIX)
    result = run()
    result.assert_outcomes(passed=1, failed=2, errors=1)
    assert (result.parseoutcomes()["warned"], result.parseoutcomes()["waived"]) == (1, 1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_run_whose_thresholds_are_all_skipped_is_not_green(world: Path, run: Run) -> None:
    mark_all(world, "skip(reason='not today')")
    write_gate(world, "  bbox.f1: {min: 10%}\n")
    (world / "test_plain.py").write_text("def test_one(): pass\n", encoding="utf-8")
    result = run()
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["0 thresholds judged: *; 1 not judged"])


def test_gates_may_be_deselected_beside_ordinary_tests(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 10%}\n")
    (world / "test_plain.py").write_text("def test_one(): pass\n", encoding="utf-8")
    assert run("-k", "test_one").ret == pytest.ExitCode.OK


def test_family_named_as_a_mark_of_pytest_is_a_problem(world: Path, run: Run) -> None:
    head = GATE.replace("thresholds:\n", "metrics:\n  skip: {metric: bbox}\nthresholds:\n")
    write_gate(world, "  skip.f1: {min: 90%}\n", head=head)
    result = run()
    assert result.ret == 2
    assert (
        "car.gate.yaml:7:3: $.metrics.skip: 'skip' is a mark of pytest's own and would change how its thresholds run; "
        "choose another name"
    ) in result.outlines


def test_attribute_of_the_same_name_as_a_family_key_is_ambiguous(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 1%, where: {label: a}}\n", head=GATE.replace("[lighting]", "[label]"))
    result = run()
    assert result.ret == 2
    assert (
        "car.gate.yaml:7:37: $.thresholds['bbox.f1'].where.label: 'label' is in data.attributes and a key of bbox, "
        "so it has two meanings; give the records another field for it"
    ) in result.outlines


def test_slices_that_read_alike_are_judged_apart(pytester: pytest.Pytester, run: Run) -> None:
    names = [("a.jpg", "night|dusk", NEAR), ("b.jpg", "night", FAR), ("c.jpg", "dusk", FAR)]
    write_jsonl(
        pytester.path / "predictions.jsonl", [vi_prediction(name, vi_reply(("dent", [box]))) for name, _, box in names]
    )
    write_jsonl(
        pytester.path / "references.jsonl",
        [vi_reference(name, ("dent", [GOOD]), lighting=light) for name, light, _ in names],
    )
    write_gate(
        pytester.path,
        "  bbox.f1:\n"
        "    - {min: 50%, where: {lighting: night|dusk}, id: one}\n"
        "    - {min: 50%, where: {lighting: [night, dusk]}, id: two}\n",
    )
    run().assert_outcomes(passed=1, failed=1)


def test_references_that_judge_themselves_are_unmeasurable(world: Path, run: Run) -> None:
    lines = [{"id": f"{i}", "boxes": [[1, 1, 9, 9]]} for i in range(3)]
    for name in ("predictions.jsonl", "copy.jsonl"):
        write_jsonl(world / name, lines)
    boxes = "format: jsonl, boxes: {order: xyxy, space: pixels}"
    head = (
        f"vigate: 1\ndata:\n  predictions: {{path: predictions.jsonl, {boxes}}}\n"
        f"  references: {{path: copy.jsonl, {boxes}}}\nthresholds:\n"
    )
    write_gate(world, "  bbox.f1: {min: 50%}\n", head=head)
    result = run()
    result.assert_outcomes(errors=1)
    assert (
        "unmeasurable: bbox.f1 cannot be measured: predictions.jsonl: predictions and references have the same "
        "content, so the references would judge themselves; name the model's outputs under predictions"
    ) in result.outlines


def test_null_reply_is_no_answer(world: Path, run: Run) -> None:
    path = world / "predictions.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    write_jsonl(path, [{**line, "raw_output": None} for line in lines])
    write_gate(world, "  coverage.predictions: {min: 1%}\n")
    run().assert_outcomes(failed=1)


@pytest.mark.parametrize("options", [["-p", "no:terminal"], ["-p", "no:junitxml"], ["-p", "no:skipping"]])
def test_missing_parts_of_pytest_change_no_verdict(world: Path, run: Run, options: list[str]) -> None:
    write_gate(world, "  bbox.f1: {min: 90%}\n  bbox.iou: {min: 90%, severity: warn}\n")
    assert run(*options).ret == pytest.ExitCode.TESTS_FAILED


def test_error_of_another_plugin_in_the_call_is_not_taken_for_a_pass(world: Path, run: Run) -> None:
    (world / "conftest.py").write_text(
        "import pytest\n@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtest_call(item):\n    raise RuntimeError('disk full')\n",
        encoding="utf-8",
    )
    write_gate(world, "  bbox.f1: {min: 10%}\n")
    result = run()
    result.assert_outcomes(failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_label_never_predicted_leaves_its_precision_unknown(world: Path, run: Run) -> None:
    # References say "a dent", predictions "dent": no prediction carries the references' label.
    metrics = "metrics: {bbox: {labels: match}}\n"
    write_gate(
        world,
        "  bbox.precision: {min: 1%, per: label}\n",
        head=GATE.replace("thresholds:\n", f"{metrics}thresholds:\n"),
    )
    run().assert_outcomes(errors=1)


def test_gate_outside_the_root_directory_keeps_its_name(world: Path, run: Run) -> None:
    root = world / "conf"
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\nvigate_data_roots = ..\n", encoding="utf-8")
    write_gate(world, "  bbox.f1: {min: 10%}\n  bbox.iou: {min: 10%}\n")
    run("-c", "conf/pytest.ini", "car.gate.yaml", "-k", "f1", "--vigate-json=v.json").assert_outcomes(
        passed=1, deselected=1
    )
    found = json.loads((world / "v.json").read_text(encoding="utf-8"))
    assert (found["complete"], [gate["path"] for gate in found["gates"]]) == (False, ["../car.gate.yaml"])


def test_misspelt_label_field_is_not_a_world_without_labels(world: Path, run: Run) -> None:
    boxes = [{"bbox": [1, 1, 9, 9], "kind": "dent"}]
    write_jsonl(world / "predictions.jsonl", [{"id": "a", "boxes": boxes}])
    write_jsonl(world / "references.jsonl", [{"id": "a", "boxes": [{"bbox": [1, 1, 9, 9], "kind": "bolt"}]}])
    side = "format: jsonl, boxes: {order: xyxy, space: pixels}, fields: {box: bbox, label: knd}"
    head = (
        f"vigate: 1\ndata:\n  predictions: {{path: predictions.jsonl, {side}}}\n"
        f"  references: {{path: references.jsonl, {side}}}\nthresholds:\n"
    )
    write_gate(world, "  bbox.f1: {min: 50%}\n", head=head)
    result = run()
    result.assert_outcomes(errors=1)
    assert (
        "unmeasurable: bbox.f1 cannot be measured: predictions.jsonl: fields: no record has the field 'knd', declared "
        "as label; did you mean 'kind'?"
    ) in result.outlines


def test_empty_text_is_a_group_like_any_other(world: Path, run: Run) -> None:
    path = world / "references.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"day"', '""'), encoding="utf-8")
    write_gate(world, "  bbox.f1: {min: 1%, per: lighting}\n")
    result = run("--vigate-json=vigate.json")
    (verdict,) = json.loads((world / "vigate.json").read_text(encoding="utf-8"))["gates"][0]["verdicts"]
    assert [(group["group"], group["samples"]) for group in verdict["groups"]] == [("", 7), ("night", 1)]
    result.assert_outcomes(failed=1)  # the picture at night is missed
