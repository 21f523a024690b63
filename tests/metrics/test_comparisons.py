"""When a value of a reply is the one that is due, comparison by comparison."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vigate.data.dataset import Workspace
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics import _comparisons, _quantities
from pytest_vigate.metrics._comparisons import Misfit, Rule, make_default, make_rule
from pytest_vigate.metrics._paths import NAME, Fields, parse_path, path_name
from pytest_vigate.metrics._quantities import find_unit, read_number
from pytest_vigate.metrics._values import Values, show
from pytest_vigate.metrics.base import parameter_types
from pytest_vigate.metrics.fields import FieldAgreement
from worlds import MINILM

#: pint 0.25.3
PINT = pint.UnitRegistry()
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
)


def ruled(written: Any, values: Values) -> Rule:
    make = make_rule(written)
    assert make is not None
    return make(values)


def agrees(written: Any, found: object, due: object) -> bool:
    values = Values()
    rule = ruled(written, values)
    pair = [np.array([values.number(value)]) for value in (found, due)]
    rule.candidates(pair[0], pair[1])
    rule.settle(Workspace())
    return bool(rule.agreements(pair[0], pair[1])[0])


def misfit(written: Any, value: object) -> str:
    values = Values()
    found = ruled(written, values).misfit(values.number(value))
    return found.why if found else ""


@pytest.mark.parametrize(
    ("found", "due", "same"),
    [
        (1, 1.0, True),
        (True, 1, False),
        (False, 0, False),
        (0, -0.0, True),
        ("1", 1, False),
        (None, False, False),
        (math.nan, math.nan, True),
        pytest.param(10**400, 10**400 + 1, False, id="large"),
        (2**53, 2**53 + 1, False),
        (2**70, 2.0**70, True),
        (2**60, 2.0**60, True),
        (-(2**60), -(2.0**60), True),
        (2**70, 2**70, True),
        (2**70 + 1, 2.0**70, False),
        (2**70, -(2**70), False),
        (2**61 - 1, 0, False),
        (2**61, 1, False),
        (2**70, "0x1.0000000000000p+70", False),
        (math.inf, -math.inf, False),
        (math.inf, math.inf, True),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1}, True),
        ({"a": 1}, {"a": True}, False),
        ([1, 2], [2, 1], False),
        ([[1], 2], [1, [2]], False),
        ([[]], [{}], False),
        ({"}": 1}, {"]": 1}, False),
        ([{}, 1], {"a": 1}, False),
        ("é", "e\u0301", False),
        ([], None, False),
    ],
)
def test_exact_is_equality_of_json(found: object, due: object, *, same: bool) -> None:
    assert agrees("exact", found, due) is same
    assert agrees({"as": "exact"}, due, found) is same


def alike(a: object, b: object) -> bool:
    """Equality of JSON values, by recursion."""
    if isinstance(a, bool) or isinstance(b, bool) or isinstance(a, str) or isinstance(b, str):
        return type(a) is type(b) and a == b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(value, b[key]) for key, value in a.items())
    if isinstance(a, list | dict) or isinstance(b, list | dict):
        return False
    return a == b or (a != a and b != b)


@settings(deadline=None)
@given(a=DOCUMENTS, b=DOCUMENTS)
def test_equal_values_and_no_others_have_one_number(a: object, b: object) -> None:
    values = Values()
    assert (values.number(a) == values.number(b)) is alike(a, b)
    assert values.number(a) == values.number(a)


@settings(deadline=None)
@given(a=st.integers(-3, 3), b=st.integers(-3, 3), power=st.integers(50, 80), more=st.integers(-1, 1))
def test_large_numbers_are_equal_as_python_has_it(a: int, b: int, power: int, more: int) -> None:
    values = Values()
    for one in (a << power, a * 2.0**power):
        for other in ((b << power) + more, b * 2.0**power):
            assert (values.number(one) == values.number(other)) is (one == other)


def test_numbers_of_one_hash_are_kept_apart_quickly() -> None:
    forged = [i * (2**61 - 1) for i in range(1_000)]
    assert len({*map(hash, forged)}) == 1
    values = Values()
    values.number(forged)
    assert len(values.all) == 1_001
    assert len({*map(hash, values._others)}) == 1_001


@pytest.mark.parametrize(
    ("found", "due", "same"),
    [
        ("  Big\tRED  car ", "big red car", True),
        ("STRASSE", "straße", True),
        ("bigred", "big red", False),
        ("", "  ", True),
        (1, "1", False),
        (1, 1, False),
    ],
)
def test_casefold_looks_at_letters_only(found: object, due: object, *, same: bool) -> None:
    assert agrees("casefold", found, due) is same


def test_casefold_of_others_leaves_what_is_no_text_to_equality() -> None:
    values = Values()
    make = make_default("casefold")
    assert make is not None
    found, due = (
        np.array([values.number(value) for value in side]) for side in (["A", 1, True, "0"], ["a", 1.0, 1, 0])
    )
    assert make(values).agreements(found, due).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (3, (3, "")),
        ("3", (3, "")),
        ("-3.5", (-3.5, "")),
        ("−3", (-3, "")),
        ("+.5", (0.5, "")),
        ("1,200", (1200, "")),
        ("1'234'567.5", (1234567.5, "")),
        ("12mm", (12, "mm")),
        (" 12\u00a0mm ", (12, "mm")),
        ("1e3 m", (1000, "m")),
        ("5 %", (5, "%")),
        ('5 "', (5, '"')),
    ],
)
def test_numbers_are_read_with_their_unit(value: object, read: object) -> None:
    assert read_number(value) == read


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("twelve", "is no number"),
        ("", "is no number"),
        ("mm", "is no number"),
        (".", "is no number"),
        ("3.", "is no number"),
        ("1.2.3", "is no number"),
        ("12 3", "is no number"),
        ("1'5", "is no number"),
        ("1’5", "is no number"),
        ("1e5.5", "is no number"),
        ("1,2,3", "is no number"),
        (True, "is no number"),
        (None, "is no number"),
        ([1], "is no number"),
        (math.nan, "is no number"),
        ("9" * 101, "is no number"),
        ("٣", "is no number"),
        ("1,5", "is no number; write 1.5"),
        ("-1,20", "is no number; write -1.20"),
        (" 1234,567 mm", "is no number; write 1234.567"),
        ("1e999", "is too large to compare"),
        ("1e99999", "is too large to compare"),
        (math.inf, "is too large to compare"),
        pytest.param(10**400, "is too large to compare", id="large"),
        pytest.param(-(10**400), "is too large to compare", id="small"),
    ],
)
def test_what_is_no_number_is_told(value: object, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        read_number(value)
    assert str(caught.value) == why
    assert misfit("number", value) == why


@pytest.mark.parametrize(
    ("written", "found", "due", "same"),
    [
        ("number", "12 mm", "1.2 cm", True),
        ("number", "1.2 cm", "12 mm", True),
        ("number", "12 mm", "12.1 mm", False),
        ("number", "68 °F", "20 °C", True),
        ("number", "0 °C", "32 °F", True),
        ("number", "3.6 km/h", "1 m/s", True),
        ("number", "9.81 m s^-2", "9.81 m/s²", True),
        ("number", "1 N·m", "1 J", True),
        ("number", "12 px", "12 pixels", True),
        ("number", "12 pixel", "12px", True),
        ("number", "2 Mpx", "2 megapixel", True),
        ("number", "96 px", "1 inch", False),
        ("number", "50 %", "0.5", False),  # one has a unit, the other has none
        ("number", "12 kg", "12 mm", False),
        ("number", "1 kg", "1 m", False),
        ("number", "12 widgets", "12 mm", False),
        ("number", "12", "12 mm", False),
        ("number", 12, "12 mm", False),
        ("number", "12 mm", 12, False),
        ("number", "1,200", 1200, True),
        ("number", 1e308, 1e307, False),
        ("number", 10**17 + 1, 10**17, False),
        ("number", True, 1, False),
        ({"as": "number", "unit": "mm"}, 12, "1.2 cm", True),
        ({"as": "number", "unit": "mm"}, "1.2 cm", 12, True),
        ({"as": "number", "unit": "mm"}, 12, 12, True),
        ({"as": "number", "unit": "mm"}, "12 kg", 12, False),
        ({"as": "number", "absolute": 0.5}, 10.5, 10, True),
        ({"as": "number", "absolute": 0.5}, 10.51, 10, False),
        ({"as": "number", "absolute": 0.1}, 0.4, 0.3, True),  # 0.10000000000000003 in binary
        ({"as": "number", "absolute": 1}, "2.1 cm", "20 mm", True),  # 1 mm: the reference's unit
        ({"as": "number", "absolute": 1}, "21 mm", "2 cm", True),  # 1 cm
        ({"as": "number", "absolute": 1, "unit": "mm"}, "2.2 cm", "2 cm", False),  # 2 mm
        ({"as": "number", "absolute": 1, "unit": "mm"}, "2.1 cm", "2 cm", True),
        ({"as": "number", "relative": "5%"}, 105, 100, True),
        ({"as": "number", "relative": "5%"}, 100, 105.3, False),  # 5.3 > 5.265
        ({"as": "number", "relative": 0.05}, -95, -100, True),
        ({"as": "number", "relative": 0.05, "absolute": 10}, 92, 100, True),
        ({"as": "number", "relative": 0.05}, "1e308 km", "5 mm", False),
    ],
)
def test_numbers_agree_within_a_tolerance(written: Any, found: object, due: object, *, same: bool) -> None:
    assert agrees(written, found, due) is same


@settings(deadline=None)
@given(number=st.floats(-1e6, 1e6), units=st.permutations(["mm", "inch", "km", "ft", "nautical_mile"]))
def test_conversions_equal_pint(number: float, units: list[str]) -> None:
    there = PINT.Quantity(number, units[0]).to(units[1]).magnitude
    assert agrees("number", f"{number!r} {units[0]}", f"{there!r} {units[1]}")
    off = there + 1e-3 * (1 + abs(there))
    assert not agrees("number", f"{number!r} {units[0]}", f"{off!r} {units[1]}")


@pytest.mark.parametrize(
    "unit",
    [
        "m**9**9**9",
        "m^999999999",
        "m" * 90,
        "m " * 45,
        "9**9",
        '"',
        "mm; import os",
        "m/0",
        "__import__('os')",
        "km*km*km*km*km",
        "/s",
        "m/",
        "(m)",
        "dBm",  # decibels are no multiples
        "nan",
        "°C^2",
        "",
    ],
)
def test_what_is_no_plain_unit_is_none(unit: str) -> None:
    assert find_unit(unit) is None


def test_pint_is_asked_for_words_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Registry:
        def parse_units(self, word: str) -> object:
            asked.append(word)
            raise ValueError

    monkeypatch.setattr(_quantities, "_registry", Registry)
    for text in ("kg·m/s²", "9**9", "a+b", "m**9**9", "os.system", "x y z w v"):
        assert find_unit(text) is None
        find_unit.cache_clear()
    assert asked == ["kg"]


@pytest.fixture
def no_pint(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    caches = (find_unit, _quantities._registry)
    monkeypatch.setitem(sys.modules, "pint", None)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.usefixtures("no_pint")
def test_without_pint_numbers_work_and_units_say_what_to_install() -> None:
    assert agrees({"as": "number", "relative": "1%"}, "100.5", 100)
    message = (
        r"^values have units, and pint, which knows them, is not installed; "
        r'run pip install "pytest-vigate\[units\]"$'
    )
    assert not agrees("number", "12 mm", 12)
    with pytest.raises(UnmeasurableError, match=message):
        agrees("number", "12 mm", "1.2 cm")
    with pytest.raises(UnmeasurableError, match=message):
        misfit("number", "12 mm")


@pytest.mark.parametrize(
    ("written", "found", "due", "same"),
    [
        ("set", [1, 2, 2], [2, 1.0], True),
        ("set", [1, True], [1], False),
        ("set", [{"a": 1}], [{"a": 1.0}], True),
        ("list", [1, 2], [1, 2.0], True),
        ("list", [1, 2], [2, 1], False),
        ({"as": "list", "ordered": False}, [1, 2], [2, 1], True),
        ({"as": "list", "ordered": False}, [1, 2, 2], [2, 1], False),
        ({"as": "list", "ordered": False}, [{"a": 1}, {"b": 2}], [{"b": 2}, {"a": 1}], True),
        ("set", 1, [1], False),
        ("list", "ab", ["a", "b"], False),
    ],
)
def test_lists_agree_as_lists_or_sets(written: Any, found: object, due: object, *, same: bool) -> None:
    assert agrees(written, found, due) is same


DAYS = {"as": "date", "format": "%d.%m.%Y"}
ZONED = {"as": "date", "format": "%Y-%m-%dT%H:%M%z"}


@pytest.mark.parametrize(
    ("written", "found", "due", "same"),
    [
        ("date", "2024-05-01", "2024-05-01", True),
        ("date", "20240501", "2024-05-01", True),
        ("date", "2024-W18-3", "2024-05-01", True),
        ("date", "2024-05-02", "2024-05-01", False),
        ("date", "2024-05-01T12:00:00+02:00", "2024-05-01T10:00:00Z", True),
        ("date", "2024-05-01T12:00+02:00", "2024-05-01T12:00Z", False),
        ("date", "2024-05-01 12:00", "2024-05-01T12:00:00.000", True),
        ("date", "2024-05-01t12:00z", "2024-05-01T12:00Z", True),  # RFC 3339, 5.6
        ("date", "2024-05-01t12:00z", "2024-05-01T12:00", False),
        ("date", "2024-05-01T12:00", "2024-05-01T12:00Z", False),  # who knows where
        ("date", "2024-05-01", "2024-05-01T00:00Z", False),
        ("date", "0001-01-01T00:00+01:00", "0001-01-01T00:00Z", False),  # before the first year
        ("date", "01.05.2024", "2024-05-01", False),
        ("date", "2024-05-01x12:00", "2024-05-01T12:00", False),
        ("date", "2024-02-30", "2024-02-29", False),
        ("date", 20240501, "2024-05-01", False),
        ("date", "2024-05-01" * 100, "2024-05-01", False),
        (DAYS, "1.5.2024", "01.05.2024", True),
        (DAYS, "2024-05-01", "01.05.2024", False),
        ({"as": "date", "format": "%Y-%m-%d %H:%M"}, "2024-05-01 09:30", "2024-05-01 9:30", True),
        ({"as": "date", "format": "%Y-%m-%d %H:%M"}, "2024-05-01 09:31", "2024-05-01 9:30", False),
        ({"as": "date", "format": " %d.%m.%Y "}, "1.5.2024", " 01.05.2024 ", True),
        (ZONED, "2024-05-01T12:00+0200", "2024-05-01T10:00Z", True),
        (ZONED, "2024-05-01T12:00+0200", "2024-05-01T12:00Z", False),
        (ZONED, "2024-05-01T12:00", "2024-05-01T12:00Z", False),
    ],
)
def test_dates_agree_as_days_or_instants(written: Any, found: object, due: object, *, same: bool) -> None:
    assert agrees(written, found, due) is same


ROUGE = {"as": "text", "score": "rouge.rougeL_f1", "min": 0.75}


@pytest.mark.parametrize(
    ("written", "found", "due", "same"),
    [
        (ROUGE, "a red car parks", "a red car parked", True),  # 3 of 4 words each: 0.75
        (ROUGE, "a red dog parks", "a red car parked", False),
        ({**ROUGE, "min": "76%"}, "a red car parks", "a red car parked", False),
        (ROUGE, "", "a red car", False),
        (ROUGE, " ", "", True),
        (ROUGE, "x", "", False),
        (ROUGE, 3, "3", False),
        ({"as": "text", "score": "bleu", "min": 0.9}, "rim", "rim", True),  # BLEU of one word is 0, and equal is equal
        ({"as": "text", "score": "bleu", "min": 0.1}, "rims", "rim", False),
        ({"as": "text", "score": "chrf", "min": 0.5}, "rims", "rim", True),
        ({"as": "text", "score": "answer.f1", "min": 0.5}, "The big car!", "big van", True),  # 1 of 2 each
    ],
)
def test_texts_agree_by_a_score(written: Any, found: object, due: object, *, same: bool) -> None:
    assert agrees(written, found, due) is same


def test_texts_without_a_score_are_a_misfit_as_references() -> None:
    values = Values()
    rule = ruled(ROUGE, values)
    numbers = np.array([values.number(text) for text in ("y", "日本", " ", 3)])
    rule.candidates(numbers[:1], numbers[1:2])
    assert rule.settle(Workspace())
    assert not rule.settle(Workspace())
    assert rule.agreements(numbers[:1], numbers[1:2]).tolist() == [False]
    assert rule.misfit(1) is None  # not for what a reply says
    rule.prepare(numbers, Workspace())
    assert [rule.misfit(number) for number in numbers.tolist()] == [
        None,
        Misfit("is a text of which rouge.rougeL_f1 is undefined"),
        None,
        Misfit("is no text"),
    ]


def test_long_texts_agree_with_their_equal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    chrf = {"as": "text", "score": "chrf", "min": 0.1}
    limit = _comparisons.LONGEST_TEXT
    near, long = "ab" * (limit // 2), "ab" * (limit // 2) + "a"
    assert agrees(chrf, near, near[:-1])
    assert not agrees(chrf, long, near)
    assert not agrees(chrf, near, long)
    assert agrees(chrf, long, long)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(_comparisons, "score_pairs", refuse)
    values = Values()
    ruled(chrf, values).prepare(np.array([values.number(long)]), Workspace())


def test_every_score_of_texts_is_less_for_others_than_for_equal_ones() -> None:
    from pytest_vigate.metrics import builtin

    names = [f"{cls.name}.{score.name}" for cls in builtin() if cls.needs == {"texts"} for score in cls.scores]
    tried = []
    for name in names:
        if name.startswith("bertscore."):  # loads a model
            continue
        try:
            metric, place = _comparisons.text_score(name)
        except ValueError:
            continue
        due = "7" if name == "answer.number" else "seven red cars park here"
        pairs = [(due, due), ("5" if name == "answer.number" else "five blue dogs sleep there", due)]
        equal, other = _comparisons.score_pairs(metric, place, pairs, workspace=Workspace()).tolist()
        assert other < equal, name
        tried.append(name)
    assert {"rouge.rougeL_f1", "answer.contains", "bleu.bleu", "meteor.meteor"} <= {*tried}


def test_editors_are_told_the_words_of_comparisons() -> None:
    assert {*_comparisons.WORDS} == {*_comparisons.known_rules()} - {"text"}
    for word in _comparisons.WORDS:
        make_rule(word)
    shown = json.dumps(msgspec.json.schema(parameter_types(FieldAgreement)["compare"]))
    assert f'"enum": {json.dumps(_comparisons.WORDS)}' in shown


@pytest.mark.parametrize(
    ("written", "value", "why"),
    [
        ("number", "abc", "is no number"),
        ("number", "12 foo", "has the unit 'foo', which pint does not know"),
        ({"as": "number", "unit": "mm"}, "12 kg", "is not of the kind of the unit 'mm'"),
        ("date", "soon", "is no date in ISO 8601"),
        (DAYS, "2024-05-01", "is no date of the format '%d.%m.%Y'"),
        ("set", "a", "is no list"),
        ("list", 1, "is no list"),
        ("casefold", 1, "is no text"),
        (ROUGE, 1, "is no text"),
        ("exact", 1, ""),
        ("number", 1, ""),
    ],
)
def test_misfits_say_what_a_value_is_not(written: Any, value: object, why: str) -> None:
    assert misfit(written, value) == why


def test_parameters_of_a_text_score_are_its_family_s() -> None:
    plain = {"as": "text", "score": "rouge.rouge1_f1", "min": 0.9}
    assert not agrees(plain, "two parked cars", "two parking cars")
    assert agrees({**plain, "stemmer": True}, "two parked cars", "two parking cars")


@pytest.mark.bertscore
def test_texts_may_be_held_by_meaning() -> None:
    near = {"as": "text", "score": "bertscore.f1", "min": 0.8, **MINILM}
    assert agrees(near, "a scratch on the left edge", "a scratch at the left edge")
    assert not agrees(near, "an empty table", "a scratch at the left edge")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "exakt",
            "expected one of exact, casefold, number, set, list, date, text, ignore, found 'exakt'; "
            "did you mean 'exact'?",
        ),
        (
            {"absolute": 1},
            "expected 'as' with one of exact, casefold, number, set, list, date, text, ignore, found 'absolute'",
        ),
        ({}, "expected 'as' with one of exact, casefold, number, set, list, date, text, ignore, found nothing"),
        ({"as": "number", "absolut": 1}, "number has no option 'absolut'; did you mean 'absolute'?"),
        ({"as": "exact", "min": 1}, "exact has no option 'min'; it has no options"),
        (
            {"as": "text", "score": "rouge.rouge1_f1", "min": 0.5, "stemer": True},
            "score: text by rouge.rouge1_f1 has no option 'stemer'; did you mean 'stemmer'?",
        ),
        (
            {"as": "text", "score": "rouge.rouge1_f1", "min": 0.5, "stemmer": 1},
            "score: stemmer: expected bool, got int, found 1",
        ),
        (
            {"as": "text", "score": "bertscore.f1", "min": 0.5, "model": "./model"},
            "score: model: a comparison cannot name a file, found './model'; gate the family by itself",
        ),
        ({"as": "number", "absolute": -1}, "absolute: expected a number from 0, found -1"),
        ({"as": "number", "absolute": "1"}, "absolute: expected a number from 0, found '1'"),
        ({"as": "number", "absolute": math.inf}, "absolute: expected a number from 0, found inf"),
        (
            {"as": "number", "relative": 5},
            "relative: expected a share from 0 to below 1, as 0.05 or 5%, found 5",
        ),
        (
            {"as": "number", "relative": "five"},
            "relative: expected a share from 0 to below 1, as 0.05 or 5%, found 'five'",
        ),
        ({"as": "number", "unit": " "}, "unit: expected a unit such as mm, found ' '"),
        ({"as": "list", "ordered": "no"}, "ordered: expected true or false, found 'no'"),
        ({"as": "date", "format": "%d.%m."}, "format: expected a format with a year, such as %d.%m.%Y, found '%d.%m.'"),
        (
            {"as": "date", "format": "%Y %Y"},
            "format: '%Y %Y' cannot be read; write it as %d.%m.%Y or %Y-%m-%dT%H:%M",
        ),
        (
            {"as": "date", "format": "%d.%m.%Y %H:%M %Z"},
            "format: %Z, the name of a time zone, cannot be read; write %z for an offset such as +0200",
        ),
        ({"as": "date", "format": 3}, "format: expected a format such as %d.%m.%Y, found 3"),
        ("text", "text needs a score and a min, as {as: text, score: rouge.rougeL_f1, min: 0.5}"),
        (
            {"as": "text", "score": "rouge.rougeL_f1", "min": 0},
            "min: expected a number above 0 and at most 1, the range of rouge.rougeL_f1, found 0",
        ),
        (
            {"as": "text", "score": "rouge.rougeL_f2", "min": 0.5},
            "score: expected a score of how alike two texts are, found 'rouge.rougeL_f2'; "
            "did you mean 'rouge.rougeL_f1'?",
        ),
    ],
)
def test_gates_are_told_what_to_write(written: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        make_rule(written)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "score",
    [
        "answer.edit",
        "answer.length_ratio",
        "answer.vqa",
        "bleu.brevity_penalty",
        "bbox.f1",
        "fields.accuracy",
        "format",
        "x",
    ],
)
def test_scores_that_do_not_rise_with_likeness_are_refused(score: str) -> None:
    message = rf"^score: expected a score of how alike two texts are, found '{score}'; "
    with pytest.raises(ValueError, match=message):
        make_rule({"as": "text", "score": score, "min": 0.5})


@pytest.mark.parametrize(
    ("text", "steps", "name"),
    [
        ("severity", ("severity",), "severity"),
        ("$.severity", ("severity",), "severity"),
        ("defect type", ("defect type",), "defect type"),
        ("$['defect type']", ("defect type",), "defect type"),
        ("$.location.x", ("location", "x"), "$.location.x"),
        ("$.parts[*].name", ("parts", None, "name"), "$.parts[*].name"),
        ("$[*].a", (None, "a"), "$[*].a"),
        ("$", (), "$"),
        ("$['a.b']", ("a.b",), "$['a.b']"),
        ('$["a\'b"].größe', ("a'b", "größe"), "$['a\\'b'].größe"),
        ("$['a\\'b\\\\'][*]", ("a'b\\", None), "$['a\\'b\\\\'][*]"),
        ("$['\\u001b']", ("\x1b",), "$['\\u001b']"),
        ("$['\\U0001f600'].x", ("\U0001f600", "x"), "$['\U0001f600'].x"),
        ("$['']", ("",), "$['']"),
        ("$['*'].x", ("*", "x"), "$['*'].x"),
    ],
)
def test_paths_are_read_and_named(text: str, steps: tuple[str | None, ...], name: str) -> None:
    assert parse_path(text) == steps
    assert path_name(steps) == name
    assert parse_path(name) == steps


@settings(deadline=None)
@given(steps=st.lists(st.one_of(st.none(), st.text(max_size=4)), max_size=4).map(tuple))
def test_every_path_can_be_written(steps: tuple[str | None, ...]) -> None:
    assert parse_path(path_name(steps)) == steps


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("location.x", "'location.x' is no path; write $.location.x, or $['location.x'] for a key of that name"),
        ("[*].x", "'[*].x' is no path; write $[*].x, or $['[*].x'] for a key of that name"),
        ("", "'' is no path; write the name of a field"),
        (
            "$.parts[0].x",
            "'$.parts[0].x' is no path from its character 8 on; "
            "write it as $.location.x, $.parts[*].name or $['a key'].x",
        ),
        ("$x", "'$x' is no path from its character 2 on; write it as $.location.x, $.parts[*].name or $['a key'].x"),
        ("$" + ".x" * 600, "a path of 1201 characters is longer than 1000"),
    ],
)
def test_what_is_no_path_is_told(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_path(text)
    assert str(caught.value) == message


def test_names_of_deep_fields_stay_short_and_apart() -> None:
    fields = Fields()
    deep = fields.at(("k" * 150,) * 100)
    a, b = fields.key(deep, "a"), fields.key(deep, "b")
    assert len(a.name) == len(b.name) == NAME
    assert len({field.name for field in fields.all}) == len(fields.all) == 103


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ("a\n\u202eb", "'a\\n\\u202eb'"),
        ("x" * 99, f"'{'x' * 59}…'"),
        ({"a": [1, None], "b": {}}, "{'a': [1, null], 'b': {}}"),
        pytest.param([[]] * 10**6, f"[{'[], ' * 14}[]…", id="long"),
        pytest.param(10**5000, "a number of about 5000 digits", id="large"),
    ],
)
def test_values_are_shown_short_and_on_one_line(value: object, shown: str) -> None:
    assert show(value) == shown
