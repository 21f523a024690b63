"""CSV: one row a box; the rows with one id are a sample."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from pytest_vigate.data import naming, records
from pytest_vigate.data.coordinates import Convention, Float, Order
from pytest_vigate.data.dataset import Texts
from pytest_vigate.data.files import read_bytes, shown
from pytest_vigate.data.grounding import read_boxes
from pytest_vigate.data.readers import Reader
from pytest_vigate.data.records import Record, Vocabulary
from pytest_vigate.data.tables import RawBoxes, Role, Source, Table
from pytest_vigate.errors import DataError, did_you_mean

_FIELDS = (
    *("id", "image", "box", "label", "score", "width", "height", "input_width", "input_height"),
    *("text", "raw_output", "prediction", "reference"),
)
#: Names under which ``fields`` declares a column of texts, but for ``text``.
_TEXTS: dict[Role, tuple[str, ...]] = {
    "predictions": tuple(name for name in naming.REPLIES["predictions"] if name != "text"),
    "references": ("reference",),
}
#: No column of texts: it would be one of lists, and nothing says how a cell would be split.
_LISTS = "references"
#: Columns of a box by the order that their names say.
_COLUMNS: dict[Order, tuple[str, ...]] = {
    "xyxy": ("xmin", "ymin", "xmax", "ymax"),
    "xywh": ("x", "y", "width", "height"),
}
#: Columns besides those of the box in Datature Vi's exports, CsvFourCorner and CsvWidthHeight.
_EXPORTED = frozenset({"filename", "class"})
_IMAGES = ("image", "filename", "file_name", "file")

Row = dict[str, str]


class CsvRows(Reader):
    """A header, then one row a box; ``fields`` says what the columns are called.

    A column of texts is the replies: where no columns are a box, and ``boxes`` is declared, boxes are read out of them.
    Predictions that have both name the one that is the answer under ``fields``, as in ``jsonl``.
    An empty cell is no reply: CSV cannot tell it from an empty one.

    The column ``reference`` holds the text that is due. A cell is one text, whatever separators are in it: where
    several are accepted, each has a row, with the same id; equal ones count as often as they stand there. Such rows
    differ in nothing else, and may leave the rest empty; of predictions alone an id has one row. Only where columns are
    a box does a row add no reference: the rows of one id then have one text. A file with the columns of both sides may
    be named twice, or ``data.references`` left out.

    The two exports of Datature Vi need no ``fields``: their headers say how a box is written. Whether in pixels or in
    fractions, ``boxes`` has to declare.
    """

    name: ClassVar[str] = "csv"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        header = head.split(b"\n", 1)[0]
        names = {name.strip() for name in header.decode(errors="replace").split(",")}
        exported = any(names == {*_EXPORTED, *columns} for columns in _COLUMNS.values())
        return exported or (path.suffix.lower() == ".csv" and b"," in header)

    def read(self, source: Source) -> Table:
        naming.refuse_unknown_fields(source, self.name, _FIELDS)
        places, rows = _rows(source)
        ids, images = _ids(source, places, rows)
        first: dict[str, int] = {}
        for j, identifier in enumerate(ids):
            first.setdefault(identifier, j)
        starts = tuple(first.values())
        position = {identifier: i for i, identifier in enumerate(first)}
        sample = [position[identifier] for identifier in ids]

        def untyped() -> Iterator[tuple[str, Record]]:
            return ((places[j], {name: value or None for name, value in rows[j].items()}) for j in starts)

        header = tuple(rows[0])
        columns, _ = _box_columns(source, header)
        boxed = set(columns) <= set(header)
        name, _ = _text_column(source, header, source.role, alone=not boxed)
        reference, doubt = _text_column(source, header, "references", alone=not boxed)
        if (name or reference) and not boxed:
            _refuse_equal(source, places, rows, ids, reference)
        declared = source.fields.get("id")
        named = images is None or (declared not in records.PICTURE_KEYS if declared else "id" in header)
        # several references a sample are no one reply, from which boxes could be read
        listed = source.role == "references" and not boxed and source.boxes is None
        replies = _texts(places, rows, sample, name) if name and not listed else None
        replied = source.role == "predictions" and naming.declares(source, "text")
        native = boxed and not replied
        in_replies = bool(name) and not naming.declares(source, "boxes") and not native
        derive: Callable[[], RawBoxes] | None = partial(_boxes, source, places, rows, sample)
        if in_replies:
            derive = None if source.boxes is None else partial(read_boxes, source, replies or ())
        accepted: Callable[[], Texts] | None = None if doubt is None else naming.raising(doubt)
        if reference:
            accepted = partial(_accepted, places, rows, sample, reference, boxed=boxed)
        table = Table(
            source,
            records.keys(
                source,
                ids=tuple(first) if named else None,
                images=None if images is None or not all(images[j] for j in starts) else [images[j] for j in starts],
            ),
            lambda i: places[starts[i]],
            _sizes(source, places, rows, sample, ("width", "height")),
            partial(_attribute, places, rows, sample),
            partial(records.names, untyped),
            replies,
            derive,
            in_replies=in_replies and derive is not None,
            frames=_sizes(source, places, rows, sample, ("input_width", "input_height")) if source.framed else None,
            derive_texts=accepted if source.role == "references" else None,
            text_field=name,
            questions=records.asked(
                [rows[j] for j in starts], images if images is None else [images[j] for j in starts]
            ),
        )
        return table if source.role == "references" else table.with_counterpart(reference, accepted)


def _rows(source: Source) -> tuple[list[str], list[Row]]:
    places: list[str] = []
    found: list[Row] = []
    first: list[str] = []
    for path in source.paths:
        file = shown(source, path)
        text = read_bytes(source, path).decode()
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        limit = csv.field_size_limit(max(len(text), csv.field_size_limit()))  # of the whole process
        try:
            header = [name.strip() for name in next(reader)]
            first = first or header
            if header != first:
                raise DataError(f"{file}:1", f"the columns differ from those of {shown(source, source.paths[0])}")
            if len(set(header)) < len(header):
                twice = next(name for name in header if header.count(name) > 1)
                raise DataError(f"{file}:1", f"the column {twice!r} is there twice; give every column its own name")
            for row in reader:
                place = f"{file}:{reader.line_num}"
                if row and len(row) != len(header):
                    raise DataError(place, f"{len(row)} columns, where the header has {len(header)}; complete the row")
                if row:
                    places.append(place)
                    found.append(dict(zip(header, map(str.strip, row), strict=True)))
        except csv.Error as error:
            raise DataError(f"{file}:{reader.line_num}", f"this is not CSV: {error}; quote the field") from None
        finally:
            csv.field_size_limit(limit)
    if not found:
        raise DataError(source.file, "the file has a header but no rows; zero samples prove nothing")
    return places, found


def _ids(source: Source, places: Sequence[str], rows: Sequence[Row]) -> tuple[list[str], list[str] | None]:
    """Id of every row, and the picture's file name where a column holds it."""
    header = tuple(rows[0])
    image = _picture(source, header)
    parts = _named_by(source, header)
    if not parts:
        raise DataError(
            source.file, f"no column names the sample; declare fields: {{id: …}}, the columns are {', '.join(header)}"
        )
    for name in (*parts, *((image,) if isinstance(image, str) else ())):
        _require(source, name, header)
    ids = [records.joined_id([row[part] for part in parts]) for row in rows]
    for place, row in zip(places, rows, strict=True):
        for part in parts:
            if not row[part]:
                raise DataError(place, f"the column {part!r} is empty, but the id is made of it; fill it in")
    return ids, [row[image] for row in rows] if isinstance(image, str) else None


