from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.world import FORMATS, World, message, steps
from pytest_vigate.data.joining import join
from pytest_vigate.data.presets import BoxDeclaration
from pytest_vigate.data.presets.documents import VI
from pytest_vigate.data.readers.vi import find_answer
from pytest_vigate.data.replies import ParseFailure


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
    assert table.keys == {
        "question": ("a.jpg | find", "b.jpg | find"),
        "image": ("a.jpg", "b.jpg"),
        "stem": ("a", "b"),
    }
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
        f"declare format: one of {FORMATS}"
    )


def asked(identifier: int | str, image: str, *interactions: object) -> dict[str, object]:
    """A record of visual question answering."""
    contents = {"type": "Vqa", "interactions": list(interactions)}
    return {**reference(identifier, image, []), "contents": contents}


def turn(question: str, answer: object, order: int | None = None) -> dict[str, object]:
    return {"question": question, "answer": answer, **({} if order is None else {"order": order})}


def said(image: str | None, prompt: str | None, reply: object, **more: object) -> dict[str, object]:
    return {"image": image, "prompt": prompt, "raw_output": json.dumps(reply), **more}


def freeform(identifier: str, **contents: object) -> dict[str, object]:
    return {**reference(identifier, f"{identifier}.jpg", []), "contents": {"type": "Freeform", **contents}}


def test_one_interaction_a_record_keeps_its_names(world: World) -> None:
    world.write_lines("r.jsonl", asked("q1", "a.jpg", turn("How many?", "2")), asked(2, "b.jpg", turn("Why?", "So.")))
    table = world.references("r.jsonl")
    assert table.keys == {
        "id": ("q1", "2"),
        "question": ("a.jpg | How many?", "b.jpg | Why?"),
        "image": ("a.jpg", "b.jpg"),
        "stem": ("a", "b"),
    }
    assert table.attribute("question") == ("How many?", "Why?")
    assert table.places(1) == "r.jsonl:2"
    two, so = {"vqa": {"answer": "two"}}, {"vqa": {"answer": "so"}}
    for answers in (
        [said("a.jpg", None, two), said("b.jpg", None, so)],
        [said("a.jpg", "How many?", two), said("b.jpg", "Why?", so)],
        [said(None, None, so, id=2), said(None, None, two, id="q1")],
    ):
        world.write_lines("p.jsonl", *answers)
        dataset = join(world.predictions("p.jsonl"), table)
        assert dataset.references.texts == (("2",), ("So.",))
        assert dataset.predictions.texts == (("two",), ("so",))
        assert dataset.predictions.failures == {}


def test_interactions_of_a_picture_are_samples_in_their_order(world: World) -> None:
    world.write_lines(
        "r.jsonl",
        asked("q1", "a.jpg", turn("Which?", "red ones", 2), turn("How many?", "2", 1)),
        asked("q2", "b.jpg", turn("Why?", "so", 1)),
        {**asked("q3", "c.jpg"), "light": "day"},
    )
    world.write_lines(
        "p.jsonl",
        said("a.jpg", "Which? ", {"vqa": {"answer": "the red"}}),
        said("b.jpg", "Why?", {"vqa": {"answer": ""}}),
        said("a.jpg", "How many?", {"vqa": {"answer": "two"}}),
    )
    references = world.references("r.jsonl")
    assert references.keys["id"] == ("q1 | 1", "q1 | 2", "q2 | 1", "q3")
    assert "question" not in references.keys  # one record has none
    assert references.attribute("question") == ("How many?", "Which?", "Why?", None)
    assert references.attribute("light") == (None, None, None, "day")
    assert references.attribute("contents.type") == ("Vqa",) * 4
    assert [references.places(i) for i in range(4)] == [
        "r.jsonl:1: interactions[1]",
        "r.jsonl:1: interactions[0]",
        "r.jsonl:2: interactions[0]",
        "r.jsonl:3",
    ]
    assert references.derive_texts is not None
    assert references.derive_texts() == (("2",), ("red ones",), ("so",), ())
    world.write_lines(
        "r.jsonl",
        asked("q1", "a.jpg", turn("Which?", "red ones", 2), turn("How many?", "2", 1)),
        asked("q2", "b.jpg", turn("Why?", "so", 1)),
    )
    dataset = join(world.predictions("p.jsonl"), world.references("r.jsonl"))
    assert dataset.ids == ("a.jpg | How many?", "a.jpg | Which?", "b.jpg | Why?")
    assert dataset.predictions.texts == (("two",), ("the red",), ("",))
    assert dataset.references.texts == (("2",), ("red ones",), ("so",))


