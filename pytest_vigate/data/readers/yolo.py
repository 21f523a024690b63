"""YOLO label files: a folder of text files, one a picture, one line a box."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import yaml

from pytest_vigate.data import naming, records
from pytest_vigate.data.coordinates import PRESETS, Float
from pytest_vigate.data.files import encodable, entries, inside, read_bytes, refuse_deeper, shown
from pytest_vigate.data.pictures import read_size
from pytest_vigate.data.readers import Reader
from pytest_vigate.data.tables import RawBoxes, Role, Source, Table
from pytest_vigate.errors import DataError

_PICTURES = {".bmp", ".gif", ".heic", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
_CLASSES = "classes.txt"  # darknet keeps the names beside the labels


class Yolo(Reader):
    """``class cx cy w h`` a line, fractions of the picture; predictions may add a confidence."""

    name: ClassVar[str] = "yolo"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        if not path.is_dir():
            return False
        return (path / "labels").is_dir() or any(file.suffix == ".txt" for file in path.iterdir())

    def read(self, source: Source) -> Table:
        naming.refuse_unknown_fields(source, self.name, ())
        files: list[_Sample] = []
        for folder in source.paths:
            files += _samples(source, folder)
        boxes = _Columns()
        for sample, entry in enumerate(files):
            if entry.labels is not None:
                boxes.read(source, entry.labels, sample)
        names = _names(source)
        return Table(
            source,
            {"stem": tuple(entry.stem for entry in files)},
            lambda i: files[i].place,
            _sizes(source, files),
            derive_boxes=partial(boxes.finish, source, names),
            sizing="let the folder hold the pictures under images/, as PNG or JPEG files",
            categories=names,
        )


class _Sample(NamedTuple):
    """A picture, and the files that say something of it."""

    stem: str
    labels: Path | None
    place: str
    picture: Path | None


def _sizes(source: Source, files: Sequence[_Sample]) -> Float:
    """Sizes of the pictures that stand beside the labels, (n, 2)."""
    found = [None if entry.picture is None else read_size(source, entry.picture) for entry in files]
    return np.array([(np.nan, np.nan) if size is None else size for size in found], dtype=np.float64).reshape(-1, 2)


def _samples(source: Source, folder: Path) -> list[_Sample]:
    """Stem, label file and place of every sample: the pictures' where there are any, else the label files'."""
    labels = folder / "labels" if (folder / "labels").is_dir() else folder
    images = folder / "images"
    inner = entries(source, labels)
    found = {file.stem: file for file in inner if file.suffix == ".txt" and file.name != _CLASSES}
    pictures: dict[str, Path] = {}
    if images.is_dir():
        pictures = {file.stem: file for file in entries(source, images) if file.suffix.lower() in _PICTURES}
        orphans = found.keys() - pictures.keys()
        if pictures and orphans:
            raise DataError(
                shown(source, found[min(orphans)]),
                "these labels have no picture under images/; add it or drop the file",
            )
    if not found and not pictures:
        splits = [entry.name for entry in inner if entry.is_dir()]
        hint = f"name one of its folders: {', '.join(splits)}" if splits else "check the path"
        raise DataError(shown(source, labels), f"this folder holds no label files (*.txt); {hint}")
    refuse_deeper(source, labels, {".txt"}, besides={_CLASSES})
    if images.is_dir():
        refuse_deeper(source, images, _PICTURES)
    # a picture without labels has no objects; without pictures, every label file is a sample
    return [
        _Sample(
            encodable(stem),
            found.get(stem),
            shown(source, found.get(stem) or labels / f"{stem}.txt"),
            pictures.get(stem),
        )
        for stem in sorted(pictures) or found
    ]


class _Columns:
    """Boxes as they are read, line by line."""

    def __init__(self) -> None:
        self.numbers: list[list[float]] = []
        self.samples: list[int] = []
        self.codes: list[str] = []
        self.scores: list[float] = []
        self.places: list[str] = []

    def read(self, source: Source, file: Path, sample: int) -> None:
        """Add the lines of a label file."""
        name = shown(source, file)
        for number, line in enumerate(read_bytes(source, file, empty=True).decode().split("\n"), start=1):
            if words := line.split():
                place = f"{name}:{number}"
                code, box, score = _parsed(words, source.role, place)
                self.numbers.append(box)
                self.samples.append(sample)
                self.codes.append(code)
                self.scores.append(score)
                self.places.append(place)

    def finish(self, source: Source, names: dict[str, str]) -> RawBoxes:
        """The boxes, with class names where they are known."""
        if names:
            for code, place in zip(self.codes, self.places, strict=True):
                if code not in names:
                    raise DataError(place, f"class {code} has no name among the {len(names)} of this data set; add it")
        vocabulary = tuple(names) if names else tuple(sorted(set(self.codes), key=lambda code: (len(code), code)))
        position = {code: i for i, code in enumerate(vocabulary)}
        return RawBoxes(
            records.rows(self.numbers),
            records.indices(self.samples),
            records.indices([position[code] for code in self.codes]),
            np.array(self.scores, dtype=np.float64),
            np.zeros(len(self.codes), dtype=np.bool_),
            tuple(names.values()) if names else vocabulary,
            source.boxes or PRESETS["yolo"],
            coded=not names,
            base=0,
            places=self.places.__getitem__,
        )


def _parsed(words: Sequence[str], role: Role, place: str) -> tuple[str, list[float], float]:
    count = len(words)
    if count == 6 and role == "references":
        raise DataError(place, "6 columns: these look like predictions with a confidence; references have 5")
    if count not in (5, 6):
        raise DataError(place, f"{count} columns{_looks(count)}; expected 'class cx cy w h', and a confidence at most")
    code = _code(words[0])
    if code is None:
        raise DataError(place, f"{words[0]!r} is no class index; expected a whole number from 0 in the first column")
    numbers: list[float] = []
    for word in words[1:]:
        number = records.decimal(word)
        if number is None:
            raise DataError(place, f"{word!r} is no finite number; expected 'class cx cy w h'")
        numbers.append(number)
    if count == 6 and not 0 <= numbers[4] <= 1:
        raise DataError(place, f"the confidence {words[5]} lies outside [0, 1]; is the last column a tracker's id?")
    return code, numbers[:4], numbers[4] if count == 6 else np.nan


def _code(word: str) -> str | None:
    """A class index without leading zeros; None for other text."""
    return (word.lstrip("0") or "0") if word.isascii() and word.isdecimal() else None


def _looks(count: int) -> str:
    if count == 9:
        return ": this looks like an oriented box of four corners, or a polygon"
    if count >= 7 and count % 2:
        return ": this looks like a polygon"
    if count in (7, 8):
        return ": this looks like a box with more columns, as a tracker's"
    return ""


def _names(source: Source) -> dict[str, str]:
    """Class names by index, from the nearest ``data.yaml`` or ``classes.txt`` up to the root; empty without one."""
    top = inside(source, source.paths[0])
    folders = [top / "labels", top, *takewhile(lambda folder: _below(source, folder), top.parents)]
    for folder in folders:
        for name in ("data.yaml", "data.yml"):
            if (folder / name).is_file():
                return _yaml_names(source, folder / name)
        if folder in (top, top / "labels") and (folder / _CLASSES).is_file():
            lines = read_bytes(source, folder / _CLASSES).decode().split("\n")
            return {str(i): line.strip() for i, line in enumerate(lines) if line.strip()}
    return {}


def _below(source: Source, folder: Path) -> bool:
    return any(folder.is_relative_to(root) for root in source.roots)


def _yaml_names(source: Source, path: Path) -> dict[str, str]:
    where = shown(source, path)
    try:
        # BaseLoader knows no tags and reads every scalar as text: a class may be called 'no'
        content = yaml.load(read_bytes(source, path), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise DataError(f"{where}{line}", "this is not YAML; class names are a list or a mapping 'names'") from None
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        names = {str(i): name for i, name in enumerate(names)}
    if not isinstance(names, dict) or not all(
        isinstance(name, str) and isinstance(code, str) and _code(code) for code, name in names.items()
    ):
        raise DataError(where, "no class names; expected 'names' as a list, or as a mapping from index to name")
    return {str(_code(code)): encodable(name) for code, name in names.items()}
