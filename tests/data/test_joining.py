from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.world import READERS, World, message
from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.dataset import Boxes, Dataset
from pytest_vigate.data.joining import join
from pytest_vigate.data.readers import load
from pytest_vigate.data.records import joined_id
from pytest_vigate.gates.rules import read
from worlds import vi_prediction, vi_reply

PIXELS = Convention("xyxy", "pixels")
UNIT = Convention("xyxy", 1.0)


def record(identifier: int | str, *boxes: list[float], **more: object) -> dict[str, object]:
    return {"id": identifier, "boxes": list(boxes), "labels": ["car"] * len(boxes), **more}


def joined(
    world: World,
    predictions: list[dict[str, object]],
    references: list[dict[str, object]],
    *,
    ours: Convention = PIXELS,
    theirs: Convention = PIXELS,
    **options: object,
) -> Dataset:
    world.write_lines("p.jsonl", *predictions)
    world.write_lines("r.jsonl", *references)
    left = world.predictions("p.jsonl", format="jsonl", boxes=ours)
    right = world.references("r.jsonl", format="jsonl", boxes=theirs)
    return join(left, right, **options)  # type: ignore[arg-type]  # the tests pass what the gate may say


def test_ids_compare_as_text(world: World) -> None:
    dataset = joined(world, [record("1", [0, 0, 4, 4])], [record(1, [0, 0, 4, 4])])
    assert dataset.ids == ("1",)
    assert dataset.predictions.present.tolist() == [True]


def test_order_is_that_of_the_references(world: World) -> None:
    dataset = joined(
        world,
        [record("b", [0, 0, 2, 2], [0, 0, 3, 3]), record("a", [0, 0, 4, 4], [0, 0, 1, 5])],
        [record("a"), record("c"), record("b")],
    )
    assert dataset.ids == ("a", "c", "b")
    assert dataset.predictions.present.tolist() == [True, False, True]
    boxes = dataset.predictions.boxes
    assert boxes.offsets.tolist() == [0, 2, 2, 4]
    assert boxes.xyxy.tolist() == [[0, 0, 4, 4], [0, 0, 1, 5], [0, 0, 2, 2], [0, 0, 3, 3]]
    assert boxes.sample.tolist() == [0, 0, 2, 2]


def test_missing_prediction_is_absent_and_has_no_boxes(world: World) -> None:
    dataset = joined(world, [record("a")], [record("a"), record("b", [0, 0, 4, 4])])
    assert dataset.predictions.present.tolist() == [True, False]
    assert dataset.predictions.boxes.offsets.tolist() == [0, 0, 0]


def test_missing_predictions_may_be_an_error(world: World) -> None:
    references = [record(name) for name in "abcde"]
    assert message(lambda: joined(world, [record("b")], references, missing="error")) == (
        "r.jsonl:1: 4 references have no prediction: 'a', 'c', 'd' and 1 more; "
        "add the predictions, or declare missing: count"
    )


def test_prediction_for_an_unknown_id(world: World) -> None:
    assert message(lambda: joined(world, [record("a"), record("z")], [record("a")])) == (
        "p.jsonl:2: 1 prediction has no reference: 'z'; add the references, or declare extra: ignore"
    )


def test_extra_predictions_may_be_ignored(world: World) -> None:
    dataset = joined(
        world, [record("z", [0, 0, 9, 9]), record("a", [0, 0, 4, 4])], [record("b"), record("a")], extra="ignore"
    )
    assert dataset.predictions.boxes.xyxy.tolist() == [[0, 0, 4, 4]]
    assert dataset.predictions.boxes.offsets.tolist() == [0, 0, 1]


def test_what_is_wrong_with_an_ignored_prediction_is_no_matter(world: World) -> None:
    dataset = joined(
        world, [record("a"), record("z", [0, 0, 1, 9])], [record("a")], theirs=UNIT, ours=UNIT, extra="ignore"
    )
    assert len(dataset.predictions.boxes.xyxy) == 0


def test_no_id_in_common_shows_one_of_each_side(world: World) -> None:
    assert message(lambda: joined(world, [record("a.jpg")], [record("a")])) == (
        "p.jsonl: no id is on both sides: predictions have 'a.jpg', references 'a'; "
        "declare which fields name a sample: fields: {id: …}"
    )


