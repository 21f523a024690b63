"""What was answered, and what of it could be read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from pytest_vigate.data.dataset import Boxes, Dataset, Side
from pytest_vigate.data.replies import ParseFailure
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
    ],
)
def test_what_is_no_reply_is_not_parsed_and_says_what_to_do(side: Side, reason: str) -> None:
    data = replace(answered(present=[True], replies=None, failures=None), predictions=side)
    statistics = Coverage().statistics(data)
    assert statistics.undefined == {"parsed": reason}
    values = evaluate(Coverage(), data)
    assert values["predictions"] == 1
    assert math.isnan(values["parsed"])


def test_faults_name_what_the_score_asks_for() -> None:
    assert Coverage().faults("predictions") == {"unanswered": "without a prediction"}
    assert Coverage().faults("parsed") == {"unparsed": "not parsed"}
