"""Datature Vi: recorded replies as predictions, Vi JSONL exports as references."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

import msgspec
import numpy as np
from msgspec import Struct

from pytest_vigate.data import naming, records
from pytest_vigate.data.coordinates import Convention, Float
from pytest_vigate.data.dataset import Texts
from pytest_vigate.data.decoding import decode_lines, mismatch, renamed
from pytest_vigate.data.files import encodable
from pytest_vigate.data.grounding import read_boxes
from pytest_vigate.data.presets.documents import VI, Finds, shown
from pytest_vigate.data.readers import Reader, first_record
from pytest_vigate.data.records import Record, Vocabulary
from pytest_vigate.data.replies import ParseFailure, Pieces, quoted
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
    prompt: object = None
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


class Interaction(Struct):
    """A question on a picture and its answer."""

    question: str
    answer: str
    order: int | None = None


class Contents(Struct, rename="camel"):
    """What is annotated. The shape of freeform contents is documented nowhere: their text is looked for when asked."""

    type: str
    grounded_phrases: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    interactions: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    caption: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    text: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Reference(Struct):
    """A line of an export."""

    id: int | str
    asset: Asset
    contents: Contents


_PHRASES = msgspec.json.Decoder(list[GroundedPhrase])
_INTERACTIONS = msgspec.json.Decoder(list[Interaction])
_TEXT = msgspec.json.Decoder(str)
_REFERENCE = msgspec.json.Decoder(Reference)
_GROUNDING = "PhraseGrounding"
_VQA = "Vqa"
_FREEFORM = "Freeform"
_TYPES = (_GROUNDING, _VQA, _FREEFORM)
#: Field of the contents that a type cannot do without.
_DUE = {_GROUNDING: ("groundedPhrases", "boxes"), _VQA: ("interactions", "questions")}
_RENAMEABLE = ("image", "prompt", "width", "height", "input_width", "input_height", "raw_output")
#: Where a reply has its text, by the type of its task.
_ANSWERS = {"vqa": "answer", "freeform": "caption"}
#: How a reply begins that is meant to be a document.
_DOCUMENT = re.compile(r"\s*+[{\[]")


class Vi(Reader):
    """Replies one a line, ``{"image", "width", "height", "prompt", "raw_output"}``; references as Vi exports them.

    Of visual question answering every interaction is a sample, in their order. Where records have several, ids carry
    the order behind the record's; predictions may as well name picture and question, as ``image`` and ``prompt``. The
    answer of a reply is its ``vqa.answer`` or ``freeform.caption``.
    """

    name: ClassVar[str] = "vi"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        record = first_record(head)
        return "raw_output" in record if role == "predictions" else {"asset", "contents"} <= record.keys()

    def read(self, source: Source) -> Table:
        return _read_predictions(source) if source.role == "predictions" else _read_references(source)


def _read_predictions(source: Source) -> Table:
    naming.refuse_unknown_fields(source, Vi.name, ("id", *_RENAMEABLE))
    theirs = {name: naming.one_field(source, name, name) for name in _RENAMEABLE}
    places, found = decode_lines(source, msgspec.json.Decoder(renamed(source, Prediction, theirs)))
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
        records.keys(
            source,
            ids=ids,
            images=images if len(images) == len(found) else None,
            questions=records.question_ids(
                [one.image for one in found],
                [one.prompt if isinstance(one.prompt, str) else None for one in found],
            ),
        ),
        places.__getitem__,
        records.sizes([record.width for record in found], [record.height for record in found]),
        partial(records.column, untyped),
        partial(records.names, untyped),
        replies,
        partial(read_boxes, source, replies, default=VI),
        in_replies=True,
        frames=_frames(source, found),
        find_answer=find_answer,
        text_field=theirs["raw_output"],
        questions=tuple(records.question(one.prompt, one.image) for one in found),
    )


def find_answer(reply: str) -> str | ParseFailure:
    """The text of a reply to a question, or of one in free form, as vi-sdk 0.1.0b7 makes models write them."""
    if not reply.strip():
        return ParseFailure("the reply is empty")
    finds = Finds()
    try:
        document = finds.decode(reply)
    except (ValueError, RecursionError):
        return _broken(reply)
    tasks = [task for task in _ANSWERS if isinstance(document, dict) and task in document]
    if finds.failure is not None:
        return finds.failure
    if len(tasks) != 1 or not isinstance(document, dict):
        return ParseFailure("there is both a vqa and a freeform in the reply" if tasks else _NO_TEXT)
    inner, name = document[tasks[0]], _ANSWERS[tasks[0]]
    if not isinstance(inner, dict) or name not in inner:
        return ParseFailure(_NO_TEXT)
    text = inner[name]
    if not isinstance(text, str):
        return ParseFailure(f"{tasks[0]}.{name} is {quoted(shown(text))}, where text is due")
    if encodable(text) != text:
        return ParseFailure("the answer holds half of a character")
    return text


_NO_TEXT = "there is no vqa.answer and no freeform.caption in the reply"


def _broken(reply: str) -> ParseFailure:
    """Why a reply is no document."""
    if not _DOCUMENT.match(reply):
        return ParseFailure(f"the reply is no JSON document, it begins with {quoted(reply, longest=20)}")
    pieces = Pieces(reply, 0, len(reply))
    outside = "text around the JSON document" if len(pieces) < 2 else "more than one JSON document"
    return pieces.failure or ParseFailure(f"there is {outside}")


def _frames(source: Source, found: Sequence[Prediction]) -> Float | None:
    """Sizes of the model's inputs, where the boxes are pixels of them."""
    frames = records.sizes([record.input_width for record in found], [record.input_height for record in found])
    for k, ours in enumerate(("input_width", "input_height")):
        if ours in source.fields and np.isnan(frames[:, k]).all():
            theirs = source.fields[ours]
            raise DataError(source.file, f"fields: no record has the field {theirs!r}, declared as {ours}; check it")
    return frames if source.framed else None


