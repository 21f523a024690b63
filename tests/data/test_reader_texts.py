"""Texts in records of any make: `jsonl` and `csv`."""

from __future__ import annotations

import csv
import json

import pytest

from data.world import READERS, World, message
from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.dataset import Dataset, Texts
from pytest_vigate.data.joining import join
from pytest_vigate.data.readers import first_record
from pytest_vigate.data.tables import Role, Table

PIXELS = Convention("xyxy", "pixels")


def texts_of(table: Table) -> Texts:
    return join(table, None).references.texts if table.derive_texts is None else table.derive_texts()


def both(predictions: Table, references: Table | None = None) -> Dataset:
    """The dataset as a session joins it: without references, the predictions' file may hold them."""
    if references is None and predictions.counterpart is not None:
        references = predictions.counterpart()
    return join(predictions, references)


@pytest.mark.parametrize("name", ["reference", "references", "text"])
def test_usual_fields_of_references_are_texts(world: World, name: str) -> None:
    world.write_lines("r.jsonl", {"id": 1, name: "two"}, {"id": 2, name: "three"})
    table = world.references("r.jsonl")
    assert table.source.format == "jsonl"
    assert texts_of(table) == (("two",), ("three",))
    assert table.text_field == name


@pytest.mark.parametrize("name", ["reference", "references"])
def test_list_of_references_is_all_that_is_accepted(world: World, name: str) -> None:
    world.write_lines("r.jsonl", {"id": 1, name: ["two", "2", "two"]}, {"id": 2, name: "no"})
    world.write_lines("p.jsonl", {"id": 2, "prediction": "yes"}, {"id": 1, "prediction": "2"})
    dataset = join(world.predictions("p.jsonl"), world.references("r.jsonl"))
    assert dataset.references.texts == (("two", "2", "two"), ("no",))
    assert dataset.predictions.texts == (("2",), ("yes",))
    assert dataset.references.parts == {"texts", "documents"}


@pytest.mark.parametrize("ours", ["text", "reference", "references"])
def test_field_of_references_may_have_another_name(world: World, ours: str) -> None:
    world.write_lines("r.jsonl", {"id": 1, "text": "What?", "truth": {"answers": ["two", "2"]}})
    table = world.references("r.jsonl", fields={ours: "truth.answers"})
    assert texts_of(table) == (("two", "2"),)
    assert table.text_field == "truth.answers"


def test_words_of_a_text_are_no_references(world: World) -> None:
    world.write_lines("r.jsonl", {"id": 1, "text": ["a", "red", "car"]})
    assert message(lambda: texts_of(world.references("r.jsonl", fields={"reference": "txt"}))) == (
        "r.jsonl: fields: no record has the field 'txt', declared as reference; did you mean 'text'?"
    )
    world.write_lines("r.jsonl", {"id": 1, "boxes": [], "text": ["a", "red", "car"]})
    assert world.references("r.jsonl").derive_texts is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2, "r.jsonl:2: $.reference: expected str | array, got int"),
        (True, "r.jsonl:2: $.reference: expected str | array, got bool"),
        ({"answer": "2"}, "r.jsonl:2: $.reference: expected str | array, got object"),
        (["two", 2], "r.jsonl:2: $.reference[1]: expected str, got int"),
        (["two", None], "r.jsonl:2: $.reference[1]: expected str, got null"),
        (["two", ["2"]], "r.jsonl:2: $.reference[1]: expected str, got array"),
    ],
)
def test_reference_of_another_type_names_its_path_once_texts_are_asked_for(
    world: World, value: object, expected: str
) -> None:
    world.write_lines("r.jsonl", {"id": 1, "reference": "one"}, {"id": 2, "reference": value})
    world.write_lines("p.jsonl", {"id": 1, "prediction": "one"})
    dataset = join(world.predictions("p.jsonl"), world.references("r.jsonl"))
    assert dataset.predictions.present.tolist() == [True, False]
    assert message(lambda: dataset.references.texts) == expected


@pytest.mark.parametrize(
    ("value", "kind"), [(2, "int"), (0.5, "float"), (False, "bool"), (["two"], "array"), ({"answer": "two"}, "object")]
)
def test_prediction_of_another_type_names_its_path(world: World, value: object, kind: str) -> None:
    world.write_lines("p.jsonl", {"id": 1, "prediction": "two"}, {"id": 2}, {"id": 3, "prediction": value})
    expected = f"p.jsonl:3: $.prediction: expected str, got {kind}"
    assert message(lambda: world.predictions("p.jsonl")) == expected
    assert message(lambda: world.predictions("p.jsonl", fields={"prediction": "prediction"})) == expected
    assert message(lambda: world.predictions("p.jsonl", fields={"text": "prediction"})) == expected


