from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from rouge_score.rouge_scorer import RougeScorer

from pytest_vigate.metrics import _subsequences
from pytest_vigate.metrics.base import Statistics
from pytest_vigate.metrics.rouge import TYPES, Rouge
from worlds import captions, evaluate, texts

#: Few words, so that much is shared and subsequences have ties; stems, cases and marks among them.
PIECES = (
    "a",
    "b",
    "c",
    "Running",
    "runs",
    "generously",
    "skies",
    "İst",
    "\u212a",
    "caf\u00e9",
    "a1",
    "-",
    "\n",
    "\n\n",
)
WORDLESS = "日本語"


def sentence() -> st.SearchStrategy[str]:
    pieces = st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join)
    return st.one_of(pieces, pieces, st.text(max_size=20))


def has_words(text: str) -> bool:
    return any("a" <= mark <= "z" or "0" <= mark <= "9" for mark in text.lower())


samples = st.lists(
    st.tuples(sentence(), st.lists(sentence().filter(has_words), min_size=1, max_size=4)), min_size=1, max_size=5
)


def oracle(answers: Sequence[str], references: Sequence[Sequence[str]], *, stemmer: bool) -> dict[str, float]:
    """Means over samples of rouge-score 0.1.2."""
    scorer = RougeScorer([*TYPES], use_stemmer=stemmer)
    found = [scorer.score_multi(accepted, answer) for answer, accepted in zip(answers, references, strict=True)]
    expected: dict[str, float] = {}
    for kind in TYPES:
        recall, precision, f1 = np.mean([(s[kind].recall, s[kind].precision, s[kind].fmeasure) for s in found], axis=0)
        expected |= {kind: recall, f"{kind}_precision": precision, f"{kind}_f1": f1}
    return expected


def assert_equal_to_oracle(answers: Sequence[str], references: Sequence[Sequence[str]], *, stemmer: bool) -> None:
    expected = oracle(answers, references, stemmer=stemmer)
    found = evaluate(Rouge(stemmer=stemmer), texts(answers, references))
    assert [*found] == [*expected]
    assert_allclose([*found.values()], [*expected.values()], rtol=0, atol=1e-9)


def test_worked_by_hand() -> None:
    found = evaluate(Rouge(), texts(["The dog sat on a red mat."], [["A dog sat on the mat"]]))
    # Reference: a dog sat on the mat (6). Answer: the dog sat on a red mat (7). Shared: all 6 of the reference.
    assert found["rouge1"] == 1
    assert found["rouge1_precision"] == 6 / 7
    assert found["rouge1_f1"] == pytest.approx(12 / 13)
    # Pairs: (dog sat), (sat on) of the reference's 5 and the answer's 6.
    assert found["rouge2"] == 2 / 5
    assert found["rouge2_precision"] == 2 / 6
    # In order: dog sat on mat.
    assert found["rougeL"] == 4 / 6
    assert found["rougeL_precision"] == 4 / 7
    assert found["rougeLsum"] == 4 / 6


def test_repeated_words_count_as_often_as_both_have_them() -> None:
    found = evaluate(Rouge(), texts(["the the the"], [["the cat the"]]))
    assert found["rouge1"] == 2 / 3
    assert found["rouge1_precision"] == 2 / 3


def test_lines_share_the_union_of_their_subsequences() -> None:
    # Lin 2004, section 3.2: w1 w2 w3 w4 w5 shares w1 w2 with one line and w1 w3 w5 with the other: 4 of 5.
    found = evaluate(Rouge(), texts(["w1 w3 w8 w9 w5\nw1 w2 w6 w7 w8"], [["w1 w2 w3 w4 w5"]]))
    assert found["rougeLsum"] == 4 / 5
    assert found["rougeLsum_precision"] == 4 / 10
    assert found["rougeL"] == 3 / 5


def test_lines_do_not_share_a_word_of_the_answer_twice() -> None:
    found = evaluate(Rouge(), texts(["a b"], [["a b\na b"]]))
    assert found["rougeLsum"] == 2 / 4
    assert found["rougeLsum_precision"] == 1


def test_stemmer_joins_forms_of_words_longer_than_three_characters() -> None:
    data = texts(["parking dogs as"], [["parked dog a"]])
    assert evaluate(Rouge(), data)["rouge1"] == 0
    assert evaluate(Rouge(stemmer=True), data)["rouge1"] == 2 / 3  # park, dog; "as" stays as it is


