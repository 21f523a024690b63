"""Bad data ends as an error in JUnit or counts against the model: never a pass, never a stack trace."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_vigate.data.presets import Preset
from pytest_vigate.data.readers import Reader, load
from pytest_vigate.data.tables import Source, Table
from reading import Run, cases
from worlds import GATE, write_gate, write_jsonl

COCO_GATE = (
    "vigate: 1\n"
    "data:\n"
    "  predictions: {path: dt.json, format: coco}\n"
    "  references: {path: gt.json, format: coco}\n"
    "thresholds:\n"
)
BOX = [10, 10, 20, 20]


def unmeasurable(run: Run, folder: Path, name: str = "bbox.f1") -> str:
    """Run, and give the first line of the error that JUnit shows for the threshold."""
    result = run("--junit-xml=gates.xml")
    assert result.ret == 1
    output = "\n".join(result.outlines)
    assert "Traceback" not in output
    assert "Error:" not in output
    case = cases(folder / "gates.xml")[name]
    error = case.find("error")
    assert error is not None, "the threshold did not end as an error"
    first = str(error.text).splitlines()[0]
    return first.removeprefix(f"unmeasurable: {name.partition('[')[0]} cannot be measured: ")


def write_coco(folder: Path, results: Any, *, annotations: Any = None, images: Any = None) -> None:
    """A ground truth of one box on one picture, and results."""
    truth = {
        "images": images if images is not None else [{"id": 1, "file_name": "a.jpg", "width": 100, "height": 100}],
        "annotations": annotations
        if annotations is not None
        else [{"id": 0, "image_id": 1, "category_id": 1, "bbox": BOX, "area": 400, "iscrowd": 0}],
        "categories": [{"id": 1, "name": "dent"}],
    }
    (folder / "gt.json").write_text(json.dumps(truth), encoding="utf-8")
    (folder / "dt.json").write_text(results if isinstance(results, str) else json.dumps(results), encoding="utf-8")
    write_gate(folder, "  bbox.f1: {min: 1%}\n", head=COCO_GATE)


def result(**more: Any) -> dict[str, Any]:
    return {"image_id": 1, "category_id": 1, "bbox": BOX, "score": 0.9, **more}


def edit_line(path: Path, number: int, old: str, new: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert old in lines[number - 1]
    lines[number - 1] = lines[number - 1].replace(old, new)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "predictions.jsonl: there is no such file; check the path, it is relative to the gate file"),
        (b"", "predictions.jsonl: the file is empty; zero samples prove nothing, write at least one record"),
        (b"\x1f\x8b\x08\x00", "predictions.jsonl: this is gzip data; decompress it first"),
        (
            b"\x80\x04\x95",
            "predictions.jsonl: this is a Python pickle, which is never loaded because it can run code; "
            "export it as JSON",
        ),
        (b"\xff\xfe\x00", "predictions.jsonl: this is UTF-16 text; save it as UTF-8"),
        (b'{"a": "\xe4"}', "predictions.jsonl:1: byte 0xe4 is not UTF-8 text; save the file as UTF-8"),
    ],
)
def test_file_that_cannot_be_read(world: Path, run: Run, content: bytes | None, message: str) -> None:
    write_gate(world, "  bbox.f1: {min: 1%}\n")
    path = world / "predictions.jsonl"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert unmeasurable(run, world) == message


def test_broken_third_line_is_named_with_its_column(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 1%}\n")
    edit_line(world / "predictions.jsonl", 3, '"width": 1024,', '"width": 1024;')
    assert unmeasurable(run, world) == (
        "predictions.jsonl:3:38: this is not JSON: expected ',' or '}'; correct it, or write the file again"
    )


def test_wrong_type_is_named_with_its_path(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 1%}\n")
    edit_line(world / "references.jsonl", 2, '"filename": "car_01.jpg"', '"filename": 7')
    assert unmeasurable(run, world) == "references.jsonl:2: $.asset.filename: expected str, got int"


def test_id_that_stands_twice(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 1%}\n")
    edit_line(world / "predictions.jsonl", 2, "car_01.jpg", "car_00.jpg")
    assert unmeasurable(run, world) == (
        "predictions.jsonl:2: the image 'car_00.jpg' is already that of predictions.jsonl:1; keep the one that is "
        "meant, or give each an id of its own"
    )


def test_prediction_for_an_unknown_id(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 1%}\n")
    edit_line(world / "predictions.jsonl", 2, "car_01.jpg", "van.jpg")
    assert unmeasurable(run, world) == (
        "predictions.jsonl:2: 1 prediction has no reference: 'van.jpg'; add the references, or declare extra: ignore"
    )


def test_no_id_in_common_shows_both_sides(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 1%}\n")
    path = world / "predictions.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("car_", "van_"), encoding="utf-8")
    assert unmeasurable(run, world) == (
        "predictions.jsonl: no id is on both sides: predictions have 'van_00.jpg', references 'car_00.jpg'; "
        "declare which fields name a sample: fields: {id: …}"
    )


@pytest.mark.parametrize("key", ['"1"', "1"])
def test_ids_join_as_text(pytester: pytest.Pytester, run: Run, key: str) -> None:
    write_coco(pytester.path, json.dumps([result()]).replace('"image_id": 1', f'"image_id": {key}'))
    run().assert_outcomes(passed=1)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_coordinate_that_is_no_number_is_no_json(pytester: pytest.Pytester, run: Run, number: str) -> None:
    write_coco(pytester.path, json.dumps([result()]).replace("[10, 10,", f"[10, {number},"))
    assert unmeasurable(run, pytester.path) == (
        f"dt.json:1:49: {number} is no JSON number; write null or leave the value out"
    )


def test_coordinate_outside_the_declared_space_names_the_likely_preset(world: Path, run: Run) -> None:
    head = (
        "vigate: 1\ndata:\n"
        "  predictions: {path: predictions.jsonl, format: vi, boxes: {order: xyxy, space: unit}}\n"
        "  references: {path: references.jsonl, format: vi}\nthresholds:\n"
    )
    write_gate(world, "  bbox.f1: {min: 1%}\n", head=head)
    assert unmeasurable(run, world) == (
        "predictions.jsonl:1: 110 lies outside [0, 1], the range of boxes: {order: xyxy, space: unit}; "
        "these look like 0–1000 integers: boxes: {order: xyxy, space: 1000} (8 of 8 boxes)"
    )


def test_reference_without_area_is_an_error(pytester: pytest.Pytester, run: Run) -> None:
    flat = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 0, 20]}
    write_coco(pytester.path, [result()], annotations=[flat])
    assert unmeasurable(run, pytester.path) == (
        "gt.json: annotations[0]: the reference box [10, 10, 0, 20] has no area under boxes: coco; "
        "correct it or drop it"
    )


@pytest.mark.parametrize("extent", [[0, 20], [-5, 20], [-5, -5]])
def test_prediction_without_area_is_a_false_positive(pytester: pytest.Pytester, run: Run, extent: list[int]) -> None:
    write_coco(pytester.path, [result(), result(bbox=[10, 10, *extent])])
    write_gate(pytester.path, "  bbox.precision: {min: 51%}\n", head=COCO_GATE)
    outcome = run()
    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines(
        [
            "*bbox.precision is 0.500, must be >= 0.51*",
            "*1 predicted boxes have zero or inverted area and count as false positives*",
        ]
    )


def test_image_size_missing_where_it_is_needed(world: Path, run: Run) -> None:
    records = [json.dumps({"image": f"car_{i:02d}.jpg", "boxes": [[100, 100, 300, 300]]}) for i in range(8)]
    (world / "references.jsonl").write_text("\n".join(records), encoding="utf-8")
    path = world / "predictions.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"width": 1024, "height": 1024, ', ""), encoding="utf-8")
    head = (
        "vigate: 1\ndata:\n"
        "  predictions: {path: predictions.jsonl, format: vi}\n"
        "  references: {path: references.jsonl, format: jsonl, boxes: {order: xyxy, space: pixels}}\nthresholds:\n"
    )
    write_gate(world, "  bbox.f1: {min: 1%}\n", head=head)
    assert unmeasurable(run, world) == (
        "predictions.jsonl:1: image size missing: these boxes are relative (boxes: vi), those of references.jsonl "
        "are pixels of the original; give the records width and height, or declare boxes: {preset: vi, size: [W, H]} "
        "where all have one size"
    )


def test_annotation_ids_from_zero_are_no_trap(pytester: pytest.Pytester, run: Run) -> None:
    # pycocotools takes id 0 for "unmatched": two perfect boxes score AP 0.252 there.
    other = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [50, 50, 20, 20], "area": 400, "iscrowd": 0}
    first = {**other, "id": 0, "bbox": BOX}
    write_coco(pytester.path, [result(), result(bbox=[50, 50, 20, 20])], annotations=[first, other])
    write_gate(pytester.path, "  bbox.f1: {min: 100%}\n", head=COCO_GATE)
    run().assert_outcomes(passed=1)


def test_empty_results_list_fails_and_leaves_precision_unknown(pytester: pytest.Pytester, run: Run) -> None:
    write_coco(pytester.path, [])
    write_gate(
        pytester.path,
        "  bbox.f1: {min: 1%}\n  bbox.precision: {min: 1%}\n  coverage.predictions: {min: 1%}\n",
        head=COCO_GATE,
    )
    outcome = run()
    outcome.assert_outcomes(failed=2, errors=1)
    outcome.stdout.fnmatch_lines(["unmeasurable: bbox.precision is undefined: nothing to divide by on these samples"])


def test_ground_truth_without_pictures_is_unmeasurable(pytester: pytest.Pytester, run: Run) -> None:
    write_coco(pytester.path, [], images=[], annotations=[])
    assert unmeasurable(run, pytester.path) == (
        "gt.json: zero samples: the references hold no record; an empty set proves nothing"
    )


def test_slice_without_samples_says_what_there_is(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.f1: {min: 1%, where: {lighting: nigth}}\n")
    assert unmeasurable(run, world, "bbox.f1[lighting=nigth]") == (
        "no sample has lighting=nigth: the data has 'day', 'night'; did you mean 'night'?"
    )


def test_conditions_that_meet_in_no_sample(world: Path, run: Run) -> None:
    gate = "  bbox.f1: {min: 1%, where: {lighting: day, picture: car_07.jpg}}\n"
    head = GATE.replace("[lighting]", "[lighting, picture]")
    path = world / "references.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    write_jsonl(path, [{**line, "picture": line["id"]} for line in lines])
    write_gate(world, gate, head=head)
    assert unmeasurable(run, world, "bbox.f1[lighting=day,picture=car_07.jpg]") == (
        "no sample has lighting=day and picture=car_07.jpg together; zero samples prove nothing"
    )


def test_value_that_matches_nothing_among_others_is_noted(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.recall: {min: 1%, where: {lighting: [day, nigth]}}\n")
    outcome = run()
    outcome.assert_outcomes(passed=1)
    assert "      no sample has lighting=nigth; did you mean 'night'?" in outcome.outlines


def test_label_without_boxes_is_unmeasurable(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.recall: {min: 1%, where: {label: scratch}}\n")
    assert unmeasurable(run, world, "bbox.recall[label=scratch]") == (
        "no sample has label=scratch: the data has 'a dent', 'dent'; zero samples prove nothing"
    )


def test_attribute_that_no_record_has(world: Path, run: Run) -> None:
    write_gate(
        world,
        "  bbox.f1: {min: 1%}\n",
        head="".join(
            [
                "vigate: 1\ndata:\n  predictions: predictions.jsonl\n  references: references.jsonl\n",
                "  attributes: [lightning]\nthresholds:\n",
            ]
        ),
    )
    assert unmeasurable(run, world) == (
        "references.jsonl: attributes: no record has the field 'lightning'; did you mean 'lighting'?"
    )


def test_missing_prediction_counts_as_wrong(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.recall: {min: 75%}\n  coverage.predictions: {min: 100%}\n")
    path = world / "predictions.jsonl"
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")
    outcome = run()
    outcome.assert_outcomes(failed=2)
    outcome.stdout.fnmatch_lines(["*bbox.recall is 0.625, must be >= 0.75*", "*coverage.predictions is 0.875, *"])


def test_reply_that_cannot_be_read_counts_as_wrong_and_is_said(world: Path, run: Run) -> None:
    write_gate(world, "  bbox.recall: {min: 75%}\n")
    edit_line(world / "predictions.jsonl", 1, ']}]}}"', '"')
    outcome = run()
    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines(
        [
            "*bbox.recall is 0.625, must be >= 0.75*",
            "  malformed replies: 1 (0 with boxes that count, 1 without); 'car_00.jpg': the JSON document is cut off",
            "  car_00.jpg: 1 missed (costs 0.089); its reply: the JSON document is cut off",
        ]
    )


def test_one_bad_file_is_read_once_for_all_thresholds(world: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Source] = []

    def read_counting(source: Source, readers: Mapping[str, Reader], presets: Mapping[str, Preset]) -> Table:
        asked.append(source)
        return load(source, readers, presets)

    monkeypatch.setattr("pytest_vigate.evaluation.loading.load", read_counting)
    write_gate(world, "  bbox.f1: {min: 1%}\n  bbox.iou: {min: 1%}\n  coverage.predictions: {min: 1%}\n")
    (world / "predictions.jsonl").unlink()
    run().assert_outcomes(errors=3)
    assert [source.file for source in asked] == ["predictions.jsonl"]


def test_metric_that_the_data_cannot_carry(world: Path, run: Run) -> None:
    lines = [json.dumps({"id": f"car_{i:02d}.jpg", "text": "a dent"}) for i in range(8)]
    (world / "predictions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    head = (
        "vigate: 1\ndata:\n  predictions: {path: predictions.jsonl, format: jsonl}\n"
        "  references: {path: references.jsonl, format: vi}\nthresholds:\n"
    )
    write_gate(world, "  bbox.f1: {min: 1%}\n", head=head)
    assert unmeasurable(run, world) == (
        "predictions.jsonl: bbox needs boxes, and these records carry replies; declare how the replies write "
        "them, as boxes: qwen3-vl, name the fields that hold them under 'fields', or gate another family"
    )