def test_sides_named_in_different_ways(world: World) -> None:
    world.write_lines("p.jsonl", record(1))
    world.write("labels/a.txt", "")
    predictions, references = world.predictions("p.jsonl"), world.references("labels")
    assert message(lambda: join(predictions, references)) == (
        "p.jsonl: predictions are named by id, references by stem; declare which fields name a sample: fields: {id: …}"
    )


def named(*names: tuple[int, str]) -> list[dict[str, object]]:
    return [record(identifier, image=image) for identifier, image in names]


def test_first_name_with_an_id_in_common_decides(world: World) -> None:
    dataset = joined(world, named((7, "a.jpg"), (8, "b.jpg")), named((1, "b.jpg"), (2, "a.jpg")))
    assert dataset.ids == ("b.jpg", "a.jpg")
    dataset = joined(world, named((7, "x/a.png")), named((1, "a.jpg")))
    assert dataset.ids == ("a",)


def test_later_names_are_not_looked_at_where_an_id_is_in_common(world: World) -> None:
    assert message(lambda: joined(world, named((1, "a.jpg"), (9, "b.jpg")), named((1, "a.jpg"), (2, "b.jpg")))) == (
        "p.jsonl:2: 1 prediction has no reference: '9'; add the references, or declare extra: ignore"
    )


def test_no_id_in_common_under_any_name_shows_the_first(world: World) -> None:
    assert message(lambda: joined(world, named((7, "a.jpg")), named((1, "b.jpg")))) == (
        "p.jsonl: no id is on both sides: predictions have '7', references '1'; "
        "declare which fields name a sample: fields: {id: …}"
    )


def test_duplicate_id_names_both_places(world: World) -> None:
    assert message(lambda: joined(world, [record("a"), record("b"), record("a")], [record("a")])) == (
        "p.jsonl:3: the id 'a' is already that of p.jsonl:1; keep the one that is meant, or give each an id of its own"
    )
    assert message(lambda: joined(world, [record("a")], [record("a"), record("a")])) == (
        "r.jsonl:2: the id 'a' is already that of r.jsonl:1; keep the one that is meant, or give each an id of its own"
    )


def test_number_and_its_text_are_one_id(world: World) -> None:
    assert message(lambda: joined(world, [record("1"), record(1)], [record(1)])) == (
        "p.jsonl:2: the id '1' is already that of p.jsonl:1; keep the one that is meant, or give each an id of its own"
    )


def test_zero_references(world: World) -> None:
    world.write_json("gt.json", {"images": [], "annotations": [], "categories": []})
    world.write("dt.json", "[]")
    assert message(lambda: join(world.predictions("dt.json"), world.references("gt.json"))) == (
        "gt.json: zero samples: the references hold no record; an empty set proves nothing"
    )
    assert message(lambda: join(world.predictions("dt.json"), None)) == (
        "dt.json: zero samples: the predictions hold no record; an empty set proves nothing"
    )


def test_attributes_come_from_references_else_predictions(world: World) -> None:
    dataset = joined(
        world,
        [record("b", camera=1, light="x"), record("a", camera=2, light="x"), record("c", light="x")],
        [record("a", light="night"), record("b", light="day"), record("c", light="day")],
        attributes=("light", "camera"),
    )
    assert dataset.attributes == {"light": ("night", "day", "day"), "camera": ("2", "1", None)}


def test_unanswered_references_cannot_leave_a_slice_that_only_predictions_name(world: World) -> None:
    sides = ([record("a", light="day")], [record("a"), record("b"), record("c")])
    assert message(lambda: joined(world, *sides, attributes=("light",))) == (
        "p.jsonl: attributes: only the predictions have 'light', and 2 of 3 references have no prediction: "
        "what was left unanswered would leave its slice; put the field into the references"
    )


def test_attribute_that_no_record_has(world: World) -> None:
    assert message(lambda: joined(world, [record("a")], [record("a", lighting="night")], attributes=("lihgting",))) == (
        "r.jsonl: attributes: no record has the field 'lihgting'; did you mean 'lighting'?"
    )
    assert message(lambda: joined(world, [record("a")], [record("a")], attributes=("weather",))) == (
        "r.jsonl: attributes: no record has the field 'weather'; their fields are id, boxes, labels"
    )


