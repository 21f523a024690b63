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
from pytest_vigate.evaluation.estimate import estimate
from pytest_vigate.evaluation.resampling import multinomial_weights
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


def test_text_none_is_not_a_missing_attribute() -> None:
    # one group of A and C would have 1 of 2; apart, each is like itself
    for text in ("(none)", "", "null"):
        data = replies([A, C], kind=[text, None])
        assert scores(data, by="kind") == {"share": 1, "structures": 1}
    lines = explained(replies([A, B, B, A, B], kind=[None, None, "", "", ""]), by="kind")
    assert [line for line in lines if line.startswith("the")] == [
        "the two commonest of 2 structures without 'kind':",
        "the two commonest of 2 structures of '':",
    ]


def drawn(data: Dataset, weights: Sequence[Sequence[int]], **parameters: Any) -> list[float]:
    metric = Consistency(**parameters)
    found = metric.draw(metric.statistics(data), np.array(weights, dtype=float))
    assert np.isnan(found[:, 1]).all()
    return [float(share) for share in found[:, 0]]


def test_draws_are_of_the_structure_that_was_the_commonest() -> None:
    # A is settled. 0 of 2 A's and 3 B's drawn once each: A has 2/5, B 3/5, so choosing adds 1/5: 2/5 - 1/5
    data = replies([A, A, A, B, B])
    weights = [[1, 1, 1, 1, 1], [2, 0, 0, 1, 2], [0, 0, 0, 4, 1], [3, 2, 0, 0, 0]]
    assert drawn(data, weights) == pytest.approx([3 / 5, 2 / 5 - 1 / 5, 0, 1])


def test_first_name_is_settled_of_two_as_common() -> None:
    # in order of name A is before B; a draw of B alone has none of it
    for said in ([A, B], [B, A]):
        only = [[int(text == other) * 2 for text in said] for other in (A, B)]
        assert drawn(replies(said), only) == [1, 0]


def test_structures_are_settled_in_every_group() -> None:
    # A in a, C in b. Only the second draw has others: B in a, 1 of 5, and A in b, 1 of 5: 3/5 and nothing is gained
    data = replies([A, A, B, C, C, A], kind=["a", "a", "a", "b", "b", "b"])
    weights = [[1, 1, 0, 1, 1, 0], [1, 1, 1, 1, 0, 1], [0, 1, 3, 2, 0, 0]]
    # third: A has 1 of 6, C 2, so 3/6; B has 3 of its group, so choosing would have 5/6: 3/6 - 2/6
    assert drawn(data, weights, by="kind") == pytest.approx([1, 3 / 5, 1 / 6])


