"""Samples of lmms-eval: a response and its target a line, both sides in one file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from pytest_vigate.data import naming, records
from pytest_vigate.data.dataset import Texts
from pytest_vigate.data.decoding import convert
from pytest_vigate.data.files import encodable, has_lines
from pytest_vigate.data.readers import Reader, first_record
from pytest_vigate.data.records import Record
from pytest_vigate.data.tables import Role, Source, Table
from pytest_vigate.errors import DataError

_SIGNS = frozenset({"doc_id", "target", "filtered_resps"})
_HEX = r"x[0-9a-f]{2}|u[0-9a-f]{4}|U00(?:0[0-9a-f]|10)[0-9a-f]{4}"
#: What stands in a string as Python's `repr` writes it, besides the quotes around it.
_INNER = rf"[^\\\n{{}}]|\\(?:{_HEX}|[\\'\"nrt])"
_STRING = "|".join(f"{quote}(?:{_INNER.replace('{}', quote)})*+{quote}" for quote in "'\"")
_LIST = re.compile(rf"\[(?:(?:{_STRING})(?:, (?:{_STRING}))*+)?\]")
_STRINGS = re.compile(_STRING)
_ESCAPE = re.compile(rf"\\(?:({_HEX})|(.))")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


class LmmsEval(Reader):
    """``{"doc_id", "input", "target", "filtered_resps"}`` a line, as lmms_eval 0.7.3 writes with ``--log_samples``.

    The one file holds both sides: it may be named twice, or ``data.references`` left out. The target is always a string
    there; one that is a list of strings, as Python writes it, is so many accepted answers, and for families of
    documents it is the text of one, whole. Of a sample with several
    responses, none is the answer until ``fields: {prediction: …}`` names the field that is.
    """

    name: ClassVar[str] = "lmms-eval"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        return has_lines(path) and first_record(head).keys() >= _SIGNS

    def read(self, source: Source) -> Table:
        naming.refuse_unknown_fields(source, self.name, ("id", "prediction", "reference"))
        found = list(records.line_records(source))
        places = [place for place, _ in found]
        predicted = source.role == "predictions"
        response = naming.one_field(source, "prediction", "filtered_resps")
        target = naming.one_field(source, "reference", "target")

        def untyped() -> Iterator[tuple[str, Record]]:
            return iter(found)

        texts = partial(_texts, found, target)
        documents = partial(_targets, found, target)
        table = Table(
            source,
            records.keys(source, ids=records.declared_ids(source, untyped) or _ids(found), images=None),
            places.__getitem__,
            np.full((len(found), 2), np.nan),
            partial(records.column, untyped),
            partial(records.names, untyped),
            tuple(_response(record, response, where) for where, record in found) if predicted else None,
            derive_texts=None if predicted else texts,
            documents=None if predicted else documents,
            text_field=response if predicted else target,
        )
        return table.with_counterpart(target, texts, documents) if predicted else table


def _ids(found: Sequence[tuple[str, Record]]) -> list[str]:
    ids = []
    for where, record in found:
        text = records.as_text(record.get("doc_id"), where=where, name="doc_id")
        if text is None:
            raise DataError(where, "the field 'doc_id' is missing; name the file of samples that lmms-eval has written")
        ids.append(text)
    return ids


def _response(record: Record, name: str, where: str) -> str | None:
    """The one response of a sample, however many lists it is wrapped into; None where there is none."""
    if name not in record:
        raise DataError(where, f"the field {name!r} is missing; name the one that holds the answer: {_NAMING}")
    value, path = record[name], f"$.{name}"
    while isinstance(value, list):
        if len(value) > 1:
            raise DataError(
                where,
                f"{path}: {len(value)} responses, where one is due; name the field that holds the answer: {_NAMING}",
            )
        value, path = value[0] if value else None, f"{path}[0]"
    try:
        return None if value is None else convert(value, str, where=where, path=path)
    except DataError as error:
        advice = _PARSED.format(name) if isinstance(record[name], Mapping) else ""
        raise DataError(error.where, f"{error.message}; write the reply as text{advice}") from None


_NAMING = "fields: {prediction: …}"
#: Lists around the reply would be part of the document.
_PARSED = ", or declare format: jsonl and fields: {{id: doc_id, prediction: {}, reference: target}}"


def _texts(found: Sequence[tuple[str, Record]], name: str) -> Texts:
    texts: list[tuple[str, ...]] = []
    for where, record in found:
        value = records.pick(record, name)
        accepted = () if value is None else targets(convert(value, str, where=where, path=f"$.{name}"))
        if any(encodable(text) != text for text in accepted):
            raise DataError(where, f"$.{name}: half of a character is no text; correct it")
        texts.append(accepted)
    return tuple(texts)


def _targets(found: Sequence[tuple[str, Record]], name: str) -> Sequence[str | None]:
    """Every target as it is written, for those who parse it."""
    values = ((where, records.pick(record, name)) for where, record in found)
    return [None if value is None else convert(value, str, where=where, path=f"$.{name}") for where, value in values]


def targets(text: str) -> tuple[str, ...]:
    """The strings of a list of strings as Python writes it; other text is one."""
    if not _LIST.fullmatch(text):
        return (text,)
    return tuple(_ESCAPE.sub(_unescaped, quoted[1:-1]) for quoted in _STRINGS.findall(text))


def _unescaped(escape: re.Match[str]) -> str:
    if escape[1] is None:
        return _ESCAPED.get(escape[2], escape[2])
    return chr(int(escape[1][1:], 16))