def test_predictions_alone_are_the_samples(world: World) -> None:
    world.write_lines("p.jsonl", record("b", [0, 0, 4, 4], light="day"), record("a"))
    dataset = join(world.predictions("p.jsonl", boxes=PIXELS), None, attributes=("light",))
    assert dataset.ids == ("b", "a")
    assert dataset.attributes == {"light": ("day", None)}
    assert dataset.predictions.boxes.offsets.tolist() == [0, 1, 1]
    assert dataset.references.present.tolist() == [False, False]
    assert dataset.references.parts == frozenset()


def test_boxes_are_made_once_and_only_when_asked(world: World) -> None:
    dataset = joined(world, [record("a", [0, 0, 4, 4])], [record("a", [0, 0, 4, 4])])
    assert dataset.predictions.boxes is dataset.predictions.boxes
    broken = joined(world, [record("a", [0, 0, "4", 4])], [record("a", [0, 0, 4, 4])])  # type: ignore[list-item]
    assert message(lambda: broken.references.boxes) == "p.jsonl:1: $.boxes[0][2]: expected float, got str"


def test_side_without_boxes_or_replies_says_so(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1})
    side = join(world.predictions("p.jsonl", format="jsonl"), None).predictions
    assert message(lambda: side.boxes) == (
        "p.jsonl: these records carry no boxes; name the field that holds them under 'fields'"
    )


@pytest.mark.parametrize("box", [[4, 0, 2, 4], [2, 0, 2, 4], [0, 4, 4, 4]])
@pytest.mark.parametrize("crowd", [False, True])
def test_reference_box_without_area(world: World, box: list[float], crowd: bool) -> None:
    references: list[dict[str, object]] = [{"id": "a", "boxes": [{"box": [0, 0, 9, 9]}, {"box": box, "crowd": crowd}]}]
    dataset = joined(world, [record("a")], references)
    numbers = ", ".join(map(str, box))
    assert message(lambda: dataset.references.boxes) == (
        f"r.jsonl:1: the reference box [{numbers}] has no area under "
        "boxes: {order: xyxy, space: pixels}; correct it or drop it"
    )


def test_predicted_boxes_without_area_stay_as_they_are(world: World) -> None:
    boxes = joined(world, [record("a", [4, 0, 2, 4], [2, 2, 2, 2])], [record("a")]).predictions.boxes
    assert boxes.xyxy.tolist() == [[4, 0, 2, 4], [2, 2, 2, 2]]
    assert boxes.area.tolist() == [0, 0]


def test_relative_boxes_of_both_sides_need_no_size(world: World) -> None:
    dataset = joined(
        world,
        [record("a", [0, 0, 512, 512])],
        [record("a", [0, 0, 0.5, 0.5])],
        ours=Convention("xyxy", 1024),
        theirs=UNIT,
    )
    assert dataset.predictions.boxes.xyxy.tolist() == dataset.references.boxes.xyxy.tolist() == [[0, 0, 0.5, 0.5]]
    assert np.isnan(dataset.references.boxes.area).all()


def test_image_size_missing_where_it_is_needed(world: World) -> None:
    dataset = joined(world, [record("a", [0, 0, 0.5, 0.5])], [record("a", [0, 0, 320, 240])], ours=UNIT)
    assert message(lambda: dataset.predictions.boxes) == (
        "p.jsonl:1: image size missing: these boxes are relative (boxes: {order: xyxy, space: unit}), those of r.jsonl "
        "are pixels of the original; give the records width and height, or declare "
        "boxes: {order: xyxy, space: unit, size: [W, H]} where all have one size"
    )


@pytest.mark.parametrize(
    ("declared", "box"),
    [
        ("{order: cxcywh, space: percent}", [25, 25, 50, 50]),
        ("vi", [0, 0, 512, 512]),
        ("{preset: vi, order: xywh}", [0, 0, 512, 512]),
        ("{preset: yolo, space: 4}", [1, 1, 2, 2]),
    ],
)
def test_declaration_of_a_size_that_is_advised_can_be_declared(world: World, declared: str, box: list[float]) -> None:
    world.write_lines("p.jsonl", {"id": "a", "boxes": [box]})
    world.write_lines("r.jsonl", {"id": "a", "boxes": [[0, 0, 320, 240]]})

    def boxes(convention: str) -> Boxes:
        gate = world.write(
            "x.gate.yaml",
            f"vigate: 1\ndata:\n  predictions: {{path: p.jsonl, {convention}}}\n"
            "  references: {path: r.jsonl, boxes: {order: xyxy, space: pixels}}\n"
            "thresholds: {bbox.f1: {min: 0.5}}\n",
        )
        found, problems = read(gate, file="x.gate.yaml", roots=(world.root,))
        assert found is not None, problems
        assert found.data.predictions is not None
        assert found.data.references is not None
        sides = (load(source, READERS) for source in (found.data.predictions, found.data.references))
        return join(*sides).predictions.boxes

    words = message(lambda: boxes(f"boxes: {declared}"))
    advised = words.partition("or declare ")[2].removesuffix(" where all have one size")
    assert boxes(advised.replace("[W, H]", "[640, 480]")).xyxy.tolist() == [[0, 0, 320, 240]]


