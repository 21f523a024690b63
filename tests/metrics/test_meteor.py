"""METEOR against hand-worked numbers and nltk.translate.meteor_score of NLTK 3.10."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nltk.data
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.corpus.reader.wordnet import WordNetCorpusReader
from nltk.stem.porter import PorterStemmer
from nltk.tokenize import wordpunct_tokenize
from nltk.translate import meteor_score as oracle
from numpy.testing import assert_allclose

from pytest_vigate.data.coordinates import Float
from pytest_vigate.errors import DataError, UnmeasurableError
from pytest_vigate.metrics import _alignment, _wordnet
from pytest_vigate.metrics._wordnet import ENDINGS, FILES, find_wordnet
from pytest_vigate.metrics.meteor import COLUMNS, Meteor, StageName
from worlds import captions, evaluate, texts, write_answers

PLAIN = Meteor(stages=("exact", "stem"))
EXACT = Meteor(stages=("exact",))


def one(metric: Meteor, answer: str, *references: str) -> float:
    """METEOR of one answer."""
    return evaluate(metric, texts([answer], [references]))["meteor"]


def rows(metric: Meteor, answer: str, *references: str) -> dict[str, float]:
    """The statistics of one answer."""
    return dict(zip(COLUMNS, metric.statistics(texts([answer], [references])).values[0].tolist(), strict=True))


def theirs(
    answers: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    stages: Sequence[str],
    wordnet: Any = None,
    split: Callable[[str], list[str]] = wordpunct_tokenize,
) -> Float:
    """NLTK's METEOR of every answer, of its own pieces chained as its align_words chains them."""
    stemmer = PorterStemmer()
    found = []
    for answer, accepted in zip(answers, references, strict=True):
        best = 0.0
        for reference in accepted:
            left = oracle._generate_enums(split(answer), split(reference))
            words, reference_words = map(len, left)
            matches: list[tuple[int, int]] = []
            for stage in stages:
                if stage == "exact":
                    step = oracle._match_enums(*left)
                elif stage == "stem":
                    step = oracle._enum_stem_match(*left, stemmer=stemmer)
                else:
                    step = oracle._enum_wordnetsyn_match(*left, wordnet=wordnet)
                matches, left = matches + step[0], step[1:]
            if matches:
                precision, recall = len(matches) / words, len(matches) / reference_words
                penalty = 0.5 * (oracle._count_chunks(sorted(matches)) / len(matches)) ** 3
                fmean = precision * recall / (0.9 * precision + 0.1 * recall)
                best = max(best, (1 - penalty) * fmean)
        found.append(best)
    return np.array(found)


def test_words_count_and_missing_ones_cost_most() -> None:
    # precision 2/2, recall 2/4, fmean 0.5 / (0.9 · 1 + 0.1 · 0.5) = 0.526315…; one chunk of two words: penalty
    # 0.5 · (1/2)³ = 0.0625; 0.9375 · 0.526315… = 0.493421…
    assert one(EXACT, "red car", "a red car parked") == pytest.approx(0.9375 * 0.5 / 0.95, abs=1e-12)
    assert rows(EXACT, "red car", "a red car parked") == pytest.approx(
        {
            "meteor": 0.9375 * 0.5 / 0.95,
            "answers": 1,
            "words": 2,
            "reference_words": 4,
            "extra": 0,
            "missing": 2,
            "breaks": 0,
        }
    )


def test_words_are_aligned_from_the_end_as_nltk_does() -> None:
    # From the end, the second "the" of the answer takes the second of the reference, so that no two words follow one
    # another: 6 chunks of 6 words, penalty 0.5. With the fewest crossings there were 3 chunks.
    assert one(EXACT, "on the mat sat the cat", "the cat sat on the mat") == 0.5
    assert rows(EXACT, "on the mat sat the cat", "the cat sat on the mat")["breaks"] == 5


