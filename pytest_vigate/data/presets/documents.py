"""Boxes in JSON: objects with four numbers under a key, or columns of them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

import msgspec
from msgspec import Struct

from pytest_vigate.data.coordinates import PRESETS as CONVENTIONS
from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.decoding import mismatch
from pytest_vigate.data.presets import NO_BOX, Box, Numbers, Preset, Reading
from pytest_vigate.data.replies import ParseFailure, Piece, Pieces, fence, quoted

#: Keys that hold what a box is a box of, first come first served. A mapping of languages gives its English text.
LABELS = (
    "label",
    "phrase",
    "name",
    "class",
    "category",
    "object",
    "ref",
    "text",
    "description",
    "names",
    "label_en",
    "name_en",
    "name_zh",
)
#: Keys that hold how sure the model is.
SCORES = ("score", "confidence", "conf")
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
#: Keys under which they write the first of four numbers.
_CORNERS = ("x_min", "xmin", "x1")
#: Keys of lists of boxes: an empty one says that there is nothing.
LISTS = ("annotations", "boxes", "bboxes", "detections", "groundings", "items", "objects", "predictions", "results")

Children = Iterable[object]


class Finds:
    """What has been found in a reply so far."""

    def __init__(self) -> None:
        self.boxes: list[Box] = []
        self.failure: ParseFailure | None = None
        """The first thing that is wrong with the boxes."""
        self.nothing = False
        """The reply says that there is nothing."""
        self._decoder = json.JSONDecoder(  # msgspec cannot tell that a key is there twice
            object_pairs_hook=self._members, parse_int=float, parse_constant=_refuse_constant
        )

    def decode(self, text: str) -> object:
        """A JSON document, its numbers as floats; a key that is there twice keeps its last value and is a failure.

        Raises:
            ValueError: If it is no JSON.
            RecursionError: If it is nested too deeply.
        """
        return self._decoder.decode(text)

    def _members(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        record = dict(pairs)
        if len(record) < len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            self.fail(f"the key {quoted(twice)} is there twice in one object")
        return record

    def fail(self, cause: str) -> None:
        """Note what is wrong; what came first stands."""
        self.failure = self.failure or ParseFailure(cause)

    def take(self, label: str, value: object, score: float | None, *, name: str) -> None:
        """Take the box, or the boxes, under a key: four numbers, or a list of such; null and [] are none."""
        if value is None or value == []:
            self.nothing = True
            return
        several = isinstance(value, list) and all(isinstance(inner, list) for inner in value)
        for one in value if several and isinstance(value, list) else [value]:
            numbers = four(one)
            if numbers is None:
                self.fail(f"{name} is {quoted(shown(one))}, where four numbers are due")
            else:
                self.boxes.append(Box(label, numbers, score))

    def reading(self, broken: ParseFailure | None = None) -> Reading:
        """The boxes, and the failure: of the text, of a box, or that there is none."""
        failure = broken or self.failure
        if failure is None and not self.boxes and not self.nothing:
            failure = NO_BOX
        return Reading(tuple(self.boxes), failure)


def four(value: object) -> Numbers | None:
    """Four finite numbers; None for anything else. JSON's numbers are floats here, and true is none."""
    if not isinstance(value, list) or len(value) != 4:
        return None
    if not all(isinstance(number, float) and math.isfinite(number) for number in value):
        return None
    first, second, third, fourth = value
    return first, second, third, fourth


def shown(value: object) -> str:
    """A value of a reply as JSON writes it, whole numbers without a point, and cut where it is long or deep."""
    if isinstance(value, list):
        inner = ", ".join("[…]" if isinstance(one, list) else shown(one) for one in value[:5])
        return f"[{inner}, …]" if len(value) > 5 else f"[{inner}]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return "{…}" if isinstance(value, Mapping) else json.dumps(value, ensure_ascii=False)


def label_of(record: Mapping[str, object]) -> str:
    """The label of an object; empty if it has none."""
    return next((text for key in LABELS if (text := _text(record.get(key)))), "")


def _text(value: object) -> str:
    if isinstance(value, Mapping):  # a name in several languages
        value = value.get("en") or next(iter(value.values()), None)
    if isinstance(value, float):
        return shown(value)
    return value if isinstance(value, str) else ""


def score_of(record: Mapping[str, object]) -> float | None:
    """The score of an object; None if it has none that is a number."""
    found = (record.get(key) for key in SCORES)
    return next((score for score in found if isinstance(score, float) and math.isfinite(score)), None)


def explore(document: object, find: Callable[[object], Children]) -> None:
    """Show every object and array to `find`, in the order of the text; it says which of the values inside to visit."""
    todo = [document]
    while todo:
        todo += [inner for inner in reversed([*find(todo.pop())]) if isinstance(inner, (dict, list))]


