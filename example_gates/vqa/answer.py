"""Answer the questions about the tiles of ``coins/`` in words, from the boxes of the detector there.

It stands in for a vision-language model that answers questions: what it counts and where it looks is what the detector
found, mistakes included, and the wording is a rule. It never sees a reference answer.

    python answer.py
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
DETECTIONS = HERE.parent / "coins" / "predictions.jsonl"

NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
PLACES = {
    (0, 0): "at the upper left",
    (1, 0): "at the top",
    (2, 0): "at the upper right",
    (0, 1): "on the left",
    (1, 1): "in the middle",
    (2, 1): "on the right",
    (0, 2): "at the lower left",
    (1, 2): "at the bottom",
    (2, 2): "at the lower right",
}


@dataclass(frozen=True)
class Found:
    """An object that the detector found; corners from 0 to 1."""

    phrase: str
    x1: float
    y1: float
    x2: float
    y2: float
    width: int
    height: int

    @property
    def area(self) -> float:
        """Square pixels."""
        return (self.x2 - self.x1) * self.width * (self.y2 - self.y1) * self.height

    @property
    def place(self) -> str:
        """The ninth of the picture that the centre lies in, in words."""
        column, row = (min(2, int(3 * (low + high) / 2)) for low, high in ((self.x1, self.x2), (self.y1, self.y2)))
        return PLACES[column, row]


def read_detections() -> dict[str, list[Found]]:
    """Return what was found on every picture, from left to right."""
    found = {}
    for line in DETECTIONS.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        groundings = json.loads(record["raw_output"])["phrase_grounding"]["groundings"]
        objects = [
            Found(grounding["phrase"], *corners(box), record["width"], record["height"])
            for grounding in groundings
            for box in grounding["grounding"]
        ]
        found[record["image"]] = sorted(objects, key=lambda one: one.x1 + one.x2)
    return found


def corners(box: Sequence[int]) -> tuple[float, float, float, float]:
    """Corners from 0 to 1."""
    x1, y1, x2, y2 = box
    return x1 / 1024, y1 / 1024, x2 / 1024, y2 / 1024


def count(found: Sequence[Found]) -> str:
    """Say how many there are."""
    return NUMBERS[len(found)] if len(found) < len(NUMBERS) else str(len(found))


def compare(found: Sequence[Found]) -> str:
    """Say which of two is larger."""
    if len(found) < 2:
        return "there is only one coin" if found else "there is no coin"
    return "the left one" if found[0].area > found[-1].area else "the right one"


def describe(found: Sequence[Found]) -> str:
    """Say what stands where, from left to right."""
    if not found:
        return "There is nothing in the picture."
    if len(found) == 2 and found[0].phrase == found[1].phrase:
        return f"Two{found[0].phrase[1:]}s, one on the left and one on the right."
    sides = ("on the left", "on the right") if len(found) == 2 else tuple(one.place for one in found)
    words = " and ".join(f"{one.phrase} {side}" for one, side in zip(found, sides, strict=True))
    return f"{words[0].upper()}{words[1:]}."


def largest(found: Sequence[Found]) -> str:
    """Say what is largest, and where it is."""
    if not found:
        return "there is nothing"
    one = max(found, key=lambda one: one.area)
    return f"{one.phrase} {one.place}"


ANSWERS: Mapping[str, Callable[[Sequence[Found]], str]] = {
    "count": count,
    "compare": compare,
    "describe": describe,
    "largest": largest,
}


def main() -> None:
    """Write ``answers.jsonl`` beside this script."""
    detections = read_detections()
    lines = []
    for line in (HERE / "questions.jsonl").read_text(encoding="utf-8").splitlines():
        question = json.loads(line)
        answer = ANSWERS[question["kind"]](detections[question["image"]])
        record = {"id": question["id"], "prompt": question["question"], "prediction": answer}
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    (HERE / "answers.jsonl").write_text("".join(lines), encoding="utf-8")
    print(f"{len(lines)} answers")


if __name__ == "__main__":
    main()
