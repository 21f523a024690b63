"""Run a classical detector over the tiles and store what it says as Vi replies and as COCO results.

It stands in for a vision-language model: real boxes with real mistakes, computed anywhere in seconds. It
sees the tiles and the list of their names, never a reference box.

    python detect.py                                           # the model under test
    python detect.py --detector threshold --reply-limit 180 --output ../failing
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from phrases import PHRASES, PROMPTS, SMALLEST_LIGHT, Box, group_by_phrase, name_coin, name_light
from skimage import feature, filters, io, measure, transform

Pixels = NDArray[np.float64]  # (height, width), or (height, width, 3) in colour

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Detection:
    """One object found: its phrase, its box clipped to the tile, and how sure the detector is, 0 to 1."""

    phrase: str
    box: Box
    score: float


def clip(x: float, y: float, half_width: float, half_height: float, shape: tuple[int, ...]) -> Box:
    """Return the box around a centre, cut at the border of a tile of this shape."""
    height, width = shape[:2]
    left, right = max(0.0, x - half_width), min(float(width), x + half_width)
    return left, max(0.0, y - half_height), right, min(float(height), y + half_height)


def detect_coins(pixels: Pixels) -> Iterator[Detection]:
    """Yield circles on which enough edges lie; a circle centred inside a stronger one is its relief, not a coin."""
    edges = feature.canny(pixels / 255, sigma=2.0, low_threshold=0.03, high_threshold=0.1)
    radii = np.arange(16, 35)
    votes = transform.hough_circle(edges, radii)
    taken: list[tuple[float, float, float]] = []
    for score, x, y, radius in zip(
        *transform.hough_circle_peaks(votes, radii, min_xdistance=5, min_ydistance=5, threshold=0.35), strict=True
    ):
        if all(np.hypot(x - other_x, y - other_y) > max(radius, other) for other_x, other_y, other in taken):
            taken.append((x, y, radius))
            yield Detection(name_coin(2 * radius), clip(x + 0.5, y + 0.5, radius, radius, pixels.shape), float(score))


def detect_lights(pixels: Pixels) -> Iterator[Detection]:
    """Yield blobs of the difference of Gaussians, each sized by the second moments of the light around its peak."""
    grey = pixels.mean(axis=-1)
    light = np.clip(grey - np.median(grey) - 20, 0, None)
    rows, columns = np.indices(grey.shape)
    for y, x, sigma in feature.blob_dog(filters.gaussian(light, 1) / 255, min_sigma=2, max_sigma=16, threshold=0.1):
        near = np.hypot(rows - y, columns - x) <= 3 * sigma
        weights = light[near] / light[near].sum()
        centre_x, centre_y = weights @ columns[near], weights @ rows[near]
        half_width = 2.2 * np.sqrt(weights @ (columns[near] - centre_x) ** 2)
        half_height = 2.2 * np.sqrt(weights @ (rows[near] - centre_y) ** 2)
        if np.pi * half_width * half_height >= SMALLEST_LIGHT:
            box = clip(centre_x + 0.5, centre_y + 0.5, half_width, half_height, grey.shape)
            yield Detection(name_light(pixels[near & (light > 0)]), box, float(light[near].mean() / 255))


def detect_bright(pixels: Pixels) -> Iterator[Detection]:
    """Yield whatever outshines one fixed grey: the bad model; relief falls apart, glows shrink, neighbours merge."""
    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=-1)
    labels = measure.label(grey > 150)
    for region in measure.regionprops(labels, intensity_image=grey):
        if region.area >= SMALLEST_LIGHT:
            y1, x1, y2, x2 = region.bbox
            coin = pixels.ndim == 2
            phrase = name_coin(region.equivalent_diameter_area) if coin else name_light(pixels[labels == region.label])
            yield Detection(phrase, (x1, y1, x2, y2), float(region.intensity_mean / 255))


DETECTORS: dict[str, dict[str, Callable[[Pixels], Iterator[Detection]]]] = {
    "shape": {"coins": detect_coins, "hubble": detect_lights},
    "threshold": {"coins": detect_bright, "hubble": detect_bright},
}


def vi_reply(detections: list[Detection], width: int, height: int) -> str:
    """Return detections as the minified document of a Vi model: whole coordinates from 0 to 1024."""
    groundings = []
    for phrase, boxes in group_by_phrase((found.phrase, found.box) for found in detections).items():
        grids = [[round(x / size * 1024) for x, size in zip(box, (width, height) * 2, strict=True)] for box in boxes]
        groundings.append({"phrase": phrase, "grounding": grids})
    sentence = " and ".join(str(grounding["phrase"]) for grounding in groundings)
    return json.dumps({"phrase_grounding": {"sentence": sentence, "groundings": groundings}}, separators=(",", ":"))


def main() -> None:
    """Write ``predictions.jsonl`` and ``predictions.coco.json`` into the output folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", choices=DETECTORS, default="shape")
    parser.add_argument(
        "--reply-limit", type=int, help="characters after which a reply breaks off, as at a token limit"
    )
    parser.add_argument("--output", type=Path, default=HERE)
    options = parser.parse_args()

    replies = []
    results = []
    for image in json.loads((HERE / "annotations.coco.json").read_text(encoding="utf-8"))["images"]:
        name, width, height = image["file_name"], image["width"], image["height"]
        picture = name.partition("_")[0]
        pixels = io.imread(HERE / "images" / name).astype(float)
        found = list(DETECTORS[options.detector][picture](pixels))
        reply = vi_reply(found, width, height)[: options.reply_limit]
        record = {"image": name, "width": width, "height": height, "prompt": PROMPTS[picture], "raw_output": reply}
        replies.append(json.dumps(record, separators=(",", ":")) + "\n")
        for detection in found:
            x1, y1, x2, y2 = detection.box
            bbox = [round(float(value), 2) for value in (x1, y1, x2 - x1, y2 - y1)]
            result = {"image_id": image["id"], "category_id": PHRASES.index(detection.phrase) + 1, "bbox": bbox}
            results.append(json.dumps({**result, "score": round(detection.score, 4)}, separators=(",", ":")))
    options.output.mkdir(exist_ok=True)
    (options.output / "predictions.jsonl").write_text("".join(replies), encoding="utf-8")
    (options.output / "predictions.coco.json").write_text("[" + ",\n".join(results) + "]\n", encoding="utf-8")
    print(f"{len(replies)} replies, {len(results)} objects")


if __name__ == "__main__":
    main()
