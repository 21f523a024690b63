"""Datature Vi: recorded replies as predictions, Vi JSONL exports as references."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

import msgspec
import numpy as np
from msgspec import Struct

from pytest_vigate.data import records
from pytest_vigate.data.coordinates import Convention, Float
from pytest_vigate.data.decoding import decode_line, mismatch, read_lines
from pytest_vigate.data.grounding import read_boxes
from pytest_vigate.data.presets.documents import VI
from pytest_vigate.data.readers import Reader, first_record
from pytest_vigate.data.records import Record, Vocabulary
from pytest_vigate.data.tables import RawBoxes, Role, Source, Table
from pytest_vigate.errors import DataError, did_you_mean

T = TypeVar("T")
Box = tuple[float, float, float, float]

#: Vi exports boxes as fractions of the picture's sides.
EXPORTED = Convention("xyxy", 1.0)


class Prediction(Struct):
    """A line of recorded replies."""

    raw_output: str | None
    id: int | str | None = None
    image: str | None = None
    width: float | None = None
    height: float | None = None
    input_width: float | None = None
    input_height: float | None = None


class Asset(Struct):
    """A picture of an export."""

    filename: str
    width: float | None = None
    height: float | None = None


class GroundedPhrase(Struct):
    """A phrase and its bounds: boxes, or polygons of four points."""

    phrase: str
    bounds: list[list[float | list[float]]]


class Contents(Struct, rename="camel"):
    """What is annotated; other types than phrase grounding are kept without their content."""

    type: str
    grounded_phrases: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Reference(Struct):
    """A line of an export."""

    id: int | str
    asset: Asset
    contents: Contents


_PHRASES = msgspec.json.Decoder(list[GroundedPhrase])
_REFERENCE = msgspec.json.Decoder(Reference)
_GROUNDING = "PhraseGrounding"
_TYPES = (_GROUNDING, "Vqa", "Freeform")
_RENAMEABLE = ("image", "width", "height", "input_width", "input_height", "raw_output")


class Vi(Reader):
    """Replies one a line, ``{"image", "width", "height", "prompt", "raw_output"}``; references as Vi exports them."""

    name: ClassVar[str] = "vi"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        record = first_record(head)
        return "raw_output" in record if role == "predictions" else {"asset", "contents"} <= record.keys()

    def read(self, source: Source) -> Table:
        return _read_predictions(source) if source.role == "predictions" else _read_references(source)


def _read_predictions(source: Source) -> Table:
    records.refuse_unknown_fields(source, Vi.name, ("id", *_RENAMEABLE))
    theirs = {name: records.one_field(source, name, name) for name in _RENAMEABLE}
    places, found = _decoded(source, _renamed(theirs))
    untyped = partial(records.line_records, source)
    replies = tuple(record.raw_output for record in found)
    own = [str(record.id) for record in found if record.id is not None]
    images = [record.image for record in found if record.image is not None]
    ids = records.declared_ids(source, untyped) or (own if len(own) == len(found) else None)
    if ids is None and len(images) < len(found):
        nameless = next(i for i, record in enumerate(found) if record.image is None)
        raise DataError(places[nameless], "the record has neither 'id' nor 'image'; name its field under 'fields'")
    return Table(
        source,
        records.keys(source, ids=ids, images=images if len(images) == len(found) else None),
        places.__getitem__,
        records.sizes([record.width for record in found], [record.height for record in found]),
        partial(records.column, untyped),
        partial(records.names, untyped),
        replies,
        partial(read_boxes, source, replies, default=VI),
        in_replies=True,
        frames=_frames(source, found),
    )


def _frames(source: Source, found: Sequence[Prediction]) -> Float | None:
    """Sizes of the model's inputs, where the boxes are pixels of them."""
    frames = records.sizes([record.input_width for record in found], [record.input_height for record in found])
    for k, ours in enumerate(("input_width", "input_height")):
        if ours in source.fields and np.isnan(frames[:, k]).all():
            theirs = source.fields[ours]
            raise DataError(source.file, f"fields: no record has the field {theirs!r}, declared as {ours}; check it")
    return frames if source.framed else None


def _renamed(theirs: dict[str, str]) -> msgspec.json.Decoder[Prediction]:
    # msgspec renames only fields that a struct defines itself: all are repeated
    fields = [
        (field.name, field.type) if field.required else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(Prediction)
    ]
    kind: type[Prediction] = msgspec.defstruct("Renamed", fields, bases=(Prediction,), rename=theirs)  # type: ignore[assignment]  # defstruct forgets its bases
    return msgspec.json.Decoder(kind)


