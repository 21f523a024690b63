"""How much has to be repaired before a reply is a document: the layers that a rate of parseable replies can hide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from pytest_vigate.data.answers import blank
from pytest_vigate.data.documents import parse_answer
from pytest_vigate.data.replies import LONGEST, Answer, ParseFailure, ReplyRule, fence, fences, find_answer
from pytest_vigate.data.syntaxes import Syntax

Layer = Literal["strict", "fenced", "embedded", "truncated", "empty", "broken"]
LAYERS: tuple[Layer, ...] = get_args(Layer)
#: Syntaxes whose documents say themselves where they end.
_CLOSED = ("json", "xml")


def layer(reply: str | None, syntax: Syntax) -> Layer:
    """The layer of a reply, whatever rule the gate declares; each reply has one.

    ``empty`` says nothing. ``strict`` is a document as it is, ``fenced`` one inside a code fence around the whole
    reply, ``embedded`` one in the midst of something else: prose, thinking, a tag, one of several fences. Of the rest,
    ``truncated`` ends before its document, its fence, its tag or its thinking does, and ``broken`` is all others. The
    first that fits counts, in this order.
    """
    if reply is None or (blank(reply) if len(reply) <= LONGEST else reply.isspace()):
        return "empty"
    if len(reply) > LONGEST:
        return "broken"
    failures: list[ParseFailure] = []

    def is_document(answer: Answer | ParseFailure) -> bool:
        found = answer if isinstance(answer, ParseFailure) else parse_answer(answer, syntax)
        if isinstance(found, ParseFailure):
            failures.append(found)
        return not isinstance(found, ParseFailure)

    if is_document(Answer(reply, 0, len(reply))):
        return "strict"
    if is_document(find_answer(reply, "fenced")):
        return "fenced"
    rules: tuple[ReplyRule, ...] = ("first-json", "answer-tag") if syntax.name == "json" else ("answer-tag",)
    if any(is_document(answer) for rule in rules for answer in _with_inside(find_answer(reply, rule))):
        return "embedded"
    if sum(map(is_document, _pieces(reply, syntax))) == 1:
        return "embedded"
    return "truncated" if any(failure.truncated for failure in failures) else "broken"


def _with_inside(answer: Answer | ParseFailure) -> Iterator[Answer | ParseFailure]:
    """An answer, and what is inside a code fence that is all of it."""
    yield answer
    if not isinstance(answer, ParseFailure):
        start, end, failure = fence(answer.piece)
        if failure is not None:
            yield failure
        elif end - start < len(answer.piece):
            yield Answer(answer.text, answer.start + start, answer.start + end)


def _pieces(reply: str, syntax: Syntax) -> Iterator[Answer | ParseFailure]:
    """Where a document may stand in prose: the inside of every code fence, or else what XML's brackets enclose."""
    fenced = fences(reply, 0, len(reply))
    for start, end in fenced:
        if end == len(reply) and syntax.name not in _CLOSED:
            yield ParseFailure("the code fence is not closed", start, truncated=True)
            continue
        word = reply.find("\n", start, end) + 1
        is_word = not reply[start:word].strip() or reply[start:word].strip().isalnum()
        yield Answer(reply, word if word and is_word else start, end)
    if not fenced and syntax.name == "xml" and (start := reply.find("<")) >= 0:
        end = reply.rfind(">") + 1
        yield Answer(reply, start, max(start, end))
        if reply[end:].strip():
            yield Answer(reply, start, len(reply))
