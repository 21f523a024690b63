from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.world import World, message
from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.dataset import Boxes, Dataset
from pytest_vigate.data.joining import join, picture_names
from pytest_vigate.data.units import Unit, arrange
from worlds import vi_prediction, vi_reference, vi_reply

A, B, C, D = ((i * 64, 0, i * 64 + 32, 32) for i in range(4))


def record(name: str, image: str | None, **phrases: Any) -> dict[str, object]:
    """A record of a picture with the boxes of every phrase; what is no list is a further field."""
    found = [(phrase, [*box]) for phrase, given in phrases.items() if isinstance(given, list) for box in given]
    more = {key: value for key, value in phrases.items() if not isinstance(value, list)}
    return {
        "id": name,
        "image": image,
        "boxes": [box for _, box in found],
        "labels": [name for name, _ in found],
        **more,
    }


def arranged(
    world: World,
    predictions: Sequence[Mapping[str, object]],
    references: Sequence[Mapping[str, object]],
    unit: Unit,
    *,
    attributes: Sequence[str] = (),
) -> Dataset:
    world.write_lines("p.jsonl", *(predictions or [{**references[0], "boxes": [], "labels": []}]))
    world.write_lines("r.jsonl", *references)
    declared: Any = {}
    if "boxes" in references[0]:
        declared = {"format": "jsonl", "boxes": Convention("xyxy", "pixels"), "fields": {"boxes": "boxes"}}
    left, right = world.predictions("p.jsonl", **declared), world.references("r.jsonl", **declared)
    return arrange(join(left, right, attributes=attributes), unit, pictures=picture_names(left, right))


def found(boxes: Boxes) -> list[list[tuple[str, float]]]:
    """Label and left edge of every box, by sample."""
    pairs = [(boxes.vocabulary[label], x) for label, x in zip(boxes.label, boxes.xyxy[:, 0].tolist(), strict=True)]
    return [pairs[start:stop] for start, stop in zip(boxes.offsets, boxes.offsets[1:], strict=False)]


def test_every_phrase_of_either_side_is_a_sample(world: World) -> None:
    data = arranged(
        world,
        [
            vi_prediction("b.jpg", vi_reply(("dent", [D]))),
            vi_prediction("a.jpg", vi_reply(("Scratch", [B]), ("rust", [C, A]))),
        ],
        [
            vi_reference("a.jpg", ("dent", [A]), ("scratch", [B]), light="night"),
            vi_reference("b.jpg", light="day"),
            vi_reference("c.jpg", light="dusk"),
        ],
        "phrase",
        attributes=["light"],
    )
    assert data.ids == ("a.jpg | dent", "a.jpg | scratch", "a.jpg | rust", "b.jpg | dent", "c.jpg")
    assert data.attributes == {"light": ("night", "night", "night", "day", "dusk")}
    assert data.predictions.present.tolist() == [True, True, True, True, False]
    assert data.references.present.all()
    assert data.pictures is not None
    assert data.pictures.tolist() == [0, 0, 0, 1, 2]
    assert data.leads is not None
    assert data.leads.tolist() == [True, False, False, True, True]
    assert found(data.references.boxes) == [[("dent", 0)], [("scratch", 64)], [], [], []]
    assert found(data.predictions.boxes) == [
        [],
        [("scratch", 64)],
        [("rust", 128), ("rust", 0)],
        [("dent", 192)],
        [],
    ]


def test_case_and_white_space_make_no_other_phrase(world: World) -> None:
    data = arranged(
        world,
        [vi_prediction("a.jpg", vi_reply(("the  RED car", [A]), ("The red car ", [B]), ("x", [C])))],
        [vi_reference("a.jpg", (" The red\tcar", [A]), ("X", [C]))],
        "phrase",
    )
    assert data.ids == ("a.jpg | The red car", "a.jpg | X")
    assert found(data.predictions.boxes) == [[("The red car", 0), ("The red car", 64)], [("X", 128)]]
    assert found(data.references.boxes) == [[("The red car", 0)], [("X", 128)]]
    assert data.references.boxes.declared == frozenset({"The red car", "X"})