def test_stems_match_what_equal_words_leave_over() -> None:
    # "two" by form, "cars" and "parking" by stem; precision 3/3, recall 3/4, fmean 0.75 / (0.9 + 0.075); "cars parking"
    # is one chunk, "two" another: penalty 0.5 · (2/3)³ = 4/27.
    assert one(PLAIN, "two cars parking", "car parks with two") == pytest.approx(23 / 27 * 0.75 / 0.975, abs=1e-12)
    # by form alone: 1/3 and 1/4, fmean (1/12) / (0.9/3 + 0.1/4); one word in one chunk: penalty 0.5
    assert one(EXACT, "two cars parking", "car parks with two") == pytest.approx(0.5 / 12 / 0.325, abs=1e-12)


def test_parameters_enter_as_the_formula_says() -> None:
    # precision 1, recall 1/2; alpha 0.5: fmean 0.5 / 0.75 = 2/3; beta 1, gamma 0.8: penalty 0.8 · 1/2 = 0.4
    metric = Meteor(alpha=0.5, beta=1, gamma=0.8, stages=("exact",))
    assert one(metric, "red car", "a red car parked") == pytest.approx(0.6 * 2 / 3, abs=1e-12)


def test_best_reference_counts_and_samples_are_averaged() -> None:
    # equal answers of two words: 1 - 0.5 / 2³ = 0.9375; nothing in common: 0; mean 0.46875
    data = texts(["red car", "no idea"], [["green trees", "red car", "car"], ["a dog"]])
    assert evaluate(EXACT, data)["meteor"] == pytest.approx(0.46875, abs=1e-12)


def test_reference_that_fits_best_gives_the_faults() -> None:
    found = rows(EXACT, "a red car", "green trees in a park", "one red car parked")
    assert (found["extra"], found["missing"]) == (1, 2)
    assert set(EXACT.faults("meteor")) == {"extra", "missing", "breaks"}


@pytest.mark.parametrize("answer", ["", "   ", "\n\t", "dog"])
def test_answer_without_a_match_scores_zero(answer: str) -> None:
    assert one(PLAIN, answer, "a cat", "two cats") == 0


def test_one_word_that_is_right_bears_the_whole_penalty() -> None:
    assert one(PLAIN, "yes", "yes") == 0.5


def test_words_are_lowered_one_by_one() -> None:
    # "İ" is two characters in lower case, of which the second is a mark that belongs to the word. Σ ends a word as ς
    # only where it ends the text that is lowered.
    assert one(EXACT, "İSTANBUL ΟΔΟΣ", "i̇stanbul οδος") == pytest.approx(1 - 0.5 / 8)


def test_white_space_alone_splits_where_no_tokenizer_is_asked_for() -> None:
    assert one(Meteor(tokenize="none", stages=("exact",)), "a red, car", "a red car") < one(
        EXACT, "a red, car", "a red car"
    )
    assert rows(Meteor(tokenize="none", stages=("exact",)), "A red, car", "a red, car")["words"] == 3


def test_what_matches_tells_what_is_missing() -> None:
    metric = Meteor(stages=("exact",))
    statistics = metric.statistics(texts(["red car", "a dog"], [["a red car parked"], ["a black dog"]]))
    measures = metric.measures(statistics, ["s0", "s1"])
    assert measures == {"precision": 1.0, "recall": pytest.approx(4 / 7)}
    assert list(metric.explain(measures)) == [
        "answers have 57% of the words of the reference that fits best, and 100% of their own words stand there"
    ]
    nothing = metric.statistics(texts([""], [["a dog"]]))
    assert list(metric.explain(metric.measures(nothing, ["s0"]))) == []