def test_other_things_in_text_fields_do_not_disturb_boxes(world: World) -> None:
    box = {"id": 1, "boxes": [[0, 0, 4, 4]]}
    world.write_lines("p.jsonl", {**box, "prediction": {"answer": 2}, "text": 7})
    world.write_lines("r.jsonl", {**box, "reference": [1, 2], "text": 7})
    predictions = world.predictions("p.jsonl", boxes=PIXELS, fields={"boxes": "boxes"})
    references = world.references("r.jsonl", boxes=PIXELS)
    dataset = join(predictions, references)
    assert dataset.predictions.boxes.xyxy.tolist() == dataset.references.boxes.xyxy.tolist() == [[0, 0, 4, 4]]
    assert dataset.predictions.parts == {"boxes"}
    assert message(lambda: dataset.references.texts) == "r.jsonl:1: $.reference[0]: expected str, got int"


def test_reference_texts_beside_boxes(world: World) -> None:
    world.write_lines("r.jsonl", {"id": 1, "boxes": [[0, 0, 4, 4]], "reference": "a car"})
    side = join(world.predictions("r.jsonl", boxes=PIXELS), world.references("r.jsonl", boxes=PIXELS)).references
    assert side.parts == {"boxes", "texts", "documents", "replies"}
    assert side.texts == (("a car",),)
    assert side.boxes.xyxy.tolist() == [[0, 0, 4, 4]]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"id": 2}, "the record has no reference text; write the answer that is due"),
        ({"id": 2, "reference": None}, "the record has no reference text; write the answer that is due"),
        ({"id": 2, "reference": []}, "the record has no reference text; write the answer that is due"),
        (
            {"id": 2, "reference": ""},
            "a reference text is empty; write the answer that is due, or drop the record",
        ),
        (
            {"id": 2, "reference": ["two", " \n\u3000"]},
            "a reference text is empty; write the answer that is due, or drop the record",
        ),
    ],
)
def test_record_without_a_reference_is_named(world: World, record: dict[str, object], expected: str) -> None:
    world.write_lines("r.jsonl", {"id": 1, "reference": "one"}, record)
    world.write_lines("p.jsonl", {"id": 1, "prediction": "one"})
    dataset = join(world.predictions("p.jsonl"), world.references("r.jsonl"))
    assert message(lambda: dataset.references.texts) == f"r.jsonl:2: {expected}"


def test_references_that_are_null_everywhere(world: World) -> None:
    world.write_lines("r.jsonl", {"id": 1, "reference": None})
    dataset = join(world.references("r.jsonl"), world.references("r.jsonl"))
    assert message(lambda: dataset.references.texts) == (
        "r.jsonl:1: the record has no reference text; write the answer that is due"
    )


ONE_FILE = (
    {"id": 1, "prediction": "2", "reference": ["two", "2"], "light": "day"},
    {"id": 2, "prediction": None, "reference": "red", "light": "night"},
)


def test_one_file_of_both_sides(world: World) -> None:
    world.write_lines("all.jsonl", *ONE_FILE)
    predictions = world.predictions("all.jsonl")
    for dataset in (both(predictions), join(predictions, world.references("all.jsonl"))):
        assert dataset.predictions.texts == (("2",), ("",))
        assert dataset.predictions.answered.tolist() == [True, False]
        assert dataset.references.texts == (("two", "2"), ("red",))
        assert dataset.references.parts - {"replies"} == {"texts", "documents"}
    assert predictions.text_field == "prediction"
    assert world.references("all.jsonl").text_field == "reference"
    assert join(predictions, world.references("all.jsonl"), attributes=("light",)).attributes == {
        "light": ("day", "night")
    }


def test_one_file_of_both_sides_under_other_names(world: World) -> None:
    world.write_lines("all.jsonl", {"id": 1, "output": "2", "answers": ["two", "2"], "text": "How many?"})
    fields = {"prediction": "output", "references": "answers"}
    predictions = world.predictions("all.jsonl", fields=fields)
    references = world.references("all.jsonl", fields=fields)
    for dataset in (both(predictions), join(predictions, references)):
        assert dataset.predictions.texts == (("2",),)
        assert dataset.references.texts == (("two", "2"),)
    assert (predictions.text_field, references.text_field) == ("output", "answers")


