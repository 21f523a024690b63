"""`excerpt`: the caret stands under its character, whatever stands before it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vigate.data.replies import ParseFailure, excerpt, located, width


@pytest.mark.parametrize(
    ("text", "position", "columns"),
    [
        ("abc", 2, 2),
        ("欠陥x", 2, 4),  # wide
        ("ＡＢx", 2, 4),  # full-width letters
        ("ｶx", 1, 1),  # half-width katakana
        ("🔩x", 1, 2),
        ("é̂x", 2, 1),  # a letter and a mark
        ("e\u0301\u0302x", 3, 1),
        ("欠陥x", 3, 5),  # behind the end
        ("e\u0301x", 1, 0),  # the mark itself: where its letter stands
        ("ab🔩\u0301\u0302x", 4, 2),
        ("e\u0301", 2, 1),
        ("\u0301x", 0, 0),
        ("欠\nx", 2, 4),  # wide, and an escape of two characters
    ],
)
def test_caret_is_under_its_character(text: str, position: int, columns: int) -> None:
    assert excerpt(text, position).split("\n")[1] == " " * columns + "^"


def test_caret_counts_from_the_cut() -> None:
    # 60 characters around the 51st: 30 before it, each two columns, behind an ellipsis
    piece, caret = excerpt("欠" * 100, 50).split("\n")
    assert piece == "…" + "欠" * 60 + "…"
    assert caret == " " * 61 + "^"


def test_caret_of_a_located_failure_is_padded_by_width() -> None:
    # "at character 3: " is 16 columns, the two characters are four
    assert located("欠陥x", ParseFailure("the JSON is malformed", 2)) == "at character 3: 欠陥x\n" + " " * 20 + "^"


@settings(deadline=None)
@given(st.text(st.characters(codec="latin-1", categories=["L", "N", "P"])))
def test_latin_text_is_as_wide_as_long(text: str) -> None:
    assert width(text) == len(text)


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)))
def test_width_is_that_of_composed_characters_but_for_marks(text: str) -> None:
    assert width(text) == 2 * len(unicodedata.normalize("NFC", text))