def test_records_of_one_phrase_each_stay_samples_and_share_their_picture(world: World) -> None:
    size = {"width": 256, "height": 64}
    world.write_lines("p.jsonl", {"image": "a.jpg", "sent": "Man", "bbox": [*A], **size})
    world.write_lines(
        "r.jsonl",
        {"image": "a.jpg", "sent": "dog", "bbox": [*B], **size},
        {"image": "b.jpg", "sent": "dog", "bbox": [*B], **size},
        {"image": "a.jpg", "sent": "Man", "bbox": [*A], **size},
    )
    left, right = world.predictions("p.jsonl"), world.references("r.jsonl")
    data = arrange(join(left, right), "phrase", pictures=picture_names(left, right))
    assert data.ids == ("a.jpg | dog", "b.jpg | dog", "a.jpg | Man")
    assert data.pictures is not None
    assert data.pictures.tolist() == [0, 1, 0]
    assert found(data.predictions.boxes) == [[], [], [("Man", 0)]]


def test_records_that_share_a_picture_keep_their_own_id_beside_the_phrase(world: World) -> None:
    truth = [record(name, "a.jpg", dent=[A], rust=[B]) for name in ("q1", "q2")]
    data = arranged(world, [record("q2", "a.jpg", dent=[C])], truth, "phrase")
    assert data.ids == ("q1 | dent", "q1 | rust", "q2 | dent", "q2 | rust")
    assert data.pictures is not None
    assert data.pictures.tolist() == [0, 0, 0, 0]
    assert found(data.predictions.boxes) == [[], [], [("dent", 128)], []]


def test_records_that_name_no_picture_are_their_own(world: World) -> None:
    truth = [record(name, None, dent=[A], rust=[B]) for name in ("q1", "q2")]
    data = arranged(world, [record("q1", None)], truth, "phrase")
    assert data.ids == ("q1 | dent", "q1 | rust", "q2 | dent", "q2 | rust")
    assert data.pictures is not None
    assert data.pictures.tolist() == [0, 0, 1, 1]


def test_failed_reply_is_no_answer_to_any_phrase(world: World) -> None:
    data = arranged(
        world,
        [vi_prediction("a.jpg", "I see nothing."), vi_prediction("b.jpg", vi_reply(("dent", [A])))],
        [vi_reference("a.jpg", ("dent", [A]), ("rust", [B])), vi_reference("b.jpg", ("dent", [A]))],
        "phrase",
    )
    assert data.ids == ("a.jpg | dent", "a.jpg | rust", "b.jpg | dent")
    assert data.predictions.failures is not None
    assert list(data.predictions.failures) == [0, 1]
    assert data.predictions.replies is not None
    assert data.predictions.replies[:2] == ("I see nothing.", "I see nothing.")
    assert data.predictions.present.all()
    assert data.references.failures is None


def test_phrases_need_boxes(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "text": "a"})
    table = world.predictions("p.jsonl")
    assert message(lambda: arrange(join(table, None), "phrase", pictures=None)) == (
        "p.jsonl: unit: phrase makes a sample of every phrase that has boxes, but these records carry none; remove unit"
    )


def test_predictions_alone_are_split_by_their_own_phrases(world: World) -> None:
    world.write_lines("p.jsonl", vi_prediction("a.jpg", vi_reply(("dent", [A]), ("rust", [B]))))
    table = world.predictions("p.jsonl")
    data = arrange(join(table, None), "phrase", pictures=picture_names(table, None))
    assert data.ids == ("a.jpg | dent", "a.jpg | rust")
    assert data.references.parts == frozenset()


def test_records_of_a_picture_are_one_sample(world: World) -> None:
    data = arranged(
        world,
        [
            record("q3", "b.jpg", text="no"),
            record("q2", "a.jpg", text="two", dent=[C]),
            record("q1", "a.jpg", text="one", dent=[B], rust=[D]),
        ],
        [
            record("q1", "a.jpg", light="night", dent=[A]),
            record("q3", "b.jpg", light="day"),
            record("q2", "a.jpg", light="night", rust=[B], dent=[C]),
        ],
        "image",
        attributes=["light"],
    )
    assert data.ids == ("a.jpg", "b.jpg")
    assert data.pictures is None
    assert data.attributes == {"light": ("night", "day")}
    assert found(data.references.boxes) == [[("dent", 0), ("rust", 64), ("dent", 128)], []]
    assert found(data.predictions.boxes) == [[("dent", 64), ("rust", 192), ("dent", 128)], []]
    assert data.predictions.replies == ("one\ntwo", "no")
    assert data.predictions.present.tolist() == [True, True]