def test_declared_text_of_one_side_is_not_that_of_the_other(world: World) -> None:
    world.write_lines("all.jsonl", {"id": 1, "output": "2", "reference": "two"})
    world.write("all.csv", "id,output,reference\n1,2,two\n")
    for ending in ("jsonl", "csv"):
        dataset = both(world.predictions(f"all.{ending}", format=ending, fields={"text": "output"}))
        assert dataset.predictions.texts == (("2",),)
        assert dataset.references.texts == (("two",),)


def test_references_beside_predicted_boxes_leave_these_alone(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "boxes": [[0, 0, 4, 4]], "truth": "a car"})
    table = world.predictions("p.jsonl", fields={"reference": "truth"}, boxes=PIXELS)
    dataset = both(table)
    assert dataset.predictions.boxes.xyxy.tolist() == [[0, 0, 4, 4]]
    assert dataset.references.texts == (("a car",),)


def test_predictions_without_references_have_no_counterpart(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "prediction": "2", "text": "How many?"})
    assert world.predictions("p.jsonl").counterpart is None
    assert world.references("p.jsonl").counterpart is None


def test_one_file_whose_references_are_no_texts(world: World) -> None:
    world.write_lines("all.jsonl", {"id": 1, "prediction": "2", "reference": 2})
    dataset = both(world.predictions("all.jsonl"))
    assert dataset.predictions.replies == ("2",)
    assert message(lambda: dataset.references.texts) == "all.jsonl:1: $.reference: expected str | array, got int"


def test_answers_of_llava(world: World) -> None:
    # haotian-liu/LLaVA, llava/eval/model_vqa.py
    world.write_lines(
        "answers.jsonl",
        {
            "question_id": 7,
            "prompt": "How many?",
            "text": "Two.",
            "answer_id": "Zx",
            "model_id": "llava-v1.5-7b",
            "metadata": {},
        },
    )
    world.write_lines("r.jsonl", {"id": "7", "reference": "two"})
    predictions = world.predictions("answers.jsonl", fields={"id": "question_id"})
    assert predictions.source.format == "jsonl"
    assert join(predictions, world.references("r.jsonl")).predictions.texts == (("Two.",),)


def test_rows_of_texts(world: World) -> None:
    world.write("p.csv", 'id,prediction\nb,"two, or three"\na,\n')
    world.write("r.csv", "id,reference,light\na,one,day\nb,two,night\n")
    dataset = join(world.predictions("p.csv"), world.references("r.csv"), attributes=("light",))
    assert dataset.ids == ("a", "b")
    assert dataset.predictions.texts == (("",), ("two, or three",))
    assert dataset.predictions.answered.tolist() == [False, True]
    assert dataset.references.texts == (("one",), ("two",))
    assert dataset.attributes == {"light": ("day", "night")}
    assert dataset.references.parts == {"texts", "documents"}


def test_rows_with_one_id_are_its_references(world: World) -> None:
    world.write("r.csv", "id,reference\na,two; 2\nb,red\na,2\na,2\n")
    table = world.references("r.csv")
    assert table.keys == {"id": ("a", "b")}
    assert texts_of(table) == (("two; 2", "2", "2"), ("red",))


def test_rows_of_boxes_have_one_text_an_id(world: World) -> None:
    header = "id,xmin,ymin,xmax,ymax,reference\n"
    world.write("r.csv", f"{header}a,0,0,4,4,two cars\na,4,4,8,8,two cars\n")
    table = world.references("r.csv", boxes=PIXELS)
    assert texts_of(table) == (("two cars",),)
    assert join(table, table).references.boxes.offsets.tolist() == [0, 2]
    world.write("r.csv", f"{header}a,0,0,4,4,two cars\na,4,4,8,8,three\n")
    assert message(lambda: texts_of(world.references("r.csv"))) == (
        "r.csv:3: the column 'reference' holds another text than the rows above with the same id"
    )


@pytest.mark.parametrize("cell", ["", "  "])
def test_empty_reference_cell_is_named(world: World, cell: str) -> None:
    world.write("r.csv", f"id,reference\na,two\na,{cell}\n")
    assert message(lambda: texts_of(world.references("r.csv"))) == (
        "r.csv:3: the column 'reference' is empty; write the answer that is due, or drop the row"
    )