def test_size_of_a_resized_input_does_not_stand_for_the_original(world: World) -> None:
    resized = Convention("xyxy", "pixels", size=(320, 240))
    dataset = joined(world, [record("a", [0, 0, 160, 120])], [record("a", [0, 0, 320, 240])], ours=resized)
    assert message(lambda: dataset.predictions.boxes) == (
        "p.jsonl:1: image size missing: these boxes are pixels of another frame "
        "(boxes: {order: xyxy, space: pixels, size: [320, 240]}), those of r.jsonl are pixels of the original; "
        "give the records width and height"
    )


def test_declared_size_places_relative_boxes(world: World) -> None:
    declared = Convention("xyxy", 1.0, size=(640, 480))
    dataset = joined(world, [record("a", [0, 0, 0.5, 0.5])], [record("a", [0, 0, 320, 240])], ours=declared)
    assert dataset.predictions.boxes.xyxy.tolist() == [[0, 0, 320, 240]]
    assert dataset.predictions.boxes.area.tolist() == [320 * 240]


def test_two_declared_frames_become_one(world: World) -> None:
    small, large = Convention("xyxy", "pixels", size=(320, 240)), Convention("xyxy", "pixels", size=(640, 480))
    dataset = joined(world, [record("a", [0, 0, 160, 120])], [record("a", [0, 0, 320, 240])], ours=small, theirs=large)
    assert dataset.predictions.boxes.xyxy.tolist() == dataset.references.boxes.xyxy.tolist()


@pytest.mark.parametrize("stating", ["predictions", "references"])
def test_size_that_one_side_states_serves_both(world: World, stating: str) -> None:
    size = {"width": 640, "height": 480}
    dataset = joined(
        world,
        [record("a", [0, 0, 0.5, 0.5], **(size if stating == "predictions" else {}))],
        [record("a", [0, 0, 320, 240], **(size if stating == "references" else {}))],
        ours=UNIT,
    )
    assert dataset.predictions.boxes.xyxy.tolist() == [[0, 0, 320, 240]]


def test_different_sizes_on_both_sides(world: World) -> None:
    dataset = joined(world, [record("a", width=640, height=480)], [record("b"), record("a", width=800, height=480)])
    assert message(lambda: dataset.predictions.boxes) == (
        "p.jsonl:1: the picture has 640 × 480 pixels here, but 800 × 480 at r.jsonl:2; "
        "write the size of the original on both sides"
    )


@pytest.mark.parametrize("size", [{"width": 640}, {"width": 0, "height": 480}])
def test_size_that_is_none(world: World, size: dict[str, object]) -> None:
    dataset = joined(world, [record("a")], [record("a", **size)])
    shown = f"{size['width']} × {size.get('height', 'nan')}"
    assert message(lambda: dataset.predictions.boxes) == (
        f"r.jsonl:1: {shown} is no size of a picture; write both width and height in pixels, or neither"
    )


def test_coordinate_outside_the_declared_space_names_the_record(world: World) -> None:
    dataset = joined(
        world, [record("b"), record("a", [0, 0, 512, 990])], [record("a"), record("b")], ours=UNIT, theirs=UNIT
    )
    assert message(lambda: dataset.predictions.boxes) == (
        "p.jsonl:2: 512 lies outside [0, 1], the range of boxes: {order: xyxy, space: unit}; "
        "these look like 0–1000 integers: boxes: {order: xyxy, space: 1000}"
    )