@dataclass(frozen=True, slots=True)
class _Sample:
    """A record of an export, or one of its interactions."""

    record: int
    place: str
    name: str
    interaction: Interaction | None = None

    @property
    def question(self) -> str | None:
        return None if self.interaction is None else self.interaction.question


def _read_references(source: Source) -> Table:
    naming.refuse_unknown_fields(source, Vi.name, ("id",))
    places, found = decode_lines(source, _REFERENCE)
    lines = partial(records.line_records, source)
    contents = [record.contents for record in found]
    _refuse_hidden_contents(contents, places, lines)
    names = records.declared_ids(source, lines) or tuple(str(record.id) for record in found)
    samples = _samples(contents, places, names)
    assets = [found[sample.record].asset for sample in samples]
    images = [asset.filename for asset in assets]
    untyped = partial(_untyped, source, samples)
    types = {content.type for content in contents}
    return Table(
        source,
        records.keys(
            source,
            ids=[sample.name for sample in samples],
            images=images,
            questions=records.question_ids(images, [sample.question for sample in samples]),
        ),
        [sample.place for sample in samples].__getitem__,
        records.sizes([asset.width for asset in assets], [asset.height for asset in assets]),
        partial(records.column, untyped),
        partial(records.names, untyped),
        derive_boxes=partial(_reference_boxes, source, places, contents, samples) if _GROUNDING in types else None,
        derive_texts=partial(_reference_texts, contents, samples) if types & {_VQA, _FREEFORM} else None,
        text_field="contents",
        textual=np.array([contents[sample.record].type != _GROUNDING for sample in samples], dtype=np.bool_),
        questions=tuple(records.question(one.question, image) for one, image in zip(samples, images, strict=True)),
        id_fields=partial(records.names, lines),
    )


def _samples(contents: Sequence[Contents], places: Sequence[str], names: Sequence[str]) -> list[_Sample]:
    """Every record, or its interactions in their order; one without any stays a sample, of which no answer is known."""
    found = [_interactions(content, where) for content, where in zip(contents, places, strict=True)]
    several = any(len(interactions) > 1 for interactions in found)
    samples: list[_Sample] = []
    for i, interactions in enumerate(found):
        if not interactions:
            samples.append(_Sample(i, places[i], names[i]))
        for number, j, interaction in interactions:
            place = f"{places[i]}: interactions[{j}]" if several else places[i]
            name = records.joined_id((names[i], str(number))) if several else names[i]
            samples.append(_Sample(i, place, name, interaction))
    return samples


