"""Cut two public-domain pictures of scikit-image into tiles and write down where every object is.

The objects are segmented once, on the whole pictures, with more context and care than the detector in
``detect.py`` gets: it sees one tile at a time. Every step is a parameter here; no box is typed in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phrases import PHRASES, SMALLEST_LIGHT, Box, group_by_phrase, name_coin, name_light
from PIL import Image
from skimage import data, filters, measure, morphology, segmentation

Grey = NDArray[np.float64]  # (height, width)
Labels = NDArray[np.int_]  # (height, width), 0 is background

HERE = Path(__file__).parent
LICENSES = (
    ("coins", "No known copyright restrictions (Brooklyn Museum)"),
    ("hubble", "Public domain (NASA)"),
)


@dataclass(frozen=True)
class Segmented:
    """A whole picture with one label for each object, and the phrase of each label."""

    name: str
    pixels: NDArray[np.uint8]
    labels: Labels
    phrases: dict[int, str]


@dataclass(frozen=True)
class Tile:
    """A piece of a picture: the sample that a model is asked about."""

    picture: str
    file: str
    pixels: NDArray[np.uint8]
    objects: tuple[tuple[str, Box, int], ...]  # phrase, box, area in pixels
    background: float  # median grey level beside the objects

    @property
    def lighting(self) -> str:
        """Return the word for the background, which darkens towards the lower right of the coins."""
        return "bright" if self.background >= 80 else "dim" if self.background >= 40 else "dark"

    @property
    def crowding(self) -> str:
        """Return the word for the number of objects."""
        return "crowded" if len(self.objects) > 3 else "sparse"


def fit_background(grey: Grey, *, rounds: int = 20) -> tuple[Grey, float]:
    """Return the cubic surface under the coins and the spread of the background around it.

    Pixels more than two spreads off the surface are left out of the next fit, so coins stop pulling at it.
    """
    height, width = grey.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([x**i * y**j for i in range(4) for j in range(4 - i)], axis=-1)
    table = np.ones_like(grey, dtype=bool)
    table[:, -12:] = False  # the black rim of the photograph is no background
    used = table
    for _ in range(rounds):
        surface = terms @ np.linalg.lstsq(terms[used], grey[used], rcond=None)[0]
        above = grey - surface
        spread = 1.4826 * float(np.median(np.abs(above[used] - np.median(above[used]))))
        used = table & (np.abs(above) < 2 * spread)
    return surface, spread


def segment_coins() -> Segmented:
    """Return the coins: sure insides and outsides grown along the gradient until they meet at the rim."""
    pixels = data.coins()
    grey = pixels.astype(float)
    surface, spread = fit_background(grey)
    bright = filters.gaussian(grey - surface, 1) > 6 * spread
    inside = morphology.convex_hull_object(morphology.opening(bright, morphology.disk(8)))
    seeds = np.zeros(grey.shape, dtype=int)
    seeds[~morphology.dilation(inside, morphology.disk(7))] = 1
    seeds[morphology.erosion(inside, morphology.disk(3))] = 2
    coins = segmentation.watershed(filters.sobel(filters.gaussian(grey, 1)), seeds) == 2
    labels = measure.label(morphology.opening(coins, morphology.disk(3)))  # the opening drops specks at rims
    phrases = {region.label: name_coin(region.equivalent_diameter_area) for region in measure.regionprops(labels)}
    return Segmented("coins", pixels, labels, phrases)


def segment_lights() -> Segmented:
    """Return the galaxies and stars: an isophote above the sky, cut where one glow sinks between two peaks."""
    pixels = data.hubble_deep_field()
    grey = pixels.astype(float).mean(axis=-1)
    smooth = filters.gaussian(grey - np.median(grey), 1)
    peaks = measure.label(morphology.h_maxima(smooth, 25.0))
    labels = segmentation.watershed(-smooth, peaks, mask=smooth > 50)
    phrases = {}
    for region in measure.regionprops(labels):
        if region.area >= SMALLEST_LIGHT:
            phrases[region.label] = name_light(pixels[labels == region.label].astype(float))
    return Segmented("hubble", pixels, np.where(np.isin(labels, list(phrases)), labels, 0), phrases)


def place_cuts(occupied: NDArray[np.int_], pieces: int) -> list[int]:
    """Return where to cut a line into equal pieces, each cut moved a little to where it hurts least.

    Args:
        occupied: How many object pixels a cut at each place would run through.
        pieces: How many pieces to make.
    """
    length = len(occupied)
    slack = length // (pieces * 5)
    cuts = [0]
    for even in np.linspace(0, length, pieces + 1)[1:-1].round().astype(int):
        near = range(even - slack, even + slack + 1)
        cuts.append(min(near, key=lambda at: (int(occupied[at - 3 : at + 4].sum()), abs(at - even))))
    return [*cuts, length]


def cut_tiles(picture: Segmented, rows: int, columns: int, suffix: str) -> Iterator[Tile]:
    """Yield the tiles of a picture; an object belongs to the tile that holds at least 60 % of it, clipped."""
    areas = np.bincount(picture.labels.ravel())
    number = 0
    for top, bottom in pairwise(place_cuts((picture.labels > 0).sum(axis=1), rows)):
        strip = picture.labels[top:bottom]
        for left, right in pairwise(place_cuts((strip > 0).sum(axis=0), columns)):
            number += 1
            labels = strip[:, left:right]
            pixels = picture.pixels[top:bottom, left:right]
            objects = []
            for region in measure.regionprops(labels):
                if region.area >= 0.6 * areas[region.label]:
                    y1, x1, y2, x2 = region.bbox
                    objects.append((picture.phrases[region.label], (x1, y1, x2, y2), int(region.area)))
            grey = pixels.reshape(*pixels.shape[:2], -1).mean(axis=-1)
            background = float(np.median(grey[~morphology.dilation(labels > 0, morphology.disk(3))]))
            yield Tile(picture.name, f"{picture.name}_{number:02}{suffix}", pixels, tuple(objects), background)


def vi_record(tile: Tile) -> dict[str, Any]:
    """Return a tile's references as a record of Vi JSONL, with the attributes to slice by."""
    height, width = tile.pixels.shape[:2]
    grounded: list[dict[str, Any]] = []
    words: list[str] = []
    for phrase, boxes in group_by_phrase((phrase, box) for phrase, box, _ in tile.objects).items():
        words += ["and"] * bool(words)
        start = len(words)
        words += phrase.split()
        bounds = [[round(x / size, 6) for x, size in zip(box, (width, height) * 2, strict=True)] for box in boxes]
        grounded.append({"phrase": phrase, "startTokenIndex": start, "endTokenIndex": len(words), "bounds": bounds})
    asset = {"type": "Image", "filename": tile.file, "height": height, "width": width}
    contents = {"type": "PhraseGrounding", "caption": " ".join(words), "groundedPhrases": grounded}
    attributes = {"picture": tile.picture, "lighting": tile.lighting, "crowding": tile.crowding}
    return {"id": Path(tile.file).stem, "asset": asset, "contents": contents, "category": None, **attributes}


