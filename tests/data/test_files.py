from __future__ import annotations

import gzip
import hashlib
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from data.world import FORMATS, READERS, World, message
from pytest_vigate.data.files import digest, read_bytes, shown
from pytest_vigate.data.readers import Reader, load
from pytest_vigate.data.tables import Role, Source, Table


def reading(world: World, name: str) -> str:
    """What is said of a file, whether its format is declared or to be found."""
    source = world.source("predictions", name)
    said = message(lambda: read_bytes(source, source.paths[0]))
    if "UTF-8 text" not in said and "folder, where" not in said:
        assert message(lambda: world.predictions(name)) == said
    return said


def test_missing_file(world: World) -> None:
    assert reading(world, "p.jsonl") == (
        "p.jsonl: there is no such file; check the path, it is relative to the gate file"
    )


@pytest.mark.parametrize("content", [b"", b" \n\n", b"\xef\xbb\xbf"])
def test_empty_file(world: World, content: bytes) -> None:
    world.write("p.jsonl", content)
    assert reading(world, "p.jsonl") == (
        "p.jsonl: the file is empty; zero samples prove nothing, write at least one record"
    )


def test_folder_where_a_file_is_due(world: World) -> None:
    (world.root / "p.jsonl").mkdir()
    assert reading(world, "p.jsonl") == "p.jsonl: this is a folder, where a file is due; name a file in it"


def test_pipe_where_a_file_is_due(world: World) -> None:
    os.mkfifo(world.root / "p.jsonl")
    assert reading(world, "p.jsonl") == "p.jsonl: this is a device or a pipe, where a file is due; name a file"


def test_gzip_is_named(world: World) -> None:
    world.write("p.json", gzip.compress(b"[]"))
    assert reading(world, "p.json") == "p.json: this is gzip data; decompress it first"


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickle_is_named_and_not_loaded(world: World, protocol: int) -> None:
    world.write("p.json", pickle.dumps({"a": 1}, protocol=protocol))
    assert reading(world, "p.json") == (
        "p.json: this is a Python pickle, which is never loaded because it can run code; export it as JSON"
    )


def test_zip_is_named(world: World) -> None:
    world.write("p.json", b"PK\x03\x04rest")
    assert reading(world, "p.json") == "p.json: this is a zip archive; unpack it first"


def test_utf16_is_named(world: World) -> None:
    world.write("p.csv", "a,b".encode("utf-16"))
    assert reading(world, "p.csv") == "p.csv: this is UTF-16 text; save it as UTF-8"


def test_text_in_another_encoding_names_the_line(world: World) -> None:
    world.write("p.csv", "a,b\nGrün,1\n".encode("latin-1"))
    assert reading(world, "p.csv") == "p.csv:2: byte 0xfc is not UTF-8 text; save the file as UTF-8"


def test_byte_order_mark_is_no_content(world: World) -> None:
    path = world.write("p.csv", "ü".encode("utf-8-sig"))
    assert read_bytes(world.source("predictions", "p.csv"), path) == "ü".encode()


CONTENT = b'{"id": 1, "text": ""}'
OUTSIDE = (
    "this path leads out of the folders that data may come from; move the file below the root, "
    "or name its folder in the ini option vigate_data_roots"
)


def test_link_out_of_the_roots_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jsonl"
    secret.write_text("{}")
    world = World(tmp_path / "root")
    world.root.mkdir()
    (world.root / "p.jsonl").symlink_to(secret)
    assert reading(world, "p.jsonl") == f"p.jsonl: {OUTSIDE}"
    assert message(lambda: world.predictions("p.jsonl")) == f"p.jsonl: {OUTSIDE}"


def test_link_within_the_roots_is_followed(world: World) -> None:
    world.write("real.jsonl", "{}")
    (world.root / "p.jsonl").symlink_to(world.root / "real.jsonl")
    assert read_bytes(world.source("predictions", "p.jsonl"), world.root / "p.jsonl") == b"{}"


def test_path_with_dots_out_of_the_roots_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path / "root")
    (tmp_path / "rooted.jsonl").write_text("{}")
    assert reading(world, "../rooted.jsonl") == f"../rooted.jsonl: {OUTSIDE}"


def test_digest_of_a_file_is_what_sha256sum_prints(world: World) -> None:
    content = b"\xef\xbb\xbf" + b'{"id": 1, "text": ""}\n'
    world.write("p.jsonl", content)
    assert digest(world.predictions("p.jsonl").source) == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_digest_of_a_folder_is_that_of_a_listing(world: World) -> None:
    world.write("data.yaml", "names: [cat]")
    world.write("set/images/a.jpg", b"\xff")
    world.write("set/labels/a.txt", "0 0.5 0.5 0.5 0.5")
    files = {"data.yaml": b"names: [cat]", "labels/a.txt": b"0 0.5 0.5 0.5 0.5"}
    listing = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    found = digest(world.references("set").source)
    assert found == f"sha256:{hashlib.sha256(listing.encode()).hexdigest()}"


