from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.world import World, message
from pytest_vigate.data.joining import join
from pytest_vigate.data.presets import BoxDeclaration
from pytest_vigate.data.presets.documents import VI


def reply(*phrases: tuple[str, list[list[float]]]) -> str:
    groundings = [{"phrase": phrase, "grounding": boxes} for phrase, boxes in phrases]
    return json.dumps({"phrase_grounding": {"sentence": "…", "groundings": groundings}})


def prediction(image: str, raw_output: str | None, **more: object) -> dict[str, object]:
    return {"image": image, "width": 640, "height": 480, "prompt": "find", "raw_output": raw_output, **more}


def reference(identifier: int | str, image: str, bounds: list[object], **more: object) -> dict[str, object]:
    phrases = [{"phrase": "a car", "startTokenIndex": 0, "endTokenIndex": 2, "bounds": bounds}] if bounds else []
    return {
        "id": identifier,
        "asset": {"type": "Image", "filename": image, "width": 640, "height": 480},
        "contents": {"type": "PhraseGrounding", "caption": "a car", "groundedPhrases": phrases},
        **more,
    }


def test_replies_give_boxes_in_pixels(world: World) -> None:
    world.write_lines(
        "p.jsonl",
        prediction("a.jpg", reply(("a car", [[0, 0, 512, 512]]), ("a bus", [[512, 0, 1024, 1024], [0, 0, 256, 256]]))),
        prediction("b.jpg", reply()),
    )
    table = world.predictions("p.jsonl")
    assert table.keys == {"image": ("a.jpg", "b.jpg"), "stem": ("a", "b")}
    boxes = join(table, None).predictions.boxes
    assert boxes.xyxy.tolist() == [[0, 0, 320, 240], [320, 0, 640, 480], [0, 0, 160, 120]]
    assert [boxes.vocabulary[label] for label in boxes.label] == ["a car", "a bus", "a bus"]
    assert boxes.offsets.tolist() == [0, 3, 3]
    assert boxes.area.tolist() == [320 * 240, 320 * 480, 160 * 120]
    assert np.isnan(boxes.score).all()
    assert boxes.phrases


@pytest.mark.parametrize(
    "raw_output",
    ["no idea", "```json\n{}\n```", '{"vqa": {"answer": "two"}}', '{"phrase_grounding": {}}', "[1]", "", None],
)
def test_reply_without_boxes_to_read_is_kept_and_has_none(world: World, raw_output: str | None) -> None:
    world.write_lines("p.jsonl", prediction("a.jpg", raw_output), prediction("b.jpg", reply()))
    side = join(world.predictions("p.jsonl"), None).predictions
    assert side.replies == (raw_output, reply())
    assert side.present.tolist() == [True, True]
    assert side.boxes.offsets.tolist() == [0, 0, 0]
    assert side.failures is not None
    assert side.failures.keys() == (set() if raw_output is None else {0})


def test_reply_that_is_cut_off_keeps_its_whole_phrases(world: World) -> None:
    whole = reply(("a car", [[0, 0, 512, 512]]), ("a bus", [[512, 0, 1024, 1024]]))
    world.write_lines("p.jsonl", prediction("a.jpg", whole[:-20]))
    side = join(world.predictions("p.jsonl"), None).predictions
    assert side.boxes.xyxy.tolist() == [[0, 0, 320, 240]]
    assert {i: str(failure) for i, failure in (side.failures or {}).items()} == {0: "the JSON document is cut off"}


def test_replies_in_another_dialect_are_read_by_its_preset(world: World) -> None:
    world.write_lines("p.jsonl", prediction("a.jpg", '[{"bbox_2d": [0, 0, 500, 500], "label": "a car"}]'))
    table = world.predictions("p.jsonl", declared=BoxDeclaration("qwen3-vl"))
    assert table.source.format == "vi"
    assert join(table, None).predictions.boxes.xyxy.tolist() == [[0, 0, 320, 240]]


def test_declared_convention_alone_reads_replies_in_any_form(world: World) -> None:
    world.write_lines(
        "p.jsonl", prediction("a.jpg", reply(("a car", [[0, 0, 0.5, 0.5]]))), prediction("b.jpg", "At [0, 0, 0.5, 1].")
    )
    side = join(world.predictions("p.jsonl", declared=BoxDeclaration(order="xyxy", space=1.0)), None).predictions
    assert side.boxes.xyxy.tolist() == [[0, 0, 320, 240], [0, 0, 320, 480]]
    assert side.boxes.vocabulary == ("a car", "")
    side = join(world.predictions("p.jsonl", declared=BoxDeclaration("vi", space=1.0)), None).predictions
    assert side.boxes.xyxy.tolist() == [[0, 0, 320, 240]]


def test_declared_reply_rule_finds_the_boxes(world: World) -> None:
    raw = f"<think>hm</think>```json\n{reply(('a car', [[0, 0, 512, 512]]))}\n```"
    world.write_lines("p.jsonl", prediction("a.jpg", raw))
    side = join(world.predictions("p.jsonl", replies="first-json"), None).predictions
    assert len(side.boxes.xyxy) == 1


