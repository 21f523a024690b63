from __future__ import annotations

import json

import numpy as np
import pytest

from data.world import READERS, World, message
from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.dataset import Boxes
from pytest_vigate.data.joining import join
from pytest_vigate.data.readers import load
from pytest_vigate.data.tables import Source, Table

PIXELS = Convention("xyxy", "pixels")
BOX = [0, 0, 4, 4]


def boxes_of(table: Table) -> Boxes:
    return join(table, None).predictions.boxes


def test_lists_beside_each_other(world: World) -> None:
    world.write_lines(
        "p.jsonl",
        {"id": 1, "boxes": [[0, 0, 4, 4], [1, 1, 2, 2]], "labels": ["car", 3], "scores": [0.5, None]},
        {"id": 2, "boxes": []},
        {"id": 3, "boxes": None},
    )
    boxes = boxes_of(world.predictions("p.jsonl", boxes=PIXELS))
    assert boxes.offsets.tolist() == [0, 2, 2, 2]
    assert [boxes.vocabulary[label] for label in boxes.label] == ["car", "3"]
    assert boxes.score[0] == 0.5
    assert np.isnan(boxes.score[1])
    assert not boxes.phrases


def test_list_of_objects_with_names_of_their_own(world: World) -> None:
    objects = [{"bbox": [0, 0, 4, 4], "class": {"name": "car"}, "conf": 0.5, "crowd": 1}, {"bbox": None}]
    world.write_lines("p.jsonl", {"meta": {"key": 7}, "out": {"objects": objects}})
    fields = {"id": "meta.key", "boxes": "out.objects", "box": "bbox", "label": "class.name", "score": "conf"}
    table = world.predictions("p.jsonl", format="jsonl", fields=fields, boxes=PIXELS)
    assert table.keys == {"id": ("7",)}
    boxes = boxes_of(table)
    assert boxes.xyxy.tolist() == [[0, 0, 4, 4]]
    assert boxes.vocabulary == ("car",)
    assert boxes.score.tolist() == [0.5]
    assert boxes.crowd.tolist() == [True]


def test_single_box_a_record(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "box": [0, 0, 4, 4], "label": "car"}, {"id": 2, "box": None})
    boxes = boxes_of(world.predictions("p.jsonl", boxes=PIXELS))
    assert boxes.offsets.tolist() == [0, 1, 1]
    assert boxes.vocabulary == ("car",)


def test_box_made_of_four_fields(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "boxes": [{"x_min": 0, "y_min": 1, "x_max": 4, "y_max": 5}]})
    fields = {"box": ("x_min", "y_min", "x_max", "y_max")}
    boxes = boxes_of(world.predictions("p.jsonl", fields=fields, boxes=PIXELS))
    assert boxes.xyxy.tolist() == [[0, 1, 4, 5]]


