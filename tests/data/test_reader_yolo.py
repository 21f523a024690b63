from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from data.world import READERS, World, message
from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.files import digest
from pytest_vigate.data.joining import join
from pytest_vigate.data.readers import load
from pytest_vigate.data.tables import Source


def test_lines_become_boxes_of_named_classes(world: World) -> None:
    world.write("set/data.yaml", "names: [cat, no]\n")
    world.write("set/labels/b.txt", "1 0.5 0.5 0.5 0.5\n\n0 0.25 0.25 0.5 0.5\n")
    world.write("set/labels/a.txt", "")
    table = world.references("set")
    assert table.keys == {"stem": ("a", "b")}
    boxes = join(world.predictions("set"), table).references.boxes
    assert boxes.offsets.tolist() == [0, 0, 2]
    assert boxes.xyxy.tolist() == [[0.25, 0.25, 0.75, 0.75], [0, 0, 0.5, 0.5]]
    assert [boxes.vocabulary[label] for label in boxes.label] == ["no", "cat"]


def test_pictures_are_the_samples_and_a_missing_label_file_is_no_object(world: World) -> None:
    world.write("set/labels/b.txt", "0 0.5 0.5 0.5 0.5")
    for picture in ("a.JPG", "b.png", "notes.md"):
        world.write(f"set/images/{picture}", b"\xff")
    table = world.references("set")
    assert table.keys == {"stem": ("a", "b")}
    assert [table.places(i) for i in range(2)] == ["set/labels/a.txt", "set/labels/b.txt"]


def test_labels_without_their_picture(world: World) -> None:
    world.write("set/labels/b.txt", "0 0.5 0.5 0.5 0.5")
    world.write("set/images/a.jpg", b"\xff")
    assert message(lambda: world.references("set")) == (
        "set/labels/b.txt: these labels have no picture under images/; add it or drop the file"
    )


def test_names_may_be_a_mapping_and_stand_further_up(world: World) -> None:
    world.write("data.yaml", "nc: 2\nnames:\n  0: cat\n  7: dog\n")
    world.write("set/labels/val/a.txt", "7 0.5 0.5 0.5 0.5")
    assert world.references("set/labels/val").categories == {"0": "cat", "7": "dog"}


def test_darknet_class_list_names_the_classes(world: World) -> None:
    world.write("labels/classes.txt", "cat\ndog\n")
    world.write("labels/a.txt", "1 0.5 0.5 0.5 0.5")
    table = world.references("labels")
    assert table.keys == {"stem": ("a",)}
    assert table.categories == {"0": "cat", "1": "dog"}


def test_predicted_codes_take_the_names_of_the_references(world: World) -> None:
    world.write("gt/data.yaml", "names: [cat, dog]")
    world.write("gt/a.txt", "1 0.5 0.5 0.5 0.5")
    world.write("runs/a.txt", "1 0.5 0.5 0.5 0.5 0.75\n0 0.5 0.5 0.25 0.25 0.5\n")
    boxes = join(world.predictions("runs"), world.references("gt")).predictions.boxes
    assert boxes.vocabulary == ("cat", "dog")
    assert boxes.label.tolist() == [1, 0]
    assert boxes.score.tolist() == [0.75, 0.5]


def test_codes_on_both_sides_are_compared_as_codes(world: World) -> None:
    world.write("gt/a.txt", "2 0.5 0.5 0.5 0.5")
    world.write("runs/a.txt", "10 0.5 0.5 0.5 0.5\n2 0.5 0.5 0.5 0.5")
    dataset = join(world.predictions("runs"), world.references("gt"))
    assert dataset.predictions.boxes.vocabulary == ("2", "10")
    assert dataset.predictions.boxes.label.tolist() == [1, 0]
    assert np.isnan(dataset.predictions.boxes.score).all()
    assert join(world.predictions("runs"), None).predictions.boxes.label.tolist() == [1, 0]


def test_codes_against_names_without_codes(world: World) -> None:
    world.write_lines("gt.jsonl", {"id": "a", "image": "a.jpg", "boxes": [[0, 0, 1, 1]], "labels": ["cat"]})
    world.write("runs/a.txt", "1 0.5 0.5 0.5 0.5")
    dataset = join(world.predictions("runs"), world.references("gt.jsonl", boxes=Convention("xyxy", 1.0)))
    assert message(lambda: dataset.predictions.boxes) == (
        "runs/a.txt:1: the classes are codes (1), but gt.jsonl has names and no codes; give the classes names, "
        'as labels_map: {"1": cat} under predictions'
    )


