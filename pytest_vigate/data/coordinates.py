"""Box conventions: declared or implied by a preset, never guessed. Numbers in, xyxy pixels out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
Space = Literal["pixels"] | float

#: In words, and in the order in which they are looked for where boxes seem to be in another one.
_ORDERS: dict[Order, str] = {
    "xyxy": "corners",
    "xywh": "corner and extent",
    "cxcywh": "centre and extent",
    "yxyx": "y first",
}

#: Half of the picture's side: detectors overshoot the edge, but not by more than this.
OVERSHOOT = 0.5
#: Of the space's extent: what writing and reading a decimal number may cost.
ROUNDING = 1e-6


#: Sides that are farther from a square than this are refused by the models' own code, as `Resize` ports it.
NARROWEST = 200


@dataclass(frozen=True, slots=True)
class Resize:
    """How Qwen's processors resize a picture before the model sees it.

    Args:
        max_pixels: Most pixels of the input.
        min_pixels: Fewest pixels of the input.
        factor: Both sides of the input are multiples of it.
    """

    max_pixels: int
    min_pixels: int = 3136
    factor: int = 28

    def __str__(self) -> str:
        """The rule as a gate file declares it."""
        return f"{{max_pixels: {self.max_pixels}, min_pixels: {self.min_pixels}, factor: {self.factor}}}"

    def input_size(self, width: float, height: float) -> tuple[float, float] | None:
        """Width and height of the input that a picture becomes; None for one that is too narrow for a model."""
        # smart_resize of transformers 5.23.0, models/qwen2_vl/image_processing_qwen2_vl.py
        if max(width, height) > NARROWEST * min(width, height):
            return None
        factor = self.factor
        wide, high = round(width / factor) * factor, round(height / factor) * factor
        if wide * high > self.max_pixels:
            beta = math.sqrt(width * height / self.max_pixels)
            wide = max(factor, math.floor(width / beta / factor) * factor)
            high = max(factor, math.floor(height / beta / factor) * factor)
        elif wide * high < self.min_pixels:
            beta = math.sqrt(self.min_pixels / (width * height))
            wide = math.ceil(width * beta / factor) * factor
            high = math.ceil(height * beta / factor) * factor
        return float(wide), float(high)


@dataclass(frozen=True, slots=True)
class Convention:
    """How four numbers mean a box.

    Args:
        order: ``xyxy`` corners, ``xywh`` corner and extent, ``yxyx`` corners with y first, ``cxcywh`` centre and
            extent.
        space: ``pixels``, or the number that the full width and height stand for: 1 (``unit``), 100
            (``percent``), 1000, 1024, …
        size: (width, height) of the picture that the coordinates refer to; None is the original picture, or what
            `resize` makes of it.
        name: The preset's name, for messages; empty when declared.
        resized: Pixels of the model's resized input: its size has to be known.
        resize: How that size follows from the original's.
        one_based: Pixels count from 1 and the last one belongs to the box, as in Pascal VOC.
        stated: What the gate states beside the preset of `name`, for messages: ``order``, ``space``.
    """

    order: Order
    space: Space
    size: tuple[float, float] | None = None
    name: str = ""
    resized: bool = False
    resize: Resize | None = None
    one_based: bool = False
    stated: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The convention as a gate file declares it."""
        return self.declared()

    def declared(self, *more: str) -> str:
        """The convention as a gate file declares it, with more entries, as ``size: [W, H]``."""
        words = {"order": self.order, "space": _space_name(self.space)}
        shown = [f"preset: {self.name}"] if self.name else []
        shown += [f"{word}: {text}" for word, text in words.items() if not self.name or word in self.stated]
        if self.size is not None:
            shown.append(f"size: [{self.size[0]:g}, {self.size[1]:g}]")
        if self.resize is not None:
            shown.append(f"resize: {self.resize}")
        if self.one_based:
            shown.append("one_based: true")
        shown += more
        return f"boxes: {self.name}" if shown == [f"preset: {self.name}"] else f"boxes: {{{', '.join(shown)}}}"

    @property
    def meaning(self) -> str:
        """What the numbers count, in a few words: ``0–1000, y first``."""
        if self.space == "pixels":
            count = "pixels of the model's input" if self.framed else "pixels"
        else:
            count = f"0–{self.space:g}"
        return count if self.order == "xyxy" else f"{count}, {_ORDERS[self.order]}"

    @property
    def framed(self) -> bool:
        """Whether the numbers are pixels of another frame than the original picture."""
        return self.space == "pixels" and (self.resized or self.size is not None or self.resize is not None)


#: Conventions of the formats that hold boxes as numbers, and of Vi's replies, by name.
PRESETS = {
    "vi": Convention("xyxy", 1024.0, name="vi"),  # vi-sdk 0.1.0b7, vi.inference.task_types
    "coco": Convention("xywh", "pixels", name="coco"),
    "yolo": Convention("cxcywh", 1.0, name="yolo"),
    "voc": Convention("xyxy", "pixels", name="voc"),
}


