"""VQAv2: questions and annotations with ten answers each as references, a results array as predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import msgspec
import numpy as np
from msgspec import Struct

from pytest_vigate.data import naming, records
from pytest_vigate.data.decoding import array_names, decode_document, read_array, renamed
from pytest_vigate.data.files import shown
from pytest_vigate.data.readers import Reader, annotated, first_result
from pytest_vigate.data.records import Identifier, Record
from pytest_vigate.data.tables import Role, Source, Table, no_names
from pytest_vigate.errors import DataError


class Answer(Struct, gc=False):
    """What one person answered."""

    answer: str


class Annotation(Struct, gc=False):
    """A question's answers, in the order of the file: equal ones are so many votes."""

    question_id: Identifier
    answers: list[Answer]
    image_id: Identifier | None = None


class Question(Struct, gc=False):
    """A question."""

    question_id: Identifier
    question: str


class Truth(Struct, gc=False):
    """A file of annotations, of questions, or of both."""

    annotations: list[Annotation] | None = None
    questions: list[Question] | None = None


class Untyped(Struct, gc=False):
    """The annotations of a file, read for what else they say."""

    annotations: list[dict[str, msgspec.Raw]] = []


class Result(Struct, gc=False):
    """The model's answer; null is none."""

    question_id: Identifier
    answer: str | None


_TRUTH = msgspec.json.Decoder(Truth)
_UNTYPED = msgspec.json.Decoder(Untyped)


class Vqa2(Reader):
    """``{"annotations": [{"question_id", "answers": [{"answer"}]}]}``, and results ``[{"question_id", "answer"}]``.

    A path that fits the file of questions too, as ``v2_*_val2014*.json``, adds their wording as ``question``, beside
    the annotations' own fields. A question that the results leave out is unanswered. Results that hold another field of
    a model's words beside ``answer`` name the one that is meant: ``fields: {prediction: answer}``.
    """

    name: ClassVar[str] = "vqa2"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        if role == "predictions":
            return {"question_id", "answer"} <= first_result(head).keys()
        return annotated(path, head) == "answers"

    def read(self, source: Source) -> Table:
        naming.refuse_unknown_fields(source, self.name, ("prediction",) if source.role == "predictions" else ())
        return _read_results(source) if source.role == "predictions" else _read_truth(source)


def _read_truth(source: Source) -> Table:
    wording: dict[str, str] = {}
    ids: list[str] = []
    places: list[str] = []
    texts: list[tuple[str, ...]] = []
    once: dict[str, str] = {}  # few answers are distinct: a text of every kind is kept
    pictures: list[str | None] = []
    annotated_files: list[Path] = []
    for path in source.paths:
        file = shown(source, path)
        truth = decode_document(source, path, _TRUTH)
        if truth.annotations is None and truth.questions is None:
            raise DataError(file, "$: there are no annotations and no questions; name the files that hold them")
        wording.update((str(found.question_id), found.question) for found in truth.questions or ())
        if truth.annotations is not None:
            annotated_files.append(path)
        for j, found in enumerate(truth.annotations or ()):
            ids.append(str(found.question_id))
            places.append(f"{file}: annotations[{j}]")
            pictures.append(None if found.image_id is None else str(found.image_id))
            texts.append(tuple(once.setdefault(given.answer, given.answer) for given in found.answers))
    if not annotated_files:
        raise DataError(
            source.file, "there are questions, and no annotations with their answers; name both files with a glob"
        )
    records.refuse_equal(ids, places.__getitem__, name="question_id")
    accepted = tuple(texts)
    untyped = partial(_records, source, annotated_files, ids, wording)
    return Table(
        source,
        records.keys(source, ids=ids, images=None),
        places.__getitem__,
        np.full((len(ids), 2), np.nan),
        partial(records.column, untyped),
        partial(records.names, untyped),
        derive_texts=lambda: accepted,
        text_field="answers",
        questions=tuple(
            records.question(wording.get(name), picture) for name, picture in zip(ids, pictures, strict=True)
        ),
        id_of="question_id",
        id_fields=no_names,
    )


def _records(
    source: Source, paths: Sequence[Path], ids: Sequence[str], wording: dict[str, str]
) -> Iterator[tuple[str, Record]]:
    """Every annotation without its answers, which are far more than the rest, and with its question."""
    names = iter(ids)
    for path in paths:
        file = shown(source, path)
        for j, entry in enumerate(decode_document(source, path, _UNTYPED).annotations):
            fields: dict[str, object] = {
                name: msgspec.json.decode(raw) for name, raw in entry.items() if name != "answers"
            }
            if (question := wording.get(next(names))) is not None:
                fields[records.QUESTION] = question
            yield f"{file}: annotations[{j}]", fields


def _read_results(source: Source) -> Table:
    own = naming.own_reply(source, "answer", partial(array_names, source))
    decoder = msgspec.json.Decoder(list[renamed(source, Result, {"answer": own})])  # type: ignore[misc]  # made here
    results, place = read_array(source, decoder)
    ids, answers = [str(result.question_id) for result in results], [result.answer for result in results]
    return records.answer_table(source, ids, answers, place, id_of="question_id", text_field=own, pictures=False)
