"""Texts out of replies and references: one answer a prediction, all accepted ones a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from unicodedata import category

from pytest_vigate.data.coordinates import Int
from pytest_vigate.data.dataset import Texts
from pytest_vigate.data.replies import ParseFailure, extract, holds_thinking
from pytest_vigate.data.tables import Table
from pytest_vigate.errors import DataError


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of predictions, read out of their replies on first use."""

    table: Table
    record: Int
    """(n,) prediction record of every sample, -1 where there is none."""

    @property
    def texts(self) -> Texts:
        """One answer a sample, empty where there is no reply or none can be taken out of it."""
        return self._read[0]

    @property
    def failures(self) -> Mapping[int, ParseFailure]:
        """Samples of whose reply no answer can be taken out, and why."""
        return self._read[1]

    @property
    def notes(self) -> tuple[str, ...]:
        """How many replies are answers though they hold the model's thinking."""
        if self.table.source.replies != "strict":
            return ()
        thinking = sum(map(holds_thinking, (text for texts in self.texts for text in texts)))
        if not thinking:
            return ()
        return (f"replies that hold <think>, taken as they are: {thinking}; declare replies: answer-tag",)

    @cached_property
    def _read(self) -> tuple[Texts, Mapping[int, ParseFailure]]:
        replies = self.table.replies or ()
        texts: list[tuple[str, ...]] = []
        failures: dict[int, ParseFailure] = {}
        for i, record in enumerate(self.record.tolist()):
            reply = replies[record] if record >= 0 else None
            found = "" if reply is None else read_answer(reply, self.table)
            if isinstance(found, ParseFailure):
                failures[i] = found
                found = ""
            texts.append((found,))
        return tuple(texts), failures


def read_answer(reply: str, table: Table) -> str | ParseFailure:
    """The answer in a reply, by the declared rule and then the format's own."""
    found = extract(reply, table.source.replies)
    if isinstance(found, ParseFailure) or table.find_answer is None:
        return found
    return table.find_answer(found)


def blank(text: str) -> bool:
    """Whether a text has no character that could be seen: white space, controls and marks without width are none."""
    return not text[:1].isalnum() and all(category(char) in _UNSEEN for char in text)  # most texts begin so


#: Unicode's separators, controls, marks of format, and halves of characters.
_UNSEEN = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Cs"})


def accepted_texts(table: Table, texts: Sequence[tuple[str, ...]]) -> Texts:
    """The texts that references accept, a list a record.

    Raises:
        DataError: If a record has none, or one that is blank: nothing could be right about it.
    """
    for i, found in enumerate(texts):
        if not found:
            raise DataError(table.places(i), "the record has no reference text; write the answer that is due")
        for text in found:
            if blank(text):
                raise DataError(
                    table.places(i), "a reference text is empty; write the answer that is due, or drop the record"
                )
    return tuple(texts)
