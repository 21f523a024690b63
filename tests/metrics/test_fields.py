from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vigate.data.dataset import Dataset, Side
from pytest_vigate.errors import DataError, UnmeasurableError
from pytest_vigate.evaluation import slicing
from pytest_vigate.metrics import _slots
from pytest_vigate.metrics import fields as module
from pytest_vigate.metrics.base import Statistics
from pytest_vigate.metrics.fields import FieldAgreement
from worlds import evaluate, replies

KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.integers(0, 2)
ITEMS = st.dictionaries(KEYS, VALUES, min_size=1)
LISTS = st.lists(ITEMS, min_size=1, max_size=5)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from(["", "x", "y"]))
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=20,
)


def said(*documents: object) -> list[str | None]:
    return [json.dumps(document) for document in documents]


def score(found: Sequence[object], due: Sequence[object], **parameters: Any) -> dict[str, float]:
    return evaluate(FieldAgreement(**parameters), replies(said(*found), due))


def rows(found: Sequence[str | None], due: Sequence[object], **parameters: Any) -> Statistics:
    return FieldAgreement(**parameters).statistics(replies(found, due))


def slots(found: object, due: object, **parameters: Any) -> list[tuple[str, str]]:
    """Field and kind of every slot of one sample."""
    statistics = rows(said(found), [due], **parameters)
    key = statistics.keys["field"]
    kinds = module.COLUMNS[: module.COLUMNS.index("unread")]
    return sorted(
        (key.names[code], kinds[int(np.argmax(row[: len(kinds)]))])
        for code, row in zip(key.code.tolist(), statistics.values, strict=True)
        if row[: len(kinds)].any()
    )


def told(found: Sequence[str | None], due: Sequence[object], **parameters: Any) -> list[str]:
    metric = FieldAgreement(**parameters)
    data = replies(found, due)
    return [*metric.explain(metric.measures(metric.statistics(data), data.ids))]


def in_memory(found: Sequence[object], due: Sequence[object]) -> Dataset:
    """Documents that are there already."""
    there = np.ones(len(due), dtype=np.bool_)
    return Dataset(
        tuple(f"s{i}" for i in range(len(due))),
        {},
        Side("replies.jsonl", there, derive_documents=lambda: found),
        Side("documents.jsonl", there, derive_documents=lambda: due),
    )


def cut(statistics: Statistics, name: str) -> Statistics:
    """What a condition on the field leaves, as `evaluation.slicing` cuts it."""
    key = statistics.keys["field"]
    rows = key.code == key.names.index(name)
    samples = np.zeros(statistics.n, dtype=np.bool_)
    samples[statistics.sample[rows]] = True
    return statistics.take(rows).select(samples)


def values_of(statistics: Statistics) -> list[float]:
    found: list[float] = FieldAgreement().evaluate(statistics, np.ones((1, statistics.n)))[0].tolist()
    return found


def test_worked_by_hand() -> None:
    due = [
        {"type": "dent", "size": 3, "note": None},
        {"type": "dent", "size": 4, "note": None},
        {"type": "scratch", "size": 5, "note": "deep"},
    ]
    replied = [
        {"type": "dent", "size": 3},  # right, right, neither has a note
        {"type": "rust", "note": "new", "colour": "red"},  # wrong, size missing, note invented, colour invented
    ]
    found = evaluate(FieldAgreement(), replies([*said(*replied), "sorry"], due))
    # Slots: 3, 4 and 3; the last reply is no document.
    assert found["accuracy"] == 3 / 10
    assert found["exact"] == 1 / 3
    # Referenced values: 2, 2 and 3; missing: size, and all of the last.
    assert found["missing"] == 4 / 7
    # Values given: 2, 3 of which two are invented, and the last reply counts as one that is.
    assert found["invented"] == 3 / 6


def test_null_and_no_mention_are_the_same_absence() -> None:
    assert slots({"a": None}, {"b": None}) == [("b", "none")]
    assert slots({"b": None}, {"b": None}) == [("b", "none")]
    assert slots({"b": 1}, {"b": None}) == [("b", "invented")]
    assert slots({"b": None}, {"b": 1}) == [("b", "missing")]
    assert slots({}, {"b": 0}) == [("b", "missing")]


@pytest.mark.parametrize("reply", [None, "", "sorry", '{"b": nul'])
def test_reply_without_a_document_is_wrong_where_null_is_due(reply: str | None) -> None:
    statistics = rows([reply], [{"a": 1, "b": None}])
    assert values_of(statistics) == [0, 0, 1, 1]
    assert statistics.column("unsaid").sum() == statistics.column("missing").sum() == 1


GARBAGE = ["sorry"] * 29