def test_references_give_boxes_of_both_shapes(world: World) -> None:
    polygon = [[0.5, 0.25], [0.75, 0.5], [0.5, 0.75], [0.25, 0.5]]
    world.write_lines("r.jsonl", reference("ann_1", "a.jpg", [[0, 0, 0.5, 0.5], polygon]), reference(2, "b.jpg", []))
    world.write_lines("p.jsonl", prediction("b.jpg", reply()), prediction("a.jpg", reply()))
    table = world.references("r.jsonl")
    assert table.keys == {"id": ("ann_1", "2"), "image": ("a.jpg", "b.jpg"), "stem": ("a", "b")}
    boxes = join(world.predictions("p.jsonl"), table).references.boxes
    assert boxes.xyxy.tolist() == [[0, 0, 320, 240], [160, 120, 480, 360]]
    assert boxes.offsets.tolist() == [0, 2, 2]
    assert boxes.phrases


def test_bound_of_another_shape_names_its_path(world: World) -> None:
    world.write_lines("r.jsonl", reference(1, "a.jpg", [[0, 0, 1, 1], [[0, 0], [1, 1]]]))
    assert message(world.references("r.jsonl").derive_boxes or pytest.fail) == (
        "r.jsonl:1: $.contents.groundedPhrases[0].bounds[1]: "
        "expected [x1, y1, x2, y2] or four points [x, y]; correct the record"
    )


def test_wrong_type_in_a_bound_names_its_path(world: World) -> None:
    world.write_lines("r.jsonl", reference(1, "a.jpg", [[0, 0, 1, "1"]]))
    assert message(world.references("r.jsonl").derive_boxes or pytest.fail) == (
        "r.jsonl:1: $.contents.groundedPhrases[0].bounds[0][3]: expected float | array, got str"
    )


def test_other_contents_are_samples_without_boxes(world: World) -> None:
    vqa = {
        **reference("q", "q.jpg", []),
        "contents": {"type": "Vqa", "interactions": [{"question": "?", "answer": "2"}]},
    }
    world.write_lines("r.jsonl", vqa, reference("a", "a.jpg", [[0, 0, 1, 1]]))
    world.write_lines("vqa.jsonl", vqa)
    table = world.references("r.jsonl")
    assert table.derive_boxes is not None
    assert table.derive_boxes().sample.tolist() == [1]
    assert world.references("vqa.jsonl").derive_boxes is None


def test_fields_rename_and_make_ids(world: World) -> None:
    world.write_lines(
        "p.jsonl",
        {"file": "a.jpg", "prompt": "car?", "answer": "yes"},
        {"file": "a.jpg", "prompt": "bus?", "answer": "no"},
    )
    fields = {"id": ("file", "prompt"), "image": "file", "raw_output": "answer"}
    table = world.predictions("p.jsonl", format="vi", fields=fields)
    assert table.keys["id"] == ("a.jpg | car?", "a.jpg | bus?")
    assert table.replies == ("yes", "no")


def test_declared_id_without_its_field_names_the_record(world: World) -> None:
    world.write_lines("p.jsonl", prediction("a.jpg", "x"))
    assert message(lambda: world.predictions("p.jsonl", fields={"id": ("image", "promt")})) == (
        "p.jsonl:1: the record has no field 'promt', which its id is made of; did you mean 'prompt'?"
    )


def test_unknown_name_under_fields_suggests_the_nearest(world: World) -> None:
    world.write_lines("p.jsonl", prediction("a.jpg", "x"))
    assert message(lambda: world.predictions("p.jsonl", fields={"raw_outputs": "raw"})) == (
        "p.jsonl: fields: format 'vi' has no field 'raw_outputs' to rename; did you mean 'raw_output'?"
    )


def test_record_without_id_and_image(world: World) -> None:
    world.write_lines("p.jsonl", prediction("a.jpg", "x"), {"raw_output": "x"})
    assert message(lambda: world.predictions("p.jsonl")) == (
        "p.jsonl:2: the record has neither 'id' nor 'image'; name its field under 'fields'"
    )


@pytest.mark.parametrize(
    ("third", "expected"),
    [
        (
            '{"image": "c.jpg" "raw_output": "x"}',
            "p.jsonl:3:19: this is not JSON: expected ',' or '}'; correct it, or write the file again",
        ),
        (
            '{"image": "ü.jpg" "raw_output": "x"}',
            "p.jsonl:3:19: this is not JSON: expected ',' or '}'; correct it, or write the file again",
        ),
        (
            '{"image": "c.jpg", "raw_o',
            "p.jsonl:3:26: this is not JSON: the text ends before the JSON does; correct it, or write the file again",
        ),
        (
            '{"image": "c.jpg", "width": NaN, "raw_output": "x"}',
            "p.jsonl:3:29: NaN is no JSON number; write null or leave the value out",
        ),
        (
            '{"image": "c.jpg", "width": "wide", "raw_output": "x"}',
            "p.jsonl:3: $.width: expected float | null, got str",
        ),
        ('{"image": "c.jpg"}', "p.jsonl:3: $: the field 'raw_output' is missing"),
        (
            '{"image": "c.jpg", "x": ' + "[" * 100_000,
            "p.jsonl:3: the JSON is nested too deeply to be a record; write it flatter",
        ),
    ],
)
def test_broken_third_line_is_named(world: World, third: str, expected: str) -> None:
    good = json.dumps(prediction("a.jpg", "x"))
    world.write("p.jsonl", f"{good}\n\n{third}\n")
    assert message(lambda: world.predictions("p.jsonl", format="vi")) == expected


