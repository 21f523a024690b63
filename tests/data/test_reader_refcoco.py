from __future__ import annotations

import json

import pytest

from data.world import World, message
from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.joining import join
from pytest_vigate.data.presets import BoxDeclaration

SIZE = {"width": 640, "height": 480}


def expression(sent: str, box: list[float] | None, *, image: str = "a.jpg", **more: object) -> dict[str, object]:
    """A record as InternVL's re-exports of RefCOCO have them."""
    return {"image": image, "sent": sent, "bbox": box, **SIZE, **more}


def reply(sent: str, text: object, *, name: str = "raw_output", image: str = "a.jpg") -> dict[str, object]:
    return {"image": image, "sent": sent, name: text, **SIZE}


def truth(world: World) -> None:
    world.write_lines("r.jsonl", expression("left man", [0, 0, 64, 48]), expression("the dog", [64, 48, 320, 240]))


def test_an_expression_on_a_picture_is_a_sample(world: World) -> None:
    truth(world)
    world.write_lines("p.jsonl", expression("the dog", [60, 50, 300, 200]), expression("left man", None))
    predictions, references = world.predictions("p.jsonl"), world.references("r.jsonl")
    assert predictions.source.format == references.source.format == "refcoco"
    assert references.keys == {
        "id": ("a.jpg | left man", "a.jpg | the dog"),
        "image": ("a.jpg", "a.jpg"),
        "stem": ("a", "a"),
    }
    dataset = join(predictions, references, attributes=("sent",))
    assert dataset.attributes == {"sent": ("left man", "the dog")}
    boxes = dataset.references.boxes
    assert boxes.phrases
    assert boxes.vocabulary == ("left man", "the dog")
    assert boxes.xyxy.tolist() == [[0, 0, 64, 48], [64, 48, 320, 240]]
    assert dataset.predictions.present.tolist() == [True, True]
    assert dataset.predictions.boxes.offsets.tolist() == [0, 0, 1]
    assert dataset.predictions.boxes.xyxy.tolist() == [[60, 50, 300, 200]]


def test_boxes_of_another_convention_are_declared(world: World) -> None:
    world.write_lines("r.jsonl", expression("left man", [0, 0, 64, 48]))
    table = world.references("r.jsonl", boxes=Convention("xywh", 640))
    assert join(table, table).references.boxes.xyxy.tolist() == [[0, 0, 64, 36]]


@pytest.mark.parametrize("name", ["raw_output", "prediction", "text", "answer"])
def test_a_reply_is_the_answer_to_its_expression(world: World, name: str) -> None:
    truth(world)
    found = json.dumps([{"bbox_2d": [100, 100, 500, 500], "label": "dog"}])
    world.write_lines("p.jsonl", reply("left man", None, name=name), reply("the dog", found, name=name))
    predictions = world.predictions("p.jsonl", format="refcoco", declared=BoxDeclaration("qwen3-vl"))
    dataset = join(predictions, world.references("r.jsonl"))
    assert dataset.predictions.replies == (None, found)
    boxes = dataset.predictions.boxes
    assert boxes.xyxy.tolist() == [[64, 48, 320, 240]]
    assert [boxes.vocabulary[label] for label in boxes.label] == ["the dog"]


def test_reply_that_cannot_be_read_is_a_failure_of_its_expression(world: World) -> None:
    truth(world)
    found = json.dumps([{"bbox_2d": [100, 100, 500, 500], "label": "dog"}])
    world.write_lines("p.jsonl", reply("left man", "I see no man."), reply("the dog", found))
    predictions = world.predictions("p.jsonl", format="refcoco", declared=BoxDeclaration("qwen3-vl"))
    assert list(join(predictions, world.references("r.jsonl")).predictions.failures or ()) == [0]


@pytest.mark.parametrize("name", ["raw_output", "prediction", "text", "answer"])
def test_box_beside_a_reply_is_no_answer_unless_declared(world: World, name: str) -> None:
    truth(world)
    answers = [{**reply("left man", "I see no man.", name=name), "bbox": [0, 0, 64, 48]}]
    world.write_lines("p.jsonl", *answers)
    for declared in (None, BoxDeclaration("qwen3-vl")):
        dataset = join(world.predictions("p.jsonl", format="refcoco", declared=declared), world.references("r.jsonl"))
        side = dataset.predictions
        assert message(lambda side=side: side.boxes) == (  # type: ignore[misc]  # mypy knows no type of a default
            f"p.jsonl: the records have boxes (bbox) and replies ({name}), and nothing says which are the model's "
            f"answer; declare fields: {{box: bbox}} or fields: {{text: {name}}}"
        )


