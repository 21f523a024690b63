"""Width and height of a picture, as the first bytes of its file state them. No pixel is decoded."""

from __future__ import annotations

import os
import struct
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pytest_vigate.data.files import inside, shown
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import DataError

_PNG = b"\x89PNG\r\n\x1a\n"
#: Segments of a JPEG file that are looked at: metadata of cameras and editors takes a few dozen.
_SEGMENTS = 256
#: Markers of frames, which state the size: SOF0 to SOF15 but for DHT, JPG and DAC (ITU-T T.81, table B.1).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_APP1, _SCAN, _END = 0xE1, 0xDA, 0xD9
#: EXIF's tag, and those of its values that lay the picture on its side (CIPA DC-008, 4.6.5).
_ORIENTATION, _ON_ITS_SIDE = 0x0112, frozenset({5, 6, 7, 8})


def read_size(source: Source, path: Path) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG or JPEG file, as it is shown; None where it states none.

    A photograph that EXIF lays on its side is as wide as the camera saw it high: detectors are trained and run on what
    is shown. The size is kept for `files.digest`.

    Args:
        source: What the picture belongs to.
        path: Its file.

    Raises:
        DataError: If it leaves the roots or cannot be opened.
    """
    resolved = inside(source, path)
    if not resolved.is_file():  # a pipe would wait for somebody to write
        return None
    try:
        with resolved.open("rb") as stream:
            found = _stated(stream)
    except OSError as error:
        raise DataError(
            shown(source, path), f"the file cannot be read: {error.strerror}; check its permissions"
        ) from None
    if found is not None:
        source.sums[path] = f"{found[0]}x{found[1]}"
    return found


def _stated(stream: BinaryIO) -> tuple[int, int] | None:
    signature = stream.read(8)
    if signature == _PNG:
        return _png(stream)
    stream.seek(2)
    return _jpeg(stream) if signature.startswith(b"\xff\xd8") else None


def _png(stream: BinaryIO) -> tuple[int, int] | None:
    header = stream.read(16)
    return _sides(*struct.unpack(">II", header[8:])) if len(header) == 16 and header[4:8] == b"IHDR" else None


def _jpeg(stream: BinaryIO) -> tuple[int, int] | None:
    lies = False
    for _ in range(_SEGMENTS):
        head = stream.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] in (_SCAN, _END):
            return None
        if head[1] == 0xFF:  # a marker may be filled up
            stream.seek(-3, os.SEEK_CUR)
            continue
        marker, length = head[1], struct.unpack(">H", head[2:])[0] - 2
        if marker in _FRAMES:
            frame = stream.read(5)
            if len(frame) < 5:
                return None
            high, wide = struct.unpack(">HH", frame[1:])
            return _sides(high, wide) if lies else _sides(wide, high)
        if marker == _APP1 and not lies:
            lies = _orientation(stream.read(max(0, length))) in _ON_ITS_SIDE
        else:
            stream.seek(max(0, length), os.SEEK_CUR)
    return None


def _sides(wide: int, high: int) -> tuple[int, int] | None:
    return (wide, high) if wide and high else None


def _orientation(segment: bytes) -> int | None:
    """The orientation that EXIF metadata state; None where they state none."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(segment[6:10])
    if not segment.startswith(b"Exif\x00\x00") or order is None:
        return None
    tiff = BytesIO(segment[6:])
    try:
        tiff.seek(4)
        tiff.seek(struct.unpack(f"{order}I", tiff.read(4))[0])
        for _ in range(struct.unpack(f"{order}H", tiff.read(2))[0]):
            tag, _, _, value = struct.unpack(f"{order}HHIH2x", tiff.read(12))
            if tag == _ORIENTATION:
                return int(value)
    except struct.error:  # cut off: browsers show such a picture as it lies
        return None
    return None
