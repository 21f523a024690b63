"""ROUGE: how much of the references' words, word pairs and word order the answers hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.metrics._ngrams import Corpus, agreement, overlaps
from pytest_vigate.metrics._stemming import stem
from pytest_vigate.metrics._subsequences import Lines, subsequences, union
from pytest_vigate.metrics._texts import Pairs, pairs, unread
from pytest_vigate.metrics._tokens import Tokens, split_words
from pytest_vigate.metrics.base import Additive, Score, Statistics, ratio

TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
COLUMNS = (
    *(f"{kind}{part}" for kind in TYPES for part in ("", "_precision", "_f1")),
    "samples",  # a reference holds a word
    "missed",  # words of the reference that the answer lacks; the one that is best by rouge1_f1
    "invented",  # words of the answer that the reference lacks
    "asked",  # words of the reference
    "said",  # words of the answer
    "short",  # no reference holds two words
)
#: Answers longer or shorter than their references by this factor are worth a sentence.
LENGTHS = (0.67, 1.5)
#: Words have to be longer than this to be stemmed, as in the original ROUGE-1.5.5.
UNSTEMMED = 3

_WORD = re.compile(r"[a-z0-9]+")
_BANDS = ((0.50, "excellent"), (0.30, "good"), (0.15, "fair"))
_WHAT = {
    "rouge1": "words",
    "rouge2": "pairs of adjacent words",
    "rougeL": "words in the same order",
    "rougeLsum": "words in the same order, line by line",
}


@dataclass(frozen=True)
class Rouge(Additive):
    """Share of the references' words that the answers hold (ROUGE), in [0, 1]; higher is better.

    Definition:
        Texts are lower-cased and every run of a–z and 0–9 is a word; with ``stemmer``, words of more than three
        characters are stemmed (Porter). With the words, or pairs of adjacent words, that answer and reference share,
        each counted as often as both have it, ``recall = shared / reference`` (``rouge1``, ``rouge2``),
        ``precision = shared / answer`` and ``f1 = 2 precision recall / (precision + recall)``. ``rougeL`` takes the
        longest common subsequence for what is shared. ``rougeLsum`` does it for lines: a line of the reference shares
        the union of its subsequences with every line of the answer. With several references, the one of the largest
        f1 counts, for each kind of ROUGE alone (``multi: best``), or their mean (``multi: mean``). Scores are means
        over samples. Low recall is an incomplete answer, low precision an invented or rambling one.

    Statistics:
        One row a sample: the twelve scores of the sample; ``samples`` (1, or 0 where no reference holds a word);
        ``missed`` and ``invented`` words, ``asked`` words of the reference and ``said`` words of the answer, against
        the reference that is best by ``rouge1_f1``; ``short`` (1 where no reference holds two words).

    Degenerate:
        An answer without words scores 0. A reference without any of a–z and 0–9 (Chinese, emoji) proves nothing and is
        left out; a sample of such references alone bears on no score, and where there is no other the scores are
        undefined. A reference of one word has no pairs, so that ``rouge2`` is 0 for it, as in rouge-score.

    Differs from:
        rouge-score 0.1.2 only where a reference holds no word: it scores 0. pycocoevalcap's ROUGE_L, which is an
        F-measure with beta 1.2 of the best precision and the best recall over the references.

    Sources:
        Lin 2004; rouge-score 0.1.2 (``score_multi``) is the oracle of the tests, NLTK's PorterStemmer the stemmer of
        both.

    Gate:
        ```yaml
        vigate: 1
        data:
          predictions: answers.jsonl
          references: accepted.jsonl
        metrics:
          rouge: {stemmer: true}
        thresholds:
          rouge.rouge1: {min: 50%}
          rouge.rougeL: {min: 30%}
          rouge.rouge1_precision: {min: 40%, severity: warn}
        ```
    """

    name: ClassVar[str] = "rouge"
    scores: ClassVar[tuple[Score, ...]] = tuple(
        score
        for kind, what in _WHAT.items()
        for score in (
            Score(kind, f"recall of {what}", bands=_BANDS),
            Score(f"{kind}_precision", f"precision of {what}"),
            Score(f"{kind}_f1", f"harmonic mean of precision and recall of {what}"),
        )
    )
    needs: ClassVar[frozenset[str]] = frozenset({"texts"})

    #: whether words are compared by their stems
    stemmer: bool = False
    #: of several references the best by f1, or the mean over them
    multi: Literal["best", "mean"] = "best"

    @property
    def configured(self) -> tuple[Score, ...]:
        if self.multi == "best":
            return self.scores
        return tuple(replace(score, bands=()) for score in self.scores)

    def statistics(self, data: Dataset) -> Statistics:
        found = pairs(data)
        tokens = _read([*found.distinct], stemmer=self.stemmer)
        corpus = Corpus.of(found, tokens)
        wordless = tokens.lengths[corpus.references] == 0
        partly = sum(_loses_letters(found.references[i]) for i in np.flatnonzero(~wordless))
        values = self._rows(found, corpus)
        undefined = {}
        if wordless.all():
            why = "no reference holds any of a-z and 0-9, which is all that ROUGE reads; gate chrf.chrf or answer.anls"
            undefined = {score.name: why for score in self.scores}
        return Statistics(
            columns=COLUMNS,
            values=values,
            sample=np.arange(len(data)),
            n=len(data),
            notes=(*unread(data), *_lost(int(np.count_nonzero(wordless)), partly)),
            undefined=undefined,
        )

    def _rows(self, found: Pairs, corpus: Corpus) -> Float:
        """Values (n, k) of the samples."""
        answers = corpus.answers[found.sample]  # (g,)
        lengths = corpus.tokens.lengths
        asked, said = lengths[corpus.references], lengths[answers]
        single, double = overlaps(corpus, order=2).T
        subsequence = subsequences(corpus.tokens, answers, corpus.references)
        by_line = _by_line(found, corpus, subsequence)
        counted = asked > 0
        usable = np.bincount(found.sample, counted, len(corpus.answers))
        columns = []
        for hits, less in ((single, 0), (double, 1), (subsequence, 0), (by_line, 0)):
            recall, precision, f1 = parts = agreement(hits, asked - less, said - less)
            if self.multi == "best":
                best = found.best(f1)
                columns += [recall[best], precision[best], f1[best]]
            else:
                sums = (np.bincount(found.sample, part * counted, len(usable)) for part in parts)
                columns += [total / np.maximum(usable, 1) for total in sums]
        best = found.best(agreement(single, asked, said)[2])
        there = usable > 0
        missed, invented = asked[best] - single[best], (said[best] - single[best]) * there
        short = there & (np.bincount(found.sample, asked > 1, len(usable)) == 0)
        return np.column_stack([*columns, there, missed, invented, asked[best], said[best] * there, short])

    def formula(self, sums: Float) -> Float:
        samples = sums[:, len(self.scores)]
        return np.column_stack([ratio(sums[:, i], samples) for i in range(len(self.scores))])

    def trials(self, statistics: Statistics) -> Bool:
        bears = statistics.totals[:, COLUMNS.index("samples")] > 0
        return np.repeat(bears[:, None], len(self.scores), axis=1)

    def faults(self, score: str) -> Mapping[str, str]:
        missed, invented = {"missed": "words missed"}, {"invented": "words invented"}
        if score.endswith("_precision"):
            return invented
        return {**missed, **invented} if score.endswith("_f1") else missed

    def caveats(self, statistics: Statistics, score: str) -> Sequence[str]:
        short = int(statistics.column("short").sum())
        if short and score.startswith("rouge2"):
            return (f"samples whose references are single words, which score 0 here whatever the answer: {short}",)
        return ()

    def measures(self, statistics: Statistics, ids: Sequence[str]) -> Mapping[str, Any]:
        return {name: int(statistics.column(name).sum()) for name in ("missed", "invented", "asked", "said")}

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        return tuple(_sentences(**measures))


def _sentences(*, missed: int, invented: int, asked: int, said: int) -> Iterator[str]:
    """What the words themselves tell."""
    if not asked:
        return
    yield f"of {asked} words of the references the answers lack {missed}; of their own {said} words {invented} are new"
    longer = said / asked
    if longer > LENGTHS[1]:
        yield f"answers are {longer:.1f} times as long as their references: ask for shorter ones"
    elif 0 < longer < LENGTHS[0]:
        yield f"answers have {100 * longer:.0f}% of the words of their references: ask for more detail"


def _lost(wordless: int, partly: int) -> Iterator[str]:
    """The note that every verdict carries where the tokenizer drops what references say."""
    if wordless or partly:
        counts = [f"references that hold none of them, and are left out: {wordless}"] if wordless else []
        counts += [f"references that lose other letters: {partly}"] if partly else []
        yield f"ROUGE reads a-z and 0-9 only; {'; '.join(counts)}"


def _loses_letters(text: str) -> bool:
    """Whether the tokenizer drops a letter or a digit."""
    return not text.isascii() and any(mark.isalnum() and not mark.isascii() for mark in text.lower())


def _read(texts: Sequence[str], *, stemmer: bool) -> Tokens:
    """Words of the texts, as rouge-score's tokenizer has them."""
    return split_words(texts, _words, _stems if stemmer else None)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _stems(words: Sequence[str]) -> list[list[str]]:
    return [[word if len(word) <= UNSTEMMED else stem(word)] for word in words]


