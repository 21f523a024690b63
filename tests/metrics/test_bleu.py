"""BLEU by hand, against sacrebleu 2.6.0 and NLTK 3.10.0, and against numbers published with real captions."""

from __future__ import annotations

import json
import logging
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction, corpus_bleu, sentence_bleu
from sacrebleu.metrics import BLEU

from pytest_vigate.metrics import _ngrams
from pytest_vigate.metrics.base import Statistics
from pytest_vigate.metrics.bleu import Bleu
from worlds import captions, evaluate, real_data, streams, texts

Words = Sequence[str]

SACREBLEU: tuple[Any, ...] = ("none", "floor", "add-k", "exp")
NLTK: tuple[Any, ...] = tuple(f"nltk{method}" for method in range(1, 8))

#: Few words, so that n-grams repeat and match; marks, so that tokenizers have something to do.
SOME_WORDS = st.sampled_from(["a", "b", "c", "A", "d.", "x,y", "5-", "。中"])
SENTENCES = st.lists(SOME_WORDS, max_size=9).map(" ".join)
LONG_SENTENCES = st.lists(SOME_WORDS, min_size=4, max_size=9).map(" ".join)
REFERENCES = st.lists(SENTENCES.filter(str.strip), min_size=1, max_size=4)
CORPORA = st.lists(st.tuples(SENTENCES, REFERENCES), min_size=1, max_size=5)


@pytest.fixture(autouse=True)
def quiet() -> None:
    # It advises effective_order, and against tokenised text.
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)


def sacrebleu(answers: Words, references: Sequence[Words], **parameters: Any) -> float:
    """Corpus BLEU of sacrebleu 2.6.0."""
    score: float = BLEU(**parameters, force=True).corpus_score(answers, streams(references)).score
    return score / 100


def test_matches_are_clipped_and_pooled_by_hand() -> None:
    data = texts(["the the the cat", "a dog"], [["the cat", "the big the"], ["a dog ran off"]])
    # Words: "the" counts twice of three, as the second reference has it, and cat once; a and dog: 5 of 6.
    # Pairs: of "the the", "the the", "the cat" only the last is in a reference; "a dog" is: 2 of 4.
    # Lengths: c = 4 + 2; r = 3 (closest to 4) + 4; exp(1 - 7/6).
    brevity = math.exp(-1 / 6)
    found = evaluate(Bleu(max_order=2), data)
    assert found["bleu1"] == pytest.approx(brevity * 5 / 6)
    assert found["bleu2"] == found["bleu"] == pytest.approx(brevity * math.sqrt(5 / 6 * 2 / 4))
    assert found["brevity_penalty"] == pytest.approx(brevity)


def test_of_two_references_equally_close_the_shorter_counts() -> None:
    # 3 tokens, references of 2 and 4: r = 2, no penalty.
    found = evaluate(Bleu(), texts(["a b c"], [["a b c d", "a b"]]))
    assert found["brevity_penalty"] == 1.0


def test_an_empty_answer_leaves_its_reference_in_the_length() -> None:
    # c = 4, r = 4 + 3 (the shortest is closest to nothing): exp(1 - 7/4), and every n-gram that is there matches.
    found = evaluate(Bleu(), texts(["a b c d", " \n"], [["a b c d"], ["e f g", "e f g h"]]))
    assert found["bleu"] == found["brevity_penalty"] == pytest.approx(math.exp(-3 / 4))


def test_mean_is_that_of_the_samples_own_scores() -> None:
    # One is right word for word, the other shares nothing: (1 + 0) / 2; penalties 1 and exp(1 - 8/4).
    data = texts(["a b c d", "e f g h"], [["a b c d"], ["i j k l m n o p"]])
    found = evaluate(Bleu(aggregate="mean"), data)
    assert found["bleu"] == 0.5
    assert found["brevity_penalty"] == pytest.approx((1 + math.exp(-1)) / 2)


