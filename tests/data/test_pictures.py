"""Sizes of pictures, without decoding them."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.world import World, message
from pytest_vigate.data.files import digest
from pytest_vigate.data.joining import join
from pytest_vigate.data.pictures import read_size


def png(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def exif(orientation: int, order: str) -> bytes:
    """APP1 with two tags, the second of which is the orientation."""
    mark = {"<": b"II*\x00", ">": b"MM\x00*"}[order]
    entries = [(0x0100, 4, 1, 7), (0x0112, 3, 1, orientation)]
    inner = struct.pack(f"{order}H", 2)
    for tag, kind, count, value in entries:
        inner += struct.pack(f"{order}HHI", tag, kind, count)
        inner += struct.pack(f"{order}I", value) if kind == 4 else struct.pack(f"{order}HH", value, 0)
    return segment(0xE1, b"Exif\x00\x00" + mark + struct.pack(f"{order}I", 8) + inner)


def jpeg(width: int, height: int, *before: bytes, frame: int = 0xC0) -> bytes:
    """Everything up to the frame, with what stands before it."""
    return b"\xff\xd8" + b"".join(before) + segment(frame, struct.pack(">BHHB", 8, height, width, 3) + bytes(9))


JFIF = segment(0xE0, b"JFIF\x00" + bytes(9))
TABLES = segment(0xDB, bytes(65)) + segment(0xC4, bytes(29))


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (png(640, 480), (640, 480)),
        (jpeg(640, 480, JFIF, TABLES), (640, 480)),
        (jpeg(640, 480, JFIF, TABLES, frame=0xC2), (640, 480)),  # progressive
        (jpeg(640, 480, b"\xff\xff\xff" + JFIF), (640, 480)),  # a marker filled up
        (jpeg(640, 480, segment(0xE2, bytes(65_000)) * 40), (640, 480)),
        (jpeg(640, 480, exif(1, "<")), (640, 480)),
        (jpeg(640, 480, exif(3, ">")), (640, 480)),
        (jpeg(640, 480, exif(6, "<")), (480, 640)),
        (jpeg(640, 480, JFIF, exif(8, ">"), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00")), (480, 640)),
        (jpeg(640, 480, exif(6, "<")[:-20] + bytes(20)), (640, 480)),
        (jpeg(640, 480, segment(0xE1, b"Exif\x00\x00II*\x00\xff\xff\xff\xff")), (640, 480)),
        (png(640, 0), None),
        (png(640, 480)[:23], None),
        (b"\x89PNG\r\n\x1a\n" + bytes(16), None),
        (jpeg(640, 480)[:8], None),
        (jpeg(640, 480, segment(0xDA, b"")), None),  # a scan without a frame
        (jpeg(640, 480, segment(0xE2, b"") * 1000), None),
        (b"\xff\xd8\xff\xe0\x00\x00" * 1000, None),
        (b"GIF89a" + bytes(20), None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_size_as_the_head_states_it(world: World, content: bytes, size: tuple[int, int] | None) -> None:
    world.write("set/a.png", content)
    source = world.source("references", "set")
    assert read_size(source, world.root / "set" / "a.png") == size
    assert source.sums == ({} if size is None else {world.root / "set" / "a.png": f"{size[0]}x{size[1]}"})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1\x00\x40Exif\x00\x00", b"\xff\xd8"]),
    rest=st.binary(),
)
def test_any_bytes_have_a_size_or_none(world: World, start: bytes, rest: bytes) -> None:
    path = world.write("a.jpg", start + rest)
    size = read_size(world.source("references", "a.jpg"), path)
    assert size is None or min(size) > 0


def test_picture_that_leads_out_of_the_roots(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "a.png"
    outside.write_bytes(png(640, 480))
    link = world.root / "set" / "a.png"
    link.parent.mkdir()
    link.symlink_to(outside)
    assert message(lambda: read_size(world.source("references", "set"), link)).startswith(
        "set/a.png: this path leads out of the folders that data may come from; "
    )


def test_pipe_is_no_picture(world: World) -> None:
    path = world.root / "a.png"
    os.mkfifo(path)
    assert read_size(world.source("references", "a.png"), path) is None


def write_yolo(world: World, first: bytes, second: bytes) -> None:
    """Two labelled pictures, and predictions in pixels of them."""
    for name, content in (("a.jpg", first), ("b.png", second)):
        world.write(f"set/images/{name}", content)
        world.write(f"set/labels/{Path(name).stem}.txt", "0 0.25 0.25 0.5 0.5")
    world.write_json(
        "p.json",
        [
            {"image_id": name, "file_name": f"{name}.jpg", "category_id": 1, "bbox": [0, 0, 9, 9], "score": 1}
            for name in "ab"
        ],
    )


def test_labels_of_pictures_of_several_sizes_meet_predictions_in_pixels(world: World) -> None:
    write_yolo(world, jpeg(640, 480), png(64, 48))
    references = world.references("set")
    dataset = join(world.predictions("p.json", labels_map="one-based"), references)
    assert dataset.references.boxes.xyxy.tolist() == [[0, 0, 320, 240], [0, 0, 32, 24]]
    assert dataset.references.boxes.area.tolist() == [320 * 240, 32 * 24]
    before = digest(references.source)
    world.write("set/images/b.png", png(64, 49))
    assert digest(world.references("set").source) != before


def test_pictures_that_state_no_size_and_what_to_do(world: World) -> None:
    write_yolo(world, jpeg(640, 480), b"GIF89a")
    dataset = join(world.predictions("p.json", labels_map="one-based"), world.references("set"))
    assert message(lambda: dataset.references.boxes) == (
        "set/labels/b.txt:1: image size missing: these boxes are relative (boxes: yolo), those of p.json are pixels of "
        "the original; let the folder hold the pictures under images/, as PNG or JPEG files, or declare "
        "boxes: {preset: yolo, size: [W, H]} where all have one size"
    )
