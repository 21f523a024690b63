"""The record format of TensorBoard and TFRecord files, and its checksums.

A record is the length of its data (eight bytes), the checksum of the length, the data and the checksum of the data;
numbers are little-endian, checksums are masked CRC32C (RFC 3720, appendix B.4; the mask is that of TensorFlow's
``crc32c.h``). The bytes of many records go through the checksum side by side, as columns of one matrix.
"""

from __future__ import annotations

import functools
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pytest_vigate.data.coordinates import Int
from pytest_vigate.errors import DataError

Words = NDArray[np.uint32]
Bytes = NDArray[np.uint8]

#: Bytes of a length with its checksum, and of the checksum behind the data.
HEAD: Final = 12
FOOT: Final = 4
#: A serialised protocol buffer is shorter.
MOST: Final = 1 << 31

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, reflected
_MASK = 0xA282EAD8
_WORD = 0xFFFFFFFF
#: Bytes of a lane: those of a short record, or a piece of a long one.
_WIDTHS = (16, 24, 32, 40, 48, 56, 64, 96)
#: Lanes side by side: as many as stay in a core's cache.
_LANES = 1 << 13
#: Records, and bytes of them, whose lanes are laid out at once.
_RECORDS = 1 << 16
_BYTES = 1 << 24


def walk(content: bytes, file: str) -> tuple[Int, str]:
    """Where the records of a file begin, with all checksums proven.

    Args:
        content: The whole file.
        file: Its name in messages.

    Returns:
        ``(m + 1,)`` first byte of every whole record and of what stands behind the last one, and what is to be said of
        a last record that is cut or damaged; empty if there is none.

    Raises:
        DataError: If a record in the middle is damaged, or the file has no records at all.
    """
    bounds, tail = _chain(content, file)
    whole = _proven(content, bounds, file)
    if whole < len(bounds) - 1:
        tail = (
            f"{file}: its last record, number {whole + 1} at byte {bounds[whole]}, is damaged; it is read up to there"
        )
        bounds = bounds[: whole + 1]
    return bounds, tail


def place(file: str, record: int) -> str:
    """``events.out.tfevents.1: record 17`` of the record with index 16."""
    return f"{file}: record {record + 1}"


def block(bounds: Int, first: int) -> int:
    """Index behind the records that are handled at once, from one on."""
    full = int(np.searchsorted(bounds, bounds[first] + _BYTES, side="right")) - 1
    return min(max(full, first + 1), first + _RECORDS, len(bounds) - 1)


def _chain(content: bytes, file: str) -> tuple[Int, str]:
    """Bounds of all records whose lengths lead from one to the next, and what is to be said of the rest."""
    # Proven heads, and the bytes of their records. A file has no more different ones than the root of twice its size.
    known: dict[bytes, int] = {}
    parts: list[Int] = []
    count, position, size = 0, 0, len(content)
    tail = ""
    while position < size and not tail:
        found: list[int] = []
        add = found.append
        try:
            for _ in repeat(None, _RECORDS):
                total = known[content[position : position + HEAD]]
                add(position)
                position += total
        except KeyError:  # a length that is new, or the end
            pass
        if position > size:
            position = found.pop()
            tail = _cut(file, count + len(found), position)
        parts.append(np.array(found, dtype=np.int64))
        count += len(found)
        head = content[position : position + HEAD]
        if tail or position == size or head in known:
            continue
        if len(head) < HEAD:
            tail = _cut(file, count, position)
        elif _masked(_crc(head[:8])) != int.from_bytes(head[8:], "little"):
            tail = _lost(content, position, count, file)
        else:
            known[head] = HEAD + _length(head, position, count, file) + FOOT
    parts.append(np.array([position], dtype=np.int64))
    return np.concatenate(parts), tail


def _length(head: bytes, position: int, record: int, file: str) -> int:
    """The length that a record states, if an event can be so long.

    Raises:
        DataError: If not.
    """
    length = int.from_bytes(head[:8], "little")
    if length < MOST:
        return length
    raise DataError(
        place(file, record),
        f"the record at byte {position} says that it is {length} bytes long, where an event has less than 2 GiB; "
        "name a file that a TensorBoard writer wrote",
    )


