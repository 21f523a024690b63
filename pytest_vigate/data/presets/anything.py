"""Boxes of replies whose dialect has no preset: JSON anywhere in the text, else groups of four numbers in brackets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_vigate.data.coordinates import PRESETS as CONVENTIONS
from pytest_vigate.data.presets import NO_BOX, Box, Preset, Reading
from pytest_vigate.data.presets.documents import (
    KEYS,
    Children,
    Columns,
    Finds,
    explore,
    four,
    from_pieces,
    holds_objects,
    label_of,
    says_nothing,
    score_of,
    shown,
)
from pytest_vigate.data.records import decimal
from pytest_vigate.data.replies import ParseFailure, Pieces, fence, quoted

#: Keys of boxes that may have lists of labels and scores beside them.
_COLUMNS = tuple(Columns(boxes, ("labels", "text_labels", "bboxes_labels")) for boxes in ("boxes", "bboxes"))

_LIST = r"[-+0-9.eE, \t\r\n]*+"
_N = r"[ \t\r\n]*+[-+]?[0-9.]++(?:[eE][-+]?[0-9]++)?[ \t\r\n]*+"
#: Two corners, or what may be numbers in brackets.
_GROUP = re.compile(rf"\(({_N},{_N})\)[ \t\r\n]*+,?[ \t\r\n]*+\(({_N},{_N})\)|[\[(<{{]({_LIST})[\])>}}]")
#: Characters of a coordinate; no model writes longer ones.
_LONGEST_NUMBER = 32


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
    groups = [(found, numbers) for found in _outside(pieces, reply, start, end) if len(numbers := _numbers(found)) > 3]
    if (finds.boxes or finds.nothing) and groups:
        found, _ = groups[0]
        broken = broken or ParseFailure(f"{quoted(found[0])} stands beside the JSON document", found.start())
    if finds.boxes or finds.nothing:
        return finds.reading(broken)
    boxes = []
    for found, numbers in groups:
        if (box := four(numbers)) is not None:
            boxes.append(Box("", box))
        else:
            broken = broken or ParseFailure(f"{quoted(found[0])} stands where four numbers are due", found.start())
    return Reading(tuple(boxes), broken or finds.failure or (None if boxes else NO_BOX))


def _outside(pieces: Pieces, reply: str, start: int, end: int) -> Iterator[re.Match[str]]:
    """Groups that lie outside of JSON documents."""
    for piece in pieces:
        yield from _GROUP.finditer(reply, start, piece.start)
        start = piece.end
    yield from _GROUP.finditer(reply, start, end)


def _numbers(found: re.Match[str]) -> list[float | None]:
    """The numbers of a group, None for what is none; they may be separated by white space where they are no box."""
    content = ",".join(text for text in found.groups() if text is not None)
    words = [word.strip() for word in content.split(",")]
    if len(words) < 4:
        words = content.split()
        return [None] * len(words)
    return [decimal(word) if len(word) <= _LONGEST_NUMBER else None for word in words]


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
        beside = (*columns.labels, "scores")
        if _is_column(node.get(columns.boxes)) and any(isinstance(node.get(key), list) for key in beside):
            return columns.find(node, finds)
    finds.nothing |= says_nothing(node)
    key = next((key for key in KEYS if key in node and not holds_objects(node[key])), None)
    if key is None:
        return node.values()
    finds.take(label_of(node), node[key], score_of(node), name=key)
    return [inner for other, inner in node.items() if other != key and holds_objects(inner)]


def _is_column(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(inner, list) for inner in value)


# Formats that hold boxes as numbers: they name a convention, and their replies are in no dialect.
PRESETS = tuple(Preset(name, CONVENTIONS[name], read_anything) for name in ("coco", "voc", "yolo"))
