"""What families of texts share: answers beside the references that they are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.metrics._failures import some


@dataclass(frozen=True, eq=False)
class Pairs:
    """Answers and references, flat: sample ``i`` owns references ``offsets[i]:offsets[i + 1]``, one at least."""

    answers: tuple[str, ...]  # (n,) empty where there is none
    references: tuple[str, ...]  # (g,)
    offsets: Int  # (n + 1,)

    @cached_property
    def sample(self) -> Int:
        """(g,) sample of every reference."""
        return np.repeat(np.arange(len(self.answers)), np.diff(self.offsets))

    @cached_property
    def distinct(self) -> Mapping[str, int]:
        """Every text once → its number, in the order in which they are first seen; what is dear is done once a text."""
        return {text: i for i, text in enumerate(dict.fromkeys(chain(self.answers, self.references)))}

    def best(self, values: Float) -> Int:
        """(n,) the reference with the largest of the (g,) values in every sample, the first of several."""
        starts = self.offsets[:-1]
        if not len(starts):
            return starts
        most = np.maximum.reduceat(values, starts)
        reached = np.flatnonzero(values == most[self.sample])
        return reached[np.searchsorted(reached, starts)]


def pairs(data: Dataset) -> Pairs:
    """The texts of a dataset, made once for all families.

    Raises:
        DataError: If a reference is blank, or `unit` has taken records together.
    """
    found: Pairs | None = data.prepared.get("pairs")
    if found is None:
        references = data.references.texts
        found = data.prepared["pairs"] = Pairs(
            tuple(texts[0] for texts in data.predictions.texts),
            tuple(chain.from_iterable(references)),
            np.cumsum([0, *map(len, references)], dtype=np.int64),
        )
    return found


def unread(data: Dataset) -> tuple[str, ...]:
    """The note that every verdict on texts carries where answers are empty, or none could be taken out of a reply."""
    failures, notes = data.predictions.unread, [*data.predictions.notes]
    if failures:
        notes.append(f"replies that no answer can be taken out of: {len(failures)}; {some(failures, data.ids)}")
    empty = sum(not answer.strip() and i not in failures for i, answer in enumerate(pairs(data).answers))
    if empty:
        notes.append(f"empty answers, or none at all: {empty}")
    return tuple(notes)
