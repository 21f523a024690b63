"""Boxes between tags: numbers in brackets, pairs, words or cells, and labels between tags of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.presets import NO_BOX, Box, Numbers, Preset, Reading
from pytest_vigate.data.records import decimal
from pytest_vigate.data.replies import ParseFailure, quoted

#: Characters of a coordinate; no model writes longer ones.
_LONGEST_NUMBER = 32
#: Cells of a side of Kosmos-2's grid.
CELLS = 32


class Content(Protocol):
    """Reads what stands between two tags."""

    @property
    def form(self) -> str:
        """How a box looks, for messages."""

    def __call__(self, content: str) -> tuple[list[Numbers], bool]:
        """The boxes of a text, and whether all of it was understood."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Numbers in groups: four that are a box, or two that are a corner.

    Args:
        form: How a box looks, for messages.
        brackets: What stands around a group, opening and closing ones in turn; empty where nothing does.
        size: Numbers of a group.
        comma: Numbers are separated by commas; else by white space.
        more: What else ends a group.
    """

    form: str
    brackets: str = "[]"
    size: int = 4
    comma: bool = True
    more: str = ""

    def __call__(self, content: str) -> tuple[list[Numbers], bool]:
        """The boxes of a text, and whether all of it was understood."""
        groups: list[list[float]] = []
        sound = bool(content.strip()) and all(
            content.count(opening) == content.count(closing)
            for opening, closing in zip(self.brackets[::2], self.brackets[1::2], strict=True)
        )
        for text in content.translate(dict.fromkeys(map(ord, self.brackets + self.more), ";")).split(";"):
            words = text.strip().strip(",").split("," if self.comma else None)
            if not any(word.strip() for word in words):
                continue
            numbers = [number for word in words if (number := _number(word.strip())) is not None]
            if len(numbers) == len(words) == self.size:
                groups.append(numbers)
            else:
                sound = False
        if self.size == 2:
            sound &= len(groups) % 2 == 0
            groups = [[*first, *second] for first, second in zip(groups[::2], groups[1::2], strict=False)]
        return [(first, second, third, fourth) for first, second, third, fourth in groups], sound


def _number(word: str) -> float | None:
    return decimal(word) if len(word) <= _LONGEST_NUMBER else None


@dataclass(frozen=True, slots=True)
class Cells:
    """Kosmos-2's cells of a 32 × 32 grid: upper left and lower right, several pairs with a delimiter between."""

    form: str = "<patch_index_0000><patch_index_0000>"

    def __call__(self, content: str) -> tuple[list[Numbers], bool]:
        """The boxes of a text in fractions of the picture, and whether all of it was understood."""
        pairs = content.split("</delimiter_of_multi_objects/>")
        found = [_CELLS.fullmatch(pair.strip()) for pair in pairs]
        boxes = [_corners_of_cells(int(pair[1]), int(pair[2])) for pair in found if pair is not None]
        inside = [box for box in boxes if box is not None]
        return inside, len(inside) == len(pairs)


_CELLS = re.compile(r"<patch_index_([0-9]{1,4})>\s*+<patch_index_([0-9]{1,4})>")


def _corners_of_cells(first: int, last: int) -> Numbers | None:
    """Fractions of the picture that two cells stand for; None for a cell outside the grid."""
    # patch_index_to_coordinate of transformers 5.23.0, models/kosmos2/processing_kosmos2.py
    if max(first, last) >= CELLS * CELLS:
        return None
    (top, left), (bottom, right) = divmod(first, CELLS), divmod(last, CELLS)
    if left == right or top == bottom:
        return left / CELLS, top / CELLS, (right + 1) / CELLS, (bottom + 1) / CELLS
    return (left + 0.5) / CELLS, (top + 0.5) / CELLS, (right + 0.5) / CELLS, (bottom + 0.5) / CELLS


@dataclass(frozen=True, slots=True)
class Tags:
    """Boxes between two tags; a label between two others belongs to the boxes that follow it.

    Args:
        opening: Before the numbers.
        closing: Behind them.
        boxes: Reads what stands between.
        label: The tags of labels; None where there are none.
    """

    opening: str
    closing: str
    boxes: Content
    label: tuple[str, str] | None = None

    def __call__(self, reply: str) -> Reading:
        return _Walk(self, reply).reading()


