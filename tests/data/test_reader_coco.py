from __future__ import annotations

import json

import numpy as np
import pytest

from data.world import READERS, World, message
from pytest_vigate.data.joining import join
from pytest_vigate.data.readers import load
from pytest_vigate.data.tables import Source
from worlds import real_data

CATEGORIES = [{"id": 1, "name": "cat"}, {"id": 90, "name": "dog"}]


def image(identifier: int | str, **more: object) -> dict[str, object]:
    return {"id": identifier, "file_name": f"shots/{identifier}.jpg", "width": 640, "height": 480, **more}


def annotation(image_id: int | str, category_id: int = 1, **more: object) -> dict[str, object]:
    return {"id": 0, "image_id": image_id, "category_id": category_id, "bbox": [10, 20, 30, 40], **more}


def result(image_id: int | str, **more: object) -> dict[str, object]:
    return {"image_id": image_id, "category_id": 90, "bbox": [10, 20, 30, 40], "score": 0.5, **more}


def truth(world: World, images: list[dict[str, object]], annotations: list[dict[str, object]]) -> None:
    world.write_json("gt.json", {"images": images, "annotations": annotations, "categories": CATEGORIES})


def test_both_sides_share_one_vocabulary(world: World) -> None:
    truth(world, [image(7), image(3)], [annotation(3, 90), annotation(7, area=123.5)])
    world.write_json("dt.json", [result(3), result(7, category_id=1, score=0.25), result(3, bbox=[0, 0, 1, 2])])
    dataset = join(world.predictions("dt.json"), world.references("gt.json"))
    references, predictions = dataset.references.boxes, dataset.predictions.boxes
    assert dataset.ids == ("7", "3")
    assert references.vocabulary == predictions.vocabulary == ("cat", "dog")
    assert references.xyxy.tolist() == [[10, 20, 40, 60], [10, 20, 40, 60]]
    assert references.label.tolist() == [0, 1]
    assert references.area.tolist() == [123.5, 30 * 40]
    assert predictions.offsets.tolist() == [0, 1, 3]
    assert predictions.label.tolist() == [0, 1, 1]
    assert predictions.score.tolist() == [0.25, 0.5, 0.5]
    assert predictions.xyxy[2].tolist() == [0, 0, 1, 2]
    assert not references.phrases


def test_references_are_named_by_id_file_and_stem(world: World) -> None:
    truth(world, [image(7)], [])
    assert world.references("gt.json").keys == {"id": ("7",), "image": ("shots/7.jpg",), "stem": ("7",)}


def test_ids_from_zero_are_no_trap(world: World) -> None:
    truth(world, [image(0)], [annotation(0, id=0), annotation(0, id=1)])
    world.write_json("dt.json", [result(0)])
    dataset = join(world.predictions("dt.json"), world.references("gt.json"))
    assert dataset.references.boxes.offsets.tolist() == [0, 2]
    assert dataset.predictions.boxes.offsets.tolist() == [0, 1]


def test_crowd_and_ignore_are_crowd(world: World) -> None:
    truth(world, [image(1)], [annotation(1, iscrowd=1), annotation(1, ignore=True), annotation(1, iscrowd=0)])
    world.write("dt.json", "[]")
    boxes = join(world.predictions("dt.json"), world.references("gt.json")).references.boxes
    assert boxes.crowd.tolist() == [True, True, False]


def test_empty_results_are_no_detections(world: World) -> None:
    truth(world, [image(1)], [annotation(1)])
    world.write("dt.json", " []\n")
    side = join(world.predictions("dt.json"), world.references("gt.json")).predictions
    assert side.present.tolist() == [False]  # the format cannot tell "nothing found" from "never asked"
    assert side.boxes.offsets.tolist() == [0, 0]


def test_results_may_name_labels(world: World) -> None:
    truth(world, [image(1)], [annotation(1)])
    world.write_json("dt.json", [{"image_id": 1, "label": "dog", "bbox": [0, 0, 2, 2], "score": 1}])
    boxes = join(world.predictions("dt.json"), world.references("gt.json")).predictions.boxes
    assert [boxes.vocabulary[label] for label in boxes.label] == ["dog"]


def test_results_with_labels_and_codes_mixed_are_refused(world: World) -> None:
    world.write_json("dt.json", [result(1), {"image_id": 1, "label": "dog", "bbox": [0, 0, 2, 2]}])
    assert message(lambda: world.predictions("dt.json")) == (
        "dt.json: [1]: the field 'category_id' is missing; give every result a category_id, or every one a label"
    )


def test_results_by_stem_join_with_file_names(world: World) -> None:
    truth(world, [image("a")], [annotation("a")])
    gt = json.loads((world.root / "gt.json").read_text())
    gt["images"][0]["id"] = gt["annotations"][0]["image_id"] = 17
    world.write_json("gt.json", gt)
    world.write_json("dt.json", [result("a")])
    predictions = world.predictions("dt.json", fields={"id": "stem"})
    assert join(predictions, world.references("gt.json")).ids == ("a",)


def test_annotation_of_an_unknown_picture(world: World) -> None:
    truth(world, [image(1)], [annotation(1), annotation(2)])
    assert message(lambda: world.references("gt.json")) == (
        "gt.json: annotations[1]: image_id 2 is no id of 'images'; add the picture or drop the annotation"
    )