def test_convention_has_to_be_declared(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "boxes": [[0, 0, 4, 4]]})
    world.write("p.csv", "id,xmin,ymin,xmax,ymax\n1,0,0,4,4\n")
    assert message(lambda: boxes_of(world.predictions("p.jsonl"))) == (
        "p.jsonl: records do not say what their box numbers mean; declare it as boxes: vi, "
        "or boxes: {order: xyxy, space: pixels}"
    )
    assert message(lambda: boxes_of(world.predictions("p.csv"))) == (
        "p.csv: columns do not say what their box numbers count; declare boxes: {order: xyxy, space: pixels}, "
        "or space: unit for fractions of the picture"
    )


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"boxes": [[0, 0, 4]]}, "p.jsonl:1: $.boxes[0]: expected array of length 4, got 3"),
        ({"boxes": [[0, 0, 4, 4], {}]}, "p.jsonl:1: $.boxes[1]: expected array, got object"),
        ({"boxes": "none"}, "p.jsonl:1: $.boxes: expected array, got str"),
        ({"boxes": ""}, "p.jsonl:1: $.boxes: expected array, got str"),
        ({"boxes": 0}, "p.jsonl:1: $.boxes: expected array, got int"),
        ({"boxes": {}}, "p.jsonl:1: $.boxes: expected array, got object"),
        ({"boxes": False}, "p.jsonl:1: $.boxes: expected array, got bool"),
        ({"boxes": [{"box": ""}]}, "p.jsonl:1: $.boxes[0].box: expected array, got str"),
        ({"boxes": [{"box": []}]}, "p.jsonl:1: $.boxes[0].box: expected array of length 4, got 0"),
        ({"boxes": [{"box": False}]}, "p.jsonl:1: $.boxes[0].box: expected array, got bool"),
        ({"boxes": [[0, 0, 4, 4]], "labels": ""}, "p.jsonl:1: $.labels: expected array, got str"),
        ({"boxes": [[0, 0, 4, 4]], "scores": False}, "p.jsonl:1: $.scores: expected array, got bool"),
        ({"boxes": [{"box": BOX, "score": False}]}, "p.jsonl:1: $.boxes[0].score: expected float, got bool"),
        ({"boxes": [{"box": BOX, "crowd": ""}]}, "p.jsonl:1: $.boxes[0].crowd: expected bool | int, got str"),
        ({"boxes": [{"box": BOX, "crowd": []}]}, "p.jsonl:1: $.boxes[0].crowd: expected bool | int, got array"),
        ({"boxes": [{"box": BOX, "crowd": "yes"}]}, "p.jsonl:1: $.boxes[0].crowd: expected bool | int, got str"),
        ({"boxes": [{"box": BOX, "crowd": 2}]}, "p.jsonl:1: $.boxes[0].crowd: invalid enum value 2"),
        ({"boxes": [[0, 0, 4, 4]], "labels": []}, "p.jsonl:1: $.labels: 0 entries for 1 boxes; write one a box"),
        ({"boxes": [{"box": [0, 0, 4, "4"]}]}, "p.jsonl:1: $.boxes[0].box[3]: expected float, got str"),
        ({"boxes": [{"bbox": 1}]}, "p.jsonl:1: the field $.boxes[0].box is missing; write null where there is no box"),
        ({"boxes": [{"box": [0, 0, 4, 4], "score": "high"}]}, "p.jsonl:1: $.boxes[0].score: expected float, got str"),
        (
            {"boxes": [{"box": [0, 0, 4, 4], "label": ["car"]}]},
            "p.jsonl:1: $.boxes[0].label: a list, where text or a number is due; name a field inside it, with a dot",
        ),
    ],
)
def test_wrong_type_inside_names_the_path(world: World, record: dict[str, object], expected: str) -> None:
    world.write_lines("p.jsonl", {"id": 1, **record})
    assert message(lambda: boxes_of(world.predictions("p.jsonl", boxes=PIXELS))) == expected


def test_record_without_the_boxes_of_the_others(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "boxes": []}, {"id": 2})
    assert message(lambda: boxes_of(world.predictions("p.jsonl", boxes=PIXELS))) == (
        "p.jsonl:2: the field 'boxes' is missing; write [] where there are no boxes"
    )


def test_wrong_size_names_the_path(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "boxes": [], "size": {"w": "wide"}})
    assert message(lambda: world.predictions("p.jsonl", fields={"width": "size.w"})) == (
        "p.jsonl:1: $.size.w: expected float, got str"
    )


def test_record_without_an_id(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "text": "a"}, {"key": 2, "text": "b"})
    assert message(lambda: world.predictions("p.jsonl")) == (
        "p.jsonl:2: the record has no id; name its field: fields: {id: …}, its fields are key, text"
    )


def test_picture_may_be_the_id(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "image": "x/a.jpg", "text": ""}, {"id": 2, "image": "x/b.jpg", "text": ""})
    world.write("p.csv", "id,filename\n1,x/a.jpg\n2,x/b.jpg\n")
    for name in ("p.jsonl", "p.csv"):
        by_image = world.predictions(name, fields={"id": "image"})
        assert by_image.keys == {"image": ("x/a.jpg", "x/b.jpg"), "stem": ("a", "b")}
        assert world.predictions(name, fields={"id": "stem"}).keys == {"stem": ("a", "b")}


def test_picture_as_the_id_has_to_be_named_by_every_record(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "image": "a.jpg", "text": ""}, {"id": 2, "text": ""})
    assert message(lambda: world.predictions("p.jsonl", fields={"id": "stem"})) == (
        "p.jsonl: fields: the id is the picture's stem, but not every record names its picture"
    )


