"""JSON records, one a logged moment, as columns of numbers."""

from __future__ import annotations

import io
import json
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from pytest_vigate.data.curves import TrainingLog
from pytest_vigate.data.files import read_bytes
from pytest_vigate.data.logs._series import Column, Columns, Fault, no_number, number, place_in, refuse_many
from pytest_vigate.data.replies import quoted
from pytest_vigate.errors import DataError

Record = dict[str, Any]
#: Records inside of each other whose numbers are series.
DEEPEST: Final = 16
#: Digits of an integer that Python reads in linear time whatever its settings are.
_DIGITS = 640
#: Records that are read at once.
_CHUNK = 1 << 12
_NUMBERS = frozenset({float, int})
#: Python writes these, JSON has none of them. A match inside of a text breaks it, so that it is never read wrongly.
#: What stands before is looked at last: the search is faster where a pattern begins with its letters.
_LITERAL = re.compile(
    rb"(NaN(?<=[:,\[\s]NaN)|-Infinity(?<=[:,\[\s]-Infinity)|Infinity(?<=[:,\[\s]Infinity))(?=[\s,}\]])"
)
_DECODER: Final = msgspec.json.Decoder()


class NotJsonError(Exception):
    """What is wrong, at which byte."""

    def __init__(self, cause: str, at: int) -> None:
        super().__init__(cause)
        self.cause = cause
        self.at = at

    def at_line(self, place: str, content: bytes) -> DataError:
        """To be raised; `content` is the line."""
        column = len(content[: self.at].decode(errors="replace")) + 1
        return DataError(f"{place}:{column}", f"this is not JSON: {self.cause}; correct it, or write the file again")


def decode(content: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """JSON with Python's NaN and Infinity: as the decoder gives it, those as text, else as Python does.

    Raises:
        NotJsonError: If it is none.
    """
    try:
        return decoder.decode(_LITERAL.sub(rb'"\1"', content) if has_literals(content) else content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _decode_as_python(content)


def has_literals(content: bytes) -> bool:
    """Whether there may be a NaN or Infinity as Python writes it."""
    return b"NaN" in content or b"Infinity" in content


def _decode_as_python(content: bytes) -> Any:
    # Halves of characters and numbers beyond a double: msgspec refuses them, Python wrote them.
    try:
        return json.loads(content.decode(), parse_int=_integer)
    except json.JSONDecodeError as error:
        cause = f"{error.msg[:1].lower()}{error.msg[1:]}".removesuffix(" at").removesuffix(" starting")
        raise NotJsonError(cause, len(error.doc[: error.pos].encode())) from None
    except RecursionError:
        raise NotJsonError("it is nested too deeply", 0) from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)


def read_lines(log: TrainingLog, path: Path, prepare: Callable[[Record], Record | None]) -> Columns:
    """The columns of a file with a record a line.

    A last line without an end that is no JSON is a record that was cut off while it was written, and left out; a whole
    one counts, for a part of a record is none. Where one record has a name twice, the last one counts, as in Python.

    Args:
        log: What the file belongs to.
        path: The file.
        prepare: What a record is to be read as; None passes it over.

    Raises:
        DataError: If another line is no record.
    """
    content = read_bytes(log.source, path)
    place = place_in(log, path)
    notes: list[str] = []
    plain = not has_literals(content)

    def records() -> Iterator[tuple[int, Record]]:
        for row, line in enumerate(io.BytesIO(content), start=1):
            try:
                record = _DECODER.decode(line) if plain else decode(line, _DECODER)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, NotJsonError):
                if line.isspace():
                    continue
                try:
                    record = decode(line, _DECODER)
                except NotJsonError as error:
                    if line.endswith(b"\n"):
                        raise error.at_line(place(row), line) from None
                    notes.append("the last line is cut off and left out")
                    return
            if type(record) is not dict:
                raise DataError(place(row), f"a JSON {_kind(record)}, where an object is due; write one record a line")
            record = prepare(record)
            if record is not None:
                yield row, record

    return collect(records(), place, notes)


