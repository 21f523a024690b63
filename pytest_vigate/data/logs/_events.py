"""What the records of an event file say: the few fields of event.proto, summary.proto and tensor.proto with scalars.

Records of one length mostly have one layout: the same keys and lengths at the same bytes. The first one is parsed, the
others are compared with it where its bytes are no values, and those that agree are read as columns of one matrix. What
agrees with none of a few layouts is parsed one by one.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.data.logs._records import FOOT, HEAD, Bytes, block, place, walk
from pytest_vigate.data.replies import quoted
from pytest_vigate.errors import DataError

#: Scalar tags of one file: each is a curve of its own, and more are no log of a run.
MOST_TAGS: Final = 100_000
#: Values of one event.
MOST_VALUES: Final = 1 << 16
#: The highest step.
MOST_STEPS: Final = 1 << 53

# Wire types of protocol buffers; types of tensors (types.proto), how numpy reads them, and their fields.
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_NUMBERS: Mapping[int, tuple[str, int]] = {1: ("<f4", 5), 2: ("<f8", 6)}
_LETTERS: Mapping[str, str] = {"<f4": "<f", "<f8": "<d"}
#: Fields of a tensor that hold numbers (tensor_content, float_val, double_val), packed or not.
_HELD: Mapping[int, tuple[int, ...]] = {4: (_BYTES,), 5: (_BYTES, _FOUR), 6: (_BYTES, _EIGHT)}
_START = 1  # SessionLog.START

#: Records of one layout that are worth a matrix, and the longest of them.
_FEW = 8
_LONG = 1 << 12
#: Layouts that hold for less than a sixteenth of what is left, before the rest is parsed one by one.
_MISSES = 8

Numbers = NDArray[np.int32]
#: Which bytes of a layout may differ: first byte, the byte behind, and the bits that may not.
Free = list[tuple[int, int, int]]


@dataclass(slots=True, eq=False)
class Events:
    """The scalars of one file, in its order.

    Args:
        file: Its name in messages.
        tags: By number.
        tag: (p,) number of the tag.
        step: (p,) from 0.
        value: (p,)
        wall: (p,) seconds since 1970.
        record: (p,) rising.
        tensors: Tags whose values were written as tensors, as TensorFlow 2 does.
        starts: Record and step at which a writer said that the run was taken up again.
        others: Tags with values that are no scalars.
        tail: What is to be said of a last record that is cut or damaged.
    """

    file: str
    tags: list[str]
    tag: Numbers
    step: Int
    value: Float
    wall: Float
    record: Int
    tensors: frozenset[str]
    starts: list[tuple[int, int]]
    others: frozenset[str]
    tail: str


def read_events(content: bytes, file: str) -> Events:
    """The scalars of an event file.

    Raises:
        DataError: If the file is no event file or damaged before its last record.
    """
    if not content:
        bounds, tail = np.zeros(1, dtype=np.int64), f"{file}: the file is empty"
    else:
        bounds, tail = walk(content, file)
    decoder = _Decoder(content, file)
    behind, parts = 0, [decoder.singly(bounds[:0], bounds[:0], bounds[:0], 0)]
    while behind < len(bounds) - 1:
        first, behind = behind, block(bounds, behind)
        parts.append(decoder.block(bounds[first : behind + 1], first))
    return decoder.events(parts, tail)


class _BrokenError(Exception):
    """The bytes are no message."""


class _Value(NamedTuple):
    tag: tuple[int, int]
    number: str
    """How numpy reads it; empty if it is no scalar."""
    at: int
    tensor: bool


class _Layout(NamedTuple):
    wall: int
    """Its first byte; negative if there is none."""
    step: tuple[int, int]
    values: list[_Value]
    start: bool


class _Columns(NamedTuple):
    record: Int
    tag: Numbers
    step: Int
    value: Float
    wall: Float


class _Tags(dict[bytes, int]):
    """Numbers of tags, in the order in which they come."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file = file

    def __missing__(self, tag: bytes) -> int:
        if len(self) == MOST_TAGS:
            raise DataError(
                self.file, f"the file has more than {MOST_TAGS} scalar tags, which is no log of one run; log fewer"
            )
        return self.setdefault(tag, len(self))


def _joined(parts: Sequence[_Columns]) -> _Columns:
    return _Columns(
        np.concatenate([part.record for part in parts]),
        np.concatenate([part.tag for part in parts]),
        np.concatenate([part.step for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.wall for part in parts]),
    )