def place(
    numbers: Float,
    sample: Int,
    sizes: Float,
    convention: Convention,
    *,
    frames: Float | None = None,
    where: Callable[[int], str] | None = None,
    alternatives: Sequence[Convention] | None = None,
) -> Float:
    """Boxes as a file has them → corners in pixels of the original picture.

    Numbers become pixels of the frame they refer to (the record's own input size, else `Convention.size`, else what
    `Convention.resize` says, else the original), then pixels of the original where its size is known. Where it is not,
    the frame stays; a relative box without any frame stays in the unit square. Inverted boxes stay inverted.

    Args:
        numbers: (N, 4) in `convention`.
        sample: (N,) the sample of every box.
        sizes: (n, 2) width and height of the original pictures in pixels; NaN where unknown.
        convention: What the numbers mean.
        frames: (n, 2) width and height of the model's inputs in pixels, as the records state them; NaN where unknown.
        where: Place of box ``j`` for messages.
        alternatives: What the numbers may mean instead, where they were read out of replies: the conventions of the
            presets that read replies in the same way. None for numbers that a file holds as such.

    Returns:
        (N, 4) float64 x1, y1, x2, y2.

    Raises:
        DataError: If a number is not finite, or lies outside the declared space: never rescaled by a guess. If the
            frame has to be known and is not. If a corner lies beyond `FARTHEST`, or a box has sides but is too small
            for its area to be a number.
    """
    if not len(numbers):
        return np.empty((0, 4))
    named = where or (lambda j: f"box {j + 1}")
    _refuse(~np.isfinite(numbers), named, lambda j, k: f"{numbers[j, k]} is no coordinate; write finite numbers")
    original = sizes[sample]
    placing = _Placing(numbers, original, convention, named, alternatives)
    frame = _frames(original, None if frames is None else frames[sample], convention, named)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows lies beyond `FARTHEST`, and is refused
        corners = placing.corners(frame)
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


def _frames(original: Float, stated: Float | None, convention: Convention, named: Callable[[int], str]) -> Float:
    """Width and height of what the pixels of every box refer to, (N, 2); NaN where unknown."""
    frame = np.full_like(original, np.nan) if stated is None else stated.copy()
    if convention.size is not None:
        frame = np.where(np.isnan(frame), np.asarray(convention.size, float), frame)
    if convention.space != "pixels" or (stated is None and not convention.framed):
        return np.where(np.isnan(frame), original, frame)
    unknown = np.flatnonzero(np.isnan(frame).any(axis=1))
    if convention.resize is not None and len(unknown):
        frame[unknown] = _resized(original[unknown], convention.resize, lambda j: named(int(unknown[j])))
    _refuse(
        _lacking(frame),
        named,
        lambda *_: (
            f"input size missing: {convention} counts pixels of the model's resized input; give the records "
            "input_width and input_height (fields: {input_width: …, input_height: …} names them otherwise), or declare "
            f"{convention.declared('size: [W, H]')}, or {convention.declared('resize: {max_pixels: …}')}"
        ),
    )
    return frame


def _lacking(pairs: Float) -> Bool:
    """(N, 1) whether a number of the pair is unknown."""
    return np.isnan(pairs[:, :1]) | np.isnan(pairs[:, 1:])


def _resized(original: Float, resize: Resize, named: Callable[[int], str]) -> Float:
    _refuse(
        _lacking(original),
        named,
        lambda *_: (
            "image size missing: 'resize' computes the model's input from the size of the picture; "
            "give the records width and height"
        ),
    )
    known, position = np.unique(original, axis=0, return_inverse=True)
    inputs = [resize.input_size(float(width), float(height)) for width, height in known]
    frame = np.array([(np.nan, np.nan) if one is None else one for one in inputs]).reshape(-1, 2)[position.reshape(-1)]
    _refuse(
        _lacking(frame),
        named,
        lambda j, _: (
            f"a picture of {original[j, 0]:g} × {original[j, 1]:g} pixels has no resized input: one side is more than "
            f"{NARROWEST} times the other; give the record input_width and input_height"
        ),
    )
    return frame


