"""Phrases that may stand for each other: the table that a user names, and METEOR's matching of phrases."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from pytest_vigate.data.coordinates import Int
from pytest_vigate.data.files import read_text
from pytest_vigate.errors import DataError
from pytest_vigate.metrics._alignment import Left, Matches, Stage, Vocabulary

Phrase = tuple[int, ...]

#: Left of a phrase, at most: it bounds the work on hostile texts, and METEOR's own tables stay far below.
LONGEST = 20


@dataclass(frozen=True, slots=True, eq=False)
class Paraphrases:
    """A table of phrases, in numbers of words.

    Args:
        others: Phrase → what may stand for it, longest first.
        digest: SHA-256 of the file.
    """

    others: dict[Phrase, list[Phrase]]
    digest: str


@dataclass(slots=True)
class Node:
    """A word of phrases that begin alike."""

    next: dict[int, Node] = field(default_factory=dict)
    phrase: Phrase | None = None
    """The phrase that ends here."""


def read_table(file: str, tokenize: Callable[[str], list[str]], vocabulary: Vocabulary) -> Paraphrases:
    """A file of two columns: comma-separated where its name ends in ``.csv``, else tab-separated.

    Either phrase may stand for the other. Blank lines are left out, and words are split and lowered as the texts are.

    Raises:
        DataError: If the file cannot be read, or a line has not two phrases of 1 to 20 words.
    """
    path = Path(file)
    text = read_text(path, path.name)
    others: dict[Phrase, dict[Phrase, None]] = {}
    for line, cells in _rows(text, path):
        if len(cells) != 2:
            kind = "comma" if path.suffix.lower() == ".csv" else "tab"
            raise DataError(
                f"{path.name}:{line}",
                f"columns found: {len(cells)}, expected 2: write a phrase, a {kind}, and what may stand for it",
            )
        one, two = (tuple(vocabulary.number(word.lower()) for word in tokenize(cell)) for cell in cells)
        for size in (len(one), len(two)):
            if not 1 <= size <= LONGEST:
                raise DataError(
                    f"{path.name}:{line}",
                    f"a phrase of {size} words, expected 1 to {LONGEST}; shorten the phrase or take the line out",
                )
        others.setdefault(one, {})[two] = None
        others.setdefault(two, {})[one] = None
    if not others:
        raise DataError(path.name, "the table is empty; write a pair of phrases a line, or leave the stage out")
    ordered = {phrase: sorted(found, key=lambda other: (-len(other), other)) for phrase, found in others.items()}
    return Paraphrases(ordered, hashlib.sha256(text.encode()).hexdigest())


def _rows(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of every row that is not blank."""
    if path.suffix.lower() == ".csv":
        reader = csv.reader(text.splitlines(keepends=True), strict=True)
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, cells
        except csv.Error as error:
            raise DataError(f"{path.name}:{reader.line_num}", f"this is no CSV: {error}; check its quotes") from None
    else:
        for line, row in enumerate(text.split("\n"), start=1):
            if row.strip():
                yield line, row.rstrip("\r").split("\t")


def paraphrase_stage(table: Paraphrases) -> Stage:
    """Phrases of which no word is matched yet, and their paraphrases; longest first, and from the end."""
    root = Node()
    for phrase in table.others:
        node = root
        for word in phrase:
            node = node.next.setdefault(word, Node())
        node.phrase = phrase

    def match(answer: Left, reference: Left) -> tuple[Matches, Int, Int]:
        found: list[tuple[int, int, int, int]] = []  # first row and words of both
        cuts = _cuts(answer.pair), _cuts(reference.pair)
        # Pairs that have nothing left on either side were taken out: both sides hold the same pairs.
        for (start, stop), (low, high) in zip(cuts[0], cuts[1], strict=True):
            phrases = list(_phrases(answer, start, stop, root))
            if phrases:
                found += _choose(phrases, list(_phrases(reference, low, high, root)), table)
        rows = np.array(found, dtype=np.int64).reshape(-1, 4)
        first, size, reference_first, reference_size = rows.T
        matches = Matches(
            answer.pair[first], answer.place[first], size, reference.place[reference_first], reference_size
        )
        return matches, _covered(first, size), _covered(reference_first, reference_size)

    return Stage(match)


def _cuts(pair: Int) -> list[tuple[int, int]]:
    """First row, and the one behind the last, of every pair."""
    return list(pairwise([*np.flatnonzero(np.diff(pair, prepend=-1)).tolist(), len(pair)]))


def _covered(first: Int, size: Int) -> Int:
    """All rows of phrases."""
    return np.repeat(first - (np.cumsum(size) - size), size) + np.arange(int(size.sum()))


def _phrases(side: Left, start: int, stop: int, root: Node) -> Iterator[tuple[int, Phrase]]:
    """First row and phrase of all phrases of the table in one text, whose words follow one another in it."""
    words, places = side.written[start:stop].tolist(), side.place[start:stop].tolist()
    for i in range(len(words)):
        node = root
        for j in range(i, len(words)):
            following = node.next.get(words[j])
            if following is None or places[j] - places[i] != j - i:
                break
            node = following
            if node.phrase is not None:
                yield start + i, node.phrase


def _choose(
    phrases: Sequence[tuple[int, Phrase]], reference: Sequence[tuple[int, Phrase]], table: Paraphrases
) -> Iterator[tuple[int, int, int, int]]:
    """Greedily: the longest phrase of the answer takes the longest paraphrase that is free, the last of equal ones."""
    stacks: dict[Phrase, list[int]] = {}
    for row, phrase in reference:
        stacks.setdefault(phrase, []).append(row)
    choices: dict[Phrase, list[Phrase]] = {}
    taken, reference_taken = set[int](), set[int]()
    for row, phrase in sorted(phrases, key=lambda item: (-len(item[1]), -item[0])):
        rows = range(row, row + len(phrase))
        if not taken.isdisjoint(rows):
            continue
        best: tuple[int, int] | None = None  # words and row
        if phrase not in choices:
            choices[phrase] = [other for other in table.others[phrase] if other in stacks]
        for other in choices[phrase]:
            if best is not None and len(other) < best[0]:
                break
            stack = stacks[other]
            while stack and not reference_taken.isdisjoint(range(stack[-1], stack[-1] + len(other))):
                stack.pop()
            if stack and (best is None or stack[-1] > best[1]):
                best = len(other), stack[-1]
        if best is not None:
            taken.update(rows)
            reference_taken.update(range(best[1], best[1] + best[0]))
            yield row, len(phrase), best[1], best[0]
