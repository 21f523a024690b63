"""Documents of both sides: read by the declared rule and syntax, with positions in the reply."""

from __future__ import annotations

from typing import Any

import pytest

from data.world import World, message
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.data.documents import KEPT, NO_REPLY, TAGGED, Documents, read_document
from pytest_vigate.data.joining import join
from pytest_vigate.data.replies import ParseFailure, ReplyRule
from pytest_vigate.data.syntaxes import JSON, Syntax, SyntaxName
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import DataError, NoDocumentsError


def read(reply: str, rule: ReplyRule = "strict", syntax: Syntax = JSON) -> object:
    return read_document(reply, Source("predictions", "p.jsonl", (), (), replies=rule, syntax=syntax))


@pytest.mark.parametrize(
    ("reply", "rule", "expected"),
    [
        ('{"a": 1}', "strict", {"a": 1}),
        ('```json\n{"a": 1}\n```', "fenced", {"a": 1}),
        ('<think>{"a": 2}</think><answer>{"a": 1}</answer>', "answer-tag", {"a": 1}),
        ('Sure: {"a": 1}.', "first-json", {"a": 1}),
        ('{"a": 1,}', "strict", ParseFailure("trailing comma", 7)),
        ('```json\n{"a": 1,}\n```', "fenced", ParseFailure("trailing comma", 15)),
        ('<think>{"a": 1,}</think><answer>{"a": 1,}</answer>', "answer-tag", ParseFailure("trailing comma", 39)),
        ('Sure: {"a": 1,}.', "first-json", ParseFailure("trailing comma", 13)),
        ('Sure: {"a": 1', "first-json", ParseFailure("unclosed bracket", 6, truncated=True)),
        ('```json\n{"a": 1\n```', "first-json", ParseFailure("unclosed bracket", 8)),
        ("Sure.", "first-json", ParseFailure("there is no JSON document")),
        ("{} {}", "first-json", ParseFailure("there is more than one JSON document", 3)),
    ],
)
def test_position_is_that_in_the_reply(reply: str, rule: ReplyRule, expected: object) -> None:
    assert read(reply, rule) == expected


@pytest.mark.parametrize(
    ("reply", "rule", "syntax", "expected"),
    [
        ("```yaml\n  - a\n  - b\n```", "fenced", "yaml", ["a", "b"]),
        ("```yaml\n\na: |+\n  x\n\n  ```", "fenced", "yaml", {"a": "x\n\n"}),
        ("```\na\tb\n1\t\n```", "fenced", "csv", [{"a": "1", "b": ""}]),
        ("<answer>\n  a: 1\n  b: 2\n</answer>", "answer-tag", "yaml", {"a": 1, "b": 2}),
        ("<think>hm</think>a: 1\nb: 2", "answer-tag", "yaml", {"a": 1, "b": 2}),
        ("<think>hm</think>\n\n<?xml version='1.0'?><a>1</a>", "answer-tag", "xml", {"a": "1"}),
        ("<answer><part>bolt</part></answer>", "strict", "xml", {"answer": {"part": "bolt"}}),
        ("<answer>part: bolt</answer>", "strict", "yaml", ParseFailure(TAGGED, 0)),
        ("<answer>a,b\n1,2</answer>", "strict", "csv", ParseFailure(TAGGED, 0)),
        ("<think>I see a bolt.</think>", "strict", "xml", ParseFailure(TAGGED, 0)),
        ("<answer>e</answer>", "answer-tag", "json", ParseFailure("no document", 8)),
        ('<answer>{"a": 1,}</answer> It was {"a": 1,}', "answer-tag", "json", ParseFailure("trailing comma", 15)),
    ],
)
def test_syntax_decides_what_white_space_and_tags_mean(
    reply: str, rule: ReplyRule, syntax: SyntaxName, expected: object
) -> None:
    delimiter = "\t" if "\t" in reply else ","
    assert read(reply, rule, Syntax(syntax, delimiter=delimiter)) == expected


def test_a_document_that_json_refuses_twice_is_the_syntax_to_say() -> None:
    assert read('Sure: {"a": 1, "a": 2}', "first-json") == ParseFailure("duplicate key", 15)


