from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pytest_vigate.metrics._numbers import measurement, numbers
from pytest_vigate.metrics.answer import Answer, median
from pytest_vigate.metrics.base import Statistics
from worlds import captions, evaluate, texts

PIECES = (
    "a",
    "The",
    "an",
    "dog",
    "Dogs",
    "red",
    "U.S.",
    "don't",
    "--",
    "é",
    "日本",
    "the-dog",
    "3",
    "\t",
    "\u2028",
    "a—b",
)


def sentence() -> st.SearchStrategy[str]:
    return st.one_of(st.lists(st.sampled_from(PIECES), max_size=6).map(" ".join), st.text(max_size=12))


def says(text: str) -> bool:
    return bool(text.strip())


samples = st.lists(
    st.tuples(sentence(), st.lists(sentence().filter(says), min_size=1, max_size=4)), min_size=1, max_size=5
)


def rows(answers: Sequence[str], references: Sequence[Sequence[str]], metric: Answer | None = None) -> Statistics:
    return (metric or Answer()).statistics(texts(answers, references))


def column(name: str, answers: Sequence[str], references: Sequence[Sequence[str]], **parameters: float) -> list[float]:
    found: list[float] = rows(answers, references, Answer(**parameters)).column(name).tolist()
    return found


def squad_words(text: str) -> list[str]:
    """Words of the normal form of SQuAD's evaluate-v1.1.py (Rajpurkar 2016)."""
    bare = "".join(mark for mark in text.lower() if mark not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def squad(answer: str, reference: str) -> tuple[float, float, float, float]:
    """Exact match, f1, precision and recall of SQuAD's evaluate-v1.1.py."""
    said, asked = squad_words(answer), squad_words(reference)
    shared = (Counter(said) & Counter(asked)).total()
    if not shared:
        return float(said == asked), 0, 0, 0
    precision, recall = shared / len(said), shared / len(asked)
    return float(said == asked), 2 * precision * recall / (precision + recall), precision, recall


@cache
def distance(a: str, b: str) -> int:
    """Edit distance as Levenshtein 1966 defines it."""
    if not a or not b:
        return len(a) + len(b)
    return min(distance(a[1:], b) + 1, distance(a, b[1:]) + 1, distance(a[1:], b[1:]) + (a[0] != b[0]))


def test_worked_by_hand() -> None:
    found = evaluate(Answer(), texts(["The dog!", "a red car, parked", "no"], [["dog"], ["red car"], ["yes"]]))
    # Words of the answers: dog; red car parked; no.
    assert found["exact"] == 1 / 3
    assert found["precision"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert found["recall"] == pytest.approx((1 + 1 + 0) / 3)
    assert found["f1"] == pytest.approx((1 + 0.8 + 0) / 3)
    assert found["contains"] == 2 / 3
    assert found["length_ratio"] == 1  # 1, 3/2, 1
    # Edits: take off "The " and "!", 5 of 3; "a " and ", parked", 10 of 7; y-n, e-o, s, 3 of 3.
    assert found["edit"] == pytest.approx(18 / 13)
    # "the dog!" is 3 of 8 alike and "no" not at all: below one half; "a red car, parked" is 7 of 17 alike.
    assert found["anls"] == 0
    assert math.isnan(found["vqa"])
    assert math.isnan(found["number"])


@settings(deadline=None)
@given(data=samples)
def test_words_equal_squad(data: list[tuple[str, list[str]]]) -> None:
    data = [(answer, [text for text in accepted if squad_words(text)]) for answer, accepted in data]
    data = [(answer, accepted) for answer, accepted in data if accepted and (squad_words(answer) or not says(answer))]
    if not data:
        return
    found = rows(*zip(*data, strict=True))  # type: ignore[arg-type]
    for i, (answer, accepted) in enumerate(data):
        scores = [squad(answer, reference) for reference in accepted]
        best = max(scores, key=lambda score: score[1])
        assert found.column("exact")[i] == max(score[0] for score in scores)
        assert [found.column(name)[i] for name in ("f1", "precision", "recall")] == pytest.approx(best[1:], abs=1e-12)


@pytest.mark.real_data
def test_words_equal_squad_on_captions() -> None:
    answers, accepted = captions(step=3)
    found = evaluate(Answer(), texts(answers, accepted))
    scores = [
        [squad(answer, reference) for reference in several] for answer, several in zip(answers, accepted, strict=True)
    ]
    best = np.mean([max(several, key=lambda score: score[1]) for several in scores], axis=0)
    assert found["exact"] == pytest.approx(np.mean([max(score[0] for score in several) for several in scores]))
    assert_allclose([found["f1"], found["precision"], found["recall"]], best[1:], atol=1e-9)


@pytest.mark.parametrize(
    ("answer", "reference", "right"),
    [
        ("A", "A", True),
        ("a.", "A", True),
        ("", "A", False),
        ("the", "A", False),
        ("", "?", False),
        ("?", "?", True),
        ("!", "?", False),
        ("the dog", "The", False),
    ],
)
def test_texts_of_articles_and_punctuation_keep_them(answer: str, reference: str, right: bool) -> None:
    # SQuAD's script makes all of these empty, and an empty answer right.
    assert column("exact", [answer], [[reference]]) == [right]


@pytest.mark.parametrize("answer", ["", "  ", "\n", "\u3000"])
def test_an_empty_answer_is_wrong_everywhere(answer: str) -> None:
    found = evaluate(Answer(), texts([answer], [["3"] * 4]))
    assert found == {
        "exact": 0,
        "f1": 0,
        "precision": 0,
        "recall": 0,
        "length_ratio": 0,
        "vqa": 0,
        "anls": 0,
        "contains": 0,
        "number": 0,
        "edit": 1,
    }


def test_contains_wants_whole_words_in_a_row() -> None:
    answers = ["It is a red car.", "a red sports car", "redcar", "the red carpet", "Red, CAR"]
    assert column("contains", answers, [["the red car"]] * 5) == [1, 0, 0, 0, 1]


def test_length_is_held_against_the_closest_reference_the_shorter_of_two() -> None:
    answers = ["one two three", "one two three", ""]
    references = [["x", "x x x x"], ["x x", "x x x x"], ["x x x", "x x"]]
    # Closest to 3: of 1 and 4 the 4; of 2 and 4 both, so 2; to 0: the 2.
    assert column("length_ratio", answers, references) == [3 / 4, 3 / 2, 0]


@given(
    values=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=9).filter(
        lambda found: any(times for _, times in found)
    )
)
def test_weighted_median_is_that_of_repeated_values(values: list[tuple[int, int]]) -> None:
    value, times = np.array(sorted(values)).T
    found = median(value.astype(float), np.stack([times, 3 * times]).astype(float))
    assert_array_equal(found, [np.median(np.repeat(value, times)), np.median(np.repeat(value, 3 * times))])


def test_median_without_weights_is_undefined() -> None:
    assert np.isnan(median(np.array([1.0, 2.0]), np.zeros((2, 2)))).all()
    assert np.isnan(median(np.empty(0), np.zeros((2, 0)))).all()


def test_length_ratio_without_each_sample() -> None:
    # Ratios 1, 2, 3, 4; without each: medians of (2 3 4), (1 3 4), (1 2 4), (1 2 3).
    answers = ["w", "w w", "w w w", "w w w w"]
    metric = Answer()
    without = metric.leave_one_out(rows(answers, [["w"]] * 4))
    assert without[:, [score.name for score in metric.scores].index("length_ratio")].tolist() == [3, 3, 2, 2]


#: Made with vqaEval.py of GT-Vision-Lab/VQA at c4e6a0e4e84b9702d99800d3393652d92b5df224: answer, annotators, accuracy.
POLLS: tuple[tuple[str, dict[str, int], Fraction], ...] = (
    ("yes", {"yes": 10}, Fraction(1)),
    ("Yes.", {"yes": 10}, Fraction(1)),
    ("yes", {"yes": 4, "no": 6}, Fraction(1)),
    ("yes", {"yes": 3, "no": 7}, Fraction(9, 10)),
    ("yes", {"yes": 2, "no": 8}, Fraction(3, 5)),
    ("yes", {"yes": 1, "no": 9}, Fraction(3, 10)),
    ("no", {"yes": 4}, Fraction(0)),
    ("two", {"2": 9, "3": 1}, Fraction(1)),
    ("none", {"0": 5, "1": 5}, Fraction(1)),
    ("The red car", {"red car": 6, "car": 4}, Fraction(1)),
    ("dont know", {"don't know": 4, "no": 6}, Fraction(1)),
    ("t-shirt", {"t-shirt": 10}, Fraction(0)),  # folded to "t shirt"; the references are not, since they agree
    ("t-shirt", {"t-shirt": 9, "shirt": 1}, Fraction(1)),
    ("10:30", {"10:30": 9, "10:31": 1}, Fraction(1)),
    ("1,000", {"1000": 5, "1,000": 5}, Fraction(1)),
    ("u.s.a.", {"usa": 5, "u.s.a": 5}, Fraction(1)),
    ("3.5", {"3.5": 7, "3": 3}, Fraction(1)),
    ("yes, it is", {"yes it is": 6, "yes": 4}, Fraction(1)),
    ("red / blue", {"red blue": 5, "red/blue": 5}, Fraction(1)),
    ("wouldnt've", {"wouldn't've": 4, "no": 6}, Fraction(1)),
    ("somebody'd", {"somebodyd": 4, "no": 6}, Fraction(1)),
    ("a\tdog\n", {"dog": 10}, Fraction(1)),
    ("", {"yes": 10}, Fraction(0)),
    ("ten dogs", {"10 dogs": 3, "dogs": 1}, Fraction(3, 4)),
    ("Im", {"im": 5, "i": 5}, Fraction(1)),
    ("left; right", {"left right": 5, "left;right": 5}, Fraction(1)),
    ("5 p.m.", {"5 pm": 8, "5 p.m.": 2}, Fraction(1)),
    ("5 p.m.", {"5 p.m.": 10}, Fraction(0)),
    (". " * 40 + "x", {"x": 5, ". . . . . . . . x": 5}, Fraction(0)),  # it takes out 32 periods at most
)


def test_vqa_equals_its_scorer() -> None:
    references = [[*Counter(poll).elements()] for _, poll, _ in POLLS]
    found = rows([answer for answer, _, _ in POLLS], references).column("vqa")
    assert_allclose(found, [float(accuracy) for _, _, accuracy in POLLS], atol=1e-9)


def test_vqa_counts_samples_with_four_references_or_more() -> None:
    data = texts(["yes", "no", "no"], [["yes"] * 4, ["no"] * 3, ["yes", "no", "yes", "no"]])
    metric = Answer()
    statistics = metric.statistics(data)
    # Yes: 1. No, of two: left out one of them, 1 of 3 agrees, else 2 of 3: (2/3 + 4/3) / 4 = 1/2.
    assert evaluate(metric, data)["vqa"] == pytest.approx((1 + 1 / 2) / 2)
    vqa = [score.name for score in metric.scores].index("vqa")
    assert metric.trials(statistics)[:, vqa].tolist() == [True, False, True]
    assert metric.caveats(statistics, "vqa") == ["samples with fewer than 4 references do not count: 1"]
    assert metric.caveats(statistics, "number") == []


def test_vqa_without_four_references_is_undefined() -> None:
    statistics = rows(["yes"], [["yes"] * 3])
    why = "no sample has 4 references, the least that VQAv2's accuracy needs; gate answer.exact"
    assert statistics.undefined["vqa"] == why


def test_vqa_folds_references_that_are_not_in_its_form() -> None:
    references = [["A dog"] * 4, ["Two.", "two", "2", "three"], ["dog", "The dog", "t-shirt", "dog"]]
    # Three of four in the second and third: left out one of them, two agree, else three: (3 * 2/3 + 1) / 4.
    assert column("vqa", ["the dog", "2", "dog"], references) == pytest.approx([1, 3 / 4, 3 / 4])


def test_vqa_names_samples_that_no_answer_can_match() -> None:
    statistics = rows(["wi-fi", "yes"], [["wi-fi"] * 4, ["yes"] * 4])
    assert Answer().caveats(statistics, "vqa") == [
        "samples whose references agree on a text with punctuation, which VQAv2's scorer folds in answers alone, "
        "so that none can be right: 1"
    ]
    assert Answer().caveats(statistics, "exact") == []


short = st.text(alphabet="aAbß \u0301é", max_size=6)


@settings(deadline=None)
@given(data=st.lists(st.tuples(short, st.lists(short.filter(says), min_size=1, max_size=3)), min_size=1, max_size=4))
def test_edits_equal_levenshtein(data: list[tuple[str, list[str]]]) -> None:
    found = rows([answer for answer, _ in data], [accepted for _, accepted in data])
    for i, (answer, accepted) in enumerate(data):
        rates = [Fraction(distance(answer.strip(), text.strip()), len(text.strip())) for text in accepted]
        best = accepted[rates.index(min(rates))].strip()
        assert found.column("edits")[i] == distance(answer.strip(), best)
        assert found.column("characters")[i] == len(best)
        low = [" ".join(text.lower().split()) for text in (answer, *accepted)]
        alike = max(1 - distance(low[0], text) / max(len(low[0]), len(text)) for text in low[1:])
        assert found.column("anls")[i] == (alike if alike >= 0.5 else 0)


def test_anls_keeps_one_half_and_drops_what_is_below() -> None:
    # Edits of the longer text's characters: 2 of 4, 3 of 5, 0.
    assert column("anls", ["abxy", "abxyz", " AB  c "], [["abcd"], ["abcde"], ["ab C"]]) == [0.5, 0, 1]


def test_edit_pools_edits_and_characters() -> None:
    # 1 edit of 4 characters, and 3 of 3: 4 of 7, not the mean of the rates.
    assert evaluate(Answer(), texts(["abcx", " xyz\n"], [["abcd"], ["abc"]]))["edit"] == 4 / 7


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("3", {3}),
        ("There are 3 dogs.", {3}),
        ("3. There are three dogs, 3!", {3}),
        ("1,234.5 kg", {1234.5}),
        ("1\u202f234 or 1'234", {1234}),
        ("1,5", {1, 5}),
        ("-5°C", {-5}),
        ("−5", {-5}),
        ("10-15", {10, 15}),
        ("$3.50", {3.5}),
        ("50%", {50}),
        ("5cm", {5}),
        ("1e3", {1000}),
        (".5", {0.5}),
        ("No.5", {5}),
        ("١٢", {12}),
        ("2 million", {2e6}),
        ("12:30", {12, 30}),
        ("3rd", set()),
        ("COVID-19", set()),
        ("A4 or mp3", set()),
        ("9" * 400, set()),
        ("three", {3}),
        ("Twenty-one", {21}),
        ("twenty one", {21}),
        ("two hundred", {200}),
        ("a hundred", {100}),
        ("none", {0}),
        ("two or three", {2, 3}),
        ("one dog", {1}),
        ("the one on the left", set()),
        ("no one, or one of them", set()),
        ("the one with 4 legs", {4}),
        ("", set()),
        ("\ud800 7", {7}),
        ("–5", {-5}),
        ("3–5", {3, 5}),
        ("minus 5 degrees", {-5}),
        ("negative five", {-5}),
        ("5 minus", {5}),
        ("1½", {1.5}),
        ("½", {0.5}),
        ("-1¼", {-1.25}),
        ("two and a half", {2.5}),
        ("minus 2 and a half million", {-2.5e6}),
        ("two and a dog", {2}),
        ("5²", set()),
        ("5 m²", {5}),
        ("5m²", {5}),
        ("5k", set()),
        ("2 dozen", {24}),
        ("1e308 million", {1e308}),
    ],
)
def test_numbers_that_a_text_names(text: str, named: set[float]) -> None:
    assert numbers(text) == named


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("3 dogs", 3),
        ("$ 3.50", 3.5),
        ("12 %", 12),
        ("a hundred dogs", 100),
        ("twenty one", 21),
        ("Room 5", None),
        ("3 red dogs", None),
        ("3 or 4", None),
        ("dog", None),
        ("3 of the dogs that one can see", None),
        ("–5", -5),
        ("1½", 1.5),
    ],
)
def test_a_reference_is_a_number_with_a_unit_at_most(text: str, value: float | None) -> None:
    assert measurement(text) == value