def test_draws_without_a_structure_are_no_gain() -> None:
    assert drawn(replies(["no", None]), [[1, 1]]) == [0]
    assert np.isnan(drawn(replies([A]), [[0]])).all()


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 2**16), n=st.integers(1, 30))
def test_draws_are_never_above_the_score_under_their_weights(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    said = [[A, B, C, "no"][i] for i in rng.integers(4, size=n)]
    data = replies(said, kind=[str(i) for i in rng.integers(3, size=n)])
    weights = rng.multinomial(n, np.full(n, 1 / n), size=20).astype(float)
    metric = Consistency(by="kind")
    statistics = metric.statistics(data)
    assert (metric.draw(statistics, weights)[:, 0] <= metric.evaluate(statistics, weights)[:, 0] + 1e-12).all()
    ones = np.ones((1, n))
    assert metric.draw(statistics, ones)[0, 0] == pytest.approx(metric.evaluate(statistics, ones)[0, 0])


@pytest.mark.parametrize(
    ("shares", "groups"), [([0.1] * 10, 1), ([0.5, 0.5], 1), ([0.34, 0.33, 0.33], 1), ([0.6, 0.4], 30)]
)
def test_lower_bound_is_seldom_above_the_share_at_large(shares: list[float], groups: int) -> None:
    # with the commonest chosen anew in every draw, it is in 21 to 100 of 100 worlds; 5 are allowed for
    rng = np.random.default_rng(0)
    above, n, metric = 0, 60, Consistency(by="kind")
    for _ in range(100):
        said = [f'{{"k{i}": 1}}' for i in rng.choice(len(shares), n, p=shares)]
        statistics = metric.statistics(replies(said, kind=[str(i % groups) for i in range(n)]))
        found = estimate(metric, statistics, weights=multinomial_weights(n, draws=200, rng=rng), level=0.95)
        bounds = found["share"].bounds(0.95)
        assert bounds is not None
        above += bounds[0] > max(shares)
    assert above <= 15


def test_structures_have_no_interval() -> None:
    metric = Consistency()
    statistics = metric.statistics(replies([A, B] * 20))
    weights = [*multinomial_weights(40, draws=200, rng=np.random.default_rng(0))]
    found = estimate(metric, statistics, weights=weights, level=0.95)["structures"]
    assert (found.value, found.method, found.low, found.bounds(0.95)) == (2, "none", None, None)


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


def measured(data: Dataset, **parameters: Any) -> Any:
    metric = Consistency(**parameters)
    return json.loads(json.dumps(metric.measures(metric.statistics(data), data.ids), allow_nan=False))


def test_record_names_groups_of_several_structures_alone() -> None:
    data = replies([A, A, A, B, C, A, "no"], kind=["a", "a", "b", "b", None, None, "a"])
    sides = [[['{"count": "number"}', 1, ["s2"]], ['{"count": "string"}', 1, ["s3"]]]]
    sides += [[['{"count": "number", "note": "string"}', 1, ["s4"]], ['{"count": "number"}', 1, ["s5"]]]]
    found = measured(data, by="kind")
    assert {key: found[key] for key in ("samples", "unparsed", "groups", "several")} == {
        "samples": 7,
        "unparsed": 1,
        "groups": 3,
        "several": 2,
    }
    assert [(group["group"], group["structures"], group["outside"]) for group in found["mixed"]] == [
        ("b", 2, 1),
        (None, 2, 1),
    ]
    assert found["mixed"][0]["differences"] == [["$.count", "number", "string"]]
    assert found["mixed"][0]["more"] == 0
    shown = [sorted([*map(list, map(dict.values, group["commonest"]))]) for group in found["mixed"]]
    assert shown == [sorted(side) for side in sides]


def test_record_keeps_the_most_mixed_groups() -> None:
    # group i has i + 1 of A and i of B, so the 50 of 60 with most outside are 59, 58, …, 10; group 0 is of one reply
    said, kind = [], []
    for i in range(60):
        said += [A] * (i + 1) + [B] * i
        kind += [str(i)] * (2 * i + 1)
    found = measured(replies(said, kind=kind), by="kind")
    assert (found["groups"], found["several"]) == (60, 59)
    assert [group["group"] for group in found["mixed"]] == [str(i) for i in range(59, 9, -1)]
    assert found["mixed"][0]["outside"] == 59
    assert ["differences" in group for group in found["mixed"]] == [True] * 3 + [False] * 47


def test_record_cuts_long_structures_and_the_diagnosis_knows_the_whole() -> None:
    long = {f"key{i:04}": 1 for i in range(1000)}
    data = replies([json.dumps(long)] * 2 + [json.dumps({**long, "last": 1})] * 2)
    (group,) = measured(data)["mixed"]
    for side in group["commonest"]:
        assert len(side["structure"]) == 2000
        assert side["structure"].endswith("…")
    assert group["differences"] == [["$.last", "-", "number"]]
    assert explained(data)[-1] == "  $.last  -                 number"


def test_record_of_one_structure_is_short() -> None:
    for said in ([A] * 3, ["no"], []):
        found = measured(replies(said))
        assert (found["mixed"], found["several"]) == ([], 0)


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
