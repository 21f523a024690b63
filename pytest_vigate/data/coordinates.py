"""Box conventions: declared or implied by a preset, never guessed. Numbers in, xyxy pixels out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Order = Literal["xyxy", "xywh", "yxyx", "cxcywh"]


@dataclass(frozen=True, slots=True)
class Convention:
    """How four numbers mean a box.

    Args:
        order: ``xyxy`` corners, ``xywh`` corner and extent, ``yxyx`` corners with y first, ``cxcywh`` centre and
            extent.
        space: ``pixels``, or the number that the full width and height stand for: 1 (``unit``), 100
            (``percent``), 1000, 1024, …
        size: (width, height) of the picture that the coordinates refer to; None is the original picture.
        name: The preset's name, for messages; empty when declared.
    """

    order: Order
    space: Literal["pixels"] | float
    size: tuple[float, float] | None = None
    name: str = ""


#: Conventions by the name that a gate file may give under ``boxes``.
PRESETS = {
    "vi": Convention("xyxy", 1024.0, name="vi"),  # vi-sdk 0.1.0b7, vi.inference.task_types
    "coco": Convention("xywh", "pixels", name="coco"),
    "yolo": Convention("cxcywh", 1.0, name="yolo"),
}