#: How a text begins that is meant to be JSON, other than [1] or [ANSWER].
_DOCUMENT = re.compile(r"""\s*+[{\[]\s*+[{}\[\]"'0-9-]""")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


@dataclass(frozen=True, slots=True)
class Objects:
    """Objects that hold a box each, wherever in the document they are.

    Args:
        keys: The key that holds four numbers, or a list of such; or four keys that hold a number each.
        schema: What the whole document has to be; None leaves that open.
        bare: The document has to begin the reply; else a code fence around it is part of the dialect.
    """

    keys: tuple[str, ...]
    schema: type[Struct] | None = None
    bare: bool = False

    def __call__(self, reply: str) -> Reading:
        return read(reply, self.find, schema=self.schema, bare=self.bare)

    def find(self, node: object, finds: Finds) -> Children:
        """Take the box of an object, and give the values to look into."""
        if isinstance(node, list):
            self._compare(node, finds)
            refuse_bare(node, self.keys, finds)
            return node
        if not isinstance(node, dict):
            return ()
        finds.nothing |= says_nothing(node)
        if not self._holds(node):
            self._compare(node.values(), finds)
            refuse_foreign(node, self.keys, finds)
            return [self._named(key, inner) for key, inner in node.items()]
        if len(self.keys) == 1:
            value, name = node[self.keys[0]], self.keys[0]
        else:
            value, name = [node.get(key) for key in self.keys], ", ".join(self.keys)
        finds.take(label_of(node), value, score_of(node), name=name)
        return [inner for key, inner in node.items() if key not in self.keys and holds_objects(inner)]

    def _compare(self, values: Iterable[object], finds: Finds) -> None:
        """Of objects beside each other, all hold a box or none does."""
        held = [self._holds(inner) for inner in values if isinstance(inner, dict)]
        if any(held) and not all(held):
            finds.fail(f"an object has no {self.keys[0]}")

    def _named(self, key: str, value: object) -> object:
        """A value of a mapping of objects by name, which is the label of those that have no other."""
        if isinstance(value, dict) and self._holds(value) and not label_of(value):
            return {**value, LABELS[0]: key}
        return value

    def _holds(self, record: dict[str, object]) -> bool:
        return any(key in record for key in self.keys)


def holds_objects(value: object) -> bool:
    """Whether a value is an object, or a list with objects in it."""
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(inner, dict) for inner in value))


def refuse_bare(numbers: list[object], keys: tuple[str, ...], finds: Finds) -> None:
    """Note four numbers that stand under none of the keys."""
    if four(numbers) is not None:
        finds.fail(f"{quoted(shown(numbers))} stands without {keys[0]}")


def refuse_foreign(record: Mapping[str, object], keys: tuple[str, ...], finds: Finds) -> None:
    """Note a box that an object has under another key than its dialect's."""
    for key in (*KEYS, *_CORNERS):
        value = record.get(key)
        numbers = isinstance(value, list) and bool(value) and not holds_objects(value)
        if key not in keys and (numbers or (key in _CORNERS and isinstance(value, float))):
            finds.fail(f"an object has {key}, where {keys[0]} is due")


def says_nothing(record: Mapping[str, object]) -> bool:
    """Whether an object says that there is nothing: a list of boxes that is empty or null."""
    return any(key in record and record[key] in (None, []) for key in LISTS)


@dataclass(frozen=True, slots=True)
class Columns:
    """Boxes, labels and scores as lists beside each other.

    Args:
        boxes: Key of the boxes.
        labels: Keys of the labels, first come first served.
    """

    boxes: str
    labels: tuple[str, ...]

    def __call__(self, reply: str) -> Reading:
        return read(reply, self.find)

    def find(self, node: object, finds: Finds) -> Children:
        """Take the boxes of an object, and give the values to look into."""
        if isinstance(node, list):
            refuse_bare(node, (self.boxes,), finds)
            return node
        if not isinstance(node, dict):
            return ()
        if self.boxes not in node:
            refuse_foreign(node, (self.boxes,), finds)
            return node.values()
        boxes = node[self.boxes]
        if boxes is None or boxes == []:
            finds.nothing = True
        elif not isinstance(boxes, list):
            finds.fail(f"{self.boxes} is {quoted(shown(boxes))}, where a list is due")
        else:
            self._take(node, boxes, finds)
        return [inner for key, inner in node.items() if key != self.boxes and holds_objects(inner)]

    def _take(self, record: dict[str, object], boxes: list[object], finds: Finds) -> None:
        labels = next((found for key in self.labels if isinstance(found := record.get(key), list)), [""] * len(boxes))
        scores = record.get("scores")
        scores = scores if isinstance(scores, list) else [None] * len(boxes)
        for column, values in (("labels", labels), ("scores", scores)):
            if len(values) != len(boxes):  # nobody knows which belongs to which
                finds.fail(f"{len(values)} {column} for {len(boxes)} {self.boxes}")
                return
        for label, box, score in zip(labels, boxes, scores, strict=True):
            if four(box) is None:
                finds.fail(f"{self.boxes} holds {quoted(shown(box))}, where four numbers are due")
            else:
                finds.take(_text(label), box, score_of({SCORES[0]: score}), name=self.boxes)


