"""What was answered, and what of it could be read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from pytest_vigate.data.dataset import Boxes, Dataset, Side
from pytest_vigate.data.replies import ParseFailure
from pytest_vigate.data.syntaxes import JSON, Syntax, parse
from pytest_vigate.errors import NoDocumentsError
from pytest_vigate.metrics.coverage import Coverage
from worlds import boxes, dataset, evaluate

CUT_OFF = ParseFailure("the JSON document is cut off")
BOX = (0, 0, 9, 9)


def answered(
    *, present: Sequence[bool], replies: Sequence[str | None] | None, failures: Mapping[int, ParseFailure] | None
) -> Dataset:
    """A dataset whose predictions hold these replies."""
    n = len(present)
    data = dataset(boxes([[BOX]] * n), boxes([[BOX]] * n), present=present)
    side = data.predictions
    derive = None if failures is None else lambda: failures
    predictions = Side(
        side.file, side.present, None if replies is None else tuple(replies), side.derive_boxes, derive_failures=derive
    )
    return replace(data, predictions=predictions)


def test_missing_null_and_malformed_replies_are_not_parsed() -> None:
    # five references: one without a record, one with null, one cut off; 3 of 5 answered, 2 of 5 read
    data = answered(
        present=[True, False, True, True, True], replies=["[]", None, None, "[{", "[]"], failures={3: CUT_OFF}
    )
    assert evaluate(Coverage(), data) == {"predictions": 3 / 5, "parsed": 2 / 5}


def test_phrases_that_a_model_invents_are_no_more_answers() -> None:
    # two records, the first with three phrases; of the second there is no reply: 1 of 2, not 3 of 4
    data = answered(present=[True, True, True, False], replies=["[]", "[]", "[]", None], failures={})
    split = replace(data, leads=np.array([True, False, False, True]))
    assert evaluate(Coverage(), split) == {"predictions": 1 / 2, "parsed": 1 / 2}


def test_malformed_reply_is_an_answer() -> None:
    data = answered(present=[True], replies=["none"], failures={0: CUT_OFF})
    assert evaluate(Coverage(), data) == {"predictions": 1, "parsed": 0}


@pytest.mark.parametrize("spoiled", ["replies", "boxes"])
def test_coverage_asks_for_no_box(spoiled: str) -> None:
    def stumble() -> Boxes:
        raise AssertionError("coverage looked at the boxes")

    data = answered(present=[True], replies=["[]"], failures={} if spoiled == "boxes" else None)
    side = data.predictions
    predictions = Side(
        side.file,
        side.present,
        side.replies,
        derive_boxes=stumble,
        derive_failures=side.derive_failures,
    )
    assert evaluate(Coverage(), replace(data, predictions=predictions))["predictions"] == 1


@pytest.mark.parametrize(
    ("side", "reason"),
    [
        (
            answered(present=[True], replies=None, failures=None).predictions,
            "the boxes of predictions.jsonl are no replies, so there is nothing to parse; gate coverage.predictions",
        ),
        (
            replace(answered(present=[True], replies=["two"], failures=None).predictions, derive_boxes=None),
            "nothing says how the replies of predictions.jsonl write boxes; declare it, as boxes: qwen3-vl",
        ),
        (
            replace(answered(present=[True], replies=None, failures=None).predictions, derive_boxes=None),
            "predictions.jsonl holds no replies; name the field that holds them under 'fields'",
        ),
        (
            Side("predictions.jsonl", np.ones(1, dtype=bool), derive_documents=lambda: [{"a": 1}]),
            "the replies of predictions.jsonl are parsed already, so there is nothing to parse; "
            "gate coverage.predictions",
        ),
    ],
)
def test_what_is_no_reply_is_not_parsed_and_says_what_to_do(side: Side, reason: str) -> None:
    data = replace(answered(present=[True], replies=None, failures=None), predictions=side)
    statistics = Coverage().statistics(data)
    assert statistics.undefined == {"parsed": reason}
    values = evaluate(Coverage(), data)
    assert values["predictions"] == 1
    assert math.isnan(values["parsed"])


def documents(said: Sequence[str | None], due: Sequence[object], syntax: Syntax = JSON) -> Dataset:
    """Replies held against documents that JSON lines hold."""
    n = len(said)

    def parsed() -> list[object]:
        return [ParseFailure("no reply") if text is None else parse(text, syntax) for text in said]

    present = np.ones(n, dtype=bool)
    predictions = Side(
        "p.jsonl",
        present,
        tuple(said),
        derive_failures=dict,
        derive_texts=lambda: tuple((text or "",) for text in said),
        derive_documents=parsed,
        syntax=syntax,
    )
    references = Side("r.jsonl", present, derive_documents=lambda: due)
    return Dataset(tuple(map(str, range(n))), {}, predictions, references)


@pytest.mark.parametrize("document", [{"a": 1}, [1], [["a"]], ["a", None]])
def test_reply_that_is_no_document_is_not_parsed_where_only_documents_are_right(document: object) -> None:
    # four answers: two documents, prose, a fence; the fifth null: 4 of 5 answered, 2 of 5 parsed
    said = ['{"a": 1}', "1", "Sure.", "```json\n{}\n```", None]
    values = evaluate(Coverage(), documents(said, [document, "a", ["a"], 1, []]))
    assert values == {"predictions": 4 / 5, "parsed": 2 / 5}


@pytest.mark.parametrize("due", [["a", "b"], [["a"], []], [1, True], [None, "a"]])
def test_what_may_be_due_as_it_is_asks_for_no_document(due: Sequence[object]) -> None:
    assert evaluate(Coverage(), documents(["a", "[1"], due))["parsed"] == 1
    # what declares a syntax has said that it means documents: of two replies, one is YAML's
    assert evaluate(Coverage(), documents(["a: b", "a"], due, Syntax("yaml")))["parsed"] == 1 / 2


def test_references_that_are_texts_ask_for_no_document() -> None:
    def stumble() -> Sequence[object]:
        raise NoDocumentsError("r.jsonl:1", "no document")

    data = documents(["a", "b"], [])
    data = replace(data, references=replace(data.references, derive_documents=stumble))
    assert evaluate(Coverage(), data)["parsed"] == 1


def test_replies_that_are_no_documents_for_anybody_are_not_parsed_as_such() -> None:
    data = documents(["a"], [{"a": 1}])
    data = replace(data, predictions=replace(data.predictions, derive_documents=None))
    assert evaluate(Coverage(), data)["parsed"] == 1


def test_boxes_in_replies_are_parsed_as_boxes_whatever_is_due() -> None:
    data = documents(["no", "no"], [{"a": 1}, {"a": 1}], Syntax("yaml"))
    predictions = replace(
        data.predictions, derive_boxes=lambda: boxes([[BOX]] * 2), derive_failures=lambda: {0: CUT_OFF}
    )
    assert evaluate(Coverage(), replace(data, predictions=predictions))["parsed"] == 1 / 2


def test_faults_name_what_the_score_asks_for() -> None:
    assert Coverage().faults("predictions") == {"unanswered": "without a prediction"}
    assert Coverage().faults("parsed") == {"unparsed": "not parsed"}
