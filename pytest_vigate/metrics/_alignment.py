"""Which words of an answer stand for which words of a reference: METEOR's stages, over all pairs of texts at once.

A stage matches what the stages before it left over. It goes through an answer from its end and takes the last word of
the reference that is still free, which is the order of NLTK 3.10; whether a word finds one depends on no other pair,
so equal words are matched by sorting. Texts are numbers throughout: of words, of texts, of pairs of texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.metrics._stemming import stem
from pytest_vigate.metrics._tokens import Tokens, runs

#: Words of both sides aligned at once; some 300 MB.
BLOCK = 1_000_000


class Vocabulary:
    """Words and their numbers.

    Args:
        words: The first of them, each once.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words = list(words)
        self.numbers = {word: i for i, word in enumerate(self.words)}
        self._stems: dict[int, int] = {}

    def number(self, word: str) -> int:
        """The number of a word, which gets one now if it has none."""
        found = self.numbers.setdefault(word, len(self.words))
        if found == len(self.words):
            self.words.append(word)
        return found

    def stemmed(self, words: Int) -> Int:
        """The stems of words; each word is stemmed once."""
        distinct, places = np.unique(words, return_inverse=True)
        stems = self._stems
        for word in distinct.tolist():
            if word not in stems:
                stems[word] = self.number(stem(self.words[word]))
        return np.array([stems[word] for word in distinct.tolist()], dtype=np.int64)[places]


@dataclass(frozen=True, slots=True, eq=False)
class Left:
    """Words of one side that no stage has matched yet, by pair and then by place."""

    pair: Int
    place: Int  # in its text
    word: Int  # as the coming stage reads it: the stem, once words were stemmed
    written: Int  # as the text has it

    def take(self, rows: Bool) -> Left:
        """Some of them."""
        return Left(self.pair[rows], self.place[rows], self.word[rows], self.written[rows])

    def codes(self, size: int) -> Int:
        """One number for pair and word; `size` is larger than any word."""
        return self.pair * size + self.word


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Phrases of an answer that stand for phrases of its reference; of one word each, except for paraphrases."""

    pair: Int
    place: Int  # of the first word, in the answer
    size: Int  # words of it
    reference_place: Int
    reference_size: Int

    @staticmethod
    def of_words(answer: Left, reference: Left, rows: tuple[Int, Int]) -> Matches:
        """Single words that stand for each other."""
        ones = np.ones(len(rows[0]), dtype=np.int64)
        return Matches(answer.pair[rows[0]], answer.place[rows[0]], ones, reference.place[rows[1]], ones)

    @staticmethod
    def joined(parts: Sequence[Matches]) -> Matches:
        """Those of all stages, in the order of the answers' words."""
        columns = [np.concatenate(column) for column in zip(*(part.columns for part in parts), strict=True)]
        order = np.lexsort((columns[1], columns[0]))
        return Matches(*(column[order] for column in columns))

    @property
    def columns(self) -> tuple[Int, Int, Int, Int, Int]:
        """The columns in the order of the fields."""
        return self.pair, self.place, self.size, self.reference_place, self.reference_size

    def chunks(self, pairs: int) -> Int:
        """(pairs,) runs of matches that follow one another on both sides."""
        goes_on = np.zeros(len(self.pair), dtype=bool)
        goes_on[1:] = (
            (self.pair[1:] == self.pair[:-1])
            & (self.place[1:] == (self.place + self.size)[:-1])
            & (self.reference_place[1:] == (self.reference_place + self.reference_size)[:-1])
        )
        return np.bincount(self.pair[~goes_on], minlength=pairs)


@dataclass(frozen=True, slots=True)
class Stage:
    """One of METEOR's stages.

    Args:
        match: What is left of answers and references → matches, and the rows of both that they take.
        read: Words of either side as this stage, and every stage after it, reads them.
    """

    match: Callable[[Left, Left], tuple[Matches, Int, Int]]
    read: Callable[[Left], Left] = lambda words: words


def exact_stage(vocabulary: Vocabulary) -> Stage:
    """Equal words."""

    def match(answer: Left, reference: Left) -> tuple[Matches, Int, Int]:
        rows = match_equal(answer, reference, len(vocabulary.words))
        return Matches.of_words(answer, reference, rows), *rows

    return Stage(match)


def stem_stage(vocabulary: Vocabulary) -> Stage:
    """Words of one stem; the stages that follow are left with stems, as in NLTK."""
    return Stage(exact_stage(vocabulary).match, lambda words: replace(words, word=vocabulary.stemmed(words.word)))


def synonym_stage(vocabulary: Vocabulary, synonyms: Callable[[str], Sequence[str]]) -> Stage:
    """The answer's word, or another that may stand for it.

    Args:
        vocabulary: Of the texts.
        synonyms: A word → the other words that it may stand for.
    """

    def match(answer: Left, reference: Left) -> tuple[Matches, Int, Int]:
        words, numbers = vocabulary.words, vocabulary.numbers
        others = {
            word: [word, *(numbers[other] for other in synonyms(words[word]) if other in numbers)]
            for word in np.unique(answer.word).tolist()
        }
        rows = match_synonyms(answer, reference, others, len(words))
        return Matches.of_words(answer, reference, rows), *rows

    return Stage(match)