def test_replies_without_a_document_are_wrong_where_all_their_fields_are_ignored() -> None:
    due: list[object] = [{"sev": 1}, *[{"x": 1}] * 29]
    for parameters in ({"compare": {"sev": "exact"}, "others": "ignore"}, {"compare": {"x": "ignore"}}):
        metric = FieldAgreement(**parameters)
        statistics = rows([*said({"sev": 1}), *GARBAGE], due, **parameters)
        assert values_of(statistics) == [1 / 30, 1 / 30, 0, 29 / 30]
        assert metric.trials(statistics).sum(axis=0).tolist() == [30, 30, 1, 30]
        assert values_of(cut(statistics, "sev")) == [1, 1, 0, 0]
        # Replies that are documents, and say nothing that is asked for, add nothing.
        assert values_of(rows(said({"sev": 1}, *[{}] * 29), due, **parameters)) == [1, 1, 0, 0]
        measures = metric.measures(statistics, tuple(map(str, range(30))))
        assert (measures["slots"], measures["errors"], measures["unread"]) == (30, 29, 29)
        assert [(item["field"], item["slots"]) for item in measures["fields"]] == [("sev", 1)]
        assert [(kind["kind"], kind["count"]) for kind in measures["kinds"]] == [("no document", 29)]


def test_samples_with_nothing_but_replies_without_a_document_are_evidence() -> None:
    # The last name is that of a field that no reference has.
    statistics = rows([*said({"a": 1, "c": 1}), None], [{"a": 1}, {"b": 1}], compare={"b": "ignore"})
    assert statistics.keys["field"].names == ("a", "c")
    part = statistics.select(np.array([False, True]))
    assert values_of(part)[:2] == [0, 0]
    assert FieldAgreement().trials(part).tolist() == [[True, True, False, True]]


def test_rows_without_a_field_are_no_group() -> None:
    parameters: dict[str, Any] = {"compare": {"b": "ignore"}}
    due: list[object] = [{"a": 1}, {"b": 1}, {"b": 1}]
    data = replies([*said({"a": 1}), None, None], due, kind=["day", "day", "night"])
    statistics = FieldAgreement(**parameters).statistics(data)
    whole = slicing.cut({}, data, statistics)
    groups = dict(slicing.split("field", data, statistics, whole=whole, where={}))
    assert {name: part.rows.tolist() for name, part in groups.items()} == {"a": [True, False, False]}
    night = slicing.cut({"kind": ("night",)}, data, statistics)
    with pytest.raises(UnmeasurableError, match=r"^no sample has a field to split by; zero samples prove nothing$"):
        [*slicing.split("field", data, statistics, whole=night, where={"kind": ("night",)})]


def test_shards_keep_rows_without_a_field() -> None:
    parameters: dict[str, Any] = {"compare": {"x": "ignore"}}
    first = rows(said({"b": 1}), [{"b": 1, "x": 1}], **parameters)
    joined = Statistics.concatenate([first, rows([*said({"a": 1}), None], [{"a": 1}, {"x": 1}], **parameters)])
    assert joined.keys["field"].names == ("b", "a")
    assert joined.keys["field"].code.tolist() == [0, 1, -1]
    assert values_of(joined) == [2 / 3, 2 / 3, 0, 1 / 3]


def test_replies_without_a_document_count_as_one_invented_value_each() -> None:
    due: list[object] = [{"a": 1, "b": 2}] * 30
    statistics = rows([*said({"a": 1, "b": 2}), *GARBAGE], due)
    assert values_of(statistics)[3] == 29 / 31  # two values of the first
    assert FieldAgreement().trials(statistics)[:, 3].sum() == 30
    assert values_of(cut(statistics, "a"))[3] == 29 / 30
    assert FieldAgreement().caveats(cut(statistics, "a"), "invented") == (
        "every reference has a value here: only a field that no reference has could be invented; what counts are "
        "replies that are no documents",
    )
    assert FieldAgreement().faults("invented") == {"invented": "invented", "unread": "unread"}


def test_silence_never_passes_as_nothing_invented() -> None:
    found = score([{}, {}], [{"a": 1}, {"a": 2}])
    assert (found["accuracy"], found["missing"]) == (0, 1)
    assert math.isnan(found["invented"])


def test_references_of_nothing_but_null_have_nothing_to_miss() -> None:
    found = score([{}, {"a": 1}], [{"a": None}, {"a": None}])
    assert (found["accuracy"], found["exact"], found["invented"]) == (0.5, 0.5, 1)
    assert math.isnan(found["missing"])


