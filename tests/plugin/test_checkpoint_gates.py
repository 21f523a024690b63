"""Gates whose predictions are those of several checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_vigate.data.presets import Preset
from pytest_vigate.data.readers import Reader, load
from pytest_vigate.data.tables import Source, Table
from reading import Run

Record = Callable[..., dict[str, Any]]

GATE = """\
vigate: 1
data:
  predictions: {path: "checkpoints/step-{checkpoint}/answers.jsonl"}
  references: references.jsonl
"""


@pytest.fixture
def checkpoints(pytester: pytest.Pytester) -> Path:
    """Ten questions; the answers of step 500 are right on 6, of 1000 on 9, of 1500 on 8."""
    write(pytester.path / "references.jsonl", {f"q{i}": f"answer {i}" for i in range(10)}, field="reference")
    for step, right in ((500, 6), (1000, 9), (1500, 8)):
        answers = {f"q{i}": f"answer {i}" if i < right else "no idea" for i in range(10)}
        write(pytester.path / f"checkpoints/step-{step}/answers.jsonl", answers)
    return pytester.path


def write(path: Path, texts: Mapping[str, str], *, field: str = "text") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"id": name, field: text}) for name, text in texts.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_gate(folder: Path, thresholds: str, *, head: str = GATE) -> None:
    (folder / "answers.gate.yaml").write_text(f"{head}thresholds:\n{thresholds}", encoding="utf-8")


def messages(record: Record) -> list[str]:
    found = record()
    assert {verdict["verdict"] for gate in found["gates"] for verdict in gate["verdicts"]} == {"unmeasurable"}
    return [verdict["message"] for gate in found["gates"] for verdict in gate["verdicts"]]


def test_last_checkpoint_is_judged_and_all_are_scored(checkpoints: Path, record: Record) -> None:
    write_gate(checkpoints, "  answer.exact: {min: 80%}\n")
    (gate,) = record()["gates"]
    (verdict,) = gate["verdicts"]
    assert (verdict["verdict"], verdict["value"]) == ("passed", 0.8)
    (family,) = gate["families"]
    assert family["judged"] == 1500
    scored = {entry["checkpoint"]: entry["scores"]["exact"] for entry in family["checkpoints"]}
    assert scored == {500: 0.6, 1000: 0.9, 1500: 0.8}
    assert [file["path"] for file in gate["data"]] == [
        "checkpoints/step-1500/answers.jsonl",
        "references.jsonl",
        "checkpoints/step-500/answers.jsonl",
        "checkpoints/step-1000/answers.jsonl",
    ]


def test_terminal_shows_every_checkpoint_and_names_the_better_one(checkpoints: Path, run: Run) -> None:
    write_gate(checkpoints, "  answer.exact: {min: 80%}\n  answer.f1: {min: 80%}\n")
    # f1 of "no idea" and "answer i" is 0, so both scores are the share of right answers
    run().stdout.fnmatch_lines(
        [
            "  checkpoint   answer.exact   answer.f1",
            "  500                 0.600       0.600",
            "  1000                0.900*      0.900*",
            "  1500 judged         0.800       0.800",
            "  ?* answer.exact is best at checkpoint 1000, and 1500 is judged",
            "  ?* answer.f1 is best at checkpoint 1000, and 1500 is judged",
        ],
        consecutive=True,
    )


def test_a_declared_checkpoint_is_judged(checkpoints: Path, record: Record) -> None:
    write_gate(checkpoints, "  answer.exact: {min: 80%}\n", head=f"{GATE}  checkpoint: 500\n")
    (gate,) = record()["gates"]
    assert gate["verdicts"][0]["value"] == 0.6
    assert gate["families"][0]["judged"] == 500
    scored = {entry["checkpoint"]: entry["scores"]["exact"] for entry in gate["families"][0]["checkpoints"]}
    assert scored == {500: 0.6, 1000: 0.9, 1500: 0.8}


def test_steps_are_ordered_as_numbers(checkpoints: Path, record: Record) -> None:
    (checkpoints / "checkpoints/step-500").rename(checkpoints / "checkpoints/step-20000")
    write_gate(checkpoints, "  answer.exact: {min: 10%}\n")
    (gate,) = record()["gates"]
    assert [entry["checkpoint"] for entry in gate["families"][0]["checkpoints"]] == [1000, 1500, 20000]
    assert gate["verdicts"][0]["value"] == 0.6


def test_a_table_of_many_checkpoints_is_cut_and_keeps_the_best(checkpoints: Path, run: Run) -> None:
    for step in range(1, 40):
        answers = {f"q{i}": f"answer {i}" if i < (step == 17) * 10 else "no idea" for i in range(10)}
        write(checkpoints / f"checkpoints/step-{step}/answers.jsonl", answers)
    write_gate(checkpoints, "  answer.exact: {min: 80%}\n")
    text = str(run().stdout)
    assert "  17                  1.000*\n" in text
    # 42 of which 12 are evenly chosen, and 17 beside them
    assert "  and 29 more checkpoints\n" in text


def test_a_folder_of_another_name_is_no_checkpoint(checkpoints: Path, record: Record) -> None:
    (checkpoints / "checkpoints/step-1500").rename(checkpoints / "checkpoints/final")
    write_gate(checkpoints, "  answer.exact: {min: 10%}\n")
    (gate,) = record()["gates"]
    assert [entry["checkpoint"] for entry in gate["families"][0]["checkpoints"]] == [500, 1000]


def unscored(folder: Path) -> None:
    (folder / "step-1500/answers.jsonl").unlink()


def named(folder: Path) -> None:
    (folder / "step-500").rename(folder / "step-final")


def twice(folder: Path) -> None:
    (folder / "step-500").rename(folder / "step-01000")


def none(folder: Path) -> None:
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace("step", "epoch"))


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (none, "no checkpoint matches 'checkpoints/step-{checkpoint}/answers.jsonl'"),
        (
            named,
            "'final' is no number, where 'checkpoints/step-{checkpoint}/answers.jsonl' has {checkpoint}; checkpoints "
            "are ordered by their step: name them by it, or take the others away",
        ),
        (twice, "checkpoint 1000 is there twice, as '01000' and '1000'"),
        (unscored, "checkpoint 'step-1500' has no 'answers.jsonl'; score it too, or take its folder away"),
    ],
)
def test_checkpoints_that_cannot_be_told_are_refused(
    checkpoints: Path, run: Run, break_it: Callable[[Path], None], message: str
) -> None:
    break_it(checkpoints / "checkpoints")
    write_gate(checkpoints, "  answer.exact: {min: 10%}\n")
    result = run()
    assert result.ret == 2
    assert f"answers.gate.yaml:3:23: $.data.predictions.path: {message}" in str(result.stdout)


def test_a_checkpoint_that_is_not_there(checkpoints: Path, run: Run) -> None:
    write_gate(checkpoints, "  answer.exact: {min: 10%}\n", head=f"{GATE}  checkpoint: 700\n")
    result = run()
    assert result.ret == 2
    assert (
        "answers.gate.yaml:5:15: $.data.checkpoint: there is no checkpoint 700; the last ones are 500, 1000, 1500"
        in str(result.stdout)
    )


def test_one_checkpoint_with_fewer_samples_is_an_error(checkpoints: Path, record: Record) -> None:
    write(checkpoints / "checkpoints/step-1000/answers.jsonl", {f"q{i}": f"answer {i}" for i in range(8)})
    write_gate(checkpoints, "  answer.exact: {min: 10%}\n  bleu.bleu: {min: 1%}\n")
    why = (
        "checkpoints/step-1000/answers.jsonl: checkpoint 1000 has predictions for 8 of 10 samples and checkpoint 1500 "
        "for 10; they differ on 'q8', 'q9'; score every checkpoint on the same samples"
    )
    assert messages(record) == [
        f"answer.exact cannot be measured: {why}",
        f"bleu.bleu cannot be measured: {why}",
    ]


def test_fewer_samples_without_references_are_an_error_too(checkpoints: Path, record: Record) -> None:
    write(checkpoints / "checkpoints/step-1000/answers.jsonl", {f"q{i}": f"answer {i}" for i in range(8)})
    head = "\n".join(line for line in GATE.splitlines() if "references" not in line) + "\n"
    write_gate(checkpoints, "  format.compliance: {min: 1%}\n", head=head)
    assert messages(record) == [
        "format.compliance cannot be measured: checkpoints/step-1000/answers.jsonl: checkpoint 1000 lacks 2 of the "
        "10 samples of checkpoint 1500: 'q8', 'q9'; score every checkpoint on the same samples"
    ]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files in the order in which they were read."""
    found: list[str] = []

    def read_counting(source: Source, readers: Mapping[str, Reader], presets: Mapping[str, Preset]) -> Table:
        found.append(source.file)
        return load(source, readers, presets)

    monkeypatch.setattr("pytest_vigate.evaluation.loading.load", read_counting)
    return found