def test_interactions_without_order_stay_as_they_stand(world: World) -> None:
    world.write_lines("r.jsonl", asked("q", "a.jpg", turn("How many?", "2"), turn("Which?", "red")))
    assert world.references("r.jsonl").keys["id"] == ("q | 1", "q | 2")


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (
            {"interactions": [turn("?", 2)]},
            "$.contents.interactions[0].answer: expected str, got int",
        ),
        ({"interactions": [{"question": "?"}]}, "$.contents.interactions[0]: the field 'answer' is missing"),
        ({"interactions": "?"}, "$.contents.interactions: expected array, got str"),
        (
            {"interaction": []},
            "$.contents: the field 'interactions' is missing; did you mean 'interaction'?",
        ),
        ({}, "$.contents: the field 'interactions' is missing; write [] where there are no questions"),
        (
            {"interactions": [turn("?", "a", 1), turn("!", "b")]},
            "$.contents.interactions[1]: the field 'order' is missing; give it to all of them, or to none",
        ),
        (
            {"interactions": [turn("?", "a", 1), turn("!", "b", 2), turn(".", "c", 1)]},
            "$.contents.interactions[2].order: 1 is already that of [0]; give each its own",
        ),
    ],
)
def test_interactions_that_cannot_be_read_are_named(world: World, contents: dict[str, object], expected: str) -> None:
    good = asked("q", "a.jpg", turn("How many?", "2", 1))
    world.write_lines("r.jsonl", good, {**good, "contents": {"type": "Vqa", **contents}})
    assert message(lambda: world.references("r.jsonl")) == f"r.jsonl:2: {expected}"


def test_freeform_texts_are_captions(world: World) -> None:
    world.write_lines("r.jsonl", freeform("a", caption="a red car"), freeform("b", caption=None, text="two dogs"))
    world.write_lines("p.jsonl", said("b.jpg", "Describe.", {"freeform": {"caption": "dogs"}}))
    references = world.references("r.jsonl")
    assert references.derive_boxes is None
    dataset = join(world.predictions("p.jsonl"), references)
    assert dataset.references.texts == (("a red car",), ("two dogs",))
    assert dataset.predictions.texts == (("",), ("dogs",))
    assert dataset.predictions.answered.tolist() == [False, True]


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ({"text": {"any": 1}}, "$.contents.text: expected str, got object"),
        ({"caption": 7, "text": "a"}, "$.contents.caption: expected str, got int"),
        ({"story": "a"}, "the record has no reference text; write the answer that is due"),
        ({"caption": " "}, "a reference text is empty; write the answer that is due, or drop the record"),
    ],
)
def test_freeform_contents_without_a_text_are_named_once_it_is_asked_for(
    world: World, contents: dict[str, object], expected: str
) -> None:
    world.write_lines("r.jsonl", freeform("a", caption="a red car"), freeform("b", **contents))
    world.write_lines("p.jsonl", said("b.jpg", "Describe.", {"freeform": {"caption": "dogs"}}))
    dataset = join(world.predictions("p.jsonl"), world.references("r.jsonl"))
    assert len(dataset) == 2
    assert message(lambda: dataset.references.texts) == f"r.jsonl:2: {expected}"


def test_caption_of_grounded_phrases_is_no_reference(world: World) -> None:
    world.write_lines("r.jsonl", reference("a", "a.jpg", [[0, 0, 1, 1]]))
    assert world.references("r.jsonl").derive_texts is None
    world.write_lines("r.jsonl", freeform("b", caption="a car"), reference("a", "a.jpg", [[0, 0, 1, 1]]))
    world.write_lines("p.jsonl", prediction("a.jpg", reply(("a car", [[0, 0, 512, 512]]))))
    dataset = join(world.predictions("p.jsonl"), world.references("r.jsonl"))
    assert dataset.references.boxes.offsets.tolist() == [0, 0, 1]
    assert message(lambda: dataset.references.texts) == (
        "r.jsonl:2: PhraseGrounding holds boxes, and no text to compare with; take it out"
    )