def test_best_reference_is_that_of_the_largest_f1_for_each_kind_alone() -> None:
    # Against "a": recall 1, precision 1/4, f1 0.4. Against "a b x x x x": recall 2/6, precision 2/4, f1 0.4: a tie, and
    # the first counts. Pairs: none, and (a b) of 5 and of 3.
    found = evaluate(Rouge(), texts(["a b c d"], [["a", "a b x x x x"]]))
    assert found["rouge1"] == 1
    assert found["rouge1_f1"] == pytest.approx(0.4)
    assert found["rouge2"] == 1 / 5
    assert found["rouge2_precision"] == 1 / 3


def test_mean_takes_every_reference_alike() -> None:
    answers, references = ["a b c d", "b"], [["a", "a b x x x x", WORDLESS], ["b c"]]
    scorer = RougeScorer([*TYPES])
    found = evaluate(Rouge(multi="mean"), texts(answers, references))
    for kind in TYPES:
        scores = [
            np.mean([scorer.score(reference, answer)[kind] for reference in accepted if has_words(reference)], axis=0)
            for answer, accepted in zip(answers, references, strict=True)
        ]
        precision, recall, f1 = np.mean(scores, axis=0)
        assert_allclose([found[kind], found[f"{kind}_precision"], found[f"{kind}_f1"]], [recall, precision, f1])


@settings(deadline=None)
@given(data=samples, stemmer=st.booleans())
def test_equal_to_rouge_score(data: list[tuple[str, list[str]]], stemmer: bool) -> None:
    assert_equal_to_oracle([answer for answer, _ in data], [accepted for _, accepted in data], stemmer=stemmer)


