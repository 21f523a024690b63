"""METEOR: words of answers aligned with words of references, by form, stem, synonym and paraphrase."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, get_args

import msgspec
import numpy as np

from pytest_vigate.data.coordinates import Float
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.metrics._alignment import Stage, Vocabulary, align, exact_stage, stem_stage, synonym_stage
from pytest_vigate.metrics._ngrams import Corpus
from pytest_vigate.metrics._paraphrases import paraphrase_stage, read_table
from pytest_vigate.metrics._texts import pairs, unread
from pytest_vigate.metrics._tokens import split_words
from pytest_vigate.metrics._wordnet import find_wordnet
from pytest_vigate.metrics.base import Additive, File, Score, Statistics, ratio

StageName = Literal["exact", "stem", "synonym", "paraphrase"]
STAGES: tuple[StageName, ...] = get_args(StageName)
#: NLTK's, for which the vendor's bands are.
DEFAULT = ("exact", "stem", "synonym")

COLUMNS = (
    "meteor",  # of the reference that fits best; what follows is of the same
    "answers",  # 1
    "words",  # of the answer
    "reference_words",
    "extra",  # words of the answer that stand for nothing in the reference
    "missing",  # words of the reference that nothing in the answer stands for
    "breaks",  # chunks beyond the first: places where the order of matched words is not that of the reference
)

#: NLTK's tokenizer of that name.
_WORDPUNCT = r"\w+|[^\w\s]+"


@dataclass(frozen=True)
class Meteor(Additive):
    """Mean METEOR of answers, in [0, 1]: words found in the reference, penalised for broken order; higher is better.

    Definition:
        The words of an answer are aligned with those of a reference, each with one at most, by the ``stages`` in turn;
        a stage sees what those before it left over. ``exact``: equal words. ``stem``: words of one Porter stem.
        ``synonym``: the reference's word stands in a WordNet synset of the answer's word. With m words matched,
        ``precision = m / words``, ``recall = m / reference_words``,
        ``fmean = precision · recall / (alpha · precision + (1 - alpha) · recall)``; matched words that follow one
        another on both sides form a chunk, ``penalty = gamma · (chunks / m) ** beta``, and an answer's METEOR is
        ``(1 - penalty) · fmean``, the best over its references. ``meteor = sum(meteor) / sum(answers)``.

        ``paraphrase``: phrases of 1 to 20 words of the table ``paraphrases``, two columns of which either may
        stand for the other. A phrase counts where its words follow one another and all are left over; the longest
        of the answer goes first, of equal ones the last, and takes the longest paraphrase that the reference has
        left over, of equal ones the last. All words of both phrases are then matched: precision counts those of the
        answer, recall those of the reference, m in the penalty is the mean of the two, and the two phrases together
        are one match, which continues a chunk as a matched word does.

    Statistics:
        One row a sample, of the reference that fits best: ``meteor``, ``answers`` (1), ``words`` and
        ``reference_words``, of which ``extra`` and ``missing`` are not matched, and ``breaks`` (chunks less one).

    Degenerate:
        An empty answer scores 0, as does one without a match. A perfect answer of m words scores
        ``1 - gamma / m ** beta``, never quite 1. Without WordNet the stage ``synonym`` is unmeasurable, not left out.

    Differs from:
        NLTK 3.10's meteor_score, which has no tokenizer and no stage ``paraphrase``: on the same tokens it is equal to
        1e-9. With NLTK, words are aligned greedily from the end, not with the fewest crossings, and synonyms are
        looked up for what the stemmer left of a word. METEOR 1.5 (Java), which COCO's caption evaluation runs, has
        other weights, parameters and a paraphrase table: its numbers are lower and cannot be compared.

    Sources:
        Banerjee and Lavie 2005; Lavie and Agarwal 2007 (parameters); Denkowski and Lavie 2010 (phrases).
        nltk.translate.meteor_score of NLTK 3.10 is the oracle of the tests.

    Gate:
        ```yaml
        vigate: 1
        data:
          predictions: answers.jsonl
          references: accepted.jsonl
        metrics:
          meteor: {stages: [exact, stem]}
        thresholds:
          meteor.meteor: {min: 40%}
        ```
    """

    name: ClassVar[str] = "meteor"
    scores: ClassVar[tuple[Score, ...]] = (
        Score(
            "meteor",
            "mean METEOR of the answers, each against the reference that fits best",
            bands=((0.60, "excellent"), (0.40, "good"), (0.20, "fair")),
        ),
    )
    needs: ClassVar[frozenset[str]] = frozenset({"texts"})

    #: weight of precision against recall in their mean: at 0.9, recall counts nine times as much
    alpha: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.9
    #: how steeply the penalty rises with fragmentation
    beta: Annotated[float, msgspec.Meta(ge=0)] = 3.0
    #: the largest penalty
    gamma: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    #: wordpunct: runs of letters and runs of signs, as NLTK's tokenizer of that name; none: split on white space
    tokenize: Literal["wordpunct", "none"] = "wordpunct"
    #: how words may match, in this order: exact, stem, synonym (needs WordNet), paraphrase (needs `paraphrases`)
    stages: tuple[StageName, ...] = ("exact", "stem", "synonym")
    #: table of two columns for the stage paraphrase: comma-separated if it ends in .csv, else tab-separated
    paraphrases: File | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stages != tuple(stage for stage in STAGES if stage in self.stages) or not self.stages:
            raise ValueError(f"stages: expected some of {', '.join(STAGES)}, in this order, found {list(self.stages)}")
        if "paraphrase" in self.stages and self.paraphrases is None:
            raise ValueError("stages: paraphrase needs a table of phrases; name it as paraphrases: table.tsv")
        if "paraphrase" not in self.stages and self.paraphrases is not None:
            raise ValueError("paraphrases: no stage reads it; add paraphrase to the end of stages, or leave it out")

    @property
    def configured(self) -> tuple[Score, ...]:
        if (self.alpha, self.beta, self.gamma, self.stages) == (0.9, 3.0, 0.5, DEFAULT):
            return self.scores
        return tuple(replace(score, bands=()) for score in self.scores)

    def statistics(self, data: Dataset) -> Statistics:
        texts = pairs(data)
        split = _wordpunct() if self.tokenize == "wordpunct" else str.split
        # Words are lowered after the split, as NLTK does: lowering can make two characters of one.
        tokens = split_words([*texts.distinct], split, lambda words: [[word.lower()] for word in words])
        vocabulary = Vocabulary(tokens.words)
        settled: dict[str, str] = {}
        stages = [self._stage(name, vocabulary, settled) for name in self.stages]

        corpus = Corpus.of(texts, tokens)
        answer, reference = corpus.answers[texts.sample], corpus.references
        _, first, place = np.unique(
            answer * len(texts.distinct) + reference, return_index=True, return_inverse=True
        )  # pairs of equal texts are aligned once
        aligned = align(tokens, (answer[first], reference[first]), stages)[place]
        matched, reference_matched, chunks = aligned.T
        words, reference_words = tokens.lengths[answer].astype(float), tokens.lengths[reference].astype(float)
        meteor = self._meteor(aligned, words, reference_words)
        best = texts.best(meteor)
        values = np.column_stack(
            [
                meteor,
                np.ones(len(meteor)),
                words,
                reference_words,
                words - matched,
                reference_words - reference_matched,
                np.maximum(chunks - 1, 0),
            ]
        )[best]
        return Statistics(COLUMNS, values, np.arange(len(data)), len(data), settled=settled, notes=unread(data))

    def _stage(self, name: StageName, vocabulary: Vocabulary, settled: dict[str, str]) -> Stage:
        """One stage; what it reads beside the data is entered in `settled`."""
        if name == "exact":
            return exact_stage(vocabulary)
        if name == "stem":
            return stem_stage(vocabulary)
        if name == "synonym":
            wordnet = find_wordnet()
            settled["wordnet"] = f"{wordnet.version} sha256:{wordnet.digest[:12]}"
            return synonym_stage(vocabulary, wordnet.synonyms)
        table = read_table(
            self.paraphrases or "", _wordpunct() if self.tokenize == "wordpunct" else str.split, vocabulary
        )
        settled["paraphrases"] = f"sha256:{table.digest}"
        return paraphrase_stage(table)

    def _meteor(self, aligned: Float, words: Float, reference_words: Float) -> Float:
        """(g,) METEOR of every pair; 0 where nothing matches."""
        matched, reference_matched, chunks = aligned.T
        some = matched > 0
        out = np.zeros(len(aligned))
        precision, recall = matched[some] / words[some], reference_matched[some] / reference_words[some]
        fmean = precision * recall / (self.alpha * precision + (1 - self.alpha) * recall)
        fragmentation = chunks[some] / ((matched + reference_matched)[some] / 2)
        out[some] = (1 - self.gamma * fragmentation**self.beta) * fmean
        return out

    def formula(self, sums: Float) -> Float:
        return ratio(sums[:, 0], sums[:, 1])[:, None]

    def faults(self, score: str) -> Mapping[str, str]:
        return {
            "missing": "words of the reference missing",
            "extra": "words that the reference lacks",
            "breaks": "breaks in the order of words",
        }

    def measures(self, statistics: Statistics, ids: Sequence[str]) -> Mapping[str, Any]:
        sums = dict(zip(statistics.columns, statistics.values.sum(axis=0).tolist(), strict=True))
        shares = {"precision": ("extra", "words"), "recall": ("missing", "reference_words")}
        return {name: 1 - sums[lost] / sums[of] for name, (lost, of) in shares.items() if sums[of]}

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        return tuple(_sentences(measures))


def _sentences(measures: Mapping[str, Any]) -> Iterator[str]:
    """What the matched words tell."""
    if {"precision", "recall"} <= measures.keys():
        yield (
            f"answers have {measures['recall']:.0%} of the words of the reference that fits best, and "
            f"{measures['precision']:.0%} of their own words stand there"
        )


def _wordpunct() -> Callable[[str], list[str]]:
    """NLTK 3.10's wordpunct_tokenize without its limit of five seconds.

    It is written for the package regex, which counts combining marks as letters where re does not. On plain text both
    split alike, and re does it in a third of the time.
    """
    import regex

    plain, any_text = re.compile(_WORDPUNCT).findall, regex.compile(_WORDPUNCT).findall

    def split(text: str) -> list[str]:
        found: list[str] = plain(text) if text.isascii() and text.isprintable() else any_text(text)
        return found

    return split