def read(
    reply: str,
    find: Callable[[object, Finds], Children],
    *,
    schema: type[Struct] | None = None,
    bare: bool = False,
) -> Reading:
    """The boxes of a reply that is a JSON document, or the whole ones of a document that is broken or surrounded.

    Args:
        reply: The reply.
        find: Takes boxes out of an object or array, and gives the values to look into.
        schema: What the document has to be.
        bare: Take off no code fence, and look nowhere but at the beginning.
    """
    if not reply.strip():
        return Reading((), ParseFailure("the reply is empty"))
    start, end, broken = (0, len(reply), None) if bare else fence(reply)
    finds = Finds()
    try:
        document = finds.decode(reply[start:end])
    except (ValueError, RecursionError):
        return _salvaged(reply, start, end, find, bare=bare, unclosed=broken)
    if schema is None:
        finds.nothing = document is None or document == []
    else:
        try:
            msgspec.convert(document, schema)
        except msgspec.ValidationError as error:
            broken = ParseFailure(mismatch(error, where="", path="$").message)
        except UnicodeEncodeError:  # msgspec 0.22.0 encodes a text that stands where an object is due
            broken = ParseFailure("half of a character stands where an object is due")
    explore(document, lambda node: find(node, finds))
    return finds.reading(broken)


def _salvaged(
    reply: str,
    start: int,
    end: int,
    find: Callable[[object, Finds], Children],
    *,
    bare: bool,
    unclosed: ParseFailure | None,
) -> Reading:
    begins = _DOCUMENT.match(reply, start, end) is not None
    if bare and not begins:
        return Reading((), ParseFailure(f"the reply is no JSON document, it begins with {quoted(reply, longest=20)}"))
    finds, pieces = Finds(), Pieces(reply, start, end)
    outside = "text around the JSON document" if len(pieces) < 2 else "more than one JSON document"
    broken = unclosed or ParseFailure(f"there is {outside}")
    if pieces.cut_off or begins:
        broken = pieces.failure or broken
    for _ in from_pieces(reply, pieces, find, finds):
        broken = pieces.failure or broken
    return finds.reading(broken if begins or finds.boxes or pieces.cut_off else NO_BOX)


def from_pieces(reply: str, pieces: Pieces, find: Callable[[object, Finds], Children], finds: Finds) -> Iterator[Piece]:
    """Take the boxes of all pieces of a broken text, and give those that lie inside a broken object or array."""
    for piece in pieces:
        before = len(finds.boxes)
        explore(finds.decode(reply[piece.start : piece.end]), lambda node: find(node, finds))
        if piece.loose and len(finds.boxes) > before:
            yield piece


class Grounding(Struct):
    """A phrase and its boxes."""

    phrase: str
    grounding: list[Numbers]


class PhraseGrounding(Struct):
    """The boxes of a reply."""

    groundings: list[Grounding]


class ViAnswer(Struct):
    """A reply to Vi's phrase grounding task, as vi-sdk 0.1.0b7 makes models write it."""

    phrase_grounding: PhraseGrounding


VI = Preset("vi", CONVENTIONS["vi"], Objects(("grounding",), schema=ViAnswer, bare=True))
_BBOX_2D = Objects(("bbox_2d",))

PRESETS = (
    VI,
    # QwenLM/Qwen3-VL issues 866 and 1623; supervision 0.31.2 detection/vlm.py reads both the same way
    Preset("qwen2.5-vl", Convention("xyxy", "pixels", resized=True), _BBOX_2D),
    Preset("qwen3-vl", Convention("xyxy", 1000.0), _BBOX_2D),
    Preset("kimi-vl", Convention("xyxy", 1.0), _BBOX_2D),  # MoonshotAI/Kimi-VL issue 56
    # Vertex AI, "bounding box detection"; supervision 0.31.2 swaps in the same way
    Preset("gemini", Convention("yxyx", 1000.0), Objects(("box_2d",))),
    # moondream's detect API
    Preset("moondream", Convention("xyxy", 1.0), Objects(("x_min", "y_min", "x_max", "y_max"))),
    # transformers 5.23.0, post_process_generation of models/florence2/processing_florence2.py
    Preset("florence-2-processed", Convention("xyxy", "pixels"), Columns("bboxes", ("bboxes_labels", "labels"))),
    # transformers 5.23.0, post_process_grounded_object_detection with target_sizes
    Preset("grounding-dino", Convention("xyxy", "pixels"), Columns("boxes", ("text_labels", "labels"))),
)