def _cut(file: str, record: int, position: int) -> str:
    return f"{file}: the file ends within record {record + 1}, at byte {position}; it is read up to there"


def _lost(content: bytes, position: int, record: int, file: str) -> str:
    """What is to be said of a record whose length is not proven, if it is the last one.

    Raises:
        DataError: If it is not.
    """
    if not position:
        raise DataError(
            file,
            "this is no event file: it does not begin with a record; name a file that a TensorBoard writer wrote "
            "(…tfevents…), or the folder that holds it",
        )
    if not content[position:].strip(b"\0"):  # a file system that lost power keeps the size and not the bytes
        return f"{file}: from byte {position} on there are only zeros; it is read up to there"
    # The record is the last one if the rest of the file is as long as it says, or as its checksum proves that it was.
    length = len(content) - position - HEAD - FOOT
    stated = int.from_bytes(content[position : position + 8], "little")
    proven = int.from_bytes(content[position + 8 : position + HEAD], "little")
    if length >= 0 and (stated == length or proven == _masked(_crc(length.to_bytes(8, "little")))):
        return _damaged(file, record, position)
    raise DataError(
        place(file, record),
        f"the length of the record at byte {position} does not have its checksum, and what stands behind it cannot be "
        "read; the file is damaged, copy it again from where it was written",
    )


def _damaged(file: str, record: int, position: int) -> str:
    return f"{file}: its last record, number {record + 1} at byte {position}, is damaged; it is read up to there"


def _proven(content: bytes, bounds: Int, file: str) -> int:
    """How many records are whole: all of them, or all but the last one.

    Raises:
        DataError: If one in the middle is damaged.
    """
    count = len(bounds) - 1
    buffer = np.frombuffer(content, dtype=np.uint8)
    behind = 0
    while behind < count:
        first, behind = behind, block(bounds, behind)
        start = bounds[first : behind + 1]
        found = checksums(content, start[:-1] + HEAD, start[1:] - FOOT)
        there = buffer[(start[1:, None] - FOOT) + np.arange(FOOT)].view("<u4")[:, 0]
        wrong = np.flatnonzero(found != there)
        if not len(wrong):
            continue
        i = int(wrong[0])
        if first + i == count - 1 and int(bounds[-1]) == len(content):
            return count - 1
        raise DataError(
            place(file, first + i),
            f"the record at byte {start[i]} has the checksum 0x{int(there[i]):08x}, and its bytes give "
            f"0x{int(found[i]):08x}; the file is damaged, copy it again from where it was written",
        )
    return count