def test_boxes_beside_several_interactions_stay_with_their_record(world: World) -> None:
    world.write_lines(
        "r.jsonl",
        asked("q", "q.jpg", turn("How many?", "2", 1), turn("Why?", "so", 2)),
        reference("a", "a.jpg", [[0, 0, 0.5, 0.5]]),
    )
    table = world.references("r.jsonl")
    assert table.derive_boxes is not None
    assert table.derive_boxes().sample.tolist() == [2]
    assert table.sizes.tolist() == [[640, 480]] * 3


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "the reply is empty"),
        (" \n", "the reply is empty"),
        ("two", "the reply is no JSON document, it begins with 'two'"),
        ('"two"', "there is no vqa.answer and no freeform.caption in the reply"),
        ("7", "there is no vqa.answer and no freeform.caption in the reply"),
        ("[]", "there is no vqa.answer and no freeform.caption in the reply"),
        ('{"answer": "two"}', "there is no vqa.answer and no freeform.caption in the reply"),
        ('{"vqa": "two"}', "there is no vqa.answer and no freeform.caption in the reply"),
        ('{"vqa": {"caption": "two"}}', "there is no vqa.answer and no freeform.caption in the reply"),
        (reply(("a car", [[0, 0, 1, 1]])), "there is no vqa.answer and no freeform.caption in the reply"),
        ('{"vqa": {"answer": 2}}', "vqa.answer is '2', where text is due"),
        ('{"freeform": {"caption": null}}', "freeform.caption is 'null', where text is due"),
        ('{"freeform": {"caption": ["a"]}}', "freeform.caption is '[\"a\"]', where text is due"),
        ('{"vqa": {"answer": "a"}, "freeform": {"caption": "b"}}', "there is both a vqa and a freeform in the reply"),
        ('{"vqa": {"answer": "a", "answer": "b"}}', "the key 'answer' is there twice in one object"),
        ('{"vqa": {"answer": "tw', "the JSON document is cut off"),
        ('{"vqa": {"answer": "two"}} indeed', "there is text around the JSON document"),
        ('{"vqa": {"answer": "a"}}\n{"vqa": {"answer": "b"}}', "there is more than one JSON document"),
        ('{"vqa": {answer: "two"}}', "the JSON is malformed at character 10"),
        ('{"vqa": {"answer": NaN}}', "the JSON is malformed at character 20"),
        ('{"vqa": {"answer": "\\ud83d"}}', "the answer holds half of a character"),
        (
            '```json\n{"vqa": {"answer": "two"}}\n```',
            'the reply is no JSON document, it begins with \'```json\\n{"vqa": {"a…\'',
        ),
        ("[" * 100_000, "the JSON is nested deeper than 256 levels at character 257"),
    ],
)
def test_reply_that_holds_no_answer_is_a_failure_with_a_cause(world: World, text: str, cause: str) -> None:
    world.write_lines("r.jsonl", asked("q", "a.jpg", turn("How many?", "2")))
    world.write_lines("p.jsonl", {"image": "a.jpg", "prompt": "How many?", "raw_output": text})
    side = join(world.predictions("p.jsonl"), world.references("r.jsonl")).predictions
    assert side.texts == (("",),)
    assert {i: str(failure) for i, failure in (side.failures or {}).items()} == {0: cause}


@pytest.mark.parametrize(
    "text",
    ['{"vqa": {"answer": "two"}}', ' {"vqa":{"answer":"two","sure":1},"more":[]}\n', '{"freeform":{"caption":"two"}}'],
)
def test_reply_that_holds_one_answer(text: str) -> None:
    assert find_answer(text) == "two"


@given(text=st.text())
def test_written_answers_read_back(text: str) -> None:
    assert find_answer(json.dumps({"vqa": {"answer": text}})) == text
    assert find_answer(json.dumps({"freeform": {"caption": text}}, ensure_ascii=False)) == text


@given(text=st.text(alphabet='{}[]":,vqanswer 1\\', max_size=60))
def test_any_reply_is_an_answer_or_a_failure(text: str) -> None:
    assert isinstance(find_answer(text), (str, ParseFailure))


def test_declared_rule_cleans_replies_before_their_answer_is_taken(world: World) -> None:
    # vi-sdk 0.1.0b7 takes the answer tag, thinking, the fence and the first document off, in this order
    raw = '<think>{"vqa": {"answer": "3"}}</think><answer>```json\n{"vqa": {"answer": "two"}}\n```</answer>'
    world.write_lines("r.jsonl", asked("q", "a.jpg", turn("How many?", "2")))
    world.write_lines("p.jsonl", {"image": "a.jpg", "prompt": "How many?", "raw_output": raw})
    for rule, expected in (("first-json", "two"), ("strict", ""), ("fenced", ""), ("answer-tag", "")):
        side = join(world.predictions("p.jsonl", replies=rule), world.references("r.jsonl")).predictions
        assert side.texts == ((expected,),)
        assert bool(side.failures) == (expected == "")
    world.write_lines("p.jsonl", {"image": "a.jpg", "prompt": "How many?", "raw_output": '{"vqa": {"answer": "two"}}'})
    side = join(world.predictions("p.jsonl", replies="answer-tag"), world.references("r.jsonl")).predictions
    assert [str(failure) for failure in (side.failures or {}).values()] == ["there is no <answer> tag"]


def test_prompt_may_have_another_name_and_other_contents(world: World) -> None:
    world.write_lines("r.jsonl", asked("q", "a.jpg", turn("How many?", "2", 1), turn("Why?", "so", 2)))
    world.write_lines(
        "p.jsonl",
        {"image": "a.jpg", "asked": "Why?", "prompt": [{"role": "user"}], "raw_output": '{"vqa": {"answer": "so"}}'},
    )
    dataset = join(world.predictions("p.jsonl", fields={"prompt": "asked"}), world.references("r.jsonl"))
    assert dataset.ids == ("a.jpg | How many?", "a.jpg | Why?")
    assert dataset.predictions.texts == (("",), ("so",))
    assert world.predictions("p.jsonl").keys == {"image": ("a.jpg",), "stem": ("a",)}


def test_work_grows_no_faster_than_the_interactions(world: World) -> None:
    def work(n: int) -> int:
        world.write_lines("r.jsonl", asked("q", "a.jpg", *(turn(str(i), "2", i) for i in range(n))))
        return steps(lambda: world.references("r.jsonl"))

    assert work(1_000) <= 11 * work(100) + 1_000
