"""`consistency`: structures of replies, and the share of the commonest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vigate.data.dataset import Dataset
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics.consistency import Consistency, structure
from worlds import evaluate, replies

A, B, C = '{"count": 3}', '{"count": "3"}', '{"count": 3, "note": "x"}'


def scores(data: Dataset, **parameters: Any) -> dict[str, float]:
    return evaluate(Consistency(**parameters), data)


def test_share_is_that_of_the_commonest_structure() -> None:
    # three of A's structure, one of B's; the fifth does not parse: 3 / 5, two structures
    found = scores(replies([A, '{"count": 9}', A, B, "no"]))
    assert found == {"share": 0.6, "structures": 2}


def test_groups_have_structures_of_their_own() -> None:
    data = replies([A, A, C, C, C, A], kind=["a", "a", "b", "b", "b", "b"])
    # alone: C's and A's three of six each; by kind: both of a, three of the four of b
    assert scores(data) == {"share": 0.5, "structures": 2}
    assert scores(data, by="kind") == {"share": pytest.approx(5 / 6), "structures": 2}


def test_replies_without_the_attribute_are_a_group() -> None:
    assert scores(replies([A, A, C, C], kind=["a", "a", None, None]), by="kind") == {"share": 1, "structures": 1}


def test_nothing_parsed_is_no_structure() -> None:
    found = scores(replies(["no", None, ""]))
    assert found["share"] == 0
    assert np.isnan(found["structures"])


def test_reply_alone_in_its_group_is_no_evidence() -> None:
    metric = Consistency(by="kind")
    statistics = metric.statistics(replies([A, B, C], kind=["a", "b", "b"]))
    assert metric.trials(statistics)[:, 0].tolist() == [False, True, True]
    assert metric.caveats(statistics, "share") == ("groups of one reply, which is always like itself: 1",)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ('{"a": 1, "b": "x"}', '{"b": "y", "a": 2.5}', True),
        ('{"a": 1}', '{"a": "1"}', False),
        ('{"a": 1}', '{"a": true}', False),
        ('{"a": 1}', '{"a": null}', False),
        ('{"a": 1}', '{"A": 1}', False),
        ('{"a": {"b": 1}}', '{"a.b": 1}', False),
        ("[1, 2, 3]", "[4]", True),
        ("[1]", '["1"]', False),
        ("[]", "[1]", False),
        ("[1, null]", "[null, null, 2]", True),
        ('[{"a": 1}, {"b": 2}]', '[{"a": 1, "b": 2}]', False),
        ('{"a": [{"b": 1}]}', '{"a": [{"b": 1}, {"b": 2}]}', True),
        ('{"a": {}}', '{"a": []}', False),
        ('{"a\\"b": 1}', '{"a": 1}', False),
        ('"text"', '"other"', True),
    ],
)
def test_structure_is_what_values_leave(one: str, other: str, alike: bool) -> None:
    assert (structure(json.loads(one)) == structure(json.loads(other))) is alike


def test_structure_of_deep_and_of_long_documents() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = {"a": [deep]}
    assert structure(deep).count('"a"') == 5_000
    assert structure([{"a": 1}] * 100_000) == '[{"a": "number"}]'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=12,
)


def shape(value: Any) -> Any:
    """The structure by recursion, as nested frozen sets."""
    if isinstance(value, dict):
        return ("object", frozenset((key, shape(inner)) for key, inner in value.items()))
    if isinstance(value, list):
        return ("array", frozenset(map(shape, value)))
    return "number" if type(value) is int else type(value).__name__


@settings(deadline=None, max_examples=300)
@given(one=JSON, other=JSON)
def test_structures_are_equal_where_shapes_are(one: Any, other: Any) -> None:
    assert (structure(one) == structure(other)) is (shape(one) == shape(other))
    json.loads(structure(one))


def explained(data: Dataset, **parameters: Any) -> Sequence[str]:
    metric = Consistency(**parameters)
    return metric.explain(metric.measures(metric.statistics(data), data.ids))


def test_diagnosis_shows_the_two_commonest_side_by_side() -> None:
    one, other = '{"count": 3, "parts": [{"name": "a"}]}', '{"count": "3", "parts": [], "x\\u001b": null}'
    assert explained(replies([other, one, one, "no", A])) == (
        "1 of 5 replies do not parse and have no structure",
        "the two commonest of 3 structures:",
        "                   2 times, as 's1'  1 times, as 's0'",
        "  $.count          number            string",
        "  $.parts          array             empty array",
        "  $.parts[*]       object            -",
        "  $.parts[*].name  string            -",
        "  $['x\\u001b']     -                 null",
    )


def test_diagnosis_tells_keys_with_dots_from_keys_inside() -> None:
    one, other = '{"a.b": 1, "n": 1}', '{"a": {"b": 1}, "n": 1}'
    assert explained(replies([one, one, other, other]))[2:] == (
        "  $.a       -                 object",
        "  $.a.b     -                 number",
        "  $['a.b']  number            -",
    )


def test_diagnosis_names_the_group() -> None:
    lines = explained(replies([A, A, A, B], kind=["a", "a", "b", "b"]), by="kind")
    assert lines[0] == "the two commonest of 2 structures of 'b':"


def test_many_differences_are_cut() -> None:
    many = json.dumps({f"k{i:02}": 1 for i in range(20)})
    lines = explained(replies([many, many, "{}", "{}"]))
    assert lines[-1] == "  and 8 more differences"
    assert len(lines) == 15


def test_attribute_has_to_be_listed() -> None:
    with pytest.raises(UnmeasurableError) as near:
        Consistency(by="knd").statistics(replies([A], kind=["a"]))
    assert str(near.value) == "consistency: by: 'knd' is not in data.attributes; did you mean 'kind'?"
    with pytest.raises(UnmeasurableError) as far:
        Consistency(by="x").statistics(replies([A]))
    assert str(far.value) == "consistency: by: 'x' is not in data.attributes; list it under data.attributes"


def test_records_without_replies_are_unmeasurable() -> None:
    data = replies([A])
    data = replace(data, predictions=replace(data.predictions, derive_documents=None))
    with pytest.raises(UnmeasurableError, match="consistency needs replies"):
        Consistency().statistics(data)