def test_bands_hold_for_the_parameters_they_were_measured_with() -> None:
    assert [name for _, name in Meteor(tokenize="none").configured[0].bands] == ["excellent", "good", "fair"]
    assert not PLAIN.configured[0].bands
    assert not Meteor(gamma=0.4).configured[0].bands


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"stages": ()}, "stages: expected some of exact, stem, synonym, paraphrase, in this order, found []"),
        (
            {"stages": ("stem", "exact")},
            "stages: expected some of exact, stem, synonym, paraphrase, in this order, found ['stem', 'exact']",
        ),
        (
            {"stages": ("exact", "exact")},
            "stages: expected some of exact, stem, synonym, paraphrase, in this order, found ['exact', 'exact']",
        ),
        (
            {"stages": ("exact", "paraphrase")},
            "stages: paraphrase needs a table of phrases; name it as paraphrases: table.tsv",
        ),
        (
            {"paraphrases": "table.tsv"},
            "paraphrases: no stage reads it; add paraphrase to the end of stages, or leave it out",
        ),
    ],
)
def test_stages_that_make_no_sense_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Meteor(**parameters)


# Words that share stems and synsets, and stand several times in a sentence.
WORDS = (
    "a the Car cars automobile auto machine park parks parked parking garden dog hound dogs bike bicycle cycle cycles "
    "run running runs two 2 , . it's"
)
word = st.sampled_from(WORDS.split())
sentence = st.lists(word, max_size=14).map(" ".join)
spoken = sentence.filter(str.strip)
subsets = st.sets(st.sampled_from(("exact", "stem")), min_size=1)


@settings(deadline=None)
@given(answer=sentence, references=st.lists(spoken, min_size=1, max_size=3), chosen=subsets)
def test_made_text_scores_as_in_nltk(answer: str, references: list[str], chosen: set[StageName]) -> None:
    stages = tuple(stage for stage in ("exact", "stem") if stage in chosen)
    expected = theirs([answer], [references], stages=stages)[0]
    assert_allclose(one(Meteor(stages=stages), answer, *references), expected, atol=1e-12)


@settings(deadline=None)
@given(answer=st.text(max_size=30), reference=st.text(min_size=1, max_size=30).filter(str.strip))
def test_any_text_scores_as_in_nltk(answer: str, reference: str) -> None:
    for name, split in {"wordpunct": wordpunct_tokenize, "none": str.split}.items():
        expected = theirs([answer], [[reference]], stages=("exact", "stem"), split=split)[0]
        metric = Meteor(tokenize=name, stages=("exact", "stem"))  # type: ignore[arg-type]
        assert_allclose(one(metric, answer, reference), expected, atol=1e-12)


STRANGE = [
    "",
    " \t\n ",
    "x",
    "🙂 👩‍👩‍👧 🇩🇪",
    "é café naïve",
    "كلب أسود في الحديقة",
    "שלום עולם",
    "\ud800 broken \udfff half",
    "a\x00b \x1b[31mred\x1b[0m \x1c \x7f",
    "½ m² of x³",
    "两只狗在公园里",
    "yyyyyyyyyyyyyyyyyyyyyyyyyy " + "y" * 5000,
]


def test_strange_texts_score_as_in_nltk() -> None:
    references = [[other for other in STRANGE if other.strip()] * 5 for _ in STRANGE]  # 50 references
    expected = theirs(STRANGE, references, stages=("exact", "stem"))
    assert_allclose(PLAIN.statistics(texts(STRANGE, references)).column("meteor"), expected, atol=1e-12)
    assert (expected[2:] > 0.4).all()


def test_hundred_thousand_words_are_no_hindrance() -> None:
    rng = np.random.default_rng(1)
    long = [" ".join(f"w{i}" for i in rng.integers(0, 500, 100_000)) for _ in range(2)]
    expected = theirs(long[:1], [long[1:]], stages=("exact", "stem"))
    assert_allclose(PLAIN.statistics(texts(long[:1], [long[1:]])).column("meteor"), expected, atol=1e-9)


def test_blocks_are_scored_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["two cars parking", "a dog", "", "one red car", "dogs run"]
    references = [["car parks with two", "cars"], ["the dog runs"], ["nothing"], ["red cars", "a car"], ["dog running"]]
    whole = PLAIN.statistics(texts(answers, references)).values
    for size in (1, 7, 12):
        monkeypatch.setattr(_alignment, "BLOCK", size)
        assert np.array_equal(PLAIN.statistics(texts(answers, references)).values, whole)