def test_broken_third_line(world: World) -> None:
    world.write("p.jsonl", '{"id": 1, "text": ""}\n{"id": 2, "text": ""}\n{"id": 3, "text": NaN}\n')
    assert message(lambda: world.predictions("p.jsonl")) == (
        "p.jsonl:3:19: NaN is no JSON number; write null or leave the value out"
    )


def test_line_that_is_no_record(world: World) -> None:
    world.write("p.jsonl", '{"id": 1, "text": ""}\n[1]\n')
    assert message(lambda: world.predictions("p.jsonl")) == (
        "p.jsonl:2: $: expected object, got array; write one record a line"
    )


@pytest.mark.parametrize("name", ["raw_output", "prediction", "text"])
def test_usual_text_fields_of_predictions_are_replies(world: World, name: str) -> None:
    world.write_lines("p.jsonl", {"id": 1, name: "two"}, {"id": 2, name: None}, {"id": 3})
    assert world.predictions("p.jsonl", format="jsonl").replies == ("two", None, None)


def test_declared_text_is_the_reply(world: World) -> None:
    world.write_lines("r.jsonl", {"id": 1, "reference": "no", "answer": {"short": "two"}})
    assert world.references("r.jsonl").replies == ("no",)
    assert world.references("r.jsonl", fields={"text": "answer.short"}).replies == ("two",)


def test_structured_prediction_is_no_reply(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "prediction": {"answer": 2}, "boxes": []})
    assert world.predictions("p.jsonl").replies is None


def test_jsonl_offers_its_fields_as_attributes(world: World) -> None:
    world.write_lines("r.jsonl", {"id": 1, "text": "", "n": 1, "f": 1.5, "b": False, "x": {"y": "z"}})
    table = world.references("r.jsonl")
    assert [table.attribute(name) for name in ("n", "f", "b", "x.y", "y")] == [
        ("1",),
        ("1.5",),
        ("false",),
        ("z",),
        None,
    ]


CSV = """\
\ufefffilename,xmin,ymin,xmax,ymax,class,score,light
a.jpg,0,0,4,4,car,0.5,day
b.jpg,,,,,,,
a.jpg,1,1,2,3,bus,,day
"""


def test_rows_of_one_id_are_a_sample(world: World) -> None:
    world.write("p.csv", CSV)
    table = world.predictions("p.csv", boxes=PIXELS)
    assert table.keys == {"image": ("a.jpg", "b.jpg"), "stem": ("a", "b")}
    assert table.attribute("light") == ("day", None)
    boxes = boxes_of(table)
    assert boxes.offsets.tolist() == [0, 2, 2]
    assert boxes.xyxy.tolist() == [[0, 0, 4, 4], [1, 1, 2, 3]]
    assert boxes.vocabulary == ("car", "bus")
    assert boxes.score[0] == 0.5
    assert np.isnan(boxes.score[1])


def test_files_with_different_columns_are_no_one_side(world: World) -> None:
    paths = (world.write("a.csv", "id,x\n1,2\n"), world.write("b.csv", "id,y\n1,2\n"))
    assert message(lambda: load(Source("predictions", "*.csv", paths, (world.root,)), READERS)) == (
        "b.csv:1: the columns differ from those of a.csv"
    )


def test_columns_may_have_other_names(world: World) -> None:
    world.write(
        "p.csv", "file,q,x,y,width,height,what,W,H\na.jpg,1,10,20,30,40,car,640,480\na.jpg,2,1,2,3,4,bus,640,480\n"
    )
    table = world.predictions(
        "p.csv",
        fields={
            "id": ("file", "q"),
            "box": ("x", "y", "width", "height"),
            "label": "what",
            "width": "W",
            "height": "H",
        },
        boxes=Convention("xywh", "pixels"),
    )
    assert table.keys["id"] == ("a.jpg | 1", "a.jpg | 2")
    assert table.sizes.tolist() == [[640, 480], [640, 480]]
    assert boxes_of(table).xyxy.tolist() == [[10, 20, 40, 60], [1, 2, 4, 6]]