class _Walk:
    """One pass over the tags of a reply."""

    def __init__(self, tags: Tags, reply: str) -> None:
        self._tags = tags
        self._reply = reply
        self._boxes: list[Box] = []
        self._failure: ParseFailure | None = None
        self._nothing = False
        self._label = ""
        self._open: tuple[str, int, int] | None = None
        """The tag that is open: its text, where it begins, where it ends."""
        self._waiting: int | None = None
        """Where the label begins that no box has followed yet."""

    def reading(self) -> Reading:
        """What the reply holds."""
        if not self._reply.strip():
            return Reading((), ParseFailure("the reply is empty"))
        tags = self._tags
        pairs = {tags.opening: tags.closing, **({tags.label[0]: tags.label[1]} if tags.label else {})}
        known = re.compile("|".join(map(re.escape, (*pairs, *pairs.values()))))
        for found in known.finditer(self._reply):
            tag = found[0]
            if self._open is not None and tag == pairs[self._open[0]]:
                self._close(found.start())
            elif tag in pairs:
                self._fail_open()
                self._open = (tag, found.start(), found.end())
            elif self._open is None:
                self._fail(f"{tag} closes nothing", found.start())
        self._fail_open()
        if self._waiting is not None:
            self._fail(f"{quoted(self._label)} has no box", self._waiting)
        if self._failure is None and not self._boxes and not self._nothing:
            self._failure = NO_BOX
        return Reading(tuple(self._boxes), self._failure)

    def _close(self, end: int) -> None:
        tag, start, begin = self._open or ("", 0, 0)
        self._open = None
        content = self._reply[begin:end]
        if tag != self._tags.opening:
            if self._waiting is not None:
                self._fail(f"{quoted(self._label)} has no box", self._waiting)
            self._label, self._waiting = content.strip(), start
            return
        boxes, sound = self._tags.boxes(content)
        self._boxes += [Box(self._label, numbers) for numbers in boxes]
        self._nothing |= sound and not boxes
        self._waiting = None
        if not sound:
            self._fail(f"{quoted(content)} holds what is no box, expected {self._tags.boxes.form}", begin)

    def _fail_open(self) -> None:
        if self._open is not None:
            self._fail(f"{self._open[0]} is never closed", self._open[1])

    def _fail(self, cause: str, position: int) -> None:
        self._failure = self._failure or ParseFailure(cause, position)


_CORNERS = Groups("(x1,y1),(x2,y2)", "()", 2)
_LISTS = Groups("[[x1,y1,x2,y2]]")
_THOUSAND = Convention("xyxy", 1000.0)

PRESETS = (
    # QwenLM/Qwen3-VL issue 866; ms-swift 4.6.0
    Preset(
        "qwen2-vl",
        _THOUSAND,
        Tags("<|box_start|>", "<|box_end|>", _CORNERS, ("<|object_ref_start|>", "<|object_ref_end|>")),
    ),
    Preset("qwen-vl", _THOUSAND, Tags("<box>", "</box>", _CORNERS, ("<ref>", "</ref>"))),  # issue 663 there
    # OpenGVLab/InternVL issue 227, internvl_chat/eval/refcoco/evaluate_grounding.py
    Preset("internvl", _THOUSAND, Tags("<box>", "</box>", _LISTS, ("<ref>", "</ref>"))),
    # deepseek-ai/DeepSeek-VL2 issue 100; supervision 0.31.2 detection/vlm.py divides by 999 too
    Preset(
        "deepseek-vl2",
        Convention("xyxy", 999.0),
        Tags("<|det|>", "<|/det|>", _LISTS, ("<|ref|>", "<|/ref|>")),
    ),
    # zai-org/GLM-V README and issue 114: the kind of brackets varies
    Preset(
        "glm-4v",
        _THOUSAND,
        Tags("<|begin_of_box|>", "<|end_of_box|>", Groups("[[x1,y1,x2,y2]]", "[](){}<>")),
    ),
    # OpenBMB/MiniCPM-V issue 982
    Preset("minicpm-v", _THOUSAND, Tags("<box>", "</box>", Groups("x1 y1 x2 y2", "", comma=False))),
    # zai-org/CogVLM issue 25
    Preset("cogvlm", _THOUSAND, Tags("[[", "]]", Groups("[[x1,y1,x2,y2;…]]", more=";"))),
    Preset("kosmos-2", Convention("xyxy", 1.0), Tags("<object>", "</object>", Cells(), ("<phrase>", "</phrase>"))),
)
