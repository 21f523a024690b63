"""Boxes of replies whose dialect has no preset: JSON anywhere in the text, else groups of four numbers in brackets."""

from __future__ import annotations

import re

from pytest_vigate.data.coordinates import PRESETS as CONVENTIONS
from pytest_vigate.data.presets import NO_BOX, Box, Numbers, Preset, Reading
from pytest_vigate.data.presets.documents import (
    Children,
    Columns,
    Finds,
    explore,
    four,
    from_pieces,
    label_of,
    says_nothing,
    score_of,
    shown,
)
from pytest_vigate.data.replies import ParseFailure, Pieces, fence, quoted

#: Keys under which models write the four numbers of a box, or a list of such.
KEYS = (
    "bbox_2d",
    "box_2d",
    "bbox",
    "box",
    "bounding_box",
    "boundingBox",
    "bounds",
    "coordinates",
    "grounding",
    "boxes",
    "bboxes",
)
#: Of these, the ones that may have lists of labels and scores beside them.
_COLUMNS = tuple(Columns(boxes, ("labels", "text_labels", "bboxes_labels")) for boxes in ("boxes", "bboxes"))

_N = r"[ \t\r\n]*+([+-]?(?:[0-9]{1,12}+(?:\.[0-9]{0,20}+)?+|\.[0-9]{1,20}+))[ \t\r\n]*+"
_GROUP = re.compile(rf"[\[(<{{]{_N},{_N},{_N},{_N}[\])>}}]|\({_N},{_N}\)[ \t\r\n]*+,?[ \t\r\n]*+\({_N},{_N}\)")


def read_anything(reply: str) -> Reading:
    """Boxes in whatever form. Text around them is no failure; a document that is cut off or broken is one."""
    if not reply.strip():
        return Reading((), ParseFailure("the reply is empty"))
    start, end, unclosed = fence(reply)
    finds = Finds()
    try:
        document = finds.decode(reply[start:end])
    except (ValueError, RecursionError):
        finds = Finds()
    else:
        finds.nothing = document is None or document == []
        explore(document, lambda node: _find(node, finds))
        return finds.reading(unclosed)
    pieces = Pieces(reply, start, end)
    broken = pieces.failure if pieces.cut_off else unclosed
    for _ in from_pieces(reply, pieces, _find, finds):
        broken = broken or pieces.failure
    if finds.boxes or finds.nothing:
        return finds.reading(broken)
    boxes = tuple(Box("", _numbers(found)) for found in _GROUP.finditer(reply, start, end))
    return Reading(boxes, None if boxes else broken or finds.failure or NO_BOX)


def _numbers(found: re.Match[str]) -> Numbers:
    first, second, third, fourth = (float(text) for text in found.groups() if text is not None)
    return first, second, third, fourth


def _find(node: object, finds: Finds) -> Children:
    """Take the boxes of an object or array, and give the values to look into."""
    if isinstance(node, list):
        if (numbers := four(node)) is not None:
            finds.boxes.append(Box("", numbers))
        elif len(node) > 2 and all(isinstance(number, float) for number in node):
            finds.fail(f"{quoted(shown(node))} stands where four numbers are due")
        return node
    if not isinstance(node, dict):
        return ()
    for columns in _COLUMNS:
        if _is_column(node.get(columns.boxes)) and any(isinstance(node.get(key), list) for key in columns.labels):
            return columns.find(node, finds)
    finds.nothing |= says_nothing(node)
    key = next((key for key in KEYS if key in node and not _holds_objects(node[key])), None)
    if key is None:
        return node.values()
    finds.take(label_of(node), node[key], score_of(node), name=key)
    return [inner for other, inner in node.items() if other != key]


def _is_column(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(inner, list) for inner in value)


def _holds_objects(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(inner, dict) for inner in value))


# Formats that hold boxes as numbers: they name a convention, and their replies are in no dialect.
PRESETS = tuple(Preset(name, CONVENTIONS[name], read_anything) for name in ("coco", "voc", "yolo"))