def test_columns_of_the_box_are_not_the_size_of_the_picture(world: World) -> None:
    world.write("p.csv", "id,x,y,width,height\n1,10,20,30,40\n")
    table = world.predictions("p.csv", fields={"box": ("x", "y", "width", "height")})
    assert np.isnan(table.sizes).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id,x,y,y,x\n1,0,0,4\n", "p.csv:1: the column 'x' is there twice; give every column its own name"),
        ("id,xmin,ymin,xmax,ymax\n1,0,0,4\n", "p.csv:2: 4 columns, where the header has 5; complete the row"),
        (
            "id,xmin,ymin,xmax,ymax\n1,0,0,4,wide\n",
            "p.csv:2: ymax is 'wide', where a finite number is due; correct the row",
        ),
        ("id,xmin,ymin,xmax,ymax\n1,0,0,4,\n", "p.csv:2: ymax is '', where a finite number is due; correct the row"),
        (
            "id,xmin,ymin,xmax,ymax\n1,0,0,4,4\n1,0,0,4,nan\n",
            "p.csv:3: ymax is 'nan', where a finite number is due; correct the row",
        ),
        ("id,xmin,ymin,xmax,y_max\n1,0,0,4,4\n", "p.csv: there is no column 'ymax'; did you mean 'y_max'?"),
        (
            "key,xmin,ymin,xmax,ymax\n1,0,0,4,4\n",
            "p.csv: no column names the sample; declare fields: {id: …}, the columns are key, xmin, ymin, xmax, ymax",
        ),
        (
            "id,xmin,ymin,xmax,ymax\n,0,0,4,4\n",
            "p.csv:2: the column 'id' is empty, but the id is made of it; fill it in",
        ),
        ("id,xmin,ymin,xmax,ymax\n", "p.csv: the file has a header but no rows; zero samples prove nothing"),
        (
            'id,xmin,ymin,xmax,ymax\n1,"0"0,0,4,4\n',
            "p.csv:2: this is not CSV: ',' expected after '\"'; quote the field",
        ),
    ],
)
def test_rows_that_cannot_be_read_are_named(world: World, text: str, expected: str) -> None:
    world.write("p.csv", text)
    assert message(lambda: boxes_of(world.predictions("p.csv", boxes=PIXELS))) == expected


def test_numbers_beyond_floating_point_are_refused(world: World) -> None:
    world.write("p.jsonl", json.dumps({"id": 1, "boxes": [[0, 0, 1, 0]]}).replace("1, 0]", "1e999, 0]"))
    assert message(lambda: boxes_of(world.predictions("p.jsonl", format="jsonl", boxes=PIXELS))) == (
        "p.jsonl:1: $[...][0][2]: number out of range"
    )


@pytest.mark.parametrize("number", ["nan", "inf", "-Infinity", "1_0", "1e999", "0x1p3", "٣", "1,5"])
@pytest.mark.parametrize("column", ["width", "score", "xmin"])
def test_only_finite_decimal_numbers_are_numbers(world: World, column: str, number: str) -> None:
    row = {"id": "1", "xmin": "0", "ymin": "0", "xmax": "4", "ymax": "4", "score": "1", "width": "9", "height": "9"}
    row[column] = f'"{number}"'
    world.write("p.csv", f"{','.join(row)}\n{','.join(row.values())}\n")
    assert message(lambda: boxes_of(world.predictions("p.csv", boxes=PIXELS))) == (
        f"p.csv:2: {column} is {number!r}, where a finite number is due; correct the row"
    )


def test_numbers_may_have_sign_and_exponent(world: World) -> None:
    world.write("p.csv", "id,xmin,ymin,xmax,ymax,score\n1,+.5,-0,4.,1.5E+1,1e-3\n")
    boxes = boxes_of(world.predictions("p.csv", boxes=PIXELS))
    assert boxes.xyxy.tolist() == [[0.5, 0, 4, 15]]
    assert boxes.score.tolist() == [0.001]


@pytest.mark.parametrize("column", ["width", "height"])
def test_rows_of_one_id_have_one_size(world: World, column: str) -> None:
    header = f"id,xmin,ymin,xmax,ymax,{column}\n"
    world.write("p.csv", f"{header}1,0,0,1,1,\n1,0,0,1,1,640\n2,0,0,1,1,8\n1,0,0,1,1,640.0\n")
    sizes = world.predictions("p.csv", boxes=PIXELS).sizes[:, int(column == "height")]
    assert sizes.tolist() == [640, 8]
    world.write("p.csv", f"{header}1,0,0,1,1,640\n1,0,0,1,1,1000\n")
    assert message(lambda: world.predictions("p.csv", boxes=PIXELS)) == (
        f"p.csv:3: {column} is 1000, but 640 at p.csv:2, which has the same id; correct one"
    )


