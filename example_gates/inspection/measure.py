"""Write down what an inspection of the tiles of ``coins/`` finds, as JSON: how many objects, how large, and where.

It stands in for a vision-language model that is asked for a structured reply. The replies are measured on the boxes of
the detector there, its mistakes included; the references are measured in the same way on the boxes of the segmentation,
which were looked at one by one.

    python measure.py
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
COINS = HERE.parent / "coins"

Box = tuple[float, float, float, float]  # x, y, width, height in pixels


def measure(detected: Iterable[tuple[str, Box]]) -> dict[str, Any]:
    """Return the inspection of one tile from the phrase and the box of every object on it."""
    found = sorted(detected, key=lambda item: (-max(item[1][2:]), item[1]))
    largest = None
    if found:
        phrase, (x, y, width, height) = found[0]
        largest = {
            "name": phrase.removeprefix("a "),
            "diameter": round(max(width, height), 1),
            "position": {"x": round(x + width / 2), "y": round(y + height / 2)},
        }
    objects = [{"name": phrase.removeprefix("a "), "diameter": round(max(box[2:]), 1)} for phrase, box in found]
    return {"count": len(found), "largest": largest, "objects": objects}


def by_image(entries: Iterable[Mapping[str, Any]], phrases: Mapping[int, str]) -> dict[int, list[tuple[str, Box]]]:
    """Return phrase and box of all objects, by image."""
    found: dict[int, list[tuple[str, Box]]] = {}
    for entry in entries:
        x, y, width, height = entry["bbox"]
        found.setdefault(entry["image_id"], []).append((phrases[entry["category_id"]], (x, y, width, height)))
    return found


def main() -> None:
    """Write ``replies.jsonl`` and ``references.jsonl``."""
    annotations = json.loads((COINS / "annotations.coco.json").read_text(encoding="utf-8"))
    detections = json.loads((COINS / "predictions.coco.json").read_text(encoding="utf-8"))
    phrases = {category["id"]: category["name"] for category in annotations["categories"]}
    detected, annotated = by_image(detections, phrases), by_image(annotations["annotations"], phrases)
    replies, references = [], []
    for image in annotations["images"]:
        record = {"image": image["file_name"], "picture": image["file_name"].partition("_")[0]}
        reply = json.dumps(measure(detected.get(image["id"], [])))
        replies.append(json.dumps({**record, "prediction": reply}) + "\n")
        references.append(json.dumps({**record, "reference": measure(annotated.get(image["id"], []))}) + "\n")
    (HERE / "replies.jsonl").write_text("".join(replies), encoding="utf-8")
    (HERE / "references.jsonl").write_text("".join(references), encoding="utf-8")
    print(f"{len(replies)} replies, {len(references)} references")


if __name__ == "__main__":
    main()
