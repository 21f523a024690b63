"""COCO captions: annotations with many references a picture, and a results array as predictions."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import ClassVar

import msgspec
import numpy as np
from msgspec import Struct

from pytest_vigate.data import naming, records
from pytest_vigate.data.answers import blank
from pytest_vigate.data.decoding import array_names, decode_document, read_array, renamed
from pytest_vigate.data.files import shown
from pytest_vigate.data.readers import Reader, annotated, first_result
from pytest_vigate.data.readers.coco import Image, pictures, refuse_other_names
from pytest_vigate.data.records import Identifier
from pytest_vigate.data.tables import Role, Source, Table
from pytest_vigate.errors import DataError


class Caption(Struct, gc=False):
    """A text that is accepted for a picture."""

    image_id: Identifier
    caption: str


class Truth(Struct, gc=False):
    """An annotation file. Where it lists pictures, these are the samples, in their order."""

    annotations: list[Caption]
    images: list[Image] | None = None


class Result(Struct, gc=False):
    """What the model says of a picture; null is no answer."""

    image_id: Identifier
    caption: str | None


_TRUTH = msgspec.json.Decoder(Truth)


class CocoCaptions(Reader):
    """``{"images", "annotations": [{"image_id", "caption"}]}``, and results ``[{"image_id", "caption"}]``.

    Results that hold another field of a model's words beside ``caption`` name the one that is meant:
    ``fields: {prediction: caption}``.
    """

    name: ClassVar[str] = "coco-captions"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        if role == "predictions":
            first = first_result(head)
            return {"image_id", "caption"} <= first.keys() and "bbox" not in first
        return annotated(path, head) == "captions"

    def read(self, source: Source) -> Table:
        known = ("id", "prediction") if source.role == "predictions" else ("id",)
        naming.refuse_unknown_fields(source, self.name, known)
        return _read_results(source) if source.role == "predictions" else _read_truth(source)


def _read_truth(source: Source) -> Table:
    if len(source.paths) > 1:
        raise DataError(source.file, f"{len(source.paths)} files fit, but COCO annotations are one file; name one")
    file = shown(source, source.paths[0])
    truth = decode_document(source, source.paths[0], _TRUTH)
    accepted: dict[str, list[str]] = {}
    places: list[str] = []
    for i, image in enumerate(truth.images or ()):
        accepted[str(image.id)] = []
        places.append(f"{file}: images[{i}]")
    records.refuse_equal([str(image.id) for image in truth.images or ()], places.__getitem__, name="id")
    for j, found in enumerate(truth.annotations):
        identifier, where = str(found.image_id), f"{file}: annotations[{j}]"
        if identifier not in accepted:
            if truth.images is not None:
                raise DataError(
                    where,
                    f"image_id {found.image_id!r} is no id of 'images'; add the picture or drop the annotation",
                )
            accepted[identifier] = []
            places.append(where)
        if blank(found.caption):
            raise DataError(where, "the caption is empty; write it, or drop the annotation")
        accepted[identifier].append(found.caption)
    for place, captions in zip(places, accepted.values(), strict=True):
        if not captions:
            raise DataError(place, "the picture has no caption; annotate it, or drop the picture")
    named = [image.file_name for image in truth.images or () if image.file_name is not None]
    untyped = partial(pictures, source, file)
    texts = tuple(map(tuple, accepted.values()))
    return Table(
        source,
        records.keys(
            source,
            ids=records.declared_ids(source, untyped) or tuple(accepted),
            images=named if len(named) == len(places) else None,
        ),
        places.__getitem__,
        np.full((len(places), 2), np.nan),
        partial(records.column, untyped),
        partial(records.names, untyped),
        derive_texts=lambda: texts,
        text_field="caption",
        id_of="image_id",
        id_fields=partial(records.names, untyped),
    )


def _read_results(source: Source) -> Table:
    refuse_other_names(source)
    own = naming.own_reply(source, "caption", partial(array_names, source))
    decoder = msgspec.json.Decoder(list[renamed(source, Result, {"caption": own})])  # type: ignore[misc]  # made here
    results, place = read_array(source, decoder)
    ids, captions = [str(result.image_id) for result in results], [result.caption for result in results]
    named = source.fields.get("id") in records.PICTURE_KEYS
    return records.answer_table(source, ids, captions, place, id_of="image_id", text_field=own, pictures=named)