def match_equal(answer: Left, reference: Left, size: int) -> tuple[Int, Int]:
    """Rows of equal words: of a word that stands several times in both, the last with the last, and so on."""
    codes, wanted = answer.codes(size), reference.codes(size)
    order, wanted_order = np.argsort(codes, kind="stable"), np.argsort(wanted, kind="stable")
    codes, wanted = codes[order], wanted[wanted_order]
    behind = np.searchsorted(codes, codes, side="right") - 1 - np.arange(len(codes))  # equal words that come after
    low, high = np.searchsorted(wanted, codes, side="left"), np.searchsorted(wanted, codes, side="right")
    partner = high - 1 - behind
    found = partner >= low
    return order[found], wanted_order[partner[found]]


def match_synonyms(answer: Left, reference: Left, others: Mapping[int, Sequence[int]], size: int) -> tuple[Int, Int]:
    """Rows of words and what may stand for them: each takes the last free word of the reference that may."""
    codes, wanted = answer.codes(size), reference.codes(size)
    wanted_order = np.argsort(wanted, kind="stable")
    wanted = wanted[wanted_order]
    asked, kind = np.unique(codes, return_inverse=True)  # kinds: a word of a pair
    counts = np.array([len(others[word]) for word in (asked % size).tolist()], dtype=np.int64)
    owner = np.repeat(np.arange(len(asked)), counts)
    meant = np.fromiter(chain.from_iterable(others[word] for word in (asked % size).tolist()), np.int64, len(owner))
    meant += asked[owner] // size * size
    low, high = np.searchsorted(wanted, meant, side="left"), np.searchsorted(wanted, meant, side="right")
    present = high > low
    groups: dict[int, list[int]] = {}  # kind → first rows of the words that it may take
    for number, first in zip(owner[present].tolist(), low[present].tolist(), strict=True):
        groups.setdefault(number, []).append(first)
    end = dict(zip(low[present].tolist(), high[present].tolist(), strict=True))  # behind the last that is free

    row_of = wanted_order.tolist() if groups else []
    taken: list[tuple[int, int]] = []
    bears = np.zeros(len(asked), dtype=bool)
    bears[list(groups)] = True
    rows = np.flatnonzero(bears[kind])[::-1]  # rows of one pair rise with the place
    for row, number in zip(rows.tolist(), kind[rows].tolist(), strict=True):
        best = max(groups[number], key=lambda first: row_of[end[first] - 1] if end[first] > first else -1)
        if end[best] > best:
            end[best] -= 1
            taken.append((row, row_of[end[best]]))
    both = np.array(taken, dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def expand(tokens: Tokens, texts: Int) -> Left:
    """The words of texts, one text a pair."""
    lengths = tokens.lengths[texts]
    pair = np.repeat(np.arange(len(texts)), lengths)
    place = np.arange(len(pair)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    word = tokens.ids[runs(tokens.offsets[texts], lengths)]
    return Left(pair, place, word, word)


def align(tokens: Tokens, texts: tuple[Int, Int], stages: Sequence[Stage]) -> Float:
    """(P, 3) matched words of the answer, matched words of the reference, chunks.

    Args:
        tokens: Words of all texts.
        texts: (P,) text of the answer, and of the reference, of every pair.
        stages: In the order in which they are applied.
    """
    answers, references = texts
    out = np.zeros((len(answers), 3))
    for block in _blocks(tokens.lengths[answers] + tokens.lengths[references]):
        sides = expand(tokens, answers[block]), expand(tokens, references[block])
        pairs = len(answers[block])
        parts = []
        for stage in stages:
            answer, reference = (stage.read(side) for side in _with_both(*sides, pairs))
            matches, rows, reference_rows = stage.match(answer, reference)
            parts.append(matches)
            sides = _without(answer, rows), _without(reference, reference_rows)
        matches = Matches.joined(parts)
        out[block, 0] = np.bincount(matches.pair, matches.size, pairs)
        out[block, 1] = np.bincount(matches.pair, matches.reference_size, pairs)
        out[block, 2] = matches.chunks(pairs)
    return out


def _blocks(lengths: Int) -> Iterator[slice]:
    """Pairs that together stay below the size of a block, or one pair that is longer."""
    ends = np.cumsum(lengths)
    start = 0
    while start < len(lengths):
        done = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + BLOCK, side="right")))
        yield slice(start, stop)
        start = stop


def _with_both(answer: Left, reference: Left, pairs: int) -> tuple[Left, Left]:
    """What is left of pairs that have something left on both sides: no stage finds anything in the others."""
    both = (np.bincount(answer.pair, minlength=pairs) > 0) & (np.bincount(reference.pair, minlength=pairs) > 0)
    return answer.take(both[answer.pair]), reference.take(both[reference.pair])


def _without(side: Left, rows: Int) -> Left:
    left = np.ones(len(side.pair), dtype=bool)
    left[rows] = False
    return side.take(left)
