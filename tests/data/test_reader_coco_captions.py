from __future__ import annotations

import json
from pathlib import Path

import pytest

from data.world import READERS, World, message
from pytest_vigate.data.files import HEAD
from pytest_vigate.data.joining import join
from pytest_vigate.data.readers import load
from pytest_vigate.data.tables import Source
from worlds import real_data


def image(identifier: int | str, **more: object) -> dict[str, object]:
    return {"id": identifier, "file_name": f"shots/{identifier}.jpg", "width": 640, "height": 480, **more}


def caption(image_id: int | str, text: object, **more: object) -> dict[str, object]:
    return {"image_id": image_id, "id": 0, "caption": text, **more}


def truth(world: World, *annotations: object, **more: object) -> None:
    world.write_json("gt.json", {**more, "annotations": annotations})


def test_captions_of_a_picture_are_all_accepted(world: World) -> None:
    truth(
        world,
        caption(3, "a red car"),
        caption("7", "two dogs"),
        caption(3, "a parked car"),
        caption(3, "a red car"),
        images=[image("7"), image(3)],
    )
    world.write_json("dt.json", [{"image_id": "3", "caption": "a car"}, {"image_id": 7, "caption": ""}])
    predictions, references = world.predictions("dt.json"), world.references("gt.json")
    assert predictions.source.format == references.source.format == "coco-captions"
    dataset = join(predictions, references)
    assert dataset.ids == ("7", "3")
    assert dataset.references.texts == (("two dogs",), ("a red car", "a parked car", "a red car"))
    assert dataset.predictions.texts == (("",), ("a car",))
    assert dataset.predictions.parts == {"replies", "texts", "documents"}
    assert dataset.references.parts == {"texts", "documents"}


def test_pictures_need_not_be_listed(world: World) -> None:
    truth(world, caption(3, "a red car"), caption(7, "two dogs"), caption(3, "a parked car"))
    table = world.references("gt.json")
    assert table.keys == {"id": ("3", "7")}
    assert [table.places(i) for i in range(2)] == ["gt.json: annotations[0]", "gt.json: annotations[1]"]
    assert table.attribute("light") is None
    assert table.field_names() == ()


def test_pictures_are_named_by_id_file_and_stem(world: World) -> None:
    truth(world, caption(7, "two dogs"), images=[image(7, light="night")])
    world.write_json("dt.json", [{"image_id": "7", "caption": "dogs", "beams": 5}])
    references = world.references("gt.json")
    assert references.keys == {"id": ("7",), "image": ("shots/7.jpg",), "stem": ("7",)}
    predictions = world.predictions("dt.json", fields={"id": "stem"})
    assert predictions.keys == {"stem": ("7",)}
    assert join(predictions, references, attributes=("light", "beams")).attributes == {
        "light": ("night",),
        "beams": ("5",),
    }
    assert message(lambda: world.predictions("dt.json", fields={"id": "picture"})) == (
        "dt.json: fields: results are named by image_id; id may be image_id, image or stem"
    )


def test_null_and_missing_captions_of_the_model_are_no_answers(world: World) -> None:
    truth(world, caption(1, "a"), caption(2, "b"), caption(3, "c"))
    world.write_json("dt.json", [{"image_id": 1, "caption": None}, {"image_id": 3, "caption": "c"}])
    side = join(world.predictions("dt.json"), world.references("gt.json")).predictions
    assert side.texts == (("",), ("",), ("c",))
    assert side.present.tolist() == [True, False, True]
    assert side.answered.tolist() == [False, False, True]
    assert side.failures == {}


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([{"image_id": 1}], "dt.json: $[1]: the field 'caption' is missing"),
        ([{"caption": "a"}], "dt.json: $[1]: the field 'image_id' is missing"),
        ([{"image_id": 1, "caption": 2}], "dt.json: $[1].caption: expected str | null, got int"),
        ([{"image_id": 1, "caption": ["a"]}], "dt.json: $[1].caption: expected str | null, got array"),
        (
            [{"image_id": "9", "caption": "b"}],
            "dt.json: [1]: the image_id '9' is already that of dt.json: [0]; keep the one that is meant",
        ),
    ],
)
def test_results_that_cannot_be_read_are_named(world: World, results: list[object], expected: str) -> None:
    world.write_json("dt.json", [{"image_id": 9, "caption": "a"}, *results])
    assert message(lambda: world.predictions("dt.json")) == expected