def _by_line(found: Pairs, corpus: Corpus, subsequence: Int) -> Int:
    """(g,) words of every reference in the union of subsequences; the subsequence itself where texts are one line."""
    lines = {i: counts for i, text in enumerate(found.distinct) if "\n" in text and len(counts := _counts(text)) > 1}
    several = np.zeros(len(found.distinct), dtype=bool)
    several[[*lines]] = True
    answers = corpus.answers[found.sample]
    result = subsequence.copy()
    read: tuple[int, Lines] | None = None
    for i in np.flatnonzero((several[answers] | several[corpus.references]) & (subsequence > 0)).tolist():
        answer, reference = int(answers[i]), int(corpus.references[i])
        if read is None or read[0] != answer:  # an answer meets its references in a row
            read = answer, Lines(_split(corpus.tokens, lines, answer))
        result[i] = union(read[1], _split(corpus.tokens, lines, reference))
    return result


def _counts(text: str) -> list[int]:
    """Words of every line that has any."""
    return [count for line in text.split("\n") if (count := len(_words(line)))]


def _split(tokens: Tokens, lines: Mapping[int, Sequence[int]], text: int) -> list[list[int]]:
    """The words of a text, line by line."""
    ids: list[int] = tokens.ids[tokens.offsets[text] : tokens.offsets[text + 1]].tolist()
    ends = np.cumsum(lines.get(text, [len(ids)])).tolist()
    return [ids[start:end] for start, end in zip([0, *ends], ends, strict=False)]