def test_number_judges_samples_whose_reference_is_one() -> None:
    answers = ["There are three.", "3 or 4", "some", "5", "a dog", "seven"]
    references = [["3"], ["3"], ["3"], ["3"], ["a dog"], ["dog", "7"]]
    statistics = rows(answers, references)
    names = ("numeric", "number", "no_number", "several_numbers", "off")
    found = {name: statistics.column(name).tolist() for name in names}
    assert found == {
        "numeric": [1, 1, 1, 1, 0, 1],
        "number": [1, 0, 0, 0, 0, 1],
        "no_number": [0, 0, 1, 0, 0, 0],
        "several_numbers": [0, 1, 0, 0, 0, 0],
        "off": [0, 0, 0, 1, 0, 0],
    }
    assert evaluate(Answer(), texts(answers, references))["number"] == 2 / 5


@pytest.mark.parametrize(
    ("parameters", "right"),
    [
        ({}, [1, 0, 0, 0]),
        ({"tolerance": 0.1}, [1, 1, 0, 0]),  # 110 is just met, 89 and 0 are not
        ({"absolute": 11.0}, [1, 1, 1, 0]),
        ({"tolerance": 0.12}, [1, 1, 1, 0]),
    ],
)
def test_numbers_may_be_off_by_the_larger_tolerance(parameters: dict[str, float], right: list[float]) -> None:
    assert column("number", ["100", "110", "89", "0"], [["100"]] * 4, **parameters) == right