def test_attributes_are_read_from_further_fields(world: World) -> None:
    world.write_lines(
        "r.jsonl",
        reference(1, "a.jpg", [[0, 0, 1, 1]], lighting="night", camera={"id": 7}, wet=True),
        reference(2, "b.jpg", [[0, 0, 1, 1]], exposure=0.1),
    )
    table = world.references("r.jsonl")
    assert table.attribute("lighting") == ("night", None)
    assert table.attribute("camera.id") == ("7", None)
    assert table.attribute("wet") == ("true", None)
    assert table.attribute("exposure") == (None, "0.1")
    assert table.attribute("asset.filename") == ("a.jpg", "b.jpg")
    assert table.attribute("weather") is None
    assert message(lambda: table.attribute("camera")) == (
        "r.jsonl:1: $.camera: an object, where text or a number is due; name a field inside it, with a dot"
    )


corner = st.integers(0, 1024)


@given(
    phrases=st.lists(
        st.tuples(st.text(), st.lists(st.tuples(corner, corner, corner, corner).map(list), max_size=3)), max_size=3
    )
)
def test_written_replies_read_back(phrases: list[tuple[str, list[list[float]]]]) -> None:
    found = VI.read(reply(*phrases))
    assert found.failure is None
    assert [(label, list(numbers)) for label, numbers, _ in found.boxes] == [
        (phrase, box) for phrase, boxes in phrases for box in boxes
    ]


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (
            {"type": "phraseGrounding", "groundedPhrases": []},
            "$.contents.type: 'phraseGrounding' is no type of contents; did you mean 'PhraseGrounding'?",
        ),
        (
            {"type": "Boxes"},
            "$.contents.type: 'Boxes' is no type of contents; the types are PhraseGrounding, Vqa, Freeform",
        ),
        (
            {"type": "PhraseGrounding", "groundedPhrase": []},
            "$.contents: the field 'groundedPhrases' is missing; did you mean 'groundedPhrase'?",
        ),
        (
            {"type": "PhraseGrounding", "caption": "a car"},
            "$.contents: the field 'groundedPhrases' is missing; write [] where there are no boxes",
        ),
    ],
)
def test_contents_that_hide_their_boxes_are_refused(world: World, contents: dict[str, object], expected: str) -> None:
    world.write_lines(
        "r.jsonl", reference(1, "a.jpg", [[0, 0, 1, 1]]), {**reference(2, "b.jpg", []), "contents": contents}
    )
    assert message(lambda: world.references("r.jsonl")) == f"r.jsonl:2: {expected}"


def test_freeform_contents_of_any_shape_are_samples_without_boxes(world: World) -> None:
    world.write_lines("r.jsonl", {**reference(1, "a.jpg", []), "contents": {"type": "Freeform", "text": {"any": 1}}})
    assert world.references("r.jsonl").derive_boxes is None


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("raw_output", '{"image": "b.jpg", "raw_output": "x", "raw_output": "y"}'),
        ("raw_output", '{"image": "b.jpg", "raw_output": "x", "raw_\\u006futput": "y"}'),
        ("a", '{"image": "b.jpg", "raw_output": "x", "more": [{"a": 1, "b": {}, "a": 1}]}'),
    ],
)
def test_key_that_stands_twice_in_a_record(world: World, key: str, line: str) -> None:
    world.write("p.jsonl", f"{json.dumps(prediction('a.jpg', 'x'))}\n{line}\n")
    assert message(lambda: world.predictions("p.jsonl")) == (
        f"p.jsonl:2: the key {key!r} is there twice in one object; keep the one that is meant"
    )


def test_first_record_may_be_long(world: World) -> None:
    world.write_lines("p.jsonl", prediction("a.jpg", "x" * 100_000), prediction("b.jpg", "x"))
    assert world.predictions("p.jsonl").source.format == "vi"


def test_record_that_is_too_long_for_its_format_to_be_found(world: World) -> None:
    world.write_lines("p.jsonl", prediction("a.jpg", "x" * 9_000_000))
    assert message(lambda: world.predictions("p.jsonl")) == (
        "p.jsonl: the first record is longer than 8 MiB, too long to tell the format by; "
        "declare format: one of coco, csv, jsonl, refcoco, ultralytics, vi, voc, yolo"
    )