def joined(world: World, said: list[Any], due: list[Any] | None = None) -> Dataset:
    world.write_lines("p.jsonl", *({"id": i, "prediction": value} for i, value in enumerate(said)))
    if due is None:
        return join(world.predictions("p.jsonl"), None)
    world.write_lines("r.jsonl", *({"id": i, "reference": value} for i, value in enumerate(due)))
    return join(world.predictions("p.jsonl"), world.references("r.jsonl"))


def test_replies_are_parsed_and_references_are_values_or_texts(world: World) -> None:
    data = joined(world, ['{"a": 1}', "no", None], [{"a": 1}, '{"a": 2}', [1, {"b": None}]])
    assert [*data.predictions.documents] == [{"a": 1}, ParseFailure("no document", 0), NO_REPLY]
    assert [*data.references.documents] == [{"a": 1}, {"a": 2}, [1, {"b": None}]]


def test_missing_prediction_is_no_reply(world: World) -> None:
    data = joined(world, ['{"a": 1}'], [{"a": 1}, {"a": 2}])
    assert [*data.predictions.documents] == [{"a": 1}, NO_REPLY]


def test_predictions_may_be_parsed_already(world: World) -> None:
    data = joined(world, [{"a": 1}, None, [2]], [{"a": 1}, {"a": 2}, [2]])
    assert data.predictions.replies is None
    assert [*data.predictions.documents] == [{"a": 1}, NO_REPLY, [2]]


def test_predictions_parsed_and_raw_are_told(world: World) -> None:
    assert message(lambda: joined(world, [{"a": 1}, '{"a": 1}'])) == (
        "p.jsonl:1: $.prediction: expected str, got object"
    )


def test_reference_that_is_no_document_is_an_error_when_asked(world: World) -> None:
    data = joined(world, ['{"a": 1}'], ['{"a": 1,}'])
    assert message(lambda: data.references.documents) == (
        "r.jsonl:1: the reference '{\"a\": 1,}' is no json document: trailing comma at character 8; correct it, or "
        "declare its syntax"
    )
    assert data.references.texts == (('{"a": 1,}',),)


def test_several_references_are_no_document(world: World) -> None:
    world.write_json(
        "r.json", {"annotations": [{"image_id": 1, "caption": '{"a": 1}'}, {"image_id": 1, "caption": '{"a": 2}'}]}
    )
    world.write_json("p.json", [{"image_id": 1, "caption": '{"a": 1}'}])
    data = join(world.predictions("p.json"), world.references("r.json"))
    assert message(lambda: data.references.documents) == (
        "r.json: annotations[0]: the record has 2 references, and a document is held against one; "
        "write the document that is due"
    )


def test_list_is_an_array_whatever_it_holds(world: World) -> None:
    lists: list[list[Any]] = [["1"], ["a", "b"], [], ["a", 2], [["a"]]]
    data = joined(world, ["1"] * 6, [*lists, '["1"]'])
    assert [*data.references.documents] == [*lists, ["1"]]
    data = joined(world, ["1"], [["1"]])
    assert [*data.references.documents] == [["1"]]
    assert data.references.texts == (("1",),)


def test_predictions_may_be_lists_of_texts(world: World) -> None:
    data = joined(world, [["a", "b"], [], None], [["a", "b"], ["a"], ["a"]])
    assert [*data.predictions.documents] == [["a", "b"], [], NO_REPLY]


def test_null_beside_parsed_documents_is_no_answer(world: World) -> None:
    due = [{"a": i} for i in range(4)]
    data = joined(world, [{"a": 0}, None, {}], due)
    assert data.predictions.answered.tolist() == [True, False, True, False]
    assert joined(world, [{"a": 0}, None]).predictions.answered.tolist() == [True, False]
    # a file in another order than the references
    world.write_lines("p.jsonl", {"id": 3, "prediction": None}, {"id": 0, "prediction": []})
    found = join(world.predictions("p.jsonl"), world.references("r.jsonl")).predictions
    assert found.answered.tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("declared", "names"),
    [
        ({"replies": "fenced"}, "replies"),
        ({"syntax": Syntax("csv")}, "syntax"),
        ({"replies": "first-json", "syntax": Syntax("yaml")}, "replies and syntax"),
    ],
)
def test_how_to_read_what_is_parsed_already_is_refused(world: World, declared: dict[str, Any], names: str) -> None:
    world.write_lines("p.jsonl", {"id": 1, "prediction": {"a": 1}})
    data = join(world.predictions("p.jsonl", **declared), None)
    assert data.predictions.answered.tolist() == [True]
    assert message(lambda: data.predictions.documents) == (
        f"p.jsonl: the replies are parsed already, and {names} would do nothing; remove {names}"
    )


