"""METEOR of published captions, 5 000 answers with 5 references, against NLTK; WordNet is loaded in both."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nltk.tokenize import wordpunct_tokenize
from nltk.translate.meteor_score import meteor_score

from benchmarks.processes import alternate, compare
from pytest_vigate.metrics import _wordnet
from pytest_vigate.metrics._wordnet import WordNet, find_wordnet
from pytest_vigate.metrics.meteor import Meteor
from worlds import REAL, texts

CAPTIONS = REAL / "visionmetrics-captions"
PREDICTIONS, REFERENCES = CAPTIONS / "image_caption_prediction.json", CAPTIONS / "image_caption_gt.json"
RUNS = 3
NLTK = """\
import json, sys
from collections import defaultdict
from nltk.tokenize import wordpunct_tokenize
from nltk.translate.meteor_score import meteor_score
from pytest_vigate.metrics._wordnet import find_wordnet
wordnet = find_wordnet()._reader
references = defaultdict(list)
for item in json.load(open(sys.argv[2]))["annotations"]:
    references[item["image_id"]].append(wordpunct_tokenize(item["caption"]))
found = [
    meteor_score(references[item["image_id"]], wordpunct_tokenize(item["caption"]), wordnet=wordnet)
    for item in json.load(open(sys.argv[1]))
]
print(sum(found) / len(found))
"""


def run(folder: Path) -> None:
    """Print computing times, then those of whole processes."""
    if not CAPTIONS.is_dir():
        print(f"skipped: the captions are not at {CAPTIONS}")
        return
    answers, references = captions()
    wordnet = find_wordnet()
    wordnet.synonyms(["car"], cache=None)  # loads the reader

    def nltk() -> float:
        split = wordpunct_tokenize
        found = [
            meteor_score([split(text) for text in accepted], split(answer), wordnet=wordnet._reader)
            for answer, accepted in zip(answers, references, strict=True)
        ]
        return float(sum(found) / len(found))

    def ours(*, met: bool) -> float:
        if not met:
            fresh = WordNet(wordnet.root)
            fresh.__dict__["_reader"] = wordnet._reader
            _wordnet._OPENED[repr(wordnet.root)] = fresh
        return float(Meteor().statistics(texts(answers, references)).column("meteor").mean())

    times = [[timed(nltk), timed(lambda: ours(met=False)), timed(lambda: ours(met=True))] for _ in range(RUNS)]
    theirs, first, later = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"computing: NLTK {theirs:.2f} s")
    print(f"  ours, every word looked up: {first:.2f} s, {theirs / first:.1f} times as fast")
    print(f"  ours, synonyms met before:  {later:.2f} s, {theirs / later:.1f} times as fast")

    (folder / "nltk_.py").write_text(NLTK, encoding="utf-8")
    (folder / "meteor.gate.yaml").write_text(
        "vigate: 1\n"
        f"data: {{predictions: {{path: {PREDICTIONS}, format: coco-captions}}, "
        f"references: {{path: {REFERENCES}, format: coco-captions}}}}\n"
        "thresholds: {meteor.meteor: {min: 1%}}\n",
        encoding="utf-8",
    )
    (folder / "pytest.ini").write_text(f"[pytest]\nvigate_data_roots = {REAL}\n", encoding="utf-8")
    gate = [sys.executable, "-m", "pytest", "-q", "meteor.gate.yaml"]
    alternate([gate], runs=1, folder=folder)  # leaves the synonyms in the cache
    cached, script, cold = alternate(
        [gate, [sys.executable, "nltk_.py", str(PREDICTIONS), str(REFERENCES)], [*gate, "--vigate-no-cache"]],
        runs=RUNS,
        folder=folder,
    )
    print(f"whole gate with its interval: {compare(cached, script, 'a script of NLTK')}")
    print(f"without a cache: {compare(cold, script, 'a script of NLTK')}")


def captions() -> tuple[list[str], list[list[str]]]:
    """Answers, and the references of each."""
    answers: list[dict[str, Any]] = json.loads(PREDICTIONS.read_text(encoding="utf-8"))
    references: dict[str, list[str]] = {}
    for item in json.loads(REFERENCES.read_text(encoding="utf-8"))["annotations"]:
        references.setdefault(item["image_id"], []).append(item["caption"])
    return [item["caption"] for item in answers], [references[item["image_id"]] for item in answers]


def timed(work: Callable[[], float]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