STEPS: Sequence[str] = [f"checkpoints/step-{step}/answers.jsonl" for step in (500, 1000, 1500)]


def test_every_file_is_read_once_for_all_families(checkpoints: Path, run: Run, asked: list[str]) -> None:
    write_gate(checkpoints, "  answer.exact: {min: 1%}\n  chrf.chrf: {min: 1%}\n  rouge.rouge1: {min: 1%}\n")
    run().assert_outcomes(passed=3)
    assert asked == [STEPS[2], "references.jsonl", STEPS[0], STEPS[1]]


def test_a_broken_checkpoint_is_an_error_of_all_thresholds_and_read_once(
    checkpoints: Path, record: Record, asked: list[str]
) -> None:
    (checkpoints / STEPS[0]).write_text("{", encoding="utf-8")
    write_gate(checkpoints, "  answer.exact: {min: 1%}\n  bleu.bleu: {min: 1%}\n")
    assert all("checkpoints/step-500/answers.jsonl" in message for message in messages(record))
    assert asked.count(STEPS[0]) == 1


def test_two_gates_on_the_same_checkpoints(checkpoints: Path, record: Record) -> None:
    write_gate(checkpoints, "  answer.exact: {min: 1%}\n")
    (checkpoints / "answers.gate.yaml").rename(checkpoints / "first.gate.yaml")
    write_gate(checkpoints, "  chrf.chrf: {min: 1%}\n")
    gates = record()["gates"]
    assert [verdict["verdict"] for gate in gates for verdict in gate["verdicts"]] == ["passed", "passed"]
    assert [len(gate["families"][0]["checkpoints"]) for gate in gates] == [3, 3]


