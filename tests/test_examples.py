"""The example gates' data is what their programs write."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

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
