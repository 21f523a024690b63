"""Which field of a record holds what: names that are declared, names that speak for themselves, and doubtful ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, NoReturn

from pytest_vigate.data.records import Record
from pytest_vigate.data.tables import Role, Source
from pytest_vigate.errors import DataError, did_you_mean

#: Names under which ``fields`` declares the texts of a side.
REPLIES: Mapping[Role, tuple[str, ...]] = {
    "predictions": ("raw_output", "prediction", "text"),
    "references": ("reference", "references", "text"),
}

#: Names of fields that hold the texts of a side beyond doubt.
CERTAIN: Mapping[Role, tuple[str, ...]] = {
    "predictions": (
        *("raw_output", "prediction", "predict", "predicted", "pred"),
        *("predicted_answer", "pred_answer", "predicted_text", "pred_text", "predicted_caption", "pred_caption"),
        *("response", "model_response", "output", "outputs", "model_output", "model_answer", "model_prediction"),
        *("generated_text", "generated_answer", "generated_caption", "generated", "generation", "completion"),
        "hypothesis",
    ),
    "references": ("reference", "references"),
}

#: Names of fields that may as well hold the question, what the model says, or what is due.
DOUBTFUL = (
    "text",
    "answer",
    "answers",
    "caption",
    "captions",
    "label",
    "target",
    "targets",
    "gold",
    "ground_truth",
    "gt",
)

#: Names of fields that may hold a reply of a model.
ANSWERS = (*CERTAIN["predictions"], "text", "answer")

#: What says which field holds the texts of a side.
_NAMING: Mapping[Role, str] = {"predictions": "fields: {{prediction: {}}}", "references": "fields: {{reference: {}}}"}


def bears_fields(record: Record, role: Role) -> bool:
    """Whether a record has a field that needs no declaration to be read."""
    return not {"boxes", "box", "text", *CERTAIN[role]}.isdisjoint(record)


def refuse_unknown_fields(source: Source, reader: str, known: Sequence[str]) -> None:
    """Raise for a name under ``fields`` that the format does not have."""
    for name in source.fields:
        if name not in known:
            hint = did_you_mean(name, known) or f"it has {', '.join(known) or 'none'}"
            raise DataError(source.file, f"fields: format {reader!r} has no field {name!r} to rename; {hint}")


def one_field(source: Source, name: str, default: str) -> str:
    """Their name of a field that is a single one.

    Raises:
        DataError: If several are declared.
    """
    theirs = source.fields.get(name, default)
    if isinstance(theirs, str):
        return theirs
    raise DataError(source.file, f"fields: {name} is one field, but {len(theirs)} are declared; name one")


def refuse_two_answers(source: Source, *, names: Collection[str], boxes: Mapping[str, str]) -> None:
    """Raise where predictions have boxes and replies, and the gate does not say which of them is the model's answer.

    Dumps of evaluations copy the reference's box beside the reply: scored in its place, it would be always right.

    Args:
        source: What the records belong to.
        names: Names of all their fields.
        boxes: Fields that hold boxes, and how ``fields`` declares each.
    """
    if source.role != "predictions" or declares(source, "boxes") or declares(source, "text"):
        return
    box = next((name for name in boxes if name in names), None)
    text = next((name for name in ANSWERS if name in names), None)
    if box is not None and text is not None:
        raise DataError(
            source.file,
            f"the records have boxes ({box}) and replies ({text}), and nothing says which are the model's answer; "
            f"declare fields: {{{boxes[box]}}} or fields: {{text: {text}}}",
        )


def text_field(source: Source, role: Role, names: Collection[str]) -> str:
    """The one field that holds the texts of a side by its name; empty where none does.

    Args:
        source: What the records belong to.
        role: The side, which may be the other one of a file that holds both.
        names: Names of all fields of the records.

    Raises:
        DataError: If several may: the other one may be the question, or what is due.
    """
    certain = [name for name in CERTAIN[role] if name in names]
    if not certain and ("text" not in names or role != source.role):
        return ""
    doubtful = (*DOUBTFUL, *(CERTAIN["predictions"] if role == "references" else ()))
    found = certain or [name for name in doubtful if name in names]
    if len(found) == 1:
        return found[0]
    raise two_answers(source, role, found[:2], [_NAMING[role].format(name) for name in found[:2]])


def two_answers(source: Source, role: Role, found: Sequence[str], advice: Sequence[str]) -> DataError:
    """That nothing says which of two fields holds the texts of a side, to be raised."""
    meant = "is the model's answer" if role == "predictions" else "is the reference"
    return DataError(
        source.file,
        f"the records have {' and '.join(map(repr, found))}, and nothing says which {meant}; "
        f"declare {' or '.join(advice)}",
    )


def raising(error: DataError) -> Callable[[], NoReturn]:
    """What ends with the error once somebody asks."""

    def fail() -> NoReturn:
        raise error

    return fail


def own_reply(source: Source, own: str, names: Callable[[], Collection[str]], *, advice: str = "") -> str:
    """The field of the model's replies where a format has one of its own.

    Args:
        source: The predictions.
        own: The format's field.
        names: Names of all fields of the records, asked for only where ``fields`` declares nothing.
        advice: What to declare for another field; by default ``fields: {prediction: …}``.

    Raises:
        DataError: If another field is beyond doubt the model's: the format's own may hold what is due.
    """
    if "prediction" in source.fields:
        return one_field(source, "prediction", own)
    every = names()
    other = next((name for name in CERTAIN["predictions"] if name in every and name != own), None)
    if other is None:
        return own
    naming = _NAMING["predictions"]
    raise two_answers(source, "predictions", (own, other), (naming.format(own), f"{advice}{naming.format(other)}"))


def declares(source: Source, part: Literal["boxes", "text"]) -> bool:
    """Whether ``fields`` says where boxes, or this side's replies, are."""
    names = ("boxes", "box") if part == "boxes" else ("text", *REPLIES[source.role])
    return any(name in source.fields for name in names)