def test_phrases_on_one_side_leave_categories_on_the_other(world: World) -> None:
    world.write_lines("p.jsonl", vi_prediction("a", vi_reply(("car", [(0, 0, 4, 4)]))))
    world.write_lines("r.jsonl", record("a", [0, 0, 4, 4], image="a"))
    dataset = join(world.predictions("p.jsonl"), world.references("r.jsonl", boxes=PIXELS))
    assert dataset.predictions.boxes.phrases
    assert not dataset.references.boxes.phrases


def test_joined_records_name_one_picture(world: World) -> None:
    pictures = [(1, "a.jpg"), (2, "b.jpg")]
    other_root = [(1, "cache/a.png"), (2, "b.JPG")]
    assert joined(world, named(*other_root), named(*((i, f"val/{name}") for i, name in pictures))).ids == ("1", "2")
    swapped = named((2, "a.jpg"), (1, "b.jpg"))
    assert message(lambda: joined(world, swapped, named(*pictures))) == (
        "p.jsonl:2: the id '1' joins the picture 'b.jpg' with 'a.jpg' at r.jsonl:1; "
        "declare fields: {id: image}, or correct the records"
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("train/1.png", "train/1.jpg"), ("1.png", "train/1.jpg"), ("/data/train/1.jpg", "train\\1.png"), ("a/1", "1.jpg")],
)
def test_pictures_joined_by_their_stems_may_have_more_folders(world: World, ours: str, theirs: str) -> None:
    assert joined(world, named((7, ours)), named((8, theirs))).ids == ("1",)


@pytest.mark.parametrize(("ours", "theirs"), [("val/1.jpg", "train/1.jpg"), ("a/train/1.jpg", "b/train/1.png")])
def test_pictures_of_other_folders_are_not_joined_by_their_stems(world: World, ours: str, theirs: str) -> None:
    assert message(lambda: joined(world, named((7, ours)), named((8, theirs)))) == (
        f"p.jsonl:1: the stem '1' joins the picture {ours!r} with {theirs!r} at r.jsonl:1; "
        "write the same folders on both sides, or none"
    )


def as_boxes(boxes: Boxes) -> list[tuple[int, str, list[float], float]]:
    names = [boxes.vocabulary[label] for label in boxes.label]
    return list(zip(boxes.sample.tolist(), names, boxes.xyxy.tolist(), boxes.score.tolist(), strict=True))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data())
def test_joining_is_independent_of_the_order_of_predictions(world: World, data: st.DataObject) -> None:
    labels = st.sampled_from(["car", "bus", "van"])
    predictions = []
    for name in range(data.draw(st.integers(1, 6))):
        own = data.draw(st.lists(labels, max_size=4))
        boxes = [[0, 0, 2 + j, 3 + name] for j in range(len(own))]
        predictions.append({"id": name, "boxes": boxes, "labels": own, "scores": [0.5] * len(own)})
    references = [record(one["id"], [0, 0, 5, 5]) for one in data.draw(st.permutations(predictions))]  # type: ignore[arg-type]
    straight = joined(world, predictions, references)
    shuffled = joined(world, data.draw(st.permutations(predictions)), references)
    assert as_boxes(shuffled.predictions.boxes) == as_boxes(straight.predictions.boxes)
    assert shuffled.ids == straight.ids


def test_ids_made_of_several_fields_never_run_together(world: World) -> None:
    fields = {"id": ("image", "prompt")}
    world.write_lines("p.jsonl", {"image": "a", "prompt": "b | c", "text": ""})
    world.write_lines("r.jsonl", {"image": "a | b", "prompt": "c", "text": ""})
    predictions, references = world.predictions("p.jsonl", fields=fields), world.references("r.jsonl", fields=fields)
    assert predictions.keys["id"] == ("a | b \\| c",)
    assert references.keys["id"] == ("a \\| b | c",)
    assert message(lambda: join(predictions, references)) == (
        "p.jsonl: no id is on both sides: predictions have 'a | b \\\\| c', references 'a \\\\| b | c'; "
        "declare which fields name a sample: fields: {id: …}"
    )


@given(parts=st.lists(st.text(alphabet="a |\\", max_size=6), min_size=2, max_size=3))
def test_the_parts_of_a_joined_id_can_be_told_apart(parts: list[str]) -> None:
    assert [part.replace("\\|", "|") for part in joined_id(parts).split(" | ")] == parts