def test_tolerance_is_met_at_its_edge_in_binary_too() -> None:
    assert column("number", ["1.1", "0.3"], [["1.0"], ["0.2"]], absolute=0.1) == [1, 1]  # 1.1 - 1.0 > 0.1 in doubles


def test_largest_numbers_are_compared() -> None:
    assert column("number", ["-1.7e308", "1.7e308"], [["1.7e308"]] * 2, tolerance=0.5) == [0, 1]


def test_samples_without_numbers_are_told() -> None:
    metric = Answer()
    statistics = metric.statistics(texts(["3", "a dog", "4"], [["3"], ["a dog"], ["5"]]))
    assert metric.caveats(statistics, "number") == ["samples whose references are no numbers do not count: 1"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"tolerance": 5}, "tolerance: expected float < 1.0, found 5"),  # 5% is 0.05
        ({"tolerance": "5%"}, "tolerance: expected float, got str, found '5%'"),
        ({"absolute": math.inf}, "absolute: expected a finite number, found inf"),
        ({"absolute": math.nan}, "absolute: expected float >= 0.0, found nan"),
    ],
)
def test_tolerance_that_lets_everything_through_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Answer(**parameters)


def test_without_numbers_in_the_references_number_is_undefined() -> None:
    statistics = rows(["3"], [["a dog"]])
    assert statistics.undefined["number"] == "no reference is a number, alone or with its unit; gate answer.exact"