def test_references_beside_replies_are_read_without_their_rule(world: World) -> None:
    said = '<think>{"a": 0}</think><answer>{"a": 1}</answer>'
    world.write_lines("p.jsonl", {"id": 1, "prediction": said, "reference": '{"a": 2}'})
    predictions = world.predictions("p.jsonl", replies="answer-tag")
    assert predictions.counterpart is not None
    data = join(predictions, predictions.counterpart())
    assert ([*data.predictions.documents], [*data.references.documents]) == ([{"a": 1}], [{"a": 2}])


@pytest.mark.parametrize("said", [{"a": 1}, ["x"], '{"a": 1}'])
@pytest.mark.parametrize("due", [{"a": 2}, ["x", "y"], '{"a": 2}'])
def test_both_sides_of_a_record_are_documents(world: World, said: object, due: object) -> None:
    world.write_lines("p.jsonl", {"id": 1, "prediction": said, "reference": due})
    predictions = world.predictions("p.jsonl")
    assert predictions.counterpart is not None
    data = join(predictions, predictions.counterpart())
    assert [*data.predictions.documents] == [{"a": 1} if said == '{"a": 1}' else said]
    assert [*data.references.documents] == [{"a": 2} if due == '{"a": 2}' else due]


def test_cells_of_csv_are_documents(world: World) -> None:
    world.write("p.csv", 'id,prediction,reference\n1,"{""a"": 1}","{""a"": 2}"\n2,,3\n3,[1,[]\n')
    predictions = world.predictions("p.csv")
    assert predictions.counterpart is not None
    data = join(predictions, predictions.counterpart())
    assert [*data.predictions.documents] == [{"a": 1}, NO_REPLY, ParseFailure("unclosed bracket", 0, truncated=True)]
    assert [*data.references.documents] == [{"a": 2}, 3, []]


@pytest.mark.parametrize("due", [["no", "none"], ["no", None], ["no", "no", None]])
def test_references_of_which_none_is_a_document_are_texts(world: World, due: list[str | None]) -> None:
    data = joined(world, ["no"] * len(due), due)
    with pytest.raises(NoDocumentsError):
        _ = data.references.documents


@pytest.mark.parametrize("due", [["no", ["no"]], ["no", "1"], [{}, None]])
def test_references_of_which_some_are_documents_are_told_of_the_others(world: World, due: list[object]) -> None:
    data = joined(world, ["no"] * len(due), due)
    with pytest.raises(DataError) as caught:
        _ = data.references.documents
    assert type(caught.value) is DataError


@pytest.mark.parametrize("first", ['{"a": 1}', {"a": 1}])
def test_record_without_a_reference_has_no_document(world: World, first: object) -> None:
    data = joined(world, ['{"a": 1}', "{}"], [first, None])
    assert message(lambda: data.references.documents) == (
        "r.jsonl:2: the record has no reference; write the document that is due"
    )


def test_large_documents_are_parsed_again_and_alike(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    data = joined(world, ['{"a": 1}', "no"])
    documents = data.predictions.documents
    assert isinstance(documents, Documents)
    first = [*documents]
    assert next(iter(documents)) is first[0]
    monkeypatch.setattr("pytest_vigate.data.documents.KEPT", 5)
    data = joined(world, ['{"a": 1}', "no"])
    again = [*data.predictions.documents]
    assert again == first == [*data.predictions.documents]
    assert next(iter(data.predictions.documents)) is not again[0]
    assert KEPT > 5