def test_picture_without_predictions_has_no_boxes_and_no_answer(world: World) -> None:
    world.write("gt/a.txt", "2 0.5 0.5 0.5 0.5")
    world.write("gt/b.txt", "2 0.5 0.5 0.5 0.5")
    world.write("runs/a.txt", "2 0.5 0.5 0.5 0.5")
    dataset = join(world.predictions("runs"), world.references("gt"))
    assert dataset.predictions.present.tolist() == [True, False]
    assert dataset.predictions.boxes.offsets.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "0 0.1 0.1 0.2 0.1 0.2 0.2",
            "7 columns: this looks like a polygon; expected 'class cx cy w h', and a confidence at most",
        ),
        (
            "0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2",
            "9 columns: this looks like an oriented box of four corners, or a polygon; "
            "expected 'class cx cy w h', and a confidence at most",
        ),
        (
            "0 0.1 0.1 0.2 0.1 0.9 3 1",
            "8 columns: this looks like a box with more columns, as a tracker's; "
            "expected 'class cx cy w h', and a confidence at most",
        ),
        ("0 0.1 0.1", "3 columns; expected 'class cx cy w h', and a confidence at most"),
        ("cat 0.1 0.1 0.2 0.1", "'cat' is no class index; expected a whole number from 0 in the first column"),
        ("٣ 0.1 0.1 0.2 0.1", "'٣' is no class index; expected a whole number from 0 in the first column"),
        ("0 0.1 0.1 0.2 wide", "'wide' is no finite number; expected 'class cx cy w h'"),
        ("0 0.1 0.1 0.2 0_1", "'0_1' is no finite number; expected 'class cx cy w h'"),
        ("0 0.1 0.1 0.2 nan", "'nan' is no finite number; expected 'class cx cy w h'"),
        ("0 0.1 0.1 0.2 -inf", "'-inf' is no finite number; expected 'class cx cy w h'"),
        ("0 0.1 0.1 0.2 0.1 nan", "'nan' is no finite number; expected 'class cx cy w h'"),
        ("0 0.1 0.1 0.2 0.1 -0.1", "the confidence -0.1 lies outside [0, 1]; is the last column a tracker's id?"),
        ("0 0.1 0.1 0.2 0.1 17", "the confidence 17 lies outside [0, 1]; is the last column a tracker's id?"),
    ],
)
def test_line_that_is_no_box_is_named(world: World, line: str, expected: str) -> None:
    world.write("runs/a.txt", f"0 0.5 0.5 0.5 0.5\n{line}\n")
    assert message(lambda: world.predictions("runs")) == f"runs/a.txt:2: {expected}"


def test_confidence_in_references(world: World) -> None:
    world.write("gt/a.txt", "0 0.5 0.5 0.5 0.5 0.9")
    assert message(lambda: world.references("gt")) == (
        "gt/a.txt:1: 6 columns: these look like predictions with a confidence; references have 5"
    )


def test_coordinate_outside_the_picture_names_the_line(world: World) -> None:
    world.write("gt/a.txt", "0 0.5 0.5 0.5 0.5\n0 320 240 64 48\n")
    assert message(lambda: join(world.predictions("gt"), world.references("gt")).references.boxes) == (
        "gt/a.txt:2: 320 lies outside [0, 1], the range of boxes: yolo; "
        "these look like pixels: boxes: {order: cxcywh, space: pixels} (1 of 2 boxes)"
    )


def test_class_without_a_name(world: World) -> None:
    world.write("gt/data.yaml", "names: [cat]")
    world.write("gt/a.txt", "0 0.5 0.5 0.5 0.5\n1 0.5 0.5 0.5 0.5")
    assert message(world.references("gt").derive_boxes or pytest.fail) == (
        "gt/a.txt:2: class 1 has no name among the 1 of this data set; add it"
    )


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("names: [cat", "gt/data.yaml:2:1: this is not YAML; class names are a list or a mapping 'names'"),
        ("nc: 3", "gt/data.yaml: no class names; expected 'names' as a list, or as a mapping from index to name"),
    ],
)
def test_class_names_that_cannot_be_read(world: World, yaml: str, expected: str) -> None:
    world.write("gt/data.yaml", f"{yaml}\n")
    world.write("gt/a.txt", "0 0.5 0.5 0.5 0.5")
    assert message(lambda: world.references("gt")) == expected


def test_tag_among_the_class_names_runs_nothing(world: World) -> None:
    world.write("gt/data.yaml", "names: !!python/object/apply:os.mkdir [made]")
    world.write("gt/a.txt", "0 0.5 0.5 0.5 0.5")
    assert world.references("gt").categories == {"0": "made"}


def test_missing_folder(world: World) -> None:
    assert message(lambda: world.references("gt", format="yolo")) == "gt: there is no such folder; check the path"


