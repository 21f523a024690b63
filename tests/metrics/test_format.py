"""`format`: compliance under the declared rule, and the layers beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vigate.data.dataset import Dataset
from pytest_vigate.data.documents import read_document
from pytest_vigate.data.layers import LAYERS
from pytest_vigate.data.replies import ReplyRule
from pytest_vigate.data.syntaxes import ParseFailure
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics.format import Format
from worlds import evaluate, replies

GOOD = '{"count": 3}'
SAID = [GOOD, f"```json\n{GOOD}\n```", f"Sure: {GOOD}", '{"count": 3', None, '{"count": 3,}', "three", "", GOOD, "7"]


def under(rule: ReplyRule, said: Sequence[str | None]) -> Dataset:
    """The dataset of replies that a rule reads."""
    data = replies(said)
    source = Source("predictions", "replies.jsonl", (), (), replies=rule)
    found = [ParseFailure("no reply") if text is None else read_document(text, source) for text in said]
    return replace(data, predictions=replace(data.predictions, rule=rule, derive_documents=lambda: found))


def test_layers_stand_beside_compliance() -> None:
    # of ten: three documents as they are, one fenced, one in prose, one cut off, two empty, two broken
    assert evaluate(Format(), replies(SAID)) == {
        "compliance": 0.3,
        "strict": 0.3,
        "fenced": 0.1,
        "embedded": 0.1,
        "truncated": 0.1,
        "empty": 0.2,
        "broken": 0.2,
    }


@pytest.mark.parametrize(("rule", "compliance"), [("strict", 0.3), ("fenced", 0.4), ("first-json", 0.4)])
def test_compliance_is_that_of_the_declared_rule_and_layers_stay(rule: ReplyRule, compliance: float) -> None:
    # first-json finds the two objects, the fenced one and the one in prose, and not the bare 7
    found = evaluate(Format(), under(rule, SAID))
    assert found.pop("compliance") == compliance
    expected = evaluate(Format(), replies(SAID))
    del expected["compliance"]
    assert found == expected


@settings(deadline=None, max_examples=100)
@given(said=st.lists(st.sampled_from(SAID), min_size=1, max_size=12))
def test_layers_partition_the_replies(said: list[str | None]) -> None:
    statistics = Format().statistics(replies(said))
    layers = np.array([statistics.column(name) for name in LAYERS])
    assert (layers.sum(axis=0) == 1).all()
    scores = evaluate(Format(), replies(said))
    if scores["empty"] < 1:
        assert sum(scores[name] for name in LAYERS) == pytest.approx(1)


def test_silence_is_no_sign_of_quality() -> None:
    found = evaluate(Format(), replies([None, "", " "]))
    assert {name: value for name, value in found.items() if not np.isnan(value)} == {
        "compliance": 0,
        "strict": 0,
        "empty": 1,
    }


def test_silence_is_told_where_it_flatters() -> None:
    statistics = Format().statistics(replies([GOOD, None, "", "no"]))
    told = ("replies that say nothing, and so are not truncated: 2 of 4",)
    assert Format().caveats(statistics, "truncated") == told
    assert Format().caveats(statistics, "empty") == ()
    assert Format().caveats(Format().statistics(replies([GOOD, "no"])), "truncated") == ()


def test_prose_that_is_yaml_is_told() -> None:
    data = replies([GOOD] * 3)
    said = [{"I'm sorry": "I cannot"}, [{"Sorry, I": "cannot", "help you": "x"}], {"part name": 1, "count": 2}]
    data = replace(data, predictions=replace(data.predictions, derive_documents=lambda: said))
    assert Format().caveats(Format().statistics(data), "strict") == [
        "documents whose every name has a blank in it, as prose has: 2; gate schema.adherence"
    ]


def test_bare_texts_are_compliant_and_told() -> None:
    metric, data = Format(), replies(['"none"', "3", "null", GOOD])
    assert evaluate(metric, data)["compliance"] == 1
    statistics = metric.statistics(data)
    told = ["documents that are a bare text, number, true, false or null: 3; gate a schema of objects"]
    assert metric.caveats(statistics, "compliance") == told
    assert metric.caveats(statistics, "strict") == told
    assert metric.caveats(statistics, "truncated") == ()
    assert metric.caveats(metric.statistics(replies([GOOD])), "compliance") == []


def test_documents_that_are_parsed_already_have_no_format() -> None:
    data = replies([GOOD])
    with pytest.raises(UnmeasurableError) as parsed:
        Format().statistics(replace(data, predictions=replace(data.predictions, replies=None)))
    assert str(parsed.value) == (
        "predictions.jsonl: format needs raw replies, and these records hold documents that are parsed already; "
        "record them"
    )
    with pytest.raises(UnmeasurableError, match="and these records hold no replies; record them"):
        Format().statistics(replace(data, predictions=replace(data.predictions, replies=None, derive_documents=None)))


def explained(said: Sequence[str | None]) -> Sequence[str]:
    metric, data = Format(), replies(said)
    return metric.explain(metric.measures(metric.statistics(data), data.ids))


def test_diagnosis_counts_causes_and_shows_the_piece() -> None:
    lines = explained([GOOD, '{"count": 3,}', f"```json\n{GOOD}\n```", '{"a": [1,]}', '{"a": "x', None])
    assert lines[:3] == (
        "6 replies: strict 1, fenced 1, truncated 1, empty 1, broken 2",
        "truncated 1: allow the model more tokens",
        "fenced and refused 1: declare replies: fenced, or ask the model for no code fence",
    )
    at = lines.index("trailing comma: 2")
    assert lines[at : at + 5] == (
        "trailing comma: 2",
        """  's1': at character 12: {"count": 3,}""",
        "                                    ^",
        """  's3': at character 9: {"a": [1,]}""",
        "                                ^",
    )
    assert "no reply: 1" in lines


def test_rule_that_is_declared_is_not_advised() -> None:
    data = under("fenced", [f"```json\n{GOOD}\n```", '{"a": 1,}', f"Sure: {GOOD}"])
    metric = Format()
    lines = metric.explain(metric.measures(metric.statistics(data), data.ids))
    assert [line for line in lines if "refused" in line] == [
        "embedded and refused 1: ask the model for the document and nothing else"
    ]


def test_diagnosis_shows_five_samples_of_a_cause() -> None:
    lines = explained(["{'a': 1}"] * 7)
    assert lines[1] == "single quotes: 7"
    assert len(lines) == 2 + 2 * 5


def test_pieces_are_short_and_harmless() -> None:
    reply = '{"a": "' + "x" * 500 + '\x1b[31m"}'
    lines = explained([reply])
    shown = next(line for line in lines if "at character" in line)
    assert len(shown) < 120
    assert "\x1b" not in "".join(lines)
    caret = lines[lines.index(shown) + 1]
    assert shown[caret.index("^") :].startswith("\\x1b")