@pytest.mark.parametrize(
    ("found", "due", "expected"),
    [
        ({"a": {"x": 1}}, {"a": {"x": 1}}, [("$.a.x", "right")]),
        ({"a": 3}, {"a": {"x": 1, "y": None}}, [("$.a.x", "missing"), ("$.a.y", "none"), ("a", "invented")]),
        ({"a": {"x": 1}}, {"a": 3}, [("a", "wrong")]),
        ({"a": {"x": 1}}, {"a": None}, [("a", "invented")]),
        ({"a": {"x": 1}}, {"b": 1}, [("$.a.x", "invented"), ("b", "missing")]),
        ({"a": {"x": None}}, {"a": None}, [("a", "none")]),
        ({"a": [{"x": None}]}, {"a": 3}, [("a", "missing")]),
        ({"a": {}}, {"a": {"x": 1}}, [("$.a.x", "missing")]),
        ({"a": {"x": 1}}, {"a": {}}, [("a", "wrong")]),
        ({"a": []}, {"a": [{"x": 1}]}, [("$.a[*].x", "missing")]),
        ({"a": [{"x": 1}]}, {"a": []}, [("a", "wrong")]),
        ({"a": []}, {"a": {"x": 1}}, [("$.a.x", "missing"), ("a", "invented")]),
        ({"a": [1, 2]}, {"a": [1, 2.0]}, [("a", "right")]),
        ({"a": [2, 1]}, {"a": [1, 2]}, [("a", "wrong")]),
        ({"a": [1]}, {"a": [{"x": 1}]}, [("$.a[*]", "invented"), ("$.a[*].x", "missing")]),
        ({"a": [{"x": 1}, {"x": 2}]}, {"a": [{"x": 2}]}, [("$.a[*].x", "invented"), ("$.a[*].x", "right")]),
        ({"a": [{}, 3]}, {"a": [{}, 3]}, [("$.a[*]", "right"), ("$.a[*]", "right")]),
        ([{"x": 1}], [{"x": 1}], [("$[*].x", "right")]),
        (3, 3.0, [("$", "right")]),
        ({}, {}, [("$", "right")]),
        ([], {}, [("$", "wrong")]),
        (None, {"a": 1}, [("a", "missing")]),
        ({"a": 1}, None, [("$", "invented")]),
        (None, None, [("$", "none")]),
        ({"a.b": 1}, {"a.b": 1}, [("$['a.b']", "right")]),
        ({"a": True}, {"a": 1}, [("a", "wrong")]),
    ],
)
def test_slots_of_one_sample(found: object, due: object, expected: list[tuple[str, str]]) -> None:
    assert slots(found, due) == expected


def test_items_are_matched_by_their_fields() -> None:
    due = {"parts": [{"name": "bolt", "size": 3}, {"name": "nut", "size": 4}, {"name": "pin", "size": 5}]}
    found = {"parts": [{"name": "pin", "size": 5}, {"name": "nut", "size": 9}]}
    # The pin is equal; of what is left, the nut agrees in its name: the bolt is missed.
    assert slots(found, due) == [
        ("$.parts[*].name", "missing"),
        ("$.parts[*].name", "right"),
        ("$.parts[*].name", "right"),
        ("$.parts[*].size", "missing"),
        ("$.parts[*].size", "right"),
        ("$.parts[*].size", "wrong"),
    ]


def test_lists_in_lists_are_matched_too() -> None:
    due = [{"id": i, "holes": [{"x": i}, {"x": 10 + i}]} for i in range(3)]
    found = [{"id": i, "holes": [{"x": 10 + i}, {"x": i}]} for i in (2, 0, 1)]
    assert score([{"p": found}], [{"p": due}])["accuracy"] == 1
    # Items that hold the same values in another arrangement are not the same.
    twins = [{"h": [{"a": 1, "b": 1}, {"a": 2, "b": 2}]}, {"h": [{"a": 1, "b": 2}, {"a": 2, "b": 1}]}]
    assert score([turned(twins)], [twins])["accuracy"] == 1


def test_values_in_inner_lists_say_which_items_belong_together() -> None:
    due = [{"k": 0, "h": [{"a": 1}, {"a": 2}]}, {"k": 0, "h": [{"a": 3}]}]
    found = [{"k": 0, "h": [{"a": 3}, {"a": 9}]}, {"k": 0, "h": [{"a": 8}, {"a": 1}]}]
    # The 1 and the 3 find each other: both k, 1 and 3 are right; 8 for 2 is wrong, 9 invented.
    assert score([found], [due])["accuracy"] == 4 / 6


def test_equal_gains_keep_values_away_from_nulls() -> None:
    due = [{"a": 1, "b": 1, "x": None}, {"a": 1, "b": 2}]
    found = [{"a": 1, "b": 8, "x": 7}, {"a": 1, "b": 9}]
    # Crosswise: both a and the null are right, both b wrong, x is invented. Straight there would be 2 of 5.
    assert score([found], [due])["accuracy"] == 3 / 6


