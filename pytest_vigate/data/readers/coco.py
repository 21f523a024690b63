"""COCO: ground truth as references, a results array as predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import ClassVar, TypeVar

import msgspec
import numpy as np
from msgspec import Struct

from pytest_vigate.data import naming, records
from pytest_vigate.data.coordinates import PRESETS, Float, Int
from pytest_vigate.data.decoding import decode_document, read_array
from pytest_vigate.data.files import shown
from pytest_vigate.data.readers import Reader, annotated, first_result
from pytest_vigate.data.records import Identifier, Record, Vocabulary
from pytest_vigate.data.tables import RawBoxes, Role, Source, Table
from pytest_vigate.errors import DataError

T = TypeVar("T")
Box = tuple[float, float, float, float]


class Image(Struct, gc=False):
    """A picture."""

    id: Identifier
    file_name: str | None = None
    width: float | None = None
    height: float | None = None


class Category(Struct, gc=False):
    """A class of objects."""

    id: Identifier
    name: str


class Annotation(Struct, gc=False):
    """An object; its own id means nothing here, 0 is as good as any."""

    image_id: Identifier
    category_id: Identifier
    bbox: Box
    area: float | None = None
    iscrowd: int | bool | None = 0
    ignore: int | bool | None = 0


class Truth(Struct, gc=False):
    """A ground truth file."""

    images: list[Image]
    annotations: list[Annotation]
    categories: list[Category]


class Pictures(Struct, gc=False):
    """A ground truth file, read for what else its pictures say."""

    images: list[dict[str, object]] = []


class Result(Struct, gc=False):
    """A detection."""

    image_id: Identifier
    bbox: Box
    category_id: Identifier | None = None
    label: str | None = None
    score: float | None = None
    file_name: str | None = None


_TRUTH = msgspec.json.Decoder(Truth)
_PICTURES = msgspec.json.Decoder(Pictures)
_RESULTS = msgspec.json.Decoder(list[Result])


class Coco(Reader):
    """``{"images", "annotations", "categories"}``, and results ``[{"image_id", "category_id", "bbox", "score"}]``."""

    name: ClassVar[str] = "coco"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        start = head.lstrip()
        if role == "predictions":
            if not start.startswith(b"["):
                return False
            empty, first = not start.strip(b"[] \t\r\n"), first_result(head)
            boxes = "bbox" in first if first else b'"bbox"' in head
            return empty or (boxes and "file_name" not in first)
        return annotated(path, head) == "boxes"

    def read(self, source: Source) -> Table:
        naming.refuse_unknown_fields(source, self.name, ("id",))
        return _plain_results(source) if source.role == "predictions" else _read_truth(source)


def _read_truth(source: Source) -> Table:
    if len(source.paths) > 1:
        raise DataError(source.file, f"{len(source.paths)} files fit, but COCO ground truth is one file; name one")
    file = shown(source, source.paths[0])
    truth = decode_document(source, source.paths[0], _TRUTH)
    images, annotations = truth.images, truth.annotations
    _refuse_equal_ids(images, file)
    sample, unknown = _samples([image.id for image in images], [found.image_id for found in annotations])
    if unknown is not None:
        raise DataError(
            f"{file}: annotations[{unknown}]",
            f"image_id {annotations[unknown].image_id!r} is no id of 'images'; add the picture or drop the annotation",
        )
    names = _names(truth.categories, file)
    vocabulary = Vocabulary()
    index = {code: vocabulary.index(name) for code, name in names.items()}
    for j, found in enumerate(annotations):
        if str(found.category_id) not in index:
            raise DataError(
                f"{file}: annotations[{j}]", f"category_id {found.category_id!r} is no id of 'categories'; add its name"
            )
    boxes = RawBoxes(
        _numbers(annotations),
        sample,
        records.indices([index[str(found.category_id)] for found in annotations]),
        np.full(len(annotations), np.nan),
        np.array([bool(found.iscrowd) or bool(found.ignore) for found in annotations], dtype=np.bool_),
        vocabulary.labels,
        source.boxes or PRESETS["coco"],
        area=_column([found.area for found in annotations]),
        places=partial(_place, f"{file}: annotations"),
    )
    untyped = partial(pictures, source, file)
    named = [image.file_name for image in images if image.file_name is not None]
    return Table(
        source,
        records.keys(
            source,
            ids=records.declared_ids(source, untyped) or [str(image.id) for image in images],
            images=named if len(named) == len(images) else None,
        ),
        partial(_place, f"{file}: images"),
        records.sizes([image.width for image in images], [image.height for image in images]),
        partial(records.column, untyped),
        partial(records.names, untyped),
        derive_boxes=lambda: boxes,
        categories=names,
        id_of="image_id",
    )


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """The detections of all files of a source, by picture.

    Args:
        found: All of them, in the order of the files.
        place: Where detection ``j`` stands.
        ids: Pictures that have any, n of them, as text.
        sample: (N,) index of every detection's picture.
        first: (n,) the first detection of every picture.
    """

    found: Sequence[Result]
    place: Callable[[int], str]
    ids: tuple[str, ...]
    sample: Int
    first: Int

    def table(self, source: Source, keys: Mapping[str, tuple[str, ...]], *, base: int | None = None) -> Table:
        """The table of a source.

        Args:
            source: It.
            keys: What the pictures are named by.
            base: The number that the format's codes count from, where it says so.
        """
        place, first = self.place, self.first  # the table shall not keep all detections alive
        labels, vocabulary, coded = _labels(self.found, place)
        boxes = RawBoxes(
            _numbers(self.found),
            self.sample,
            labels,
            _column([result.score for result in self.found]),
            np.zeros(len(self.found), dtype=np.bool_),
            vocabulary,
            source.boxes or PRESETS["coco"],
            coded=coded,
            base=base,
            places=place,
        )
        return Table(
            source,
            keys,
            lambda i: place(int(first[i])),
            np.full((len(self.ids), 2), np.nan),
            derive_boxes=lambda: boxes,
        )


def read_results(source: Source) -> Results:
    """The detections of a source."""
    found, place = read_array(source, _RESULTS)
    codes = [result.image_id for result in found]
    ids = tuple(dict.fromkeys(map(str, dict.fromkeys(codes))))
    sample, _ = _samples(ids, codes)
    first = np.empty(len(ids), dtype=np.int64)
    first[sample[::-1]] = np.arange(len(found))[::-1]
    return Results(found, place, ids, sample, first)


def refuse_other_names(source: Source) -> None:
    """Raise for an id that results do not have."""
    if source.fields.get("id") not in (None, "image_id", *records.PICTURE_KEYS):
        raise DataError(source.file, "fields: results are named by image_id; id may be image_id, image or stem")


def _plain_results(source: Source) -> Table:
    results = read_results(source)
    refuse_other_names(source)
    pictures = source.fields.get("id") in records.PICTURE_KEYS
    return results.table(source, records.keys(source, ids=results.ids, images=results.ids if pictures else None))


def _refuse_equal_ids(images: Sequence[Image], file: str) -> None:
    first: dict[str, int] = {}
    for i, image in enumerate(images):
        if (other := first.setdefault(str(image.id), i)) != i:
            raise DataError(
                f"{file}: images[{i}]",
                f"the id {image.id} is already that of images[{other}]; give every picture its own",
            )


def _samples(ids: Sequence[Identifier], wanted: Sequence[Identifier]) -> tuple[Int, int | None]:
    """Index of every wanted id among the ids, compared as text; and the first that is not there."""
    position = {str(identifier): i for i, identifier in enumerate(ids)}
    known = {identifier: position.get(str(identifier), -1) for identifier in dict.fromkeys(wanted)}
    sample = np.fromiter(map(known.__getitem__, wanted), dtype=np.int64, count=len(wanted))
    missing = np.flatnonzero(sample < 0)
    return sample, int(missing[0]) if len(missing) else None


def _numbers(found: Sequence[Annotation] | Sequence[Result]) -> Float:
    flat = chain.from_iterable(one.bbox for one in found)
    return np.fromiter(flat, dtype=np.float64, count=4 * len(found)).reshape(-1, 4)


def _column(values: Sequence[float | None]) -> Float:
    return np.array(values, dtype=np.float64)  # None becomes NaN


def _labels(found: Sequence[Result], place: Callable[[int], str]) -> tuple[Int, tuple[str, ...], bool]:
    coded = not found or found[0].label is None
    given = [result.category_id if coded else result.label for result in found]
    if None in given:
        j = given.index(None)
        other = "category_id" if coded else "label"
        raise DataError(
            place(j), f"the field {other!r} is missing; give every result a category_id, or every one a label"
        )
    vocabulary = Vocabulary()
    index = {value: vocabulary.index(str(value)) for value in dict.fromkeys(given)}
    labels = np.fromiter(map(index.__getitem__, given), dtype=np.int64, count=len(given))
    return labels, vocabulary.labels, coded


def _names(categories: Sequence[Category], file: str) -> dict[str, str]:
    names: dict[str, str] = {}
    code_of: dict[str, str] = {}
    for i, category in enumerate(categories):
        code, where = str(category.id), f"{file}: categories[{i}]"
        if code in names:
            raise DataError(where, f"the id {code} is already that of {names[code]!r}; give every category its own")
        if category.name in code_of:
            raise DataError(
                where, f"the name {category.name!r} is already that of category {code_of[category.name]}; rename one"
            )
        names[code] = category.name
        code_of[category.name] = code
    return names


def pictures(source: Source, file: str) -> Iterator[tuple[str, Record]]:
    """Place and untyped record of every picture that an annotation file lists."""
    found = decode_document(source, source.paths[0], _PICTURES).images
    return ((f"{file}: images[{i}]", picture) for i, picture in enumerate(found))


def _place(section: str, i: int) -> str:
    return f"{section}[{i}]"
