"""Scores that another tool computed, by name: reported, not measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_vigate.data.tables import Source


@dataclass(frozen=True, slots=True, eq=False)
class Reported:
    """The scores of a file.

    Args:
        source: What was read, with the sums of the files.
        values: By dotted name as in the file; NaN and infinities stay.
        notes: What every verdict on these scores has to say.
    """

    source: Source
    values: Mapping[str, float]
    notes: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """As shown to the user."""
        return self.source.file


def read_reported(source: Source, *, checkpoint: int | None = None) -> Reported:
    """The scores of a file.

    Raises:
        DataError: If it cannot be read.
    """
    raise NotImplementedError
