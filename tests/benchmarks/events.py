"""Event files of 200 MB beside tensorboard's EventAccumulator, in whole processes."""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.processes import alternate, compare
from pytest_vigate.data.logs._records import checksums

#: Scalars of the small and of the large file, and pictures of the one with huge records.
FEW, MANY = 380_000, 3_800_000
PICTURES = 400
TAGS = ("train/loss", "eval/loss", "train/learning_rate", "train/grad_norm", "train/f1")

OURS = """\
import sys
from pathlib import Path
from pytest_vigate.data.curves import TrainingLog
from pytest_vigate.data.logs import read_training
from pytest_vigate.data.tables import Source
path = Path(sys.argv[1]).resolve()
curves = read_training(TrainingLog(Source("training", path.name, (path,), (path.parent,)))).curves
found = [(name, len(curve), int(curve.step.sum()), float(curve.value.sum())) for name, curve in sorted(curves.items())]
Path("ours.txt").write_text(repr(found))
"""
THEIRS = """\
import sys
from pathlib import Path
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
kinds = ("scalars", "tensors", "images", "histograms", "audio", "graph", "compressedHistograms")
log = EventAccumulator(sys.argv[1], size_guidance=dict.fromkeys(kinds, 0))
log.Reload()
found = []
for name in sorted(log.Tags()["scalars"]):
    points = log.Scalars(name)
    value = float(np.array([point.value for point in points]).sum())
    found.append((name, len(points), sum(point.step for point in points), value))
Path("theirs.txt").write_text(repr(found))
"""


def run(folder: Path) -> None:
    """Time and memory of a file of many scalars, beside a tenth of it, and of one with huge records.

    Raises:
        RuntimeError: If the points differ: a wrong number is no speed.
    """
    (folder / "ours.py").write_text(OURS, encoding="utf-8")
    (folder / "theirs.py").write_text(THEIRS, encoding="utf-8")
    for name, events in (
        (f"{FEW} scalars", _scalars(FEW)),
        (f"{MANY} scalars", _scalars(MANY)),
        (f"{PICTURES} pictures and histograms", _pictures(PICTURES)),
    ):
        file = folder / f"events.out.tfevents.{name.partition(' ')[0]}"
        write(file, events)
        commands = [[sys.executable, script, file.name] for script in ("ours.py", "theirs.py")]
        ours, theirs = alternate(commands, runs=1, folder=folder)
        print(f"{name}, {file.stat().st_size / 1e6:.0f} MB: {compare(ours, theirs, 'EventAccumulator')}", flush=True)
        if (folder / "ours.txt").read_text() != (folder / "theirs.txt").read_text():
            raise RuntimeError(f"{name}: the points differ")
        file.unlink()


def write(file: Path, events: Iterator[bytes]) -> None:
    """Write events as records; that the peer reads them shows that their checksums are right."""
    with file.open("wb") as stream:
        batch: list[bytes] = []
        for event in events:
            batch.append(event)
            if len(batch) == 50_000 or len(event) > 1 << 16:
                _flush(stream.write, batch)
        _flush(stream.write, batch)


def _flush(write: Callable[[bytes], int], batch: list[bytes]) -> None:
    lengths = [struct.pack("<Q", len(event)) for event in batch]
    pieces = [*lengths, *batch, bytes(16)]
    end = np.cumsum([len(piece) for piece in pieces])[:-1]
    start = np.concatenate([[0], end[:-1]])
    sums = checksums(b"".join(pieces), start, end).astype("<u4").tobytes()
    heads, feet = sums[: 4 * len(batch)], sums[4 * len(batch) :]
    for i, (length, event) in enumerate(zip(lengths, batch, strict=True)):
        place = slice(4 * i, 4 * i + 4)
        write(b"".join((length, heads[place], event, feet[place])))
    batch.clear()


def _scalars(count: int) -> Iterator[bytes]:
    rng = random.Random(0)
    yield _version()
    for i in range(count):
        value = b"\x15" + struct.pack("<f", rng.random())
        yield _event(i, i // len(TAGS), _bytes(1, TAGS[i % len(TAGS)].encode()) + value)


def _pictures(count: int) -> Iterator[bytes]:
    rng = np.random.default_rng(0)
    yield _version()
    for i in range(count):
        pixels = rng.integers(0, 256, int(rng.integers(400_000, 600_000)), dtype=np.uint8).tobytes()
        yield _event(3 * i, i, _bytes(1, b"sample") + _bytes(4, b"\x08\x40\x10\x40\x18\x03" + _bytes(4, pixels)))
        buckets = _bytes(6, np.arange(500.0).tobytes()) + _bytes(7, rng.random(500).tobytes())
        yield _event(3 * i + 1, i, _bytes(1, b"weights") + _bytes(5, buckets))
        yield _event(3 * i + 2, i, _bytes(1, b"train/loss") + b"\x15" + struct.pack("<f", 1 / (i + 1)))


def _version() -> bytes:
    return b"\x09" + struct.pack("<d", 1.7e9) + _bytes(3, b"brain.Event:2")


def _event(seconds: int, step: int, value: bytes) -> bytes:
    return b"\x09" + struct.pack("<d", 1.7e9 + seconds) + b"\x10" + _varint(step) + _bytes(5, _bytes(1, value))


def _bytes(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