def test_predictions_of_one_id_that_differ_are_refused(world: World) -> None:
    world.write("p.csv", "id,prediction\na,two\na,three\n")
    assert message(lambda: world.predictions("p.csv")) == (
        "p.csv:3: the id 'a' is already that of p.csv:2, and they differ in 'prediction'; keep the one that is meant, "
        "or give each an id of its own"
    )


@pytest.mark.parametrize("second", ["a,two", "a,"])
def test_predictions_of_one_id_are_refused_though_they_are_equal_or_empty(world: World, second: str) -> None:
    world.write("p.csv", f"id,prediction\na,two\n{second}\n")
    assert message(lambda: world.predictions("p.csv")) == (
        "p.csv:3: the id 'a' is already that of p.csv:2; keep the one that is meant, or give each an id of its own"
    )


@pytest.mark.parametrize("ending", ["prediction", "reference", "prediction,reference"])
def test_rows_about_one_picture_are_no_more_references_of_one_question(world: World, ending: str) -> None:
    cells = ",".join("yes" for _ in ending.split(","))
    world.write("a.csv", f"image,question,{ending}\na.jpg,Red?,{cells}\na.jpg,Big?,{cells}\n")
    read = world.references if ending == "reference" else world.predictions
    assert message(lambda: read("a.csv")) == (
        "a.csv:3: the id 'a.jpg' is already that of a.csv:2, and they differ in 'question'; if both are meant, "
        "make the id of more fields: fields: {id: [image, question]}"
    )
    table = read("a.csv", format="csv", fields={"id": ("image", "question")})
    assert table.keys["id"] == ("a.jpg | Red?", "a.jpg | Big?")


def test_prediction_that_only_a_later_row_has_is_another(world: World) -> None:
    world.write("a.csv", "id,prediction,reference\na,,two\na,2,2\n")
    assert message(lambda: world.predictions("a.csv")) == (
        "a.csv:3: the id 'a' is already that of a.csv:2, and they differ in 'prediction'; keep the one that is meant, "
        "or give each an id of its own"
    )


def test_column_id_names_the_sample_beside_a_picture(world: World) -> None:
    world.write("p.csv", "id,image,prediction\n1,a.jpg,yes\n2,a.jpg,no\n")
    world.write("r.csv", "id,image,reference\n2,a.jpg,red\n1,a.jpg,blue\n")
    world.write_lines("r.jsonl", {"id": 2, "reference": "red"}, {"id": 1, "reference": "blue"})
    for name in ("r.csv", "r.jsonl"):
        dataset = join(world.predictions("p.csv"), world.references(name))
        assert dataset.ids == ("2", "1")
        assert dataset.predictions.texts == (("no",), ("yes",))


def test_picture_that_some_rows_leave_empty_names_none(world: World) -> None:
    world.write("p.csv", "id,image,prediction\n1,a.jpg,yes\n2,,no\n")
    assert world.predictions("p.csv").keys == {"id": ("1", "2")}


def test_long_cell_is_read(world: World) -> None:
    limit = csv.field_size_limit()
    text = "word " * 100_000
    world.write("p.csv", f"id,prediction\na,{text}\n")
    assert world.predictions("p.csv").replies == (text.strip(),)
    assert csv.field_size_limit() == limit


def test_columns_of_texts_may_have_other_names(world: World) -> None:
    world.write("all.csv", "id,output,references,text\na,2,two,How many?\na,,2,How many?\n")
    fields = {"prediction": "output", "reference": "references"}
    predictions = world.predictions("all.csv", fields=fields)
    references = world.references("all.csv", fields=fields)
    for dataset in (both(predictions), join(predictions, references)):
        assert dataset.predictions.texts == (("2",),)
        assert dataset.references.texts == (("two", "2"),)
    assert (predictions.text_field, references.text_field) == ("output", "references")
    assert message(lambda: world.references("all.csv", fields={"reference": "reference"})) == (
        "all.csv: there is no column 'reference'; did you mean 'references'?"
    )


def test_column_of_lists_is_no_reference(world: World) -> None:
    world.write("r.csv", "id,references\na,\"['two', '2']\"\n")
    assert world.references("r.csv").derive_texts is None