def test_digest_of_a_folder_sees_names_and_contents(world: World) -> None:
    def of(files: Mapping[str, str], folder: str) -> str:
        for name, content in files.items():
            world.write(f"{folder}/{name}", content)
        return digest(world.references(folder).source)

    line = "0 0.5 0.5 0.5 0.5"
    first = of({"a.txt": "", "b.txt": line}, "one")
    assert of({"b.txt": line, "a.txt": ""}, "two") == first
    assert of({"a.txt": "", "c.txt": line}, "three") != first
    assert of({"a.txt": "", "b.txt": f"{line} "}, "four") != first


def test_digest_is_that_of_the_content_that_was_read(world: World) -> None:
    path = world.write("p.jsonl", CONTENT)
    table = world.predictions("p.jsonl")
    path.write_text("changed")
    assert digest(table.source) == f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    path.unlink()
    assert digest(table.source) == f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def test_every_load_has_a_digest_of_its_own(world: World) -> None:
    path = world.write("p.jsonl", '{"id": 1, "text": ""}')
    source = world.source("predictions", "p.jsonl")
    first = load(source, READERS)
    path.write_text('{"id": 2, "text": ""}')
    second = load(first.source, READERS)
    assert first.source == second.source
    assert digest(first.source) != digest(second.source)


def test_file_that_changes_while_it_is_read(world: World) -> None:
    path = world.write("p.jsonl", '{"image": "a.jpg", "raw_output": "", "light": "day"}')
    table = world.predictions("p.jsonl")
    path.write_text('{"image": "a.jpg", "raw_output": "", "light": "night"}')
    assert message(lambda: table.attribute("light")) == (
        "p.jsonl: the file has changed since it was first read; wait until it is written, then run again"
    )


class OnItsOwn(Reader):
    """Opens its files itself."""

    name: ClassVar[str] = "own"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        return True

    def read(self, source: Source) -> Table:
        return Table(source, {"id": ("1",)}, lambda _: source.file, np.full((1, 2), np.nan))


def test_file_that_a_reader_opened_on_its_own_is_read_for_its_digest(world: World) -> None:
    world.write("p.bin", b"\xff")
    table = load(world.source("predictions", "p.bin", format="own"), {"own": OnItsOwn()})
    assert digest(table.source) == f"sha256:{hashlib.sha256(bytes([255])).hexdigest()}"


def test_files_of_a_glob_are_shown_below_the_root(world: World) -> None:
    paths = (world.write("runs/a.jsonl", "{}"), world.write("runs/b.jsonl", "{}"))
    source = Source("predictions", "runs/*.jsonl", paths, (world.root,))
    assert [shown(source, path) for path in paths] == ["runs/a.jsonl", "runs/b.jsonl"]


def test_glob_without_files(world: World) -> None:
    source = Source("predictions", "runs/*.jsonl", (), (world.root,))
    assert message(lambda: load(source, READERS)) == (
        "runs/*.jsonl: no file has this name; check the path, it is relative to the gate file"
    )


def test_every_format_is_found_by_being_there() -> None:
    assert ", ".join(READERS) == FORMATS


def test_unknown_format_suggests_the_nearest(world: World) -> None:
    world.write("p.json", "[]")
    assert message(lambda: world.predictions("p.json", format="cocoo")) == (
        "p.json: unknown format 'cocoo'; did you mean 'coco'?"
    )
    assert message(lambda: world.predictions("p.json", format="parquet")) == (
        f"p.json: unknown format 'parquet'; the formats are {FORMATS}"
    )


def test_no_format_fits(world: World) -> None:
    world.write("p.bin", "hello")
    assert message(lambda: world.predictions("p.bin")) == (
        f"p.bin: no format fits these predictions; declare format: one of {FORMATS}"
    )


@pytest.mark.parametrize("name", ["r.jsonl", "r.ndjson"])
def test_no_format_fits_the_fields_of_records(world: World, name: str) -> None:
    world.write_lines(name, {"image": "a.jpg", "width": 4, "height": 4, "objects": []})
    assert message(lambda: world.references(name)) == (
        f"{name}: no format fits these references: the first record has the fields 'image', 'width', 'height', "
        "'objects'; declare format: jsonl, and name them under 'fields'"
    )
    world.write_lines(name, {f"\x1b{i}" + "x" * 100: i for i in range(12)})
    shown = ", ".join(f"'\\x1b{i}{'x' * 57}…'" for i in range(10))
    assert message(lambda: world.predictions(name)) == (
        f"{name}: no format fits these predictions: the first record has the fields {shown} and 2 more; "
        "declare format: jsonl, and name them under 'fields'"
    )
    world.write(name, "[1, 2]")
    assert message(lambda: world.references(name)) == (
        f"{name}:1: $: expected object, got array; write one record a line"
    )


class Greedy(Reader):
    """Claims everything."""

    name: ClassVar[str] = "greedy"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        return True

    def read(self, source: Source) -> Table:
        raise NotImplementedError


def test_two_formats_that_fit_are_both_named(world: World) -> None:
    world.write_lines("p.jsonl", {"image": "a.jpg", "raw_output": "{}"})
    source = world.source("predictions", "p.jsonl")
    assert message(lambda: load(source, {**READERS, "greedy": Greedy()})) == (
        "p.jsonl: the formats vi and greedy both fit these predictions; declare format: one of them"
    )
