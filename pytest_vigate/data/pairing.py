"""Boxes of two sides that can be compared: one frame a picture, one vocabulary for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from pytest_vigate.data.coordinates import FARTHEST, Bool, Float, Int, place
from pytest_vigate.data.dataset import Boxes
from pytest_vigate.data.grounding import alternatives, refuse_misfit
from pytest_vigate.data.replies import ParseFailure
from pytest_vigate.data.tables import RawBoxes, Table
from pytest_vigate.data.vocabulary import (
    counts_differently,
    differing,
    name_of,
    own_names,
    refuse_idle_rules,
    refuse_misspelt,
    unnamed,
)
from pytest_vigate.errors import DataError


@dataclass(frozen=True, eq=False)
class Pair:
    """The boxes of both sides, made together on first use: sizes of pictures and vocabulary are common."""

    left: Table
    right: Table | None
    sample: Int
    """(m,) dataset index of every prediction record, -1 for the dropped ones."""
    record: Int
    """(n,) prediction record of every sample, -1 where there is none."""

    @property
    def predictions(self) -> Boxes:
        return self._made[0]

    @property
    def references(self) -> Boxes:
        return self._made[1]

    @property
    def failures(self) -> Mapping[int, ParseFailure]:
        """Samples whose reply is malformed, and why; empty where the predicted boxes are no replies."""
        found = {} if self._left is None or self._left.failures is None else self._left.failures
        return {int(self.sample[i]): failure for i, failure in found.items() if self.sample[i] >= 0}

    @cached_property
    def _left(self) -> RawBoxes | None:
        return None if self.left.derive_boxes is None else self.left.derive_boxes()

    @cached_property
    def _right(self) -> RawBoxes | None:
        return None if self.right is None or self.right.derive_boxes is None else self.right.derive_boxes()

    @cached_property
    def _made(self) -> tuple[Boxes, Boxes]:
        n = len(self.record)
        everyone = np.arange(n)
        left, right = self._left, self._right
        ours = None if left is None else _gathered(left, self.left, self.sample, n=n)
        theirs = None if right is None or self.right is None else _gathered(right, self.right, everyone, n=n)
        if ours is not None:
            refuse_misfit(self.left, ours.raw)
        if theirs is not None:
            _refuse_malformed(theirs)
        sizes = self._sizes()
        _refuse_unplaceable(ours, theirs, sizes)
        sizes = _with_declared(sizes, theirs, ours)
        names, vocabulary = _vocabularies(self.left, ours, self.right, theirs)
        finish = partial(_finished, n=n, sizes=sizes, vocabulary=vocabulary)
        references = finish(theirs, names[1])
        if theirs is not None:
            _refuse_degenerate(references, theirs)
        return finish(ours, names[0]), references

    def _sizes(self) -> Float:
        """Sizes of the original pictures, (n, 2): the references' word, else the predictions'.

        Raises:
            DataError: If the sides state different sizes, or a size is no size.
        """
        n = len(self.record)
        ours = np.full((n, 2), np.nan)
        ours[self.record >= 0] = _checked_sizes(self.left)[self.record[self.record >= 0]]
        if self.right is None:
            return ours
        theirs = _checked_sizes(self.right)
        differ = np.flatnonzero(((ours != theirs) & ~np.isnan(ours) & ~np.isnan(theirs)).any(axis=1))
        if len(differ):
            i = int(differ[0])
            raise DataError(
                self.left.places(int(self.record[i])),
                f"the picture has {_measure(ours[i])} pixels here, but {_measure(theirs[i])} at "
                f"{self.right.places(i)}; write the size of the original on both sides",
            )
        return np.where(np.isnan(theirs), ours, theirs)


@dataclass(frozen=True, eq=False)
class _Gathered:
    """Raw boxes ordered by sample of the dataset, in the file's order within a sample."""

    raw: RawBoxes
    table: Table
    rows: Int | slice
    """Rows of the raw boxes; a slice where all stay as they are."""
    sample: Int
    """Dataset index of every row."""
    frames: Float | None
    """(n, 2) width and height of the model's input for every sample; NaN where unknown, None without any."""

    @property
    def bound(self) -> bool:
        """Whether the boxes need the picture's size to be compared with plain pixels."""
        convention = self.raw.convention
        return convention.space != "pixels" or convention.framed or self.frames is not None

    def place(self, j: int) -> str:
        original = j if isinstance(self.rows, slice) else int(self.rows[j])
        if self.raw.places is not None:
            return self.raw.places(original)
        return self.table.places(int(self.raw.sample[original]))


