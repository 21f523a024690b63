"""What one sample is: a record, a picture with all its records, or a phrase on a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Literal

import numpy as np

from pytest_vigate.data.coordinates import Bool, Int
from pytest_vigate.data.dataset import Boxes, Dataset, Side, Texts
from pytest_vigate.data.records import joined_id
from pytest_vigate.data.replies import ParseFailure
from pytest_vigate.data.vocabulary import folding
from pytest_vigate.errors import DataError

Unit = Literal["image", "phrase"]


def arrange(dataset: Dataset, unit: Unit, *, pictures: Sequence[str] | None) -> Dataset:
    """The dataset with other samples.

    ``image``: the records of a picture are one sample. Their boxes and replies follow each other, and it counts as
    answered if all of them are. ``phrase``: every phrase that either side has in a record is a sample, without regard
    to case and white space, and a record without boxes stays one. Where no record has several phrases, as in referring
    expressions, records stay as they are. Phrases on one picture are drawn together. Predictions may add phrases, so
    shares of what was answered are of records: `Dataset.leads` marks one sample of each.

    Args:
        dataset: Joined sides, a record a sample.
        unit: What a sample is to be.
        pictures: (n,) picture of every record; None where records do not name it.

    Raises:
        DataError: If ``image`` has no pictures to go by, or the records of one have different attributes; if
            ``phrase`` has no boxes to go by.
    """
    return _by_image(dataset, pictures) if unit == "image" else _by_phrase(dataset, pictures)


def _by_image(dataset: Dataset, pictures: Sequence[str] | None) -> Dataset:
    if pictures is None:
        raise DataError(
            dataset.references.file or dataset.predictions.file,
            "unit: image takes the records of a picture together, but not every record names its picture; "
            "name the field that does: fields: {image: …}, or remove unit",
        )
    ids, picture = _numbered(pictures)
    merged = _Merged(picture, len(ids))
    return Dataset(
        ids,
        {name: merged.attribute(dataset, name, ids) for name in dataset.attributes},
        merged.side(dataset.predictions),
        merged.side(dataset.references),
    )


def _refuse_texts(file: str) -> Texts:
    raise DataError(file, "texts are scored record by record; remove unit, or give texts a gate of their own")


def _numbered(names: Sequence[str]) -> tuple[tuple[str, ...], Int]:
    """Names in the order of their first appearance, and the number of each."""
    position = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return tuple(position), np.array([position[name] for name in names], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Merged:
    """Records on their way into pictures."""

    picture: Int
    """(n,) picture of every record."""
    n: int
    """Number of pictures."""

    def attribute(self, dataset: Dataset, name: str, ids: Sequence[str]) -> tuple[str | None, ...]:
        """A column that all records of a picture agree in."""
        column = dataset.attributes[name]
        found: dict[int, str | None] = {}
        for i, value in zip(self.picture.tolist(), column, strict=True):
            if found.setdefault(i, value) != value:
                raise DataError(
                    dataset.references.file or dataset.predictions.file,
                    f"unit: image: the records of {ids[i]!r} differ in {name!r}, {_shown(found[i])} and "
                    f"{_shown(value)}; a picture has one value, correct them or leave {name!r} out of attributes",
                )
        return tuple(found[i] for i in range(self.n))

    def side(self, side: Side) -> Side:
        """A side with a sample a picture."""
        return replace(
            side,
            present=np.bincount(self.picture, ~side.present, minlength=self.n) == 0,
            replies=None if side.replies is None else self._replies(side.replies),
            derive_boxes=None if side.derive_boxes is None else lambda: self._boxes(side.boxes),
            derive_failures=None if side.derive_failures is None else lambda: self._failures(side.failures or {}),
            derive_texts=None if side.derive_texts is None else partial(_refuse_texts, side.file),
            derive_documents=None if side.derive_documents is None else partial(_refuse_texts, side.file),
        )

    def _replies(self, replies: Sequence[str | None]) -> tuple[str | None, ...]:
        """Replies one after the other; None for a picture of which one is missing."""
        found: list[list[str]] = [[] for _ in range(self.n)]
        lacking = set()
        for i, reply in zip(self.picture.tolist(), replies, strict=True):
            if reply is None:
                lacking.add(i)
            else:
                found[i].append(reply)
        return tuple(None if i in lacking else "\n".join(texts) for i, texts in enumerate(found))

    def _boxes(self, boxes: Boxes) -> Boxes:
        return _moved(boxes, self.picture[boxes.sample], self.n)

    def _failures(self, failures: Mapping[int, ParseFailure]) -> dict[int, ParseFailure]:
        """The first failure of every picture that has one."""
        found: dict[int, ParseFailure] = {}
        for i in sorted(failures):
            found.setdefault(int(self.picture[i]), failures[i])
        return found


def _by_phrase(dataset: Dataset, pictures: Sequence[str] | None) -> Dataset:
    sides = [side for side in (dataset.references, dataset.predictions) if "boxes" in side.parts]
    if not sides:
        raise DataError(
            dataset.predictions.file,
            "unit: phrase makes a sample of every phrase that has boxes, but these records carry none; remove unit",
        )
    split = _Split(len(dataset), *(side.boxes for side in sides))
    names = dataset.ids if pictures is None else pictures
    ids, picture = _numbered(names)
    return Dataset(
        split.ids(dataset.ids, names if len(ids) == len(names) else dataset.ids),
        {name: tuple(column[i] for i in split.record) for name, column in dataset.attributes.items()},
        split.side(dataset.predictions),
        split.side(dataset.references),
        pictures=picture[split.record],
        leads=split.leads,
    )


class _Split:
    """Records on their way into phrases: the phrases of a record are those that either side has.

    Args:
        n: Number of records.
        sides: Boxes of the sides that have any, the one whose wording stays first.
    """

    def __init__(self, n: int, *sides: Boxes) -> None:
        self._wording: dict[str, str] = {}
        for boxes in sides:
            for i in np.unique(boxes.label):
                phrase = boxes.vocabulary[i]
                self._wording.setdefault(folding(phrase), " ".join(phrase.split()))
        self._number = {folded: i for i, folded in enumerate(self._wording)}
        pairs = np.unique(np.concatenate([self._pairs(boxes) for boxes in sides]))
        owner = pairs // max(1, len(self._number))
        several = np.bincount(owner, minlength=n)
        samples = np.maximum(several, 1)
        self.record: Int = np.repeat(np.arange(n), samples)
        """(m,) record of every sample."""
        first = np.cumsum(samples) - samples
        self.leads: Bool = np.zeros(len(self.record), dtype=np.bool_)
        """(m,) whether the sample is the first of its record."""
        self.leads[first] = True
        self._pair = pairs
        self._sample: Int = first[owner] + np.arange(len(pairs)) - (np.cumsum(several) - several)[owner]
        self._whole = bool((several <= 1).all())

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """The phrases, each in the wording that came first."""
        return tuple(self._wording.values())

    def _labels(self, boxes: Boxes) -> Int:
        known = [self._number.get(folding(phrase), -1) for phrase in boxes.vocabulary]
        return np.array(known, dtype=np.int64)[boxes.label]

    def _pairs(self, boxes: Boxes) -> Int:
        """Record and phrase of every box as one number."""
        return boxes.sample * len(self._number) + self._labels(boxes)

    def ids(self, records: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
        """Ids of the samples.

        Args:
            records: (n,) ids of the records.
            names: (n,) what they are called beside a phrase.
        """
        if self._whole:
            return tuple(records)
        found = [records[i] for i in self.record]
        phrase = self._pair % max(1, len(self._number))
        for sample, i in zip(self._sample.tolist(), phrase.tolist(), strict=True):
            found[sample] = joined_id((names[self.record[sample]], self.vocabulary[i]))
        return tuple(found)

    def side(self, side: Side) -> Side:
        """A side with a sample a phrase."""
        replies = side.replies
        return replace(
            side,
            present=side.present[self.record],
            replies=None if replies is None else tuple(replies[i] for i in self.record),
            derive_boxes=None if side.derive_boxes is None else lambda: self._boxes(side.boxes),
            derive_failures=None if side.derive_failures is None else lambda: self._failures(side.failures or {}),
            derive_texts=None if side.derive_texts is None else partial(_refuse_texts, side.file),
            derive_documents=None if side.derive_documents is None else partial(_refuse_texts, side.file),
        )

    def _failures(self, failures: Mapping[int, ParseFailure]) -> dict[int, ParseFailure]:
        """A reply that cannot be read is no answer to any of its phrases."""
        return {sample: failures[i] for sample, i in enumerate(self.record.tolist()) if i in failures}

    def _boxes(self, boxes: Boxes) -> Boxes:
        sample = self._sample[np.searchsorted(self._pair, self._pairs(boxes))]
        declared = boxes.declared
        if declared is not None:
            declared = frozenset(self._wording.get(folding(phrase), phrase) for phrase in declared)
        relabelled = replace(
            boxes,
            label=self._labels(boxes),
            vocabulary=self.vocabulary,
            declared=declared,
        )
        return _moved(relabelled, sample, len(self.record))


def _moved(boxes: Boxes, sample: Int, n: int) -> Boxes:
    """The boxes with other samples, in their order within a sample."""
    order = np.argsort(sample, kind="stable")
    offsets = np.concatenate(([0], np.cumsum(np.bincount(sample, minlength=n)))).astype(np.int64)
    return boxes.take(order, offsets)


def _shown(value: str | None) -> str:
    return "nothing" if value is None else repr(value)