def checksums(content: bytes, start: Int, end: Int) -> Words:
    """``(m,)`` masked CRC32C of pieces of some bytes.

    Every piece is cut into lanes of one width, from its end; the first lane is filled up with zeros in front, which
    change nothing in a checksum that begins at zero. The sums of the lanes are then moved along by the zeros that
    stand for the lanes behind them, and added up; what the sum begins with is moved along the whole piece in the same
    way.

    Args:
        content: Of 16 bytes at least.
        start: (m,) first byte of every piece.
        end: (m,) the byte behind its last one.
    """
    width = _width(end - start, len(content))
    lanes = np.maximum(-((start - end) // width), 1)
    first = np.cumsum(lanes) - lanes  # (m,) index of the first lane of every piece
    piece = np.repeat(np.arange(len(start)), lanes)  # (l,) piece of every lane
    behind = (first + lanes - 1)[piece] - np.arange(len(piece))  # (l,) lanes of its piece behind every lane
    begin = end[piece] - width * (behind + 1)
    crc = _moved(_raw(content, begin, start[piece] - begin, width), behind, width)
    lengths, at = np.unique(end - start, return_inverse=True)
    crc = np.bitwise_xor.reduceat(crc, first)
    crc ^= _moved(np.full(len(lengths), _WORD, np.uint32), lengths, 1)[at]
    crc ^= np.uint32(_WORD)
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(_MASK)


def _width(length: Int, size: int) -> int:
    """The width of lanes at which the pieces are filled up least."""
    fitting = [width for width in _WIDTHS if width <= size]
    return min(fitting, key=lambda width: int(np.maximum(-(-length // width), 1).sum()) * (width + 8))


def _raw(content: bytes, begin: Int, pad: Int, width: int) -> Words:
    """(l,) CRC32C of lanes, beginning at zero and without the final complement.

    Args:
        content: The bytes.
        begin: (l,) first byte of every lane; may lie before the first byte there is, where all of that is padding.
        pad: (l,) bytes at the front of every lane that count as zeros; not positive for none.
        width: Bytes of a lane.
    """
    buffer = np.frombuffer(content, dtype=np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(buffer, width)
    table, columns = _pairs(), np.arange(width)
    crc = np.zeros(len(begin), dtype=np.uint32)
    for at in range(0, len(begin), _LANES):
        place, blank = begin[at : at + _LANES], pad[at : at + _LANES]
        rows = windows[np.maximum(place, 0)]  # (l, width)
        for early in np.flatnonzero(place < 0):
            rows[early, -place[early] :] = buffer[: width + place[early]]
        if np.any(blank > 0):
            rows *= columns >= blank[:, None]
        sums = crc[at : at + _LANES]
        index, looked = np.empty(len(rows), dtype=np.uint16), np.empty(len(rows), dtype=np.uint32)
        for pair in np.ascontiguousarray(rows.view("<u2").T):
            np.bitwise_xor(sums, pair, out=index, casting="unsafe")
            np.take(table, index, out=looked, mode="clip")
            np.right_shift(sums, 16, out=sums)
            np.bitwise_xor(sums, looked, out=sums)
    return crc


def _moved(crc: Words, by: Int, width: int) -> Words:
    """(l,) checksums after `by` times `width` bytes of zeros."""
    crc, bit = crc.copy(), 0
    while np.any(by >> bit):
        some = np.flatnonzero((by >> bit) & 1)
        if len(some):
            crc[some] = _apply(_zeros(width, bit), crc[some])
        bit += 1
    return crc


def _apply(tables: Words, crc: Words) -> Words:
    """A linear map of checksums, as four tables by byte: (4, 256)."""
    found: Words = tables[0][crc & 0xFF] ^ tables[1][(crc >> 8) & 0xFF] ^ tables[2][(crc >> 16) & 0xFF]
    found ^= tables[3][crc >> 24]
    return found


@functools.cache
def _zeros(width: int, bit: int) -> Words:
    """(4, 256) what ``width * 2**bit`` bytes of zeros make of a checksum."""
    unit = np.uint32(1) << np.arange(32, dtype=np.uint32)
    if bit:
        half = _zeros(width, bit - 1)
        unit = _apply(half, _apply(half, unit))
    else:
        table = _table()
        for _ in range(width):
            unit = table[unit & 0xFF] ^ (unit >> 8)
    byte = np.arange(256)
    tables = np.zeros((4, 256), dtype=np.uint32)
    for i, column in enumerate(unit):
        tables[i // 8] ^= np.where((byte >> (i % 8)) & 1, column, np.uint32(0))
    return tables


@functools.cache
def _table() -> Words:
    """(256,) what a byte adds to a checksum."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    return table


@functools.cache
def _pairs() -> Words:
    """(65536,) what two bytes add to a checksum."""
    pair = np.arange(1 << 16, dtype=np.uint32)
    first = _table()[pair & 0xFF]
    pairs: Words = _table()[(first ^ (pair >> 8)) & 0xFF] ^ (first >> 8)
    return pairs


@functools.cache
def _steps() -> tuple[int, ...]:
    return tuple(_table().tolist())


def _crc(data: bytes) -> int:
    """CRC32C of a few bytes."""
    table, crc = _steps(), _WORD
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ _WORD


def _masked(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + _MASK) & _WORD
