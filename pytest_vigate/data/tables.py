"""One side before joining: where it is (`Source`) and what a reader makes of it (`Table`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

from pytest_vigate.data.coordinates import Bool, Convention, Float, Int
from pytest_vigate.data.dataset import Texts
from pytest_vigate.data.presets import BoxDeclaration, Preset
from pytest_vigate.data.replies import ParseFailure, ReplyRule
from pytest_vigate.data.syntaxes import JSON, Syntax

Role = Literal["predictions", "references", "training", "hyperparameters", "reported"]

#: How one side's class codes count, where the other side's count from 0.
CodeRule = Literal["one-based", "coco-91"]


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
    declared: BoxDeclaration | None = None
    """What the gate says about the boxes; `readers.load` makes `boxes` and `preset` of it."""
    boxes: Convention | None = None
    """Declared box convention; None leaves it to the format."""
    preset: Preset | None = None
    """Declared way to read boxes out of replies; None leaves it to the format."""
    presets: Mapping[str, Preset] = field(default_factory=dict, compare=False, repr=False)
    """All that are registered, by name, for hints: `readers.load` writes them."""
    replies: ReplyRule = "strict"
    syntax: Syntax = JSON
    """What replies and references are written in, for those who want documents."""
    labels_map: Mapping[str, str] | CodeRule = field(default_factory=dict, hash=False)
    """This side's label, or category code as text, → the label that both sides know; or how the codes count."""
    sums: dict[Path, str] = field(default_factory=dict, compare=False, repr=False)
    """SHA-256 of every file that was read, size of every picture: `readers.load` begins it anew, `files.read_bytes` and
    `pictures.read_size` write it."""

    @property
    def framed(self) -> bool:
        """Whether boxes are pixels of the model's input, whose size the records may state."""
        stated = bool({"input_width", "input_height"} & self.fields.keys())
        return stated or (self.boxes is not None and self.boxes.framed)


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
    base: int | None = None
    """The number that the format's codes count from; None where it leaves that to the file."""
    phrases: bool = False
    """Labels are free phrases (grounding), not categories."""
    failures: Mapping[int, ParseFailure] | None = None
    """Records whose reply is malformed, and why; some boxes of it may be here. None where boxes are no replies."""
    preset: Preset | None = None
    """What read them out of replies; None where boxes are no replies."""
    places: Callable[[int], str] | None = None
    """Where box ``j`` stands in its file; None leaves it to the record's place."""

    def take(self, rows: Int) -> RawBoxes:
        """Some of the boxes, in the order of `rows`; what is known of the records stays."""
        places = self.places
        return replace(
            self,
            numbers=self.numbers[rows],
            sample=self.sample[rows],
            label=self.label[rows],
            score=self.score[rows],
            crowd=self.crowd[rows],
            area=None if self.area is None else self.area[rows],
            places=None if places is None else lambda j: places(int(rows[j])),
        )


def no_column(_: str) -> None:
    """The `Table.attribute` of a format whose records have no further fields."""


def no_names() -> tuple[str, ...]:
    """The `Table.field_names` of a format whose records have no further fields."""
    return ()


class Question(NamedTuple):
    """What was asked, white space aside."""

    text: str
    about: str | None
    """The picture, or else the conversation: its other questions are those that this one may be taken for."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What a reader gives: one side, its records in file order.

    `keys` holds the ways in which records may be named, most specific first: the join uses the first name of
    the predictions that the references have too, and under which both have an id in common. ``id`` is the
    record's own or declared id, ``image`` the picture's file name, ``stem`` that name without folder and ending.
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
    in_replies: bool = False
    """The boxes are read out of the replies; deriving them then raises nothing."""
    sizing: str = "give the records width and height"
    """What a person does so that `sizes` are known."""
    frames: Float | None = None  # (n, 2) width and height of the model's input, NaN where unknown; None without any
    categories: Mapping[str, str] = field(default_factory=dict)
    """Category code → name, for the other side's codes."""
    find_answer: Callable[[str], str | ParseFailure] | None = None
    """Takes the answer out of what the reply rule leaves of a reply; None where that is the answer."""
    derive_texts: Callable[[], Texts] | None = None
    """Makes what each record of the references accepts, on first use; None where they hold no texts."""
    documents: Callable[[], Sequence[object]] | None = None
    """Makes what each record holds as a value, on first use: a text is still to be parsed, anything else is a document,
    null is none. None where only `replies` or `derive_texts` could be documents."""
    text_field: str = ""
    """Field of the replies or texts that was read: one file may hold both sides."""
    textual: Bool | None = None
    """(n,) which records hold texts, where the others hold boxes; None where all are alike."""
    questions: tuple[Question | None, ...] | None = None
    """What the records answer, where they say it."""
    id_of: str = ""
    """What the ids of a format are those of, as ``question_id``; empty where that is not known."""
    id_fields: Callable[[], tuple[str, ...]] | None = None
    """Names that an id may be made of; None for all `field_names`."""
    counterpart: Callable[[], Table] | None = None
    """The references, where the records of these predictions hold them too."""

    def __len__(self) -> int:
        return len(self.sizes)

    def with_counterpart(
        self,
        text_field: str,
        derive_texts: Callable[[], Texts] | None,
        documents: Callable[[], Sequence[object]] | None = None,
    ) -> Table:
        """These predictions with the references that their records hold too, if they hold any."""
        if derive_texts is None:
            return self
        references = replace(
            self,
            source=replace(self.source, role="references", replies="strict"),  # the rule is the replies'
            replies=None,
            derive_boxes=None,
            in_replies=False,
            frames=None,
            find_answer=None,
            derive_texts=derive_texts,
            documents=documents,
            text_field=text_field,
        )
        return replace(self, counterpart=lambda: references)