def test_size_beyond_any_picture(world: World) -> None:
    line = {"id": "a", "boxes": [], "width": 1e300, "height": 1e300}
    world.write_lines("p.jsonl", line)
    dataset = join(world.predictions("p.jsonl", boxes=Convention("xyxy", "pixels")), None)
    assert message(lambda: dataset.predictions.boxes) == (
        "p.jsonl:1: 1e+300 × 1e+300 is no size of a picture; write both width and height in pixels, or neither"
    )


def asked(
    world: World, predictions: Sequence[Mapping[str, object]], references: Sequence[Mapping[str, object]]
) -> Dataset:
    world.write_lines("p.jsonl", *({"prediction": "x", **one} for one in predictions))
    world.write_lines("r.jsonl", *({"reference": "x", **one} for one in references))
    return join(world.predictions("p.jsonl"), world.references("r.jsonl"))


def test_pair_whose_question_is_that_of_another_record_of_the_picture_is_refused(world: World) -> None:
    ours = [{"id": i, "image": "a.jpg", "prompt": text} for i, text in ((1, "Red?"), (2, " Big? "))]
    theirs = [{"id": i, "image": "a.jpg", "question": text} for i, text in ((1, "Big?"), (2, "Red?"))]
    assert message(lambda: asked(world, ours, theirs)) == (
        "p.jsonl:1: the id '1' joins the question 'Red?' with 'Big?' at r.jsonl:1, but 'Red?' is asked at r.jsonl:2; "
        "correct the ids, or the questions"
    )


def test_reference_s_question_that_another_prediction_answers_is_refused(world: World) -> None:
    ours = [{"id": i, "image": "a.jpg", "prompt": text} for i, text in ((1, "Old?"), (2, "Red?"))]
    theirs = [{"id": i, "image": "a.jpg", "question": text} for i, text in ((1, "Red?"), (2, "Big?"))]
    assert message(lambda: asked(world, ours, theirs)) == (
        "p.jsonl:1: the id '1' joins the question 'Old?' with 'Red?' at r.jsonl:1, but 'Red?' is asked at p.jsonl:2; "
        "correct the ids, or the questions"
    )


def test_question_in_other_words_is_no_other_question(world: World) -> None:
    ours = [
        {"id": i, "image": image, "prompt": f"<image>\nQuestion: {text} Answer:"}
        for i, image, text in ((1, "a.jpg", "Red?"), (2, "a.jpg", "Big?"))
    ]
    theirs = [{"id": i, "image": "a.jpg", "question": text} for i, text in ((1, "Red?"), (2, "Big?"))]
    assert asked(world, ours, theirs).ids == ("1", "2")


def test_question_on_another_picture_is_no_other_record_s(world: World) -> None:
    ours = [{"id": i, "image": f"{i}.jpg", "prompt": "Describe."} for i in (1, 2)]
    theirs = [{"id": i, "image": f"{i}.jpg", "question": text} for i, text in ((1, "Describe it."), (2, "Describe."))]
    assert asked(world, ours, theirs).ids == ("1", "2")


def talk(*questions: str) -> list[dict[str, str]]:
    return [turn for text in questions for turn in ({"from": "human", "value": text}, {"from": "gpt", "value": "yes"})]


def test_turn_that_is_left_out_does_not_shift_the_answers(world: World) -> None:
    world.write_json("p.json", [{"id": "c", "conversations": talk("Red?", "Big?")}])
    world.write_json("r.json", [{"id": "c", "conversations": talk("Red?", "Old?", "Big?")}])
    assert message(lambda: join(world.predictions("p.json"), world.references("r.json"))) == (
        "p.json: [0]: conversations[3]: the id 'c | 2' joins the question 'Big?' with 'Old?' at "
        "r.json: [0]: conversations[3], but 'Big?' is asked at r.json: [0]: conversations[5]; "
        "correct the ids, or the questions"
    )


def test_question_of_another_conversation_is_no_other_question(world: World) -> None:
    world.write_json("p.json", [{"id": i, "conversations": talk("What?")} for i in (1, 2)])
    world.write_json("r.json", [{"id": i, "conversations": talk(text)} for i, text in ((1, "What?"), (2, "Well?"))])
    assert join(world.predictions("p.json"), world.references("r.json")).ids == ("1", "2")


