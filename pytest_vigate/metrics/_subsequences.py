"""Longest common subsequences of texts in words: their lengths, and the union over lines that ROUGE-Lsum counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import isqrt

import numpy as np

from pytest_vigate.data.coordinates import Int
from pytest_vigate.metrics._tokens import Tokens

#: Tokens that characters can stand for: all code points but the surrogates.
CHARACTERS = 0x110000 - 0x800
#: Words of a line up to which the places of each are kept as one number; beyond, of those that stand in many places.
SHORT_LINE, MANY_PLACES = 4096, 64


def subsequences(tokens: Tokens, left: Int, right: Int) -> Int:
    """(q,) length of the longest common subsequence of texts ``left[i]`` and ``right[i]``."""
    from rapidfuzz.distance import LCSseq
    from rapidfuzz.process import cpdist

    sequences = _sequences(tokens)
    a, b = ([sequences[i] for i in column.tolist()] for column in (left, right))
    found: Int = cpdist(a, b, scorer=LCSseq.similarity, dtype=np.int64)
    return found


def _sequences(tokens: Tokens) -> Sequence[Sequence[object]]:
    """Every text as a string whose characters stand for tokens, or, where those are too few, as a list."""
    flat: Sequence[object] = tokens.ids.tolist()
    if tokens.ids.max(initial=0) < CHARACTERS:
        codes = tokens.ids + 0x800 * (tokens.ids >= 0xD800)  # surrogates are no characters
        flat = codes.astype("<u4").tobytes().decode("utf-32-le")
    return [flat[a:b] for a, b in pairwise(tokens.offsets.tolist())]


class _Line:
    """Where every word of a line stands, as bits of a number."""

    def __init__(self, words: Sequence[int]) -> None:
        self.words = words
        self.places: dict[int, list[int]] = {}
        for i, word in enumerate(words):
            self.places.setdefault(word, []).append(i)
        short = len(words) <= SHORT_LINE
        self._masks = {w: self._mask(w) for w, places in self.places.items() if short or len(places) > MANY_PLACES}

    def mask(self, word: int) -> int:
        """Bit i is set where the word is the i-th of the line."""
        found = self._masks.get(word)
        return self._mask(word) if found is None else found

    def _mask(self, word: int) -> int:
        bits = bytearray(len(self.words) // 8 + 1)
        for place in self.places.get(word, ()):
            bits[place >> 3] |= 1 << (place & 7)
        return int.from_bytes(bits, "little")


class Lines:
    """The lines of an answer, and which of them hold a word."""

    def __init__(self, lines: Sequence[Sequence[int]]) -> None:
        self.lines = [_Line(line) for line in lines]
        self.counts = Counter(word for line in lines for word in line)
        self.holders: defaultdict[int, list[int]] = defaultdict(list)
        for i, line in enumerate(self.lines):
            for word in line.places:
                self.holders[word].append(i)


def union(answer: Lines, reference: Sequence[Sequence[int]]) -> int:
    """Words of the reference in the union of subsequences, each counted as often as the answer has it at most."""
    left = answer.counts.copy()
    hits = 0
    for line in reference:
        own = _Line(line)
        common = [word for word in own.places if word in answer.holders]
        coverable = sum(map(own.mask, common))
        covered = 0
        for i in sorted({i for word in common for i in answer.holders[word]}):
            if covered == coverable:
                break
            other = answer.lines[i]
            if sum(own.mask(word) for word in common if word in other.places) & ~covered:
                covered |= _common(line, other)
        for word in common:
            found = min((own.mask(word) & covered).bit_count(), left[word])
            left[word] -= found
            hits += found
    return hits


def _common(line: Sequence[int], other: _Line) -> int:
    """Which words of the line the longest common subsequence takes, as bits; of several, the one rouge-score takes.

    Rows of the table of lengths are numbers whose bit j is 0 where length j + 1 exceeds length j (Hyyrö 2004). Rows are
    kept at intervals only, and those between are made again when the way back comes to them.
    """
    size = len(other.words)
    full = (1 << size) - 1

    def rows(words: Sequence[int], row: int) -> Iterator[int]:
        for word in words:
            match = row & other.mask(word)
            row = ((row + match) | (row - match)) & full
            yield row

    step = max(64, isqrt(len(line)))
    kept = [full]  # rows 0, step, 2 step, …
    for first in range(0, len(line) - step, step):
        *_, last = rows(line[first : first + step], kept[-1])
        kept.append(last)
    taken, i, j = 0, len(line), size
    while kept and j:
        first = (len(kept) - 1) * step
        row = kept.pop()
        block = [row, *rows(line[first:i], row)]
        while i > first and j:
            if line[i - 1] == other.words[j - 1]:
                i, j = i - 1, j - 1
                taken |= 1 << i
                continue
            here, above = block[i - first], block[i - first - 1]
            below = (1 << (j - 1)) - 1
            # Lengths at (i, j - 1) and (i - 1, j): zeros below those places.
            if j - 1 - (here & below).bit_count() > j - (above & (below << 1 | 1)).bit_count():
                j -= 1
            else:
                i -= 1
    return taken
