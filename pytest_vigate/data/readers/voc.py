"""Pascal VOC: XML files, one a picture, in a folder or named by a glob."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar
from xml.parsers import expat

import numpy as np

from pytest_vigate.data import naming, records
from pytest_vigate.data.coordinates import PRESETS
from pytest_vigate.data.files import encodable, entries, inside, read_bytes, refuse_deeper, shown
from pytest_vigate.data.readers import Reader
from pytest_vigate.data.records import Record, Vocabulary
from pytest_vigate.data.tables import RawBoxes, Role, Source, Table
from pytest_vigate.errors import DataError

#: Bytes of one file: ten thousand objects need a tenth of it.
MOST_BYTES = 1 << 24
#: Levels of elements: VOC has five, with the parts of a person's layout.
DEEPEST = 16

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_SCORES = ("confidence", "score")
#: Elements that are read; in another case they would be passed over.
_TAGS = frozenset(
    {
        *("annotation", "filename", "size", "width", "height", "object", "name", "difficult", "bndbox"),
        *_SIDES,
        *_SCORES,
    }
)


class Voc(Reader):
    """``<annotation>`` with an ``<object>`` a box; in predictions it holds a ``<confidence>`` or ``<score>``."""

    name: ClassVar[str] = "voc"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        if path.is_dir():
            return any(_is_xml(file) for file in path.iterdir())
        return _is_xml(path) and b"<annotation" in head

    def read(self, source: Source) -> Table:
        naming.refuse_unknown_fields(source, self.name, ("id",))
        files = [file for path in source.paths for file in _files(source, path)]
        pictures = [_parsed(source, file) for file in files]
        images = [name for picture in pictures if (name := picture.text("filename"))]

        def untyped() -> Iterator[tuple[str, Record]]:
            return ((picture.place, _record(picture)) for picture in pictures)

        return Table(
            source,
            records.keys(
                source,
                ids=records.declared_ids(source, untyped),
                images=images if len(images) == len(pictures) else None,
                stems=[encodable(file.stem) for file in files],
            ),
            lambda i: pictures[i].place,
            records.sizes(*([_length(picture, side) for picture in pictures] for side in ("width", "height"))),
            partial(records.column, untyped),
            partial(records.names, untyped),
            derive_boxes=partial(_boxes, source, pictures),
        )


@dataclass(slots=True)
class _Element:
    """An element with what it holds; its attributes mean nothing in VOC."""

    tag: str
    place: str
    pieces: list[str] = field(default_factory=list)
    children: list[_Element] = field(default_factory=list)

    def child(self, tag: str) -> _Element | None:
        """The only child of this name.

        Raises:
            DataError: If there are several.
        """
        found = [child for child in self.children if child.tag == tag]
        if len(found) > 1:
            raise DataError(found[1].place, f"<{self.tag}> has <{tag}> twice; keep the one that is meant")
        return found[0] if found else None

    def text(self, tag: str) -> str:
        """Text of the only child of this name; empty without one."""
        child = self.child(tag)
        return "" if child is None else child.own_text

    @property
    def own_text(self) -> str:
        """Its text without the white space around it."""
        return "".join(self.pieces).strip()


def _is_xml(path: Path) -> bool:
    return path.suffix.lower() == ".xml"


def _files(source: Source, path: Path) -> list[Path]:
    """A file, or those of a folder."""
    if not inside(source, path).is_dir():
        return [path]
    inner = entries(source, path)
    found = [file for file in inner if _is_xml(file)]
    if not found:
        folders = [entry.name for entry in inner if entry.is_dir()]
        hint = f"name one of its folders: {', '.join(folders)}" if folders else "check the path"
        raise DataError(shown(source, path), f"this folder holds no annotation files (*.xml); {hint}")
    refuse_deeper(source, path, {".xml"})
    return found


def _parsed(source: Source, file: Path) -> _Element:
    """The root element of a file.

    Raises:
        DataError: With ``file:line:column`` if it is not XML. If it is too large or nested too deeply, declares a
            document type, or is no annotation.
    """
    where = shown(source, file)
    content = read_bytes(source, file)
    if len(content) > MOST_BYTES:
        raise DataError(where, f"the file is larger than {MOST_BYTES >> 20} MiB, too large for one picture; split it")
    # what was read is UTF-8, whatever the declaration says
    parser = expat.ParserCreate("UTF-8")
    parser.buffer_text = True
    top = _Element("", where)
    path = [top]

    def open_element(tag: str, _: object) -> None:
        place = f"{where}:{parser.CurrentLineNumber}"
        if len(path) > DEEPEST:
            raise DataError(place, f"elements are nested more than {DEEPEST} levels deep; this is no VOC annotation")
        if tag not in _TAGS and tag.lower() in _TAGS:
            raise DataError(place, f"<{tag}> is no element of VOC, <{tag.lower()}> is; correct its case")
        element = _Element(tag, place)
        path[-1].children.append(element)
        path.append(element)

    def refuse_entities(*_: object) -> None:
        raise DataError(
            f"{where}:{parser.CurrentLineNumber}",
            "a document type may define entities, which are never expanded; remove the <!DOCTYPE …>",
        )

    def add_text(text: str) -> None:
        path[-1].pieces.append(text)

    parser.StartElementHandler = open_element
    parser.EndElementHandler = lambda _: path.pop()
    parser.CharacterDataHandler = add_text
    parser.StartDoctypeDeclHandler = refuse_entities
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise DataError(
            f"{where}:{error.lineno}:{error.offset + 1}",
            f"this is not XML: {expat.ErrorString(error.code)}; correct it, or write the file again",
        ) from None
    (root,) = top.children
    if root.tag != "annotation":
        raise DataError(
            root.place, f"the file holds <{root.tag}>, where <annotation> is due; is it of another format than voc?"
        )
    return root


def _record(element: _Element) -> dict[str, object]:
    """What a picture says besides its objects, by name; a name that is there several times holds a list."""
    found: dict[str, list[object]] = {}
    for child in element.children:
        if child.tag != "object":
            found.setdefault(child.tag, []).append(_record(child) if child.children else child.own_text or None)
    return {tag: values[0] if len(values) == 1 else values for tag, values in found.items()}


def _length(picture: _Element, side: str) -> float | None:
    size = picture.child("size")
    return None if size is None or not size.text(side) else _number(size, side)


def _boxes(source: Source, pictures: Sequence[_Element]) -> RawBoxes:
    found = [
        (sample, child)
        for sample, picture in enumerate(pictures)
        for child in picture.children
        if child.tag == "object"
    ]
    objects = [child for _, child in found]
    vocabulary = Vocabulary()
    scores = [_score(child) if source.role == "predictions" else np.nan for child in objects]
    return RawBoxes(
        records.rows([_corners(child) for child in objects]),
        records.indices([sample for sample, _ in found]),
        records.indices([vocabulary.index(_name(child)) for child in objects]),
        np.array(scores, dtype=np.float64),
        np.array([_difficult(child) for child in objects], dtype=np.bool_),
        vocabulary.labels,
        source.boxes or PRESETS["voc"],
        places=lambda j: objects[j].place,
    )


def _corners(element: _Element) -> list[float]:
    box = element.child("bndbox")
    if box is None:
        raise DataError(element.place, "the object has no <bndbox>; add it, or drop the object")
    return [_number(box, side) for side in _SIDES]


def _name(element: _Element) -> str:
    name = element.text("name")
    if not name:
        raise DataError(element.place, "the object has no <name>; write its class")
    return name


def _difficult(element: _Element) -> bool:
    """Objects marked as difficult count neither as found nor as missed, as VOC's own evaluation has it."""
    flag = element.text("difficult")
    if flag not in ("", "0", "1"):
        raise DataError(element.place, f"<difficult> is {flag!r}, where 0 or 1 is due; correct the object")
    return flag == "1"


def _score(element: _Element) -> float:
    given = [tag for tag in _SCORES if element.text(tag)]
    if len(given) > 1:
        raise DataError(element.place, "the object has both <confidence> and <score>; keep the one that is meant")
    return _number(element, given[0]) if given else np.nan


def _number(element: _Element, tag: str) -> float:
    child = element.child(tag)
    if child is None:
        raise DataError(element.place, f"<{element.tag}> has no <{tag}>; add it")
    number = records.decimal(child.own_text)
    if number is None:
        raise DataError(child.place, f"<{tag}> is {child.own_text!r}, where a finite number is due; correct it")
    return number