def test_a_picture_is_answered_if_all_its_records_are(world: World) -> None:
    truth = [record(name, f"{name[0]}.jpg", dent=[A]) for name in ("a1", "a2", "b1", "c1", "c2")]
    data = arranged(
        world,
        [record("a1", "a.jpg", text="x"), record("b1", "b.jpg", text="y"), *(record(c, "c.jpg") for c in ("c1", "c2"))],
        truth,
        "image",
    )
    assert data.ids == ("a.jpg", "b.jpg", "c.jpg")
    assert data.predictions.present.tolist() == [False, True, True]
    assert data.predictions.replies == (None, "y", None)
    assert data.references.present.all()


def test_a_picture_fails_with_the_first_of_its_replies_that_do(world: World) -> None:
    world.write_lines(
        "p.jsonl",
        *({**vi_prediction("a.jpg", reply), "id": i} for i, reply in enumerate([vi_reply(), "Sorry.", "{"])),
        {**vi_prediction("b.jpg", vi_reply()), "id": 3},
    )
    world.write_lines("r.jsonl", *({**vi_reference(f"{'aaab'[i]}.jpg"), "id": i} for i in range(4)))
    left, right = world.predictions("p.jsonl"), world.references("r.jsonl")
    whole = join(left, right)
    data = arrange(whole, "image", pictures=picture_names(left, right))
    assert whole.predictions.failures is not None
    assert data.predictions.failures == {0: whole.predictions.failures[1]}


def test_attributes_that_differ_within_a_picture(world: World) -> None:
    truth = [record("q1", "a.jpg", light="night"), record("q2", "b.jpg"), record("q3", "a.jpg")]
    assert message(lambda: arranged(world, [], truth, "image", attributes=["light"])) == (
        "r.jsonl: unit: image: the records of 'a.jpg' differ in 'light', 'night' and nothing; "
        "a picture has one value, correct them or leave 'light' out of attributes"
    )


def test_unit_image_needs_the_picture_of_every_record(world: World) -> None:
    truth = [record("q1", "a.jpg"), record("q2", None)]
    assert message(lambda: arranged(world, [], truth, "image")) == (
        "r.jsonl: unit: image takes the records of a picture together, but not every record names its picture; "
        "name the field that does: fields: {image: …}, or remove unit"
    )


def test_boxes_stay_underived_until_they_are_asked_for(world: World) -> None:
    broken = {"id": "q1", "image": "a.jpg", "boxes": [[0, 0, 1]]}
    data = arranged(world, [record("q1", "a.jpg")], [broken], "image")
    assert message(lambda: data.references.boxes) == "r.jsonl:1: $.boxes[0]: expected array of length 4, got 3"


cells = st.lists(st.tuples(st.sampled_from(["dent", "Dent", "rust"]), st.integers(0, 20)), max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(ours=st.lists(cells, min_size=4, max_size=4), theirs=st.lists(cells, min_size=4, max_size=4))
@pytest.mark.parametrize("unit", ["image", "phrase"])
def test_no_box_is_lost_or_moved_to_another_picture(
    world: World, unit: Unit, ours: list[list[tuple[str, int]]], theirs: list[list[tuple[str, int]]]
) -> None:
    def made(sides: list[list[tuple[str, int]]]) -> list[dict[str, object]]:
        return [
            {
                "id": i,
                "image": f"{i // 2}.jpg",
                "boxes": [[x, i, x + 1, i + 1] for _, x in cell],
                "labels": [label for label, _ in cell],
            }
            for i, cell in enumerate(sides)
        ]

    data = arranged(world, made(ours), made(theirs), unit)
    assert len(set(data.ids)) == len(data)
    for side, cell in ((data.predictions.boxes, ours), (data.references.boxes, theirs)):
        # top is the number of the record, so half of it that of the picture
        expected = sorted((x, i, label.casefold()) for i, found in enumerate(cell) for label, x in found)
        names = [side.vocabulary[label].casefold() for label in side.label]
        corners = side.xyxy[:, :2].astype(int).tolist()
        assert sorted((x, y, name) for (x, y), name in zip(corners, names, strict=True)) == expected
        pictures = side.sample if data.pictures is None else data.pictures[side.sample]
        assert pictures.tolist() == (side.xyxy[:, 1] // 2).astype(int).tolist()
        if unit == "phrase":
            for sample in np.unique(side.sample):
                assert len(set(side.label[side.sample == sample].tolist())) == 1