def test_equal_gains_keep_items_in_their_place() -> None:
    due = {"p": [{"n": 1}, {"n": 2}, {"n": 3}]}
    statistics = rows(said({"p": [{"n": 7}, {"n": 8}, {"n": 9}]}), [due])
    assert statistics.remarks is not None
    assert [text for text in statistics.remarks.tolist() if text] == [
        "found 7, due 1",
        "found 8, due 2",
        "found 9, due 3",
    ]


def pairings(due: list[dict[str, int]], found: list[dict[str, int]]) -> tuple[int, int]:
    """Fields that agree, and fields that both have, at best over all ways to pair items."""
    few, many = sorted((due, found), key=len)
    return max(
        (
            sum(a[key] == b[key] for a, b in zip(few, chosen, strict=True) for key in a.keys() & b.keys()),
            sum(len(a.keys() & b.keys()) for a, b in zip(few, chosen, strict=True)),
        )
        for chosen in permutations(many, len(few))
    )


def test_what_is_left_stays_in_its_place_where_it_can() -> None:
    statistics = rows(said([{"n": 1}, {"n": 1}]), [[{"n": 0}, {"n": 0}, {"n": 1}]])
    assert statistics.column("right")[:3].tolist() == [0, 0, 1]
    assert statistics.column("wrong")[:3].tolist() == [0, 1, 0]


@settings(deadline=None, max_examples=300)
@given(due=LISTS, found=LISTS)
def test_matching_equals_the_best_of_all_permutations(due: list[dict[str, int]], found: list[dict[str, int]]) -> None:
    agreeing, shared = pairings(due, found)
    total = dict(zip(module.COLUMNS, rows(said(found), [due]).totals[0], strict=True))
    assert total["right"] == agreeing
    assert total["right"] + total["wrong"] == shared
    assert total["missing"] == sum(map(len, due)) - shared
    assert total["invented"] == sum(map(len, found)) - shared


@settings(deadline=None)
@given(due=LISTS, found=LISTS, data=st.data())
def test_order_of_items_does_not_matter(due: list[Any], found: list[Any], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(found)), data.draw(st.permutations(due))
    assert score([shuffled[0]], [shuffled[1]]) == pytest.approx(score([found], [due]), nan_ok=True)


@settings(deadline=None)
@given(document=DOCUMENTS)
def test_reply_that_is_the_reference_is_perfect(document: object) -> None:
    found = score([document], [document])
    assert (found["accuracy"], found["exact"]) == (1, 1)
    assert found["missing"] in (0, pytest.approx(math.nan, nan_ok=True))
    assert found["invented"] in (0, pytest.approx(math.nan, nan_ok=True))


def turned(document: object) -> object:
    """The same document with the keys of objects, and the items of lists of objects, the other way round."""
    if isinstance(document, dict):
        return {key: turned(value) for key, value in reversed(document.items())}
    if isinstance(document, list) and any(isinstance(item, dict) for item in document):
        return [turned(item) for item in reversed(document)]
    return document


@settings(deadline=None)
@given(document=DOCUMENTS)
def test_order_of_keys_and_items_is_no_fault(document: object) -> None:
    assert score([turned(document)], [document])["accuracy"] == 1


@settings(deadline=None)
@given(found=DOCUMENTS, due=DOCUMENTS)
def test_exact_is_every_slot_right(found: object, due: object) -> None:
    kinds = {kind for _, kind in slots(found, due)}
    measured = score([found], [due])
    assert measured["exact"] == (kinds <= {"right", "none"})
    assert (measured["accuracy"] == 1) is (measured["exact"] == 1)


def test_long_lists_pair_what_is_equal_and_the_rest_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    due = [{"n": i, "m": 0} for i in range(4)]
    found = [{"n": 3, "m": 0}, {"n": 1, "m": 9}, {"n": 0, "m": 9}, {"n": 2, "m": 0}]
    expected = {"accuracy": 6 / 8, "exact": 0, "missing": 0, "invented": 0}
    assert score([found], [due]) == expected  # 0 with 0 and 1 with 1: both names agree
    monkeypatch.setattr(_slots, "MOST_ITEMS", 1)
    assert score([found], [due]) == {**expected, "accuracy": 4 / 8}  # 0 with 1 and 1 with 0
    monkeypatch.setattr(_slots, "MOST_ITEMS", 9)
    monkeypatch.setattr(_slots, "MOST_CELLS", 3)
    assert score([found], [due]) == {**expected, "accuracy": 4 / 8}