@settings(max_examples=150, deadline=None)
@given(
    corpus=CORPORA,
    smoothing=st.sampled_from(SACREBLEU),
    value=st.sampled_from([None, 0.5, 1.0, 0.0]),
    effective=st.booleans(),
    lowercase=st.booleans(),
    tokenizer=st.sampled_from(["13a", "intl", "char", "zh", "none"]),
    order=st.integers(1, 6),
)
def test_corpus_and_sentences_equal_sacrebleu(
    corpus: list[tuple[str, list[str]]],
    smoothing: Any,
    value: float | None,
    effective: bool,
    lowercase: bool,
    tokenizer: Any,
    order: int,
) -> None:
    answers, references = zip(*corpus, strict=True)
    value = value if smoothing in ("floor", "add-k") else None
    metric = Bleu(tokenizer, lowercase, smoothing, value, order, effective_order=effective)
    theirs: dict[str, Any] = {"tokenize": tokenizer, "lowercase": lowercase, "smooth_method": smoothing}
    theirs |= {"smooth_value": value, "effective_order": effective}
    data = texts(answers, references)
    found = evaluate(metric, data)
    assert found["bleu"] == pytest.approx(sacrebleu(answers, references, max_ngram_order=order, **theirs), rel=1e-9)
    for n in range(1, 5):
        expected = sacrebleu(answers, references, max_ngram_order=n, **theirs) if n <= order else math.nan
        assert found[f"bleu{n}"] == pytest.approx(expected, rel=1e-9, nan_ok=True)
    oracle = BLEU(**theirs, max_ngram_order=order)
    sentences = [oracle.sentence_score(answer, accepted) for answer, accepted in corpus]
    mean = evaluate(replace(metric, aggregate="mean"), data)
    assert mean["bleu"] == pytest.approx(np.mean([item.score for item in sentences]) / 100, rel=1e-9)
    assert mean["brevity_penalty"] == pytest.approx(np.mean([item.bp for item in sentences]), rel=1e-9)


@settings(max_examples=150, deadline=None)
@given(corpus=CORPORA, smoothing=st.sampled_from(NLTK))
@example(corpus=[("a", ["a"])], smoothing="nltk4")
@example(corpus=[("a", ["a"])], smoothing="nltk7")
@example(corpus=[("a b c", ["a b c"])], smoothing="nltk6")
@example(corpus=[("a b", ["a c"]), ("", ["a"])], smoothing="nltk4")
def test_sentences_equal_nltk(corpus: list[tuple[str, list[str]]], smoothing: Any) -> None:
    method = getattr(SmoothingFunction(), f"method{smoothing[-1]}")
    weights = [(1 / n,) * n for n in (1, 2, 3, 4)]
    expected = []
    for answer, accepted in corpus:
        try:
            expected.append(sentence_bleu([text.split() for text in accepted], answer.split(), weights, method))
        except AssertionError:  # its method 6, where no 3-gram matches
            assume(False)
    answers, references = zip(*corpus, strict=True)
    found = evaluate(Bleu("none", smoothing=smoothing, aggregate="mean"), texts(answers, references))
    assert [found[f"bleu{n}"] for n in (1, 2, 3, 4)] == pytest.approx(np.mean(expected, axis=0), rel=1e-9)
    assert found["bleu"] == pytest.approx(found["bleu4"], rel=1e-12)