def test_equally_good_checkpoints_are_no_news(checkpoints: Path, run: Run) -> None:
    write(checkpoints / "checkpoints/step-1500/answers.jsonl", {f"q{i}": f"answer {i}" for i in range(10)})
    write(checkpoints / "checkpoints/step-1000/answers.jsonl", {f"q{i}": f"answer {i}." for i in range(10)})
    write_gate(checkpoints, "  answer.exact: {min: 80%}\n")
    result = run()
    result.stdout.fnmatch_lines(["  1500 judged         1.000*"])
    result.stdout.no_fnmatch_line("*is best at checkpoint*")


def test_samples_of_another_order_are_told(checkpoints: Path, record: Record) -> None:
    write(checkpoints / "checkpoints/step-1000/answers.jsonl", {f"q{i}": "x" for i in reversed(range(10))})
    head = "\n".join(line for line in GATE.splitlines() if "references" not in line) + "\n"
    write_gate(checkpoints, "  format.compliance: {min: 1%}\n", head=head)
    assert messages(record) == [
        "format.compliance cannot be measured: checkpoints/step-1000/answers.jsonl: checkpoint 1000 has its samples in "
        "another order than checkpoint 1500; write them in the same order, or name references"
    ]


def test_families_of_a_later_gate_share_one_pass(checkpoints: Path, run: Run, asked: list[str]) -> None:
    write_gate(checkpoints, "  answer.exact: {min: 1%}\n")
    (checkpoints / "answers.gate.yaml").rename(checkpoints / "a.gate.yaml")
    write_gate(checkpoints, "  chrf.chrf: {min: 1%}\n  rouge.rouge1: {min: 1%}\n")
    run().assert_outcomes(passed=3)
    assert [asked.count(file) for file in STEPS] == [2, 2, 1]