def test_fields_of_inner_lists_count_among_those_that_are_matched(monkeypatch: pytest.MonkeyPatch) -> None:
    due = [{"h": [{"a": 1, "b": 1}]}, {"h": [{"a": 2, "b": 2}]}]
    found = [{"h": [{"a": 2, "b": 9}]}, {"h": [{"a": 8, "b": 7}]}]
    assert score([found], [due])["accuracy"] == 1 / 4
    # 4 pairs times the one value that both have, two fields, and one for the place.
    monkeypatch.setattr(_slots, "MOST_CELLS", 16)
    assert score([found], [due])["accuracy"] == 1 / 4
    monkeypatch.setattr(_slots, "MOST_CELLS", 15)
    assert score([found], [due])["accuracy"] == 0


@pytest.mark.parametrize(
    ("compare", "found", "due", "accuracy"),
    [
        ({"s": "casefold"}, {"s": " Minor ", "t": "X"}, {"s": "minor", "t": "x"}, 1 / 2),
        ({"$.s": "casefold"}, {"s": "MINOR"}, {"s": "minor"}, 1),
        ({"$.l.x": "number"}, {"l": {"x": "3"}}, {"l": {"x": 3}}, 1),
        ({"$.p[*].w": {"as": "number", "absolute": 1}}, {"p": [{"w": 5}, {"w": 3}]}, {"p": [{"w": 2}, {"w": 6}]}, 1),
        ({"$.p": "set"}, {"p": [{"w": 5}, {"w": 3}]}, {"p": [{"w": 3}, {"w": 5}, {"w": 5}]}, 1),
        ({"$.p": {"as": "list"}}, {"p": [{"w": 5}, {"w": 3}]}, {"p": [{"w": 3}, {"w": 5}]}, 0),
        ({"p": {"as": "list", "ordered": False}}, {"p": [2, 1]}, {"p": [1, 2]}, 1),
        ({"l": "exact"}, {"l": {"x": 1, "y": 2}, "z": 1}, {"l": {"x": 1, "y": 3}, "z": 1}, 1 / 2),
        ({"l": "ignore"}, {"l": {"x": 1, "new": 2}, "z": 1}, {"l": {"x": 2}, "z": 1}, 1),
        ({"$.p[*].id": "ignore"}, {"p": [{"id": 7, "w": 5}]}, {"p": [{"id": 8, "w": 5}]}, 1),
        ({"d": "date"}, {"d": "20240501"}, {"d": "2024-05-01"}, 1),
    ],
)
def test_comparisons_are_by_field(compare: dict[str, Any], found: object, due: object, accuracy: float) -> None:
    assert score([found], [due], compare=compare)["accuracy"] == accuracy


def test_object_of_ignored_fields_alone_is_nothing_given() -> None:
    found = score([{"l": {"x": 1, "y": 2}}, {"l": {"x": 1}}], [{"l": {"x": 3, "y": 2}}, {"l": None}])
    assert (found["accuracy"], found["invented"]) == (1 / 3, 1 / 3)
    found = score(
        [{"l": {"x": 1, "y": 2}}, {"l": {"x": 1}}],
        [{"l": {"x": 3, "y": 2}}, {"l": None}],
        compare={"$.l.x": "ignore"},
    )
    assert (found["accuracy"], found["invented"]) == (1, 0)


def test_texts_in_lists_are_scored_before_items_are_matched() -> None:
    due = {"p": [{"t": "a small dent at the rim"}, {"t": "a long scratch"}, {"t": "日本"}]}
    found = {"p": [{"t": "one long scratch"}, {"t": "a small dent on the rim"}, {"t": "日本"}]}
    compare = {"$.p[*].t": {"as": "text", "score": "chrf", "min": 0.5}}
    assert score([found], [due], compare=compare)["accuracy"] == 1
    assert score([found], [due])["accuracy"] == 1 / 3


def test_other_fields_may_be_folded_or_ignored() -> None:
    found, due = {"a": "X", "b": 1, "c": True}, {"a": "x", "b": 1.0, "c": 1}
    assert score([found], [due], others="casefold")["accuracy"] == 2 / 3
    assert slots({"a": 1, "new": 2}, {"a": 1, "b": 3}, compare={"a": "exact"}, others="ignore") == [("a", "right")]


def test_field_that_every_reference_has_cannot_be_invented_and_that_is_told() -> None:
    statistics = rows(said({"a": 1}, {"a": 2, "b": 5}), [{"a": 1}, {"a": 1, "b": None}])
    assert values_of(statistics) == [1 / 3, 0.5, 0, 1 / 3]
    part = cut(statistics, "a")
    assert values_of(part) == [0.5, 0.5, 0, 0]
    assert FieldAgreement().caveats(part, "invented") == (
        "every reference has a value here: only a field that no reference has could be invented",
    )
    assert FieldAgreement().caveats(part, "accuracy") == FieldAgreement().caveats(statistics, "invented") == ()