# --- paraphrases


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Meteor]:
    """METEOR by form and paraphrase, with a table of these lines."""

    def make(*lines: str, name: str = "table.tsv", **parameters: Any) -> Meteor:
        path = tmp_path / name
        path.write_text("\n".join(lines), encoding="utf-8")
        return Meteor(**{"stages": ("exact", "paraphrase"), **parameters}, paraphrases=str(path))

    return make


def test_phrase_matches_with_all_its_words(table: Callable[..., Meteor]) -> None:
    # "next to" (2 words) stands for "beside" (1 word): the answer has 5 of 5 words matched, the reference 4 of 4.
    # m = (5 + 4) / 2; "a car", "next to", "a tree" follow one another on both sides: one chunk.
    metric = table("next to\tbeside")
    expected = 1 - 0.5 * (1 / 4.5) ** 3
    assert one(metric, "car next to a tree", "car beside a tree") == pytest.approx(expected, abs=1e-12)
    assert one(metric, "car beside a tree", "car next to a tree") == pytest.approx(expected, abs=1e-12)
    assert rows(metric, "car next to a tree", "car beside a tree")["breaks"] == 0


def test_longest_phrase_goes_first(table: Callable[..., Meteor]) -> None:
    # "in front of the" takes "before this" before "in front" may take "ahead": 4 words of the answer, 2 of 3 of the
    # reference: precision 1, recall 2/3, fmean (2/3) / (0.9 + 0.2/3); one chunk, m = 3: penalty 0.5 / 27.
    metric = table("in front\tahead", "in front of the\tbefore this")
    expected = (1 - 0.5 / 27) * (2 / 3) / (0.9 + 0.2 / 3)
    assert one(metric, "in front of the", "ahead before this") == pytest.approx(expected, abs=1e-12)


def test_longest_paraphrase_is_taken_and_the_last_of_equal_ones(table: Callable[..., Meteor]) -> None:
    metric = table("bike\tbicycle", "bike\tmotor cycle", "bike\tpush cycle")
    assert rows(metric, "bike", "push cycle x motor cycle bicycle")["missing"] == 4
    # The last two-word paraphrase stands before "bicycle" or, in the second text, at the very front of it: a word that
    # follows in the answer goes on with its chunk only if the last one was taken.
    assert rows(metric, "bike red", "push cycle x motor cycle red")["breaks"] == 0
    assert rows(metric, "bike red", "push cycle red x motor cycle")["breaks"] == 1


def test_equal_phrases_are_taken_from_the_end(table: Callable[..., Meteor]) -> None:
    # Two bikes, one bicycle: the last bike takes it, beside "stands".
    metric = table("bike\tbicycle")
    assert rows(metric, "bike x bike stands", "bicycle stands")["breaks"] == 0


def test_phrase_with_a_word_that_is_matched_is_none(table: Callable[..., Meteor]) -> None:
    metric = table("next to\tbeside")
    assert rows(metric, "next to it", "to beside it")["extra"] == 1  # "to" is matched by form, "next" stays
    assert rows(metric, "next to", "to beside")["missing"] == 1


def test_phrases_that_overlap_are_taken_once(table: Callable[..., Meteor]) -> None:
    metric = table("a b\tx y", "b c\ty z")
    assert rows(metric, "a b c", "x y z")["missing"] == 1
    assert rows(metric, "a b b c", "x y z")["missing"] == 1


def test_words_left_over_must_follow_one_another(table: Callable[..., Meteor]) -> None:
    assert rows(table("next to\tbeside"), "next door to", "door beside")["extra"] == 2


def test_phrases_are_matched_as_written_after_stems(table: Callable[..., Meteor]) -> None:
    metric = table("running late\tdelayed", stages=("exact", "stem", "paraphrase"))
    assert one(metric, "Running late", "delayed") == pytest.approx(1 - 0.5 / 1.5**3)


