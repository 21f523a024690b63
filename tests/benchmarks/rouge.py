"""ROUGE-1, -2 and -L of published captions, stemmed, 5 000 answers with 5 references, against rouge-score."""

from __future__ import annotations

import sys
from pathlib import Path

from rouge_score.rouge_scorer import RougeScorer

from benchmarks.processes import alternate, compare
from benchmarks.texts import RUNS, gate, race, read, score
from pytest_vigate.metrics.rouge import Rouge

TYPES = ("rouge1", "rouge2", "rougeL")
ROUGE_SCORE = """\
import json
from rouge_score.rouge_scorer import RougeScorer
answers = {item["id"]: item["prediction"] for item in map(json.loads, open("answers.jsonl"))}
accepted = {item["id"]: item["references"] for item in map(json.loads, open("accepted.jsonl"))}
scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
found = [scorer.score_multi(accepted[i], answer)["rouge1"].recall for i, answer in answers.items()]
print(sum(found) / len(found))
"""


def run(folder: Path) -> None:
    """Print computing times, without imports, then those of whole processes."""
    if (found := read()) is None:
        return
    score(Rouge(stemmer=True), (["a"], [["a"]]))  # imports rapidfuzz
    scorer = RougeScorer([*TYPES], use_stemmer=True)

    def theirs() -> float:
        recalls = [
            scorer.score_multi(accepted, answer)["rouge1"].recall for answer, accepted in zip(*found, strict=True)
        ]
        return float(sum(recalls) / len(recalls))

    race(lambda: score(Rouge(stemmer=True), found), theirs, "rouge-score")
    command = gate(folder, found, "rouge.rouge1", "{stemmer: true}")
    (folder / "rouge_score_.py").write_text(ROUGE_SCORE, encoding="utf-8")
    ours, script = alternate([command, [sys.executable, "rouge_score_.py"]], runs=RUNS, folder=folder)
    print(f"whole process, with reading and an interval: {compare(ours, script, 'rouge-score without interval')}")
