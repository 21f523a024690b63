"""chrF by hand, and against sacrebleu 2.6.0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import CHRF

from pytest_vigate.metrics import _ngrams
from pytest_vigate.metrics.chrf import ChrF
from worlds import captions, evaluate, streams, texts

PARAMETERS: tuple[dict[str, Any], ...] = (
    {},
    {"word_order": 2},
    {"char_order": 3, "word_order": 1, "beta": 1},
    {"beta": 3, "lowercase": True},
    {"whitespace": True},
    {"eps_smoothing": True},
    {"eps_smoothing": True, "word_order": 2, "whitespace": True},
)
#: Few characters, so that n-grams repeat and several references come out equally good.
SENTENCES = st.text("abA .,(!\n中\u0301", max_size=14)
REFERENCES = st.lists(SENTENCES.filter(str.strip), min_size=1, max_size=4)
CORPORA = st.lists(st.tuples(SENTENCES, REFERENCES), min_size=1, max_size=5)


def sacrebleu(answers: Sequence[str], references: Sequence[Sequence[str]], **parameters: Any) -> float:
    """Corpus chrF of sacrebleu 2.6.0."""
    score: float = CHRF(**parameters).corpus_score(answers, streams(references)).score
    return score / 100


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
@settings(max_examples=100, deadline=None)
@given(corpus=CORPORA)
@example(corpus=[("", ["a b", "a"]), ("ab", ["a"])])
@example(corpus=[("ab", ["ba", "b a", "aab"])])
def test_corpora_equal_sacrebleu(parameters: dict[str, Any], corpus: list[tuple[str, list[str]]]) -> None:
    answers, references = zip(*corpus, strict=True)
    found = evaluate(ChrF(**parameters), texts(answers, references))
    assert found == {"chrf": pytest.approx(sacrebleu(answers, references, **parameters), rel=1e-9)}


@pytest.mark.real_data
@pytest.mark.parametrize("parameters", PARAMETERS[:2], ids=str)
def test_captions_equal_sacrebleu(parameters: dict[str, Any]) -> None:
    answers, references = captions(step=16)
    value = evaluate(ChrF(**parameters), texts(answers, references))["chrf"]
    assert value == pytest.approx(sacrebleu(answers, references, **parameters), rel=1e-9)


def test_shared_characters_by_hand() -> None:
    # Characters: a, b of a, b, c against a, b, d, e: precision 2/3, recall 2/4. Pairs: ab of ab, bc against ab, bd, de:
    # 1/2, 1/3. Means: P = 7/12, R = 5/12; with beta 2, 5 P R / (4 P + R).
    found = evaluate(ChrF(char_order=2), texts(["ab c"], [["abde"]]))
    precision, recall = (2 / 3 + 1 / 2) / 2, (2 / 4 + 1 / 3) / 2
    assert found["chrf"] == pytest.approx(5 * precision * recall / (4 * precision + recall))


def test_rows_hold_the_best_reference() -> None:
    statistics = ChrF(char_order=1, word_order=1).statistics(texts(["ab", " "], [["xyz", "a b"], ["c d"]]))
    assert statistics.columns == (
        *("answer_char1", "reference_char1", "match_char1", "answer_word1", "reference_word1", "match_word1"),
        "empty",
    )
    assert statistics.values.tolist() == [[2, 2, 2, 1, 2, 0, 0], [0, 2, 0, 0, 2, 0, 1]]


def test_of_equal_references_the_first_counts() -> None:
    # Both share nothing; the first has four characters.
    statistics = ChrF().statistics(texts(["a"], [["bcde", "f"]]))
    assert statistics.column("reference_char1").tolist() == [4]


@pytest.mark.parametrize("chunk", [1, 20])
def test_samples_are_counted_in_chunks_as_at_once(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    data = texts(["ab", "", "bcb", "cc c"], [["ab", "abb"], ["c"], ["bc", "b", "cbcb"], ["ccc"]])
    expected = ChrF().statistics(data).values
    monkeypatch.setattr(_ngrams, "CHUNK", chunk)
    assert np.array_equal(ChrF().statistics(data).values, expected)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
def test_hostile_texts_score_between_the_bounds(parameters: dict[str, Any]) -> None:
    hostile = ["", " \t\n", "a", "😀 e\u0301\u0301", "שלום", "\ud800 \udfff", "\x00\x1b[31m", "x" * 50]
    accepted = [text for text in hostile if text.strip()] * 8
    assert 0 < evaluate(ChrF(**parameters), texts(hostile, [accepted] * len(hostile)))["chrf"] <= 1


def test_empty_answers_are_noted_and_named() -> None:
    metric = ChrF()
    assert metric.statistics(texts(["a", ""], [["a"], ["b"]])).notes == ("empty answers, or none at all: 1",)
    assert metric.faults("chrf") == {"empty": "empty"}


def test_no_samples_at_all_are_undefined() -> None:
    metric = ChrF()
    assert np.isnan(metric.evaluate(metric.statistics(texts([], [])), np.ones((1, 0)))).all()
