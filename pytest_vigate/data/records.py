"""What formats of records share: values by dotted name, ids, keys to join by, columns to slice by, answers by id."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import repeat
from pathlib import PurePosixPath

import msgspec
import numpy as np

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.data.decoding import decode_line, read_array, read_lines
from pytest_vigate.data.tables import Question, Source, Table, no_names
from pytest_vigate.errors import DataError, did_you_mean

Record = Mapping[str, object]
Identifier = int | str
Column = tuple[str | None, ...]

#: The join's name for ids made of a picture and the question about it.
QUESTION = "question"
#: Ids that are the picture's file name, and that name without folder and ending.
PICTURE_KEYS = ("image", "stem")
_RECORD = msgspec.json.Decoder(dict[str, object])
_RECORDS = msgspec.json.Decoder(list[dict[str, object]])
_DECIMAL = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")


def pick(record: Record, path: str) -> object:
    """The value of a field, dots leading into nested records; None where it is missing or null."""
    if path in record:
        return record[path]
    head, dot, rest = path.partition(".")
    inner = record.get(head)
    return pick(inner, rest) if dot and isinstance(inner, Mapping) else None


def as_text(value: object, *, where: str, name: str) -> str | None:
    """A scalar as text: ``true``, digits, shortest decimal.

    Raises:
        DataError: If the value is a list or an object.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    kind = "a list" if isinstance(value, list) else "an object"
    raise DataError(where, f"$.{name}: {kind}, where text or a number is due; name a field inside it, with a dot")


def decimal(text: str) -> float | None:
    """A finite decimal number; None for other text, though Python read it as a number: ``nan``, ``inf``, ``1_0``."""
    number = float(text) if _DECIMAL.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


def joined_id(parts: Sequence[str]) -> str:
    """An id made of several fields, as ``a.jpg | how many?``: equal only where all parts are.

    A separator inside a part is written with a backslash, and the one between parts follows a blank. A single
    field stays as it is.
    """
    if len(parts) == 1:
        return parts[0]
    return " | ".join(part.replace("|", "\\|") for part in parts)


def line_records(source: Source) -> Iterator[tuple[str, Record]]:
    """Place and untyped record of every line of a JSONL source."""
    for line in read_lines(source):
        record: dict[str, object] = decode_line(line, _RECORD)
        yield line.place, record


def array_records(source: Source) -> Iterator[tuple[str, Record]]:
    """Place and untyped record of every entry of a source of arrays."""
    entries, place = read_array(source, _RECORDS)
    return ((place(j), entry) for j, entry in enumerate(entries))


def column(records: Callable[[], Iterator[tuple[str, Record]]], name: str) -> Column | None:
    """A field of all records as text; None if no record has it."""
    values = tuple(as_text(pick(record, name), where=place, name=name) for place, record in records())
    return values if any(value is not None for value in values) else None


def names(records: Callable[[], Iterator[tuple[str, Record]]], *, limit: int = 100) -> tuple[str, ...]:
    """Field names of the first records, nested ones with dots."""
    found: dict[str, None] = {}
    for count, (_, record) in enumerate(records()):
        if count == limit:
            break
        for name, value in record.items():
            if isinstance(value, Mapping):
                found.update(dict.fromkeys(f"{name}.{inner}" for inner in value))
            else:
                found[name] = None
    return tuple(found)


def stem(name: str) -> str:
    """A picture's file name without folder and ending."""
    return PurePosixPath(name.replace("\\", "/")).stem


def question_ids(images: Sequence[str | None], questions: Sequence[str | None]) -> tuple[str, ...] | None:
    """Ids made of a picture and the question about it, which sides know that number questions in their own ways.

    None where a record lacks either.
    """
    found = [
        joined_id((image, question.strip()))
        for image, question in zip(images, questions, strict=True)
        if image is not None and question is not None
    ]
    return tuple(found) if len(found) == len(images) else None


def asked(found: Iterable[Record], images: Sequence[str | None] | None) -> tuple[Question | None, ...]:
    """`Table.questions` of records that have the question as a field."""
    pictures = repeat(None) if images is None else images
    return tuple(
        question(record.get(QUESTION, record.get("prompt")), image)
        for record, image in zip(found, pictures, strict=False)
    )


def question(text: object, image: str | None, *, talk: str | None = None) -> Question | None:
    """A question about a picture, or in a conversation; None where there is none."""
    words = " ".join(text.replace("<image>", " ").split()) if isinstance(text, str) else ""
    return Question(words, image or talk) if words else None


def refuse_equal(ids: Sequence[str], places: Callable[[int], str], *, name: str) -> None:
    """Raise where an id stands twice that a gate can make of no more fields."""
    first: dict[str, int] = {}
    for i, identifier in enumerate(ids):
        if (other := first.setdefault(identifier, i)) != i:
            raise DataError(
                places(i), f"the {name} {identifier!r} is already that of {places(other)}; keep the one that is meant"
            )