@settings(max_examples=150, deadline=None)
@given(corpus=CORPORA, smoothing=st.sampled_from(NLTK[:4]), order=st.integers(1, 6))
def test_corpora_equal_nltk(corpus: list[tuple[str, list[str]]], smoothing: Any, order: int) -> None:
    method = getattr(SmoothingFunction(), f"method{smoothing[-1]}")
    answers, references = zip(*corpus, strict=True)
    split = [[text.split() for text in accepted] for accepted in references]
    expected = corpus_bleu(split, [answer.split() for answer in answers], (1 / order,) * order, method)
    found = evaluate(Bleu("none", smoothing=smoothing, max_order=order), texts(answers, references))
    assert found["bleu"] == pytest.approx(expected, rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(corpus=st.lists(st.tuples(LONG_SENTENCES, REFERENCES), min_size=1, max_size=5))
def test_unsmoothed_corpora_equal_nltk_where_answers_are_long_enough(corpus: list[tuple[str, list[str]]]) -> None:
    answers, references = zip(*corpus, strict=True)
    split = [[text.split() for text in accepted] for accepted in references]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an order without a match, where it gives 1e-77 and the like for 0
        expected = corpus_bleu(split, [answer.split() for answer in answers])
    assert evaluate(Bleu("none"), texts(answers, references))["bleu"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("smoothing", ["nltk5", "nltk7"])
def test_methods_that_look_ahead_pool_what_nltk_takes_from_the_last_sample(smoothing: Any) -> None:
    # One sample many times has the precisions that it has once.
    method = getattr(SmoothingFunction(), f"method{smoothing[-1]}")
    answer, accepted = list("abcxef"), [list("abcdef")]
    expected = corpus_bleu([accepted] * 3, [answer] * 3, smoothing_function=method)
    data = texts(["a b c x e f"] * 3, [["a b c d e f"]] * 3)
    assert evaluate(Bleu("none", smoothing=smoothing), data)["bleu"] == pytest.approx(expected, rel=1e-9)


def test_method_six_counts_the_n_grams_of_the_corpus() -> None:
    # a b c x | a b c d, twice. p1 = 6/8, p2 = 4/6, both as they are.
    # p3 = (2 + 5 · p2²/p1) / (4 + 5), p4 = (0 + 5 · p3²/p2) / (2 + 5).
    p1, p2 = 6 / 8, 4 / 6
    p3 = (2 + 5 * p2**2 / p1) / 9
    p4 = 5 * p3**2 / p2 / 7
    found = evaluate(Bleu("none", smoothing="nltk6"), texts(["a b c x"] * 2, [["a b c d"]] * 2))
    assert found["bleu"] == pytest.approx((p1 * p2 * p3 * p4) ** 0.25)


@pytest.mark.parametrize(
    ("answer", "value"), [("a b x y", (1 / 2 * 1 / 3 * 5 / 42 * 25 / 588) ** 0.25), ("a x y z", 0)]
)
def test_method_six_goes_on_where_nltk_fails(answer: str, value: float) -> None:
    # p1 = 1/2, p2 = 1/3; no 3-gram: p3 = 5 · (p2²/p1) / (2 + 5) = 10/63 …
    p1, p2 = 1 / 2, 1 / 3
    p3 = 5 * p2**2 / p1 / 7
    p4 = 5 * p3**2 / p2 / 6
    expected = value and (p1 * p2 * p3 * p4) ** 0.25
    found = evaluate(Bleu("none", smoothing="nltk6"), texts([answer], [["a b c d"]]))
    assert found["bleu"] == pytest.approx(expected)


@pytest.mark.real_data
@pytest.mark.parametrize("tokenizer", ["13a", "intl", "char", "zh", "none"])
def test_captions_equal_sacrebleu(tokenizer: Any) -> None:
    answers, references = captions(step=12)
    for smoothing in SACREBLEU:
        found = evaluate(Bleu(tokenizer, True, smoothing), texts(answers, references))["bleu"]
        expected = sacrebleu(answers, references, tokenize=tokenizer, lowercase=True, smooth_method=smoothing)
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.real_data
@pytest.mark.parametrize("smoothing", NLTK[:4])
def test_captions_equal_nltk(smoothing: Any) -> None:
    answers, references = captions(step=12)
    method = getattr(SmoothingFunction(), f"method{smoothing[-1]}")
    split = [[text.split() for text in accepted] for accepted in references]
    expected = corpus_bleu(split, [answer.split() for answer in answers], smoothing_function=method)
    found = evaluate(Bleu("none", smoothing=smoothing), texts(answers, references))["bleu"]
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.real_data
def test_captions_have_the_published_bleu_of_cocos_evaluation() -> None:
    # expected.json of the folder: pycocoevalcap, with Stanford's PTB tokenizer.
    published = json.loads((real_data("visionmetrics-captions") / "expected.json").read_text(encoding="utf-8"))
    found = evaluate(Bleu("coco"), texts(*captions()))
    assert [found[f"bleu{n}"] for n in (1, 2, 3, 4)] == pytest.approx(
        [published[f"Bleu_{n}"] for n in (1, 2, 3, 4)], rel=0, abs=1e-9
    )


@settings(max_examples=40, deadline=None)
@given(
    corpus=CORPORA,
    parameters=st.sampled_from(
        [
            Bleu(aggregate="mean", smoothing="exp", effective_order=True),
            Bleu(aggregate="mean", smoothing="nltk4"),
            *(replace(Bleu(), smoothing=smoothing) for smoothing in ("floor", "add-k", "exp", *NLTK)),
        ]
    ),
    seed=st.integers(0, 99),
)
def test_integer_weights_equal_repetition_under_all_smoothing(
    corpus: list[tuple[str, list[str]]], parameters: Bleu, seed: int
) -> None:
    times = np.random.default_rng(seed).integers(0, 3, len(corpus))
    assume(times.any())
    repeated = [pair for pair, count in zip(corpus, times, strict=True) for _ in range(count)]
    statistics = parameters.statistics(texts(*zip(*corpus, strict=True)))
    found = parameters.evaluate(statistics, times[None, :].astype(float))[0]
    assert found == pytest.approx([*evaluate(parameters, texts(*zip(*repeated, strict=True))).values()], rel=1e-9)


@pytest.mark.parametrize("chunk", [1, 7, 30])
def test_samples_are_counted_in_chunks_as_at_once(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    rng = np.random.default_rng(0)
    answers = [" ".join(rng.choice(["a", "b", "c"], rng.integers(0, 9))) for _ in range(12)]
    references = [["a b c", "b c a b c", " ".join(rng.choice(["a", "b", "c"], 7))] for _ in range(12)]
    expected = Bleu().statistics(texts(answers, references)).values
    monkeypatch.setattr(_ngrams, "CHUNK", chunk)
    assert np.array_equal(Bleu().statistics(texts(answers, references)).values, expected)


def test_rows_hold_counts_and_lengths() -> None:
    statistics = Bleu(max_order=2).statistics(texts(["a b x", ""], [["a b", "a b c d"], ["c d e"]]))
    assert statistics.columns == (
        *("match1", "match2", "total1", "total2", "answer_length", "reference_length"),
        *("unmatched", "short", "empty"),
    )
    assert statistics.values.tolist() == [[2, 1, 3, 2, 3, 2, 1, 0, 0], [0, 0, 0, 0, 0, 3, 0, 3, 1]]


def test_orders_beyond_the_longest_are_undefined_and_say_so() -> None:
    statistics = Bleu(max_order=2).statistics(texts(["a b c"], [["a b c"]]))
    assert statistics.undefined == {
        "bleu3": "max_order is 2: set max_order: 3, or gate bleu.bleu2",
        "bleu4": "max_order is 2: set max_order: 4, or gate bleu.bleu2",
    }
    assert np.isnan(Bleu(max_order=2).evaluate(statistics, np.ones((1, 1)))[0, 3:5]).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"smoothing": "exp", "smoothing_value": 0.5}, "smoothing_value: smoothing exp takes none; floor and add-k do"),
        (
            {"smoothing": "floor", "smoothing_value": 2.0},
            "smoothing_value: floor takes at most 1, a match, found 2.0",
        ),
        (
            {"smoothing": "nltk3", "effective_order": True},
            "effective_order: NLTK's smoothing knows none; leave it out, or take smoothing: exp",
        ),
        ({"tokenize": "13b"}, "tokenize: expected 13a or intl or char or zh or none or coco, found '13b'"),
        ({"max_order": 0}, "max_order: expected int >= 1, found 0"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Bleu(**parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_order": 3},
        {"tokenize": "char"},
        {"tokenize": "zh"},
        {"aggregate": "mean"},
        {"smoothing": "nltk5"},
        {"smoothing": "add-k"},
        {"smoothing": "floor", "smoothing_value": 1.0},
    ],
)
def test_bands_hold_for_corpora_of_words_up_to_four(parameters: dict[str, Any]) -> None:
    assert [score.name for score in Bleu(lowercase=True, smoothing="exp").configured if score.bands] == ["bleu"]
    assert not any(score.bands for score in Bleu(**parameters).configured)


def test_averaged_precisions_may_exceed_one_and_the_range_says_so() -> None:
    metric = Bleu("none", smoothing="nltk5")
    found = evaluate(metric, texts(["a b c d e f"], [["a b c d e f"]]))
    # p1 = (2 + 1 + 1) / 3.
    assert found["bleu1"] == pytest.approx(4 / 3)
    for score in metric.configured:
        assert found[score.name] <= score.high + 1e-12


def test_text_that_is_not_split_is_noted() -> None:
    data = texts(["一只猫", "a cat", "x"], [["一只猫坐着"], ["a cat"], ["ねこ"]])
    assert Bleu().statistics(data).notes == (
        "13a does not split scripts without spaces between words, which 2 of 3 samples hold; "
        "take tokenize: zh for Chinese, or char",
    )
    assert Bleu("zh").statistics(data).notes == Bleu("none").statistics(data).notes == ()


def test_empty_answers_are_noted() -> None:
    assert Bleu().statistics(texts(["a", " "], [["a"], ["b"]])).notes == ("empty answers, or none at all: 1",)


def caveats(metric: Bleu, answers: Words, references: Sequence[Words], score: str = "bleu") -> Sequence[str]:
    statistics = metric.statistics(texts(answers, references))
    assert isinstance(statistics, Statistics)
    return metric.caveats(statistics, score)


def test_zero_for_want_of_one_order_is_explained() -> None:
    answers, references = ["a b c d", "e f g h"], [["a b x d"], ["e f x h"]]
    assert caveats(Bleu(), answers, references) == (
        "no 3-gram of an answer stands in a reference, which alone makes it 0; take smoothing: exp",
    )
    assert caveats(Bleu(), answers, references, "bleu2") == ()
    assert caveats(Bleu(smoothing="exp"), answers, references) == ()


def test_zero_for_want_of_long_answers_is_explained() -> None:
    why = ("no answer has 2 tokens, which alone makes it 0; take effective_order: true",)
    assert caveats(Bleu(), ["yes", "no"], [["yes"], ["yes"]]) == why
    assert caveats(Bleu(smoothing="exp"), ["yes", "no"], [["yes"], ["yes"]]) == why
    assert caveats(Bleu(effective_order=True), ["yes", "no"], [["yes"], ["yes"]]) == ()


def test_zero_for_want_of_any_match_needs_no_words() -> None:
    assert caveats(Bleu(), ["a"], [["b"]]) == ()
    # Or where all match, and a thousandth of what is due is said: exp(1 - 1000) is nothing.
    assert caveats(Bleu(), ["a b c d"], [["a b c d " * 1000]]) == ()


def test_sentences_that_score_zero_are_counted() -> None:
    answers, references = ["a b c d", "e f", "z"], [["a b c d"], ["e f"], ["y"]]
    assert caveats(Bleu(aggregate="mean"), answers, references) == (
        "samples that share words with a reference and score 0 for want of longer n-grams: 1; "
        "take smoothing: exp and effective_order: true",
    )
    assert caveats(Bleu(aggregate="mean", effective_order=True), answers, references) == ()
    assert caveats(Bleu(aggregate="mean"), answers, references, "brevity_penalty") == ()


def test_diagnosis_tells_what_matched_and_how_long_answers_are() -> None:
    metric = Bleu(max_order=2)

    def told(answers: Words, references: Sequence[Words]) -> list[str]:
        return [*metric.explain(metric.measures(metric.statistics(texts(answers, references)), ["s0"]))]

    assert told(["a b c x"], [["a b c d"]]) == [
        "of what the answers say, references have 75% of single tokens, 67% of 2-grams"
    ]
    assert told(["a"], [["a b c d"]])[1:] == [
        "answers are shorter than their references, 1 tokens against 4: they leave something out, or were cut off"
    ]
    assert told(["a b c d e f"], [["a b c d"]])[1:] == [
        "answers are longer than their references, 6 tokens against 4: ask for brief answers"
    ]
    assert told([""], [["a"]])[:-1] == []


#: What models and annotators write when nobody looks.
HOSTILE = (
    "",
    " \t\n",
    "a",
    "😀 👩‍👩‍👧 e\u0301\u0301",
    "שלום עולם",
    "\ud800 \udfff",
    "\x00\x1b[31m\x07",
    "x" * 50,
    "-\n<skipped>",
)


@pytest.mark.parametrize("tokenizer", ["13a", "intl", "char", "zh", "none", "coco"])
@pytest.mark.parametrize("smoothing", ["none", "exp", *NLTK])
def test_hostile_texts_score_between_the_bounds(tokenizer: Any, smoothing: Any) -> None:
    accepted = [text for text in HOSTILE if text.strip()]
    for aggregate in ("corpus", "mean"):
        metric = replace(Bleu(tokenizer, smoothing=smoothing), aggregate=aggregate)
        found = evaluate(metric, texts(HOSTILE, [accepted * 8] * len(HOSTILE)))
        for score in metric.configured:
            assert 0 <= found[score.name] <= score.high + 1e-12


def test_references_without_a_token_are_references_all_the_same() -> None:
    # 13a leaves nothing of "<skipped>": r = 0, and the answer has no match.
    assert evaluate(Bleu(), texts(["a"], [["<skipped>"]]))["bleu"] == 0
    assert evaluate(Bleu(), texts([""], [["<skipped>"]]))["bleu"] == 0


def test_long_texts_are_counted() -> None:
    # 100 000 words out of seven, against themselves shifted by one: all n-grams but the last of each length match.
    words = [f"w{i % 7}" for i in range(100_000)]
    statistics = Bleu().statistics(texts([" ".join(words)], [[" ".join(words[1:])]]))
    matches = [statistics.column(f"match{n}")[0] for n in (1, 2, 3, 4)]
    assert matches == [99_999, 99_998, 99_997, 99_996]


def test_no_samples_at_all_are_undefined() -> None:
    metric = Bleu()
    statistics = metric.statistics(texts([], []))
    assert np.isnan(metric.evaluate(statistics, np.ones((1, 0)))).all()
