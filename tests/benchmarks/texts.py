"""Real captions scored beside the reference implementations: computing time first, then whole processes."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from sacrebleu.metrics import BLEU, CHRF

from benchmarks.processes import alternate, compare
from pytest_vigate.metrics.base import Metric
from pytest_vigate.metrics.bleu import Bleu
from pytest_vigate.metrics.chrf import ChrF
from worlds import REAL, captions, evaluate, streams, texts, write_jsonl

DATA = REAL / "visionmetrics-captions"
RUNS = 3
SACREBLEU = """\
import json, sys
import sacrebleu
answers = {item["id"]: item["prediction"] for item in map(json.loads, open("answers.jsonl"))}
accepted = {item["id"]: item["references"] for item in map(json.loads, open("accepted.jsonl"))}
most = max(map(len, accepted.values()))
streams = [[accepted[i][k] if k < len(accepted[i]) else None for i in answers] for k in range(most)]
print(sacrebleu.corpus_bleu([*answers.values()], streams, smooth_method="none", force=True))
"""

Captions = tuple[list[str], list[list[str]]]


def read() -> Captions | None:
    """The captions; None, and a word on it, where they are not."""
    if DATA.is_dir():
        return captions()
    print(f"skipped: the captions are not at {DATA}")
    return None


def race(
    ours: Callable[[], float], theirs: Callable[[], float], peer: str, *, tolerance: float = 1e-9, runs: int = RUNS
) -> None:
    """Time both in turn, each from texts in memory to its score, and print the medians.

    Raises:
        RuntimeError: If the scores differ: a wrong number is no speed.
    """
    found: list[tuple[float, float]] = []
    for _ in range(runs):
        seconds, values = [], []
        for run in (ours, theirs):
            start = time.perf_counter()
            values.append(run())
            seconds.append(time.perf_counter() - start)
        if abs(values[0] - values[1]) > tolerance:
            raise RuntimeError(f"{values[0]!r} here, {values[1]!r} there")
        found.append((seconds[0], seconds[1]))
    mine, other = (median(column) for column in zip(*found, strict=True))
    print(f"computing {mine:.2f} s, {peer} {other:.2f} s: {other / mine:.1f} times as fast")


def run_bleu(folder: Path) -> None:
    """Corpus BLEU with 13a against sacrebleu; every run tokenises anew."""
    if (found := read()) is None:
        return
    answers, references = found
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)
    race(
        lambda: score(Bleu(), found),
        lambda: BLEU(smooth_method="none", force=True).corpus_score(answers, streams(references)).score / 100,
        "sacrebleu",
    )
    command = gate(folder, found, "bleu.bleu")
    (folder / "sacrebleu_.py").write_text(SACREBLEU, encoding="utf-8")
    ours, theirs = alternate([command, [sys.executable, "sacrebleu_.py"]], runs=RUNS, folder=folder)
    print(f"whole process, with reading and an interval: {compare(ours, theirs, 'sacrebleu without interval')}")


def run_chrf(_: Path) -> None:
    """Corpus chrF against sacrebleu."""
    if (found := read()) is None:
        return
    answers, references = found
    race(
        lambda: score(ChrF(), found),
        lambda: CHRF().corpus_score(answers, streams(references)).score / 100,
        "sacrebleu",
    )


def score(metric: Metric, found: Captions) -> float:
    """The family's first score."""
    return next(iter(evaluate(metric, texts(*found)).values()))


def gate(folder: Path, found: Captions, name: str, parameters: str = "{}") -> list[str]:
    """Write the captions and a gate on one score; the command that judges it, without a cache."""
    answers, references = found
    write_jsonl(folder / "answers.jsonl", [{"id": str(i), "prediction": text} for i, text in enumerate(answers)])
    write_jsonl(
        folder / "accepted.jsonl", [{"id": str(i), "references": accepted} for i, accepted in enumerate(references)]
    )
    (folder / "captions.gate.yaml").write_text(
        "vigate: 1\n"
        "data: {predictions: answers.jsonl, references: accepted.jsonl}\n"
        f"metrics:\n  {name.partition('.')[0]}: {parameters}\n"
        f"thresholds:\n  {name}: {{min: 1%}}\n",
        encoding="utf-8",
    )
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "captions.gate.yaml"]


def run_many(folder: Path) -> None:
    """Peak memory of 200 000 pairs, no two texts of them equal."""
    if (found := read()) is None:
        return
    for copies in (1, 8):
        answers = [f"{text} {i}" for i in range(copies) for text in found[0]]
        references = [[f"{text} {i}" for text in accepted] for i in range(copies) for accepted in found[1]]
        pairs = sum(map(len, references))
        for name, parameters in (
            ("answer.f1", "{}"),
            ("bleu.bleu", "{}"),
            ("chrf.chrf", "{}"),
            ("meteor.meteor", "{stages: [exact, stem]}"),
            ("rouge.rougeL", "{stemmer: true}"),
        ):
            (cost,) = alternate([gate(folder, (answers, references), name, parameters)], runs=1, folder=folder)
            print(f"{name} of {pairs} pairs: {cost.seconds:.1f} s and {cost.megabytes:.0f} MB")