def _read_references(source: Source) -> Table:
    records.refuse_unknown_fields(source, Vi.name, ("id",))
    places, found = _decoded(source, _REFERENCE)
    untyped = partial(records.line_records, source)
    contents = [record.contents for record in found]
    _refuse_hidden_phrases(contents, places, untyped)
    grounding = any(content.type == _GROUNDING for content in contents)
    assets = [record.asset for record in found]
    ids = records.declared_ids(source, untyped) or [str(record.id) for record in found]
    return Table(
        source,
        records.keys(source, ids=ids, images=[asset.filename for asset in assets]),
        places.__getitem__,
        records.sizes([asset.width for asset in assets], [asset.height for asset in assets]),
        partial(records.column, untyped),
        partial(records.names, untyped),
        derive_boxes=partial(_reference_boxes, source, places, contents) if grounding else None,
    )


def _refuse_hidden_phrases(
    contents: Sequence[Contents], places: Sequence[str], untyped: Callable[[], Iterator[tuple[str, Record]]]
) -> None:
    """Raise for contents whose boxes would be passed over for a misspelt word."""
    for content, where in zip(contents, places, strict=True):
        if content.type not in _TYPES:
            hint = did_you_mean(content.type, _TYPES) or f"the types are {', '.join(_TYPES)}"
            raise DataError(where, f"$.contents.type: {content.type!r} is no type of contents; {hint}")
        if content.type == _GROUNDING and content.grounded_phrases is msgspec.UNSET:
            record = next(record for place, record in untyped() if place == where)
            given = record["contents"]
            hint = did_you_mean("groundedPhrases", tuple(given)) if isinstance(given, dict) else ""
            hint = hint or "write [] where there are no boxes"
            raise DataError(where, f"$.contents: the field 'groundedPhrases' is missing; {hint}")


def _decoded(source: Source, decoder: msgspec.json.Decoder[T]) -> tuple[list[str], list[T]]:
    places: list[str] = []
    found: list[T] = []
    for line in read_lines(source):
        places.append(line.place)
        found.append(decode_line(line, decoder))
    return places, found


def _reference_boxes(source: Source, places: Sequence[str], contents: Sequence[Contents]) -> RawBoxes:
    phrases: list[tuple[int, str, list[Box]]] = []
    for sample, content in enumerate(contents):
        if content.type != _GROUNDING or content.grounded_phrases is msgspec.UNSET:
            continue
        where = places[sample]
        path = "$.contents.groundedPhrases"
        try:
            found = _PHRASES.decode(content.grounded_phrases)
        except (msgspec.DecodeError, RecursionError) as error:
            raise mismatch(error, where=where, path=path) from None
        for i, phrase in enumerate(found):
            boxes = [_box(bound, where, f"{path}[{i}].bounds[{j}]") for j, bound in enumerate(phrase.bounds)]
            phrases.append((sample, phrase.phrase, boxes))
    return _raw(phrases, source.boxes or EXPORTED)


def _box(bound: Sequence[float | list[float]], where: str, path: str) -> Box:
    """Four numbers are a box; four points are a polygon, of which the envelope counts."""
    numbers = [entry for entry in bound if not isinstance(entry, list)]
    points = [entry for entry in bound if isinstance(entry, list) and len(entry) == 2]
    if len(bound) == 4 == len(numbers):
        x1, y1, x2, y2 = numbers
        return x1, y1, x2, y2
    if len(bound) == 4 == len(points):
        (left, right), (top, bottom) = ((min(side), max(side)) for side in zip(*points, strict=True))
        return left, top, right, bottom
    raise DataError(where, f"{path}: expected [x1, y1, x2, y2] or four points [x, y]; correct the record")


def _raw(phrases: Sequence[tuple[int, str, Sequence[Box]]], convention: Convention) -> RawBoxes:
    vocabulary = Vocabulary()
    numbers = [box for _, _, boxes in phrases for box in boxes]
    return RawBoxes(
        records.rows(numbers),
        records.indices([sample for sample, _, boxes in phrases for _ in boxes]),
        records.indices([vocabulary.index(phrase) for _, phrase, boxes in phrases for _ in boxes]),
        np.full(len(numbers), np.nan),
        np.zeros(len(numbers), dtype=np.bool_),
        vocabulary.labels,
        convention,
        phrases=True,
    )
