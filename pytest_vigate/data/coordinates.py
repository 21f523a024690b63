"""Box conventions: declared or implied by a preset, never guessed. Numbers in, xyxy pixels out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pytest_vigate.errors import DataError

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]

#: Pixels: no picture is as large, and what is computed from boxes below it stays finite.
FARTHEST = 1e9

Order = Literal["xyxy", "xywh", "yxyx", "cxcywh"]

#: Half of the picture's side: detectors overshoot the edge, but not by more than this.
OVERSHOOT = 0.5
#: Of the space's extent: what writing and reading a decimal number may cost.
ROUNDING = 1e-6


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

    def __str__(self) -> str:
        """The convention as a gate file declares it."""
        if self.name:
            return f"boxes: {self.name}"
        size = f", size: [{self.size[0]:g}, {self.size[1]:g}]" if self.size else ""
        return f"boxes: {{order: {self.order}, space: {_space_name(self.space)}{size}}}"


#: Conventions by the name that a gate file may give under ``boxes``.
PRESETS = {
    "vi": Convention("xyxy", 1024.0, name="vi"),  # vi-sdk 0.1.0b7, vi.inference.task_types
    "coco": Convention("xywh", "pixels", name="coco"),
    "yolo": Convention("cxcywh", 1.0, name="yolo"),
}


def place(
    numbers: Float,
    sample: Int,
    sizes: Float,
    convention: Convention,
    *,
    where: Callable[[int], str] | None = None,
) -> Float:
    """Boxes as a file has them → corners in pixels of the original picture.

    Numbers become pixels of the frame they refer to (`Convention.size`, else the original), then pixels of the
    original where its size is known. Where it is not, the declared frame stays; a relative box without any frame
    stays in the unit square. Inverted boxes stay inverted.

    Args:
        numbers: (N, 4) in `convention`.
        sample: (N,) the sample of every box.
        sizes: (n, 2) width and height of the original pictures in pixels; NaN where unknown.
        convention: What the numbers mean.
        where: Place of box ``j`` for messages.

    Returns:
        (N, 4) float64 x1, y1, x2, y2.

    Raises:
        DataError: If a number is not finite, or lies outside the declared space: never rescaled by a guess. If a
            corner lies beyond `FARTHEST`, or a box has sides but is too small for its area to be a number.
    """
    if not len(numbers):
        return np.empty((0, 4))
    named = where or (lambda j: f"box {j + 1}")
    _refuse(~np.isfinite(numbers), named, lambda j, k: f"{numbers[j, k]} is no coordinate; write finite numbers")
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows lies beyond `FARTHEST`, and is refused
        corners = _placed(numbers, sizes[sample], convention, named)
    _refuse(
        ~(np.abs(corners) <= FARTHEST),
        named,
        lambda j, k: (
            f"a corner at {'xy'[k % 2]} = {corners[j, k]:.12g} lies beyond {FARTHEST:g} pixels, farther than any "
            "picture reaches; correct the box, or the size of its picture"
        ),
    )
    width, height = corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]
    _refuse(
        ((width * height == 0) & (width > 0) & (height > 0))[:, None],
        named,
        lambda j, _: (
            f"the box [{', '.join(f'{number:.12g}' for number in numbers[j])}] is so small that its area is 0; "
            "correct it or drop it"
        ),
    )
    return corners


def _placed(numbers: Float, original: Float, convention: Convention, named: Callable[[int], str]) -> Float:
    frame = original if convention.size is None else np.broadcast_to(np.asarray(convention.size, float), original.shape)
    _refuse_unit_numbers(numbers, convention, named)
    if convention.space == "pixels":
        corners = _corners(numbers, convention.order)
        _refuse_far_corners(corners, frame, numbers, convention, named)
        if convention.size is not None:
            corners = np.where(np.isnan(_twice(original)), corners, corners * _twice(original) / _twice(frame))
    else:
        extent = convention.space
        _refuse_outside(numbers, extent, convention, named)
        target = np.where(np.isnan(original), np.where(np.isnan(frame), 1.0, frame), original)
        corners = _corners(numbers, convention.order) * _twice(target) / extent
    return corners


def _twice(pairs: Float) -> Float:
    return np.concatenate((pairs, pairs), axis=1)


def _corners(numbers: Float, order: Order) -> Float:
    if order == "xyxy":
        return numbers.astype(np.float64)
    if order == "yxyx":
        return numbers[:, [1, 0, 3, 2]].astype(np.float64)
    first, extent = numbers[:, :2], numbers[:, 2:]
    if order == "cxcywh":
        return np.concatenate((first - extent / 2, first + extent / 2), axis=1)
    return np.concatenate((first, first + extent), axis=1)


def _refuse(bad: Bool, where: Callable[[int], str], message: Callable[[int, int], str]) -> None:
    """Raise for the first marked number of (N, 4), or box of (N, 1), saying how many boxes share its fault."""
    if not bad.any():
        return
    j, k = (int(index) for index in np.argwhere(bad)[0])
    boxes = int(bad.any(axis=1).sum())
    raise DataError(where(j), message(j, k) + (f" ({boxes} boxes in all)" if boxes > 1 else ""))


def _refuse_unit_numbers(numbers: Float, convention: Convention, where: Callable[[int], str]) -> None:
    above_unit = convention.space == "pixels" or convention.space > 1
    if above_unit and numbers.max() <= 1 and (numbers != np.floor(numbers)).any():
        likely = Convention(convention.order, 1.0, convention.size)
        raise DataError(
            where(0),
            f"no number of any box exceeds 1, but {convention} is declared; these look like relative numbers: {likely}",
        )


def _refuse_outside(numbers: Float, extent: float, convention: Convention, where: Callable[[int], str]) -> None:
    slack = ROUNDING * extent
    _refuse(
        (numbers < -slack) | (numbers > extent + slack),
        where,
        lambda j, k: (
            f"{numbers[j, k]:.12g} lies outside [0, {extent:g}], the range of {convention}; "
            f"{_likely(numbers, convention)}"
        ),
    )


def _refuse_far_corners(
    corners: Float, frame: Float, numbers: Float, convention: Convention, where: Callable[[int], str]
) -> None:
    side = _twice(frame)
    # comparisons with an unknown side are False: such a picture holds any corner
    _refuse(
        (corners < -OVERSHOOT * side) | (corners > (1 + OVERSHOOT) * side),
        where,
        lambda j, k: (
            f"a corner at {'xy'[k % 2]} = {corners[j, k]:.12g} lies far outside the picture of "
            f"{frame[j, 0]:g} × {frame[j, 1]:g} pixels under {convention}; {_likely(numbers, convention)}"
        ),
    )


def _likely(numbers: Float, convention: Convention) -> str:
    """What the numbers look like, as a hint to people: nothing here changes a coordinate."""
    low, top = numbers.min(), numbers.max()
    whole = bool((numbers == np.floor(numbers)).all())
    order = convention.order
    guesses: list[tuple[bool, str, Convention]] = [
        (top <= 1, "relative numbers", Convention(order, 1.0)),
        (top <= 100, "percent", Convention(order, 100.0)),
        (whole and top <= 1000, "0–1000 integers", Convention(order, 1000.0)),
        (whole and top <= 1024, "0–1024 integers", PRESETS["vi"] if order == "xyxy" else Convention(order, 1024.0)),
        (True, "pixels", Convention(order, "pixels")),
    ]
    for fits, looks, guess in guesses:
        relative = guess.space != "pixels"
        if fits and (low >= 0 or not relative) and guess.space != convention.space:
            return f"these look like {looks}: {guess}"
    frame = f"boxes: {{order: {order}, space: pixels, size: [W, H]}}"
    return f"these look like pixels of a picture of another size, or of another order: {frame}"


def _space_name(space: Literal["pixels"] | float) -> str:
    if space == "pixels":
        return space
    return {1.0: "unit", 100.0: "percent"}.get(space, f"{space:g}")
