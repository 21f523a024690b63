"""The example gates' data is what their programs write."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "example_gates"


def test_answers_are_what_the_program_writes(tmp_path: Path) -> None:
    for name in ("coins/predictions.jsonl", "vqa/questions.jsonl", "vqa/answer.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(EXAMPLES / name, tmp_path / name)
    subprocess.run([sys.executable, "answer.py"], cwd=tmp_path / "vqa", check=True, stdout=subprocess.DEVNULL)
    written, committed = (folder / "vqa" / "answers.jsonl" for folder in (tmp_path, EXAMPLES))
    assert written.read_bytes() == committed.read_bytes()


def test_measurements_are_what_the_program_writes(tmp_path: Path) -> None:
    for name in ("coins/annotations.coco.json", "coins/predictions.coco.json", "inspection/measure.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(EXAMPLES / name, tmp_path / name)
    subprocess.run([sys.executable, "measure.py"], cwd=tmp_path / "inspection", check=True, stdout=subprocess.DEVNULL)
    for name in ("replies.jsonl", "references.jsonl"):
        assert (tmp_path / "inspection" / name).read_bytes() == (EXAMPLES / "inspection" / name).read_bytes()


@pytest.mark.parametrize("run", ["training", "failing/training"])
def test_logged_f1_is_that_of_the_answers(run: str) -> None:
    folder = EXAMPLES / run
    log = [json.loads(line) for line in (folder / "training.jsonl").read_text(encoding="utf-8").splitlines()]
    checkpoints = sorted((folder / "checkpoints").iterdir())
    assert len(checkpoints) == 5
    for checkpoint in checkpoints:
        logged = log[int(checkpoint.name.removeprefix("epoch-")) - 1]
        for part, name, due in (
            ("train", "train/f1", folder / "train.jsonl"),
            ("validation", "val/f1", EXAMPLES / "training" / "validation.jsonl"),
        ):
            said, true = by_id(checkpoint / f"{part}.jsonl", "text"), by_id(due, "reference")
            assert macro_f1(said, true) == pytest.approx(logged[name], abs=1e-6)


def by_id(path: Path, field: str) -> dict[str, str]:
    records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {record["id"]: record[field] for record in records}


def macro_f1(said: Mapping[str, str], true: Mapping[str, str]) -> float:
    """Mean over the digits of 2 hits / (said + due)."""
    assert said.keys() == true.keys()
    found = []
    for digit in sorted({*true.values(), *said.values()}):
        hits = sum(said[name] == digit for name, due in true.items() if due == digit)
        found.append(2 * hits / (list(said.values()).count(digit) + list(true.values()).count(digit)))
    return sum(found) / len(found)
