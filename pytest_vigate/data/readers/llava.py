"""Conversations of LLaVA and ShareGPT, and OpenAI's messages: every answer in them is a sample."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import msgspec
import numpy as np
from msgspec import Struct

from pytest_vigate.data import naming, records
from pytest_vigate.data.decoding import array_names, decode_lines, read_array
from pytest_vigate.data.files import has_lines
from pytest_vigate.data.readers import Reader, first_record, first_result
from pytest_vigate.data.records import Identifier, Record
from pytest_vigate.data.tables import Role, Source, Table
from pytest_vigate.errors import DataError, did_you_mean


class Part(Struct, gc=False):
    """A piece of a message; one without text is a picture, and the text of others is no word of the message."""

    text: str | None = None
    type: str | None = None


class Message(Struct, rename={"sender": "from"}):
    """A turn: ``from`` and ``value``, or ``role`` and ``content``."""

    sender: str | None = None
    value: str | None = None
    role: str | None = None
    content: str | list[Part] | None = None
    tool_calls: list[object] | None = None


class Picture(Struct, gc=False):
    """A picture as data sets of Hugging Face store it."""

    path: str | None = None


class Conversation(Struct):
    """A record."""

    id: Identifier | None = None
    image: str | list[str] | None = None
    images: list[str | Picture] | None = None
    conversations: list[Message] | None = None
    messages: list[Message] | None = None

    @property
    def picture(self) -> str | None:
        """The picture that the conversation is about; None where it is about several, or none."""
        given: Sequence[str | Picture | None] = self.images or ()
        if self.image is not None:
            given = self.image if isinstance(self.image, list) else (self.image,)
        only = given[0] if len(given) == 1 else None
        return only.path if isinstance(only, Picture) else only


#: Parts that are said, in OpenAI's chat completions and its responses; reasoning and refusals are not.
_SPOKEN = frozenset({"text", "input_text", "output_text"})
_TURNS = "conversations"
_RECORD = msgspec.json.Decoder(Conversation)
_RECORDS = msgspec.json.Decoder(list[Conversation])
_ASKING = frozenset({"human", "user"})
_ANSWERING = frozenset({"gpt", "assistant"})
#: Turns that neither ask nor answer.
_BESIDE = frozenset({"system", "developer", "observation", "function_call", "function", "tool"})
_ROLES = tuple(sorted(_ASKING | _ANSWERING | _BESIDE))
#: Stands in a question for the picture (haotian-liu/LLaVA; LLaMA-Factory 0.9.5).
_IMAGE = "<image>"


class Llava(Reader):
    """``{"id", "image", "conversations": [{"from", "value"}]}`` or ``messages``, an array of such or one a line.

    Every turn of ``gpt`` or ``assistant`` is a sample, and what was asked before it its field ``question``. Where every
    record has one such turn at most, the ids are those of the records; else they carry the turn's number, from 1. Turns
    of predictions are the model's replies; the other side's are what is accepted. Predictions that hold a reply beside
    their turns say which is meant: ``fields: {prediction: conversations}``, or the reply's field with format ``jsonl``.
    """

    name: ClassVar[str] = "llava"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        lines = has_lines(path)
        record = first_record(head) if lines else first_result(head)
        if lines and naming.bears_fields(record, role):
            return False
        return any(_looks_like_turns(record.get(name)) for name in ("conversations", "messages"))

    def read(self, source: Source) -> Table:
        predicted = source.role == "predictions"
        naming.refuse_unknown_fields(source, self.name, ("id", "prediction") if predicted else ("id",))
        lines = all(has_lines(path) for path in source.paths)
        if predicted:
            _refuse_other_replies(source, lines=lines)
        places, found = decode_lines(source, _RECORD) if lines else _array(source)
        untyped = partial(records.line_records if lines else records.array_records, source)
        turns = _all_turns(found, places)
        several = any(len(inner) > 1 for inner in turns)
        pictures = [record.picture for record in found]
        owners = [i for i, inner in enumerate(turns) for _ in inner]
        flat = [turn for inner in turns for turn in inner]
        where = [f"{places[i]}: {turn.place}" if several else places[i] for i, turn in zip(owners, flat, strict=True)]
        names = _names(source, found, places, records.declared_ids(source, untyped))
        ids = names
        if several:
            base = names or [str(picture) for picture in pictures]
            numbers = [k for inner in turns for k in range(1, len(inner) + 1)]
            ids = [records.joined_id((base[i], str(k))) for i, k in zip(owners, numbers, strict=True)]
        images = [pictures[i] for i in owners]
        named = [image for image in images if image is not None]
        expanded = partial(_expanded, untyped, turns, where)
        answers = tuple(turn.answer for turn in flat)
        return Table(
            source,
            records.keys(
                source,
                ids=ids,
                images=named if len(named) == len(images) else None,
                questions=records.question_ids(images, [turn.question for turn in flat]),
            ),
            where.__getitem__,
            np.full((len(flat), 2), np.nan),
            partial(records.column, expanded),
            partial(records.names, expanded),
            answers if predicted else None,
            derive_texts=None if predicted else lambda: tuple(() if text is None else (text,) for text in answers),
            text_field=_TURNS,
            questions=tuple(
                records.question(turn.question, pictures[i], talk=names[i] if names else None)
                for i, turn in zip(owners, flat, strict=True)
            ),
            id_fields=partial(records.names, untyped),
        )


def _refuse_other_replies(source: Source, *, lines: bool) -> None:
    """Raise where records hold a reply beside their turns, which may then be what is due."""

    def names() -> Collection[str]:
        if not lines:
            return array_names(source)
        return dict.fromkeys(name for _, record in records.line_records(source) for name in record)

    advice = "format: jsonl with " if lines else "write one record a line, and declare format: jsonl with "
    own = naming.own_reply(source, _TURNS, names, advice=advice)
    if own not in (_TURNS, "messages"):
        raise DataError(
            source.file,
            f"fields: format 'llava' reads replies out of {_TURNS} or messages; for {own!r}, {advice}"
            f"fields: {{prediction: {own}}}",
        )


def _looks_like_turns(value: object) -> bool:
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    return {"from", "value"} <= value[0].keys() or {"role", "content"} <= value[0].keys()


def _array(source: Source) -> tuple[list[str], list[Conversation]]:
    found, place = read_array(source, _RECORDS)
    return [place(j) for j in range(len(found))], found


@dataclass(frozen=True, slots=True)
class _Turn:
    """An answer, None where there is no text, and the question before it."""

    place: str
    question: str | None
    answer: str | None


def _all_turns(found: Sequence[Conversation], places: Sequence[str]) -> list[list[_Turn]]:
    """The answers of every conversation; of one without any, that there is none."""
    return [_turns(record, where) or [_Turn("", None, None)] for record, where in zip(found, places, strict=True)]


def _turns(record: Conversation, where: str) -> list[_Turn]:
    name = "messages" if record.conversations is None else "conversations"
    messages = record.messages if record.conversations is None else record.conversations
    if messages is None:
        raise DataError(where, "the record has neither 'conversations' nor 'messages'; name a file of conversations")
    turns: list[_Turn] = []
    asked: list[str] = []
    for j, message in enumerate(messages):
        role, text = _spoken(message)
        if role in _ASKING:
            asked += [] if text is None else [text.replace(_IMAGE, "").strip()]
        elif role in _ANSWERING:
            if text is None and message.tool_calls:
                continue
            turns.append(_Turn(f"{name}[{j}]", "\n".join(filter(None, asked)) if asked else None, text))
            asked = []
        elif role not in _BESIDE:
            label = "role" if message.sender is None else "from"
            hint = did_you_mean(role, _ROLES) or f"the roles are {', '.join(_ROLES)}"
            raise DataError(where, f"$.{name}[{j}].{label}: {role!r} is no role; {hint}")
    return turns


def _spoken(message: Message) -> tuple[str, str | None]:
    """Who speaks, and the text."""
    if message.sender is not None:
        return message.sender, message.value
    content = message.content
    if isinstance(content, list):
        spoken = (part.text for part in content if part.type is None or part.type in _SPOKEN)
        content = "\n".join(text for text in spoken if text is not None)
    return message.role or "", content


def _names(
    source: Source, found: Sequence[Conversation], places: Sequence[str], declared: Sequence[str] | None
) -> list[str] | None:
    """Ids of the records; None where these are named by their pictures."""
    if declared is not None:
        return list(declared)
    own = [str(record.id) for record in found if record.id is not None]
    if len(own) == len(found):
        return own
    for record, where in zip(found, places, strict=True):
        if record.picture is None:
            raise DataError(
                where, "the record has no 'id' that all have, and no one picture that names it; give every record an id"
            )
    return None


def _expanded(
    untyped: partial[Iterator[tuple[str, Record]]], turns: Sequence[Sequence[_Turn]], places: Sequence[str]
) -> Iterator[tuple[str, Record]]:
    """The record of every turn, with its question as a field."""
    where = iter(places)
    for (_, record), inner in zip(untyped(), turns, strict=True):
        for turn in inner:
            question = {} if turn.question is None else {records.QUESTION: turn.question}
            yield next(where), {**record, **question}