@dataclass(slots=True)
class _Decoder:
    content: bytes
    file: str
    tags: _Tags = field(init=False)
    tensors: set[int] = field(default_factory=set)
    starts: list[tuple[int, int]] = field(default_factory=list)
    others: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tags = _Tags(self.file)

    def events(self, parts: list[_Columns], tail: str) -> Events:
        """What all blocks have said."""
        found = _joined(parts)
        wrong = np.flatnonzero((found.step < 0) | (found.step > MOST_STEPS))
        if len(wrong):
            i = int(wrong[0])
            raise DataError(
                place(self.file, int(found.record[i])),
                f"the step is {found.step[i]}, and steps count from 0 to 2**53; log the steps of the training",
            )
        names = [self._text(tag) for tag in self.tags]
        return Events(
            self.file,
            names,
            found.tag,
            found.step,
            found.value,
            found.wall,
            found.record,
            frozenset(names[i] for i in self.tensors),
            sorted(self.starts),
            frozenset(tag.decode(errors="backslashreplace") for tag in self.others),
            tail,
        )

    def _text(self, tag: bytes) -> str:
        try:
            return tag.decode()
        except UnicodeDecodeError:
            said = quoted(tag.decode(errors="backslashreplace"))
            raise DataError(self.file, f"the tag {said} is not UTF-8 text; log it under another name") from None

    def block(self, bounds: Int, number: int) -> _Columns:
        """Scalars of some records, in the order of the file.

        Args:
            bounds: (m + 1,) of the records.
            number: Of the first of them.
        """
        start, length = bounds[:-1] + HEAD, np.diff(bounds) - (HEAD + FOOT)
        order = np.argsort(length, kind="stable")
        parts: list[_Columns] = []
        singles = []
        for alike in np.split(order, np.flatnonzero(np.diff(length[order])) + 1):
            size = int(length[alike[0]])
            if len(alike) >= _FEW and 0 < size <= _LONG:
                singles.append(self._alike(start, size, alike, number, parts))
            else:
                singles.append(alike)
        parts.append(self.singly(start, length, np.concatenate(singles), number))
        found = _joined(parts)
        # Of several values of one event the order of the event is kept: they are in it, or in parts one after another.
        order = np.argsort((found.record - number).astype(np.uint16), kind="stable")
        return _Columns(found.record[order], found.tag[order], found.step[order], found.value[order], found.wall[order])

    def _alike(self, start: Int, size: int, records: Int, number: int, parts: list[_Columns]) -> Int:
        """Read records of one length by their layouts; those that are left over."""
        buffer = np.frombuffer(self.content, dtype=np.uint8)
        rows = np.lib.stride_tricks.sliding_window_view(buffer, size)[start[records]]  # (R, size)
        misses = 0
        while len(records) >= _FEW and misses < _MISSES:
            free: Free = []
            layout = self._parsed(rows[0].tobytes(), 0, size, number + int(records[0]), free)
            bits = np.full(size, 0xFF, dtype=np.uint8)
            for at, to, kept in free:
                bits[at:to] = kept
            fixed = np.flatnonzero(bits)
            differ = (rows[:, fixed] ^ rows[0, fixed]) & bits[fixed]
            same = ~differ.any(axis=1)
            whole = bool(same.all())
            self._emit(rows if whole else rows[same], layout, records[same] + number, parts)
            misses += int(np.count_nonzero(same)) * 16 < len(rows)
            if whole:
                return records[:0]
            rows, records = rows[~same], records[~same]
        return records

    def _emit(self, rows: Bytes, layout: _Layout, records: Int, parts: list[_Columns]) -> None:
        """Columns of records that have one layout."""
        step = np.zeros(len(rows), dtype=np.uint64)
        for i, at in enumerate(range(*layout.step)):
            step |= (rows[:, at].astype(np.uint64) & np.uint64(0x7F)) << np.uint64(7 * i)
        signed = step.view(np.int64)
        wall = np.zeros(len(rows)) if layout.wall < 0 else _numbers(rows, layout.wall, "<f8")
        if layout.start:
            self.starts += zip(records.tolist(), signed.tolist(), strict=True)
        for value in layout.values:
            at, to = value.tag
            names = np.ascontiguousarray(rows[:, at:to]).view(f"V{to - at}")[:, 0].tolist() if to > at else None
            if not value.number:
                self._pass_over({b""} if names is None else set(names))
                continue
            names = [b""] * len(rows) if names is None else names
            tag = np.fromiter(map(self.tags.__getitem__, names), np.int32, len(names))
            if value.tensor:
                self.tensors.update(np.unique(tag).tolist())
            parts.append(_Columns(records, tag, signed, _numbers(rows, value.at, value.number), wall))

    def singly(self, start: Int, length: Int, records: Int, number: int) -> _Columns:
        """Scalars of records that are parsed one by one."""
        content, tags = self.content, self.tags
        record, tag, step, value, wall = array("q"), array("i"), array("q"), array("d"), array("d")
        for i in np.sort(records).tolist():
            begin = int(start[i])
            layout = self._parsed(content, begin, begin + int(length[i]), number + i, None)
            at = _signed(_number(content, *layout.step))
            time = 0.0 if layout.wall < 0 else struct.unpack_from("<d", content, layout.wall)[0]
            if layout.start:
                self.starts.append((number + i, at))
            for found in layout.values:
                name = content[slice(*found.tag)]
                if not found.number:
                    self._pass_over({name})
                    continue
                record.append(number + i)
                tag.append(self.tags[name])
                step.append(at)
                value.append(struct.unpack_from(_LETTERS[found.number], content, found.at)[0])
                wall.append(time)
                if found.tensor:
                    self.tensors.add(tags[name])
        return _Columns(
            np.array(record, dtype=np.int64),
            np.array(tag, dtype=np.int32),
            np.array(step, dtype=np.int64),
            np.array(value, dtype=np.float64),
            np.array(wall, dtype=np.float64),
        )

    def _pass_over(self, tags: set[bytes]) -> None:
        if len(self.others) < MOST_TAGS:
            self.others |= tags

    def _parsed(self, content: bytes, at: int, end: int, record: int, free: Free | None) -> _Layout:
        try:
            return _event(content, at, end, free)
        except _BrokenError:
            raise DataError(
                place(self.file, record),
                "the record holds no event of TensorBoard; name a file that a TensorBoard writer wrote",
            ) from None