def _picture(source: Source, header: Collection[str]) -> str | tuple[str, ...] | None:
    """The column of the picture's file name."""
    return source.fields.get("image") or next((name for name in _IMAGES if name in header), None)


def _named_by(source: Source, header: Collection[str]) -> tuple[str, ...]:
    """The columns that the id is made of; none where nothing names the sample."""
    declared = source.fields.get("id")
    if declared is None or declared in records.PICTURE_KEYS:
        declared = "id" if "id" in header and declared is None else _picture(source, header)
    if declared is None:
        return ()
    return (declared,) if isinstance(declared, str) else declared


def _require(source: Source, name: str, header: Sequence[str]) -> None:
    if name not in header:
        hint = did_you_mean(name, header) or f"the columns are {', '.join(header)}"
        raise DataError(source.file, f"there is no column {name!r}; {hint}")


def _box_columns(source: Source, header: Sequence[str]) -> tuple[tuple[str, ...], Order | None]:
    """The columns of a box, and the order that their names say; None where ``fields`` declares them."""
    declared = source.fields.get("box")
    if declared is None:
        extents = {*_EXPORTED, *_COLUMNS["xywh"]} <= set(header) and not set(_COLUMNS["xyxy"]) <= set(header)
        order: Order = "xywh" if extents else "xyxy"
        return _COLUMNS[order], order
    if isinstance(declared, str) or len(declared) != 4:
        raise DataError(source.file, "fields: a box is made of four columns; write box: [xmin, ymin, xmax, ymax]")
    return declared, None


