from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.rfc8259 import CUT_OFF, INVALID, OURS, VALID
from data.world import steps
from pytest_vigate.data.replies import ParseFailure
from pytest_vigate.data.syntaxes import JSON, Syntax
from pytest_vigate.data.syntaxes import json as of_json
from pytest_vigate.data.syntaxes.jsonl import parse

LINES = Syntax("jsonl")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", [{}]),
        ("{}\n", [{}]),
        ('{"a":1}\n{"a":2}', [{"a": 1}, {"a": 2}]),
        ("1\r\n2\r\n", [1, 2]),
        ("\n 1 \n\n \t\r\n2\n\n", [1, 2]),
        ("[]\nnull\n\"a\"\ntrue", [[], None, "a", True]),
        ("[1,\r2]", [[1, 2]]),  # white space of JSON, and no end of a line
        ('"\u2028\x85"\n1', ["\u2028\x85", 1]),
    ],
)  # fmt: skip
def test_every_line_that_is_not_blank_is_a_document(text: str, value: object) -> None:
    assert parse(text, LINES) == value


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("", ParseFailure("empty text")),
        (" \n\t\r\n", ParseFailure("empty text")),
        # the line's cause, at the text's character
        ("1\n[1,]", ParseFailure("trailing comma", 4)),
        ('1\r\n\r\n{"a":1,"a":2}\n2', ParseFailure("duplicate key", 12)),
        ("{'a':1}\n{\"a\":1}", ParseFailure("single quotes", 1)),
        ("1\n\ufeff2", ParseFailure("byte order mark", 2)),
        ("1 2\n3", ParseFailure("text after the document", 2)),
        ("{}{}\n", ParseFailure("second document", 2)),
        ("[[1],\n2]", ParseFailure("unclosed bracket", 0)),
        ("{}\n" + "[" * 257 + "]" * 257, ParseFailure("nested deeper than 256 levels", 259)),
        ("```json\n{}\n```", ParseFailure("code fence around the document", 0)),
        # prose on a line of its own
        ("Three bolts.", ParseFailure("no document", 0)),
        ("Three bolts.\nTwo nuts.", ParseFailure("no document", 0)),
        ('Here they are:\n\n{"a":1}\n', ParseFailure("text before the document", 0)),
        ('{"a":1}\n\nAll of them.', ParseFailure("text after the document", 9)),
        # only the last line can be cut off
        ('{"a":1}\n{"a":', ParseFailure("unclosed bracket", 8, truncated=True)),
        ('{"a":1}\n{"a": \n \n', ParseFailure("unclosed bracket", 8, truncated=True)),
        ('{"a":\n{"a":1}', ParseFailure("unclosed bracket", 0)),
        ('"a\nb"', ParseFailure("unclosed string", 0)),
        ('{}\n{"a":"b', ParseFailure("unclosed string", 8, truncated=True)),
        ("{}\n-", ParseFailure("cut off in a value", 3, truncated=True)),
        ("tru\n1", ParseFailure("cut off in a value", 0)),
    ],
)
def test_failure_is_the_lines_at_a_character_of_the_text(text: str, failure: ParseFailure) -> None:
    assert parse(text, LINES) == failure


def test_a_line_is_what_the_rfc_makes_of_it() -> None:
    for text, value in VALID:
        if "\n" not in text:
            assert parse(f"{text}\n", LINES) == [value], text
    for text, cause, position in (*INVALID, *CUT_OFF, *OURS):
        if "\n" not in text and position is not None:
            found = parse(f"{{}}\n{text}\n{{}}", LINES)
            elsewhere = {"no document": "text after the document"}.get(cause, cause)
            byte_order = elsewhere == "byte order mark" and position == 0
            assert found == ParseFailure(elsewhere, position + 3) or byte_order, text


def test_permissions_hold_in_every_line() -> None:
    allowed = Syntax("jsonl", duplicate_keys=True, nan=True, surrogates=True)
    found = parse('{"a":1,"a":2}\n[NaN]\n"\\ud800"', allowed)
    assert isinstance(found, list)
    assert found[0] == {"a": 2}
    assert math.isnan(found[1][0])
    assert found[2] == "\ud800"


def test_byte_order_mark_may_begin_the_text_and_no_line() -> None:
    allowed = Syntax("jsonl", byte_order_mark=True)
    assert parse("\ufeff1\n2", allowed) == [1, 2]
    assert parse("\ufeff\n2", allowed) == [2]
    assert parse("\ufeff", allowed) == ParseFailure("empty text")
    assert parse("\ufeff1\n\ufeff2", allowed) == ParseFailure("byte order mark", 3)
    assert parse("\ufeff1\n[2,]", allowed) == ParseFailure("trailing comma", 5)
    assert parse("\ufeff1", LINES) == ParseFailure("byte order mark", 0)


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(documents, min_size=1, max_size=5), st.booleans(), st.sampled_from(["\n", "\r\n", "\n\n", " \n\t\r\n"]))
@settings(deadline=None)
def test_what_python_writes_is_read_back(values: list[object], ascii_only: bool, separator: str) -> None:
    assert parse(separator.join(json.dumps(value, ensure_ascii=ascii_only) for value in values), LINES) == values


@given(
    st.lists(st.sampled_from(["{}", "[1,", '"a', "1", "x", "", " ", "[]]", "\n", "\r\n", "\n"]), max_size=8).map(
        "".join
    )
)
@settings(deadline=None)
def test_lines_agree_with_each_line_alone(text: str) -> None:
    alone = [of_json.parse(line, JSON) for line in text.split("\n") if line.strip()]
    found = parse(text, LINES)
    failures = [value for value in alone if isinstance(value, ParseFailure)]
    if failures or not alone:
        assert isinstance(found, ParseFailure)
        assert found.truncated is (bool(failures) and failures[0] is alone[-1] and failures[0].truncated)
    else:
        assert found == alone


def test_work_grows_no_faster_than_the_text() -> None:
    for line in ("\n", "1\n", '{"a":[1,2]}\r\n', " \r\n"):
        few, many = (steps(lambda: parse(line * times, LINES)) for times in (1000, 4000))  # noqa: B023
        assert few < many <= 4.1 * few or not line.strip()
