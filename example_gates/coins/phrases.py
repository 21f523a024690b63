"""What an object is called, by what can be measured in its pixels; the one thing references and detectors share.

Nobody can see from the pixels whether a coin is Athenian or a light is a star, so no phrase claims it.
Annotator and detector apply the same rule to *their own* measurements, and may therefore disagree.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

PHRASES = ("a large coin", "a small coin", "a reddish object", "a bluish or white object")
PROMPTS = {
    "coins": "Find every coin. A coin is large from 48 pixels across.",
    "hubble": "Find every galaxy or star of at least 80 pixels. It is reddish when red outshines blue by a fifth.",
}

LARGE_COIN = 48.0  # pixels across; no coin of the picture measures between 47.3 and 49.5
REDDISH = 1.2  # mean red over mean blue
SMALLEST_LIGHT = 80.0  # square pixels; below, the box is mostly a matter of where the glow is said to end

Box = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels, half-open


def name_coin(diameter: float) -> str:
    """Return the phrase for a coin of this diameter in pixels."""
    return PHRASES[0] if diameter >= LARGE_COIN else PHRASES[1]


def name_light(pixels: NDArray[np.float64]) -> str:
    """Return the phrase for a light from its RGB pixels, ``(N, 3)``."""
    red, _, blue = pixels.mean(axis=0)
    return PHRASES[2] if red >= REDDISH * blue else PHRASES[3]


def group_by_phrase(objects: Iterable[tuple[str, Box]]) -> dict[str, list[Box]]:
    """Return the boxes under each phrase that occurs, in the order of `PHRASES`."""
    groups: dict[str, list[Box]] = {phrase: [] for phrase in PHRASES}
    for phrase, box in objects:
        groups[phrase].append(box)
    return {phrase: boxes for phrase, boxes in groups.items() if boxes}