def test_label_file_that_links_out_of_the_roots(world: World) -> None:
    inner = World(world.root / "inner")
    world.write("secret.txt", "0 0.5 0.5 0.5 0.5")
    inner.write("gt/b.txt", "")
    (inner.root / "gt" / "a.txt").symlink_to(world.root / "secret.txt")
    assert message(lambda: inner.references("gt")) == (
        "gt/a.txt: this path leads out of the folders that data may come from; move the file below the root, "
        "or name its folder in the ini option vigate_data_roots"
    )


def test_names_above_the_root_are_not_read(world: World) -> None:
    inner = World(world.root / "inner")
    world.write("data.yaml", "names: [secret]")
    inner.write("gt/a.txt", "0 0.5 0.5 0.5 0.5")
    assert inner.references("gt").categories == {}


def test_folder_of_splits_asks_for_one(world: World) -> None:
    world.write("set/labels/train/a.txt", "")
    world.write("set/labels/val/a.txt", "")
    assert message(lambda: world.references("set")) == (
        "set/labels: this folder holds no label files (*.txt); name one of its folders: train, val"
    )


def test_class_index_of_any_length_is_a_code(world: World) -> None:
    world.write("gt/a.txt", f"{'9' * 5000} 0.5 0.5 0.5 0.5\n007 0.5 0.5 0.5 0.5\n000 0.5 0.5 0.5 0.5")
    assert join(world.predictions("gt"), None).predictions.boxes.vocabulary == ("0", "7", "9" * 5000)


def test_labels_in_a_folder_below_other_labels(world: World) -> None:
    world.write("set/labels/a.txt", "0 0.5 0.5 0.5 0.5")
    world.write("set/labels/night/late/b.txt", "0 0.5 0.5 0.5 0.5")
    assert message(lambda: world.references("set")) == (
        "set/labels/night/late/b.txt: this file lies in a folder below set/labels and would be left out; "
        "name the folder that holds it as the path, or put all files into one folder"
    )


def test_labels_in_a_folder_below_that_of_pictures_which_have_none(world: World) -> None:
    world.write("set/images/a.jpg", b"\xff")
    world.write("set/labels/night/a.txt", "0 0.5 0.5 0.5 0.5")
    assert message(lambda: world.references("set")) == (
        "set/labels/night/a.txt: this file lies in a folder below set/labels and would be left out; "
        "name the folder that holds it as the path, or put all files into one folder"
    )


def test_pictures_in_a_folder_below_other_pictures(world: World) -> None:
    world.write("set/images/a.jpg", b"\xff")
    world.write("set/images/night/b.jpg", b"\xff")
    world.write("set/labels/a.txt", "0 0.5 0.5 0.5 0.5")
    assert message(lambda: world.references("set")) == (
        "set/images/night/b.jpg: this file lies in a folder below set/images and would be left out; "
        "name the folder that holds it as the path, or put all files into one folder"
    )


def test_link_of_a_folder_to_itself_hides_nothing_and_is_no_maze(world: World) -> None:
    world.write("set/labels/a.txt", "0 0.5 0.5 0.5 0.5")
    (world.root / "set/labels/again").symlink_to(world.root / "set/labels")
    assert world.references("set").keys == {"stem": ("a",)}


def test_names_that_are_not_utf8_are_shown_with_escapes(world: World) -> None:
    folder = Path(os.fsdecode(os.fsencode(world.root) + b"/set\xfe"))
    (folder / "labels").mkdir(parents=True)
    named, broken = (folder / "labels" / os.fsdecode(name) for name in (b"a\xff.txt", b"b.txt"))
    named.write_text("0 0.5 0.5 0.5 0.5")
    broken.write_text("0 0.5")
    more = world.write("more/labels/c.txt", "").parent
    glob = Source("references", "set?", (folder, more), (world.root,), format="yolo")
    assert message(lambda: load(glob, READERS)) == (
        "set\\udcfe/labels/b.txt:1: 2 columns; expected 'class cx cy w h', and a confidence at most"
    )
    broken.unlink()
    table = load(glob, READERS)
    assert table.keys == {"stem": ("a\\udcff", "c")}
    assert table.places(0) == "set\\udcfe/labels/a\\udcff.txt"
    assert digest(table.source).startswith("sha256:")
    assert join(table, table).ids == ("a\\udcff", "c")


def test_class_name_with_half_a_character_is_shown_with_an_escape(world: World) -> None:
    world.write("gt/data.yaml", 'names: ["\\ud800"]')
    world.write("gt/a.txt", "0 0.5 0.5 0.5 0.5")
    assert world.references("gt").categories == {"0": "\\ud800"}