def test_declared_side_of_a_record_is_the_answer(world: World) -> None:
    truth(world)
    found = json.dumps([{"bbox_2d": [100, 100, 500, 500]}])
    world.write_lines("p.jsonl", {**reply("the dog", found), "bbox": [0, 0, 9, 9]})

    def boxes(**declared: object) -> list[list[float]]:
        predictions = world.predictions("p.jsonl", format="refcoco", **declared)
        xyxy: list[list[float]] = join(predictions, world.references("r.jsonl")).predictions.boxes.xyxy.tolist()
        return xyxy

    assert boxes(fields={"box": "bbox"}) == [[0, 0, 9, 9]]
    assert boxes(fields={"box": "bbox", "text": "raw_output"}) == [[0, 0, 9, 9]]
    assert boxes(fields={"text": "raw_output"}, declared=BoxDeclaration("qwen3-vl")) == [[64, 48, 320, 240]]


def test_first_box_of_a_reply_is_its_answer(world: World) -> None:
    truth(world)
    spray = [{"bbox_2d": [0, 0, 999, 999]}, {"bbox_2d": [100, 100, 500, 500]}]
    world.write_lines("p.jsonl", reply("the dog", json.dumps(spray)), reply("left man", json.dumps(spray[1:])))
    predictions = world.predictions("p.jsonl", format="refcoco", declared=BoxDeclaration("qwen3-vl"))
    boxes = join(predictions, world.references("r.jsonl")).predictions.boxes
    assert boxes.xyxy.tolist() == [[64, 48, 320, 240], [0, 0, 639.36, 479.52]]
    assert boxes.offsets.tolist() == [0, 1, 2]


def test_replies_need_a_declared_preset(world: World) -> None:
    truth(world)
    world.write_lines("p.jsonl", reply("left man", "(0,0),(9,9)"))
    side = join(world.predictions("p.jsonl", format="refcoco"), world.references("r.jsonl")).predictions
    assert side.parts == {"replies", "texts", "documents"}


def test_expression_that_stands_twice_takes_more_fields_for_its_id(world: World) -> None:
    world.write_lines("r.jsonl", expression("man", [0, 0, 9, 9], ref=1), expression("man", [9, 9, 19, 19], ref=2))
    table = world.references("r.jsonl")
    assert message(lambda: join(table, table)) == (
        "r.jsonl:2: the id 'a.jpg | man' is already that of r.jsonl:1; keep the one that is meant, "
        "or give each an id of its own"
    )
    table = world.references("r.jsonl", fields={"id": ("image", "sent", "ref")})
    assert join(table, table).ids == ("a.jpg | man | 1", "a.jpg | man | 2")


def test_fields_may_have_other_names(world: World) -> None:
    world.write_lines("r.jsonl", {"file": "a.jpg", "caption": "left man", "box": [0, 0, 9, 9]})
    fields = {"image": "file", "label": "caption", "box": "box"}
    table = world.references("r.jsonl", format="refcoco", fields=fields)
    assert table.keys["id"] == ("a.jpg | left man",)
    assert join(table, table).references.boxes.vocabulary == ("left man",)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {"image": "a.jpg", "bbox": [0, 0, 9, 9]},
            "r.jsonl:2: the record has no field 'sent', which its id is made of; its fields are image, bbox",
        ),
        ({"image": 7, "sent": "x", "bbox": [0, 0, 9, 9]}, "r.jsonl:2: $.image: expected str, got int"),
        (
            {"image": "a.jpg", "sent": "x", "bbox": [0, 0, 9]},
            "r.jsonl:2: $.bbox: expected array of length 4, got 3",
        ),
        (
            {"image": "a.jpg", "sent": "x"},
            "r.jsonl:2: the field $.bbox is missing; write null where there is no box",
        ),
    ],
)
def test_records_that_cannot_be_read_are_named(world: World, record: dict[str, object], expected: str) -> None:
    world.write_lines("r.jsonl", expression("left man", [0, 0, 64, 48]), record)

    def boxes() -> object:
        table = world.references("r.jsonl")
        return join(table, table).references.boxes

    assert message(boxes) == expected


def test_field_that_the_format_does_not_have(world: World) -> None:
    truth(world)
    assert message(lambda: world.references("r.jsonl", fields={"boxs": "bbox"})) == (
        "r.jsonl: fields: format 'refcoco' has no field 'boxs' to rename; did you mean 'box'?"
    )


def test_rows_of_hugging_face_through_jsonl(world: World) -> None:
    # lmms-lab/RefCOCO: a row a region with several expressions; bbox is [x, y, width, height] in pixels
    world.write_lines(
        "r.jsonl",
        {"question_id": 17, "image": "a.jpg", "answer": ["left man", "man in red"], "bbox": [10.5, 20, 30, 40]},
    )
    world.write_lines("p.jsonl", {"question_id": "17", "box": [10, 20, 40, 60]})
    references = world.references(
        "r.jsonl", format="jsonl", fields={"id": "question_id", "box": "bbox"}, boxes=Convention("xywh", "pixels")
    )
    predictions = world.predictions(
        "p.jsonl", format="jsonl", fields={"id": "question_id"}, boxes=Convention("xyxy", "pixels")
    )
    dataset = join(predictions, references)
    assert dataset.ids == ("17",)
    assert dataset.references.boxes.xyxy.tolist() == [[10.5, 20, 40.5, 60]]