def test_a_shard_without_numbers_leaves_the_others_defined() -> None:
    joined = Statistics.concatenate([rows(["a"], [["a"]]), rows(["3"], [["3"]])])
    metric = Answer()
    found = dict(zip([s.name for s in metric.scores], metric.evaluate(joined, np.ones((1, 2)))[0], strict=True))
    assert found["number"] == 1
    assert math.isnan(found["vqa"])


@pytest.mark.parametrize(("name", "value"), [("tolerance", -0.1), ("absolute", -1.0)])
def test_a_negative_tolerance_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: expected float >= 0.0, found {value}$"):
        Answer(**{name: value})


def test_scripts_without_spaces_are_named() -> None:
    statistics = rows(["红色的车", "a dog"], [["红色汽车"], ["a dog"]])
    assert Answer().caveats(statistics, "f1") == [
        "samples with references in a script without spaces between words, each of which is one word here: 1; "
        "gate answer.anls or answer.edit"
    ]
    assert Answer().caveats(statistics, "anls") == []
    assert statistics.column("f1").tolist() == [0, 1]
    assert statistics.column("anls").tolist() == [0.75, 1]


@pytest.mark.parametrize(
    "odd", ["\ud800", "\x00", "e\u0301", "🙂", "\u05d0\u05d1\u05d2", "\u202e", "\x1b[31m", "\u200b"]
)
def test_odd_characters_match_themselves(odd: str) -> None:
    found = evaluate(Answer(), texts([f"red {odd}"], [[f"red {odd}"] * 4]))
    assert {name: found[name] for name in ("exact", "f1", "anls", "contains", "edit", "vqa")} == {
        "exact": 1,
        "f1": 1,
        "anls": 1,
        "contains": 1,
        "edit": 0,
        "vqa": 1 if odd != "\x1b[31m" else 0,  # the scorer takes out "[" in answers alone
    }


