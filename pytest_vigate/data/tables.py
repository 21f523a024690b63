"""One side before joining: where it is (`Source`) and what a reader makes of it (`Table`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pytest_vigate.data.coordinates import Bool, Convention, Float, Int
from pytest_vigate.data.replies import ReplyRule

Role = Literal["predictions", "references"]


@dataclass(frozen=True, slots=True)
class Source:
    """Files of one side of a dataset and how the gate declares them to be read."""

    role: Role
    file: str
    """The path as shown to the user, relative to the root."""
    paths: tuple[Path, ...]
    """Resolved files or folders, in order; more than one where the gate gives a glob."""
    roots: tuple[Path, ...]
    """Resolved folders that everything read has to lie in, links followed."""
    format: str | None = None
    """Reader name; None leaves the choice to the readers' own signs."""
    fields: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict, hash=False)
    """Ours → theirs: ``{"id": ("image", "prompt"), "boxes": "objects"}``; dots lead into nested records."""
    boxes: Convention | None = None
    """Declared box convention; None leaves it to the format."""
    replies: ReplyRule = "strict"
    sums: dict[Path, str] = field(default_factory=dict, compare=False, repr=False)
    """SHA-256 of every file that was read: `readers.load` begins it anew, `files.read_bytes` writes it."""


@dataclass(frozen=True, slots=True, eq=False)
class RawBoxes:
    """Boxes as the file has them: numbers in the file's convention, not yet placed on a picture."""

    numbers: Float  # (N, 4) in `convention`
    sample: Int  # (N,) index into the table's ids
    label: Int  # (N,) index into `vocabulary`
    score: Float  # (N,) NaN where none was given
    crowd: Bool  # (N,)
    vocabulary: tuple[str, ...]
    convention: Convention
    area: Float | None = None  # (N,) square pixels where the file states it, as COCO's mask area
    coded: bool = False
    """The vocabulary holds category codes whose names only the other side may know."""
    phrases: bool = False
    """Labels are free phrases (grounding), not categories."""
    unread: Int | None = None
    """Records whose reply gave no boxes because it could not be read; None where boxes are no replies."""
    places: Callable[[int], str] | None = None
    """Where box ``j`` stands in its file; None leaves it to the record's place."""


def no_column(_: str) -> None:
    """The `Table.attribute` of a format whose records have no further fields."""


def no_names() -> tuple[str, ...]:
    """The `Table.field_names` of a format whose records have no further fields."""
    return ()


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What a reader gives: one side, its records in file order.

    `keys` holds the ways in which records may be named, most specific first: the join uses the first name of
    the predictions that the references have too. ``id`` is the record's own or declared id, ``image`` the
    picture's file name, ``stem`` that name without folder and ending.
    """

    source: Source
    keys: Mapping[str, tuple[str, ...]]
    places: Callable[[int], str]
    """``file:line`` (or another place a person can find) of record ``i``, for messages."""
    sizes: Float  # (n, 2) width and height of the original picture in pixels; NaN where unknown
    attribute: Callable[[str], tuple[str | None, ...] | None] = no_column
    """The column of a field by its (dotted) name, as text; None if no record has it. Read from the file when asked."""
    field_names: Callable[[], tuple[str, ...]] = no_names
    """Names that `attribute` knows, for "did you mean"."""
    replies: tuple[str | None, ...] | None = None
    derive_boxes: Callable[[], RawBoxes] | None = None
    categories: Mapping[str, str] = field(default_factory=dict)
    """Category code → name, for the other side's codes."""

    def __len__(self) -> int:
        return len(self.sizes)
