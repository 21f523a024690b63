"""Character n-grams that answers share with their references: chrF."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import msgspec
import numpy as np

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.metrics._ngrams import Corpus, overlaps, totals
from pytest_vigate.metrics._texts import pairs, unread
from pytest_vigate.metrics._tokens import characters, split_words
from pytest_vigate.metrics.base import Additive, Score, Statistics

#: Stands for what is not there, with `eps_smoothing`.
EPSILON = 1e-16
PUNCTUATION = frozenset(string.punctuation)


@dataclass(frozen=True)
class ChrF(Additive):
    """Agreement of answers with references in characters and their order, in [0, 1]; higher is better.

    Definition:
        ``precisionₙ = match / answer`` and ``recallₙ = match / reference`` of the n-grams of every length, over the
        whole corpus: of characters up to ``char_order``, and of words up to ``word_order``. With P and R their means
        over the lengths that both sides have, ``chrf = (1 + β²) P R / (β² P + R)``; with ``eps_smoothing`` it is the
        mean of these quotients over all lengths. Of several references the one counts whose sentence score is best, of
        equals the first.

    Statistics:
        One row a sample: ``answer_char1``, ``reference_char1``, ``match_char1`` …, and the same of words: n-grams of
        the answer, of its best reference, and of both; those of the answer are 0 where the reference has none of that
        length. ``empty`` (0 or 1).

    Degenerate:
        An empty answer has no n-grams, and those of its first reference count: 0. No length that both sides have: 0.

    Differs from:
        sacrebleu gives percent. Its chrF++ is ``word_order: 2``.

    Sources:
        Popović 2015, 2017. sacrebleu 2.6.0 is the oracle of the tests, to 1e-9.

    Gate:
        ```yaml
        vigate: 1
        data:
          predictions: answers.jsonl
          references: accepted.jsonl
        metrics:
          chrf: {word_order: 2}
        thresholds:
          chrf.chrf: {min: 50%}
        ```
    """

    name: ClassVar[str] = "chrf"
    scores: ClassVar[tuple[Score, ...]] = (
        Score("chrf", "F-score of shared character n-grams, and of word n-grams with word_order"),
    )
    needs: ClassVar[frozenset[str]] = frozenset({"texts"})

    #: length of the longest character n-grams
    char_order: Annotated[int, msgspec.Meta(ge=1, le=16)] = 6
    #: length of the longest word n-grams; 2 is chrF++
    word_order: Annotated[int, msgspec.Meta(ge=0, le=16)] = 0
    #: how many times as much recall counts as precision
    beta: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 2.0
    #: lower-case both sides first
    lowercase: bool = False
    #: white space is a character too
    whitespace: bool = False
    #: average F-scores over all lengths, as NLTK, Moses and chrF++.py do, not precision and recall over those there are
    eps_smoothing: bool = False

    @property
    def _order(self) -> int:
        return self.char_order + self.word_order

    def statistics(self, data: Dataset) -> Statistics:
        texts = pairs(data)
        distinct = [text.lower() for text in texts.distinct] if self.lowercase else [*texts.distinct]
        chars = Corpus.of(texts, characters(distinct, whitespace=self.whitespace))
        parts = [_counts(chars, order=self.char_order)]
        if self.word_order:
            words = Corpus.of(
                texts, split_words(distinct, str.split, lambda words: [_punctuated(word) for word in words])
            )
            parts.append(_counts(words, order=self.word_order))
        counts = np.concatenate(parts, axis=1).astype(float)  # (g, order, 3)
        best = texts.best(self._percent(counts.reshape(len(counts), 3 * self._order)))
        names = [f"char{n}" for n in range(1, self.char_order + 1)] + [
            f"word{n}" for n in range(1, self.word_order + 1)
        ]
        columns = tuple(f"{what}_{name}" for name in names for what in ("answer", "reference", "match"))
        empty = np.array([not answer.strip() for answer in texts.answers], dtype=float)
        return Statistics(
            (*columns, "empty"),
            np.column_stack([counts[best].reshape(len(data), len(columns)), empty]),
            np.arange(len(data)),
            len(data),
            notes=unread(data),
        )

    def per_sample(self, statistics: Statistics) -> Float:
        """(n, 3 · order + 1): the counts, and samples."""
        return np.column_stack([statistics.totals[:, :-1], statistics.owners])

    def formula(self, sums: Float) -> Float:
        found = np.where(sums[:, -1] > 0, self._percent(sums[:, :-1]) / 100, np.nan)
        return found[:, None]

    def faults(self, score: str) -> Mapping[str, str]:
        return {"empty": "empty"}

    def _percent(self, counts: Float) -> Float:
        """(B, 3 · order) → (B,), by sacrebleu's operations in its order: a last bit may say which reference is best."""
        factor = self.beta**2
        score, precisions, recalls, orders = np.zeros((4, len(counts)))
        for k in range(self._order):
            answer, reference, match = counts[:, 3 * k : 3 * k + 3].T
            missing = np.full(len(counts), EPSILON)
            precision = np.divide(match, answer, out=missing.copy(), where=answer > 0)
            recall = np.divide(match, reference, out=missing.copy(), where=reference > 0)
            below = factor * precision + recall
            score += np.divide((1 + factor) * precision * recall, below, out=missing, where=below > 0)
            both = (answer > 0) & (reference > 0)
            precisions[both] += precision[both]
            recalls[both] += recall[both]
            orders += both
        if self.eps_smoothing:
            return 100 * score / self._order
        precisions /= np.maximum(orders, 1)
        recalls /= np.maximum(orders, 1)
        above, below = (1 + factor) * precisions * recalls, factor * precisions + recalls
        return 100 * np.divide(above, below, out=np.zeros(len(counts)), where=below > 0)


def _counts(corpus: Corpus, *, order: int) -> Int:
    """(g, order, 3): n-grams of the answer, of the reference, and of both."""
    lengths = corpus.tokens.lengths
    asked = totals(lengths[corpus.references], order=order)
    given = np.repeat(totals(lengths[corpus.answers], order=order), np.diff(corpus.offsets), axis=0)
    return np.stack([np.where(asked > 0, given, 0), asked, overlaps(corpus, order=order)], axis=2)


def _punctuated(word: str) -> list[str]:
    """One mark off the end of a word, else one off its beginning: chrF++'s rule; of "(hi)" it makes "(hi" and ")"."""
    if len(word) > 1 and word[-1] in PUNCTUATION:
        return [word[:-1], word[-1]]
    if len(word) > 1 and word[0] in PUNCTUATION:
        return [word[0], word[1:]]
    return [word]