def test_rows_of_one_id_have_one_value_of_an_attribute(world: World) -> None:
    world.write("p.csv", "id,xmin,ymin,xmax,ymax,light,dusk\n1,0,0,1,1,,\n1,0,0,1,1,day,\n2,0,0,1,1,,\n")
    table = world.predictions("p.csv", boxes=PIXELS)
    assert table.attribute("light") == ("day", None)
    assert table.attribute("dusk") is table.attribute("lights") is None
    world.write("p.csv", "id,xmin,ymin,xmax,ymax,light\n1,0,0,1,1,day\n1,0,0,1,1,night\n")
    assert message(lambda: world.predictions("p.csv", boxes=PIXELS).attribute("light")) == (
        "p.csv:3: the column 'light' holds another text than the rows above with the same id"
    )


def test_boxes_that_stand_twice_in_a_record(world: World) -> None:
    world.write("p.jsonl", '{"id": 1, "boxes": [[0, 0, 4, 4]], "boxes": []}\n')
    assert message(lambda: world.predictions("p.jsonl")) == (
        "p.jsonl:1: the key 'boxes' is there twice in one object; keep the one that is meant"
    )


@pytest.mark.parametrize("half", ["\\ud800", "\\udc00"])
def test_half_of_a_character_is_read_wherever_it_stands(world: World, half: str) -> None:
    text = json.loads(f'"{half}"')
    world.write("p.jsonl", f'{{"id": "{half}", "image": "a", "{half}": "{half}", "boxes": []}}')
    table = world.predictions("p.jsonl", format="jsonl", boxes=PIXELS)
    assert table.keys["id"] == (text,)
    assert table.attribute(text) == (text,)


CORNERS = "class,filename,ymax,xmax,ymin,xmin\ncar,a.jpg,60,40,20,10\nbus,b.jpg,4,4,0,0\n"
EXTENTS = "filename,x,y,width,height,class\na.jpg,10,20,30,40,car\nb.jpg,0,0,4,4,bus\n"


@pytest.mark.parametrize(("text", "order"), [(CORNERS, "xyxy"), (EXTENTS, "xywh")])
@pytest.mark.parametrize("name", ["r.csv", "r.txt"])
def test_exports_of_vi_need_no_fields(world: World, text: str, order: str, name: str) -> None:
    world.write(name, text)
    table = world.references(name, boxes=Convention(order, "pixels"))  # type: ignore[arg-type]  # the two it may be
    assert table.source.format == "csv"
    assert table.keys == {"image": ("a.jpg", "b.jpg"), "stem": ("a", "b")}
    assert np.isnan(table.sizes).all()  # width and height are those of the box
    boxes = join(table, table).references.boxes
    assert boxes.xyxy.tolist() == [[10, 20, 40, 60], [0, 0, 4, 4]]
    assert boxes.vocabulary == ("car", "bus")


def test_scores_may_stand_beside_the_columns_of_an_export(world: World) -> None:
    world.write("p.csv", EXTENTS.replace("class", "class,score").replace("car", "car,0.5").replace("bus", "bus,1"))
    boxes = boxes_of(world.predictions("p.csv", boxes=Convention("xywh", "pixels")))
    assert boxes.xyxy.tolist() == [[10, 20, 40, 60], [0, 0, 4, 4]]
    assert boxes.score.tolist() == [0.5, 1]