@settings(deadline=None)
@given(data=samples)
def test_equal_to_rouge_score_where_lines_are_long(data: list[tuple[str, list[str]]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_subsequences, "SHORT_LINE", 0)
        patch.setattr(_subsequences, "MANY_PLACES", 1)
        assert_equal_to_oracle([answer for answer, _ in data], [accepted for _, accepted in data], stemmer=False)


def test_equal_to_rouge_score_where_the_table_is_made_again() -> None:
    # More than 64 words a line: rows of the table are kept at intervals only.
    rng = np.random.default_rng(3)

    def lines() -> str:
        return "\n".join(" ".join(rng.choice([*"abcdefgh"], rng.integers(100, 200))) for _ in range(2))

    assert_equal_to_oracle([lines() for _ in range(4)], [[lines(), lines()] for _ in range(4)], stemmer=False)


@pytest.mark.real_data
@pytest.mark.parametrize("stemmer", [False, True])
def test_equal_to_rouge_score_on_captions(stemmer: bool) -> None:
    assert_equal_to_oracle(*captions(step=5 if stemmer else 3), stemmer=stemmer)


def test_words_beyond_the_sixteenth_bit_stay_apart() -> None:
    # As characters, words number 0xD800 and on would be surrogates, and shifting them must not join them with others.
    words = [f"w{i}" for i in range(70_000)]
    whole = " ".join(words)
    data = texts(
        [whole, words[0xD800], words[0xE000], " ".join(words[::2])],
        [[whole], [words[0xE000]], [words[0xE000]], [whole]],
    )
    assert_allclose(Rouge().statistics(data).column("rougeL"), [1, 0, 1, 1 / 2])


def test_more_words_than_there_are_characters_are_compared_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = texts(["a b c d e"], [["a c e b d"]])
    expected = evaluate(Rouge(), data)
    monkeypatch.setattr(_subsequences, "CHARACTERS", 3)
    assert evaluate(Rouge(), data) == expected
    assert expected["rougeL"] == 3 / 5


def test_references_without_words_are_left_out_and_counted() -> None:
    data = texts(
        ["a dog", "a dog", "a dog", "Hund"], [[WORDLESS, "a dog"], [WORDLESS], ["🙂", WORDLESS], ["ein grüner Hund"]]
    )
    metric = Rouge()
    statistics = metric.statistics(data)
    assert statistics.notes == (
        "ROUGE reads a-z and 0-9 only; references that hold none of them, and are left out: 4; "
        "references that lose other letters: 1",
    )
    assert metric.trials(statistics)[:, 0].tolist() == [True, False, False, True]
    # "grüner" is "gr" and "ner": hund of ein gr ner hund.
    assert evaluate(metric, data)["rouge1"] == (1 + 1 / 4) / 2


def test_without_any_word_in_the_references_the_scores_are_undefined() -> None:
    data = texts([WORDLESS], [[WORDLESS]])
    assert np.isnan([*evaluate(Rouge(), data).values()]).all()
    assert Rouge().statistics(data).undefined["rougeL_f1"] == (
        "no reference holds any of a-z and 0-9, which is all that ROUGE reads; gate chrf.chrf or answer.anls"
    )


def test_a_shard_without_words_leaves_the_others_defined() -> None:
    parts = [Rouge().statistics(texts([WORDLESS], [[WORDLESS]])), Rouge().statistics(texts(["a"], [["a"]]))]
    joined = Statistics.concatenate(parts)
    assert Rouge().evaluate(joined, np.ones((1, 2)))[0, 0] == 1
    alone = Statistics.concatenate(parts[:1] * 2)
    assert np.isnan(Rouge().evaluate(alone, np.ones((1, 2)))).all()


@pytest.mark.parametrize("answer", ["", "   ", "\n", "!?", "🙂", WORDLESS, "\x00", "\ud800"])
def test_an_answer_without_words_scores_nothing_and_counts(answer: str) -> None:
    found = evaluate(Rouge(), texts([answer, "a dog"], [["a dog"], ["a dog"]]))
    assert set(found.values()) == {0.5}


@pytest.mark.parametrize("odd", ["\ud800", "\x00", "\u0301", "🙂", "\u05d0\u05d1", "\u202e", "\r", "\u2028", "\x1b["])
def test_odd_characters_part_words(odd: str) -> None:
    found = evaluate(Rouge(), texts([f"red{odd}dog"], [[f"{odd}red dog{odd}"]]))
    assert set(found.values()) == {1.0}


def test_single_word_references_are_named_where_pairs_are_asked_for() -> None:
    data = texts(["dog", "a dog"], [["dog"], ["dog", "a dog"]])
    statistics = Rouge().statistics(data)
    assert evaluate(Rouge(), data)["rouge2"] == 1 / 2
    assert Rouge().caveats(statistics, "rouge2_f1") == (
        "samples whose references are single words, which score 0 here whatever the answer: 1",
    )
    assert Rouge().caveats(statistics, "rouge1") == ()


def test_fifty_references_and_texts_of_a_hundred_thousand_words() -> None:
    words = " ".join(f"w{i % 997}" for i in range(100_000))
    lines = words.replace("w0 ", "\n")
    references = [f"w{i} w{i + 1} w{i + 2}\nw{i + 3}" for i in range(50)]
    found = Rouge().statistics(texts([words, lines], [references, references]))
    assert found.column("rougeL").tolist() == [1, 1]
    assert found.column("rougeLsum").tolist() == [1, 1]
    assert found.column("said").tolist() == [100_000, lines.count("w")]


def test_faults_count_the_words_of_the_reference_that_counts() -> None:
    statistics = Rouge().statistics(texts(["a red dog"], [["x y z", "a blue dog runs"]]))
    assert {name: statistics.column(name)[0] for name in ("missed", "invented", "asked", "said")} == {
        "missed": 2,  # blue, runs
        "invented": 1,  # red
        "asked": 4,
        "said": 3,
    }
    assert Rouge().faults("rougeL") == {"missed": "words missed"}
    assert Rouge().faults("rougeL_precision") == {"invented": "words invented"}
    assert Rouge().faults("rougeL_f1") == {"missed": "words missed", "invented": "words invented"}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("a dog", ["of 2 words of the references the answers lack 0; of their own 2 words 0 are new"]),
        (
            "a dog a dog runs",
            [
                "of 2 words of the references the answers lack 0; of their own 5 words 3 are new",
                "answers are 2.5 times as long as their references: ask for shorter ones",
            ],
        ),
        (
            "dog",
            [
                "of 2 words of the references the answers lack 1; of their own 1 words 0 are new",
                "answers have 50% of the words of their references: ask for more detail",
            ],
        ),
        ("", ["of 2 words of the references the answers lack 2; of their own 0 words 0 are new"]),
    ],
)
def test_diagnosis_tells_words_and_lengths(answer: str, told: list[str]) -> None:
    metric = Rouge()
    assert [*metric.explain(metric.measures(metric.statistics(texts([answer], [["a dog"]])), ["s0"]))] == told


def test_diagnosis_is_silent_without_words() -> None:
    metric = Rouge()
    assert [*metric.explain(metric.measures(metric.statistics(texts(["a"], [[WORDLESS]])), ["s0"]))] == []


def test_bands_are_of_recall_against_the_best_reference() -> None:
    banded = [score.name for score in Rouge().configured if score.bands]
    assert banded == [*TYPES]
    assert [Rouge().scores[0].band(value) for value in (0.5, 0.3, 0.15, 0.14)] == ["excellent", "good", "fair", "poor"]
    assert not any(score.bands for score in Rouge(multi="mean").configured)


def test_a_wrong_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^multi: expected best or mean, found 'worst'$"):
        Rouge(multi="worst")  # type: ignore[arg-type]
