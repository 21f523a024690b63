"""Predictions × references by id: what is missing, extra or there twice is said, never guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Literal

import numpy as np

from pytest_vigate.data.answers import Answers, accepted_texts
from pytest_vigate.data.coordinates import Bool, Int
from pytest_vigate.data.dataset import Dataset, Side
from pytest_vigate.data.documents import Documents, due_documents
from pytest_vigate.data.pairing import Pair
from pytest_vigate.data.records import PICTURE_KEYS, TELLING, more_fields, stem
from pytest_vigate.data.replies import ParseFailure, quoted
from pytest_vigate.data.tables import Table
from pytest_vigate.errors import DataError, did_you_mean

Missing = Literal["count", "error"]
Extra = Literal["error", "ignore"]

_SHOWN = 3


def join(
    predictions: Table,
    references: Table | None,
    *,
    attributes: Sequence[str] = (),
    missing: Missing = "count",
    extra: Extra = "error",
) -> Dataset:
    """Both sides as one dataset, in the order of the references. Ids compare as text.

    Args:
        predictions: What the model said.
        references: What is true; None where the metrics need none: the samples are then the predictions.
        attributes: Names of record fields to slice by; the references' where they have it, else the predictions'.
        missing: A reference without a prediction is absent (``count``) or an error.
        extra: A prediction without a reference is an error, or is dropped (``ignore``).

    Raises:
        DataError: If there are no samples, an id is there twice, no id is on both sides, a record is joined to one of
            another picture or question, an attribute is on neither, or what `missing` and `extra` say. What is wrong
            with boxes comes when boxes are asked for.
    """
    if references is None:
        return _alone(predictions, attributes)
    if not len(references):
        raise DataError(
            references.source.file, "zero samples: the references hold no record; an empty set proves nothing"
        )
    if not len(predictions) and predictions.replies is None and references.derive_boxes is None:
        raise DataError(
            predictions.source.file, "the file holds no records; zero samples prove nothing, write at least one"
        )
    key = _common_key(predictions, references)
    ids = references.keys[key]
    index = _index(references, key)
    theirs = _index(predictions, key)
    if theirs and not theirs.keys() & index.keys():
        raise DataError(
            predictions.source.file,
            f"no id is on both sides: predictions have {next(iter(theirs))!r}, references {ids[0]!r}; "
            f"declare which fields name a sample: fields: {{id: …}}",
        )
    surplus = [name for name in theirs if name not in index]
    if surplus and extra == "error":
        raise DataError(
            predictions.places(theirs[surplus[0]]),
            f"{_count(len(surplus), 'prediction has', 'predictions have')} no reference: {_some(surplus)}; "
            f"add the references, or declare extra: ignore",
        )
    record = np.array([theirs.get(name, -1) for name in ids], dtype=np.int64)
    absent = [name for name in ids if name not in theirs]
    if absent and missing == "error":
        raise DataError(
            references.places(index[absent[0]]),
            f"{_count(len(absent), 'reference has', 'references have')} no prediction: {_some(absent)}; "
            f"add the predictions, or declare missing: count",
        )
    _refuse_other_pictures(predictions, references, key, record)
    _refuse_other_questions(predictions, references, key, record)
    sample = np.full(len(predictions), -1, dtype=np.int64)
    sample[record[record >= 0]] = np.flatnonzero(record >= 0)
    pair = Pair(predictions, references, sample, record)
    texts = references.derive_texts
    return Dataset(
        ids,
        {name: _attribute(name, predictions, references, record) for name in attributes},
        _predictions(predictions, record, pair, texts=texts is not None, textual=references.textual),
        Side(
            references.source.file,
            np.ones(len(ids), dtype=np.bool_),
            references.replies,
            None if references.derive_boxes is None else lambda: pair.references,
            derive_texts=None if texts is None else lambda: accepted_texts(references, texts()),
            derive_documents=None
            if texts is None and references.documents is None
            else lambda: due_documents(references),
        ),
    )


def picture_names(predictions: Table, references: Table | None) -> tuple[str, ...] | None:
    """The picture of every sample of the joined sides, by its file name; None where the records do not name it."""
    keys = predictions.keys if references is None else references.keys
    return next((keys[key] for key in PICTURE_KEYS if key in keys), None)


def _alone(predictions: Table, attributes: Sequence[str]) -> Dataset:
    if not len(predictions):
        raise DataError(
            predictions.source.file, "zero samples: the predictions hold no record; an empty set proves nothing"
        )
    key = next(iter(predictions.keys))
    _index(predictions, key)
    everyone = np.arange(len(predictions))
    pair = Pair(predictions, None, everyone, everyone)
    return Dataset(
        predictions.keys[key],
        {name: _attribute(name, predictions, None, everyone) for name in attributes},
        _predictions(predictions, everyone, pair, texts=False),
        Side("", np.zeros(len(predictions), dtype=np.bool_)),
    )


def _common_key(predictions: Table, references: Table) -> str:
    """The first name that both sides have and under which they share an id; the first of all where they share none.

    An id that is declared is the only one.
    """
    bound = any(_declares_id(table) for table in (predictions, references))
    kinds = {table.id_of for table in (predictions, references) if not _declares_id(table)} - {""}
    common = [
        key
        for key in predictions.keys
        if key in references.keys and (key == "id" or not bound) and (key != "id" or len(kinds) < 2)
    ]
    if not common:
        raise DataError(
            predictions.source.file,
            f"predictions are named by {_named(predictions)}, references by {_named(references)}; "
            f"declare which fields name a sample: fields: {{id: …}}",
        )
    sharing = (key for key in common if not set(predictions.keys[key]).isdisjoint(references.keys[key]))
    return next(sharing, common[0])


def _declares_id(table: Table) -> bool:
    declared = table.source.fields.get("id")
    return declared is not None and declared not in PICTURE_KEYS


def _named(table: Table) -> str:
    """The names that a side goes by."""
    if _declares_id(table):
        return "id"
    return " or ".join(table.id_of or key if key == "id" else key for key in table.keys)


def _index(table: Table, key: str) -> dict[str, int]:
    """Record of every id.

    Raises:
        DataError: If an id is there twice.
    """
    index: dict[str, int] = {}
    for i, name in enumerate(table.keys[key]):
        first = index.setdefault(name, i)
        if first != i:
            raise DataError(
                table.places(i),
                f"the {key} {name!r} is already that of {table.places(first)}; {_told_apart(table, key, first, i)}",
            )
    return index


def _told_apart(table: Table, key: str, *rows: int) -> str:
    """What to do about two records of one id."""
    known = table.field_names() if table.id_fields is None else table.id_fields()
    declared = table.source.fields.get("id")
    base = table.source.fields.get("image", "image") if key in PICTURE_KEYS else key
    if declared is not None and declared not in PICTURE_KEYS:
        base = declared
    elif key == "id" and "id" not in known:
        base = "doc_id"
    parts = [part for part in ((base,) if isinstance(base, str) else base) if part in known]
    if not parts:
        return more_fields({}, {}, base=())
    one, other = ({name: _at(table, name, row) for name in TELLING if name in known} for row in rows)
    return more_fields(one, other, base=parts)


def _at(table: Table, name: str, row: int) -> str | None:
    try:
        column = table.attribute(name)
    except DataError:  # no text
        return None
    return None if column is None else column[row]


def _refuse_other_pictures(predictions: Table, references: Table, key: str, record: Int) -> None:
    """Raise where both sides name the picture of a joined pair, and not the same one.

    Under an id of its own, folder and ending are left to each side; pictures joined by their stems may have folders on
    one side only, or the same last ones.
    """
    ours, theirs = predictions.keys.get("image"), references.keys.get("image")
    if ours is None or theirs is None:
        return
    for i, j in enumerate(record.tolist()):
        if j < 0 or ours[j] == theirs[i]:
            continue
        if key != "stem" and stem(ours[j]) != stem(theirs[i]):
            advice = "declare fields: {id: image}, or correct the records"
        elif key == "stem" and _in_other_folders(ours[j], theirs[i]):
            advice = "write the same folders on both sides, or none"
        else:
            continue
        raise DataError(
            predictions.places(j),
            f"the {key} {references.keys[key][i]!r} joins the picture {ours[j]!r} with {theirs[i]!r} at "
            f"{references.places(i)}; {advice}",
        )


def _refuse_other_questions(predictions: Table, references: Table, key: str, record: Int) -> None:
    """Raise where a pair's questions differ, and one of them is that of another record of its picture or conversation.

    A question in other words, as in a template around it, is no other question.
    """
    ours, theirs = predictions.questions, references.questions
    if ours is None or theirs is None:
        return
    places = [{found: i for i, found in enumerate(side) if found is not None} for side in (ours, theirs)]
    for i, j in enumerate(record.tolist()):
        said, due = (None if j < 0 else ours[j]), theirs[i]
        if said is None or due is None or said.text == due.text:
            continue
        there = places[1].get(due._replace(text=said.text)) if due.about else None
        here = places[0].get(said._replace(text=due.text)) if said.about else None
        if there is None and here is None:
            continue
        other = references.places(there) if there is not None else predictions.places(here or 0)
        asked = said.text if there is not None else due.text
        raise DataError(
            predictions.places(j),
            f"the {key} {references.keys[key][i]!r} joins the question {quoted(said.text)} with {quoted(due.text)} at "
            f"{references.places(i)}, but {quoted(asked)} is asked at {other}; correct the ids, or the questions",
        )


def _in_other_folders(one: str, other: str) -> bool:
    """Whether two names of a picture both have folders, and neither's are the last ones of the other's."""
    folders = [PurePosixPath(name.replace("\\", "/")).parent.parts for name in (one, other)]
    shared = min(map(len, folders))
    return shared > 0 and folders[0][-shared:] != folders[1][-shared:]


def _predictions(table: Table, record: Int, pair: Pair, *, texts: bool, textual: Bool | None = None) -> Side:
    """The predictions' side.

    Args:
        table: Its records.
        record: (n,) record of every sample, -1 where there is none.
        pair: Its boxes.
        texts: The references hold texts: replies that need not be read for boxes are then read for these.
        textual: (n,) which references hold texts, where the others hold boxes.
    """
    answers = Answers(table, record)
    replies = table.replies
    failures: Callable[[], Mapping[int, ParseFailure]] | None = None
    if table.in_replies and texts and textual is not None:
        failures = partial(_mixed, pair, answers, textual)
    elif table.in_replies and not (texts and (pair.right is None or pair.right.derive_boxes is None)):
        failures = lambda: pair.failures  # noqa: E731
    elif replies is not None and texts:
        failures = lambda: answers.failures  # noqa: E731
    present = record >= 0
    if replies is None and table.documents is not None:
        said = np.array([value is not None for value in (*table.documents(), None)], dtype=np.bool_)
        present = said[record]  # the last one is that of -1
    return Side(
        table.source.file,
        present,
        None if replies is None else tuple(replies[i] if i >= 0 else None for i in record),
        None if table.derive_boxes is None else lambda: pair.predictions,
        failures,
        None if replies is None else lambda: answers.texts,
        None if replies is None else lambda: answers.failures,
        None if replies is None else lambda: answers.notes,
        None if replies is None and table.documents is None else lambda: Documents(table, record),
        table.source.replies,
        table.source.syntax,
    )


def _mixed(pair: Pair, answers: Answers, textual: Bool) -> Mapping[int, ParseFailure]:
    """Every reply is read for what its reference holds."""
    boxes = {} if textual.all() else {i: found for i, found in pair.failures.items() if not textual[i]}
    texts = {i: found for i, found in answers.failures.items() if textual[i]}
    return dict(sorted((boxes | texts).items()))


def _attribute(name: str, predictions: Table, references: Table | None, record: Int) -> tuple[str | None, ...]:
    if references is not None and (column := references.attribute(name)) is not None:
        return column
    column = predictions.attribute(name)
    if column is not None:
        absent = int(np.count_nonzero(record < 0))
        if absent:
            raise DataError(
                predictions.source.file,
                f"attributes: only the predictions have {name!r}, and {absent} of {len(record)} references have "
                f"no prediction: what was left unanswered would leave its slice; put the field into the references",
            )
        return tuple(column[i] for i in record)
    sides = (predictions,) if references is None else (references, predictions)
    known = tuple(dict.fromkeys(field for side in sides for field in side.field_names()))
    hint = did_you_mean(name, known) or (f"their fields are {', '.join(known)}" if known else "the formats carry none")
    raise DataError(sides[0].source.file, f"attributes: no record has the field {name!r}; {hint}")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more