def test_exact_of_a_field_asks_for_that_field_alone() -> None:
    due = [{"a": 1, "b": 1}, {"a": 1, "b": 1}, {"b": 1}]
    statistics = rows([*said({"a": 1, "b": 2}, {"a": 2, "b": 1}), None], due)
    assert values_of(statistics)[1] == 0
    assert values_of(cut(statistics, "a"))[:2] == [0.5, 0.5]
    assert values_of(cut(statistics, "b"))[:2] == pytest.approx([1 / 3, 1 / 3])


def test_exact_of_a_list_field_asks_for_all_its_items() -> None:
    due = {"p": [{"n": 1, "m": 1}, {"n": 2, "m": 2}]}
    statistics = rows(said({"p": [{"n": 1, "m": 1}, {"n": 2, "m": 3}]}), [due])
    assert values_of(cut(statistics, "$.p[*].n"))[1] == 1
    assert values_of(cut(statistics, "$.p[*].m"))[:2] == [0.5, 0]


def test_field_that_no_reference_has_bears_on_nothing_but_invention() -> None:
    statistics = rows(said({"a": 1, "b": 1}), [{"a": 1}])
    part = cut(statistics, "b")
    assert FieldAgreement().trials(part).tolist() == [[False, False, False, True]]
    assert values_of(part)[3] == 1
    assert statistics.keys["field"].asked == {"a"}


def test_fields_that_many_samples_lack_take_no_rows() -> None:
    documents = [{f"f{i}": 1} for i in range(20)]
    assert len(rows(said(*documents), documents).sample) == 20


def test_samples_without_slots_bear_on_nothing() -> None:
    statistics = rows(said({"a": 1}, {}), [{"a": 1}, {"b": 1}], compare={"b": "ignore"})
    assert FieldAgreement().trials(statistics)[:, 1].tolist() == [True, False]
    assert values_of(statistics)[1] == 1


def test_fields_that_no_reference_has_are_told() -> None:
    due = [{"severity": "low", "l": {"x": 1}, "p": [{"n": 1}]}]
    for path, hint in (
        ("severty", "did you mean 'severity'?"),
        ("$.l.xx", "did you mean '$.l.x'?"),
        ("$.p[*].m", "did you mean '$.p[*].n'?"),
        ("colour", "correct or remove it; they have 'severity', '$.l.x', 'l', '$.p[*].n', '$.p[*]', 'p'"),
    ):
        with pytest.raises(UnmeasurableError, match=r".") as caught:
            rows(said({"severty": 1, "colour": 1}), due, compare={path: "ignore"})
        assert (
            str(caught.value) == f"references.jsonl: compare names the field {path!r}, which no reference has; {hint}"
        )


@pytest.mark.parametrize(
    ("compare", "value", "why"),
    [
        ("number", "abc", "'abc' at a, which is no number"),
        ("number", "1,5", "'1,5' at a, which is no number; write 1.5"),
        ("number", 10**400, "a number of about 400 digits at a, which is too large to compare"),
        ("number", "3 smoots_", "'3 smoots_' at a, which has the unit 'smoots_', which pint does not know"),
        ("date", "soon", "'soon' at a, which is no date in ISO 8601"),
        ("set", 3, "3 at a, which is no list"),
        ("casefold", 3, "3 at a, which is no text"),
        ("casefold", {"x": 1}, "{'x': 1} at a, which is no text"),
        (
            {"as": "text", "score": "rouge", "min": 0.5},
            "日本",
            "'日本' at a, which is a text of which rouge.rouge1 is undefined",
        ),
    ],
)
def test_references_that_cannot_be_compared_so_are_told(compare: Any, value: object, why: str) -> None:
    due: list[object] = [{"a": None}, {"a": value}]
    with pytest.raises(DataError) as caught:
        rows(said({"a": 1}, {"a": "x"}), due, compare={"a": compare})
    assert str(caught.value) == (
        f"references.jsonl: the reference of 's1' has {why}; correct it, or change what compare says of a"
    )


@pytest.mark.parametrize("reply", ["日本", "a cat", 3, None])
def test_references_without_a_score_are_told_whatever_replies_say(reply: object) -> None:
    compare = {"a": {"as": "text", "score": "rouge", "min": 0.5}}
    with pytest.raises(DataError, match=r"'日本' at a, which is a text of which rouge.rouge1 is undefined"):
        rows(said({"a": "x"}, {"a": reply}), [{"a": "x"}, {"a": "日本"}], compare=compare)


def test_replies_without_a_score_are_wrong() -> None:
    compare = {"a": {"as": "text", "score": "rouge", "min": 0.5}}
    assert score([{"a": "日本"}, {"a": "x"}], [{"a": "x"}] * 2, compare=compare)["accuracy"] == 0.5