def test_interactions_that_ids_join_with_other_questions_are_refused(world: World) -> None:
    world.write_lines(
        "p.jsonl",
        *({"id": f"x | {i}", "image": "a.jpg", "prompt": f"Q{3 - i}", "raw_output": ""} for i in (1, 2)),
    )
    interactions = [{"order": i, "question": f"Q{i}", "answer": "yes"} for i in (1, 2)]
    world.write_lines(
        "r.jsonl",
        {"id": "x", "asset": {"filename": "a.jpg"}, "contents": {"type": "Vqa", "interactions": interactions}},
    )
    assert message(lambda: join(world.predictions("p.jsonl"), world.references("r.jsonl"))) == (
        "p.jsonl:1: the id 'x | 1' joins the question 'Q2' with 'Q1' at r.jsonl:1: interactions[0], but 'Q2' is asked "
        "at r.jsonl:1: interactions[1]; correct the ids, or the questions"
    )


@pytest.mark.parametrize("side", ["predictions", "references", "both"])
def test_declared_id_is_the_only_name(world: World, side: str) -> None:
    world.write_lines("p.jsonl", {"id": 1, "image": "a.jpg", "prediction": "x"})
    world.write_lines("r.jsonl", {"id": 101, "image": "a.jpg", "reference": "x"})
    left = world.predictions("p.jsonl", fields={} if side == "references" else {"id": "id"})
    right = world.references("r.jsonl", fields={} if side == "predictions" else {"id": "id"})
    assert message(lambda: join(left, right)) == (
        "p.jsonl: no id is on both sides: predictions have '1', references '101'; "
        "declare which fields name a sample: fields: {id: …}"
    )


def test_declared_id_that_the_other_side_lacks(world: World) -> None:
    world.write_lines("p.jsonl", {"n": 1, "image": "a.jpg", "prediction": "x"})
    world.write_lines("r.jsonl", {"image": "a.jpg", "reference": "x"})
    left = world.predictions("p.jsonl", fields={"id": "n"})
    assert message(lambda: join(left, world.references("r.jsonl"))) == (
        "p.jsonl: predictions are named by id, references by image or stem; "
        "declare which fields name a sample: fields: {id: …}"
    )


def test_ids_of_questions_are_none_of_pictures(world: World) -> None:
    world.write_json("p.json", [{"question_id": 1, "answer": "a car"}])
    world.write_json("r.json", {"images": [{"id": 1}], "annotations": [{"image_id": 1, "caption": "a car"}]})
    assert message(lambda: join(world.predictions("p.json"), world.references("r.json"))) == (
        "p.json: predictions are named by question_id, references by image_id; "
        "declare which fields name a sample: fields: {id: …}"
    )


@pytest.mark.parametrize(
    ("more", "advice"),
    [
        (({"prompt": "Red?"}, {"prompt": "Big?"}), "{id: [id, prompt]}"),
        (({"image": "a.jpg", "question": "Red?"}, {"image": "a.jpg", "question": "Big?"}), "{id: [id, question]}"),
        (({"task": "x"}, {"task": "y"}), "{id: [id, task]}"),
    ],
)
def test_id_of_two_records_is_to_be_made_of_a_field_that_tells_them_apart(
    world: World, more: tuple[dict[str, object], dict[str, object]], advice: str
) -> None:
    records = [{"id": 1, "prediction": "x", **one} for one in more]
    world.write_lines("p.jsonl", *records)
    table = world.predictions("p.jsonl")
    assert message(lambda: join(table, None)) == (
        "p.jsonl:2: the id '1' is already that of p.jsonl:1; if both are meant, "
        f"make the id of more fields: fields: {advice}"
    )


def test_id_is_to_be_made_of_no_field_that_a_format_adds(world: World) -> None:
    world.write_json("p.json", [{"id": 1, "conversations": talk(text)} for text in ("Red?", "Big?")])
    table = world.predictions("p.json")
    assert message(lambda: join(table, None)) == (
        "p.json: [1]: the id '1' is already that of p.json: [0]; keep the one that is meant, "
        "or give each an id of its own"
    )


def test_empty_array_is_no_answer_to_texts(world: World) -> None:
    world.write("p.json", "[]")
    world.write_lines("r.jsonl", {"id": 1, "reference": "x"})
    assert message(lambda: join(world.predictions("p.json"), world.references("r.jsonl"))) == (
        "p.json: the file holds no records; zero samples prove nothing, write at least one"
    )