def collect(records: Iterable[tuple[int, Record]], place: Callable[[int], str], notes: list[str]) -> Columns:
    """The columns of records; those inside of others have dotted names.

    Numbers may be texts, as ``"0.5"``; null and the empty text are blank.

    Args:
        records: Row and record, rows rising.
        place: Where a row is.
        notes: What the records turn out to be worth saying.

    Raises:
        DataError: If there are too many series.
    """
    collector = _Collector(place)
    left = iter(records)
    while chunk := [*islice(left, _CHUNK)]:
        collector.add([row for row, _ in chunk], [record for _, record in chunk])
    return collector.columns(notes)


class _Collector:
    """Numbers and faults by name, so far."""

    def __init__(self, place: Callable[[int], str]) -> None:
        self._place = place
        self._rows: dict[str, array[int]] = {}
        self._values: dict[str, array[float]] = {}
        self._faults: dict[str, Fault] = {}

    def add(self, rows: Sequence[int], records: Sequence[Record], prefix: str = "", depth: int = 1) -> None:
        """Some records; those with the same names one behind the other are read column by column."""
        start = 0
        for names, same in groupby(map(tuple, records)):
            end = start + sum(1 for _ in same)
            run = slice(start, end)
            for name, cells in zip(names, zip(*map(dict.values, records[run]), strict=True), strict=True):
                self._add_cells(prefix + name, rows[run], cells, depth)
            start = end

    def columns(self, notes: list[str]) -> Columns:
        numbers = {}
        for name, values in self._values.items():
            row = np.frombuffer(self._rows[name], np.int64)
            back = np.flatnonzero(np.diff(row) <= 0)
            if len(back):
                at = int(row[back[0] + 1])
                self._faults[name] = Fault(at, f"{quoted(name)} is there twice in one record; keep the right one")
            else:
                numbers[name] = Column(row, np.frombuffer(values, np.float64))
        return Columns(numbers, self._faults, self._place, tuple(notes))

    def _add_cells(self, name: str, rows: Sequence[int], cells: Sequence[Any], depth: int) -> None:
        if name in self._faults:
            return
        if {*map(type, cells)} <= _NUMBERS:
            self._extend(name, rows, cells)
            return
        kept: list[tuple[int, float]] = []
        inner: list[tuple[int, Record]] = []
        for row, cell in zip(rows, cells, strict=True):
            kind = type(cell)
            if cell is None or (kind is str and not cell.strip()):
                continue
            if kind is dict and depth < DEEPEST:
                inner.append((row, cell))
                continue
            read = cell if kind in _NUMBERS else number(cell) if kind is str else None
            if read is None:
                self._faults[name] = no_number(name, row, _found(cell))
                self._rows.pop(name, None)
                self._values.pop(name, None)
                refuse_many(self._place(row), len(self._rows) + len(self._faults))
                return
            kept.append((row, read))
        if kept:
            self._extend(name, [row for row, _ in kept], [value for _, value in kept])
        if inner:
            self.add([row for row, _ in inner], [record for _, record in inner], f"{name}.", depth + 1)

    def _extend(self, name: str, rows: Sequence[int], cells: Sequence[float]) -> None:
        if name not in self._rows:
            self._rows[name], self._values[name] = array("q"), array("d")
            refuse_many(self._place(rows[0]), len(self._rows) + len(self._faults))
        self._rows[name].extend(rows)
        try:
            self._values[name].extend(cells)
        except OverflowError:
            del self._values[name][len(self._rows[name]) - len(rows) :]
            self._values[name].extend(map(_double, cells))


def _double(value: float) -> float:
    """A number as a double: infinite where it is beyond."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _found(value: object) -> str:
    return quoted(value) if isinstance(value, str) else f"a JSON {_kind(value)}"


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    known = {dict: "object", list: "array", str: "text", type(None): "null"}
    return known.get(type(value), "number")
