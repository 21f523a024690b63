"""JSONL records of any make, read through declared field names: one record a sample."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, TypeVar

import numpy as np

from pytest_vigate.data import naming, records
from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.dataset import Texts
from pytest_vigate.data.decoding import convert
from pytest_vigate.data.files import has_lines
from pytest_vigate.data.grounding import read_boxes
from pytest_vigate.data.readers import Reader, first_record
from pytest_vigate.data.records import Record, Vocabulary
from pytest_vigate.data.tables import RawBoxes, Role, Source, Table
from pytest_vigate.errors import DataError, did_you_mean

T = TypeVar("T")

#: Fields of a picture, and of the boxes on it, that records have once each at most.
_PICTURE = ("image", "width", "height", "input_width", "input_height")
_PARTS = ("labels", "label", "scores", "score", "crowd")
_FIELDS = ("id", *_PICTURE, "boxes", "box", *_PARTS)
_ACCEPTED: type[list[str]] = str | list[str]  # type: ignore[assignment]  # mypy has no type for type expressions
_FLAG: type[int] = bool | Literal[0, 1]  # type: ignore[assignment]  # mypy has no type for type expressions
#: Fields that a reply may be declared as.
_REPLIES = tuple(dict.fromkeys(("text", *naming.REPLIES["predictions"], *naming.REPLIES["references"])))


class Box(NamedTuple):
    """Four numbers in whatever convention is declared."""

    first: float
    second: float
    third: float
    fourth: float


class JsonLines(Reader):
    """One JSON object a line; ``fields`` says what its parts are called.

    Predictions say ``prediction``, a text. References say ``reference``, a text or a list of texts that are all
    accepted, or ``references``; as a document, a list is an array whatever it holds. A file whose records say both
    holds both sides: it may be named twice, or ``data.references`` left out.

    Boxes are those of the field ``boxes`` or ``box``; where there is none, and ``boxes`` is declared, they are read out
    of the replies. Predictions that have such a field and replies beside it name the one that is the answer under
    ``fields``: of ``text`` alone the boxes are read out; with both, boxes are the field's and the text is a text.
    """

    name: ClassVar[str] = "jsonl"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        record = first_record(head)
        theirs_alone = {"filtered_resps", *(("raw_output",) if role == "predictions" else ("asset", "contents"))}
        return has_lines(path) and naming.bears_fields(record, role) and not theirs_alone & record.keys()

    def read(self, source: Source) -> Table:
        naming.refuse_unknown_fields(source, self.name, (*_FIELDS, *_REPLIES))
        return tabulate(source, list(records.line_records(source)))


def tabulate(source: Source, found: Sequence[tuple[str, Record]]) -> Table:
    """The table of records that were read from a source, under the names that it declares.

    Args:
        source: What they belong to.
        found: Place and record, a record a sample.

    Raises:
        DataError: If a record is not what the names say, or a field that is declared as the reply is in none.
    """
    places = [place for place, _ in found]

    def untyped() -> Iterator[tuple[str, Record]]:
        return iter(found)

    replied = source.role == "predictions" and naming.declares(source, "text")
    boxes = None if replied and not naming.declares(source, "boxes") else _boxes(source, found)
    documents = None
    if source.role == "predictions":
        name, replies = _replies(source, found, alone=boxes is None)
        documents = None if replies is not None else _values(found, name)
        derive_texts = None
    else:
        name, derive_texts = _accepted(source, found, alone=boxes is None)
        replies = _only_texts(found, name) if name else None
        documents = _values(found, name)
    in_replies = boxes is None and replies is not None and source.boxes is not None
    _refuse_unseen(source, found, (*_REPLIES, *(_PICTURE if in_replies else ())), ())
    table = Table(
        source,
        _keys(source, found),
        places.__getitem__,
        records.sizes(_column(source, found, "width", float), _column(source, found, "height", float)),
        partial(records.column, untyped),
        partial(records.names, untyped),
        replies,
        partial(read_boxes, source, replies or ()) if in_replies else boxes,
        in_replies=in_replies,
        frames=records.sizes(
            _column(source, found, "input_width", float), _column(source, found, "input_height", float)
        )
        if source.framed
        else None,
        derive_texts=derive_texts,
        documents=documents,
        text_field=name,
        questions=records.asked((record for _, record in found), _column(source, found, "image", str)),
    )
    if source.role == "references":
        return table
    due, accepted = _accepted(source, found, alone=True)
    return table.with_counterpart(due, accepted, _values(found, due))


def _column(source: Source, found: Sequence[tuple[str, Record]], ours: str, kind: type[T]) -> list[T | None]:
    theirs = naming.one_field(source, ours, ours)
    return [
        None if value is None else convert(value, kind, where=place, path=f"$.{theirs}")
        for place, record in found
        for value in (records.pick(record, theirs),)
    ]


def _keys(source: Source, found: Sequence[tuple[str, Record]]) -> dict[str, tuple[str, ...]]:
    def untyped() -> Iterator[tuple[str, Record]]:
        return iter(found)

    images = _column(source, found, "image", str)
    named = [image for image in images if image is not None]
    ids = records.declared_ids(source, untyped)
    if ids is None:
        own = [records.as_text(records.pick(record, "id"), where=place, name="id") for place, record in found]
        complete = tuple(identifier for identifier in own if identifier is not None)
        ids = complete if len(complete) == len(own) else None
        if ids is None and len(named) < len(images):
            nameless = (i for i in range(len(found)) if own[i] is None and images[i] is None)
            i = next(nameless, own.index(None))
            raise DataError(
                found[i][0],
                f"the record has no id; name its field: fields: {{id: …}}, its fields are {', '.join(found[i][1])}",
            )
    return records.keys(source, ids=ids, images=named if len(named) == len(images) else None)


def _replies(
    source: Source, found: Sequence[tuple[str, Record]], *, alone: bool
) -> tuple[str, tuple[str | None, ...] | None]:
    """Name and texts of the predictions' declared field, or of the one that holds them by its name.

    Args:
        source: What the records belong to.
        found: Place and record.
        alone: Records answer with their replies alone: where these are null everywhere, nothing was answered; and
            a field of other things is an error, where it would else be no reply.
    """
    if ours := _declared(source, "predictions"):
        name = naming.one_field(source, ours, ours)
        return name, None if _all_structured(found, name) else tuple(_column(source, found, ours, str))
    try:
        name = naming.text_field(source, "predictions", _names_in(found))
    except DataError:
        if alone:
            raise
        return "", None
    if name and alone:
        return name, None if _all_structured(found, name) else tuple(_column(source, found, name, str))
    texts = _only_texts(found, name) if name else None
    if texts is None or all(text is None for text in texts):
        return "", None
    return name, texts


def _names_in(found: Sequence[tuple[str, Record]]) -> Collection[str]:
    """Names of all fields of the records."""
    return set[str]().union(*(record for _, record in found))


def _only_texts(found: Sequence[tuple[str, Record]], name: str) -> tuple[str | None, ...] | None:
    """A field of all records, None where it is missing or null; None if it holds anything but texts."""
    values = tuple(records.pick(record, name) for _, record in found)
    texts = tuple(value for value in values if value is None or isinstance(value, str))
    return texts if len(texts) == len(values) else None


def _all_structured(found: Sequence[tuple[str, Record]], name: str) -> bool:
    """Whether a field holds objects and arrays only, which are documents that somebody has parsed already."""
    values = [value for _, record in found if (value := records.pick(record, name)) is not None]
    return bool(values) and all(isinstance(value, Mapping | list) for value in values)


def _values(found: Sequence[tuple[str, Record]], name: str) -> Callable[[], Sequence[object]] | None:
    """`Table.documents` of a field; None where it holds nothing but texts.

    A list of texts is a document too: a single one must not change what the others are.
    """
    values = [records.pick(record, name) for _, record in found] if name else []
    return None if all(value is None or isinstance(value, str) for value in values) else lambda: values


def _declared(source: Source, role: Role) -> str:
    """Our name under which ``fields`` declares the texts of a side; empty if it does not.

    A file may hold both sides, and ``fields`` name the texts of both: ``text`` is those of the side that is read.
    """
    names = [name for name in naming.REPLIES[role] if name != "text"]
    return next((name for name in (["text"] if role == source.role else []) + names if name in source.fields), "")


def _accepted(
    source: Source, found: Sequence[tuple[str, Record]], *, alone: bool
) -> tuple[str, Callable[[], Texts] | None]:
    """Name of the field that holds reference texts, and what makes them; None where records hold none.

    It is the declared one, or the one that holds them by its name.

    Args:
        source: What the records belong to.
        found: Place and record.
        alone: The records hold nothing else to compare with: who asks for texts is then told what the field holds.
    """
    if ours := _declared(source, "references"):
        theirs = naming.one_field(source, ours, ours)
        if _values(found, theirs) is not None:  # documents, for those who ask for no texts
            return theirs, partial(_texts, found, theirs)
        texts = _texts(found, theirs)
        return theirs, lambda: texts
    try:
        name = naming.text_field(source, "references", _names_in(found))
    except DataError as error:
        return "", naming.raising(error) if alone else None
    if name and not alone:
        values = [record[name] for _, record in found if record.get(name) is not None]
        kinds = (str,) if name == "text" else (str, list)
        name = name if values and all(isinstance(value, kinds) for value in values) else ""
    return name, partial(_texts, found, name) if name else None


def _texts(found: Sequence[tuple[str, Record]], name: str) -> Texts:
    """The text, or the list of texts, of every record; none where the field is missing or null."""
    texts: list[tuple[str, ...]] = []
    for where, record in found:
        value = records.pick(record, name)
        if value is None or isinstance(value, str):
            texts.append(() if value is None else (value,))
        else:
            accepted = convert(value, _ACCEPTED, where=where, path=f"$.{name}")
            texts.append(tuple(accepted))
    return tuple(texts)


@dataclass(frozen=True, slots=True)
class _Names:
    """What the parts of a box are called."""

    boxes: str
    box: str | tuple[str, ...]
    labels: str
    label: str
    scores: str
    score: str
    crowd: str


def _boxes(source: Source, found: Sequence[tuple[str, Record]]) -> Callable[[], RawBoxes] | None:
    def one(name: str) -> str:
        return naming.one_field(source, name, name)

    names = _Names(
        one("boxes"),
        source.fields.get("box", "box"),
        one("labels"),
        one("label"),
        one("scores"),
        one("score"),
        one("crowd"),
    )
    many = "boxes" in source.fields or any(_has(record, names.boxes) for _, record in found)
    single = names.box if isinstance(names.box, str) else names.box[0]
    if not many and "box" not in source.fields and not any(_has(record, single) for _, record in found):
        return None
    return partial(_derived, source, found, names, many=many)


def _derived(source: Source, found: Sequence[tuple[str, Record]], names: _Names, *, many: bool) -> RawBoxes:
    every = {key for _, record in found for key in record}
    naming.refuse_two_answers(source, names=every, boxes={"boxes": "boxes: boxes", "box": "box: box"})
    if source.boxes is None:
        raise DataError(
            source.file,
            "records do not say what their box numbers mean; declare it as boxes: vi, or "
            "boxes: {order: xyxy, space: pixels}",
        )
    boxes = [box for _, record in found for box in _objects(records.pick(record, names.boxes))]
    _refuse_unseen(source, found, (*_PARTS, *_PICTURE), boxes)
    columns = _Columns()
    for sample, (where, record) in enumerate(found):
        if many:
            columns.add_list(record, names, sample, where)
        else:
            columns.add(record, names, sample, where, "$")
    return columns.finish(source.boxes)


def _refuse_unseen(
    source: Source, found: Sequence[tuple[str, Record]], parts: Sequence[str], boxes: Sequence[Record]
) -> None:
    """A declared part that no record has is a slip of the pen: labels, scores or replies would vanish in silence."""
    everything = [*(record for _, record in found), *boxes]
    known = tuple(dict.fromkeys(key for record in (boxes or everything) for key in record))
    for ours in parts:
        theirs = source.fields.get(ours)
        if isinstance(theirs, str) and not any(_has(record, theirs) for record in everything):
            hint = did_you_mean(theirs, known) or f"their fields are {', '.join(known)}"
            raise DataError(source.file, f"fields: no record has the field {theirs!r}, declared as {ours}; {hint}")


def _objects(value: object) -> list[Record]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


class _Columns:
    """Boxes as they are read, record by record."""

    def __init__(self) -> None:
        self.numbers: list[Box] = []
        self.samples: list[int] = []
        self.labels: list[int] = []
        self.scores: list[float] = []
        self.crowd: list[bool] = []
        self.vocabulary = Vocabulary()

    def add_list(self, record: Record, names: _Names, sample: int, where: str) -> None:
        """Add the boxes of a record: a list of objects, or of four numbers each with lists beside it."""
        if not _has(record, names.boxes):
            raise DataError(where, f"the field {names.boxes!r} is missing; write [] where there are no boxes")
        path = f"$.{names.boxes}"
        given = records.pick(record, names.boxes)
        boxes = [] if given is None else convert(given, list[object], where=where, path=path)
        if boxes and isinstance(boxes[0], Mapping):
            objects = convert(boxes, list[dict[str, object]], where=where, path=path)
            for j, inner in enumerate(objects):
                self.add(inner, names, sample, where, f"{path}[{j}]")
            return
        numbers = convert(boxes, list[Box], where=where, path=path)
        labels = self._beside(record, names.labels, list[str | int], len(numbers), where)
        scores = self._beside(record, names.scores, list[float | None], len(numbers), where)
        for box, label, score in zip(numbers, labels, scores, strict=True):
            self._append(box, sample, label, score, crowd=False)

    def add(self, record: Record, names: _Names, sample: int, where: str, path: str) -> None:
        """Add the box of an object; null is an explicit "there is none"."""
        if isinstance(names.box, str):
            value, at = records.pick(record, names.box), f"{path}.{names.box}"
            if not _has(record, names.box):
                raise DataError(where, f"the field {at} is missing; write null where there is no box")
        else:
            value, at = [records.pick(record, name) for name in names.box], f"{path}.({', '.join(names.box)})"
            value = None if all(part is None for part in value) else value
        if value is None:
            return
        label = records.as_text(
            records.pick(record, names.label), where=where, name=f"{path}.{names.label}".removeprefix("$.")
        )
        given = records.pick(record, names.score)
        score = None if given is None else convert(given, float, where=where, path=f"{path}.{names.score}")
        flag = records.pick(record, names.crowd)
        crowd = False if flag is None else convert(flag, _FLAG, where=where, path=f"{path}.{names.crowd}")
        self._append(convert(value, Box, where=where, path=at), sample, label, score, crowd=bool(crowd))

    def _append(self, box: Box, sample: int, label: object, score: float | None, *, crowd: bool) -> None:
        self.numbers.append(box)
        self.samples.append(sample)
        self.labels.append(self.vocabulary.index("" if label is None else str(label)))
        self.scores.append(np.nan if score is None else score)
        self.crowd.append(crowd)

    def _beside(self, record: Record, name: str, kind: type[list[T]], count: int, where: str) -> list[T] | list[None]:
        value = records.pick(record, name)
        if value is None:
            return [None] * count
        column = convert(value, kind, where=where, path=f"$.{name}")
        if len(column) != count:
            raise DataError(where, f"$.{name}: {len(column)} entries for {count} boxes; write one a box")
        return column

    def finish(self, convention: Convention) -> RawBoxes:
        """All boxes as columns."""
        return RawBoxes(
            records.rows(self.numbers),
            records.indices(self.samples),
            records.indices(self.labels),
            np.array(self.scores, dtype=np.float64),
            np.array(self.crowd, dtype=np.bool_),
            self.vocabulary.labels,
            convention,
        )


def _has(record: Record, path: str) -> bool:
    if path in record:
        return True
    head, dot, rest = path.partition(".")
    inner = record.get(head)
    return bool(dot) and isinstance(inner, Mapping) and _has(inner, rest)
