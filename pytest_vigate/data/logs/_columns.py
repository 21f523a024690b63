"""CSV files, a row a logged moment, as columns of numbers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.data.curves import TrainingLog
from pytest_vigate.data.files import read_bytes
from pytest_vigate.data.logs._series import Column, Columns, Fault, no_number, number, place_in, refuse_many
from pytest_vigate.data.replies import quoted
from pytest_vigate.errors import DataError

#: Separators that a header may tell.
SEPARATORS: Final = ",;\t"
#: Cells that are turned into numbers at once, and rows at least: a wide table has a call a column of each chunk.
_CHUNK, _ROWS = 1 << 14, 1 << 7
_BREAK = re.compile(r"\r\n|\r|\n")
_MARK = "\ufeff"


class _Reader(Protocol):
    """A `csv.reader`."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


@dataclass(slots=True)
class _Cells:
    """The numbers of one column so far."""

    name: str
    rows: list[Int] = field(default_factory=list)
    values: list[Float] = field(default_factory=list)
    fault: Fault | None = None

    def add(self, cells: Sequence[str], rows: Int, blank: frozenset[str]) -> None:
        if self.fault is not None:
            return
        values = _numbers(cells)
        if values is None:
            kept = [i for i, cell in enumerate(cells) if cell.strip() not in blank]
            cells, rows = [cells[i] for i in kept], rows[kept]
            values = _numbers(cells)
        if values is None:
            read = [number(cell) for cell in cells]
            if None in read:
                i = read.index(None)
                self.fault = no_number(self.name, int(rows[i]), quoted(cells[i].strip()))
                self.rows, self.values = [], []
                return
            values = np.array(read, dtype=np.float64)
        if len(rows):
            self.rows.append(rows)
            self.values.append(values)

    def column(self) -> Column:
        if not self.rows:
            return Column(np.empty(0, np.int64), np.empty(0))
        return Column(np.concatenate(self.rows), np.concatenate(self.values))


def header_of(head: bytes, separators: str = SEPARATORS) -> tuple[str, ...]:
    """Names in the first line of a file's beginning; empty if they are none."""
    line, ended, _ = head.decode(errors="replace").removeprefix(_MARK).partition("\n")
    try:
        names = next(csv.reader([line.rstrip("\r")], delimiter=_separator(line, separators)), [])
    except csv.Error:
        return ()
    return tuple(name.strip() for name in names) if ended else ()


def first_cells(head: bytes, count: int) -> list[str]:
    """The first cells of some rows below the header of a file's beginning; fewer where it ends before."""
    header, *rows = head.decode(errors="replace").split("\n", count + 1)[: count + 1]
    separator = _separator(header, SEPARATORS)
    return [row.split(separator)[0].strip() for row in rows if row.strip()]


def read_columns(
    log: TrainingLog,
    path: Path,
    *,
    separators: str = ",",
    blank: frozenset[str] = frozenset({""}),
) -> Columns:
    """The columns of a CSV file, whose names may be padded.

    A last line without an end, where the others have one, was cut off while it was written. It is left out, also if it
    has all cells: the last may be part of a number.

    Args:
        log: What the file belongs to.
        path: The file.
        separators: What may stand between cells; the header tells which.
        blank: Cells that hold nothing.

    Raises:
        DataError: If it is no such file.
    """
    content = read_bytes(log.source, path)
    place = place_in(log, path)
    notes: list[str] = []
    if not content.endswith((b"\n", b"\r")):
        whole = max(content.rfind(b"\n"), content.rfind(b"\r")) + 1
        if not whole:
            raise DataError(place(1), "the header has no end: the log is cut off in it; zero points prove nothing")
        content = content[:whole]
        notes.append("the last line has no end: it is cut off and left out")
    first = content[: content.find(b"\n") + 1 or len(content)].decode()
    # Strict, so that a quote which is never closed does not swallow the rest.
    reader = csv.reader(
        io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline=""),
        delimiter=_separator(first, separators),
        strict=True,
    )
    try:
        names = [name.strip() for name in next(reader)]
        refuse_many(place(1), len(names))
        cells = {j: _Cells(name) for j, name in enumerate(names) if name}
        if len({column.name for column in cells.values()}) < len(cells):
            twice = next(name for name in names if name and names.count(name) > 1)
            raise DataError(place(1), f"the column {quoted(twice)} is there twice; give every column its own name")
        for lines, rows in _chunks(reader, len(names), place):
            columns = [*zip(*rows, strict=True)]
            for j, column in cells.items():
                column.add(columns[j], lines, blank)
    except csv.Error as error:
        cause = f"this is not CSV: {error}; correct it, or write the file again"
        raise DataError(place(reader.line_num), cause) from None
    return Columns(
        {column.name: column.column() for column in cells.values() if column.fault is None},
        {column.name: column.fault for column in cells.values() if column.fault is not None},
        place,
        tuple(notes),
    )


def _separator(header: str, separators: str) -> str:
    """What stands between the names of a header: that which is there most, the first of those."""
    return max(separators, key=header.count)


def _numbers(cells: Sequence[str]) -> Float | None:
    """The numbers of cells that are written plainly; None if one may be none."""
    text = "".join(cells)
    if not text.isascii() or "_" in text:  # which `float` takes, and `number` does not
        return None
    try:
        return np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None


def _chunks(reader: _Reader, width: int, place: Callable[[int], str]) -> Iterator[tuple[Int, list[list[str]]]]:
    """The rows below the header that are not blank, and the line that each ends in."""
    size = max(_ROWS, _CHUNK // max(1, width))
    line = reader.line_num
    while rows := [*islice(reader, size)]:
        first, line = line + 1, reader.line_num
        if line - first + 1 == len(rows) and {*map(len, rows)} == {width}:
            yield np.arange(first, line + 1), rows
            continue
        kept, lines, at = [], [], first - 1
        for row in rows:
            at += 1 + sum(len(_BREAK.findall(cell)) for cell in row)
            if len(row) == width:
                kept.append(row)
                lines.append(at)
            elif len(row) > 1 or (row and row[0].strip()):
                raise DataError(place(at), f"{len(row)} cells, where the header has {width}; complete the row")
        if kept:
            yield np.array(lines, dtype=np.int64), kept