@pytest.mark.parametrize(
    ("annotations", "images", "expected"),
    [
        ([{"image_id": 1}], None, "gt.json: $.annotations[1]: the field 'caption' is missing"),
        ([caption(1, 2)], None, "gt.json: $.annotations[1].caption: expected str, got int"),
        ([caption(1, None)], None, "gt.json: $.annotations[1].caption: expected str, got null"),
        ([caption(1, " \n")], None, "gt.json: annotations[1]: the caption is empty; write it, or drop the annotation"),
        (
            [caption(2, "b")],
            [image(9)],
            "gt.json: annotations[1]: image_id 2 is no id of 'images'; add the picture or drop the annotation",
        ),
        (
            [],
            [image(9), image(2)],
            "gt.json: images[1]: the picture has no caption; annotate it, or drop the picture",
        ),
        (
            [],
            [image(9), image("9")],
            "gt.json: images[1]: the id '9' is already that of gt.json: images[0]; keep the one that is meant",
        ),
    ],
)
def test_annotations_that_cannot_be_read_are_named(
    world: World, annotations: list[object], images: list[object] | None, expected: str
) -> None:
    truth(world, caption(9, "a"), *annotations, **({} if images is None else {"images": images}))
    assert message(lambda: world.references("gt.json", format="coco-captions")) == expected


def test_annotations_are_one_file(world: World) -> None:
    truth(world, caption(1, "a"))
    paths = (world.root / "gt.json", world.root / "gt.json")
    source = Source("references", "*.json", paths, (world.root,), format="coco-captions")
    assert message(lambda: load(source, READERS)) == (
        "*.json: 2 files fit, but COCO annotations are one file; name one"
    )


def test_results_of_several_files_are_one_side(world: World) -> None:
    paths = tuple(world.write_json(f"dt{i}.json", [{"image_id": i, "caption": str(i)}]) for i in (0, 1))
    table = load(Source("predictions", "dt*.json", paths, (world.root,)), READERS)
    assert table.keys == {"id": ("0", "1")}
    assert table.replies == ("0", "1")
    assert [table.places(i) for i in range(2)] == ["dt0.json: [0]", "dt1.json: [0]"]


PICTURES = [image(i, license=1, url="https://example.org/picture.jpg") for i in range(1000)]
INFO = {"description": "COCO 2014 Dataset", "year": 2014}


@pytest.mark.parametrize(
    ("annotation", "behind", "expected"),
    [
        ({"image_id": 0, "id": 1, "caption": 'a "bbox": sign'}, {}, "coco-captions"),
        ({"image_id": 0, "id": 1, "caption": "a"}, {"licenses": [], "type": "captions"}, "coco-captions"),
        ({"image_id": 0, "category_id": 1, "bbox": [0, 0, 1, 1], "caption": "a"}, {}, "coco"),
        ({"image_id": 0, "category_id": 1, "bbox": [0, 0, 1, 1]}, {"categories": [{"id": 1, "name": "a"}]}, "coco"),
        ({"image_id": 0, "question_id": 1, "answers": []}, {}, "vqa2"),
    ],
)
def test_annotations_behind_megabytes_of_pictures_tell_the_format(
    world: World, annotation: object, behind: dict[str, object], expected: str
) -> None:
    # official files hold the pictures before the annotations
    content = {"info": INFO, "images": PICTURES, "licenses": [], "annotations": [annotation] * 1000, **behind}
    path = world.write_json("official.json", content)
    head = path.read_bytes()[:HEAD]
    assert b"annotations" not in head
    fitting = [reader.name for reader in READERS.values() if reader.sniff(path, "references", head)]
    assert fitting == [expected]


def test_annotations_before_megabytes_of_pictures_tell_the_format(world: World) -> None:
    pictures = [{**picture, "caption": "nothing"} for picture in PICTURES]
    annotations = [{"image_id": i, "id": i, "category_id": 1, "bbox": [0, 0, 1, 1]} for i in range(9)]
    path = world.write_json("gt.json", {"annotations": annotations, "images": pictures, "categories": []})
    assert path.stat().st_size > 2 * HEAD
    fitting = [reader.name for reader in READERS.values() if reader.sniff(path, "references", path.read_bytes()[:HEAD])]
    assert fitting == ["coco"]


def test_end_of_a_file_that_is_gone_tells_nothing(tmp_path: Path) -> None:
    head = b'{"images": ['
    fitting = [reader.name for reader in READERS.values() if reader.sniff(tmp_path / "gone.json", "references", head)]
    assert fitting == ["coco"]


@pytest.mark.real_data
def test_published_captions_join() -> None:
    folder = real_data("visionmetrics-captions")
    world = World(folder)
    predictions = world.predictions("image_caption_prediction.json")
    references = world.references("image_caption_gt.json")
    assert predictions.source.format == references.source.format == "coco-captions"
    dataset = join(predictions, references)
    truth = json.loads((folder / "image_caption_gt.json").read_text(encoding="utf-8"))["annotations"]
    results = json.loads((folder / "image_caption_prediction.json").read_text(encoding="utf-8"))
    answers = {result["image_id"]: result["caption"] for result in results}
    assert len(dataset) == 5000
    assert {len(accepted) for accepted in dataset.references.texts} == {5, 6}
    assert sum(map(len, dataset.references.texts)) == len(truth) == 25_010
    assert [texts[0] for texts in dataset.predictions.texts] == [answers[name] for name in dataset.ids]
    first = [one["caption"] for one in truth if one["image_id"] == dataset.ids[17]]
    assert list(dataset.references.texts[17]) == first