@dataclass(frozen=True, slots=True, eq=False)
class _Placing:
    """Numbers on their way to corners, and what to say when they do not fit."""

    numbers: Float  # (N, 4)
    original: Float  # (N, 2)
    convention: Convention
    named: Callable[[int], str]
    alternatives: Sequence[Convention] | None

    def corners(self, frame: Float) -> Float:
        """Corners in pixels of the original, or of what stands for it, (N, 4)."""
        convention, original = self.convention, self.original
        self._refuse_unit_numbers()
        if convention.space != "pixels":
            extent = convention.space
            self._refuse_outside(extent)
            target = np.where(np.isnan(original), np.where(np.isnan(frame), 1.0, frame), original)
            return _corners(self.numbers, convention.order) * _twice(target) / extent
        numbers = self.numbers - (1.0, 1.0, 0.0, 0.0) if convention.one_based else self.numbers
        corners = _corners(numbers, convention.order)
        self._refuse_far_corners(corners, frame)
        if frame is not original:
            known = ~(np.isnan(_twice(original)) | np.isnan(_twice(frame))) & (_twice(original) != _twice(frame))
            corners = np.where(known, corners * _twice(original) / _twice(frame), corners)
        return corners

    def _refuse_unit_numbers(self) -> None:
        numbers, convention = self.numbers, self.convention
        above_unit = convention.space == "pixels" or convention.space > 1
        if above_unit and numbers.max() <= 1 and (numbers != np.floor(numbers)).any():
            raise DataError(
                self.named(0),
                f"no number of any box exceeds 1, but {convention} is declared; {self._likely()}",
            )

    def _refuse_outside(self, extent: float) -> None:
        numbers, slack = self.numbers, ROUNDING * extent
        _refuse(
            (numbers < -slack) | (numbers > extent + slack),
            self.named,
            lambda j, k: (
                f"{numbers[j, k]:.12g} lies outside [0, {extent:g}], the range of {self.convention}; {self._likely()}"
            ),
        )

    def _refuse_far_corners(self, corners: Float, frame: Float) -> None:
        side = _twice(frame)
        # comparisons with an unknown side are False: such a picture holds any corner
        _refuse(
            (corners < -OVERSHOOT * side) | (corners > (1 + OVERSHOOT) * side),
            self.named,
            lambda j, k: (
                f"a corner at {'xy'[k % 2]} = {corners[j, k]:.12g} lies far outside the picture of "
                f"{frame[j, 0]:g} × {frame[j, 1]:g} pixels under {self.convention}; "
                f"{self._other_order() or self._likely()}"
            ),
        )

    def _other_order(self) -> str:
        """A hint at the order in which the same pixels lie inside their pictures; empty if there is none."""
        order = self._order_in_pictures() if self.alternatives is None and not self.convention.framed else None
        return f"these look like pixels in another order: {Convention(order, 'pixels')}" if order else ""

    def _likely(self) -> str:
        """What the numbers look like, as a hint to people: nothing here changes a coordinate."""
        numbers, convention = self.numbers, self.convention
        if self.alternatives is not None:
            for other in sorted(self.alternatives, key=lambda one: math.inf if one.space == "pixels" else one.space):
                if other.space != convention.space and self._in_range(other.space):
                    return f"these look like {_looks(other.space)}: {other}"
        whole = bool((numbers == np.floor(numbers)).all())
        spaces: tuple[Space, ...] = (1.0, 100.0, *((1000.0, 1024.0) if whole else ()), "pixels")
        for space in spaces:
            if space != convention.space and self._in_range(space):
                looks = f"0–{space:g} integers" if space in (1000.0, 1024.0) else _looks(space)
                return f"these look like {looks}: {self._declared(space)}"
        frame = self._declared("pixels").declared("size: [W, H]")
        return f"these look like pixels of a picture of another size, or of another order: {frame}"

    def _in_range(self, space: Space) -> bool:
        low, top = self.numbers.min(), self.numbers.max()
        return bool(space == "pixels" or (low >= 0 and top <= space))

    def _order_in_pictures(self) -> Order | None:
        """The first order in which all boxes are pixels inside their pictures; None where there is none to be seen."""
        side = _twice(self.original)
        for order in _ORDERS:
            corners = _corners(self.numbers, order)
            inside = (corners >= 0) & (corners <= side)  # never inside a picture of unknown size
            if inside.all() and (corners[:, 2:] > corners[:, :2]).all():
                return order
        return None

    def _declared(self, space: Space) -> Convention:
        """The same boxes in another space, as a gate would declare it."""
        convention = self.convention
        if self.alternatives is not None and convention.name:
            return Convention(convention.order, space, name=convention.name, stated=("space",))
        if space == "pixels":
            return Convention(self._order_in_pictures() or convention.order, space)
        known = PRESETS["vi"]
        return known if (space, convention.order) == (known.space, known.order) else Convention(convention.order, space)


def _looks(space: Space) -> str:
    if space == "pixels":
        return space
    return {1.0: "relative numbers", 100.0: "percent"}.get(space, f"parts of {space:g}")


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
    of = f" ({int(bad.any(axis=1).sum())} of {len(bad)} boxes)" if len(bad) > 1 else ""
    raise DataError(where(j), message(j, k) + of)


def _space_name(space: Space) -> str:
    if space == "pixels":
        return space
    return {1.0: "unit", 100.0: "percent"}.get(space, f"{space:g}")