def test_samples_with_phrases_are_scored_as_alone(table: Callable[..., Meteor]) -> None:
    # The first and third have words left over on one side only, after equal words were matched.
    metric = table("next to\tbeside", "bike\tbicycle")
    answers = ["a bike", "bike beside it", "a", "next to a bike", ""]
    references = ["a", "bicycle next to it", "a bicycle beside", "beside a bicycle", "bicycle"]
    together = metric.statistics(texts(answers, [[text] for text in references])).values
    alone = [metric.statistics(texts([a], [[r]])).values[0] for a, r in zip(answers, references, strict=True)]
    assert np.array_equal(together, alone)
    assert together[:, COLUMNS.index("missing")].tolist() == [0, 0, 2, 0, 1]


def test_table_with_commas_quotes_and_a_mark(table: Callable[..., Meteor]) -> None:
    metric = table('\ufeff"next, to",beside', "", "Bike,bicycle", name="table.CSV")
    assert rows(metric, "next, to a bike", "beside a bicycle")["missing"] == 0


def test_signature_names_the_table_by_its_content(table: Callable[..., Meteor], tmp_path: Path) -> None:
    data = texts(["a bike"], [["a bicycle"]])
    settled = table("bike\tbicycle").statistics(data).settled["paraphrases"]
    assert settled.startswith("sha256:")
    assert len(settled) == 71
    assert table("bike\tbicycle", name="elsewhere.tsv").statistics(data).settled["paraphrases"] == settled
    assert table("bike\tcycle").statistics(data).settled["paraphrases"] != settled


