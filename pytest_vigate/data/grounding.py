"""Boxes out of replies: every reply is read by the declared rule and preset, and keeps what is whole in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import numpy as np

from pytest_vigate.data import presets, records
from pytest_vigate.data.coordinates import Convention
from pytest_vigate.data.files import encodable
from pytest_vigate.data.presets import BoxDeclaration, Preset, Reading
from pytest_vigate.data.presets.anything import read_anything
from pytest_vigate.data.records import Vocabulary
from pytest_vigate.data.replies import ParseFailure, ReplyRule, extract, quoted
from pytest_vigate.data.tables import RawBoxes, Source, Table
from pytest_vigate.errors import DataError

#: Boxes in one reply: no picture needs more, and a model stuck in a loop writes any number.
MOST_BOXES = 10_000
#: Replies that other presets are tried on, where the declared one reads no box; and characters of one.
_TRIED = 20
_SHORT = 10_000


def read_reply(reply: str, rule: ReplyRule, preset: Preset) -> Reading:
    """The boxes of a reply, and what is wrong with it.

    Args:
        reply: Raw text of the model.
        rule: How the answer is found in it.
        preset: How the boxes are found in the answer.
    """
    answer = extract(reply, rule)
    if isinstance(answer, ParseFailure):
        whole = preset.read(answer.rest).boxes if answer.rest else ()
        reading = Reading(whole, replace(answer, rest=""))
    else:
        reading = preset.read(answer)
        if reading.failure is not None and reading.failure.rest:
            reading = Reading(reading.boxes, replace(reading.failure, rest=""))
    if len(reading.boxes) > MOST_BOXES:
        many = f"the reply holds {len(reading.boxes)} boxes; more than {MOST_BOXES} are not read"
        return Reading((), ParseFailure(many))
    return reading


def read_boxes(source: Source, replies: Sequence[str | None], *, default: Preset | None = None) -> RawBoxes:
    """The boxes of all replies, a reply a record; one that is missing has none.

    Args:
        source: What they belong to: its preset and convention are the declared ones.
        replies: Raw texts.
        default: The format's own preset, where the gate declares nothing; None if it has none.

    Raises:
        ValueError: If nothing says how the boxes are written.
    """
    preset = source.preset or (default if source.boxes is None else Preset("", source.boxes, read_anything))
    if preset is None:
        raise ValueError("no preset and no convention say how the boxes are written")
    readings = [None if reply is None else read_reply(reply, source.replies, preset) for reply in replies]
    found = [(i, box) for i, reading in enumerate(readings) if reading is not None for box in reading.boxes]
    vocabulary = Vocabulary()
    scores = [np.nan if box.score is None else box.score for _, box in found]
    return RawBoxes(
        records.rows([box.numbers for _, box in found]),
        records.indices([i for i, _ in found]),
        records.indices([vocabulary.index(encodable(box.label.strip())) for _, box in found]),
        np.array(scores, dtype=np.float64),
        np.zeros(len(found), dtype=np.bool_),
        vocabulary.labels,
        source.boxes or preset.convention,
        phrases=True,
        failures={
            i: reading.failure
            for i, reading in enumerate(readings)
            if reading is not None and reading.failure is not None
        },
        preset=preset,
    )


def alternatives(raw: RawBoxes, source: Source) -> tuple[Convention, ...] | None:
    """What the numbers may mean instead: the conventions of the presets that read replies in the same way.

    None for boxes that are no replies.
    """
    read = None if raw.preset is None else raw.preset.read
    if read is None or read == read_anything:
        return None if read is None else ()
    return tuple(BoxDeclaration(name).convention(other) for name, other in source.presets.items() if other.read == read)


def refuse_misfit(table: Table, raw: RawBoxes) -> None:
    """Raise where the preset reads no box at all: it is the wrong one, or nothing is known of this model.

    A reply that says "nothing is here" is no proof that the preset fits: many dialects say it in the same words.

    Raises:
        DataError: If no reply has a box, and most of them failed, or one that did is read in another way.
    """
    failures, preset = raw.failures, raw.preset
    if not failures or preset is None or len(raw.numbers):
        return
    replies = {i: reply for i, reply in enumerate(table.replies or ()) if reply is not None}
    failed = [replies[i] for i in sorted(failures)]
    likely = _likely([reply for reply in failed if len(reply) <= _SHORT][:_TRIED], table.source, preset)
    if not likely and 2 * len(failed) <= len(replies):
        return
    first = min(failures)
    count = f"any of the {len(replies)} replies" if len(replies) > 1 else "the only reply"
    malformed = f", of which {len(failed)} cannot be read" if len(failed) < len(replies) else ""
    unknown = "declare the preset of the model's dialect, or how the answer is found in its replies"
    raise DataError(
        table.places(first),
        f"{raw.convention} reads no box in {count}{malformed}; in {quoted(replies[first], longest=80)} "
        f"{_reason(failures[first])}; {likely or unknown}",
    )


def _reason(failure: ParseFailure) -> str:
    return "there is none" if failure == presets.NO_BOX else f"the fault is: {failure}"


def _likely(replies: Sequence[str], source: Source, preset: Preset) -> str:
    """The rule, or other presets, that read the replies, as a hint to people; empty where there is none."""
    for rule in get_args(ReplyRule):
        if any(read_reply(reply, rule, preset).boxes for reply in replies):
            return f"they are read where the gate declares replies: {rule}"
    found: dict[Preset, tuple[int, int]] = {}
    for other in presets.builtin():
        if other.read == read_anything:
            continue
        readings = [read_reply(reply, source.replies, other) for reply in replies]
        boxes = [box for reading in readings if reading.failure is None for box in reading.boxes]
        space = other.convention.space
        if boxes and all(space == "pixels" or 0 <= number <= space for box in boxes for number in box.numbers):
            found[other] = (sum(bool(box.label) for box in boxes), len(boxes))
    best = [other for other, count in found.items() if count == max(found.values())]
    if len(best) < 2:
        return "".join(f"the preset {other.name} reads them: boxes: {other.name}" for other in best)
    *names, last = (f"{other.name} ({other.convention.meaning})" for other in best)
    return f"the presets {', '.join(names)} and {last} read them; declare the one of your model"
