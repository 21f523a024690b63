"""Boxes out of replies: from the records of every format onto the pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest

from data.world import World, message
from pytest_vigate.data.coordinates import Convention, Resize
from pytest_vigate.data.dataset import Side
from pytest_vigate.data.joining import join
from pytest_vigate.data.presets import BoxDeclaration
from pytest_vigate.data.tables import Table

QWEN3 = BoxDeclaration("qwen3-vl")
QWEN25 = BoxDeclaration("qwen2.5-vl")


def reply(*boxes: tuple[str, list[float]]) -> str:
    return json.dumps([{"bbox_2d": numbers, "label": label} for label, numbers in boxes])


def record(identifier: int, text: object, **more: object) -> dict[str, object]:
    return {"id": identifier, "width": 640, "height": 480, "raw_output": text, **more}


def replies(world: World, *records: Mapping[str, object], declared: BoxDeclaration = QWEN3, **options: object) -> Table:
    world.write_lines("p.jsonl", *records)
    return world.predictions("p.jsonl", format="jsonl", declared=declared, **options)


def side(table: Table) -> Side:
    return join(table, None).predictions


def causes(found: Side) -> dict[int, str]:
    return {i: str(failure) for i, failure in (found.failures or {}).items()}


GOOD = record(1, reply(("cat", [0, 0, 500, 500])))


def test_malformed_replies_keep_their_whole_boxes_and_are_told(world: World) -> None:
    cut_off = reply(("cat", [0, 0, 500, 500]), ("dog", [0, 0, 1, 1]))[:-20]
    found = side(replies(world, GOOD, record(2, cut_off), record(3, "none"), record(4, "[]"), record(5, None)))
    assert found.boxes.xyxy.tolist() == [[0, 0, 320, 240]] * 2
    assert found.boxes.offsets.tolist() == [0, 1, 2, 2, 2, 2]
    assert causes(found) == {1: "the JSON document is cut off", 2: "there is no box in the reply"}


def test_failures_follow_the_order_of_the_references(world: World) -> None:
    table = replies(world, record(1, "none"), record(2, "cut"), record(3, "[]"))
    world.write_lines("r.jsonl", *({"id": i, "boxes": []} for i in (3, 2)))
    references = world.references("r.jsonl", boxes=Convention("xyxy", 1.0))
    found = join(table, references, extra="ignore").predictions
    assert causes(found) == {1: "there is no box in the reply"}


def test_failures_need_no_box_on_its_picture(world: World) -> None:
    found = side(replies(world, record(1, reply(("cat", [0, 0, 1200, 500]))), record(2, "none")))
    assert causes(found) == {1: "there is no box in the reply"}
    assert message(lambda: found.boxes) == (
        "p.jsonl:1: 1200 lies outside [0, 1000], the range of boxes: qwen3-vl; "
        "these look like pixels: boxes: qwen2.5-vl"
    )


def test_failures_do_not_read_the_other_side(world: World) -> None:
    world.write_lines("r.jsonl", {"id": 1, "boxes": "none"})
    references = world.references("r.jsonl", boxes=Convention("xyxy", 1.0))
    found = join(replies(world, GOOD), references).predictions
    assert found.failures == {}
    assert message(lambda: found.boxes) == "r.jsonl:1: $.boxes: expected array, got str"


def test_out_of_range_numbers_are_counted_and_their_record_is_named(world: World) -> None:
    found = side(replies(world, GOOD, record(2, reply(("cat", [0, 0, 9, 9]), ("dog", [0, 0, 9, 1001])))))
    assert message(lambda: found.boxes) == (
        "p.jsonl:2: 1001 lies outside [0, 1000], the range of boxes: qwen3-vl; "
        "these look like pixels: boxes: qwen2.5-vl (1 of 3 boxes)"
    )


def test_declared_boxes_win_over_the_reply(world: World) -> None:
    found = side(replies(world, {**GOOD, "boxes": [[0, 0, 1000, 1000]]}, fields={"boxes": "boxes"}))
    assert found.boxes.xyxy.tolist() == [[0, 0, 640, 480]]
    assert found.failures is None
    assert not found.boxes.phrases
    found = side(replies(world, {**GOOD, "out": {"boxes": []}}, fields={"boxes": "out.boxes"}))
    assert len(found.boxes.xyxy) == 0
    found = side(replies(world, {**GOOD, "one": [0, 0, 1000, 500]}, fields={"box": "one"}))
    assert found.boxes.xyxy.tolist() == [[0, 0, 640, 240]]
    both = {"boxes": "boxes", "text": "raw_output"}
    found = side(replies(world, {**GOOD, "boxes": [[0, 0, 1000, 1000]]}, fields=both))
    assert found.boxes.xyxy.tolist() == [[0, 0, 640, 480]]
    assert found.replies == (GOOD["raw_output"],)


def test_declared_reply_wins_over_boxes_beside_it(world: World) -> None:
    found = side(replies(world, {**GOOD, "boxes": [[0, 0, 1000, 1000]]}, fields={"text": "raw_output"}))
    assert found.boxes.xyxy.tolist() == [[0, 0, 320, 240]]
    assert found.failures == {}


@pytest.mark.parametrize(
    ("box", "declaration"), [({"boxes": [[0, 0, 9, 9]]}, "boxes: boxes"), ({"box": [0, 0, 9, 9]}, "box: box")]
)
@pytest.mark.parametrize("name", ["raw_output", "prediction", "text", "answer"])
def test_boxes_beside_replies_are_no_answer_unless_declared(
    world: World, box: dict[str, object], declaration: str, name: str
) -> None:
    found = side(replies(world, {"id": 1, **box, name: "I cannot see it."}))
    assert message(lambda: found.boxes) == (
        f"p.jsonl: the records have boxes ({next(iter(box))}) and replies ({name}), and nothing says which are the "
        f"model's answer; declare fields: {{{declaration}}} or fields: {{text: {name}}}"
    )


def test_references_may_have_boxes_and_a_text(world: World) -> None:
    world.write_lines("r.jsonl", {"id": 1, "boxes": [[0, 0, 9, 9]], "text": "a cat"})
    table = world.references("r.jsonl", fields={"text": "text"}, boxes=Convention("xyxy", "pixels"))
    assert join(table, table).references.boxes.xyxy.tolist() == [[0, 0, 9, 9]]


def test_declared_box_that_no_record_has_is_not_looked_for_in_the_reply(world: World) -> None:
    found = side(replies(world, GOOD, fields={"box": "bbox"}))
    assert message(lambda: found.boxes) == ("p.jsonl:1: the field $.bbox is missing; write null where there is no box")


def test_replies_without_a_declaration_are_only_replies(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "prediction": reply(("cat", [0, 0, 1, 1]))})
    found = side(world.predictions("p.jsonl"))
    assert found.parts == {"replies", "texts", "documents"}
    assert found.failures is None


@pytest.mark.parametrize("declared", [QWEN3, None])
@pytest.mark.parametrize("boxes", [{}, {"boxes": []}])
def test_declared_reply_that_no_record_has(
    world: World, boxes: dict[str, object], declared: BoxDeclaration | None
) -> None:
    world.write_lines("p.jsonl", {"id": 1, "response": "[]", **boxes}, {"id": 2, "response": "[]", **boxes})

    def read(**fields: str) -> Table:
        return world.predictions("p.jsonl", format="jsonl", fields=fields, declared=declared)

    assert message(lambda: read(text="resp")) == (
        "p.jsonl: fields: no record has the field 'resp', declared as text; did you mean 'response'?"
    )
    assert message(lambda: read(prediction="x.y")) == (
        "p.jsonl: fields: no record has the field 'x.y', declared as prediction; "
        f"their fields are {', '.join(('id', 'response', *boxes))}"
    )
    assert read(text="response").replies == ("[]", "[]")


def test_replies_that_are_null_everywhere_are_no_answers(world: World) -> None:
    found = side(replies(world, record(1, None), record(2, None)))
    assert found.parts == {"replies", "boxes", "texts", "documents"}
    assert found.present.tolist() == [True, True]
    assert found.answered.tolist() == [False, False]
    found = side(replies(world, record(1, "[]"), record(2, None)))
    assert found.answered.tolist() == [True, False]


def test_boxes_beside_replies_that_are_null_everywhere_are_the_answer(world: World) -> None:
    found = side(replies(world, record(1, None, boxes=[]), record(2, None, boxes=[])))
    assert found.parts == {"boxes"}
    assert found.answered.tolist() == [True, True]


def test_declared_convention_alone_reads_any_form(world: World) -> None:
    declared = BoxDeclaration(order="yxyx", space="pixels")
    texts = ('Sure: {"box": [1, 2, 3, 4], "name": "cat"}', "At [1, 2, 3, 4].", "(1,2),(3,4)", '{"objects": []}')
    found = side(replies(world, *(record(i, text) for i, text in enumerate(texts)), declared=declared))
    assert found.boxes.xyxy.tolist() == [[2, 1, 4, 3]] * 3
    assert [found.boxes.vocabulary[label] for label in found.boxes.label] == ["cat", "", ""]
    assert found.failures == {}


def test_part_of_a_preset_is_declared_otherwise(world: World) -> None:
    table = replies(world, GOOD, declared=BoxDeclaration("qwen3-vl", order="yxyx", space=500.0))
    assert side(table).boxes.xyxy.tolist() == [[0, 0, 640, 480]]
    assert str(table.source.boxes) == "boxes: {preset: qwen3-vl, order: yxyx, space: 500}"


def test_unknown_preset_suggests_the_nearest(world: World) -> None:
    assert message(lambda: replies(world, GOOD, declared=BoxDeclaration("qwen3vl"))) == (
        "p.jsonl: unknown box preset 'qwen3vl'; did you mean 'qwen3-vl'?"
    )


SIZED = {"input_width": 320, "input_height": 240}


def test_recorded_size_of_the_input_places_the_boxes(world: World) -> None:
    text = reply(("cat", [0, 0, 160, 120]))
    found = side(
        replies(world, record(1, text, **SIZED), record(2, text, input_width=160, input_height=120), declared=QWEN25)
    )
    assert found.boxes.xyxy.tolist() == [[0, 0, 320, 240], [0, 0, 640, 480]]


def test_recorded_size_of_the_input_may_have_another_name_and_serves_numbers_too(world: World) -> None:
    shape = {"in": {"w": 320, "h": 240}}
    fields = {"input_width": "in.w", "input_height": "in.h"}
    pixels = BoxDeclaration(order="xyxy", space="pixels")
    numbers = {"id": 1, "width": 640, "height": 480, "boxes": [[0, 0, 160, 120]]}
    found = side(replies(world, {**numbers, **shape}, declared=pixels, fields=fields))
    assert found.boxes.xyxy.tolist() == [[0, 0, 320, 240]]
    found = side(replies(world, {**numbers, **SIZED}, declared=pixels))
    assert found.boxes.xyxy.tolist() == [[0, 0, 160, 120]]  # nothing says that these pixels are the input's


def test_record_that_lacks_the_size_of_its_input_is_named(world: World) -> None:
    text = reply(("cat", [0, 0, 160, 120]))
    found = side(replies(world, record(1, text, **SIZED), record(2, text), declared=QWEN25))
    assert message(lambda: found.boxes) == (
        "p.jsonl:2: input size missing: boxes: qwen2.5-vl counts pixels of the model's resized input; give the records "
        "input_width and input_height (fields: {input_width: …, input_height: …} names them otherwise), or declare "
        "boxes: {preset: qwen2.5-vl, size: [W, H]}, or boxes: {preset: qwen2.5-vl, resize: {max_pixels: …}} "
        "(1 of 2 boxes)"
    )


def test_what_is_stated_beside_the_preset_is_part_of_the_advice(world: World) -> None:
    text = reply(("cat", [0, 0, 160, 120]))
    found = side(replies(world, record(1, text), declared=BoxDeclaration("qwen2.5-vl", order="yxyx")))
    assert message(lambda: found.boxes) == (
        "p.jsonl:1: input size missing: boxes: {preset: qwen2.5-vl, order: yxyx} counts pixels of the model's resized "
        "input; give the records input_width and input_height (fields: {input_width: …, input_height: …} names them "
        "otherwise), or declare boxes: {preset: qwen2.5-vl, order: yxyx, size: [W, H]}, "
        "or boxes: {preset: qwen2.5-vl, order: yxyx, resize: {max_pixels: …}}"
    )


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (BoxDeclaration("qwen2.5-vl", size=(1280, 960)), [[0, 0, 80, 60], [0, 0, 320, 240]]),
        (
            BoxDeclaration("qwen2.5-vl", resize=Resize(1003520)),
            [[0, 0, 160 * 640 / 644, 120 * 480 / 476], [0, 0, 320, 240]],
        ),
    ],
)
def test_declared_size_and_rule_serve_where_no_record_states_it(
    world: World, declared: BoxDeclaration, expected: list[list[float]]
) -> None:
    text = reply(("cat", [0, 0, 160, 120]))
    found = side(replies(world, record(1, text), record(2, text, **SIZED), declared=declared))
    assert found.boxes.xyxy == pytest.approx(np.array(expected))


@pytest.mark.parametrize("size", [{"input_width": 320}, {"input_width": 0, "input_height": 240}])
def test_size_of_an_input_that_is_none(world: World, size: dict[str, object]) -> None:
    found = side(replies(world, GOOD, {**GOOD, "id": 2, **size}, declared=QWEN25))
    shown = f"{size['input_width']} × {size.get('input_height', 'nan')}"
    assert message(lambda: found.boxes) == (
        f"p.jsonl:2: {shown} is no size of a model's input; "
        "write both input_width and input_height in pixels, or neither"
    )


def test_size_of_the_input_stands_for_an_unknown_picture_where_both_sides_have_a_frame(world: World) -> None:
    text = reply(("cat", [0, 0, 160, 120]))
    unsized = {"id": 1, "raw_output": text, **SIZED}
    world.write_lines("r.jsonl", {"id": 1, "boxes": [[0, 0, 0.5, 0.5]]})
    references = world.references("r.jsonl", boxes=Convention("xyxy", 1.0))
    dataset = join(replies(world, unsized, declared=QWEN25), references)
    assert dataset.predictions.boxes.xyxy.tolist() == dataset.references.boxes.xyxy.tolist() == [[0, 0, 160, 120]]


def test_pixels_of_an_input_need_the_picture_where_references_are_its_pixels(world: World) -> None:
    unsized = {"id": 1, "raw_output": reply(("cat", [0, 0, 160, 120])), **SIZED}
    world.write_lines("r.jsonl", {"id": 1, "boxes": [[0, 0, 5, 5]]})
    references = world.references("r.jsonl", boxes=Convention("xyxy", "pixels"))
    dataset = join(replies(world, unsized, declared=QWEN25), references)
    assert message(lambda: dataset.predictions.boxes) == (
        "p.jsonl:1: image size missing: these boxes are pixels of another frame (boxes: qwen2.5-vl), those of r.jsonl "
        "are pixels of the original; give the records width and height"
    )


def test_declared_name_of_the_input_that_no_record_has(world: World) -> None:
    fields = {"input_width": "w", "input_height": "input_height"}
    assert message(lambda: replies(world, {**GOOD, **SIZED}, declared=QWEN25, fields=fields)) == (
        "p.jsonl: fields: no record has the field 'w', declared as input_width; "
        "their fields are id, width, height, raw_output, input_width, input_height"
    )
    world.write_lines("p.jsonl", GOOD)
    assert message(lambda: world.predictions("p.jsonl", format="vi", declared=QWEN25, fields=fields)) == (
        "p.jsonl: fields: no record has the field 'w', declared as input_width; check it"
    )


def test_vi_records_may_state_the_size_of_the_input(world: World) -> None:
    world.write_lines("p.jsonl", record(1, reply(("cat", [0, 0, 160, 120])), **SIZED))
    found = side(world.predictions("p.jsonl", declared=QWEN25))
    assert found.boxes.xyxy.tolist() == [[0, 0, 320, 240]]


INTERNVL = "<ref>cat</ref><box>[[0, 0, 500, 500]]</box>"


@pytest.mark.parametrize(
    ("preset", "text", "hint"),
    [
        (
            "qwen3-vl",
            INTERNVL,
            "boxes: qwen3-vl reads no box in any of the 2 replies; in '<ref>cat</ref><box>[[0, 0, 500, 500]]</box>' "
            "there is none; the preset internvl reads them: boxes: internvl",
        ),
        (
            "internvl",
            reply(("cat", [0, 0, 900, 500])),
            'boxes: internvl reads no box in any of the 2 replies; in \'[{"bbox_2d": [0, 0, 900, 500], "label": '
            "\"cat\"}]' there is none; the presets qwen2.5-vl (pixels of the model's input) and qwen3-vl (0–1000) read "
            "them; declare the one of your model",
        ),
        (
            "internvl",
            reply(("cat", [0.5, 0.5, 0.9, 0.9])),
            'boxes: internvl reads no box in any of the 2 replies; in \'[{"bbox_2d": [0.5, 0.5, 0.9, 0.9], '
            '"label": "cat"}]\' there is none; the presets kimi-vl (0–1), qwen2.5-vl (pixels of the model\'s input) '
            "and qwen3-vl (0–1000) read them; declare the one of your model",
        ),
        (
            "vi",
            '```json\n{"phrase_grounding": {"groundings": [{"phrase": "a", "grounding": [[1, 2, 3, 4]]}]}}\n```',
            "boxes: vi reads no box in any of the 2 replies; in "
            '\'```json\\n{"phrase_grounding": {"groundings": [{"phrase": "a", "grounding": [[1, …\' the fault is: the '
            "reply is no JSON document, it begins with '```json\\n{\"phrase_gr…'; they are read where the gate "
            "declares replies: fenced",
        ),
        (
            "paligemma",
            "\x1b[31m" + "no " * 100,
            "boxes: paligemma reads no box in any of the 2 replies; in "
            "'\\x1b[31mno no no no no no no no no no no no no no no no no no no no no no no no no…' there is none; "
            "declare the preset of the model's dialect, or how the answer is found in its replies",
        ),
    ],
)
def test_preset_that_fits_no_reply_names_the_likely_one(world: World, preset: str, text: str, hint: str) -> None:
    found = side(replies(world, record(1, None), record(2, text), record(3, text), declared=BoxDeclaration(preset)))
    assert found.failures is not None
    assert found.failures.keys() == {1, 2}
    assert message(lambda: found.boxes) == f"p.jsonl:2: {hint}"


def test_convention_that_fits_no_reply_shows_itself(world: World) -> None:
    found = side(
        replies(
            world,
            record(1, "<loc0001><loc0002><loc0003><loc0004> cat"),
            declared=BoxDeclaration(order="xyxy", space=1.0),
        )
    )
    assert message(lambda: found.boxes) == (
        "p.jsonl:1: boxes: {order: xyxy, space: unit} reads no box in the only reply; in "
        "'<loc0001><loc0002><loc0003><loc0004> cat' there is none; the preset paligemma reads them: boxes: paligemma"
    )


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (
            ("[]", "[]", "[]", INTERNVL),
            "any of the 4 replies, of which 1 cannot be read; in '<ref>cat</ref><box>[[0, 0, 500, 500]]</box>' there "
            "is none; the preset internvl reads them: boxes: internvl",
        ),
        (
            (None, "[]", "none", "none"),
            "any of the 3 replies, of which 2 cannot be read; in 'none' there is none; declare the preset of the "
            "model's dialect, or how the answer is found in its replies",
        ),
    ],
)
def test_a_reply_of_nothing_does_not_prove_that_the_preset_fits(
    world: World, texts: tuple[str | None, ...], reason: str
) -> None:
    found = side(replies(world, *(record(i, text) for i, text in enumerate(texts))))
    place = f"p.jsonl:{min(found.failures or ()) + 1}"
    assert message(lambda: found.boxes) == f"{place}: boxes: qwen3-vl reads no box in {reason}"


@pytest.mark.parametrize("texts", [("[]", "none"), (None, "[]"), ("[]",), (INTERNVL, reply(("cat", [0, 0, 1, 1])))])
def test_preset_that_reads_one_reply_fits(world: World, texts: tuple[str | None, ...]) -> None:
    found = side(replies(world, *(record(i, text) for i, text in enumerate(texts))))
    assert len(found.boxes.offsets) == len(texts) + 1


def test_replies_may_be_references_and_then_have_to_be_whole(world: World) -> None:
    text = reply(("cat", [0, 0, 500, 500]))
    world.write_lines("r.jsonl", {"id": 1, "reference": text}, {"id": 2, "reference": None})
    predictions = replies(world, GOOD, record(2, "[]"))
    references = world.references("r.jsonl", declared=QWEN3)
    dataset = join(predictions, references)
    assert dataset.references.boxes.xyxy.tolist() == [[0, 0, 320, 240]]
    assert dataset.references.boxes.offsets.tolist() == [0, 1, 1]
    world.write_lines("r.jsonl", {"id": 1, "reference": text}, {"id": 2, "reference": text[:-3]})
    dataset = join(predictions, world.references("r.jsonl", declared=QWEN3))
    assert message(lambda: dataset.predictions.boxes) == (
        "r.jsonl:2: the boxes of this reference cannot be read: the JSON document is cut off; correct it"
    )


def csv(world: World, text: str, **options: object) -> Table:
    world.write("p.csv", text)
    return world.predictions("p.csv", **options)


def test_column_of_texts_is_read_for_boxes(world: World) -> None:
    text = 'id,width,height,prediction\n1,640,480,"(0,0),(500,500)"\n2,640,480,\n3,640,480,none\n'
    found = side(csv(world, text, declared=BoxDeclaration(order="xyxy", space=1000.0)))
    assert found.replies == ("(0,0),(500,500)", None, "none")
    assert found.boxes.xyxy.tolist() == [[0, 0, 320, 240]]
    assert causes(found) == {2: "there is no box in the reply"}


def test_column_of_texts_may_have_another_name(world: World) -> None:
    text = 'id,answer,iw,ih,width,height\n1,"<box>(0,0),(10,10)</box>",20,20,640,480\n'
    fields = {"text": "answer", "input_width": "iw", "input_height": "ih"}
    declared = BoxDeclaration("qwen-vl", space="pixels")
    assert side(csv(world, text, fields=fields, declared=declared)).boxes.xyxy.tolist() == [[0, 0, 320, 240]]
    assert message(lambda: csv(world, text, fields={"text": "anser"}, declared=declared)) == (
        "p.csv: there is no column 'anser'; did you mean 'answer'?"
    )


def test_declared_columns_of_a_box_win_over_the_text(world: World) -> None:
    text = "id,text,xmin,ymin,xmax,ymax\n1,a cat,0,0,4,4\n1,a cat,0,0,5,5\n"
    box = ("xmin", "ymin", "xmax", "ymax")
    found = side(csv(world, text, boxes=Convention("xyxy", "pixels"), fields={"box": box}))
    assert found.replies == ("a cat",)
    assert found.boxes.xyxy.tolist() == [[0, 0, 4, 4], [0, 0, 5, 5]]
    assert found.failures is None


def test_declared_text_wins_over_the_columns_of_a_box(world: World) -> None:
    text = 'id,text,xmin,ymin,xmax,ymax\n1,"cat [0,0,9,9]",0,0,4,4\n'
    found = side(csv(world, text, boxes=Convention("xyxy", "pixels"), fields={"text": "text"}))
    assert found.boxes.xyxy.tolist() == [[0, 0, 9, 9]]
    assert found.failures == {}


def test_columns_of_a_box_beside_a_text_are_no_answer_unless_declared(world: World) -> None:
    text = "id,answer,xmin,ymin,xmax,ymax\n1,I see no cat.,0,0,4,4\n"
    found = side(csv(world, text, boxes=Convention("xyxy", "pixels")))
    assert message(lambda: found.boxes) == (
        "p.csv: the records have boxes (xmin) and replies (answer), and nothing says which are the model's answer; "
        "declare fields: {box: [xmin, ymin, xmax, ymax]} or fields: {text: answer}"
    )


def test_texts_without_a_declaration_are_only_replies(world: World) -> None:
    assert side(csv(world, "id,prediction\n1,a cat\n")).parts == {"replies", "texts", "documents"}


def test_two_texts_for_one_id(world: World) -> None:
    assert message(lambda: csv(world, "id,prediction\n1,a cat\n1,\n1,a dog\n")) == (
        "p.csv:3: the id '1' is already that of p.csv:2; keep the one that is meant, or give each an id of its own"
    )