@pytest.mark.parametrize(
    ("lines", "name", "message"),
    [
        (
            ["bike\tbicycle", "", "next to"],
            "table.tsv",
            "table.tsv:3: columns found: 1, expected 2: write a phrase, a tab, and what may stand for it",
        ),
        (
            ["bike,bicycle,cycle"],
            "table.csv",
            "table.csv:1: columns found: 3, expected 2: write a phrase, a comma, and what may stand for it",
        ),
        (
            ["a\tb", "  \tc"],
            "t.tsv",
            "t.tsv:2: a phrase of 0 words, expected 1 to 20; shorten the phrase or take the line out",
        ),
        (
            [f"b\t{'a ' * 21}"],
            "t.tsv",
            "t.tsv:1: a phrase of 21 words, expected 1 to 20; shorten the phrase or take the line out",
        ),
        (["a,b", '"c,d'], "t.csv", "t.csv:2: this is no CSV: unexpected end of data; check its quotes"),
        ([" ", ""], "t.tsv", "t.tsv: the table is empty; write a pair of phrases a line, or leave the stage out"),
    ],
)
def test_malformed_table_names_its_line(
    table: Callable[..., Meteor], lines: list[str], name: str, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        table(*lines, name=name).statistics(texts(["a"], [["a"]]))
    assert str(caught.value) == message


def test_unreadable_table_is_named(tmp_path: Path) -> None:
    data = texts(["a"], [["a"]])
    with pytest.raises(DataError, match=r"^none\.tsv: there is no such file; check the path, it is relative to the"):
        Meteor(stages=("paraphrase",), paraphrases=str(tmp_path / "none.tsv")).statistics(data)
    with pytest.raises(DataError, match=r": this is a folder, where a file is due; name a file in it$"):
        Meteor(stages=("paraphrase",), paraphrases=str(tmp_path)).statistics(data)
    (tmp_path / "latin.tsv").write_bytes(b"a\tb\nf\xfcr\tc\n")
    with pytest.raises(DataError, match=r"^latin\.tsv:2: byte 0xfc is not UTF-8 text; save the file as UTF-8$"):
        Meteor(stages=("paraphrase",), paraphrases=str(tmp_path / "latin.tsv")).statistics(data)


def test_hostile_table_costs_no_more_than_its_length(table: Callable[..., Meteor]) -> None:
    # Phrases of one word many times over, each of which may stand for every other, in a text of nothing else.
    phrases = [" ".join(["a"] * size) for size in range(1, 21)]
    others = [" ".join(["b"] * size) for size in range(1, 21)]
    metric = table(*(f"{phrase}\t{other}" for phrase in phrases for other in others))
    found = rows(metric, "a " * 20_000, "b " * 20_000)
    assert (found["missing"], found["extra"]) == (0, 0)


# --- synonyms


@pytest.fixture(scope="module")
def nltk_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of NLTK with the WordNet that is installed."""
    folder = tmp_path_factory.mktemp("nltk_data", numbered=True)
    wordnet = folder / "corpora" / "wordnet"
    wordnet.mkdir(parents=True, mode=0o755)
    for name, content in find_wordnet()._contents.items():
        (wordnet / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def reader(nltk_data: Path) -> Any:
    """NLTK's own reader of it."""

    class Reader(WordNetCorpusReader):  # type: ignore[misc]  # nltk has no types
        def open(self, file: str) -> Any:
            # Names of the lexicographers' files, which Debian's packages lack; they bear on no synonym.
            names = "".join(f"{i:02}\tname\t1\n" for i in range(45))
            return io.StringIO(names) if file == "lexnames" else super().open(file)

        def map_wn(self, version: str = "wordnet") -> None:
            """Numbers of synsets in other versions: NLTK would download them."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nltk.data, "path", [str(nltk_data)])
        with pytest.warns(UserWarning, match="multilingual"):
            found = Reader(nltk.data.find("corpora/wordnet"), None)
        for pos in "nvar":
            found._data_file(pos)  # files are opened when they are first asked for, and in NLTK's folders only
    return found


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Path], None]:
    """Makes a folder of NLTK's data the only place where WordNet may be."""

    def look(folder: Path) -> None:
        monkeypatch.setattr(_wordnet, "SYSTEM", tmp_path / "no system")
        monkeypatch.setattr(_wordnet, "_data_folders", lambda: [folder])

    return look


@pytest.mark.wordnet
def test_synonyms_are_those_of_nltk(reader: Any) -> None:
    entries = sorted({word for part in find_wordnet()._parts for word in part.index.keys() | part.exceptions.keys()})
    rules = {("", ""), *(rule for rules in ENDINGS.values() for rule in rules)}
    inflected = [
        "glasses",
        "bailifves",
        "boxes",
        "waltzes",
        "benches",
        "dishes",
        "firemen",
        "flies",
        "baked",
        "lying",
        "bigger",
        "nicest",
        "geese",
    ]
    # NLTK takes half a minute for all; on those they were compared once
    parts = {part for entry in entries[::1500] for part in (entry, *entry.split("_"))}
    words = [
        *inflected,
        *(part.removesuffix(base) + end for part in parts for end, base in rules if part.endswith(base)),
    ]
    for word in words:
        names = {name for synset in reader.synsets(word) for name in synset.lemma_names()}
        assert find_wordnet().synonyms(word) == tuple(sorted(name for name in names - {word} if "_" not in name))


@pytest.mark.wordnet
@pytest.mark.parametrize("word", ["", "qwertz", "\ud800", "\x00", " ", "s", "ing", "x" * 100_000, "xs" * 50_000])
def test_what_is_no_word_has_no_synonym(word: str) -> None:
    assert word == "s" or find_wordnet().synonyms(word) == ()


@pytest.mark.wordnet
def test_markers_of_adjectives_are_left_out() -> None:
    assert "galore" in find_wordnet().synonyms("abounding")  # the file has galore(ip)


@pytest.mark.wordnet
def test_synonyms_match(reader: Any) -> None:
    # "auto" is in one synset with "car"; "a" by form: 2 of 2 words, one chunk
    assert one(Meteor(), "an auto", "an car") == pytest.approx(1 - 0.5 / 8)
    assert one(PLAIN, "an auto", "an car") < 0.3
    # As in NLTK, the stemmer has made "automobil" of it, which WordNet does not know.
    assert one(Meteor(), "an automobile", "an car") == one(PLAIN, "an automobile", "an car")
    assert one(Meteor(stages=("exact", "synonym")), "an automobile", "an car") == pytest.approx(1 - 0.5 / 8)
    assert theirs(["an automobile"], [["an car"]], stages=("exact", "stem", "synonym"), wordnet=reader)[0] < 0.3


@pytest.mark.wordnet
def test_statistics_state_the_wordnet(tmp_path: Path) -> None:
    settled = Meteor().statistics(texts(["an auto"], [["a car"]])).settled
    wordnet = find_wordnet()
    assert settled["wordnet"] == f"{wordnet.version} sha256:{wordnet.digest[:12]}"
    assert wordnet.version[0] in "23"
    assert "wordnet" not in PLAIN.statistics(texts(["an auto"], [["a car"]])).settled
    assert EXACT.statistics(texts(["an auto"], [["a car"]])).settled == {}


@pytest.mark.wordnet
@settings(deadline=None)
@given(answer=sentence, references=st.lists(spoken, min_size=1, max_size=3), data=st.data())
def test_made_text_scores_as_in_nltk_with_synonyms(
    reader: Any, answer: str, references: list[str], data: st.DataObject
) -> None:
    chosen = data.draw(st.sets(st.sampled_from(("exact", "stem"))))
    stages: tuple[StageName, ...] = tuple(
        stage for stage in ("exact", "stem", "synonym") if stage in chosen or stage == "synonym"
    )
    expected = theirs([answer], [references], stages=stages, wordnet=reader)[0]
    assert_allclose(one(Meteor(stages=stages), answer, *references), expected, atol=1e-12)


@pytest.mark.wordnet
def test_defaults_are_those_of_nltk(reader: Any) -> None:
    answer, references = (
        "A man rode his bike past two parked autos.",
        ["a person riding a bicycle past cars", "two cars"],
    )
    split = [wordpunct_tokenize(text) for text in (answer, *references)]
    expected = oracle.meteor_score(split[1:], split[0], wordnet=reader)
    assert one(Meteor(), answer, *references) == pytest.approx(expected, abs=1e-12)
    expected = oracle.meteor_score(split[1:], split[0], wordnet=reader, alpha=0.8, beta=1.5, gamma=0.3)
    assert one(Meteor(alpha=0.8, beta=1.5, gamma=0.3), answer, *references) == pytest.approx(expected, abs=1e-12)


@pytest.mark.wordnet
@pytest.mark.real_data
def test_real_captions_score_as_in_nltk(reader: Any) -> None:
    answers, references = captions()
    given_, accepted = answers[::10], references[::10]  # NLTK takes 12 s for all
    expected = [
        oracle.meteor_score([wordpunct_tokenize(text) for text in texts], wordpunct_tokenize(answer), wordnet=reader)
        for answer, texts in zip(given_, accepted, strict=True)
    ]
    assert_allclose(Meteor().statistics(texts(given_, accepted)).column("meteor"), expected, atol=1e-12)
    expected_plain = theirs(given_, accepted, stages=("exact", "stem"))
    assert_allclose(PLAIN.statistics(texts(given_, accepted)).column("meteor"), expected_plain, atol=1e-12)
    whole = evaluate(PLAIN, texts(answers, references))["meteor"]
    assert whole == pytest.approx(0.5497509925, abs=1e-9)  # NLTK 3.10.4 over all 5 000; no WordNet's version enters


def test_missing_wordnet_is_unmeasurable(elsewhere: Callable[[Path], None], tmp_path: Path) -> None:
    elsewhere(tmp_path)
    with pytest.raises(UnmeasurableError) as caught:
        Meteor().statistics(texts(["an auto"], [["a car"]]))
    assert str(caught.value) == (
        "WordNet: it is not installed, and the stage synonym of meteor needs it; install it by "
        "'python -m nltk.downloader wordnet', or by 'apt-get install wordnet-base wordnet-sense-index', or leave the "
        "stage out, as stages: [exact, stem]"
    )


@pytest.mark.wordnet
def test_wordnet_is_found_in_nltk_data_zipped_or_not(
    nltk_data: Path, elsewhere: Callable[[Path], None], tmp_path: Path
) -> None:
    installed = find_wordnet()
    assert {"auto", "automobile", "machine", "motorcar"} <= {*installed.synonyms("car")}
    (tmp_path / "corpora").mkdir(mode=0o755)
    with zipfile.ZipFile(tmp_path / "corpora" / "wordnet.zip", "w") as archive:
        for name in FILES:
            archive.write(nltk_data / "corpora" / "wordnet" / name, f"wordnet/{name}")
    for folder in (nltk_data, tmp_path):
        elsewhere(folder)
        found = find_wordnet()
        assert found.place.is_relative_to(folder)
        assert found.digest == installed.digest
        assert found.synonyms("car") == installed.synonyms("car")


def test_folders_are_those_of_nltk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NLTK_DATA", raising=False)
    found = [str(folder) for folder in _wordnet._data_folders()]
    assert [folder for folder in nltk.data.path if folder in found] == found
    monkeypatch.setenv("NLTK_DATA", os.pathsep.join(["/one", "", "/two"]))
    assert [str(folder) for folder in _wordnet._data_folders()] == ["/one", "/two", *found]


@pytest.mark.wordnet
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("index.adv", None, r"cannot be read \("),
        ("data.noun", b"", r"is damaged \(data.noun is empty\)"),
        ("index.adv", b"", r"is damaged \(index.adv is empty\)"),
        ("data.noun", b"x", r"is damaged \(no synset at \d+, at 'an'\)"),
        ("index.noun", b"an n x 1\n", r"is damaged \(0 synsets of x in an index, at 'an'\)|is damaged \(invalid"),
        ("index.noun", b"an n 1\n", r"is damaged \(not enough values to unpack.*, at 'an'\)"),
        ("index.noun", b"an n 2 0 2 0 00001740\n", r"is damaged \(1 synsets of 2 in an index, at 'an'\)"),
        ("index.noun", b"\xff n 2 0 2 0 00001740\n", r"is damaged \('utf-8' codec"),
    ],
)
def test_damaged_wordnet_is_unmeasurable(
    nltk_data: Path,
    tmp_path: Path,
    elsewhere: Callable[[Path], None],
    name: str,
    content: bytes | None,
    message: str,
) -> None:
    folder = tmp_path / "corpora" / "wordnet"
    shutil.copytree(nltk_data / "corpora", tmp_path / "corpora")
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    elsewhere(tmp_path)
    with pytest.raises(UnmeasurableError, match=rf"wordnet: this WordNet {message}.*; remove it, and install it by "):
        Meteor().statistics(texts(["an auto"], [["a car"]]))