def _gathered(raw: RawBoxes, table: Table, sample: Int, *, n: int) -> _Gathered:
    target = sample[raw.sample] if len(raw.sample) else raw.sample
    rows: Int | slice = slice(None)
    if (target < 0).any():
        rows = np.flatnonzero(target >= 0)
        target = target[rows]
    if (np.diff(target) < 0).any():
        order = np.argsort(target, kind="stable")
        rows = order if isinstance(rows, slice) else rows[order]
        target = target[order]
    return _Gathered(raw, table, rows, target, _frames(table, sample, n=n))


def _frames(table: Table, sample: Int, *, n: int) -> Float | None:
    """Width and height of the model's input for every sample, (n, 2)."""
    if table.frames is None:
        return None
    checked = _checked(table, table.frames, "of a model's input; write both input_width and input_height")
    frames = np.full((n, 2), np.nan)
    frames[sample[sample >= 0]] = checked[sample >= 0]
    return frames


def _refuse_malformed(side: _Gathered) -> None:
    """A reference that cannot be read would be an object that nobody has to find."""
    for i, failure in (side.raw.failures or {}).items():
        raise DataError(side.table.places(i), f"the boxes of this reference cannot be read: {failure}; correct it")


def _checked_sizes(table: Table) -> Float:
    return _checked(table, table.sizes, "of a picture; write both width and height")


def _checked(table: Table, sizes: Float, kind: str) -> Float:
    half_known = np.isnan(sizes).sum(axis=1) == 1
    bad = half_known | np.any((sizes <= 0) | (sizes > FARTHEST), axis=1)
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise DataError(
            table.places(i),
            f"{_measure(sizes[i])} is no size {kind} in pixels, or neither",
        )
    return sizes


def _refuse_unplaceable(ours: _Gathered | None, theirs: _Gathered | None, sizes: Float) -> None:
    """One side in plain pixels and the other in another frame can be compared only where the size is known."""
    if ours is None or theirs is None:
        return
    sides = (ours, theirs)
    bound = [side.bound for side in sides]
    if bound[0] == bound[1]:
        return
    framed = sides[bound.index(True)]
    convention = framed.raw.convention
    relative = convention.space != "pixels"
    if relative and convention.size is not None:
        return
    lost = np.flatnonzero(np.isnan(sizes[framed.sample]).any(axis=1))
    if len(lost):
        found = "relative" if relative else "pixels of another frame"
        declared = f", or declare {convention.declared('size: [W, H]')} where all have one size" if relative else ""
        raise DataError(
            framed.place(int(lost[0])),
            f"image size missing: these boxes are {found} ({convention}), those of "
            f"{sides[bound.index(False)].table.source.file} are pixels of the original; "
            f"{framed.table.sizing}{declared}",
        )


def _with_declared(sizes: Float, *sides: _Gathered | None) -> Float:
    """Where no record states a size, the frame of the boxes is the picture."""
    for side in sides:
        if side is not None and side.frames is not None:
            sizes = np.where(np.isnan(sizes), side.frames, sizes)
        if side is not None and side.raw.convention.size is not None:
            sizes = np.where(np.isnan(sizes), np.asarray(side.raw.convention.size, dtype=np.float64), sizes)
    return sizes