@pytest.mark.parametrize(
    ("text", "declared", "expected"),
    [
        (
            CORNERS,
            Convention("xywh", 1.0),
            "r.csv: the columns xmin, ymin, xmax, ymax are a box as xyxy, but boxes: {order: xywh, space: unit} is "
            "declared; declare order: xyxy, or say which columns are meant: fields: {box: [xmin, ymin, xmax, ymax]}",
        ),
        (
            EXTENTS,
            Convention("cxcywh", "pixels"),
            "r.csv: the columns x, y, width, height are a box as xywh, but boxes: {order: cxcywh, space: pixels} is "
            "declared; declare order: xywh, or say which columns are meant: fields: {box: [x, y, width, height]}",
        ),
        (
            EXTENTS,
            None,
            "r.csv: columns do not say what their box numbers count; declare boxes: {order: xywh, space: pixels}, "
            "or space: unit for fractions of the picture",
        ),
    ],
)
def test_header_and_declaration_have_to_agree(
    world: World, text: str, declared: Convention | None, expected: str
) -> None:
    world.write("r.csv", text)
    table = world.references("r.csv", boxes=declared)
    assert message(lambda: join(table, table).references.boxes) == expected


def test_declared_columns_may_have_another_order(world: World) -> None:
    world.write("r.csv", EXTENTS)
    table = world.references(
        "r.csv", fields={"box": ("x", "y", "width", "height")}, boxes=Convention("cxcywh", "pixels")
    )
    assert join(table, table).references.boxes.xyxy.tolist() == [[-5, 0, 25, 40], [-2, -2, 2, 2]]


def test_records_like_those_of_supervision(world: World) -> None:
    # supervision 0.31.2: the arrays of a Detections, one object a picture
    world.write_lines(
        "p.jsonl",
        {
            "image": "a.jpg",
            "xyxy": [[0.0, 0.0, 4.0, 4.0], [1.0, 1.0, 2.0, 3.0]],
            "confidence": [0.5, 0.25],
            "class_id": [2, 0],
            "data": {"class_name": ["bus", "car"]},
        },
        {"image": "b.jpg", "xyxy": [], "confidence": [], "class_id": [], "data": {"class_name": []}},
    )
    fields = {"boxes": "xyxy", "scores": "confidence", "labels": "data.class_name"}
    boxes = boxes_of(world.predictions("p.jsonl", format="jsonl", fields=fields, boxes=PIXELS))
    assert boxes.xyxy.tolist() == [[0, 0, 4, 4], [1, 1, 2, 3]]
    assert [boxes.vocabulary[label] for label in boxes.label] == ["bus", "car"]
    assert boxes.score.tolist() == [0.5, 0.25]
    assert boxes.offsets.tolist() == [0, 2, 2]
    codes = world.predictions("p.jsonl", format="jsonl", fields={**fields, "labels": "class_id"}, boxes=PIXELS)
    assert boxes_of(codes).vocabulary == ("2", "0")


def test_records_like_those_of_fiftyone(world: World) -> None:
    # fiftyone 1.22.1: a sample with a Detections field; bounding_box is the relative [x, y, width, height]
    detections = [
        {"_cls": "Detection", "label": "cat", "bounding_box": [0.5, 0.25, 0.25, 0.5], "tags": []},
        {"_cls": "Detection", "label": "dog", "bounding_box": [0.0, 0.0, 0.5, 0.5], "tags": []},
    ]
    predicted = [{**one, "confidence": 0.5} for one in detections]
    sample = {"filepath": "/data/a.jpg", "metadata": {"width": 640, "height": 480}}
    world.write_lines(
        "s.jsonl",
        {
            **sample,
            "ground_truth": {"_cls": "Detections", "detections": detections},
            "yolo": {"_cls": "Detections", "detections": predicted},
        },
    )
    fields = {
        "image": "filepath",
        "width": "metadata.width",
        "height": "metadata.height",
        "box": "bounding_box",
        "score": "confidence",
    }
    declared = {"format": "jsonl", "boxes": Convention("xywh", 1.0)}
    dataset = join(
        world.predictions("s.jsonl", fields={**fields, "boxes": "yolo.detections"}, **declared),
        world.references(
            "s.jsonl",
            fields={**{ours: fields[ours] for ours in fields if ours != "score"}, "boxes": "ground_truth.detections"},
            **declared,
        ),
    )
    assert dataset.ids == ("/data/a.jpg",)
    for boxes in (dataset.predictions.boxes, dataset.references.boxes):
        assert boxes.xyxy.tolist() == [[320, 120, 480, 360], [0, 0, 320, 240]]
        assert [boxes.vocabulary[label] for label in boxes.label] == ["cat", "dog"]
    assert dataset.predictions.boxes.score.tolist() == [0.5, 0.5]
    assert np.isnan(dataset.references.boxes.score).all()