def coco_document(tiles: list[Tile]) -> dict[str, Any]:
    """Return the references of all tiles in COCO form."""
    licenses = {name: number for number, (name, _) in enumerate(LICENSES, start=1)}
    images = []
    annotations: list[dict[str, Any]] = []
    for image_id, tile in enumerate(tiles, start=1):
        height, width = tile.pixels.shape[:2]
        image = {"id": image_id, "file_name": tile.file, "width": width, "height": height}
        attributes = {"picture": tile.picture, "lighting": tile.lighting, "crowding": tile.crowding}
        images.append({**image, "license": licenses[tile.picture], **attributes})
        for phrase, (x1, y1, x2, y2), area in tile.objects:
            annotation = {"id": len(annotations) + 1, "image_id": image_id, "category_id": PHRASES.index(phrase) + 1}
            annotations.append({**annotation, "bbox": [x1, y1, x2 - x1, y2 - y1], "area": area, "iscrowd": 0})
    return {
        "licenses": [{"id": number, "name": text} for number, (_, text) in enumerate(LICENSES, start=1)],
        "categories": [{"id": number, "name": phrase} for number, phrase in enumerate(PHRASES, start=1)],
        "images": images,
        "annotations": annotations,
    }


def main() -> None:
    """Write ``images/``, ``annotations.jsonl`` and ``annotations.coco.json`` beside this script."""
    tiles = [*cut_tiles(segment_coins(), 4, 3, ".png"), *cut_tiles(segment_lights(), 5, 6, ".jpg")]
    folder = HERE / "images"
    folder.mkdir(exist_ok=True)
    for tile in tiles:
        Image.fromarray(tile.pixels).save(folder / tile.file, quality=92, subsampling=0, optimize=True)
    lines = (json.dumps(vi_record(tile), separators=(",", ":")) + "\n" for tile in tiles)
    (HERE / "annotations.jsonl").write_text("".join(lines), encoding="utf-8")
    document = json.dumps(coco_document(tiles), separators=(",", ":")).replace("},{", "},\n{")  # a line an entry
    (HERE / "annotations.coco.json").write_text(document + "\n", encoding="utf-8")
    print(f"{len(tiles)} tiles, {sum(len(tile.objects) for tile in tiles)} objects")


if __name__ == "__main__":
    main()