def _convention(source: Source, columns: Sequence[str], order: Order | None) -> Convention:
    """What the numbers of a box mean, as declared.

    Raises:
        DataError: If nothing is declared, or what contradicts the names of the columns.
    """
    if source.boxes is None:
        raise DataError(
            source.file,
            f"columns do not say what their box numbers count; declare boxes: {{order: {order or 'xyxy'}, "
            "space: pixels}, or space: unit for fractions of the picture",
        )
    if order is not None and source.boxes.order != order:
        names = ", ".join(columns)
        raise DataError(
            source.file,
            f"the columns {names} are a box as {order}, but {source.boxes} is declared; declare order: {order}, or "
            f"say which columns are meant: fields: {{box: [{names}]}}",
        )
    return source.boxes


def _text_column(source: Source, header: Sequence[str], role: Role, *, alone: bool) -> tuple[str, DataError | None]:
    """The column that holds the texts of a side, empty where none does; and what is to be said if references are asked.

    Args:
        source: What the rows belong to.
        header: Names of the columns.
        role: The side, which may be the other one of a file that holds both.
        alone: The rows hold nothing else that could be scored.
    """
    names = ("text", *_TEXTS[role]) if role == source.role else _TEXTS[role]
    ours = next((name for name in names if name in source.fields), "")
    if ours:
        theirs = naming.one_field(source, ours, ours)
        _require(source, theirs, header)
        return theirs, None
    try:
        return naming.text_field(
            source, role, [name for name in header if role == "predictions" or name != _LISTS]
        ), None
    except DataError as error:
        if alone and role == "predictions":
            raise
        return "", error if alone else None


def _refuse_equal(
    source: Source, places: Sequence[str], rows: Sequence[Row], ids: Sequence[str], reference: str
) -> None:
    """Raise for rows of one id that are no further references of a sample.

    Their other columns are those of the first row, or left empty.
    """
    first: dict[str, int] = {}
    for j, identifier in enumerate(ids):
        i = first.setdefault(identifier, j)
        if i == j:
            continue
        differing = [name for name, cell in rows[j].items() if name != reference and cell and cell != rows[i][name]]
        if differing or not reference:
            found = f", and they differ in {', '.join(map(repr, differing))}" if differing else ""
            raise DataError(
                places[j],
                f"the id {identifier!r} is already that of {places[i]}{found}; "
                + records.more_fields(rows[i], rows[j], base=_named_by(source, rows[0])),
            )