def test_fifty_references_and_texts_of_a_hundred_thousand_words() -> None:
    words = " ".join(f"w{i % 997}" for i in range(100_000))
    digits = "1," * 100_000
    found = rows([words, digits, words], [["w1 w2"] * 50, ["7"], [words]])
    assert found.column("contains").tolist() == [1, 0, 1]
    assert found.column("exact").tolist() == [0, 0, 1]
    assert found.column("length_ratio").tolist() == [50_000, 1, 1]
    assert found.column("several_numbers").tolist() == [0, 0, 0]  # "1,1,…" names one number, and another than 7
    assert found.column("off").tolist() == [0, 1, 0]


def test_faults_are_told_by_score() -> None:
    statistics = rows(["red dog", "4"], [["the red car is"], ["3"]])
    metric = Answer()
    told = {
        score.name: {word: statistics.column(name).tolist() for name, word in metric.faults(score.name).items()}
        for score in metric.scores
    }
    assert told == {
        "exact": {"wrong": [1, 1]},
        "f1": {"words missed": [2, 1], "words invented": [1, 1]},
        "precision": {"words invented": [1, 1]},
        "recall": {"words missed": [2, 1]},
        "length_ratio": {},
        "vqa": {"given by no annotator": [0, 0]},
        "anls": {"unlike all references": [1, 1]},
        "contains": {"without a reference": [1, 1]},
        "number": {"no number": [0, 0], "several numbers": [0, 0], "another number": [0, 1]},
        "edit": {"edits": [10, 1]},
    }


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (["dog", "cat"], []),
        (
            ["It is a dog.", "I see a cat there"],
            [
                "answers are longer than their references (median 3.5 times): too verbose, ask for short ones",
                "2 of 2 answers that are not exact hold a reference among other words: ask for the answer alone, "
                "or take it out of the reply with `replies`",
                "of 2 words of the references the answers lack 0 (incomplete); of their own 7 words 5 are new "
                "(invented or rambling)",
            ],
        ),
        (
            ["", ""],
            [
                "answers are shorter than their references (median 0.00 times): too brief, ask for whole ones",
                "of 2 words of the references the answers lack 2 (incomplete); of their own 0 words 0 are new "
                "(invented or rambling)",
            ],
        ),
    ],
)
def test_diagnosis_tells_lengths_and_words(answers: list[str], told: list[str]) -> None:
    metric = Answer()
    assert [*metric.explain(metric.measures(rows(answers, [["dog"], ["cat"]]), ["s0", "s1"]))] == told


def test_diagnosis_tells_what_is_wrong_with_numbers() -> None:
    metric = Answer()
    statistics = rows(["3", "4", "many", "1 or 2"], [["3"]] * 4)
    told = [*metric.explain(metric.measures(statistics, []))]
    assert told[-1] == "of 4 answers that should be a number: 1 without a number, 1 with several, 1 with another"
