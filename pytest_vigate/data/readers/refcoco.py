"""RefCOCO and its kin as JSONL: one referring expression a record, and the one box that it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from pytest_vigate.data import records
from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.readers import Reader, first_record
from pytest_vigate.data.readers.jsonl import JsonLines
from pytest_vigate.data.records import Vocabulary
from pytest_vigate.data.tables import RawBoxes, Role, Source, Table

_FIELDS = (
    *("id", "image", "width", "height", "input_width", "input_height"),
    *("box", "label", "score", "text", "raw_output", "prediction"),
)
_REPLIES = ("text", "raw_output", "prediction")
#: As InternVL's re-exports of RefCOCO, RefCOCO+ and RefCOCOg have them.
_PIXELS = Convention("xyxy", "pixels")


class RefCoco(Reader):
    """``{"image", "sent", "bbox", "width", "height"}`` a line; a prediction may have a reply in place of the box.

    A sample is an expression on a picture, and whatever box a reply to it holds is its answer: the label is the
    expression, whatever name the reply gives the box.
    """

    name: ClassVar[str] = "refcoco"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        return path.suffix in (".jsonl", ".ndjson") and {"image", "sent", "bbox"} <= first_record(head).keys()

    def read(self, source: Source) -> Table:
        records.refuse_unknown_fields(source, self.name, _FIELDS)
        image, sent = records.one_field(source, "image", "image"), records.one_field(source, "label", "sent")
        fields: dict[str, str | tuple[str, ...]] = {"id": (image, sent), "label": sent, **source.fields}
        boxes = source.boxes
        if "box" in fields or any("bbox" in record for _, record in records.line_records(source)):
            fields.setdefault("box", "bbox")
            boxes = boxes or _PIXELS
        elif source.role == "predictions" and fields.keys().isdisjoint(_REPLIES):
            fields.update(_reply(source))
        table = JsonLines().read(replace(source, fields=fields, boxes=boxes))
        if table.derive_boxes is None:
            return table
        expressions = table.attribute(sent) or (None,) * len(table)
        return replace(table, derive_boxes=partial(_boxes, table.derive_boxes, expressions))


def _reply(source: Source) -> dict[str, str]:
    """``answer`` as the reply, where records have no other text."""
    keys = {key for _, record in records.line_records(source) for key in record}
    return {"text": "answer"} if "answer" in keys and keys.isdisjoint(_REPLIES) else {}


def _boxes(derive: Callable[[], RawBoxes], expressions: records.Column) -> RawBoxes:
    raw = derive()
    vocabulary = Vocabulary()
    label = [vocabulary.index(expressions[sample] or "") for sample in raw.sample]
    return replace(raw, label=records.indices(label), vocabulary=vocabulary.labels, phrases=True)
