"""Documents out of replies and references: what the model says in a syntax, and what is due."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from pytest_vigate.data.coordinates import Int
from pytest_vigate.data.replies import Answer, ParseFailure, begins_with_tag, find_answer, quoted
from pytest_vigate.data.syntaxes import JSON, Syntax, parse
from pytest_vigate.data.tables import Source, Table
from pytest_vigate.errors import DataError, NoDocumentsError

#: Characters of replies up to which their documents are kept: parsed, they take some four times as much memory.
KEPT = 1 << 26
#: What a sample without a reply has in place of a document.
NO_REPLY = ParseFailure("no reply")


class Documents:
    """The documents of predictions, one a sample, in the order of the samples; each a value or a `ParseFailure`.

    They are parsed when they are asked for. Small ones are kept; large ones are parsed again for the next metric, which
    costs less than the memory would.

    Args:
        table: The predictions.
        record: (n,) prediction record of every sample, -1 where there is none.

    Raises:
        DataError: If it is declared how to read what is parsed already.
    """

    def __init__(self, table: Table, record: Int) -> None:
        _refuse_idle(table)
        self._table = table
        self._record = record
        self._kept: Sequence[object] | None = None

    def __len__(self) -> int:
        return len(self._record)

    def __iter__(self) -> Iterator[object]:
        if self._kept is not None:
            return iter(self._kept)
        replies = self._table.replies
        if replies is None and self._table.documents is not None:
            values = self._table.documents()
            return (values[i] if i >= 0 and values[i] is not None else NO_REPLY for i in self._record.tolist())
        texts = [replies[i] if replies is not None and i >= 0 else None for i in self._record.tolist()]
        found = (NO_REPLY if text is None else read_document(text, self._table.source) for text in texts)
        if sum(len(text) for text in texts if text is not None) > KEPT:
            return found
        with no_collection():
            self._kept = [*found]
        return iter(self._kept)


def _refuse_idle(table: Table) -> None:
    """Raise where a rule or a syntax would do nothing, for the replies are parsed already."""
    source = table.source
    idle = {"replies": source.replies != "strict", "syntax": source.syntax != JSON}
    if table.replies is None and any(idle.values()):
        names = " and ".join(name for name, declared in idle.items() if declared)
        raise DataError(source.file, f"the replies are parsed already, and {names} would do nothing; remove {names}")


@contextmanager
def no_collection() -> Iterator[None]:
    """No search for garbage where nothing that is made can be garbage yet: it takes as long as parsing."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def read_document(reply: str, source: Source) -> object:
    """The document in a reply, by the declared rule and syntax, or why there is none; positions are the reply's."""
    answer = find_answer(reply, source.replies)
    if not isinstance(answer, ParseFailure):
        return parse_answer(answer, source.syntax)
    if source.replies == "first-json" and answer.rest:
        start = max(0, reply.rfind(answer.rest))
        found = _placed(parse(answer.rest, source.syntax), start)
        if isinstance(found, ParseFailure):  # the syntax says what is wrong more closely
            return replace(found, truncated=answer.truncated)
    return answer


#: What a reply is told that a lenient syntax would take with its tags.
TAGGED = "thinking or answer tag around the document"


def parse_answer(answer: Answer, syntax: Syntax) -> object:
    """The document that an answer is, or why it is none; positions are the reply's.

    A tag of thinking or of an answer is YAML and CSV as any other text, and XML as any other element: it is no part of
    a document, unless an element of XML is called ``answer``. Where something stands behind the answer, a document that
    ends too early is not cut off.
    """
    whole = answer.start == 0
    if whole and syntax.name not in ("json", "jsonl") and begins_with_tag(answer.text, answer=syntax.name != "xml"):
        return ParseFailure(TAGGED, 0)
    found = _placed(parse(answer.piece, syntax), answer.start)
    if isinstance(found, ParseFailure) and found.truncated and not answer.cut_off:
        return replace(found, truncated=False)
    return found


def _placed(found: object, start: int) -> object:
    """What a piece of a reply is; a failure's position becomes the reply's."""
    if isinstance(found, ParseFailure) and found.position is not None and start:
        return replace(found, position=found.position + start)
    return found


def due_documents(table: Table) -> Sequence[object]:
    """The documents of references, one a record.

    Raises:
        NoDocumentsError: If the references are texts, none of which is in the declared syntax.
        DataError: If a record has none, or several, or its text is not in the declared syntax.
    """
    try:
        return _due(table)
    except DataError as error:
        if all(isinstance(_read(value, table.source), ParseFailure) for value in _given(table)):
            raise NoDocumentsError(error.where, error.message) from None
        raise


def _given(table: Table) -> Iterator[object]:
    """All that references hold, texts not parsed."""
    if table.documents is not None:
        return (value for value in table.documents() if value is not None)
    return (text for texts in (table.derive_texts or tuple)() for text in texts)


def _read(value: object, source: Source) -> object:
    return read_document(value, source) if isinstance(value, str) else value


def _due(table: Table) -> Sequence[object]:
    if table.documents is not None:
        values = table.documents()
    elif table.derive_texts is not None:
        values = tuple(_one(texts, table.places(i)) for i, texts in enumerate(table.derive_texts()))
    else:
        raise DataError(table.source.file, "these records carry no documents; name the field under 'fields'")
    found = []
    with no_collection():
        for i, value in enumerate(values):
            if value is None:
                raise _not_one((), table.places(i))
            document = _read(value, table.source)
            if isinstance(document, ParseFailure):
                raise DataError(
                    table.places(i),
                    f"the reference {quoted(str(value))} is no {table.source.syntax.name} document: {document}; "
                    "correct it, or declare its syntax",
                )
            found.append(document)
    return found


def _one(texts: Sequence[str], where: str) -> str:
    if len(texts) == 1:
        return texts[0]
    raise _not_one(texts, where)


def _not_one(texts: Sequence[str], where: str) -> DataError:
    count = f"{len(texts)} references, and a document is held against one" if texts else "no reference"
    return DataError(where, f"the record has {count}; write the document that is due")
