"""Documents of both sides: read by the declared rule and syntax, with positions in the reply."""

from __future__ import annotations

from typing import Any

import pytest

from data.world import World, message
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.data.documents import KEPT, NO_REPLY, Documents, read_document
from pytest_vigate.data.joining import join
from pytest_vigate.data.replies import ParseFailure, ReplyRule
from pytest_vigate.data.syntaxes import JSON, Syntax
from pytest_vigate.data.tables import Source


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
    data = joined(world, ['{"a": 1}'], [['{"a": 1}', '{"a": 2}']])
    assert message(lambda: data.references.documents) == (
        "r.jsonl:1: the record has 2 references, and a document is held against one; write the document that is due"
    )


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