def more_fields(one: Record, other: Record, *, base: Sequence[str]) -> str:
    """What to do about two records of one id: of which fields to make it, where some tell them apart.

    Args:
        one: The first.
        other: The second.
        base: Fields that the id is made of now; none where that is not known.
    """
    for name in TELLING:
        values = one.get(name), other.get(name)
        if None not in values and values[0] != values[1] and name not in base:
            return f"if both are meant, make the id of more fields: fields: {{id: [{', '.join((*base, name))}]}}"
    return "keep the one that is meant, or give each an id of its own"


#: Fields that may tell records of one id apart, in the order in which they are looked for.
TELLING = ("image", "asset.filename", "question", "prompt", "order", "filter", "doc_id", "task")


def keys(
    source: Source,
    *,
    ids: Sequence[str] | None,
    images: Sequence[str] | None,
    stems: Sequence[str] | None = None,
    questions: Sequence[str] | None = None,
) -> dict[str, tuple[str, ...]]:
    """`Table.keys` from what the records carry.

    ``fields: {id: stem}`` and ``fields: {id: image}`` leave out what is more specific. `stems` are those of the
    records' own files, where every picture has one; by default they are those of the pictures' names. `questions` are
    `question_ids`.

    Raises:
        DataError: If the id is to be the picture's, but not every record names its picture.
    """
    found: dict[str, tuple[str, ...]] = {}
    if ids is not None:
        found["id"] = tuple(ids)
    if questions is not None:
        found[QUESTION] = tuple(questions)
    if images is not None:
        found["image"] = tuple(images)
    if stems is not None:
        found["stem"] = tuple(stems)
    elif images is not None:
        found["stem"] = tuple(map(stem, images))
    declared = source.fields.get("id")
    if declared not in PICTURE_KEYS:
        return found
    if declared not in found:
        raise DataError(
            source.file, f"fields: the id is the picture's {declared}, but not every record names its picture"
        )
    kept = PICTURE_KEYS[PICTURE_KEYS.index(str(declared)) :]
    return {key: found[key] for key in kept}


def declared_ids(source: Source, records: Callable[[], Iterator[tuple[str, Record]]]) -> tuple[str, ...] | None:
    """The ids that ``fields: {id: …}`` declares, one field or several; None if it declares none.

    Raises:
        DataError: If a record lacks a field of its id.
    """
    declared = source.fields.get("id")
    if declared is None or declared in PICTURE_KEYS:
        return None
    parts = (declared,) if isinstance(declared, str) else declared
    ids = []
    for place, record in records():
        texts = []
        for part in parts:
            text = as_text(pick(record, part), where=place, name=part)
            if text is None:
                known = did_you_mean(part, tuple(record)) or f"its fields are {', '.join(record)}"
                raise DataError(place, f"the record has no field {part!r}, which its id is made of; {known}")
            texts.append(text)
        ids.append(joined_id(texts))
    return tuple(ids)


class Vocabulary:
    """Labels by index, in the order in which they are first seen."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}

    def index(self, label: str) -> int:
        """Index of the label, which is added if it is new."""
        return self._index.setdefault(label, len(self._index))

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels."""
        return tuple(self._index)


def sizes(widths: Sequence[float | None], heights: Sequence[float | None]) -> Float:
    """`Table.sizes` from columns with gaps, (n, 2)."""
    known = [(np.nan if w is None else w, np.nan if h is None else h) for w, h in zip(widths, heights, strict=True)]
    return np.array(known, dtype=np.float64).reshape(-1, 2)


def rows(numbers: Sequence[Sequence[float]]) -> Float:
    """Boxes as (N, 4), also for none."""
    return np.array(numbers, dtype=np.float64).reshape(-1, 4)


def indices(values: Sequence[int]) -> Int:
    """Integers as a column, also for none."""
    return np.array(values, dtype=np.int64)


def answer_table(
    source: Source,
    ids: Sequence[str],
    texts: Sequence[str | None],
    place: Callable[[int], str],
    *,
    id_of: str,
    text_field: str,
    pictures: bool,
) -> Table:
    """The table of an array of results, a text and an id each.

    Args:
        source: What they belong to.
        ids: One an entry.
        texts: What the model says; null is no answer.
        place: Where an entry stands.
        id_of: Field of the ids.
        text_field: Field of the texts.
        pictures: The ids are names of pictures.

    Raises:
        DataError: If an id stands twice.
    """
    refuse_equal(ids, place, name=id_of)
    untyped = partial(array_records, source)
    return Table(
        source,
        keys(source, ids=ids, images=ids if pictures else None),
        place,
        np.full((len(texts), 2), np.nan),
        partial(column, untyped),
        partial(names, untyped),
        tuple(texts),
        text_field=text_field,
        id_of=id_of,
        id_fields=no_names,
    )
