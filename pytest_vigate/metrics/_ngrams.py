"""n-grams that answers share with their references, counted by numpy over the whole corpus.

An n-gram is a number, made of that of its first n - 1 tokens and that of its last. Numbers are of a sample, so one sort
finds the n-grams of all answers at once, and what is no n-gram of the sample's answer is dropped from its references
before the next order is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.metrics._texts import Pairs
from pytest_vigate.metrics._tokens import Tokens

#: Tokens looked at together: some dozen arrays of this length live at a time, 8 MB each.
CHUNK = 1_000_000


@dataclass(frozen=True, eq=False)
class Corpus:
    """Answers and references as tokens; every distinct text has its tokens once."""

    tokens: Tokens  # m texts
    answers: Int  # (n,) text of every answer
    references: Int  # (g,) text of every reference
    offsets: Int  # (n + 1,) sample i owns references offsets[i]:offsets[i + 1]

    @classmethod
    def of(cls, pairs: Pairs, tokens: Tokens) -> Corpus:
        """The corpus of these texts.

        Args:
            pairs: The texts.
            tokens: Of `pairs.distinct`.
        """
        number = pairs.distinct.__getitem__
        answers = np.fromiter(map(number, pairs.answers), dtype=np.int64, count=len(pairs.answers))
        references = np.fromiter(map(number, pairs.references), dtype=np.int64, count=len(pairs.references))
        return cls(tokens, answers, references, pairs.offsets)


@dataclass(frozen=True, eq=False)
class Shared:
    """n-grams of one order that stand in an answer and in a reference of its sample: one row a pair of the two."""

    gram: Int  # (q,) ascending: a number of the answer's n-gram
    sample: Int  # (q,)
    reference: Int  # (q,)
    asked: Int  # (q,) how often the reference has it
    given: Int  # (q,) how often the answer has it


def clipped(corpus: Corpus, *, order: int) -> Int:
    """BLEU's matches: n-grams of the answer, each no oftener than in the reference that has it most.

    Returns:
        (n, order) counts for n-grams of length 1, 2, … `order`
    """
    found = np.zeros((len(corpus.answers), order), dtype=np.int64)
    for k, shared in _shared(corpus, order):
        first = np.flatnonzero(np.diff(shared.gram, prepend=-1))
        most = np.maximum.reduceat(shared.asked, first)
        np.add.at(found[:, k], shared.sample[first], np.minimum(most, shared.given[first]))
    return found


def overlaps(corpus: Corpus, *, order: int) -> Int:
    """n-grams that every reference shares with its sample's answer, each as often as both have it.

    Returns:
        (g, order) counts for n-grams of length 1, 2, … `order`
    """
    found = np.zeros((len(corpus.references), order), dtype=np.int64)
    for k, shared in _shared(corpus, order):
        np.add.at(found[:, k], shared.reference, np.minimum(shared.asked, shared.given))
    return found


def totals(lengths: Int, *, order: int) -> Int:
    """(m, order) how many n-grams of length 1, 2, … texts of these lengths have."""
    found: Int = np.maximum(lengths[:, None] - np.arange(order), 0)
    return found


def _shared(corpus: Corpus, order: int) -> Iterator[tuple[int, Shared]]:
    """What is shared, order by order, of some samples after others."""
    if not len(corpus.answers):
        return
    lengths, offsets = corpus.tokens.lengths, corpus.offsets
    spent = lengths[corpus.answers] + np.add.reduceat(lengths[corpus.references], offsets[:-1])
    cuts = np.flatnonzero(np.diff(np.cumsum(spent) // CHUNK, prepend=-1)).tolist()
    for low, high in zip(cuts, [*cuts[1:], len(spent)], strict=True):
        first, last = int(offsets[low]), int(offsets[high])
        answers = corpus.tokens.take(corpus.answers[low:high])
        references = corpus.tokens.take(corpus.references[first:last])
        sample = np.repeat(np.arange(high - low), np.diff(offsets[low : high + 1]))  # from this chunk's first
        for k, found in _orders(answers, references, sample, order):
            yield k, Shared(found.gram, found.sample + low, found.reference + first, found.asked, found.given)


def _orders(answers: Tokens, references: Tokens, sample: Int, order: int) -> Iterator[tuple[int, Shared]]:
    """What is shared, order by order; `sample` is that of every reference."""
    text, end = _owners(references)
    answer, answer_end = _owners(answers)
    size = 1 + max(answers.ids.max(initial=0), references.ids.max(initial=0))
    key, asked_key = answer * size + answers.ids, sample[text] * size + references.ids
    place, asked_place = np.arange(len(key)), np.arange(len(asked_key))  # where the n-gram begins
    word, asked_word, words = key, asked_key, 0
    for k in range(order):
        if not len(key) or not len(asked_key):
            return
        names, gram = np.unique(key, return_inverse=True)
        asked_gram = np.minimum(np.searchsorted(names, asked_key), len(names) - 1)
        known = names[asked_gram] == asked_key
        asked_gram, asked_place = asked_gram[known], asked_place[known]
        if k == 0:
            word, words = gram, len(names)
            asked_word = np.full(len(asked_key), -1)
            asked_word[asked_place] = asked_gram
        pair, asked = np.unique(asked_gram * len(sample) + text[asked_place], return_counts=True)
        shared, reference = np.divmod(pair, len(sample))
        given = np.bincount(gram, minlength=len(names))[shared]
        if len(shared):
            yield k, Shared(shared, sample[reference], reference, asked, given)

        held = np.zeros(len(names), dtype=bool)
        held[shared] = True
        longer = held[gram] & (place + k + 1 < answer_end[place])
        place = place[longer]
        key = gram[longer] * words + word[place + k + 1]
        longer = asked_place + k + 1 < end[asked_place]
        asked_place, asked_gram = asked_place[longer], asked_gram[longer]
        following = asked_word[asked_place + k + 1]
        asked_place, asked_key = asked_place[following >= 0], (asked_gram * words + following)[following >= 0]


def _owners(tokens: Tokens) -> tuple[Int, Int]:
    """(t,) the text of every token, and where that text ends."""
    lengths = tokens.lengths
    return np.repeat(np.arange(len(lengths)), lengths), np.repeat(tokens.offsets[1:], lengths)


def agreement(shared: Int, asked: Int, said: Int) -> tuple[Float, Float, Float]:
    """Recall, precision and their harmonic mean, to the last bit as rouge-score computes them: ties decide.

    Args:
        shared: (g,) what answer and reference have in common.
        asked: (g,) what the reference has.
        said: (g,) what the answer has.
    """
    recall, precision = shared / np.maximum(asked, 1), shared / np.maximum(said, 1)
    both = recall + precision
    return recall, precision, np.divide(2 * precision * recall, both, out=np.zeros(len(both)), where=both > 0)
