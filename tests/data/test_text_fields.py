"""Which field holds the texts of a side: by its name where that leaves no doubt, and else as it is declared."""

from __future__ import annotations

from functools import partial

import pytest

from data.world import World, message
from pytest_vigate.data.joining import join
from pytest_vigate.data.naming import CERTAIN
from pytest_vigate.data.tables import Table


def texts_of(table: Table) -> object:
    assert table.derive_texts is not None
    return table.derive_texts()


def turns(answer: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": "?"}, {"from": "gpt", "value": answer}]


@pytest.mark.parametrize("name", CERTAIN["predictions"])
def test_field_of_a_model_s_words_is_the_reply_whatever_stands_beside_it(world: World, name: str) -> None:
    world.write_lines("p.jsonl", {"id": 1, "text": "gold", "answer": "gold", name: "bad"})
    table = world.predictions("p.jsonl", format="jsonl")
    assert table.replies == ("bad",)
    assert table.text_field == name


def test_column_of_a_model_s_words_is_the_reply_whatever_stands_beside_it(world: World) -> None:
    world.write("p.csv", "id,text,response\n1,gold,bad\n")
    assert world.predictions("p.csv").replies == ("bad",)


@pytest.mark.parametrize(
    "write",
    [
        lambda world, *records: world.write_lines("p.jsonl", *records),
        lambda world, *records: world.write(
            "p.csv", "id,response,prediction\n" + "".join(f"{one['id']},a,b\n" for one in records)
        ),
    ],
    ids=["jsonl", "csv"],
)
def test_two_fields_of_a_model_s_words_are_refused_until_one_is_declared(world: World, write: object) -> None:
    assert callable(write)
    path = write(world, {"id": 1, "response": "a"}, {"id": 2, "prediction": None})
    assert message(lambda: world.predictions(path.name)) == (
        f"{path.name}: the records have 'prediction' and 'response', and nothing says which is the model's answer; "
        "declare fields: {prediction: prediction} or fields: {prediction: response}"
    )
    table = world.predictions(path.name, format=path.suffix[1:], fields={"prediction": "response"})
    assert table.replies is not None
    assert table.replies[0] == "a"


@pytest.mark.parametrize("other", ["answer", "label", "target", "caption"])
def test_text_may_be_the_question_where_another_field_may_be_the_answer(world: World, other: str) -> None:
    world.write_lines("a.jsonl", {"id": 1, "text": "Is it red?", other: "no"})
    world.write("a.csv", f"id,text,{other}\n1,Is it red?,no\n")
    for name in ("a.jsonl", "a.csv"):
        assert message(partial(world.predictions, name)) == (
            f"{name}: the records have 'text' and '{other}', and nothing says which is the model's answer; "
            f"declare fields: {{prediction: text}} or fields: {{prediction: {other}}}"
        )
        references = world.references(name)
        assert message(partial(texts_of, references)) == (
            f"{name}: the records have 'text' and '{other}', and nothing says which is the reference; "
            f"declare fields: {{reference: text}} or fields: {{reference: {other}}}"
        )
        ending = name.partition(".")[2]
        assert world.predictions(name, format=ending, fields={"prediction": other}).replies == ("no",)
        assert texts_of(world.references(name, format=ending, fields={"reference": other})) == (("no",),)


def test_text_beside_a_prediction_is_no_reference(world: World) -> None:
    world.write_lines("a.jsonl", {"id": 1, "prediction": "yes", "text": "yes"})
    references = world.references("a.jsonl")
    assert message(lambda: texts_of(references)) == (
        "a.jsonl: the records have 'text' and 'prediction', and nothing says which is the reference; "
        "declare fields: {reference: text} or fields: {reference: prediction}"
    )


def test_reference_and_references_in_one_file_are_refused(world: World) -> None:
    world.write_lines("r.jsonl", {"id": 1, "reference": "a"}, {"id": 2, "references": ["b"]})
    references = world.references("r.jsonl")
    assert message(lambda: texts_of(references)) == (
        "r.jsonl: the records have 'reference' and 'references', and nothing says which is the reference; "
        "declare fields: {reference: reference} or fields: {reference: references}"
    )


def test_null_in_the_reply_s_field_is_no_answer_whatever_else_is_there(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "prediction": None, "text": "two"})
    world.write_lines("r.jsonl", {"id": 1, "reference": "two"})
    side = join(world.predictions("p.jsonl"), world.references("r.jsonl")).predictions
    assert side.texts == (("",),)
    assert side.answered.tolist() == [False]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "r.jsonl:1: the record has no reference text; write the answer that is due"),
        (2, "r.jsonl:1: $.reference: expected str | array, got int"),
    ],
)
def test_other_things_in_the_reference_s_field_are_no_reason_to_take_another(
    world: World, value: object, expected: str
) -> None:
    world.write_lines("p.jsonl", {"id": 1, "prediction": "two"})
    world.write_lines("r.jsonl", {"id": 1, "reference": value, "text": "two"})
    side = join(world.predictions("p.jsonl"), world.references("r.jsonl")).references
    assert message(lambda: side.texts) == expected