def test_broken_archive_is_unmeasurable(tmp_path: Path, elsewhere: Callable[[Path], None]) -> None:
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "wordnet.zip").write_bytes(b"PK")
    elsewhere(tmp_path)
    with pytest.raises(
        UnmeasurableError, match=r"wordnet\.zip: this WordNet cannot be read \(.*\); remove it, and install it by "
    ):
        Meteor().statistics(texts(["an auto"], [["a car"]]))


# --- gates


def test_gate_names_its_table_relative_to_itself(
    pytester: pytest.Pytester, record: Callable[..., dict[str, Any]]
) -> None:
    write_answers(pytester.path)
    (pytester.path / "gates").mkdir()
    (pytester.path / "gates" / "table.tsv").write_text("one sees\tthere is\n", encoding="utf-8")
    (pytester.path / "gates" / "vqa.gate.yaml").write_text(
        "vigate: 1\n"
        "data: {predictions: ../answers.jsonl, references: ../accepted.jsonl}\n"
        "metrics:\n  meteor: {stages: [exact, stem, paraphrase], paraphrases: table.tsv}\n"
        "thresholds:\n  meteor.meteor: {min: 40%}\n",
        encoding="utf-8",
    )
    found = json.dumps(record())
    assert "paraphrases:sha256:" in found
    assert str(pytester.path / "gates" / "table.tsv") not in found