def _numbers(rows: Bytes, at: int, kind: str) -> Float:
    """(R,) numbers that begin at one byte of every row."""
    size = int(kind[2:])
    return np.ascontiguousarray(rows[:, at : at + size]).view(kind)[:, 0].astype(np.float64)


def _event(content: bytes, start: int, end: int, free: Free | None) -> _Layout:
    """Where an event has its values.

    Args:
        content: The bytes.
        start: First byte.
        end: The byte behind the last one.
        free: Takes the bytes that are values, and not what says where they are; None if nobody asks.

    Raises:
        _BrokenError: If it is none.
    """
    wall, step, started = -1, (end, end), False
    values: list[_Value] = []
    for number, wire, at, to in _fields(content, start, end):
        if number == 1 and wire == _EIGHT:
            wall = at
            _release(free, at, to, wire)
        elif number == 2 and wire == _VARINT:
            step = (at, to)
            _release(free, at, to, wire)
        elif number == 5 and wire == _BYTES:
            for inner, kind, first, behind in _fields(content, at, to):
                if inner == 1 and kind == _BYTES:
                    values.append(_value(content, first, behind, free))
                    if len(values) > MOST_VALUES:
                        raise _BrokenError
        elif number == 7 and wire == _BYTES:
            for inner, kind, first, behind in _fields(content, at, to):
                if inner == 1 and kind == _VARINT:
                    started = _number(content, first, behind) == _START
        else:
            _release(free, at, to, wire)
    return _Layout(wall, step, values, started)


def _value(content: bytes, start: int, end: int, free: Free | None) -> _Value:
    """Where a value of a summary has its tag and its number."""
    found = _Value((end, end), "", end, tensor=False)
    for number, wire, at, to in _fields(content, start, end):
        if number == 1 and wire == _BYTES:
            found = found._replace(tag=(at, to))
        elif number == 2 and wire == _FOUR:
            found = found._replace(number="<f4", at=at, tensor=False)
        elif number == 8 and wire == _BYTES:
            kind, first = _tensor(content, at, to, free)
            found = found._replace(number=kind, at=first, tensor=True)
            continue
        elif 3 <= number <= 6:  # a histogram of old, an image, a histogram or a sound in its place
            found = found._replace(number="")
        _release(free, at, to, wire)
    return found


def _tensor(content: bytes, start: int, end: int, free: Free | None) -> tuple[str, int]:
    """How the number of a scalar tensor is read, and where; an empty text if it is none."""
    kind, scalar = 0, True
    held = dict.fromkeys(_HELD, (0, end))  # bytes of numbers, and the first one of the last of them
    for number, wire, at, to in _fields(content, start, end):
        if number == 1 and wire == _VARINT:
            kind = _number(content, at, to)
        elif number == 2 and wire == _BYTES:
            scalar = at == to
        else:
            if wire in _HELD.get(number, ()) and to > at:
                held[number] = (held[number][0] + to - at, at)
            _release(free, at, to, wire)
    name, own = _NUMBERS.get(kind, ("", 0))
    given = [number for number, (size, _) in held.items() if size]
    if not name or not scalar or len(given) != 1 or given[0] not in (4, own) or held[given[0]][0] != int(name[2:]):
        return "", end
    return name, held[given[0]][1]


def _release(free: Free | None, at: int, to: int, wire: int) -> None:
    """Note bytes that are a value. Of a varint the bits that say where it ends are none."""
    if free is not None:
        free.append((at, to, 0x80 if wire == _VARINT else 0))


def _fields(content: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number and wire type of every field of a message, first byte of what it holds and the byte behind.

    Raises:
        _BrokenError: If it is no message.
    """
    while at < end:
        key, at = _varint(content, at, end)
        wire = key & 7
        if wire == _VARINT:
            to = _varint(content, at, end)[1]
        elif wire == _BYTES:
            size, at = _varint(content, at, end)
            to = at + size
        elif wire in (_EIGHT, _FOUR):
            to = at + (8 if wire == _EIGHT else 4)
        else:
            raise _BrokenError
        if to > end:
            raise _BrokenError
        yield key >> 3, wire, at, to
        at = to


def _varint(content: bytes, at: int, end: int) -> tuple[int, int]:
    """A number, and the byte behind it.

    Raises:
        _BrokenError: If it has no end.
    """
    number = shift = 0
    while at < end and shift < 70:
        byte = content[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise _BrokenError


def _number(content: bytes, at: int, to: int) -> int:
    return _varint(content, at, to)[0] if to > at else 0


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number