def test_one_csv_file_of_both_sides(world: World) -> None:
    world.write("all.csv", "id,prediction,reference\na,2,two\na,,2\nb,blue,red\n")
    for dataset in (
        both(world.predictions("all.csv")),
        join(world.predictions("all.csv"), world.references("all.csv")),
    ):
        assert dataset.predictions.texts == (("2",), ("blue",))
        assert dataset.references.texts == (("two", "2"), ("red",))
    world.write("p.csv", "id,prediction,text\na,2,How many?\n")
    assert world.predictions("p.csv").counterpart is None


SIGNS = [
    ("predictions", "a.jsonl", {"id": 1, "prediction": "x"}, "jsonl"),
    ("references", "a.jsonl", {"id": 1, "reference": "x"}, "jsonl"),
    ("references", "a.jsonl", {"id": 1, "references": ["x"]}, "jsonl"),
    ("predictions", "a.jsonl", {"id": 1, "prediction": "x", "messages": [{"role": "user", "content": "?"}]}, "jsonl"),
    ("predictions", "a.jsonl", {"image": "a.jpg", "prompt": "?", "raw_output": "{}"}, "vi"),
    ("references", "a.jsonl", {"id": 1, "asset": {}, "contents": {"type": "Vqa"}, "reference": "x"}, "vi"),
    ("predictions", "a.jsonl", {"id": 1, "conversations": [{"from": "gpt", "value": "x"}]}, "llava"),
    ("references", "a.jsonl", {"id": 1, "messages": [{"role": "user", "content": "?"}]}, "llava"),
    ("predictions", "a.json", [{"id": 1, "conversations": [{"from": "gpt", "value": "x"}]}], "llava"),
    ("references", "a.json", [{"id": 1, "text": "", "messages": [{"role": "user", "content": "?"}]}], "llava"),
    (
        "predictions",
        "a.json",
        [{"messages": [{"role": "user", "content": "?"}], "objects": {"bbox": [[0, 0, 1, 1]]}}],
        "llava",
    ),
    ("predictions", "a.jsonl", {"doc_id": 0, "target": "x", "filtered_resps": ["x"], "prediction": "x"}, "lmms-eval"),
    ("references", "a.jsonl", {"doc_id": 0, "target": "x", "filtered_resps": ["x"], "text": "?"}, "lmms-eval"),
    ("predictions", "a.json", [{"image_id": 1, "caption": 'a "bbox":'}], "coco-captions"),
    ("predictions", "a.json", [{"image_id": 1, "caption": "a car", "bbox": [0, 0, 1, 1]}], "coco"),
    ("predictions", "a.json", [{"question_id": 1, "answer": "x"}], "vqa2"),
    ("references", "a.json", {"annotations": [{"image_id": 1, "caption": 'bbox": "question_id":'}]}, "coco-captions"),
    ("references", "a.json", {"annotations": [{"image_id": 1, "question_id": 1, "answers": []}]}, "vqa2"),
    ("references", "a.json", {"questions": [{"image_id": 1, "question_id": 1, "question": "?"}]}, "vqa2"),
    ("references", "a.json", {"annotations": [{"image_id": 1, "bbox": [], "caption": "x"}], "images": []}, "coco"),
    ("references", "a.json", {"images": [{"id": 1, "caption": "a"}], "annotations": [], "categories": []}, "coco"),
]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", {"data": [{"question_id": 1, "image_id": 1, "answers": ["x"]}]}),  # TextVQA
        ("a.json", {"data": [{"image_id": 1, "caption": "x"}]}),
        ("a.json", {"questions": [{"id": 1, "text": "x"}]}),
        ("a.txt", {"annotations": [{"image_id": 1, "caption": "x"}]}),
        ("a.json", [{"annotations": [{"image_id": 1, "caption": "x"}]}]),
    ],
)
def test_files_of_other_makes_bear_no_signs(world: World, name: str, content: object) -> None:
    text = json.dumps(content)
    path = world.write(name, text)
    assert [reader.name for reader in READERS.values() if reader.sniff(path, "references", text.encode())] == []


@pytest.mark.parametrize(("role", "name", "content", "expected"), SIGNS)
def test_every_file_of_texts_bears_the_signs_of_one_format(
    world: World, role: Role, name: str, content: object, expected: str
) -> None:
    text = json.dumps(content)
    path = world.write(name, text)
    fitting = [reader.name for reader in READERS.values() if reader.sniff(path, role, text.encode())]
    assert fitting == [expected]


def test_first_record_of_an_array_is_none_of_lines() -> None:
    assert first_record(b'[{"id": 1}]') == {}
