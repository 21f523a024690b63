"""METEOR of published captions, 5 000 answers with 5 references, against NLTK; WordNet is loaded in both."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path
from typing import Any

import nltk.data
from nltk.corpus.reader.wordnet import WordNetCorpusReader
from nltk.tokenize import wordpunct_tokenize
from nltk.translate.meteor_score import meteor_score

from benchmarks.processes import alternate, compare
from benchmarks.texts import RUNS, gate, race, read, score
from pytest_vigate.metrics._wordnet import find_wordnet
from pytest_vigate.metrics.meteor import Meteor

NLTK = """\
import json, sys
from pathlib import Path
from nltk.tokenize import wordpunct_tokenize
from nltk.translate.meteor_score import meteor_score
from benchmarks.meteor import nltk_reader
wordnet = nltk_reader(Path("."))
answers = {item["id"]: item["prediction"] for item in map(json.loads, open("answers.jsonl"))}
accepted = {item["id"]: item["references"] for item in map(json.loads, open("accepted.jsonl"))}
found = [
    meteor_score([wordpunct_tokenize(text) for text in accepted[i]], wordpunct_tokenize(answer), wordnet=wordnet)
    for i, answer in answers.items()
]
print(sum(found) / len(found))
"""


def run(folder: Path) -> None:
    """Print computing times, then those of whole processes."""
    if (found := read()) is None:
        return
    wordnet = nltk_reader(folder)
    score(Meteor(), (["a car"], [["an auto"]]))  # loads WordNet

    def theirs() -> float:
        values = [
            meteor_score([wordpunct_tokenize(text) for text in accepted], wordpunct_tokenize(answer), wordnet=wordnet)
            for answer, accepted in zip(*found, strict=True)
        ]
        return float(sum(values) / len(values))

    race(lambda: score(Meteor(), found), theirs, "NLTK")
    (folder / "nltk_.py").write_text(NLTK, encoding="utf-8")
    command = gate(folder, found, "meteor.meteor")
    ours, script = alternate([command, [sys.executable, "nltk_.py"]], runs=RUNS, folder=folder)
    print(f"whole process, with reading and an interval: {compare(ours, script, 'NLTK without interval')}")


def nltk_reader(folder: Path) -> Any:
    """NLTK's reader of the WordNet that is installed, copied to where it may read."""
    place = folder / "corpora" / "wordnet"
    if not place.is_dir():
        place.mkdir(parents=True)
        for name, content in find_wordnet()._contents.items():
            (place / name).write_bytes(content)
    nltk.data.path.append(str(folder.resolve()))

    class Reader(WordNetCorpusReader):  # type: ignore[misc]  # nltk has no types
        def open(self, file: str) -> Any:
            names = "".join(f"{i:02}\tname\t1\n" for i in range(45))  # Debian's packages lack them
            return io.StringIO(names) if file == "lexnames" else super().open(file)

        def map_wn(self, version: str = "wordnet") -> None:
            """Numbers of synsets in other versions: NLTK would download them."""

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Reader(nltk.data.find("corpora/wordnet"), None)