def _vocabularies(
    left: Table, ours: _Gathered | None, right: Table | None, theirs: _Gathered | None
) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], tuple[str, ...]]:
    """Label names of each side, and all of them once: the references' first."""
    if right is not None and ours is not None and theirs is not None:
        refuse_idle_rules(left, right, coded=ours.raw.coded or theirs.raw.coded)
    our_names = () if ours is None else _named(ours, right, theirs)
    their_names = () if theirs is None else _named(theirs, left, ours)
    if ours is not None and theirs is not None:
        refuse_misspelt(ours.table, ours.raw, our_names, their_names)
        refuse_misspelt(theirs.table, theirs.raw, their_names, our_names)
    return (our_names, their_names), tuple(dict.fromkeys((*their_names, *our_names)))


def _named(side: _Gathered, other: Table | None, other_side: _Gathered | None) -> tuple[str, ...]:
    raw, table = side.raw, side.table
    if not raw.coded or other is None or other_side is None:
        return own_names(table, raw.vocabulary)
    names = [name_of(code, table, other, both=other_side.raw.coded) for code in raw.vocabulary]
    differ = counts_differently(raw, table, other_side.raw, other)
    label = raw.label[side.rows]
    for i in np.unique(label):
        code = raw.vocabulary[i]
        off = differ and code not in table.source.labels_map
        if off or names[i] is None:
            raise DataError(
                side.place(int(np.argmax(label == i))),
                differing(raw, table, other) if off else unnamed(code, raw, table, other_side.raw, other),
            )
    return tuple(code if name is None else name for code, name in zip(raw.vocabulary, names, strict=True))


def _finished(
    side: _Gathered | None,
    names: tuple[str, ...],
    *,
    n: int,
    sizes: Float,
    vocabulary: tuple[str, ...],
) -> Boxes:
    if side is None:
        none = np.empty(0)
        no: Bool = np.empty(0, dtype=np.bool_)
        offsets = np.zeros(n + 1, dtype=np.int64)
        return Boxes(
            np.empty((0, 4)), np.empty(0, dtype=np.int64), none, no, none, offsets, vocabulary, declared=frozenset()
        )
    raw, rows = side.raw, side.rows
    xyxy = place(
        raw.numbers[rows],
        side.sample,
        sizes,
        raw.convention,
        frames=side.frames,
        where=side.place,
        alternatives=alternatives(raw, side.table.source),
    )
    position = {name: i for i, name in enumerate(vocabulary)}
    label = np.array([position[name] for name in names], dtype=np.int64)[raw.label[rows]]
    extent = _stated(side)
    area = _areas(xyxy[:, 2:] - xyxy[:, :2] if extent is None else extent)
    if raw.convention.space != "pixels":
        area[np.isnan(sizes[side.sample]).any(axis=1)] = np.nan
    if raw.area is not None:
        stated = raw.area[rows]
        area = np.where(np.isnan(stated), area, stated)
    offsets = np.concatenate(([0], np.cumsum(np.bincount(side.sample, minlength=n)))).astype(np.int64)
    return Boxes(
        xyxy,
        label,
        raw.score[rows],
        raw.crowd[rows],
        area,
        offsets,
        vocabulary,
        raw.phrases,
        frozenset(names),
        extent,
    )


def _stated(side: _Gathered) -> Float | None:
    """Width and height in pixels of the original, where these are what the numbers say."""
    says = side.raw.convention.order in ("xywh", "cxcywh") and not side.bound
    return side.raw.numbers[side.rows][:, 2:] if says else None


def _areas(extent: Float) -> Float:
    return np.maximum(extent[:, 0], 0.0) * np.maximum(extent[:, 1], 0.0)


def _refuse_degenerate(boxes: Boxes, side: _Gathered) -> None:
    flat = np.flatnonzero((boxes.xyxy[:, 2] <= boxes.xyxy[:, 0]) | (boxes.xyxy[:, 3] <= boxes.xyxy[:, 1]))
    if len(flat):
        j = int(flat[0])
        numbers = ", ".join(f"{number:.12g}" for number in side.raw.numbers[side.rows][j])
        more = f" ({len(flat)} boxes in all)" if len(flat) > 1 else ""
        raise DataError(
            side.place(j),
            f"the reference box [{numbers}] has no area under {side.raw.convention}{more}; correct it or drop it",
        )


def _measure(size: Float) -> str:
    return f"{size[0]:g} × {size[1]:g}"
