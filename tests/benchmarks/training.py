"""Whole gates on a long training log, and on many checkpoints."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.processes import alternate
from worlds import write_jsonl

#: Lines of the small and of the large log: ten times as many should take ten times as long.
FEW, MANY = 100_000, 1_000_000
#: Samples, and checkpoints of the small and of the large run.
SAMPLES, SOME, ALL = 5_000, 20, 200

LOG = """\
vigate: 1
data: {training: {path: trainer_log.jsonl, format: llama-factory}}
thresholds:
  loss.drop: {min: 1%}
  loss.nonfinite: {max: 0}
  overfit.rise: {max: 50%}
  hyper.learning_rate: {max: 1}
"""
CHECKPOINTS = """\
vigate: 1
data:
  predictions: {path: "step-{checkpoint}/answers.jsonl"}
  references: references.jsonl
metrics:
  overfit: {on: answer.f1}
thresholds:
  answer.f1: {min: 1%}
  rouge.rougeL_f1: {min: 1%}
  overfit.regret: {max: 50%}
"""
TEXT = "a red car parked near the old green house with two people walking dogs under large trees by sea"
WORDS = TEXT.split()


def run_log(folder: Path) -> None:
    """Time and peak memory of a gate on a log of a million lines, beside a tenth of it."""
    costs = []
    for count in (FEW, MANY):
        write_jsonl(folder / "trainer_log.jsonl", _rows(count))
        costs.append(alternate([_gate(folder, LOG)], runs=1, folder=folder)[0])
        print(f"{count} lines: {costs[-1].seconds:.1f} s and {costs[-1].megabytes:.0f} MB", flush=True)
    print(f"{MANY // FEW} times the lines: {costs[1].seconds / costs[0].seconds:.1f} times the time")


def run_checkpoints(folder: Path) -> None:
    """Time and peak memory of a gate on 200 checkpoints of 5 000 answers, beside a tenth of them."""
    rng = random.Random(0)
    texts = [" ".join(rng.choices(WORDS, k=10)) for _ in range(SAMPLES)]
    write_jsonl(folder / "references.jsonl", ({"id": i, "reference": text} for i, text in enumerate(texts)))
    costs, done = [], 0
    for count in (SOME, ALL):
        for step in range(done, count):
            place = folder / f"step-{step}"
            place.mkdir()
            share = 0.3 + 0.5 * step / ALL
            answers = ({"id": i, "text": _answer(text, share, rng)} for i, text in enumerate(texts))
            write_jsonl(place / "answers.jsonl", answers)
        done = count
        costs.append(alternate([_gate(folder, CHECKPOINTS)], runs=1, folder=folder)[0])
        print(f"{count} checkpoints: {costs[-1].seconds:.1f} s and {costs[-1].megabytes:.0f} MB", flush=True)
    print(f"{ALL // SOME} times the checkpoints: {costs[1].seconds / costs[0].seconds:.1f} times the time")


def _rows(count: int) -> Iterator[dict[str, float]]:
    rng = random.Random(0)
    for step in range(1, count + 1):
        share = step / count
        fields = {"lr": 2e-4 * (1 - share), "epoch": 3 * share, "percentage": round(100 * share, 2)}
        loss = 1 + 2.7 ** (-5 * share) + 0.1 * rng.random()
        yield {"current_steps": step, "total_steps": count, "loss": loss, **fields}
        if step % (count // 100) == 0:
            yield {"current_steps": step, "total_steps": count, "eval_loss": 1.1 + 2.7 ** (-5 * share), **fields}


def _answer(text: str, share: float, rng: random.Random) -> str:
    return " ".join(word if rng.random() < share else rng.choice(WORDS) for word in text.split())


def _gate(folder: Path, text: str) -> list[str]:
    (folder / "run.gate.yaml").write_text(text, encoding="utf-8")
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "run.gate.yaml"]
