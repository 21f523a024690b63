"""Every box preset: what is written in its dialect is read back, and what is broken in it is said."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.world import World, steps
from pytest_vigate.data.grounding import MOST_BOXES, read_reply
from pytest_vigate.data.joining import join
from pytest_vigate.data.presets import NO_BOX, Box, BoxDeclaration, Preset, Reading, builtin
from pytest_vigate.data.replies import LONGEST, ParseFailure
from worlds import real_data

PRESETS = {preset.name: preset for preset in builtin()}
every_preset = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)

Corners = tuple[int, int, int, int]
Written = Sequence[tuple[str, Corners]]
Found = Sequence[tuple[str, Sequence[float]]]

WIDTH, HEIGHT = 800, 600


@dataclass(frozen=True)
class Dialect:
    """How a test writes boxes, and what they are in the picture."""

    write: Callable[[Written], str]
    extent: tuple[int, int] = (1000, 1000)
    """Largest x and y that is written; the width and height of the picture."""
    labels: str = "abc XYZ'/,.é猫\"\\{}[]"
    """Characters of labels; empty where there are none."""
    nothing: bool = False
    """The dialect can say that there is nothing."""
    named: bool = False
    """A box without a label of its own takes the one before."""
    shift: float = 0.0
    """Between what is written and what it stands for, as the middle of a bin."""


def swapped(box: Corners) -> list[int]:
    x1, y1, x2, y2 = box
    return [y1, x1, y2, x2]


def write_vi(boxes: Written) -> str:
    groundings = [{"phrase": label, "grounding": [list(box)]} for label, box in boxes]
    return json.dumps({"phrase_grounding": {"sentence": "", "groundings": groundings}}, ensure_ascii=False)


def write_fenced(key: str, *, swap: bool = False) -> Callable[[Written], str]:
    def write(boxes: Written) -> str:
        objects = [{key: swapped(box) if swap else list(box), "label": label} for label, box in boxes]
        return f"```json\n{json.dumps(objects, indent=1)}\n```\n"

    return write


def write_fractions(boxes: Written) -> str:
    objects = [{"bbox_2d": [number / 1000 for number in box], "label": label} for label, box in boxes]
    return json.dumps(objects)


def write_tagged(text: str, between: str = "") -> Callable[[Written], str]:
    def write(boxes: Written) -> str:
        return between.join(text.format(label=label, box=box) for label, box in boxes)

    return write


def write_moondream(boxes: Written) -> str:
    names = ("x_min", "y_min", "x_max", "y_max")
    return json.dumps({"objects": [dict(zip(names, [n / 1000 for n in box], strict=True)) for _, box in boxes]})


def write_columns(boxes: Written) -> str:
    return json.dumps(
        {
            "scores": [0.5 for _ in boxes],
            "boxes": [[float(number) for number in box] for _, box in boxes],
            "text_labels": [label for label, _ in boxes],
        }
    )


def write_florence_processed(boxes: Written) -> str:
    return json.dumps({"<OD>": {"bboxes": [list(box) for _, box in boxes], "labels": [label for label, _ in boxes]}})


def write_kosmos(boxes: Written) -> str:
    # the grid's cells that hold the corners; two cells in a row or column would stand for their outer edges
    return "<grounding> " + " and ".join(
        f"<phrase>{label}</phrase><object><patch_index_{32 * y1 + x1:04d}><patch_index_{32 * y2 + x2:04d}></object>"
        for label, (x1, y1, x2, y2) in boxes
    )


def write_objects(numbers: Callable[[Corners], list[float]]) -> Callable[[Written], str]:
    def write(boxes: Written) -> str:
        return json.dumps({"objects": [{"bbox": numbers(box), "name": label} for label, box in boxes]})

    return write


PLAIN = "abc XYZ'/,.é猫\"\\"
DIALECTS = {
    "vi": Dialect(write_vi, (1024, 1024), nothing=True),
    "qwen2.5-vl": Dialect(write_fenced("bbox_2d"), (560, 420), nothing=True),
    "qwen3-vl": Dialect(write_fenced("bbox_2d"), nothing=True),
    "qwen2-vl": Dialect(
        write_tagged(
            "<|object_ref_start|>{label}<|object_ref_end|>"
            "<|box_start|>({box[0]},{box[1]}),({box[2]},{box[3]})<|box_end|>"
        )
    ),
    "qwen-vl": Dialect(write_tagged("<ref>{label}</ref><box>({box[0]},{box[1]}),({box[2]},{box[3]})</box>", " and ")),
    "internvl": Dialect(write_tagged("<ref>{label}</ref><box>[[{box[0]}, {box[1]}, {box[2]}, {box[3]}]]</box>", "\n")),
    "gemini": Dialect(write_fenced("box_2d", swap=True), nothing=True),
    "paligemma": Dialect(
        write_tagged("<loc{box[1]:04d}><loc{box[0]:04d}><loc{box[3]:04d}><loc{box[2]:04d}> {label}", " ; "),
        (1024, 1024),
        PLAIN,
    ),
    "florence-2": Dialect(
        write_tagged("{label}<loc_{box[0]}><loc_{box[1]}><loc_{box[2]}><loc_{box[3]}>"),
        labels=PLAIN,
        named=True,
        shift=0.5,
    ),
    "florence-2-processed": Dialect(write_florence_processed, (WIDTH, HEIGHT), nothing=True),
    "kosmos-2": Dialect(write_kosmos, (32, 32), shift=0.5),
    "deepseek-vl2": Dialect(
        write_tagged("<|ref|>{label}<|/ref|><|det|>[[{box[0]}, {box[1]}, {box[2]}, {box[3]}]]<|/det|>"), (999, 999)
    ),
    "glm-4v": Dialect(write_tagged("It is at <|begin_of_box|>[{box}]<|end_of_box|>."), labels=""),
    "minicpm-v": Dialect(write_tagged("<box>{box[0]} {box[1]} {box[2]} {box[3]}</box>"), labels=""),
    "cogvlm": Dialect(write_tagged("[[{box[0]:03d},{box[1]:03d},{box[2]:03d},{box[3]:03d}]]", " and "), labels=""),
    "moondream": Dialect(write_moondream, labels="", nothing=True),
    "kimi-vl": Dialect(write_fractions, nothing=True),
    "grounding-dino": Dialect(write_columns, (WIDTH, HEIGHT), nothing=True),
    "coco": Dialect(
        write_objects(lambda box: [box[0], box[1], box[2] - box[0], box[3] - box[1]]), (WIDTH, HEIGHT), nothing=True
    ),
    "yolo": Dialect(
        write_objects(
            lambda box: [
                (box[0] + box[2]) / 2000,
                (box[1] + box[3]) / 2000,
                (box[2] - box[0]) / 1000,
                (box[3] - box[1]) / 1000,
            ]
        ),
        nothing=True,
    ),
    "voc": Dialect(write_objects(list), (WIDTH, HEIGHT), nothing=True),
}


@every_preset
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(data=st.data())
def test_what_is_written_in_the_dialect_comes_back_in_pixels(world: World, preset: Preset, data: st.DataObject) -> None:
    dialect = DIALECTS[preset.name]
    wide, high = dialect.extent
    top = 2 * dialect.shift
    corner = st.tuples(
        st.integers(0, wide // 2 - 1),
        st.integers(0, high // 2 - 1),
        st.integers(wide // 2, wide - int(top)),
        st.integers(high // 2, high - int(top)),
    )
    if preset.name == "paligemma":  # its last bin
        corner = corner.map(lambda box: (box[0], box[1], min(box[2], 1023), min(box[3], 1023)))
    labels = st.text(dialect.labels, max_size=8) if dialect.labels else st.just("")
    boxes = data.draw(
        st.lists(
            st.tuples(labels.filter(str.strip) if dialect.named else labels, corner),
            min_size=0 if dialect.nothing else 1,
            max_size=5,
        )
    )
    record = {
        "id": 1,
        "raw_output": dialect.write(boxes),
        "width": WIDTH,
        "height": HEIGHT,
        "input_width": 560,
        "input_height": 420,
    }
    world.write_lines("p.jsonl", record, {**record, "id": 2, "raw_output": dialect.write([("x", (1, 1, 20, 20))])})
    table = world.predictions("p.jsonl", format="jsonl", declared=BoxDeclaration(preset.name))
    side = join(table, None).predictions
    assert side.failures == {}
    found = side.boxes
    count = int(found.offsets[1])
    scale = np.array([WIDTH / wide, HEIGHT / high] * 2)
    expected = (np.array([box for _, box in boxes]).reshape(-1, 4) + dialect.shift) * scale
    assert found.xyxy[:count] == pytest.approx(expected, abs=1e-6)
    assert [found.vocabulary[label] for label in found.label[:count]] == [label.strip() for label, _ in boxes]
    assert found.phrases


def test_every_dialect_belongs_to_a_preset() -> None:
    assert DIALECTS.keys() == PRESETS.keys()


def read(name: str, reply: str) -> tuple[Found, str]:
    """Labels and numbers of a reply, and what is wrong with it."""
    reading = PRESETS[name].read(reply)
    return [(label, list(numbers)) for label, numbers, _ in reading.boxes], str(reading.failure or "")


CAT: Found = [("cat", [1, 2, 3, 4])]
TWO: Found = [("cat", [1, 2, 3, 4]), ("dog", [5, 6, 7, 8])]
SAMPLES: dict[str, list[tuple[str, Found, str]]] = {
    "vi": [
        (
            '{"phrase_grounding":{"sentence":"A red car by two people","groundings":[{"phrase":"A red car","grounding":'
            '[[120,340,580,670]]},{"phrase":"two people","grounding":[[600,280,750,720],[780,290,920,710]]}]}}',
            [
                ("A red car", [120, 340, 580, 670]),
                ("two people", [600, 280, 750, 720]),
                ("two people", [780, 290, 920, 710]),
            ],
            "",
        ),
        ('{"phrase_grounding":{"groundings":[]}}', [], ""),
        ("null", [], "$: expected object, got null"),
        (
            '{"phrase_grounding":{"groundings":[{"phrase":"cat","grounding":[[1,2,3,4]]},{"phrase":"dog","grounding":',
            CAT,
            "the JSON document is cut off",
        ),
        (
            '{"phrase_grounding":{"groundings":[{"phrase":"cat","grounding":[[1,2,3,4],[5,6,7]]}]}}',
            CAT,
            "$.phrase_grounding.groundings[0].grounding[1]: expected array of length 4, got 3",
        ),
        (
            '{"groundings":[{"phrase":"cat","grounding":[[1,2,3,4]]}]}',
            CAT,
            "$: the field 'phrase_grounding' is missing",
        ),
        (
            '```json\n{"phrase_grounding":{"groundings":[]}}\n```',
            [],
            "the reply is no JSON document, it begins with '```json\\n{\"phrase_gr…'",
        ),
        ('{"vqa": {"answer": "two"}}', [], "$: the field 'phrase_grounding' is missing"),
    ],
    "qwen2.5-vl": [
        ('```json\n[{"bbox_2d": [1, 2, 3, 4], "label": "cat"}]\n```', CAT, ""),
        ('[{"bbox_2d": [1, 2, 3, 4], "label": "cat"}, {"bbox_2d": [5, 6', CAT, "the JSON document is cut off"),
        ('```json\n[{"bbox_2d": [1, 2, 3, 4], "label": "cat"}]', CAT, "the code fence is not closed at character 1"),
        (
            '```json\n[{"bbox_2d": [1, 2, 3, 4], "label": "cat"},',
            CAT,
            "the JSON document is cut off",
        ),
        (
            'Here: [{"bbox_2d": [1, 2, 3, 4], "label": "cat"}]',
            CAT,
            "there is text around the JSON document",
        ),
        (
            '{"bbox_2d": [1, 2, 3, 4], "label": "cat"}\n{"bbox_2d": [5, 6, 7, 8], "label": "dog"}',
            TWO,
            "there is more than one JSON document",
        ),
    ],
    "qwen3-vl": [
        ('{"bbox_2d": [1, 2, 3, 4], "label": "cat"}', CAT, ""),
        ('[{"bbox_2d": [[1, 2, 3, 4]], "label": "cat"}, {"bbox_2d": null, "label": "dog"}]', CAT, ""),
        ("[]", [], ""),
        ("```json\n[]\n```", [], ""),
        ('{"objects": []}', [], ""),
        ('{"bbox_2d": null}', [], ""),
        ("{}", [], "there is no box in the reply"),
        ('[{"bbox_2d": [1, 2, 3, 4], "label": "cat"}, {"box": [1, 2, 3, 4]}]', CAT, "an object has no bbox_2d"),
        (
            '[{"bbox_2d": [1, 2, 3, 4], "label": "cat", "bbox_2d": [5, 6, 7, 8], "label": "dog"}]',
            TWO[1:],
            "the key 'bbox_2d' is there twice in one object",
        ),
        ('[{"point_2d": [925, 618], "label": "point_1"}]', [], "there is no box in the reply"),
    ],
    "qwen2-vl": [
        (
            "<|object_ref_start|>cat<|object_ref_end|><|box_start|>(1,2),(3,4)<|box_end|>",
            CAT,
            "",
        ),
        (
            "<|object_ref_start|>cat<|object_ref_end|><|box_start|>(1,2),(3,4)<|box_end|><|box_start|>(5,6),(7",
            CAT,
            "<|box_start|> is never closed at character 77",
        ),
    ],
    "qwen-vl": [
        ("<ref>cat</ref><box>(1,2),(3,4)</box> on <ref>dog</ref><box>(5,6),(7,8)</box>", TWO, ""),
        ("<ref>cat</ref><box>(1,2),(3,4)</box><ref>dog</ref>", CAT, "'dog' has no box at character 37"),
        ("<ref>cat</ref><box>(1,2),(3,4)</box></box>", CAT, "</box> closes nothing at character 37"),
        (
            "<ref>cat</ref><box>(1,2),(3,4)</box><box>(1,2)</box>",
            CAT,
            "'(1,2)' holds what is no box, expected (x1,y1),(x2,y2) at character 42",
        ),
    ],
    "internvl": [
        ("<ref>cat</ref><box>[[1, 2, 3, 4]]</box>", CAT, ""),
        ("<ref>cat</ref><box>[[1,2,3,4],[5,6,7,8]]</box>", [*CAT, ("cat", [5, 6, 7, 8])], ""),
        ("<ref>cat</ref><box>[]</box>", [], ""),
        (
            "<ref>cat</ref><box>[[1,2,3,4],[5,6,7,8,9]]</box>",
            CAT,
            "'[[1,2,3,4],[5,6,7,8,9]]' holds what is no box, expected [[x1,y1,x2,y2]] at character 20",
        ),
        ("<ref>cat<ref>dog</ref><box>[[5,6,7,8]]</box>", TWO[1:], "<ref> is never closed at character 1"),
    ],
    "gemini": [
        ('```json\n[{"box_2d": [2, 1, 4, 3], "label": "cat"}]\n```', [("cat", [2, 1, 4, 3])], ""),
        ('{"boxes": [{"box_2d": [2, 1, 4, 3], "label": "cat", "mask": "…"}]}', [("cat", [2, 1, 4, 3])], ""),
        ('{"boxes": []}', [], ""),
    ],
    "paligemma": [
        (
            "<loc0256><loc0128><loc0768><loc0640> cat ; <loc0001><loc0002><loc0003><loc0004> man's w/ hat, red",
            [("cat", [256, 128, 768, 640]), ("man's w/ hat, red", [1, 2, 3, 4])],
            "",
        ),
        (
            f"<loc0001><loc0002><loc0003><loc0004>{''.join(f'<seg{i:03d}>' for i in range(16))} cat",
            CAT,
            "",
        ),
        (
            "<loc0001><loc0002><loc0003><loc0004> cat ; <loc0005><loc0006>",
            CAT,
            "2 location tokens in a row, where four make a box at character 44",
        ),
        (
            "<loc0001><loc0002><loc0003><loc0004> cat ; <loc0005><loc0006><loc0007><lo",
            CAT,
            "3 location tokens in a row, where four make a box at character 44",
        ),
        ("<loc0001><loc0002><loc0003><loc0004> cat ; <loc00", CAT, "a location token is broken at character 44"),
        (
            "<loc0001><loc0002><loc0003><loc0004><loc0005> cat",
            [],
            "5 location tokens in a row, where four make a box at character 1",
        ),
        ("a cat", [], "there is no box in the reply"),
    ],
    "florence-2": [
        ("cat<loc_52><loc_332><loc_932><loc_774>", [("cat", [52.5, 332.5, 932.5, 774.5])], ""),
        (
            "</s><s>cat<loc_0><loc_1><loc_2><loc_3><loc_4><loc_5><loc_6><loc_7>dog<loc_0><loc_1><loc_2><loc_999></s>",
            [("cat", [0.5, 1.5, 2.5, 3.5]), ("cat", [4.5, 5.5, 6.5, 7.5]), ("dog", [0.5, 1.5, 2.5, 999.5])],
            "",
        ),
        ("No object detected.", [], ""),
        (
            "cat<loc_0><loc_1><loc_2><loc_3><loc_4>",
            [("cat", [0.5, 1.5, 2.5, 3.5])],
            "5 location tokens in a row, where four make a box each at character 4",
        ),
        ("cat<poly><loc_0><loc_1><loc_2><loc_3></poly>", [], "the reply holds polygons, no boxes at character 4"),
    ],
    "florence-2-processed": [
        ('{"<OD>": {"bboxes": [[1, 2, 3, 4], [5, 6, 7, 8]], "labels": ["cat", "dog"]}}', TWO, ""),
        (
            '{"<OPEN_VOCABULARY_DETECTION>": {"bboxes": [[1, 2, 3, 4]], "bboxes_labels": ["cat"], "polygons": [], '
            '"polygons_labels": []}}',
            CAT,
            "",
        ),
        ('{"<OD>": {"bboxes": [], "labels": []}}', [], ""),
        ('{"<OD>": {"bboxes": [[1, 2, 3, 4]], "labels": []}}', [], "0 labels for 1 bboxes"),
    ],
    "kosmos-2": [
        # two corners: 5 = row 0, column 5; 911 = row 28, column 15
        (
            "<grounding><phrase>a fire</phrase><object><patch_index_0005><patch_index_0911></object>",
            [("a fire", [5.5 / 32, 0.5 / 32, 15.5 / 32, 28.5 / 32])],
            "",
        ),
        # one cell, and two in a column: the outer edges
        (
            "<phrase>it</phrase><object><patch_index_0033><patch_index_0033></delimiter_of_multi_objects/>"
            "<patch_index_0001><patch_index_0065></object>",
            [("it", [1 / 32, 1 / 32, 2 / 32, 2 / 32]), ("it", [1 / 32, 0, 2 / 32, 3 / 32])],
            "",
        ),
        (
            "<object><patch_index_0000><patch_index_1024></object>",
            [],
            "'<patch_index_0000><patch_index_1024>' holds what is no box, "
            "expected <patch_index_0000><patch_index_0000> at character 9",
        ),
    ],
    "deepseek-vl2": [
        (
            "<|ref|>cat<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|><|ref|>dog<|/ref|><|det|>[[5, 6, 7, 8]]<|/det|>"
            "<｜end▁of▁sentence｜>",
            TWO,
            "",
        ),
        ("<|ref|>cat<|/ref|>", [], "'cat' has no box at character 1"),
    ],
    "glm-4v": [
        ("At <|begin_of_box|>[[1,2,3,4]]<|end_of_box|>.", [("", [1, 2, 3, 4])], ""),
        ("<|begin_of_box|>(1, 2, 3, 4)<|end_of_box|>", [("", [1, 2, 3, 4])], ""),
        ("<|begin_of_box|><1,2,3,4><|end_of_box|>", [("", [1, 2, 3, 4])], ""),
        ("<|begin_of_box|>[1,2,3,4]<|end_of_box|>", [("", [1, 2, 3, 4])], ""),
        (
            "<|begin_of_box|>two<|end_of_box|>",
            [],
            "'two' holds what is no box, expected [[x1,y1,x2,y2]] at character 17",
        ),
    ],
    "minicpm-v": [
        ("<box>1 2 3 4</box><box>5 6 7 8</box>", [("", [1, 2, 3, 4]), ("", [5, 6, 7, 8])], ""),
        ("<box>1 2 3</box>", [], "'1 2 3' holds what is no box, expected x1 y1 x2 y2 at character 6"),
    ],
    "cogvlm": [
        ("[[001,002,003,004]]", [("", [1, 2, 3, 4])], ""),
        ("Two [[001,002,003,004;005,006,007,008]].", [("", [1, 2, 3, 4]), ("", [5, 6, 7, 8])], ""),
        ("[[001,002,003", [], "[[ is never closed at character 1"),
    ],
    "moondream": [
        ('{"objects":[{"x_min":0.2,"y_min":0.3,"x_max":0.6,"y_max":0.8}]}', [("", [0.2, 0.3, 0.6, 0.8])], ""),
        ('{"objects":[]}', [], ""),
        (
            '{"objects":[{"x_min":0.2,"y_min":0.3,"x_max":0.6}]}',
            [],
            "x_min, y_min, x_max, y_max is '[0.2, 0.3, 0.6, null]', where four numbers are due",
        ),
    ],
    "kimi-vl": [('{"bbox_2d":[0.28,0.5,0.52,0.7]}', [("", [0.28, 0.5, 0.52, 0.7])], "")],
    "grounding-dino": [
        ('{"scores": [0.9, 0.4], "boxes": [[1, 2, 3, 4], [5, 6, 7, 8]], "text_labels": ["cat", "dog"]}', TWO, ""),
        ('[{"scores": [0.9], "boxes": [[1, 2, 3, 4]], "labels": ["cat"]}]', CAT, ""),
        (
            '{"scores": [0.9], "boxes": [[1, 2, 3, 4], [1, 1, 1, 1]], "labels": ["cat", "a"]}',
            [],
            "1 scores for 2 boxes",
        ),
        (
            '{"scores": [0.9, 0.4], "boxes": [[1, 2, 3, 4], [5, 6, 7]], "labels": ["cat", "a"]}',
            CAT,
            "boxes holds '[5, 6, 7]', where four numbers are due",
        ),
    ],
}
ANYTHING: list[tuple[str, Found, str]] = [
    ('Sure: [{"bbox": [1, 2, 3, 4], "class": "cat"}] Anything else?', CAT, ""),
    ('{"detections": [{"box": [1, 2, 3, 4], "name": "cat"}, {"box": [5, 6, 7, 8], "name": "dog"}]}', TWO, ""),
    ('{"boxes": [[1, 2, 3, 4], [5, 6, 7, 8]], "labels": ["cat", "dog"]}', TWO, ""),
    ('{"bboxes": [[1, 2, 3, 4]], "label": "cat"}', CAT, ""),
    ("[[1, 2, 3, 4], [5, 6, 7, 8]]", [("", [1, 2, 3, 4]), ("", [5, 6, 7, 8])], ""),
    ("[1, 2, 3, 4]", [("", [1, 2, 3, 4])], ""),
    ("The cat [1, 2, 3, 4] sits left of the dog [5, 6, 7, 8], see [9].", [("", [1, 2, 3, 4]), ("", [5, 6, 7, 8])], ""),
    ("[[001,002,003,004]]", [("", [1, 2, 3, 4])], ""),
    ("It is at (1,2),(3,4).", [("", [1, 2, 3, 4])], ""),
    ("<box>(1, 2, 3, 4)</box>", [("", [1, 2, 3, 4])], ""),
    ("null", [], ""),
    ("```\n[]\n```", [], ""),
    ('{"objects": []}', [], ""),
    ('[{"bbox": [1, 2, 3, 4], "label": "cat"}, {"bbox": [5, 6', CAT, "the JSON document is cut off"),
    (
        '[{"bbox": [1, 2, 3, 4], "label": "cat"}, {{"bbox": [5, 6, 7, 8], "label": "dog"}]',
        TWO,
        "the JSON is malformed at character 43",
    ),
    ('```json\n[{"bbox": [1, 2, 3, 4], "label": "cat"}]', CAT, "the code fence is not closed at character 1"),
    ("[1, 2, 3, 4, 5]", [], "'[1, 2, 3, 4, 5]' stands where four numbers are due"),
    ("(1,2) and that is all", [], "there is no box in the reply"),
    ('{"boxes": [[1, 2, 3, 4], [5, 6, 7, 8]], "scores": [0.9, 0.8]}', [("", [1, 2, 3, 4]), ("", [5, 6, 7, 8])], ""),
    ('[{"bbox": [1, 2, 3, 4], "label": "cat", "color": [255, 0, 0, 128]}]', CAT, ""),
    ('[{"bbox": [1, 2, 3, 4], "label": "cat", "bbox_unit": [0.1, 0.2, 0.3, 0.4]}]', CAT, ""),
    ('{"bbox": [1, 2, 3, 4], "label": "cat", "parts": [{"box": [5, 6, 7, 8], "label": "dog"}]}', TWO, ""),
    ("(1e0, 2, .3e1, 4)", [("", [1, 2, 3, 4])], ""),
    ("(1,2),(3,4) (5,6) (7,8)", [("", [1, 2, 3, 4]), ("", [5, 6, 7, 8])], ""),
    (
        "cat (1,2,3,4), dog (5,6,7,8,0.9)",
        [("", [1, 2, 3, 4])],
        "'(5,6,7,8,0.9)' stands where four numbers are due at character 20",
    ),
    ("dog (5 6 7 8)", [], "'(5 6 7 8)' stands where four numbers are due at character 5"),
    ("dog (5,6,7,8.8.8)", [], "'(5,6,7,8.8.8)' stands where four numbers are due at character 5"),
    (
        f"dog (5,6,7,{'8' * 33})",
        [],
        "'(5,6,7,888888888888888888888888888888888)' stands where four numbers are due at character 5",
    ),
    ("cat (1,2,3,4), dog [5,6,", [("", [1, 2, 3, 4])], "the JSON document is cut off"),
    (
        'The cat {"bbox": [1, 2, 3, 4], "label": "cat"} left of the dog (5,6,7,8)',
        CAT,
        "'(5,6,7,8)' stands beside the JSON document at character 64",
    ),
    ('{"objects": []} but (1,2),(3,4)', [], "'(1,2),(3,4)' stands beside the JSON document at character 21"),
]
_MAPPING = '{"cat": {"bbox_2d": [1, 2, 3, 4]}, "dog": '
DROPPED: list[tuple[str, str, Found, str]] = [
    ("qwen3-vl", _MAPPING + '{"bbox_2d": [5, 6, 7, 8]}}', TWO, ""),
    ("qwen3-vl", '{"x": {"bbox_2d": [1, 2, 3, 4], "label": "cat"}}', CAT, ""),
    ("qwen3-vl", _MAPPING + '{"bbox": [5, 6, 7, 8]}}', CAT, "an object has no bbox_2d"),
    ("qwen3-vl", _MAPPING + '{"size": "large"}}', CAT, "an object has no bbox_2d"),
    ("qwen3-vl", _MAPPING + "[5, 6, 7, 8]}", CAT, "'[5, 6, 7, 8]' stands without bbox_2d"),
    (
        "qwen3-vl",
        '[{"bbox_2d": [1, 2, 3, 4], "label": "cat"}, [5, 6, 7, 8]]',
        CAT,
        "'[5, 6, 7, 8]' stands without bbox_2d",
    ),
    ("qwen3-vl", '[{"bbox_2d": [1, 2, 3, 4], "label": "cat", "color": [5, 6, 7, 8]}]', CAT, ""),
    (
        "qwen3-vl",
        '{"detections": [], "more": [{"bbox": [1, 2, 3, 4]}]}',
        [],
        "an object has bbox, where bbox_2d is due",
    ),
    (
        "qwen3-vl",
        '{"detections": [], "more": [{"boxes": [[1, 2, 3, 4]]}]}',
        [],
        "an object has boxes, where bbox_2d is due",
    ),
    ("qwen3-vl", '{"detections": [], "more": [{"x1": 1, "y1": 2}]}', [], "an object has x1, where bbox_2d is due"),
    ("gemini", '{"detections": [], "bbox_2d": [1, 2, 3, 4]}', [], "an object has bbox_2d, where box_2d is due"),
    ("moondream", '{"objects": [], "cat": [1, 2, 3, 4]}', [], "'[1, 2, 3, 4]' stands without x_min"),
    (
        "grounding-dino",
        '[{"boxes": [[1, 2, 3, 4]], "labels": ["cat"]}, {"bbox": [5, 6, 7, 8]}]',
        CAT,
        "an object has bbox, where boxes is due",
    ),
    (
        "florence-2-processed",
        '{"<OD>": {"bboxes": [], "labels": []}, "more": [1, 2, 3, 4]}',
        [],
        "'[1, 2, 3, 4]' stands without bboxes",
    ),
    (
        "internvl",
        "<ref>a</ref><ref>cat</ref><box>[[1,2,3,4]]</box>",
        CAT,
        "'a' has no box at character 1",
    ),
    ("vi", "[]", [], "$: expected object, got array"),
    ("vi", '"\\ud800"', [], "half of a character stands where an object is due"),
]


@pytest.mark.parametrize(
    ("name", "reply", "boxes", "failure"),
    [
        *((name, *sample) for name, samples in SAMPLES.items() for sample in samples),
        *(("coco", *sample) for sample in ANYTHING),
        *DROPPED,
    ],
)
def test_samples_of_every_dialect(name: str, reply: str, boxes: Found, failure: str) -> None:
    assert read(name, reply) == (boxes, failure)


def test_every_dialect_has_samples() -> None:
    assert SAMPLES.keys() | {"coco", "voc", "yolo"} == PRESETS.keys()


@every_preset
@pytest.mark.parametrize("reply", ["", " \n\t"])
def test_empty_reply_is_a_failure(preset: Preset, reply: str) -> None:
    assert preset.read(reply) == Reading((), ParseFailure("the reply is empty"))


@every_preset
@pytest.mark.parametrize("reply", ["I see no cat in this picture.", "两只猫", "\ud800", "<b>cat</b> \x1b[31m"])
def test_prose_is_a_failure(preset: Preset, reply: str) -> None:
    reading = preset.read(reply)
    assert reading.boxes == ()
    if preset.name == "vi":  # bare JSON is all it reads
        assert str(reading.failure).startswith("the reply is no JSON document, it begins with ")
    else:
        assert reading.failure == NO_BOX


@every_preset
def test_inverted_boxes_stay_as_they_are(preset: Preset) -> None:
    dialect = DIALECTS[preset.name]
    (box,) = preset.read(dialect.write([("x" if dialect.labels else "", (9, 8, 3, 2))])).boxes
    x1, y1, x2, y2 = box.numbers if preset.convention.order == "xyxy" else [box.numbers[k] for k in (1, 0, 3, 2)]
    if preset.convention.order in ("xywh", "cxcywh"):
        assert box.numbers[2] < 0
        assert box.numbers[3] < 0
    else:
        assert x1 > x2
        assert y1 > y2


JSON_PRESETS = ["qwen3-vl", "qwen2.5-vl", "kimi-vl", "coco"]


@pytest.mark.parametrize("name", JSON_PRESETS)
@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        ("[1, 2, 3]", "bbox_2d is '[1, 2, 3]', where four numbers are due"),
        ("[1, 2, 3, 4, 5]", "bbox_2d is '[1, 2, 3, 4, 5]', where four numbers are due"),
        ('[1, 2, 3, "4"]', "bbox_2d is '[1, 2, 3, \"4\"]', where four numbers are due"),
        ("[true, 2, 3, 4]", "bbox_2d is '[true, 2, 3, 4]', where four numbers are due"),
        ("[1, 2, 3, null]", "bbox_2d is '[1, 2, 3, null]', where four numbers are due"),
        ("[1, 2, 3, 1e999]", "bbox_2d is '[1, 2, 3, Infinity]', where four numbers are due"),
        ("[1, 2, 3, [4]]", "bbox_2d is '[1, 2, 3, […]]', where four numbers are due"),
        ('"1, 2, 3, 4"', "bbox_2d is '\"1, 2, 3, 4\"', where four numbers are due"),
        ("7", "bbox_2d is '7', where four numbers are due"),
        (f"[{'9' * 5000}, 2, 3, 4]", "bbox_2d is '[Infinity, 2, 3, 4]', where four numbers are due"),
        ("[1, 2, 3, NaN]", "the JSON is malformed at character 67"),
        ("[1, 2, 3, -Infinity]", "the JSON is malformed at character 67"),
        ("[01, 2, 3, 4]", "the JSON is malformed at character 58"),
    ],
)
def test_bad_box_is_rejected_and_the_others_are_kept(name: str, bad: str, cause: str) -> None:
    cat, dog = (f'{{"bbox_2d": {numbers}, "label": "{label}"}}' for label, numbers in TWO)
    assert read(name, f'[{cat}, {{"bbox_2d": {bad}}}, {dog}]') == (TWO, cause)


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ('"label": "it\'s a/b, c"', "it's a/b, c"),
        ('"name_zh": "米饭", "name_en": "Rice"', "Rice"),
        ('"names": {"zh": "猫", "en": "cat"}', "cat"),
        ('"names": {"zh": "猫"}', "猫"),
        ('"label": null, "name": "cat"', "cat"),
        ('"label": 3', "3"),
        ('"label": ["cat"]', ""),
        ('"label": true', ""),
        ('"label": "\\ud800"', "\\ud800"),
        ('"label": "<b>\\u001b[31m"', "<b>\x1b[31m"),
        ('"label": "  cat "', "cat"),
        ('"size": "large"', ""),
    ],
)
def test_label_is_the_first_of_the_usual_keys(world: World, label: str, text: str) -> None:
    world.write_lines("p.jsonl", {"id": 1, "raw_output": f'[{{"bbox_2d": [1, 2, 3, 4], {label}}}]'})
    table = world.predictions("p.jsonl", format="jsonl", declared=BoxDeclaration("qwen3-vl"))
    assert join(table, None).predictions.boxes.vocabulary == (text,)


def test_scores_are_read_where_a_dialect_has_them() -> None:
    assert PRESETS["grounding-dino"].read('{"scores": [0.9], "boxes": [[1, 2, 3, 4]], "labels": ["a"]}').boxes == (
        Box("a", (1, 2, 3, 4), 0.9),
    )
    for score, found in (("0.5", 0.5), ('"high"', None), ("true", None), ("1e999", None)):
        (box,) = PRESETS["gemini"].read(f'[{{"box_2d": [1, 2, 3, 4], "confidence": {score}}}]').boxes
        assert box.score == found


def test_label_of_a_tag_belongs_to_all_boxes_behind_it() -> None:
    boxes, failure = read("qwen-vl", "<ref>cats</ref><box>(1,2),(3,4)</box><box>(5,6),(7,8)</box>")
    assert (boxes, failure) == ([("cats", [1, 2, 3, 4]), ("cats", [5, 6, 7, 8])], "")


@pytest.mark.parametrize("box", [Box("a", (1, 2, 3)), Box(None, (1, 2, 3, 4))])  # type: ignore[arg-type]  # what a rule may do
def test_rule_that_gives_no_boxes_is_told(box: Box) -> None:
    with pytest.raises(ValueError, match=r"^a box has a label and four numbers, got "):
        Reading((box,))


def test_number_that_is_too_long_is_none() -> None:
    assert read("internvl", f"<box>[[{'1' * 40},2,3,4]]</box>")[0] == []


@pytest.mark.parametrize("rule", ["fenced", "first-json", "answer-tag"])
def test_reply_cut_off_under_any_rule_keeps_what_is_whole(rule: Any) -> None:
    opening = {"fenced": "```json\n", "first-json": "Sure: ", "answer-tag": "<think>hm</think><answer>"}[rule]
    cause = {
        "fenced": ParseFailure("the code fence is not closed", 0, truncated=True),
        "first-json": ParseFailure("the JSON document is cut off", 6, truncated=True),
        "answer-tag": ParseFailure("the <answer> tag is not closed", 17, truncated=True),
    }[rule]
    reply = f'{opening}[{{"bbox_2d": [1, 2, 3, 4], "label": "cat"}}, {{"bbox'
    reading = read_reply(reply, rule, PRESETS["qwen3-vl"])
    assert reading == Reading((Box("cat", (1, 2, 3, 4)),), cause)
    assert reading.failure is not None
    assert reading.failure.rest == ""  # the text of every malformed reply would be kept


def test_thinking_is_never_read_for_boxes() -> None:
    reply = '<think>[{"bbox_2d": [1, 2, 3, 4]}]'
    assert read_reply(reply, "first-json", PRESETS["qwen3-vl"]).boxes == ()


@pytest.mark.parametrize("count", [MOST_BOXES, MOST_BOXES + 1])
def test_reply_with_too_many_boxes_is_not_read(count: int) -> None:
    reading = read_reply(json.dumps([[1, 2, 3, 4]] * count), "strict", PRESETS["coco"])
    if count > MOST_BOXES:
        assert reading == Reading((), ParseFailure("the reply holds 10001 boxes; more than 10000 are not read"))
    else:
        assert len(reading.boxes) == count


@every_preset
def test_reply_that_is_too_long_is_not_read(preset: Preset) -> None:
    reply = DIALECTS[preset.name].write([("x", (1, 1, 2, 2))]) + " " * LONGEST
    assert read_reply(reply, "strict", preset) == Reading(
        (), ParseFailure(f"the reply is longer than {LONGEST} characters, which are not read")
    )


TOKENS = [
    "[", "]", "{", "}", "(", ")", "<", ">", "[[", "]]", ",", ":", ";", '"', "\\", "1", "-2.5", "1e999", "NaN", "true",
    "null", "cat", "猫", "\n", " ", "```json\n", "```", '"bbox_2d"', '"label"', '"grounding"', '"boxes"', '"labels"',
    '"scores"', '{"bbox_2d": [1, 2, 3, 4]}', "[1,2,3,4]", "(1,2),(3,4)", "<ref>", "</ref>", "<box>", "</box>",
    "<|det|>", "<|/det|>", "<|begin_of_box|>", "<|end_of_box|>", "<loc0001>", "<loc_1>", "<poly>", "<phrase>",
    "</phrase>", "<object>", "</object>", "<patch_index_0001>", "</delimiter_of_multi_objects/>", '"x_min": 0.5,',
    "<|box_start|>", "<|box_end|>", "\ud800",
]  # fmt: skip


@every_preset
@settings(max_examples=150, deadline=None)
@given(reply=st.lists(st.sampled_from(TOKENS), max_size=40).map("".join))
def test_no_text_breaks_a_rule(preset: Preset, reply: str) -> None:
    reading = preset.read(reply)
    for label, numbers, score in reading.boxes:
        assert isinstance(label, str)
        assert len(numbers) == 4
        assert all(type(number) is float and np.isfinite(number) for number in numbers)
        assert score is None or np.isfinite(score)
    if reading.failure is not None and reading.failure.position is not None:
        assert 0 <= reading.failure.position <= len(reply)


@every_preset
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_reply_cut_off_anywhere_keeps_only_boxes_that_were_written(preset: Preset, data: st.DataObject) -> None:
    dialect = DIALECTS[preset.name]
    whole = dialect.write([("one" if dialect.labels else "", (10, 11, 12, 13)), ("two", (14, 15, 16, 17))])
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    found = [box.numbers for box in preset.read(cut).boxes]
    assert found == [box.numbers for box in preset.read(whole).boxes][: len(found)]


RULES = list({preset.read: preset.name for preset in builtin()}.items())
UNITS = [
    "[", "{", "[[", "]]", '{"a":', '{"bbox_2d":', '{"bbox_2d":[1,2,3,4]},', "[1,2,3,4],", "{{", "(1,2),", "<box>",
    "</box>", "<ref>", "<ref>a</ref>", "<box>[[1,2,3,4]]</box>", "<|det|>", "<|begin_of_box|>", "<phrase>",
    "<object>", "<loc0001>", "<loc_1>", "<loc_1><loc_2><loc_3><loc_4> a ;", "<loc", "1", " ", '"', "\\", "(1, ",
    "[1 ", "<patch_index_0001>", '{"a":1,"a":2,',
]  # fmt: skip


@pytest.mark.parametrize(("rule", "name"), RULES, ids=[name for _, name in RULES])
def test_lines_executed_grow_no_faster_than_the_reply(rule: Callable[[str], Reading], name: str) -> None:
    for unit in UNITS:
        short, long = (steps(partial(rule, unit * (length // len(unit)))) for length in (500, 4_000))
        # 8 times the text: 8 times the lines if linear, 64 times if quadratic
        assert long <= 10 * short + 2_000, f"{name} on {unit!r}"


@pytest.mark.parametrize(("rule", "name"), RULES, ids=[name for _, name in RULES])
def test_time_in_patterns_grows_no_faster_than_the_reply(rule: Callable[[str], Reading], name: str) -> None:
    def seconds(reply: str) -> float:
        started = time.process_time()
        rule(reply)
        return time.process_time() - started

    for unit in UNITS:
        short, long = (unit * (length // len(unit)) for length in (6_000, 60_000))
        # 10 times the text: 10 times the time if linear, 100 times if quadratic; the best of three is no hiccup
        ratio = min(seconds(long) / max(seconds(short), 0.002) for _ in range(3))
        assert ratio < 45, f"{name} on {unit!r}"


@every_preset
@pytest.mark.parametrize("unit", ["[", "{", '{"bbox_2d":', "[[", "<box>[["])
def test_depth_is_no_matter_of_the_interpreter_stack(preset: Preset, unit: str) -> None:
    before = sys.getrecursionlimit()
    assert preset.read(unit * 100_000).boxes == ()
    assert sys.getrecursionlimit() == before


def test_box_whose_numbers_are_nested_deeply_is_shown_without_them() -> None:
    deep = "[" * 900 + "]" * 900
    assert read("qwen3-vl", f'{{"bbox_2d": [1, 2, 3, {deep}]}}') == (
        [],
        "bbox_2d is '[1, 2, 3, […]]', where four numbers are due",
    )


@pytest.mark.real_data
def test_published_qwen3_replies() -> None:
    replies = json.loads((real_data("qwen3vl-real-outputs") / "responses.json").read_text(encoding="utf-8"))
    read = [PRESETS["qwen3-vl"].read(reply["response"]) for reply in replies]
    assert [(len(reading.boxes), str(reading.failure or "")) for reading in read] == [
        (0, "there is no box in the reply"),  # a point
        (7, ""),
        (9, "the JSON is malformed at character 521"),  # a doubled brace
        (1, "there is text around the JSON document"),
        (0, "there is no box in the reply"),
        (0, "there is no box in the reply"),  # three dimensions, as Python writes them
        (0, "there is no box in the reply"),
        (0, "there is no box in the reply"),
        (0, "there is no box in the reply"),
    ]
    assert read[1].boxes[0] == Box("Rice", (0, 614, 224, 825))
    assert [box.label for box in read[2].boxes][:6] == [
        "Giyu Tomioka",
        "Muichiro Tokito",
        "Sanemi Shinazugawa",
        "Mitsuri Kanroji",
        "Gyomei Himejima",
        "Obanai Iguro",
    ]
    assert read[2].boxes[8] == Box("Tengen Uzui", (590, 444, 999, 999))
    assert read[3].boxes == (Box("central bear logo", (395, 276, 618, 740)),)