def test_annotation_of_an_unknown_category(world: World) -> None:
    truth(world, [image(1)], [annotation(1, 4)])
    assert message(lambda: world.references("gt.json")) == (
        "gt.json: annotations[0]: category_id 4 is no id of 'categories'; add its name"
    )


def test_result_of_an_unknown_category(world: World) -> None:
    truth(world, [image(1)], [annotation(1)])
    world.write_json("dt.json", [result(1), result(1, category_id=0)])
    dataset = join(world.predictions("dt.json"), world.references("gt.json"))
    assert message(lambda: dataset.predictions.boxes) == (
        "dt.json: [1]: the class code 0 is not among those of gt.json (1 to 90); "
        "where codes count from 0 here and from 1 there, declare labels_map: one-based under references, "
        "or coco-91 for COCO's 91 ids"
    )


def test_two_categories_of_one_name(world: World) -> None:
    world.write_json(
        "gt.json", {"images": [], "annotations": [], "categories": [*CATEGORIES, {"id": 3, "name": "cat"}]}
    )
    assert message(lambda: world.references("gt.json")) == (
        "gt.json: categories[2]: the name 'cat' is already that of category 1; rename one"
    )


@pytest.mark.parametrize(
    ("bbox", "expected"),
    [
        ([1, 2, 3], "dt.json: $[1].bbox: expected array of length 4"),
        ([1, 2, 3, 4, 5], "dt.json: $[1].bbox: expected array of length 4"),
        ([1, 2, 3, "4"], "dt.json: $[1].bbox[3]: expected float, got str"),
        (None, "dt.json: $[1].bbox: expected array, got null"),
    ],
)
def test_wrong_type_inside_names_the_path(world: World, bbox: object, expected: str) -> None:
    world.write_json("dt.json", [result(1), result(1, bbox=bbox)])
    assert message(lambda: world.predictions("dt.json")) == expected


def test_broken_document_names_line_and_column(world: World) -> None:
    world.write("dt.json", '[\n {"image_id": 1,\n  "bbox": [0 0, 1, 1]}]')
    assert message(lambda: world.predictions("dt.json")) == (
        "dt.json:3:14: this is not JSON: expected ',' or ']'; correct it, or write the file again"
    )


def test_bare_infinity_names_line_and_column(world: World) -> None:
    world.write("dt.json", '[{"image_id": 1, "category_id": 1,\n "bbox": [0, 0, 1, 1], "score": -Infinity}]')
    assert message(lambda: world.predictions("dt.json")) == (
        "dt.json:2:33: -Infinity is no JSON number; write null or leave the value out"
    )


def test_attributes_come_from_further_fields_of_the_pictures(world: World) -> None:
    truth(world, [image(1, lighting="night", meta={"iso": 800}), image(2, lighting="day")], [])
    table = world.references("gt.json")
    assert table.attribute("lighting") == ("night", "day")
    assert table.attribute("meta.iso") == ("800", None)
    assert table.attribute("weather") is None
    assert set(table.field_names()) == {"id", "file_name", "width", "height", "lighting", "meta.iso"}


def test_results_of_several_files_are_one_side(world: World) -> None:
    paths = tuple(
        world.write_json(f"dt{i}.json", [result(i), result(i, bbox=[1])] if i else [result(9)]) for i in (0, 1)
    )
    source = Source("predictions", "dt*.json", paths, (world.root,), format="coco")
    assert message(lambda: load(source, READERS)) == "dt1.json: $[1].bbox: expected array of length 4"
    world.write_json("dt1.json", [result(1)])
    table = load(source, READERS)
    assert table.keys == {"id": ("9", "1")}
    assert [table.places(i) for i in range(2)] == ["dt0.json: [0]", "dt1.json: [0]"]


@pytest.mark.real_data
def test_published_coco_pair_joins() -> None:
    folder = real_data("coco-fakebbox100")
    world = World(folder)
    dataset = join(
        world.predictions("instances_val2014_fakebbox100_results.json"), world.references("instances_val2014_100.json")
    )
    truth = json.loads((folder / "instances_val2014_100.json").read_text())
    results = json.loads((folder / "instances_val2014_fakebbox100_results.json").read_text())
    assert len(dataset) == len(truth["images"])
    names = {category["id"]: category["name"] for category in truth["categories"]}
    for side, expected in ((dataset.references, truth["annotations"]), (dataset.predictions, results)):
        boxes = side.boxes
        assert len(boxes.xyxy) == len(expected)
        found = zip(boxes.sample, boxes.xyxy, boxes.label, strict=True)
        got = sorted((dataset.ids[i], boxes.vocabulary[label], *np.round(xyxy, 6)) for i, xyxy, label in found)
        want = sorted(
            (str(one["image_id"]), names[one["category_id"]], *np.round([x, y, x + w, y + h], 6))
            for one in expected
            for x, y, w, h in (one["bbox"],)
        )
        assert got == want
    assert dataset.references.boxes.crowd.sum() == sum(one["iscrowd"] for one in truth["annotations"])


@pytest.mark.parametrize("second", [1, "1"])
def test_picture_id_that_stands_twice(world: World, second: int | str) -> None:
    truth(world, [image(1), image(2), image(second, file_name="b.jpg")], [annotation(1)])
    assert message(lambda: world.references("gt.json")) == (
        "gt.json: images[2]: the id 1 is already that of images[0]; give every picture its own"
    )