def _interactions(content: Contents, where: str) -> list[tuple[int, int, Interaction]]:
    """Order, position in the file and content of every interaction, in their order."""
    if content.type != _VQA or content.interactions is msgspec.UNSET:
        return []
    path = "$.contents.interactions"
    try:
        found = _INTERACTIONS.decode(content.interactions)
    except (msgspec.DecodeError, RecursionError) as error:
        raise mismatch(error, where=where, path=path) from None
    orders = [interaction.order for interaction in found]
    known = [order for order in orders if order is not None]
    if not known:
        return [(j + 1, j, interaction) for j, interaction in enumerate(found)]
    if len(known) < len(orders):
        raise DataError(
            where, f"{path}[{orders.index(None)}]: the field 'order' is missing; give it to all of them, or to none"
        )
    first: dict[int, int] = {}
    for j, order in enumerate(known):
        if (other := first.setdefault(order, j)) != j:
            raise DataError(where, f"{path}[{j}].order: {order} is already that of [{other}]; give each its own")
    return sorted(zip(known, range(len(found)), found, strict=True), key=lambda one: one[0])


def _untyped(source: Source, samples: Sequence[_Sample]) -> Iterator[tuple[str, Record]]:
    """The record of every sample; of an interaction with its question as a field."""
    rows = iter(samples)
    sample = next(rows, None)
    for i, (_, record) in enumerate(records.line_records(source)):
        while sample is not None and sample.record == i:
            question = {} if sample.question is None else {records.QUESTION: sample.question}
            yield sample.place, {**record, **question}
            sample = next(rows, None)


def _reference_texts(contents: Sequence[Contents], samples: Sequence[_Sample]) -> Texts:
    texts: list[tuple[str, ...]] = []
    for sample in samples:
        content = contents[sample.record]
        if content.type == _GROUNDING:
            raise DataError(sample.place, "PhraseGrounding holds boxes, and no text to compare with; take it out")
        if content.type == _FREEFORM:
            texts.append(_freeform(content, sample.place))
        else:
            texts.append(() if sample.interaction is None else (sample.interaction.answer,))
    return tuple(texts)


def _freeform(content: Contents, where: str) -> tuple[str, ...]:
    for name, raw in (("caption", content.caption), ("text", content.text)):
        if raw is msgspec.UNSET or bytes(raw) == b"null":
            continue
        try:
            return (_TEXT.decode(raw),)
        except (msgspec.DecodeError, RecursionError) as error:
            raise mismatch(error, where=where, path=f"$.contents.{name}") from None
    return ()


def _refuse_hidden_contents(
    contents: Sequence[Contents], places: Sequence[str], untyped: Callable[[], Iterator[tuple[str, Record]]]
) -> None:
    """Raise for contents that would be passed over for a misspelt word."""
    for content, where in zip(contents, places, strict=True):
        if content.type not in _TYPES:
            hint = did_you_mean(content.type, _TYPES) or f"the types are {', '.join(_TYPES)}"
            raise DataError(where, f"$.contents.type: {content.type!r} is no type of contents; {hint}")
        due, things = _DUE.get(content.type, ("", ""))
        held = {"groundedPhrases": content.grounded_phrases, "interactions": content.interactions}
        if due and held[due] is msgspec.UNSET:
            record = next(record for place, record in untyped() if place == where)
            given = record["contents"]
            hint = did_you_mean(due, tuple(given)) if isinstance(given, dict) else ""
            hint = hint or f"write [] where there are no {things}"
            raise DataError(where, f"$.contents: the field {due!r} is missing; {hint}")


def _reference_boxes(
    source: Source, places: Sequence[str], contents: Sequence[Contents], samples: Sequence[_Sample]
) -> RawBoxes:
    phrases: list[tuple[int, str, list[Box]]] = []
    for sample, record in enumerate(one.record for one in samples):
        content = contents[record]
        if content.type != _GROUNDING or content.grounded_phrases is msgspec.UNSET:
            continue
        where = places[record]
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