def test_replies_that_cannot_be_compared_so_are_wrong() -> None:
    compare = {"n": "number", "d": "date", "s": "set", "c": "casefold"}
    due = {"n": 1, "d": "2024-05-01", "s": [1], "c": "x"}
    assert score([{"n": "abc", "d": "soon", "s": 1, "c": 1}], [due], compare=compare)["accuracy"] == 0


def test_unknown_unit_of_the_gate_is_told() -> None:
    with pytest.raises(
        UnmeasurableError, match=r"^fields: unit: pint does not know 'mn'; write a unit such as mm or °C$"
    ):
        rows(said({"a": 1}), [{"a": 1}], compare={"a": {"as": "number", "unit": "mn"}})


def test_nothing_left_to_compare_is_unmeasurable() -> None:
    message = (
        r"^references.jsonl: every field is ignored, and nothing is left to compare; "
        r"take one out of what compare and others ignore$"
    )
    for parameters in ({"compare": {"a": "ignore"}}, {"others": "ignore"}, {"compare": {"$": "ignore"}}):
        with pytest.raises(UnmeasurableError, match=message):
            rows(said({"a": 1}), [{"a": 1}], **parameters)
        with pytest.raises(UnmeasurableError, match=message):
            rows([None], [{"a": 1}], **parameters)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"compare": {"$.l": "exact", "$.l.x": "number"}},
            "compare: '$.l.x' lies in '$.l', which is compared whole; keep one",
        ),
        (
            {"compare": {"$.p[*].n": "number", "p": "ignore"}},
            "compare: '$.p[*].n' lies in 'p', which is compared whole; keep one",
        ),
        ({"compare": {"a": "exact", "$.a": "number"}}, "compare: 'a' and '$.a' are one field; keep one"),
        (
            {"compare": {"a.b": "exact"}},
            "compare: 'a.b' is no path; write $.a.b, or $['a.b'] for a key of that name",
        ),
        (
            {"compare": {"a": "folded"}},
            "compare: a: expected one of exact, casefold, number, set, list, date, text, ignore, found 'folded'",
        ),
        (
            {"compare": {"a": {"as": "list", "order": True}}},
            "compare: a: list has no option 'order'; did you mean 'ordered'?",
        ),
        ({"compare": ["a"]}, "compare: expected object | null, got array, found ['a']"),
        ({"others": "number"}, "others: expected exact or casefold or ignore, found 'number'"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(parameters: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        FieldAgreement(**parameters)
    assert str(caught.value) == message


def test_metrics_with_equal_comparisons_are_equal_and_can_be_keys() -> None:
    made = [FieldAgreement(compare={"a": word}) for word in ("exact", "exact", "number")]
    assert len({*made}) == 2


def test_diagnosis_names_kinds_fields_and_samples() -> None:
    due = [{"severity": "minor", "size": 3, "note": None} for _ in range(7)]
    replied = [{"severity": "major" if i < 6 else "minor", "size": 3} for i in range(6)]
    found = [*said(*replied[:5], {"severity": "minor", "note": "a\nb"}), None]
    assert told(found, due) == [
        "10 of 21 fields are not right; most of them: severity (6 of 7), size (2 of 7), note (2 of 7)",
        "severity wrong: 5",
        *(f"  's{i}': found 'major', due 'minor'" for i in range(5)),
        "no document: 1",
        "  's6': no reply",
        "size missing: 1",
        "  's5': found nothing, due 3",
        "note invented: 1",
        "  's5': found 'a\\nb', due null",
    ]


def test_notes_count_replies_without_a_document() -> None:
    statistics = rows([*said({"a": 1}), None], [{"a": 1}, {"a": 1}])
    assert statistics.notes == ("replies that hold no document: 1",)


def test_at_most_five_samples_and_twelve_kinds_are_shown() -> None:
    due = {f"f{i:02}": i for i in range(20)}
    lines = told(said(*[{}] * 7), [due] * 7)
    assert lines[-1] == "and 8 more kinds"
    assert len(lines) == 1 + 12 * (1 + 5) + 1


def test_swapped_fields_are_named() -> None:
    due = [{"width": 10 + i, "height": 5, "p": [{"a": "x", "b": "y"}], "ok": True, "seen": False} for i in range(3)]
    replied = [
        {"width": 5, "height": 10, "p": [{"a": "y", "b": "x"}], "ok": False, "seen": True},
        {"width": 5, "height": 11, "p": [{"a": "x", "b": "y"}], "ok": True, "seen": False},
        {"width": 5, "height": 99, "p": [{"a": "x", "b": "y"}], "ok": True, "seen": False},  # one way only
    ]
    assert [line for line in told(said(*replied), due) if "swapped" in line] == [
        "'width' and 'height' are swapped in 2 replies",
        "'$.p[*].a' and '$.p[*].b' are swapped in 1 reply",
    ]
    assert not [line for line in told(said(*replied), due, compare={"width": "number"}) if "'width'" in line]


def test_values_of_different_objects_are_not_swapped() -> None:
    due = [{"p": {"a": 1}, "q": {"b": 2}}, {"p": {"a": 2}, "q": {"b": 1}}]
    assert not [line for line in told(said(*due[::-1]), due) if "swapped" in line]


def test_shards_know_what_was_swapped() -> None:
    parts = [rows(said({"a": 2, "b": 1, "c": 0}), [{"c": 0, "a": 1, "b": 2}]), rows(said({"z": 1}), [{"z": 1}])]
    joined = Statistics.concatenate(parts[::-1])
    measures = FieldAgreement().measures(joined, ("s0", "s1"))
    assert measures["swapped"] == [{"fields": ["a", "b"], "count": 1}]
    assert joined.keys["swapped"].code.tolist() == [-1, -1, 3, 2]


def test_measures_count_by_field() -> None:
    statistics = rows(said({"a": 1, "b": 2}, {"a": 2}), [{"a": 1, "b": 2}, {"a": 1, "b": 2}])
    measures = FieldAgreement().measures(statistics, ("s0", "s1"))
    assert measures["fields"] == [
        {"field": "a", "slots": 2, "errors": 1, "wrong": 1, "missing": 0, "invented": 0, "unsaid": 0, "accuracy": 0.5},
        {"field": "b", "slots": 2, "errors": 1, "wrong": 0, "missing": 1, "invented": 0, "unsaid": 0, "accuracy": 0.5},
    ]


def hostile(found: object, due: object, **parameters: Any) -> dict[str, float]:
    metric, data = FieldAgreement(**parameters), in_memory([found], [due])
    metric.explain(metric.measures(metric.statistics(data), data.ids))
    return evaluate(metric, data)


def test_long_lists_take_bounded_time() -> None:
    items = [{"a": i, "b": i % 7} for i in range(10_000)]
    assert hostile(items[::-1], items)["accuracy"] == 1
    # None is equal, and there are too many to match: in order, the middle one of an odd number alone keeps its a.
    assert hostile([{**item, "b": 9} for item in items[:9_999][::-1]], items[:9_999])["accuracy"] == 1 / 19_998
    assert hostile([{"a": 1}] * 10_000, [{"a": 2}])["invented"] == 9_999 / 10_000


def test_objects_of_many_keys_take_bounded_time() -> None:
    assert hostile({str(i): i for i in range(10_000)}, {str(i): i for i in range(10_000)})["accuracy"] == 1
    assert hostile({str(i): i for i in range(10_000)}, {"a": 1})["accuracy"] == 0


def test_deep_documents_need_no_recursion() -> None:
    def deep(leaf: object, *, levels: int, listed: bool) -> object:
        for _ in range(levels):
            leaf = {"k": [leaf, {}]} if listed else {"k": leaf}
        return leaf

    assert hostile(deep(1, levels=5_000, listed=False), deep(1, levels=5_000, listed=False))["accuracy"] == 1
    assert hostile(deep(1, levels=120, listed=True), deep(2, levels=120, listed=True))["accuracy"] == 120 / 121
    nested: list[Any] = []
    for _ in range(5_000):
        nested = [nested]
    assert hostile({"a": nested}, {"a": nested})["accuracy"] == 1
    assert hostile({"a": nested}, {"a": nested}, compare={"a": "set"})["accuracy"] == 1


def test_strange_values_are_compared_like_others() -> None:
    strange = {"nan": math.nan, "inf": math.inf, "big": 10**5_000, "\ud800": "\udfff", "long": "x" * 10**6, "\x1b": 0}
    assert hostile(strange, strange)["accuracy"] == 1
    other = {**strange, "nan": 1, "inf": 1, "big": 10**5_000 + 1, "\ud800": "", "long": "y", "\x1b": 1}
    assert hostile(other, strange)["accuracy"] == 0


def test_units_of_replies_are_no_programs() -> None:
    bombs = [
        "12 m**9**9**9",
        "3 m^999999999",
        f"1 {'m' * 90}",
        "1 9**9",
        '5 "',
        "1 m/0",
        "1 __import__('os')",
        "9**9**9",
    ]
    metric = FieldAgreement(compare={"a": "number"})
    data = in_memory([{"a": bomb} for bomb in bombs], [{"a": "12 mm"}] * len(bombs))
    assert evaluate(metric, data)["accuracy"] == 0
