"""Stems: those of NLTK's stemmer, on every word."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.stem.porter import PorterStemmer

from pytest_vigate.metrics._stemming import stem
from pytest_vigate.metrics._wordnet import ENDINGS, find_wordnet

#: Of NLTK 3.10, in the mode that METEOR and ROUGE use.
oracle = PorterStemmer().stem

SUFFIXES = re.split(
    " ",
    "s es ed ing ly er y ies ied eed ational tional enci anci izer bli alli entli eli ousli ization ation ator alism "
    "iveness fulness ousness aliti iviti biliti fulli logi icate ative alize iciti ical ful ness al ance ence ic able "
    "ible ant ement ment ent ion ou ism ate iti ous ive ize e ll",
)
LETTERS = st.text("aeioubclmstvwxyz", max_size=8)
ENDS = st.lists(st.sampled_from(SUFFIXES), max_size=3).map("".join)
WORDS = st.tuples(LETTERS, ENDS).map("".join)


@given(word=WORDS)
def test_made_word_has_the_stem_of_nltk(word: str) -> None:
    assert stem(word) == oracle(word)


@given(word=st.text(st.characters(exclude_characters="*"), max_size=12).map(str.lower))
def test_any_text_has_the_stem_of_nltk(word: str) -> None:
    assert stem(word) == oracle(word)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("caresses", "caress"),
        ("ties", "tie"),
        ("ponies", "poni"),
        ("agreed", "agre"),
        ("bled", "bled"),
        ("hopping", "hop"),
        ("falling", "fall"),
        ("filing", "file"),
        ("happy", "happi"),
        ("enjoy", "enjoy"),
        ("nationally", "nation"),
        ("geology", "geolog"),
        ("adoption", "adopt"),
        ("skies", "sky"),
        ("controlling", "control"),
        ("as", "as"),
    ],
)
def test_rules_of_the_paper_and_of_nltk(word: str, expected: str) -> None:
    assert stem(word) == expected == oracle(word)


@pytest.mark.wordnet
def test_words_of_wordnet_have_the_stems_of_nltk() -> None:
    parts = find_wordnet()._parts
    words = {
        word for part in parts for entry in part.index.keys() | part.exceptions.keys() for word in entry.split("_")
    }
    some = sorted(words)[::50]  # NLTK takes five seconds for all; on those they were compared once
    endings = ["", *(end for pairs in ENDINGS.values() for end, _ in pairs)]
    assert [word + end for word in some for end in endings if stem(word + end) != oracle(word + end)] == []


@pytest.mark.parametrize("word", ["y" * 100_000, "a" * 100_000 + "ational", "ab" * 50_000])
def test_very_long_word_is_stemmed(word: str) -> None:
    assert stem(word)[:10] == word[:10]