def _accepted(
    places: Sequence[str], rows: Sequence[Row], sample: Sequence[int], name: str, *, boxed: bool
) -> tuple[tuple[str, ...], ...]:
    """The reference texts of every sample: of every row, or one where the rows are boxes."""
    if boxed:
        return tuple(() if text is None else (text,) for text in _texts(places, rows, sample, name))
    texts: list[list[str]] = [[] for _ in range(max(sample) + 1)]
    for place, row, i in zip(places, rows, sample, strict=True):
        if not row[name]:
            raise DataError(place, f"the column {name!r} is empty; write the answer that is due, or drop the row")
        texts[i].append(row[name])
    return tuple(map(tuple, texts))


def _attribute(
    places: Sequence[str], rows: Sequence[Row], sample: Sequence[int], name: str
) -> tuple[str | None, ...] | None:
    texts = _texts(places, rows, sample, name) if name in rows[0] else ()
    return texts if any(text is not None for text in texts) else None


def _texts(places: Sequence[str], rows: Sequence[Row], sample: Sequence[int], name: str) -> tuple[str | None, ...]:
    """A column with one text for every sample: rows may leave it out, but not differ."""
    texts: list[str | None] = [None] * (max(sample) + 1)
    for place, row, i in zip(places, rows, sample, strict=True):
        text = row[name]
        if text and texts[i] not in (None, text):
            raise DataError(place, f"the column {name!r} holds another text than the rows above with the same id")
        texts[i] = text or texts[i]
    return tuple(texts)


def _sizes(
    source: Source, places: Sequence[str], rows: Sequence[Row], sample: Sequence[int], names: tuple[str, str]
) -> Float:
    """Width and height of every sample: rows may leave them out, but not differ."""
    sides = []
    box, _ = _box_columns(source, tuple(rows[0]))
    for ours in names:
        theirs = naming.one_field(source, ours, ours)
        if ours in source.fields:
            _require(source, theirs, tuple(rows[0]))
        is_box = ours not in source.fields and theirs in box
        known = theirs in rows[0] and not is_box
        found: list[float | None] = [None] * (max(sample) + 1)
        first: dict[int, str] = {}
        for place, row, i in zip(places, rows, sample, strict=True):
            if not known or not row[theirs]:
                continue
            number = _number(row[theirs], place, theirs)
            if found[i] not in (None, number):
                raise DataError(
                    place, f"{theirs} is {number:g}, but {found[i]:g} at {first[i]}, which has the same id; correct one"
                )
            found[i] = number
            first.setdefault(i, place)
        sides.append(found)
    return records.sizes(*sides)


def _boxes(source: Source, places: Sequence[str], rows: Sequence[Row], sample: Sequence[int]) -> RawBoxes:
    header = tuple(rows[0])
    columns, order = _box_columns(source, header)
    naming.refuse_two_answers(source, names=header, boxes={columns[0]: f"box: [{', '.join(columns)}]"})
    convention = _convention(source, columns, order)
    for name in columns:
        _require(source, name, header)
    label = source.fields.get("label") or ("class" if "class" in header and "label" not in header else "label")
    score = naming.one_field(source, "score", "score")
    for name in ("label", "score"):
        if name in source.fields:
            _require(source, naming.one_field(source, name, name), header)
    full = [j for j, row in enumerate(rows) if any(row[name] for name in columns)]
    vocabulary = Vocabulary()
    where = [places[j] for j in full]
    return RawBoxes(
        records.rows([[_number(rows[j][name], places[j], name) for name in columns] for j in full]),
        records.indices([sample[j] for j in full]),
        records.indices([vocabulary.index(rows[j].get(str(label), "")) for j in full]),
        np.array([_number(rows[j][score], places[j], score) if rows[j].get(score) else np.nan for j in full]),
        np.zeros(len(full), dtype=np.bool_),
        vocabulary.labels,
        convention,
        places=where.__getitem__,
    )


def _number(text: str, place: str, name: str) -> float:
    number = records.decimal(text)
    if number is None:
        raise DataError(place, f"{name} is {text!r}, where a finite number is due; correct the row")
    return number
