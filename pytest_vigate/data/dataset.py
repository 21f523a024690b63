"""Datasets: columns of length n with checked invariants, not lists of objects.

A `Dataset` of n samples has ids, attributes and two sides, `predictions` and `references`. A side has the
parts its files carry; a part is derived when a metric first asks for it, and only once, so that a gate on
texts never stumbles over a malformed box.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.replies import ParseFailure, ReplyRule
from pytest_vigate.data.syntaxes import JSON, Syntax
from pytest_vigate.errors import DataError

if TYPE_CHECKING:
    from pytest_vigate.data.curves import Training
    from pytest_vigate.data.reported import Reported

#: Texts of every sample: of the predictions the one answer, of the references all that are accepted.
Texts = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Boxes:
    """The boxes of one side, ragged: sample ``i`` owns rows ``offsets[i]:offsets[i + 1]``.

    Coordinates are pixels of the original image, half-open (width is ``x2 - x1``). Where no picture of the
    sample has a known size and the format is relative, the frame is the unit square: IoU, ratios and
    matching are the same there, and `area` is NaN because it cannot be known.

    Raises:
        ValueError: If a column has the wrong shape, an offset runs backwards, a coordinate is not finite,
            or a label lies outside the vocabulary.
    """

    xyxy: Float  # (N, 4)
    label: Int  # (N,) index into `vocabulary`
    score: Float  # (N,) NaN where none was given
    crowd: Bool  # (N,) a region that may hold many objects, or that is to be ignored
    area: Float  # (N,) square pixels; NaN where the picture's size is unknown
    offsets: Int  # (n + 1,)
    vocabulary: tuple[str, ...]
    phrases: bool = False
    """Labels are free phrases (grounding), not categories."""
    declared: frozenset[str] | None = None
    """Labels that this side knows, used or not; None where it knows the whole vocabulary."""
    stated: Float | None = None
    """(N, 2) width and height where the format states them: ``x2 - x1`` gives them only to rounding."""

    def __post_init__(self) -> None:
        count = len(self.xyxy)
        if self.xyxy.shape != (count, 4):
            raise ValueError(f"xyxy must be (N, 4), got {self.xyxy.shape}")
        for name in ("label", "score", "crowd", "area"):
            shape = getattr(self, name).shape
            if shape != (count,):
                raise ValueError(f"{name} must be ({count},), got {shape}")
        offsets = self.offsets
        if offsets.ndim != 1 or len(offsets) < 1 or offsets[0] != 0 or offsets[-1] != count:
            raise ValueError(f"offsets must run from 0 to {count}")
        if np.any(np.diff(offsets) < 0):
            raise ValueError("offsets must not run backwards")
        if not np.isfinite(self.xyxy).all():
            raise ValueError("xyxy must be finite")
        if count and not (0 <= self.label.min() and self.label.max() < len(self.vocabulary)):
            raise ValueError(f"label must lie in [0, {len(self.vocabulary)})")

    @cached_property
    def extent(self) -> Float:
        """(N, 2) width and height, negative where a box is inverted."""
        return self.xyxy[:, 2:] - self.xyxy[:, :2] if self.stated is None else self.stated

    @cached_property
    def sample(self) -> Int:
        """Sample index of every box, (N,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def take(self, rows: Int, offsets: Int) -> Boxes:
        """Some of the boxes, in the order of `rows`, as those of the samples that the new `offsets` say."""
        return replace(
            self,
            xyxy=self.xyxy[rows],
            label=self.label[rows],
            score=self.score[rows],
            crowd=self.crowd[rows],
            area=self.area[rows],
            stated=None if self.stated is None else self.stated[rows],
            offsets=offsets,
        )


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a dataset.

    Args:
        file: The file or files it came from, as shown to the user.
        present: (n,) whether the side has a record for the sample; one whose reply would be a document that is parsed
            already, and is null, is none.
        replies: Raw reply texts, one a sample, None where there is none; None if the format has no replies.
        derive_boxes: Makes the boxes on first use; None if the format has no boxes.
        derive_failures: Makes `failures` on first use; None if nothing is read out of replies.
        derive_texts: Makes the texts on first use; None if the format has no texts.
        derive_unread: Makes `unread` on first use; None if texts are not read out of replies.
        derive_notes: Makes the notes on first use; None if there is nothing to note.
        derive_documents: Makes the documents on first use; None if the format has none.
        rule: How the answer is found in a reply.
        syntax: What documents are written in.
    """

    file: str
    present: Bool
    replies: tuple[str | None, ...] | None = None
    derive_boxes: Callable[[], Boxes] | None = field(default=None, repr=False)
    derive_failures: Callable[[], Mapping[int, ParseFailure]] | None = field(default=None, repr=False)
    derive_texts: Callable[[], Texts] | None = field(default=None, repr=False)
    derive_unread: Callable[[], Mapping[int, ParseFailure]] | None = field(default=None, repr=False)
    derive_notes: Callable[[], tuple[str, ...]] | None = field(default=None, repr=False)
    derive_documents: Callable[[], Iterable[object]] | None = field(default=None, repr=False)
    rule: ReplyRule = "strict"
    syntax: Syntax = JSON

    @property
    def parts(self) -> frozenset[str]:
        """Names of the parts that this side can give: ``replies``, ``boxes``, ``texts``, ``documents``."""
        has = {
            "replies": self.replies is not None,
            "boxes": self.derive_boxes is not None,
            "texts": self.derive_texts is not None,
            "documents": self.derive_documents is not None,
        }
        return frozenset(name for name, there in has.items() if there)

    @property
    def answered(self) -> Bool:
        """(n,) whether the side says something of the sample: it has a record, and no reply that is null."""
        if self.replies is None:
            return self.present
        return self.present & np.array([reply is not None for reply in self.replies], dtype=np.bool_)

    @cached_property
    def boxes(self) -> Boxes:
        """The boxes of this side.

        Raises:
            DataError: If the format carries none, or they cannot be placed on the pictures.
        """
        if self.derive_boxes is None:
            raise DataError(self.file, "these records carry no boxes; name the field that holds them under 'fields'")
        return self.derive_boxes()

    @cached_property
    def texts(self) -> Texts:
        """The texts of this side, one list a sample.

        Of the predictions exactly one, the answer: empty where there is none, or none can be taken out of the reply.
        Of the references one at least, and none of them blank.

        Raises:
            DataError: If the format carries none, or a reference is blank.
        """
        if self.derive_texts is None:
            raise DataError(self.file, "these records carry no texts; name the field that holds them under 'fields'")
        return self.derive_texts()

    @cached_property
    def documents(self) -> Iterable[object]:
        """(n,) the documents of this side, to iterate over as often as one likes.

        Of the predictions a value, or a `ParseFailure` where there is no reply or none in the declared syntax. Of the
        references a value each, None where the JSON is ``null``.

        Raises:
            DataError: If the format carries none, or a reference is not in the declared syntax.
        """
        if self.derive_documents is None:
            raise DataError(self.file, "these records carry no replies; name the field that holds them under 'fields'")
        return self.derive_documents()

    @cached_property
    def unread(self) -> Mapping[int, ParseFailure]:
        """Samples of whose reply no answer can be taken, and why."""
        return {} if self.derive_unread is None else self.derive_unread()

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What every verdict on these texts has to say of them."""
        return () if self.derive_notes is None else self.derive_notes()

    @cached_property
    def failures(self) -> Mapping[int, ParseFailure] | None:
        """Samples whose reply is malformed, and why: it may have boxes all the same. None where nothing is read out.

        Boxes are not placed on pictures for it, so that it is there whatever their numbers are.
        """
        return None if self.derive_failures is None else self.derive_failures()


def _silent(_: str) -> None:
    """The `Workspace.tell` of those who have nobody to tell."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """What a metric may use beside the data."""

    cache: Path | None = None
    """Folder, perhaps not there yet, that keeps what is dear to compute from run to run; None to keep nothing."""
    tell: Callable[[str], None] = _silent
    """Shows how far long work has come, on a line that the next call replaces; an empty text clears it."""
    roots: tuple[Path, ...] = ()
    """Resolved folders that every file has to lie in that a metric opens."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Predictions and references, joined by id, in the order of the references.

    Raises:
        ValueError: If a column does not have one entry a sample.
    """

    ids: tuple[str, ...]
    attributes: Mapping[str, tuple[str | None, ...]]
    """Columns to slice by, as text; None where a record lacks the field."""
    predictions: Side
    references: Side
    pictures: Int | None = None
    """(n,) picture of every sample, of which several are on one; None where each is drawn on its own."""
    leads: Bool | None = None
    """(n,) whether the sample is the first of its record; None where every sample is a record, or several."""
    strata: Int | None = None
    """(n,) part of every sample, numbered from 0, where parts are drawn independently; None where there is one."""
    training: Training | None = field(default=None, repr=False)
    """The run, whose logged steps are then the samples."""
    reported: Reported | None = field(default=None, repr=False)
    """Scores from elsewhere, whose file is then the only sample."""
    checkpoints: Checkpoints | None = field(default=None, repr=False)
    """What the model said at every checkpoint; the samples are then those to validate on, and those of the training."""
    workspace: Workspace = field(default=Workspace(), repr=False)

    def __post_init__(self) -> None:
        n = len(self.ids)
        columns: dict[str, Sized] = {
            **self.attributes,
            "predictions": self.predictions.present,
            "references": self.references.present,
        }
        if self.pictures is not None:
            columns["pictures"] = self.pictures
        if self.leads is not None:
            columns["leads"] = self.leads
        if self.strata is not None:
            columns["strata"] = self.strata
        for name, column in columns.items():
            if len(column) != n:
                raise ValueError(f"{name} must have {n} entries, got {len(column)}")

    @cached_property
    def prepared(self) -> dict[object, Any]:
        """What several metrics derive from these columns alone, kept as long as they are."""
        return {}

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Checkpoints:
    """What a model said at each of its checkpoints.

    Args:
        steps: (C,) rising; None for the only one where the gate names no checkpoints.
        validation: What a family that it is given makes of the samples to validate on, (C,) statistics: they are the
            same samples at every checkpoint and in the same order, but only one of them is held at a time.
        train: The same of the samples that the model was trained on, None where a checkpoint has no predictions for
            them; None where the gate names no such samples.
        judged: Index of the checkpoint that is judged.
    """

    steps: tuple[int | None, ...]
    validation: Callable[[Any], tuple[Any, ...]]
    train: Callable[[Any], tuple[Any, ...]] | None
    judged: int
