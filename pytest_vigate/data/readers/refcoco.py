"""RefCOCO and its kin as JSONL: one referring expression a record, and the one box that it means."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from pytest_vigate.data import naming, records
from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.files import has_lines
from pytest_vigate.data.readers import Reader, first_record
from pytest_vigate.data.readers.jsonl import tabulate
from pytest_vigate.data.records import Record, Vocabulary
from pytest_vigate.data.tables import RawBoxes, Role, Source, Table

_FIELDS = (
    *("id", "image", "width", "height", "input_width", "input_height"),
    *("box", "label", "score", "text", "raw_output", "prediction"),
)
#: As InternVL's re-exports of RefCOCO, RefCOCO+ and RefCOCOg have them.
_PIXELS = Convention("xyxy", "pixels")


class RefCoco(Reader):
    """``{"image", "sent", "bbox", "width", "height"}`` a line; a prediction may have a reply in place of the box.

    A sample is an expression on a picture, and whatever box a reply to it holds is its answer: the label is the
    expression, whatever name the reply gives the box. Of several boxes in a reply the first counts, as in RefCOCO's
    scripts: more boxes are no more chances. Predictions that have a box and a reply name the one that is the answer
    under ``fields``.
    """

    name: ClassVar[str] = "refcoco"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        return has_lines(path) and {"image", "sent", "bbox"} <= first_record(head).keys()

    def read(self, source: Source) -> Table:
        naming.refuse_unknown_fields(source, self.name, _FIELDS)
        image, sent = naming.one_field(source, "image", "image"), naming.one_field(source, "label", "sent")
        fields: dict[str, str | tuple[str, ...]] = {"id": (image, sent), "label": sent, **source.fields}
        boxes = source.boxes
        found = list(records.line_records(source))
        native = not (source.role == "predictions" and naming.declares(source, "text"))
        if "box" in fields or (native and any("bbox" in record for _, record in found)):
            fields.setdefault("box", "bbox")
            boxes = boxes or _PIXELS
        elif source.role == "predictions" and fields.keys().isdisjoint(naming.REPLIES["predictions"]):
            fields.update(_reply(found))
        table = tabulate(replace(source, fields=fields, boxes=boxes), found)
        # what is declared binds the join, and the id is the format's own
        table = replace(table, source=replace(table.source, fields=source.fields))
        if table.derive_boxes is None:
            return table
        expressions = table.attribute(sent) or (None,) * len(table)
        every = frozenset(key for _, record in found for key in record)
        return replace(table, derive_boxes=partial(_boxes, source, every, table.derive_boxes, expressions))


def _reply(found: Sequence[tuple[str, Record]]) -> dict[str, str]:
    """``answer`` as the reply, where records have no other text."""
    keys = {key for _, record in found for key in record}
    return {"text": "answer"} if "answer" in keys and keys.isdisjoint(naming.REPLIES["predictions"]) else {}


def _boxes(
    source: Source, names: Collection[str], derive: Callable[[], RawBoxes], expressions: records.Column
) -> RawBoxes:
    boxes = {"bbox": "box: bbox", "boxes": "box: boxes", "box": "box: box"}
    naming.refuse_two_answers(source, names=names, boxes=boxes)
    raw = derive()
    if raw.failures is not None:
        # a reply's boxes stand in its order: the first of every record
        raw = raw.take(np.unique(raw.sample, return_index=True)[1])
    vocabulary = Vocabulary()
    label = [vocabulary.index(expressions[sample] or "") for sample in raw.sample]
    return replace(raw, label=records.indices(label), vocabulary=vocabulary.labels, phrases=True)