def test_other_things_in_the_reply_s_field_are_no_reason_to_take_another(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "prediction": "one", "text": "two"}, {"id": 2, "prediction": 3, "text": "4"})
    assert message(lambda: world.predictions("p.jsonl")) == "p.jsonl:2: $.prediction: expected str, got int"


def test_boxes_beside_two_replies_are_no_texts(world: World) -> None:
    world.write_lines("p.jsonl", {"id": 1, "boxes": [], "prediction": "a", "response": "b"})
    assert world.predictions("p.jsonl").replies is None


@pytest.mark.parametrize(
    ("name", "record", "own"),
    [
        ("vqa2", {"question_id": 1, "answer": "gold"}, "answer"),
        ("coco-captions", {"image_id": 1, "caption": "gold"}, "caption"),
    ],
)
@pytest.mark.parametrize("other", ["prediction", "model_answer", "response"])
def test_results_that_hold_two_answers_are_refused_until_one_is_declared(
    world: World, name: str, record: dict[str, object], own: str, other: str
) -> None:
    world.write_json("p.json", [record | {other: "bad"}])
    assert message(lambda: world.predictions("p.json")) == (
        f"p.json: the records have '{own}' and '{other}', and nothing says which is the model's answer; "
        f"declare fields: {{prediction: {own}}} or fields: {{prediction: {other}}}"
    )
    for field, reply in ((own, "gold"), (other, "bad")):
        table = world.predictions("p.json", format=name, fields={"prediction": field})
        assert table.replies == (reply,)
        assert table.text_field == field


def test_declared_field_of_results_that_names_the_id(world: World) -> None:
    world.write_json("p.json", [{"question_id": 1, "answer": "gold"}])
    assert message(lambda: world.predictions("p.json", fields={"prediction": "question_id"})) == (
        "p.json: fields: 'question_id' is named for two of the format's fields; name one of each"
    )


def test_conversations_that_hold_another_reply_are_refused_until_one_is_declared(world: World) -> None:
    record = {"id": 1, "conversations": turns("gold"), "response": "bad"}
    world.write_json("p.json", [record])
    world.write_lines("p.jsonl", record)
    common = "the records have 'conversations' and 'response', and nothing says which is the model's answer; "
    assert message(lambda: world.predictions("p.json")) == (
        f"p.json: {common}declare fields: {{prediction: conversations}} or "
        "write one record a line, and declare format: jsonl with fields: {prediction: response}"
    )
    assert message(lambda: world.predictions("p.jsonl", format="llava")) == (
        f"p.jsonl: {common}declare fields: {{prediction: conversations}} or "
        "format: jsonl with fields: {prediction: response}"
    )
    assert world.predictions("p.json", fields={"prediction": "conversations"}).replies == ("gold",)
    assert world.predictions("p.jsonl", format="jsonl", fields={"prediction": "response"}).replies == ("bad",)
    assert world.predictions("p.jsonl").replies == ("bad",)
    assert message(lambda: world.predictions("p.json", fields={"prediction": "response"})) == (
        "p.json: fields: format 'llava' reads replies out of conversations or messages; for 'response', "
        "write one record a line, and declare format: jsonl with fields: {prediction: response}"
    )


def test_conversations_of_references_may_hold_anything(world: World) -> None:
    world.write_json("r.json", [{"id": 1, "conversations": turns("gold"), "response": "bad"}])
    assert texts_of(world.references("r.json")) == (("gold",),)
